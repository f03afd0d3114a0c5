//! `/api/v1/ip-lists/{ip_list}/entries`.

use std::collections::BTreeMap;
use std::ops::Bound;

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::crud;
use crate::api::entry_text::{self, Format};
use crate::api::extract::{Asker, ENTRIES_LIMIT, Path, Query, ViewParams, WriteParams, off_thread, read, require_media_type};
use crate::api::page::{self, Page};
use crate::api::problem::Problem;
use crate::api::representation::{Represented, json};
use crate::api::state::ApiState;
use crate::api::write::Write;
use crate::domain::{Entry, IpList, Name, Network, Revision, Subject, Title};
use crate::service::Operation;

pub fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(list, replace))
}

/// An entry as it is answered.
#[derive(Serialize, ToSchema)]
pub struct EntryRepresentation<'a> {
    #[schema(value_type = Network)]
    network: Network,
    #[schema(value_type = Title)]
    comment: &'a Title,
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(required)]
    expires_at: Option<OffsetDateTime>,
    /// Whether it has expired: shown, and in force no more. Read-only: accepted and ignored on write.
    expired: bool,
}

impl<'a> EntryRepresentation<'a> {
    fn of(entry: &'a Entry, now: OffsetDateTime) -> Self {
        let Entry { network, comment, expires_at } = entry;
        Self { network: *network, comment, expires_at: *expires_at, expired: !entry.active(now) }
    }
}

/// What the entries of a list take.
#[derive(Clone, Debug, Default, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct EntryParams {
    /// Items of a page at most.
    #[serde(skip_serializing_if = "page::not_bound")]
    #[param(minimum = 1, maximum = 500, default = 50)]
    limit: Option<u32>,
    /// The `next_cursor` of the page before; opaque, bound to the filter.
    #[serde(skip_serializing_if = "page::not_bound")]
    #[param(max_length = 2048)]
    cursor: Option<String>,
    /// Only entries that cover this address or network.
    contains: Option<Network>,
    /// Only entries that have this text, in any case, in network or comment.
    #[param(max_length = 255)]
    q: Option<String>,
    /// As if this change set of yours were committed to its base.
    change_set: Option<Uuid>,
    /// As it was at this revision.
    #[param(minimum = 0)]
    revision: Option<Revision>,
}

/// List entries
///
/// In the order of their networks, IPv4 first. The `ETag` is that of the list: send it as `If-Match` to replace the entries.
#[utoipa::path(get, path = "/api/v1/ip-lists/{ip_list}/entries", operation_id = "list_entries", tag = "ip-lists",
    params(("ip_list" = Name, Path), EntryParams),
    responses((status = 200, description = "A page of entries.", body = Page<EntryRepresentation>)))]
async fn list(
    State(state): State<ApiState>,
    asker: Asker,
    Path(name): Path<String>,
    Query(params): Query<EntryParams>,
) -> Result<Response, Problem> {
    let view = ViewParams { change_set: params.change_set, revision: params.revision };
    let part = Subject::Entry;
    let held = state.service.ip_list(&asker, &*view.snapshot(&state, &asker, Some(part)).await?, &name, part)?;
    let bound = page::binding(&format!("entries {name}"), &params)?;
    let after = page::decode(&bound, params.cursor.as_deref())?;
    let (mut found, total) = select(&held.entries, &params, after, page::limit(params.limit)?);
    let more = found.len() > page::limit(params.limit)?;
    found.truncate(page::limit(params.limit)?);
    let next_cursor = found.last().filter(|_| more).map(|entry| page::encode(&bound, entry.network)).transpose()?;
    let now = state.service.now();
    let items = found.iter().map(|entry| EntryRepresentation::of(entry, now)).collect();
    crud::tagged(json(StatusCode::OK, &Page { items, next_cursor, total }), held.list.revision)
}

