//! Writing revisions: everything that piled up while the last commit ran, in one transaction of a few statements.

use std::time::Duration;

use ipnet::IpNet;
use sqlx::{Connection, PgConnection};
use time::OffsetDateTime;
use uuid::Uuid;

use super::lead::within;
use super::{Lead, NewChangeSet, audit, change_sets};
use crate::domain::audit::{AuditPlace, AuditRow};
use crate::domain::error::Result;
use crate::domain::revision::RevisionInfo;
use crate::domain::{Kind, Name, Revision};

/// A revision to write; digests in hex.
pub struct NewRevision {
    pub info: RevisionInfo,
}

pub struct NewObject {
    pub id: Uuid,
    pub kind: Kind,
    pub name: Name,
    pub number: u32,
    pub created_at: OffsetDateTime,
    pub created_revision: Revision,
    /// Where it was deleted again in the same batch.
    pub deleted_revision: Option<Revision>,
}

pub struct VersionRow {
    pub object_id: Uuid,
    pub from: Revision,
    /// Where it was written again in the same batch.
    pub to: Option<Revision>,
    pub written_at: OffsetDateTime,
    /// JSON.
    pub spec: String,
    /// JSON.
    pub elements: String,
}

pub struct EntryRow {
    pub list_id: Uuid,
    pub network: IpNet,
    pub from: Revision,
    pub to: Option<Revision>,
    pub comment: String,
    pub expires_at: Option<OffsetDateTime>,
}

/// All entries of a deleted list that are open end with it.
pub struct CloseList {
    pub list_id: Uuid,
    pub at: Revision,
}

/// The rows of one transaction. Ranges that begin and end in the batch are written with both ends.
#[derive(Default)]
pub struct Batch {
    pub revisions: Vec<NewRevision>,
    pub objects: Vec<NewObject>,
    /// Objects from before the batch that end in it.
    pub deleted: Vec<(Uuid, Revision)>,
    /// Open versions from before the batch that end in it.
    pub closed: Vec<(Uuid, Revision)>,
    pub versions: Vec<VersionRow>,
    /// Open entries from before the batch that end in it.
    pub closed_entries: Vec<(Uuid, IpNet, Revision)>,
    pub closed_lists: Vec<CloseList>,
    pub entries: Vec<EntryRow>,
    pub audit: Vec<AuditRow>,
    /// Change sets that became a revision, and when.
    pub committed: Vec<(Uuid, Revision, OffsetDateTime)>,
    /// What is left of revisions that are taken back.
    pub refused: Vec<NewChangeSet>,
}

impl Lead {
    /// Commits the batch if the newest revision is `head`; false, and nothing written, if it is another. After an error nobody knows
    /// whether it was committed: drop the lead, take it anew and look for the digests.
    pub async fn commit(&mut self, head: (Revision, &str), batch: &Batch) -> Result<bool> {
        let work = write(&mut self.connection, &mut self.chain, head, batch);
        within(Duration::from_secs(30), "writing revisions", work).await
    }
}

async fn write(connection: &mut PgConnection, chain: &mut Option<AuditPlace>, head: (Revision, &str), batch: &Batch) -> sqlx::Result<bool> {
    let Some(last) = batch.revisions.last() else { return Ok(true) };
    let known = chain.take();
    let mut transaction = connection.begin().await?;
    let tx = &mut *transaction;
    revisions(tx, batch).await?;
    objects(tx, batch).await?;
    versions(tx, batch).await?;
    entries(tx, batch).await?;
    closed_change_sets(tx, batch).await?;
    for change_set in &batch.refused {
        change_sets::insert(tx, change_set).await?;
    }
    let moved = sqlx::query!(
        "update revision_head set number = $1, digest = $2 where number = $3 and digest = $4",
        last.info.number,
        last.info.digest,
        head.0,
        head.1
    )
    .execute(&mut *tx)
    .await?;
    let appended = if moved.rows_affected() == 1 { audit::append(tx, known, &batch.audit).await? } else { None };
    let Some(end) = appended else {
        transaction.rollback().await?;
        return Ok(false);
    };
    transaction.commit().await?;
    *chain = Some(end);
    Ok(true)
}

