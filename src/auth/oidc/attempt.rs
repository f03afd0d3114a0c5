//! An attempt to sign in, while the person is at the provider. It is in the browser, sealed, and nowhere here: whoever begins a million of them
//! costs no memory. What is kept is which were used up, until they would be over anyway.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use data_encoding::BASE64URL_NOPAD;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::{ATTEMPT, OidcFault, ReturnTo};
use crate::auth::{Keyring, Text};
use crate::domain::error::{Error, Result};

const ABOUT: &str = "sso attempt";
/// Longer ones are not even opened.
const MOST_BYTES: usize = 4096;
/// Used attempts that are known at most. Each took a place of its address's limit.
const MOST_USED: usize = 100_000;

#[derive(Serialize, Deserialize)]
pub struct Attempt {
    pub state: String,
    pub nonce: String,
    /// Of PKCE: with it alone the code is good.
    pub verifier: String,
    #[serde(with = "as_text")]
    pub return_to: ReturnTo,
    /// In Unix seconds.
    pub until: i64,
}

impl fmt::Debug for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Attempt(until {})", self.until)
    }
}

mod as_text {
    use serde::{Deserialize as _, Deserializer, Serializer};

    use super::ReturnTo;

    pub fn serialize<S: Serializer>(return_to: &ReturnTo, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(return_to)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ReturnTo, D::Error> {
        String::deserialize(deserializer).map(|text| ReturnTo::parse(&text))
    }
}

impl Attempt {
    pub fn new(return_to: ReturnTo, now: OffsetDateTime) -> Result<Self> {
        let random = || Text::random("").map(|text| text.reveal().to_owned());
        Ok(Self { state: random()?, nonce: random()?, verifier: random()?, return_to, until: (now + ATTEMPT).unix_timestamp() })
    }
}

pub struct Attempts {
    /// Of this process alone: after a restart none of before opens, so none can be used again.
    ring: Keyring,
    used: Mutex<HashMap<[u8; 32], i64>>,
}

impl fmt::Debug for Attempts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Attempts")
    }
}

impl Attempts {
    pub fn new() -> Result<Self> {
        Ok(Self { ring: Keyring::random()?, used: Mutex::default() })
    }

    pub fn sealed(&self, attempt: &Attempt) -> Result<Text> {
        let plain = serde_json::to_vec(attempt).map_err(Error::internal)?;
        Ok(Text::new(BASE64URL_NOPAD.encode(&self.ring.seal(ABOUT, &plain)?)))
    }

    pub fn open(&self, cookie: &str) -> Option<Attempt> {
        if cookie.len() > MOST_BYTES {
            return None;
        }
        let plain = self.ring.open(ABOUT, &BASE64URL_NOPAD.decode(cookie.as_bytes()).ok()?).ok()?;
        serde_json::from_slice(&plain).ok()
    }

    /// Uses an attempt up; refuses one that was.
    pub fn use_up(&self, state: &[u8; 32], until: i64, now: i64) -> Result<(), OidcFault> {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        if used.len() >= MOST_USED {
            used.retain(|_, until| *until > now);
        }
        if used.contains_key(state) {
            return Err(OidcFault::Attempt("it was used up"));
        }
        if used.len() >= MOST_USED {
            return Err(OidcFault::Attempt("there are too many of them"));
        }
        used.insert(*state, until);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attempt_is_opened_by_its_process_and_used_once() {
        let now = OffsetDateTime::from_unix_timestamp(1_800_000_000).unwrap();
        let attempts = Attempts::new().unwrap();
        let attempt = Attempt::new(ReturnTo::parse("/vhosts"), now).unwrap();
        assert!(attempt.verifier.len() == 43 && attempt.state != attempt.nonce && !format!("{attempt:?}").contains(&attempt.state));
        let cookie = attempts.sealed(&attempt).unwrap();
        let opened = attempts.open(cookie.reveal()).unwrap();
        assert_eq!((opened.state.as_str(), opened.return_to.as_str(), opened.until), (attempt.state.as_str(), "/vhosts", 1_800_000_600));
        assert!(Attempts::new().unwrap().open(cookie.reveal()).is_none(), "another process");
        for wrong in ["", "x", &cookie.reveal()[1..], &"A".repeat(5000)] {
            assert!(attempts.open(wrong).is_none());
        }
        let state = Text::new(attempt.state).hash();
        attempts.use_up(&state, 10, 0).unwrap();
        assert!(attempts.use_up(&state, 10, 0).is_err());
        for n in 1..MOST_USED {
            attempts.use_up(&Text::new(n.to_string()).hash(), 10, 0).unwrap();
        }
        let another = Text::new("another").hash();
        assert!(attempts.use_up(&another, 10, 0).is_err(), "memory is bounded");
        attempts.use_up(&another, 20, 10).unwrap();
    }
}
