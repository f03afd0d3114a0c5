//! What a write does to a snapshot. Pure: checks first, and says what to put in place; nothing is changed here. The writer and the
//! caller's task use the same function, so that they cannot disagree.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;
use time::OffsetDateTime;
use uuid::Uuid;

use super::object::{Facts, Object, Spec, elements};
use super::{Keyed, Operation, Precondition, entries, keyed, parse};
use crate::domain::error::{Error, FieldError, Result};
use crate::domain::revision::ChangeType;
use crate::domain::{Entry, Kind, Name, Network, Revision, Snapshot, Vhost};

/// Objects of a kind, at most: 50,000 vhosts, 1,000 policies, 1,000 IP lists. What is compiled, rendered and held in memory is sized
/// for them.
pub fn most(kind: Kind) -> usize {
    match kind {
        Kind::Vhost => 50_000,
        Kind::Policy | Kind::IpList => 1_000,
    }
}

/// An operation with what depends on nothing but itself judged and parsed already.
#[derive(Clone, Debug)]
pub enum Op {
    Put { kind: Kind, name: Name, spec: Box<Spec> },
    Patch { kind: Kind, name: Name, patch: Value },
    Delete { kind: Kind, name: Name },
    PutElement { keyed: Keyed, owner: Name, key: String, value: Value },
    PatchElement { keyed: Keyed, owner: Name, key: String, patch: Value },
    DeleteElement { keyed: Keyed, owner: Name, key: String },
    BatchEntries { list: Name, add: BTreeMap<Network, Entry>, remove: Vec<Network> },
    ReplaceEntries { list: Name, entries: Arc<BTreeMap<Network, Entry>> },
}

impl Op {
    pub fn new(operation: Operation) -> Result<Self> {
        Ok(match operation {
            Operation::Put { kind, name, value } => Self::Put { kind, spec: Box::new(parse::resource(kind, &name, value)?), name },
            Operation::Patch { kind, name, patch } => Self::Patch { kind, name, patch },
            Operation::Delete { kind, name } => Self::Delete { kind, name },
            Operation::PutElement { keyed, owner, key, value } => Self::PutElement { keyed, owner, key, value },
            Operation::PatchElement { keyed, owner, key, patch } => Self::PatchElement { keyed, owner, key, patch },
            Operation::DeleteElement { keyed, owner, key } => Self::DeleteElement { keyed, owner, key },
            Operation::BatchEntries { list, add, remove } => Self::BatchEntries { list, add: entries::by_network("/add", add)?, remove },
            Operation::ReplaceEntries { list, entries } => {
                Self::ReplaceEntries { list, entries: Arc::new(entries::by_network("/entries", entries)?) }
            }
        })
    }

    /// The object that it writes.
    pub fn target(&self) -> (Kind, &Name) {
        match self {
            Self::Put { kind, name, .. } | Self::Patch { kind, name, .. } | Self::Delete { kind, name } => (*kind, name),
            Self::PutElement { keyed, owner, .. } | Self::PatchElement { keyed, owner, .. } | Self::DeleteElement { keyed, owner, .. } => {
                (keyed.owner(), owner)
            }
            Self::BatchEntries { list, .. } | Self::ReplaceEntries { list, .. } => (Kind::IpList, list),
        }
    }
}

/// What the next revision has to be known for.
#[derive(Clone, Debug)]
pub struct Next {
    pub revision: Revision,
    pub now: OffsetDateTime,
    /// For an object that is created.
    pub id: Uuid,
    pub number: u32,
}

/// What a write comes to.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// All is as it should be already, since this revision.
    Unchanged(Revision),
    Changed(Box<Change>),
}

/// A change of one object, ready to be put in place.
#[derive(Clone, Debug)]
pub struct Change {
    pub kind: Kind,
    pub name: Name,
    pub change: ChangeType,
    /// Whether the resource that the caller named (object or element) is new.
    pub created: bool,
    pub before: Option<Object>,
    pub after: Option<Object>,
    /// Entries that are new or different from now on.
    pub opened: Vec<Entry>,
    /// Entries that are gone or different from now on; not told where the whole list goes.
    pub closed: Vec<Network>,
}

impl Change {
    pub fn put(&self, snapshot: &mut Snapshot) {
        match &self.after {
            Some(object) => object.clone().put(snapshot),
            None => Object::remove(snapshot, self.kind, &self.name),
        }
    }
}

