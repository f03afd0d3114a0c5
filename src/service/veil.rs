//! What is about many sites at once (revisions, deployments, events), as a caller may know it: what is about a site that they do not see is left
//! out.

use super::object::{Object, pointed_into};
use super::{Caller, Service, StreamEvent};
use crate::domain::change_set::ChangeSet;
use crate::domain::deployment::Deployment;
use crate::domain::diff::ChangeCounts;
use crate::domain::proof::Proof;
use crate::domain::revision::RevisionInfo;
use crate::domain::{FieldError, Snapshot};

fn about(snapshot: &Snapshot, error: &FieldError) -> bool {
    pointed_into(&error.pointer).is_some_and(|((kind, name), _)| Object::find(snapshot, kind, &name).is_some())
}

impl Service {
    /// The changes of what the caller sees. Of a revision without any there is nothing but that it was made, and when.
    pub fn revision_for(&self, caller: &Caller, mut info: RevisionInfo) -> RevisionInfo {
        if self.sees_all(caller) {
            return info;
        }
        let seen = self.head_for(caller);
        info.changes.retain(|change| Object::find(&seen, change.kind, &change.name).is_some());
        info.counts = ChangeCounts::default();
        info.changes.iter().for_each(|change| info.counts.add(change.change));
        if info.changes.is_empty() {
            info.author = String::new();
            info.message = String::new();
        }
        info
    }

    /// A deployment brings what many wrote: engines' words are shown where they are about what the caller sees, and about nothing else.
    pub fn deployment_for(&self, caller: &Caller, mut deployment: Deployment) -> Deployment {
        if self.sees_all(caller) {
            return deployment;
        }
        let seen = self.head_for(caller);
        let all = deployment.errors.len();
        deployment.errors.retain(|error| about(&seen, error));
        if all == 0 || deployment.errors.len() < all {
            deployment.said = String::new();
        }
        for step in &mut deployment.steps {
            step.detail = String::new();
        }
        deployment
    }

    /// Why a change set of theirs was refused: a deployment brings what others wrote, too.
    pub fn change_set_for(&self, caller: &Caller, mut change_set: ChangeSet) -> ChangeSet {
        if let Some(refusal) = change_set.refusal.as_mut().filter(|_| !self.sees_all(caller)) {
            let seen = self.head_for(caller);
            let all = refusal.errors.len();
            refusal.errors.retain(|error| about(&seen, error));
            if all == 0 || refusal.errors.len() < all {
                refusal.said = String::new();
            }
        }
        if let Some(approval) = change_set.approval.as_mut().filter(|_| !self.sees_all(caller)) {
            let seen = self.head_for(caller);
            approval.vhosts.retain(|name| seen.vhosts.contains_key(name));
        }
        change_set
    }

    /// An event, if it is for the caller, and as much of it as is.
    pub fn event_for(&self, caller: &Caller, event: StreamEvent) -> Option<StreamEvent> {
        if event.topic == "approvals" && !self.reviews_all(caller) {
            return None;
        }
        if self.sees_all(caller) {
            return Some(event);
        }
        let data = match event.topic.as_str() {
            "revisions" => {
                let info = self.revision_for(caller, serde_json::from_value(event.data).ok()?);
                serde_json::to_value(info).ok()?
            }
            "deployments" => {
                let deployment = self.deployment_for(caller, serde_json::from_value(event.data).ok()?);
                serde_json::to_value(deployment).ok()?
            }
            "proofs" => {
                let proof: Proof = serde_json::from_value(event.data.clone()).ok()?;
                self.head_for(caller).vhosts.contains_key(&proof.vhost).then_some(event.data)?
            }
            // Told to its owner alone.
            "change_sets" => {
                let change_set = self.change_set_for(caller, serde_json::from_value(event.data).ok()?);
                serde_json::to_value(change_set).ok()?
            }
            "status" => event.data,
            // A topic that nobody thought of here is for those who see everything.
            _ => return None,
        };
        Some(StreamEvent { data, ..event })
    }
}
