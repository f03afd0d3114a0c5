//! `/api/v1/audit`.

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures::stream::unfold;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::api::extract::{Asker, NoParams, Path, Query};
use crate::api::page::{self, Feed};
use crate::api::problem::Problem;
use crate::api::representation::json;
use crate::api::state::ApiState;
use crate::domain::Revision;
use crate::domain::audit::{AuditPlace, AuditVerdict};
use crate::service::{AuditFilter, AuditRecord, MOST_VERIFIED};

pub fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(verify)).routes(routes!(get))
}

const LINES: &str = "application/x-ndjson";
/// Rows that are read at a time for JSON lines: of any size, since theirs is not cut.
const AT_A_TIME: usize = 50;
/// Values that one filter takes.
const MOST_VALUES: usize = 100;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AuditFormat {
    /// A page.
    Json,
    /// All that the filter lets through, a line each: as with `Accept: application/x-ndjson`.
    Jsonl,
}

/// What the audit log's list takes.
#[derive(Clone, Debug, Default, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct AuditParams {
    /// Items of a page at most.
    #[serde(skip_serializing_if = "page::not_bound")]
    #[param(minimum = 1, maximum = 500, default = 50)]
    limit: Option<u32>,
    /// The `next_cursor` of the page before; opaque, bound to the filter.
    #[serde(skip_serializing_if = "page::not_bound")]
    #[param(max_length = 2048)]
    cursor: Option<String>,
    #[serde(skip_serializing_if = "page::not_bound")]
    #[param(inline)]
    format: Option<AuditFormat>,
    /// Only of this author, `token:ci`; repeated: of any of them.
    #[param(max_items = 100)]
    author: Vec<String>,
    /// Only this action, `create`, `denied`, `deployment.live`; repeated: any of them.
    #[param(max_items = 100)]
    action: Vec<String>,
    /// Only about this kind, `policy`, `token`, `deployment`; repeated: any of them.
    #[param(max_items = 100)]
    kind: Vec<String>,
    /// Only about this object, `policy/shop`, the kind and the name; repeated: any of them.
    #[param(max_items = 100)]
    object: Vec<String>,
    /// Only what belongs to this revision.
    #[param(minimum = 0)]
    revision: Option<Revision>,
    #[serde(with = "time::serde::rfc3339::option")]
    at_gte: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339::option")]
    at_lt: Option<OffsetDateTime>,
    /// Part of the author, the name, the address or the request id, in any case.
    #[param(max_length = 200)]
    q: Option<String>,
}

impl AuditParams {
    fn filter(self) -> Result<AuditFilter, Problem> {
        for (name, values) in [("author", &self.author), ("action", &self.action), ("kind", &self.kind), ("object", &self.object)] {
            if values.len() > MOST_VALUES {
                return Err(Problem::query(format!("{name}: at most {MOST_VALUES} times")));
            }
        }
        let texts = self.author.iter().chain(&self.action).chain(&self.kind).chain(&self.object).chain(&self.q);
        for text in texts {
            if text.contains('\0') || text.len() > 1000 {
                return Err(Problem::query("author, action, kind, object, q: at most 1,000 bytes, and none of them zero"));
            }
        }
        if self.q.as_ref().is_some_and(|q| q.chars().count() > 200) {
            return Err(Problem::query("q: at most 200 characters"));
        }
        let object = |text: String| match text.split_once('/') {
            Some((kind, name)) if !kind.is_empty() && !name.is_empty() => Ok((kind.to_owned(), name.to_owned())),
            _ => Err(Problem::query("object: a kind and a name, `policy/shop`")),
        };
        Ok(AuditFilter {
            author: self.author,
            action: self.action,
            kind: self.kind,
            objects: self.object.into_iter().map(object).collect::<Result<_, _>>()?,
            revision: self.revision,
            at_gte: self.at_gte,
            at_lt: self.at_lt,
            q: self.q,
            id: None,
        })
    }
}

/// Search the audit log
///
/// Newest first: writes in the transaction of their revision, and what else was done, refused or decided. With `format=jsonl` or `Accept:
/// application/x-ndjson` all of it, whole, a line each; a cursor then says where to begin, and `limit` is not meant. A role that is limited to
/// some vhosts shows the rows about what its scope covers, then and now, and one's own; their `hash` is null.
#[utoipa::path(get, path = "/api/v1/audit", operation_id = "list_audit", tag = "audit", params(AuditParams),
    responses((status = 200, description = "A page of rows, or JSON lines.",
        content((Feed<AuditRecord> = "application/json"), (AuditRecord = "application/x-ndjson")))))]
