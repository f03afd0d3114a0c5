//! Kinds of values that settings have and serde does not.

use std::fmt;
use std::str::FromStr;

use serde::de::{self, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Text that is never shown: not by Debug, not when settings are printed.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
    /// The text itself; for the one place that needs it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "unset" } else { "(secret)" })
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(if self.0.is_empty() { "" } else { "(secret)" })
    }
}

/// Several values: an array, or one text with commas, which is what an environment variable can say without quoting.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct List<T>(pub Vec<T>);

impl<T: fmt::Display> Serialize for List<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(ToString::to_string))
    }
}

impl<'de, T> Deserialize<'de> for List<T>
where
    T: FromStr,
    T::Err: fmt::Display,
{
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Items<T>(std::marker::PhantomData<T>);

        fn item<T: FromStr<Err: fmt::Display>, E: de::Error>(text: &str) -> Result<T, E> {
            text.trim().parse().map_err(|e| E::custom(format!("`{}`: {e}", text.trim())))
        }

        impl<'de, T: FromStr<Err: fmt::Display>> Visitor<'de> for Items<T> {
            type Value = List<T>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array of texts, or one text with commas")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<List<T>, E> {
                text.split(',').filter(|part| !part.trim().is_empty()).map(item).collect::<Result<_, _>>().map(List)
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<List<T>, A::Error> {
                let mut items = Vec::new();
                while let Some(text) = seq.next_element::<String>()? {
                    items.push(item(&text)?);
                }
                Ok(List(items))
            }
        }
        deserializer.deserialize_any(Items(std::marker::PhantomData))
    }
}

impl<T> FromIterator<T> for List<T> {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        Self(items.into_iter().collect())
    }
}

/// An origin as a browser sends it: scheme, host, and a port that is not the scheme's own; nothing behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin(String);

impl Origin {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Origin {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = "no origin as browsers send it: `https://`, a name in lower case, and a port only where it is not the usual one";
        let (host, usual) = match (text.strip_prefix("https://"), text.strip_prefix("http://")) {
            (Some(host), _) => (host, ":443"),
            (_, Some(host)) => (host, ":80"),
            _ => return Err(wrong),
        };
        let good = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-.:[]".contains(&b);
        if host.is_empty() || host.len() > 260 || !host.bytes().all(good) || host.ends_with(usual) || host.ends_with(':') {
            return Err(wrong);
        }
        Ok(Self(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_what_browsers_send() {
        for good in ["https://panel.example.com", "http://localhost:5173", "https://[2001:db8::1]:8443"] {
            assert_eq!(good.parse::<Origin>().unwrap().as_str(), good);
        }
        for wrong in [
            "*",
            "null",
            "https://*",
            "https://a.example/",
            "https://A.example",
            "https://a.example:443",
            "ftp://a",
            "https://",
            "https://a b",
        ] {
            assert!(wrong.parse::<Origin>().is_err(), "{wrong}");
        }
    }
}