/// See the module.
pub fn apply(snapshot: &Snapshot, op: &Op, precondition: Precondition, next: &Next) -> Result<Outcome> {
    let (kind, name) = op.target();
    let before = Object::find(snapshot, kind, name);
    let absent = || Error::NotFound { kind: words(kind), name: name.to_string() };
    match op {
        Op::Put { spec, .. } => {
            check(
                precondition,
                before.as_ref().map(|b| (b.revision(), b)),
                |b| b.value(),
                || Error::AlreadyExists { kind, name: name.clone() },
            )?;
            let created = before.is_none();
            write(snapshot, kind, name, before, Spec::clone(spec), created, next)
        }
        Op::Patch { patch, .. } => {
            let object = before.ok_or_else(absent)?;
            check_existing(precondition, object.revision(), || object.value())?;
            if !patch.is_object() {
                return Err(Error::invalid("", "invalid_type", "a merge patch of a resource is a JSON object"));
            }
            let mut value = object.value();
            parse::merge(&mut value, patch.clone());
            let spec = parse::resource(kind, name, value)?;
            write(snapshot, kind, name, Some(object), spec, false, next)
        }
        Op::Delete { .. } => {
            let object = before.ok_or_else(absent)?;
            check_existing(precondition, object.revision(), || object.value())?;
            let by = match kind {
                Kind::Vhost => Vec::new(),
                Kind::Policy => snapshot.users_of_policy(name),
                Kind::IpList => snapshot.users_of_list(name),
            };
            if !by.is_empty() {
                return Err(Error::InUse { kind, name: name.clone(), by });
            }
            Ok(Outcome::Changed(Box::new(Change {
                kind,
                name: name.clone(),
                change: ChangeType::Deleted,
                created: false,
                before: Some(object),
                after: None,
                opened: Vec::new(),
                closed: Vec::new(),
            })))
        }
        Op::PutElement { keyed, key, value, .. } => {
            let owner = before.ok_or_else(absent)?;
            keyed::edit(snapshot, *keyed, owner, key, keyed::Edit::Put(value), precondition, next)
        }
        Op::PatchElement { keyed, key, patch, .. } => {
            let owner = before.ok_or_else(absent)?;
            keyed::edit(snapshot, *keyed, owner, key, keyed::Edit::Patch(patch), precondition, next)
        }
        Op::DeleteElement { keyed, key, .. } => {
            let owner = before.ok_or_else(absent)?;
            keyed::edit(snapshot, *keyed, owner, key, keyed::Edit::Delete, precondition, next)
        }
        Op::BatchEntries { .. } | Op::ReplaceEntries { .. } => {
            let Some(Object::IpList(list)) = before else { return Err(absent()) };
            entries::apply(list, op, precondition, next)
        }
    }
}

/// Puts `spec` in the place of `before`, if all that it names is there.
pub(super) fn write(
    snapshot: &Snapshot,
    kind: Kind,
    name: &Name,
    before: Option<Object>,
    spec: Spec,
    created: bool,
    next: &Next,
) -> Result<Outcome> {
    if let Spec::Vhost(vhost) = &spec {
        references(snapshot, vhost)?;
    }
    if let Some(object) = &before
        && object.is(&spec)
    {
        return Ok(Outcome::Unchanged(object.revision()));
    }
    let facts = match &before {
        Some(object) => Facts { revision: next.revision, updated_at: next.now, ..object.facts() },
        None => {
            let count = match kind {
                Kind::Vhost => snapshot.vhosts.len(),
                Kind::Policy => snapshot.policies.len(),
                Kind::IpList => snapshot.ip_lists.len(),
            };
            if count >= most(kind) {
                return Err(Error::Conflict(format!("there are {count} objects of kind {kind} already, and no more are allowed")));
            }
            Facts {
                id: next.id,
                number: next.number,
                revision: next.revision,
                created_at: next.now,
                updated_at: next.now,
                elements: Arc::default(),
            }
        }
    };
    let facts = Facts { elements: elements(before.as_ref(), &spec, next.revision), ..facts };
    let mut after = Object::new(facts, spec);
    // Entries are a collection of their own: writing the list's fields leaves them alone.
    if let (Object::IpList(state), Some(Object::IpList(old))) = (&mut after, &before) {
        Arc::make_mut(state).entries = Arc::clone(&old.entries);
    }
    Ok(Outcome::Changed(Box::new(Change {
        kind,
        name: name.clone(),
        change: if before.is_some() { ChangeType::Updated } else { ChangeType::Created },
        created,
        before,
        after: Some(after),
        opened: Vec::new(),
        closed: Vec::new(),
    })))
}

/// All that a vhost names must be there, and its hostnames must be free.
fn references(snapshot: &Snapshot, vhost: &Vhost) -> Result<()> {
    let mut errors = Vec::new();
    for (pointer, policy) in vhost.policies().filter(|(_, policy)| !snapshot.policies.contains_key(*policy)) {
        errors.push(FieldError::new(pointer, "not_found", format!("there is no policy `{policy}`")));
    }
    for (pointer, list) in vhost.access.references().filter(|(_, list)| !snapshot.ip_lists.contains_key(*list)) {
        errors.push(FieldError::new(pointer, "not_found", format!("there is no IP list `{list}`")));
    }
    for (index, hostname) in vhost.hostnames.iter().enumerate() {
        if let Some(other) = snapshot.vhost_of(hostname).filter(|other| **other != vhost.name) {
            errors.push(FieldError::new(
                format!("/hostnames/{index}"),
                "taken",
                format!("`{hostname}` belongs to vhost `{other}`; take it out there first"),
            ));
        }
    }
    if errors.is_empty() { Ok(()) } else { Err(Error::Invalid(errors)) }
}

/// Judges the precondition of a write that may create.
pub(super) fn check<T>(
    precondition: Precondition,
    current: Option<(Revision, T)>,
    value: impl Fn(T) -> Value,
    exists: impl Fn() -> Error,
) -> Result<()> {
    match (precondition, current) {
        (Precondition::None | Precondition::Absent, None) => Ok(()),
        (Precondition::Revision(_) | Precondition::Any, None) => Err(Error::Stale { current: None, etag: None }),
        (Precondition::Absent, Some(_)) => Err(exists()),
        (precondition, Some((revision, current))) => check_existing(precondition, revision, || value(current)),
    }
}

/// Judges the precondition of a write to something that exists.
pub(super) fn check_existing(precondition: Precondition, revision: Revision, value: impl FnOnce() -> Value) -> Result<()> {
    match precondition {
        Precondition::None => Err(Error::PreconditionRequired),
        Precondition::Any => Ok(()),
        Precondition::Revision(expected) if expected == revision => Ok(()),
        Precondition::Revision(_) | Precondition::Absent => Err(Error::Stale { current: Some(Box::new(value())), etag: Some(revision) }),
    }
}

/// A kind's name in messages.
pub(super) fn words(kind: Kind) -> &'static str {
    match kind {
        Kind::Vhost => "vhost",
        Kind::Policy => "policy",
        Kind::IpList => "IP list",
    }
}
