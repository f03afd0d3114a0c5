//! Lists: limits, cursors, sorting; keyset paging over the snapshot in memory.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use axum::response::Response;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::extract::ViewParams;
use super::problem::Problem;
use super::representation::{Resource, json, represent};
use super::state::ApiState;
use crate::domain::digest::hex;
use crate::domain::{Action, Name};
use crate::service::Caller;

pub const DEFAULT_LIMIT: u32 = 50;
pub const MOST: u32 = 500;

/// One page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct Page<T> {
    pub items: Vec<T>,
    /// Pass as `cursor`, with the same sort and filter, to get the next page; null at the end.
    #[schema(required)]
    pub next_cursor: Option<String>,
    /// How many there are in all that the filter lets through.
    pub total: usize,
}

/// One page of what the database lists, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct Feed<T> {
    pub items: Vec<T>,
    /// Pass as `cursor`, with the same filter, to get the next page; null at the end.
    #[schema(required)]
    pub next_cursor: Option<String>,
}

pub fn limit(given: Option<u32>) -> Result<usize, Problem> {
    match given {
        None => Ok(DEFAULT_LIMIT as usize),
        Some(limit) if (1..=MOST).contains(&limit) => Ok(limit as usize),
        Some(_) => Err(Problem::query(format!("limit: 1 to {MOST} is allowed"))),
    }
}

/// What a cursor says: where the page before ended, and of which list.
#[derive(Serialize, Deserialize)]
struct Cursor<K> {
    /// Digest of the list, its sort and its filter.
    d: String,
    k: K,
}

/// For parameters that a cursor is not bound to. (`skip_serializing` would take them out of the document, too.)
pub fn not_bound<T>(_: &T) -> bool {
    true
}

/// Digest of what a cursor is bound to.
pub fn binding(list: &str, filter: &impl Serialize) -> Result<String, Problem> {
    let filter = serde_json::to_vec(filter).map_err(|error| Problem::internal(error.to_string()))?;
    Ok(hex(&Sha256::new().chain_update(list).chain_update([0]).chain_update(filter).finalize()[..6]))
}

pub fn encode<K: Serialize>(binding: &str, key: K) -> Result<String, Problem> {
    serde_json::to_vec(&Cursor { d: binding.to_owned(), k: key })
        .map(|bytes| hex(&bytes))
        .map_err(|error| Problem::internal(error.to_string()))
}

pub fn decode<K: DeserializeOwned>(binding: &str, cursor: Option<&str>) -> Result<Option<K>, Problem> {
    let Some(text) = cursor else { return Ok(None) };
    let wrong = || Problem::query("cursor: not one of this list with this sort and filter; begin again without");
    let byte = |pair: &[u8]| std::str::from_utf8(pair).ok().and_then(|pair| u8::from_str_radix(pair, 16).ok());
    let bytes: Option<Vec<u8>> =
        if text.len().is_multiple_of(2) && text.len() <= 2048 { text.as_bytes().chunks(2).map(byte).collect() } else { None };
    let cursor: Cursor<K> = bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()).ok_or_else(wrong)?;
    if cursor.d == binding { Ok(Some(cursor.k)) } else { Err(wrong()) }
}

/// How configured objects are sorted; `-` is downwards. Names break ties.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub enum Sort {
    #[default]
    #[serde(rename = "name")]
    Name,
    #[serde(rename = "-name")]
    NameDown,
    #[serde(rename = "updated_at")]
    UpdatedAt,
    #[serde(rename = "-updated_at")]
    UpdatedAtDown,
}

/// What the lists of all three kinds take.
pub struct Common<'a> {
    pub limit: usize,
    pub cursor: Option<&'a str>,
    pub sort: Sort,
    /// In lower case.
    pub q: Option<String>,
    pub updated_at_gte: Option<OffsetDateTime>,
    pub updated_at_lt: Option<OffsetDateTime>,
    pub view: ViewParams,
}

/// The query parameters of one list.
pub trait ListParams: Serialize + DeserializeOwned {
    type Resource: Resource;
    fn common(&self) -> Result<Common<'_>, Problem>;
    /// Whether any parameter of its own filters.
    fn filters(&self) -> bool;
    /// Whether its own parameters let this through.
    fn accepts(&self, spec: &Self::Resource) -> bool;
    fn check(&self) -> Result<(), Problem> {
        Ok(())
    }
}

