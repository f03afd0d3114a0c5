//! What elements of keyed arrays have in common: each is a resource of its own, with its own ETag.

use std::sync::Arc;

use axum::response::{IntoResponse, Response};
use http::header::ETAG;
use http::{HeaderMap, StatusCode};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::crud::tagged;
use crate::api::etag;
use crate::api::extract::Reader;
use crate::api::problem::Problem;
use crate::api::representation::{Resource, json};
use crate::api::state::ApiState;
use crate::api::write::{self, Committed, Write};
use crate::domain::rule::{CustomRule, Exclusion};
use crate::domain::{Error, Finding, Name, Policy, Revision, Server, Versioned, Vhost, VhostPath};
use crate::service::{Keyed, Operation};

/// An element of a keyed array.
pub trait Element: Serialize + ToSchema + 'static {
    const KEYED: Keyed;
    /// For problems.
    const WHAT: &'static str;
    /// In [`Versioned::elements`].
    const ARRAY: &'static str;
    /// In paths, behind the owner's.
    const COLLECTION: &'static str;
    const REPRESENTATION: &'static str;
    type Owner: Resource<Held = Versioned<Self::Owner>>;

    fn array(owner: &Self::Owner) -> &[Self]
    where
        Self: Sized;
    fn key(&self) -> String;
}

impl Element for Exclusion {
    const KEYED: Keyed = Keyed::Exclusions;
    const WHAT: &'static str = "exclusion";
    const ARRAY: &'static str = "exclusions";
    const COLLECTION: &'static str = "exclusions";
    const REPRESENTATION: &'static str = "ExclusionRepresentation";
    type Owner = Policy;
    fn array(owner: &Policy) -> &[Self] {
        &owner.exclusions
    }
    fn key(&self) -> String {
        self.id.as_ref().map(ToString::to_string).unwrap_or_default()
    }
}

impl Element for CustomRule {
    const KEYED: Keyed = Keyed::CustomRules;
    const WHAT: &'static str = "custom rule";
    const ARRAY: &'static str = "custom_rules";
    const COLLECTION: &'static str = "custom-rules";
    const REPRESENTATION: &'static str = "CustomRuleRepresentation";
    type Owner = Policy;
    fn array(owner: &Policy) -> &[Self] {
        &owner.custom_rules
    }
    fn key(&self) -> String {
        self.id.map(|id| id.to_string()).unwrap_or_default()
    }
}

impl Element for Server {
    const KEYED: Keyed = Keyed::Servers;
    const WHAT: &'static str = "server";
    const ARRAY: &'static str = "servers";
    const COLLECTION: &'static str = "upstream/servers";
    const REPRESENTATION: &'static str = "ServerRepresentation";
    type Owner = Vhost;
    fn array(owner: &Vhost) -> &[Self] {
        &owner.upstream.servers
    }
    fn key(&self) -> String {
        self.name.as_ref().map(ToString::to_string).unwrap_or_default()
    }
}

impl Element for VhostPath {
    const KEYED: Keyed = Keyed::Paths;
    const WHAT: &'static str = "path";
    const ARRAY: &'static str = "paths";
    const COLLECTION: &'static str = "paths";
    const REPRESENTATION: &'static str = "VhostPathRepresentation";
    type Owner = Vhost;
    fn array(owner: &Vhost) -> &[Self] {
        &owner.paths
    }
    fn key(&self) -> String {
        self.prefix.to_string()
    }
}

/// What we know of an element; read-only: accepted and ignored on write.
#[derive(Serialize, ToSchema)]
pub struct ElementMeta {
    /// As the `ETag` header has it: send it as `If-Match`.
    #[schema(example = "\"12\"")]
    etag: String,
    /// The revision that last changed it.
    revision: Revision,
    /// Only in the answer of a write: what validation noticed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    findings: Vec<Finding>,
}

#[derive(Serialize)]
struct View<'a, E> {
    #[serde(flatten)]
    spec: &'a E,
    meta: ElementMeta,
}

/// All elements, in their order: their number is bounded, so there are no pages.
#[derive(Serialize, ToSchema)]
pub struct Elements<T> {
    items: Vec<T>,
    total: usize,
}

/// The revision that last changed an element; that of its owner, where nothing finer is known.
fn revision<E: Element>(owner: &Versioned<E::Owner>, key: &str) -> Revision {
    owner.elements.get(&format!("{}/{key}", E::ARRAY)).copied().unwrap_or(owner.revision)
}

