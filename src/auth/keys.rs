//! Keys that sign access tokens: Ed25519, each with a name, the private part sealed. A new one is shown before it signs, an old one after it
//! signed, so that who verifies by the public keys never meets one that it cannot know.

use std::fmt;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use data_encoding::BASE64URL_NOPAD;
use jsonwebtoken::{DecodingKey, EncodingKey};
use sha2::{Digest as _, Sha256};
use time::{Duration, OffsetDateTime};

use super::seal::{Keyring, Sealed};
use crate::domain::error::{Error, Result};

/// How long a key signs.
const SIGNS_FOR: Duration = Duration::days(30);
/// How long it is shown before it signs, and after: beyond what a verifier keeps a copy, and beyond any token.
const SHOWN_AROUND: Duration = Duration::hours(1);

/// As it is kept.
#[derive(Clone, Debug)]
pub struct SigningKey {
    pub kid: String,
    pub public: Vec<u8>,
    pub sealed: Sealed,
    pub signs_from: OffsetDateTime,
}

impl SigningKey {
    pub fn generate(ring: &Keyring, signs_from: OffsetDateTime) -> Result<Self> {
        let broken = |_| Error::internal("making a key that signs");
        let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).map_err(broken)?;
        let pair = Ed25519KeyPair::from_pkcs8(document.as_ref()).map_err(|_| Error::internal("reading a key that signs"))?;
        let public = pair.public_key().as_ref().to_vec();
        let kid = BASE64URL_NOPAD.encode(&Sha256::digest(&public)[..12]);
        let sealed = ring.seal(&about(&kid), document.as_ref())?;
        Ok(Self { kid, public, sealed, signs_from })
    }
}

/// What the private part is sealed for.
pub fn about(kid: &str) -> String {
    format!("signing-key/{kid}")
}

struct Usable {
    kid: String,
    /// As JSON Web Keys have it.
    x: String,
    signs_from: OffsetDateTime,
    private: Option<EncodingKey>,
    public: DecodingKey,
}

/// The keys of now, in the order of their time.
#[derive(Default)]
pub struct KeySet(Vec<Usable>);

impl fmt::Debug for KeySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|key| &key.kid)).finish()
    }
}

impl KeySet {
    /// A key that does not open verifies, and does not sign.
    pub fn open(ring: &Keyring, keys: &[SigningKey]) -> Result<Self> {
        let mut usable = Vec::with_capacity(keys.len());
        for key in keys {
            let x = BASE64URL_NOPAD.encode(&key.public);
            let public = DecodingKey::from_ed_components(&x).map_err(|error| Error::internal(format!("a public key: {error}")))?;
            let private = ring.open(&about(&key.kid), &key.sealed);
            if private.is_err() {
                tracing::warn!(kid = key.kid, "a key that signs does not open with the keys of `auth.key_file`: another will be made");
            }
            let private = private.ok().map(|der| EncodingKey::from_ed_der(&der));
            usable.push(Usable { kid: key.kid.clone(), x, signs_from: key.signs_from, private, public });
        }
        usable.sort_by_key(|key| key.signs_from);
        Ok(Self(usable))
    }

    /// From when a new key is to sign, if it is time to make one.
    pub fn wants_new(&self, now: OffsetDateTime) -> Option<OffsetDateTime> {
        match self.0.iter().rfind(|key| key.private.is_some()) {
            None => Some(now),
            Some(newest) if newest.signs_from + SIGNS_FOR <= now + SHOWN_AROUND => {
                Some((newest.signs_from + SIGNS_FOR).max(now + SHOWN_AROUND))
            }
            Some(_) => None,
        }
    }

    /// The names of those that need not be known any more.
    pub fn past(&self, now: OffsetDateTime) -> Vec<String> {
        let over = self.0.windows(2).filter(|pair| pair[1].private.is_some() && pair[1].signs_from + SHOWN_AROUND <= now);
        over.map(|pair| pair[0].kid.clone()).collect()
    }

    pub(super) fn signer(&self, now: OffsetDateTime) -> Option<(&str, &EncodingKey)> {
        let able = |key: &&Usable| key.private.is_some() && key.signs_from <= now;
        self.0.iter().rfind(able).and_then(|key| Some((key.kid.as_str(), key.private.as_ref()?)))
    }

    pub(super) fn verifier(&self, kid: &str) -> Option<&DecodingKey> {
        self.0.iter().find(|key| key.kid == kid).map(|key| &key.public)
    }

    pub(super) fn public(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|key| (key.kid.as_str(), key.x.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_key_is_shown_before_it_signs_and_an_old_one_after() {
        let ring = Keyring::random().unwrap();
        let start = OffsetDateTime::UNIX_EPOCH;
        let set = |keys: &[SigningKey]| KeySet::open(&ring, keys).unwrap();
        assert_eq!(KeySet::default().wants_new(start), Some(start));
        let first = SigningKey::generate(&ring, start).unwrap();
        let one = set(std::slice::from_ref(&first));
        assert_eq!((one.wants_new(start), one.signer(start).unwrap().0), (None, first.kid.as_str()));
        let late = start + Duration::days(30) - Duration::hours(1);
        let from = one.wants_new(late).unwrap();
        assert_eq!(from, start + Duration::days(30));
        let two = set(&[first.clone(), SigningKey::generate(&ring, from).unwrap()]);
        assert_eq!(two.wants_new(late), None);
        assert_eq!((two.public().count(), two.signer(late).unwrap().0), (2, first.kid.as_str()));
        assert_ne!(two.signer(from).unwrap().0, first.kid);
        assert!(two.past(from).is_empty());
        assert_eq!(two.past(from + Duration::hours(1)), std::slice::from_ref(&first.kid));
        let foreign = KeySet::open(&Keyring::random().unwrap(), &[first]).unwrap();
        assert!(foreign.signer(start).is_none() && foreign.wants_new(start) == Some(start));
    }
}
