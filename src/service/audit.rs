//! The audit log: who did what. Writes of objects put their rows into their own transaction ([`rows`](super::rows)); everything else comes by
//! here, and the one writer appends it, so that it is one chain.
//!
//! A call that changes something is logged before it is done: what cannot be logged is not done.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use time::OffsetDateTime;
use tokio::sync::oneshot;
use uuid::Uuid;

use super::entries::micros;
use super::rows::author;
use super::{Caller, Service};
use crate::domain::audit::{AuditEvent, AuditFault, AuditPlace, AuditRow, AuditVerdict, address, mask};
use crate::domain::error::{Error, Result};
use crate::domain::{Action, Principal};
use crate::store::{self, AuditFilter, AuditRecord};

/// Rows that may wait to be appended; who brings more waits for a place.
pub const QUEUE: usize = 4096;
/// How long a caller waits until its row is appended.
const PATIENCE: Duration = Duration::from_secs(10);
/// Sorts of a flood that have a row of their own within a window; what is of another sort is counted as one.
const SORTS: usize = 64;
/// How long is counted before it is summed up.
const WINDOW: time::Duration = time::Duration::seconds(60);
/// Rows that one look along the chain may take.
pub const MOST_VERIFIED: i64 = 1_000_000;

/// A row on its way to the log.
pub struct Appending {
    pub row: AuditRow,
    /// Told when it is in the log.
    pub done: Option<oneshot::Sender<()>>,
}

/// Who is behind something that nobody signed in for.
pub struct Stranger<'a> {
    pub request_id: &'a str,
    pub address: Option<std::net::IpAddr>,
}

pub(super) fn row(author: String, caller: Option<&Caller>, stranger: &Stranger<'_>, event: AuditEvent, at: OffsetDateTime) -> AuditRow {
    let json = |value: Option<Value>| {
        value.map(|mut value| {
            mask(&mut value);
            value.to_string()
        })
    };
    AuditRow {
        at: micros(at),
        author,
        principal_id: caller.and_then(|caller| caller.principal.id()),
        action: event.action.to_owned(),
        kind: event.kind.to_owned(),
        name: store::text(&event.name, 300),
        object_id: event.object_id,
        revision: event.revision,
        request_id: store::text(stranger.request_id, 200),
        address: stranger.address.map(address),
        before: json(event.before),
        after: json(event.after),
    }
}

/// What comes in floods: the first of a sort is stored, the others are counted, and summed up in a row a minute.
#[derive(Default)]
pub struct Floods(Mutex<Counting>);

#[derive(Default)]
struct Counting {
    since: Option<OffsetDateTime>,
    sorts: BTreeMap<Sort, Counted>,
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Sort {
    author: String,
    /// Names are used again, and who has one reads what is theirs.
    principal_id: Option<Uuid>,
    action: String,
    address: Option<String>,
}

struct Counted {
    /// The last one, whose row the sum is.
    last: AuditRow,
    first_at: OffsetDateTime,
    count: u64,
}

impl Floods {
    /// The row, where it is to be stored by itself.
    pub fn note(&self, row: AuditRow) -> Option<AuditRow> {
        let mut counting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counting.since.get_or_insert(row.at);
        let sort =
            Sort { author: row.author.clone(), principal_id: row.principal_id, action: row.action.clone(), address: row.address.clone() };
        let sort = if counting.sorts.len() < SORTS || counting.sorts.contains_key(&sort) {
            sort
        } else {
            Sort { author: "others".to_owned(), principal_id: None, action: row.action.clone(), address: None }
        };
        match counting.sorts.get_mut(&sort) {
            Some(counted) => {
                counted.count += 1;
                counted.last = row;
                None
            }
            None if sort.author == "others" => {
                counting.sorts.insert(sort, Counted { first_at: row.at, last: row, count: 1 });
                None
            }
            None => {
                counting.sorts.insert(sort, Counted { first_at: row.at, last: row.clone(), count: 0 });
                Some(row)
            }
        }
    }

