//! Reading revisions.

use super::{Store, failed, inconsistent};
use crate::domain::Revision;
use crate::domain::error::Result;
use crate::domain::revision::RevisionInfo;

struct Row {
    number: i64,
    created_at: time::OffsetDateTime,
    author: String,
    message: String,
    digest: String,
    changes: String,
}

impl Row {
    fn info(self) -> Result<RevisionInfo> {
        Ok(RevisionInfo {
            changes: serde_json::from_str(&self.changes).map_err(|error| inconsistent("revisions", self.number, error))?,
            number: self.number,
            created_at: self.created_at,
            author: self.author,
            message: self.message,
            digest: self.digest,
        })
    }
}

impl Store {
    /// Newest first, only those before `before`.
    pub async fn revisions(&self, before: Option<Revision>, limit: i64) -> Result<Vec<RevisionInfo>> {
        sqlx::query_as!(
            Row,
            r#"select number, created_at, author, message, digest, changes::text as "changes!" from revisions
               where number < $1 order by number desc limit $2"#,
            before.unwrap_or(i64::MAX),
            limit
        )
        .fetch_all(&self.pool)
        .await
        .map_err(failed("reading revisions"))?
        .into_iter()
        .map(Row::info)
        .collect()
    }

    pub async fn revision(&self, number: Revision) -> Result<Option<RevisionInfo>> {
        sqlx::query_as!(
            Row,
            r#"select number, created_at, author, message, digest, changes::text as "changes!" from revisions where number = $1"#,
            number
        )
        .fetch_optional(&self.pool)
        .await
        .map_err(failed("reading a revision"))?
        .map(Row::info)
        .transpose()
    }
}
