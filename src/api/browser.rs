//! What browsers are told, and what they may: headers of every answer, other origins, and requests that carry a cookie because a browser adds it.

use axum::response::{IntoResponse, Response};
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS,
    ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, AUTHORIZATION, CONTENT_SECURITY_POLICY, COOKIE, HeaderName, HeaderValue, ORIGIN,
    REFERRER_POLICY, STRICT_TRANSPORT_SECURITY, VARY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use http::{HeaderMap, Method, StatusCode};

use super::codes::Code;
use super::origin::own_page;
use super::problem::Problem;

/// Swagger UI sets styles in its markup; it runs no scripts but its own, and talks to us alone.
const DOCS_CSP: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self'; \
                        connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
const CSP: &str = "default-src 'none'; frame-ancestors 'none'";

/// Headers of every answer. HSTS only where it came by TLS: a browser believes it nowhere else.
pub fn dress(headers: &mut HeaderMap, docs: bool, secure: bool) {
    let fixed = [
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (CONTENT_SECURITY_POLICY, if docs { DOCS_CSP } else { CSP }),
        (REFERRER_POLICY, "no-referrer"),
        (X_FRAME_OPTIONS, "DENY"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-embedder-policy"), "require-corp"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (HeaderName::from_static("permissions-policy"), "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()"),
    ];
    // The panel's page has a policy of its own, with a nonce.
    let own = headers.remove(CONTENT_SECURITY_POLICY);
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if let Some(own) = own {
        headers.insert(CONTENT_SECURITY_POLICY, own);
    }
    if secure {
        headers.insert(STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000"));
    }
}

/// The origins, beside our own, whose pages may call this API with a token. Exact; none without a setting.
#[derive(Clone, Debug, Default)]
pub struct Origins(Vec<String>);

impl Origins {
    pub fn new(origins: impl IntoIterator<Item = String>) -> Self {
        Self(origins.into_iter().collect())
    }

    fn allowed(&self, headers: &HeaderMap) -> Option<HeaderValue> {
        let mut all = headers.get_all(ORIGIN).iter();
        let (origin, None) = (all.next()?, all.next()) else { return None };
        self.0.iter().any(|known| known.as_bytes() == origin.as_bytes()).then(|| origin.clone())
    }

    /// The answer to a preflight of an origin that is allowed: asked without a credential, so before one is looked for.
    pub fn preflight(&self, method: &Method, headers: &HeaderMap) -> Option<Response> {
        if method != Method::OPTIONS || !headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD) {
            return None;
        }
        self.allowed(headers)?;
        let fixed = [
            (ACCESS_CONTROL_ALLOW_METHODS, "GET, POST, PUT, PATCH, DELETE"),
            (ACCESS_CONTROL_ALLOW_HEADERS, "accept, authorization, content-type, idempotency-key, if-match, if-none-match, last-event-id"),
            (ACCESS_CONTROL_MAX_AGE, "600"),
        ];
        Some((StatusCode::NO_CONTENT, fixed).into_response())
    }

    /// Lets an origin that is allowed read the answer. Never with cookies: `Access-Control-Allow-Credentials` is not sent.
    pub fn tell(&self, asked: Option<HeaderValue>, answer: &mut HeaderMap) {
        if self.0.is_empty() {
            return;
        }
        answer.append(VARY, HeaderValue::from_static("origin"));
        if let Some(origin) = asked {
            answer.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
            let exposed = "etag, guard-proxy-live-revision, guard-proxy-revision, location, retry-after, x-request-id";
            answer.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(exposed));
        }
    }

    /// The request's origin, where it is allowed: for [`Self::tell`].
    pub fn asked(&self, headers: &HeaderMap) -> Option<HeaderValue> {
        self.allowed(headers)
    }
}

/// Refuses what another site has a browser send with our cookie; see [`own_page`]. What has an `Authorization` header was not sent by a form or a
/// link.
pub fn no_other_site(method: &Method, headers: &HeaderMap) -> Result<(), Problem> {
    if method.is_safe() || !headers.contains_key(COOKIE) || headers.contains_key(AUTHORIZATION) || own_page(headers) {
        return Ok(());
    }
    Err(Problem::new(Code::CrossSite, "another site sent this with your cookie; nothing was done"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
        lines.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())).collect()
    }

    #[test]
    fn a_cookie_works_for_our_own_pages_alone() {
        let post = |lines: &[(&'static str, &str)]| {
            let mut all = vec![("cookie", "__Host-x=1"), ("host", "guard.example:8443")];
            all.extend(lines);
            no_other_site(&Method::POST, &headers(&all)).is_ok()
        };
        assert!(post(&[("sec-fetch-site", "same-origin")]));
        assert!(post(&[("origin", "https://guard.example:8443")]), "an old browser");
        assert!(post(&[]), "no browser");
        for site in ["cross-site", "same-site", "none", "", "same-origin, none"] {
            assert!(!post(&[("sec-fetch-site", site), ("origin", "https://guard.example:8443")]), "{site}");
        }
        for origin in ["https://evil.example", "https://guard.example", "https://guard.example:8443.evil.example", "null", ""] {
            assert!(!post(&[("origin", origin)]), "{origin}");
        }
        let mut twice = headers(&[("cookie", "a=b"), ("host", "a"), ("sec-fetch-site", "same-origin")]);
        twice.append("sec-fetch-site", HeaderValue::from_static("cross-site"));
        assert!(no_other_site(&Method::POST, &twice).is_err());
        // What a link does, and what no form can do.
        let evil = [("cookie", "a=b"), ("sec-fetch-site", "cross-site")];
        assert!(no_other_site(&Method::GET, &headers(&evil)).is_ok());
        assert!(no_other_site(&Method::DELETE, &headers(&evil)).is_err());
        assert!(no_other_site(&Method::POST, &headers(&[evil[0], evil[1], ("authorization", "Bearer x")])).is_ok());
    }
}
