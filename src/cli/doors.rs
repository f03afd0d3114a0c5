//! What `doctor` says of how the API and its log are kept: listeners, certificates, files with secrets, the database role.

use std::path::Path;

use x509_parser::pem::Pem;

use super::doctor::Checks;
use super::keys::advice;
use super::people;
use crate::auth::Keyring;
use crate::config::Settings;
use crate::domain::Network;
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
    if api.insecure_cookies {
        checks.warn(
            "API cookies",
            "the cookie of a session goes over plain HTTP",
            "good to try things out on one's own machine; for people unset `api.insecure_cookies`",
        );
    }
    proxies(checks, &api.trusted_proxies.0);
    if !settings.oidc.issuer.is_empty() {
        sso(checks, settings);
    }
}

/// Who trusts everybody lets everybody say where they come from. The largest networks that are anybody's own are 10.0.0.0/8 and fc00::/7.
fn proxies(checks: &mut Checks, trusted: &[Network]) {
    let least = |network: &Network| if network.net().network().is_ipv4() { 8 } else { 7 };
    let wide: Vec<String> = trusted.iter().filter(|network| network.net().prefix_len() < least(network)).map(ToString::to_string).collect();
    if !wide.is_empty() {
        checks.warn(
            "trusted proxies",
            format!(
                "{} has clients, too: who sends `X-Forwarded-For` chooses the address that attempts and tokens are judged by",
                wide.join(", ")
            ),
            "name the proxies alone in `api.trusted_proxies`",
        );
    } else if !trusted.is_empty() {
        checks.ok("trusted proxies", trusted.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "));
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
    use sqlx::PgPool;
    use sqlx::postgres::PgConnectOptions;

    use super::super::doctor::Status;
    use super::*;
    use crate::auth::SigningKey;
    use crate::store::StoreSettings;

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
    fn weak_settings_of_the_api_are_told() {
        let said = |change: fn(&mut crate::config::Api)| {
            let mut settings = Settings::default();
            change(&mut settings.api);
            let mut checks = Checks::default();
            doors(&mut checks, &settings);
            checks.last()
        };
        let (status, text) = said(|_| {});
        assert!(status == Status::Ok && text.contains("on loopback"), "{text}");
        let (status, text) = said(|api| api.listen = "192.0.2.7:8080".parse().unwrap());
        assert!(status == Status::Fail && text.contains("refuses to start") && text.contains("api.tls_certificate"), "{text}");
        let (status, text) = said(|api| (api.listen, api.allow_plain) = ("[::]:8080".parse().unwrap(), true));
        assert!(status == Status::Warn && text.contains("can be read on the way") && text.contains("behind a proxy"), "{text}");
        let (status, text) = said(|api| api.insecure_cookies = true);
        assert!(status == Status::Warn && text.contains("unset `api.insecure_cookies`"), "{text}");
    }

    #[test]
    fn who_trusts_everybody_is_told() {
        let said = |networks: &[&str]| {
            let mut checks = Checks::default();
            proxies(&mut checks, &networks.iter().map(|network| network.parse().unwrap()).collect::<Vec<_>>());
            checks.last()
        };
        for wide in ["0.0.0.0/0", "::/0", "128.0.0.0/1", "8.0.0.0/7", "2000::/3", "::ffff:0.0.0.0/96"] {
            let (status, text) = said(&["192.0.2.7", wide]);
            assert!(status == Status::Warn && text.contains("name the proxies alone"), "{wide}: {text}");
            assert!(!text.contains("192.0.2.7"), "{text}");
        }
        assert_eq!(said(&["10.0.0.0/8", "fc00::/7", "2001:db8::/32", "192.0.2.7"]).0, Status::Ok);
    }

    async fn store(options: &PgConnectOptions) -> Store {
        Store::with_options(options.clone(), &StoreSettings::default()).await.unwrap()
    }

    #[sqlx::test(migrations = "./migrations")]
    async fn who_could_change_the_audit_log_is_told(pool: PgPool) {
        let options = (*pool.connect_options()).clone();
        let said = async |role: Option<&str>| {
            // The server's own roles are there wherever the tests run.
            let options = role.map_or(options.clone(), |role| options.clone().options([("role", role)]));
            let (mut checks, store) = (Checks::default(), store(&options).await);
            audit_log(&mut checks, &store).await;
            store.close().await;
            checks.last()
        };
        let run = async |statement: &'static str| sqlx::query(statement).execute(&pool).await.map(drop).unwrap();
        let (status, text) = said(None).await;
        assert!(status == Status::Warn && text.contains("superuser") && text.contains("a role of its own"), "{text}");
        assert_eq!(said(Some("pg_monitor")).await.0, Status::Ok);
        run("alter table audit owner to pg_monitor").await;
        let (status, text) = said(Some("pg_monitor")).await;
        assert!(status == Status::Warn && text.contains("owns it") && text.contains("serve with another"), "{text}");
        run("alter table audit disable trigger user").await;
        let (status, text) = said(Some("pg_monitor")).await;
        assert!(status == Status::Fail && text.contains("append-only are missing or off") && text.contains("audit verify"), "{text}");
    }

    #[sqlx::test(migrations = "./migrations")]
    async fn keys_that_seal_are_told(pool: PgPool) {
        let (old, new) = (Keyring::generate().unwrap(), Keyring::generate().unwrap());
        let (old, new) = (old.trim(), new.trim());
        let store = store(&pool.connect_options()).await;
        let signing = SigningKey::generate(&Keyring::parse(old).unwrap(), time::OffsetDateTime::UNIX_EPOCH).unwrap();
        store.put_signing_key(&signing).await.unwrap();
        let said = async |keys: &[&str]| {
            let mut settings = Settings::default();
            settings.auth.key = crate::config::Secret::new(keys.join(","));
            let mut checks = Checks::default();
            sealing(&mut checks, &settings, &store).await;
            assert!(!format!("{checks:?}").contains(old), "a key is never shown");
            checks.last()
        };
        assert_eq!(said(&[old]).await.0, Status::Ok);
        let (status, text) = said(&[new, old]).await;
        assert!(status == Status::Warn && text.contains("1 are still sealed under older keys") && text.contains("keys reseal"), "{text}");
        let (status, text) = said(&[new]).await;
        assert!(status == Status::Fail && text.contains("keys that are missing") && text.contains("put its line back"), "{text}");
        sqlx::query("delete from signing_keys").execute(&pool).await.unwrap();
        let (status, text) = said(&[new, old]).await;
        assert!(status == Status::Warn && text.contains("older ones are in the settings") && text.contains("can be taken out"), "{text}");
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
