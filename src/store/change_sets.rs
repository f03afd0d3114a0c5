//! Change sets, what they stage, and plans.

use std::collections::HashMap;

use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{Store, failed, inconsistent, text};
use crate::domain::change_set::{Approval, ChangeSet, ChangeSetState, Refusal};
use crate::domain::diff::ChangeCounts;
use crate::domain::error::Result;
use crate::domain::revision::ChangeType;
use crate::domain::{Kind, Name};

/// What is staged of one object, as texts of JSON.
#[derive(Clone, Debug)]
pub struct StagedRow {
    pub kind: Kind,
    pub name: Name,
    pub change: ChangeType,
    /// That of the change set when this was staged.
    pub version: i64,
    /// None: it is to go.
    pub spec: Option<String>,
    /// Entries of an IP list that are new or different.
    pub added: String,
    /// Networks of an IP list that go.
    pub removed: String,
}

/// A change set that is stored whole, with what it stages.
#[derive(Clone, Debug)]
pub struct NewChangeSet {
    pub change_set: ChangeSet,
    pub staged: Vec<StagedRow>,
}

struct Row {
    id: Uuid,
    owner: String,
    state: String,
    author: String,
    message: String,
    base: i64,
    version: i64,
    created_at: OffsetDateTime,
    updated_at: OffsetDateTime,
    revision: Option<i64>,
    refusal: Option<String>,
    approval: Option<String>,
    contributors: Vec<Uuid>,
    rollback_to: Option<i64>,
}

impl Row {
    fn change_set(self, counts: ChangeCounts) -> Result<ChangeSet> {
        let unreadable = |why: String| inconsistent("change_sets", self.id, why);
        let state = ChangeSetState::parse(&self.state).ok_or_else(|| unreadable(format!("state `{}`", self.state)))?;
        let refusal = self.refusal.as_deref().map(serde_json::from_str::<Refusal>).transpose();
        let approval = self.approval.as_deref().map(serde_json::from_str::<Approval>).transpose();
        Ok(ChangeSet {
            id: self.id,
            owner: self.owner,
            contributors: self.contributors,
            state,
            refusal: refusal.map_err(|error| unreadable(error.to_string()))?,
            approval: approval.map_err(|error| unreadable(error.to_string()))?,
            rollback_to: self.rollback_to,
            author: self.author,
            message: self.message,
            base: self.base,
            version: self.version,
            created_at: self.created_at,
            updated_at: self.updated_at,
            counts,
            revision: self.revision,
        })
    }
}

impl Store {
    /// Of this owner, newest first; `before` is the id of the last one of the page before.
    pub async fn change_sets(&self, owner: &str, states: &[ChangeSetState], before: Option<Uuid>, limit: i64) -> Result<Vec<ChangeSet>> {
        let states: Vec<String> = states.iter().map(|state| state.as_str().to_owned()).collect();
        let rows = sqlx::query_as!(
            Row,
            "select id, owner, state, author, message, base, version, created_at, updated_at, revision, refusal::text as refusal,
                    approval::text as approval, contributors, rollback_to
             from change_sets
             where owner = $1 and ($2::uuid is null or id < $2) and (cardinality($3::text[]) = 0 or state = any ($3))
             order by id desc limit $4",
            owner,
            before,
            &states,
            limit
        )
        .fetch_all(&self.pool)
        .await
        .map_err(failed("reading change sets"))?;
        self.counted(rows).await
    }

    /// None where there is none, or it is somebody else's.
    pub async fn change_set(&self, owner: &str, id: Uuid) -> Result<Option<ChangeSet>> {
        let rows = sqlx::query_as!(
            Row,
            "select id, owner, state, author, message, base, version, created_at, updated_at, revision, refusal::text as refusal,
                    approval::text as approval, contributors, rollback_to
             from change_sets where owner = $1 and id = $2",
            owner,
            id
        )
        .fetch_all(&self.pool)
        .await
        .map_err(failed("reading a change set"))?;
        Ok(self.counted(rows).await?.pop())
    }

    /// Those of others that await approval or have it, newest first: for those who may say yes to them.
    pub async fn change_sets_to_review(&self, identity: &str, before: Option<Uuid>, limit: i64) -> Result<Vec<ChangeSet>> {
        let rows = sqlx::query_as!(
            Row,
            "select id, owner, state, author, message, base, version, created_at, updated_at, revision, refusal::text as refusal,
                    approval::text as approval, contributors, rollback_to
             from change_sets
             where state in ('awaiting_approval', 'approved') and owner <> $1 and ($2::uuid is null or id < $2)
             order by id desc limit $3",
            identity,
            before,
            limit
        )
        .fetch_all(&self.pool)
        .await
        .map_err(failed("reading change sets that await approval"))?;
        self.counted(rows).await
    }

