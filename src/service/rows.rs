//! Changes -> rows of one transaction. An object may change several times in a batch: each revision has its own version, and only those
//! from before the batch are closed by an update.

use std::collections::HashMap;

use ipnet::IpNet;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use time::OffsetDateTime;
use uuid::Uuid;

use super::apply::Change;
use super::object::{Facts, Object};
use super::writer::About;
use super::{Caller, entries};
use crate::domain::audit::{self, AuditRow};
use crate::domain::diff::ChangeCounts;
use crate::domain::revision::{ChangeType, ObjectChange, Origin, RevisionInfo};
use crate::domain::{Kind, Revision};
use crate::store::{self, Batch, CloseList, EntryRow, NewObject, NewRevision, VersionRow};

/// Networks that an audit row names; the rest is counted.
const AUDITED: usize = 1000;

/// A batch in the making.
pub struct Rows {
    pub batch: Batch,
    /// Of the newest revision in it, or of the one before it.
    pub digest: String,
    objects: HashMap<Uuid, usize>,
    versions: HashMap<Uuid, usize>,
    entries: HashMap<(Uuid, IpNet), usize>,
}

impl Rows {
    pub fn new(digest: String) -> Self {
        Self { batch: Batch::default(), digest, objects: HashMap::new(), versions: HashMap::new(), entries: HashMap::new() }
    }

    /// Changes of one revision, each of another object.
    pub fn add(&mut self, changes: &[Change], revision: Revision, at: OffsetDateTime, caller: &Caller, about: &About) {
        let by = By::new(caller, about);
        let mut hash = Chained::new(&self.digest);
        hash.add(&revision.to_string());
        hash.add(&(at.unix_timestamp_nanos() / 1000).to_string());
        hash.add(&by.author);
        hash.add(&about.message);
        let mut counts = ChangeCounts::default();
        for change in changes {
            let facts = change.after.as_ref().or(change.before.as_ref()).expect("a change has one of them").facts();
            let after = change.after.as_ref().map(Object::json);
            hash.change(change, &facts, after.as_deref());
            self.object(change, revision, at, facts.id, facts.number);
            self.audit(change, revision, at, &by, facts.id, after.as_ref());
            self.version(&facts, revision, at, after);
            self.entry(change, facts.id, revision);
            counts.add(change.change);
        }
        self.digest = hash.finish();
        self.audit_origin(revision, at, &By::new(caller, &About::default()), &about.origin);
        let told = |change: &Change| ObjectChange { kind: change.kind, name: change.name.clone(), change: change.change };
        self.batch.revisions.push(NewRevision {
            info: RevisionInfo {
                number: revision,
                created_at: at,
                author: by.author.clone(),
                message: about.message.clone(),
                digest: self.digest.clone(),
                origin: about.origin.clone(),
                counts,
                changes: changes.iter().map(told).collect(),
            },
        });
        if let Some(id) = about.change_set {
            self.batch.committed.push((id, revision, at));
        }
        self.batch.refused.extend(about.refused.iter().cloned());
    }

    fn audit(&mut self, change: &Change, revision: Revision, at: OffsetDateTime, by: &By<'_>, object_id: Uuid, after: Option<&String>) {
        // Two times 200,000 entries would drown the log: what changed is told, not what is.
        let (before, after) = if change.opened.is_empty() && change.closed.is_empty() {
            (change.before.as_ref().map(Object::json), after.cloned())
        } else {
            let named = |networks: Vec<String>, count: usize| json!({"count": count, "networks": networks}).to_string();
            let closed = change.closed.iter().take(AUDITED).map(ToString::to_string).collect();
            let opened = change.opened.iter().take(AUDITED).map(|entry| entry.network.to_string()).collect();
            (Some(named(closed, change.closed.len())), Some(named(opened, change.opened.len())))
        };
        self.batch.audit.push(AuditRow {
            at: entries::micros(at),
            author: by.author.clone(),
            principal_id: by.id,
            action: match change.change {
                ChangeType::Created => "create",
                ChangeType::Updated => "update",
                ChangeType::Deleted => "delete",
            }
            .to_owned(),
            kind: change.kind.as_str().to_owned(),
            name: change.name.to_string(),
            object_id: Some(object_id),
            revision: Some(revision),
            request_id: store::text(by.request_id, 200),
            address: by.address.map(audit::address),
            before,
            after,
        });
    }

    /// What a revision of several objects came of.
    fn audit_origin(&mut self, revision: Revision, at: OffsetDateTime, by: &By<'_>, origin: &Origin) {
        let (action, kind, name) = match origin {
            Origin::Write => return,
            Origin::ChangeSet { id, .. } => ("change_set.committed", "change_set", id.to_string()),
            Origin::Rollback { revision, .. } => ("rollback", "revision", revision.to_string()),
            Origin::TakeBack { .. } => ("take_back", "revision", revision.to_string()),
        };
        self.batch.audit.push(AuditRow {
            at: entries::micros(at),
            author: by.author.clone(),
            principal_id: by.id,
            action: action.to_owned(),
            kind: kind.to_owned(),
            name,
            object_id: None,
            revision: Some(revision),
            request_id: store::text(by.request_id, 200),
            address: by.address.map(audit::address),
            before: None,
            after: serde_json::to_string(origin).ok(),
        });
    }

