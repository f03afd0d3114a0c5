//! Deployments and their steps.

use std::collections::HashMap;

use uuid::Uuid;

use super::{Store, failed, inconsistent, text};
use crate::domain::Revision;
use crate::domain::deployment::{Deployment, DeploymentState, Lane, Step};
use crate::domain::error::Result;

/// An engine's words, as far as they are kept.
pub(crate) const SAID: usize = 64 * 1024;
/// Words of a step, as far as they are kept.
const DETAIL: usize = 8 * 1024;

struct Row {
    id: Uuid,
    revision: i64,
    state: String,
    lanes: Vec<String>,
    created_at: time::OffsetDateTime,
    ended_at: Option<time::OffsetDateTime>,
    attempts: i32,
    said: String,
    errors: String,
    bundle_digest: String,
    made_with: String,
}

impl Row {
    fn deployment(self, steps: Vec<Step>) -> Result<Deployment> {
        let unreadable = |why: String| inconsistent("deployments", self.id, why);
        let lane = |text: &String| [Lane::Runtime, Lane::Ruleset, Lane::Reload].into_iter().find(|lane| word(*lane) == text);
        Ok(Deployment {
            id: self.id,
            revision: self.revision,
            state: DeploymentState::parse(&self.state).ok_or_else(|| unreadable(format!("state `{}`", self.state)))?,
            lanes: self.lanes.iter().filter_map(lane).collect(),
            created_at: self.created_at,
            ended_at: self.ended_at,
            attempts: self.attempts,
            errors: serde_json::from_str(&self.errors).map_err(|error| unreadable(error.to_string()))?,
            made_with: serde_json::from_str(&self.made_with).map_err(|error| unreadable(error.to_string()))?,
            said: self.said,
            bundle_digest: self.bundle_digest,
            steps,
        })
    }
}

fn word(lane: Lane) -> &'static str {
    match lane {
        Lane::Runtime => "runtime",
        Lane::Ruleset => "ruleset",
        Lane::Reload => "reload",
    }
}

impl Store {
    /// A new pending deployment; older pending ones end as superseded and are given back.
    pub async fn open_deployment(&self, deployment: &Deployment) -> Result<Vec<Deployment>> {
        let mut tx = self.pool.begin().await.map_err(failed("opening a deployment"))?;
        let superseded = sqlx::query_scalar!(
            "update deployments set state = 'superseded', ended_at = $1 where state = 'pending' and ended_at is null returning id",
            deployment.created_at
        )
        .fetch_all(&mut *tx)
        .await
        .map_err(failed("opening a deployment"))?;
        sqlx::query!(
            "insert into deployments (id, revision, state, lanes, created_at, attempts, said, errors, bundle_digest, made_with)
             values ($1, $2, 'pending', '{}', $3, 0, '', '[]', '', '{}')",
            deployment.id,
            deployment.revision,
            deployment.created_at
        )
        .execute(&mut *tx)
        .await
        .map_err(failed("opening a deployment"))?;
        tx.commit().await.map_err(failed("opening a deployment"))?;
        if superseded.is_empty() {
            return Ok(Vec::new());
        }
        self.deployments_by_id(&superseded).await
    }

    /// Stores all but the steps; false where there is no such deployment.
    pub async fn save_deployment(&self, deployment: &Deployment) -> Result<bool> {
        let lanes: Vec<String> = deployment.lanes.iter().map(|lane| word(*lane).to_owned()).collect();
        let done = sqlx::query!(
            "update deployments set state = $2, lanes = $3, ended_at = $4, attempts = $5, said = $6, errors = $7::text::json, bundle_digest = $8,
                    made_with = $9::text::json
             where id = $1",
            deployment.id,
            deployment.state.as_str(),
            &lanes,
            deployment.ended_at,
            deployment.attempts,
            text(&deployment.said, SAID),
            serde_json::to_string(&deployment.errors).expect("errors are plain data"),
            text(&deployment.bundle_digest, 200),
            serde_json::to_string(&deployment.made_with).expect("versions are plain data")
        )
        .execute(&self.pool)
        .await
        .map_err(failed("saving a deployment"))?;
        Ok(done.rows_affected() == 1)
    }

