//! Use cases: authorize, validate, write, audit; and the state that answers reads. The API and the reconciler call nothing below this.
//!
//! The life of a write: [`Service::write`] authorizes, parses ([`parse`]), makes it on the head to see what it comes to ([`apply`] for one
//! operation, [`merge`] for what is staged, [`whole`] for both) and has the engines judge it ([`judge`]), all in the caller's task; then it
//! queues it for the one [`writer`], which makes it again on the newest state, commits it with what else piled up, shows the new head, and
//! answers.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;
use tokio::sync::{broadcast, watch};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::domain::deployment::Deployment;
use crate::domain::{Entry, Finding, Kind, Name, Network, Principal, Revision, Snapshot};

mod apply;
mod approval;
mod audit;
mod audit_sight;
mod authorize;
mod batch;
mod change_sets;
mod desired;
mod engines;
mod entries;
mod judge;
mod keyed;
mod live;
mod merge;
mod mode_override;
mod needs;
mod object;
mod observe;
mod parse;
mod people;
mod plan;
mod read;
mod rollback;
mod rows;
mod sight;
mod start;
mod stream;
mod take_back;
#[cfg(test)]
mod tests;
mod tokens;
mod traffic;
mod veil;
mod view;
mod whole;
mod write;
mod writer;

pub use crate::store::{AuditFilter, AuditRecord, RevisionFilter};
pub use approval::Seen;
pub use audit::{MOST_VERIFIED, Stranger};
pub use batch::Batched;
pub use change_sets::CommittedSet;
pub use desired::Desired;
pub use engines::Engines;
pub use entries::MOST as MOST_ENTRIES;
pub use object::Spec;
pub use parse::{merge, resource, typed};
pub use people::{KeyState, Resealed, SealingKey, reseal_here, sealing_keys};
pub use people::{
    Link, Me, NewUser, PeopleOptions, SignIn, SignedIn, SsoFault, SsoOptions, TotpBegun, TotpConfirmed, UserPatch, Visitor, admin_link,
};
pub use rollback::RolledBack;
use start::{Inner, Shared};
pub use take_back::Blame;

/// Who asks, and by which request: goes into audit rows.
#[derive(Clone, Debug)]
pub struct Caller {
    pub principal: Principal,
    pub request_id: String,
    /// The peer's address, where there is one.
    pub address: Option<std::net::IpAddr>,
}

/// What a write expects of the object it changes (RFC 9110 13.1), or of nothing but its change set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precondition {
    /// No If-Match, no If-None-Match: may create, may not change (428).
    None,
    /// `If-None-Match: *`: may only create.
    Absent,
    /// `If-Match: "<revision>"`.
    Revision(Revision),
    /// `If-Match: *`: whatever is there, but something must be.
    Any,
    /// In a change set: its base is the precondition.
    Base,
}

/// The keyed arrays whose elements are resources of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keyed {
    /// `/policies/{p}/exclusions/{id}`
    Exclusions,
    /// `/policies/{p}/custom-rules/{id}`
    CustomRules,
    /// `/vhosts/{v}/upstream/servers/{name}`
    Servers,
    Paths,
}

/// One write. JSON values are whole resources or merge patches as the caller sent them, `meta` taken off; parsing them into the
/// typed resource, and pointing at what is wrong, happens in one place, here, so that PUT, PATCH and later change sets agree.
#[derive(Clone, Debug)]
pub enum Operation {
    Put {
        kind: Kind,
        name: Name,
        value: serde_json::Value,
    },
    /// RFC 7396.
    Patch {
        kind: Kind,
        name: Name,
        patch: serde_json::Value,
    },
    Delete {
        kind: Kind,
        name: Name,
    },
    PutElement {
        keyed: Keyed,
        owner: Name,
        key: String,
        value: serde_json::Value,
    },
    PatchElement {
        keyed: Keyed,
        owner: Name,
        key: String,
        patch: serde_json::Value,
    },
    DeleteElement {
        keyed: Keyed,
        owner: Name,
        key: String,
    },
    /// Idempotent; wants no precondition. Adding what is there replaces comment and expiry.
    BatchEntries {
        list: Name,
        add: Vec<Entry>,
        remove: Vec<Network>,
    },
    ReplaceEntries {
        list: Name,
        entries: Vec<Entry>,
    },
}

