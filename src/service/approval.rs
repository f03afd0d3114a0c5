//! Four eyes: what touches a protected vhost waits, as a change set, until somebody else has said yes to it.
//!
//! Whether a change touches one is asked of the changes that a write comes to on the very state that it is made on, by the writer: direct
//! writes, change sets, trees and rollbacks all come to changes, so there is no way around it. A yes is to a version of a change set, and to
//! the digest of a plan: to what it holds, and to what that does. An edit, or anything else that changes what would happen, ends it.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::json;
use uuid::Uuid;

use super::apply::Change;
use super::authorize::{Purpose, wildcard_over};
use super::entries::micros;
use super::merge::Staged;
use super::object::Object;
use super::view::{View, row};
use super::write::check_message;
use super::writer::Work;
use super::{Batched, Caller, CommittedSet, Service, plan, read};
use crate::domain::audit::AuditEvent;
use crate::domain::change_set::{Approval, ChangeSet, ChangeSetState, Decision};
use crate::domain::error::{Error, Result};
use crate::domain::plan::AffectedVhosts;
use crate::domain::{Action, Grant, Hostname, Kind, Name, Principal, Revision, Role, Snapshot, Subject, Vhost};
use crate::store::NewChangeSet;

/// The protected vhosts that changes touch, as they were or as they are to be: themselves, by a policy or IP list that they use, or by a
/// hostname that their wildcard would get.
pub fn touched(snapshot: &Snapshot, changes: &[Change]) -> BTreeSet<Name> {
    let after = changes.iter().filter_map(|change| Object::vhost(change.after.as_ref()));
    let mut guarded: Vec<&Vhost> = snapshot.protected().chain(after.filter(|vhost| vhost.protected)).collect();
    if guarded.is_empty() {
        return BTreeSet::new();
    }
    guarded.sort_by(|a, b| a.name.cmp(&b.name));
    let changed: BTreeSet<(Kind, &Name)> = changes.iter().map(|change| (change.kind, &change.name)).collect();
    let hostnames: BTreeSet<Hostname> = changes.iter().flat_map(moved).filter_map(|hostname| wildcard_over(&hostname)).collect();
    let is_touched = |vhost: &&Vhost| {
        changed.contains(&(Kind::Vhost, &vhost.name))
            || vhost.policies().any(|(_, name)| changed.contains(&(Kind::Policy, name)))
            || vhost.access.references().any(|(_, name)| changed.contains(&(Kind::IpList, name)))
            || vhost.hostnames.iter().any(|hostname| hostnames.contains(hostname))
    };
    guarded.into_iter().filter(is_touched).map(|vhost| vhost.name.clone()).collect()
}

/// Hostnames that a vhost has on one side of a change only.
fn moved(change: &Change) -> BTreeSet<Hostname> {
    let of = |object: &Option<Object>| -> BTreeSet<Hostname> {
        Object::vhost(object.as_ref()).into_iter().flat_map(|vhost| vhost.hostnames.iter().cloned()).collect()
    };
    of(&change.before).symmetric_difference(&of(&change.after)).cloned().collect()
}

/// What somebody has looked at before saying yes.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Of the change set.
    pub version: i64,
    pub plan_digest: String,
}

impl Service {
    /// What a direct write or a rollback comes to, as a change set that waits. An equal one of the same owner that waits already, or is
    /// approved, is that.
    pub(super) async fn submit_work(
        &self,
        caller: &Caller,
        work: &Work,
        message: String,
        rollback_to: Option<Revision>,
    ) -> Result<ChangeSet> {
        let (head, now) = (self.head(), micros(self.now()));
        let warrant = self.warrant(caller, if rollback_to.is_some() { Purpose::Rollback } else { Purpose::Edit });
        let changes = warrant.try_on(work, &head, now).map_err(plan::unmade)?.into_changes();
        let protected = touched(&head, &changes);
        if protected.is_empty() {
            return Err(Error::Conflict("whether this wants approval was changed meanwhile; try again".to_owned()));
        }
        let between = |change: &Change| Staged::between(change.kind, &change.name, change.before.as_ref(), change.after.as_ref());
        let staged: Vec<Staged> = changes.iter().map(between).collect();
        self.still_there(caller)?;
        let digest = self.plan_digest(caller, &warrant, &head, &Work::Staged(staged.clone())).await?;
        if let Some(twin) = self.twin(caller, &digest, None).await? {
            return Ok(twin);
        }
        let mut change_set = self.new_change_set(caller, message, head.revision).await?;
        staged.iter().for_each(|one| change_set.counts.add(one.change()));
        change_set.rollback_to = rollback_to;
        self.wait_for_approval(caller, &mut change_set, &protected, digest);
        self.audit(caller, event("change_set.submitted", &change_set, "")).await?;
        let rows = staged.iter().map(|one| row(one, change_set.version)).collect();
        self.inner.store.create_change_set(&NewChangeSet { change_set: change_set.clone(), staged: rows }).await?;
        self.told(&change_set);
        Ok(change_set)
    }

