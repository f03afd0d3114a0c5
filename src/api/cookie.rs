//! The two cookies. By the one a session is renewed: scripts cannot read it, other sites' pages do not send it, and no route but those that
//! renew and end sessions looks at it. The other is a browser's who is at the provider of single sign-on, for some minutes: it comes with a link of
//! that site's, or it could not say that this browser began. `__Host-` makes browsers take them over TLS from this host alone; where plain HTTP on
//! loopback was asked for (`api.insecure_cookies`, the demo), they have other names, since browsers would refuse those.

use http::HeaderMap;
use http::header::{COOKIE, HeaderValue};
use time::Duration;

use super::problem::Problem;
use crate::auth::Text;

/// One of them.
pub struct Cookie {
    secure: &'static str,
    plain: &'static str,
    same_site: &'static str,
}

pub const SESSION: Cookie = Cookie { secure: "__Host-guard-proxy-session", plain: "guard-proxy-session", same_site: "Strict" };
pub const SSO: Cookie = Cookie { secure: "__Host-guard-proxy-sso", plain: "guard-proxy-sso", same_site: "Lax" };

impl Cookie {
    fn name(&self, insecure: bool) -> &'static str {
        if insecure { self.plain } else { self.secure }
    }

    /// That of a request; none where there are two of them: one is not ours.
    pub fn read<'a>(&self, headers: &'a HeaderMap, insecure: bool) -> Option<&'a str> {
        let all = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(';'));
        let mut ours = all.filter_map(|pair| pair.trim().split_once('=')).filter(|(found, _)| *found == self.name(insecure));
        let (one, None) = (ours.next()?, ours.next()) else { return None };
        Some(one.1)
    }

    /// The header that sets it.
    pub fn set(&self, value: &Text, lives: Duration, insecure: bool) -> Result<HeaderValue, Problem> {
        let (name, same_site, secure) = (self.name(insecure), self.same_site, if insecure { "" } else { "; Secure" });
        let seconds = lives.whole_seconds().max(0);
        let line = format!("{name}={}; Path=/; HttpOnly; SameSite={same_site}; Max-Age={seconds}{secure}", value.reveal());
        let mut header = HeaderValue::try_from(line).map_err(|error| Problem::internal(error.to_string()))?;
        header.set_sensitive(true);
        Ok(header)
    }

    /// The header that takes it away.
    pub fn clear(&self, insecure: bool) -> Result<HeaderValue, Problem> {
        self.set(&Text::new(""), Duration::ZERO, insecure)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_read_where_it_is_there_once() {
        let with = |line: &'static str| HeaderMap::from_iter([(COOKIE, HeaderValue::from_static(line))]);
        assert_eq!(SESSION.read(&with("a=b; __Host-guard-proxy-session=x.y; c=d"), false), Some("x.y"));
        assert_eq!(SESSION.read(&with("guard-proxy-session=x.y"), true), Some("x.y"));
        for line in
            ["guard-proxy-session=x.y", "__Host-guard-proxy-session=a; __Host-guard-proxy-session=b", "__host-guard-proxy-session=a", ""]
        {
            assert_eq!(SESSION.read(&with(line), false), None, "{line}");
        }
        let header = SESSION.set(&Text::new("v"), Duration::hours(1), false).unwrap();
        assert_eq!(header, "__Host-guard-proxy-session=v; Path=/; HttpOnly; SameSite=Strict; Max-Age=3600; Secure");
        assert!(!format!("{header:?}").contains("=v"));
        assert!(SSO.set(&Text::new("v"), Duration::hours(1), false).unwrap().to_str().unwrap().contains("; SameSite=Lax; "));
        assert!(SESSION.clear(true).unwrap().to_str().unwrap().contains("Max-Age=0"));
    }
}
