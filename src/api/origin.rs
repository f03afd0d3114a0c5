//! Where a request comes from: the client behind trusted proxies, and the site of the page that made a browser send it.

use std::net::IpAddr;

use http::HeaderMap;
use http::header::{HOST, HeaderName, ORIGIN};

use super::codes::Code;
use super::problem::Problem;
use crate::domain::Network;

const FORWARDED: HeaderName = HeaderName::from_static("x-forwarded-for");
const SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");
const DESTINATION: HeaderName = HeaderName::from_static("sec-fetch-dest");
/// Proxies behind one another, at most.
const MOST_PROXIES: usize = 5;

/// The client's address: the connection's, unless that is a trusted proxy's; then what it says, from its end, through other trusted ones.
/// What is no address ends the walk at the last that was one.
pub fn client(peer: Option<IpAddr>, headers: &HeaderMap, trusted: &[Network]) -> Option<IpAddr> {
    let mut client = peer?;
    let trusts = |address: IpAddr| trusted.iter().any(|network| network.contains(address));
    let said: Vec<&str> =
        headers.get_all(FORWARDED).iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(',')).collect();
    for next in said.iter().rev().take(MOST_PROXIES) {
        if !trusts(client) {
            break;
        }
        let Ok(address) = next.trim().parse::<IpAddr>() else { break };
        client = address.to_canonical();
    }
    Some(client)
}

/// Whether a page of our own made a browser send this, or no browser did: by `Sec-Fetch-Site`, and by `Origin` against `Host` where a browser is
/// too old for it. The one judge of it. What somebody typed or opened from elsewhere (`none`) is no page of ours: our pages' requests that change
/// something are always `same-origin`. What is no browser says nothing, and has no cookies of anybody's.
pub fn own_page(headers: &HeaderMap) -> bool {
    let one = |name: &HeaderName| -> Option<Option<&str>> {
        let mut all = headers.get_all(name).iter();
        let first = all.next()?;
        // Two of them, or what is no text, is nobody's.
        Some(if all.next().is_some() { None } else { first.to_str().ok() })
    };
    match (one(&SITE), one(&ORIGIN)) {
        (Some(site), _) => site == Some("same-origin"),
        (None, None) => true,
        (None, Some(origin)) => {
            let of_origin = origin.and_then(|origin| origin.split_once("://")).map(|(_, host)| host);
            let host = one(&HOST).flatten().filter(|host| !host.is_empty());
            of_origin.zip(host).is_some_and(|(origin, host)| origin.eq_ignore_ascii_case(host))
        }
    }
}

/// Refuses what another site has a browser send, with a cookie or without: a sign-in is somebody's, too.
pub fn same_site(headers: &HeaderMap) -> Result<(), Problem> {
    if own_page(headers) { Ok(()) } else { Err(Problem::new(Code::CrossSite, "a page of another site made a browser send this")) }
}

/// Whether a browser goes to a page here, whoever's link it was: not for a picture, a frame or a script of another site. What is no browser says
/// nothing of it.
pub fn navigates(headers: &HeaderMap) -> bool {
    let only = |name: &HeaderName, wanted: &str| headers.get_all(name).iter().all(|value| value == wanted);
    only(&MODE, "navigate") && only(&DESTINATION, "document")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut all = HeaderMap::new();
        for (name, value) in lines {
            all.append(HeaderName::from_static(name), http::HeaderValue::from_static(value));
        }
        all
    }

    #[test]
    fn a_client_is_believed_through_trusted_proxies_alone() {
        let trusted = ["10.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()];
        for (peer, said, expected) in [
            ("192.0.2.1", "198.51.100.7", "192.0.2.1"),
            ("10.0.0.1", "198.51.100.7", "198.51.100.7"),
            ("10.0.0.1", "6.6.6.6, 198.51.100.7", "198.51.100.7"),
            ("10.0.0.1", "6.6.6.6, 198.51.100.7, 10.0.0.2", "198.51.100.7"),
            ("10.0.0.1", "6.6.6.6, unknown", "10.0.0.1"),
            ("::1", "2001:db8::1", "2001:db8::1"),
            ("10.0.0.1", "", "10.0.0.1"),
        ] {
            let client = client(Some(peer.parse().unwrap()), &headers(&[("x-forwarded-for", said)]), &trusted);
            assert_eq!(client, Some(expected.parse().unwrap()), "{peer}: {said}");
        }
        let peer = Some("10.0.0.1".parse().unwrap());
        assert_eq!(client(peer, &headers(&[("x-forwarded-for", "6.6.6.6")]), &[]), peer);
        assert_eq!(client(None, &HeaderMap::new(), &trusted), None);
    }

    #[test]
    fn only_a_browser_that_goes_there_navigates() {
        assert!(navigates(&headers(&[])) && navigates(&headers(&[("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")])));
        for bad in [("sec-fetch-mode", "no-cors"), ("sec-fetch-mode", "cors"), ("sec-fetch-dest", "iframe"), ("sec-fetch-dest", "image")] {
            assert!(!navigates(&headers(&[bad])), "{bad:?}");
        }
    }

    #[test]
    fn another_sites_page_is_refused() {
        for good in [
            &[][..],
            &[("sec-fetch-site", "same-origin"), ("origin", "https://guard.example")],
            &[("host", "Guard.example"), ("origin", "https://guard.EXAMPLE")],
            &[("host", "guard.example:8443"), ("origin", "https://guard.example:8443")],
        ] {
            assert!(same_site(&headers(good)).is_ok(), "{good:?}");
        }
        for bad in [
            &[("sec-fetch-site", "cross-site")][..],
            &[("sec-fetch-site", "same-site")],
            &[("sec-fetch-site", "none")],
            &[("sec-fetch-site", "")],
            &[("sec-fetch-site", "same-origin"), ("sec-fetch-site", "same-origin")],
            &[("sec-fetch-site", "same-origin, none")],
            &[("host", "guard.example"), ("origin", "https://guard.example"), ("origin", "https://guard.example")],
            &[("host", "guard.example"), ("host", "guard.example"), ("origin", "https://guard.example")],
            &[("host", ""), ("origin", "https://")],
            &[("host", "guard.example"), ("origin", "")],
            &[("sec-fetch-site", "cross-site"), ("host", "guard.example"), ("origin", "https://guard.example")],
            &[("host", "guard.example"), ("origin", "https://evil.example")],
            &[("host", "guard.example"), ("origin", "https://guard.example.evil.example")],
            &[("host", "guard.example"), ("origin", "null")],
            &[("origin", "https://guard.example")],
        ] {
            assert!(same_site(&headers(bad)).is_err(), "{bad:?}");
        }
    }

    /// What is asked of every request with a cookie is asked by the same judge.
    #[test]
    fn both_ways_to_ask_agree() {
        let sites = [None, Some("same-origin"), Some("same-site"), Some("cross-site"), Some("none"), Some("")];
        let origins = [None, Some("https://guard.example"), Some("https://evil.example"), Some("null"), Some("")];
        for (site, origin) in sites.iter().flat_map(|site| origins.iter().map(move |origin| (*site, *origin))) {
            let lines = [Some(("host", "guard.example")), Some(("cookie", "a=b")), site.map(|site| ("sec-fetch-site", site))];
            let lines: Vec<_> = lines.into_iter().chain([origin.map(|origin| ("origin", origin))]).flatten().collect();
            let headers = headers(&lines);
            let of_all = crate::api::browser::no_other_site(&http::Method::POST, &headers).is_ok();
            assert_eq!(of_all, same_site(&headers).is_ok(), "{lines:?}");
        }
    }
}
