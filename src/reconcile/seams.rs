//! What the reconciler calls: the service that remembers, and the node that does.

use std::collections::BTreeSet;
use std::future::Future;
use std::sync::Arc;

use time::OffsetDateTime;
use tokio::sync::watch;
use uuid::Uuid;

use crate::compile::NodeSettings;
use crate::dataplane::{EngineStatus, Node, Progress, Report, Verdict};
use crate::domain::deployment::{Deployment, Step};
use crate::domain::error::Result;
use crate::domain::proof::Proof;
use crate::domain::{ModeOverrides, Name, Principal, Revision, Snapshot};
use crate::render::Bundle;
use crate::service::{Blame, Caller, Service};

/// What remembers. Implemented by the service.
pub trait Journal: Send + Sync + 'static {
    fn watch_head(&self) -> watch::Receiver<Arc<Snapshot>>;
    /// Emergency modes, which are in no snapshot.
    fn watch_mode_overrides(&self) -> watch::Receiver<Arc<ModeOverrides>>;
    fn now(&self) -> OffsetDateTime;
    fn snapshot_at(&self, revision: Revision) -> impl Future<Output = Result<Arc<Snapshot>>> + Send;
    fn open_deployment(&self, revision: Revision) -> impl Future<Output = Result<Deployment>> + Send;
    fn save_deployment(&self, deployment: &Deployment) -> impl Future<Output = Result<()>> + Send;
    fn save_step(&self, deployment: Uuid, seq: i32, step: &Step) -> impl Future<Output = Result<()>> + Send;
    fn save_proofs(&self, proofs: Vec<Proof>) -> impl Future<Output = Result<()>> + Send;
    /// The one that had not ended, and the last live one.
    fn last_deployments(&self) -> impl Future<Output = Result<(Option<Deployment>, Option<Deployment>)>> + Send;
    /// Whose fault a refusal is, of what was written after `live`.
    fn blame(&self, live: Revision, refused: &Deployment) -> impl Future<Output = Result<Blame>> + Send;
    /// Takes these revisions back, all after `live` where none is named; the revision that did, if there is one.
    fn take_back(
        &self,
        live: Revision,
        refused: &Deployment,
        guilty: BTreeSet<Revision>,
    ) -> impl Future<Output = Result<Option<Revision>>> + Send;
    fn set_engine_status(&self, status: EngineStatus);
    fn engine_status(&self) -> Arc<EngineStatus>;
    fn unproven(&self) -> Vec<Name>;
}

/// What does. Implemented by the node.
pub trait Engines: Send + Sync + 'static {
    fn settings(&self) -> &NodeSettings;
    fn apply(&self, bundle: &Arc<Bundle>, previous: Option<&Arc<Bundle>>, progress: &dyn Progress) -> impl Future<Output = Report> + Send;
    /// What the engines say of it before it goes anywhere near traffic.
    fn validate(&self, bundle: &Bundle) -> impl Future<Output = Verdict> + Send;
    /// Makes it what engines would start from, without asking any.
    fn keep_release(&self, bundle: &Arc<Bundle>) -> impl Future<Output = std::io::Result<()>> + Send;
    /// Revision and digest of the release that engines would start from.
    fn current_release(&self) -> impl Future<Output = std::io::Result<Option<(Revision, String)>>> + Send;
    fn drift(&self, bundle: &Bundle) -> impl Future<Output = Option<String>> + Send;
    fn collect(&self) -> impl Future<Output = Vec<String>> + Send;
    fn probe(&self, bundle: &Bundle, vhosts: &BTreeSet<Name>) -> impl Future<Output = Vec<Proof>> + Send;
    fn engine_status(&self) -> impl Future<Output = EngineStatus> + Send;
}

impl Journal for Service {
    fn watch_head(&self) -> watch::Receiver<Arc<Snapshot>> {
        Self::watch_head(self)
    }
    fn watch_mode_overrides(&self) -> watch::Receiver<Arc<ModeOverrides>> {
        Self::watch_mode_overrides(self)
    }
    fn now(&self) -> OffsetDateTime {
        Self::now(self)
    }
    async fn snapshot_at(&self, revision: Revision) -> Result<Arc<Snapshot>> {
        let caller = Caller { principal: Principal::System, request_id: "reconcile".to_owned(), address: None };
        Self::snapshot_at(self, &caller, revision).await
    }
    async fn open_deployment(&self, revision: Revision) -> Result<Deployment> {
        Self::open_deployment(self, revision).await
    }
    async fn save_deployment(&self, deployment: &Deployment) -> Result<()> {
        Self::save_deployment(self, deployment).await
    }
    async fn save_step(&self, deployment: Uuid, seq: i32, step: &Step) -> Result<()> {
        Self::save_step(self, deployment, seq, step).await
    }
    async fn save_proofs(&self, proofs: Vec<Proof>) -> Result<()> {
        Self::save_proofs(self, proofs).await
    }
    async fn last_deployments(&self) -> Result<(Option<Deployment>, Option<Deployment>)> {
        Self::last_deployments(self).await
    }
    async fn blame(&self, live: Revision, refused: &Deployment) -> Result<Blame> {
        Self::blame(self, live, refused).await
    }
    async fn take_back(&self, live: Revision, refused: &Deployment, guilty: BTreeSet<Revision>) -> Result<Option<Revision>> {
        Self::take_back(self, live, refused, guilty).await
    }
    fn set_engine_status(&self, status: EngineStatus) {
        Self::set_engine_status(self, status);
    }
    fn engine_status(&self) -> Arc<EngineStatus> {
        Self::engine_status(self)
    }
    fn unproven(&self) -> Vec<Name> {
        self.watch_live().borrow().unproven.clone()
    }
}

impl Engines for Node {
    fn settings(&self) -> &NodeSettings {
        &Self::settings(self).node
    }
    async fn apply(&self, bundle: &Arc<Bundle>, previous: Option<&Arc<Bundle>>, progress: &dyn Progress) -> Report {
        Self::apply(self, bundle, previous, progress).await
    }
    async fn validate(&self, bundle: &Bundle) -> Verdict {
        Self::validate(self, bundle).await
    }
    async fn keep_release(&self, bundle: &Arc<Bundle>) -> std::io::Result<()> {
        Self::keep_release(self, bundle).await
    }
    async fn current_release(&self) -> std::io::Result<Option<(Revision, String)>> {
        Self::current_release(self).await
    }
    async fn drift(&self, bundle: &Bundle) -> Option<String> {
        Self::drift(self, bundle).await
    }
    async fn collect(&self) -> Vec<String> {
        Self::collect(self).await
    }
    async fn probe(&self, bundle: &Bundle, vhosts: &BTreeSet<Name>) -> Vec<Proof> {
        Self::probe(self, bundle, vhosts).await
    }
    async fn engine_status(&self) -> EngineStatus {
        Self::engine_status(self).await
    }
}
