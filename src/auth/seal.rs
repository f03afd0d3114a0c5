//! Secrets at rest: AES-256-GCM under a key that the database has not. What is sealed names its key, so that keys can be changed: the
//! first of a ring seals, all of them open.

use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use data_encoding::{BASE64, HEXLOWER, HEXLOWER_PERMISSIVE};
use sha2::{Digest as _, Sha256};

use super::secret::random;
use crate::domain::error::{Error, Result};

/// Key id, nonce, ciphertext with tag.
pub type Sealed = Vec<u8>;

/// Before what is sealed and kept as a text, in files of settings.
pub const SEALED: &str = "sealed:";

const ID_LEN: usize = 8;

/// Tells a key from others, and nothing else of it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyId([u8; ID_LEN]);

impl KeyId {
    /// Of the key by which something is sealed. Of what is too short to be sealed there is none.
    pub fn of(sealed: &[u8]) -> Option<Self> {
        sealed.first_chunk().map(|id| Self(*id))
    }

    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyId({self})")
    }
}

struct Key {
    id: KeyId,
    key: LessSafeKey,
}

/// The keys, newest first.
pub struct Keyring(Vec<Key>);

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Keyring({} keys)", self.0.len())
    }
}

impl Keyring {
    /// Of a text: one key a line, the newest first, each 32 bytes in base64 or hex.
    pub fn parse(text: &str) -> Result<Self, String> {
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        let keys = lines.map(|line| {
            let decoded = HEXLOWER_PERMISSIVE.decode(line.as_bytes()).or_else(|_| BASE64.decode(line.as_bytes()));
            let bytes: Option<[u8; 32]> = decoded.ok().and_then(|bytes| bytes.try_into().ok());
            bytes.and_then(|bytes| key(&bytes).ok()).ok_or("a key is 32 bytes in base64 or hex, one a line, the newest first".to_owned())
        });
        let keys = keys.collect::<Result<Vec<_>, _>>()?;
        if keys.is_empty() { Err("there is no key in it".to_owned()) } else { Ok(Self(keys)) }
    }

    /// One that nobody has: what it sealed is lost with the process.
    pub fn random() -> Result<Self> {
        Ok(Self(vec![key(&random()?)?]))
    }

    /// A new key, as [`parse`](Self::parse) takes it.
    pub fn generate() -> Result<String> {
        Ok(format!("{}\n", BASE64.encode(&random::<32>()?)))
    }

    /// Seals for a purpose and an owner: moved to another's row, it does not open.
    pub fn seal(&self, about: &str, plain: &[u8]) -> Result<Sealed> {
        let key = self.0.first().ok_or_else(|| Error::internal("no key to seal with"))?;
        let nonce: [u8; NONCE_LEN] = random()?;
        let mut body = plain.to_vec();
        let aad = Aad::from(about.as_bytes());
        key.key
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), aad, &mut body)
            .map_err(|_| Error::internal("sealing a secret"))?;
        Ok([key.id.bytes(), &nonce, &body].concat())
    }

    /// The same under the newest key.
    pub fn reseal(&self, about: &str, sealed: &[u8]) -> Result<Sealed> {
        self.seal(about, &self.open(about, sealed)?)
    }

    /// The newest first: the first one seals.
    pub fn ids(&self) -> impl Iterator<Item = KeyId> {
        self.0.iter().map(|key| key.id)
    }

    /// Whether it has the key by which something is sealed.
    pub fn knows(&self, sealed: &[u8]) -> bool {
        KeyId::of(sealed).is_some_and(|id| self.ids().any(|known| known == id))
    }

    /// The same as a text, for files of settings.
    pub fn seal_text(&self, about: &str, plain: &str) -> Result<String> {
        Ok(format!("{SEALED}{}", BASE64.encode(&self.seal(about, plain.as_bytes())?)))
    }

    /// What a text says: one that is not sealed says itself.
    pub fn open_text(&self, about: &str, text: &str) -> Result<String> {
        let Some(sealed) = text.strip_prefix(SEALED) else { return Ok(text.to_owned()) };
        let refused =
            || Error::internal(format!("the secret `{about}` does not open: was it sealed for this, with a key of the key file?"));
        let sealed = BASE64.decode(sealed.as_bytes()).map_err(|_| refused())?;
        self.open(about, &sealed).ok().and_then(|plain| String::from_utf8(plain).ok()).ok_or_else(refused)
    }

    pub fn open(&self, about: &str, sealed: &[u8]) -> Result<Vec<u8>> {
        let refused = || {
            let key = KeyId::of(sealed).map(|id| id.to_string()).unwrap_or_default();
            let why = if self.knows(sealed) { "it was changed" } else { "`auth.key_file` has not its key" };
            Error::internal(format!("the secret `{about}` does not open with key {key}: {why}"))
        };
        let (id, rest) = sealed.split_at_checked(ID_LEN).ok_or_else(refused)?;
        let (nonce, body) = rest.split_at_checked(NONCE_LEN).ok_or_else(refused)?;
        let key = self.0.iter().find(|key| key.id.bytes() == id).ok_or_else(refused)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| refused())?;
        let mut body = body.to_vec();
        let plain = key.key.open_in_place(nonce, Aad::from(about.as_bytes()), &mut body).map_err(|_| refused())?;
        Ok(plain.to_vec())
    }
}

