//! Which objects differ.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::merged;
use crate::domain::snapshot::ListState;
use crate::domain::{Entry, Name, Network, Policy, Snapshot, Vhost};

/// An object that differs; it is there in at least one of the states.
pub(super) struct Pair<'s, T> {
    pub name: &'s Name,
    pub before: Option<&'s T>,
    pub after: Option<&'s T>,
}

impl<'s> Pair<'s, ListState> {
    /// The entries that differ, in the order of their networks.
    pub fn entries(&self) -> impl Iterator<Item = (&'s Network, Option<&'s Entry>, Option<&'s Entry>)> + use<'s> {
        static NONE: BTreeMap<Network, Entry> = BTreeMap::new();
        let (before, after) = (self.before.map_or(&NONE, |list| &*list.entries), self.after.map_or(&NONE, |list| &*list.entries));
        merged(before, after).filter(|(_, old, new)| old != new)
    }
}

/// The objects that differ in what a caller writes (not in revisions or times), in the order of their names.
pub(super) struct Changes<'s> {
    pub policies: Vec<Pair<'s, Policy>>,
    pub ip_lists: Vec<Pair<'s, ListState>>,
    pub vhosts: Vec<Pair<'s, Vhost>>,
}

impl<'s> Changes<'s> {
    pub fn between(before: &'s Snapshot, after: &'s Snapshot) -> Self {
        Self {
            policies: pairs(&before.policies, &after.policies, |a, b| a.spec == b.spec, |policy| &policy.spec),
            ip_lists: pairs(&before.ip_lists, &after.ip_lists, same_list, |list| list),
            vhosts: pairs(&before.vhosts, &after.vhosts, |a, b| a.spec == b.spec, |vhost| &vhost.spec),
        }
    }
}

/// Snapshots share what nobody wrote to: most is the same by its address.
fn pairs<'s, S, T>(
    before: &'s BTreeMap<Name, Arc<S>>,
    after: &'s BTreeMap<Name, Arc<S>>,
    same: fn(&S, &S) -> bool,
    spec: fn(&S) -> &T,
) -> Vec<Pair<'s, T>> {
    merged(before, after)
        .filter(|(_, old, new)| match (old, new) {
            (Some(old), Some(new)) => !Arc::ptr_eq(old, new) && !same(old, new),
            _ => true,
        })
        .map(|(name, old, new)| Pair { name, before: old.map(|old| spec(old)), after: new.map(|new| spec(new)) })
        .collect()
}

fn same_list(a: &ListState, b: &ListState) -> bool {
    a.list.spec == b.list.spec && (Arc::ptr_eq(&a.entries, &b.entries) || a.entries == b.entries)
}
