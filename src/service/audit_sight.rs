//! What of the audit log somebody sees whose right to read it is limited to some vhosts: rows about what their scope covers, and their own.
//!
//! A row about what is configured has to have been theirs to see before the change and after it, and to be so now, where there is something of
//! its name now: by the rule of [`sight`](super::sight). What was nobody's once and is somebody's now is not theirs, nor what was somebody's then.
//! Filters choose among rows that are seen whole, so that they find nothing out about others.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use serde_json::value::RawValue;

use super::sight::{Seen, vhosts};
use super::{Caller, Service};
use crate::domain::error::Result;
use crate::domain::{Action, Grant, Kind, Name, Principal, Revision, Snapshot, Subject, Vhost};
use crate::store::{AuditFilter, AuditReach, AuditRecord, VhostThen};

/// Rows that are looked at in one go; fewer where they are whole.
const STEP: [i64; 2] = [50, 200];
/// By which rights rows are seen.
const PART: Option<Subject> = Some(Subject::Audit);

impl Service {
    /// The caller's grant, where it does not show the whole log.
    pub(super) fn audit_scope<'a>(&self, caller: &'a Caller) -> Option<&'a Arc<Grant>> {
        caller.principal.grant().filter(|grant| !grant.everywhere(Action::Read, Subject::Audit))
    }

    /// As [`audit_log`](Self::audit_log). It goes on until there are rows enough, or no more: how many were passed over is not told.
    pub(super) async fn audit_seen(
        &self,
        caller: &Caller,
        grant: &Grant,
        filter: &AuditFilter,
        mut before: Option<i64>,
        short: bool,
        limit: usize,
    ) -> Result<Vec<AuditRecord>> {
        let head = self.head();
        let now = Seen::new(grant, PART, vhosts(&head));
        let reach = self.reach(caller, &head, &now);
        let step = STEP[usize::from(short)];
        let mut seen = Vec::new();
        loop {
            let rows = self.inner.store.audit(filter, Some(&reach), before, short, step).await?;
            let last = rows.last().map(|row| row.id).filter(|_| i64::try_from(rows.len()) == Ok(step));
            seen.extend(self.theirs(grant, &head, &now, rows).await?);
            if last.is_none() || seen.len() >= limit {
                break;
            }
            before = last;
        }
        seen.truncate(limit);
        for row in &mut seen {
            row.hash = None;
            if short {
                row.shorten();
            }
        }
        Ok(seen)
    }

    /// What can be said without a look at each row.
    fn reach(&self, caller: &Caller, head: &Snapshot, now: &Seen<'_>) -> AuditReach {
        let vhosts = head.vhosts.iter().filter(|(_, vhost)| !now.vhost(&vhost.spec)).map(|(name, _)| (Kind::Vhost, name));
        let policies = head.policies.keys().filter(|name| !now.policy(name)).map(|name| (Kind::Policy, name));
        let lists = head.ip_lists.keys().filter(|name| !now.list(name)).map(|name| (Kind::IpList, name));
        let hidden = vhosts.chain(policies).chain(lists).map(|(kind, name)| (kind.as_str().to_owned(), name.to_string()));
        let person = match &caller.principal {
            Principal::User { id, email, .. } => self.inner.people.since(*id).map(|since| (email.clone(), since)),
            _ => None,
        };
        AuditReach { hidden: hidden.collect(), principal: caller.principal.id(), person }
    }

    /// Those of the rows that are in scope, then and now.
    async fn theirs(&self, grant: &Grant, head: &Snapshot, now: &Seen<'_>, rows: Vec<AuditRecord>) -> Result<Vec<AuditRecord>> {
        let used = self.used_then(&rows).await?;
        let mut then = BTreeMap::new();
        for revision in rows.iter().filter_map(shared).flat_map(|shared| shared.revisions) {
            let vhosts = used.iter().filter(|one| one.from <= revision && one.to.is_none_or(|to| revision < to)).map(|one| &one.vhost);
            then.entry(revision).or_insert_with(|| Seen::new(grant, PART, vhosts));
        }
        // Of what is kept no more nobody knows who used it.
        let first_kept = self.inner.shared.first_kept.load(Ordering::Relaxed);
        let theirs = |row: &AuditRecord| match kind(row) {
            None => true,
            Some(Kind::Vhost) => {
                let is = |json: &Option<Box<RawValue>>| json.as_ref().map(|json| read(json).is_some_and(|vhost| now.vhost(&vhost)));
                let today = Name::parse(&row.name).is_ok_and(|name| head.vhosts.get(&name).is_none_or(|vhost| now.vhost(&vhost.spec)));
                let (before, after) = (is(&row.before), is(&row.after));
                today && before.or(after).is_some() && before.unwrap_or(true) && after.unwrap_or(true)
            }
            Some(_) => shared(row).is_some_and(|shared| {
                let known = shared.revisions.iter().all(|revision| *revision >= first_kept);
                let today = !shared.is_in(head) || shared.shown(now);
                known && today && shared.revisions.iter().all(|revision| then.get(revision).is_some_and(|then| shared.shown(then)))
            }),
        };
        let theirs: Vec<bool> = rows.iter().map(theirs).collect();
        Ok(rows.into_iter().zip(theirs).filter_map(|(row, theirs)| theirs.then_some(row)).collect())
    }

    /// The vhosts that used what the rows are about, whenever they did.
    async fn used_then(&self, rows: &[AuditRecord]) -> Result<Vec<VhostThen>> {
        let shared: Vec<Shared> = rows.iter().filter_map(shared).collect();
        let names: BTreeSet<String> = shared.iter().map(|shared| shared.name.to_string()).collect();
        let revisions = || shared.iter().flat_map(|shared| &shared.revisions).copied();
        let Some((from, to)) = revisions().min().zip(revisions().max()) else { return Ok(Vec::new()) };
        self.inner.store.vhosts_naming(&names.into_iter().collect::<Vec<_>>(), from, to).await
    }
}

fn kind(row: &AuditRecord) -> Option<Kind> {
    [Kind::Vhost, Kind::Policy, Kind::IpList].into_iter().find(|kind| kind.as_str() == row.kind)
}

fn read(json: &RawValue) -> Option<Vhost> {
    serde_json::from_str(json.get()).ok()
}

/// What a row is about that vhosts share, and the states by which is said whose it was.
struct Shared {
    kind: Kind,
    name: Name,
    revisions: Vec<Revision>,
}

impl Shared {
    fn is_in(&self, head: &Snapshot) -> bool {
        match self.kind {
            Kind::Vhost => false,
            Kind::Policy => head.policies.contains_key(&self.name),
            Kind::IpList => head.ip_lists.contains_key(&self.name),
        }
    }

    fn shown(&self, seen: &Seen<'_>) -> bool {
        match self.kind {
            Kind::Vhost => false,
            Kind::Policy => seen.policy(&self.name),
            Kind::IpList => seen.list(&self.name),
        }
    }
}

fn shared(row: &AuditRecord) -> Option<Shared> {
    let kind = kind(row).filter(|kind| *kind != Kind::Vhost)?;
    let (name, revision) = (Name::parse(&row.name).ok()?, row.revision?);
    let revisions = match row.action.as_str() {
        "create" => vec![revision],
        "delete" => vec![revision - 1],
        _ => vec![revision - 1, revision],
    };
    Some(Shared { kind, name, revisions })
}