    /// One that awaits approval or has it, whosever it is.
    pub async fn change_set_to_review(&self, id: Uuid) -> Result<Option<ChangeSet>> {
        let rows = sqlx::query_as!(
            Row,
            "select id, owner, state, author, message, base, version, created_at, updated_at, revision, refusal::text as refusal,
                    approval::text as approval, contributors, rollback_to
             from change_sets where state in ('awaiting_approval', 'approved') and id = $1",
            id
        )
        .fetch_all(&self.pool)
        .await
        .map_err(failed("reading a change set that awaits approval"))?;
        Ok(self.counted(rows).await?.pop())
    }

    /// How many an owner has that have not ended.
    pub async fn open_change_sets(&self, owner: &str) -> Result<i64> {
        sqlx::query_scalar!(
            r#"select count(*) as "count!" from change_sets where owner = $1 and state not in ('committed', 'discarded')"#,
            owner
        )
        .fetch_one(&self.pool)
        .await
        .map_err(failed("counting change sets"))
    }

    async fn counted(&self, rows: Vec<Row>) -> Result<Vec<ChangeSet>> {
        let ids: Vec<Uuid> = rows.iter().map(|row| row.id).collect();
        let counts = sqlx::query!(
            r#"select change_set_id, change, count(*) as "count!" from change_set_objects where change_set_id = any ($1)
               group by change_set_id, change"#,
            &ids
        )
        .fetch_all(&self.pool)
        .await
        .map_err(failed("counting what is staged"))?;
        let mut by_id: HashMap<Uuid, ChangeCounts> = HashMap::new();
        for row in counts {
            let counts = by_id.entry(row.change_set_id).or_default();
            let count = usize::try_from(row.count).unwrap_or_default();
            match change_type(&row.change)? {
                ChangeType::Created => counts.created = count,
                ChangeType::Updated => counts.updated = count,
                ChangeType::Deleted => counts.deleted = count,
            }
        }
        rows.into_iter()
            .map(|row| {
                let counts = by_id.remove(&row.id).unwrap_or_default();
                row.change_set(counts)
            })
            .collect()
    }

    /// In the order of kinds and names.
    pub async fn staged(&self, id: Uuid) -> Result<Vec<StagedRow>> {
        let rows = sqlx::query!(
            r#"select kind, name, change, version, spec::text as spec, added::text as "added!", removed::text as "removed!"
               from change_set_objects where change_set_id = $1 order by kind, name"#,
            id
        )
        .fetch_all(&self.pool)
        .await
        .map_err(failed("reading what is staged"))?;
        rows.into_iter()
            .map(|row| {
                Ok(StagedRow {
                    kind: super::load::kind(&row.kind)?,
                    name: Name::parse(&row.name).map_err(|why| inconsistent("change_set_objects", &row.name, why))?,
                    change: change_type(&row.change)?,
                    version: row.version,
                    spec: row.spec,
                    added: row.added,
                    removed: row.removed,
                })
            })
            .collect()
    }

    pub async fn create_change_set(&self, new: &NewChangeSet) -> Result<()> {
        let mut tx = self.pool.begin().await.map_err(failed("storing a change set"))?;
        insert(&mut tx, new).await.map_err(failed("storing a change set"))?;
        tx.commit().await.map_err(failed("storing a change set"))
    }

    /// Stores all but id, owner, author and when it began, if the version before is still `version - 1`; false otherwise. `staged`
    /// takes the place of what is staged of these objects; those of `unstaged` are staged no more, and with `all` nothing else is.
    pub async fn save_change_set(
        &self,
        change_set: &ChangeSet,
        staged: &[StagedRow],
        unstaged: &[(Kind, Name)],
        all: bool,
    ) -> Result<bool> {
        let mut tx = self.pool.begin().await.map_err(failed("storing a change set"))?;
        let saved = async {
            let updated = sqlx::query!(
                "update change_sets set state = $2, message = $3, base = $4, version = $5, updated_at = $6, revision = $7,
                        refusal = $8::text::json, approval = $9::text::json, contributors = $10, rollback_to = $11
                 where id = $1 and version = $5::bigint - 1",
                change_set.id,
                change_set.state.as_str(),
                change_set.message,
                change_set.base,
                change_set.version,
                change_set.updated_at,
                change_set.revision,
                refusal(change_set),
                approval(change_set),
                &change_set.contributors,
                change_set.rollback_to
            )
            .execute(&mut *tx)
            .await?;
            if updated.rows_affected() != 1 {
                return Ok(false);
            }
            if all {
                sqlx::query!("delete from change_set_objects where change_set_id = $1", change_set.id).execute(&mut *tx).await?;
            } else {
                let gone = || staged.iter().map(|row| (row.kind, &row.name)).chain(unstaged.iter().map(|(kind, name)| (*kind, name)));
                sqlx::query!(
                    "delete from change_set_objects o using unnest($2::text[], $3::text[]) as g (kind, name)
                     where o.change_set_id = $1 and o.kind = g.kind and o.name = g.name",
                    change_set.id,
                    &gone().map(|(kind, _)| kind.as_str().to_owned()).collect::<Vec<_>>(),
                    &gone().map(|(_, name)| name.to_string()).collect::<Vec<_>>()
                )
                .execute(&mut *tx)
                .await?;
            }
            insert_staged(&mut tx, change_set.id, staged).await?;
            Ok(true)
        }
        .await
        .map_err(failed("storing a change set"))?;
        if saved {
            tx.commit().await.map_err(failed("storing a change set"))?;
        }
        Ok(saved)
    }

