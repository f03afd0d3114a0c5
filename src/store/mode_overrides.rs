//! Emergency modes.

use time::OffsetDateTime;
use uuid::Uuid;

use super::{Store, failed, inconsistent};
use crate::domain::error::Result;
use crate::domain::{Mode, ModeOverride, Name};

impl Store {
    /// Of vhosts that are there, also those whose time is over.
    pub async fn mode_overrides(&self) -> Result<Vec<ModeOverride>> {
        let rows = sqlx::query!(
            "select m.vhost_id, m.vhost, m.mode, m.until, m.reason, m.author, m.created_at
             from mode_overrides m join objects o on o.id = m.vhost_id where o.deleted_revision is null order by m.vhost"
        )
        .fetch_all(&self.pool)
        .await
        .map_err(failed("reading emergency modes"))?;
        rows.into_iter()
            .map(|row| {
                Ok(ModeOverride {
                    vhost: Name::parse(&row.vhost).map_err(|why| inconsistent("mode_overrides", &row.vhost, why))?,
                    vhost_id: row.vhost_id,
                    mode: mode(&row.mode)?,
                    until: row.until,
                    reason: row.reason,
                    author: row.author,
                    created_at: row.created_at,
                })
            })
            .collect()
    }

    /// Takes the place of the one before it.
    pub async fn put_mode_override(&self, new: &ModeOverride) -> Result<()> {
        sqlx::query!(
            "insert into mode_overrides (vhost_id, vhost, mode, until, reason, author, created_at) values ($1, $2, $3, $4, $5, $6, $7)
             on conflict on constraint mode_overrides_pkey do update set mode = excluded.mode, until = excluded.until,
                 reason = excluded.reason, author = excluded.author, created_at = excluded.created_at",
            new.vhost_id,
            new.vhost.as_str(),
            new.mode.as_str(),
            new.until,
            new.reason,
            new.author,
            new.created_at
        )
        .execute(&self.pool)
        .await
        .map(drop)
        .map_err(failed("storing an emergency mode"))
    }

    /// False where there is none that is not over.
    pub async fn delete_mode_override(&self, vhost: Uuid, now: OffsetDateTime) -> Result<bool> {
        let done = sqlx::query!("delete from mode_overrides where vhost_id = $1 and until > $2", vhost, now)
            .execute(&self.pool)
            .await
            .map_err(failed("ending an emergency mode"))?;
        Ok(done.rows_affected() == 1)
    }
}

fn mode(text: &str) -> Result<Mode> {
    let of = |mode: &Mode| mode.as_str() == text;
    [Mode::Off, Mode::Detect, Mode::Block].into_iter().find(of).ok_or_else(|| inconsistent("mode_overrides", text, "no such mode"))
}
