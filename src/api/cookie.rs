//! The one cookie: by it a session is renewed. Scripts cannot read it, other sites' pages do not send it, and no route but those that
//! renew and end sessions looks at it. `__Host-` makes browsers take it over TLS from this host alone; where plain HTTP on loopback was
//! asked for (`auth.insecure_cookies`, the demo), it has another name, since browsers would refuse that one.

use http::HeaderMap;
use http::header::{COOKIE, HeaderValue};
use time::Duration;

use super::problem::Problem;
use crate::auth::Text;

const SECURE: &str = "__Host-guard-proxy-session";
const PLAIN: &str = "guard-proxy-session";

fn name(insecure: bool) -> &'static str {
    if insecure { PLAIN } else { SECURE }
}

/// The cookie of a request; none where there are two of them: one is not ours.
pub fn read(headers: &HeaderMap, insecure: bool) -> Option<&str> {
    let all = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(';'));
    let mut ours = all.filter_map(|pair| pair.trim().split_once('=')).filter(|(found, _)| *found == name(insecure));
    let (one, None) = (ours.next()?, ours.next()) else { return None };
    Some(one.1)
}

/// The header that sets it.
pub fn set(value: &Text, lives: Duration, insecure: bool) -> Result<HeaderValue, Problem> {
    let secure = if insecure { "" } else { "; Secure" };
    let seconds = lives.whole_seconds().max(0);
    let line = format!("{}={}; Path=/; HttpOnly; SameSite=Strict; Max-Age={seconds}{secure}", name(insecure), value.reveal());
    let mut header = HeaderValue::try_from(line).map_err(|error| Problem::internal(error.to_string()))?;
    header.set_sensitive(true);
    Ok(header)
}

/// The header that takes it away.
pub fn clear(insecure: bool) -> Result<HeaderValue, Problem> {
    set(&Text::new(""), Duration::ZERO, insecure)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_read_where_it_is_there_once() {
        let with = |line: &'static str| HeaderMap::from_iter([(COOKIE, HeaderValue::from_static(line))]);
        assert_eq!(read(&with("a=b; __Host-guard-proxy-session=x.y; c=d"), false), Some("x.y"));
        assert_eq!(read(&with("guard-proxy-session=x.y"), true), Some("x.y"));
        for line in
            ["guard-proxy-session=x.y", "__Host-guard-proxy-session=a; __Host-guard-proxy-session=b", "__host-guard-proxy-session=a", ""]
        {
            assert_eq!(read(&with(line), false), None, "{line}");
        }
        let header = set(&Text::new("v"), Duration::hours(1), false).unwrap();
        assert_eq!(header, "__Host-guard-proxy-session=v; Path=/; HttpOnly; SameSite=Strict; Max-Age=3600; Secure");
        assert!(!format!("{header:?}").contains("=v"));
        assert!(clear(true).unwrap().to_str().unwrap().contains("Max-Age=0"));
    }
}
