//! `/api/v1/keys`: keys that seal secrets in the database. Never the keys themselves.

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::api::extract::{Asker, NoParams, Query};
use crate::api::problem::Problem;
use crate::api::representation::json;
use crate::api::state::ApiState;
use crate::service::{Resealed, SealingKey};

pub fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(reseal))
}

/// Keys that seal.
#[derive(Serialize, ToSchema)]
struct SealingKeys {
    /// Those of the settings, the newest first, then those that are missing.
    items: Vec<SealingKey>,
    total: usize,
}

/// List the keys that seal secrets
///
/// With how much is sealed under each. An old one with nothing under it can be taken out of `auth.key_file`.
#[utoipa::path(get, path = "/api/v1/keys", operation_id = "list_sealing_keys", tag = "keys",
    responses((status = 200, description = "All of them.", body = SealingKeys)))]
async fn list(State(state): State<ApiState>, asker: Asker, _: Query<NoParams>) -> Result<Response, Problem> {
    let items = state.service.sealing_keys(&asker).await?;
    json(StatusCode::OK, &SealingKeys { total: items.len(), items })
}

/// Seal secrets anew
///
/// What older keys sealed is sealed under the newest one, a hundred secrets at a time; nobody is kept waiting. Asked again it does what is left,
/// which is nothing as a rule. What a missing key sealed stays as it is.
#[utoipa::path(post, path = "/api/v1/keys/reseal", operation_id = "reseal_secrets", tag = "keys",
    responses((status = 200, description = "What was done, and how it is now.", body = Resealed)))]
async fn reseal(State(state): State<ApiState>, asker: Asker, _: Query<NoParams>) -> Result<Response, Problem> {
    json(StatusCode::OK, &state.service.reseal(&asker).await?)
}
