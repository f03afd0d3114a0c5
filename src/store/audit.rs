//! The audit log: appended by the lead alone, so that it is one chain; read and verified by the pool.

use std::time::Duration;

use futures::TryStreamExt as _;
use serde::Serialize;
use sqlx::{Connection as _, PgConnection};
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

use super::lead::within;
use super::{Lead, Store, failed};
use crate::domain::Revision;
use crate::domain::audit::{AuditFault, AuditPlace, AuditRow, AuditVerdict, NOTHING, Walk};
use crate::domain::error::Result;

/// Rows that one statement reads of the chain.
const STEP: i64 = 1000;
/// Bytes of `before` and of `after` that a list shows.
const SHOWN: i32 = 4096;

/// A row of the audit log.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct AuditRecord {
    pub id: i64,
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// Who: `token:ci`, `user:ada@example.com`, `system`.
    pub author: String,
    /// Of the person or token.
    #[schema(required)]
    pub principal_id: Option<Uuid>,
    /// `create`, `update`, `delete`, or such as `denied`, `deployment.live`.
    pub action: String,
    pub kind: String,
    pub name: String,
    /// Tells an object from one that had its name before.
    #[schema(required)]
    pub object_id: Option<Uuid>,
    #[schema(required)]
    pub revision: Option<Revision>,
    pub request_id: String,
    /// The peer's.
    #[schema(required)]
    pub address: Option<String>,
    /// What was; of lists of entries only what went. Secrets are masked.
    #[schema(required, value_type = Option<Object>)]
    pub before: Option<Box<serde_json::value::RawValue>>,
    /// What is; of lists of entries only what came. Secrets are masked.
    #[schema(required, value_type = Option<Object>)]
    pub after: Option<Box<serde_json::value::RawValue>>,
    /// In a list: `before` or `after` is over 4 KiB and left out; the row by its id has it.
    pub shortened: bool,
    /// SHA-256 over the row and the hash of the row before, in hex. Null for a role that is limited to some vhosts: by it could be tried out
    /// what is in a row before.
    #[schema(required)]
    pub hash: Option<String>,
}

impl AuditRecord {
    /// As a list shows it.
    pub fn shorten(&mut self) {
        let long = |json: &Option<Box<serde_json::value::RawValue>>| json.as_ref().is_some_and(|json| json.get().len() > SHOWN as usize);
        for json in [&mut self.before, &mut self.after] {
            if long(json) {
                *json = None;
                self.shortened = true;
            }
        }
    }
}

/// Which rows are wanted; what is not said does not matter.
#[derive(Clone, Debug, Default)]
pub struct AuditFilter {
    pub author: Vec<String>,
    pub action: Vec<String>,
    pub kind: Vec<String>,
    /// Kind and name.
    pub objects: Vec<(String, String)>,
    pub revision: Option<Revision>,
    pub at_gte: Option<OffsetDateTime>,
    pub at_lt: Option<OffsetDateTime>,
    /// Part of author, name, address or request id.
    pub q: Option<String>,
    pub id: Option<i64>,
}

/// Rows that somebody with a scope may see at most. Which of those about what is configured they do see is said by `service`.
#[derive(Clone, Debug, Default)]
pub struct AuditReach {
    /// Kind and name of what is there and not theirs to see.
    pub hidden: Vec<(String, String)>,
    /// Whose own rows they are.
    pub principal: Option<Uuid>,
    /// Their address, and since when it is theirs: rows about people have no more than that.
    pub person: Option<(String, OffsetDateTime)>,
}

struct Row {
    id: i64,
    at: OffsetDateTime,
    author: String,
    principal_id: Option<Uuid>,
    action: String,
    kind: String,
    name: String,
    object_id: Option<Uuid>,
    revision: Option<i64>,
    request_id: String,
    address: Option<String>,
    before: Option<String>,
    after: Option<String>,
    shortened: bool,
    hash: String,
}

