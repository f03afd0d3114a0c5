//! The admin panel: files that `frontend/` is built into, in the binary (a debug build reads them from disk). They hold no secrets and
//! want no credential; all that they show they ask the API for.
//!
//! Files are compressed where they are built. Those under `assets/` are named by their content, and kept for good; the page is asked for
//! anew each time, since each answer has a nonce of its own: the panel's styles that are made while it runs carry it, and no others apply.

use std::borrow::Cow;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use data_encoding::BASE64URL_NOPAD;
use http::header::{ACCEPT, ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, VARY};
use http::{HeaderMap, HeaderValue, Method, StatusCode};

#[derive(rust_embed::Embed)]
#[folder = "frontend/dist"]
#[allow_missing = true]
struct Built;

/// What was built; named here so that another build of the panel is another build of this file.
pub const BUILD: Option<&str> = option_env!("GUARD_PROXY_PANEL");

/// The routes that the panel has beside its pages.
pub const ROUTES: [&str; 3] = ["/", "/favicon.svg", "/assets/{*file}"];

/// First parts of paths that are never pages.
const NOT_PAGES: [&str; 7] = ["api", "assets", "docs", "health", "metrics", "ready", ".well-known"];
const NONCE: &str = "%STYLE_NONCE%";
const FOR_GOOD: &str = "public, max-age=31536000, immutable";
const MISSING: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Guard Proxy</title>\
    <h1>The admin panel is not in this build</h1><p>Build it, and Guard Proxy again: <code>make build</code>. \
    The panel alone: <code>npm ci &amp;&amp; npm run build</code> in <code>frontend/</code>.</p>\
    <p>The API is there: <a href=\"/docs/\">its description</a>.</p></html>";

type File = Cow<'static, [u8]>;

fn built(path: &str) -> Option<File> {
    Built::get(path).map(|file| file.data)
}

/// The page by which somebody chooses a password. The token is behind `#`: browsers send that to nobody, so that it is in no log.
pub fn setup_link(server: &str, token: &str) -> String {
    format!("{}/setup#token={token}", server.trim_end_matches('/'))
}

/// Whether a browser wants to show it as a page: the panel finds out which of its pages, or that it has none there.
pub fn is_page(method: &Method, path: &str, headers: &HeaderMap) -> bool {
    let first = path.split('/').nth(1).unwrap_or_default();
    let plain = path.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/-_.~%:@+,".contains(&byte)) && !path.contains("//");
    // Browsers send no such parts; what does is after something else.
    let dots = path.split('/').any(|part| part == "." || part == "..");
    let navigates = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok()).any(|value| value.contains("text/html"));
    matches!(*method, Method::GET | Method::HEAD) && plain && !dots && navigates && !first.contains('%') && !NOT_PAGES.contains(&first)
}

/// The page, which is the same for all of the panel's paths.
pub fn page() -> Response {
    page_of(built("index.html"))
}

fn page_of(file: Option<File>) -> Response {
    let html = [(CONTENT_TYPE, "text/html; charset=utf-8"), (CACHE_CONTROL, "no-cache")];
    let Some(text) = file.and_then(|file| String::from_utf8(file.into_owned()).ok()) else {
        return (StatusCode::SERVICE_UNAVAILABLE, html, MISSING).into_response();
    };
    let mut random = [0; 16];
    if getrandom::fill(&mut random).is_err() {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    }
    let nonce = BASE64URL_NOPAD.encode(&random);
    let mut response = (html, text.replace(NONCE, &nonce)).into_response();
    if let Ok(policy) = HeaderValue::try_from(policy(&nonce)) {
        response.headers_mut().insert(CONTENT_SECURITY_POLICY, policy);
    }
    response
}

/// Scripts are files of ours; so are styles, and what our scripts make with the nonce.
fn policy(nonce: &str) -> String {
    format!(
        "default-src 'none'; script-src 'self'; style-src 'self' 'nonce-{nonce}'; connect-src 'self'; img-src 'self' data:; \
         font-src 'self'; manifest-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
    )
}

/// A file of the panel, as small as the browser takes it.
pub fn file(path: &str, headers: &HeaderMap) -> Response {
    file_of(built, path, headers)
}

fn file_of(get: impl Fn(&str) -> Option<File>, path: &str, headers: &HeaderMap) -> Response {
    let path = path.trim_start_matches('/');
    let Some(kind) = kind(path) else { return StatusCode::NOT_FOUND.into_response() };
    let Some(plain) = get(path) else { return StatusCode::NOT_FOUND.into_response() };
    let smaller = [("br", "br"), ("gzip", "gz")].into_iter().filter(|(coding, _)| takes(headers, coding));
    let packed = smaller.into_iter().find_map(|(coding, end)| Some((coding, get(&format!("{path}.{end}"))?)));
    let (coding, data) = packed.map_or((None, plain), |(coding, data)| (Some(coding), data));
    let body = match data {
        Cow::Borrowed(data) => Body::from(data),
        Cow::Owned(data) => Body::from(data),
    };
    let kept = if path.starts_with("assets/") { FOR_GOOD } else { "public, max-age=3600" };
    let mut response = ([(CONTENT_TYPE, kind), (CACHE_CONTROL, kept), (VARY, "accept-encoding")], body).into_response();
    if let Some(coding) = coding {
        response.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static(coding));
    }
    response
}

