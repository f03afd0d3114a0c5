//! Tokens, by their hashes.

use sqlx::postgres::PgListener;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{Store, failed};
use crate::domain::error::Result;

/// A token as it is kept.
#[derive(Clone, Debug)]
pub struct TokenRow {
    pub id: Uuid,
    /// Unique.
    pub name: String,
    /// SHA-256 of its text.
    pub hash: Vec<u8>,
    pub created_at: OffsetDateTime,
    pub expires_at: Option<OffsetDateTime>,
    /// JSON: a grant.
    pub rights: String,
    /// Networks that it may be used from; empty: any.
    pub networks: Vec<String>,
    pub created_by: String,
    /// The person behind it, also by way of other tokens; None: the machine's own.
    pub person_id: Option<Uuid>,
    pub last_used_at: Option<OffsetDateTime>,
}

impl Store {
    pub async fn tokens(&self) -> Result<Vec<TokenRow>> {
        sqlx::query_as!(
            TokenRow,
            r#"select id, name, hash, created_at, expires_at, rights::text as "rights!", networks, created_by, person_id,
                      last_used_at
               from tokens order by name"#
        )
        .fetch_all(&self.pool)
        .await
        .map_err(failed("reading tokens"))
    }

    /// Registers a token; false, and nothing written, where its name is there already.
    pub async fn create_token(&self, token: &TokenRow) -> Result<bool> {
        let done = sqlx::query!(
            "insert into tokens (id, name, hash, created_at, expires_at, rights, networks, created_by, person_id)
             values ($1, $2, $3, $4, $5, $6::text::json, $7, $8, $9) on conflict on constraint tokens_name_key do nothing",
            token.id,
            token.name,
            &token.hash,
            token.created_at,
            token.expires_at,
            token.rights,
            &token.networks,
            token.created_by,
            token.person_id
        )
        .execute(&self.pool)
        .await
        .map_err(failed("saving a token"))?;
        Ok(done.rows_affected() == 1)
    }

    /// The same, where what it is replaces what has its name. Two processes may do this at once.
    pub async fn put_token(&self, token: &TokenRow) -> Result<()> {
        sqlx::query!(
            "insert into tokens (id, name, hash, created_at, expires_at, rights, networks, created_by, person_id)
             values ($1, $2, $3, $4, $5, $6::text::json, $7, $8, $9)
             on conflict on constraint tokens_name_key do update set hash = excluded.hash, expires_at = excluded.expires_at,
                 rights = excluded.rights, networks = excluded.networks",
            token.id,
            token.name,
            &token.hash,
            token.created_at,
            token.expires_at,
            token.rights,
            &token.networks,
            token.created_by,
            token.person_id
        )
        .execute(&self.pool)
        .await
        .map(drop)
        .map_err(failed("saving a token"))
    }

    /// Revokes a token; false where there is none.
    pub async fn delete_token(&self, id: Uuid) -> Result<bool> {
        let done = sqlx::query!("delete from tokens where id = $1", id).execute(&self.pool).await.map_err(failed("revoking a token"))?;
        Ok(done.rows_affected() == 1)
    }

    /// Notes when tokens were last used.
    pub async fn tokens_used(&self, used: &[(Uuid, OffsetDateTime)]) -> Result<()> {
        let (ids, times): (Vec<Uuid>, Vec<OffsetDateTime>) = used.iter().copied().unzip();
        sqlx::query!(
            "update tokens set last_used_at = used.at from unnest($1::uuid[], $2::timestamptz[]) as used (id, at)
             where tokens.id = used.id and (last_used_at is null or last_used_at < used.at)",
            &ids,
            &times
        )
        .execute(&self.pool)
        .await
        .map(drop)
        .map_err(failed("noting the use of tokens"))
    }

    /// Hears of changes of tokens by other processes. A hint only: it reconnects by itself and may miss some meanwhile.
    pub async fn listen_tokens(&self) -> Result<PgListener> {
        let mut listener = PgListener::connect_with(&self.pool).await.map_err(failed("listening"))?;
        listener.listen("guard_proxy_tokens").await.map_err(failed("listening"))?;
        Ok(listener)
    }
}
