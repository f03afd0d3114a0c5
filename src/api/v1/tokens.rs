//! `/api/v1/tokens`.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::api::extract::{Asker, Document, NoParams, Path, Query};
use crate::api::problem::Problem;
use crate::api::representation::json;
use crate::api::state::ApiState;
use crate::api::write::locate;
use crate::domain::{NewToken, TokenInfo};

pub fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(list, create)).routes(routes!(get, revoke))
}

/// All tokens, by name: their number is bounded, so there are no pages.
#[derive(Serialize, ToSchema)]
pub struct TokenList {
    items: Vec<TokenInfo>,
    total: usize,
}

/// A token that was just made.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct CreatedToken {
    #[serde(flatten)]
    pub info: TokenInfo,
    /// What to send as `Authorization: Bearer`. Shown this one time: only its hash is kept.
    pub token: String,
}

/// List tokens
#[utoipa::path(get, path = "/api/v1/tokens", operation_id = "list_tokens", tag = "access",
    responses((status = 200, description = "All of them, without their texts.", body = TokenList)))]
async fn list(State(state): State<ApiState>, asker: Asker, _: Query<NoParams>) -> Result<Response, Problem> {
    let items = state.service.tokens(&asker)?;
    let total = items.len();
    json(StatusCode::OK, &TokenList { items, total })
}

/// Make a token
///
/// Its text is in this answer and nowhere else. A token never gets more than who makes it has: 403.
#[utoipa::path(post, path = "/api/v1/tokens", operation_id = "create_token", tag = "access",
    request_body(content = NewToken, content_type = "application/json"),
    responses((status = 201, description = "The token, with its text.", body = CreatedToken)))]
async fn create(
    State(state): State<ApiState>,
    asker: Asker,
    _: Query<NoParams>,
    Document(body): Document<NewToken>,
) -> Result<Response, Problem> {
    let (info, token) = state.service.create_token(&asker, body).await?;
    let location = format!("/api/v1/tokens/{}", info.id);
    let mut response = json(StatusCode::CREATED, &CreatedToken { info, token })?;
    locate(&mut response, Some(&location));
    Ok(response)
}

/// Read a token
#[utoipa::path(get, path = "/api/v1/tokens/{token}", operation_id = "get_token", tag = "access", params(("token" = Uuid, Path)),
    responses((status = 200, description = "The token, without its text.", body = TokenInfo)))]
async fn get(State(state): State<ApiState>, asker: Asker, Path(id): Path<Uuid>, _: Query<NoParams>) -> Result<Response, Problem> {
    json(StatusCode::OK, &state.service.token(&asker, id)?)
}

/// Revoke a token
///
/// At once, also for streams that it follows.
#[utoipa::path(delete, path = "/api/v1/tokens/{token}", operation_id = "revoke_token", tag = "access", params(("token" = Uuid, Path)),
    responses((status = 204, description = "It is good for nothing any more.")))]
async fn revoke(State(state): State<ApiState>, asker: Asker, Path(id): Path<Uuid>, _: Query<NoParams>) -> Result<Response, Problem> {
    state.service.revoke_token(&asker, id).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}
