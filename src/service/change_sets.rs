//! Change sets: staged writes that nobody but their owner sees until they become one revision.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use uuid::Uuid;

use super::apply::{Next, Op, Outcome, edit};
use super::authorize::Purpose;
use super::entries::micros;
use super::merge::{Staged, Unfit, merge};
use super::object::Object;
use super::view::{View, row};
use super::write::{check_message, provisional};
use super::writer::{About, OnBehalf, Unmade, Work};
use super::{Caller, Operation, Precondition, Service, Written, plan, read};
use crate::domain::change_set::{Approval, ChangeSet, ChangeSetState};
use crate::domain::diff::ChangeCounts;
use crate::domain::error::{Error, FieldError, Result};
use crate::domain::revision::Origin;
use crate::domain::{Action, Finding, Kind, Name, Revision};
use crate::store::NewChangeSet;

/// Change sets of one owner that are open or refused, at most.
const MOST_OPEN: i64 = 200;
/// Objects that one may stage, at most.
const MOST_STAGED: usize = 60_000;
/// Faults of operations that are told at once.
const MOST_FAULTS: usize = 100;

/// A change set that became a revision.
#[derive(Clone, Debug)]
pub struct CommittedSet {
    pub change_set: ChangeSet,
    /// The revision made, or the newest one where nothing had to change.
    pub revision: Revision,
    pub changed: bool,
    pub findings: Vec<Finding>,
}

impl Service {
    /// An empty change set against `base`, or the newest revision.
    pub async fn create_change_set(&self, caller: &Caller, message: &str, base: Option<Revision>) -> Result<ChangeSet> {
        check_message("/message", message)?;
        self.authorize(&caller.principal, Action::Create, "change_set", None)?;
        let head = self.head().revision;
        let base = base.unwrap_or(head);
        if base != head {
            // Whether it can be read at all: what is wrong is in the body, not in the path.
            self.base(base).await.map_err(|error| match error {
                Error::NotFound { .. } => Error::invalid("/base", "not_found", error.to_string()),
                Error::Gone(words) => Error::invalid("/base", "gone", words),
                error => error,
            })?;
        }
        let change_set = self.new_change_set(caller, message.to_owned(), base).await?;
        self.inner.store.create_change_set(&NewChangeSet { change_set: change_set.clone(), staged: Vec::new() }).await?;
        self.told(&change_set);
        Ok(change_set)
    }

    /// Not stored yet. Refused where the caller has too many.
    pub(super) async fn new_change_set(&self, caller: &Caller, message: String, base: Revision) -> Result<ChangeSet> {
        let owner = caller.principal.identity();
        if self.inner.store.open_change_sets(&owner).await? >= MOST_OPEN {
            let words = format!("there are {MOST_OPEN} change sets of yours that have not ended: commit or discard some first");
            return Err(Error::Conflict(words));
        }
        let now = micros(self.now());
        Ok(ChangeSet {
            id: self.inner.shared.id(now),
            owner,
            contributors: Vec::new(),
            state: ChangeSetState::Open,
            author: super::rows::author(caller),
            message,
            base,
            version: 1,
            created_at: now,
            updated_at: now,
            counts: ChangeCounts::default(),
            revision: None,
            refusal: None,
            approval: None,
            rollback_to: None,
        })
    }

    /// Own ones, newest first; `before` is the id of the last one of the page before.
    pub async fn change_sets(
        &self,
        caller: &Caller,
        states: &[ChangeSetState],
        before: Option<Uuid>,
        limit: usize,
    ) -> Result<Vec<ChangeSet>> {
        self.authorize(&caller.principal, Action::Read, "change_set", None)?;
        let found = self.inner.store.change_sets(&caller.principal.identity(), states, before, read::bounded(limit)).await?;
        Ok(found.into_iter().map(|change_set| self.change_set_for(caller, change_set)).collect())
    }

    /// One's own, or one that awaits approval and that one may say yes to.
    pub async fn change_set(&self, caller: &Caller, id: Uuid) -> Result<ChangeSet> {
        Ok(self.change_set_for(caller, self.found_change_set(caller, id).await?))
    }

    /// The same as it is stored: what goes out of here is veiled, what is stored again is not.
    pub(super) async fn found_change_set(&self, caller: &Caller, id: Uuid) -> Result<ChangeSet> {
        self.authorize(&caller.principal, Action::Read, "change_set", None)?;
        let mut found = self.inner.store.change_set(&caller.principal.identity(), id).await?;
        if found.is_none() {
            found = self.change_set_to_review(caller, id).await?;
        }
        found.ok_or_else(|| Error::NotFound { kind: "change set", name: id.to_string() })
    }

