//! IP lists -> `access.map`: one map for all vhosts, asked for the longest prefix of `<profile>|<family><hex of the address>`.
//!
//! HAProxy knows nothing of precedence: overlaps between deny, allow_only and trust are resolved here (data-plane 9.16). A profile is a
//! combination of lists, so vhosts with the same combination share its entries.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use time::OffsetDateTime;

use super::Map;
use crate::domain::Network;
use crate::domain::snapshot::ListState;

/// What the lists say about a client, in the words of `access.map`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Deny,
    Allow,
    Trust,
}

impl Verdict {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Deny => "deny",
            Self::Allow => "allow",
            Self::Trust => "trust",
        }
    }
}

const DENY: u8 = 1;
const ALLOW_ONLY: u8 = 2;
const TRUST: u8 = 4;

/// The lists that a vhost uses, by their numbers, sorted, each once: what names a profile.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Profile {
    pub deny: Vec<u32>,
    pub allow_only: Vec<u32>,
    pub trust: Vec<u32>,
    /// A list of `allow_only` is missing from the snapshot: nobody is on it.
    pub nobody: bool,
}

impl Profile {
    pub fn new(mut deny: Vec<u32>, mut allow_only: Vec<u32>, mut trust: Vec<u32>, nobody: bool) -> Self {
        for numbers in [&mut deny, &mut allow_only, &mut trust] {
            numbers.sort_unstable();
            numbers.dedup();
        }
        Self { deny, allow_only, trust, nobody }
    }

    /// `d1.2_a3_t4`: list numbers are unique, so names of different combinations differ. No `|`, which ends it in keys and rows.
    pub fn name(&self) -> String {
        let part = |letter: char, numbers: &[u32]| {
            let numbers: Vec<String> = numbers.iter().map(u32::to_string).collect();
            (!numbers.is_empty()).then(|| format!("{letter}{}", numbers.join(".")))
        };
        let mut parts = vec![part('d', &self.deny), part('a', &self.allow_only), part('t', &self.trust)];
        parts.push(self.nobody.then(|| "n".to_owned()));
        parts.into_iter().flatten().collect::<Vec<_>>().join("_")
    }

    /// Its entries of `access.map`, sorted. The first has no prefix and says what holds for everybody else.
    pub fn entries(&self, lists: &BTreeMap<u32, &ListState>, now: OffsetDateTime) -> Map {
        let name = self.name();
        let closed = self.nobody || !self.allow_only.is_empty();
        let verdict = |classes: u8| match classes {
            _ if classes & DENY != 0 || (closed && classes & ALLOW_ONLY == 0) => Verdict::Deny,
            _ if classes & TRUST != 0 => Verdict::Trust,
            _ => Verdict::Allow,
        };
        let mut out = vec![(format!("{name}|"), verdict(0).as_str().to_owned())];
        let mut classes = (Vec::new(), Vec::new());
        for (numbers, class) in [(&self.deny, DENY), (&self.allow_only, ALLOW_ONLY), (&self.trust, TRUST)] {
            let (four, six) = networks(numbers.iter().filter_map(|number| lists.get(number).copied()), now);
            classes.0.extend(four.into_iter().map(|net| Node::v4(net, class)));
            classes.1.extend(six.into_iter().map(|net| Node::v6(net, class)));
        }
        for (family, nodes) in [('4', classes.0), ('6', classes.1)] {
            walk(nodes, |node, above| {
                let (now, before) = (verdict(node.classes), verdict(above));
                if now != before {
                    out.push((node.key(&name, family), now.as_str().to_owned()));
                }
            });
        }
        out
    }
}

/// The trusted proxies of a vhost as a profile of the same map: its name, by content, and its entries, sorted. It has no general entry: who
/// is not found is no proxy.
pub(super) fn proxies(networks: &[Network]) -> (String, Map) {
    let all: BTreeSet<Network> = networks.iter().copied().collect();
    let text: Vec<String> = all.iter().map(ToString::to_string).collect();
    // 128 bits: a tenant who finds two lists of the same name would decide whom another trusts
    let name = format!("p{}", &crate::domain::digest::sha256_hex(text.join(" ").as_bytes())[..32]);
    let (mut four, mut six) = (Vec::new(), Vec::new());
    for network in &all {
        match network.net() {
            IpNet::V4(net) => four.push(Node::v4(net, TRUST)),
            IpNet::V6(net) => six.push(Node::v6(net, TRUST)),
        }
    }
    let mut out = Map::new();
    for (family, nodes) in [('4', four), ('6', six)] {
        walk(nodes, |node, above| {
            if above == 0 {
                out.push((node.key(&name, family), "proxy".to_owned()));
            }
        });
    }
    (name, out)
}

