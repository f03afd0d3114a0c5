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

/// Characters that cannot be seen, that turn the reading direction or that end a line for some: what people read must be what is there.
pub fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

text_newtype! {
    /// One line of free text shown to people: at most 200 characters, no control characters and none that is invisible or turns the reading
    /// direction. Never rendered.
    Title, |text| {
        if text.chars().count() > 200 { return Err("a title has at most 200 characters".to_owned()); }
        if text.chars().any(char::is_control) { return Err("a title has no control characters".to_owned()); }
        if text.chars().any(is_invisible) { return Err("a title has no invisible or direction-changing characters".to_owned()); }
        Ok(text.to_owned())
    },
    #[schema(max_length = 200)]
}

text_newtype! {
    /// Free text shown to people: at most 4,000 characters; the only control characters are newline and tab, and none is invisible or turns the
    /// reading direction. Never rendered.
    Description, |text| {
        if text.chars().count() > 4000 { return Err("a description has at most 4000 characters".to_owned()); }
        if text.chars().any(|c| c.is_control() && c != '\n' && c != '\t') {
            return Err("a description has no control characters but newline and tab".to_owned());
        }
        if text.chars().any(is_invisible) { return Err("a description has no invisible or direction-changing characters".to_owned()); }
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

    #[test]
    fn free_text_is_what_is_seen() {
        for good in ["", "Shop – übersetzt, «é», 店, שלום"] {
            assert!(Title::parse(good).is_ok() && Description::parse(good).is_ok(), "{good:?}");
        }
        for bad in [
            '\0',
            '\u{7f}',
            '\u{85}',
            '\u{ad}',
            '\u{61c}',
            '\u{200b}',
            '\u{200e}',
            '\u{200f}',
            '\u{2028}',
            '\u{2029}',
            '\u{202a}',
            '\u{202e}',
            '\u{2060}',
            '\u{2066}',
            '\u{2069}',
            '\u{feff}',
            '\u{e0041}',
        ] {
            let text = format!("a{bad}b");
            assert!(Title::parse(&text).is_err() && Description::parse(&text).is_err(), "{bad:?}");
        }
        assert!(Title::parse("a\nb").is_err() && Description::parse("a\n\tb").is_ok());
    }
}
