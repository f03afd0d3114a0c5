//! Which vhosts treat requests otherwise.

use std::collections::{BTreeMap, BTreeSet};

use super::backends::Backends;
use super::merged;
use crate::compile::{self, Map, MapName, ProbeTarget};
use crate::domain::Name;
use crate::domain::plan::AffectedVhosts;
use crate::render::Bundle;

/// Vhosts whose treatment of requests changes: their rows, hosts, clients' access or backends. A row that differs only in the revision it
/// names does not count: a title was changed. Without `before` that is all.
pub fn affected(before: Option<&Bundle>, after: &Bundle) -> AffectedVhosts {
    AffectedVhosts::of(&all(before, after))
}

/// The same, unbounded.
pub(super) fn all(before: Option<&Bundle>, after: &Bundle) -> BTreeSet<Name> {
    let Some(before) = before else { return after.probes.keys().cloned().collect() };
    let mut out: BTreeSet<Name> = merged(&*before.probes, &*after.probes)
        .filter(|(_, old, new)| match (old, new) {
            (Some(old), Some(new)) => !same(old, new),
            _ => true,
        })
        .map(|(name, _, _)| name.clone())
        .collect();
    out.extend(by_hosts(before, after));
    out.extend(by_access(before, after));
    let backends = Backends::between(before, after);
    // a disabled vhost answers without its backend
    let enabled = |name: &Name| after.probes.get(name).is_none_or(|probe| probe.enabled);
    out.extend(backends.new.into_iter().chain(backends.changed.into_iter().filter(enabled)).chain(backends.gone));
    out
}

/// Whether requests are treated alike, as far as the vhost's own rows say. The generation is a digest of them, with the revision.
fn same(old: &ProbeTarget, new: &ProbeTarget) -> bool {
    if !old.enabled && !new.enabled {
        return true;
    }
    let rows = |target: &'_ ProbeTarget| {
        let places = target.places.iter().map(|place| (place.path.clone(), place.row.as_deref().map(|row| treatment(row).to_owned())));
        std::iter::once(("/".to_owned(), Some(treatment(&target.row).to_owned()))).chain(places).collect::<Vec<_>>()
    };
    old.enabled == new.enabled && (old.generation == new.generation || rows(old) == rows(new))
}

/// A row without the revision, its last field.
fn treatment(row: &str) -> &str {
    row.rsplit_once('|').map_or(row, |(treatment, _)| treatment)
}

/// Keys and values of what differs, on both sides.
fn differing<'b>(before: &'b Bundle, after: &'b Bundle, name: MapName) -> Vec<&'b (String, String)> {
    let (Some(old), Some(new)) = (before.maps.get(&name), after.maps.get(&name)) else { return Vec::new() };
    if std::sync::Arc::ptr_eq(old, new) {
        return Vec::new();
    }
    let diff = compile::diff(old, new);
    let keys: BTreeSet<&str> =
        diff.removed.iter().map(String::as_str).chain(diff.added.iter().chain(&diff.changed).map(|(key, _)| key.as_str())).collect();
    let find = |map: &'b Map, key: &str| map.binary_search_by(|entry| entry.0.as_str().cmp(key)).ok().map(|at| &map[at]);
    keys.into_iter().flat_map(|key| [find(old, key), find(new, key)]).flatten().collect()
}

/// Vhosts that get a hostname or lose one.
fn by_hosts(before: &Bundle, after: &Bundle) -> Vec<Name> {
    let mut numbers = BTreeSet::new();
    for map in [MapName::Hosts, MapName::Wildcards] {
        numbers.extend(differing(before, after, map).into_iter().filter_map(|(_, number)| number.parse::<u32>().ok()));
    }
    if numbers.is_empty() {
        return Vec::new();
    }
    let of = |bundle: &Bundle| -> BTreeMap<u32, Name> {
        bundle.probes.values().filter(|probe| numbers.contains(&probe.number)).map(|probe| (probe.number, probe.vhost.clone())).collect()
    };
    of(before).into_values().chain(of(after).into_values()).collect()
}

/// Place of the access profile in a row, see `compile`.
const PROFILE: usize = 3;

/// Enabled vhosts whose lists say something else about some client. Probes have samples of them only.
fn by_access(before: &Bundle, after: &Bundle) -> Vec<Name> {
    let differ = differing(before, after, MapName::Access);
    let profiles: BTreeSet<&str> = differ.into_iter().filter_map(|(key, _)| key.split_once('|')).map(|(profile, _)| profile).collect();
    if profiles.is_empty() {
        return Vec::new();
    }
    let uses = |probe: &&ProbeTarget| probe.enabled && probe.row.split('|').nth(PROFILE).is_some_and(|profile| profiles.contains(profile));
    after.probes.values().filter(uses).map(|probe| probe.vhost.clone()).collect()
}
