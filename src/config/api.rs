//! `[api]`

use std::net::SocketAddr;
use std::path::PathBuf;

use super::{List, Origin, checked, section};

section! {
    /// The REST API.
    Api in "api" {
        /// Where the API listens. Anything but loopback wants a certificate, or a proxy that does TLS and `allow_plain`.
        listen: SocketAddr = SocketAddr::from(([127, 0, 0, 1], 8080)), "an address and a port, `127.0.0.1:8080` or `[::1]:8080`";
        /// File with the first administrator's token, read on the first start; without it a token is made and printed once. Also set by
        /// `GUARD_PROXY_ADMIN_TOKEN_FILE`.
        admin_token_file: Option<PathBuf> = None, "an absolute path";
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
});
