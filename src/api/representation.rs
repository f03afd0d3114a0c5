//! Resources as callers see them: what was configured, read-only additions, `meta`. Written straight from the snapshot's objects.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::marker::PhantomData;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, HeaderValue};
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::etag;
use super::problem::Problem;
use super::state::ApiState;
use crate::domain::digest::hex;
use crate::domain::snapshot::ListState;
use crate::domain::{Entry, Error, Finding, IpList, Kind, Name, Network, Policy, Revision, Snapshot, Subject, Versioned, Vhost};
use crate::service::{Caller, Service};

/// What we know of a resource; read-only: accepted and ignored on write.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Meta {
    /// As the `ETag` header has it: send it as `If-Match`.
    #[schema(example = "\"12\"")]
    pub etag: String,
    /// The revision that last changed it.
    pub revision: Revision,
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    pub updated_at: OffsetDateTime,
    /// Only in the answer of a write: what validation noticed, among them `not_validated` where an engine was away.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<Finding>,
}

impl Meta {
    pub fn new<T>(versioned: &Versioned<T>, findings: Vec<Finding>) -> Self {
        let Versioned { revision, created_at, updated_at, .. } = versioned;
        Self { etag: etag::text(*revision), revision: *revision, created_at: *created_at, updated_at: *updated_at, findings }
    }
}

/// One of the three kinds of configured objects.
pub trait Resource: Serialize + ToSchema + Send + Sync + Sized + 'static {
    const KIND: Kind;
    /// In paths.
    const COLLECTION: &'static str;
    /// The name of the representation's schema.
    const REPRESENTATION: &'static str;
    /// How the snapshot holds it.
    type Held: Send + Sync + 'static;
    /// Read-only members beside `meta`.
    type Extra: Serialize + ToSchema;

    fn all(snapshot: &Snapshot) -> &BTreeMap<Name, Arc<Self::Held>>;
    /// Authorizes, too; of a snapshot as the caller sees it.
    fn read(service: &Service, caller: &Caller, snapshot: &Snapshot, name: &str, part: Subject) -> Result<Arc<Self::Held>, Error>;
    fn versioned(held: &Self::Held) -> &Versioned<Self>;
    fn extra(state: &ApiState, held: &Self::Held) -> Self::Extra;
    /// Takes read-only members off what a caller wrote.
    fn strip(_: &mut serde_json::Value) {}
    /// Whether the lower-case `text` is in what `q` searches.
    fn matches(&self, text: &str) -> bool;
}

/// No members.
#[derive(Serialize, ToSchema)]
pub struct NoExtra {}

impl Resource for Vhost {
    const KIND: Kind = Kind::Vhost;
    const COLLECTION: &'static str = "vhosts";
    const REPRESENTATION: &'static str = "VhostRepresentation";
    type Held = Versioned<Self>;
    type Extra = NoExtra;
    fn all(snapshot: &Snapshot) -> &BTreeMap<Name, Arc<Self::Held>> {
        &snapshot.vhosts
    }
    fn read(service: &Service, caller: &Caller, snapshot: &Snapshot, name: &str, part: Subject) -> Result<Arc<Self::Held>, Error> {
        service.vhost(caller, snapshot, name, part)
    }
    fn versioned(held: &Self::Held) -> &Versioned<Self> {
        held
    }
    fn extra(_: &ApiState, _: &Self::Held) -> NoExtra {
        NoExtra {}
    }
    fn matches(&self, text: &str) -> bool {
        self.name.contains(text) || title_contains(&self.title, text) || self.hostnames.iter().any(|hostname| hostname.contains(text))
    }
}

impl Resource for Policy {
    const KIND: Kind = Kind::Policy;
    const COLLECTION: &'static str = "policies";
    const REPRESENTATION: &'static str = "PolicyRepresentation";
    type Held = Versioned<Self>;
    type Extra = NoExtra;
    fn all(snapshot: &Snapshot) -> &BTreeMap<Name, Arc<Self::Held>> {
        &snapshot.policies
    }
    fn read(service: &Service, caller: &Caller, snapshot: &Snapshot, name: &str, part: Subject) -> Result<Arc<Self::Held>, Error> {
        service.policy(caller, snapshot, name, part)
    }
    fn versioned(held: &Self::Held) -> &Versioned<Self> {
        held
    }
    fn extra(_: &ApiState, _: &Self::Held) -> NoExtra {
        NoExtra {}
    }
    fn matches(&self, text: &str) -> bool {
        self.name.contains(text) || title_contains(&self.title, text)
    }
}

