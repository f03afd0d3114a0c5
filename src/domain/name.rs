//! Names and free text.

use std::fmt;
use std::sync::Arc;

/// Declares a string newtype whose only constructor is `parse`, with serde, Display and OpenAPI through it.
macro_rules! text_newtype {
    ($(#[$doc:meta])* $name:ident, $parse:expr, $(#[schema($($schema:tt)*)])?) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
        #[serde(try_from = "String", into = "String")]
        $(#[schema(value_type = String, $($schema)*)])?
        pub struct $name(std::sync::Arc<str>);

        impl $name {
            /// Checks `text` against the allow-list; the error says what is allowed.
            pub fn parse(text: &str) -> Result<Self, String> {
                let parse: fn(&str) -> Result<String, String> = $parse;
                parse(text).map(|text| Self(text.into()))
            }
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl TryFrom<String> for $name {
            type Error = String;
            fn try_from(text: String) -> Result<Self, String> {
                Self::parse(&text)
            }
        }
        impl std::str::FromStr for $name {
            type Err = String;
            fn from_str(text: &str) -> Result<Self, String> {
                Self::parse(text)
            }
        }
        impl From<$name> for String {
            fn from(value: $name) -> String {
                value.0.as_ref().to_owned()
            }
        }
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl std::ops::Deref for $name {
            type Target = str;
            fn deref(&self) -> &str {
                &self.0
            }
        }
        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
    };
}
pub(crate) use text_newtype;

text_newtype! {
    /// The identity of every configured object: `^[a-z0-9][a-z0-9-]{0,62}$`, unique per kind, immutable.
    Name, |text| {
        let bytes = text.as_bytes();
        let ok = (1..=63).contains(&bytes.len())
            && bytes[0] != b'-'
            && bytes.iter().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'-');
        if ok { Ok(text.to_owned()) } else {
            Err("a name is 1 to 63 characters of a-z, 0-9 and `-`, and starts with a letter or digit".to_owned())
        }
    },
    #[schema(pattern = "^[a-z0-9][a-z0-9-]{0,62}$", max_length = 63, example = "shop")]
}

text_newtype! {
    /// One line of free text shown to people: at most 200 characters, no control characters. Never rendered.
    Title, |text| {
        if text.chars().count() > 200 { return Err("a title has at most 200 characters".to_owned()); }
        if text.chars().any(char::is_control) { return Err("a title has no control characters".to_owned()); }
        Ok(text.to_owned())
    },
    #[schema(max_length = 200)]
}

text_newtype! {
    /// Free text shown to people: at most 4,000 characters; the only control characters are newline and tab. Never rendered.
    Description, |text| {
        if text.chars().count() > 4000 { return Err("a description has at most 4000 characters".to_owned()); }
        if text.chars().any(|c| c.is_control() && c != '\n' && c != '\t') {
            return Err("a description has no control characters but newline and tab".to_owned());
        }
        Ok(text.to_owned())
    },
    #[schema(max_length = 4000)]
}

impl Default for Title {
    fn default() -> Self {
        Self(Arc::from(""))
    }
}

impl Default for Description {
    fn default() -> Self {
        Self(Arc::from(""))
    }
}

/// Writes the members of a list as `` `a`, `b` and 3 more `` for messages.
pub fn enumerate<T: fmt::Display>(items: &[T], most: usize) -> String {
    let mut out = items.iter().take(most).map(|item| format!("`{item}`")).collect::<Vec<_>>().join(", ");
    if items.len() > most {
        out.push_str(&format!(" and {} more", items.len() - most));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_an_allow_list() {
        for good in ["a", "0", "shop-1", &"a".repeat(63)] {
            assert_eq!(Name::parse(good).unwrap().as_str(), good);
        }
        for bad in ["", "-a", "A", "a_b", "a b", "a\n", "a/b", "é", &"a".repeat(64)] {
            assert!(Name::parse(bad).is_err(), "{bad:?}");
        }
    }
}
