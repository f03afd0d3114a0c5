//! What a write does to a snapshot. Pure: checks first, and says what to put in place; nothing is changed here. The writer and the
//! caller's task use the same function, so that they cannot disagree.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;
use time::OffsetDateTime;
use uuid::Uuid;

use super::object::{Facts, Object, Spec, elements};
use super::{Keyed, Operation, Precondition, entries, keyed, parse, whole};
use crate::domain::error::{Error, Result};
use crate::domain::revision::ChangeType;
use crate::domain::{Entry, Kind, Name, Network, Revision, Snapshot};

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
#[derive(Clone, Copy)]
pub struct Next<'a> {
    pub revision: Revision,
    pub now: OffsetDateTime,
    /// Id and number of an object that is created.
    pub fresh: &'a dyn Fn(Kind) -> (Uuid, u32),
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

/// One operation on a snapshot, judged as a whole. Faults point into the resource that the operation wrote.
pub fn apply(snapshot: &Snapshot, op: &Op, precondition: Precondition, next: Next<'_>) -> Result<Outcome> {
    let (kind, name) = op.target();
    let outcome = edit(Object::find(snapshot, kind, name), op, precondition, next)?;
    if let Outcome::Changed(change) = &outcome
        && let Some(fault) = whole::faults(snapshot, std::slice::from_ref(change)).into_iter().next()
    {
        return Err(relative(fault.error, op, change));
    }
    Ok(outcome)
}

/// Faults of the owner, told of the element that was written.
pub fn relative(error: Error, op: &Op, change: &Change) -> Error {
    let (keyed, key) = match op {
        Op::PutElement { keyed, key, .. } | Op::PatchElement { keyed, key, .. } => (keyed, key),
        _ => return error,
    };
    match change.after.as_ref().and_then(|after| keyed.position(after, key)) {
        Some(index) => keyed::inside(error, &format!("{}/{index}", keyed.pointer())),
        None => error,
    }
}

/// One operation on the object that it is about: whether the result fits with the others is [`whole`]'s to say.
pub fn edit(before: Option<Object>, op: &Op, precondition: Precondition, next: Next<'_>) -> Result<Outcome> {
    let (kind, name) = op.target();
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
            Ok(write(kind, name, before, Spec::clone(spec), created, next))
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
            Ok(write(kind, name, Some(object), spec, false, next))
        }
        Op::Delete { .. } => {
            let object = before.ok_or_else(absent)?;
            check_existing(precondition, object.revision(), || object.value())?;
            Ok(Outcome::Changed(Box::new(Change::delete(object))))
        }
        Op::PutElement { keyed, key, value, .. } => {
            let owner = before.ok_or_else(absent)?;
            keyed::edit(*keyed, owner, key, keyed::Edit::Put(value), precondition, next)
        }
        Op::PatchElement { keyed, key, patch, .. } => {
            let owner = before.ok_or_else(absent)?;
            keyed::edit(*keyed, owner, key, keyed::Edit::Patch(patch), precondition, next)
        }
        Op::DeleteElement { keyed, key, .. } => {
            let owner = before.ok_or_else(absent)?;
            keyed::edit(*keyed, owner, key, keyed::Edit::Delete, precondition, next)
        }
        Op::BatchEntries { .. } | Op::ReplaceEntries { .. } => {
            let Some(Object::IpList(list)) = before else { return Err(absent()) };
            entries::apply(list, op, precondition, next)
        }
    }
}

/// Puts `spec` in the place of `before`.
pub(super) fn write(kind: Kind, name: &Name, before: Option<Object>, spec: Spec, created: bool, next: Next<'_>) -> Outcome {
    if let Some(object) = &before
        && object.is(&spec)
    {
        return Outcome::Unchanged(object.revision());
    }
    let facts = match &before {
        Some(object) => Facts { revision: next.revision, updated_at: next.now, ..object.facts() },
        None => {
            let (id, number) = (next.fresh)(kind);
            let (at, revision) = (next.now, next.revision);
            Facts { id, number, revision, created_at: at, updated_at: at, elements: Arc::default() }
        }
    };
    let facts = Facts { elements: elements(before.as_ref(), &spec, next.revision), ..facts };
    let mut after = Object::new(facts, spec);
    // Entries are a collection of their own: writing the list's fields leaves them alone.
    if let (Object::IpList(state), Some(Object::IpList(old))) = (&mut after, &before) {
        Arc::make_mut(state).entries = Arc::clone(&old.entries);
    }
    Outcome::Changed(Box::new(Change {
        kind,
        name: name.clone(),
        change: if before.is_some() { ChangeType::Updated } else { ChangeType::Created },
        created,
        before,
        after: Some(after),
        opened: Vec::new(),
        closed: Vec::new(),
    }))
}

impl Change {
    pub fn delete(object: Object) -> Self {
        let (kind, name) = object.identity();
        let name = name.clone();
        let change = ChangeType::Deleted;
        Self { kind, name, change, created: false, before: Some(object), after: None, opened: Vec::new(), closed: Vec::new() }
    }
}

/// Judges the precondition of a write that may create.
pub(super) fn check<T>(
    precondition: Precondition,
    current: Option<(Revision, T)>,
    value: impl Fn(T) -> Value,
    exists: impl Fn() -> Error,
) -> Result<()> {
    match (precondition, current) {
        (Precondition::None | Precondition::Absent | Precondition::Base, None) => Ok(()),
        (Precondition::Revision(_) | Precondition::Any, None) => Err(Error::Stale { current: None, etag: None }),
        (Precondition::Absent, Some(_)) => Err(exists()),
        (precondition, Some((revision, current))) => check_existing(precondition, revision, || value(current)),
    }
}

/// Judges the precondition of a write to something that exists.
pub(super) fn check_existing(precondition: Precondition, revision: Revision, value: impl FnOnce() -> Value) -> Result<()> {
    match precondition {
        Precondition::None => Err(Error::PreconditionRequired),
        Precondition::Any | Precondition::Base => Ok(()),
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