/// Whether it is among the codings that are taken, and not with a weight of nothing (RFC 9110, 12.5.3).
fn takes(headers: &HeaderMap, coding: &str) -> bool {
    let all = headers.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
    all.map(|one| one.split_once(';').unwrap_or((one, ""))).any(|(name, weight)| {
        let nothing = weight.trim().strip_prefix("q=").is_some_and(|q| q.trim_matches(['0', '.']).is_empty());
        name.trim().eq_ignore_ascii_case(coding) && !nothing
    })
}

/// The kinds of files that the panel has; others are not served, whatever lies in the folder.
fn kind(path: &str) -> Option<&'static str> {
    Some(match path.rsplit_once('.')?.1 {
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "woff2" => "font/woff2",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(path: &str) -> Option<File> {
        let data: &[u8] = match path {
            "assets/a-1.js" => b"plain",
            "assets/a-1.js.br" => b"br",
            "assets/a-1.js.gz" => b"gz",
            "assets/small-1.css" => b"a{}",
            ".vite/manifest.json" => b"{}",
            _ => return None,
        };
        Some(Cow::Borrowed(data))
    }

    fn headers(lines: &[(http::HeaderName, &'static str)]) -> HeaderMap {
        lines.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value))).collect()
    }

    async fn text(response: Response) -> String {
        let body = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
        String::from_utf8(body.to_vec()).unwrap()
    }

    #[tokio::test]
    async fn a_file_is_as_small_as_is_taken() {
        for (accepted, coding, body) in [
            ("gzip, deflate, br", Some("br"), "br"),
            ("gzip", Some("gzip"), "gz"),
            ("br;q=0, gzip;q=0.5", Some("gzip"), "gz"),
            ("br;q=0.000,gzip; q=0", None, "plain"),
            ("identity", None, "plain"),
            ("", None, "plain"),
        ] {
            let response = file_of(sample, "/assets/a-1.js", &headers(&[(ACCEPT_ENCODING, accepted)]));
            assert_eq!(response.status(), 200);
            assert_eq!(response.headers().get(CONTENT_ENCODING).map(|c| c.to_str().unwrap()), coding, "{accepted}");
            assert_eq!(response.headers()[VARY], "accept-encoding");
            assert_eq!(response.headers()[CACHE_CONTROL], FOR_GOOD);
            assert_eq!(response.headers()[CONTENT_TYPE], "text/javascript; charset=utf-8");
            assert_eq!(text(response).await, body, "{accepted}");
        }
        let response = file_of(sample, "/assets/small-1.css", &headers(&[(ACCEPT_ENCODING, "br")]));
        assert!(!response.headers().contains_key(CONTENT_ENCODING), "nothing smaller was built");
        for path in ["/assets/none.js", "/assets/", "/.vite/manifest.json", "/assets/../Cargo.toml", "/assets/a-1.js.br"] {
            assert_eq!(file_of(sample, path, &HeaderMap::new()).status(), 404, "{path}");
        }
    }

    #[tokio::test]
    async fn each_page_has_its_own_nonce() {
        let html = Cow::Borrowed(&b"<meta name=style-nonce content=%STYLE_NONCE%>"[..]);
        let mut seen = Vec::new();
        for _ in 0..2 {
            let response = page_of(Some(html.clone()));
            let policy = response.headers()[CONTENT_SECURITY_POLICY].to_str().unwrap().to_owned();
            assert_eq!(response.headers()[CACHE_CONTROL], "no-cache");
            let text = text(response).await;
            let nonce = text.split("content=").nth(1).unwrap().trim_end_matches('>').to_owned();
            assert_eq!(nonce.len(), 22);
            assert!(policy.contains(&format!("style-src 'self' 'nonce-{nonce}';")), "{policy}");
            assert!(policy.starts_with("default-src 'none'; script-src 'self';") && !policy.contains("unsafe"), "{policy}");
            seen.push(nonce);
        }
        assert_ne!(seen[0], seen[1]);
        let response = page_of(None);
        assert_eq!(response.status(), 503);
        assert!(text(response).await.contains("npm run build"));
    }

    #[test]
    fn pages_are_what_browsers_navigate_to() {
        let html = headers(&[(ACCEPT, "text/html,application/xhtml+xml,*/*;q=0.8")]);
        for path in ["/", "/vhosts", "/vhosts/shop", "/ip-lists/a/entries", "/setup", "/vhosts/a%20b"] {
            assert!(is_page(&Method::GET, path, &html), "{path}");
            assert!(!is_page(&Method::POST, path, &html), "{path}");
            assert!(!is_page(&Method::GET, path, &headers(&[(ACCEPT, "*/*")])), "{path}");
            assert!(!is_page(&Method::GET, path, &HeaderMap::new()), "{path}");
        }
        for path in [
            "/api",
            "/api/v1/nothing",
            "/docs/x",
            "/assets/x.js",
            "/metrics",
            "/health/",
            "/.well-known/x",
            "//api",
            "/a//b",
            "/a/../api",
            "/%61pi/v1",
        ] {
            assert!(!is_page(&Method::GET, path, &html), "{path}");
        }
    }
}
