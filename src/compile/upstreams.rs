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
    let address = embedded(given.to_canonical());
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
    } else {
        return None;
    };
    if node.allow_upstreams.iter().any(|network| network.contains(given) || network.contains(address)) {
        return None;
    }
    Some(format!("{kind}; who runs the node can allow it by the setting `allow_upstreams`"))
}

/// An IPv4 address inside 64:ff9b::/96 is reached through a translator: it is judged as what it leads to.
fn embedded(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(v6) if v6.segments()[..6] == [0x64, 0xff9b, 0, 0, 0, 0] => {
            let bits = u128::from(v6) as u32;
            IpAddr::V4(Ipv4Addr::from(bits))
        }
        other => other,
    }
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
