//! Emergency mode: asked for by an operator, at once and without approval; loud, and over by itself.

use std::sync::Arc;

use serde_json::json;
use tokio::sync::watch;

use super::authorize::sees;
use super::entries::micros;
use super::{Caller, Service};
use crate::domain::audit::AuditEvent;
use crate::domain::error::{Error, Result};
use crate::domain::{Action, Kind, ModeOverride, ModeOverrides, Name, NewModeOverride, Snapshot, Subject, Versioned, Vhost};

impl Service {
    /// Changes when one is asked for or ended; whose time is over stays.
    pub fn watch_mode_overrides(&self) -> watch::Receiver<Arc<ModeOverrides>> {
        self.inner.shared.overrides.subscribe()
    }

    /// Those that are in force, of the vhosts that the caller sees.
    pub fn mode_overrides(&self, caller: &Caller) -> Vec<ModeOverride> {
        self.mode_overrides_in_force(&self.head_for(caller))
    }

    pub(super) fn mode_overrides_in_force(&self, snapshot: &Snapshot) -> Vec<ModeOverride> {
        let (now, all) = (self.now(), self.watch_mode_overrides().borrow().clone());
        let in_force = |one: &&ModeOverride| snapshot.vhosts.get(&one.vhost).is_some_and(|vhost| one.in_force(vhost.id, now));
        all.values().filter(in_force).cloned().collect()
    }

    /// The one of a vhost: in force, or the last one.
    pub fn mode_override(&self, caller: &Caller, vhost: &Name) -> Result<ModeOverride> {
        self.authorize(&caller.principal, Action::Read, "mode_override", Some(vhost))?;
        let held = self.vhost(caller, &self.head_for(caller), vhost, Subject::Vhost)?;
        self.override_of(&held).ok_or_else(|| absent(vhost))
    }

    /// The one of a vhost that is in force.
    pub fn mode_override_in_force(&self, vhost: &Versioned<Vhost>) -> Option<ModeOverride> {
        self.override_of(vhost).filter(|one| one.until > self.now())
    }

    fn override_of(&self, vhost: &Versioned<Vhost>) -> Option<ModeOverride> {
        let all = self.watch_mode_overrides().borrow().clone();
        all.get(&vhost.spec.name).filter(|one| one.vhost_id == vhost.id).cloned()
    }

    /// A vhost in another mode until then. In the audit log before it is in force.
    pub async fn put_mode_override(&self, caller: &Caller, vhost: &Name, new: NewModeOverride) -> Result<ModeOverride> {
        let _turn = self.inner.emergency.lock().await;
        let new = NewModeOverride { until: micros(new.until), ..new };
        let held = self.overridden(caller, vhost, Action::Update)?;
        let now = micros(self.now());
        new.check(now)?;
        let author = super::rows::author(caller);
        let NewModeOverride { mode, until, reason } = new;
        let one = ModeOverride { vhost: vhost.clone(), vhost_id: held.id, mode, until, reason, author, created_at: now };
        let before = self.mode_override_in_force(&held);
        self.audit(caller, event("mode_override.set", &one, before.as_ref())).await?;
        self.inner.store.put_mode_override(&one).await?;
        tracing::warn!(vhost = %one.vhost, mode = one.mode.as_str(), until = %one.until, by = one.author, reason = one.reason, "service.emergency_mode");
        let after = one.clone();
        self.inner.shared.overrides.send_modify(|all| _ = Arc::make_mut(all).insert(one.vhost.clone(), one));
        Ok(after)
    }

    /// Ends it at once.
    pub async fn delete_mode_override(&self, caller: &Caller, vhost: &Name) -> Result<()> {
        let _turn = self.inner.emergency.lock().await;
        let held = self.overridden(caller, vhost, Action::Delete)?;
        let one = self.mode_override_in_force(&held).ok_or_else(|| absent(vhost))?;
        self.audit(caller, event("mode_override.ended", &one, None)).await?;
        self.inner.store.delete_mode_override(held.id, self.now()).await?;
        tracing::warn!(vhost = %one.vhost, by = super::rows::author(caller), "service.emergency_mode_ended");
        self.inner.shared.overrides.send_modify(|all| _ = Arc::make_mut(all).remove(vhost));
        Ok(())
    }

    /// The vhost, if the caller may do that to it.
    fn overridden(&self, caller: &Caller, vhost: &Name, action: Action) -> Result<Arc<Versioned<Vhost>>> {
        self.authorize(&caller.principal, action, "mode_override", Some(vhost))?;
        let head = self.head();
        let there = head.vhosts.get(vhost).cloned();
        let absent = || Error::NotFound { kind: "vhost", name: vhost.to_string() };
        let Some(grant) = caller.principal.grant() else { return there.ok_or_else(absent) };
        let held = there.filter(|_| sees(grant, &head, Kind::Vhost, vhost)).ok_or_else(absent)?;
        if grant.on(action, Subject::ModeOverride, &held.spec) { Ok(held) } else { Err(Error::Forbidden) }
    }
}

fn absent(vhost: &Name) -> Error {
    Error::NotFound { kind: "emergency mode of vhost", name: vhost.to_string() }
}

fn event(action: &'static str, one: &ModeOverride, before: Option<&ModeOverride>) -> AuditEvent {
    let object_id = Some(one.vhost_id);
    let (before, after) = (before.map(|before| json!(before)), Some(json!(one)));
    AuditEvent { action, kind: "vhost", name: one.vhost.to_string(), object_id, before, after, ..AuditEvent::default() }
}
