//! Reading: configuration from memory, history from the database.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use time::OffsetDateTime;

use super::{Caller, Service, Stranger, entries};
use crate::domain::audit::AuditEvent;
use crate::domain::error::{Error, Result};
use crate::domain::revision::RevisionInfo;
use crate::domain::snapshot::ListState;
use crate::domain::{Action, Policy, Revision, Snapshot, Subject, Versioned, Vhost};
use crate::store::RevisionFilter;
use crate::{compile, render};

/// A page's limit, 1 to 500.
pub fn bounded(limit: usize) -> i64 {
    i64::try_from(limit.clamp(1, 500)).unwrap_or(500)
}

/// Changes that a list of revisions shows of each.
const SHOWN: usize = 100;

/// A revision as lists and the stream show it.
pub fn short(mut info: RevisionInfo) -> RevisionInfo {
    info.changes.truncate(SHOWN);
    info
}

fn absent(kind: &'static str, name: impl std::fmt::Display) -> Error {
    Error::NotFound { kind, name: name.to_string() }
}

impl Service {
    /// `snapshot` is one that [`Service::seen`] gave.
    pub fn vhost(&self, caller: &Caller, snapshot: &Snapshot, name: &str, part: Subject) -> Result<Arc<Versioned<Vhost>>> {
        self.authorize(&caller.principal, Action::Read, part.as_str(), None)?;
        snapshot.vhosts.get(name).cloned().ok_or_else(|| absent("vhost", name))
    }

    pub fn policy(&self, caller: &Caller, snapshot: &Snapshot, name: &str, part: Subject) -> Result<Arc<Versioned<Policy>>> {
        self.authorize(&caller.principal, Action::Read, part.as_str(), None)?;
        snapshot.policies.get(name).cloned().ok_or_else(|| absent("policy", name))
    }

    pub fn ip_list(&self, caller: &Caller, snapshot: &Snapshot, name: &str, part: Subject) -> Result<Arc<ListState>> {
        self.authorize(&caller.principal, Action::Read, part.as_str(), None)?;
        snapshot.ip_lists.get(name).cloned().ok_or_else(|| absent("IP list", name))
    }

    /// Newest first, and how many there are in all that the filter lets through. `before`: only older ones; `limit` 1 to 501.
    pub async fn revisions(
        &self,
        caller: &Caller,
        before: Option<Revision>,
        filter: &RevisionFilter,
        limit: usize,
    ) -> Result<(Vec<RevisionInfo>, usize)> {
        self.authorize(&caller.principal, Action::Read, "revision", None)?;
        let limit = i64::try_from(limit.clamp(1, 501)).unwrap_or(501);
        // The history of what the caller does not see is not theirs either.
        let seen = self.head_for(caller);
        let mut filter = filter.clone();
        let asked = !filter.objects.is_empty();
        if !self.sees_all(caller) {
            filter.objects.retain(|(kind, name)| super::object::Object::find(&seen, *kind, name).is_some());
        }
        if asked && filter.objects.is_empty() {
            return Ok((Vec::new(), 0));
        }
        let filter = &filter;
        let found = self.inner.store.revisions(before, filter, limit).await?;
        let total = self.inner.store.count_revisions(filter).await?;
        Ok((found.into_iter().map(|info| short(self.revision_for(caller, info))).collect(), usize::try_from(total).unwrap_or_default()))
    }

    pub async fn revision(&self, caller: &Caller, number: Revision) -> Result<RevisionInfo> {
        self.authorize(&caller.principal, Action::Read, "revision", None)?;
        self.info(caller, number).await
    }

    /// A revision as the caller may know it, whatever else they may.
    pub(super) async fn info(&self, caller: &Caller, number: Revision) -> Result<RevisionInfo> {
        let info = self.inner.store.revision(number).await?.ok_or_else(|| absent("revision", number))?;
        Ok(self.revision_for(caller, info))
    }

