//! `/api/v1/auth/sessions`: those of whoever asks; `/api/v1/users/{user}/sessions`: those of others.

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
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(end)).routes(routes!(list_of, end_all_of)).routes(routes!(end_of))
}

/// Somebody's sessions: 50 at most.
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

/// List the sessions of a person
///
/// The newest used first.
#[utoipa::path(get, path = "/api/v1/users/{user}/sessions", operation_id = "list_user_sessions", tag = "users",
    params(("user" = Uuid, Path)),
    responses((status = 200, description = "The sessions.", body = SessionList)))]
async fn list_of(State(state): State<ApiState>, asker: Asker, Path(user): Path<Uuid>, _: Query<NoParams>) -> Result<Response, Problem> {
    json(StatusCode::OK, &SessionList { items: state.service.sessions_of(&asker, user)? })
}

/// Sign a person out everywhere
///
/// All sessions and access tokens end, at once. They may sign in again: to keep them out, disable them.
#[utoipa::path(delete, path = "/api/v1/users/{user}/sessions", operation_id = "end_user_sessions", tag = "users",
    params(("user" = Uuid, Path)),
    responses((status = 204, description = "They are over.")))]
async fn end_all_of(State(state): State<ApiState>, asker: Asker, Path(user): Path<Uuid>, _: Query<NoParams>) -> Result<Response, Problem> {
    state.service.end_sessions_of(&asker, user, None).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// End a session of a person
#[utoipa::path(delete, path = "/api/v1/users/{user}/sessions/{session}", operation_id = "end_user_session", tag = "users",
    params(("user" = Uuid, Path), ("session" = Uuid, Path)),
    responses((status = 204, description = "It is over, at once.")))]
async fn end_of(
    State(state): State<ApiState>,
    asker: Asker,
    Path((user, session)): Path<(Uuid, Uuid)>,
    _: Query<NoParams>,
) -> Result<Response, Problem> {
    state.service.end_sessions_of(&asker, user, Some(session)).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}
