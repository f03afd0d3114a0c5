//! `/api/v1/change-sets`.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::crud::tagged;
use crate::api::extract::{Asker, CommitParams, Document, NoParams, Path, Query};
use crate::api::operations::OperationBody;
use crate::api::page::{self, Feed};
use crate::api::problem::Problem;
use crate::api::representation::json;
use crate::api::state::ApiState;
use crate::api::write;
use crate::domain::change_set::{ChangeSet, ChangeSetState};
use crate::domain::diff::Diff;
use crate::domain::plan::Plan;
use crate::domain::{Entry, Error, Kind, Name, Revision};
use crate::service::{Batched, Caller, CommittedSet, Desired, Operation, Precondition, Seen};

/// Operations of one request, at most.
const MOST_OPERATIONS: usize = 50_000;

pub fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(get, rename, discard))
        .routes(routes!(diff))
        .routes(routes!(stage))
        .routes(routes!(desired))
        .routes(routes!(rebase))
        .routes(routes!(plan))
        .routes(routes!(commit))
        .routes(routes!(approve))
        .routes(routes!(reject))
}

/// What the list of change sets takes.
#[derive(Clone, Debug, Default, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct ChangeSetParams {
    /// Items of a page at most.
    #[serde(skip_serializing_if = "page::not_bound")]
    #[param(minimum = 1, maximum = 500, default = 50)]
    limit: Option<u32>,
    /// The `next_cursor` of the page before; opaque, bound to the filter.
    #[serde(skip_serializing_if = "page::not_bound")]
    #[param(max_length = 2048)]
    cursor: Option<String>,
    /// Only change sets in this state; repeated: any of them.
    state: Vec<ChangeSetState>,
    /// Instead of yours those of others that await approval, or have it, and that you may say yes to. Not together with `state`.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    #[param(default = false)]
    review: bool,
}

/// List change sets
///
/// Yours, or those that you may approve, newest first.
#[utoipa::path(get, path = "/api/v1/change-sets", operation_id = "list_change_sets", tag = "change-sets", params(ChangeSetParams),
    responses((status = 200, description = "A page of change sets.", body = Feed<ChangeSet>)))]
async fn list(State(state): State<ApiState>, asker: Asker, Query(params): Query<ChangeSetParams>) -> Result<Response, Problem> {
    let limit = page::limit(params.limit)?;
    let bound = page::binding("change-sets", &params)?;
    let before = page::decode::<Uuid>(&bound, params.cursor.as_deref())?;
    if params.review && !params.state.is_empty() {
        return Err(Problem::query("review: not together with `state`"));
    }
    let mut items = match params.review {
        true => state.service.change_sets_to_review(&asker, before, limit + 1).await?,
        false => state.service.change_sets(&asker, &params.state, before, limit + 1).await?,
    };
    // The service gives 500 at most: then a full page may be the last one.
    let more = items.len() > limit || items.len() == page::MOST as usize;
    items.truncate(limit);
    let next_cursor = items.last().filter(|_| more).map(|last| page::encode(&bound, last.id)).transpose()?;
    json(StatusCode::OK, &Feed { items, next_cursor })
}

/// A new change set, with what it begins with.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct NewChangeSet {
    /// Becomes the revision's: why.
    #[schema(max_length = 2000, default = "")]
    message: String,
    /// The revision that it is staged against; the newest one where absent. What was changed since is a conflict at the commit.
    #[schema(minimum = 0)]
    base: Option<Revision>,
    /// All or none of them, in their order.
    #[schema(max_items = 50000, default = json!([]))]
    operations: Vec<OperationBody>,
    /// Commit it at once: one revision, or nothing at all.
    #[schema(default = false)]
    commit: bool,
}

/// Begin a change set
///
/// With `operations` and `commit` it is a batch: one revision, or nothing. Faults of operations point into the request,
/// `/operations/7/value/hostnames/0`. `wait` belongs to `commit`.
#[utoipa::path(post, path = "/api/v1/change-sets", operation_id = "create_change_set", tag = "change-sets", params(CommitParams),
    request_body(content = NewChangeSet, content_type = "application/json"),
    responses(
        (status = 201, description = "Begun, or committed.", body = ChangeSet),
        (status = 202, description = "Committed, and not live before the time to wait was over.", body = ChangeSet)))]
