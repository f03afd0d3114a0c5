//! What `doctor` says of how the API and its log are kept: listeners, certificates, files with secrets, the database role.

use std::path::Path;

use x509_parser::pem::Pem;

use super::doctor::Checks;
use super::keys::advice;
use super::people;
use crate::auth::Keyring;
use crate::config::Settings;
use crate::service::{self, KeyState, SealingKey};
use crate::store::Store;
use crate::telemetry::clock;

/// A certificate that ends sooner is worth a word.
const SOON_S: i64 = 21 * 86_400;

/// The way to the API, and what is kept in files for it.
pub fn doors(checks: &mut Checks, settings: &Settings) {
    let api = &settings.api;
    let listen = api.listen;
    let plain = api.tls_certificate.is_none();
    match (plain, listen.ip().to_canonical().is_loopback()) {
        (false, _) => checks.ok("API transport", "TLS"),
        (true, true) => checks.ok("API transport", "plain HTTP, on loopback"),
        (true, false) if api.allow_plain => {
            checks.warn(
                "API transport",
                format!("{listen} is not loopback, and the API speaks plain HTTP: tokens can be read on the way"),
                "set `api.tls_certificate` and `api.tls_key`, or listen on loopback behind a proxy that does TLS",
            );
        }
        (true, false) => {
            checks.fail(
                "API transport",
                format!("{listen} is not loopback, and there is no certificate: `serve` refuses to start"),
                "set `api.tls_certificate` and `api.tls_key`",
            );
        }
    }
    if let Some(certificate) = &api.tls_certificate {
        let now = clock::system()().unix_timestamp();
        match ends(certificate) {
            Err(why) => checks.fail("API certificate", why, "it is a PEM file, the server's own certificate first"),
            Ok(end) if end <= now => {
                checks.fail("API certificate", "it has expired", "put a new one in its place: it is read without a restart")
            }
            Ok(end) if end - now < SOON_S => {
                let days = (end - now) / 86_400;
                checks.warn(
                    "API certificate",
                    format!("it expires in {days} days"),
                    "put a new one in its place: it is read without a restart",
                );
            }
            Ok(_) => checks.ok("API certificate", certificate.display().to_string()),
        }
    }
    if !settings.oidc.issuer.is_empty() {
        sso(checks, settings);
    }
}

/// What is set of single sign-on; the provider itself is not asked.
fn sso(checks: &mut Checks, settings: &Settings) {
    let oidc = &settings.oidc;
    let name = "single sign-on";
    let mut good = true;
    let mut warn = |detail: String, advice: &str| {
        checks.warn(name, detail, advice);
        good = false;
    };
    if !oidc.issuer.starts_with("https://") {
        warn(format!("the issuer {} is plain HTTP", oidc.issuer), "good to try it out; `oidc.issuer` wants https:// for people");
    }
    if !oidc.public_url.starts_with("https://") {
        warn(
            format!("{} is plain HTTP", oidc.public_url),
            "`oidc.public_url` is what browsers have: https://, with a proxy or `api.tls_certificate`",
        );
    }
    if oidc.client_secret.is_empty() && oidc.client_secret_file.is_none() {
        warn(
            "the client has no secret".to_owned(),
            "make it a confidential one, and set `oidc.client_secret` or `oidc.client_secret_file`",
        );
    }
    if oidc.link_verified_email {
        warn(
            "who has somebody's address at the provider is that person here".to_owned(),
            "unset `oidc.link_verified_email` once people are linked",
        );
    }
    if good {
        checks.ok(name, format!("{}, {} groups have roles", oidc.issuer, oidc.roles.len()));
    }
}

/// When the first certificate of a file ends, in Unix seconds.
fn ends(path: &Path) -> Result<i64, String> {
    let text = fs_err::read(path).map_err(|error| error.to_string())?;
    let first = Pem::iter_from_buffer(&text).find_map(Result::ok).filter(|pem| pem.label == "CERTIFICATE");
    let pem = first.ok_or_else(|| format!("{}: there is no certificate in it", path.display()))?;
    let certificate = pem.parse_x509().map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(certificate.validity().not_after.timestamp())
}

