//! Puts the layers together: the one place that knows all of them. `serve` and `demo` differ in who starts the engines, not in this.

use std::sync::Arc;
use std::time::Duration;

use anyhow::anyhow;
use metrics_exporter_prometheus::PrometheusHandle;
use time::OffsetDateTime;
use tokio::net::TcpListener;

use super::demo::load;
use super::failure::Failure;
use crate::compile::{self, NodeSettings};
use crate::config::Settings;
use crate::dataplane::{EngineStatus, Node};
use crate::domain::snapshot::ListState;
use crate::domain::{Entry, IpList, Policy, Revision, Snapshot, Versioned, Vhost};
use crate::render::{self, Bundle};
use crate::telemetry::clock;

/// Stands for the store until its branch is merged.
pub struct Store;
impl Store {
    pub async fn close(&self) {}
}

/// The OpenAPI document, as JSON with a newline at its end.
pub fn openapi() -> String {
    "{}\n".to_owned()
}

/// Compiles and renders.
pub fn bundle(snapshot: &Snapshot, node: &NodeSettings) -> anyhow::Result<Arc<Bundle>> {
    let desired = compile::compile(snapshot, node, clock::system()());
    Ok(Arc::new(render::render(&desired, node, None)?))
}

/// A snapshot of the demo's examples, as if they had been written.
pub fn sample_snapshot() -> anyhow::Result<Snapshot> {
    let mut snapshot = Snapshot::default();
    snapshot.revision = 1;
    let now = OffsetDateTime::UNIX_EPOCH;
    for (number, (kind, _, value)) in (1..).zip(load::examples(8001)) {
        fn versioned<T>(number: u32, spec: T, revision: Revision, now: OffsetDateTime) -> Versioned<T> {
            let id = uuid::Uuid::from_u128(u128::from(number));
            Versioned { id, number, spec, revision, created_at: now, updated_at: now, elements: Arc::default() }
        }
        let revision = snapshot.revision;
        match kind {
            "policies" => {
                let policy = serde_json::from_value::<Policy>(value)?.complete()?;
                snapshot.policies.insert(policy.name.clone(), Arc::new(versioned(number, policy, revision, now)));
            }
            "ip-lists" => {
                let list = serde_json::from_value::<IpList>(value)?;
                let entries: Vec<Entry> = serde_json::from_value(load::entries()["add"].clone())?;
                let entries = entries.into_iter().map(|entry| (entry.network, entry)).collect();
                let state = ListState { list: versioned(number, list, revision, now), entries: Arc::new(entries) };
                snapshot.ip_lists.insert(state.list.spec.name.clone(), Arc::new(state));
            }
            _ => snapshot.put_vhost(Arc::new(versioned(number, serde_json::from_value::<Vhost>(value)?.complete()?, revision, now))),
        }
    }
    Ok(snapshot)
}

/// Connects to the database.
pub async fn connect(settings: &Settings) -> Result<Store, Failure> {
    if settings.database.url.is_empty() {
        return Err(Failure::user("`database.url` is not set")
            .hint("set it in the settings file, or by GUARD_PROXY_DATABASE__URL: postgres://guard_proxy:PASSWORD@127.0.0.1/guard_proxy"));
    }
    Ok(Store)
}

/// Applies what is missing; says what it did.
pub async fn migrate(_store: &Store) -> Result<Vec<String>, Failure> {
    Ok(Vec::new())
}

pub async fn check_migrations(_store: &Store) -> Result<(), Failure> {
    Ok(())
}

/// What the engines say of themselves.
pub async fn engine_status(settings: &Settings) -> EngineStatus {
    Node::new(settings.dataplane_settings()).engine_status().await
}

/// Writes a release from nothing where there is none, so that the engines can be started before anything was applied.
pub async fn first_release(settings: &Settings) -> Result<(), Failure> {
    let node = Node::new(settings.dataplane_settings());
    let bundle = bundle(&Snapshot::default(), &settings.node_settings())?;
    node.ensure_release(&bundle).await.map_err(|error| Failure::Internal(anyhow!(error).context("writing the first release")))
}

/// The control plane, running.
pub struct Running {
    /// The administrator's token, where this start made one.
    pub token: Option<String>,
}

impl Running {
    /// Ends only by a failure: a part of the control plane ended by itself.
    pub async fn ended(&mut self) -> Failure {
        std::future::pending().await
    }

    /// Waits until the newest revision is live.
    pub async fn wait_live(&self, _patience: Duration) -> Result<(), Failure> {
        Ok(())
    }

    pub async fn stop(self) {}
}

pub async fn start(
    _settings: &Settings,
    _store: Store,
    _listener: TcpListener,
    _given: Option<String>,
    _metrics: PrometheusHandle,
) -> Result<Running, Failure> {
    Ok(Running { token: None })
}
