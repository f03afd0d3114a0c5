//! Whether new addresses can be bound. A bind that fails on reload makes HAProxy pause all its listeners for two seconds, and `haproxy -c`
//! does not bind; so we try it ourselves, first.

use std::collections::BTreeSet;
use std::io;
use std::net::{SocketAddr, TcpListener};

/// Addresses that a configuration of ours binds for clients. Unix sockets are HAProxy's own to replace.
pub fn binds(config: &str) -> BTreeSet<SocketAddr> {
    // They stand before the backends, of which there may be 10,000.
    let lines = config.lines().take_while(|line| !line.starts_with("backend "));
    lines.filter_map(|line| line.trim().strip_prefix("bind ")?.split_whitespace().next()?.parse().ok()).collect()
}

/// Tries to bind what `new` binds and `old` does not, and lets go at once; the addresses that are taken, each with why.
///
/// The standard library sets SO_REUSEADDR and not SO_REUSEPORT: connections of before in TIME_WAIT do not matter, another listener does.
pub fn taken(old: Option<&str>, new: &str) -> Vec<(SocketAddr, io::Error)> {
    let held = old.map(binds).unwrap_or_default();
    let ours =
        |new: &SocketAddr| held.iter().any(|old| old.port() == new.port() && (old.ip().is_unspecified() || new.ip().is_unspecified()));
    let tried = |address: &SocketAddr| TcpListener::bind(address).err().map(|error| (*address, error));
    // A low port may be HAProxy's to bind and not ours; and what overlaps with an address that HAProxy holds cannot be tried while it does.
    binds(new)
        .difference(&held)
        .filter(|new| !ours(new))
        .filter_map(tried)
        .filter(|(_, e)| e.kind() != io::ErrorKind::PermissionDenied)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_new_addresses_are_tried() {
        let other = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = other.local_addr().unwrap();
        let config = format!("frontend http\n    bind {address} name http\n    bind unix@/run/probe.sock mode 600 name probe\n");
        assert_eq!(binds(&config).len(), 1);
        let found = taken(None, &config);
        assert_eq!(found[0].0, address);
        assert_eq!(found[0].1.kind(), io::ErrorKind::AddrInUse);
        assert!(taken(Some(&config), &config).is_empty());
        drop(other);
        assert!(taken(None, &config).is_empty());
    }
}
