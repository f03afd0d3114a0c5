//! Access tokens (RFC 9068): short, signed with Ed25519 and nothing else, so that another service can verify them by the public keys.

use jsonwebtoken::{Algorithm, Header, Validation, decode, decode_header, encode};
use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};
use utoipa::ToSchema;
use uuid::Uuid;

use super::keys::KeySet;
use super::secret::Text;
use crate::domain::error::{Error, Result};

pub const ISSUER: &str = "guard-proxy";
pub const AUDIENCE: &str = "guard-proxy";
/// The kind of token: another that the same keys sign one day is not taken for one of these.
const KIND: &str = "at+jwt";
pub const GOOD_FOR: Duration = Duration::minutes(5);
/// Whatever a token says, none is good for longer.
const LONGEST: i64 = 600;
/// Longer ones are not even looked at.
const MOST_BYTES: usize = 2048;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claims {
    pub iss: String,
    pub aud: String,
    /// The person.
    pub sub: Uuid,
    /// The session.
    pub sid: Uuid,
    /// That of the person when it was made: raised, it ends all tokens of before.
    pub epoch: i64,
    pub iat: i64,
    pub nbf: i64,
    pub exp: i64,
    pub jti: Uuid,
}

impl Claims {
    pub fn new(user: Uuid, session: Uuid, epoch: i64, now: OffsetDateTime) -> Self {
        let iat = now.unix_timestamp();
        let (iss, aud) = (ISSUER.to_owned(), AUDIENCE.to_owned());
        Self { iss, aud, sub: user, sid: session, epoch, iat, nbf: iat, exp: iat + GOOD_FOR.whole_seconds(), jti: Uuid::new_v4() }
    }
}

/// A JSON Web Key (RFC 7517, RFC 8037).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Jwk {
    #[schema(example = "OKP")]
    pub kty: String,
    #[schema(example = "Ed25519")]
    pub crv: String,
    #[schema(example = "EdDSA")]
    pub alg: String,
    #[schema(example = "sig")]
    pub r#use: String,
    /// As the head of a token names it.
    pub kid: String,
    /// The public key in base64url.
    pub x: String,
}

/// The public keys by which access tokens are verified.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Jwks {
    pub keys: Vec<Jwk>,
}

impl KeySet {
    pub fn sign(&self, claims: &Claims, now: OffsetDateTime) -> Result<Text> {
        let (kid, key) = self.signer(now).ok_or_else(|| Error::internal("no key to sign with"))?;
        let mut header = Header::new(Algorithm::EdDSA);
        header.kid = Some(kid.to_owned());
        header.typ = Some(KIND.to_owned());
        encode(&header, claims, key).map(Text::new).map_err(|error| Error::internal(format!("signing: {error}")))
    }

    /// What a token says, if it is one of ours and good now. Whether session and epoch still are, is for the caller to look up.
    pub fn verify(&self, token: &str, now: OffsetDateTime) -> Option<Claims> {
        if token.len() > MOST_BYTES {
            return None;
        }
        let header = decode_header(token).ok()?;
        if header.alg != Algorithm::EdDSA || header.typ.as_deref() != Some(KIND) || header.crit.is_some() {
            return None;
        }
        // The key is ours by its name; what a token brings along (jwk, jku, x5u) is not looked at.
        let key = self.verifier(header.kid.as_deref()?)?;
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.set_required_spec_claims(&["exp", "nbf", "iss", "aud", "sub"]);
        validation.set_issuer(&[ISSUER]);
        validation.set_audience(&[AUDIENCE]);
        // Times are compared with the service's clock, below.
        validation.validate_exp = false;
        validation.validate_nbf = false;
        let claims = decode::<Claims>(token, key, &validation).ok()?.claims;
        let now = now.unix_timestamp();
        let timely = claims.nbf <= now && now < claims.exp && claims.exp.checked_sub(claims.nbf)? <= LONGEST;
        timely.then_some(claims)
    }

    pub fn jwks(&self) -> Jwks {
        let key = |(kid, x): (&str, &str)| Jwk {
            kty: "OKP".to_owned(),
            crv: "Ed25519".to_owned(),
            alg: "EdDSA".to_owned(),
            r#use: "sig".to_owned(),
            kid: kid.to_owned(),
            x: x.to_owned(),
        };
        Jwks { keys: self.public().map(key).collect() }
    }
}

#[cfg(test)]
mod tests {
    use data_encoding::BASE64URL_NOPAD;
    use jsonwebtoken::{DecodingKey, EncodingKey};
    use serde_json::{Value, json};

    use super::super::{Keyring, SigningKey};
    use super::*;

    fn now() -> OffsetDateTime {
        OffsetDateTime::from_unix_timestamp(1_800_000_000).unwrap()
    }

    /// The set, and the private key of its one key.
    fn set() -> (KeySet, EncodingKey, SigningKey) {
        let ring = Keyring::random().unwrap();
        let key = SigningKey::generate(&ring, now()).unwrap();
        let private = EncodingKey::from_ed_der(&ring.open(&format!("signing-key/{}", key.kid), &key.sealed).unwrap());
        (KeySet::open(&ring, std::slice::from_ref(&key)).unwrap(), private, key)
    }

