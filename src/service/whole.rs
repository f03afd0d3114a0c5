//! What must be true of a state as a whole: what is named is there, a hostname belongs to one vhost, nothing in use goes, there are not too many.
//! Judged of all changes together, so that their order does not matter.

use std::collections::{BTreeMap, BTreeSet};

use super::apply::Change;
use super::authorize::BELONGS;
use super::object::Object;
use crate::domain::error::{Error, FieldError};
use crate::domain::revision::ChangeType;
use crate::domain::{Hostname, Kind, Name, Snapshot, Vhost};

/// Objects of a kind, at most: 50,000 vhosts, 1,000 policies, 1,000 IP lists. What is compiled, rendered and held in memory is sized
/// for them.
pub fn most(kind: Kind) -> usize {
    match kind {
        Kind::Vhost => 50_000,
        Kind::Policy | Kind::IpList => 1_000,
    }
}

/// What is wrong with one of the changes; pointers go into its object.
pub struct Fault {
    pub kind: Kind,
    pub name: Name,
    pub error: Error,
}

/// What would be wrong with `snapshot` after `changes`, each of another object: at most one fault of each.
pub fn faults(snapshot: &Snapshot, changes: &[Change]) -> Vec<Fault> {
    let after = After::new(snapshot, changes);
    changes.iter().filter_map(|change| Some(Fault { kind: change.kind, name: change.name.clone(), error: after.fault(change)? })).collect()
}

/// Puts changes in place.
pub fn put(snapshot: &mut Snapshot, changes: &[Change]) {
    // All that goes or changes first: a hostname may move from one vhost to another.
    for change in changes {
        Object::remove(snapshot, change.kind, &change.name);
    }
    for object in changes.iter().filter_map(|change| change.after.clone()) {
        object.put(snapshot);
    }
}

/// The state after the changes, without making it.
struct After<'a> {
    snapshot: &'a Snapshot,
    /// Whether a changed object is there afterwards.
    changed: BTreeMap<(Kind, &'a Name), bool>,
    /// The hostnames of changed vhosts, with the first that has each.
    claimed: BTreeMap<&'a Hostname, &'a Name>,
    created: BTreeMap<Kind, usize>,
    deleted: BTreeMap<Kind, usize>,
}

impl<'a> After<'a> {
    fn new(snapshot: &'a Snapshot, changes: &'a [Change]) -> Self {
        let changed = changes.iter().map(|change| ((change.kind, &change.name), change.after.is_some())).collect();
        let mut claimed = BTreeMap::new();
        for change in changes {
            if let Some(Object::Vhost(vhost)) = &change.after {
                vhost.spec.hostnames.iter().for_each(|hostname| _ = claimed.entry(hostname).or_insert(&change.name));
            }
        }
        let count = |of: ChangeType| {
            let mut counts = BTreeMap::new();
            changes.iter().filter(|change| change.change == of).for_each(|change| *counts.entry(change.kind).or_default() += 1);
            counts
        };
        Self { snapshot, changed, claimed, created: count(ChangeType::Created), deleted: count(ChangeType::Deleted) }
    }

    fn there(&self, kind: Kind, name: &Name) -> bool {
        self.changed.get(&(kind, name)).copied().unwrap_or_else(|| match kind {
            Kind::Vhost => self.snapshot.vhosts.contains_key(name),
            Kind::Policy => self.snapshot.policies.contains_key(name),
            Kind::IpList => self.snapshot.ip_lists.contains_key(name),
        })
    }

    /// Which vhost has a hostname.
    fn owner(&self, hostname: &Hostname) -> Option<&'a Name> {
        let unchanged = self.snapshot.vhost_of(hostname).filter(|name| !self.changed.contains_key(&(Kind::Vhost, *name)));
        unchanged.or_else(|| self.claimed.get(hostname).copied())
    }

    fn fault(&self, change: &Change) -> Option<Error> {
        match (&change.after, change.kind) {
            (None, kind) => self.in_use(kind, &change.name),
            (Some(Object::Vhost(vhost)), _) => self.references(&vhost.spec),
            _ => None,
        }
        .or_else(|| self.too_many(change))
    }

    fn too_many(&self, change: &Change) -> Option<Error> {
        if change.change != ChangeType::Created {
            return None;
        }
        let kind = change.kind;
        let there = match kind {
            Kind::Vhost => self.snapshot.vhosts.len(),
            Kind::Policy => self.snapshot.policies.len(),
            Kind::IpList => self.snapshot.ip_lists.len(),
        };
        let of = |counts: &BTreeMap<Kind, usize>| counts.get(&kind).copied().unwrap_or(0);
        let after = there + of(&self.created) - of(&self.deleted);
        (after > most(kind)).then(|| {
            Error::Conflict(format!("there are {there} objects of kind {kind} already, and more than {} are not allowed", most(kind)))
        })
    }

    /// Users that are changed too are asked themselves.
    fn in_use(&self, kind: Kind, name: &Name) -> Option<Error> {
        let by = match kind {
            Kind::Vhost => Vec::new(),
            Kind::Policy => self.snapshot.users_of_policy(name),
            Kind::IpList => self.snapshot.users_of_list(name),
        };
        let by: Vec<Name> = by.into_iter().filter(|user| !self.changed.contains_key(&(Kind::Vhost, user))).collect();
        (!by.is_empty()).then(|| Error::InUse { kind, name: name.clone(), by })
    }

    /// All that a vhost names must be there, and its hostnames must be free.
    fn references(&self, vhost: &Vhost) -> Option<Error> {
        let mut errors = Vec::new();
        for (pointer, policy) in vhost.policies().filter(|(_, policy)| !self.there(Kind::Policy, policy)) {
            errors.push(FieldError::new(pointer, "not_found", format!("there is no policy `{policy}`")));
        }
        for (pointer, list) in vhost.access.references().filter(|(_, list)| !self.there(Kind::IpList, list)) {
            errors.push(FieldError::new(pointer, "not_found", format!("there is no IP list `{list}`")));
        }
        for (index, hostname) in vhost.hostnames.iter().enumerate() {
            if let Some(other) = self.owner(hostname).filter(|other| **other != vhost.name) {
                errors.push(FieldError::new(
                    format!("/hostnames/{index}"),
                    "taken",
                    format!("`{hostname}`{BELONGS}`{other}`; take it out there first"),
                ));
            }
        }
        (!errors.is_empty()).then_some(Error::Invalid(errors))
    }
}

/// The objects that a state names, and those that name it: what a vhost needs to be what it is.
pub fn needs(vhost: &Vhost) -> BTreeSet<(Kind, Name)> {
    let policies = vhost.policies().map(|(_, name)| (Kind::Policy, name.clone()));
    policies.chain(vhost.access.references().map(|(_, name)| (Kind::IpList, name.clone()))).collect()
}
