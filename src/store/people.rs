//! People, and links by which they choose a password.

use time::OffsetDateTime;
use uuid::Uuid;

use super::{Store, failed, inconsistent};
use crate::auth::{Sealed, SigningKey};
use crate::domain::error::{Error, Result};
use crate::domain::{RoleBinding, Source, SsoIdentity, User};

/// A person as kept.
#[derive(Clone)]
pub struct UserRow {
    pub user: User,
    pub password_hash: Option<String>,
    pub epoch: i64,
    pub totp: Option<Sealed>,
    pub totp_pending: Option<Sealed>,
    /// Codes up to this step of time are used up.
    pub totp_step: i64,
    /// Who they are to a provider of single sign-on: then they have no password.
    pub sso: Option<SsoIdentity>,
}

impl UserRow {
    /// Makes the person a provider's, or nobody's. What they signed in by before is gone either way.
    pub fn become_of(&mut self, sso: Option<SsoIdentity>) {
        self.sso = sso;
        (self.password_hash, self.totp, self.totp_pending) = (None, None, None);
    }

    /// Sets what follows from the rest.
    pub fn derive(&mut self) {
        self.user.source = if self.sso.is_some() { Source::Sso } else { Source::Local };
        self.user.ready = self.password_hash.is_some() || self.sso.is_some();
        self.user.totp = self.totp.is_some();
    }
}

// The hash is nobody's to see.
impl std::fmt::Debug for UserRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UserRow").field("user", &self.user).field("epoch", &self.epoch).finish_non_exhaustive()
    }
}

/// What a link is for.
#[derive(Clone, Copy, Debug)]
pub struct SetupLink {
    /// None: whoever has it becomes an administrator.
    pub user_id: Option<Uuid>,
    /// Whether the authenticator goes with the old password.
    pub reset_totp: bool,
}

struct Row {
    id: Uuid,
    email: String,
    title: String,
    password_hash: Option<String>,
    roles: String,
    disabled: bool,
    epoch: i64,
    totp: Option<Vec<u8>>,
    totp_pending: Option<Vec<u8>>,
    totp_step: i64,
    sso_issuer: Option<String>,
    sso_subject: Option<String>,
    created_at: OffsetDateTime,
    updated_at: OffsetDateTime,
}

impl Row {
    fn read(self) -> Result<UserRow> {
        let unreadable = |why: String| inconsistent("users", self.id, why);
        let user = User {
            id: self.id,
            email: self.email.parse().map_err(unreadable)?,
            title: self.title.parse().map_err(unreadable)?,
            source: Source::Local,
            roles: serde_json::from_str::<Vec<RoleBinding>>(&self.roles).map_err(|error| unreadable(error.to_string()))?,
            disabled: self.disabled,
            ready: false,
            totp: false,
            created_at: self.created_at,
            updated_at: self.updated_at,
        };
        let sso = match self.sso_issuer.zip(self.sso_subject) {
            Some((issuer, subject)) => Some(SsoIdentity { issuer, subject: subject.parse().map_err(unreadable)? }),
            None => None,
        };
        let Self { password_hash, epoch, totp, totp_pending, totp_step, .. } = self;
        let mut row = UserRow { user, password_hash, epoch, totp, totp_pending, totp_step, sso };
        row.derive();
        Ok(row)
    }
}

impl Store {
    pub async fn users(&self) -> Result<Vec<UserRow>> {
        let rows = sqlx::query_as!(
            Row,
            r#"select id, email, title, password_hash, roles::text as "roles!", disabled, epoch, totp, totp_pending, totp_step, sso_issuer,
                      sso_subject, created_at, updated_at
               from users order by id"#
        );
        rows.fetch_all(&self.pool).await.map_err(failed("reading people"))?.into_iter().map(Row::read).collect()
    }

