//! Texts that are secrets: made here, shown once, kept as hashes.

use std::fmt;

use data_encoding::BASE64URL_NOPAD;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use utoipa::ToSchema;

use crate::domain::error::Error;

/// A text that Debug does not show.
#[derive(Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(transparent)]
#[schema(value_type = String, format = Password, max_length = 4096)]
pub struct Text(String);

impl Text {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// For the one place that needs it.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// SHA-256 of it: what is kept of texts that are random enough that a slow hash would add nothing.
    pub fn hash(&self) -> [u8; 32] {
        Sha256::digest(self.0.as_bytes()).into()
    }

    /// 256 random bits behind a prefix by which scanners of repositories know it.
    pub fn random(prefix: &str) -> Result<Self, Error> {
        Ok(Self(format!("{prefix}{}", BASE64URL_NOPAD.encode(&random::<32>()?))))
    }
}

impl<'de> Deserialize<'de> for Text {
    /// Without the words of serde, which show what they found.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match serde_json::Value::deserialize(deserializer) {
            Ok(serde_json::Value::String(text)) => Ok(Self(text)),
            _ => Err(D::Error::custom("a text is wanted")),
        }
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

pub fn random<const N: usize>() -> Result<[u8; N], Error> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| Error::internal(format!("no randomness: {error}")))?;
    Ok(bytes)
}

/// Whether two hashes are the same, in a time that does not tell where they differ.
pub fn same(one: &[u8], other: &[u8]) -> bool {
    one.ct_eq(other).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_not_shown_and_no_two_are_the_same() {
        let (one, other) = (Text::random("gpi_").unwrap(), Text::random("gpi_").unwrap());
        assert!(one != other && one.reveal().len() == 4 + 43);
        assert!(!format!("{one:?} {:?}", Some(&one)).contains(one.reveal()));
        let error = serde_json::from_str::<Text>("20261127").unwrap_err();
        assert!(!error.to_string().contains("20261127"));
        assert!(same(&one.hash(), &one.hash()) && !same(&one.hash(), &other.hash()) && !same(b"", &one.hash()));
    }
}