impl Row {
    fn record(self) -> AuditRecord {
        let raw = |text: Option<String>| text.and_then(|text| serde_json::value::RawValue::from_string(text).ok());
        AuditRecord {
            id: self.id,
            at: self.at,
            author: self.author,
            principal_id: self.principal_id,
            action: self.action,
            kind: self.kind,
            name: self.name,
            object_id: self.object_id,
            revision: self.revision,
            request_id: self.request_id,
            address: self.address,
            before: raw(self.before),
            after: raw(self.after),
            shortened: self.shortened,
            hash: Some(self.hash),
        }
    }

    fn step(self, walk: &mut Walk) -> bool {
        let row = AuditRow {
            at: self.at,
            author: self.author,
            principal_id: self.principal_id,
            action: self.action,
            kind: self.kind,
            name: self.name,
            object_id: self.object_id,
            revision: self.revision,
            request_id: self.request_id,
            address: self.address,
            before: self.before,
            after: self.after,
        };
        walk.step(self.id, &self.hash, &row)
    }
}

/// Appends rows behind the end that is known; None where the database's end is another: then nothing may be committed.
pub(super) async fn append(tx: &mut PgConnection, known: Option<AuditPlace>, rows: &[AuditRow]) -> sqlx::Result<Option<AuditPlace>> {
    let end = match known {
        Some(end) => end,
        None => sqlx::query_as!(AuditPlace, "select id, hash from audit_head").fetch_one(&mut *tx).await?,
    };
    let mut place = end.clone();
    let mut places = Vec::with_capacity(rows.len());
    for row in rows {
        place = place.then(row);
        places.push(place.clone());
    }
    if rows.is_empty() {
        return Ok(Some(end));
    }
    sqlx::query!(
        "insert into audit (id, at, author, principal_id, action, kind, name, object_id, revision, request_id, address, before, after, hash)
         select id, at, author, principal_id, action, kind, name, object_id, revision, request_id, address, before::json, after::json, hash
         from unnest($1::bigint[], $2::timestamptz[], $3::text[], $4::uuid[], $5::text[], $6::text[], $7::text[], $8::uuid[], $9::bigint[],
                     $10::text[], $11::text[], $12::text[], $13::text[], $14::text[])
              as a (id, at, author, principal_id, action, kind, name, object_id, revision, request_id, address, before, after, hash)",
        &places.iter().map(|p| p.id).collect::<Vec<_>>(),
        &rows.iter().map(|a| a.at).collect::<Vec<_>>(),
        &rows.iter().map(|a| a.author.clone()).collect::<Vec<_>>(),
        &rows.iter().map(|a| a.principal_id).collect::<Vec<_>>() as &[Option<Uuid>],
        &rows.iter().map(|a| a.action.clone()).collect::<Vec<_>>(),
        &rows.iter().map(|a| a.kind.clone()).collect::<Vec<_>>(),
        &rows.iter().map(|a| a.name.clone()).collect::<Vec<_>>(),
        &rows.iter().map(|a| a.object_id).collect::<Vec<_>>() as &[Option<Uuid>],
        &rows.iter().map(|a| a.revision).collect::<Vec<_>>() as &[Option<i64>],
        &rows.iter().map(|a| a.request_id.clone()).collect::<Vec<_>>(),
        &rows.iter().map(|a| a.address.clone()).collect::<Vec<_>>() as &[Option<String>],
        &rows.iter().map(|a| a.before.clone()).collect::<Vec<_>>() as &[Option<String>],
        &rows.iter().map(|a| a.after.clone()).collect::<Vec<_>>() as &[Option<String>],
        &places.iter().map(|p| p.hash.clone()).collect::<Vec<_>>()
    )
    .execute(&mut *tx)
    .await?;
    let moved =
        sqlx::query!("update audit_head set id = $1, hash = $2 where id = $3 and hash = $4", place.id, place.hash, end.id, end.hash)
            .execute(&mut *tx)
            .await?;
    Ok((moved.rows_affected() == 1).then_some(place))
}

