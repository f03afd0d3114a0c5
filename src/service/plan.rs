//! Plans: what work would come to on the newest state, what it does to files and vhosts, and what the engines say of it.

use std::collections::BTreeSet;
use std::sync::Arc;

use time::OffsetDateTime;
use uuid::Uuid;

use super::authorize::{Purpose, Warrant};
use super::change_sets::writable;
use super::judge::rooted;
use super::merge::Staged;
use super::object::Object;
use super::whole::{self, Fault};
use super::writer::{Unmade, Work};
use super::{Caller, Service, approval, desired, entries};
use crate::compile::{NodeSettings, compile};
use crate::domain::diff::{Conflict, Diff};
use crate::domain::error::{Error, FieldError, Result};
use crate::domain::plan::{AffectedVhosts, ApprovalNeeded, Cost, EngineVerdict, FileDiff, LaneReason, Plan, PlanSource, Risk};
use crate::domain::revision::ObjectRef;
use crate::domain::{Action, Finding, Grant, Kind, Name, Revision, Snapshot, Subject};
use crate::plan;
use crate::render::{Bundle, render};

/// Plans of one owner that are kept.
const KEPT: i64 = 500;

/// What goes through the pure parts, off the threads that serve.
struct Effects {
    digest: String,
    diff: Diff,
    files: Vec<FileDiff>,
    vhosts: AffectedVhosts,
    lanes: Vec<LaneReason>,
    cost: Cost,
    risk: Risk,
    errors: Vec<FieldError>,
}

/// What work would come to.
struct Foreseen {
    effects: Effects,
    conflicts: Vec<Conflict>,
    findings: Vec<Finding>,
    engines: Vec<EngineVerdict>,
    /// Protected vhosts that it touches, as far as the caller may know; and whether there are any.
    protected: BTreeSet<Name>,
    approval: bool,
}

impl Service {
    /// What committing a change set would do.
    pub async fn plan_change_set(&self, caller: &Caller, id: Uuid) -> Result<Plan> {
        self.authorize(&caller.principal, Action::Create, "plan", None)?;
        let view = self.view_of(caller, id).await?;
        writable(&view.change_set)?;
        let work = Work::Staged(view.staged.clone());
        self.plan_work(caller, &work, approval::purpose(&view.change_set), PlanSource::ChangeSet { id }).await
    }

    /// What going back to a revision would do; with `objects`, those alone.
    pub async fn plan_rollback(&self, caller: &Caller, revision: Revision, objects: &[ObjectRef]) -> Result<Plan> {
        self.authorize(&caller.principal, Action::Create, "plan", None)?;
        let staged = self.staged_rollback(caller, &self.head(), revision, objects).await?;
        let objects = objects.iter().map(ToString::to_string).collect();
        self.plan_work(caller, &Work::Staged(staged), Purpose::Rollback, PlanSource::Rollback { revision, objects }).await
    }

    /// What a revision did to the one before it. No engine is asked: they were, then.
    pub async fn plan_revision(&self, caller: &Caller, revision: Revision) -> Result<Plan> {
        if revision < 1 {
            return Err(Error::NotFound { kind: "revision", name: revision.to_string() });
        }
        // What it did to whom is all sites' business; what differs is shown to everybody as far as they see it.
        self.authorize(&caller.principal, Action::Read, "file", None)?;
        self.authorize(&caller.principal, Action::Create, "plan", None)?;
        let (before, after) = (self.snapshot_at(caller, revision - 1).await?, self.snapshot_at(caller, revision).await?);
        let now = entries::micros(self.now());
        let effects = self.effects(caller, before, after, Vec::new(), now).await?;
        let foreseen = Foreseen {
            effects,
            conflicts: Vec::new(),
            findings: Vec::new(),
            engines: Vec::new(),
            protected: BTreeSet::new(),
            approval: false,
        };
        self.keep_plan(caller, PlanSource::Revision { revision }, foreseen, self.head().revision, now).await
    }

    /// A plan that was made.
    pub async fn plan(&self, caller: &Caller, id: Uuid) -> Result<Plan> {
        self.authorize(&caller.principal, Action::Read, "plan", None)?;
        let found = self.inner.store.plan(&caller.principal.identity(), id).await?;
        let text = found.ok_or_else(|| Error::NotFound { kind: "plan", name: id.to_string() })?;
        serde_json::from_str(&text).map_err(|error| Error::Internal(format!("plan {id} cannot be read: {error}")))
    }

    /// What differs between two revisions; `only` of one object.
    pub async fn diff(&self, caller: &Caller, from: Revision, to: Revision, only: Option<&ObjectRef>) -> Result<Diff> {
        let (before, after) = (self.snapshot_at(caller, from).await?, self.snapshot_at(caller, to).await?);
        let (before, after) = (self.seen(caller, &before, None), self.seen(caller, &after, None));
        differing(before, after, only.cloned()).await
    }