    /// The sums of a window that is over; of any with `all`.
    pub fn due(&self, now: OffsetDateTime, all: bool) -> Vec<AuditRow> {
        let mut counting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if counting.since.is_none_or(|since| !all && now - since < WINDOW) {
            return Vec::new();
        }
        counting.since = None;
        let sorts = std::mem::take(&mut counting.sorts);
        sorts.into_iter().filter(|(_, counted)| counted.count > 0).map(|(sort, counted)| counted.sum(sort, now)).collect()
    }
}

impl Counted {
    fn sum(self, sort: Sort, now: OffsetDateTime) -> AuditRow {
        let text = |at: OffsetDateTime| at.format(&time::format_description::well_known::Rfc3339).unwrap_or_default();
        let last: Value = self.last.after.as_deref().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
        let after = json!({ "more": self.count, "from": text(self.first_at), "to": text(self.last.at), "last": last });
        AuditRow {
            at: micros(now),
            author: sort.author,
            principal_id: sort.principal_id,
            action: sort.action,
            address: sort.address,
            after: Some(after.to_string()),
            ..self.last
        }
    }
}

impl Service {
    /// Appends to the audit log, and comes back when it is there: to be called before what it tells of is done. `Error::Unavailable`: it is not
    /// there in time, and whoever asked must not go on.
    pub async fn audit(&self, caller: &Caller, event: AuditEvent) -> Result<()> {
        let (done, appended) = oneshot::channel();
        let stranger = Stranger { request_id: &caller.request_id, address: caller.address };
        let row = row(author(caller), Some(caller), &stranger, event, self.now());
        let away = || Error::Unavailable("the audit log cannot be written, so nothing is done that would be in it; try again".to_owned());
        let sent = async {
            self.inner.audit.send(Appending { row, done: Some(done) }).await.ok()?;
            appended.await.ok()
        };
        tokio::time::timeout(PATIENCE, sent).await.ok().flatten().ok_or_else(away)
    }

    /// Appends what has happened already; does not wait for it. Kept while the database is away.
    pub async fn audit_soon(&self, caller: &Caller, event: AuditEvent) {
        let stranger = Stranger { request_id: &caller.request_id, address: caller.address };
        let row = row(author(caller), Some(caller), &stranger, event, self.now());
        if tokio::time::timeout(PATIENCE, self.inner.audit.send(Appending { row, done: None })).await.is_err() {
            tracing::error!("the audit log's queue is full: a row is lost");
        }
    }

    /// The same of somebody who is known by name alone: who signs in is no caller yet.
    pub(super) async fn audit_by(&self, who: &str, stranger: &Stranger<'_>, event: AuditEvent) {
        let author = who.chars().filter(|c| !c.is_control()).take(200).collect();
        let row = row(author, None, stranger, event, self.now());
        if tokio::time::timeout(PATIENCE, self.inner.audit.send(Appending { row, done: None })).await.is_err() {
            tracing::error!("the audit log's queue is full: a row is lost");
        }
    }

    /// What the system did by itself.
    pub(super) async fn audit_system(&self, request_id: &str, event: AuditEvent) {
        let caller = Caller { principal: Principal::System, request_id: request_id.to_owned(), address: None };
        self.audit_soon(&caller, event).await;
    }

    /// What may come ten thousand times a minute: refusals, failures to sign in, reads that are to be seen. The first of each author, action
    /// and address is stored, what follows within a minute is counted. Never waits.
    pub fn audit_often(&self, caller: Option<&Caller>, stranger: &Stranger<'_>, event: AuditEvent) {
        let author = caller.map_or_else(|| "anonymous".to_owned(), author);
        let row = row(author, caller, stranger, event, self.now());
        let Some(row) = self.inner.shared.floods.note(row) else { return };
        if let Err(tokio::sync::mpsc::error::TrySendError::Full(appending)) = self.inner.audit.try_send(Appending { row, done: None }) {
            // Its sort is known by now: it is counted.
            self.inner.shared.floods.note(appending.row);
        }
    }