async fn revisions(tx: &mut PgConnection, batch: &Batch) -> sqlx::Result<()> {
    let rows = || batch.revisions.iter().map(|r| &r.info);
    let json = |part: &dyn Fn(&RevisionInfo) -> serde_json::Result<String>| -> Vec<String> {
        rows().map(|r| part(r).expect("revisions are plain data")).collect()
    };
    sqlx::query!(
        "insert into revisions (number, created_at, author, message, digest, changes, origin, counts)
         select number, at, author, message, digest, changes::json, origin::json, counts::json
         from unnest($1::bigint[], $2::timestamptz[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[])
              as r (number, at, author, message, digest, changes, origin, counts)",
        &rows().map(|r| r.number).collect::<Vec<_>>(),
        &rows().map(|r| r.created_at).collect::<Vec<_>>(),
        &rows().map(|r| r.author.clone()).collect::<Vec<_>>(),
        &rows().map(|r| r.message.clone()).collect::<Vec<_>>(),
        &rows().map(|r| r.digest.clone()).collect::<Vec<_>>(),
        &json(&|r| serde_json::to_string(&r.changes)),
        &json(&|r| serde_json::to_string(&r.origin)),
        &json(&|r| serde_json::to_string(&r.counts))
    )
    .execute(tx)
    .await?;
    Ok(())
}

async fn objects(tx: &mut PgConnection, batch: &Batch) -> sqlx::Result<()> {
    // Names are free again before they are taken.
    if !batch.deleted.is_empty() {
        sqlx::query!(
            "update objects o set deleted_revision = d.revision
             from unnest($1::uuid[], $2::bigint[]) as d (id, revision) where o.id = d.id and o.deleted_revision is null",
            &batch.deleted.iter().map(|d| d.0).collect::<Vec<_>>(),
            &batch.deleted.iter().map(|d| d.1).collect::<Vec<_>>()
        )
        .execute(&mut *tx)
        .await?;
    }
    if batch.objects.is_empty() {
        return Ok(());
    }
    let rows = &batch.objects;
    sqlx::query!(
        "insert into objects (id, kind, name, number, created_at, created_revision, deleted_revision)
         select * from unnest($1::uuid[], $2::text[], $3::text[], $4::bigint[], $5::timestamptz[], $6::bigint[], $7::bigint[])",
        &rows.iter().map(|o| o.id).collect::<Vec<_>>(),
        &rows.iter().map(|o| o.kind.as_str().to_owned()).collect::<Vec<_>>(),
        &rows.iter().map(|o| o.name.to_string()).collect::<Vec<_>>(),
        &rows.iter().map(|o| i64::from(o.number)).collect::<Vec<_>>(),
        &rows.iter().map(|o| o.created_at).collect::<Vec<_>>(),
        &rows.iter().map(|o| o.created_revision).collect::<Vec<_>>(),
        &rows.iter().map(|o| o.deleted_revision).collect::<Vec<_>>() as &[Option<i64>]
    )
    .execute(tx)
    .await?;
    Ok(())
}

async fn versions(tx: &mut PgConnection, batch: &Batch) -> sqlx::Result<()> {
    if !batch.closed.is_empty() {
        sqlx::query!(
            "update object_versions v set to_revision = c.revision
             from unnest($1::uuid[], $2::bigint[]) as c (id, revision) where v.object_id = c.id and v.to_revision is null",
            &batch.closed.iter().map(|c| c.0).collect::<Vec<_>>(),
            &batch.closed.iter().map(|c| c.1).collect::<Vec<_>>()
        )
        .execute(&mut *tx)
        .await?;
    }
    if batch.versions.is_empty() {
        return Ok(());
    }
    let rows = &batch.versions;
    sqlx::query!(
        "insert into object_versions (object_id, from_revision, to_revision, written_at, spec, elements)
         select object_id, from_revision, to_revision, at, spec::json, elements::json
         from unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::timestamptz[], $5::text[], $6::text[])
              as v (object_id, from_revision, to_revision, at, spec, elements)",
        &rows.iter().map(|v| v.object_id).collect::<Vec<_>>(),
        &rows.iter().map(|v| v.from).collect::<Vec<_>>(),
        &rows.iter().map(|v| v.to).collect::<Vec<_>>() as &[Option<i64>],
        &rows.iter().map(|v| v.written_at).collect::<Vec<_>>(),
        &rows.iter().map(|v| v.spec.clone()).collect::<Vec<_>>(),
        &rows.iter().map(|v| v.elements.clone()).collect::<Vec<_>>()
    )
    .execute(tx)
    .await?;
    Ok(())
}

