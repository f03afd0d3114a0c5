//! What handlers take from requests; every refusal is a problem.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{FromRequest, FromRequestParts, Request};
use bytes::Bytes;
use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use http::request::Parts;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use utoipa::IntoParams;
use uuid::Uuid;

use super::codes::Code;
use super::json;
use super::problem::Problem;
use super::state::ApiState;
use crate::domain::{Revision, Snapshot, Subject};
use crate::service::{Caller, Visitor};

/// At most so much is read of a body, but for entries of IP lists.
pub const BODY_LIMIT: usize = 1 << 20;
/// The same for whole trees and many operations.
pub const TREE_LIMIT: usize = 64 << 20;
/// The same for what somebody types.
const SMALL_LIMIT: usize = 64 << 10;
/// The same for entries of IP lists.
pub const ENTRIES_LIMIT: usize = 32 << 20;

/// A body has so long to arrive.
const BODY_TIME: Duration = Duration::from_secs(60);

/// Who asks: put there by the guard, so that a route that the guard forgot would refuse everybody.
#[derive(Clone, Debug)]
pub struct Asker(pub Arc<Caller>);

impl FromRequestParts<ApiState> for Asker {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, _: &ApiState) -> Result<Self, Problem> {
        parts.extensions.get::<Self>().cloned().ok_or_else(|| crate::domain::Error::Unauthenticated.into())
    }
}

impl std::ops::Deref for Asker {
    type Target = Caller;
    fn deref(&self) -> &Caller {
        &self.0
    }
}

/// Who asks where no credential is wanted: put there by the guard.
#[derive(Clone, Debug)]
pub struct Guest(pub Arc<Visitor>);

impl FromRequestParts<ApiState> for Guest {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, _: &ApiState) -> Result<Self, Problem> {
        parts.extensions.get::<Self>().cloned().ok_or_else(|| crate::domain::Error::Unauthenticated.into())
    }
}

/// The parameters of a path. What cannot be parsed names nothing.
pub struct Path<T>(pub T);

impl<T: DeserializeOwned + Send> FromRequestParts<ApiState> for Path<T> {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, state: &ApiState) -> Result<Self, Problem> {
        match axum::extract::Path::<T>::from_request_parts(parts, state).await {
            Ok(axum::extract::Path(value)) => Ok(Self(value)),
            Err(_) => Err(Problem::not_found()),
        }
    }
}

/// The parameters of a query; unknown ones are refused by the types.
pub struct Query<T>(pub T);

impl<T: DeserializeOwned + Send> FromRequestParts<ApiState> for Query<T> {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, state: &ApiState) -> Result<Self, Problem> {
        match axum_extra::extract::Query::<T>::from_request_parts(parts, state).await {
            Ok(axum_extra::extract::Query(value)) => Ok(Self(value)),
            Err(rejection) => {
                let text = rejection.body_text();
                let what = text.strip_prefix("Failed to deserialize query string: ").unwrap_or(&text);
                Err(Problem::query(what.to_owned()))
            }
        }
    }
}

/// Which state is read.
#[derive(Clone, Copy, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ViewParams {
    /// As if this change set of yours were committed to its base.
    pub change_set: Option<Uuid>,
    /// As it was at this revision.
    #[param(minimum = 0)]
    pub revision: Option<Revision>,
}

impl ViewParams {
    /// The newest state as the caller sees it, unless another is asked for. `part`: what of the objects is read, where it is not all of them.
    pub async fn snapshot(&self, state: &ApiState, caller: &Caller, part: Option<Subject>) -> Result<Arc<Snapshot>, Problem> {
        match (self.change_set, self.revision) {
            (None, None) => Ok(state.service.seen(caller, &state.service.head(), part)),
            (Some(id), None) => Ok(state.service.snapshot_of_change_set(caller, id, part).await?),
            (None, Some(revision)) => Ok(state.service.snapshot_seen(caller, revision, part).await?),
            (Some(_), Some(_)) => Err(Problem::query("change_set, revision: only one of them")),
        }
    }
}

/// Who reads configuration, and of which state.
pub struct Reader {
    pub asker: Asker,
    view: ViewParams,
}

impl Reader {
    pub async fn snapshot(&self, state: &ApiState, part: Subject) -> Result<Arc<Snapshot>, Problem> {
        self.view.snapshot(state, &self.asker, Some(part)).await
    }
}