async fn create(
    State(state): State<ApiState>,
    asker: Asker,
    Query(params): Query<CommitParams>,
    Document(body): Document<NewChangeSet>,
) -> Result<Response, Problem> {
    let timeout = params.waiting()?;
    if timeout.is_some() && !body.commit {
        return Err(Problem::query("wait: only together with `commit`"));
    }
    let operations = parsed(body.operations)?;
    let (service, caller) = (state.service.clone(), asker.0.clone());
    let (message, base, commit) = (body.message, body.base, body.commit);
    let done = detached(async move { service.batch(&caller, &message, base, operations, commit).await }).await?;
    match done {
        Batched::Staged(change_set) => Ok(located(answer(StatusCode::CREATED, &change_set)?, &change_set)),
        Batched::Committed(committed) => committed_answer(&state, &asker, *committed, timeout, StatusCode::CREATED).await,
    }
}

fn parsed(operations: Vec<OperationBody>) -> Result<Vec<(Operation, Precondition)>, Problem> {
    if operations.len() > MOST_OPERATIONS {
        let detail = format!("at most {MOST_OPERATIONS} operations in one request");
        return Err(Error::invalid("/operations", "out_of_range", detail).into());
    }
    operations.into_iter().enumerate().map(|(index, one)| one.parse(index)).collect()
}

/// Read a change set
///
/// What it stages is read through it: `GET /api/v1/policies?change_set=...`, and by its diff.
#[utoipa::path(get, path = "/api/v1/change-sets/{change_set}", operation_id = "get_change_set", tag = "change-sets",
    params(("change_set" = Uuid, Path)),
    responses((status = 200, description = "The change set.", body = ChangeSet)))]
async fn get(State(state): State<ApiState>, asker: Asker, Path(id): Path<Uuid>, _: Query<NoParams>) -> Result<Response, Problem> {
    answer(StatusCode::OK, &state.service.change_set(&asker, id).await?)
}

/// What can be changed of a change set itself.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeSetMessage {
    /// Becomes the revision's: why.
    #[schema(max_length = 2000)]
    message: String,
}

/// Give a change set another message
#[utoipa::path(patch, path = "/api/v1/change-sets/{change_set}", operation_id = "patch_change_set", tag = "change-sets",
    params(("change_set" = Uuid, Path)),
    request_body(content = ChangeSetMessage, content_type = "application/json"),
    responses((status = 200, description = "Done.", body = ChangeSet)))]
async fn rename(
    State(state): State<ApiState>,
    asker: Asker,
    Path(id): Path<Uuid>,
    _: Query<NoParams>,
    Document(body): Document<ChangeSetMessage>,
) -> Result<Response, Problem> {
    answer(StatusCode::OK, &state.service.rename_change_set(&asker, id, &body.message).await?)
}

/// Discard a change set
#[utoipa::path(delete, path = "/api/v1/change-sets/{change_set}", operation_id = "discard_change_set", tag = "change-sets",
    params(("change_set" = Uuid, Path)),
    responses((status = 204, description = "It will never be committed.")))]
async fn discard(State(state): State<ApiState>, asker: Asker, Path(id): Path<Uuid>, _: Query<NoParams>) -> Result<Response, Problem> {
    state.service.discard_change_set(&asker, id).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Read what a change set changes
///
/// Of its base, object by object and field by field.
#[utoipa::path(get, path = "/api/v1/change-sets/{change_set}/diff", operation_id = "diff_change_set", tag = "change-sets",
    params(("change_set" = Uuid, Path)),
    responses((status = 200, description = "What differs.", body = Diff)))]
async fn diff(State(state): State<ApiState>, asker: Asker, Path(id): Path<Uuid>, _: Query<NoParams>) -> Result<Response, Problem> {
    json(StatusCode::OK, &state.service.diff_of_change_set(&asker, id).await?)
}

/// What is staged on top of what is there.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StagedOperations {
    /// All or none of them, in their order.
    #[schema(max_items = 50000)]
    operations: Vec<OperationBody>,
}

/// Stage operations
///
/// On top of what is staged; one alone can be sent as itself, with `?change_set=`. Faults point into the request,
/// `/operations/7/value/hostnames/0`.
#[utoipa::path(post, path = "/api/v1/change-sets/{change_set}/operations", operation_id = "stage_operations", tag = "change-sets",
    params(("change_set" = Uuid, Path)),
    request_body(content = StagedOperations, content_type = "application/json"),
    responses((status = 200, description = "Staged.", body = ChangeSet)))]
async fn stage(
    State(state): State<ApiState>,
    asker: Asker,
    Path(id): Path<Uuid>,
    _: Query<NoParams>,
    Document(body): Document<StagedOperations>,
) -> Result<Response, Problem> {
    let operations = parsed(body.operations)?;
    let (service, caller) = (state.service.clone(), asker.0.clone());
    answer(StatusCode::OK, &detached(async move { service.stage_all(&caller, id, operations).await }).await?)
}

