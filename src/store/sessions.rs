//! Sessions of people.

use std::net::IpAddr;

use sqlx::types::ipnet::IpNet;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{Store, failed};
use crate::domain::Session;
use crate::domain::error::Result;

/// A session as kept.
#[derive(Clone, Debug)]
pub struct SessionRow {
    pub session: Session,
    pub user: Uuid,
    /// SHA-256 of what the cookie names the session by.
    pub family: [u8; 32],
    /// SHA-256 of what the cookie must have now.
    pub secret: [u8; 32],
    /// The same of before.
    pub previous: Option<[u8; 32]>,
    pub rotated_at: OffsetDateTime,
}

impl Store {
    pub async fn sessions(&self, now: OffsetDateTime) -> Result<Vec<SessionRow>> {
        let rows = sqlx::query!(
            "select id, user_id, family, secret, previous, rotated_at, user_agent, address, created_at, used_at, expires_at
             from sessions where expires_at > $1 order by id",
            now
        );
        let rows = rows.fetch_all(&self.pool).await.map_err(failed("reading sessions"))?;
        let hash = |bytes: Vec<u8>| <[u8; 32]>::try_from(bytes).ok();
        let row = rows.into_iter().filter_map(|row| {
            let address = row.address.map(|address| address.addr());
            let (created_at, used_at, expires_at) = (row.created_at, row.used_at, row.expires_at);
            let session = Session { id: row.id, user_agent: row.user_agent, address, created_at, used_at, expires_at, current: false };
            let (family, secret, previous) = (hash(row.family)?, hash(row.secret)?, row.previous.and_then(hash));
            Some(SessionRow { session, user: row.user_id, family, secret, previous, rotated_at: row.rotated_at })
        });
        Ok(row.collect())
    }

    /// Saves a session, new or renewed.
    pub async fn put_session(&self, row: &SessionRow) -> Result<()> {
        let Session { id, user_agent, address, created_at, used_at, expires_at, .. } = &row.session;
        sqlx::query!(
            "insert into sessions (id, user_id, family, secret, previous, rotated_at, user_agent, address, created_at, used_at, expires_at)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
             on conflict on constraint sessions_pkey do update set secret = excluded.secret, previous = excluded.previous,
                 rotated_at = excluded.rotated_at, address = excluded.address, used_at = excluded.used_at",
            id,
            row.user,
            &row.family,
            &row.secret,
            row.previous.as_ref().map(<[u8; 32]>::as_slice),
            row.rotated_at,
            user_agent,
            address.map(|address: IpAddr| IpNet::from(address)),
            created_at,
            used_at,
            expires_at
        )
        .execute(&self.pool)
        .await
        .map(drop)
        .map_err(failed("saving a session"))
    }

    pub async fn delete_sessions(&self, ids: &[Uuid]) -> Result<()> {
        sqlx::query!("delete from sessions where id = any($1)", ids).execute(&self.pool).await.map(drop).map_err(failed("ending sessions"))
    }

    pub async fn delete_expired_sessions(&self, now: OffsetDateTime) -> Result<()> {
        sqlx::query!("delete from sessions where expires_at <= $1", now)
            .execute(&self.pool)
            .await
            .map(drop)
            .map_err(failed("ending sessions"))
    }
}
