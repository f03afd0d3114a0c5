//! Retention: the content of what is long past is deleted, never what is live or referred to. Numbers, authors, messages and audit rows stay.
//! And who used what, as far as it is kept.

use time::OffsetDateTime;

use super::{Store, failed, inconsistent};
use crate::domain::error::Result;
use crate::domain::{Revision, Vhost};

/// A vhost, and the revisions `[from, to)` that it was so in.
pub struct VhostThen {
    pub from: Revision,
    pub to: Option<Revision>,
    pub vhost: Vhost,
}

impl Store {
    /// The first revision whose state can still be made.
    pub async fn first_kept(&self) -> Result<Revision> {
        sqlx::query_scalar!("select first_kept from revision_head").fetch_one(&self.pool).await.map_err(failed("reading retention"))
    }

    /// Says what is kept from now on: what `before` was not over, what is live and what change sets begin from. By itself, so that nobody reads
    /// what is about to be deleted, and no commit waits for the deletion.
    pub async fn keep_from(&self, before: OffsetDateTime, live: Revision) -> Result<Revision> {
        sqlx::query_scalar!(
            r#"update revision_head set first_kept = greatest(first_kept, least(
                   (select coalesce(min(number), (select number from revision_head)) from revisions where created_at >= $1),
                   $2,
                   (select coalesce(min(base), $2) from change_sets where state not in ('committed', 'discarded'))))
               returning first_kept"#,
            before,
            live
        )
        .fetch_one(&self.pool)
        .await
        .map_err(failed("saying what is kept"))
    }

    /// Deletes what is kept no more. How many versions of objects and entries of IP lists that were.
    pub async fn prune(&self, before: OffsetDateTime, first_kept: Revision) -> Result<u64> {
        let context = "pruning history";
        let mut tx = self.pool.begin().await.map_err(failed(context))?;
        // A hundred thousand rows are more than a request would wait for.
        sqlx::query!("set local statement_timeout = '10min'").execute(&mut *tx).await.map_err(failed(context))?;
        let deleted = async {
            let versions = sqlx::query!("delete from object_versions where to_revision <= $1", first_kept).execute(&mut *tx).await?;
            let entries = sqlx::query!("delete from list_entries where to_revision <= $1", first_kept).execute(&mut *tx).await?;
            sqlx::query!("delete from change_sets where state in ('committed', 'discarded') and updated_at < $1", before)
                .execute(&mut *tx)
                .await?;
            sqlx::query!("delete from plans where created_at < $1", before).execute(&mut *tx).await?;
            sqlx::query!("delete from deployments where ended_at < $1 and revision < $2", before, first_kept).execute(&mut *tx).await?;
            Ok(versions.rows_affected() + entries.rows_affected())
        };
        let rows = deleted.await.map_err(failed(context))?;
        tx.commit().await.map_err(failed(context))?;
        Ok(rows)
    }

    /// The vhosts that had one of these names in them at a revision of `from..=to`: all that used a policy or list of the name, maybe more.
    pub async fn vhosts_naming(&self, names: &[String], from: Revision, to: Revision) -> Result<Vec<VhostThen>> {
        let context = "reading who used what";
        let rows = sqlx::query!(
            r#"select v.from_revision, v.to_revision, v.spec::text as "spec!" from object_versions v join objects o on o.id = v.object_id
               where o.kind = 'vhost' and v.from_revision <= $3 and (v.to_revision is null or v.to_revision > $2)
                 and exists (select from unnest($1::text[]) as n (name) where strpos(v.spec::text, '"' || n.name || '"') > 0)"#,
            names,
            from,
            to
        )
        .fetch_all(&self.pool)
        .await
        .map_err(failed(context))?;
        let read = |text: &str| serde_json::from_str(text).map_err(|error| inconsistent("object_versions", "of a vhost", error));
        rows.into_iter().map(|row| Ok(VhostThen { from: row.from_revision, to: row.to_revision, vhost: read(&row.spec)? })).collect()
    }
}
