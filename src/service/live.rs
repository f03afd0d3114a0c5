//! What became of revisions: deployments, proofs, what is live. Written by the reconciler; what it could not store it has not said.

use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use time::OffsetDateTime;
use uuid::Uuid;

use super::entries::micros;
use super::{Caller, LiveState, Service, Waited};
use crate::dataplane::{EngineStatus, ServerStatus};
use crate::domain::audit::AuditEvent;
use crate::domain::deployment::{Deployment, DeploymentState, Step};
use crate::domain::error::{Error, Result};
use crate::domain::proof::{Proof, ProofState};
use crate::domain::{Action, Name, Revision, Subject};
use crate::store;

/// Taken-back revisions remembered.
pub(super) const TAKEN_BACK: usize = 1000;
/// Refused deployments remembered since the last live one.
const REFUSED: usize = 100;

impl LiveState {
    /// Takes in a deployment as it is now.
    pub(super) fn note(&mut self, deployment: &Deployment) {
        match deployment.state {
            DeploymentState::Live => {
                self.live = self.live.max(deployment.revision);
                let live = self.live;
                self.refused.retain(|revision, _| *revision > live);
            }
            DeploymentState::Refused if deployment.revision > self.live => {
                self.refused.insert(deployment.revision, Arc::new(deployment.clone()));
                while self.refused.len() > REFUSED {
                    self.refused.pop_first();
                }
            }
            _ => {}
        }
        // Ids are in the order of time.
        if self.deployment.as_ref().is_none_or(|last| last.id <= deployment.id) {
            self.deployment = Some(deployment.clone());
        }
    }

    /// What is known of `revision`; None while nothing is decided. A refused deployment decides nothing yet: what is to blame is taken back, and
    /// the others go on their way.
    fn verdict(&self, revision: Revision) -> Option<Decided> {
        if let Some(deployment) = self.taken_back.get(&revision) {
            return Some(Decided::Refused(Arc::clone(deployment)));
        }
        (self.live >= revision).then_some(Decided::Live(self.live))
    }
}

/// What became of a revision.
enum Decided {
    Live(Revision),
    Refused(Arc<Deployment>),
}

impl Service {
    /// Follows `revision` until it is live or refused, or the time is over (1 to 120 s). Refused means that it was taken back; whoever only came
    /// before or behind somebody else's bad change goes live without it.
    pub async fn wait_live(&self, revision: Revision, timeout: Duration) -> Waited {
        let timeout = timeout.clamp(Duration::from_secs(1), Duration::from_secs(120));
        let mut live = self.watch_live();
        let decided = async {
            loop {
                let verdict = live.borrow_and_update().verdict(revision);
                match verdict {
                    Some(Decided::Live(live_revision)) => return Waited::Live { live_revision },
                    Some(Decided::Refused(deployment)) => {
                        return Waited::Refused { deployment: Box::new(Deployment::clone(&deployment)) };
                    }
                    None => {}
                }
                if live.changed().await.is_err() {
                    std::future::pending::<()>().await;
                }
            }
        };
        match tokio::time::timeout(timeout, decided).await {
            Ok(waited) => waited,
            Err(_) => {
                let state = Arc::clone(&self.inner.shared.live.borrow());
                Waited::NotYet { deployment: state.deployment.as_ref().filter(|d| d.revision >= revision).map(|d| d.id) }
            }
        }
    }

    /// These revisions are taken back: whoever waits for one hears of it.
    pub(super) fn note_taken_back(&self, revisions: &BTreeSet<Revision>, deployment: &Deployment) {
        let deployment = Arc::new(deployment.clone());
        self.inner.shared.live.send_modify(|state| {
            let state = Arc::make_mut(state);
            state.taken_back.extend(revisions.iter().map(|revision| (*revision, Arc::clone(&deployment))));
            while state.taken_back.len() > TAKEN_BACK {
                state.taken_back.pop_first();
            }
        });
    }

    /// Newest first; `before` is the id of the last one of the page before.
    pub async fn deployments(
        &self,
        caller: &Caller,
        before: Option<Uuid>,
        state: &[DeploymentState],
        limit: usize,
    ) -> Result<Vec<Deployment>> {
        self.authorize(&caller.principal, Action::Read, "deployment", None)?;
        let found = self.inner.store.deployments(before, state, super::read::bounded(limit)).await?;
        Ok(found.into_iter().map(|deployment| self.deployment_for(caller, deployment)).collect())
    }

    pub async fn deployment(&self, caller: &Caller, id: Uuid) -> Result<Deployment> {
        self.authorize(&caller.principal, Action::Read, "deployment", None)?;
        let found = self.inner.store.deployment(id).await?;
        let found = found.ok_or_else(|| Error::NotFound { kind: "deployment", name: id.to_string() })?;
        Ok(self.deployment_for(caller, found))
    }

    /// What the last probe of a vhost showed; None before the first.
    pub fn proof(&self, caller: &Caller, vhost: &Name) -> Result<Option<Arc<Proof>>> {
        self.authorize(&caller.principal, Action::Read, "vhost", Some(vhost))?;
        let head = self.head_for(caller);
        let held = head.vhosts.get(vhost).ok_or_else(|| Error::NotFound { kind: "vhost", name: vhost.to_string() })?;
        let proofs = self.inner.proofs.read().unwrap_or_else(PoisonError::into_inner);
        // Of this vhost, not of a deleted one that had its name.
        Ok(proofs.get(vhost).filter(|proof| proof.at >= held.created_at).cloned())
    }

    /// The servers of a vhost as HAProxy sees them now, in their order; none until the vhost is live. `Unavailable`: HAProxy does not say.
    pub async fn servers(&self, caller: &Caller, vhost: &str) -> Result<Vec<ServerStatus>> {
        let held = self.vhost(caller, &self.head_for(caller), vhost, Subject::Vhost)?;
        self.inner.engines.servers(held.number).await.map_err(Error::Unavailable)
    }