impl FromRequestParts<ApiState> for Reader {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, state: &ApiState) -> Result<Self, Problem> {
        let asker = Asker::from_request_parts(parts, state).await?;
        let Query(view) = Query::<ViewParams>::from_request_parts(parts, state).await?;
        Ok(Self { asker, view })
    }
}

/// No query parameters.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoParams {}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum WaitFor {
    /// Until the revision is live: in force, and proven.
    Live,
}

/// What every write takes.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct WriteParams {
    /// Answer only when the change is live (200, 201, 204), was refused by an engine (422), or the time is over (202).
    #[param(inline)]
    pub wait: Option<WaitFor>,
    /// Seconds to wait at most.
    #[param(minimum = 1, maximum = 120, default = 30)]
    pub wait_timeout_s: Option<u64>,
    /// The revision's message: why. One line.
    #[param(max_length = 500)]
    pub message: Option<String>,
    /// Stage it in this change set of yours instead of committing it. Preconditions are then about what the change set shows.
    pub change_set: Option<Uuid>,
}

/// What commits of several objects take.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct CommitParams {
    /// Answer only when the change is live (200, 201), was refused by an engine (422), or the time is over (202).
    #[param(inline)]
    pub wait: Option<WaitFor>,
    /// Seconds to wait at most.
    #[param(minimum = 1, maximum = 120, default = 30)]
    pub wait_timeout_s: Option<u64>,
}

impl CommitParams {
    /// How long to wait, where that was asked for.
    pub fn waiting(&self) -> Result<Option<Duration>, Problem> {
        waiting(self.wait, self.wait_timeout_s)
    }
}

fn waiting(wait: Option<WaitFor>, seconds: Option<u64>) -> Result<Option<Duration>, Problem> {
    match (wait, seconds) {
        (None, Some(_)) => Err(Problem::query("wait_timeout_s: only together with wait=live")),
        (_, Some(seconds)) if !(1..=120).contains(&seconds) => Err(Problem::query("wait_timeout_s: 1 to 120 is allowed")),
        (None, None) => Ok(None),
        (Some(WaitFor::Live), seconds) => Ok(Some(Duration::from_secs(seconds.unwrap_or(30)))),
    }
}

impl WriteParams {
    /// How long to wait, where that was asked for.
    pub fn waiting(&self) -> Result<Option<Duration>, Problem> {
        waiting(self.wait, self.wait_timeout_s)
    }

    /// Checks what types do not say.
    pub fn check(&self) -> Result<(), Problem> {
        if self.change_set.is_some() && (self.wait.is_some() || self.message.is_some()) {
            return Err(Problem::query("wait, message: belong to the commit of the change set, not to what is staged"));
        }
        self.waiting()?;
        match &self.message {
            Some(text) if text.chars().count() > 500 || text.chars().any(char::is_control) => {
                Err(Problem::query("message: at most 500 characters, no control characters"))
            }
            _ => Ok(()),
        }
    }
}

/// The media type of a body, in lower case, without parameters.
pub fn media_type(parts: &http::HeaderMap) -> Option<String> {
    let value = parts.get(CONTENT_TYPE)?.to_str().ok()?;
    Some(value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase())
}

fn unsupported(allowed: &[&str]) -> Problem {
    Problem::new(Code::UnsupportedMediaType, format!("this takes {}", allowed.join(", ")))
}

pub fn require_media_type(headers: &http::HeaderMap, allowed: &'static [&'static str]) -> Result<String, Problem> {
    media_type(headers).filter(|given| allowed.contains(&given.as_str())).ok_or_else(|| {
        let problem = unsupported(allowed);
        // RFC 5789: what PATCH takes.
        if allowed == MERGE_PATCH {
            return problem.header(
                http::HeaderName::from_static("accept-patch"),
                http::HeaderValue::from_static("application/merge-patch+json, application/json"),
            );
        }
        problem
    })
}

/// Reads a body of at most `limit` bytes.
pub async fn read(headers: &http::HeaderMap, body: Body, limit: usize) -> Result<Bytes, Problem> {
    let too_large = || Problem::new(Code::BodyTooLarge, format!("the body is over {limit} bytes"));
    let announced = headers.get(CONTENT_LENGTH).and_then(|v| v.to_str().ok()).and_then(|v| v.parse::<u64>().ok());
    if announced.is_some_and(|length| length > limit as u64) {
        return Err(too_large());
    }
    let arrived = tokio::time::timeout(BODY_TIME, axum::body::to_bytes(body, limit)).await;
    let arrived = arrived.map_err(|_| Problem::new(Code::Timeout, "the body did not arrive within a minute"))?;
    arrived.map_err(|error| {
        let full = std::error::Error::source(&error).is_some_and(|source| source.is::<http_body_util::LengthLimitError>());
        if full { too_large() } else { Problem::new(Code::BadRequest, "the body broke off") }
    })
}