/// One more than asked for, to see whether there is more; and how many there are in all.
fn select<'a>(
    entries: &'a BTreeMap<Network, Entry>,
    params: &EntryParams,
    after: Option<Network>,
    limit: usize,
) -> (Vec<&'a Entry>, usize) {
    let q = params.q.as_ref().filter(|q| !q.is_empty()).map(|q| q.to_lowercase());
    let matches = |entry: &&Entry| match &q {
        None => true,
        Some(q) => entry.comment.to_lowercase().contains(q) || entry.network.to_string().contains(q),
    };
    if let Some(inner) = params.contains {
        let all: Vec<_> = covering(entries, inner).into_iter().filter(matches).collect();
        let total = all.len();
        let page = all.into_iter().filter(|entry| after.is_none_or(|after| entry.network > after)).take(limit + 1).collect();
        return (page, total);
    }
    let total = if q.is_none() { entries.len() } else { entries.values().filter(matches).count() };
    let edge = after.map_or(Bound::Unbounded, Bound::Excluded);
    let page = entries.range((edge, Bound::Unbounded)).map(|(_, entry)| entry).filter(matches).take(limit + 1).collect();
    (page, total)
}

/// The entries that cover a network: one look-up for each length of prefix, however long the list.
fn covering(entries: &BTreeMap<Network, Entry>, inner: Network) -> Vec<&Entry> {
    let net = inner.net();
    let outer = |length: u8| ipnet::IpNet::new(net.addr(), length).ok().map(Network::new);
    let mut found: Vec<_> = (0..=net.prefix_len()).filter_map(outer).filter_map(|network| entries.get(&network)).collect();
    found.sort_unstable_by_key(|entry| entry.network);
    found
}

const FORMATS: &[&str] = &["application/json", "text/csv", "text/plain"];

/// Replace all entries
///
/// With the list's `If-Match`. JSON: an array of entries, or an object with `items`, as the list of entries answers it. CSV:
/// `network,comment,expires_at`, with or without a line that names the columns. Text: a network a line, `# comment` behind it.
#[utoipa::path(put, path = "/api/v1/ip-lists/{ip_list}/entries", operation_id = "replace_entries", tag = "ip-lists",
    params(("ip_list" = Name, Path), WriteParams),
    request_body(content((Vec<Entry> = "application/json"), (String = "text/csv"), (String = "text/plain"))),
    responses(
        (status = 200, description = "Replaced, or the same already.", body = Represented<IpList>),
        (status = 202, description = "Committed, and not live before the time to wait was over.", body = Represented<IpList>)))]
async fn replace(State(state): State<ApiState>, Path(list): Path<String>, write: Write, body: Body) -> Result<Response, Problem> {
    let list = Name::parse(&list).map_err(|_| Problem::not_found())?;
    let media_type = require_media_type(&write.headers, FORMATS)?;
    let format = Format::of(&media_type).ok_or_else(Problem::not_found)?;
    let bytes = read(&write.headers, body, ENTRIES_LIMIT).await?;
    let entries = off_thread(bytes, move |bytes| entry_text::parse(format, bytes)).await?;
    let committed = crud::commit::<IpList>(&state, &write, &list, Operation::ReplaceEntries { list: list.clone(), entries }).await?;
    crud::answer::<IpList>(&state, &committed, &list, committed.status(StatusCode::OK), None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn covering_finds_every_wider_network() {
        let entries: BTreeMap<Network, Entry> = ["0.0.0.0/0", "192.0.2.0/24", "192.0.2.7/32", "192.0.3.0/24", "2001:db8::/32"]
            .iter()
            .map(|text| {
                let network: Network = text.parse().unwrap();
                (network, Entry { network, comment: Title::default(), expires_at: None })
            })
            .collect();
        let found = |text: &str| covering(&entries, text.parse().unwrap()).iter().map(|e| e.network.to_string()).collect::<Vec<_>>();
        assert_eq!(found("192.0.2.7"), ["0.0.0.0/0", "192.0.2.0/24", "192.0.2.7/32"]);
        assert_eq!(found("192.0.2.0/25"), ["0.0.0.0/0", "192.0.2.0/24"]);
        assert_eq!(found("2001:db8::1"), ["2001:db8::/32"]);
        assert_eq!(found("::ffff:192.0.2.7"), ["0.0.0.0/0", "192.0.2.0/24", "192.0.2.7/32"]);
        assert!(found("2001:db9::1").is_empty());
    }
}