fn key(bytes: &[u8; 32]) -> Result<Key> {
    let unbound = UnboundKey::new(&AES_256_GCM, bytes).map_err(|_| Error::internal("making a key"))?;
    let digest = Sha256::new().chain_update(b"guard-proxy key id").chain_update(bytes).finalize();
    let mut id = [0; ID_LEN];
    id.copy_from_slice(&digest[..ID_LEN]);
    Ok(Key { id: KeyId(id), key: LessSafeKey::new(unbound) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_opens_for_the_same_purpose_and_key_alone() {
        let (old, new) = (Keyring::generate().unwrap(), Keyring::generate().unwrap());
        let before = Keyring::parse(&old).unwrap();
        let sealed = before.seal("totp/1", b"seed").unwrap();
        assert!(!sealed.windows(4).any(|window| window == b"seed"));
        assert_ne!(sealed, before.seal("totp/1", b"seed").unwrap(), "no nonce twice");
        let rotated = Keyring::parse(&format!("# newest first\n{new}{old}")).unwrap();
        assert_eq!(rotated.open("totp/1", &sealed).unwrap(), b"seed");
        assert!(before.open("totp/1", &rotated.seal("totp/1", b"x").unwrap()).is_err(), "the newest key seals");
        let again = rotated.reseal("totp/1", &sealed).unwrap();
        assert_eq!(Keyring::parse(&new).unwrap().open("totp/1", &again).unwrap(), b"seed");
        assert_eq!((KeyId::of(&again), KeyId::of(&sealed)), (rotated.ids().next(), rotated.ids().nth(1)));
        assert!(rotated.reseal("totp/2", &sealed).is_err() && before.reseal("totp/1", &again).is_err());
        assert!(before.open("totp/2", &sealed).is_err(), "another's row");
        for cut in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[cut] ^= 1;
            assert!(before.open("totp/1", &changed).is_err() && before.open("totp/1", &sealed[..cut]).is_err());
        }
        let text = before.seal_text("a", "hunter2").unwrap();
        assert!(text.starts_with(SEALED) && !text.contains("hunter2"));
        assert_eq!(
            (before.open_text("a", &text).unwrap(), before.open_text("a", "plain").unwrap()),
            ("hunter2".to_owned(), "plain".to_owned())
        );
        assert!(before.open_text("b", &text).is_err() && before.open_text("a", "sealed:x").is_err());
        assert!(Keyring::parse("").is_err() && Keyring::parse("c2hvcnQ=").is_err());
        assert!(!format!("{before:?}").contains(old.trim()));
    }
}