/// A tree of objects as they are to be.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DesiredTree {
    #[schema(max_items = 52000)]
    objects: Vec<DesiredObject>,
}

/// One object of a tree: its kind and name, and any of the fields that its kind has. What is absent is left as it is, null is the default.
#[derive(Debug, Deserialize, ToSchema)]
pub struct DesiredObject {
    kind: Kind,
    name: Name,
    /// Of an IP list: all entries that it is to have. Absent: they are left as they are.
    #[serde(default)]
    entries: Option<Vec<Entry>>,
    #[serde(flatten)]
    #[schema(value_type = Object)]
    fields: serde_json::Map<String, Value>,
}

/// What staging a tree takes.
#[derive(Clone, Copy, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct DesiredParams {
    /// Delete what the tree does not name. Refused where that would be every object that there is.
    #[param(default = false)]
    prune: bool,
}

/// Stage a whole tree
///
/// Takes the place of all that was staged. Faults point into the request: `/objects/17/upstream/servers/0/port`.
#[utoipa::path(put, path = "/api/v1/change-sets/{change_set}/desired", operation_id = "put_desired", tag = "change-sets",
    params(("change_set" = Uuid, Path), DesiredParams),
    request_body(content = DesiredTree, content_type = "application/json"),
    responses((status = 200, description = "Staged.", body = ChangeSet)))]
async fn desired(
    State(state): State<ApiState>,
    asker: Asker,
    Path(id): Path<Uuid>,
    Query(params): Query<DesiredParams>,
    Document(tree): Document<DesiredTree>,
) -> Result<Response, Problem> {
    let of = |one: DesiredObject| Desired { kind: one.kind, name: one.name, fields: Value::Object(one.fields), entries: one.entries };
    let objects = tree.objects.into_iter().map(of).collect();
    answer(StatusCode::OK, &state.service.stage_desired(&asker, id, objects, params.prune).await?)
}

/// Bring a change set onto the newest revision
///
/// A refused one is open again with that. 409 `conflict` where somebody else changed the same: `conflicts` has both sides.
#[utoipa::path(post, path = "/api/v1/change-sets/{change_set}/rebase", operation_id = "rebase_change_set", tag = "change-sets",
    params(("change_set" = Uuid, Path)),
    responses((status = 200, description = "Done.", body = ChangeSet)))]
async fn rebase(State(state): State<ApiState>, asker: Asker, Path(id): Path<Uuid>, _: Query<NoParams>) -> Result<Response, Problem> {
    answer(StatusCode::OK, &state.service.rebase_change_set(&asker, id).await?)
}

/// Plan a change set
///
/// What committing it now would do, with the engines' answers. Nothing is changed.
#[utoipa::path(post, path = "/api/v1/change-sets/{change_set}/plan", operation_id = "plan_change_set", tag = "change-sets",
    params(("change_set" = Uuid, Path)),
    responses((status = 201, description = "The plan.", body = Plan)))]
async fn plan(State(state): State<ApiState>, asker: Asker, Path(id): Path<Uuid>, _: Query<NoParams>) -> Result<Response, Problem> {
    super::plans::made(&state.service.plan_change_set(&asker, id).await?)
}

/// What a commit takes.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Commit {
    /// Commit only if what happens is what the plan with this digest said: 409 `plan_changed` otherwise.
    plan_digest: Option<String>,
    /// Instead of the change set's.
    #[schema(max_length = 2000)]
    message: Option<String>,
}

/// Commit a change set
///
/// As one revision. Where nothing has to change any more, none is made.
#[utoipa::path(post, path = "/api/v1/change-sets/{change_set}/commit", operation_id = "commit_change_set", tag = "change-sets",
    params(("change_set" = Uuid, Path), CommitParams),
    request_body(content = Commit, content_type = "application/json"),
    responses(
        (status = 200, description = "Committed.", body = ChangeSet),
        (status = 202, description = "Committed, and not live before the time to wait was over.", body = ChangeSet)))]
async fn commit(
    State(state): State<ApiState>,
    asker: Asker,
    Path(id): Path<Uuid>,
    Query(params): Query<CommitParams>,
    Document(body): Document<Commit>,
) -> Result<Response, Problem> {
    let timeout = params.waiting()?;
    let (service, caller) = (state.service.clone(), asker.0.clone());
    let committed =
        detached(async move { service.commit_change_set(&caller, id, body.plan_digest.as_deref(), body.message.as_deref()).await });
    committed_answer(&state, &asker, committed.await?, timeout, StatusCode::OK).await
}

