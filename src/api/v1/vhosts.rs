//! `/api/v1/vhosts`.

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
use crate::domain::{Hostname, Name, Vhost};

pub fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(get, put, patch, delete))
}

list_params! {
    /// What the list of vhosts takes.
    VhostListParams {
        /// `key:value`; repeated: any of them.
        label: Vec<String>,
        /// Only vhosts of this policy; repeated: any of them.
        policy: Vec<Name>,
        /// Only vhosts that use this policy, for the site or for a path of it; repeated: any of them.
        uses_policy: Vec<Name>,
        /// Only vhosts whose access names this IP list; repeated: any of them.
        uses_ip_list: Vec<Name>,
        enabled: Option<bool>,
        /// Only the vhost that has this hostname, written as configured (`*.example.com` is the wildcard itself); repeated: any of them.
        hostname: Vec<Hostname>,
    }
}

impl ListParams for VhostListParams {
    type Resource = Vhost;

    fn common(&self) -> Result<Common<'_>, Problem> {
        self.common()
    }
    fn check(&self) -> Result<(), Problem> {
        match self.label.iter().find(|label| !label.contains(':')) {
            Some(_) => Err(Problem::query("label: `key:value` is wanted")),
            None => Ok(()),
        }
    }
    fn filters(&self) -> bool {
        let names = [&self.policy, &self.uses_policy, &self.uses_ip_list];
        !self.label.is_empty() || names.iter().any(|names| !names.is_empty()) || self.enabled.is_some() || !self.hostname.is_empty()
    }
    fn accepts(&self, vhost: &Vhost) -> bool {
        let labelled = |label: &String| {
            let (key, value) = label.split_once(':').unwrap_or_default();
            vhost.labels.get(key).is_some_and(|has| has.as_str() == value)
        };
        (self.label.is_empty() || self.label.iter().any(labelled))
            && (self.policy.is_empty() || self.policy.contains(&vhost.policy))
            && (self.uses_policy.is_empty() || vhost.policies().any(|(_, name)| self.uses_policy.contains(name)))
            && (self.uses_ip_list.is_empty() || vhost.access.references().any(|(_, name)| self.uses_ip_list.contains(name)))
            && self.enabled.is_none_or(|enabled| vhost.enabled == enabled)
            && (self.hostname.is_empty() || vhost.hostnames.iter().any(|hostname| self.hostname.contains(hostname)))
    }
}

/// List vhosts
#[utoipa::path(get, path = "/api/v1/vhosts", operation_id = "list_vhosts", tag = "vhosts", params(VhostListParams),
    responses((status = 200, description = "A page of vhosts.", body = Page<Represented<Vhost>>)))]
async fn list(State(state): State<ApiState>, asker: Asker, Query(params): Query<VhostListParams>) -> Result<Response, Problem> {
    page::list(&state, &asker, &params).await
}

/// Read a vhost
#[utoipa::path(get, path = "/api/v1/vhosts/{vhost}", operation_id = "get_vhost", tag = "vhosts", params(("vhost" = Name, Path), ViewParams),
    responses((status = 200, description = "The vhost.", body = Represented<Vhost>), (status = 304, description = "Not changed.")))]
async fn get(State(state): State<ApiState>, reader: Reader, Path(name): Path<String>, headers: HeaderMap) -> Result<Response, Problem> {
    crud::get::<Vhost>(&state, &reader, &headers, &name).await
}

/// Create or replace a vhost
#[utoipa::path(put, path = "/api/v1/vhosts/{vhost}", operation_id = "put_vhost", tag = "vhosts", params(("vhost" = Name, Path), WriteParams),
    request_body(content = Vhost, content_type = "application/json"),
    responses(
        (status = 200, description = "Replaced, or the same already.", body = Represented<Vhost>),
        (status = 201, description = "Created.", body = Represented<Vhost>),
        (status = 202, description = "Committed, and not live before the time to wait was over.", body = Represented<Vhost>)))]
async fn put(
    State(state): State<ApiState>,
    Path(name): Path<String>,
    write: Write,
    Resource(value): Resource,
) -> Result<Response, Problem> {
    crud::put::<Vhost>(&state, &write, &name, value).await
}

/// Change parts of a vhost
///
/// RFC 7396: null is default or absent, arrays are replaced whole.
#[utoipa::path(patch, path = "/api/v1/vhosts/{vhost}", operation_id = "patch_vhost", tag = "vhosts", params(("vhost" = Name, Path), WriteParams),
    request_body(content = Vhost, content_type = "application/merge-patch+json"),
    responses(
        (status = 200, description = "Changed, or the same already.", body = Represented<Vhost>),
        (status = 202, description = "Committed, and not live before the time to wait was over.", body = Represented<Vhost>)))]
async fn patch(
    State(state): State<ApiState>,
    Path(name): Path<String>,
    write: Write,
    MergePatch(value): MergePatch,
) -> Result<Response, Problem> {
    crud::patch::<Vhost>(&state, &write, &name, value).await
}

/// Delete a vhost
#[utoipa::path(delete, path = "/api/v1/vhosts/{vhost}", operation_id = "delete_vhost", tag = "vhosts", params(("vhost" = Name, Path), WriteParams),
    responses(
        (status = 202, description = "Committed, and not live before the time to wait was over."),
        (status = 204, description = "Deleted.")))]
async fn delete(State(state): State<ApiState>, Path(name): Path<String>, write: Write) -> Result<Response, Problem> {
    crud::delete::<Vhost>(&state, &write, &name).await
}
