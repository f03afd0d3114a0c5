//! `[api]`

use std::net::SocketAddr;
use std::path::PathBuf;

use super::{checked, section};

section! {
    /// The REST API.
    Api in "api" {
        /// Where the API listens. It speaks plain HTTP: anything but loopback belongs behind a proxy that does TLS.
        listen: SocketAddr = SocketAddr::from(([127, 0, 0, 1], 8080)), "an address and a port, `127.0.0.1:8080` or `[::1]:8080`";
        /// File with the first administrator's token, read on the first start; without it a token is made and printed once. Also set by
        /// `GUARD_PROXY_ADMIN_TOKEN_FILE`.
        admin_token_file: Option<PathBuf> = None, "an absolute path";
    }
}

checked!(Api, |section, problems| {
    if section.admin_token_file.as_ref().is_some_and(|path| !path.is_absolute()) {
        problems.note(Self::KEY, "admin_token_file", "the path is relative");
    }
});
