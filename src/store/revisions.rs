//! Reading revisions.

use time::OffsetDateTime;
use uuid::Uuid;

use super::{Store, failed, inconsistent};
use crate::domain::error::Result;
use crate::domain::revision::{Origin, RevisionInfo};
use crate::domain::{Kind, Name, Revision};

struct Row {
    number: i64,
    created_at: OffsetDateTime,
    author: String,
    message: String,
    digest: String,
    origin: String,
    counts: String,
    changes: String,
}

/// Which revisions are wanted; what is not said does not matter.
#[derive(Clone, Debug, Default)]
pub struct RevisionFilter {
    pub author: Vec<String>,
    /// That changed an object of one of these kinds.
    pub kind: Vec<Kind>,
    /// That changed one of these objects, also one that had the name before.
    pub objects: Vec<(Kind, Name)>,
    pub created_at_gte: Option<OffsetDateTime>,
    pub created_at_lt: Option<OffsetDateTime>,
}

/// A filter's kinds and objects as columns.
struct Wanted {
    kinds: Vec<String>,
    object_kinds: Vec<String>,
    object_names: Vec<String>,
}

impl RevisionFilter {
    fn wanted(&self) -> Wanted {
        let text = |kind: &Kind| kind.as_str().to_owned();
        Wanted {
            kinds: self.kind.iter().map(text).collect(),
            object_kinds: self.objects.iter().map(|(kind, _)| text(kind)).collect(),
            object_names: self.objects.iter().map(|(_, name)| name.to_string()).collect(),
        }
    }
}

impl Row {
    fn info(self) -> Result<RevisionInfo> {
        Ok(RevisionInfo {
            changes: serde_json::from_str(&self.changes).map_err(|error| inconsistent("revisions", self.number, error))?,
            origin: serde_json::from_str(&self.origin).map_err(|error| inconsistent("revisions", self.number, error))?,
            counts: serde_json::from_str(&self.counts).map_err(|error| inconsistent("revisions", self.number, error))?,
            number: self.number,
            created_at: self.created_at,
            author: self.author,
            message: self.message,
            digest: self.digest,
        })
    }
}

impl Store {
    /// Newest first, only those before `before`; of each at most 100 changes, since a revision may have thousands.
    pub async fn revisions(&self, before: Option<Revision>, filter: &RevisionFilter, limit: i64) -> Result<Vec<RevisionInfo>> {
        let wanted = filter.wanted();
        sqlx::query_as!(
            Row,
            r#"select number, created_at, author, message, digest, origin::text as "origin!", counts::text as "counts!",
                      (select coalesce(json_agg(c order by n), '[]')::text
                       from json_array_elements(changes) with ordinality as e (c, n) where n <= 100) as "changes!"
               from revisions r
               where number < $1 and (cardinality($3::text[]) = 0 or author = any ($3))
                 and ($4::timestamptz is null or created_at >= $4) and ($5::timestamptz is null or created_at < $5)
                 and (cardinality($6::text[]) = 0 or exists (select from audit a where a.revision = r.number and a.kind = any ($6)))
                 and (cardinality($7::text[]) = 0 or number in (
                      select a.revision from audit a join unnest($7::text[], $8::text[]) as o (kind, name) using (kind, name)))
               order by number desc limit $2"#,
            before.unwrap_or(i64::MAX),
            limit,
            &filter.author,
            filter.created_at_gte,
            filter.created_at_lt,
            &wanted.kinds,
            &wanted.object_kinds,
            &wanted.object_names
        )
        .fetch_all(&self.pool)
        .await
        .map_err(failed("reading revisions"))?
        .into_iter()
        .map(Row::info)
        .collect()
    }

    /// How many the filter lets through.
    pub async fn count_revisions(&self, filter: &RevisionFilter) -> Result<i64> {
        let wanted = filter.wanted();
        sqlx::query_scalar!(
            r#"select count(*) as "count!" from revisions r
               where (cardinality($1::text[]) = 0 or author = any ($1))
                 and ($2::timestamptz is null or created_at >= $2) and ($3::timestamptz is null or created_at < $3)
                 and (cardinality($4::text[]) = 0 or exists (select from audit a where a.revision = r.number and a.kind = any ($4)))
                 and (cardinality($5::text[]) = 0 or number in (
                      select a.revision from audit a join unnest($5::text[], $6::text[]) as o (kind, name) using (kind, name)))"#,
            &filter.author,
            filter.created_at_gte,
            filter.created_at_lt,
            &wanted.kinds,
            &wanted.object_kinds,
            &wanted.object_names
        )
        .fetch_one(&self.pool)
        .await
        .map_err(failed("counting revisions"))
    }

    pub async fn revision(&self, number: Revision) -> Result<Option<RevisionInfo>> {
        Ok(self.revisions_between(number - 1, number).await?.pop())
    }

    /// Those after `after` up to `last`, oldest first.
    pub async fn revisions_between(&self, after: Revision, last: Revision) -> Result<Vec<RevisionInfo>> {
        sqlx::query_as!(
            Row,
            r#"select number, created_at, author, message, digest, origin::text as "origin!", counts::text as "counts!",
                      changes::text as "changes!"
               from revisions where number > $1 and number <= $2 order by number"#,
            after,
            last
        )
        .fetch_all(&self.pool)
        .await
        .map_err(failed("reading revisions"))?
        .into_iter()
        .map(Row::info)
        .collect()
    }

    /// What the newest take-backs took back, and the deployment that refused it.
    pub async fn taken_back(&self, limit: i64) -> Result<Vec<(Vec<Revision>, Uuid)>> {
        let found = sqlx::query_scalar!(
            r#"select origin::text as "origin!" from revisions where origin ->> 'kind' = 'take_back' order by number desc limit $1"#,
            limit
        )
        .fetch_all(&self.pool)
        .await
        .map_err(failed("reading what was taken back"))?;
        let mut out = Vec::new();
        for text in found {
            let origin = serde_json::from_str(&text).map_err(|error| inconsistent("revisions", "of a take-back", error))?;
            if let Origin::TakeBack { revisions, deployment } = origin {
                out.push((revisions, deployment));
            }
        }
        Ok(out)
    }

    /// Who wrote a revision: the principal's identity, as change sets have owners. None for the system's own.
    pub async fn owner_of_revision(&self, number: Revision) -> Result<Option<String>> {
        sqlx::query_scalar!(
            "select principal_id from audit where revision = $1 and action in ('create', 'update', 'delete') order by id limit 1",
            number
        )
        .fetch_optional(&self.pool)
        .await
        .map(|found| found.flatten().map(|id| id.to_string()))
        .map_err(failed("reading who wrote a revision"))
    }
}
