//! People: who they are, their sessions, and how they sign in. All of it is held in memory, since this process alone serves the database:
//! a sign-out or a role taken away bites on the next request, without a query. The database is written first, then memory.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, PoisonError, RwLock};

use arc_swap::ArcSwap;
use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};
use utoipa::ToSchema;
use uuid::Uuid;

use super::entries::micros;
use super::{Caller, Service, Stranger};
use crate::auth::{Jwks, KeySet, Keyring, Limiter, Passwords, SigningKey, Text};
use crate::domain::audit::AuditEvent;
use crate::domain::error::{Error, Result};
use crate::domain::vhost::LabelKey;
use crate::domain::{Action, Email, Grant, Principal, Role, RoleBinding, SsoIdentity, SsoSubject, Subject, Title, User};
use crate::store::{self, SessionRow, Store, UserRow};
use crate::telemetry::clock::Clock;

mod seals;
mod second_factor;
mod sessions;
mod setup;
mod sign_in;
mod sso;
mod users;

pub use seals::{KeyState, Resealed, SealingKey, reseal_here, sealing_keys};
pub use second_factor::{TotpBegun, TotpConfirmed};
pub use setup::{Link, admin_link};
use sso::Sso;
pub use sso::{SsoFault, SsoOptions};

/// What is set of how people sign in.
#[derive(Debug)]
pub struct PeopleOptions {
    /// Seals secrets in the database; without one they are lost with the process.
    pub ring: Option<Keyring>,
    /// A session that is not renewed for so long is over.
    pub idle: Duration,
    /// A session is over after so long.
    pub longest: Duration,
    pub sso: Option<SsoOptions>,
}

impl Default for PeopleOptions {
    fn default() -> Self {
        Self { ring: None, idle: Duration::hours(12), longest: Duration::days(7), sso: None }
    }
}

/// Who calls where no credential is asked for.
#[derive(Clone, Debug)]
pub struct Visitor {
    pub request_id: String,
    /// That of the client, as far as proxies are trusted.
    pub address: Option<std::net::IpAddr>,
    pub user_agent: String,
}

/// What signing in takes.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignIn {
    /// In any case.
    #[schema(max_length = 190)]
    pub email: String,
    pub password: Text,
    /// The code of the authenticator, or a recovery code, where the account has them.
    #[serde(default)]
    #[schema(max_length = 64)]
    pub totp: Option<String>,
}

/// What is answered to who has signed in.
#[derive(Clone, Debug)]
pub struct SignedIn {
    pub access: Text,
    pub user: User,
    pub session: Uuid,
    /// The cookie's new value, and for how long; none where another tab has the newest.
    pub cookie: Option<(Text, Duration)>,
}

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Me {
    /// `user:<email>` or `token:<name>`, as authors of revisions are shown.
    pub label: String,
    pub roles: Vec<RoleBinding>,
    /// The person; absent for a token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<User>,
    /// The session; absent for a token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<Uuid>,
}

/// A person to be.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewUser {
    pub email: Email,
    #[serde(default)]
    #[schema(max_length = 200)]
    pub title: Option<Title>,
    #[schema(max_items = 64)]
    pub roles: Vec<RoleBinding>,
}

/// What can be changed of a person; what is absent stays.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct UserPatch {
    pub title: Option<Title>,
    #[schema(max_items = 64)]
    pub roles: Option<Vec<RoleBinding>>,
    pub disabled: Option<bool>,
    /// Whom the provider of single sign-on means by this: the person comes by it alone from then on, with the roles of its groups. Null: by it no
    /// more; they choose a password by a link.
    #[serde(deserialize_with = "given")]
    #[schema(value_type = Option<SsoSubject>)]
    pub sso_subject: Option<Option<SsoSubject>>,
}

/// Tells null from what is absent.
fn given<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Option<SsoSubject>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// A person, and what they may do as principals have it.
#[derive(Clone, Debug)]
struct Person {
    row: UserRow,
    grant: Arc<Grant>,
}

impl From<UserRow> for Person {
    fn from(row: UserRow) -> Self {
        let grant = Arc::new(Grant { roles: row.user.roles.clone(), permits: Vec::new() });
        Self { row, grant }
    }
}

#[derive(Debug, Default)]
struct Known {
    users: HashMap<Uuid, Person>,
    by_email: HashMap<Email, Uuid>,
    by_identity: HashMap<SsoIdentity, Uuid>,
    sessions: HashMap<Uuid, SessionRow>,
    families: HashMap<[u8; 32], Uuid>,
}

impl Known {
    fn put_user(&mut self, row: UserRow) {
        self.forget_user(row.user.id);
        self.by_email.insert(row.user.email.clone(), row.user.id);
        if let Some(identity) = &row.sso {
            self.by_identity.insert(identity.clone(), row.user.id);
        }
        self.users.insert(row.user.id, row.into());
    }

    fn forget_user(&mut self, id: Uuid) {
        let Some(person) = self.users.remove(&id) else { return };
        self.by_email.remove(&person.row.user.email);
        if let Some(identity) = &person.row.sso {
            self.by_identity.remove(identity);
        }
    }

