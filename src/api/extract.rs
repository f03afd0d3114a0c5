//! What handlers take from requests; every refusal is a problem.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{FromRequest, FromRequestParts, Request};
use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::request::Parts;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use utoipa::IntoParams;

use super::codes::Code;
use super::json;
use super::problem::Problem;
use super::state::ApiState;
use crate::service::Caller;

/// At most so much is read of a body, but for entries of IP lists.
pub const BODY_LIMIT: usize = 1 << 20;
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
}

impl WriteParams {
    /// Checks what types do not say.
    pub fn check(&self) -> Result<(), Problem> {
        match self.wait_timeout_s {
            Some(_) if self.wait.is_none() => return Err(Problem::query("wait_timeout_s: only together with wait=live")),
            Some(seconds) if !(1..=120).contains(&seconds) => return Err(Problem::query("wait_timeout_s: 1 to 120 is allowed")),
            _ => {}
        }
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
