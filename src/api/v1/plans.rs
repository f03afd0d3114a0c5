//! `/api/v1/plans`.

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::api::extract::{Asker, NoParams, Path, Query};
use crate::api::problem::Problem;
use crate::api::representation::json;
use crate::api::state::ApiState;
use crate::api::write::locate;
use crate::domain::plan::Plan;

pub fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(get))
}

/// Read a plan
///
/// As it was made: the last 500 of yours are kept.
#[utoipa::path(get, path = "/api/v1/plans/{plan}", operation_id = "get_plan", tag = "change-sets", params(("plan" = Uuid, Path)),
    responses((status = 200, description = "The plan.", body = Plan)))]
async fn get(State(state): State<ApiState>, asker: Asker, Path(id): Path<Uuid>, _: Query<NoParams>) -> Result<Response, Problem> {
    json(StatusCode::OK, &state.service.plan(&asker, id).await?)
}

/// Answers with a new plan.
pub fn made(plan: &Plan) -> Result<Response, Problem> {
    let mut response = json(StatusCode::CREATED, plan)?;
    locate(&mut response, Some(&format!("/api/v1/plans/{}", plan.id)));
    Ok(response)
}
