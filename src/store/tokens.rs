//! Tokens, by their hashes.

use sqlx::postgres::PgListener;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{Store, failed};
use crate::domain::error::Result;

/// A token to keep.
pub struct NewToken {
    pub id: Uuid,
    /// Unique.
    pub name: String,
    /// SHA-256 of its text.
    pub hash: [u8; 32],
    pub created_at: OffsetDateTime,
    pub expires_at: Option<OffsetDateTime>,
}

/// A token as it is kept.
#[derive(Clone, Debug)]
pub struct Token {
    pub id: Uuid,
    pub name: String,
    pub hash: Vec<u8>,
    pub expires_at: Option<OffsetDateTime>,
}

impl Store {
    pub async fn tokens(&self) -> Result<Vec<Token>> {
        sqlx::query_as!(Token, "select id, name, hash, expires_at from tokens")
            .fetch_all(&self.pool)
            .await
            .map_err(failed("reading tokens"))
    }

    /// Registers a token; where its name is there, the new hash and expiry take the place of the old. Two processes may do this at once.
    pub async fn put_token(&self, token: &NewToken) -> Result<()> {
        sqlx::query!(
            "insert into tokens (id, name, hash, created_at, expires_at) values ($1, $2, $3, $4, $5)
             on conflict on constraint tokens_name_key do update set hash = excluded.hash, expires_at = excluded.expires_at",
            token.id,
            token.name,
            &token.hash,
            token.created_at,
            token.expires_at
        )
        .execute(&self.pool)
        .await
        .map(drop)
        .map_err(failed("saving a token"))
    }

    /// Hears of changes of tokens by other processes. A hint only: it reconnects by itself and may miss some meanwhile.
    pub async fn listen_tokens(&self) -> Result<PgListener> {
        let mut listener = PgListener::connect_with(&self.pool).await.map_err(failed("listening"))?;
        listener.listen("guard_proxy_tokens").await.map_err(failed("listening"))?;
        Ok(listener)
    }
}
