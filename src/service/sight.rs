//! What a caller sees of a state: all of it, or a copy that has nothing but what their scopes cover. Everything that reads for callers reads from
//! such a copy, so that no list, filter, count, diff or error can show more.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use super::{Caller, Service};
use crate::domain::{Action, Grant, Kind, Name, Scope, Snapshot, Subject, Vhost};

/// Copies kept: making one is a look at every vhost, and one who reads reads again.
const KEPT: usize = 32;

/// A copy, of what it is, for whom.
struct Kept {
    snapshot: Arc<Snapshot>,
    head: Arc<Snapshot>,
    grant: Arc<Grant>,
    part: Option<Subject>,
    seen: Arc<Snapshot>,
}

/// Copies that were made.
#[derive(Default)]
pub struct Sights(Mutex<VecDeque<Kept>>);

impl Service {
    /// The newest state, as the caller sees it.
    pub fn head_for(&self, caller: &Caller) -> Arc<Snapshot> {
        self.seen(caller, &self.head(), None)
    }

    /// A state as the caller sees it. Of a state of the past they see what they see now, too: what was nobody's once may be somebody's. `part`:
    /// what is read of the objects, where it is only that: who may read exclusions sees which policies there are to have them.
    pub fn seen(&self, caller: &Caller, snapshot: &Arc<Snapshot>, part: Option<Subject>) -> Arc<Snapshot> {
        let Some(grant) = caller.principal.grant().filter(|grant| !sees_all(grant, part)) else { return Arc::clone(snapshot) };
        let head = self.head();
        let mut kept = self.inner.sights.0.lock().unwrap_or_else(PoisonError::into_inner);
        let same =
            |one: &&Kept| Arc::ptr_eq(&one.snapshot, snapshot) && Arc::ptr_eq(&one.head, &head) && one.part == part && one.grant == *grant;
        if let Some(one) = kept.iter().find(same) {
            return Arc::clone(&one.seen);
        }
        // Others wait meanwhile: some milliseconds, and most of them want the same.
        let seen = Arc::new(cut(grant, part, snapshot, &head));
        kept.push_front(Kept { snapshot: Arc::clone(snapshot), head, grant: Arc::clone(grant), part, seen: Arc::clone(&seen) });
        kept.truncate(KEPT);
        seen
    }

    /// Whether the caller sees all that is configured.
    pub fn sees_all(&self, caller: &Caller) -> bool {
        caller.principal.grant().is_none_or(|grant| sees_all(grant, None))
    }
}

/// Of the audit log a right of its own shows all three kinds.
fn subjects(part: Option<Subject>) -> [(Kind, Subject); 3] {
    let of = |kind| part.filter(|part| *part == Subject::Audit || Subject::parts(kind).contains(part));
    [Kind::Vhost, Kind::Policy, Kind::IpList].map(|kind| (kind, of(kind).unwrap_or_else(|| Subject::from(kind))))
}

pub(super) fn sees_all(grant: &Grant, part: Option<Subject>) -> bool {
    subjects(part).iter().all(|(_, subject)| grant.everywhere(Action::Read, *subject))
}

/// What one of the kinds shows.
struct Eye<'a> {
    scopes: Vec<&'a Scope>,
}

impl Eye<'_> {
    fn covers(&self, vhost: &Vhost) -> bool {
        self.scopes.iter().any(|scope| scope.covers(vhost))
    }
}

/// Which of the shared objects are used, and whether by a vhost that is seen.
type Used<'a> = BTreeMap<&'a Name, bool>;

/// What is seen of a state: the one rule for states and for the audit log.
pub(super) struct Seen<'a> {
    eyes: [Eye<'a>; 3],
    policies: Used<'a>,
    lists: Used<'a>,
}

impl<'a> Seen<'a> {
    /// Of all vhosts there are, or of all that use the shared objects that will be asked for.
    pub(super) fn new(grant: &'a Grant, part: Option<Subject>, vhosts: impl Iterator<Item = &'a Vhost>) -> Self {
        let eyes = subjects(part).map(|(_, subject)| Eye { scopes: grant.scopes(Action::Read, subject).collect() });
        let (mut policies, mut lists) = (Used::new(), Used::new());
        for vhost in vhosts {
            let covered = eyes[1].covers(vhost);
            vhost.policies().for_each(|(_, name)| *policies.entry(name).or_default() |= covered);
            let covered = eyes[2].covers(vhost);
            vhost.access.references().for_each(|(_, name)| *lists.entry(name).or_default() |= covered);
        }
        Self { eyes, policies, lists }
    }

    pub(super) fn vhost(&self, vhost: &Vhost) -> bool {
        self.eyes[0].covers(vhost)
    }

    pub(super) fn policy(&self, name: &Name) -> bool {
        !self.eyes[1].scopes.is_empty() && self.policies.get(name).copied().unwrap_or(true)
    }

    pub(super) fn list(&self, name: &Name) -> bool {
        !self.eyes[2].scopes.is_empty() && self.lists.get(name).copied().unwrap_or(true)
    }
}

/// The vhosts of a state.
pub(super) fn vhosts(snapshot: &Snapshot) -> impl Iterator<Item = &Vhost> {
    snapshot.vhosts.values().map(|vhost| &vhost.spec)
}

fn cut(grant: &Grant, part: Option<Subject>, snapshot: &Arc<Snapshot>, head: &Arc<Snapshot>) -> Snapshot {
    let then = Seen::new(grant, part, vhosts(snapshot));
    let now = (!Arc::ptr_eq(snapshot, head)).then(|| Seen::new(grant, part, vhosts(head)));
    let mut seen = Snapshot::default();
    seen.revision = snapshot.revision;
    for (name, vhost) in &snapshot.vhosts {
        let today = || now.as_ref().zip(head.vhosts.get(name)).is_none_or(|(now, vhost)| now.vhost(&vhost.spec));
        if then.vhost(&vhost.spec) && today() {
            seen.put_vhost(Arc::clone(vhost));
        }
    }
    let policies = snapshot
        .policies
        .iter()
        .filter(|(name, _)| then.policy(name) && now.as_ref().is_none_or(|now| !head.policies.contains_key(*name) || now.policy(name)));
    seen.policies.extend(policies.map(|(name, policy)| (name.clone(), Arc::clone(policy))));
    let lists = snapshot
        .ip_lists
        .iter()
        .filter(|(name, _)| then.list(name) && now.as_ref().is_none_or(|now| !head.ip_lists.contains_key(*name) || now.list(name)));
    seen.ip_lists.extend(lists.map(|(name, list)| (name.clone(), Arc::clone(list))));
    seen
}
