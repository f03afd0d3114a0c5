//! Managing people: for administrators alone, and never so that the last of them is gone.

use uuid::Uuid;

use super::setup::nobody_yet;
use super::{Link, NewUser, People, Service, UserPatch, event, only_admins, told};
use crate::domain::audit::AuditEvent;
use crate::domain::error::{Error, Result};
use crate::domain::{RoleBinding, SsoIdentity, SsoSubject, User};
use crate::service::Caller;

const MOST_ROLES: usize = 64;

impl Service {
    /// All people, in the order of their coming.
    pub fn users(&self, caller: &Caller) -> Result<Vec<User>> {
        only_admins(&caller.principal)?;
        let mut all: Vec<User> = self.inner.people.known(|known| known.users.values().map(|person| person.row.user.clone()).collect());
        all.sort_by_key(|user| user.id);
        Ok(all)
    }

    pub fn user(&self, caller: &Caller, id: Uuid) -> Result<User> {
        only_admins(&caller.principal)?;
        self.inner.people.user(id).map(|row| row.user)
    }

    /// Invites somebody: they choose a password by the link.
    pub async fn create_user(&self, caller: &Caller, new: NewUser) -> Result<(User, Link)> {
        only_admins(&caller.principal)?;
        bounded(&new.roles)?;
        let people = &self.inner.people;
        let mut row = nobody_yet(new.email, self.now())?;
        row.user.title = new.title.unwrap_or(row.user.title);
        row.user.roles = new.roles;
        let changing = people.changing.lock().await;
        self.inner.store.put_user(&row, None).await?;
        people.change(|known| known.put_user(row.clone()));
        drop(changing);
        self.note(caller, AuditEvent { after: told(&row), ..event("user_created", &row.user) }).await;
        let link = self.setup_link(caller, row.user.id, false).await?;
        Ok((row.user, link))
    }

    /// Changes somebody. Other roles, or being kept out, end every access token at once; being kept out, every session too.
    pub async fn patch_user(&self, caller: &Caller, id: Uuid, patch: UserPatch) -> Result<User> {
        only_admins(&caller.principal)?;
        bounded(patch.roles.as_deref().unwrap_or_default())?;
        let (people, store, now) = (&self.inner.people, &self.inner.store, self.now());
        let _changing = people.changing.lock().await;
        let before = people.user(id)?;
        let mut row = before.clone();
        let UserPatch { title, roles, disabled, sso_subject } = patch;
        if let Some(subject) = sso_subject {
            let sso = subject.map(|subject| people.identity(subject)).transpose()?;
            if sso != row.sso {
                row.become_of(sso);
            }
        }
        row.user.title = title.unwrap_or(row.user.title);
        row.user.roles = roles.unwrap_or(row.user.roles);
        row.user.disabled = disabled.unwrap_or(row.user.disabled);
        row.derive();
        let linked = row.sso != before.sso;
        if row.user == before.user && !linked {
            return Ok(row.user);
        }
        if row.sso.is_some() && row.user.roles != before.user.roles {
            return Err(Error::Conflict("the roles of who comes by single sign-on are those of their groups: `oidc.roles`".to_owned()));
        }
        if !row.user.administers() {
            people.not_the_last(&before.user)?;
        }
        let row = if row.user.disabled || linked {
            people.renewed(store, row, linked.then_some(&[]), None, now).await?
        } else {
            row.epoch += i64::from(row.user.roles != before.user.roles);
            row.user.updated_at = now;
            store.put_user(&row, None).await?;
            people.change(|known| known.put_user(row.clone()));
            row
        };
        let what = if linked { "sso_linked" } else { "user_changed" };
        self.note(caller, AuditEvent { before: told(&before), after: told(&row), ..event(what, &row.user) }).await;
        Ok(row.user)
    }

    pub async fn delete_user(&self, caller: &Caller, id: Uuid) -> Result<()> {
        only_admins(&caller.principal)?;
        let people = &self.inner.people;
        let _changing = people.changing.lock().await;
        let row = people.user(id)?;
        people.not_the_last(&row.user)?;
        self.inner.store.delete_user(id).await?;
        people.change(|known| {
            let ids: Vec<Uuid> = known.sessions_of(id).iter().map(|row| row.session.id).collect();
            known.end(&ids);
            known.forget_user(id);
        });
        self.note(caller, AuditEvent { before: told(&row), ..event("user_deleted", &row.user) }).await;
        Ok(())
    }
}

impl People {
    /// Whom the provider that is set means by a subject.
    fn identity(&self, subject: SsoSubject) -> Result<SsoIdentity> {
        let sso = self.sso.as_ref().ok_or_else(|| Error::Conflict("there is no single sign-on: `oidc.issuer` is not set".to_owned()))?;
        Ok(SsoIdentity { issuer: sso.issuer().to_owned(), subject })
    }

    /// Refuses to take away the last who can manage people. The caller holds `changing`.
    pub(super) fn not_the_last(&self, user: &User) -> Result<()> {
        let others =
            |known: &super::Known| known.users.values().any(|person| person.row.user.id != user.id && person.row.user.administers());
        if user.administers() && !self.known(others) {
            return Err(Error::Conflict("this is the last person who can manage people: make another one administrator first".to_owned()));
        }
        Ok(())
    }
}

fn bounded(roles: &[RoleBinding]) -> Result<()> {
    if roles.len() > MOST_ROLES {
        return Err(Error::invalid("/roles", "too_many", format!("a person has at most {MOST_ROLES} roles")));
    }
    Ok(())
}