    /// Newest first; `before` is the id of the last one of the page before. Long content is left out of what is `short`.
    pub async fn audit_log(
        &self,
        caller: &Caller,
        filter: &AuditFilter,
        before: Option<i64>,
        short: bool,
        limit: usize,
    ) -> Result<Vec<AuditRecord>> {
        self.authorize(&caller.principal, Action::Read, "audit", None)?;
        let limit = limit.clamp(1, 501);
        match self.audit_scope(caller) {
            Some(grant) => self.audit_seen(caller, grant, filter, before, short, limit).await,
            None => self.inner.store.audit(filter, None, before, short, i64::try_from(limit).unwrap_or(501)).await,
        }
    }

    pub async fn audit_row(&self, caller: &Caller, id: i64) -> Result<AuditRecord> {
        self.authorize(&caller.principal, Action::Read, "audit", None)?;
        let filter = AuditFilter { id: Some(id), ..AuditFilter::default() };
        let row = self.audit_log(caller, &filter, None, false, 1).await?.pop();
        row.ok_or_else(|| Error::NotFound { kind: "row of the audit log", name: id.to_string() })
    }

    /// Looks along the chain: from its beginning, or behind a row that was good. It is over all rows, so it is for who may read all.
    pub async fn verify_audit(&self, caller: &Caller, after: Option<AuditPlace>, most: i64) -> Result<AuditVerdict> {
        self.authorize(&caller.principal, Action::Read, "audit", None)?;
        if self.audit_scope(caller).is_some() {
            return Err(Error::Forbidden);
        }
        let verdict = self.inner.store.verify_audit(after.unwrap_or_else(AuditPlace::start), most.clamp(1, MOST_VERIFIED)).await?;
        // A wrong place is the caller's word: not an alarm.
        if let Some(broken) = verdict.broken.as_ref().filter(|broken| broken.fault != AuditFault::Place) {
            tracing::error!(id = broken.id, detail = %broken.detail, "service.audit_broken");
        }
        Ok(verdict)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn denied(address: u8, at: i64) -> AuditRow {
        let event = AuditEvent { action: "denied", kind: "request", name: "GET /".to_owned(), ..AuditEvent::default() };
        let stranger = Stranger { request_id: "r", address: Some([192, 0, 2, address].into()) };
        row("anonymous".to_owned(), None, &stranger, event, OffsetDateTime::from_unix_timestamp(at).unwrap())
    }

    #[test]
    fn a_flood_is_a_row_and_a_sum() {
        let floods = Floods::default();
        let stored = (0..10_000).filter_map(|n| floods.note(denied(1, 1000 + n / 200))).count();
        assert_eq!(stored, 1);
        let now = |at| OffsetDateTime::from_unix_timestamp(at).unwrap();
        assert!(floods.due(now(1059), false).is_empty(), "the window is not over");
        let sums = floods.due(now(1060), false);
        assert_eq!(sums.len(), 1);
        let after: Value = serde_json::from_str(sums[0].after.as_deref().unwrap()).unwrap();
        assert_eq!((after["more"].as_u64(), sums[0].address.as_deref()), (Some(9999), Some("192.0.2.1")));
        assert!(floods.due(now(2000), true).is_empty(), "told once");
    }

    #[test]
    fn a_flood_from_everywhere_is_bounded_too() {
        let floods = Floods::default();
        let stored = (0..=255).filter_map(|n| floods.note(denied(n, 1000))).count();
        let sums = floods.due(OffsetDateTime::from_unix_timestamp(1000).unwrap(), true);
        assert_eq!((stored, sums.len()), (SORTS, 1));
        let after: Value = serde_json::from_str(sums[0].after.as_deref().unwrap()).unwrap();
        assert_eq!((sums[0].author.as_str(), after["more"].as_u64()), ("others", Some(256 - SORTS as u64)));
    }
}
