//! `/api/v1/revisions/{revision}`: what it did, what differs from another, and the way back to it.

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::change_sets::detached;
use crate::api::extract::{Asker, CommitParams, Document, NoParams, Path, Query};
use crate::api::problem::Problem;
use crate::api::representation::json;
use crate::api::state::ApiState;
use crate::api::write;
use crate::domain::Revision;
use crate::domain::diff::Diff;
use crate::domain::plan::Plan;
use crate::domain::revision::{ObjectRef, RevisionInfo};

pub fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(diff)).routes(routes!(plan)).routes(routes!(plan_rollback)).routes(routes!(rollback))
}

/// What a diff of two revisions takes.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct DiffParams {
    /// The other revision; the one before where absent.
    #[param(minimum = 0)]
    from: Option<Revision>,
    /// Only this object: `policies/shop`.
    object: Option<ObjectRef>,
}

/// Read what differs between two revisions
///
/// Object by object and field by field: what changed from `from` to this one.
#[utoipa::path(get, path = "/api/v1/revisions/{revision}/diff", operation_id = "diff_revisions", tag = "revisions",
    params(("revision" = i64, Path, minimum = 0), DiffParams),
    responses((status = 200, description = "What differs.", body = Diff)))]
async fn diff(
    State(state): State<ApiState>,
    asker: Asker,
    Path(to): Path<Revision>,
    Query(params): Query<DiffParams>,
) -> Result<Response, Problem> {
    let from = params.from.unwrap_or_else(|| (to - 1).max(0));
    json(StatusCode::OK, &state.service.diff(&asker, from, to, params.object.as_ref()).await?)
}

/// Plan a revision
///
/// What it did to the one before it, with the templates of today. No engine is asked: they were, then.
#[utoipa::path(post, path = "/api/v1/revisions/{revision}/plan", operation_id = "plan_revision", tag = "revisions",
    params(("revision" = i64, Path, minimum = 1)),
    responses((status = 201, description = "The plan.", body = Plan)))]
async fn plan(
    State(state): State<ApiState>,
    asker: Asker,
    Path(revision): Path<Revision>,
    _: Query<NoParams>,
) -> Result<Response, Problem> {
    super::plans::made(&state.service.plan_revision(&asker, revision).await?)
}

/// What to bring back.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RollbackScope {
    /// Only these objects; all where absent or empty.
    #[schema(max_items = 1000, default = json!([]))]
    objects: Vec<ObjectRef>,
}

/// Plan a rollback
///
/// What going back to this revision would do, with the engines' answers. Nothing is changed.
#[utoipa::path(post, path = "/api/v1/revisions/{revision}/rollback/plan", operation_id = "plan_rollback", tag = "revisions",
    params(("revision" = i64, Path, minimum = 0)),
    request_body(content = RollbackScope, content_type = "application/json"),
    responses((status = 201, description = "The plan.", body = Plan)))]
async fn plan_rollback(
    State(state): State<ApiState>,
    asker: Asker,
    Path(revision): Path<Revision>,
    _: Query<NoParams>,
    Document(scope): Document<RollbackScope>,
) -> Result<Response, Problem> {
    super::plans::made(&state.service.plan_rollback(&asker, revision, &scope.objects).await?)
}

/// What a rollback takes.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Rollback {
    /// Only these objects; all where absent or empty.
    #[schema(max_items = 1000, default = json!([]))]
    objects: Vec<ObjectRef>,
    /// The new revision's; says which revision it goes back to where absent.
    #[schema(max_length = 2000)]
    message: Option<String>,
    /// Only if what happens is what the plan with this digest said: 409 `plan_changed` otherwise.
    plan_digest: Option<String>,
}

/// Go back to a revision
///
/// Makes a new revision that is equal to this one, whole or for some objects; nothing is rewritten. Where nothing has to change none is made, and
/// the newest is answered.
#[utoipa::path(post, path = "/api/v1/revisions/{revision}/rollback", operation_id = "rollback", tag = "revisions",
    params(("revision" = i64, Path, minimum = 0), CommitParams),
    request_body(content = Rollback, content_type = "application/json"),
    responses(
        (status = 200, description = "The new revision.", body = RevisionInfo),
        (status = 202, description = "Committed, and not live before the time to wait was over.", body = RevisionInfo)))]
async fn rollback(
    State(state): State<ApiState>,
    asker: Asker,
    Path(revision): Path<Revision>,
    Query(params): Query<CommitParams>,
    Document(body): Document<Rollback>,
) -> Result<Response, Problem> {
    let timeout = params.waiting()?;
    let (service, caller) = (state.service.clone(), asker.0.clone());
    let Rollback { objects, message, plan_digest } = body;
    let work = async move { service.rollback(&caller, revision, &objects, message.as_deref(), plan_digest.as_deref()).await };
    let done = detached(work).await?;
    let waited = write::wait(&state, &asker, timeout, done.info.number).await?;
    let response = json(write::status(waited.as_ref(), StatusCode::OK), &done.info)?;
    Ok(write::finish(response, done.info.number, waited.as_ref(), None))
}
