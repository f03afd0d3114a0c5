//! Which addresses an upstream may be at. Upstreams are written by people who may configure a site and not the node: what would let them
//! reach the node itself, its control sockets' neighbours or a cloud's metadata service is refused.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::NodeSettings;
use crate::domain::{FieldError, Vhost};

/// What is wrong with the addresses of a vhost's upstream on a node; empty when nothing is.
pub fn check_upstreams(vhost: &Vhost, node: &NodeSettings) -> Vec<FieldError> {
    let judge = |(index, server): (usize, &crate::domain::Server)| {
        let why = refusal(server.address, server.port.get(), node)?;
        Some(FieldError::new(format!("/upstream/servers/{index}/address"), "forbidden_address", format!("`{}` {why}", server.address)))
    };
    vhost.upstream.servers.iter().enumerate().filter_map(judge).collect()
}

fn refusal(given: IpAddr, port: u16, node: &NodeSettings) -> Option<String> {
    leads_to(given).into_iter().find_map(|address| refusal_of(given, address, port, node))
}

/// What is wrong with one address that `given` leads to.
fn refusal_of(given: IpAddr, address: IpAddr, port: u16, node: &NodeSettings) -> Option<String> {
    if address.is_unspecified() || matches!(address, IpAddr::V4(v4) if v4.octets()[0] == 0) {
        return Some("is no address of a server: it means `any address`".to_owned());
    }
    if address.is_multicast() || address == IpAddr::V4(Ipv4Addr::BROADCAST) {
        return Some("is a multicast or broadcast address, not one of a server".to_owned());
    }
    if let Some(own) = node.own_addresses.iter().find(|own| is_own(address, port, own)) {
        return Some(format!("with port {port} is Guard Proxy's own address {own}: requests would go round in circles"));
    }
    let kind = if METADATA.contains(&address) {
        "is a cloud's metadata service, which hands out credentials"
    } else if address.is_loopback() {
        "is a loopback address: this is the node itself"
    } else if link_local(address) {
        "is a link-local address, where metadata services and neighbours are"
    } else if matches!(address, IpAddr::V6(v6) if v6.segments()[0] & 0xffc0 == 0xfec0) {
        "is a site-local address, which nothing uses any more and which is no better defined than a link-local one"
    } else {
        return None;
    };
    if node.allow_upstreams.iter().any(|network| network.contains(given) || network.contains(address)) {
        return None;
    }
    Some(format!("{kind}; who runs the node can allow it by the setting `allow_upstreams`"))
}

/// The address itself, and the IPv4 addresses inside it that a stack, a tunnel or a translator may lead it to: it is judged as each.
fn leads_to(given: IpAddr) -> Vec<IpAddr> {
    let given = given.to_canonical();
    let IpAddr::V6(v6) = given else { return vec![given] };
    let (s, o) = (v6.segments(), v6.octets());
    let v4 = |at: [usize; 4]| IpAddr::V4(Ipv4Addr::from(at.map(|index| o[index])));
    let last = v4([12, 13, 14, 15]);
    let embedded = match s {
        // `::` and `::1` are their own
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => Vec::new(),
        // IPv4-compatible, IPv4-translated, NAT64
        [0, 0, 0, 0, 0, 0, ..] | [0, 0, 0, 0, 0xffff, 0, ..] | [0x64, 0xff9b, 0, 0, 0, 0, ..] => vec![last],
        // 6to4
        [0x2002, ..] => vec![v4([2, 3, 4, 5])],
        // NAT64 of a site, whose prefix has 48, 56, 64 or 96 bits (RFC 6052): where the address is only the site knows, and where none
        // is there are zeros
        [0x64, 0xff9b, 1, ..] => {
            let places = [last, v4([6, 7, 9, 10]), v4([7, 9, 10, 11]), v4([9, 10, 11, 12])];
            let there: Vec<_> = places.into_iter().filter(|place| !matches!(place, IpAddr::V4(v4) if v4.octets()[0] == 0)).collect();
            if there.is_empty() { vec![last] } else { there }
        }
        _ => Vec::new(),
    };
    std::iter::once(given).chain(embedded).collect()
}

