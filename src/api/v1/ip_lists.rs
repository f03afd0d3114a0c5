//! `/api/v1/ip-lists`.

use axum::extract::State;
use axum::response::Response;
use http::HeaderMap;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::crud;
use crate::api::extract::{Asker, MergePatch, Path, Query, Reader, Resource, ViewParams, WriteParams};
use crate::api::page::{self, Common, ListParams, Page, list_params};
use crate::api::problem::Problem;
use crate::api::representation::Represented;
use crate::api::state::ApiState;
use crate::api::write::Write;
use crate::domain::{IpList, Name};

pub fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(get, put, patch, delete))
}

list_params! {
    /// What the list of IP lists takes.
    IpListListParams {}
}

impl ListParams for IpListListParams {
    type Resource = IpList;

    fn common(&self) -> Result<Common<'_>, Problem> {
        self.common()
    }
    fn filters(&self) -> bool {
        false
    }
    fn accepts(&self, _: &IpList) -> bool {
        true
    }
}

/// List IP lists
#[utoipa::path(get, path = "/api/v1/ip-lists", operation_id = "list_ip_lists", tag = "ip-lists", params(IpListListParams),
    responses((status = 200, description = "A page of IP lists.", body = Page<Represented<IpList>>)))]
async fn list(State(state): State<ApiState>, asker: Asker, Query(params): Query<IpListListParams>) -> Result<Response, Problem> {
    page::list(&state, &asker, &params).await
}

/// Read an IP list
#[utoipa::path(get, path = "/api/v1/ip-lists/{ip_list}", operation_id = "get_ip_list", tag = "ip-lists", params(("ip_list" = Name, Path), ViewParams),
    responses((status = 200, description = "The IP list.", body = Represented<IpList>), (status = 304, description = "Not changed.")))]
async fn get(State(state): State<ApiState>, reader: Reader, Path(name): Path<String>, headers: HeaderMap) -> Result<Response, Problem> {
    crud::get::<IpList>(&state, &reader, &headers, &name).await
}

/// Create or replace an IP list
#[utoipa::path(put, path = "/api/v1/ip-lists/{ip_list}", operation_id = "put_ip_list", tag = "ip-lists", params(("ip_list" = Name, Path), WriteParams),
    request_body(content = IpList, content_type = "application/json"),
    responses(
        (status = 200, description = "Replaced, or the same already.", body = Represented<IpList>),
        (status = 201, description = "Created.", body = Represented<IpList>),
        (status = 202, description = "Committed, and not live before the time to wait was over.", body = Represented<IpList>)))]
async fn put(
    State(state): State<ApiState>,
    Path(name): Path<String>,
    write: Write,
    Resource(value): Resource,
) -> Result<Response, Problem> {
    crud::put::<IpList>(&state, &write, &name, value).await
}

/// Change parts of an IP list
///
/// RFC 7396: null is default or absent, arrays are replaced whole.
#[utoipa::path(patch, path = "/api/v1/ip-lists/{ip_list}", operation_id = "patch_ip_list", tag = "ip-lists", params(("ip_list" = Name, Path), WriteParams),
    request_body(content = IpList, content_type = "application/merge-patch+json"),
    responses(
        (status = 200, description = "Changed, or the same already.", body = Represented<IpList>),
        (status = 202, description = "Committed, and not live before the time to wait was over.", body = Represented<IpList>)))]
async fn patch(
    State(state): State<ApiState>,
    Path(name): Path<String>,
    write: Write,
    MergePatch(value): MergePatch,
) -> Result<Response, Problem> {
    crud::patch::<IpList>(&state, &write, &name, value).await
}

/// Delete an IP list
#[utoipa::path(delete, path = "/api/v1/ip-lists/{ip_list}", operation_id = "delete_ip_list", tag = "ip-lists", params(("ip_list" = Name, Path), WriteParams),
    responses(
        (status = 202, description = "Committed, and not live before the time to wait was over."),
        (status = 204, description = "Deleted.")))]
async fn delete(State(state): State<ApiState>, Path(name): Path<String>, write: Write) -> Result<Response, Problem> {
    crud::delete::<IpList>(&state, &write, &name).await
}