/// The active networks of lists, merged where neighbours make a larger one.
fn networks<'a>(lists: impl Iterator<Item = &'a ListState>, now: OffsetDateTime) -> (Vec<Ipv4Net>, Vec<Ipv6Net>) {
    let (mut four, mut six) = (Vec::new(), Vec::new());
    for entry in lists.flat_map(|list| list.entries.values()).filter(|entry| entry.active(now)) {
        match entry.network.net() {
            IpNet::V4(net) => four.push(net),
            IpNet::V6(net) => six.push(net),
        }
    }
    (Ipv4Net::aggregate(&four), Ipv6Net::aggregate(&six))
}

/// A network, its address in the top bits whatever its family.
#[derive(Clone, Copy)]
struct Node {
    bits: u128,
    length: u8,
    classes: u8,
}

impl Node {
    fn v4(net: Ipv4Net, classes: u8) -> Self {
        Self { bits: u128::from(u32::from(net.network())) << 96, length: net.prefix_len(), classes }
    }

    fn v6(net: Ipv6Net, classes: u8) -> Self {
        Self { bits: u128::from(net.network()), length: net.prefix_len(), classes }
    }

    fn covers(&self, other: &Self) -> bool {
        self.length <= other.length && (self.length == 0 || (self.bits ^ other.bits) >> (128 - u32::from(self.length)) == 0)
    }

    /// The same network as prefixes on 4-bit borders: at most 8.
    fn nibbles(self) -> impl Iterator<Item = Self> {
        let up = (4 - self.length % 4) % 4;
        let length = self.length + up;
        (0..1u128 << up).map(move |n| {
            let bits = if length == 0 { self.bits } else { self.bits | n << (128 - u32::from(length)) };
            Self { bits, length, ..self }
        })
    }

    fn key(&self, profile: &str, family: char) -> String {
        let mut key = String::with_capacity(profile.len() + 2 + usize::from(self.length / 4));
        key.push_str(profile);
        key.push('|');
        key.push(family);
        push_hex(&mut key, self.bits, usize::from(self.length / 4));
        key
    }
}

fn push_hex(out: &mut String, bits: u128, digits: usize) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    out.extend((0..digits).map(|n| char::from(DIGITS[(bits >> (124 - 4 * n)) as usize & 15])));
}

/// Visits every prefix in order, with what it is in (its own classes and those of all that cover it) and what the one above is in.
fn walk(nodes: Vec<Node>, mut visit: impl FnMut(&Node, u8)) {
    let mut nodes: Vec<Node> = nodes.into_iter().flat_map(Node::nibbles).collect();
    nodes.sort_unstable_by_key(|node| (node.bits, node.length));
    nodes.dedup_by(|later, kept| {
        let same = (later.bits, later.length) == (kept.bits, kept.length);
        if same {
            kept.classes |= later.classes;
        }
        same
    });
    let mut above: Vec<Node> = Vec::new();
    for mut node in nodes {
        while above.last().is_some_and(|last| !last.covers(&node)) {
            above.pop();
        }
        let inherited = above.last().map_or(0, |last| last.classes);
        node.classes |= inherited;
        visit(&node, inherited);
        above.push(node);
    }
}

/// What HAProxy finds for an address: the entry with the longest matching prefix, and whether that is the profile's general one.
pub(super) fn lookup<'m>(map: &'m [(String, String)], profile: &str, address: IpAddr) -> Option<(&'m str, bool)> {
    let (family, bits, digits) = match address.to_canonical() {
        IpAddr::V4(address) => ('4', u128::from(u32::from(address)) << 96, 8),
        IpAddr::V6(address) => ('6', u128::from(address), 32),
    };
    let mut key = format!("{profile}|{family}");
    push_hex(&mut key, bits, digits);
    let find = |key: &str| map.binary_search_by(|entry| entry.0.as_str().cmp(key)).ok().map(|at| map[at].1.as_str());
    let general = profile.len() + 1;
    (general..=key.len()).rev().find_map(|end| find(&key[..end]).map(|verdict| (verdict, end == general)))
}
