//! `[node]`

use std::net::SocketAddr;
use std::path::PathBuf;

use super::{List, checked, section};
use crate::domain::Network;

section! {
    /// The host that runs the engines, HAProxy and guard-spoa, and what its files are made with.
    Node in "node" {
        /// Where HAProxy listens for clients.
        http_binds: List<SocketAddr> = List(vec![SocketAddr::from(([0, 0, 0, 0], 80))]), "1 to 16 addresses with ports, none twice";
        /// Folder of releases. The engines read it, so it survives a reboot.
        state_dir: PathBuf = PathBuf::from("/var/lib/guard-proxy"), "an absolute path of A-Z, a-z, 0-9 and `/._-`";
        /// Folder of the sockets, mode 0700. Short, since a Unix socket's path has at most 107 bytes.
        run_dir: PathBuf = PathBuf::from("/run/guard-proxy"), "an absolute path of at most 64 bytes of A-Z, a-z, 0-9 and `/._-`";
        /// Bytes of a request that are inspected whole. What is larger is refused unless the vhost says otherwise.
        inspected_bytes: u32 = 131_072, "16384 to 4194304";
        /// Milliseconds to wait for a verdict of the WAF, before the request is refused.
        waf_timeout_ms: u32 = 2000, "50 to 60000";
        /// A path that answers load balancers, on every host: 200 while guard-spoa can be asked, 503 while not. Empty: none.
        health_path: String = "/.guard-proxy/health".to_owned(), "a path of at most 128 of A-Z, a-z, 0-9 and `/._-`, or nothing";
        /// Networks of load balancers and CDNs in front of this node. One of their addresses is many clients, so `haproxy.connections_per_client`
        /// does not limit their connections. Whose word about the client is taken is each vhost's `client_ip`.
        proxies: List<Network> = List(Vec::new()), "at most 64 networks, `10.0.0.0/8`, or addresses";
        /// Networks of load balancers whose connections start with the PROXY protocol, version 1 or 2. Others that try it get 400.
        proxy_protocol_from: List<Network> = List(Vec::new()), "at most 64 networks, `10.0.0.0/8`, or addresses";
        /// Networks where upstreams may be although they are refused by default, as loopback and link-local are.
        allow_upstreams: List<Network> = List(Vec::new()), "networks, `127.0.0.0/8`, or addresses";
        /// The guard-spoa program, for `check`, `doctor` and `demo`. Where it is not set: beside this program, in `bin/`, `$GUARD_SPOA`, `PATH`.
        guard_spoa: Option<PathBuf> = None, "an absolute path";
    }
}

/// Paths end up in files of HAProxy and guard-spoa, where other characters would need quoting of several kinds.
fn plain(path: &std::path::Path) -> bool {
    path.is_absolute() && path.to_str().is_some_and(|p| p.bytes().all(|b| b.is_ascii_alphanumeric() || b"/._-".contains(&b)))
}

fn health_path(path: &str) -> bool {
    let plain = path.bytes().all(|b| b.is_ascii_alphanumeric() || b"/._-".contains(&b));
    path.is_empty() || (path.starts_with('/') && path.len() > 1 && path.len() <= 128 && plain)
}

checked!(Node, |section, problems| {
    let mut binds = section.http_binds.0.clone();
    binds.sort_unstable();
    binds.dedup();
    if binds.len() != section.http_binds.0.len() {
        problems.note(Self::KEY, "http_binds", "an address is there twice");
    }
    if !(1..=16).contains(&binds.len()) {
        problems.note(Self::KEY, "http_binds", format!("{} addresses are set", binds.len()));
    }
    if !plain(&section.state_dir) {
        problems.note(Self::KEY, "state_dir", format!("`{}` is relative or has other characters", section.state_dir.display()));
    }
    if !plain(&section.run_dir) || section.run_dir.as_os_str().len() > 64 {
        problems.note(Self::KEY, "run_dir", format!("`{}` is relative, too long or has other characters", section.run_dir.display()));
    }
    if !health_path(&section.health_path) {
        problems.note(Self::KEY, "health_path", format!("`{}` is no such path", section.health_path.escape_default()));
    }
    if section.proxies.0.len() > 64 {
        problems.note(Self::KEY, "proxies", format!("{} networks are set", section.proxies.0.len()));
    }
    if section.proxy_protocol_from.0.len() > 64 {
        problems.note(Self::KEY, "proxy_protocol_from", format!("{} networks are set", section.proxy_protocol_from.0.len()));
    }
    if !(16_384..=4_194_304).contains(&section.inspected_bytes) {
        problems.note(Self::KEY, "inspected_bytes", format!("{} is out of range", section.inspected_bytes));
    }
    if !(50..=60_000).contains(&section.waf_timeout_ms) {
        problems.note(Self::KEY, "waf_timeout_ms", format!("{} is out of range", section.waf_timeout_ms));
    }
    if section.guard_spoa.as_ref().is_some_and(|path| !path.is_absolute()) {
        problems.note(Self::KEY, "guard_spoa", "the path is relative");
    }
});
