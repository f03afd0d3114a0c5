//! `[api]`

use std::net::SocketAddr;
use std::path::PathBuf;

use super::{List, checked, section};
use crate::domain::Network;

section! {
    /// The REST API.
    Api in "api" {
        /// Where the API listens. It speaks plain HTTP: anything but loopback belongs behind a proxy that does TLS.
        listen: SocketAddr = SocketAddr::from(([127, 0, 0, 1], 8080)), "an address and a port, `127.0.0.1:8080` or `[::1]:8080`";
        /// File with the first administrator's token, read on the first start; without it a token is made and printed once. Also set by
        /// `GUARD_PROXY_ADMIN_TOKEN_FILE`.
        admin_token_file: Option<PathBuf> = None, "an absolute path";
        /// Proxies before the API: what they say of the client in `X-Forwarded-For` is believed, from its end through trusted ones. By that
        /// address attempts to sign in are counted; from anybody else the header says nothing.
        trusted_proxies: List<Network> = List(Vec::new()), "at most 64 networks, `10.0.0.0/8`, or addresses";
        /// Lets the cookie of a session go over plain HTTP: to try things out on one's own machine. Its name is without `__Host-` then.
        insecure_cookies: bool = false, "`true` only where `listen` is loopback";
    }
}

checked!(Api, |section, problems| {
    if section.admin_token_file.as_ref().is_some_and(|path| !path.is_absolute()) {
        problems.note(Self::KEY, "admin_token_file", "the path is relative");
    }
    if section.trusted_proxies.0.len() > 64 {
        problems.note(Self::KEY, "trusted_proxies", format!("{} networks are set", section.trusted_proxies.0.len()));
    }
    if section.insecure_cookies && !section.listen.ip().to_canonical().is_loopback() {
        problems.note(Self::KEY, "insecure_cookies", "the API listens for others, too");
    }
});