    fn object(&mut self, change: &Change, revision: Revision, at: OffsetDateTime, id: Uuid, number: u32) {
        match change.change {
            ChangeType::Created => {
                self.objects.insert(id, self.batch.objects.len());
                self.batch.objects.push(NewObject {
                    id,
                    kind: change.kind,
                    name: change.name.clone(),
                    number,
                    created_at: at,
                    created_revision: revision,
                    deleted_revision: None,
                });
            }
            ChangeType::Updated => {}
            ChangeType::Deleted => match self.objects.get(&id) {
                Some(index) => self.batch.objects[*index].deleted_revision = Some(revision),
                None => self.batch.deleted.push((id, revision)),
            },
        }
        if change.change == ChangeType::Deleted && change.kind == Kind::IpList {
            for ((list, _), index) in &self.entries {
                if *list == id {
                    self.batch.entries[*index].to.get_or_insert(revision);
                }
            }
            self.entries.retain(|(list, _), _| *list != id);
            self.batch.closed_lists.push(CloseList { list_id: id, at: revision });
        }
    }

    fn version(&mut self, facts: &Facts, revision: Revision, at: OffsetDateTime, spec: Option<String>) {
        match self.versions.remove(&facts.id) {
            Some(index) => self.batch.versions[index].to = Some(revision),
            // One that was created in this batch has an open version in it.
            None if !self.objects.contains_key(&facts.id) => self.batch.closed.push((facts.id, revision)),
            None => {}
        }
        if let Some(spec) = spec {
            self.versions.insert(facts.id, self.batch.versions.len());
            self.batch.versions.push(VersionRow {
                object_id: facts.id,
                from: revision,
                to: None,
                written_at: at,
                spec,
                elements: serde_json::to_string(&*facts.elements).expect("revisions are plain data"),
            });
        }
    }

    fn entry(&mut self, change: &Change, list_id: Uuid, revision: Revision) {
        for network in &change.closed {
            let network = network.net();
            match self.entries.remove(&(list_id, network)) {
                Some(index) => self.batch.entries[index].to = Some(revision),
                None => self.batch.closed_entries.push((list_id, network, revision)),
            }
        }
        for entry in &change.opened {
            let network = entry.network.net();
            self.entries.insert((list_id, network), self.batch.entries.len());
            self.batch.entries.push(EntryRow {
                list_id,
                network,
                from: revision,
                to: None,
                comment: entry.comment.to_string(),
                expires_at: entry.expires_at.map(entries::micros),
            });
        }
    }
}

/// Who wrote what becomes a revision, as its rows tell it.
struct By<'a> {
    author: String,
    id: Option<Uuid>,
    request_id: &'a str,
    /// None where it was written before, and is committed by somebody else: from where is in the rows of then.
    address: Option<std::net::IpAddr>,
}

impl<'a> By<'a> {
    fn new(caller: &'a Caller, about: &About) -> Self {
        let request_id = &caller.request_id;
        match &about.on_behalf {
            Some(writer) => Self { author: writer.author.clone(), id: writer.id, request_id, address: None },
            None => Self { author: author(caller), id: caller.principal.id(), request_id, address: caller.address },
        }
    }
}

/// A digest over the one before it and parts, each with its length before it: no two lists of parts read the same.
struct Chained(Sha256);

impl Chained {
    fn new(before: &str) -> Self {
        let mut hash = Self(Sha256::new());
        hash.add(before);
        hash
    }

    fn add(&mut self, part: &str) {
        self.0.update((part.len() as u64).to_be_bytes());
        self.0.update(part.as_bytes());
    }

    fn change(&mut self, change: &Change, facts: &Facts, spec: Option<&str>) {
        self.add(change.kind.as_str());
        self.add(&change.name);
        self.add(&facts.id.to_string());
        self.add(&facts.number.to_string());
        self.add(spec.unwrap_or(""));
        for network in &change.closed {
            self.add(&format!("-{network}"));
        }
        for entry in &change.opened {
            self.add(&serde_json::to_string(entry).expect("entries are plain data"));
        }
    }

    fn finish(self) -> String {
        crate::domain::digest::hex(&self.0.finalize())
    }
}

/// As the tables take it: what one caller is called must not fail those who write with them.
pub fn author(caller: &Caller) -> String {
    caller.principal.label().chars().filter(|c| !c.is_control()).take(200).collect()
}

/// For the stream: the revision as its list shows it.
pub fn event(info: &RevisionInfo) -> Value {
    serde_json::to_value(super::read::short(info.clone())).unwrap_or_default()
}
