//! Where a person goes after signing in: a page of the panel, and nothing else.

use std::fmt;

const MOST: usize = 512;
/// What is no page: routes of the API would be asked by a browser that has just signed in.
const NOT_PAGES: [&str; 3] = ["/api", "/docs", "/.well-known"];

/// A path of the panel with its query. What is none is `/`: a link that was made wrong is no reason not to sign in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReturnTo(String);

impl ReturnTo {
    pub fn parse(text: &str) -> Self {
        Self(if page(text) { text.to_owned() } else { "/".to_owned() })
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ReturnTo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An allow-list of characters: what a browser could read as a host (`//`, `/\`, a tab between them) is not among them.
fn page(text: &str) -> bool {
    let (path, query) = text.split_once('?').unwrap_or((text, ""));
    let in_path = |b: u8| b.is_ascii_alphanumeric() || b"/-._~:".contains(&b);
    let in_query = |b: u8| b.is_ascii_alphanumeric() || b"/-._~:=&%+,*@".contains(&b);
    let inside = |part: &str| path == part || path.strip_prefix(part).is_some_and(|rest| rest.starts_with('/'));
    text.len() <= MOST
        && path.starts_with('/')
        && !path.contains("//")
        && path.split('/').all(|part| part != "." && part != "..")
        && path.bytes().all(in_path)
        && query.bytes().all(in_query)
        && !NOT_PAGES.iter().any(|part| inside(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_pages_of_the_panel() {
        for good in ["/", "/vhosts", "/vhosts/shop/exclusions?tab=all&q=a%20b", "/apis", "/a.b/~c"] {
            assert_eq!(ReturnTo::parse(good).as_str(), good);
        }
        for bad in [
            "",
            "vhosts",
            "//evil.example",
            "///evil.example",
            "/\\evil.example",
            "\\\\evil.example",
            "https://evil.example",
            "/\t/evil.example",
            "/a//evil.example",
            "/%2f/evil.example",
            "javascript:alert(1)",
            "/a\r\nset-cookie: x=y",
            "/a#b",
            "/api",
            "/api/v1/auth/sso",
            "/docs/",
            "/a/../api/v1/x",
            "/./api",
            "/@evil.example",
            " /",
            "/a?\"<>",
            "/\u{e9}",
            "/.well-known/jwks.json",
        ] {
            assert_eq!(ReturnTo::parse(bad).as_str(), "/", "{bad:?}");
        }
        assert_eq!(ReturnTo::parse(&format!("/{}", "a".repeat(512))).as_str(), "/");
    }
}
