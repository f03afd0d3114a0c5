//! What `doctor` says of those who may do everything: people who sign in by a password alone, and tokens that are good for ever and from anywhere.

use super::doctor::Checks;
use super::words::text::{count, one_line};
use crate::domain::{Grant, Role, User};
use crate::store::{Store, TokenRow};

/// Names that are shown at most.
const SHOWN: usize = 5;

pub async fn credentials(checks: &mut Checks, store: &Store) {
    match store.users().await {
        Ok(people) => administrators(checks, people.into_iter().map(|row| row.user)),
        Err(_) => checks.warn("administrators", "they cannot be looked at", "`guard-proxy migrate` makes their table"),
    }
    match store.tokens().await {
        Ok(all) => tokens(checks, &all),
        Err(_) => checks.warn("tokens", "they cannot be looked at", "`guard-proxy migrate` makes their table"),
    }
}

/// Of who comes by single sign-on, the provider asks what it asks.
fn administrators(checks: &mut Checks, people: impl Iterator<Item = User>) {
    let weak: Vec<String> = people.filter(|user| user.administers() && !user.totp).map(|user| user.email.to_string()).collect();
    if weak.is_empty() {
        return checks.ok("administrators", "none signs in by a password alone");
    }
    let detail = format!("{} by a password alone: {}", count(weak.len(), "administrator"), named(&weak));
    checks.warn("administrators", detail, "each adds an authenticator in the panel, under \"My account\"");
}

fn tokens(checks: &mut Checks, all: &[TokenRow]) {
    let everything = |token: &&TokenRow| serde_json::from_str::<Grant>(&token.rights).is_ok_and(|grant| grant.has_global(Role::Admin));
    let boundless = |token: &&TokenRow| token.expires_at.is_none() && token.networks.is_empty();
    let weak: Vec<String> = all.iter().filter(boundless).filter(everything).map(|token| token.name.clone()).collect();
    if weak.is_empty() {
        return checks.ok("tokens", "none of an administrator is good for ever and from anywhere");
    }
    let detail = format!("{} of an administrator, good for ever and from anywhere: {}", count(weak.len(), "token"), named(&weak));
    let advice = "make others with less (`guard-proxy token create` with `--role`, `--days`, `--network`), then `guard-proxy token revoke`";
    checks.warn("tokens", detail, advice);
}

fn named(names: &[String]) -> String {
    let more = names.len().saturating_sub(SHOWN);
    let shown = one_line(&names[..names.len() - more].join(", "));
    if more == 0 { shown } else { format!("{shown} and {more} more") }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use time::OffsetDateTime;
    use uuid::Uuid;

    use super::super::doctor::Status;
    use super::*;

    #[test]
    fn administrators_have_authenticators() {
        let said = |change: Value| {
            let mut user = json!({
                "id": Uuid::nil(), "email": "ada@example.com", "title": "", "roles": [{ "role": "admin" }], "disabled": false, "ready": true,
                "totp": false, "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z",
            });
            user.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
            let mut checks = Checks::default();
            administrators(&mut checks, std::iter::once(serde_json::from_value(user).unwrap()));
            checks.last()
        };
        let (status, text) = said(json!({}));
        assert!(status == Status::Warn && text.contains("1 administrator by a password alone: ada@example.com"), "{text}");
        assert!(text.contains("authenticator in the panel"), "{text}");
        for fine in [
            json!({ "totp": true }),
            json!({ "disabled": true }),
            json!({ "ready": false }),
            json!({ "source": "sso" }),
            json!({ "roles": [{ "role": "editor" }, { "role": "admin", "scope": { "vhosts": ["shop"] } }] }),
        ] {
            assert_eq!(said(fine.clone()).0, Status::Ok, "{fine}");
        }
    }

    #[test]
    fn tokens_of_administrators_have_bounds() {
        let token = |name: &str, rights: Value| TokenRow {
            id: Uuid::nil(),
            name: name.to_owned(),
            hash: Vec::new(),
            created_at: OffsetDateTime::UNIX_EPOCH,
            expires_at: None,
            rights: rights.to_string(),
            networks: Vec::new(),
            created_by: String::new(),
            person_id: None,
            last_used_at: None,
        };
        let said = |all: &[TokenRow]| {
            let mut checks = Checks::default();
            tokens(&mut checks, all);
            checks.last()
        };
        let admin = || token("root", json!({ "roles": [{ "role": "admin" }] }));
        let fine = [
            TokenRow { expires_at: Some(OffsetDateTime::UNIX_EPOCH), ..admin() },
            TokenRow { networks: vec!["192.0.2.0/24".to_owned()], ..admin() },
            token("ci", json!({ "roles": [{ "role": "editor" }] })),
            token("shop", json!({ "roles": [{ "role": "admin", "scope": { "vhosts": ["shop"] } }] })),
        ];
        assert_eq!(said(&fine).0, Status::Ok);
        let all: Vec<TokenRow> = fine.into_iter().chain((0..7).map(|_| admin())).collect();
        let (status, text) = said(&all);
        assert!(status == Status::Warn && text.contains("7 tokens of an administrator"), "{text}");
        assert!(text.contains("root and 2 more") && text.contains("--days"), "{text}");
    }
}
