//! One revision, from pending to its end; and where to begin after a start.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::build::{Built, Failure, build};
use super::record::{Quiet, Recorder};
use super::seams::{Engines, Journal};
use super::{Live, Reconciler, with};
use crate::dataplane::{Outcome, Progress as _, Report};
use crate::domain::deployment::{Deployment, DeploymentState};
use crate::domain::error::Result;
use crate::domain::{ModeOverrides, Revision, Snapshot};
use crate::render::{Bundle, templates_digest};

impl<J: Journal, E: Engines> Reconciler<J, E> {
    /// Picks up where the last process stopped. False where it was cancelled first.
    pub(super) async fn begin(&mut self, cancel: &CancellationToken) -> bool {
        loop {
            let begun = self.pick_up().await;
            match begun {
                Ok(()) => return true,
                Err(error) => tracing::warn!(%error, "reconcile.start: trying again"),
            }
            tokio::select! {
                () = cancel.cancelled() => return false,
                () = tokio::time::sleep(Duration::from_secs(1)) => {}
            }
        }
    }

    async fn pick_up(&mut self) -> Result<()> {
        let (open, last) = self.journal.last_deployments().await?;
        if let Some(mut open) = open {
            // Whatever became of it: a new attempt finds out from the engines.
            "the process that worked on it ended; a new deployment takes its place".clone_into(&mut open.said);
            self.end(&mut open, DeploymentState::Superseded).await?;
        }
        self.last_good = last.as_ref().map(|last| last.revision);
        let head = self.journal.watch_head().borrow().clone();
        let release = self.engines.current_release().await;
        let current = release.unwrap_or_else(|error| {
            tracing::error!(%error, "reconcile.start: the current release cannot be read, it will be written anew");
            None
        });
        match (current, last) {
            (None, None) => self.first_release(&head).await,
            // What was live, not what nobody has seen yet.
            (None, Some(last)) => {
                let snapshot = self.journal.snapshot_at(last.revision).await;
                let snapshot = snapshot.unwrap_or_else(|error| {
                    tracing::warn!(%error, revision = last.revision, "reconcile.start: the newest revision's release is written");
                    head.clone()
                });
                self.first_release(&snapshot).await;
            }
            // Written by a start that found nothing it could read.
            (Some((revision, _)), Some(last)) if revision < last.revision && last.revision == head.revision => {
                self.first_release(&head).await;
            }
            // The newest may be refused: first the last good state must be the one that is kept then.
            (Some((_, digest)), Some(last)) if last.revision < head.revision && digest != last.bundle_digest => {
                tracing::warn!(
                    revision = last.revision,
                    "reconcile.start: the current release is not the last good one, going back to it first"
                );
                self.go_back(last.revision).await?;
            }
            _ => {}
        }
        Ok(())
    }

    /// So that the engines can be started at all.
    async fn first_release(&self, head: &Arc<Snapshot>) {
        let head = &with(head, &self.journal.watch_mode_overrides().borrow());
        let built = build(head, self.engines.settings(), self.journal.now(), None).await;
        let Ok(bundle) = built.bundle else { return };
        if let Err(error) = self.engines.keep_release(&bundle).await {
            tracing::error!(%error, "reconcile.start: a first release could not be written");
        }
    }

    /// A revision brought again, with these emergency modes. No deployment: nothing is decided about it. None where it cannot be built.
    async fn bring_again(&mut self, revision: Revision, overrides: &Arc<ModeOverrides>) -> Result<Option<(Arc<Bundle>, Report)>> {
        let snapshot = with(&self.journal.snapshot_at(revision).await?, overrides);
        let previous = self.live.as_ref().map(|live| live.bundle.clone());
        let built = build(&snapshot, self.engines.settings(), self.journal.now(), previous.clone()).await;
        let Ok(bundle) = built.bundle else { return Ok(None) };
        let report = self.engines.apply(&bundle, previous.as_ref(), &Quiet).await;
        if matches!(report.outcome, Outcome::Live) {
            let (bundle, overrides) = (bundle.clone(), Arc::clone(overrides));
            self.live = Some(Live { revision, bundle, overrides, next_expiry: built.next_expiry });
        }
        Ok(Some((bundle, report)))
    }

    /// What is live, with the emergency modes of now.
    pub(super) async fn keep_up(&mut self, overrides: &Arc<ModeOverrides>) {
        self.kept_up = Some(Instant::now());
        let Some(revision) = self.live.as_ref().map(|live| live.revision).or(self.last_good) else { return };
        let report = match self.bring_again(revision, overrides).await {
            Ok(Some((_, report))) => report,
            Ok(None) => return,
            Err(error) => return tracing::error!(%error, revision, "reconcile.emergency: what is live cannot be read"),
        };
        match report.outcome {
            Outcome::Live => tracing::warn!(revision, "reconcile.emergency: what is live follows its emergency modes, the head does not"),
            Outcome::Refused { said, .. } | Outcome::Retry { said } => tracing::error!(revision, said, "reconcile.emergency: not yet"),
        }
        if let Err(error) = self.journal.save_proofs(report.proofs).await {
            tracing::warn!(%error, "reconcile.proofs: not stored");
        }
    }

