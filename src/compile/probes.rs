//! What probes ask for, and what they must see.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use time::OffsetDateTime;

use super::access::{Profile, lookup};
use super::places::{Place, STRICT};
use crate::domain::path::OnAmbiguousPath;
use crate::domain::snapshot::ListState;
use crate::domain::vhost::ClientIpHeader;
use crate::domain::{Hostname, Mode, Name, Network, Snapshot, Versioned, Vhost};

/// What a probe of a part of a site must see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlaceTarget {
    /// A path to ask for.
    pub path: String,
    pub mode: Mode,
    /// The whole row; None where the path must be denied with 400.
    pub row: Option<String>,
}

/// What a probe of a vhost must see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbeTarget {
    pub vhost: Name,
    pub number: u32,
    pub enabled: bool,
    /// A host to ask for, of the first hostname.
    pub host: String,
    pub mode: Mode,
    /// The generation in `live.map`; `off` for a disabled vhost.
    pub generation: String,
    /// The whole row.
    pub row: String,
    /// The rule set's name.
    pub ruleset: String,
    /// Client addresses whose access verdict must be seen: (address, `deny` | `allow` | `trust`); a few of each list used.
    pub clients: Vec<(IpAddr, &'static str)>,
    /// The parts of the site that have rows of their own, and the strict one.
    pub places: Vec<PlaceTarget>,
    /// Addresses of trusted proxies whose word about the client must be taken, and the header they say it in.
    pub proxies: Vec<IpAddr>,
    pub client_ip_header: ClientIpHeader,
}

/// A path that no origin reads otherwise, and that is ambiguous all the same.
const AMBIGUOUS_PATH: &str = "/./";

/// `rows` are those of the places, in their order.
pub(super) fn target(
    vhost: &Versioned<Vhost>,
    host: String,
    generation: String,
    places: &[Place],
    rows: Vec<(String, String)>,
    clients: Vec<(IpAddr, &'static str)>,
) -> ProbeTarget {
    let spec = &vhost.spec;
    let denied = spec.on_ambiguous_path == OnAmbiguousPath::Deny;
    let mut rows = rows.into_iter().map(|(_, row)| row);
    let whole = &places[0].treatment;
    let row = rows.next().unwrap_or_default();
    let mut parts: Vec<PlaceTarget> = Vec::new();
    for (place, row) in places[1..].iter().zip(rows) {
        let strict = place.key == STRICT;
        let path = if strict { AMBIGUOUS_PATH.to_owned() } else { place.key.clone() };
        parts.push(PlaceTarget { path, mode: place.treatment.mode, row: (!strict || !denied).then_some(row) });
    }
    if denied && spec.paths.is_empty() {
        parts.push(PlaceTarget { path: AMBIGUOUS_PATH.to_owned(), mode: whole.mode, row: None });
    }
    let trusted = &spec.client_ip.trusted_proxies;
    ProbeTarget {
        vhost: spec.name.clone(),
        number: vhost.number,
        enabled: spec.enabled,
        host,
        mode: whole.mode,
        generation,
        row,
        ruleset: whole.ruleset.clone(),
        clients,
        places: parts,
        proxies: trusted.iter().take(2).map(Network::sample).collect(),
        client_ip_header: spec.client_ip.header,
    }
}

/// A host that this vhost serves, of its first hostname: under a wildcard a label that is not an exact hostname of somebody.
pub(super) fn host(snapshot: &Snapshot, vhost: &Vhost) -> String {
    let Some(first) = vhost.hostnames.first() else { return String::new() };
    let Some(rest) = first.wildcard() else { return first.as_str().to_owned() };
    let taken = |host: &str| Hostname::parse(host).is_ok_and(|host| snapshot.vhost_of(&host).is_some());
    let more = (2u32..).map(|n| format!("guard-proxy-probe-{n}.{rest}"));
    std::iter::once(first.sample()).chain(more).find(|host| !taken(host)).unwrap_or_default()
}

/// The host that health checks name: the first exact hostname, since an origin knows its names better than a made-up one.
pub(super) fn check_host(snapshot: &Snapshot, vhost: &Vhost) -> String {
    let exact = vhost.hostnames.iter().find(|hostname| hostname.wildcard().is_none());
    exact.map_or_else(|| host(snapshot, vhost), |hostname| hostname.as_str().to_owned())
}

/// Outside of everything that people put on lists, as far as one can know.
const OUTSIDERS: [IpAddr; 4] = [
    IpAddr::V4(Ipv4Addr::new(198, 51, 100, 77)),
    IpAddr::V4(Ipv4Addr::new(203, 0, 113, 77)),
    IpAddr::V4(Ipv4Addr::new(192, 0, 2, 77)),
    IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0xffff, 0, 0, 0, 0, 0x77)),
];

/// Clients that show a profile: the first and the last active network of each list, and one address that is on none.
pub(super) fn clients(
    profile: &Profile,
    lists: &BTreeMap<u32, &ListState>,
    entries: &[(String, String)],
    now: OffsetDateTime,
) -> Vec<(IpAddr, &'static str)> {
    let name = profile.name();
    let verdict = |address: IpAddr| -> Option<(&'static str, bool)> {
        let (found, general) = lookup(entries, &name, address)?;
        Some((["deny", "allow", "trust"].into_iter().find(|word| *word == found)?, general))
    };
    let mut out: Vec<(IpAddr, &'static str)> = Vec::new();
    let used = profile.deny.iter().chain(&profile.allow_only).chain(&profile.trust);
    for list in used.filter_map(|number| lists.get(number)) {
        let active = || list.entries.values().filter(|entry| entry.active(now));
        for entry in active().next().into_iter().chain(active().next_back()) {
            let address = entry.network.sample();
            if let Some((word, _)) = verdict(address)
                && !out.iter().any(|(known, _)| *known == address)
            {
                out.push((address, word));
            }
        }
    }
    let outsider = OUTSIDERS.into_iter().find_map(|address| match verdict(address)? {
        (word, true) => Some((address, word)),
        _ => None,
    });
    out.extend(outsider);
    out
}
