//! `/api/v1/revisions`.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::CONTENT_TYPE;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::api::extract::{Asker, NoParams, Path, Query};
use crate::api::page::{self, Page};
use crate::api::problem::Problem;
use crate::api::representation::json;
use crate::api::state::ApiState;
use crate::domain::digest::sha256_hex;
use crate::domain::revision::{ObjectRef, RevisionInfo};
use crate::domain::{Error, Kind, Revision};
use crate::service::RevisionFilter;

pub fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(get)).routes(routes!(files)).routes(routes!(file))
}

/// What the list of revisions takes.
#[derive(Clone, Debug, Default, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct RevisionParams {
    /// Items of a page at most.
    #[serde(skip_serializing_if = "page::not_bound")]
    #[param(minimum = 1, maximum = 500, default = 50)]
    limit: Option<u32>,
    /// The `next_cursor` of the page before; opaque, bound to the filter.
    #[serde(skip_serializing_if = "page::not_bound")]
    #[param(max_length = 2048)]
    cursor: Option<String>,
    /// Only revisions of this author; repeated: of any of them.
    author: Vec<String>,
    /// Only revisions that changed an object of this kind; repeated: of any of them.
    kind: Vec<Kind>,
    /// Only revisions that changed this object, `policies/shop`; repeated: any of them. With it, the list is the object's history, also that of
    /// one that had the name before.
    #[param(max_items = 100)]
    object: Vec<ObjectRef>,
    #[serde(with = "time::serde::rfc3339::option")]
    created_at_gte: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339::option")]
    created_at_lt: Option<OffsetDateTime>,
}

/// List revisions
///
/// Newest first. Taken-back revisions stay in the list: their content was replaced by a later one, whose `origin` says so. Of each at most 100
/// changes are shown.
#[utoipa::path(get, path = "/api/v1/revisions", operation_id = "list_revisions", tag = "revisions", params(RevisionParams),
    responses((status = 200, description = "A page of revisions.", body = Page<RevisionInfo>)))]
async fn list(State(state): State<ApiState>, asker: Asker, Query(params): Query<RevisionParams>) -> Result<Response, Problem> {
    let limit = page::limit(params.limit)?;
    let bound = page::binding("revisions", &params)?;
    let before = page::decode::<Revision>(&bound, params.cursor.as_deref())?;
    if params.object.len() > 100 {
        return Err(Problem::query("object: at most 100 times"));
    }
    let filter = RevisionFilter {
        author: params.author,
        kind: params.kind,
        objects: params.object.into_iter().map(ObjectRef::into_parts).collect(),
        created_at_gte: params.created_at_gte,
        created_at_lt: params.created_at_lt,
    };
    let (mut items, total) = state.service.revisions(&asker, before, &filter, limit + 1).await?;
    let more = items.len() > limit;
    items.truncate(limit);
    let next_cursor = items.last().filter(|_| more).map(|last| page::encode(&bound, last.number)).transpose()?;
    json(StatusCode::OK, &Page { items, next_cursor, total })
}

/// Read a revision
#[utoipa::path(get, path = "/api/v1/revisions/{revision}", operation_id = "get_revision", tag = "revisions",
    params(("revision" = i64, Path, minimum = 1)),
    responses((status = 200, description = "The revision, with the objects that it changed.", body = RevisionInfo)))]
async fn get(State(state): State<ApiState>, asker: Asker, Path(number): Path<Revision>, _: Query<NoParams>) -> Result<Response, Problem> {
    json(StatusCode::OK, &state.service.revision(&asker, number).await?)
}

/// A file that a node gets.
#[derive(Serialize, ToSchema)]
pub struct FileInfo {
    pub path: String,
    /// Bytes.
    pub size: usize,
    /// SHA-256, in hex.
    pub digest: String,
}

/// The files of a revision.
#[derive(Serialize, ToSchema)]
pub struct FileList {
    pub revision: Revision,
    /// In the order of their paths.
    pub items: Vec<FileInfo>,
    pub total: usize,
}

/// List a revision's files
///
/// What a node gets for this revision, rendered anew with the templates of today.
#[utoipa::path(get, path = "/api/v1/revisions/{revision}/files", operation_id = "list_revision_files", tag = "revisions",
    params(("revision" = i64, Path, minimum = 1)),
    responses((status = 200, description = "The files.", body = FileList)))]
async fn files(
    State(state): State<ApiState>,
    asker: Asker,
    Path(revision): Path<Revision>,
    _: Query<NoParams>,
) -> Result<Response, Problem> {
    let files = state.service.files_at(&asker, revision).await?;
    let info = |(path, text): (String, String)| FileInfo { size: text.len(), digest: sha256_hex(text.as_bytes()), path };
    let items: Vec<_> = files.into_iter().map(info).collect();
    let total = items.len();
    json(StatusCode::OK, &FileList { revision, items, total })
}

/// Read a file of a revision
#[utoipa::path(get, path = "/api/v1/revisions/{revision}/files/{*path}", operation_id = "get_revision_file", tag = "revisions",
    params(("revision" = i64, Path, minimum = 1), ("path" = String, Path, description = "As listed; `/` may be sent as it is, or as `%2F`.")),
    responses((status = 200, description = "The file's text.", body = String, content_type = "text/plain")))]
async fn file(
    State(state): State<ApiState>,
    asker: Asker,
    Path((revision, path)): Path<(Revision, String)>,
    _: Query<NoParams>,
) -> Result<Response, Problem> {
    let text = state.service.files_at(&asker, revision).await?.remove(&path);
    let text = text.ok_or(Error::NotFound { kind: "file", name: path })?;
    Ok(([(CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response())
}