    /// What a change set changes of its base.
    pub async fn diff_of_change_set(&self, caller: &Caller, id: Uuid) -> Result<Diff> {
        let view = self.view_of(caller, id).await?;
        differing(self.seen(caller, &view.base, None), self.seen_through(caller, &view, None), None).await
    }

    /// What brings the head back to a revision, whole or for these objects.
    pub(super) async fn staged_rollback(
        &self,
        caller: &Caller,
        head: &Arc<Snapshot>,
        revision: Revision,
        objects: &[ObjectRef],
    ) -> Result<Vec<Staged>> {
        self.authorize(&caller.principal, Action::Update, "revision", None)?;
        let everything = |grant: &Arc<Grant>| grant.everywhere(Action::Update, Subject::Revision);
        if objects.is_empty() && !caller.principal.grant().is_none_or(everything) {
            return Err(Error::Forbidden);
        }
        let target = self.state_at(revision).await?;
        let seen = (self.seen(caller, head, None), self.seen(caller, &target, None));
        let mut wanted: Vec<(Kind, Name)> = if objects.is_empty() {
            desired::all(&target).chain(desired::all(head)).map(|(kind, name)| (kind, name.clone())).collect()
        } else {
            objects.iter().cloned().map(ObjectRef::into_parts).collect()
        };
        wanted.sort();
        wanted.dedup();
        let mut staged = Vec::new();
        for (kind, name) in wanted {
            let (now, then) = (Object::find(head, kind, &name), Object::find(&target, kind, &name));
            // What the caller does not see, now or as it was then, is not there for them.
            let hidden = |object: &Option<Object>, seen: &Snapshot| object.is_some() && Object::find(seen, kind, &name).is_none();
            if !objects.is_empty() && (hidden(&now, &seen.0) || hidden(&then, &seen.1)) {
                return Err(Error::NotFound { kind: super::apply::words(kind), name: name.to_string() });
            }
            match (&now, &then) {
                (None, None) => return Err(Error::NotFound { kind: super::apply::words(kind), name: name.to_string() }),
                (Some(now), Some(then)) if now.same(then) => {}
                _ => {
                    let one = Staged::between(kind, &name, now.as_ref(), then.as_ref());
                    staged.extend((!one.is_nothing()).then_some(one));
                }
            }
        }
        Ok(staged)
    }

    async fn plan_work(&self, caller: &Caller, work: &Work, purpose: Purpose, source: PlanSource) -> Result<Plan> {
        let (head, now) = (self.head(), entries::micros(self.now()));
        let warrant = self.warrant(caller, purpose);
        let mut foreseen = self.foresee(caller, &warrant, &head, work, now).await?;
        if !caller.principal.grant().is_none_or(|grant| grant.may(Action::Read, Subject::File)) {
            // Lines around a change are other sites'.
            foreseen.effects.files.clear();
        }
        if !self.sees_all(caller) {
            let seen = self.head_for(caller);
            foreseen.protected.retain(|name| seen.vhosts.contains_key(name));
        }
        self.keep_plan(caller, source, foreseen, head.revision, now).await
    }

    /// The digest that a plan of the work would have.
    pub(super) async fn plan_digest(&self, caller: &Caller, warrant: &Warrant, head: &Arc<Snapshot>, work: &Work) -> Result<String> {
        Ok(self.foresee(caller, warrant, head, work, entries::micros(self.now())).await?.effects.digest)
    }

    async fn foresee(
        &self,
        caller: &Caller,
        warrant: &Warrant,
        head: &Arc<Snapshot>,
        work: &Work,
        now: OffsetDateTime,
    ) -> Result<Foreseen> {
        let (mut conflicts, mut errors) = (Vec::new(), Vec::new());
        let changes = match warrant.try_on(work, head, now) {
            Ok(made) => made.into_changes(),
            Err(Unmade::Conflicts(found)) => {
                conflicts = found;
                Vec::new()
            }
            Err(unmade) => {
                errors = pointed(self::unmade(unmade))?;
                Vec::new()
            }
        };
        let protected = approval::touched(head, &changes);
        let (mut findings, mut engines) = (Vec::new(), Vec::new());
        if !changes.is_empty() {
            let judgement = self.inner.judge.judge(head, &changes, now).await;
            findings = judgement.findings;
            if let Some(refusal) = judgement.refusal {
                errors = pointed(refusal)?;
            }
            engines = vec![judgement.coraza, judgement.haproxy];
        }
        let mut after = Snapshot::clone(head);
        whole::put(&mut after, &changes);
        after.revision = head.revision + i64::from(!changes.is_empty());
        let mut said: Vec<String> = errors.iter().map(|error| format!("{} {}", error.pointer, error.code)).collect();
        said.extend(findings.iter().map(|finding| format!("{} {}", finding.pointer, finding.code)));
        said.extend(conflicts.iter().map(|one| format!("/{}/{}{} conflict", one.kind.collection(), one.name, one.element)));
        said.sort();
        let mut effects = self.effects(caller, Arc::clone(head), Arc::new(after), said, now).await?;
        // What could not be compiled was stored by an older version: it is told, and refuses.
        errors.append(&mut effects.errors);
        effects.errors = errors;
        Ok(Foreseen { effects, conflicts, findings, engines, approval: !protected.is_empty(), protected })
    }

