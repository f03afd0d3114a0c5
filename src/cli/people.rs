//! What the settings say of people, as the layers below want it.

use std::io::Write as _;
use std::path::Path;

use anyhow::Context as _;
use fs_err::os::unix::fs::OpenOptionsExt as _;

use super::failure::Failure;
use crate::api::{ApiOptions, Origins};
use crate::auth::{Keyring, OidcOptions, Text};
use crate::config::Settings;
use crate::service::{PeopleOptions, SsoOptions};

/// What the secret of single sign-on is sealed for.
pub const CLIENT_SECRET: &str = "oidc/client_secret";

pub fn api_options(settings: &Settings) -> ApiOptions {
    ApiOptions {
        trusted_proxies: settings.api.trusted_proxies.0.clone(),
        insecure_cookies: settings.api.insecure_cookies,
        origins: Origins::new(settings.api.cors_origins.0.iter().map(ToString::to_string)),
    }
}

/// The keys of the settings; makes some where none are named and none are there.
pub fn made_ring(settings: &Settings) -> Result<Keyring, Failure> {
    if let Some(ring) = ring(settings)? {
        return Ok(ring);
    }
    let file = settings.node.state_dir.join("auth.key");
    make(&file)?;
    read(&file)
}

pub fn options(settings: &Settings) -> Result<PeopleOptions, Failure> {
    let auth = &settings.auth;
    let ring = made_ring(settings)?;
    let sso = if settings.oidc.issuer.is_empty() { None } else { Some(sso(settings, &ring)?) };
    let (idle, longest) = (time::Duration::hours(auth.session_idle_hours.into()), time::Duration::days(auth.session_days.into()));
    Ok(PeopleOptions { ring: Some(ring), idle, longest, sso })
}

fn sso(settings: &Settings, ring: &Keyring) -> Result<SsoOptions, Failure> {
    let oidc = &settings.oidc;
    let unread = |key: &str, error: &std::io::Error| Failure::user(format!("`oidc.{key}` cannot be read: {error}"));
    let secret = match &oidc.client_secret_file {
        Some(file) => fs_err::read_to_string(file).map_err(|error| unread("client_secret_file", &error))?.trim().to_owned(),
        None => oidc.client_secret.reveal().to_owned(),
    };
    let secret = ring.open_text(CLIENT_SECRET, &secret).map_err(|error| {
        Failure::user(format!("the client's secret of `[oidc]`: {error}")).hint("`guard-proxy seal` seals it anew, with the keys of now")
    })?;
    let provider = OidcOptions {
        issuer: oidc.issuer.clone(),
        client_id: oidc.client_id.clone(),
        client_secret: Some(secret).filter(|secret| !secret.is_empty()).map(Text::new),
        ca: oidc.ca_file.as_ref().map(fs_err::read).transpose().map_err(|error| unread("ca_file", &error))?,
        name: oidc.name.clone(),
        public_url: oidc.public_url.clone(),
        scopes: oidc.scopes.0.clone(),
        groups_claim: oidc.groups_claim.clone(),
        email_claim: oidc.email_claim.clone(),
    };
    Ok(SsoOptions {
        provider,
        roles: oidc.roles.clone(),
        create_people: oidc.create_people,
        link_verified_email: oidc.link_verified_email,
        longest: time::Duration::hours(oidc.session_hours.into()),
    })
}

/// The keys of the settings; None where none are named and none were made yet.
pub fn ring(settings: &Settings) -> Result<Option<Keyring>, Failure> {
    let auth = &settings.auth;
    match &auth.key_file {
        None if !auth.key.is_empty() => auth.ring().map(Some).map_err(|what| Failure::user(format!("`auth.key`: {what}"))),
        Some(file) => read(file).map(Some),
        None => {
            let file = settings.node.state_dir.join("auth.key");
            if file.symlink_metadata().is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound) {
                Ok(None)
            } else {
                read(&file).map(Some)
            }
        }
    }
}

fn read(file: &Path) -> Result<Keyring, Failure> {
    let wrong = |what: String| {
        Failure::user(format!("the keys in `{}` cannot be used: {what}", file.display()))
            .hint("`auth.key_file` names the file; `openssl rand -base64 32` makes a key")
    };
    let text = fs_err::read_to_string(file).map_err(|error| wrong(error.to_string()))?;
    Keyring::parse(&text).map_err(wrong)
}

/// Makes a file with one key, for its owner alone, where there is none.
fn make(file: &Path) -> Result<(), Failure> {
    if let Some(folder) = file.parent() {
        fs_err::create_dir_all(folder).context("the folder of the keys")?;
    }
    let mut options = fs_err::OpenOptions::new();
    match options.write(true).create_new(true).mode(0o600).open(file) {
        Ok(mut made) => {
            let text = Keyring::generate().map_err(anyhow::Error::new)?;
            made.write_all(text.as_bytes()).and_then(|()| made.sync_all()).context("writing a key")?;
            Ok(())
        }
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(Failure::user(format!("a key cannot be made: {error}")).hint("`auth.key_file` names another place")),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn the_secret_of_single_sign_on_may_be_sealed() {
        let folder = tempfile::tempdir().unwrap();
        let mut settings = Settings::default();
        settings.node.state_dir = folder.path().join("state");
        assert!(options(&settings).unwrap().sso.is_none(), "off");
        settings.oidc.issuer = "https://id.example.com".to_owned();
        let secret = |settings: &Settings| {
            let options = options(settings).ok()?.sso?.provider;
            assert!(!format!("{options:?}").contains("hunter2"));
            Some(options.client_secret.map(|secret| secret.reveal().to_owned()).unwrap_or_default())
        };
        assert_eq!(secret(&settings).unwrap(), "", "a public client");
        let sealed = made_ring(&settings).unwrap().seal_text(CLIENT_SECRET, "hunter2").unwrap();
        for text in ["hunter2", &sealed] {
            settings.oidc.client_secret = crate::config::Secret::new(text);
            assert_eq!(secret(&settings).unwrap(), "hunter2");
        }
        let file = folder.path().join("secret");
        fs_err::write(&file, format!("{sealed}\n")).unwrap();
        (settings.oidc.client_secret, settings.oidc.client_secret_file) = (crate::config::Secret::default(), Some(file));
        assert_eq!(secret(&settings).unwrap(), "hunter2");
        fs_err::remove_file(settings.node.state_dir.join("auth.key")).unwrap();
        assert!(secret(&settings).is_none(), "another key does not open it");
    }

    #[test]
    fn a_key_is_made_once_and_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let mut settings = Settings::default();
        settings.node.state_dir = folder.path().join("state");
        let sealed = options(&settings).unwrap().ring.unwrap().seal("x", b"y").unwrap();
        assert_eq!(options(&settings).unwrap().ring.unwrap().open("x", &sealed).unwrap(), b"y");
        let file = folder.path().join("state/auth.key");
        assert_eq!(fs_err::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        settings.auth.key_file = Some(folder.path().join("nothing"));
        assert!(options(&settings).is_err(), "one that is named is never made");
        fs_err::write(&file, "short").unwrap();
        settings.auth.key_file = Some(file);
        assert!(options(&settings).is_err());
    }
}
