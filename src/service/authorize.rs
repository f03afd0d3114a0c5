//! Who may do what: the one place that decides.
//!
//! Whether somebody may do a thing at all is said by [`Service::authorize`]. Whether they may do it to *these* objects is said by a [`Warrant`],
//! of the changes that a write comes to on the very state that it is made on: in the caller's task before an engine is asked, and in the writer
//! once more, so that nothing that others commit in between can widen it. Direct writes, elements, entries, change sets, trees and rollbacks all
//! come to changes, so there is one rule for all of them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use time::OffsetDateTime;

use super::apply::{Change, Next, Op, relative};
use super::object::Object;
use super::whole::Fault;
use super::write::provisional;
use super::writer::{Made, Unmade, Work};
use super::{Caller, Service, needs};
use crate::domain::error::{Error, FieldError, Result};
use crate::domain::vhost::LabelKey;
use crate::domain::{Action, Grant, Hostname, Kind, Name, Principal, Role, Snapshot, Subject, Vhost};

/// How a fault says whose hostname it is; see [`Warrant::veil`].
pub const BELONGS: &str = " belongs to vhost ";

/// What a write is by its nature.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Purpose {
    #[default]
    Edit,
    /// Going back to what was is allowed to those who may not edit.
    Rollback,
}

/// What a caller may write, and by which way.
#[derive(Clone, Debug)]
pub struct Warrant {
    /// None: everything.
    grant: Option<Arc<Grant>>,
    purpose: Purpose,
    /// Keys of labels by which somebody's scope is said.
    reserved: Arc<BTreeSet<LabelKey>>,
    /// Whether everything may be written but such labels, which costs no look at anything else.
    free: bool,
}

impl Service {
    /// Whether the caller may do this at all, somewhere. `kind` is a [`Subject`]; what it does not know, nobody may do.
    pub fn authorize(&self, principal: &Principal, action: Action, kind: &'static str, name: Option<&Name>) -> Result<()> {
        let Some(grant) = principal.grant() else { return Ok(()) };
        let subject = Subject::parse(kind).ok_or_else(|| Error::internal(format!("`{kind}` is in no line of the matrix")))?;
        // Which of them: said by the warrant of a write, and by what a reader sees.
        let _ = name;
        if grant.may(action, subject) { Ok(()) } else { Err(Error::Forbidden) }
    }

    pub(super) fn warrant(&self, caller: &Caller, purpose: Purpose) -> Warrant {
        caller.principal.grant().map_or_else(Warrant::everything, |grant| self.warrant_of(grant, purpose))
    }

    pub(super) fn warrant_of(&self, grant: &Arc<Grant>, purpose: Purpose) -> Warrant {
        if grant.has_global(Role::Admin) {
            return Warrant::everything();
        }
        let mut reserved = self.inner.tokens.load().labels();
        reserved.extend(grant.labels().cloned());
        reserved.extend(self.inner.people.labels());
        reserved.extend(self.inner.group_labels.iter().cloned());
        Warrant::of(Arc::clone(grant), purpose, reserved)
    }
}

/// The objects and their users, before or after a write.
type Users<'a> = BTreeMap<(Kind, &'a Name), Vec<&'a Vhost>>;

impl Warrant {
    pub fn everything() -> Self {
        Self { grant: None, purpose: Purpose::Edit, reserved: Arc::default(), free: true }
    }

    pub fn of(grant: Arc<Grant>, purpose: Purpose, reserved: BTreeSet<LabelKey>) -> Self {
        let free = grant.has_global(if purpose == Purpose::Rollback { Role::Operator } else { Role::Editor });
        Self { grant: Some(grant), purpose, reserved: Arc::new(reserved), free }
    }

    /// Whether nothing is refused.
    pub fn is_everything(&self) -> bool {
        self.grant.is_none()
    }

    /// What work comes to on a state, if that may be done. Used by the caller's task and by the writer alike.
    pub fn make(&self, work: &Work, snapshot: &Snapshot, next: Next<'_>) -> Result<Made, Unmade> {
        self.begin(work, snapshot)?;
        let made = work.make(snapshot, next).map_err(|unmade| self.veil(snapshot, unmade))?;
        if let Made::Changed(changes) = &made {
            self.changes(snapshot, changes).map_err(|faults| told(work, changes, faults))?;
        }
        Ok(made)
    }

