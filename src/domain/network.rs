//! Networks of IP lists.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::str::FromStr;

use ipnet::{IpNet, Ipv4Net};
use serde::{Deserialize, Serialize};

/// A network in canonical form: host bits cleared, an IPv4-mapped IPv6 network written as the IPv4 network that it is.
/// An address without a length is a network of that one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(try_from = "String", into = "String")]
#[schema(value_type = String, max_length = 49, example = "192.0.2.0/24")]
pub struct Network(IpNet);

impl Network {
    pub fn new(net: IpNet) -> Self {
        let net = net.trunc();
        if let IpNet::V6(v6) = net
            && v6.prefix_len() >= 96
            && let Some(v4) = v6.network().to_ipv4_mapped()
        {
            return Self(IpNet::V4(Ipv4Net::new_assert(v4, v6.prefix_len() - 96)));
        }
        Self(net)
    }

    pub fn net(&self) -> IpNet {
        self.0
    }

    /// Whether `address` (an IPv4-mapped one is the IPv4 address) is inside.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.contains(&address.to_canonical())
    }

    /// An address inside, to probe with.
    pub fn sample(&self) -> IpAddr {
        match self.0 {
            IpNet::V4(net) if net.prefix_len() < 31 => IpAddr::V4(Ipv4Addr::from(u32::from(net.network()) + 1)),
            net => net.addr(),
        }
    }
}

impl FromStr for Network {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let refused = || format!("`{}` is not a network: write 192.0.2.0/24, 2001:db8::/32 or an address", text.escape_default());
        if text.len() > 49 {
            return Err("a network has at most 49 characters".to_owned());
        }
        let net = match text.parse::<IpNet>() {
            Ok(net) => net,
            Err(_) => IpNet::from(text.parse::<IpAddr>().map_err(|_| refused())?),
        };
        Ok(Self::new(net))
    }
}

impl TryFrom<String> for Network {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Network> for String {
    fn from(network: Network) -> String {
        network.to_string()
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canonical() {
        for (given, want) in [
            ("192.0.2.7/24", "192.0.2.0/24"),
            ("192.0.2.7", "192.0.2.7/32"),
            ("::ffff:192.0.2.7", "192.0.2.7/32"),
            ("::ffff:192.0.2.0/120", "192.0.2.0/24"),
            ("2001:DB8::1/32", "2001:db8::/32"),
            ("0.0.0.0/0", "0.0.0.0/0"),
        ] {
            assert_eq!(given.parse::<Network>().unwrap().to_string(), want);
        }
        for bad in ["", "a", "192.0.2.0/33", "192.0.2/24", "192.0.2.0/24\n", "1.2.3.4 ", "::/129"] {
            assert!(bad.parse::<Network>().is_err(), "{bad:?}");
        }
    }
}
