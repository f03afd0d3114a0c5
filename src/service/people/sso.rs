//! Signing in by a provider. Who somebody is, the provider says; who that is here, its issuer and subject say, never the address; and what they
//! may do, the mapping of its groups, anew each time.

use serde_json::{Value, json};
use time::{Duration, OffsetDateTime};

use super::setup::nobody_yet;
use super::{People, Service, SignedIn, Visitor};
use crate::auth::{Begun, Brought, Identified, OidcFault, OidcOptions, Provider, ReturnTo};
use crate::domain::audit::AuditEvent;
use crate::domain::error::{Error, Result};
use crate::domain::{GroupRole, RoleBinding, SsoIdentity};
use crate::service::Stranger;
use crate::store::{self, UserRow};

/// What is set of single sign-on.
#[derive(Debug)]
pub struct SsoOptions {
    pub provider: OidcOptions,
    pub roles: Vec<GroupRole>,
    /// Whether who comes for the first time is made a person.
    pub create_people: bool,
    /// Whether a person with a password becomes the provider's by an address that it verified.
    pub link_verified_email: bool,
    /// A session is over after so long.
    pub longest: Duration,
}

/// The same, as it runs.
#[derive(Debug)]
pub(super) struct Sso {
    provider: Provider,
    roles: Vec<GroupRole>,
    create_people: bool,
    link_verified_email: bool,
    longest: Duration,
}

impl Sso {
    pub fn new(options: SsoOptions) -> Result<Self> {
        let SsoOptions { provider, roles, create_people, link_verified_email, longest } = options;
        let provider = Provider::new(provider).map_err(Error::internal)?;
        Ok(Self { provider, roles, create_people, link_verified_email, longest })
    }

    pub fn issuer(&self) -> &str {
        &self.provider.options().issuer
    }
}

/// Why somebody did not get in. The code is for the panel; what is behind it goes to the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SsoFault {
    Off,
    Away,
    /// Another browser's, an old one, or one that was used.
    Attempt,
    Refused,
    Untrue,
    NoRole,
    /// Not there, and not to be made.
    Unknown,
    NoEmail,
    EmailUnverified,
    /// Somebody else has the address.
    EmailTaken,
    Disabled,
    TooMany,
    Ours,
}

impl SsoFault {
    pub fn code(self) -> &'static str {
        match self {
            Self::Off => "sso_off",
            Self::Away => "sso_away",
            Self::Attempt => "sso_attempt",
            Self::Refused => "sso_refused",
            Self::Untrue => "sso_untrue",
            Self::NoRole => "sso_no_role",
            Self::Unknown => "sso_unknown",
            Self::NoEmail => "sso_no_email",
            Self::EmailUnverified => "sso_email_unverified",
            Self::EmailTaken => "sso_email_taken",
            Self::Disabled => "sso_disabled",
            Self::TooMany => "too_many",
            Self::Ours => "internal",
        }
    }
}

impl From<OidcFault> for SsoFault {
    fn from(fault: OidcFault) -> Self {
        match fault {
            OidcFault::Away(_) => Self::Away,
            OidcFault::Attempt(_) => Self::Attempt,
            OidcFault::Refused(_) => Self::Refused,
            OidcFault::Untrue(_) => Self::Untrue,
            OidcFault::Ours(_) => Self::Ours,
        }
    }
}

impl From<Error> for SsoFault {
    fn from(error: Error) -> Self {
        if let Error::TooMany { .. } = error {
            return Self::TooMany;
        }
        tracing::error!(%error, "single sign-on");
        Self::Ours
    }
}

impl Service {
    /// By which name people know the provider; None: there is none.
    pub fn sso_name(&self) -> Option<&str> {
        self.inner.people.sso.as_ref().map(|sso| sso.provider.options().name.as_str())
    }

    /// The way to the provider.
    pub async fn begin_sso(&self, visitor: &Visitor, return_to: ReturnTo) -> Result<Begun, SsoFault> {
        let sso = self.inner.people.sso.as_ref().ok_or(SsoFault::Off)?;
        let begun = sso.provider.begin(return_to, self.now()).await;
        begun.map_err(|fault| self.sso_stopped(visitor, &fault))
    }

    /// Signs in whom the provider sent back with this answer, in the browser that has this cookie.
    pub async fn finish_sso(&self, visitor: &Visitor, brought: &Brought, cookie: Option<&str>) -> Result<(SignedIn, ReturnTo), SsoFault> {
        let (people, now) = (&self.inner.people, self.now());
        let sso = people.sso.as_ref().ok_or(SsoFault::Off)?;
        let stopped = |fault: OidcFault| self.sso_stopped(visitor, &fault);
        let matched = sso.provider.matched(brought, cookie, now).map_err(stopped)?;
        // Before the provider is asked: it is no one's to flood by us.
        people.limiter.address(visitor.address, now)?;
        let return_to = matched.return_to().clone();
        let who = sso.provider.finish(matched, brought, now).await.map_err(stopped)?;
        match self.admit(sso, &who, visitor, now).await {
            Ok(signed_in) => Ok((signed_in, return_to)),
            Err(fault) => {
                let SsoIdentity { issuer, subject } = &who.identity;
                let after = json!({ "reason": fault.code(), "issuer": issuer, "subject": subject });
                let about = who.email.as_ref().map_or("(no address)", |email| email.as_str());
                self.note_sso("sso_failed", &format!("sso:{subject}"), about, None, Some(after), visitor).await;
                Err(fault)
            }
        }
    }

