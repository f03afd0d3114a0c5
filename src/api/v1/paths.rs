//! `/api/v1/vhosts/{vhost}/paths`.

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
use crate::domain::rule::PathPrefix;
use crate::domain::{Name, VhostPath};

pub fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(get, put, patch, delete))
}

/// List a vhost's paths
#[utoipa::path(get, path = "/api/v1/vhosts/{vhost}/paths", operation_id = "list_paths", tag = "vhosts", params(("vhost" = Name, Path), ViewParams),
    responses((status = 200, description = "All of them, in their order.", body = Elements<RepresentedElement<VhostPath>>)))]
async fn list(State(state): State<ApiState>, reader: Reader, Path(owner): Path<String>) -> Result<Response, Problem> {
    elements::list::<VhostPath>(&state, &reader, &owner).await
}

/// Read a path
#[utoipa::path(get, path = "/api/v1/vhosts/{vhost}/paths/{prefix}", operation_id = "get_path", tag = "vhosts",
    params(("vhost" = Name, Path), ("prefix" = PathPrefix, Path, description = "Percent-encoded: `%2Fapi%2F`."), ViewParams),
    responses((status = 200, description = "The path.", body = RepresentedElement<VhostPath>), (status = 304, description = "Not changed.")))]
async fn get(
    State(state): State<ApiState>,
    reader: Reader,
    Path((owner, key)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    elements::get::<VhostPath>(&state, &reader, &headers, &owner, &key).await
}

/// Create or replace a path
#[utoipa::path(put, path = "/api/v1/vhosts/{vhost}/paths/{prefix}", operation_id = "put_path", tag = "vhosts",
    params(("vhost" = Name, Path), ("prefix" = PathPrefix, Path, description = "Percent-encoded: `%2Fapi%2F`."), WriteParams),
    request_body(content = VhostPath, content_type = "application/json"),
    responses(
        (status = 200, description = "Replaced, or the same already.", body = RepresentedElement<VhostPath>),
        (status = 201, description = "Created, behind the others.", body = RepresentedElement<VhostPath>),
        (status = 202, description = "Committed, and not live before the time to wait was over.", body = RepresentedElement<VhostPath>)))]
async fn put(
    State(state): State<ApiState>,
    Path((owner, key)): Path<(String, String)>,
    write: Write,
    Resource(value): Resource,
) -> Result<Response, Problem> {
    elements::put::<VhostPath>(&state, &write, &owner, key, value).await
}

/// Change parts of a path
///
/// RFC 7396: null is default or absent, arrays are replaced whole.
#[utoipa::path(patch, path = "/api/v1/vhosts/{vhost}/paths/{prefix}", operation_id = "patch_path", tag = "vhosts",
    params(("vhost" = Name, Path), ("prefix" = PathPrefix, Path, description = "Percent-encoded: `%2Fapi%2F`."), WriteParams),
    request_body(content = VhostPath, content_type = "application/merge-patch+json"),
    responses(
        (status = 200, description = "Changed, or the same already.", body = RepresentedElement<VhostPath>),
        (status = 202, description = "Committed, and not live before the time to wait was over.", body = RepresentedElement<VhostPath>)))]
async fn patch(
    State(state): State<ApiState>,
    Path((owner, key)): Path<(String, String)>,
    write: Write,
    MergePatch(value): MergePatch,
) -> Result<Response, Problem> {
    elements::patch::<VhostPath>(&state, &write, &owner, key, value).await
}

/// Delete a path
#[utoipa::path(delete, path = "/api/v1/vhosts/{vhost}/paths/{prefix}", operation_id = "delete_path", tag = "vhosts",
    params(("vhost" = Name, Path), ("prefix" = PathPrefix, Path, description = "Percent-encoded: `%2Fapi%2F`."), WriteParams),
    responses(
        (status = 202, description = "Committed, and not live before the time to wait was over."),
        (status = 204, description = "Deleted.")))]
async fn delete(State(state): State<ApiState>, Path((owner, key)): Path<(String, String)>, write: Write) -> Result<Response, Problem> {
    elements::delete::<VhostPath>(&state, &write, &owner, key).await
}
