//! `/api/v1/vhosts/{vhost}/upstream/servers`.

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
use crate::domain::{Name, Server};

pub fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(get, put, patch, delete))
}

/// List a vhost's servers
#[utoipa::path(get, path = "/api/v1/vhosts/{vhost}/upstream/servers", operation_id = "list_servers", tag = "vhosts", params(("vhost" = Name, Path), ViewParams),
    responses((status = 200, description = "All of them, in their order.", body = Elements<RepresentedElement<Server>>)))]
async fn list(State(state): State<ApiState>, reader: Reader, Path(owner): Path<String>) -> Result<Response, Problem> {
    elements::list::<Server>(&state, &reader, &owner).await
}

/// Read a server
#[utoipa::path(get, path = "/api/v1/vhosts/{vhost}/upstream/servers/{server}", operation_id = "get_server", tag = "vhosts",
    params(("vhost" = Name, Path), ("server" = Name, Path), ViewParams),
    responses((status = 200, description = "The server.", body = RepresentedElement<Server>), (status = 304, description = "Not changed.")))]
async fn get(
    State(state): State<ApiState>,
    reader: Reader,
    Path((owner, key)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    elements::get::<Server>(&state, &reader, &headers, &owner, &key).await
}

/// Create or replace a server
#[utoipa::path(put, path = "/api/v1/vhosts/{vhost}/upstream/servers/{server}", operation_id = "put_server", tag = "vhosts",
    params(("vhost" = Name, Path), ("server" = Name, Path), WriteParams),
    request_body(content = Server, content_type = "application/json"),
    responses(
        (status = 200, description = "Replaced, or the same already.", body = RepresentedElement<Server>),
        (status = 201, description = "Created, behind the others.", body = RepresentedElement<Server>),
        (status = 202, description = "Committed, and not live before the time to wait was over.", body = RepresentedElement<Server>)))]
async fn put(
    State(state): State<ApiState>,
    Path((owner, key)): Path<(String, String)>,
    write: Write,
    Resource(value): Resource,
) -> Result<Response, Problem> {
    elements::put::<Server>(&state, &write, &owner, key, value).await
}

/// Change parts of a server
///
/// RFC 7396: null is default or absent, arrays are replaced whole.
#[utoipa::path(patch, path = "/api/v1/vhosts/{vhost}/upstream/servers/{server}", operation_id = "patch_server", tag = "vhosts",
    params(("vhost" = Name, Path), ("server" = Name, Path), WriteParams),
    request_body(content = Server, content_type = "application/merge-patch+json"),
    responses(
        (status = 200, description = "Changed, or the same already.", body = RepresentedElement<Server>),
        (status = 202, description = "Committed, and not live before the time to wait was over.", body = RepresentedElement<Server>)))]
async fn patch(
    State(state): State<ApiState>,
    Path((owner, key)): Path<(String, String)>,
    write: Write,
    MergePatch(value): MergePatch,
) -> Result<Response, Problem> {
    elements::patch::<Server>(&state, &write, &owner, key, value).await
}

/// Delete a server
#[utoipa::path(delete, path = "/api/v1/vhosts/{vhost}/upstream/servers/{server}", operation_id = "delete_server", tag = "vhosts",
    params(("vhost" = Name, Path), ("server" = Name, Path), WriteParams),
    responses(
        (status = 202, description = "Committed, and not live before the time to wait was over."),
        (status = 204, description = "Deleted.")))]
async fn delete(State(state): State<ApiState>, Path((owner, key)): Path<(String, String)>, write: Write) -> Result<Response, Problem> {
    elements::delete::<Server>(&state, &write, &owner, key).await
}