fn find<'a, E: Element>(owner: &'a Versioned<E::Owner>, key: &str) -> Option<(&'a E, Revision)> {
    let element = E::array(&owner.spec).iter().find(|element| element.key() == key)?;
    Some((element, revision::<E>(owner, key)))
}

fn view<E: Element>(spec: &E, revision: Revision, findings: Vec<Finding>) -> View<'_, E> {
    View { spec, meta: ElementMeta { etag: etag::text(revision), revision, findings } }
}

pub fn list<E: Element>(state: &ApiState, reader: &Reader, owner: &str) -> Result<Response, Problem> {
    let owner = E::Owner::read(&state.service, &reader.asker, &reader.snapshot, owner)?;
    let items: Vec<_> = E::array(&owner.spec).iter().map(|spec| view(spec, revision::<E>(&owner, &spec.key()), Vec::new())).collect();
    let total = items.len();
    json(StatusCode::OK, &Elements { items, total })
}

pub fn get<E: Element>(state: &ApiState, reader: &Reader, headers: &HeaderMap, owner: &str, key: &str) -> Result<Response, Problem> {
    let held = E::Owner::read(&state.service, &reader.asker, &reader.snapshot, owner)?;
    let missing = || Error::NotFound { kind: E::WHAT, name: key.to_owned() };
    let (spec, revision) = find::<E>(&held, key).ok_or_else(missing)?;
    if etag::not_modified(headers, revision)? {
        return Ok((StatusCode::NOT_MODIFIED, [(ETAG, etag::header(revision))]).into_response());
    }
    tagged(json(StatusCode::OK, &view(spec, revision, Vec::new())), revision)
}

pub async fn put<E: Element>(state: &ApiState, write: &Write, owner: &str, key: String, value: Value) -> Result<Response, Problem> {
    let name = owner_name(owner)?;
    let operation = Operation::PutElement { keyed: E::KEYED, owner: name.clone(), key: key.clone(), value };
    let committed = commit::<E>(state, write, &name, &key, operation).await?;
    // Of all that keys may have, only this is no part of a segment.
    let segment = key.replace('/', "%2F");
    let location = format!("/api/v1/{}/{name}/{}/{segment}", E::Owner::COLLECTION, E::COLLECTION);
    answer::<E>(&committed, &name, &key, committed.status_of_put(), Some(&location))
}

pub async fn patch<E: Element>(state: &ApiState, write: &Write, owner: &str, key: String, patch: Value) -> Result<Response, Problem> {
    let name = owner_name(owner)?;
    let operation = Operation::PatchElement { keyed: E::KEYED, owner: name.clone(), key: key.clone(), patch };
    let committed = commit::<E>(state, write, &name, &key, operation).await?;
    answer::<E>(&committed, &name, &key, committed.status(StatusCode::OK), None)
}

pub async fn delete<E: Element>(state: &ApiState, write: &Write, owner: &str, key: String) -> Result<Response, Problem> {
    let name = owner_name(owner)?;
    let operation = Operation::DeleteElement { keyed: E::KEYED, owner: name.clone(), key: key.clone() };
    let committed = commit::<E>(state, write, &name, &key, operation).await?;
    Ok(committed.finish(committed.status(StatusCode::NO_CONTENT).into_response(), None))
}

/// An owner whose name cannot be is not there: elements do not make owners.
fn owner_name(owner: &str) -> Result<Name, Problem> {
    Name::parse(owner).map_err(|_| Problem::not_found())
}

async fn commit<E: Element>(state: &ApiState, write: &Write, owner: &Name, key: &str, operation: Operation) -> Result<Committed, Problem> {
    let held = || -> Option<Arc<Versioned<E::Owner>>> { E::Owner::all(&write.snapshot(state)).get(owner).cloned() };
    let precondition = write.precondition(|| Some(find::<E>(held()?.as_ref(), key)?.1))?;
    let current = || {
        let held = held()?;
        let (spec, revision) = find::<E>(&held, key)?;
        write::current(revision, &view(spec, revision, Vec::new()))
    };
    write.commit(state, operation, precondition, current).await
}

fn answer<E: Element>(
    committed: &Committed,
    owner: &Name,
    key: &str,
    status: StatusCode,
    location: Option<&str>,
) -> Result<Response, Problem> {
    let held = E::Owner::all(&committed.written.snapshot).get(owner).ok_or_else(write::vanished)?;
    let (spec, revision) = find::<E>(held, key).ok_or_else(write::vanished)?;
    let body = view(spec, revision, committed.written.findings.clone());
    Ok(committed.finish(tagged(json(status, &body), revision)?, location))
}
