//! Writes: preconditions, the commit, waiting for it to be live, the answer's headers. Shared by all kinds and their elements.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::response::Response;
use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, HeaderName, HeaderValue, LOCATION};
use http::request::Parts;
use http::{HeaderMap, StatusCode};
use serde_json::value::RawValue;

use super::codes::Code;
use super::etag;
use super::extract::{Asker, Query, WriteParams};
use super::problem::Problem;
use super::state::ApiState;
use crate::domain::{Error, Revision};
use crate::service::{Operation, Precondition, Waited, Written};

pub const REVISION: HeaderName = HeaderName::from_static("guard-proxy-revision");
pub const LIVE_REVISION: HeaderName = HeaderName::from_static("guard-proxy-live-revision");

/// What every write comes with.
pub struct Write {
    pub asker: Asker,
    pub params: WriteParams,
    pub headers: HeaderMap,
}

impl FromRequestParts<ApiState> for Write {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, state: &ApiState) -> Result<Self, Problem> {
        let asker = Asker::from_request_parts(parts, state).await?;
        let Query(params) = Query::<WriteParams>::from_request_parts(parts, state).await?;
        params.check()?;
        // What is compressed is not what it says it is; RFC 9110 15.5.16: the answer tells what would be taken.
        if parts.method != http::Method::DELETE
            && parts.headers.get_all(CONTENT_ENCODING).iter().any(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"identity"))
        {
            let problem = Problem::new(Code::UnsupportedMediaType, "bodies are taken as they are, without a Content-Encoding");
            return Err(problem.header(ACCEPT_ENCODING, HeaderValue::from_static("identity")));
        }
        Ok(Self { asker, params, headers: parts.headers.clone() })
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
    waited: Option<Waited>,
}

impl Write {
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
        let task = tokio::spawn(async move { service.write(&caller, operation, precondition, &message).await });
        let written = match task.await {
            Ok(Ok(written)) => written,
            Ok(Err(error)) => return Err(stale(error, precondition, current)),
            Err(error) => return Err(Problem::internal(format!("a write ended early: {error}"))),
        };
        let waited = match self.params.wait {
            None => None,
            Some(_) => {
                let timeout = Duration::from_secs(self.params.wait_timeout_s.unwrap_or(30));
                Some(state.service.wait_live(written.revision, timeout).await)
            }
        };
        if let Some(Waited::Refused { deployment }) = waited {
            let revision = written.revision;
            return Err(
                Error::RevisionRefused { revision, deployment: deployment.id, said: deployment.said, errors: deployment.errors }.into()
            );
        }
        Ok(Committed { written, waited })
    }
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
        if matches!(self.waited, Some(Waited::NotYet { .. })) { StatusCode::ACCEPTED } else { done }
    }

    pub fn status_of_put(&self) -> StatusCode {
        self.status(if self.written.created { StatusCode::CREATED } else { StatusCode::OK })
    }

    /// Adds what every answer to a write tells.
    pub fn finish(&self, mut response: Response, location: Option<&str>) -> Response {
        let headers = response.headers_mut();
        headers.insert(REVISION, HeaderValue::from(self.written.revision));
        let location = match &self.waited {
            Some(Waited::Live { live_revision }) => {
                headers.insert(LIVE_REVISION, HeaderValue::from(*live_revision));
                location.filter(|_| self.written.created).map(str::to_owned)
            }
            Some(Waited::NotYet { deployment: Some(id) }) => Some(format!("/api/v1/deployments/{id}")),
            Some(Waited::NotYet { deployment: None }) => Some(format!("/api/v1/revisions/{}", self.written.revision)),
            _ => location.filter(|_| self.written.created).map(str::to_owned),
        };
        if let Some(value) = location.and_then(|location| HeaderValue::try_from(location).ok()) {
            headers.insert(LOCATION, value);
        }
        response
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