/// A yes.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Approve {
    /// Of the change set that you have seen: 409 `conflict` where it was edited since, its message alone included.
    #[schema(minimum = 1)]
    version: i64,
    /// Of the plan that you have seen: 409 `plan_changed` where what would happen is something else by now.
    plan_digest: String,
    /// Kept with the approval.
    #[serde(default)]
    #[schema(max_length = 2000, default = "")]
    reason: String,
    /// Commit it at once; otherwise its owner does.
    #[serde(default = "yes")]
    #[schema(default = true)]
    commit: bool,
}

fn yes() -> bool {
    true
}

/// Approve a change set
///
/// Of somebody else, that touches protected vhosts and waits. People who could have made all of it may; 403 `own_change` for who had a part in
/// it. The yes is to this version, and to what the plan said; it ends with any edit, and where something else would happen.
#[utoipa::path(post, path = "/api/v1/change-sets/{change_set}/approve", operation_id = "approve_change_set", tag = "change-sets",
    params(("change_set" = Uuid, Path), CommitParams),
    request_body(content = Approve, content_type = "application/json"),
    responses(
        (status = 200, description = "Approved, and with `commit` committed.", body = ChangeSet),
        (status = 202, description = "Committed, and not live before the time to wait was over.", body = ChangeSet)))]
async fn approve(
    State(state): State<ApiState>,
    asker: Asker,
    Path(id): Path<Uuid>,
    Query(params): Query<CommitParams>,
    Document(body): Document<Approve>,
) -> Result<Response, Problem> {
    let timeout = params.waiting()?;
    if timeout.is_some() && !body.commit {
        return Err(Problem::query("wait: only together with `commit`"));
    }
    let (service, caller) = (state.service.clone(), asker.0.clone());
    let done = detached(async move {
        let seen = Seen { version: body.version, plan_digest: body.plan_digest };
        service.approve(&caller, id, &seen, &body.reason, body.commit).await
    })
    .await?;
    match done {
        Batched::Staged(change_set) => answer(StatusCode::OK, &change_set),
        Batched::Committed(committed) => committed_answer(&state, &asker, *committed, timeout, StatusCode::OK).await,
    }
}

/// A no.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Reject {
    /// For its owner.
    #[schema(max_length = 2000, default = "")]
    reason: String,
}

/// Reject a change set
///
/// It is open again, for its owner to mend and to commit anew.
#[utoipa::path(post, path = "/api/v1/change-sets/{change_set}/reject", operation_id = "reject_change_set", tag = "change-sets",
    params(("change_set" = Uuid, Path)),
    request_body(content = Reject, content_type = "application/json"),
    responses((status = 200, description = "Done.", body = ChangeSet)))]
async fn reject(
    State(state): State<ApiState>,
    asker: Asker,
    Path(id): Path<Uuid>,
    _: Query<NoParams>,
    Document(body): Document<Reject>,
) -> Result<Response, Problem> {
    answer(StatusCode::OK, &state.service.reject(&asker, id, &body.reason).await?)
}

/// What a write answers that waits for somebody else: the change set that it became. Without its ETag: at an object's path it would be taken
/// for the object's.
pub fn awaiting(change_set: &ChangeSet) -> Response {
    match json(StatusCode::ACCEPTED, change_set) {
        Ok(response) => located(response, change_set),
        Err(problem) => problem.into_response(),
    }
}

/// In a task of its own: a caller who leaves cancels nothing.
pub async fn detached<T: Send + 'static>(work: impl Future<Output = Result<T, Error>> + Send + 'static) -> Result<T, Problem> {
    match tokio::spawn(work).await {
        Ok(done) => Ok(done?),
        Err(error) => Err(Problem::internal(format!("a commit ended early: {error}"))),
    }
}

async fn committed_answer(
    state: &ApiState,
    caller: &Caller,
    committed: CommittedSet,
    timeout: Option<std::time::Duration>,
    done: StatusCode,
) -> Result<Response, Problem> {
    let waited = write::wait(state, caller, timeout, committed.revision).await?;
    let response = answer(write::status(waited.as_ref(), done), &committed.change_set)?;
    let location = (done == StatusCode::CREATED).then(|| path(&committed.change_set));
    Ok(write::finish(response, committed.revision, waited.as_ref(), location.as_deref()))
}

/// The ETag is the version.
fn answer(status: StatusCode, change_set: &ChangeSet) -> Result<Response, Problem> {
    tagged(json(status, change_set), change_set.version)
}

fn located(mut response: Response, change_set: &ChangeSet) -> Response {
    write::locate(&mut response, Some(&path(change_set)));
    response
}

fn path(change_set: &ChangeSet) -> String {
    format!("/api/v1/change-sets/{}", change_set.id)
}
