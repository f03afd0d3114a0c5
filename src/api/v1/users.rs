//! `/api/v1/users`: people, for administrators.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::{HeaderValue, LOCATION};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::api::extract::{Asker, NoParams, Path, Query, Small};
use crate::api::page::{self, Page};
use crate::api::problem::Problem;
use crate::api::representation::json;
use crate::api::state::ApiState;
use crate::domain::User;
use crate::service::{Link, NewUser, UserPatch};

pub fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(list, create)).routes(routes!(get, patch, delete)).routes(routes!(setup_link))
}

/// What the list of people takes.
#[derive(Clone, Debug, Default, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct UserParams {
    /// Items of a page at most.
    #[serde(skip_serializing_if = "page::not_bound")]
    #[param(minimum = 1, maximum = 500, default = 50)]
    limit: Option<u32>,
    /// The `next_cursor` of the page before; opaque, bound to the filter.
    #[serde(skip_serializing_if = "page::not_bound")]
    #[param(max_length = 2048)]
    cursor: Option<String>,
    /// Only those in whose e-mail address or title this is, in any case.
    #[param(max_length = 200)]
    q: Option<String>,
}

/// List people
///
/// In the order of their coming.
#[utoipa::path(get, path = "/api/v1/users", operation_id = "list_users", tag = "users", params(UserParams),
    responses((status = 200, description = "A page of people.", body = Page<User>)))]
async fn list(State(state): State<ApiState>, asker: Asker, Query(params): Query<UserParams>) -> Result<Response, Problem> {
    let limit = page::limit(params.limit)?;
    let bound = page::binding("users", &params)?;
    let after = page::decode::<Uuid>(&bound, params.cursor.as_deref())?;
    let mut all = state.service.users(&asker)?;
    if let Some(q) = params.q.as_deref().map(str::to_lowercase) {
        all.retain(|user| user.email.contains(&q) || user.title.to_lowercase().contains(&q));
    }
    let total = all.len();
    all.retain(|user| after.is_none_or(|after| user.id > after));
    let more = all.len() > limit;
    all.truncate(limit);
    let next_cursor = all.last().filter(|_| more).map(|last| page::encode(&bound, last.id)).transpose()?;
    json(StatusCode::OK, &Page { items: all, next_cursor, total })
}

/// A person who was invited.
#[derive(Serialize, ToSchema)]
struct Invited {
    user: User,
    /// By which they choose their password: shown this once.
    setup: Link,
}

/// Invite a person
///
/// They choose a password by the link of the answer, which is theirs alone to have.
#[utoipa::path(post, path = "/api/v1/users", operation_id = "create_user", tag = "users", request_body = NewUser,
    responses((status = 201, description = "Invited.", body = Invited)))]
async fn create(State(state): State<ApiState>, asker: Asker, _: Query<NoParams>, Small(new): Small<NewUser>) -> Result<Response, Problem> {
    let (user, setup) = state.service.create_user(&asker, new).await?;
    let location = HeaderValue::try_from(format!("/api/v1/users/{}", user.id)).map_err(|error| Problem::internal(error.to_string()))?;
    let mut response = json(StatusCode::CREATED, &Invited { user, setup })?;
    response.headers_mut().insert(LOCATION, location);
    Ok(response)
}

/// Read a person
#[utoipa::path(get, path = "/api/v1/users/{user}", operation_id = "get_user", tag = "users", params(("user" = Uuid, Path)),
    responses((status = 200, description = "The person.", body = User)))]
async fn get(State(state): State<ApiState>, asker: Asker, Path(id): Path<Uuid>, _: Query<NoParams>) -> Result<Response, Problem> {
    json(StatusCode::OK, &state.service.user(&asker, id)?)
}

/// Change a person
///
/// Other roles, or `disabled`, bite on the next request. The last who can manage people stays (409).
#[utoipa::path(patch, path = "/api/v1/users/{user}", operation_id = "patch_user", tag = "users", params(("user" = Uuid, Path)),
    request_body = UserPatch, responses((status = 200, description = "Changed.", body = User)))]
async fn patch(
    State(state): State<ApiState>,
    asker: Asker,
    Path(id): Path<Uuid>,
    _: Query<NoParams>,
    Small(patch): Small<UserPatch>,
) -> Result<Response, Problem> {
    json(StatusCode::OK, &state.service.patch_user(&asker, id, patch).await?)
}

/// Delete a person
///
/// With their sessions, at once. What they did stays theirs by name. The last who can manage people stays (409).
#[utoipa::path(delete, path = "/api/v1/users/{user}", operation_id = "delete_user", tag = "users", params(("user" = Uuid, Path)),
    responses((status = 204, description = "Deleted.")))]
async fn delete(State(state): State<ApiState>, asker: Asker, Path(id): Path<Uuid>, _: Query<NoParams>) -> Result<Response, Problem> {
    state.service.delete_user(&asker, id).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// What making a link takes.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SetupLinkRequest {
    /// Whether the authenticator goes when the link is used: for who lost it.
    #[serde(default)]
    reset_totp: bool,
}

/// Make a link by which a person chooses another password
///
/// Takes the place of the link before. The password of now is good until it is used.
#[utoipa::path(post, path = "/api/v1/users/{user}/setup-link", operation_id = "create_setup_link", tag = "users",
    params(("user" = Uuid, Path)), request_body = SetupLinkRequest,
    responses((status = 200, description = "The link, shown this once.", body = Link)))]
async fn setup_link(
    State(state): State<ApiState>,
    asker: Asker,
    Path(id): Path<Uuid>,
    _: Query<NoParams>,
    Small(given): Small<SetupLinkRequest>,
) -> Result<Response, Problem> {
    json(StatusCode::OK, &state.service.setup_link(&asker, id, given.reset_totp).await?)
}