/// What an IP list's entries amount to; read-only: accepted and ignored on write.
#[derive(Serialize, ToSchema)]
pub struct IpListExtra {
    /// How many entries there are, expired ones too.
    pub entry_count: usize,
    /// SHA-256 in hex over the entries in the order of their networks, each `<network> TAB <expires_at or empty> TAB <comment> LF`.
    #[schema(value_type = String)]
    pub digest: Arc<str>,
}

impl Resource for IpList {
    const KIND: Kind = Kind::IpList;
    const COLLECTION: &'static str = "ip-lists";
    const REPRESENTATION: &'static str = "IpListRepresentation";
    type Held = ListState;
    type Extra = IpListExtra;
    fn all(snapshot: &Snapshot) -> &BTreeMap<Name, Arc<Self::Held>> {
        &snapshot.ip_lists
    }
    fn read(service: &Service, caller: &Caller, snapshot: &Snapshot, name: &str, part: Subject) -> Result<Arc<Self::Held>, Error> {
        service.ip_list(caller, snapshot, name, part)
    }
    fn versioned(held: &Self::Held) -> &Versioned<Self> {
        &held.list
    }
    fn extra(state: &ApiState, held: &Self::Held) -> IpListExtra {
        IpListExtra { entry_count: held.entries.len(), digest: state.digests.of(&held.list.spec.name, &held.entries) }
    }
    fn strip(value: &mut serde_json::Value) {
        if let serde_json::Value::Object(members) = value {
            members.remove("entry_count");
            members.remove("digest");
        }
    }
    fn matches(&self, text: &str) -> bool {
        self.name.contains(text) || title_contains(&self.title, text)
    }
}

fn title_contains(title: &str, text: &str) -> bool {
    !title.is_empty() && title.to_lowercase().contains(text)
}

/// A resource as it is answered.
#[derive(Serialize)]
pub struct Representation<'a, R: Resource> {
    #[serde(flatten)]
    spec: &'a R,
    #[serde(flatten)]
    extra: R::Extra,
    meta: Meta,
}

pub fn represent<'a, R: Resource>(state: &ApiState, held: &'a R::Held, findings: Vec<Finding>) -> Representation<'a, R> {
    let versioned = R::versioned(held);
    Representation { spec: &versioned.spec, extra: R::extra(state, held), meta: Meta::new(versioned, findings) }
}

/// The schema of [`Representation`]: like that of the resource, with every member always there.
pub struct Represented<R>(PhantomData<R>);

/// JSON with a status. Encoded before the head is written: a failure is a 500, not half an answer.
pub fn json<T: Serialize>(status: http::StatusCode, body: &T) -> Result<Response, Problem> {
    let mut bytes = Vec::with_capacity(1024);
    serde_json::to_writer(&mut bytes, body).map_err(|error| Problem::internal(error.to_string()))?;
    let mut response = (status, bytes).into_response();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(response)
}

type Entries = BTreeMap<Network, Entry>;

/// Digests of the entries of IP lists, kept as long as the entries are the same ones.
#[derive(Default)]
pub struct Digests(Mutex<HashMap<Name, Digested>>);

/// The entries, as long as anybody holds them, and their digest.
type Digested = (Weak<Entries>, Arc<str>);

impl Digests {
    fn of(&self, list: &Name, entries: &Arc<Entries>) -> Arc<str> {
        if let Some((held, digest)) = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(list)
            && held.upgrade().is_some_and(|held| Arc::ptr_eq(&held, entries))
        {
            return digest.clone();
        }
        let digest: Arc<str> = digest(entries).into();
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= 1024 {
            kept.retain(|_, (held, _)| held.strong_count() > 0);
        }
        kept.insert(list.clone(), (Arc::downgrade(entries), digest.clone()));
        digest
    }
}

fn digest(entries: &Entries) -> String {
    let mut hash = Sha256::new();
    let mut line = String::new();
    for entry in entries.values() {
        line.clear();
        let expires =
            entry.expires_at.and_then(|at| at.to_offset(time::UtcOffset::UTC).format(&time::format_description::well_known::Rfc3339).ok());
        // Writing into a string cannot fail.
        let _ = writeln!(line, "{}\t{}\t{}", entry.network, expires.unwrap_or_default(), entry.comment);
        hash.update(line.as_bytes());
    }
    hex(&hash.finalize())
}
