//! `/api/v1/traffic` and `/api/v1/vhosts/{vhost}/traffic`: requests and blocks by time.

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::api::extract::{Asker, NoParams, Path, Query};
use crate::api::problem::Problem;
use crate::api::representation::json;
use crate::api::state::ApiState;
use crate::domain::{Name, TrafficPoint};

pub fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(traffic)).routes(routes!(vhost_traffic))
}

/// Requests of clients in the last hour.
#[derive(Serialize, ToSchema)]
pub struct Traffic {
    /// Seconds that a point is about.
    #[schema(example = 60)]
    step_s: u32,
    /// At most 60, oldest first; the last one is under way. Minutes in which the engines never both answered are left out.
    #[schema(max_items = 60)]
    points: Vec<TrafficPoint>,
}

fn answer(points: Vec<TrafficPoint>) -> Result<Response, Problem> {
    json(StatusCode::OK, &Traffic { step_s: 60, points })
}

/// Read the traffic
///
/// The sum over the vhosts that the caller sees. It is counted in memory: after a restart of the server it begins anew.
#[utoipa::path(get, path = "/api/v1/traffic", operation_id = "get_traffic", tag = "status",
    responses((status = 200, description = "Requests by the minute, of the last hour.", body = Traffic)))]
async fn traffic(State(state): State<ApiState>, asker: Asker, _: Query<NoParams>) -> Result<Response, Problem> {
    answer(state.service.traffic(&asker)?)
}

/// Read a vhost's traffic
#[utoipa::path(get, path = "/api/v1/vhosts/{vhost}/traffic", operation_id = "get_vhost_traffic", tag = "status",
    params(("vhost" = Name, Path)),
    responses((status = 200, description = "Requests by the minute, of the last hour.", body = Traffic)))]
async fn vhost_traffic(
    State(state): State<ApiState>,
    asker: Asker,
    Path(name): Path<String>,
    _: Query<NoParams>,
) -> Result<Response, Problem> {
    answer(state.service.vhost_traffic(&asker, &name)?)
}
