//! Problems (RFC 9457): the one mapping from what went wrong to HTTP. Nothing of ours leaves: internal text goes to the log, once.

use std::borrow::Cow;
use std::sync::Arc;

use axum::response::{IntoResponse, Response};
use http::header::{ALLOW, CONTENT_TYPE, ETAG, HeaderName, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, StatusCode};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::codes::Code;
use super::etag;
use crate::domain::change_set::ChangeSet;
use crate::domain::diff::Conflict;
use crate::domain::{Error, FieldError, Name, Revision};

/// At most so many faults are listed in one problem.
pub const MOST_ERRORS: usize = 100;

/// What a handler answers when it cannot do what was asked. The outer middleware adds the request id, logs and writes it.
#[derive(Clone, Debug)]
pub struct Problem(Box<Inner>);

#[derive(Clone, Debug)]
struct Inner {
    code: Code,
    detail: Cow<'static, str>,
    errors: Vec<FieldError>,
    members: Members,
    headers: HeaderMap,
    /// For the log alone.
    internal: Option<String>,
    /// No problem, but no more than accepted: what waits for somebody else.
    waits: Option<Box<ChangeSet>>,
}

/// Members that only some codes have.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
#[schema(as = ProblemMembers)]
pub struct Members {
    /// `invalid_json`: the 1-based line of the fault.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// `invalid_json`: the 1-based column of the fault, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<usize>,
    /// `precondition_failed`, `already_exists`: the representation as it is now, its `meta.etag` to be sent as `If-Match`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub current: Option<Arc<serde_json::value::RawValue>>,
    /// `in_use`: the vhosts that use the object, at most 100.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub used_by: Vec<Name>,
    /// `refused`: which engine said no, where none was asked through a deployment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub engine: Option<&'static str>,
    /// `refused`: the engine's own words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub said: Option<String>,
    /// `refused` while waiting: the deployment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deployment: Option<Uuid>,
    /// `refused` while waiting: the revision.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revision: Option<Revision>,
    /// `conflict` of a change set: both sides of each, at most 100.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 100)]
    pub conflicts: Vec<Conflict>,
}

/// A problem (RFC 9457).
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct ProblemBody<'a> {
    /// A stable URI for each code: `urn:guard-proxy:problem:<code>`.
    #[schema(example = "urn:guard-proxy:problem:invalid")]
    r#type: String,
    title: &'a str,
    #[schema(minimum = 400, maximum = 599)]
    status: u16,
    /// For people: what is wrong, and what to do.
    detail: &'a str,
    code: Code,
    /// Each fault, at most 100; the pointers point into the resource as it would be after the write.
    #[schema(max_items = 100)]
    errors: &'a [FieldError],
    /// Also the header `X-Request-Id`, and in our log.
    request_id: &'a str,
    #[serde(flatten)]
    members: &'a Members,
}

impl Problem {
    pub fn new(code: Code, detail: impl Into<Cow<'static, str>>) -> Self {
        let (errors, members) = (Vec::new(), Members::default());
        let mut headers = HeaderMap::new();
        match code.status() {
            StatusCode::UNAUTHORIZED => _ = headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"guard-proxy\"")),
            StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => {
                _ = headers.insert(RETRY_AFTER, HeaderValue::from_static("5"))
            }
            _ => {}
        }
        Self(Box::new(Inner { code, detail: detail.into(), errors, members, headers, internal: None, waits: None }))
    }

    /// Ours, not the caller's; `internal` is for the log alone.
    pub fn internal(internal: impl Into<String>) -> Self {
        Self::new(Code::Internal, "something went wrong on our side; the request id finds it in our log").logged(internal)
    }

    pub fn not_found() -> Self {
        Self::new(Code::NotFound, "there is nothing at this path")
    }

    pub fn query(detail: impl Into<String>) -> Self {
        Self::new(Code::InvalidQuery, detail.into())
    }

    pub fn invalid(mut errors: Vec<FieldError>) -> Self {
        let detail = match errors.as_slice() {
            [one] => one.detail.clone(),
            many if many.len() > MOST_ERRORS => format!("{} fields are wrong, the first {MOST_ERRORS} are listed", many.len()),
            many => format!("{} fields are wrong", many.len()),
        };
        errors.truncate(MOST_ERRORS);
        let mut problem = Self::new(Code::Invalid, detail);
        problem.0.errors = errors;
        problem
    }

    pub fn code(&self) -> Code {
        self.0.code
    }

    pub fn detail(&self) -> &str {
        &self.0.detail
    }

    /// The 1-based line of the fault, of what could not be parsed.
    pub fn line(&self) -> Option<u32> {
        self.0.members.line.and_then(|line| u32::try_from(line).ok())
    }

    /// Puts a place before the pointers of all faults.
    pub fn inside(mut self, place: &str) -> Self {
        for error in &mut self.0.errors {
            error.pointer.insert_str(0, place);
        }
        self
    }

    pub fn errors(mut self, mut errors: Vec<FieldError>) -> Self {
        errors.truncate(MOST_ERRORS);
        self.0.errors = errors;
        self
    }

    pub fn with(mut self, set: impl FnOnce(&mut Members)) -> Self {
        set(&mut self.0.members);
        self
    }

    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.headers.insert(name, value);
        self
    }

    fn logged(mut self, internal: impl Into<String>) -> Self {
        self.0.internal = Some(internal.into());
        self
    }

    /// The representation that a stale write would have changed.
    pub fn current(self, revision: Revision, json: Option<Arc<serde_json::value::RawValue>>) -> Self {
        self.header(ETAG, etag::header(revision)).with(|members| members.current = json)
    }

    /// The status of what the router itself refused, as a problem.
    pub fn from_status(status: StatusCode, headers: &HeaderMap) -> Self {
        match status {
            StatusCode::METHOD_NOT_ALLOWED => {
                let problem =
                    Self::new(Code::MethodNotAllowed, "this path does not take this method; the Allow header names those it takes");
                match headers.get(ALLOW) {
                    Some(allow) => problem.header(ALLOW, allow.clone()),
                    None => problem,
                }
            }
            StatusCode::NOT_FOUND => Self::not_found(),
            StatusCode::PAYLOAD_TOO_LARGE => Self::new(Code::BodyTooLarge, "the body is too large"),
            status if status.is_client_error() => Self::new(Code::BadRequest, "the request cannot be understood"),
            status => Self::internal(format!("a bare {status} from below")),
        }
    }

    /// Writes the body, and logs what is ours.
    pub fn render(&self, request_id: &str, method: &http::Method, path: &str) -> Response {
        let Inner { code, detail, errors, members, headers, internal, .. } = &*self.0;
        let status = code.status();
        if status.is_server_error() {
            let internal = internal.as_deref().unwrap_or_default();
            tracing::error!(request_id, %method, path, code = code.as_str(), internal, "request failed: {detail}");
        } else {
            tracing::debug!(request_id, %method, path, code = code.as_str(), "request refused: {detail}");
        }
        let body = ProblemBody {
            r#type: format!("urn:guard-proxy:problem:{}", code.as_str()),
            title: code.title(),
            status: status.as_u16(),
            detail,
            code: *code,
            errors,
            request_id,
            members,
        };
        let bytes = serde_json::to_vec(&body).unwrap_or_default();
        let mut response = (status, bytes).into_response();
        let into = response.headers_mut();
        into.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        for (name, value) in headers {
            into.insert(name, value.clone());
        }
        response
    }
}