    fn put_session(&mut self, row: SessionRow) {
        self.families.insert(row.family, row.session.id);
        self.sessions.insert(row.session.id, row);
    }

    fn end(&mut self, ids: &[Uuid]) {
        for row in ids.iter().filter_map(|id| self.sessions.remove(id)) {
            self.families.remove(&row.family);
        }
    }

    fn sessions_of(&self, user: Uuid) -> Vec<&SessionRow> {
        let mut all: Vec<_> = self.sessions.values().filter(|row| row.user == user).collect();
        all.sort_by_key(|row| row.session.used_at);
        all
    }
}

/// See the module.
#[derive(Debug)]
pub struct People {
    ring: Keyring,
    idle: Duration,
    longest: Duration,
    passwords: Passwords,
    limiter: Limiter,
    sso: Option<Sso>,
    keys: ArcSwap<KeySet>,
    known: RwLock<Known>,
    /// Held by whoever changes people or sessions, so that what was looked at is still so when it is written.
    changing: tokio::sync::Mutex<()>,
}

impl People {
    pub async fn load(store: &Store, options: PeopleOptions, now: OffsetDateTime) -> Result<Self> {
        let PeopleOptions { ring, idle, longest, sso } = options;
        let ring = ring.map_or_else(Keyring::random, Ok)?;
        seals::tell_missing(store, &ring).await?;
        let mut known = Known::default();
        store.users().await?.into_iter().for_each(|row| known.put_user(row));
        store.sessions(now).await?.into_iter().for_each(|row| known.put_session(row));
        let people = Self {
            ring,
            idle,
            longest,
            passwords: Passwords::default(),
            limiter: Limiter::default(),
            sso: sso.map(Sso::new).transpose()?,
            keys: ArcSwap::default(),
            known: RwLock::new(known),
            changing: tokio::sync::Mutex::new(()),
        };
        people.rotate_keys(store, now).await?;
        Ok(people)
    }

    /// Who an access token is, if its session and its epoch still are.
    pub fn authenticate(&self, bearer: &str, now: OffsetDateTime) -> Option<Principal> {
        let claims = self.keys.load().verify(bearer, now)?;
        self.known(|known| {
            let session = known.sessions.get(&claims.sid)?;
            let person = known.users.get(&claims.sub)?;
            let good = session.user == claims.sub && session.session.expires_at > now && person.row.epoch == claims.epoch;
            (good && !person.row.user.disabled).then(|| Principal::User {
                id: claims.sub,
                email: person.row.user.email.to_string(),
                session: claims.sid,
                grant: Arc::clone(&person.grant),
            })
        })
    }

    /// Whether somebody of a while ago may still do what they could: signed in, and with the same rights.
    pub fn still(&self, user: Uuid, session: Uuid, grant: &Grant, now: OffsetDateTime) -> bool {
        self.known(|known| {
            let signed_in = known.sessions.get(&session).is_some_and(|row| row.user == user && row.session.expires_at > now);
            signed_in && known.users.get(&user).is_some_and(|person| !person.row.user.disabled && *person.grant == *grant)
        })
    }

    /// Whether this person may sign in.
    pub fn is_there(&self, id: Uuid) -> bool {
        self.known(|known| known.users.get(&id).is_some_and(|person| !person.row.user.disabled))
    }

    /// What somebody may do who decided at that time, if they may sign in and decide. Who has come since is somebody else, by whatever address.
    pub fn decider(&self, label: &str, at: OffsetDateTime) -> Option<Arc<Grant>> {
        let email = label.strip_prefix("user:")?.parse::<Email>().ok()?;
        self.known(|known| {
            let person = known.users.get(known.by_email.get(&email)?)?;
            let there = !person.row.user.disabled && micros(person.row.user.created_at) <= at;
            (there && person.grant.may(Action::Update, Subject::Approval)).then(|| Arc::clone(&person.grant))
        })
    }

    /// Since when there is this person.
    pub fn since(&self, id: Uuid) -> Option<OffsetDateTime> {
        self.known(|known| known.users.get(&id).map(|person| person.row.user.created_at))
    }

    /// Label keys by which somebody's scope is said.
    pub fn labels(&self) -> BTreeSet<LabelKey> {
        self.known(|known| known.users.values().flat_map(|person| person.grant.labels().cloned().collect::<Vec<_>>()).collect())
    }