impl Lead {
    /// Appends rows that belong to no revision; false, and nothing written, where somebody else has appended: the next time begins from there.
    /// After an error nobody knows whether it was written: ask [`Store::audit_hash`] for what [`Lead::would_end`] had said.
    pub async fn append(&mut self, rows: &[AuditRow]) -> Result<bool> {
        let (connection, chain) = (&mut self.connection, &mut self.chain);
        within(Duration::from_secs(30), "writing the audit log", async {
            let known = chain.take();
            let mut transaction = connection.begin().await?;
            let Some(end) = append(&mut transaction, known, rows).await? else {
                transaction.rollback().await?;
                return Ok(false);
            };
            transaction.commit().await?;
            *chain = Some(end);
            Ok(true)
        })
        .await
    }

    /// Where the chain would end with these rows.
    pub async fn would_end(&mut self, rows: &[AuditRow]) -> Result<AuditPlace> {
        let (connection, chain) = (&mut self.connection, &mut self.chain);
        let end = within(Duration::from_secs(5), "reading the audit log's end", async {
            match chain {
                Some(end) => Ok(end.clone()),
                None => sqlx::query_as!(AuditPlace, "select id, hash from audit_head").fetch_one(connection).await,
            }
        })
        .await?;
        *chain = Some(end.clone());
        Ok(rows.iter().fold(end, |place, row| place.then(row)))
    }
}

