//! `/api/v1/status`, `/api/v1/vhosts/{vhost}/status` and `/api/v1/vhosts/{vhost}/upstream/status`: what is live, and what has been seen to be.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::api::extract::{Asker, NoParams, Path, Query};
use crate::api::problem::Problem;
use crate::api::representation::json;
use crate::api::state::ApiState;
use crate::dataplane::{EngineStatus, ServerStatus};
use crate::domain::deployment::Deployment;
use crate::domain::proof::{Proof, ProofState};
use crate::domain::{Action, ModeOverride, Name, Revision, Subject};

pub fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(status)).routes(routes!(vhost_status)).routes(routes!(upstream_status))
}

/// Where everything is.
#[derive(Serialize, ToSchema)]
pub struct Status {
    /// The newest revision.
    head: Revision,
    /// The newest revision that is live and proven; 0 before the first.
    live: Revision,
    /// Whether the newest revision is live.
    current: bool,
    /// The deployment under way, or the last one.
    #[schema(required)]
    deployment: Option<Deployment>,
    /// Revisions refused since the last live one.
    refused: Vec<RefusedRevision>,
    /// Vhosts whose last probe saw something else than expected.
    unproven: Vec<Name>,
    /// Emergency modes in force: these vhosts are not treated as their policies say.
    mode_overrides: Vec<ModeOverride>,
    #[schema(value_type = EngineStatus)]
    engines: Arc<EngineStatus>,
    counts: Counts,
}

/// How many objects are configured.
#[derive(Serialize, ToSchema)]
pub struct Counts {
    vhosts: usize,
    policies: usize,
    ip_lists: usize,
}

/// A revision that an engine said no to.
#[derive(Serialize, ToSchema)]
pub struct RefusedRevision {
    revision: Revision,
    deployment: Uuid,
    /// The engine's own words.
    said: String,
}

/// Read the status
#[utoipa::path(get, path = "/api/v1/status", operation_id = "get_status", tag = "status",
    responses((status = 200, description = "Revisions, deployment, engines.", body = Status)))]
async fn status(State(state): State<ApiState>, asker: Asker, _: Query<NoParams>) -> Result<Response, Problem> {
    state.service.authorize(&asker.principal, Action::Read, "status", None)?;
    let head = state.service.head().revision;
    let snapshot = state.service.head_for(&asker);
    let told = |deployment: &Deployment| state.service.deployment_for(&asker, deployment.clone());
    let live = state.service.watch_live().borrow().clone();
    let refused = live.refused.iter().map(|(revision, deployment)| RefusedRevision {
        revision: *revision,
        deployment: deployment.id,
        said: told(deployment).said,
    });
    let status = Status {
        head,
        live: live.live,
        current: live.live == head,
        deployment: live.deployment.as_ref().map(told),
        refused: refused.collect(),
        unproven: live.unproven.iter().filter(|name| snapshot.vhosts.contains_key(*name)).cloned().collect(),
        mode_overrides: state.service.mode_overrides(&asker),
        engines: state.service.engine_status(),
        counts: Counts { vhosts: snapshot.vhosts.len(), policies: snapshot.policies.len(), ip_lists: snapshot.ip_lists.len() },
    };
    json(StatusCode::OK, &status)
}

/// What is enforced for a vhost, seen and not assumed.
#[derive(Serialize, ToSchema)]
pub struct VhostStatus {
    vhost: Name,
    /// The revision that last changed the vhost.
    revision: Revision,
    /// The newest revision that is live; 0 before the first.
    live_revision: Revision,
    /// Whether the vhost as it is configured is live.
    live: bool,
    /// What the last probe showed, `unproven` while an engine is away; `unprobed` where there was none since the vhost last changed.
    state: ProofState,
    /// The emergency mode in force, if there is one: the vhost is not treated as its policies say.
    #[schema(required)]
    mode_override: Option<ModeOverride>,
    /// The last probe; null before the first.
    #[schema(required, value_type = Option<Proof>)]
    proof: Option<Arc<Proof>>,
}

/// Read a vhost's status
#[utoipa::path(get, path = "/api/v1/vhosts/{vhost}/status", operation_id = "get_vhost_status", tag = "status",
    params(("vhost" = Name, Path)),
    responses((status = 200, description = "Whether it is live, and what the last probe showed.", body = VhostStatus)))]
async fn vhost_status(
    State(state): State<ApiState>,
    asker: Asker,
    Path(name): Path<String>,
    _: Query<NoParams>,
) -> Result<Response, Problem> {
    let held = state.service.vhost(&asker, &state.service.head_for(&asker), &name, Subject::Vhost)?;
    let live_revision = state.service.watch_live().borrow().live;
    let proof = state.service.proof(&asker, &held.spec.name)?;
    let mut seen = proof.as_ref().map_or(ProofState::Unprobed, |proof| proof.state);
    // What an engine that is away would do now is not what the last probe saw.
    if seen == ProofState::Proven && state.service.engine_status().away() {
        seen = ProofState::Unproven;
    }
    // A proof of an older state of the vhost says nothing about this one.
    let stale = proof.as_ref().is_some_and(|proof| proof.revision < held.revision);
    let status = VhostStatus {
        vhost: held.spec.name.clone(),
        revision: held.revision,
        live_revision,
        live: held.revision <= live_revision,
        mode_override: state.service.mode_override_in_force(&held),
        state: if stale { ProofState::Unprobed } else { seen },
        proof,
    };
    json(StatusCode::OK, &status)
}

/// The servers of a vhost, as HAProxy sees them now.
#[derive(Serialize, ToSchema)]
pub struct UpstreamStatus {
    /// In the order of the configuration that is live; none until the vhost is live.
    items: Vec<ServerStatus>,
    total: usize,
}

/// Read the status of a vhost's servers
///
/// HAProxy is asked at once; 503 `unavailable` where it does not answer within 3 s.
#[utoipa::path(get, path = "/api/v1/vhosts/{vhost}/upstream/status", operation_id = "get_upstream_status", tag = "status",
    params(("vhost" = Name, Path)),
    responses((status = 200, description = "Which servers are up, and what their last checks said.", body = UpstreamStatus)))]
async fn upstream_status(
    State(state): State<ApiState>,
    asker: Asker,
    Path(name): Path<String>,
    _: Query<NoParams>,
) -> Result<Response, Problem> {
    let items = state.service.servers(&asker, &name).await?;
    json(StatusCode::OK, &UpstreamStatus { total: items.len(), items })
}
