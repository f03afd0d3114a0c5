//! Many operations in one request: staged, and if that is wanted committed, as one revision or not at all.

use std::collections::BTreeMap;

use super::object::pointed_into;
use super::{Caller, CommittedSet, Operation, Precondition, Service};
use crate::domain::change_set::ChangeSet;
use crate::domain::error::{Error, FieldError, Result};
use crate::domain::{Kind, Name, Revision};

/// What came of a batch.
#[derive(Clone, Debug)]
pub enum Batched {
    Staged(Box<ChangeSet>),
    Committed(Box<CommittedSet>),
}

/// Where the faults of an object belong in a request.
struct Target {
    index: usize,
    /// The operation's value is the object itself, not an element or entries of it.
    whole: bool,
}

impl Service {
    /// A change set with these operations. What cannot be staged, or with `commit` not be committed, leaves nothing behind. Faults are told by
    /// the operation's index.
    pub async fn batch(
        &self,
        caller: &Caller,
        message: &str,
        base: Option<Revision>,
        operations: Vec<(Operation, Precondition)>,
        commit: bool,
    ) -> Result<Batched> {
        let targets = targets(&operations);
        let created = self.create_change_set(caller, message, base).await?;
        let done = async {
            let staged = if operations.is_empty() { created.clone() } else { self.stage_all(caller, created.id, operations).await? };
            if !commit {
                return Ok(Batched::Staged(Box::new(staged)));
            }
            let committed = self.commit_change_set(caller, created.id, None, None).await;
            committed.map(Box::new).map(Batched::Committed).map_err(|error| by_operation(error, &targets))
        };
        let done = done.await;
        if !matches!(done, Ok(_) | Err(Error::AwaitingApproval(_)))
            && let Err(error) = self.discard_change_set(caller, created.id).await
        {
            tracing::warn!(%error, change_set = %created.id, "a change set that came to nothing was not discarded");
        }
        done
    }
}

/// The last operation on each object.
fn targets(operations: &[(Operation, Precondition)]) -> BTreeMap<(Kind, Name), Target> {
    let of = |(index, (operation, _)): (usize, &(Operation, Precondition))| {
        let (kind, name, whole) = match operation {
            Operation::Put { kind, name, .. } | Operation::Patch { kind, name, .. } | Operation::Delete { kind, name } => {
                (*kind, name, true)
            }
            Operation::PutElement { keyed, owner, .. }
            | Operation::PatchElement { keyed, owner, .. }
            | Operation::DeleteElement { keyed, owner, .. } => (keyed.owner(), owner, false),
            Operation::BatchEntries { list, .. } | Operation::ReplaceEntries { list, .. } => (Kind::IpList, list, false),
        };
        ((kind, name.clone()), Target { index, whole })
    };
    operations.iter().enumerate().map(of).collect()
}

/// Pointers from the root, as pointers into the request where an operation is about the object.
fn by_operation(error: Error, targets: &BTreeMap<(Kind, Name), Target>) -> Error {
    let moved = |mut fault: FieldError| {
        let target = pointed_into(&fault.pointer).and_then(|(key, rest)| Some((targets.get(&key)?, rest.to_owned())));
        let Some((Target { index, whole }, rest)) = target else { return fault };
        if *whole {
            fault.pointer = format!("/operations/{index}/value{rest}");
        } else {
            fault.pointer = format!("/operations/{index}");
            fault.detail = if rest.is_empty() { fault.detail } else { format!("{rest}: {}", fault.detail) };
        }
        fault
    };
    match error {
        Error::Invalid(faults) => Error::Invalid(faults.into_iter().map(moved).collect()),
        Error::EngineRefused { engine, said, errors } => {
            Error::EngineRefused { engine, said, errors: errors.into_iter().map(moved).collect() }
        }
        other => other,
    }
}