    async fn go_back(&mut self, revision: Revision) -> Result<()> {
        let overrides = self.journal.watch_mode_overrides().borrow().clone();
        let Some((bundle, report)) = self.bring_again(revision, &overrides).await? else { return Ok(()) };
        match report.outcome {
            Outcome::Live => {}
            Outcome::Refused { said, .. } | Outcome::Retry { said } => {
                tracing::error!(
                    revision,
                    said,
                    "reconcile.start: the last good revision could not be brought back; going on with the newest"
                );
                // An engine that is away can be started from it at least.
                if let Err(error) = self.engines.keep_release(&bundle).await {
                    tracing::error!(%error, revision, "reconcile.start: nor could its release be written");
                }
            }
        }
        Ok(())
    }

    /// One attempt at the head.
    pub(super) async fn bring(&mut self, head: &Arc<Snapshot>) {
        if self.tried != head.revision {
            self.tried = head.revision;
            self.settled();
        }
        let deployment = match self.deployment_for(head.revision).await {
            Ok(deployment) => deployment,
            Err(error) => {
                // What could not be remembered is not begun.
                tracing::warn!(%error, revision = head.revision, "reconcile.deployment: could not be opened");
                self.back_off();
                return;
            }
        };
        let previous = self.live.as_ref().map(|live| live.bundle.clone());
        let built = build(head, self.engines.settings(), self.journal.now(), previous.clone()).await;
        self.bring_built(head, deployment, built, previous).await;
    }

    async fn bring_built(&mut self, head: &Snapshot, mut deployment: Deployment, built: Built, previous: Option<Arc<Bundle>>) {
        let revision = head.revision;
        deployment.attempts += 1;
        deployment.state = DeploymentState::Validating;
        let Built { bundle, next_expiry, steps } = built;
        if let Ok(bundle) = &bundle {
            deployment.bundle_digest.clone_from(&bundle.digest);
            deployment.made_with = self.made_with();
        }
        let recorder = Recorder::start(self.journal.clone(), deployment.clone());
        steps.into_iter().for_each(|step| recorder.step(step));
        let report = match &bundle {
            Ok(bundle) => Ok(self.engines.apply(bundle, previous.as_ref(), &recorder).await),
            Err(Failure { said, errors }) => Err((said.clone(), errors.clone())),
        };
        let (outcome, proofs) = match report {
            Ok(report) => {
                deployment.lanes = report.lanes;
                (report.outcome, report.proofs)
            }
            Err((said, errors)) => (Outcome::Refused { said, errors }, vec![]),
        };
        deployment.said.clear();
        deployment.errors.clear();
        match &outcome {
            Outcome::Live => deployment.state = DeploymentState::Live,
            Outcome::Refused { said, errors } => {
                deployment.state = DeploymentState::Refused;
                deployment.said.clone_from(said);
                deployment.errors.clone_from(errors);
            }
            Outcome::Retry { said } => {
                deployment.state = DeploymentState::Retrying;
                deployment.said.clone_from(said);
            }
        }
        deployment.ended_at = deployment.state.ended().then(|| self.journal.now());
        let live = matches!(outcome, Outcome::Live);
        if live && let Err(error) = self.journal.save_proofs(proofs).await {
            tracing::warn!(%error, "reconcile.proofs: not stored");
        }
        let deployment = recorder.end(deployment).await;
        // It was asked for now and then; what a deployment has just found out is newer.
        let status = self.engines.engine_status().await;
        self.journal.set_engine_status(status);
        match outcome {
            Outcome::Live => {
                tracing::info!(revision, lanes = ?deployment.lanes, "reconcile.live");
                if let Ok(bundle) = bundle {
                    self.live = Some(Live { revision, bundle, overrides: Arc::clone(&head.overrides), next_expiry });
                }
                self.refused = None;
                self.refusals = 0;
                self.retrying = None;
                self.settled();
            }
            Outcome::Refused { said, .. } => {
                let kept = self.live.as_ref().map(|live| live.revision);
                tracing::error!(revision, said, kept, "reconcile.refused: the last good state stays; the next write is tried");
                self.refused = Some(revision);
                self.refusals += 1;
                self.retrying = None;
                self.settled();
                // What is kept must be known, to be watched over.
                if self.live.is_none()
                    && let Some(last) = self.last_good.filter(|last| *last != revision)
                    && let Err(error) = self.go_back(last).await
                {
                    tracing::error!(%error, last, "reconcile.refused: the last good revision could not be read");
                }
                self.take_back(&deployment).await;
            }
            Outcome::Retry { said } => {
                tracing::warn!(revision, said, attempts = deployment.attempts, "reconcile.retrying");
                self.retrying = Some(deployment);
                self.back_off();
            }
        }
    }

    /// The one that is being retried, or a new one in its place.
    async fn deployment_for(&mut self, revision: Revision) -> Result<Deployment> {
        if let Some(retrying) = self.retrying.as_mut() {
            if retrying.revision == revision {
                return Ok(retrying.clone());
            }
            let mut old = retrying.clone();
            self.end(&mut old, DeploymentState::Superseded).await?;
            self.retrying = None;
        }
        self.journal.open_deployment(revision).await
    }

    async fn end(&self, deployment: &mut Deployment, state: DeploymentState) -> Result<()> {
        deployment.state = state;
        deployment.ended_at = Some(self.journal.now());
        self.journal.save_deployment(deployment).await
    }

    fn made_with(&self) -> BTreeMap<String, String> {
        let mut made = self.journal.engine_status().versions.clone();
        made.insert("guard_proxy".to_owned(), env!("CARGO_PKG_VERSION").to_owned());
        made.insert("templates".to_owned(), templates_digest().to_owned());
        made
    }
}
