//! What of a change engines must judge, and whether that is what they have judged.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::domain::{Kind, Mode, Name, Policy, Revision, Snapshot, Versioned, Vhost};
use crate::service::apply::Change;
use crate::service::object::Object;

/// What was judged: as much of the objects as the judgement is about.
#[derive(Debug, Default)]
pub struct Judged {
    pub(super) policies: BTreeMap<Name, Arc<Versioned<Policy>>>,
    pub(super) vhosts: BTreeMap<Name, Arc<Versioned<Vhost>>>,
    pub(super) merged: Merged,
    everything: bool,
}

/// What strict rule sets that a change makes or alters are merged of beside the changed objects: policies, and their revisions.
pub(super) type Merged = BTreeMap<Name, Revision>;

impl Judged {
    /// What needs no judgement: it was live.
    pub fn everything() -> Self {
        Self { everything: true, ..Self::default() }
    }

    /// Whether all of `changes` that engines must judge has been judged, were they made to `head`.
    pub fn covers(&self, head: &Snapshot, changes: &[Change]) -> bool {
        if self.everything {
            return true;
        }
        let ruleset = |policy: &Arc<Versioned<Policy>>| {
            self.policies.get(&policy.spec.name).is_some_and(|judged| same_ruleset(&judged.spec, &policy.spec))
        };
        let structure = |vhost: &Arc<Versioned<Vhost>>| {
            self.vhosts.get(&vhost.spec.name).is_some_and(|judged| judged.spec.upstream == vhost.spec.upstream)
        };
        changes.iter().filter_map(ruleset_of).all(ruleset)
            && changes.iter().filter_map(structure_of).all(structure)
            && merged_with(head, changes, &strict_of(head, changes)) == self.merged
    }
}

/// The policy whose rule set the change makes or alters.
pub(super) fn ruleset_of(change: &Change) -> Option<&Arc<Versioned<Policy>>> {
    let Some(Object::Policy(after)) = &change.after else { return None };
    match &change.before {
        Some(Object::Policy(before)) if same_ruleset(&before.spec, &after.spec) => None,
        _ => Some(after),
    }
}

/// The vhosts whose strict rule set the changes make or alter, as they are to be.
pub(super) fn strict_of(head: &Snapshot, changes: &[Change]) -> Vec<Arc<Versioned<Vhost>>> {
    let policies = |vhost: &Vhost| vhost.policies().map(|(_, name)| name.clone()).collect::<BTreeSet<_>>();
    // A policy that is switched on joins the strict rule sets of its sites.
    let altered: BTreeSet<&Name> = changes
        .iter()
        .filter(|change| match (&change.before, &change.after) {
            (Some(Object::Policy(before)), Some(Object::Policy(after))) => {
                !same_ruleset(&before.spec, &after.spec) || (before.spec.mode == Mode::Off) != (after.spec.mode == Mode::Off)
            }
            _ => false,
        })
        .map(|change| &change.name)
        .collect();
    let uses = |vhost: &Vhost| !altered.is_empty() && vhost.policies().any(|(_, name)| altered.contains(name));
    let mut changed = BTreeSet::new();
    let mut found = Vec::new();
    for change in changes.iter().filter(|change| change.kind == Kind::Vhost) {
        changed.insert(&change.name);
        let Some(Object::Vhost(after)) = &change.after else { continue };
        if after.spec.paths.is_empty() {
            continue;
        }
        let same = matches!(&change.before, Some(Object::Vhost(before))
            if !before.spec.paths.is_empty() && policies(&before.spec) == policies(&after.spec));
        if !same || uses(&after.spec) {
            found.push(Arc::clone(after));
        }
    }
    if !altered.is_empty() {
        let others = head.vhosts.values().filter(|vhost| !vhost.spec.paths.is_empty() && !changed.contains(&vhost.spec.name));
        found.extend(others.filter(|vhost| uses(&vhost.spec)).cloned());
    }
    found
}

pub(super) fn merged_with(head: &Snapshot, changes: &[Change], strict: &[Arc<Versioned<Vhost>>]) -> Merged {
    let changed: BTreeSet<&Name> = changes.iter().filter(|change| change.kind == Kind::Policy).map(|change| &change.name).collect();
    let of = |name: &Name| Some((name.clone(), head.policies.get(name)?.revision));
    let names = strict.iter().flat_map(|vhost| vhost.spec.policies()).map(|(_, name)| name);
    names.filter(|name| !changed.contains(name)).filter_map(of).collect()
}

/// The vhost whose backend the change makes or alters.
pub(super) fn structure_of(change: &Change) -> Option<&Arc<Versioned<Vhost>>> {
    let Some(Object::Vhost(after)) = &change.after else { return None };
    match &change.before {
        Some(Object::Vhost(before)) if before.spec.upstream == after.spec.upstream => None,
        _ => Some(after),
    }
}

/// Whether two policies differ in what never reaches a rule set, at most. Said by what does not matter, so that a new field matters
/// until somebody says otherwise.
fn same_ruleset(a: &Policy, b: &Policy) -> bool {
    let bare = |policy: &Policy| Policy {
        title: Default::default(),
        description: Default::default(),
        mode: Mode::default(),
        paranoia: Default::default(),
        thresholds: Default::default(),
        ..policy.clone()
    };
    // Most writes leave the rules alone, and comparing them in place is cheaper than copying.
    (a.exclusions == b.exclusions && a.custom_rules == b.custom_rules) && bare(a) == bare(b)
}