    fn known<T>(&self, look: impl FnOnce(&Known) -> T) -> T {
        look(&self.known.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn change(&self, change: impl FnOnce(&mut Known)) {
        change(&mut self.known.write().unwrap_or_else(PoisonError::into_inner));
    }

    fn user(&self, id: Uuid) -> Result<UserRow> {
        self.known(|known| known.users.get(&id).map(|person| person.row.clone()))
            .ok_or_else(|| Error::NotFound { kind: "user", name: id.to_string() })
    }

    /// Makes a key that signs where it is time, and forgets those that are past.
    async fn rotate_keys(&self, store: &Store, now: OffsetDateTime) -> Result<()> {
        let mut keys = KeySet::open(&self.ring, &store.signing_keys().await?)?;
        if let Some(signs_from) = keys.wants_new(now) {
            store.put_signing_key(&SigningKey::generate(&self.ring, signs_from)?).await?;
        }
        keys = KeySet::open(&self.ring, &store.signing_keys().await?)?;
        let past = keys.past(now);
        if !past.is_empty() {
            store.delete_signing_keys(&past).await?;
            keys = KeySet::open(&self.ring, &store.signing_keys().await?)?;
        }
        self.keys.store(Arc::new(keys));
        Ok(())
    }
}

/// Every ten minutes: keys that sign, and sessions that are over.
pub async fn upkeep(store: Store, people: Arc<People>, clock: Clock) {
    loop {
        tokio::time::sleep(std::time::Duration::from_secs(600)).await;
        let now = clock();
        let over = |row: &SessionRow| row.session.expires_at <= now;
        people.change(|known| {
            let ids: Vec<Uuid> = known.sessions.values().filter(|row| over(row)).map(|row| row.session.id).collect();
            known.end(&ids);
        });
        if let Err(error) = futures::try_join!(store.delete_expired_sessions(now), people.rotate_keys(&store, now)) {
            tracing::warn!(%error, "keys and sessions were not looked after; tried again in ten minutes");
        }
    }
}

/// Only who has the administrator's role everywhere manages people.
fn only_admins(principal: &Principal) -> Result<()> {
    let grant = match principal {
        Principal::User { grant, .. } | Principal::Token { grant, .. } => grant,
        Principal::System => return Ok(()),
    };
    let admin = |binding: &RoleBinding| binding.role == Role::Admin && binding.scope.is_global();
    if grant.roles.iter().any(admin) { Ok(()) } else { Err(Error::Forbidden) }
}

/// Something that is done to an account, or by it.
fn event(action: &'static str, user: &User) -> AuditEvent {
    AuditEvent { action, kind: "user", name: user.email.to_string(), object_id: Some(user.id), ..AuditEvent::default() }
}

/// What an audit row says of an account: no secret is in it.
fn told(row: &UserRow) -> Option<serde_json::Value> {
    let mut told = serde_json::to_value(&row.user).ok()?;
    if let (Some(members), Some(sso)) = (told.as_object_mut(), &row.sso) {
        members.insert("sso_subject".to_owned(), serde_json::to_value(&sso.subject).ok()?);
    }
    Some(told)
}

fn log(who: &str, event: &AuditEvent, request_id: &str, address: Option<std::net::IpAddr>) {
    tracing::info!(what = event.action, who, about = event.name, request_id, address = address.map(tracing::field::display), "people");
}

/// The person and session that ask; a token is neither.
fn person(principal: &Principal) -> Result<(Uuid, Uuid)> {
    match principal {
        Principal::User { id, session, .. } => Ok((*id, *session)),
        _ => Err(Error::Forbidden),
    }
}

impl Service {
    /// What happened to people: to the log, and to the audit log. Never a secret among it.
    async fn note(&self, caller: &Caller, event: AuditEvent) {
        log(&caller.principal.label(), &event, &caller.request_id, caller.address);
        self.audit_soon(caller, event).await;
    }

    /// The same of who is no caller yet, since they come by something else than a token.
    async fn note_visit(&self, visitor: &Visitor, event: AuditEvent) {
        log(&event.name, &event, &visitor.request_id, visitor.address);
        let stranger = Stranger { request_id: &visitor.request_id, address: visitor.address };
        let who = event.name.clone();
        self.audit_by(&who, &stranger, event).await;
    }

    /// What anybody can make happen as often as they like: of an account, whether it is there or not.
    fn note_attempt(&self, visitor: &Visitor, action: &'static str, email: &str) {
        let event = AuditEvent { action, kind: "user", name: store::text(email, 200), ..AuditEvent::default() };
        log("anonymous", &event, &visitor.request_id, visitor.address);
        self.audit_often(None, &Stranger { request_id: &visitor.request_id, address: visitor.address }, event);
    }

    /// A password or a code that was asked for once more, and was wrong; or was asked for too often. Who has stolen an access token tries them.
    fn note_unconfirmed(&self, caller: &Caller, user: &User, error: &Error) {
        let action = match error {
            Error::Invalid(_) => "confirmation_failed",
            Error::TooMany { .. } => "confirmation_limited",
            _ => return,
        };
        let event = event(action, user);
        log(&caller.principal.label(), &event, &caller.request_id, caller.address);
        self.audit_often(Some(caller), &Stranger { request_id: &caller.request_id, address: caller.address }, event);
    }

    /// The public keys by which another service verifies access tokens.
    pub fn jwks(&self) -> Jwks {
        self.inner.people.keys.load().jwks()
    }

    /// How often a password was hashed: the work that must not tell who has an account.
    #[cfg(test)]
    pub fn bcrypt_runs(&self) -> u64 {
        self.inner.people.passwords.runs()
    }
}
