//! Retention: the content of what is long past is deleted, never what is live or referred to. Numbers, authors, messages and audit rows stay.

use time::OffsetDateTime;

use super::{Store, failed};
use crate::domain::Revision;
use crate::domain::error::Result;

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
                   (select coalesce(min(base), $2) from change_sets where state in ('open', 'refused'))))
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
}
