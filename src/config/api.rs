//! `[api]`

use std::net::SocketAddr;
use std::path::PathBuf;

use super::{List, Origin, checked, section};
use crate::domain::Network;

section! {
    /// The REST API.
    Api in "api" {
        /// Where the API listens. Anything but loopback wants a certificate, or a proxy that does TLS and `allow_plain`.
        listen: SocketAddr = SocketAddr::from(([127, 0, 0, 1], 8080)), "an address and a port, `127.0.0.1:8080` or `[::1]:8080`";
        /// File with the first administrator's token, read on the first start; without it a token is made and printed once. Also set by
        /// `GUARD_PROXY_ADMIN_TOKEN_FILE`.
        admin_token_file: Option<PathBuf> = None, "an absolute path";
        /// Proxies before the API: what they say of the client in `X-Forwarded-For` is believed, from its end through trusted ones. By that
        /// address attempts to sign in are counted; from anybody else the header says nothing.
        trusted_proxies: List<Network> = List(Vec::new()), "at most 64 networks, `10.0.0.0/8`, or addresses";
        /// Lets the cookie of a session go over plain HTTP: to try things out on one's own machine. Its name is without `__Host-` then.
        insecure_cookies: bool = false, "`true` only where `listen` is loopback";
        /// The API's certificate, with those that lead to an authority; PEM. Read again when it changes: connections stay. With `tls_key`.
        tls_certificate: Option<PathBuf> = None, "an absolute path";
        /// The certificate's key; PEM, for the user that runs guard-proxy alone.
        tls_key: Option<PathBuf> = None, "an absolute path";
        /// Whether to speak plain HTTP elsewhere than on loopback, where a proxy in front does TLS: tokens travel in the clear between them.
        allow_plain: bool = false, "true or false";
        /// Origins, beside the API's own, whose pages may call it with a token. No cookie is ever taken from them.
        cors_origins: List<Origin> = List(Vec::new()), "origins as browsers send them, `https://panel.example.com`; no `*`";
    }
}

checked!(Api, |section, problems| {
    for (field, path) in [("tls_certificate", &section.tls_certificate), ("tls_key", &section.tls_key)] {
        if path.as_ref().is_some_and(|path| !path.is_absolute()) {
            problems.note(Self::KEY, field, "the path is relative");
        }
    }
    match (&section.tls_certificate, &section.tls_key) {
        (Some(_), None) => problems.note(Self::KEY, "tls_key", "`tls_certificate` is set, and this is not"),
        (None, Some(_)) => problems.note(Self::KEY, "tls_certificate", "`tls_key` is set, and this is not"),
        _ => {}
    }
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
