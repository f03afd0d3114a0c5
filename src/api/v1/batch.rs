//! `/api/v1/ip-lists/{ip_list}/entries:batch`.

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::crud;
use crate::api::entry_text;
use crate::api::extract::{ENTRIES_LIMIT, JSON, Path, WriteParams, off_thread, read, require_media_type};
use crate::api::idempotency;
use crate::api::problem::Problem;
use crate::api::representation::Represented;
use crate::api::state::ApiState;
use crate::api::write::Write;
use crate::domain::{Entry, IpList, Name, Network};
use crate::service::{Operation, Precondition};

pub fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(batch))
}

/// Entries to add and networks to remove. Adding what is there replaces its comment and expiry; removing what is not there does nothing.
#[derive(Serialize, ToSchema)]
pub struct EntryBatch {
    #[schema(default = json!([]))]
    add: Vec<Entry>,
    #[schema(default = json!([]))]
    remove: Vec<Network>,
}

/// Add and remove entries
///
/// Idempotent, all or nothing; wants no `If-Match`. With `Idempotency-Key` the same request gets the same answer for an hour.
#[utoipa::path(post, path = "/api/v1/ip-lists/{ip_list}/entries:batch", operation_id = "batch_entries", tag = "ip-lists",
    params(("ip_list" = Name, Path), WriteParams,
        ("Idempotency-Key" = Option<String>, Header, description = "1 to 255 printable ASCII characters.", max_length = 255)),
    request_body(content = EntryBatch, content_type = "application/json"),
    responses(
        (status = 200, description = "Done, or the same already.", body = Represented<IpList>),
        (status = 202, description = "Committed, and not live before the time to wait was over.", body = Represented<IpList>)))]
async fn batch(State(state): State<ApiState>, Path(list): Path<String>, write: Write, body: Body) -> Result<Response, Problem> {
    let list = Name::parse(&list).map_err(|_| Problem::not_found())?;
    require_media_type(&write.headers, JSON)?;
    let key = idempotency::key(&write.headers)?;
    let bytes = read(&write.headers, body, ENTRIES_LIMIT).await?;
    let request = bytes.clone();
    let place = write.params.change_set.map(|id| id.to_string()).unwrap_or_default();
    let work = async {
        let (add, remove) = off_thread(bytes, entry_text::batch).await?;
        let operation = Operation::BatchEntries { list: list.clone(), add, remove };
        let committed = crud::commit_if::<IpList>(&state, &write, &list, operation, Precondition::None).await?;
        crud::answer::<IpList>(&state, &committed, &list, committed.status(StatusCode::OK), None)
    };
    let principal = &write.asker.principal;
    state.idempotency.once(key, principal, &[b"entries:batch", list.as_bytes(), place.as_bytes(), &request], work).await
}