impl Store {
    /// Newest first, only those before `before`. Long content is left out of what is `short`; with a reach not that of vhosts, by which is
    /// said whose they were.
    pub async fn audit(
        &self,
        filter: &AuditFilter,
        reach: Option<&AuditReach>,
        before: Option<i64>,
        short: bool,
        limit: i64,
    ) -> Result<Vec<AuditRecord>> {
        let person = reach.and_then(|reach| reach.person.as_ref());
        let hidden = reach.map(|reach| reach.hidden.iter().cloned().unzip());
        let (hidden_kinds, hidden_names): (Vec<String>, Vec<String>) = hidden.unwrap_or_default();
        let like = filter.q.as_ref().map(|q| format!("%{}%", q.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_")));
        let rows = sqlx::query_as!(
            Row,
            r#"select id, at, author, principal_id, action, kind, name, object_id, revision, request_id, address, hash,
                      case when s.short and octet_length(before::text) > $12 then null else before::text end as before,
                      case when s.short and octet_length(after::text) > $12 then null else after::text end as after,
                      s.short and (coalesce(octet_length(before::text), 0) > $12 or coalesce(octet_length(after::text), 0) > $12) as "shortened!"
               from audit cross join lateral (select $11 and not ($14 and kind = 'vhost') as short) s
               where (cardinality($1::text[]) = 0 or author = any ($1)) and (cardinality($2::text[]) = 0 or action = any ($2))
                 and (cardinality($3::text[]) = 0 or kind = any ($3))
                 and (cardinality($4::text[]) = 0 or (kind, name) in (select * from unnest($4::text[], $5::text[])))
                 and ($6::bigint is null or revision = $6)
                 and ($7::timestamptz is null or at >= $7) and ($8::timestamptz is null or at < $8)
                 and ($9::text is null or author ilike $9 or name ilike $9 or address ilike $9 or request_id ilike $9)
                 and id < $10 and ($20::bigint is null or id = $20)
                 and (not $14 or case
                     when kind in ('vhost', 'policy', 'ip_list')
                         then action in ('create', 'update', 'delete') and (kind, name) not in (select * from unnest($15::text[], $16::text[]))
                     when principal_id = $17 then true
                     else kind = 'user' and name = $18 and at >= $19 and (principal_id is not null or after is null) end)
               order by id desc limit $13"#,
            &filter.author,
            &filter.action,
            &filter.kind,
            &filter.objects.iter().map(|o| o.0.clone()).collect::<Vec<_>>(),
            &filter.objects.iter().map(|o| o.1.clone()).collect::<Vec<_>>(),
            filter.revision,
            filter.at_gte,
            filter.at_lt,
            like,
            before.unwrap_or(i64::MAX),
            short,
            SHOWN,
            limit,
            reach.is_some(),
            &hidden_kinds,
            &hidden_names,
            reach.and_then(|reach| reach.principal),
            person.map(|person| person.0.as_str()),
            person.map(|person| person.1),
            filter.id
        )
        .fetch_all(&self.pool)
        .await
        .map_err(failed("reading the audit log"))?;
        Ok(rows.into_iter().map(Row::record).collect())
    }

    /// The hash of a row; that before the first for 0.
    pub async fn audit_hash(&self, id: i64) -> Result<Option<String>> {
        if id == 0 {
            return Ok(Some(NOTHING.to_owned()));
        }
        sqlx::query_scalar!("select hash from audit where id = $1", id)
            .fetch_optional(&self.pool)
            .await
            .map_err(failed("reading the audit log"))
    }

    /// Looks along the chain, behind a row that is known, at so many rows at most. What is appended meanwhile is not looked at.
    pub async fn verify_audit(&self, after: AuditPlace, most: i64) -> Result<AuditVerdict> {
        let context = "verifying the audit log";
        let mut tx = self.pool.begin().await.map_err(failed(context))?;
        sqlx::query!("set transaction isolation level repeatable read, read only").execute(&mut *tx).await.map_err(failed(context))?;
        let head =
            sqlx::query_as!(AuditPlace, "select id, hash from audit_head").fetch_optional(&mut *tx).await.map_err(failed(context))?;
        let (from, begun) = (after.id, after.hash.clone());
        let mut walk = Walk::after(after);
        let Some(head) = head else {
            walk.fail(from, AuditFault::Head, "the head of the log is not there".to_owned());
            return Ok(walk.end(None));
        };
        let known = match from {
            0 => Some(NOTHING.to_owned()),
            id => {
                sqlx::query_scalar!("select hash from audit where id = $1", id).fetch_optional(&mut *tx).await.map_err(failed(context))?
            }
        };
        if known.as_ref() != Some(&begun) {
            // Ids have no gaps; but what somebody says of a row is no evidence against the log.
            let (fault, what) = match known {
                None if from <= head.id => (AuditFault::Missing, "is not there, later ones are"),
                None => (AuditFault::Place, "is not there"),
                Some(_) => (AuditFault::Place, "has another hash than the one given"),
            };
            walk.fail(from, fault, format!("row {from} {what}"));
            return Ok(walk.end(None));
        }
        while walk.checked() < most {
            let (last, limit) = (walk.id(), STEP.min(most - walk.checked()));
            let mut rows = sqlx::query_as!(
                Row,
                r#"select id, at, author, principal_id, action, kind, name, object_id, revision, request_id, address, hash,
                          before::text as before, after::text as after, false as "shortened!" from audit where id > $1 order by id limit $2"#,
                last,
                limit
            )
            .fetch(&mut *tx);
            let mut count = 0;
            while let Some(row) = rows.try_next().await.map_err(failed(context))? {
                count += 1;
                if !row.step(&mut walk) {
                    return Ok(walk.end(None));
                }
            }
            drop(rows);
            if count < limit {
                return Ok(walk.end(Some(&head)));
            }
        }
        // All that was asked for; by chance it may be all that there is.
        let complete = walk.id() == head.id;
        Ok(walk.end(complete.then_some(&head)))
    }

    /// Whether the triggers that keep the log append-only are there and on, and whether this role could take them away.
    pub async fn audit_guard(&self) -> Result<(bool, bool)> {
        let context = "looking at the audit log's triggers";
        let on = sqlx::query_scalar!(
            r#"select count(*) = 5 as "on!" from pg_trigger where not tgisinternal and tgenabled = 'A'
               and tgrelid in ('audit'::regclass, 'audit_head'::regclass)"#
        )
        .fetch_one(&self.pool)
        .await
        .map_err(failed(context))?;
        let owns =
            sqlx::query_scalar!(r#"select pg_has_role(c.relowner, 'USAGE') as "owns!" from pg_class c where c.oid = 'audit'::regclass"#)
                .fetch_one(&self.pool)
                .await
                .map_err(failed(context))?;
        Ok((on, owns))
    }

    /// Whether the role of the connection is a superuser.
    pub async fn is_superuser(&self) -> Result<bool> {
        sqlx::query_scalar!(r#"select rolsuper as "is!" from pg_roles where rolname = current_user"#)
            .fetch_one(&self.pool)
            .await
            .map_err(failed("looking at the database role"))
    }
}
