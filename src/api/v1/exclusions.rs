//! `/api/v1/policies/{policy}/exclusions`.

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
use crate::domain::{
    Name,
    rule::{Exclusion, ExclusionId},
};

pub fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(get, put, patch, delete))
}

/// List a policy's exclusions
#[utoipa::path(get, path = "/api/v1/policies/{policy}/exclusions", operation_id = "list_exclusions", tag = "policies", params(("policy" = Name, Path), ViewParams),
    responses((status = 200, description = "All of them, in their order.", body = Elements<RepresentedElement<Exclusion>>)))]
async fn list(State(state): State<ApiState>, reader: Reader, Path(owner): Path<String>) -> Result<Response, Problem> {
    elements::list::<Exclusion>(&state, &reader, &owner).await
}

/// Read an exclusion
#[utoipa::path(get, path = "/api/v1/policies/{policy}/exclusions/{exclusion}", operation_id = "get_exclusion", tag = "policies",
    params(("policy" = Name, Path), ("exclusion" = ExclusionId, Path), ViewParams),
    responses((status = 200, description = "The exclusion.", body = RepresentedElement<Exclusion>), (status = 304, description = "Not changed.")))]
async fn get(
    State(state): State<ApiState>,
    reader: Reader,
    Path((owner, key)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    elements::get::<Exclusion>(&state, &reader, &headers, &owner, &key).await
}

/// Create or replace an exclusion
#[utoipa::path(put, path = "/api/v1/policies/{policy}/exclusions/{exclusion}", operation_id = "put_exclusion", tag = "policies",
    params(("policy" = Name, Path), ("exclusion" = ExclusionId, Path), WriteParams),
    request_body(content = Exclusion, content_type = "application/json"),
    responses(
        (status = 200, description = "Replaced, or the same already.", body = RepresentedElement<Exclusion>),
        (status = 201, description = "Created, behind the others.", body = RepresentedElement<Exclusion>),
        (status = 202, description = "Committed, and not live before the time to wait was over.", body = RepresentedElement<Exclusion>)))]
async fn put(
    State(state): State<ApiState>,
    Path((owner, key)): Path<(String, String)>,
    write: Write,
    Resource(value): Resource,
) -> Result<Response, Problem> {
    elements::put::<Exclusion>(&state, &write, &owner, key, value).await
}

/// Change parts of an exclusion
///
/// RFC 7396: null is default or absent, arrays are replaced whole.
#[utoipa::path(patch, path = "/api/v1/policies/{policy}/exclusions/{exclusion}", operation_id = "patch_exclusion", tag = "policies",
    params(("policy" = Name, Path), ("exclusion" = ExclusionId, Path), WriteParams),
    request_body(content = Exclusion, content_type = "application/merge-patch+json"),
    responses(
        (status = 200, description = "Changed, or the same already.", body = RepresentedElement<Exclusion>),
        (status = 202, description = "Committed, and not live before the time to wait was over.", body = RepresentedElement<Exclusion>)))]
async fn patch(
    State(state): State<ApiState>,
    Path((owner, key)): Path<(String, String)>,
    write: Write,
    MergePatch(value): MergePatch,
) -> Result<Response, Problem> {
    elements::patch::<Exclusion>(&state, &write, &owner, key, value).await
}

/// Delete an exclusion
#[utoipa::path(delete, path = "/api/v1/policies/{policy}/exclusions/{exclusion}", operation_id = "delete_exclusion", tag = "policies",
    params(("policy" = Name, Path), ("exclusion" = ExclusionId, Path), WriteParams),
    responses(
        (status = 202, description = "Committed, and not live before the time to wait was over."),
        (status = 204, description = "Deleted.")))]
async fn delete(State(state): State<ApiState>, Path((owner, key)): Path<(String, String)>, write: Write) -> Result<Response, Problem> {
    elements::delete::<Exclusion>(&state, &write, &owner, key).await
}
