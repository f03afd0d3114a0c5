//! `/api/v1/policies`.

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
use crate::domain::{Mode, Name, Policy};

pub fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(get, put, patch, delete))
}

list_params! {
    /// What the list of policies takes.
    PolicyListParams {
        /// Only policies in this mode; repeated: any of them.
        mode: Vec<Mode>,
    }
}

impl ListParams for PolicyListParams {
    type Resource = Policy;

    fn common(&self) -> Result<Common<'_>, Problem> {
        self.common()
    }
    fn filters(&self) -> bool {
        !self.mode.is_empty()
    }
    fn accepts(&self, policy: &Policy) -> bool {
        self.mode.is_empty() || self.mode.contains(&policy.mode)
    }
}

/// List policies
#[utoipa::path(get, path = "/api/v1/policies", operation_id = "list_policies", tag = "policies", params(PolicyListParams),
    responses((status = 200, description = "A page of policies.", body = Page<Represented<Policy>>)))]
async fn list(State(state): State<ApiState>, asker: Asker, Query(params): Query<PolicyListParams>) -> Result<Response, Problem> {
    page::list(&state, &asker, &params).await
}

/// Read a policy
#[utoipa::path(get, path = "/api/v1/policies/{policy}", operation_id = "get_policy", tag = "policies", params(("policy" = Name, Path), ViewParams),
    responses((status = 200, description = "The policy.", body = Represented<Policy>), (status = 304, description = "Not changed.")))]
async fn get(State(state): State<ApiState>, reader: Reader, Path(name): Path<String>, headers: HeaderMap) -> Result<Response, Problem> {
    crud::get::<Policy>(&state, &reader, &headers, &name).await
}

/// Create or replace a policy
#[utoipa::path(put, path = "/api/v1/policies/{policy}", operation_id = "put_policy", tag = "policies", params(("policy" = Name, Path), WriteParams),
    request_body(content = Policy, content_type = "application/json"),
    responses(
        (status = 200, description = "Replaced, or the same already.", body = Represented<Policy>),
        (status = 201, description = "Created.", body = Represented<Policy>),
        (status = 202, description = "Committed, and not live before the time to wait was over.", body = Represented<Policy>)))]
async fn put(
    State(state): State<ApiState>,
    Path(name): Path<String>,
    write: Write,
    Resource(value): Resource,
) -> Result<Response, Problem> {
    crud::put::<Policy>(&state, &write, &name, value).await
}

/// Change parts of a policy
///
/// RFC 7396: null is default or absent, arrays are replaced whole.
#[utoipa::path(patch, path = "/api/v1/policies/{policy}", operation_id = "patch_policy", tag = "policies", params(("policy" = Name, Path), WriteParams),
    request_body(content = Policy, content_type = "application/merge-patch+json"),
    responses(
        (status = 200, description = "Changed, or the same already.", body = Represented<Policy>),
        (status = 202, description = "Committed, and not live before the time to wait was over.", body = Represented<Policy>)))]
async fn patch(
    State(state): State<ApiState>,
    Path(name): Path<String>,
    write: Write,
    MergePatch(value): MergePatch,
) -> Result<Response, Problem> {
    crud::patch::<Policy>(&state, &write, &name, value).await
}

/// Delete a policy
#[utoipa::path(delete, path = "/api/v1/policies/{policy}", operation_id = "delete_policy", tag = "policies", params(("policy" = Name, Path), WriteParams),
    responses(
        (status = 202, description = "Committed, and not live before the time to wait was over."),
        (status = 204, description = "Deleted.")))]
async fn delete(State(state): State<ApiState>, Path(name): Path<String>, write: Write) -> Result<Response, Problem> {
    crud::delete::<Policy>(&state, &write, &name).await
}
