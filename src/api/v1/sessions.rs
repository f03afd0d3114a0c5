//! `/api/v1/auth/sessions`: those of whoever asks.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
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
use crate::domain::Session;

pub fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(end))
}

/// One's sessions: 50 at most.
#[derive(Serialize, ToSchema)]
struct SessionList {
    #[schema(max_items = 50)]
    items: Vec<Session>,
}

/// List one's sessions
///
/// The newest used first.
#[utoipa::path(get, path = "/api/v1/auth/sessions", operation_id = "list_sessions", tag = "auth",
    responses((status = 200, description = "The sessions.", body = SessionList)))]
async fn list(State(state): State<ApiState>, asker: Asker, _: Query<NoParams>) -> Result<Response, Problem> {
    json(StatusCode::OK, &SessionList { items: state.service.sessions(&asker)? })
}

/// End one of one's sessions
#[utoipa::path(delete, path = "/api/v1/auth/sessions/{session}", operation_id = "end_session", tag = "auth", params(("session" = Uuid, Path)),
    responses((status = 204, description = "It is over, at once.")))]
async fn end(State(state): State<ApiState>, asker: Asker, Path(id): Path<Uuid>, _: Query<NoParams>) -> Result<Response, Problem> {
    state.service.end_session(&asker, id).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}
