//! Networks of IP lists, and how much of the internet they are.

use std::collections::BTreeMap;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use time::OffsetDateTime;

use crate::domain::snapshot::ListState;
use crate::domain::{Entry, Network};
use crate::plan::changes::Pair;

/// Prefixes up to these lengths are wide: whole countries and providers.
const WIDE_V4: u8 = 8;
const WIDE_V6: u8 = 32;

/// Networks that are new somewhere.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Added {
    pub count: usize,
    /// The widest as written.
    pub widest: Option<Network>,
    /// What they make together, where that is wide: 256 neighbours of /16 are a /8.
    pub wide: Option<Network>,
}

impl Added {
    pub fn of(networks: &[Network]) -> Self {
        let (mut four, mut six) = (Vec::new(), Vec::new());
        for network in networks {
            match network.net() {
                IpNet::V4(net) => four.push(net),
                IpNet::V6(net) => six.push(net),
            }
        }
        let four = Ipv4Net::aggregate(&four).into_iter().filter(|net| net.prefix_len() <= WIDE_V4).map(IpNet::V4);
        let six = Ipv6Net::aggregate(&six).into_iter().filter(|net| net.prefix_len() <= WIDE_V6).map(IpNet::V6);
        Self {
            count: networks.len(),
            widest: networks.iter().copied().min_by_key(share),
            wide: four.chain(six).map(Network::new).min_by_key(share),
        }
    }
}

/// Orders networks of both families by their share of all addresses, the largest first: by length, on one scale.
fn share(network: &Network) -> u16 {
    let net = network.net();
    u16::from(net.prefix_len()) * 128 / u16::from(net.max_prefix_len())
}

/// Networks of a list in force after, that none in force before covers.
pub(super) fn added(list: &Pair<ListState>, now: OffsetDateTime) -> Vec<Network> {
    let known = |network: &Network| list.before.is_some_and(|before| covering(&before.entries, network, now).is_some());
    list.entries()
        .filter(|(network, _, new)| new.is_some_and(|new| new.active(now)) && !known(network))
        .map(|(network, _, _)| *network)
        .collect()
}

/// An entry in force that a network lies in. Asks for each length: lists are long.
pub(super) fn covering(entries: &BTreeMap<Network, Entry>, network: &Network, now: OffsetDateTime) -> Option<Network> {
    let net = network.net();
    (0..=net.prefix_len()).find_map(|length| {
        let above = Network::new(IpNet::new(net.addr(), length).ok()?);
        entries.get(&above).filter(|entry| entry.active(now)).map(|_| above)
    })
}
