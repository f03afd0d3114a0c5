//! What stands around every route: request id, credential, time limit, panics, problems, headers, metrics. Routes are closed unless on the
//! public list: one that is forgotten there is closed, not open.

use std::any::Any;
use std::net::IpAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::{ConnectInfo, MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures::FutureExt;
use http::header::{AUTHORIZATION, CACHE_CONTROL, HeaderName, HeaderValue, USER_AGENT};
use http::{HeaderMap, Method, StatusCode, Uri};
use uuid::Uuid;

use super::browser;
use super::codes::Code;
use super::extract::{Asker, Guest};
use super::metrics::Routes;
use super::origin;
use super::problem::Problem;
use super::serve::{Peer, Secure};
use super::state::ApiState;
use crate::domain::Error;
use crate::domain::audit::AuditEvent;
use crate::service::{Caller, Stranger, Visitor};
use crate::web;

/// The templates of the routes that want no credential.
pub const PUBLIC: [&str; 16] = [
    "/health",
    "/ready",
    "/docs",
    "/docs/",
    "/docs/{*rest}",
    "/api/v1/openapi.json",
    "/.well-known/jwks.json",
    "/api/v1/auth/sign-in",
    "/api/v1/auth/refresh",
    "/api/v1/auth/setup",
    "/",
    "/favicon.svg",
    "/assets/{*file}",
    "/api/v1/auth/methods",
    "/api/v1/auth/sso",
    "/api/v1/auth/sso/callback",
];

/// Of these, those that take another credential than a bearer: they answer 401 themselves.
pub const CREDENTIALS: [&str; 3] = ["/api/v1/auth/sign-in", "/api/v1/auth/refresh", "/api/v1/auth/setup"];

/// Longer than the longest wait. Streams answer their head at once and go on without a limit.
const TIME_LIMIT: Duration = Duration::from_secs(150);
const HEADERS_LIMIT: usize = 64 << 10;
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The outermost layer.
pub async fn guard(State((state, routes)): State<(ApiState, Routes)>, request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let template = request.extensions().get::<MatchedPath>().cloned();
    let template = template.as_ref().map(MatchedPath::as_str);
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let request_id = Uuid::now_v7().to_string();

    let (address, secure) = (peer(&request), request.extensions().get::<Secure>().is_some());
    let origin = state.options.origins.asked(request.headers());
    if let Some(mut preflight) = state.options.origins.preflight(&method, request.headers()) {
        dress(preflight.headers_mut(), template, &request_id, secure);
        state.options.origins.tell(origin, preflight.headers_mut());
        return preflight;
    }
    let (response, asker) = match admit(&state, template, &request_id, request).await {
        Ok(request) => {
            let asker = request.extensions().get::<Asker>().cloned();
            (run(request, next).await, asker)
        }
        Err(problem) => (problem.into_response(), None),
    };
    let mut response = finish(response, &request_id, &method, &path);
    if matches!(response.status(), StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
        let event = denied(&method, template, &path, response.status());
        state.service.audit_often(asker.as_deref(), &Stranger { request_id: &request_id, address }, event);
    }
    dress(response.headers_mut(), template, &request_id, secure);
    state.options.origins.tell(origin, response.headers_mut());
    routes.record(template, &method, response.status(), begun.elapsed());
    response
}

/// A refusal, for the audit log. Of a path that is no route only its beginning is kept.
fn denied(method: &http::Method, template: Option<&str>, path: &str, status: StatusCode) -> AuditEvent {
    let path: String = path.chars().take(200).collect();
    AuditEvent {
        action: "denied",
        kind: "request",
        name: format!("{method} {}", template.unwrap_or("-")),
        after: Some(serde_json::json!({ "status": status.as_u16(), "path": path })),
        ..AuditEvent::default()
    }
}

/// Finds out who asks, if the route wants to know.
async fn admit(state: &ApiState, template: Option<&str>, request_id: &str, mut request: Request) -> Result<Request, Problem> {
    let size: usize = request.headers().iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    if size + request.uri().path().len() + request.uri().query().map_or(0, str::len) > HEADERS_LIMIT {
        return Err(Problem::new(Code::HeadersTooLarge, "the headers are over 64 KiB"));
    }
    let address = origin::client(peer(&request), request.headers(), &state.options.trusted_proxies);
    browser::no_other_site(request.method(), request.headers())?;
    // What is no route may be a page of the panel, which is the same for all of them; it asks for a credential itself.
    let page = template.is_none() && web::is_page(request.method(), request.uri().path(), request.headers());
    if page || template.is_some_and(|template| PUBLIC.contains(&template)) {
        let agent = request.headers().get(USER_AGENT).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
        let visitor = Visitor { request_id: request_id.to_owned(), address, user_agent: agent.unwrap_or_default() };
        request.extensions_mut().insert(Guest(Arc::new(visitor)));
        return Ok(request);
    }
    let bearer = bearer(request.headers()).ok_or(Error::Unauthenticated)?;
    let principal = state.service.authenticate(bearer, address).await?;
    let caller = Caller { principal, request_id: request_id.to_owned(), address };
    request.extensions_mut().insert(Asker(Arc::new(caller)));
    Ok(request)
}

fn peer(request: &Request) -> Option<IpAddr> {
    request.extensions().get::<ConnectInfo<Peer>>().map(|ConnectInfo(Peer(address))| address.ip().to_canonical())
}

/// RFC 6750: the scheme in any case, one space or more.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut all = headers.get_all(AUTHORIZATION).iter();
    let (one, None) = (all.next()?, all.next()) else { return None };
    let (scheme, token) = one.to_str().ok()?.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

/// Runs the route; a panic or a stall becomes a problem.
async fn run(request: Request, next: Next) -> Response {
    let route = AssertUnwindSafe(next.run(request)).catch_unwind();
    match tokio::time::timeout(TIME_LIMIT, route).await {
        Ok(Ok(response)) => response,
        Ok(Err(panic)) => Problem::internal(format!("panic: {}", panic_text(panic.as_ref()))).into_response(),
        Err(_) => Problem::new(Code::TookTooLong, "not done in time; read before trying a write again").into_response(),
    }
}

fn panic_text(panic: &(dyn Any + Send)) -> &str {
    panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no text")
}

/// Writes problems, and makes problems of bare refusals of the router.
fn finish(mut response: Response, request_id: &str, method: &http::Method, path: &str) -> Response {
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        return problem.render(request_id, method, path);
    }
    let status = response.status();
    let bare = !response.headers().contains_key(http::header::CONTENT_TYPE)
        || response.headers().get(http::header::CONTENT_TYPE).is_some_and(|v| v.as_bytes().starts_with(b"text/plain"));
    if bare && (status.is_client_error() || status.is_server_error()) {
        return Problem::from_status(status, response.headers()).render(request_id, method, path);
    }
    response
}

/// Headers that every answer has.
fn dress(headers: &mut HeaderMap, template: Option<&str>, request_id: &str, secure: bool) {
    if let Ok(value) = HeaderValue::try_from(request_id) {
        headers.insert(REQUEST_ID, value);
    }
    let docs = template.is_some_and(|template| template.starts_with("/docs"));
    browser::dress(headers, docs, secure);
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static(if docs { "no-cache" } else { "no-store" }));
}

/// For what no route matches: a page of the panel where a browser shows it as one.
pub async fn fallback(method: Method, uri: Uri, headers: HeaderMap) -> Response {
    if web::is_page(&method, uri.path(), &headers) { web::page() } else { Problem::not_found().into_response() }
}
