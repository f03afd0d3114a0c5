//! Puts the layers together: the one place that knows all of them. `serve` and `demo` differ in who starts the engines, not in this.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use metrics_exporter_prometheus::PrometheusHandle;
use time::OffsetDateTime;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::demo::load;
use super::failure::Failure;
use super::people;
use crate::api::tls::{Tls, TlsFiles};
use crate::api::{self, ApiState};
use crate::compile::{self, NodeSettings};
use crate::config::Settings;
use crate::dataplane::{EngineStatus, Node};
use crate::domain::audit::{AuditPlace, AuditVerdict};
use crate::domain::snapshot::ListState;
use crate::domain::{Entry, Error, IpList, Policy, Revision, Snapshot, Versioned, Vhost};
use crate::reconcile;
use crate::render::{self, Bundle};
use crate::service::{Link, Service, Waited};
use crate::store::{MIGRATOR, Store, StoreSettings};
use crate::telemetry::{self, clock};

/// The OpenAPI document, as JSON with a newline at its end.
pub fn openapi() -> String {
    api::openapi_json()
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

/// An error of the layers below as a failure of a command: what the caller can mend, or ours.
pub fn failure(error: Error) -> Failure {
    match error {
        Error::Internal(_) => Failure::Internal(anyhow!(error)),
        error => Failure::user(error.to_string()),
    }
}

/// Connects to the database.
pub async fn connect(settings: &Settings) -> Result<Store, Failure> {
    if settings.database.url.is_empty() {
        return Err(Failure::user("`database.url` is not set")
            .hint("set it in the settings file, or by GUARD_PROXY_DATABASE__URL: postgres://guard_proxy:PASSWORD@127.0.0.1/guard_proxy"));
    }
    let store_settings = StoreSettings {
        connections: settings.database.max_connections,
        acquire_timeout: Duration::from_millis(settings.database.acquire_timeout_ms),
        ..StoreSettings::default()
    };
    Store::connect(settings.database.url.reveal(), &store_settings)
        .await
        .map_err(|error| failure(error).hint("is PostgreSQL up, and is `database.url` right? Host, port, database and role are in it"))
}

/// Applies what is missing; says what it did.
pub async fn migrate(store: &Store) -> Result<Vec<String>, Failure> {
    let before = store.check_migrations().await;
    store.migrate().await.map_err(|error| failure(error).hint("look at the database's own log; nothing else was changed"))?;
    store.check_migrations().await.map_err(failure)?;
    let count = MIGRATOR.iter().filter(|migration| migration.migration_type.is_up_migration()).count();
    Ok(match before {
        Ok(()) => vec![format!("nothing to do: all {count} migrations were applied before")],
        Err(_) => vec![format!("done: all {count} migrations are applied")],
    })
}

pub async fn check_migrations(store: &Store) -> Result<(), Failure> {
    store
        .check_migrations()
        .await
        .map_err(|error| failure(error).hint("`guard-proxy migrate` applies what is missing, as does `serve --migrate`"))
}

/// Looks along the whole audit log, behind a place that is known.
pub async fn verify_audit(store: &Store, mut after: AuditPlace) -> Result<AuditVerdict, Failure> {
    let mut checked = 0;
    loop {
        let mut verdict = store.verify_audit(after, 100_000).await.map_err(failure)?;
        checked += verdict.checked;
        if !verdict.ok || verdict.complete || verdict.checked == 0 {
            verdict.checked = checked;
            return Ok(verdict);
        }
        after = verdict.last;
    }
}

/// What the engines say of themselves.
pub async fn engine_status(settings: &Settings) -> EngineStatus {
    Node::new(settings.dataplane_settings()).engine_status().await
}

/// Writes a release from nothing where there is none, so that the engines can be started before anything was applied.
pub async fn first_release(settings: &Settings) -> Result<(), Failure> {
    let node = Node::new(settings.dataplane_settings());
    let bundle = bundle(&Snapshot::default(), &settings.node_settings())?;
    node.ensure_release(&bundle).await.map_err(|error| {
        let message = format!("the first release cannot be written to `{}`: {error}", settings.node.state_dir.display());
        Failure::user(message).hint("the folder must belong to the user that runs guard-proxy")
    })
}

/// The control plane, running.
pub struct Running {
    /// The administrator's token, where this start made one.
    pub token: Option<String>,
    service: Service,
    store: Store,
    cancel: CancellationToken,
    api: JoinHandle<std::io::Result<()>>,
    reconciler: JoinHandle<()>,
    samples: JoinHandle<()>,
    history: JoinHandle<()>,
    certificate: Option<JoinHandle<()>>,
}

/// Once an hour deletes what is older than it is to be kept.
async fn keep_history(service: Service, days: u32) {
    if days == 0 {
        return;
    }
    let mut tick = tokio::time::interval(Duration::from_secs(3600));
    loop {
        tick.tick().await;
        let before = service.now() - time::Duration::days(i64::from(days));
        if let Err(error) = service.prune_history(before).await {
            tracing::warn!(%error, "history was not pruned; tried again in an hour");
        }
    }
}

/// The API's certificate, where one is set.
fn certificate(settings: &Settings) -> Result<Option<Arc<Tls>>, Failure> {
    let api = &settings.api;
    let Some((certificate, key)) = api.tls_certificate.clone().zip(api.tls_key.clone()) else { return Ok(None) };
    let loaded = Tls::load(TlsFiles { certificate, key }).map_err(|why| {
        Failure::user(format!("the API's certificate cannot be used: {why}"))
            .hint("`api.tls_certificate` and `api.tls_key` are PEM files that belong together, and guard-proxy must be able to read them")
    })?;
    Ok(Some(loaded))
}

/// Brings the control plane up: takes the lead of the database, follows its head, answers at `listener`.
pub async fn start(
    settings: &Settings,
    store: Store,
    listener: TcpListener,
    given: Option<&str>,
    metrics: PrometheusHandle,
) -> Result<Running, Failure> {
    // Before anything is taken: a wrong certificate is the operator's to mend.
    let tls = certificate(settings)?;
    let node = Node::new(settings.dataplane_settings());
    let service =
        Service::start_with(store.clone(), Arc::new(node.clone()), settings.node_settings(), clock::system(), people::options(settings)?)
            .await
            .map_err(failure)?;
    let token = service.ensure_admin_token(given).await.map_err(failure)?;

    let cancel = CancellationToken::new();
    let reconciler = tokio::spawn(reconcile::run(service.clone(), node, cancel.clone()));
    let state = ApiState::configured(service.clone(), metrics, people::api_options(settings));
    let (router, stop, shutdown) = (api::router(state.clone()), state.stop.clone(), cancel.clone().cancelled_owned());
    let follow = tls.clone().map(|tls| tokio::spawn(tls.follow()));
    let api = tokio::spawn(api::serve(listener, router, tls, stop, shutdown));
    let observed = service.clone();
    let samples = tokio::spawn(async move {
        let mut tick = tokio::time::interval(Duration::from_secs(5));
        loop {
            tick.tick().await;
            telemetry::observe_process();
            observed.observe();
        }
    });
    let history = tokio::spawn(keep_history(service.clone(), settings.database.history_days));
    Ok(Running { token, service, store, cancel, api, reconciler, samples, history, certificate: follow })
}

impl Running {
    /// The link of the first administrator, where nobody can manage people yet.
    pub async fn first_link(&self) -> Result<Option<Link>, Failure> {
        self.service.first_link().await.map_err(failure)
    }

    /// Ends only by a failure: a part of the control plane ended by itself.
    pub async fn ended(&mut self) -> Failure {
        let what = tokio::select! {
            ended = &mut self.api => match ended {
                Ok(Ok(())) => anyhow!("the API ended by itself"),
                Ok(Err(error)) => anyhow!(error).context("the API"),
                Err(error) => anyhow!(error).context("the API"),
            },
            ended = &mut self.reconciler => match ended {
                Ok(()) => anyhow!("the reconciler ended by itself"),
                Err(error) => anyhow!(error).context("the reconciler"),
            },
        };
        Failure::Internal(what)
    }

    /// Waits until the newest revision is live.
    pub async fn wait_live(&self, patience: Duration) -> Result<(), Failure> {
        let head = self.service.head().revision;
        match self.service.wait_live(head, patience).await {
            Waited::Live { .. } => Ok(()),
            Waited::Refused { deployment } => {
                let said = serde_json::to_string_pretty(&deployment).context("a deployment")?;
                Err(Failure::user(format!("revision {head} was refused:\n{said}")))
            }
            Waited::NotYet { .. } => {
                let status = self.service.engine_status();
                let problems = if status.problems.is_empty() { String::new() } else { format!(": {}", status.problems.join("; ")) };
                Err(Failure::user(format!("revision {head} was not live within {} s{problems}", patience.as_secs())))
            }
        }
    }

    /// Ends what runs, requests at work first.
    pub async fn stop(self) {
        self.cancel.cancel();
        self.samples.abort();
        self.history.abort();
        if let Some(certificate) = &self.certificate {
            certificate.abort();
        }
        // Each has a limit of its own; this one is for what was not thought of.
        let both = futures::future::join(until_end(self.api), until_end(self.reconciler));
        if tokio::time::timeout(Duration::from_secs(12), both).await.is_err() {
            tracing::warn!("the API or the reconciler did not end in time");
        }
        drop(self.service);
        if tokio::time::timeout(Duration::from_secs(2), self.store.close()).await.is_err() {
            tracing::warn!("connections to the database were still at work");
        }
    }
}

async fn until_end<T>(task: JoinHandle<T>) {
    // A task that was polled to its end before (`ended`) must not be polled again.
    if !task.is_finished() {
        let _ = task.await;
    }
}