    /// A change set of the caller's was to be committed, and must wait. Where an equal one of theirs waits already, or is approved, that is
    /// given back, and this one is discarded: a pipeline that runs again asks for the same thing.
    pub(super) async fn submit(&self, caller: &Caller, view: &View, protected: &BTreeSet<Name>, message: &str) -> Result<ChangeSet> {
        self.still_there(caller)?;
        let warrant = self.warrant(caller, purpose(&view.change_set));
        let digest = self.plan_digest(caller, &warrant, &self.head(), &Work::Staged(view.staged.clone())).await?;
        let waits = |approval: &Approval| approval.plan_digest == digest && approval.decision.is_none();
        let same = message == view.change_set.message;
        if same && view.change_set.state == ChangeSetState::AwaitingApproval && view.change_set.approval.as_ref().is_some_and(waits) {
            return Ok(view.change_set.clone());
        }
        let twin = self.twin(caller, &digest, Some(view.change_set.id)).await?;
        let mut change_set = view.change_set.clone();
        message.clone_into(&mut change_set.message);
        if twin.is_some() {
            change_set.state = ChangeSetState::Discarded;
        } else {
            self.wait_for_approval(caller, &mut change_set, protected, digest);
            self.audit(caller, event("change_set.submitted", &change_set, "")).await?;
        }
        let saved = self.save(change_set, &[], &[], false).await?;
        Ok(twin.unwrap_or(saved))
    }

    /// One of the caller's own that waits or is approved, and would do the very same.
    async fn twin(&self, caller: &Caller, digest: &str, but: Option<Uuid>) -> Result<Option<ChangeSet>> {
        let states = [ChangeSetState::AwaitingApproval, ChangeSetState::Approved];
        let own = self.inner.store.change_sets(&caller.principal.identity(), &states, None, read::bounded(500)).await?;
        let same = |one: &ChangeSet| Some(one.id) != but && one.approval.as_ref().is_some_and(|approval| approval.plan_digest == digest);
        Ok(own.into_iter().find(same))
    }

    /// Whether who said yes could say it today: they may still have made all of it.
    pub(super) fn still_approved(&self, approval: &Approval, view: &View) -> bool {
        let decision = approval.decision.as_ref().filter(|decision| decision.approved);
        let Some(grant) = decision.and_then(|decision| self.inner.people.decider(&decision.by, decision.at)) else { return false };
        let work = Work::Staged(view.staged.clone());
        self.warrant_of(&grant, Purpose::Edit).try_on(&work, &self.head(), micros(self.now())).is_ok()
    }

    /// What was approved is no longer what would happen: it waits anew.
    pub(super) async fn lapse(&self, caller: &Caller, view: &View) -> Result<ChangeSet> {
        let (head, work) = (self.head(), Work::Staged(view.staged.clone()));
        let warrant = self.warrant(caller, purpose(&view.change_set));
        let now = micros(self.now());
        let protected = touched(&head, &warrant.try_on(&work, &head, now).map_err(plan::unmade)?.into_changes());
        let mut change_set = view.change_set.clone();
        change_set.state = ChangeSetState::AwaitingApproval;
        if let Some(approval) = &mut change_set.approval {
            approval.plan_digest = self.plan_digest(caller, &warrant, &head, &work).await?;
            (approval.requested_at, approval.decision) = (now, None);
            approval.vhosts = AffectedVhosts::of(&protected).names;
        }
        self.audit(caller, event("change_set.lapsed", &change_set, "")).await?;
        self.save(change_set, &[], &[], false).await
    }

    /// Who made a token is known while it is there: what a token that is gone began does not wait for anybody.
    fn still_there(&self, caller: &Caller) -> Result<()> {
        let token = matches!(caller.principal, Principal::Token { .. });
        if !token || self.still(caller) { Ok(()) } else { Err(Error::Unauthenticated) }
    }

