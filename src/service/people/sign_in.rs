//! Signing in: one answer and one bcrypt for whatever is wrong.

use time::OffsetDateTime;
use uuid::Uuid;

use super::{People, Service, SignIn, SignedIn, Visitor, event};
use crate::auth::{Claims, Text, password, totp};
use crate::domain::Email;
use crate::domain::error::{Error, Result};
use crate::service::Caller;
use crate::store::{Store, UserRow};

impl Service {
    /// Signs somebody in; `Error::SignInFailed` whatever was wrong, `Error::TotpRequired` where only the code is wanted yet.
    pub async fn sign_in(&self, visitor: &Visitor, given: &SignIn) -> Result<SignedIn> {
        let (people, store, now) = (&self.inner.people, &self.inner.store, self.now());
        if let Err(error) = people.limiter.attempt(&given.email, visitor.address, now) {
            self.note_attempt(visitor, "sign_in_limited", &given.email);
            return Err(error);
        }
        let email = Email::parse(&given.email).ok();
        let row = email.as_ref().and_then(|email| people.by_email(email));
        // Of who is kept out nothing is told either.
        let hash = row.as_ref().filter(|row| !row.user.disabled).and_then(|row| row.password_hash.as_deref());
        let right = people.passwords.verify(&given.password, hash).await?;
        let proven = match (right, row) {
            (true, Some(row)) => people.second_factor(store, &row, given.totp.as_deref(), now).await.map(|()| row),
            _ => Err(Error::SignInFailed),
        };
        let whom = email.as_ref().map_or("(no address)", |email| email.as_str());
        let row = match proven {
            Ok(row) => row,
            Err(error) => {
                match error {
                    Error::SignInFailed => self.note_attempt(visitor, "sign_in_failed", whom),
                    // The password was right: whoever it was has it.
                    Error::TotpRequired => self.note_attempt(visitor, "sign_in_code_wanted", whom),
                    _ => {}
                }
                return Err(error);
            }
        };
        let changing = people.changing.lock().await;
        // Hashing took a while: who was kept out meanwhile, or has another password, is not let in.
        let row =
            people.user(row.user.id).ok().filter(|fresh| fresh.epoch == row.epoch && !fresh.user.disabled).ok_or(Error::SignInFailed)?;
        let (session, cookie) = people.begin_session(store, row.user.id, visitor, people.longest, now).await?;
        drop(changing);
        people.limiter.succeeded(&given.email);
        self.note_visit(visitor, event("signed_in", &row.user)).await;
        let access = people.access(&row, session, now)?;
        Ok(SignedIn { access, user: row.user, session, cookie: Some((cookie, people.longest)) })
    }

    /// Another password: all other sessions end, and this one goes on with the access token that is answered.
    pub async fn change_password(&self, caller: &Caller, current: &Text, new: &Text) -> Result<SignedIn> {
        let (people, store, now) = (&self.inner.people, &self.inner.store, self.now());
        let (id, session) = super::person(&caller.principal)?;
        let row = self.confirmed(id, current, caller, now).await?;
        people.limiter.succeeded(&row.user.email);
        password::check(&row.user.email, new, "/new")?;
        let hash = people.passwords.hash(new).await?;
        let _changing = people.changing.lock().await;
        let mut fresh = people.user(id)?;
        if fresh.epoch != row.epoch {
            return Err(Error::Unauthenticated);
        }
        fresh.password_hash = Some(hash);
        let row = people.renewed(store, fresh, None, Some(session), now).await?;
        self.note(caller, event("password_changed", &row.user)).await;
        Ok(SignedIn { access: people.access(&row, session, now)?, user: row.user, session, cookie: None })
    }

    /// The person, who has said their password once more: a stolen access token is not enough. Counts like signing in.
    pub(super) async fn confirmed(&self, id: Uuid, password: &Text, caller: &Caller, now: OffsetDateTime) -> Result<UserRow> {
        let people = &self.inner.people;
        let row = people.user(id)?;
        let asked = async {
            people.limiter.attempt(&row.user.email, caller.address, now)?;
            if people.passwords.verify(password, row.password_hash.as_deref()).await? {
                return Ok(());
            }
            Err(Error::invalid("/password", "wrong", "the current password is another"))
        };
        match asked.await {
            Ok(()) => Ok(row),
            Err(error) => {
                self.note_unconfirmed(caller, &row.user, &error);
                Err(error)
            }
        }
    }
}

impl People {
    pub(super) fn by_email(&self, email: &Email) -> Option<UserRow> {
        self.known(|known| known.by_email.get(email).and_then(|id| known.users.get(id)).map(|person| person.row.clone()))
    }

    pub(super) fn access(&self, row: &UserRow, session: Uuid, now: OffsetDateTime) -> Result<Text> {
        self.keys.load().sign(&Claims::new(row.user.id, session, row.epoch, now), now)
    }

    /// Whether the second factor is right, which uses it up.
    pub(super) async fn second_factor(&self, store: &Store, row: &UserRow, given: Option<&str>, now: OffsetDateTime) -> Result<()> {
        let Some(sealed) = &row.totp else { return Ok(()) };
        let given = given.ok_or(Error::TotpRequired)?.trim();
        // A recovery code is good where the key of the seed is missing, too.
        let seed = self.ring.open(&about(row.user.id), sealed);
        let step = seed.as_ref().ok().and_then(|seed| totp::step_of(seed, given, now, row.totp_step));
        let right = match step {
            Some(step) => {
                let used = store.use_totp_step(row.user.id, step).await?;
                self.change(|known| {
                    if let Some(person) = known.users.get_mut(&row.user.id) {
                        person.row.totp_step = person.row.totp_step.max(step);
                    }
                });
                used
            }
            None => match totp::recovery(given) {
                Some(code) => store.use_recovery_code(row.user.id, &code.hash()).await?,
                None => false,
            },
        };
        match seed {
            _ if right => Ok(()),
            Ok(_) => Err(Error::SignInFailed),
            Err(error) => {
                tracing::error!(%error, "an authenticator cannot be checked");
                Err(Error::Unavailable(
                    "the server cannot check this authenticator: a key of its settings is missing; a recovery code works".to_owned(),
                ))
            }
        }
    }

    /// Saves a person of whom something changed that all tokens of before must not outlive; `keep` is the one session that goes on.
    /// The caller holds `changing`.
    pub(super) async fn renewed(
        &self,
        store: &Store,
        mut row: UserRow,
        recovery: Option<&[[u8; 32]]>,
        keep: Option<Uuid>,
        now: OffsetDateTime,
    ) -> Result<UserRow> {
        row.epoch += 1;
        row.user.updated_at = now;
        row.derive();
        store.put_user(&row, recovery).await?;
        self.change(|known| known.put_user(row.clone()));
        let ended = self.known(|known| known.sessions_of(row.user.id).iter().map(|row| row.session.id).collect::<Vec<_>>());
        let ended: Vec<Uuid> = ended.into_iter().filter(|id| Some(*id) != keep).collect();
        store.delete_sessions(&ended).await?;
        self.change(|known| known.end(&ended));
        Ok(row)
    }
}

/// What the seed of a person is sealed for.
pub(super) fn about(user: Uuid) -> String {
    format!("totp/{user}")
}