    /// Somebody did not get as far as being known.
    fn sso_stopped(&self, visitor: &Visitor, fault: &OidcFault) -> SsoFault {
        let class = SsoFault::from(fault.clone());
        tracing::warn!(%fault, reason = class.code(), request_id = visitor.request_id, "single sign-on failed");
        let after = Some(json!({ "reason": class.code() }));
        let event = AuditEvent { action: "sso_failed", kind: "user", name: "(unknown)".to_owned(), after, ..AuditEvent::default() };
        self.audit_often(None, &Stranger { request_id: &visitor.request_id, address: visitor.address }, event);
        class
    }

    async fn admit(&self, sso: &Sso, who: &Identified, visitor: &Visitor, now: OffsetDateTime) -> Result<SignedIn, SsoFault> {
        let (people, store) = (&self.inner.people, &self.inner.store);
        let roles = GroupRole::bindings(&sso.roles, &who.groups);
        let changing = people.changing.lock().await;
        let row = match people.by_identity(&who.identity) {
            Some(row) => self.again(row, roles, visitor, now).await?,
            None => self.first_time(sso, who, roles, visitor, now).await?,
        };
        let longest = sso.longest.min(people.longest);
        let (session, cookie) = people.begin_session(store, row.user.id, visitor, longest, now).await?;
        drop(changing);
        let by = json!({ "by": "sso", "issuer": who.identity.issuer, "subject": who.identity.subject });
        self.note_sso("signed_in", &row.user.email, &row.user.email, None, Some(by), visitor).await;
        let access = people.access(&row, session, now)?;
        Ok(SignedIn { access, user: row.user, session, cookie: Some((cookie, longest)) })
    }

    /// Somebody who has been here: with the roles of now. Whoever has none any more loses what they had, and their sessions.
    async fn again(&self, mut row: UserRow, roles: Vec<RoleBinding>, visitor: &Visitor, now: OffsetDateTime) -> Result<UserRow, SsoFault> {
        let (people, store) = (&self.inner.people, &self.inner.store);
        if row.user.disabled {
            return Err(SsoFault::Disabled);
        }
        if row.user.roles == roles {
            return if roles.is_empty() { Err(SsoFault::NoRole) } else { Ok(row) };
        }
        let (before, after) = (json!({ "roles": row.user.roles }), json!({ "roles": roles }));
        row.user.roles = roles;
        let none = row.user.roles.is_empty();
        let row = if none {
            people.renewed(store, row, None, None, now).await?
        } else {
            row.epoch += 1;
            row.user.updated_at = now;
            store.put_user(&row, None).await?;
            people.change(|known| known.put_user(row.clone()));
            row
        };
        self.note_sso("sso_roles_changed", &row.user.email, &row.user.email, Some(before), Some(after), visitor).await;
        if none { Err(SsoFault::NoRole) } else { Ok(row) }
    }

    async fn first_time(
        &self,
        sso: &Sso,
        who: &Identified,
        roles: Vec<RoleBinding>,
        visitor: &Visitor,
        now: OffsetDateTime,
    ) -> Result<UserRow, SsoFault> {
        let (people, store) = (&self.inner.people, &self.inner.store);
        if roles.is_empty() {
            return Err(SsoFault::NoRole);
        }
        let email = who.email.clone().ok_or(SsoFault::NoEmail)?;
        let after = json!({ "roles": roles, "issuer": who.identity.issuer, "subject": who.identity.subject });
        let (what, row) = match people.by_email(&email) {
            Some(mut row) => {
                let verified = sso.link_verified_email && who.email_verified == Some(true);
                // An address is not an identity: this person stays who they are, unless somebody said otherwise.
                if !verified || row.sso.is_some() || row.user.disabled || people.not_the_last(&row.user).is_err() {
                    return Err(SsoFault::EmailTaken);
                }
                row.become_of(Some(who.identity.clone()));
                row.user.roles = roles;
                ("sso_linked", people.renewed(store, row, Some(&[]), None, now).await?)
            }
            None if !sso.create_people => return Err(SsoFault::Unknown),
            // Whoever may write any address would be shown as somebody else.
            None if who.email_verified == Some(false) => return Err(SsoFault::EmailUnverified),
            None => {
                let mut row = nobody_yet(email, now)?;
                row.user.title = who.title.clone();
                row.user.roles = roles;
                row.become_of(Some(who.identity.clone()));
                row.derive();
                store.put_user(&row, None).await?;
                people.change(|known| known.put_user(row.clone()));
                ("user_created", row)
            }
        };
        self.note_sso(what, &row.user.email, &row.user.email, None, Some(after), visitor).await;
        Ok(row)
    }

    /// What happened by single sign-on: to the log, and to the audit log.
    async fn note_sso(&self, what: &'static str, who: &str, about: &str, before: Option<Value>, after: Option<Value>, visitor: &Visitor) {
        let Visitor { request_id, address, .. } = visitor;
        let said = after.as_ref().map(tracing::field::display);
        tracing::info!(what, who, about, said, request_id, address = address.map(tracing::field::display), "people");
        let event = AuditEvent { action: what, kind: "user", name: store::text(about, 200), before, after, ..AuditEvent::default() };
        self.audit_by(who, &Stranger { request_id, address: *address }, event).await;
    }
}

impl People {
    fn by_identity(&self, identity: &SsoIdentity) -> Option<UserRow> {
        self.known(|known| known.by_identity.get(identity).and_then(|id| known.users.get(id)).map(|person| person.row.clone()))
    }

    /// Whether this is how the person can still come: by a password, or by the provider that is set.
    pub(super) fn comes(&self, row: &UserRow) -> bool {
        row.sso.as_ref().is_none_or(|identity| self.sso.as_ref().is_some_and(|sso| sso.issuer() == identity.issuer))
    }
}