    /// The same on a head, in the caller's task: what it would come to, with numbers that nothing keeps.
    pub fn try_on(&self, work: &Work, head: &Snapshot, now: OffsetDateTime) -> Result<Made, Unmade> {
        let fresh = provisional(head);
        self.make(work, head, Next { revision: head.revision + 1, now, fresh: &fresh })
    }

    /// Whether what the work is about may be touched at all: before anything is said of it.
    pub fn begin(&self, work: &Work, snapshot: &Snapshot) -> Result<(), Unmade> {
        match work {
            Work::One { .. } => {
                let Some((kind, name)) = work.target() else { return Ok(()) };
                let touched = self.touch(snapshot, [(kind, name)].into_iter());
                // Who puts something where something is that they do not see is not told that it is there.
                let puts = matches!(work, Work::One { op: Op::Put { .. }, .. });
                touched
                    .map_err(|error| Unmade::Error(if puts && matches!(error, Error::NotFound { .. }) { Error::Forbidden } else { error }))
            }
            Work::Staged(staged) => self.touch(snapshot, staged.iter().map(|one| (one.kind, &one.name))).map_err(Unmade::Error),
        }
    }

    /// Refuses where one of these objects is there and is not the caller's to write: 403 for what they see, 404 for what they do not.
    pub fn touch<'a>(&self, snapshot: &'a Snapshot, targets: impl Iterator<Item = (Kind, &'a Name)>) -> Result<()> {
        let Some(grant) = self.grant.as_ref().filter(|_| !self.free) else { return Ok(()) };
        let targets: Vec<_> = targets.filter(|(kind, name)| Object::find(snapshot, *kind, name).is_some()).collect();
        let users = users(snapshot.vhosts.values().map(|vhost| &vhost.spec), targets.iter().copied().collect());
        for (kind, name) in targets {
            if about(snapshot, &users, kind, name).iter().all(|vhost| self.something(grant, kind, vhost))
                && self.something_somewhere(grant, kind)
            {
                continue;
            }
            return Err(if sees(grant, snapshot, kind, name) {
                Error::Forbidden
            } else {
                Error::NotFound { kind: super::apply::words(kind), name: name.to_string() }
            });
        }
        Ok(())
    }

    fn something(&self, grant: &Grant, kind: Kind, vhost: &Vhost) -> bool {
        self.ways(kind).any(|(action, subject)| grant.on(action, subject, vhost))
    }

    fn something_somewhere(&self, grant: &Grant, kind: Kind) -> bool {
        self.ways(kind).any(|(action, subject)| grant.may(action, subject))
    }

    /// By which rights something of an object can be written.
    fn ways(&self, kind: Kind) -> impl Iterator<Item = (Action, Subject)> {
        let rollback = (self.purpose == Purpose::Rollback).then_some((Action::Update, Subject::Revision));
        let edits = Subject::parts(kind).iter().filter(move |_| rollback.is_none());
        let writes = [Action::Create, Action::Update, Action::Delete];
        edits.flat_map(move |subject| writes.map(|action| (action, *subject))).chain(rollback)
    }

    /// Whether these changes may be made to this state; what may not be.
    pub fn changes(&self, snapshot: &Snapshot, changes: &[Change]) -> Result<(), Vec<Fault>> {
        let Some(grant) = &self.grant else { return Ok(()) };
        let after = After::new(snapshot, changes);
        let shared: BTreeSet<(Kind, &Name)> =
            changes.iter().filter(|change| change.kind != Kind::Vhost).map(|change| (change.kind, &change.name)).collect();
        let (before, behind) = if self.free || shared.is_empty() {
            Default::default()
        } else {
            (users(snapshot.vhosts.values().map(|vhost| &vhost.spec), shared.clone()), users(after.vhosts(), shared))
        };
        let fault = |change: &Change| {
            let error = self.labels(change).or_else(|| {
                if self.free {
                    return None;
                }
                self.change(grant, change, &before, &behind).or_else(|| self.vhost(grant, snapshot, &after, change))
            })?;
            Some(Fault { kind: change.kind, name: change.name.clone(), error })
        };
        let faults: Vec<Fault> = changes.iter().filter_map(fault).collect();
        if faults.is_empty() { Ok(()) } else { Err(faults) }
    }

    /// A label that says somebody's scope is an administrator's to set: who could change it would let vhosts in or shut others out.
    fn labels(&self, change: &Change) -> Option<Error> {
        let after = Object::vhost(change.after.as_ref())?;
        let before = Object::vhost(change.before.as_ref());
        let moved = |key: &LabelKey| before.and_then(|before| before.labels.get(key)) != after.labels.get(key);
        self.reserved.iter().any(moved).then_some(Error::Forbidden)
    }