/// Carries the problem in the extensions to the outer middleware, which knows the request id.
impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        if let Some(change_set) = &self.0.waits {
            return super::v1::change_sets::awaiting(change_set);
        }
        let mut response = self.0.code.status().into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// The last step of every failure.
impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let detail = error.to_string();
        match error {
            Error::NotFound { .. } => Self::new(Code::NotFound, detail),
            // A name that another object has is a conflict; among other faults it is one more of them.
            Error::Invalid(errors) if !errors.is_empty() && errors.iter().all(|e| e.code == "taken") => {
                Self::new(Code::Taken, errors[0].detail.clone()).errors(errors)
            }
            Error::Invalid(errors) if matches!(errors.as_slice(), [one] if one.code == "prune_all") => {
                Self::new(Code::PruneAll, errors[0].detail.clone()).errors(errors)
            }
            Error::Invalid(errors) => Self::invalid(errors),
            Error::EngineRefused { engine, said, errors } => {
                let all = |code: &str| !errors.is_empty() && errors.iter().all(|e| e.code == code);
                let (code, detail) = if all("too_large") {
                    (Code::TooLarge, said.clone())
                } else if all("too_expensive") {
                    (Code::TooExpensive, format!("{said}; nothing was committed"))
                } else {
                    (Code::Refused, format!("{engine} refused the change; nothing was committed"))
                };
                Self::new(code, detail).errors(errors).with(|members| {
                    members.engine = Some(engine);
                    members.said = Some(said);
                })
            }
            Error::RevisionRefused { revision, deployment, said, errors } => Self::new(
                Code::Refused,
                format!("revision {revision} was refused by an engine; traffic is served by the last good one, see the deployment"),
            )
            .errors(errors)
            .with(|members| {
                members.said = Some(said);
                members.deployment = Some(deployment);
                members.revision = Some(revision);
            }),
            Error::Stale { current, etag } => {
                let problem = Self::new(Code::PreconditionFailed, "the object has changed since it was read: look at `current`, try again");
                let current = current.and_then(|value| serde_json::value::to_raw_value(&value).ok()).map(Arc::from);
                match etag {
                    Some(revision) => problem.current(revision, current),
                    None => problem,
                }
            }
            Error::PreconditionRequired => Self::new(
                Code::PreconditionRequired,
                "send `If-Match` with the ETag that was read (or `*`) to change what exists, or `If-None-Match: *` to create",
            ),
            Error::AlreadyExists { .. } => Self::new(Code::AlreadyExists, detail),
            Error::InUse { mut by, .. } => {
                by.truncate(100);
                Self::new(Code::InUse, detail).with(|members| members.used_by = by)
            }
            Error::Unauthenticated => Self::new(Code::Unauthenticated, detail),
            Error::SignInFailed => Self::new(Code::SignInFailed, detail),
            Error::TotpRequired => Self::new(Code::TotpRequired, detail),
            Error::TooMany { retry_after_s, .. } => Self::new(Code::TooMany, detail).header(RETRY_AFTER, retry_after_s.into()),
            Error::Forbidden => Self::new(Code::Forbidden, detail),
            Error::Gone(_) => Self::new(Code::Gone, detail),
            Error::Conflict(_) => Self::new(Code::Conflict, detail),
            Error::MergeConflict(mut conflicts) => {
                conflicts.truncate(MOST_ERRORS);
                Self::new(Code::Conflict, detail).with(|members| members.conflicts = conflicts)
            }
            Error::OwnChange => Self::new(Code::OwnChange, detail),
            Error::AwaitingApproval(change_set) => {
                let mut problem = Self::new(Code::Conflict, detail);
                problem.0.waits = Some(change_set);
                problem
            }
            Error::PlanChanged => Self::new(Code::PlanChanged, detail),
            Error::Unavailable(_) => Self::new(Code::Unavailable, detail),
            Error::Internal(internal) => Self::internal(internal),
        }
    }
}