    fn wait_for_approval(&self, caller: &Caller, change_set: &mut ChangeSet, protected: &BTreeSet<Name>, plan_digest: String) {
        change_set.state = ChangeSetState::AwaitingApproval;
        change_set.contributors.extend(caller.principal.id().into_iter().chain(self.person_behind(caller)));
        change_set.contributors.extend(Uuid::parse_str(&change_set.owner));
        change_set.contributors.sort();
        change_set.contributors.dedup();
        let vhosts = AffectedVhosts::of(protected).names;
        change_set.approval = Some(Approval { vhosts, plan_digest, requested_at: micros(self.now()), decision: None });
    }

    /// Whether the caller is one who says yes to some changes of others: a person, never a token.
    fn reviews(&self, caller: &Caller) -> bool {
        matches!(caller.principal, Principal::User { .. }) && self.authorize(&caller.principal, Action::Read, "approval", None).is_ok()
    }

    /// Whether they say yes to whatever changes of others.
    pub(super) fn reviews_all(&self, caller: &Caller) -> bool {
        let all = |grant: &Arc<Grant>| grant.everywhere(Action::Update, Subject::Approval) && grant.has_global(Role::Editor);
        self.reviews(caller) && caller.principal.grant().is_none_or(all)
    }

    /// One of somebody else's that waits or is approved, if the caller could have made all of it.
    pub(super) async fn change_set_to_review(&self, caller: &Caller, id: Uuid) -> Result<Option<ChangeSet>> {
        if !self.reviews(caller) {
            return Ok(None);
        }
        let Some(found) = self.inner.store.change_set_to_review(id).await? else { return Ok(None) };
        Ok(self.may_review(caller, &found).await?.then_some(found))
    }

