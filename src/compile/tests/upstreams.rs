//! Which addresses are refused.

use super::*;

/// The codes and pointers for one server.
fn refused(address: &str, port: u16, node: &NodeSettings) -> bool {
    let mut snapshot = one();
    let upstream = json!({"servers": [{"address": "192.0.2.1", "port": 80}, {"address": address, "port": port}]});
    put_vhost(&mut snapshot, 1, json!({"name": "a", "hostnames": ["a.test"], "policy": "p", "upstream": upstream}));
    let errors = check_upstreams(&snapshot.vhosts[&name("a")].spec, node);
    for error in &errors {
        assert_eq!((error.pointer.as_str(), error.code.as_str()), ("/upstream/servers/1/address", "forbidden_address"));
    }
    !errors.is_empty()
}

const NEVER: [&str; 7] = ["0.0.0.0", "0.1.2.3", "::", "224.0.0.1", "255.255.255.255", "ff02::1", "::ffff:0.0.0.0"];
const UNLESS_ALLOWED: [&str; 12] = [
    "127.0.0.1",
    "127.9.9.9",
    "::1",
    "::ffff:127.0.0.1",
    "64:ff9b::7f00:1",
    "169.254.169.254",
    "169.254.1.1",
    "::ffff:a9fe:a9fe",
    "fe80::1",
    "fd00:ec2::254",
    "100.100.100.200",
    "168.63.129.16",
];

#[test]
fn what_is_no_server_or_leads_to_the_node_is_refused() {
    let strict = node("/run");
    for address in NEVER.into_iter().chain(UNLESS_ALLOWED) {
        assert!(refused(address, 80, &strict), "{address}");
    }
    for address in ["192.0.2.10", "10.0.0.1", "172.16.0.1", "192.168.1.1", "2001:db8::1", "fd00::1", "100.64.0.1"] {
        assert!(!refused(address, 80, &strict), "{address}");
    }
}

#[test]
fn a_node_may_allow_some_and_never_others() {
    let all = ["0.0.0.0/0", "::/0"].map(|network| network.parse().unwrap()).to_vec();
    let open = NodeSettings { allow_upstreams: all, ..node("/run") };
    for address in UNLESS_ALLOWED {
        assert!(!refused(address, 80, &open), "{address}");
    }
    for address in NEVER {
        assert!(refused(address, 80, &open), "{address}");
    }
    let loopback = NodeSettings { allow_upstreams: vec!["127.0.0.0/8".parse().unwrap()], ..node("/run") };
    assert!(!refused("127.0.0.1", 80, &loopback) && !refused("::ffff:127.0.0.1", 80, &loopback));
    assert!(refused("::1", 80, &loopback) && refused("169.254.1.1", 80, &loopback));
}

#[test]
fn own_addresses_are_refused_whatever_is_allowed() {
    let open = ["0.0.0.0/0", "::/0"].map(|network| network.parse().unwrap()).to_vec();
    let own = ["0.0.0.0:80", "127.0.0.1:8080", "192.0.2.5:443", "[::ffff:192.0.2.6]:443"].map(|own| own.parse().unwrap()).to_vec();
    let node = NodeSettings { allow_upstreams: open, own_addresses: own, ..node("/run") };
    for (address, port, want) in [
        ("127.0.0.1", 80, true),
        ("127.9.9.9", 80, true),
        ("::1", 80, true),
        ("127.0.0.1", 81, false),
        ("127.0.0.1", 8080, true),
        ("::ffff:127.0.0.1", 8080, true),
        ("127.0.0.2", 8080, false),
        ("192.0.2.5", 443, true),
        ("192.0.2.6", 443, true),
        ("192.0.2.5", 80, false),
    ] {
        assert_eq!(refused(address, port, &node), want, "{address} {port}");
    }
}
