//! What an id token says of a person, as far as we ask.

use std::collections::{BTreeMap, BTreeSet};

use openidconnect::core::CoreGenderClaim;
use openidconnect::{AdditionalClaims, IdTokenClaims};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{OidcFault, OidcOptions};
use crate::domain::{Email, SsoIdentity, SsoSubject, Title};

pub type Claims = IdTokenClaims<Extra, CoreGenderClaim>;

/// Claims that OpenID Connect does not know: groups are among them.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct Extra {
    #[serde(flatten)]
    others: BTreeMap<String, Value>,
}

impl AdditionalClaims for Extra {}

/// Who the provider says it is. The identity is issuer and subject: an address may be given to another person one day.
#[derive(Clone, Debug)]
pub struct Identified {
    pub identity: SsoIdentity,
    pub email: Option<Email>,
    /// What the provider says of the address; None: nothing.
    pub email_verified: Option<bool>,
    pub title: Title,
    pub groups: BTreeSet<String>,
}

pub fn identified(options: &OidcOptions, claims: &Claims) -> Result<Identified, OidcFault> {
    let subject = SsoSubject::parse(claims.subject().as_str()).map_err(|_| OidcFault::Untrue("the subject is none".to_owned()))?;
    let name = claims.name().and_then(|names| names.get(None)).map(|name| name.as_str()).unwrap_or_default();
    Ok(Identified {
        identity: SsoIdentity { issuer: options.issuer.clone(), subject },
        email: email(&options.email_claim, claims).and_then(address),
        // It is said of the claim `email` alone.
        email_verified: if options.email_claim == "email" { claims.email_verified() } else { None },
        title: Title::parse(name.trim()).unwrap_or_default(),
        groups: groups(&options.groups_claim, &claims.additional_claims().others),
    })
}

/// The library takes claims that it knows out of the others.
fn email<'a>(claim: &str, claims: &'a Claims) -> Option<&'a str> {
    match claim {
        "email" => claims.email().map(|email| email.as_str()),
        "preferred_username" => claims.preferred_username().map(|name| name.as_str()),
        claim => claims.additional_claims().others.get(claim).and_then(Value::as_str),
    }
}

/// An address, unless its lower case is another's: of the Kelvin sign it is a `k`.
fn address(text: &str) -> Option<Email> {
    Email::parse(text).ok().filter(|email| email.as_str() == text.to_ascii_lowercase())
}

/// Names of groups: an array of texts, or one text.
fn groups(claim: &str, claims: &BTreeMap<String, Value>) -> BTreeSet<String> {
    let found = match claim.strip_prefix('/') {
        None => claims.get(claim),
        Some(path) => match path.split_once('/') {
            None => claims.get(path),
            Some((first, rest)) => claims.get(first).and_then(|value| value.pointer(&format!("/{rest}"))),
        },
    };
    match found {
        Some(Value::String(one)) => BTreeSet::from([one.clone()]),
        Some(Value::Array(all)) => all.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => BTreeSet::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn no_address_becomes_anothers_in_lower_case() {
        assert_eq!(address("Ada@Example.com").unwrap().as_str(), "ada@example.com");
        assert!(address("m\u{e4}x@example.com").is_some());
        for odd in ["\u{212a}ate@example.com", "ada@example.com ", "ada", ""] {
            assert!(address(odd).is_none(), "{odd}");
        }
    }

    #[test]
    fn groups_are_texts_at_a_claim_or_a_pointer() {
        let claims: BTreeMap<String, Value> = serde_json::from_value(json!({
            "groups": ["a", "b", 7, null, ["c"]], "one": "a", "realm_access": {"roles": ["x"]}, "odd": {"a": true},
        }))
        .unwrap();
        let at = |claim: &str| groups(claim, &claims).into_iter().collect::<Vec<_>>().join(" ");
        assert_eq!((at("groups"), at("/groups"), at("one")), ("a b".to_owned(), "a b".to_owned(), "a".to_owned()));
        assert_eq!(
            (at("/realm_access/roles"), at("odd"), at("nothing"), at("/a/b")),
            ("x".to_owned(), String::new(), String::new(), String::new())
        );
    }
}