async fn list(
    State(state): State<ApiState>,
    asker: Asker,
    headers: HeaderMap,
    Query(params): Query<AuditParams>,
) -> Result<Response, Problem> {
    let limit = page::limit(params.limit)?;
    let bound = page::binding("audit", &params)?;
    let before = page::decode::<i64>(&bound, params.cursor.as_deref())?;
    let accepts = || headers.get(ACCEPT).is_some_and(|accept| accept.as_bytes().starts_with(LINES.as_bytes()));
    let as_lines = params.format.map_or_else(accepts, |format| format == AuditFormat::Jsonl);
    let filter = params.filter()?;
    if as_lines {
        return lines(state, asker, filter, before).await;
    }
    let mut items = state.service.audit_log(&asker, &filter, before, true, limit + 1).await?;
    let more = items.len() > limit;
    items.truncate(limit);
    let next_cursor = items.last().filter(|_| more).map(|last| page::encode(&bound, last.id)).transpose()?;
    json(StatusCode::OK, &Feed { items, next_cursor })
}

/// A page at a time, as the client reads; an error in the middle ends the connection, so that nobody takes it for the end.
async fn lines(state: ApiState, asker: Asker, filter: AuditFilter, before: Option<i64>) -> Result<Response, Problem> {
    let page = |rows: &[AuditRecord]| -> Vec<u8> {
        let mut out = Vec::new();
        for row in rows {
            if serde_json::to_writer(&mut out, row).is_ok() {
                out.push(b'\n');
            }
        }
        out
    };
    let first = state.service.audit_log(&asker, &filter, before, false, AT_A_TIME).await?;
    let stop = state.stop.clone();
    let stream = unfold(Some((first, false)), move |rows| {
        let (state, asker, filter, stop) = (state.clone(), asker.clone(), filter.clone(), stop.clone());
        async move {
            let (rows, read) = rows?;
            let rows = if read {
                let last = rows.last().map(|row: &AuditRecord| row.id);
                let more = state.service.audit_log(&asker, &filter, last, false, AT_A_TIME);
                match stop.run_until_cancelled(more).await {
                    Some(Ok(rows)) => rows,
                    Some(Err(error)) => return Some((Err(std::io::Error::other(error.to_string())), None)),
                    None => return Some((Err(std::io::Error::other("the server stops")), None)),
                }
            } else {
                rows
            };
            if rows.is_empty() {
                return None;
            }
            let bytes = Bytes::from(page(&rows));
            let next = (rows.len() == AT_A_TIME).then_some((rows, true));
            Some((Ok::<_, std::io::Error>(bytes), next))
        }
    });
    Ok(([(CONTENT_TYPE, LINES)], Body::from_stream(stream)).into_response())
}

/// Read a row of the audit log
#[utoipa::path(get, path = "/api/v1/audit/{id}", operation_id = "get_audit_row", tag = "audit",
    params(("id" = i64, Path, minimum = 1)),
    responses((status = 200, description = "The row, whole.", body = AuditRecord)))]
async fn get(State(state): State<ApiState>, asker: Asker, Path(id): Path<i64>, _: Query<NoParams>) -> Result<Response, Problem> {
    json(StatusCode::OK, &state.service.audit_row(&asker, id).await?)
}

/// Where to look along the chain.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct VerifyParams {
    /// Begin behind this row, with `after_hash`: the `last` of a look before. Without it: from the beginning.
    #[param(minimum = 0)]
    after_id: Option<i64>,
    /// The hash that this row must have.
    #[param(min_length = 64, max_length = 64, pattern = "^[0-9a-f]{64}$")]
    after_hash: Option<String>,
    /// Rows to look at, at most.
    #[param(minimum = 1, maximum = 1_000_000, default = 100_000)]
    limit: Option<i64>,
}

/// Verify the audit log
///
/// Computes the hash of each row anew and compares the end with the head. Keep `last` outside of the database: who can write to it could also
/// write a chain anew, but not one that goes through a place that you have kept. For who may read all of the log.
#[utoipa::path(get, path = "/api/v1/audit/verify", operation_id = "verify_audit", tag = "audit", params(VerifyParams),
    responses((status = 200, description = "What was found, `ok` or not.", body = AuditVerdict)))]
async fn verify(State(state): State<ApiState>, asker: Asker, Query(params): Query<VerifyParams>) -> Result<Response, Problem> {
    let limit = params.limit.unwrap_or(100_000);
    if !(1..=MOST_VERIFIED).contains(&limit) {
        return Err(Problem::query(format!("limit: 1 to {MOST_VERIFIED} is allowed")));
    }
    let after = match (params.after_id, params.after_hash) {
        (None, None) => None,
        (Some(id), Some(hash)) => {
            let good = id >= 0 && hash.len() == 64 && hash.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
            Some(AuditPlace { id, hash })
                .filter(|_| good)
                .ok_or_else(|| Problem::query("after_id, after_hash: the `last` of an answer before"))
                .map(Some)?
        }
        _ => return Err(Problem::query("after_id, after_hash: only both of them")),
    };
    json(StatusCode::OK, &state.service.verify_audit(&asker, after, limit).await?)
}