    /// Gives it another message.
    pub async fn rename_change_set(&self, caller: &Caller, id: Uuid, message: &str) -> Result<ChangeSet> {
        check_message("/message", message)?;
        self.authorize(&caller.principal, Action::Update, "change_set", None)?;
        let _turn = self.inner.views.turn(id).await;
        let mut change_set = self.writable(caller, id).await?;
        message.clone_into(&mut change_set.message);
        change_set.edited();
        Ok(self.change_set_for(caller, self.save(change_set, &[], &[], false).await?))
    }

    /// Ends it; what it staged stays readable through its diff for a while, and is never committed.
    pub async fn discard_change_set(&self, caller: &Caller, id: Uuid) -> Result<()> {
        let _turn = self.inner.views.turn(id).await;
        self.may_end(caller, id, Action::Delete).await?;
        let mut change_set = self.found_change_set(caller, id).await?;
        own(caller, &change_set)?;
        match change_set.state {
            ChangeSetState::Discarded => return Ok(()),
            ChangeSetState::Committed => return Err(ended(&change_set)),
            ChangeSetState::Open | ChangeSetState::AwaitingApproval | ChangeSetState::Approved | ChangeSetState::Refused => {}
        }
        change_set.state = ChangeSetState::Discarded;
        self.save(change_set, &[], &[], false).await.map(drop)
    }

    /// Stages one operation. Its object is judged by itself: whether all of it fits together is for the plan and the commit to say.
    pub async fn stage(&self, caller: &Caller, id: Uuid, operation: Operation, precondition: Precondition) -> Result<Written> {
        self.authorize(&caller.principal, Action::Update, "change_set", None)?;
        self.authorize_write(caller, &operation)?;
        let op = Op::new(operation)?;
        let _turn = self.inner.views.turn(id).await;
        let view = self.writable_view(caller, id).await?;
        let (kind, name) = op.target();
        self.warrant(caller, Purpose::Edit).touch(&view.base, [(kind, name)].into_iter())?;
        let current = Object::find(&view.snapshot, kind, name);
        let fresh = provisional(&view.snapshot);
        let next = Next { revision: -(view.change_set.version + 1), now: micros(self.now()), fresh: &fresh };
        let (revision, created, after) = match edit(current, &op, precondition, next)? {
            Outcome::Unchanged(revision) => {
                let snapshot = Arc::clone(&view.snapshot);
                return Ok(Written { revision, changed: false, created: false, snapshot, findings: Vec::new() });
            }
            Outcome::Changed(change) => (next.revision, change.created, change.after),
        };
        let staged = view.staged_as(kind, name, after.as_ref());
        let view = self.stage_objects(caller, &view, vec![staged], false).await?;
        Ok(Written { revision, changed: true, created, snapshot: Arc::clone(&view.snapshot), findings: Vec::new() })
    }

    /// Stages operations in their order, all or none. Faults are told by their index: `/operations/7/value/hostnames/0`.
    pub async fn stage_all(&self, caller: &Caller, id: Uuid, operations: Vec<(Operation, Precondition)>) -> Result<ChangeSet> {
        self.authorize(&caller.principal, Action::Update, "change_set", None)?;
        for (operation, _) in &operations {
            self.authorize_write(caller, operation)?;
        }
        let _turn = self.inner.views.turn(id).await;
        let view = self.writable_view(caller, id).await?;
        let warrant = self.warrant(caller, Purpose::Edit);
        warrant.touch(&view.base, operations.iter().map(|(operation, _)| operation.target()))?;
        let now = micros(self.now());
        let (view, staged) = tokio::task::spawn_blocking(move || {
            let staged = all_edited(&view, operations, now)?;
            Ok::<_, Error>((view, staged))
        })
        .await
        .map_err(Error::internal)??;
        // What changes nothing is no edit, and ends no approval.
        let view = if staged.is_empty() { view } else { self.stage_objects(caller, &view, staged, false).await? };
        Ok(self.change_set_for(caller, view.change_set.clone()))
    }