    /// The state at a revision, whole: not for callers of the API, who get [`Service::snapshot_seen`]; 0 is the empty state.
    pub async fn snapshot_at(&self, caller: &Caller, number: Revision) -> Result<Arc<Snapshot>> {
        self.authorize(&caller.principal, Action::Read, "revision", None)?;
        self.state_at(number).await
    }

    /// The same as the caller sees it.
    pub async fn snapshot_seen(&self, caller: &Caller, number: Revision, part: Option<Subject>) -> Result<Arc<Snapshot>> {
        self.authorize(&caller.principal, Action::Read, "revision", None)?;
        let snapshot = self.state_at(number).await?;
        Ok(self.seen(caller, &snapshot, part))
    }

    pub(super) async fn state_at(&self, number: Revision) -> Result<Arc<Snapshot>> {
        let head = self.head();
        if number == head.revision {
            return Ok(head);
        }
        if number < 0 || number > head.revision {
            return Err(absent("revision", number));
        }
        self.kept(number)?;
        let snapshot = self.inner.store.snapshot_at(number).await?;
        // Read while it was deleted, it may lack something.
        self.kept(number)?;
        Ok(Arc::new(snapshot))
    }

    fn kept(&self, number: Revision) -> Result<()> {
        let first_kept = self.inner.shared.first_kept.load(Ordering::Relaxed);
        if number >= first_kept {
            return Ok(());
        }
        Err(Error::Gone(format!(
            "what revision {number} was is kept no more: revision {first_kept} is the oldest (`database.history_days`)"
        )))
    }

    /// The files that a node would get for a revision, rendered anew as of the time of its commit: path -> text.
    pub async fn files_at(&self, caller: &Caller, number: Revision) -> Result<BTreeMap<String, String>> {
        // They show all sites.
        self.authorize(&caller.principal, Action::Read, "file", None)?;
        let snapshot = self.state_at(number).await?;
        let event = AuditEvent {
            action: "read",
            kind: "rendered_files",
            name: number.to_string(),
            revision: Some(number),
            ..AuditEvent::default()
        };
        self.audit_often(Some(caller), &Stranger { request_id: &caller.request_id, address: caller.address }, event);
        let at = self.inner.store.committed_at(number).await?.unwrap_or_else(|| entries::micros(self.now()));
        let node = Arc::clone(&self.inner.node);
        let bundle = tokio::task::spawn_blocking(move || render::render(&compile::compile(&snapshot, &node, at), &node, None))
            .await
            .map_err(Error::internal)?
            .map_err(Error::internal)?;
        Ok(bundle.files.iter().map(|(path, bytes)| (path.clone(), String::from_utf8_lossy(bytes).into_owned())).collect())
    }

    /// Deletes what was over before `before`, but nothing that is live or referred to.
    pub async fn prune_history(&self, before: OffsetDateTime) -> Result<()> {
        let live = self.watch_live().borrow().live;
        let first_kept = self.inner.store.keep_from(before, live).await?;
        self.inner.shared.first_kept.fetch_max(first_kept, Ordering::Relaxed);
        let rows = self.inner.store.prune(before, first_kept).await?;
        if rows > 0 {
            tracing::info!(rows, first_kept, "service.history_pruned");
        }
        Ok(())
    }

    /// Whether the database answers, its migrations are as expected, and writes are possible. For `/ready`.
    pub async fn database_ready(&self) -> Result<()> {
        let asked = async {
            self.inner.store.ping().await?;
            self.inner.store.check_migrations().await
        };
        match tokio::time::timeout(std::time::Duration::from_secs(2), asked).await {
            Ok(result) => result?,
            Err(_) => return Err(Error::Unavailable("the database did not answer in 2 s".to_owned())),
        }
        if !self.inner.shared.leads() {
            return Err(Error::Unavailable(super::writer::NO_LEAD.to_owned()));
        }
        Ok(())
    }
}
