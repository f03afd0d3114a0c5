//! Sessions: begun by signing in, renewed by a cookie that changes each time, ended by whoever has them.

use serde_json::json;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::{Me, People, Service, SignedIn, Visitor, event, person};
use crate::auth::{Text, secret};
use crate::domain::audit::AuditEvent;
use crate::domain::error::{Error, Result};
use crate::domain::{Action, Principal, Session};
use crate::service::Caller;
use crate::store::{SessionRow, Store};

/// Two tabs that renew at once send the same cookie.
const GRACE: Duration = Duration::seconds(10);
/// Sessions of a person at most: the one that was not used for longest goes.
const MOST: usize = 50;
const MOST_AGENT: usize = 200;

impl Service {
    /// Renews a session by its cookie, which is used up. One that was used up before is stolen or was: the session ends, whoever has it.
    pub async fn refresh(&self, visitor: &Visitor, cookie: &str) -> Result<SignedIn> {
        let (people, store, now) = (&self.inner.people, &self.inner.store, self.now());
        let (family_text, secret) = cookie.split_once('.').ok_or(Error::SignInFailed)?;
        let (family, secret) = (Text::new(family_text).hash(), Text::new(secret).hash());
        let _changing = people.changing.lock().await;
        let found = people.known(|known| {
            let session = known.families.get(&family).and_then(|id| known.sessions.get(id))?;
            Some((session.clone(), known.users.get(&session.user)?.row.clone()))
        });
        let (mut row, user) = found.ok_or(Error::SignInFailed)?;
        let id = row.session.id;
        if row.session.expires_at <= now || row.session.used_at + people.idle <= now || user.user.disabled || !people.comes(&user) {
            people.end(store, &[id]).await?;
            return Err(Error::SignInFailed);
        }
        let current = secret::same(&secret, &row.secret);
        let before = row.previous.is_some_and(|previous| secret::same(&secret, &previous)) && now < row.rotated_at + GRACE;
        if !current && !before {
            people.end(store, &[id]).await?;
            tracing::warn!(session = %id, user = %user.user.id, "a used cookie came again, so somebody stole it: the session was ended");
            self.note_visit(visitor, AuditEvent { after: Some(json!({ "session": id })), ..event("session_reused", &user.user) }).await;
            return Err(Error::SignInFailed);
        }
        let access = people.access(&user, id, now)?;
        // Only who has the newest cookie gets the next: in its time of grace the one before opens nothing that lasts.
        let mut cookie = None;
        if current {
            let next = Text::random("")?;
            row.previous = Some(std::mem::replace(&mut row.secret, next.hash()));
            row.rotated_at = now;
            row.session.used_at = now;
            row.session.address = visitor.address;
            store.put_session(&row).await?;
            cookie = Some((Text::new(format!("{family_text}.{}", next.reveal())), row.session.expires_at - now));
            people.change(|known| known.put_session(row));
        }
        Ok(SignedIn { access, user: user.user, session: id, cookie })
    }

    /// Ends the session that asks, or all of the person's, and with them every access token: at once.
    pub async fn sign_out(&self, caller: &Caller, everywhere: bool) -> Result<()> {
        let (people, store, now) = (&self.inner.people, &self.inner.store, self.now());
        let (id, session) = person(&caller.principal)?;
        let _changing = people.changing.lock().await;
        if everywhere {
            people.renewed(store, people.user(id)?, None, None, now).await?;
        } else {
            people.end(store, &[session]).await?;
        }
        let user = people.user(id)?.user;
        self.note(caller, AuditEvent { after: Some(json!({ "everywhere": everywhere })), ..event("signed_out", &user) }).await;
        Ok(())
    }

    /// The sessions of the person who asks, the newest used first.
    pub fn sessions(&self, caller: &Caller) -> Result<Vec<Session>> {
        let (id, _) = person(&caller.principal)?;
        Ok(self.living(caller, id))
    }

    /// The sessions of somebody, the newest used first.
    pub fn sessions_of(&self, caller: &Caller, user: Uuid) -> Result<Vec<Session>> {
        self.authorize(&caller.principal, Action::Read, "session", None)?;
        self.inner.people.user(user)?;
        Ok(self.living(caller, user))
    }