    /// Brings what is staged onto the newest revision. A refused one is open again with that.
    pub async fn rebase_change_set(&self, caller: &Caller, id: Uuid) -> Result<ChangeSet> {
        self.authorize(&caller.principal, Action::Update, "change_set", None)?;
        let _turn = self.inner.views.turn(id).await;
        let view = self.view_of(caller, id).await?;
        own(caller, &view.change_set)?;
        match view.change_set.state {
            ChangeSetState::Open | ChangeSetState::AwaitingApproval | ChangeSetState::Approved | ChangeSetState::Refused => {}
            ChangeSetState::Committed | ChangeSetState::Discarded => return Err(ended(&view.change_set)),
        }
        let head = self.head();
        // Conflicts show the other side.
        self.warrant(caller, Purpose::Edit).touch(&head, view.staged.iter().map(|one| (one.kind, &one.name)))?;
        let fresh = provisional(&head);
        let next = Next { revision: -(view.change_set.version + 1), now: micros(self.now()), fresh: &fresh };
        let changes = merge(&head, &view.staged, next).map_err(|unfit| match unfit {
            Unfit::Conflicts(conflicts) => Error::MergeConflict(conflicts),
            Unfit::Faults(faults) => plan::faults(faults),
        })?;
        let between =
            |change: super::apply::Change| Staged::between(change.kind, &change.name, change.before.as_ref(), change.after.as_ref());
        let staged: Vec<Staged> = changes.into_iter().map(between).collect();
        let change_set = ChangeSet { base: head.revision, state: ChangeSetState::Open, ..view.change_set.clone() };
        let view = View::new(change_set, head, staged, BTreeMap::new(), None);
        Ok(self.change_set_for(caller, self.stage_objects(caller, &view, view.staged.clone(), true).await?.change_set.clone()))
    }

    /// Makes it one revision, if it still fits onto the newest state and the engines agree. With `plan_digest`: only if what would happen is
    /// what that plan said.
    pub async fn commit_change_set(
        &self,
        caller: &Caller,
        id: Uuid,
        plan_digest: Option<&str>,
        message: Option<&str>,
    ) -> Result<CommittedSet> {
        if let Some(message) = message {
            check_message("/message", message)?;
        }
        let turn = self.inner.views.turn(id).await;
        self.may_end(caller, id, Action::Update).await?;
        let view = self.writable_view(caller, id).await?;
        match self.commit_view(caller, &view, plan_digest, message).await {
            Err(Error::AwaitingApproval(twin)) if twin.id != id && twin.state == ChangeSetState::Approved => {
                drop(turn);
                self.commit_twin(caller, *twin).await
            }
            done => done,
        }
    }

    /// Who has change sets may commit or discard theirs; and who may go back to a revision the one that this became.
    async fn may_end(&self, caller: &Caller, id: Uuid, action: Action) -> Result<()> {
        if self.authorize(&caller.principal, action, "change_set", None).is_ok() {
            return Ok(());
        }
        self.authorize(&caller.principal, Action::Update, "revision", None)?;
        let own = self.inner.store.change_set(&caller.principal.identity(), id).await?;
        if own.is_some_and(|own| own.rollback_to.is_some()) { Ok(()) } else { Err(Error::Forbidden) }
    }

