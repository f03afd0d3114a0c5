//! What is sealed in the database, by the keys that it is sealed under: the first 8 bytes name them.

use super::{Store, failed};
use crate::auth::{KeyId, Sealed};
use crate::domain::error::{Error, Result};

/// Where something sealed is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SealedIn {
    /// Of a person: the seed of the authenticator.
    Totp,
    /// Of a person: one that is not confirmed.
    TotpPending,
    /// The private part of a key that signs.
    SigningKey,
}

impl SealedIn {
    pub const ALL: [Self; 3] = [Self::Totp, Self::TotpPending, Self::SigningKey];
}

/// Something sealed: whose it is, and the text.
#[derive(Clone, Debug)]
pub struct SealedRow {
    /// Of the person, or of the key that signs.
    pub id: String,
    pub sealed: Sealed,
}

/// How much there is under a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedCount {
    pub place: SealedIn,
    /// None: too short to name one.
    pub key: Option<KeyId>,
    pub count: i64,
}

impl Store {
    pub async fn sealed_counts(&self) -> Result<Vec<SealedCount>> {
        let rows = sqlx::query!(
            r#"select place as "place!", key as "key!", count(*) as "count!" from (
                   select 0 as place, substring(totp from 1 for 8) as key from users where totp is not null
                   union all select 1, substring(totp_pending from 1 for 8) from users where totp_pending is not null
                   union all select 2, substring(sealed from 1 for 8) from signing_keys) s
               group by place, key order by place, key"#
        )
        .fetch_all(&self.pool)
        .await
        .map_err(failed("counting what is sealed"))?;
        let of = |place| SealedIn::ALL.get(usize::try_from(place).unwrap_or(usize::MAX)).copied();
        let row = |place, key: Vec<u8>, count| Some(SealedCount { place: of(place)?, key: KeyId::of(&key), count });
        rows.into_iter().map(|r| row(r.place, r.key, r.count).ok_or_else(|| Error::internal("counting what is sealed"))).collect()
    }

    /// Some of what is sealed under other keys than this one, in the order of ids, behind one (`""`: from the first).
    pub async fn sealed_elsewhere(&self, place: SealedIn, key: KeyId, after: &str, limit: i64) -> Result<Vec<SealedRow>> {
        let rows = match place {
            SealedIn::Totp => {
                sqlx::query_as!(
                    SealedRow,
                    r#"select id::text as "id!", totp as "sealed!" from users
                       where totp is not null and substring(totp from 1 for 8) <> $1 and id::text > $2 order by id::text limit $3"#,
                    key.bytes(),
                    after,
                    limit
                )
                .fetch_all(&self.pool)
                .await
            }
            SealedIn::TotpPending => {
                sqlx::query_as!(
                    SealedRow,
                    r#"select id::text as "id!", totp_pending as "sealed!" from users
                       where totp_pending is not null and substring(totp_pending from 1 for 8) <> $1 and id::text > $2
                       order by id::text limit $3"#,
                    key.bytes(),
                    after,
                    limit
                )
                .fetch_all(&self.pool)
                .await
            }
            SealedIn::SigningKey => sqlx::query_as!(
                SealedRow,
                "select kid as id, sealed from signing_keys where substring(sealed from 1 for 8) <> $1 and kid > $2 order by kid limit $3",
                key.bytes(),
                after,
                limit
            )
            .fetch_all(&self.pool)
            .await,
        };
        rows.map_err(failed("reading what is sealed"))
    }

    /// Puts texts in the place of others, in one statement; the ids of those where it was done. What is another text by now stays.
    pub async fn reseal(&self, place: SealedIn, changes: &[(SealedRow, Sealed)]) -> Result<Vec<String>> {
        let ids: Vec<String> = changes.iter().map(|(row, _)| row.id.clone()).collect();
        let old: Vec<Sealed> = changes.iter().map(|(row, _)| row.sealed.clone()).collect();
        let new: Vec<Sealed> = changes.iter().map(|(_, new)| new.clone()).collect();
        let done = match place {
            SealedIn::Totp => {
                sqlx::query_scalar!(
                    r#"update users u set totp = c.new from unnest($1::text[], $2::bytea[], $3::bytea[]) as c (id, old, new)
                       where u.id = c.id::uuid and u.totp = c.old returning c.id as "id!""#,
                    &ids,
                    &old,
                    &new
                )
                .fetch_all(&self.pool)
                .await
            }
            SealedIn::TotpPending => {
                sqlx::query_scalar!(
                    r#"update users u set totp_pending = c.new from unnest($1::text[], $2::bytea[], $3::bytea[]) as c (id, old, new)
                       where u.id = c.id::uuid and u.totp_pending = c.old returning c.id as "id!""#,
                    &ids,
                    &old,
                    &new
                )
                .fetch_all(&self.pool)
                .await
            }
            SealedIn::SigningKey => {
                sqlx::query_scalar!(
                    r#"update signing_keys k set sealed = c.new from unnest($1::text[], $2::bytea[], $3::bytea[]) as c (id, old, new)
                       where k.kid = c.id and k.sealed = c.old returning c.id as "id!""#,
                    &ids,
                    &old,
                    &new
                )
                .fetch_all(&self.pool)
                .await
            }
        };
        done.map_err(failed("sealing anew"))
    }
}
