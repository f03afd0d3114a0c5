//! `/health`, `/ready`, `/metrics`.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::CONTENT_TYPE;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::extract::{Asker, NoParams, Query};
use super::problem::Problem;
use super::representation::json;
use super::state::ApiState;
use crate::domain::{Action, Revision};

pub fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(health)).routes(routes!(ready)).routes(routes!(metrics))
}

/// Alive.
#[derive(Serialize, ToSchema)]
pub struct Health {
    #[schema(example = "ok")]
    status: &'static str,
}

/// Whether this process is alive
#[utoipa::path(get, path = "/health", operation_id = "health", tag = "operation", security(()),
    responses((status = 200, description = "Alive.", body = Health)))]
async fn health(_: Query<NoParams>) -> Result<Response, Problem> {
    json(StatusCode::OK, &Health { status: "ok" })
}

/// Whether requests can be served.
#[derive(Serialize, ToSchema)]
pub struct Readiness {
    /// `ready` or `not_ready`: by the database and its migrations alone.
    #[schema(example = "ready")]
    status: &'static str,
    /// `ok` or `away`.
    #[schema(example = "ok")]
    database: &'static str,
    data_plane: DataPlane,
}

/// How the data plane is: told, and no reason not to be ready, since it is mended through this API.
#[derive(Serialize, ToSchema)]
pub struct DataPlane {
    haproxy_up: bool,
    spoa_up: bool,
    validator_up: bool,
    head: Revision,
    live: Revision,
}

/// Whether requests can be served
#[utoipa::path(get, path = "/ready", operation_id = "ready", tag = "operation", security(()),
    responses(
        (status = 200, description = "Ready.", body = Readiness),
        (status = 503, description = "The database is away or its migrations are not as expected.", body = Readiness)))]
async fn ready(State(state): State<ApiState>, _: Query<NoParams>) -> Result<Response, Problem> {
    let database = state.service.database_ready().await;
    if let Err(error) = &database {
        tracing::warn!(%error, "not ready");
    }
    let engines = state.service.engine_status();
    let live = state.service.watch_live().borrow().live;
    let data_plane = DataPlane {
        haproxy_up: engines.haproxy_up,
        spoa_up: engines.spoa_up,
        validator_up: engines.validator_up,
        head: state.service.head().revision,
        live,
    };
    let (code, status, database) = match database {
        Ok(()) => (StatusCode::OK, "ready", "ok"),
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "not_ready", "away"),
    };
    json(code, &Readiness { status, database, data_plane })
}

/// Read the metrics
#[utoipa::path(get, path = "/metrics", operation_id = "get_metrics", tag = "operation",
    responses((status = 200, description = "In the text format of Prometheus.", body = String, content_type = "text/plain")))]
async fn metrics(State(state): State<ApiState>, asker: Asker, _: Query<NoParams>) -> Result<Response, Problem> {
    state.service.authorize(&asker.principal, Action::Read, "metrics", None)?;
    Ok(([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], state.metrics.render()).into_response())
}
