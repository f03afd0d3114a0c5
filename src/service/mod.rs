//! Use cases: authorize, validate, write, audit; and the state that answers reads. The API and the reconciler call nothing below this.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use time::OffsetDateTime;
use tokio::sync::watch;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::domain::deployment::{Deployment, DeploymentState, Step};
use crate::domain::error::Result;
use crate::domain::proof::Proof;
use crate::domain::revision::RevisionInfo;
use crate::domain::snapshot::ListState;
use crate::domain::{Action, Entry, Finding, IpList, Kind, Name, Network, Policy, Principal, Revision, Snapshot, Versioned, Vhost};

/// Who asks, and by which request: goes into audit rows.
#[derive(Clone, Debug)]
pub struct Caller {
    pub principal: Principal,
    pub request_id: String,
    /// The peer's address, where there is one.
    pub address: Option<std::net::IpAddr>,
}

/// What a write expects of the object it changes (RFC 9110 13.1).
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

/// What a write did.
#[derive(Clone, Debug)]
pub struct Written {
    /// The revision made, or the newest that last changed the object when nothing changed.
    pub revision: Revision,
    /// False where the write changed nothing: no revision was made.
    pub changed: bool,
    pub created: bool,
    /// The snapshot right after this write: the answer's representation is read from it.
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
    /// Increases by one with each event of this process.
    pub id: u64,
    /// `revisions`, `deployments`, `status` or `proofs`.
    pub topic: String,
    /// The resource as its own endpoint would answer it.
    pub data: serde_json::Value,
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
    #[expect(dead_code, reason = "a stub")]
    inner: Arc<Inner>,
}

struct Inner {}

#[expect(unused_variables, reason = "a stub")]
impl Service {
    /// The newest committed state. Reads are answered from it; a process sees its own writes at once.
    pub fn head(&self) -> Arc<Snapshot> {
        todo!()
    }

    /// Changes whenever a revision is committed.
    pub fn watch_head(&self) -> watch::Receiver<Arc<Snapshot>> {
        todo!()
    }

    pub fn watch_live(&self) -> watch::Receiver<Arc<LiveState>> {
        todo!()
    }

    /// Who a bearer token is; `Error::Unauthenticated` for none, unknown, expired.
    pub async fn authenticate(&self, bearer: &str) -> Result<Principal> {
        todo!()
    }

    /// The one place that decides. Today every token may do everything.
    pub fn authorize(&self, principal: &Principal, action: Action, kind: &'static str, name: Option<&Name>) -> Result<()> {
        todo!()
    }

    pub fn vhost(&self, caller: &Caller, name: &str) -> Result<Arc<Versioned<Vhost>>> {
        todo!()
    }
    pub fn policy(&self, caller: &Caller, name: &str) -> Result<Arc<Versioned<Policy>>> {
        todo!()
    }
    pub fn ip_list(&self, caller: &Caller, name: &str) -> Result<Arc<ListState>> {
        todo!()
    }

    /// Validates, lets the engines judge what it touches, commits as one revision with its audit row. `message` is the revision's.
    pub async fn write(&self, caller: &Caller, operation: Operation, precondition: Precondition, message: &str) -> Result<Written> {
        todo!()
    }

    /// Follows `revision` until it is live or refused, or the time is over (1 to 120 s).
    pub async fn wait_live(&self, revision: Revision, timeout: Duration) -> Waited {
        todo!()
    }

    /// `before`: only older ones; `limit` 1 to 500.
    pub async fn revisions(&self, caller: &Caller, before: Option<Revision>, limit: usize) -> Result<Vec<RevisionInfo>> {
        todo!()
    }
    pub async fn revision(&self, caller: &Caller, number: Revision) -> Result<RevisionInfo> {
        todo!()
    }
    /// The state at a revision, by query.
    pub async fn snapshot_at(&self, caller: &Caller, number: Revision) -> Result<Arc<Snapshot>> {
        todo!()
    }
    /// The files that a node would get for a revision, rendered anew: path -> text.
    pub async fn files_at(&self, caller: &Caller, number: Revision) -> Result<BTreeMap<String, String>> {
        todo!()
    }

    /// Newest first; `before` is the id of the last one of the page before.
    pub async fn deployments(
        &self,
        caller: &Caller,
        before: Option<Uuid>,
        state: &[DeploymentState],
        limit: usize,
    ) -> Result<Vec<Deployment>> {
        todo!()
    }
    pub async fn deployment(&self, caller: &Caller, id: Uuid) -> Result<Deployment> {
        todo!()
    }
    pub fn proof(&self, caller: &Caller, vhost: &Name) -> Result<Option<Arc<Proof>>> {
        todo!()
    }

    /// Events after `last_id` that are still remembered (1,024), then those to come.
    pub fn subscribe(&self, last_id: Option<u64>) -> (Vec<StreamEvent>, tokio::sync::broadcast::Receiver<StreamEvent>) {
        todo!()
    }

    /// What the engines said of themselves when last asked; kept by the reconciler.
    pub fn engine_status(&self) -> Arc<crate::dataplane::EngineStatus> {
        todo!()
    }

    /// Whether the database answers and its migrations are as expected. For `/ready`.
    pub async fn database_ready(&self) -> Result<()> {
        todo!()
    }

    // For the reconciler.

    /// A new deployment of `revision`, pending; older pending ones become superseded.
    pub async fn open_deployment(&self, revision: Revision) -> Result<Deployment> {
        todo!()
    }
    /// Stores state, lanes, said, errors, attempts, digest, made_with, ended_at as they are in `deployment`, publishes it on the stream and in
    /// `LiveState` (live revision, refused).
    pub async fn save_deployment(&self, deployment: &Deployment) -> Result<()> {
        todo!()
    }
    pub async fn save_step(&self, deployment: Uuid, seq: i32, step: &Step) -> Result<()> {
        todo!()
    }
    pub async fn save_proofs(&self, proofs: Vec<Proof>) -> Result<()> {
        todo!()
    }
    /// The deployment that had not ended when the last process stopped, if any, and the last live one.
    pub async fn last_deployments(&self) -> Result<(Option<Deployment>, Option<Deployment>)> {
        todo!()
    }
    pub fn set_engine_status(&self, status: crate::dataplane::EngineStatus) {
        todo!()
    }
    pub fn now(&self) -> OffsetDateTime {
        todo!()
    }
}
