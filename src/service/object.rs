//! The three kinds of configured objects as one, for what is the same for all of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::domain::snapshot::ListState;
use crate::domain::{Entry, IpList, Kind, Name, Network, Policy, Revision, Snapshot, Versioned, Vhost};

/// What a caller configures.
#[derive(Clone, Debug, PartialEq)]
pub enum Spec {
    Vhost(Vhost),
    Policy(Policy),
    IpList(IpList),
}

impl Spec {
    #[cfg(test)]
    pub fn name(&self) -> &Name {
        match self {
            Self::Vhost(vhost) => &vhost.name,
            Self::Policy(policy) => &policy.name,
            Self::IpList(list) => &list.name,
        }
    }

    /// As callers write it.
    pub fn value(&self) -> Value {
        match self {
            Self::Vhost(vhost) => serde_json::to_value(vhost),
            Self::Policy(policy) => serde_json::to_value(policy),
            Self::IpList(list) => serde_json::to_value(list),
        }
        .expect("resources are plain data")
    }
}

/// An object as a snapshot holds it.
#[derive(Clone, Debug)]
pub enum Object {
    Vhost(Arc<Versioned<Vhost>>),
    Policy(Arc<Versioned<Policy>>),
    IpList(Arc<ListState>),
}

/// What the store knows of an object.
#[derive(Clone, Debug)]
pub struct Facts {
    pub id: Uuid,
    pub number: u32,
    pub revision: Revision,
    pub created_at: OffsetDateTime,
    pub updated_at: OffsetDateTime,
    pub elements: Arc<BTreeMap<String, Revision>>,
}

fn facts<T>(of: &Versioned<T>) -> Facts {
    Facts {
        id: of.id,
        number: of.number,
        revision: of.revision,
        created_at: of.created_at,
        updated_at: of.updated_at,
        elements: Arc::clone(&of.elements),
    }
}

fn versioned<T>(facts: Facts, spec: T) -> Versioned<T> {
    let Facts { id, number, revision, created_at, updated_at, elements } = facts;
    Versioned { id, number, spec, revision, created_at, updated_at, elements }
}

/// The object that a pointer from the root points into, and the pointer from there on: `/policies/shop/paranoia` is `/paranoia` of `shop`.
pub fn pointed_into(pointer: &str) -> Option<((Kind, Name), &str)> {
    let (collection, rest) = pointer.strip_prefix('/')?.split_once('/')?;
    let (name, rest) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    Some(((Kind::of_collection(collection)?, Name::parse(name).ok()?), rest))
}

impl Object {
    /// A list made so is empty.
    pub fn new(facts: Facts, spec: Spec) -> Self {
        match spec {
            Spec::Vhost(vhost) => Self::Vhost(Arc::new(versioned(facts, vhost))),
            Spec::Policy(policy) => Self::Policy(Arc::new(versioned(facts, policy))),
            Spec::IpList(list) => Self::IpList(Arc::new(ListState { list: versioned(facts, list), entries: Arc::default() })),
        }
    }

    /// What it says, where it is a vhost.
    pub fn vhost(object: Option<&Self>) -> Option<&Vhost> {
        match object {
            Some(Self::Vhost(vhost)) => Some(&vhost.spec),
            _ => None,
        }
    }

    /// An IP list's entries; none of what is no list.
    pub fn entries(object: Option<&Self>) -> Arc<BTreeMap<Network, Entry>> {
        match object {
            Some(Self::IpList(list)) => Arc::clone(&list.entries),
            _ => Arc::default(),
        }
    }

    pub fn find(snapshot: &Snapshot, kind: Kind, name: &Name) -> Option<Self> {
        match kind {
            Kind::Vhost => snapshot.vhosts.get(name).cloned().map(Self::Vhost),
            Kind::Policy => snapshot.policies.get(name).cloned().map(Self::Policy),
            Kind::IpList => snapshot.ip_lists.get(name).cloned().map(Self::IpList),
        }
    }

    pub fn put(self, snapshot: &mut Snapshot) {
        match self {
            Self::Vhost(vhost) => snapshot.put_vhost(vhost),
            Self::Policy(policy) => drop(snapshot.policies.insert(policy.spec.name.clone(), policy)),
            Self::IpList(state) => drop(snapshot.ip_lists.insert(state.list.spec.name.clone(), state)),
        }
    }

    pub fn remove(snapshot: &mut Snapshot, kind: Kind, name: &Name) {
        match kind {
            Kind::Vhost => snapshot.remove_vhost(name),
            Kind::Policy => drop(snapshot.policies.remove(name)),
            Kind::IpList => drop(snapshot.ip_lists.remove(name)),
        }
    }