/// Whether the audit log is kept from the role that serves.
pub async fn audit_log(checks: &mut Checks, store: &Store) {
    let Ok((on, owns)) = store.audit_guard().await else {
        return checks.warn("audit log", "its triggers cannot be looked at", "`guard-proxy migrate` makes them");
    };
    if !on {
        let advice = "somebody took them away: `guard-proxy audit verify`, then put them back as in docs/audit.md";
        checks.fail("audit log", "triggers that keep it append-only are missing or off", advice);
    } else if store.is_superuser().await.unwrap_or(false) {
        checks.warn("audit log", "the database role is a superuser, who can change it", "use a role of its own, as in docs/audit.md");
    } else if owns {
        let advice = "migrate with one role and serve with another, as in docs/audit.md";
        checks.warn("audit log", "the database role owns it, and so can take its triggers away", advice);
    } else {
        checks.ok("audit log", "append-only for this database role");
    }
}

/// Under which keys secrets are sealed, and which of them can go.
pub async fn sealing(checks: &mut Checks, settings: &Settings, store: &Store) {
    let name = "sealed secrets";
    // What is wrong with the file is said of the file.
    let Ok(ring) = people::ring(settings) else { return };
    // Without any, all are missing.
    let Ok(ring) = ring.map_or_else(Keyring::random, Ok) else { return };
    let Ok(keys) = service::sealing_keys(store, &ring).await else {
        return checks.warn(name, "they cannot be looked at", "`guard-proxy migrate` makes their tables");
    };
    let of = |state: KeyState| keys.iter().filter(move |key| key.state == state);
    let missing: i64 = of(KeyState::Missing).map(SealingKey::count).sum();
    let old: i64 = of(KeyState::Old).map(SealingKey::count).sum();
    let advice = advice(&keys, false).join("; ");
    if missing > 0 {
        let ids: Vec<&str> = of(KeyState::Missing).map(|key| key.id.as_str()).collect();
        checks.fail(name, format!("{missing} are sealed under keys that are missing: {}", ids.join(", ")), advice);
    } else if old > 0 {
        checks.warn(name, format!("{old} are still sealed under older keys"), advice);
    } else if of(KeyState::Old).next().is_some() {
        checks.warn(name, "all are sealed under the newest key, and older ones are in the settings", advice);
    } else {
        checks.ok(name, "all are sealed under the one key of the settings");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn single_sign_on_is_looked_at() {
        let said = |change: fn(&mut crate::config::Oidc)| {
            let mut settings = Settings::default();
            settings.oidc.issuer = "https://id.example.com".to_owned();
            settings.oidc.public_url = "https://guard.example.com".to_owned();
            settings.oidc.client_secret = crate::config::Secret::new("hunter2");
            change(&mut settings.oidc);
            let mut checks = Checks::default();
            sso(&mut checks, &settings);
            let text = format!("{checks:?}");
            assert!(!text.contains("hunter2"));
            (text.matches("Warn").count(), text)
        };
        assert_eq!(said(|_| {}).0, 0);
        assert!(said(|oidc| oidc.issuer = "http://127.0.0.1:8080".to_owned()).1.contains("plain HTTP"));
        assert!(said(|oidc| oidc.public_url = "http://localhost:8080".to_owned()).1.contains("public_url"));
        assert!(said(|oidc| oidc.client_secret = crate::config::Secret::default()).1.contains("no secret"));
        assert_eq!(said(|oidc| oidc.link_verified_email = true).0, 1);
    }

    #[test]
    fn the_end_of_a_certificate_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cert.pem");
        let key = rcgen::KeyPair::generate().unwrap();
        let mut parameters = rcgen::CertificateParams::new(["localhost".to_owned()]).unwrap();
        parameters.not_after = rcgen::date_time_ymd(2031, 2, 3);
        std::fs::write(&path, parameters.self_signed(&key).unwrap().pem()).unwrap();
        assert_eq!(ends(&path), Ok(1_927_843_200));
        std::fs::write(&path, "nothing").unwrap();
        assert!(ends(&path).is_err());
        assert!(ends(&folder.path().join("none")).is_err());
    }
}