    /// `Error::AwaitingApproval` where it has to wait for somebody else; with what it waits as.
    pub(super) async fn commit_view(
        &self,
        caller: &Caller,
        view: &View,
        plan_digest: Option<&str>,
        message: Option<&str>,
    ) -> Result<CommittedSet> {
        let (id, set) = (view.change_set.id, &view.change_set);
        let approval = set.approval.as_ref().filter(|_| set.state == ChangeSetState::Approved);
        let message = message.unwrap_or(&set.message);
        if approval.is_some() && message != set.message {
            return Err(Error::Conflict("another message is an edit, and ends the approval: commit it without".to_owned()));
        }
        let expected = match (approval, plan_digest) {
            (Some(approval), Some(given)) if given != approval.plan_digest => return Err(Error::PlanChanged),
            (Some(approval), _) => Some(approval.plan_digest.as_str()),
            (None, given) => given,
        };
        let approved_by = approval.and_then(Approval::approved_by).map(ToOwned::to_owned);
        if approval.is_some_and(|approval| !self.still_approved(approval, view)) {
            let waiting = self.lapse(caller, view).await?;
            return Err(self.awaiting(caller, waiting));
        }
        let origin = match set.rollback_to {
            Some(revision) => Origin::Rollback { revision, approved_by },
            None => Origin::ChangeSet { id, approved_by },
        };
        let author = || OnBehalf { author: set.author.clone(), id: Uuid::parse_str(&set.owner).ok() };
        let on_behalf = (set.owner != caller.principal.identity()).then(author);
        let about = About { message: message.to_owned(), origin, change_set: Some(id), on_behalf, ..About::default() };
        let work = Arc::new(Work::Staged(view.staged.clone()));
        let (done, findings) = match self.commit(caller, work, about, expected).await {
            Ok(done) => done,
            Err(Unmade::Unapproved(protected)) => {
                let waiting = self.submit(caller, view, &protected, message).await?;
                return Err(self.awaiting(caller, waiting));
            }
            Err(Unmade::Error(Error::PlanChanged)) if approval.is_some() => {
                let waiting = self.lapse(caller, view).await?;
                return Err(self.awaiting(caller, waiting));
            }
            Err(unmade) => return Err(plan::unmade(unmade)),
        };
        self.inner.views.forget(id);
        let committed = |revision| ChangeSet { state: ChangeSetState::Committed, revision: Some(revision), refusal: None, ..set.clone() };
        let change_set = if done.changed {
            // It is committed, also where it cannot be read just now.
            let change_set = self.inner.store.change_set(&set.owner, id).await.ok().flatten().unwrap_or_else(|| {
                tracing::warn!(change_set = %id, "a change set was committed and cannot be read");
                ChangeSet { version: set.version + 1, updated_at: micros(self.now()), ..committed(done.revision) }
            });
            self.told(&change_set);
            change_set
        } else {
            self.save(committed(done.snapshot.revision), &[], &[], false).await?
        };
        Ok(CommittedSet { revision: change_set.revision.unwrap_or(done.revision), change_set, changed: done.changed, findings })
    }

    /// Stores what is staged of these objects, beside the others or instead of all of them, and gives the view with it.
    /// Whether the caller may write all of that is asked here as at the commit: what is staged is seen, and must not show what is not theirs.
    pub(super) async fn stage_objects(&self, caller: &Caller, view: &View, staged: Vec<Staged>, all: bool) -> Result<Arc<View>> {
        let version = view.change_set.version + 1;
        let (unstaged, staged): (Vec<Staged>, Vec<Staged>) = staged.into_iter().partition(Staged::is_nothing);
        let unstaged: Vec<(Kind, Name)> = unstaged.into_iter().map(|one| (one.kind, one.name)).collect();
        let rows: Vec<_> = staged.iter().map(|one| row(one, version)).collect();
        let (mut kept, mut versions) = if all { (Vec::new(), BTreeMap::new()) } else { (view.staged.clone(), view.versions.clone()) };
        let anew: BTreeSet<(Kind, &Name)> =
            staged.iter().map(|one| (one.kind, &one.name)).chain(unstaged.iter().map(|(kind, name)| (*kind, name))).collect();
        kept.retain(|old| !anew.contains(&(old.kind, &old.name)));
        versions.extend(staged.iter().map(|one| ((one.kind, one.name.clone()), version)));
        kept.extend(staged);
        if kept.len() > MOST_STAGED {
            return Err(Error::Conflict(format!("a change set stages at most {MOST_STAGED} objects")));
        }
        self.may_stage(caller, view, &kept)?;
        let mut change_set = view.change_set.clone();
        change_set.edited();
        change_set.counts = ChangeCounts::default();
        kept.iter().for_each(|one| change_set.counts.add(one.change()));
        let change_set = self.save(change_set, &rows, &unstaged, all).await?;
        let view = Arc::new(View::new(change_set, Arc::clone(&view.base), kept, versions, Some(view)));
        self.inner.views.keep(&view);
        Ok(view)
    }

    pub(super) fn may_stage(&self, caller: &Caller, view: &View, staged: &[Staged]) -> Result<()> {
        let warrant = self.warrant(caller, Purpose::Edit);
        if warrant.is_everything() {
            return Ok(());
        }
        warrant.touch(&view.base, staged.iter().map(|one| (one.kind, &one.name)))?;
        let fresh = provisional(&view.base);
        let next = Next { revision: -(view.change_set.version + 1), now: micros(self.now()), fresh: &fresh };
        // On its own base nothing has moved.
        let changes = merge(&view.base, staged, next).map_err(|_| Error::internal("what is staged does not fit its base"))?;
        warrant.changes(&view.base, &changes).map_err(plan::faults)
    }