    async fn may_review(&self, caller: &Caller, change_set: &ChangeSet) -> Result<bool> {
        if self.reviews_all(caller) {
            return Ok(true);
        }
        let view = match self.load_view(change_set.clone()).await {
            // Too old to be looked at, and to be committed.
            Err(Error::Gone(_)) => return Ok(false),
            view => view?,
        };
        // As it was, and as it is: what has left their scope since is not theirs to look at.
        let targets = || view.staged.iter().map(|one| (one.kind, &one.name));
        let today = self.warrant(caller, Purpose::Edit).touch(&self.head(), targets());
        match today.and_then(|()| self.may_stage(caller, &view, &view.staged)) {
            Ok(()) => Ok(true),
            Err(Error::Forbidden | Error::NotFound { .. } | Error::Invalid(_) | Error::Gone(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Those of others that the caller may say yes or no to, or has, newest first; `before` is the id of the last one of the page before.
    pub async fn change_sets_to_review(&self, caller: &Caller, before: Option<Uuid>, limit: usize) -> Result<Vec<ChangeSet>> {
        self.authorize(&caller.principal, Action::Read, "approval", None)?;
        if !self.reviews(caller) {
            return Err(Error::Forbidden);
        }
        let (mut out, mut before) = (Vec::new(), before);
        while out.len() < limit {
            let page = self.inner.store.change_sets_to_review(&caller.principal.identity(), before, read::bounded(limit)).await?;
            let Some(last) = page.last() else { break };
            before = Some(last.id);
            for change_set in page {
                if out.len() < limit && self.may_review(caller, &change_set).await? {
                    out.push(self.change_set_for(caller, change_set));
                }
            }
        }
        Ok(out)
    }

    /// Whether the owner of a change set is somebody who is there.
    fn may_still_write(&self, owner: &str) -> bool {
        Uuid::parse_str(owner).is_ok_and(|id| self.token_is_there(id) || self.inner.people.is_there(id))
    }

    /// What a reviewer decides about, if they may.
    async fn under_review(&self, caller: &Caller, id: Uuid) -> Result<Arc<View>> {
        self.authorize(&caller.principal, Action::Update, "approval", None)?;
        if !matches!(caller.principal, Principal::User { .. }) {
            return Err(Error::Forbidden);
        }
        let view = self.view_of(caller, id).await?;
        if view.change_set.contributors.contains(&caller.principal.id().unwrap_or_default())
            || view.change_set.owner == caller.principal.identity()
        {
            return Err(Error::OwnChange);
        }
        if view.change_set.state != ChangeSetState::AwaitingApproval {
            return Err(Error::Conflict(format!("the change set is {}: there is nothing to decide", view.change_set.state.as_str())));
        }
        // Who decides could have written it, on the state that is there now.
        let work = Work::Staged(view.staged.clone());
        self.warrant(caller, Purpose::Edit).try_on(&work, &self.head(), micros(self.now())).map_err(plan::unmade)?;
        Ok(view)
    }

    /// Says yes to this version of a change set of somebody else, to do what the plan with this digest says, and with `commit` commits it.
    pub async fn approve(&self, caller: &Caller, id: Uuid, seen: &Seen, reason: &str, commit: bool) -> Result<Batched> {
        check_message("/reason", reason)?;
        let _turn = self.inner.views.turn(id).await;
        let view = self.under_review(caller, id).await?;
        if view.change_set.version != seen.version {
            let (now, then) = (view.change_set.version, seen.version);
            return Err(Error::Conflict(format!("the change set is at version {now}, and you have seen version {then}: look at it again")));
        }
        if !self.may_still_write(&view.change_set.owner) {
            let words =
                "whoever wrote it may sign in no more, or their token is gone: look at it twice, and reject it or write it yourself";
            return Err(Error::Conflict(words.to_owned()));
        }
        let warrant = self.warrant(caller, Purpose::Edit);
        let digest = self.plan_digest(caller, &warrant, &self.head(), &Work::Staged(view.staged.clone())).await?;
        if digest != seen.plan_digest {
            return Err(Error::PlanChanged);
        }
        let change_set = self.decide(caller, &view, Some(digest), reason).await?;
        if !commit {
            return Ok(Batched::Staged(Box::new(self.change_set_for(caller, change_set))));
        }
        let view = self.load_view(change_set).await?;
        self.commit_view(caller, &view, None, None).await.map(Box::new).map(Batched::Committed)
    }

    /// Says no: it is open again, for its owner to mend.
    pub async fn reject(&self, caller: &Caller, id: Uuid, reason: &str) -> Result<ChangeSet> {
        check_message("/reason", reason)?;
        let _turn = self.inner.views.turn(id).await;
        let view = self.under_review(caller, id).await?;
        let change_set = self.decide(caller, &view, None, reason).await?;
        Ok(self.change_set_for(caller, change_set))
    }

    /// `yes`: the digest of the plan that is approved.
    async fn decide(&self, caller: &Caller, view: &View, yes: Option<String>, reason: &str) -> Result<ChangeSet> {
        let approved = yes.is_some();
        let mut change_set = view.change_set.clone();
        change_set.state = if approved { ChangeSetState::Approved } else { ChangeSetState::Open };
        if let Some(approval) = &mut change_set.approval {
            let by = super::rows::author(caller);
            approval.decision = Some(Decision { by, at: micros(self.now()), approved, reason: reason.to_owned() });
            if let Some(digest) = yes {
                approval.plan_digest = digest;
            }
        }
        let action = if approved { "change_set.approved" } else { "change_set.rejected" };
        self.audit(caller, event(action, &change_set, reason)).await?;
        self.save(change_set, &[], &[], false).await
    }

    /// How it is told that something waits: as the caller may know it.
    pub(super) fn awaiting(&self, caller: &Caller, change_set: ChangeSet) -> Error {
        Error::AwaitingApproval(Box::new(self.change_set_for(caller, change_set)))
    }

    /// Commits what waits and is approved as `twin`, in the place of an equal one.
    pub(super) async fn commit_twin(&self, caller: &Caller, twin: ChangeSet) -> Result<CommittedSet> {
        let _turn = self.inner.views.turn(twin.id).await;
        let view = self.view_of(caller, twin.id).await?;
        if view.change_set.state != ChangeSetState::Approved {
            return Err(self.awaiting(caller, view.change_set.clone()));
        }
        self.commit_view(caller, &view, None, None).await
    }
}

/// By which rights it is committed.
pub fn purpose(change_set: &ChangeSet) -> Purpose {
    if change_set.rollback_to.is_some() { Purpose::Rollback } else { Purpose::Edit }
}

fn event(action: &'static str, change_set: &ChangeSet, reason: &str) -> AuditEvent {
    let approval = change_set.approval.as_ref();
    let after = json!({
        "author": change_set.author, "message": change_set.message, "base": change_set.base, "reason": reason,
        "vhosts": approval.map(|approval| &approval.vhosts), "plan_digest": approval.map(|approval| &approval.plan_digest),
    });
    AuditEvent { action, kind: "change_set", name: change_set.id.to_string(), after: Some(after), ..AuditEvent::default() }
}