    /// Saves a person, new or changed. `Error::Invalid` (`taken`) where another has the address. With `recovery`, these are their codes now.
    pub async fn put_user(&self, row: &UserRow, recovery: Option<&[[u8; 32]]>) -> Result<()> {
        let roles = serde_json::to_string(&row.user.roles).map_err(Error::internal)?;
        let User { id, email, title, disabled, created_at, updated_at, .. } = &row.user;
        let (issuer, subject) = row.sso.as_ref().map(|sso| (sso.issuer.as_str(), sso.subject.as_str())).unzip();
        let mut transaction = self.pool.begin().await.map_err(failed("saving a person"))?;
        sqlx::query!(
            "insert into users (id, email, title, password_hash, roles, disabled, epoch, totp, totp_pending, totp_step, created_at, updated_at,
                                sso_issuer, sso_subject)
             values ($1, $2, $3, $4, $5::text::json, $6, $7, $8, $9, $10, $11, $12, $13, $14)
             on conflict on constraint users_pkey do update set title = excluded.title, password_hash = excluded.password_hash,
                 roles = excluded.roles, disabled = excluded.disabled, epoch = excluded.epoch, totp = excluded.totp,
                 totp_pending = excluded.totp_pending, totp_step = greatest(users.totp_step, excluded.totp_step),
                 updated_at = excluded.updated_at, sso_issuer = excluded.sso_issuer, sso_subject = excluded.sso_subject",
            id,
            email.as_str(),
            title.as_str(),
            row.password_hash,
            roles,
            disabled,
            row.epoch,
            row.totp,
            row.totp_pending,
            row.totp_step,
            created_at,
            updated_at,
            issuer,
            subject
        )
        .execute(&mut *transaction)
        .await
        .map_err(|error| match error.as_database_error().and_then(|error| error.constraint()) {
            Some("users_email_key") => Error::invalid("/email", "taken", "somebody with this e-mail address is there already"),
            Some("users_sso_key") => Error::invalid("/sso_subject", "taken", "somebody else is this to the provider"),
            _ => failed("saving a person")(error),
        })?;
        if let Some(hashes) = recovery {
            sqlx::query!("delete from recovery_codes where user_id = $1", id)
                .execute(&mut *transaction)
                .await
                .map_err(failed("saving recovery codes"))?;
            let hashes: Vec<Vec<u8>> = hashes.iter().map(|hash| hash.to_vec()).collect();
            sqlx::query!("insert into recovery_codes (user_id, hash) select $1, hash from unnest($2::bytea[]) as h (hash)", id, &hashes)
                .execute(&mut *transaction)
                .await
                .map_err(failed("saving recovery codes"))?;
        }
        transaction.commit().await.map_err(failed("saving a person"))
    }

    pub async fn delete_user(&self, id: Uuid) -> Result<bool> {
        let done = sqlx::query!("delete from users where id = $1", id).execute(&self.pool).await.map_err(failed("deleting a person"))?;
        Ok(done.rows_affected() == 1)
    }

    /// Uses a recovery code up; says whether it was one.
    pub async fn use_recovery_code(&self, user: Uuid, hash: &[u8; 32]) -> Result<bool> {
        let done = sqlx::query!("delete from recovery_codes where user_id = $1 and hash = $2", user, hash)
            .execute(&self.pool)
            .await
            .map_err(failed("using a recovery code"))?;
        Ok(done.rows_affected() == 1)
    }

    /// Uses the codes of an authenticator up to a step up; false where they were, by somebody at the same time.
    pub async fn use_totp_step(&self, user: Uuid, step: i64) -> Result<bool> {
        let done = sqlx::query!("update users set totp_step = $2 where id = $1 and totp_step < $2", user, step)
            .execute(&self.pool)
            .await
            .map_err(failed("using a code"))?;
        Ok(done.rows_affected() == 1)
    }

    /// A new link takes the place of the one before, of the same person (none: of the first administrator).
    pub async fn put_setup_link(&self, hash: &[u8; 32], link: SetupLink, now: OffsetDateTime, expires_at: OffsetDateTime) -> Result<()> {
        sqlx::query!(
            "insert into setup_links (hash, user_id, reset_totp, created_at, expires_at) values ($1, $2, $3, $4, $5)
             on conflict (user_id) do update set hash = excluded.hash, reset_totp = excluded.reset_totp,
                 created_at = excluded.created_at, expires_at = excluded.expires_at",
            hash,
            link.user_id,
            link.reset_totp,
            now,
            expires_at
        )
        .execute(&self.pool)
        .await
        .map(drop)
        .map_err(failed("saving a link"))
    }

    /// Whom a link is for, if it is good.
    pub async fn setup_link(&self, hash: &[u8; 32], now: OffsetDateTime) -> Result<Option<SetupLink>> {
        sqlx::query_as!(SetupLink, "select user_id, reset_totp from setup_links where hash = $1 and expires_at > $2", hash, now)
            .fetch_optional(&self.pool)
            .await
            .map_err(failed("reading a link"))
    }

    /// Takes a link away; false where somebody else was first.
    pub async fn use_setup_link(&self, hash: &[u8; 32]) -> Result<bool> {
        let done =
            sqlx::query!("delete from setup_links where hash = $1", hash).execute(&self.pool).await.map_err(failed("using a link"))?;
        Ok(done.rows_affected() == 1)
    }

    pub async fn signing_keys(&self) -> Result<Vec<SigningKey>> {
        sqlx::query_as!(SigningKey, "select kid, public, sealed, signs_from from signing_keys order by signs_from")
            .fetch_all(&self.pool)
            .await
            .map_err(failed("reading signing keys"))
    }

    pub async fn put_signing_key(&self, key: &SigningKey) -> Result<()> {
        sqlx::query!(
            "insert into signing_keys (kid, public, sealed, signs_from) values ($1, $2, $3, $4)",
            key.kid,
            key.public,
            key.sealed,
            key.signs_from
        )
        .execute(&self.pool)
        .await
        .map(drop)
        .map_err(failed("saving a signing key"))
    }

    pub async fn delete_signing_keys(&self, kids: &[String]) -> Result<()> {
        sqlx::query!("delete from signing_keys where kid = any($1)", kids)
            .execute(&self.pool)
            .await
            .map(drop)
            .map_err(failed("deleting signing keys"))
    }
}