    fn header(kid: &str) -> Header {
        let mut header = Header::new(Algorithm::EdDSA);
        (header.kid, header.typ) = (Some(kid.to_owned()), Some(KIND.to_owned()));
        header
    }

    #[test]
    fn what_is_signed_is_verified_for_five_minutes() {
        let (set, ..) = set();
        let claims = Claims::new(Uuid::new_v4(), Uuid::new_v4(), 3, now());
        let token = set.sign(&claims, now()).unwrap();
        assert_eq!(set.verify(token.reveal(), now()), Some(claims.clone()));
        assert_eq!(set.verify(token.reveal(), now() + Duration::seconds(299)), Some(claims));
        assert_eq!(set.verify(token.reveal(), now() + Duration::seconds(300)), None, "expired");
        assert_eq!(set.verify(token.reveal(), now() - Duration::seconds(1)), None, "not yet");
        for at in 0..token.reveal().len() {
            let mut changed = token.reveal().as_bytes().to_vec();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            assert!(set.verify(std::str::from_utf8(&changed).unwrap(), now()).is_none(), "byte {at}");
        }
    }

    #[test]
    fn no_claim_can_be_another_or_be_left_out() {
        let (set, private, key) = set();
        let claims = serde_json::to_value(Claims::new(Uuid::new_v4(), Uuid::new_v4(), 0, now())).unwrap();
        let sign = |claims: &Value| encode(&header(&key.kid), claims, &private).unwrap();
        assert!(set.verify(&sign(&claims), now()).is_some());
        let at = now().unix_timestamp();
        for (name, value) in [
            ("iss", json!("another")),
            ("aud", json!("another")),
            ("aud", json!(["another"])),
            ("exp", json!(at)),
            ("exp", json!(at + 601)),
            ("exp", json!("never")),
            ("exp", json!(i64::MAX)),
            ("nbf", json!(at + 1)),
            ("nbf", json!(i64::MIN)),
            ("sub", json!("root")),
            ("role", json!("admin")),
        ] {
            let mut other = claims.clone();
            other[name] = value;
            assert!(set.verify(&sign(&other), now()).is_none(), "{other}");
        }
        for name in claims.as_object().unwrap().keys() {
            let mut other = claims.clone();
            other.as_object_mut().unwrap().remove(name);
            assert!(set.verify(&sign(&other), now()).is_none(), "without {name}");
        }
    }

    #[test]
    fn no_other_algorithm_and_no_other_key() {
        let (set, private, key) = set();
        let claims = Claims::new(Uuid::new_v4(), Uuid::new_v4(), 0, now());
        let part = |value: Value| BASE64URL_NOPAD.encode(value.to_string().as_bytes());
        let body = part(serde_json::to_value(&claims).unwrap());
        for alg in ["none", "None", "NONE", ""] {
            let head = part(json!({"alg": alg, "kid": key.kid, "typ": KIND}));
            for signature in ["", "AA"] {
                assert!(set.verify(&format!("{head}.{body}.{signature}"), now()).is_none());
            }
        }
        // The public key, which everybody has, as the secret of an HMAC: raw, as base64url, and as its JSON Web Key.
        let jwk = serde_json::to_string(&set.jwks().keys[0]).unwrap();
        let x = set.jwks().keys[0].x.clone();
        for secret in [key.public.as_slice(), x.as_bytes(), jwk.as_bytes()] {
            for algorithm in [Algorithm::HS256, Algorithm::HS384, Algorithm::HS512] {
                let head = Header { alg: algorithm, ..header(&key.kid) };
                let token = encode(&head, &claims, &EncodingKey::from_secret(secret)).unwrap();
                assert!(set.verify(&token, now()).is_none());
            }
        }
        let (_, foreign, _) = self::set();
        for (head, private) in [
            (header("another"), &private),
            (Header { kid: None, ..header("") }, &private),
            (header(&key.kid), &foreign),
            (Header { typ: Some("JWT".to_owned()), ..header(&key.kid) }, &private),
            (Header { typ: None, ..header(&key.kid) }, &private),
        ] {
            assert!(set.verify(&encode(&head, &claims, private).unwrap(), now()).is_none(), "{head:?}");
        }
        for odd in ["", ".", "..", "a.b.c", "a.b", "a.b.c.d", "\u{e9}.\u{e9}.\u{e9}", &"a".repeat(1 << 20)] {
            assert!(set.verify(odd, now()).is_none());
        }
    }

    #[test]
    fn another_service_verifies_by_the_public_keys_alone() {
        let (set, ..) = set();
        let token = set.sign(&Claims::new(Uuid::new_v4(), Uuid::new_v4(), 0, now()), now()).unwrap();
        let published: jsonwebtoken::jwk::JwkSet = serde_json::from_value(serde_json::to_value(set.jwks()).unwrap()).unwrap();
        let kid = decode_header(token.reveal()).unwrap().kid.unwrap();
        let key = DecodingKey::from_jwk(published.find(&kid).unwrap()).unwrap();
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.set_audience(&[AUDIENCE]);
        validation.validate_exp = false;
        assert!(decode::<Value>(token.reveal(), &key, &validation).is_ok());
        assert!(!serde_json::to_string(&set.jwks()).unwrap().contains("\"d\""));
    }
}