    /// Keeps a plan, and of its owner the newest `keep`.
    pub async fn create_plan(&self, id: Uuid, owner: &str, created_at: OffsetDateTime, document: &str, keep: i64) -> Result<()> {
        sqlx::query!(
            "insert into plans (id, owner, created_at, document) values ($1, $2, $3, $4::text::json)",
            id,
            owner,
            created_at,
            document
        )
        .execute(&self.pool)
        .await
        .map_err(failed("storing a plan"))?;
        sqlx::query!(
            "delete from plans where owner = $1 and id in (select id from plans where owner = $1 order by id desc offset $2)",
            owner,
            keep
        )
        .execute(&self.pool)
        .await
        .map_err(failed("removing old plans"))?;
        Ok(())
    }

    pub async fn plan(&self, owner: &str, id: Uuid) -> Result<Option<String>> {
        sqlx::query_scalar!(r#"select document::text as "document!" from plans where owner = $1 and id = $2"#, owner, id)
            .fetch_optional(&self.pool)
            .await
            .map_err(failed("reading a plan"))
    }
}

fn refusal(change_set: &ChangeSet) -> Option<String> {
    change_set.refusal.as_ref().map(|refusal| serde_json::to_string(refusal).expect("a refusal is plain data"))
}

fn approval(change_set: &ChangeSet) -> Option<String> {
    change_set.approval.as_ref().map(|approval| serde_json::to_string(approval).expect("an approval is plain data"))
}

/// In the transaction of a revision, too.
pub(super) async fn insert(tx: &mut PgConnection, new: &NewChangeSet) -> sqlx::Result<()> {
    let NewChangeSet { change_set, staged } = new;
    sqlx::query!(
        "insert into change_sets (id, state, owner, author, message, base, version, created_at, updated_at, revision, refusal,
                                  approval, contributors, rollback_to)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11::text::json, $12::text::json, $13, $14)",
        change_set.id,
        change_set.state.as_str(),
        change_set.owner,
        change_set.author,
        text(&change_set.message, 8000),
        change_set.base,
        change_set.version,
        change_set.created_at,
        change_set.updated_at,
        change_set.revision,
        refusal(change_set),
        approval(change_set),
        &change_set.contributors,
        change_set.rollback_to
    )
    .execute(&mut *tx)
    .await?;
    insert_staged(tx, change_set.id, staged).await
}

async fn insert_staged(tx: &mut PgConnection, id: Uuid, staged: &[StagedRow]) -> sqlx::Result<()> {
    for rows in staged.chunks(2_000) {
        sqlx::query!(
            "insert into change_set_objects (change_set_id, kind, name, change, version, spec, added, removed)
             select $1, kind, name, change, version, spec::json, added::json, removed::json
             from unnest($2::text[], $3::text[], $4::text[], $5::bigint[], $6::text[], $7::text[], $8::text[])
                  as s (kind, name, change, version, spec, added, removed)",
            id,
            &rows.iter().map(|row| row.kind.as_str().to_owned()).collect::<Vec<_>>(),
            &rows.iter().map(|row| row.name.to_string()).collect::<Vec<_>>(),
            &rows.iter().map(|row| word(row.change).to_owned()).collect::<Vec<_>>(),
            &rows.iter().map(|row| row.version).collect::<Vec<_>>(),
            &rows.iter().map(|row| row.spec.clone()).collect::<Vec<_>>() as &[Option<String>],
            &rows.iter().map(|row| row.added.clone()).collect::<Vec<_>>(),
            &rows.iter().map(|row| row.removed.clone()).collect::<Vec<_>>()
        )
        .execute(&mut *tx)
        .await?;
    }
    Ok(())
}

fn word(change: ChangeType) -> &'static str {
    match change {
        ChangeType::Created => "created",
        ChangeType::Updated => "updated",
        ChangeType::Deleted => "deleted",
    }
}

fn change_type(text: &str) -> Result<ChangeType> {
    [ChangeType::Created, ChangeType::Updated, ChangeType::Deleted]
        .into_iter()
        .find(|change| word(*change) == text)
        .ok_or_else(|| inconsistent("change_set_objects", text, "no such change"))
}