    /// Adds a step or replaces the one with this number.
    pub async fn save_step(&self, deployment: Uuid, seq: i32, step: &Step) -> Result<()> {
        sqlx::query!(
            "insert into deployment_steps (deployment_id, seq, name, started_at, took_us, ok, detail) values ($1, $2, $3, $4, $5, $6, $7)
             on conflict on constraint deployment_steps_pkey do update set name = excluded.name, started_at = excluded.started_at,
                    took_us = excluded.took_us, ok = excluded.ok, detail = excluded.detail",
            deployment,
            seq,
            text(&step.name, 100),
            step.started_at,
            step.took_us,
            step.ok,
            text(&step.detail, DETAIL)
        )
        .execute(&self.pool)
        .await
        .map(drop)
        .map_err(failed("saving a step"))
    }

    /// Newest first; only older ones than `before`, in any of `states` (all, where empty).
    pub async fn deployments(&self, before: Option<Uuid>, states: &[DeploymentState], limit: i64) -> Result<Vec<Deployment>> {
        let states: Vec<String> = states.iter().map(|state| state.as_str().to_owned()).collect();
        let rows = sqlx::query_as!(
            Row,
            r#"select id, revision, state, lanes, created_at, ended_at, attempts, said, errors::text as "errors!", bundle_digest,
                      made_with::text as "made_with!"
               from deployments
               where ($1::uuid is null or id < $1) and (cardinality($2::text[]) = 0 or state = any ($2)) order by id desc limit $3"#,
            before,
            &states,
            limit
        )
        .fetch_all(&self.pool)
        .await
        .map_err(failed("reading deployments"))?;
        self.with_steps(rows).await
    }

    pub async fn deployment(&self, id: Uuid) -> Result<Option<Deployment>> {
        Ok(self.deployments_by_id(&[id]).await?.pop())
    }

    /// The newest that has not ended, the newest live one, and those refused that bring more than the live one.
    pub async fn last_deployments(&self) -> Result<(Option<Deployment>, Option<Deployment>, Vec<Deployment>)> {
        let ids = sqlx::query!(
            r#"with live as (select id, revision from deployments where state = 'live' order by revision desc, id desc limit 1)
               (select 'open' as "role!", id from deployments where ended_at is null order by id desc limit 1)
               union all select 'live', id from live
               union all (select 'refused', id from deployments
                          where state = 'refused' and revision > coalesce((select revision from live), -1) order by id desc limit 100)"#
        )
        .fetch_all(&self.pool)
        .await
        .map_err(failed("reading deployments"))?;
        let roles: HashMap<Uuid, String> = ids.into_iter().filter_map(|row| Some((row.id?, row.role))).collect();
        let (mut open, mut live, mut refused) = (None, None, Vec::new());
        for deployment in self.deployments_by_id(&roles.keys().copied().collect::<Vec<_>>()).await? {
            match roles[&deployment.id].as_str() {
                "open" => open = Some(deployment),
                "live" => live = Some(deployment),
                _ => refused.push(deployment),
            }
        }
        Ok((open, live, refused))
    }

    /// Oldest first.
    async fn deployments_by_id(&self, ids: &[Uuid]) -> Result<Vec<Deployment>> {
        let rows = sqlx::query_as!(
            Row,
            r#"select id, revision, state, lanes, created_at, ended_at, attempts, said, errors::text as "errors!", bundle_digest,
                      made_with::text as "made_with!"
               from deployments where id = any ($1) order by id"#,
            ids
        )
        .fetch_all(&self.pool)
        .await
        .map_err(failed("reading deployments"))?;
        self.with_steps(rows).await
    }

    async fn with_steps(&self, rows: Vec<Row>) -> Result<Vec<Deployment>> {
        let ids: Vec<Uuid> = rows.iter().map(|row| row.id).collect();
        let steps = sqlx::query!(
            "select deployment_id, name, started_at, took_us, ok, detail from deployment_steps where deployment_id = any ($1)
             order by deployment_id, seq",
            &ids
        )
        .fetch_all(&self.pool)
        .await
        .map_err(failed("reading steps"))?;
        let mut by_deployment: HashMap<Uuid, Vec<Step>> = HashMap::new();
        for row in steps {
            let step = Step { name: row.name, started_at: row.started_at, took_us: row.took_us, ok: row.ok, detail: row.detail };
            by_deployment.entry(row.deployment_id).or_default().push(step);
        }
        rows.into_iter()
            .map(|row| {
                let steps = by_deployment.remove(&row.id).unwrap_or_default();
                row.deployment(steps)
            })
            .collect()
    }

    /// When a revision was committed; None for one that is not there.
    pub async fn committed_at(&self, number: Revision) -> Result<Option<time::OffsetDateTime>> {
        sqlx::query_scalar!("select created_at from revisions where number = $1", number)
            .fetch_optional(&self.pool)
            .await
            .map_err(failed("reading a revision"))
    }
}