    /// The rights that a change needs, on each vhost that it is about, before and after.
    fn change(&self, grant: &Grant, change: &Change, before: &Users<'_>, after: &Users<'_>) -> Option<Error> {
        let rights = match self.purpose {
            Purpose::Rollback => vec![(Action::Update, Subject::Revision)],
            Purpose::Edit => needs::of(change),
        };
        let of = |object: &Option<Object>, users: &Users<'_>| -> bool {
            let on = |vhost: &Vhost| rights.iter().all(|(action, subject)| grant.on(*action, *subject, vhost));
            match Object::vhost(object.as_ref()) {
                Some(vhost) => on(vhost),
                None => users.get(&(change.kind, &change.name)).into_iter().flatten().all(|vhost| on(vhost)),
            }
        };
        let allowed = rights.iter().all(|(action, subject)| grant.may(*action, *subject));
        (!allowed || !of(&change.before, before) || !of(&change.after, after)).then_some(Error::Forbidden)
    }

    /// A vhost may not begin to use what the caller does not see, nor take traffic that a vhost out of their reach gets.
    fn vhost(&self, grant: &Grant, snapshot: &Snapshot, after: &After<'_>, change: &Change) -> Option<Error> {
        let now = Object::vhost(change.after.as_ref())?;
        let old = Object::vhost(change.before.as_ref());
        let mut errors = Vec::new();
        let known: BTreeSet<&Name> = old.into_iter().flat_map(|old| old.policies().map(|(_, name)| name)).collect();
        for (pointer, name) in now.policies().filter(|(_, name)| !known.contains(name)) {
            if snapshot.policies.contains_key(name) && !sees(grant, snapshot, Kind::Policy, name) {
                errors.push(FieldError::new(pointer, "not_found", format!("there is no policy `{name}`")));
            }
        }
        let known: BTreeSet<&Name> = old.into_iter().flat_map(|old| old.access.references().map(|(_, name)| name)).collect();
        for (pointer, name) in now.access.references().filter(|(_, name)| !known.contains(name)) {
            if snapshot.ip_lists.contains_key(name) && !sees(grant, snapshot, Kind::IpList, name) {
                errors.push(FieldError::new(pointer, "not_found", format!("there is no IP list `{name}`")));
            }
        }
        let had: BTreeSet<&Hostname> = old.into_iter().flat_map(|old| &old.hostnames).collect();
        for (index, hostname) in now.hostnames.iter().enumerate().filter(|(_, hostname)| !had.contains(hostname)) {
            let caught = wildcard_over(hostname).and_then(|wildcard| after.owner(&wildcard));
            if caught.is_some_and(|owner| owner.name != now.name && !self.something(grant, Kind::Vhost, owner)) {
                errors.push(FieldError::new(format!("/hostnames/{index}"), "taken", taken(&format!("`{hostname}`"))));
            }
        }
        (!errors.is_empty()).then_some(Error::Invalid(errors))
    }

    /// What is said of a write that came to nothing names only what the caller may know.
    fn veil(&self, snapshot: &Snapshot, unmade: Unmade) -> Unmade {
        let Some(grant) = self.grant.as_ref().filter(|_| !self.free) else { return unmade };
        let of = |error| veiled(grant, snapshot, error);
        match unmade {
            Unmade::Error(error) => Unmade::Error(of(error)),
            Unmade::Faults(faults) => Unmade::Faults(faults.into_iter().map(|fault| Fault { error: of(fault.error), ..fault }).collect()),
            // Each is about something that was the caller's to write.
            Unmade::Conflicts(conflicts) => Unmade::Conflicts(conflicts),
            Unmade::Unapproved(protected) => Unmade::Unapproved(protected),
        }
    }
}

fn taken(hostname: &str) -> String {
    format!("{hostname} is taken: another vhost gets what is sent to it")
}

fn veiled(grant: &Grant, snapshot: &Snapshot, error: Error) -> Error {
    match error {
        Error::Invalid(faults) => {
            let of = |fault: FieldError| match fault.detail.split_once(BELONGS) {
                Some((hostname, _)) => FieldError { detail: taken(hostname), ..fault },
                None => fault,
            };
            Error::Invalid(faults.into_iter().map(of).collect())
        }
        Error::InUse { kind, name, by } => {
            let seen: Vec<Name> = by.into_iter().filter(|user| sees(grant, snapshot, Kind::Vhost, user)).collect();
            if seen.is_empty() { Error::Forbidden } else { Error::InUse { kind, name, by: seen } }
        }
        other => other,
    }
}

