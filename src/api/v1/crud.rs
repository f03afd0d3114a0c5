//! What the three kinds of configured objects have in common: read, replace, patch, delete.

use std::sync::Arc;

use axum::response::{IntoResponse, Response};
use http::header::{ETAG, IF_NONE_MATCH};
use http::{HeaderMap, StatusCode};
use serde_json::Value;

use crate::api::etag;
use crate::api::extract::Reader;
use crate::api::problem::Problem;
use crate::api::representation::{Resource, json, represent};
use crate::api::state::ApiState;
use crate::api::write::{self, Committed, Write};
use crate::domain::{Name, Revision};
use crate::service::{Operation, Precondition};

pub async fn get<R: Resource>(state: &ApiState, reader: &Reader, headers: &HeaderMap, name: &str) -> Result<Response, Problem> {
    let part = R::KIND.into();
    let held = R::read(&state.service, &reader.asker, &*reader.snapshot(state, part).await?, name, part)?;
    let revision = R::versioned(&held).revision;
    if headers.contains_key(IF_NONE_MATCH) && etag::not_modified(headers, revision)? {
        return Ok((StatusCode::NOT_MODIFIED, [(ETAG, etag::header(revision))]).into_response());
    }
    tagged(json(StatusCode::OK, &represent::<R>(state, &held, Vec::new())), revision)
}

pub async fn put<R: Resource>(state: &ApiState, write: &Write, name: &str, mut value: Value) -> Result<Response, Problem> {
    let name = write::name(name)?;
    R::strip(&mut value);
    let operation = Operation::Put { kind: R::KIND, name: name.clone(), value };
    let committed = commit::<R>(state, write, &name, operation).await?;
    answer::<R>(state, &committed, &name, committed.status_of_put(), Some(path::<R>(&name)))
}

pub async fn patch<R: Resource>(state: &ApiState, write: &Write, name: &str, mut patch: Value) -> Result<Response, Problem> {
    let name = write::name(name)?;
    R::strip(&mut patch);
    let operation = Operation::Patch { kind: R::KIND, name: name.clone(), patch };
    let committed = commit::<R>(state, write, &name, operation).await?;
    answer::<R>(state, &committed, &name, committed.status(StatusCode::OK), None)
}

pub async fn delete<R: Resource>(state: &ApiState, write: &Write, name: &str) -> Result<Response, Problem> {
    let name = write::name(name)?;
    let committed = commit::<R>(state, write, &name, Operation::Delete { kind: R::KIND, name: name.clone() }).await?;
    Ok(committed.finish(committed.status(StatusCode::NO_CONTENT).into_response(), None))
}

/// Commits `operation` under the precondition of the request's headers.
pub async fn commit<R: Resource>(state: &ApiState, write: &Write, name: &Name, operation: Operation) -> Result<Committed, Problem> {
    let precondition = write.precondition(|| Some(R::versioned(held::<R>(state, write, name)?.as_ref()).revision))?;
    commit_if::<R>(state, write, name, operation, precondition).await
}

/// The same under a precondition of its own.
pub async fn commit_if<R: Resource>(
    state: &ApiState,
    write: &Write,
    name: &Name,
    operation: Operation,
    precondition: Precondition,
) -> Result<Committed, Problem> {
    let current = || {
        let held = held::<R>(state, write, name)?;
        write::current(R::versioned(&held).revision, &represent::<R>(state, &held, Vec::new()))
    };
    write.commit(state, operation, precondition, current).await
}

/// The object as the write left it.
pub fn answer<R: Resource>(
    state: &ApiState,
    committed: &Committed,
    name: &Name,
    status: StatusCode,
    location: Option<String>,
) -> Result<Response, Problem> {
    let held = R::all(&committed.written.snapshot).get(name).ok_or_else(write::vanished)?;
    let revision = R::versioned(held).revision;
    let body = represent::<R>(state, held, committed.written.findings.clone());
    let response = tagged(json(status, &body), revision)?;
    Ok(committed.finish(response, location.as_deref()))
}

fn held<R: Resource>(state: &ApiState, write: &Write, name: &Name) -> Option<Arc<R::Held>> {
    R::all(&write.snapshot(state, R::KIND.into())).get(name).cloned()
}

fn path<R: Resource>(name: &Name) -> String {
    format!("/api/v1/{}/{name}", R::COLLECTION)
}

pub fn tagged(response: Result<Response, Problem>, revision: Revision) -> Result<Response, Problem> {
    let mut response = response?;
    response.headers_mut().insert(ETAG, etag::header(revision));
    Ok(response)
}
