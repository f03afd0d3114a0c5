//! `/api/v1/policies/{policy}/custom-rules`.

use axum::extract::State;
use axum::response::Response;
use http::HeaderMap;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::elements::{self, Elements};
use crate::api::extract::{MergePatch, Path, Reader, Resource, ViewParams, WriteParams};
use crate::api::problem::Problem;
use crate::api::schema::RepresentedElement;
use crate::api::state::ApiState;
use crate::api::write::Write;
use crate::domain::{Name, rule::CustomRule};

pub fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(get, put, patch, delete))
}

/// List a policy's custom rules
#[utoipa::path(get, path = "/api/v1/policies/{policy}/custom-rules", operation_id = "list_custom_rules", tag = "policies", params(("policy" = Name, Path), ViewParams),
    responses((status = 200, description = "All of them, in their order.", body = Elements<RepresentedElement<CustomRule>>)))]
async fn list(State(state): State<ApiState>, reader: Reader, Path(owner): Path<String>) -> Result<Response, Problem> {
    elements::list::<CustomRule>(&state, &reader, &owner).await
}

/// Read a custom rule
#[utoipa::path(get, path = "/api/v1/policies/{policy}/custom-rules/{id}", operation_id = "get_custom_rule", tag = "policies",
    params(("policy" = Name, Path), ("id" = u32, Path, minimum = 190000, maximum = 199999), ViewParams),
    responses((status = 200, description = "The custom rule.", body = RepresentedElement<CustomRule>), (status = 304, description = "Not changed.")))]
async fn get(
    State(state): State<ApiState>,
    reader: Reader,
    Path((owner, key)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    elements::get::<CustomRule>(&state, &reader, &headers, &owner, &key).await
}

/// Create or replace a custom rule
#[utoipa::path(put, path = "/api/v1/policies/{policy}/custom-rules/{id}", operation_id = "put_custom_rule", tag = "policies",
    params(("policy" = Name, Path), ("id" = u32, Path, minimum = 190000, maximum = 199999), WriteParams),
    request_body(content = CustomRule, content_type = "application/json"),
    responses(
        (status = 200, description = "Replaced, or the same already.", body = RepresentedElement<CustomRule>),
        (status = 201, description = "Created, behind the others.", body = RepresentedElement<CustomRule>),
        (status = 202, description = "Committed, and not live before the time to wait was over.", body = RepresentedElement<CustomRule>)))]
async fn put(
    State(state): State<ApiState>,
    Path((owner, key)): Path<(String, String)>,
    write: Write,
    Resource(value): Resource,
) -> Result<Response, Problem> {
    elements::put::<CustomRule>(&state, &write, &owner, key, value).await
}

/// Change parts of a custom rule
///
/// RFC 7396: null is default or absent, arrays are replaced whole.
#[utoipa::path(patch, path = "/api/v1/policies/{policy}/custom-rules/{id}", operation_id = "patch_custom_rule", tag = "policies",
    params(("policy" = Name, Path), ("id" = u32, Path, minimum = 190000, maximum = 199999), WriteParams),
    request_body(content = CustomRule, content_type = "application/merge-patch+json"),
    responses(
        (status = 200, description = "Changed, or the same already.", body = RepresentedElement<CustomRule>),
        (status = 202, description = "Committed, and not live before the time to wait was over.", body = RepresentedElement<CustomRule>)))]
async fn patch(
    State(state): State<ApiState>,
    Path((owner, key)): Path<(String, String)>,
    write: Write,
    MergePatch(value): MergePatch,
) -> Result<Response, Problem> {
    elements::patch::<CustomRule>(&state, &write, &owner, key, value).await
}

/// Delete a custom rule
#[utoipa::path(delete, path = "/api/v1/policies/{policy}/custom-rules/{id}", operation_id = "delete_custom_rule", tag = "policies",
    params(("policy" = Name, Path), ("id" = u32, Path, minimum = 190000, maximum = 199999), WriteParams),
    responses(
        (status = 202, description = "Committed, and not live before the time to wait was over."),
        (status = 204, description = "Deleted.")))]
async fn delete(State(state): State<ApiState>, Path((owner, key)): Path<(String, String)>, write: Write) -> Result<Response, Problem> {
    elements::delete::<CustomRule>(&state, &write, &owner, key).await
}