impl Operation {
    /// The object that it writes.
    pub fn target(&self) -> (Kind, &Name) {
        match self {
            Self::Put { kind, name, .. } | Self::Patch { kind, name, .. } | Self::Delete { kind, name } => (*kind, name),
            Self::PutElement { keyed, owner, .. } | Self::PatchElement { keyed, owner, .. } | Self::DeleteElement { keyed, owner, .. } => {
                (keyed.owner(), owner)
            }
            Self::BatchEntries { list, .. } | Self::ReplaceEntries { list, .. } => (Kind::IpList, list),
        }
    }
}

/// What a write did.
#[derive(Clone, Debug)]
pub struct Written {
    /// The revision made, or the newest that last changed the object when nothing changed.
    pub revision: Revision,
    /// False where the write changed nothing: no revision was made.
    pub changed: bool,
    pub created: bool,
    /// The answer's representation is read from it: it has the object as this write left it. It is the head that was shown with this
    /// write, or, where another write committed with it changed the object again, it has nothing but the object.
    pub snapshot: Arc<Snapshot>,
    /// Warnings of validation, among them `not_validated`.
    pub findings: Vec<Finding>,
}

/// How waiting for a revision to be live ended.
#[derive(Clone, Debug)]
pub enum Waited {
    Live {
        live_revision: Revision,
    },
    /// Becomes `Error::RevisionRefused`.
    Refused {
        deployment: Box<Deployment>,
    },
    /// Not yet: the deployment to look at, if one exists already.
    NotYet {
        deployment: Option<Uuid>,
    },
}

/// One thing that moved, for `/api/v1/stream`.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct StreamEvent {
    /// Increases by one with each event of this process; those of a process that started later are higher.
    pub id: u64,
    /// `revisions`, `deployments`, `status`, `proofs`, `change_sets` or `approvals`.
    pub topic: String,
    /// The resource as its own endpoint would answer it.
    pub data: serde_json::Value,
    /// The identity of the one principal whom it is for; everybody where there is none.
    #[serde(skip)]
    #[schema(ignore)]
    pub owner: Option<String>,
}

/// What is live: kept by the reconciler, read by `status`, `wait` and the answers' headers.
#[derive(Clone, Debug, Default)]
pub struct LiveState {
    pub head: Revision,
    /// The newest revision that is live and proven; 0 before the first.
    pub live: Revision,
    /// The deployment under way or the last one.
    pub deployment: Option<Deployment>,
    /// Refused revisions since the last live one: revision -> deployment.
    pub refused: BTreeMap<Revision, Arc<Deployment>>,
    /// Revisions whose content was taken back, and the deployment that refused it; the newest 1,000.
    pub taken_back: BTreeMap<Revision, Arc<Deployment>>,
    /// Vhosts whose last probe saw something else than expected.
    pub unproven: Vec<Name>,
}

/// A page of something the database lists, newest first.
#[derive(Clone, Debug)]
pub struct Page<T> {
    pub items: Vec<T>,
    /// Pass to get the next page; None at the end.
    pub next: Option<String>,
}

/// See the module. Cheap to clone.
#[derive(Clone)]
pub struct Service {
    inner: Arc<Inner>,
}

impl Service {
    /// The newest committed state. Reads are answered from it; a process sees its own writes at once.
    pub fn head(&self) -> Arc<Snapshot> {
        self.inner.shared.newest.load_full()
    }

    /// Changes whenever a revision is committed.
    pub fn watch_head(&self) -> watch::Receiver<Arc<Snapshot>> {
        self.inner.shared.head.subscribe()
    }

    pub fn watch_live(&self) -> watch::Receiver<Arc<LiveState>> {
        self.inner.shared.live.subscribe()
    }

    /// Events after `last_id` that are still remembered (1,024), then those to come.
    pub fn subscribe(&self, last_id: Option<u64>) -> (Vec<StreamEvent>, broadcast::Receiver<StreamEvent>) {
        self.inner.shared.stream.subscribe(last_id)
    }
}