/// Declares the query parameters of a list: the common ones and its own. serde cannot refuse unknown members through `flatten`.
macro_rules! list_params {
    ($(#[$doc:meta])* $name:ident { $($(#[$own_doc:meta])* $own:ident: $type:ty,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize, utoipa::IntoParams)]
        #[serde(deny_unknown_fields, default)]
        #[into_params(parameter_in = Query)]
        pub struct $name {
            /// Items of a page at most.
            #[serde(skip_serializing_if = "crate::api::page::not_bound")]
            #[param(minimum = 1, maximum = 500, default = 50)]
            pub limit: Option<u32>,
            /// The `next_cursor` of the page before; opaque, bound to sort and filter.
            #[serde(skip_serializing_if = "crate::api::page::not_bound")]
            #[param(max_length = 2048)]
            pub cursor: Option<String>,
            /// By name where absent.
            #[param(inline)]
            pub sort: Option<$crate::api::page::Sort>,
            /// Only what has this text, in any case, in its name, title or (vhosts) hostnames.
            #[param(max_length = 255)]
            pub q: Option<String>,
            /// Only what was last changed then or later.
            #[serde(with = "time::serde::rfc3339::option")]
            pub updated_at_gte: Option<time::OffsetDateTime>,
            /// Only what was last changed before.
            #[serde(with = "time::serde::rfc3339::option")]
            pub updated_at_lt: Option<time::OffsetDateTime>,
            /// As if this change set of yours were committed to its base.
            pub change_set: Option<uuid::Uuid>,
            /// As it was at this revision.
            #[param(minimum = 0)]
            pub revision: Option<$crate::domain::Revision>,
            $($(#[$own_doc])* pub $own: $type,)*
        }

        impl $name {
            fn common(&self) -> Result<$crate::api::page::Common<'_>, $crate::api::problem::Problem> {
                Ok($crate::api::page::Common {
                    limit: $crate::api::page::limit(self.limit)?,
                    cursor: self.cursor.as_deref(),
                    sort: self.sort.unwrap_or_default(),
                    q: self.q.as_ref().filter(|q| !q.is_empty()).map(|q| q.to_lowercase()),
                    updated_at_gte: self.updated_at_gte,
                    updated_at_lt: self.updated_at_lt,
                    view: $crate::api::extract::ViewParams { change_set: self.change_set, revision: self.revision },
                })
            }
        }
    };
}
pub(crate) use list_params;

/// Answers a list. Sorted by name, a page costs what it holds, and a filter one look at each object; other sorts select, not sort, the rest.
pub async fn list<L: ListParams>(state: &ApiState, caller: &Caller, params: &L) -> Result<Response, Problem> {
    let kind = L::Resource::KIND.as_str();
    state.service.authorize(&caller.principal, Action::Read, kind, None)?;
    params.check()?;
    let common = params.common()?;
    let bound = binding(kind, params)?;
    let snapshot = common.view.snapshot(state, caller, None).await?;
    let all = L::Resource::all(&snapshot);
    let selection = Selection { params, common: &common, all };
    let (held, total) = match common.sort {
        Sort::Name | Sort::NameDown => selection.by_name(decode(&bound, common.cursor)?),
        Sort::UpdatedAt | Sort::UpdatedAtDown => selection.by_time(decode(&bound, common.cursor)?),
    };
    let more = held.len() > common.limit;
    let held = &held[..held.len().min(common.limit)];
    let next_cursor = match held.last() {
        Some((name, held)) if more => Some(match common.sort {
            Sort::Name | Sort::NameDown => encode(&bound, name)?,
            _ => encode(&bound, (nanos::<L::Resource>(held), name))?,
        }),
        _ => None,
    };
    let items = held.iter().map(|(_, held)| represent::<L::Resource>(state, held, Vec::new())).collect();
    json(http::StatusCode::OK, &Page { items, next_cursor, total })
}

struct Selection<'a, L: ListParams> {
    params: &'a L,
    common: &'a Common<'a>,
    all: &'a BTreeMap<Name, Arc<<L::Resource as Resource>::Held>>,
}

type Held<'a, R> = (&'a Name, &'a Arc<<R as Resource>::Held>);

/// Text, since JSON numbers end before nanoseconds do.
fn nanos<R: Resource>(held: &R::Held) -> String {
    R::versioned(held).updated_at.unix_timestamp_nanos().to_string()
}

impl<'a, L: ListParams> Selection<'a, L> {
    fn filters(&self) -> bool {
        let Common { q, updated_at_gte, updated_at_lt, .. } = self.common;
        q.is_some() || updated_at_gte.is_some() || updated_at_lt.is_some() || self.params.filters()
    }

    fn accepts(&self, (_, held): &Held<'a, L::Resource>) -> bool {
        let versioned = L::Resource::versioned(held);
        self.common.updated_at_gte.is_none_or(|at| versioned.updated_at >= at)
            && self.common.updated_at_lt.is_none_or(|at| versioned.updated_at < at)
            && self.params.accepts(&versioned.spec)
            && self.common.q.as_ref().is_none_or(|q| versioned.spec.matches(q))
    }

    fn total(&self) -> usize {
        if self.filters() { self.all.iter().filter(|item| self.accepts(item)).count() } else { self.all.len() }
    }

    /// One more than asked for, to see whether there is more; and how many there are in all.
    fn by_name(&self, after: Option<String>) -> (Vec<Held<'a, L::Resource>>, usize) {
        let down = self.common.sort == Sort::NameDown;
        let edge = after.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
        let range = if down { (Bound::Unbounded, edge) } else { (edge, Bound::Unbounded) };
        let items = self.all.range::<str, _>(range);
        let most = self.common.limit + 1;
        let page = if down {
            items.rev().filter(|item| self.accepts(item)).take(most).collect()
        } else {
            items.filter(|item| self.accepts(item)).take(most).collect()
        };
        (page, self.total())
    }

    fn by_time(&self, after: Option<(String, String)>) -> (Vec<Held<'a, L::Resource>>, usize) {
        let down = self.common.sort == Sort::UpdatedAtDown;
        let key = |item: &Held<'a, L::Resource>| (L::Resource::versioned(item.1).updated_at.unix_timestamp_nanos(), item.0.as_str());
        let edge = after.as_ref().and_then(|(at, name)| Some((at.parse::<i128>().ok()?, name.as_str())));
        let mut total = 0;
        let mut rest: Vec<_> = self
            .all
            .iter()
            .filter(|item| self.accepts(item))
            .inspect(|_| total += 1)
            .filter(|item| edge.is_none_or(|edge| if down { key(item) < edge } else { key(item) > edge }))
            .collect();
        let order = |a: &Held<'a, L::Resource>, b: &Held<'a, L::Resource>| if down { key(b).cmp(&key(a)) } else { key(a).cmp(&key(b)) };
        let most = self.common.limit + 1;
        if rest.len() > most {
            rest.select_nth_unstable_by(most, order);
            rest.truncate(most);
        }
        rest.sort_unstable_by(order);
        (rest, total)
    }
}