    fn living(&self, caller: &Caller, user: Uuid) -> Vec<Session> {
        let (current, now) = (person(&caller.principal).ok().map(|(_, session)| session), self.now());
        let live = |row: &&SessionRow| row.session.expires_at > now && row.session.used_at + self.inner.people.idle > now;
        self.inner.people.known(|known| {
            let all = known.sessions_of(user).into_iter().rev().filter(live);
            all.map(|row| Session { current: Some(row.session.id) == current, ..row.session.clone() }).collect()
        })
    }

    /// Ends one session of the person who asks.
    pub async fn end_session(&self, caller: &Caller, session: Uuid) -> Result<()> {
        let (id, _) = person(&caller.principal)?;
        self.end_one(id, session).await?;
        let user = self.inner.people.user(id)?.user;
        self.note(caller, AuditEvent { after: Some(json!({ "session": session })), ..event("session_ended", &user) }).await;
        Ok(())
    }

    /// Ends one session of somebody, or all of them, and with them every access token: at once.
    pub async fn end_sessions_of(&self, caller: &Caller, user: Uuid, session: Option<Uuid>) -> Result<()> {
        self.authorize(&caller.principal, Action::Delete, "session", None)?;
        let people = &self.inner.people;
        let whose = people.user(user)?.user;
        let done = if let Some(session) = session {
            self.end_one(user, session).await?;
            AuditEvent { after: Some(json!({ "session": session })), ..event("session_ended", &whose) }
        } else {
            let _changing = people.changing.lock().await;
            people.renewed(&self.inner.store, people.user(user)?, None, None, self.now()).await?;
            event("sessions_ended", &whose)
        };
        self.note(caller, done).await;
        Ok(())
    }

    async fn end_one(&self, user: Uuid, session: Uuid) -> Result<()> {
        let people = &self.inner.people;
        let _changing = people.changing.lock().await;
        // Another's is as one that is not there.
        if !people.known(|known| known.sessions.get(&session).is_some_and(|row| row.user == user)) {
            return Err(Error::NotFound { kind: "session", name: session.to_string() });
        }
        people.end(&self.inner.store, &[session]).await
    }

    /// Who asks.
    pub fn me(&self, caller: &Caller) -> Result<Me> {
        let label = caller.principal.label();
        match &caller.principal {
            Principal::User { id, session, .. } => {
                let user = self.inner.people.user(*id)?.user;
                Ok(Me { label, roles: user.roles.clone(), user: Some(user), session: Some(*session) })
            }
            Principal::Token { grant, .. } => Ok(Me { label, roles: grant.roles.clone(), user: None, session: None }),
            Principal::System => Err(Error::Forbidden),
        }
    }
}

impl People {
    /// A new session and its cookie. The caller holds `changing`.
    pub(super) async fn begin_session(
        &self,
        store: &Store,
        user: Uuid,
        visitor: &Visitor,
        longest: Duration,
        now: OffsetDateTime,
    ) -> Result<(Uuid, Text)> {
        let (family, secret) = (Text::random("")?, Text::random("")?);
        let session = Session {
            id: Uuid::new_v4(),
            user_agent: crate::store::text(&visitor.user_agent, MOST_AGENT),
            address: visitor.address,
            created_at: now,
            used_at: now,
            expires_at: now + longest,
            current: false,
        };
        let id = session.id;
        let row = SessionRow { session, user, family: family.hash(), secret: secret.hash(), previous: None, rotated_at: now };
        store.put_session(&row).await?;
        let old = self.known(|known| {
            let all = known.sessions_of(user);
            all.iter().take((all.len() + 1).saturating_sub(MOST)).map(|row| row.session.id).collect::<Vec<_>>()
        });
        self.end(store, &old).await?;
        self.change(|known| known.put_session(row));
        Ok((id, Text::new(format!("{}.{}", family.reveal(), secret.reveal()))))
    }

    /// Ends sessions. The caller holds `changing`.
    pub(super) async fn end(&self, store: &Store, ids: &[Uuid]) -> Result<()> {
        store.delete_sessions(ids).await?;
        self.change(|known| known.end(ids));
        Ok(())
    }
}