/// Faults as the kind of work tells them: of one operation, relative to what it wrote.
fn told(work: &Work, changes: &[Change], mut faults: Vec<Fault>) -> Unmade {
    if let Some(at) = faults.iter().position(|fault| matches!(fault.error, Error::Forbidden)) {
        return Unmade::Error(faults.swap_remove(at).error);
    }
    match (work, faults.pop(), changes) {
        (Work::One { op, .. }, Some(fault), [change]) => Unmade::Error(relative(fault.error, op, change)),
        (_, fault, _) => {
            faults.extend(fault);
            Unmade::Faults(faults)
        }
    }
}

/// The wildcard that would get what is sent to a hostname, were the hostname not there.
pub fn wildcard_over(hostname: &Hostname) -> Option<Hostname> {
    if hostname.wildcard().is_some() {
        return None;
    }
    let (_, rest) = hostname.split_once('.')?;
    Hostname::parse(&format!("*.{rest}")).ok()
}

/// The vhosts that use each of these policies and lists.
fn users<'a>(vhosts: impl Iterator<Item = &'a Vhost>, of: BTreeSet<(Kind, &'a Name)>) -> Users<'a> {
    let mut found = Users::new();
    if of.iter().all(|(kind, _)| *kind == Kind::Vhost) {
        return found;
    }
    for vhost in vhosts {
        let policies = vhost.policies().map(|(_, name)| (Kind::Policy, name));
        let used: BTreeSet<_> = policies.chain(vhost.access.references().map(|(_, name)| (Kind::IpList, name))).collect();
        for key in used.into_iter().filter(|key| of.contains(key)) {
            found.entry(key).or_default().push(vhost);
        }
    }
    found
}

/// The vhosts that an object is about.
fn about<'a>(snapshot: &'a Snapshot, users: &Users<'a>, kind: Kind, name: &Name) -> Vec<&'a Vhost> {
    let itself = (kind == Kind::Vhost).then(|| snapshot.vhosts.get(name)).flatten().map(|vhost| &vhost.spec);
    itself.into_iter().chain(users.get(&(kind, name)).into_iter().flatten().copied()).collect()
}

/// Whether somebody sees an object that is there: a vhost in scope, and what such a vhost or nobody uses.
pub fn sees(grant: &Grant, snapshot: &Snapshot, kind: Kind, name: &Name) -> bool {
    let subject = Subject::from(kind);
    if !grant.may(Action::Read, subject) {
        return false;
    }
    if kind == Kind::Vhost {
        return snapshot.vhosts.get(name).is_some_and(|vhost| grant.on(Action::Read, subject, &vhost.spec));
    }
    let users = users(snapshot.vhosts.values().map(|vhost| &vhost.spec), BTreeSet::from([(kind, name)]));
    users.values().flatten().next().is_none() || users.values().flatten().any(|vhost| grant.on(Action::Read, subject, vhost))
}

/// The vhosts of a state after changes, without making it.
struct After<'a> {
    snapshot: &'a Snapshot,
    changed: BTreeMap<&'a Name, Option<&'a Vhost>>,
}

impl<'a> After<'a> {
    fn new(snapshot: &'a Snapshot, changes: &'a [Change]) -> Self {
        let vhosts = changes.iter().filter(|change| change.kind == Kind::Vhost);
        let changed = vhosts.map(|change| (&change.name, Object::vhost(change.after.as_ref())));
        Self { snapshot, changed: changed.collect() }
    }

    fn vhosts(&self) -> impl Iterator<Item = &'a Vhost> {
        let others = self.snapshot.vhosts.values().map(|vhost| &vhost.spec).filter(|vhost| !self.changed.contains_key(&vhost.name));
        others.chain(self.changed.values().copied().flatten())
    }

    /// The vhost that has a hostname, on the state before; those that change are the caller's own.
    fn owner(&self, hostname: &Hostname) -> Option<&'a Vhost> {
        self.snapshot.vhost_of(hostname).and_then(|name| self.snapshot.vhosts.get(name)).map(|vhost| &vhost.spec)
    }
}
