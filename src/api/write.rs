//! Writes: preconditions, the commit, waiting for it to be live, the answer's headers. Shared by all kinds and their elements.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::response::Response;
use http::header::{HeaderName, HeaderValue, LOCATION};
use http::request::Parts;
use http::{HeaderMap, StatusCode};
use serde_json::value::RawValue;
use uuid::Uuid;

use super::codes::Code;
use super::etag;
use super::extract::{Asker, Query, WriteParams, plain};
use super::problem::Problem;
use super::state::ApiState;
use crate::domain::deployment::Deployment;
use crate::domain::{Error, Revision, Snapshot, Subject};
use crate::service::{Caller, Operation, Precondition, Waited, Written};

pub const REVISION: HeaderName = HeaderName::from_static("guard-proxy-revision");
pub const CHANGE_SET: HeaderName = HeaderName::from_static("guard-proxy-change-set");
pub const LIVE_REVISION: HeaderName = HeaderName::from_static("guard-proxy-live-revision");

/// What every write comes with.
pub struct Write {
    pub asker: Asker,
    pub params: WriteParams,
    pub headers: HeaderMap,
    /// What the change set showed when the request came.
    staged: Option<Arc<Snapshot>>,
}

impl FromRequestParts<ApiState> for Write {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, state: &ApiState) -> Result<Self, Problem> {
        let asker = Asker::from_request_parts(parts, state).await?;
        let Query(params) = Query::<WriteParams>::from_request_parts(parts, state).await?;
        params.check()?;
        if parts.method != http::Method::DELETE {
            plain(&parts.headers)?;
        }
        let staged = match params.change_set {
            Some(id) => Some(state.service.snapshot_of_change_set(&asker, id, None).await?),
            None => None,
        };
        Ok(Self { asker, params, headers: parts.headers.clone(), staged })
    }
}

/// A representation as it is now, for those whose write came too late.
pub type Current = (Revision, Arc<RawValue>);

pub fn current<T: serde::Serialize>(revision: Revision, representation: &T) -> Option<Current> {
    Some((revision, serde_json::value::to_raw_value(representation).ok()?.into()))
}

/// A write that is committed, and how waiting went.
pub struct Committed {
    pub written: Written,
    /// Where it is staged, if it is not committed.
    change_set: Option<Uuid>,
    waited: Option<Waited>,
}

impl Write {
    /// The state that the write is about, as the caller sees it.
    pub fn snapshot(&self, state: &ApiState, part: Subject) -> Arc<Snapshot> {
        self.staged.clone().unwrap_or_else(|| state.service.seen(&self.asker, &state.service.head(), Some(part)))
    }

    pub fn precondition(&self, current: impl FnOnce() -> Option<Revision>) -> Result<Precondition, Problem> {
        etag::precondition(&self.headers, current)
    }

    /// Commits, and waits where asked to. In a task of its own: a caller who leaves cancels nothing.
    pub async fn commit(
        &self,
        state: &ApiState,
        operation: Operation,
        precondition: Precondition,
        current: impl FnOnce() -> Option<Current>,
    ) -> Result<Committed, Problem> {
        let (service, caller) = (state.service.clone(), self.asker.0.clone());
        let message = self.params.message.clone().unwrap_or_default();
        let change_set = self.params.change_set;
        let task = tokio::spawn(async move {
            match change_set {
                Some(id) => service.stage(&caller, id, operation, precondition).await,
                None => service.write(&caller, operation, precondition, &message).await,
            }
        });
        let written = match task.await {
            Ok(Ok(written)) => written,
            Ok(Err(error)) => return Err(stale(error, precondition, current)),
            Err(error) => return Err(Problem::internal(format!("a write ended early: {error}"))),
        };
        let waited = wait(state, &self.asker, self.params.waiting()?, written.revision).await?;
        Ok(Committed { written, change_set, waited })
    }
}

/// Waits for a revision, where that was asked for.
pub async fn wait(state: &ApiState, caller: &Caller, timeout: Option<Duration>, revision: Revision) -> Result<Option<Waited>, Problem> {
    let Some(timeout) = timeout else { return Ok(None) };
    let waited = state.service.wait_live(revision, timeout).await;
    if let Waited::Refused { deployment } = waited {
        let Deployment { id, said, errors, .. } = state.service.deployment_for(caller, *deployment);
        return Err(Error::RevisionRefused { revision, deployment: id, said, errors }.into());
    }
    Ok(Some(waited))
}

/// 412 goes with the representation as it is now.
fn stale(error: Error, precondition: Precondition, current: impl FnOnce() -> Option<Current>) -> Problem {
    let current = match error {
        Error::Stale { .. } | Error::AlreadyExists { .. } => current(),
        // An element that exists already has no kind to name.
        Error::Conflict(_) if precondition == Precondition::Absent => current(),
        _ => None,
    };
    match (error, current) {
        (Error::Conflict(detail), Some((revision, json))) => Problem::new(Code::AlreadyExists, detail).current(revision, Some(json)),
        (error, Some((revision, json))) => Problem::from(error).current(revision, Some(json)),
        (error, None) => error.into(),
    }
}

impl Committed {
    /// The status of the answer: 202 where waiting ended before the revision was live.
    pub fn status(&self, done: StatusCode) -> StatusCode {
        status(self.waited.as_ref(), done)
    }

    pub fn status_of_put(&self) -> StatusCode {
        self.status(if self.written.created { StatusCode::CREATED } else { StatusCode::OK })
    }

    /// Adds what every answer to a write tells.
    pub fn finish(&self, mut response: Response, location: Option<&str>) -> Response {
        let location = location.filter(|_| self.written.created);
        match self.change_set.and_then(|id| HeaderValue::try_from(id.to_string()).ok()) {
            Some(id) => {
                response.headers_mut().insert(CHANGE_SET, id);
                locate(&mut response, location);
                response
            }
            None => finish(response, self.written.revision, self.waited.as_ref(), location),
        }
    }
}

/// The status of the answer: 202 where waiting ended before the revision was live.
pub fn status(waited: Option<&Waited>, done: StatusCode) -> StatusCode {
    if matches!(waited, Some(Waited::NotYet { .. })) { StatusCode::ACCEPTED } else { done }
}

/// Adds what every answer to a commit tells.
pub fn finish(mut response: Response, revision: Revision, waited: Option<&Waited>, location: Option<&str>) -> Response {
    let headers = response.headers_mut();
    headers.insert(REVISION, HeaderValue::from(revision));
    match waited {
        Some(Waited::NotYet { deployment: Some(id) }) => locate(&mut response, Some(&format!("/api/v1/deployments/{id}"))),
        Some(Waited::NotYet { deployment: None }) => locate(&mut response, Some(&format!("/api/v1/revisions/{revision}"))),
        waited => {
            if let Some(Waited::Live { live_revision }) = waited {
                headers.insert(LIVE_REVISION, HeaderValue::from(*live_revision));
            }
            locate(&mut response, location);
        }
    }
    response
}

pub fn locate(response: &mut Response, location: Option<&str>) {
    if let Some(value) = location.and_then(|location| HeaderValue::try_from(location).ok()) {
        response.headers_mut().insert(LOCATION, value);
    }
}

/// What a write answers when the object that it wrote is not in its own snapshot.
pub fn vanished() -> Problem {
    Problem::internal("a written object is not in the snapshot of its write")
}

/// A name in the path of a write. One that cannot be is a fault of the resource, not a missing page.
pub fn name(text: &str) -> Result<crate::domain::Name, Problem> {
    crate::domain::Name::parse(text).map_err(|detail| Error::invalid("/name", "invalid_value", detail).into())
}