    async fn effects(
        &self,
        caller: &Caller,
        before: Arc<Snapshot>,
        after: Arc<Snapshot>,
        said: Vec<String>,
        now: OffsetDateTime,
    ) -> Result<Effects> {
        let (node, address) = (Arc::clone(&self.inner.node), caller.address);
        tokio::task::spawn_blocking(move || {
            let (old, _) = bundle(&before, &node, now, None)?;
            let (new, errors) = bundle(&after, &node, now, Some(&old))?;
            let outcome = plan::Outcome { before: &before, after: &after, bundles: Some((Some(&old), &new)), said: &said, now };
            Ok(Effects {
                digest: plan::digest(&outcome),
                diff: plan::diff(&before, &after, None),
                files: plan::files(Some(&old), &new),
                vhosts: plan::affected(Some(&old), &new),
                lanes: plan::lanes(Some(&old), &new),
                cost: plan::cost(Some(&old), &new),
                risk: plan::risk(&before, &after, address, now),
                errors,
            })
        })
        .await
        .map_err(Error::internal)?
    }

    async fn keep_plan(
        &self,
        caller: &Caller,
        source: PlanSource,
        foreseen: Foreseen,
        head: Revision,
        created_at: OffsetDateTime,
    ) -> Result<Plan> {
        let Foreseen { effects, conflicts, findings, engines, protected, approval } = foreseen;
        let Effects { digest, diff, files, vhosts, lanes, cost, risk, errors } = effects;
        let id = self.inner.shared.id(created_at);
        let author = super::rows::author(caller);
        let plan = Plan {
            id,
            digest,
            source,
            author,
            created_at,
            head,
            diff,
            conflicts,
            errors,
            findings,
            engines,
            files,
            vhosts,
            lanes,
            cost,
            risk,
            approval: ApprovalNeeded { required: approval, vhosts: AffectedVhosts::of(&protected) },
        };
        let document = serde_json::to_string(&plan).map_err(Error::internal)?;
        self.inner.store.create_plan(id, &caller.principal.identity(), created_at, &document, KEPT).await?;
        Ok(plan)
    }
}

async fn differing(before: Arc<Snapshot>, after: Arc<Snapshot>, only: Option<ObjectRef>) -> Result<Diff> {
    let only = only.map(ObjectRef::into_parts);
    let work = move || plan::diff(&before, &after, only.as_ref().map(|(kind, name)| (*kind, name)));
    tokio::task::spawn_blocking(work).await.map_err(Error::internal)
}

/// A state as files, and what could not be compiled of it.
fn bundle(snapshot: &Snapshot, node: &NodeSettings, now: OffsetDateTime, previous: Option<&Bundle>) -> Result<(Bundle, Vec<FieldError>)> {
    let compiled = compile(snapshot, node, now);
    let bundle = render(&compiled, node, previous).map_err(Error::internal)?;
    Ok((bundle, compiled.problems))
}

/// Why staged work came to nothing; pointers from the root.
pub fn unmade(unmade: Unmade) -> Error {
    match unmade {
        Unmade::Error(error) => error,
        Unmade::Conflicts(conflicts) => Error::MergeConflict(conflicts),
        Unmade::Faults(found) => faults(found),
        Unmade::Unapproved(_) => Error::internal("what awaits approval is made a change set by whoever asked"),
    }
}

pub fn faults(faults: Vec<Fault>) -> Error {
    gathered(faults.into_iter().map(|fault| (format!("/{}/{}", fault.kind.collection(), fault.name), fault.error)))
}

/// Errors of several objects as one, each with its root before its pointers.
pub fn gathered(all: impl Iterator<Item = (String, Error)>) -> Error {
    let mut fields = Vec::new();
    for (root, error) in all {
        match rooted(error, &root) {
            Error::Invalid(errors) => fields.extend(errors),
            error @ Error::InUse { .. } => fields.push(FieldError::new(root, "in_use", error.to_string())),
            error @ Error::Conflict(_) => fields.push(FieldError::new(root, "conflict", error.to_string())),
            error => return error,
        }
    }
    Error::Invalid(fields)
}

/// What an error says as faults; one that is about nothing that was written ends the plan.
fn pointed(error: Error) -> Result<Vec<FieldError>> {
    match error {
        Error::Invalid(errors) => Ok(errors),
        Error::EngineRefused { said, errors, .. } if errors.is_empty() => Ok(vec![FieldError::new("", "engine_refused", said)]),
        Error::EngineRefused { errors, .. } => Ok(errors),
        error => Err(error),
    }
}
