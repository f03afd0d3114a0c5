//! The last proof of each vhost.

use super::{Store, failed, inconsistent, text};
use crate::domain::Name;
use crate::domain::error::Result;
use crate::domain::proof::{Proof, ProofState};

fn word(state: ProofState) -> &'static str {
    match state {
        ProofState::Proven => "proven",
        ProofState::Unproven => "unproven",
        ProofState::Unprobed => "unprobed",
    }
}

impl Store {
    /// Replaces the proofs of these vhosts, each named once.
    pub async fn save_proofs(&self, proofs: &[Proof]) -> Result<()> {
        let seen: Vec<String> = proofs.iter().map(|p| serde_json::to_string(&p.seen).expect("words are plain data")).collect();
        sqlx::query!(
            r#"insert into proofs (vhost, state, revision, at, host, "row", seen)
               select vhost, state, revision, at, host, "row", seen::json
               from unnest($1::text[], $2::text[], $3::bigint[], $4::timestamptz[], $5::text[], $6::text[], $7::text[])
                    as p (vhost, state, revision, at, host, "row", seen)
               on conflict on constraint proofs_pkey do update set state = excluded.state, revision = excluded.revision, at = excluded.at,
                      host = excluded.host, "row" = excluded."row", seen = excluded.seen"#,
            &proofs.iter().map(|p| p.vhost.to_string()).collect::<Vec<_>>(),
            &proofs.iter().map(|p| word(p.state).to_owned()).collect::<Vec<_>>(),
            &proofs.iter().map(|p| p.revision).collect::<Vec<_>>(),
            &proofs.iter().map(|p| p.at).collect::<Vec<_>>(),
            &proofs.iter().map(|p| text(&p.host, 1000)).collect::<Vec<_>>(),
            &proofs.iter().map(|p| text(&p.row, 8192)).collect::<Vec<_>>(),
            &seen
        )
        .execute(&self.pool)
        .await
        .map(drop)
        .map_err(failed("saving proofs"))
    }

    pub async fn proofs(&self) -> Result<Vec<Proof>> {
        let rows = sqlx::query!(r#"select vhost, state, revision, at, host, "row", seen::text as "seen!" from proofs"#)
            .fetch_all(&self.pool)
            .await
            .map_err(failed("reading proofs"))?;
        rows.into_iter()
            .map(|row| {
                let seen = serde_json::from_str(&row.seen).map_err(|error| inconsistent("proofs", &row.vhost, error))?;
                let state = [ProofState::Proven, ProofState::Unproven, ProofState::Unprobed].into_iter().find(|s| word(*s) == row.state);
                Ok(Proof {
                    state: state.ok_or_else(|| inconsistent("proofs", &row.vhost, "no such state"))?,
                    vhost: Name::parse(&row.vhost).map_err(|why| inconsistent("proofs", &row.vhost, why))?,
                    revision: row.revision,
                    at: row.at,
                    host: row.host,
                    row: row.row,
                    seen,
                })
            })
            .collect()
    }
}