    /// A new deployment of `revision`, pending; older pending ones become superseded.
    pub async fn open_deployment(&self, revision: Revision) -> Result<Deployment> {
        let now = micros(self.now());
        let deployment = Deployment {
            id: self.inner.shared.id(now),
            revision,
            state: DeploymentState::Pending,
            lanes: Vec::new(),
            created_at: now,
            ended_at: None,
            attempts: 0,
            said: String::new(),
            errors: Vec::new(),
            bundle_digest: String::new(),
            made_with: std::collections::BTreeMap::new(),
            steps: Vec::new(),
        };
        for superseded in self.inner.store.open_deployment(&deployment).await? {
            self.publish_deployment(&superseded);
        }
        self.publish_deployment(&deployment);
        Ok(deployment)
    }

    /// Stores state, lanes, said, errors, attempts, digest, made_with, ended_at as they are in `deployment`, publishes it on the stream and in
    /// `LiveState` (live revision, refused). One that ended without saying when ended now.
    pub async fn save_deployment(&self, deployment: &Deployment) -> Result<()> {
        let mut deployment = deployment.clone();
        deployment.ended_at = deployment.state.ended().then(|| deployment.ended_at.unwrap_or_else(|| micros(self.now())));
        // Told as it is kept.
        deployment.said = store::text(&deployment.said, store::SAID);
        if !self.inner.store.save_deployment(&deployment).await? {
            return Err(Error::NotFound { kind: "deployment", name: deployment.id.to_string() });
        }
        self.publish_deployment(&deployment);
        self.audit_deployment(&deployment).await;
        Ok(())
    }

    async fn audit_deployment(&self, deployment: &Deployment) {
        let action = match deployment.state {
            DeploymentState::Live => "deployment.live",
            DeploymentState::Refused => "deployment.refused",
            _ => return,
        };
        let after = serde_json::json!({
            "state": deployment.state,
            "lanes": deployment.lanes,
            "bundle_digest": deployment.bundle_digest,
            "said": deployment.said,
        });
        let event = AuditEvent {
            action,
            kind: "deployment",
            name: deployment.id.to_string(),
            object_id: Some(deployment.id),
            revision: Some(deployment.revision),
            before: None,
            after: Some(after),
        };
        self.audit_system("reconcile", event).await;
    }

    /// Adds a step, or replaces the one with this number.
    pub async fn save_step(&self, deployment: Uuid, seq: i32, step: &Step) -> Result<()> {
        self.inner.store.save_step(deployment, seq, step).await
    }

    fn publish_deployment(&self, deployment: &Deployment) {
        let head = self.head().revision;
        self.inner.shared.live.send_modify(|state| {
            let state = Arc::make_mut(state);
            state.head = head;
            state.note(deployment);
        });
        self.inner.shared.stream.emit("deployments", serde_json::to_value(deployment).unwrap_or_default());
    }

    /// The deployment that had not ended when the last process stopped, if any, and the last live one.
    pub async fn last_deployments(&self) -> Result<(Option<Deployment>, Option<Deployment>)> {
        let (open, live, _) = self.inner.store.last_deployments().await?;
        Ok((open, live))
    }

    /// Keeps the last proof of each vhost that there is. Only what differs from the one before (state, revision, what was seen) goes to
    /// the stream: thousands of vhosts are probed again and again.
    pub async fn save_proofs(&self, proofs: Vec<Proof>) -> Result<()> {
        let head = self.head();
        let by_vhost: std::collections::BTreeMap<Name, Proof> =
            proofs.into_iter().filter(|p| head.vhosts.contains_key(&p.vhost)).map(|p| (p.vhost.clone(), p)).collect();
        if by_vhost.is_empty() {
            return Ok(());
        }
        let proofs: Vec<Proof> = by_vhost.into_values().collect();
        self.inner.store.save_proofs(&proofs).await?;
        let mut news = Vec::new();
        let unproven: Vec<Name> = {
            let mut known = self.inner.proofs.write().unwrap_or_else(PoisonError::into_inner);
            for proof in proofs {
                let same = |old: &Arc<Proof>| old.state == proof.state && old.revision == proof.revision && old.seen == proof.seen;
                if !known.get(&proof.vhost).is_some_and(same) {
                    news.push(serde_json::to_value(&proof).unwrap_or_default());
                }
                known.insert(proof.vhost.clone(), Arc::new(proof));
            }
            known.retain(|vhost, _| head.vhosts.contains_key(vhost));
            known.values().filter(|p| p.state == ProofState::Unproven).map(|p| p.vhost.clone()).collect()
        };
        self.inner.shared.live.send_if_modified(|state| {
            let mut unproven = unproven;
            unproven.sort();
            let changed = state.unproven != unproven;
            if changed {
                Arc::make_mut(state).unproven = unproven;
            }
            changed
        });
        for proof in news {
            self.inner.shared.stream.emit("proofs", proof);
        }
        Ok(())
    }

    /// What the engines said of themselves when last asked; kept by the reconciler.
    pub fn engine_status(&self) -> Arc<EngineStatus> {
        self.inner.engine_status.load_full()
    }

    pub fn set_engine_status(&self, status: EngineStatus) {
        let told = serde_json::to_value(&status).unwrap_or_default();
        let before = self.inner.engine_status.swap(Arc::new(status));
        if serde_json::to_value(&*before).unwrap_or_default() != told {
            self.inner.shared.stream.emit("status", told);
        }
    }

    pub fn now(&self) -> OffsetDateTime {
        (self.inner.shared.clock)()
    }
}