pub const JSON: &[&str] = &["application/json"];
pub const MERGE_PATCH: &[&str] = &["application/merge-patch+json", "application/json"];

/// A whole resource: `application/json`, an object.
pub struct Resource(pub Value);

impl FromRequest<ApiState> for Resource {
    type Rejection = Problem;
    async fn from_request(request: Request, _: &ApiState) -> Result<Self, Problem> {
        object(request, JSON).await.map(Self)
    }
}

/// An RFC 7396 merge patch: an object.
pub struct MergePatch(pub Value);

impl FromRequest<ApiState> for MergePatch {
    type Rejection = Problem;
    async fn from_request(request: Request, _: &ApiState) -> Result<Self, Problem> {
        object(request, MERGE_PATCH).await.map(Self)
    }
}

/// A small JSON body: what somebody types, and anybody may send.
pub struct Small<T>(pub T);

impl<T: DeserializeOwned> FromRequest<ApiState> for Small<T> {
    type Rejection = Problem;
    async fn from_request(request: Request, _: &ApiState) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        require_media_type(&parts.headers, JSON)?;
        let bytes = read(&parts.headers, body, SMALL_LIMIT).await?;
        Ok(Self(crate::service::typed(&json::parse(&bytes)?)?))
    }
}

/// A JSON body of at most 64 MiB, parsed beside the threads that answer others; an absent one is an empty object.
pub struct Document<T>(pub T);

impl<T: DeserializeOwned + Send + 'static> FromRequest<ApiState> for Document<T> {
    type Rejection = Problem;
    async fn from_request(request: Request, _: &ApiState) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        plain(&parts.headers)?;
        let given = parts.headers.contains_key(CONTENT_TYPE);
        if given {
            require_media_type(&parts.headers, JSON)?;
        }
        let bytes = read(&parts.headers, body, TREE_LIMIT).await?;
        if bytes.is_empty() {
            return Ok(Self(crate::service::typed(&Value::Object(Default::default()))?));
        }
        if !given {
            return Err(unsupported(JSON));
        }
        off_thread(bytes, |bytes| Ok(crate::service::typed(&json::parse(bytes)?)?)).await.map(Self)
    }
}

/// What is compressed is not what it says it is; RFC 9110 15.5.16: the answer tells what would be taken.
pub fn plain(headers: &http::HeaderMap) -> Result<(), Problem> {
    if headers.get_all(CONTENT_ENCODING).iter().all(|coding| coding.as_bytes().eq_ignore_ascii_case(b"identity")) {
        return Ok(());
    }
    let problem = Problem::new(Code::UnsupportedMediaType, "bodies are taken as they are, without a Content-Encoding");
    Err(problem.header(ACCEPT_ENCODING, http::HeaderValue::from_static("identity")))
}

/// Parses a large body beside the threads that answer others.
pub async fn off_thread<T: Send + 'static>(
    bytes: Bytes,
    parse: impl FnOnce(&[u8]) -> Result<T, Problem> + Send + 'static,
) -> Result<T, Problem> {
    if bytes.len() < 64 << 10 {
        return parse(&bytes);
    }
    let task = tokio::task::spawn_blocking(move || parse(&bytes));
    task.await.unwrap_or_else(|error| Err(Problem::internal(format!("parsing ended early: {error}"))))
}

/// `meta` is read-only: accepted and ignored, so that what was read can be edited and written back.
async fn object(request: Request, allowed: &'static [&'static str]) -> Result<Value, Problem> {
    let (parts, body) = request.into_parts();
    require_media_type(&parts.headers, allowed)?;
    let bytes = read(&parts.headers, body, BODY_LIMIT).await?;
    let mut value = json::parse(&bytes)?;
    match &mut value {
        Value::Object(members) => {
            members.remove("meta");
            Ok(value)
        }
        _ => Err(crate::domain::Error::invalid("", "invalid_type", "an object is wanted").into()),
    }
}
