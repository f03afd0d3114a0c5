//! People for tests: a clock that is moved by hand, somebody who signs in, a browser's cookie.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use axum::body::Body;
use axum::extract::ConnectInfo;
use http::Request;
use serde_json::{Value, json};
use sqlx::PgPool;
use time::OffsetDateTime;

use super::harness::{Answer, App, app_with};
use crate::api::serve::Peer;
use crate::service::PeopleOptions;
use crate::telemetry::clock::{self, Clock};

pub const PASSWORD: &str = "a quiet green harbour";
pub const COOKIE: &str = "__Host-guard-proxy-session";

pub struct Lab {
    pub app: App,
    ahead: Arc<AtomicI64>,
}

impl std::ops::Deref for Lab {
    type Target = App;
    fn deref(&self) -> &App {
        &self.app
    }
}

pub async fn lab(pool: &PgPool) -> Lab {
    lab_with(pool, |_| PeopleOptions::default()).await
}

pub async fn lab_with(pool: &PgPool, people: impl FnOnce(Clock) -> PeopleOptions) -> Lab {
    let ahead = Arc::new(AtomicI64::new(0));
    // Stands still but for `pass`: how busy the machine is decides nothing.
    let (begun, seconds) = (clock::system()(), Arc::clone(&ahead));
    let clock: Clock = Arc::new(move || begun + time::Duration::seconds(seconds.load(Ordering::Relaxed)));
    let people = people(Arc::clone(&clock));
    Lab { app: app_with(pool, clock, people).await, ahead }
}

/// Who has signed in.
#[derive(Clone, Debug)]
pub struct Signed {
    pub access: String,
    /// What the browser has.
    pub cookie: Option<String>,
    pub body: Value,
}

impl Lab {
    pub fn pass(&self, seconds: i64) {
        self.ahead.fetch_add(seconds, Ordering::Relaxed);
    }

    pub fn now(&self) -> OffsetDateTime {
        self.service.now()
    }

    /// With header lines, and no credential of its own.
    pub async fn plain(&self, method: &str, path: &str, lines: &[&str], body: Value) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        for line in lines {
            let (name, value) = line.split_once(": ").unwrap();
            request = request.header(name, value);
        }
        let body = if body.is_null() { Body::empty() } else { Body::from(body.to_string()) };
        self.send(request.header("content-type", "application/json").body(body).unwrap()).await
    }

    pub async fn by(&self, who: &Signed, method: &str, path: &str, body: Value) -> Answer {
        self.plain(method, path, &[&format!("authorization: Bearer {}", who.access)], body).await
    }

    /// As the administrator's token.
    pub async fn admin(&self, method: &str, path: &str, body: Value) -> Answer {
        self.plain(method, path, &[&format!("authorization: Bearer {}", super::harness::TOKEN)], body).await
    }

    pub async fn set_up(&self, token: &Value, email: &str, password: &str) -> Answer {
        self.plain("POST", "/api/v1/auth/setup", &[], json!({"token": token, "email": email, "password": password})).await
    }

    /// Somebody with a role everywhere, and a password; the id.
    pub async fn somebody(&self, email: &str, role: &str) -> String {
        let invited = self.admin("POST", "/api/v1/users", json!({"email": email, "roles": [{"role": role}]})).await.is(201).json();
        self.set_up(&invited["setup"]["token"], email, PASSWORD).await.is(200);
        invited["user"]["id"].as_str().unwrap().to_owned()
    }

    pub async fn try_sign_in(&self, email: &str, password: &str) -> Answer {
        self.plain("POST", "/api/v1/auth/sign-in", &[], json!({"email": email, "password": password})).await
    }

    /// From an address, perhaps by way of a proxy that says whose it is.
    pub async fn try_sign_in_from(&self, peer: &str, told: Option<&str>, email: &str, password: &str) -> Answer {
        let mut request = Request::builder().method("POST").uri("/api/v1/auth/sign-in").header("content-type", "application/json");
        if let Some(told) = told {
            request = request.header("x-forwarded-for", told);
        }
        let body = json!({"email": email, "password": password}).to_string();
        let mut request = request.body(Body::from(body)).unwrap();
        request.extensions_mut().insert(ConnectInfo(Peer(std::net::SocketAddr::new(peer.parse().unwrap(), 4711))));
        self.send(request).await
    }

    pub async fn sign_in(&self, email: &str) -> Signed {
        signed(self.try_sign_in(email, PASSWORD).await)
    }

    pub async fn refresh(&self, cookie: &str) -> Answer {
        self.plain("POST", "/api/v1/auth/refresh", &[&format!("cookie: {COOKIE}={cookie}")], Value::Null).await
    }
}

pub fn signed(answer: Answer) -> Signed {
    let answer = answer.is(200);
    let cookie = answer.headers.get("set-cookie").map(|line| {
        let line = line.to_str().unwrap();
        assert!(line.contains("; Path=/; HttpOnly; SameSite=Strict; Max-Age=") && line.ends_with("; Secure"), "{line}");
        line.split(';').next().unwrap().strip_prefix(&format!("{COOKIE}=")).unwrap().to_owned()
    });
    let body = answer.json();
    Signed { access: body["access_token"].as_str().unwrap().to_owned(), cookie, body }
}
