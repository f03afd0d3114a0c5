//! The whole router on a database of its own, with engines that agree to everything but the word `refuse-me`.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use futures::future::BoxFuture;
use http::{HeaderMap, Request, StatusCode};
use metrics_exporter_prometheus::PrometheusBuilder;
use serde_json::{Value, json};
use sqlx::PgPool;
use tower::ServiceExt;

use crate::api::{ApiOptions, ApiState, router};
use crate::compile::sample;
use crate::dataplane::{Accepted, ServerState, ServerStatus, Verdict};
use crate::render::{Bundle, RenderedRuleSet};
use crate::service::{Engines, PeopleOptions, Service};
use crate::store::{Store, StoreSettings};
use crate::telemetry::clock::{self, Clock};

pub const TOKEN: &str = "a-token-for-tests-of-40-characters-00000";

#[derive(Default)]
struct Agreeable(Accepted);

impl Engines for Agreeable {
    fn validate_ruleset<'a>(&'a self, ruleset: &'a RenderedRuleSet) -> BoxFuture<'a, Verdict> {
        let refuse = ruleset.text.contains("refuse-me");
        Box::pin(async move {
            if refuse {
                return Verdict::Refused { engine: "guard-spoa", said: "no, says the engine".to_owned(), errors: Vec::new() };
            }
            Verdict::Accepted { findings: Vec::new() }
        })
    }
    fn validate_structure<'a>(&'a self, _: &'a Bundle) -> BoxFuture<'a, Verdict> {
        Box::pin(async { Verdict::Accepted { findings: Vec::new() } })
    }
    fn accepted(&self) -> &Accepted {
        &self.0
    }
    /// Of the first vhost alone.
    fn servers(&self, vhost: u32) -> BoxFuture<'_, Result<Vec<ServerStatus>, String>> {
        let server = ServerStatus {
            name: "s".to_owned(),
            address: "192.0.2.10:8080".to_owned(),
            state: ServerState::Unchecked,
            in_state_s: 3,
            check: None,
            sessions: 0,
            requests: 2,
            connect_errors: 1,
            response_errors: 0,
        };
        Box::pin(async move { if vhost == 1 { Ok(vec![server]) } else { Err("HAProxy does not answer".to_owned()) } })
    }
}

pub struct App {
    pub router: Router,
    pub state: ApiState,
    pub service: Service,
}

pub async fn app(pool: &PgPool) -> App {
    app_with(pool, clock::system(), PeopleOptions::default()).await
}

/// By another clock, and with what is set of how people sign in.
pub async fn app_with(pool: &PgPool, clock: Clock, people: PeopleOptions) -> App {
    let options = (*pool.connect_options()).clone();
    let store = Store::with_options(options, &StoreSettings::default()).await.unwrap();
    let node = sample::node("/run/guard-proxy");
    let service = Service::start_with(store, Arc::new(Agreeable::default()), node, clock, people).await.unwrap();
    service.ensure_admin_token(Some(TOKEN)).await.unwrap();
    let state = ApiState::configured(
        service.clone(),
        PrometheusBuilder::new().build_recorder().handle(),
        ApiOptions { trusted_proxies: vec!["10.0.0.0/8".parse().unwrap()], insecure_cookies: false, ..ApiOptions::default() },
    );
    App { router: router(state.clone()), state, service }
}

/// An answer, read to its end.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub text: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("{self:?}"))
    }
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).unwrap_or_else(|| panic!("no {name}: {self:?}")).to_str().unwrap()
    }
    pub fn etag(&self) -> String {
        self.header("etag").to_owned()
    }
    #[track_caller]
    pub fn is(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{}", self.text);
        self
    }
    /// A problem of this code, complete.
    #[track_caller]
    pub fn problem(self, status: u16, code: &str) -> Value {
        let this = self.is(status);
        assert_eq!(this.header("content-type"), "application/problem+json");
        let problem = this.json();
        assert_eq!(problem["code"], code, "{problem}");
        assert_eq!(problem["type"], format!("urn:guard-proxy:problem:{code}"));
        assert_eq!(problem["status"], status);
        assert_eq!(problem["request_id"], this.header("x-request-id"));
        problem
    }
}

/// The pointers of a problem's errors.
pub fn pointers(problem: &Value) -> Vec<&str> {
    problem["errors"].as_array().unwrap().iter().map(|error| error["pointer"].as_str().unwrap()).collect()
}

impl App {
    pub async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        Answer { status: parts.status, headers: parts.headers, text: String::from_utf8_lossy(&bytes).into_owned() }
    }

    /// With the credential, and header lines given as `name: value`.
    pub async fn ask(&self, method: &str, path: &str, lines: &[&str], body: impl Into<Body>) -> Answer {
        let mut request = Request::builder().method(method).uri(path).header("authorization", format!("Bearer {TOKEN}"));
        for line in lines {
            let (name, value) = line.split_once(": ").unwrap();
            request = request.header(name, value);
        }
        self.send(request.body(body.into()).unwrap()).await
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, &[], Body::empty()).await
    }

    pub async fn put(&self, path: &str, etag: Option<&str>, body: Value) -> Answer {
        let etag = etag.map(|etag| format!("if-match: {etag}"));
        let mut lines = vec!["content-type: application/json"];
        lines.extend(etag.as_deref());
        self.ask("PUT", path, &lines, body.to_string()).await
    }

    pub async fn patch(&self, path: &str, etag: &str, body: Value) -> Answer {
        let etag = format!("if-match: {etag}");
        self.ask("PATCH", path, &["content-type: application/merge-patch+json", &etag], body.to_string()).await
    }

    pub async fn delete(&self, path: &str, etag: &str) -> Answer {
        self.ask("DELETE", path, &[&format!("if-match: {etag}")], Body::empty()).await
    }

    /// A policy `shop`, an IP list `office`, a vhost `shop` that uses both: revisions 1 to 3.
    pub async fn furnish(&self) {
        self.put("/api/v1/policies/shop", None, json!({})).await.is(201);
        self.put("/api/v1/ip-lists/office", None, json!({})).await.is(201);
        self.put("/api/v1/vhosts/shop", None, vhost("shop")).await.is(201);
    }
}

pub fn vhost(name: &str) -> Value {
    json!({
        "hostnames": [format!("{name}.example.com")], "policy": "shop", "access": {"trust": ["office"]}, "labels": {"team": "web"},
        "upstream": {"servers": [{"address": "192.0.2.10", "port": 8080}]},
    })
}