    pub fn identity(&self) -> (Kind, &Name) {
        match self {
            Self::Vhost(vhost) => (Kind::Vhost, &vhost.spec.name),
            Self::Policy(policy) => (Kind::Policy, &policy.spec.name),
            Self::IpList(state) => (Kind::IpList, &state.list.spec.name),
        }
    }

    pub fn facts(&self) -> Facts {
        match self {
            Self::Vhost(vhost) => facts(vhost),
            Self::Policy(policy) => facts(policy),
            Self::IpList(state) => facts(&state.list),
        }
    }

    pub fn revision(&self) -> Revision {
        match self {
            Self::Vhost(vhost) => vhost.revision,
            Self::Policy(policy) => policy.revision,
            Self::IpList(state) => state.list.revision,
        }
    }

    pub fn spec(&self) -> Spec {
        match self {
            Self::Vhost(vhost) => Spec::Vhost(vhost.spec.clone()),
            Self::Policy(policy) => Spec::Policy(policy.spec.clone()),
            Self::IpList(state) => Spec::IpList(state.list.spec.clone()),
        }
    }

    /// As callers write it.
    pub fn value(&self) -> Value {
        match self {
            Self::Vhost(vhost) => serde_json::to_value(&vhost.spec),
            Self::Policy(policy) => serde_json::to_value(&policy.spec),
            Self::IpList(state) => serde_json::to_value(&state.list.spec),
        }
        .expect("resources are plain data")
    }

    /// The same as text.
    pub fn json(&self) -> String {
        match self {
            Self::Vhost(vhost) => serde_json::to_string(&vhost.spec),
            Self::Policy(policy) => serde_json::to_string(&policy.spec),
            Self::IpList(state) => serde_json::to_string(&state.list.spec),
        }
        .expect("resources are plain data")
    }

    pub fn is(&self, spec: &Spec) -> bool {
        match (self, spec) {
            (Self::Vhost(held), Spec::Vhost(spec)) => held.spec == *spec,
            (Self::Policy(held), Spec::Policy(spec)) => held.spec == *spec,
            (Self::IpList(held), Spec::IpList(spec)) => held.list.spec == *spec,
            _ => false,
        }
    }

    /// Whether it is the same version of the same object: one recreated under a name is another.
    pub fn is_version_of(&self, other: &Self) -> bool {
        let key = |object: &Self| {
            let facts = object.facts();
            (facts.id, facts.revision)
        };
        key(self) == key(other)
    }

    pub fn same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Vhost(a), Self::Vhost(b)) => Arc::ptr_eq(a, b),
            (Self::Policy(a), Self::Policy(b)) => Arc::ptr_eq(a, b),
            (Self::IpList(a), Self::IpList(b)) => Arc::ptr_eq(a, b),
            _ => false,
        }
    }
}

/// Revisions of the elements of keyed arrays: an element that is as it was keeps its own.
pub fn elements(old: Option<&Object>, new: &Spec, revision: Revision) -> Arc<BTreeMap<String, Revision>> {
    let known = old.map(|object| object.facts().elements).unwrap_or_default();
    let mut found = BTreeMap::new();
    match new {
        Spec::Policy(policy) => {
            let old = match old {
                Some(Object::Policy(old)) => Some(&old.spec),
                _ => None,
            };
            let exclusions = old.map_or(&[][..], |old| &old.exclusions);
            carry("exclusions", exclusions, &policy.exclusions, |e| e.id.clone(), &known, revision, &mut found);
            let rules = old.map_or(&[][..], |old| &old.custom_rules);
            carry("custom_rules", rules, &policy.custom_rules, |r| r.id, &known, revision, &mut found);
        }
        Spec::Vhost(vhost) => {
            let old = Object::vhost(old);
            let servers = old.map_or(&[][..], |old| &old.upstream.servers);
            carry("servers", servers, &vhost.upstream.servers, |s| s.name.clone(), &known, revision, &mut found);
            let paths = old.map_or(&[][..], |old| &old.paths);
            carry("paths", paths, &vhost.paths, |p| Some(p.prefix.clone()), &known, revision, &mut found);
        }
        Spec::IpList(_) => {}
    }
    if found == *known { known } else { Arc::new(found) }
}

fn carry<T: PartialEq, K: Ord + std::fmt::Display>(
    array: &str,
    old: &[T],
    new: &[T],
    key: impl Fn(&T) -> Option<K>,
    known: &BTreeMap<String, Revision>,
    revision: Revision,
    found: &mut BTreeMap<String, Revision>,
) {
    let old: BTreeMap<K, &T> = old.iter().filter_map(|item| Some((key(item)?, item))).collect();
    for item in new {
        let Some(id) = key(item) else { continue };
        let path = format!("{array}/{id}");
        let kept = old.get(&id).filter(|before| **before == item).and_then(|_| known.get(&path)).copied();
        found.insert(path, kept.unwrap_or(revision));
    }
}
