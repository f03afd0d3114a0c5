//! `/api/v1/deployments`.

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::api::extract::{Asker, NoParams, Path, Query};
use crate::api::page::{self, Feed};
use crate::api::problem::Problem;
use crate::api::representation::json;
use crate::api::state::ApiState;
use crate::domain::deployment::{Deployment, DeploymentState};

pub fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(get))
}

/// What the list of deployments takes.
#[derive(Clone, Debug, Default, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct DeploymentParams {
    /// Items of a page at most.
    #[serde(skip_serializing_if = "page::not_bound")]
    #[param(minimum = 1, maximum = 500, default = 50)]
    limit: Option<u32>,
    /// The `next_cursor` of the page before; opaque, bound to the filter.
    #[serde(skip_serializing_if = "page::not_bound")]
    #[param(max_length = 2048)]
    cursor: Option<String>,
    /// Only deployments in this state; repeated: any of them.
    state: Vec<DeploymentState>,
}

/// List deployments
///
/// Newest first.
#[utoipa::path(get, path = "/api/v1/deployments", operation_id = "list_deployments", tag = "deployments", params(DeploymentParams),
    responses((status = 200, description = "A page of deployments.", body = Feed<Deployment>)))]
async fn list(State(state): State<ApiState>, asker: Asker, Query(params): Query<DeploymentParams>) -> Result<Response, Problem> {
    let limit = page::limit(params.limit)?;
    let bound = page::binding("deployments", &params)?;
    let before = page::decode::<Uuid>(&bound, params.cursor.as_deref())?;
    let mut items = state.service.deployments(&asker, before, &params.state, limit + 1).await?;
    // The service gives 500 at most: then a full page may be the last one.
    let more = items.len() > limit || items.len() == page::MOST as usize;
    items.truncate(limit);
    let next_cursor = items.last().filter(|_| more).map(|last| page::encode(&bound, last.id)).transpose()?;
    json(StatusCode::OK, &Feed { items, next_cursor })
}

/// Read a deployment
///
/// With its steps, their times, and what the engines said.
#[utoipa::path(get, path = "/api/v1/deployments/{deployment}", operation_id = "get_deployment", tag = "deployments",
    params(("deployment" = Uuid, Path)),
    responses((status = 200, description = "The deployment.", body = Deployment)))]
async fn get(State(state): State<ApiState>, asker: Asker, Path(id): Path<Uuid>, _: Query<NoParams>) -> Result<Response, Problem> {
    json(StatusCode::OK, &state.service.deployment(&asker, id).await?)
}
