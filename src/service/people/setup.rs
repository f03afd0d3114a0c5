//! Links by which somebody chooses a password, once: the first administrator, who was invited, who forgot theirs.

use serde::Serialize;
use serde_json::json;
use time::{Duration, OffsetDateTime};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{Service, Visitor, event, only_admins, told};
use crate::auth::{Text, password};
use crate::domain::audit::AuditEvent;
use crate::domain::error::{Error, Result};
use crate::domain::{Email, Grant, Source, User};
use crate::service::Caller;
use crate::store::{SetupLink, Store, UserRow};

const GOOD_FOR: Duration = Duration::hours(1);

/// By which somebody chooses a password: once, for an hour.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Link {
    /// Goes to `POST /api/v1/auth/setup`, with the e-mail address and the password.
    pub token: Text,
    #[serde(with = "time::serde::rfc3339")]
    pub expires_at: OffsetDateTime,
}

async fn make(store: &Store, link: SetupLink, now: OffsetDateTime) -> Result<Link> {
    let (token, expires_at) = (Text::random("gps_")?, now + GOOD_FOR);
    store.put_setup_link(&token.hash(), link, now, expires_at).await?;
    Ok(Link { token, expires_at })
}

/// A link that makes whoever has it an administrator: for the first start, and for lock-outs, where nobody can ask the API. It takes the
/// place of the one before.
pub async fn admin_link(store: &Store, now: OffsetDateTime) -> Result<Link> {
    make(store, SetupLink { user_id: None, reset_totp: true }, now).await
}

impl Service {
    /// The first administrator's link; none where there is somebody who can sign in.
    pub async fn first_link(&self) -> Result<Option<Link>> {
        let people = &self.inner.people;
        if people.known(|known| known.users.values().any(|person| person.row.user.administers())) {
            return Ok(None);
        }
        admin_link(&self.inner.store, self.now()).await.map(Some)
    }

    /// A link for somebody; their password is good until they use it.
    pub async fn setup_link(&self, caller: &Caller, user: Uuid, reset_totp: bool) -> Result<Link> {
        only_admins(&caller.principal)?;
        let row = self.inner.people.user(user)?;
        if row.sso.is_some() {
            return Err(Error::Conflict("who comes by single sign-on has no password: set `sso_subject` to null first".to_owned()));
        }
        let link = make(&self.inner.store, SetupLink { user_id: Some(user), reset_totp }, self.now()).await?;
        self.note(caller, AuditEvent { after: Some(json!({ "reset_totp": reset_totp })), ..event("setup_link", &row.user) }).await;
        Ok(link)
    }

    /// Uses a link: the person has this password now, and no session of before.
    pub async fn set_up(&self, visitor: &Visitor, token: &Text, email: &str, password: &Text) -> Result<User> {
        let (people, store, now) = (&self.inner.people, &self.inner.store, self.now());
        people.limiter.address(visitor.address, now)?;
        let email = Email::parse(email).map_err(|detail| Error::invalid("/email", "invalid_value", detail))?;
        let hash = token.hash();
        let link = store.setup_link(&hash, now).await?.ok_or(Error::SignInFailed)?;
        // The link alone is not enough: whose it is must be known, too.
        let of_another = link.user_id.is_some_and(|id| !people.user(id).is_ok_and(|row| row.user.email == email));
        if of_another {
            return Err(Error::SignInFailed);
        }
        // Before the link is used up: a password that is refused can be mended.
        password::check(&email, password, "/password")?;
        let password_hash = people.passwords.hash(password).await?;
        let _changing = people.changing.lock().await;
        if !store.use_setup_link(&hash).await? {
            return Err(Error::SignInFailed);
        }
        let there = people.by_email(&email);
        let before = there.as_ref().and_then(told);
        let mut row = match there {
            Some(row) => row,
            None if link.user_id.is_none() => nobody_yet(email, now)?,
            // Deleted meanwhile.
            None => return Err(Error::SignInFailed),
        };
        // Linked to a provider since: they come by it alone.
        if link.user_id.is_some() && row.sso.is_some() {
            return Err(Error::SignInFailed);
        }
        row.password_hash = Some(password_hash);
        if link.user_id.is_none() {
            row.sso = None;
            row.user.roles = Grant::admin().roles;
            row.user.disabled = false;
        }
        let mut recovery = None;
        if link.reset_totp {
            (row.totp, row.totp_pending, recovery) = (None, None, Some(&[][..]));
        }
        let row = people.renewed(store, row, recovery, None, now).await?;
        people.limiter.succeeded(&row.user.email);
        // By the first administrator's link somebody is one now.
        self.note_visit(visitor, AuditEvent { before, after: told(&row), ..event("set_up", &row.user) }).await;
        Ok(row.user)
    }
}

/// A person of whom nothing is known but the address.
pub(super) fn nobody_yet(email: Email, now: OffsetDateTime) -> Result<UserRow> {
    let user = User {
        id: Uuid::now_v7(),
        email,
        title: crate::domain::Title::default(),
        source: Source::Local,
        roles: Vec::new(),
        disabled: false,
        ready: false,
        totp: false,
        created_at: now,
        updated_at: now,
    };
    Ok(UserRow { user, password_hash: None, epoch: 0, totp: None, totp_pending: None, totp_step: 0, sso: None })
}