async fn entries(tx: &mut PgConnection, batch: &Batch) -> sqlx::Result<()> {
    if !batch.closed_entries.is_empty() {
        let rows = &batch.closed_entries;
        sqlx::query!(
            "update list_entries e set to_revision = c.revision
             from unnest($1::uuid[], $2::cidr[], $3::bigint[]) as c (list_id, network, revision)
             where e.list_id = c.list_id and e.network = c.network and e.to_revision is null",
            &rows.iter().map(|c| c.0).collect::<Vec<_>>(),
            &rows.iter().map(|c| c.1).collect::<Vec<_>>(),
            &rows.iter().map(|c| c.2).collect::<Vec<_>>()
        )
        .execute(&mut *tx)
        .await?;
    }
    if !batch.closed_lists.is_empty() {
        sqlx::query!(
            "update list_entries e set to_revision = c.revision
             from unnest($1::uuid[], $2::bigint[]) as c (list_id, revision) where e.list_id = c.list_id and e.to_revision is null",
            &batch.closed_lists.iter().map(|c| c.list_id).collect::<Vec<_>>(),
            &batch.closed_lists.iter().map(|c| c.at).collect::<Vec<_>>()
        )
        .execute(&mut *tx)
        .await?;
    }
    // In pieces, so that no message to the server gets out of hand.
    for rows in batch.entries.chunks(20_000) {
        sqlx::query!(
            "insert into list_entries (list_id, network, from_revision, to_revision, comment, expires_at)
             select * from unnest($1::uuid[], $2::cidr[], $3::bigint[], $4::bigint[], $5::text[], $6::timestamptz[])",
            &rows.iter().map(|e| e.list_id).collect::<Vec<_>>(),
            &rows.iter().map(|e| e.network).collect::<Vec<_>>(),
            &rows.iter().map(|e| e.from).collect::<Vec<_>>(),
            &rows.iter().map(|e| e.to).collect::<Vec<_>>() as &[Option<i64>],
            &rows.iter().map(|e| e.comment.clone()).collect::<Vec<_>>(),
            &rows.iter().map(|e| e.expires_at).collect::<Vec<_>>() as &[Option<OffsetDateTime>]
        )
        .execute(&mut *tx)
        .await?;
    }
    Ok(())
}

/// What they staged is in the revision now.
async fn closed_change_sets(tx: &mut PgConnection, batch: &Batch) -> sqlx::Result<()> {
    if batch.committed.is_empty() {
        return Ok(());
    }
    let ids: Vec<Uuid> = batch.committed.iter().map(|c| c.0).collect();
    sqlx::query!(
        "update change_sets c set state = 'committed', revision = n.revision, refusal = null, updated_at = n.at, version = version + 1
         from unnest($1::uuid[], $2::bigint[], $3::timestamptz[]) as n (id, revision, at)
         where c.id = n.id and c.state not in ('committed', 'discarded')",
        &ids,
        &batch.committed.iter().map(|c| c.1).collect::<Vec<_>>(),
        &batch.committed.iter().map(|c| c.2).collect::<Vec<_>>()
    )
    .execute(&mut *tx)
    .await?;
    Ok(())
}
