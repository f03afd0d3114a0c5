//! Tokens: `gpx_`, 32 random bytes in base 62, and a checksum by which scanners of repositories know one without asking. Only their
//! SHA-256 is kept: they are random enough that a slow hash would add nothing.

use std::collections::HashMap;
use std::sync::Arc;

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use time::OffsetDateTime;
use uuid::Uuid;

use super::Service;
use crate::domain::error::{Error, Result};
use crate::domain::{Grant, Principal};
use crate::store::{NewToken, Store, Token};

/// The name of the first token.
const ADMIN: &str = "admin";

const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// The tokens known, by hash.
#[derive(Default)]
pub struct Tokens(HashMap<[u8; 32], Token>);

impl Tokens {
    pub async fn load(store: &Store) -> Result<Self> {
        let known = store.tokens().await?;
        Ok(Self(known.into_iter().filter_map(|token| Some((token.hash.as_slice().try_into().ok()?, token))).collect()))
    }

    fn find(&self, bearer: &str, now: OffsetDateTime) -> Option<&Token> {
        let hash = hash(bearer);
        let token = self.0.get(&hash)?;
        let same: bool = token.hash.ct_eq(&hash).into();
        (same && token.expires_at.is_none_or(|at| at > now)).then_some(token)
    }
}

fn hash(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}

/// Makes a token's text.
fn generate() -> Result<String> {
    let mut secret = [0u8; 32];
    getrandom::fill(&mut secret).map_err(|error| Error::internal(format!("no randomness: {error}")))?;
    let mut text = format!("gpx_{}", base62(&secret, 43));
    let checksum = base62(&hash(&text)[..4], 6);
    text.push_str(&checksum);
    Ok(text)
}

/// `bytes` as a number in base 62, in `width` digits.
fn base62(bytes: &[u8], width: usize) -> String {
    let mut number = bytes.to_vec();
    let mut digits = vec![b'0'; width];
    for digit in digits.iter_mut().rev() {
        let mut rest = 0u32;
        for byte in &mut number {
            let value = rest * 256 + u32::from(*byte);
            *byte = u8::try_from(value / 62).unwrap_or(u8::MAX);
            rest = value % 62;
        }
        *digit = DIGITS[rest as usize];
    }
    String::from_utf8(digits).unwrap_or_default()
}

impl Service {
    /// Who a bearer token is, of a pipeline or of somebody who has signed in; `Error::Unauthenticated` for none, unknown, expired.
    pub async fn authenticate(&self, bearer: &str) -> Result<Principal> {
        let tokens = self.inner.tokens.load();
        match tokens.find(bearer, self.now()) {
            Some(token) => Ok(Principal::Token { id: token.id, name: token.name.clone(), grant: Arc::new(Grant::admin()) }),
            None => self.inner.people.authenticate(bearer, self.now()).ok_or(Error::Unauthenticated),
        }
    }

    /// Sees to it that there is an administrator's token. With `given` (20 to 200 visible ASCII characters), that one is registered, in
    /// the place of the one before; without, one is made if there is no token at all, and its text is given back: the only time it is
    /// seen.
    pub async fn ensure_admin_token(&self, given: Option<&str>) -> Result<Option<String>> {
        let now = self.now();
        let known = Tokens::load(&self.inner.store).await?;
        let (text, made) = match given {
            Some(text) => {
                if !(20..=200).contains(&text.len()) || !text.bytes().all(|b| b.is_ascii_graphic()) {
                    return Err(Error::invalid("", "invalid_value", "a token is 20 to 200 visible ASCII characters"));
                }
                if known.find(text, now).is_some() {
                    return Ok(None);
                }
                (text.to_owned(), None)
            }
            None if !known.0.is_empty() => return Ok(None),
            None => {
                let text = generate()?;
                (text.clone(), Some(text))
            }
        };
        let token = NewToken { id: Uuid::new_v4(), name: ADMIN.to_owned(), hash: hash(&text), created_at: now, expires_at: None };
        self.inner.store.put_token(&token).await?;
        self.inner.tokens.store(Arc::new(Tokens::load(&self.inner.store).await?));
        Ok(made)
    }
}

/// Keeps the known tokens as the database has them: told by a notification, and asked for every 30 s in case one was missed.
pub async fn follow(store: Store, tokens: Arc<arc_swap::ArcSwap<Tokens>>) {
    let period = std::time::Duration::from_secs(30);
    let mut listener = None;
    loop {
        if listener.is_none() {
            listener = store.listen_tokens().await.ok();
        }
        match &mut listener {
            // An error is a lost connection: what was missed meanwhile is read below, and the next round listens anew.
            Some(listening) => {
                // An error is a lost connection: what was missed meanwhile is read below, and the next round listens anew.
                if let Ok(Err(_)) = tokio::time::timeout(period, listening.recv()).await {
                    listener = None;
                    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
                }
            }
            None => tokio::time::sleep(std::time::Duration::from_secs(2)).await,
        }
        if let Ok(loaded) = Tokens::load(&store).await {
            tokens.store(Arc::new(loaded));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_wide_enough_and_differ() {
        let (a, b) = (generate().unwrap(), generate().unwrap());
        assert_eq!((a.len(), b.len()), (4 + 43 + 6, 4 + 43 + 6));
        assert_ne!(a, b);
        assert_eq!(base62(&[255; 32], 43).len(), 43);
        assert_eq!(base62(&[0, 61], 2), "0z");
        assert_eq!(base62(&[1, 0], 3), "048");
    }
}