    /// Stores it as its next version.
    pub(super) async fn save(
        &self,
        mut change_set: ChangeSet,
        staged: &[crate::store::StagedRow],
        unstaged: &[(Kind, Name)],
        all: bool,
    ) -> Result<ChangeSet> {
        change_set.version += 1;
        change_set.updated_at = micros(self.now());
        self.inner.views.forget(change_set.id);
        if !self.inner.store.save_change_set(&change_set, staged, unstaged, all).await? {
            return Err(Error::Conflict("the change set was changed by another process meanwhile; read it and try again".to_owned()));
        }
        self.told(&change_set);
        Ok(change_set)
    }

    async fn writable(&self, caller: &Caller, id: Uuid) -> Result<ChangeSet> {
        let change_set = self.found_change_set(caller, id).await?;
        own(caller, &change_set)?;
        writable(&change_set)?;
        Ok(change_set)
    }

    pub(super) async fn writable_view(&self, caller: &Caller, id: Uuid) -> Result<Arc<View>> {
        let view = self.view_of(caller, id).await?;
        own(caller, &view.change_set)?;
        writable(&view.change_set)?;
        Ok(view)
    }

    /// Tells its owner; and those who may say yes to it, where it waits for that.
    pub(super) fn told(&self, change_set: &ChangeSet) {
        let news = serde_json::to_value(change_set).unwrap_or_default();
        if change_set.approval.is_some() {
            self.inner.shared.stream.emit("approvals", news.clone());
        }
        self.inner.shared.stream.emit_to(Some(change_set.owner.clone()), "change_sets", news);
    }
}

/// What awaits approval is read by others, and written by its owner alone.
fn own(caller: &Caller, change_set: &ChangeSet) -> Result<()> {
    if change_set.owner == caller.principal.identity() { Ok(()) } else { Err(Error::Forbidden) }
}

pub(super) fn writable(change_set: &ChangeSet) -> Result<()> {
    match change_set.state {
        ChangeSetState::Open | ChangeSetState::AwaitingApproval | ChangeSetState::Approved => Ok(()),
        ChangeSetState::Refused => Err(Error::Conflict("the change set was refused: rebase it to mend it".to_owned())),
        ChangeSetState::Committed | ChangeSetState::Discarded => Err(ended(change_set)),
    }
}

fn ended(change_set: &ChangeSet) -> Error {
    Error::Conflict(format!("the change set is {} already: begin another", change_set.state.as_str()))
}

/// What operations in their order come to.
fn all_edited(view: &View, operations: Vec<(Operation, Precondition)>, now: time::OffsetDateTime) -> Result<Vec<Staged>> {
    let fresh = provisional(&view.snapshot);
    let next = Next { revision: -(view.change_set.version + 1), now, fresh: &fresh };
    let mut touched: BTreeMap<(Kind, Name), Option<Object>> = BTreeMap::new();
    let mut faults = Vec::new();
    for (index, (operation, precondition)) in operations.into_iter().enumerate() {
        if faults.len() >= MOST_FAULTS {
            break;
        }
        let edited = Op::new(operation).and_then(|op| {
            let (kind, name) = op.target();
            let key = (kind, name.clone());
            let current = touched.get(&key).cloned().unwrap_or_else(|| Object::find(&view.snapshot, kind, &key.1));
            Ok((key, edit(current, &op, precondition, next)?))
        });
        match edited {
            Ok((key, Outcome::Changed(change))) => drop(touched.insert(key, change.after)),
            Ok((_, Outcome::Unchanged(_))) => {}
            Err(error) => faults.extend(of_operation(index, error)?),
        }
    }
    if !faults.is_empty() {
        return Err(Error::Invalid(faults));
    }
    Ok(touched.into_iter().map(|((kind, name), after)| view.staged_as(kind, &name, after.as_ref())).collect())
}

/// What is wrong with an operation, with pointers into the request.
fn of_operation(index: usize, error: Error) -> Result<Vec<FieldError>> {
    let at = |place: &str, code: &str, error: &Error| vec![FieldError::new(format!("/operations/{index}{place}"), code, error.to_string())];
    Ok(match error {
        Error::Invalid(faults) => {
            let under = |fault: FieldError| FieldError { pointer: format!("/operations/{index}/value{}", fault.pointer), ..fault };
            faults.into_iter().map(under).collect()
        }
        Error::NotFound { .. } => at("/path", "not_found", &error),
        Error::Stale { .. } => at("/if_match", "precondition_failed", &error),
        Error::PreconditionRequired => at("/if_match", "precondition_required", &error),
        Error::AlreadyExists { .. } | Error::Conflict(_) => at("/if_none_match", "already_exists", &error),
        other => return Err(other),
    })
}
