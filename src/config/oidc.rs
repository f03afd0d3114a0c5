//! `[oidc]`

use std::path::PathBuf;

use super::{List, Origin, Secret, checked, section};
use crate::auth::oidc::on_loopback;
use crate::domain::GroupRole;

section! {
    /// Single sign-on by OpenID Connect, with one provider; docs/sso.md. Off until `issuer` is set.
    Oidc in "oidc" {
        /// The provider's issuer, exactly as it says it itself: `/.well-known/openid-configuration` is found below it.
        issuer: String = String::new(), "an https:// URL; http:// on loopback only; empty: no single sign-on";
        /// As the provider knows Guard Proxy.
        client_id: String = String::new(), "1 to 255 characters";
        /// The client's secret, as it is or as `guard-proxy seal` encrypts it under the keys of `[auth]`; also for the environment,
        /// `GUARD_PROXY_OIDC__CLIENT_SECRET`. Without one, and without `client_secret_file`, the client is a public one.
        client_secret: Secret = Secret::default(), "a secret, or what `guard-proxy seal` printed; not together with `client_secret_file`";
        /// File with the client's secret on one line, as it is or encrypted.
        client_secret_file: Option<PathBuf> = None, "an absolute path";
        /// Certificates of authorities that the provider's is made by, beside those of the system; PEM.
        ca_file: Option<PathBuf> = None, "an absolute path";
        /// The provider's name, for people: on the button of the panel.
        name: String = "Single sign-on".to_owned(), "1 to 60 characters, none of them a control character";
        /// Guard Proxy's own address as browsers have it. The provider must know `/api/v1/auth/sso/callback` below it.
        public_url: String = String::new(), "an origin, `https://guard.example.com`; http:// on loopback only";
        /// What is asked for. `openid` is asked for anyway.
        scopes: List<String> = List(vec!["openid".to_owned(), "email".to_owned(), "profile".to_owned()]), "at most 20 scopes, without spaces";
        /// The claim of the id token that has the names of groups; where it begins with `/`, a JSON pointer: `/realm_access/roles`.
        groups_claim: String = "groups".to_owned(), "1 to 200 characters";
        /// The claim of the id token that has the e-mail address.
        email_claim: String = "email".to_owned(), "1 to 200 characters";
        /// What each group may do here: `{ group = "web", role = "editor", scope = { labels = { team = "web" } } }`. A role and a scope as
        /// people have them; a person has all that their groups give. Applied anew at each sign-in; nobody without a group here gets in.
        roles: Vec<GroupRole> = Vec::new(), "at most 64 tables of `group`, `role` and, if it is not everywhere, `scope`";
        /// Whether who comes for the first time, with a group that has a role, is made a person here.
        create_people: bool = true, "true or false";
        /// Whether a person who has a password here becomes the provider's where it says that it verified their address. Only for a provider whose
        /// people cannot choose that themselves: who has an address there is that person here.
        link_verified_email: bool = false, "true or false";
        /// Hours after which a session of single sign-on ends however much it is used: what the provider took from somebody bites by then.
        session_hours: u32 = 12, "1 to 168";
    }
}

checked!(Oidc, |section, problems| {
    let mut wrong = |field: &str, what: &str| problems.note(Self::KEY, field, what);
    for (field, path) in [("client_secret_file", &section.client_secret_file), ("ca_file", &section.ca_file)] {
        if path.as_ref().is_some_and(|path| !path.is_absolute()) {
            wrong(field, "the path is relative");
        }
    }
    if section.client_secret_file.is_some() && !section.client_secret.is_empty() {
        wrong("client_secret", "`client_secret_file` is set, too");
    }
    if !(1..=168).contains(&section.session_hours) {
        wrong("session_hours", "it is out of range");
    }
    for (field, text, most) in
        [("name", &section.name, 60), ("groups_claim", &section.groups_claim, 200), ("email_claim", &section.email_claim, 200)]
    {
        if text.is_empty() || text.chars().count() > most || text.chars().any(char::is_control) {
            wrong(field, "it is empty, too long, or has control characters");
        }
    }
    let scope = |scope: &String| !scope.is_empty() && scope.bytes().all(|b| b.is_ascii_graphic() && b != b'"' && b != b'\\');
    if section.scopes.0.len() > 20 || !section.scopes.0.iter().all(scope) {
        wrong("scopes", "there are too many, or one is none");
    }
    if section.roles.len() > 64 || section.roles.iter().any(|one| one.group.is_empty() || one.group.len() > 500) {
        wrong("roles", "there are too many, or a group is empty or over 500 bytes");
    }
    if section.issuer.is_empty() {
        return;
    }
    let visible = section.issuer.bytes().all(|b| b.is_ascii_graphic()) && section.issuer.len() <= 500;
    let plain = section.issuer.starts_with("http://") && on_loopback(&section.issuer);
    if !visible || section.issuer.contains(['?', '#']) || !(section.issuer.starts_with("https://") || plain) {
        wrong("issuer", "it is no issuer, or one in plain HTTP elsewhere than on loopback");
    }
    if section.client_id.is_empty() || section.client_id.len() > 255 || !section.client_id.bytes().all(|b| b.is_ascii_graphic()) {
        wrong("client_id", "it is empty, too long, or has other characters than visible ones");
    }
    let own = section.public_url.parse::<Origin>().is_ok();
    if !own || !(section.public_url.starts_with("https://") || on_loopback(&section.public_url)) {
        wrong("public_url", "it is no origin, or one in plain HTTP elsewhere than on loopback");
    }
    if section.roles.is_empty() {
        wrong("roles", "it is empty, so nobody could get in");
    }
});