fn is_own(address: IpAddr, port: u16, own: &std::net::SocketAddr) -> bool {
    let bind = own.ip().to_canonical();
    own.port() == port && (bind == address || (bind.is_unspecified() && address.is_loopback()))
}

fn link_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    }
}

/// Amazon, Google, Azure and others; Amazon over IPv6; Google over IPv6; Alibaba; Azure's wire server; Oracle.
const METADATA: [IpAddr; 6] = [
    IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
    IpAddr::V6(Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254)),
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
    IpAddr::V4(Ipv4Addr::new(168, 63, 129, 16)),
    IpAddr::V4(Ipv4Addr::new(192, 0, 0, 192)),
];

#[cfg(test)]
mod tests {
    use super::super::sample::node;
    use super::*;

    #[test]
    fn what_an_address_leads_to_is_judged() {
        let open = NodeSettings {
            own_addresses: vec!["0.0.0.0:8000".parse().unwrap(), "[::]:9000".parse().unwrap(), "192.0.2.5:443".parse().unwrap()],
            allow_upstreams: vec!["127.0.0.0/8".parse().unwrap(), "fec0::/16".parse().unwrap()],
            ..node("/run")
        };
        let strict = NodeSettings { allow_upstreams: Vec::new(), ..open.clone() };
        // address, port, refused, refused where loopback is allowed
        for (address, port, want, allowed) in [
            ("::127.0.0.1", 80, true, false),
            ("::ffff:0:127.0.0.1", 80, true, false),
            ("64:ff9b::127.0.0.1", 80, true, false),
            ("64:ff9b:1::127.0.0.1", 80, true, false),
            ("64:ff9b:1:7f00:0:100::", 80, true, false),
            ("64:ff9b:1:7f:0:1::", 80, true, false),
            ("64:ff9b:1:0:7f:0:100:0", 80, true, false),
            ("2002:7f00:1::1", 80, true, false),
            ("::169.254.169.254", 80, true, true),
            ("::ffff:0:169.254.169.254", 80, true, true),
            ("64:ff9b::100.100.100.200", 80, true, true),
            ("64:ff9b:1::169.254.169.254", 80, true, true),
            ("64:ff9b:1:a9fe:a9:fe00::", 80, true, true),
            ("2002:a9fe:a9fe::", 80, true, true),
            ("2002:e000:1::", 80, true, true),
            ("2002::1", 80, true, true),
            ("64:ff9b:1::", 80, true, true),
            ("::0.1.2.3", 80, true, true),
            ("::192.0.2.10", 80, false, false),
            ("2002:c000:20a::1", 80, false, false),
            ("64:ff9b::192.0.2.10", 80, false, false),
            ("64:ff9b:1::192.0.2.10", 80, false, false),
            ("64:ff9b:1:c000:2:a00::", 80, false, false),
            ("fec0::1", 80, true, false),
            ("feff::1", 80, true, true),
            ("fe00::1", 80, false, false),
            // our own, whatever is allowed: a bind to any address is also at every loopback one
            ("127.0.0.1", 8000, true, true),
            ("127.1.2.3", 8000, true, true),
            ("::1", 8000, true, true),
            ("127.1.2.3", 9000, true, true),
            ("::1", 9000, true, true),
            ("::ffff:127.0.0.1", 9000, true, true),
            ("::127.0.0.1", 9000, true, true),
            ("2002:7f00:1::1", 9000, true, true),
            ("64:ff9b::192.0.2.5", 443, true, true),
            ("64:ff9b::192.0.2.5", 444, false, false),
            ("127.0.0.1", 8001, true, false),
        ] {
            let refused = |node: &NodeSettings| refusal(address.parse().unwrap(), port, node).is_some();
            assert_eq!((refused(&strict), refused(&open)), (want, allowed), "{address} {port}");
        }
    }
}
