//! Single sign-on for tests: the router, a provider on loopback, and a browser between them.

use serde_json::{Value, json};
use sqlx::PgPool;

use super::harness::Answer;
use super::people_lab::{COOKIE, Lab, Signed, lab_with};
use super::sso_provider::{BACK, CLIENT, Running, SECRET, provider};
use crate::auth::{OidcOptions, Text};
use crate::domain::audit::AuditEvent;
use crate::domain::{GroupRole, Principal};
use crate::service::{Caller, PeopleOptions, SsoOptions};

pub const SSO_COOKIE: &str = "__Host-guard-proxy-sso";
pub const MAPPING: &str = r#"[{"group": "admins", "role": "admin"}, {"group": "shop", "role": "editor", "scope": {"vhosts": ["shop"]}},
    {"group": "readers", "role": "viewer"}]"#;

pub struct SsoLab {
    pub lab: Lab,
    pub provider: Running,
}

impl std::ops::Deref for SsoLab {
    type Target = Lab;
    fn deref(&self) -> &Lab {
        &self.lab
    }
}

pub fn options(issuer: String) -> SsoOptions {
    let provider = OidcOptions {
        issuer,
        client_id: CLIENT.to_owned(),
        client_secret: Some(Text::new(SECRET)),
        ca: None,
        name: "Test".to_owned(),
        public_url: "https://guard.example.com".to_owned(),
        scopes: ["openid", "email", "profile"].map(str::to_owned).to_vec(),
        groups_claim: "groups".to_owned(),
        email_claim: "email".to_owned(),
    };
    let roles: Vec<GroupRole> = serde_json::from_str(MAPPING).unwrap();
    SsoOptions { provider, roles, create_people: true, link_verified_email: false, longest: time::Duration::hours(12) }
}

pub async fn sso_lab(pool: &PgPool) -> SsoLab {
    sso_lab_with(pool, |_| {}).await
}

pub async fn sso_lab_with(pool: &PgPool, set: impl FnOnce(&mut SsoOptions)) -> SsoLab {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut options = options(format!("http://{}/realms/test", listener.local_addr().unwrap()));
    set(&mut options);
    let mut clock = None;
    let lab = lab_with(pool, |of_lab| {
        clock = Some(of_lab);
        PeopleOptions { sso: Some(options), ..PeopleOptions::default() }
    })
    .await;
    SsoLab { lab, provider: provider(listener, clock.unwrap()).await }
}

/// A browser that has begun.
#[derive(Clone, Debug)]
pub struct Begun {
    pub url: String,
    pub cookie: String,
}

impl Begun {
    pub fn state(&self) -> &str {
        self.url.split("state=").nth(1).unwrap().split('&').next().unwrap()
    }
}

/// The value of a cookie that an answer sets; None: it sets none.
pub fn cookie_of(answer: &Answer, name: &str) -> Option<String> {
    let mut lines = answer.headers.get_all("set-cookie").iter().map(|line| line.to_str().unwrap());
    let line = lines.rfind(|line| line.starts_with(&format!("{name}=")))?;
    assert!(line.contains("; Path=/; HttpOnly; SameSite=") && line.ends_with("; Secure"), "{line}");
    Some(line.split(';').next().unwrap().split_once('=').unwrap().1.to_owned())
}

impl SsoLab {
    pub async fn begin(&self) -> Begun {
        self.begin_to("").await
    }

    pub async fn begin_to(&self, query: &str) -> Begun {
        let answer = self.plain("GET", &format!("/api/v1/auth/sso{query}"), &[], Value::Null).await.is(303);
        let cookie = cookie_of(&answer, SSO_COOKIE).unwrap_or_else(|| panic!("{answer:?}"));
        assert!(answer.headers["set-cookie"].to_str().unwrap().contains("SameSite=Lax; Max-Age=600"));
        Begun { url: answer.header("location").to_owned(), cookie }
    }

    /// What the provider sends the browser back with.
    pub async fn at_provider(&self, begun: &Begun) -> String {
        let client = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        let answer = client.get(&begun.url).send().await.unwrap();
        assert_eq!(answer.status(), 303, "{}", answer.text().await.unwrap());
        answer.headers()["location"].to_str().unwrap().strip_prefix(BACK).unwrap().to_owned()
    }

    pub async fn back(&self, query: &str, cookie: Option<&str>) -> Answer {
        let line = cookie.map(|cookie| format!("cookie: {SSO_COOKIE}={cookie}"));
        let lines: Vec<&str> = line.as_deref().into_iter().collect();
        self.plain("GET", &format!("/api/v1/auth/sso/callback{query}"), &lines, Value::Null).await
    }

    /// All of it.
    pub async fn try_sso(&self) -> Answer {
        let begun = self.begin().await;
        let query = self.at_provider(&begun).await;
        self.back(&query, Some(&begun.cookie)).await
    }

    /// In the panel, which asks for an access token by the cookie.
    pub async fn sso(&self) -> Signed {
        self.panel(self.try_sso().await).await
    }

    pub async fn panel(&self, answer: Answer) -> Signed {
        let answer = answer.is(303);
        assert!(!answer.header("location").contains("error"), "{answer:?}");
        assert_eq!(cookie_of(&answer, SSO_COOKIE).unwrap(), "");
        let cookie = cookie_of(&answer, COOKIE).unwrap();
        super::people_lab::signed(self.refresh(&cookie).await)
    }

    pub async fn refused(&self, code: &str) {
        failed(self.try_sso().await, code);
    }

    /// Rows of the audit log, newest first: action, author, reason.
    pub async fn log(&self) -> Vec<(String, String, Value)> {
        // Those before it are in the log when this one is.
        let caller = Caller { principal: Principal::System, request_id: String::new(), address: None };
        self.service.audit(&caller, AuditEvent { action: "marker", kind: "marker", ..AuditEvent::default() }).await.unwrap();
        let page = self.admin("GET", "/api/v1/audit?limit=50&kind=user", Value::Null).await.is(200).json();
        let row =
            |row: &Value| (row["action"].as_str().unwrap().to_owned(), row["author"].as_str().unwrap().to_owned(), row["after"].clone());
        page["items"].as_array().unwrap().iter().map(row).collect()
    }

    pub async fn person(&self, email: &str) -> Value {
        let page = self.admin("GET", &format!("/api/v1/users?q={email}"), Value::Null).await.is(200).json();
        page["items"][0].clone()
    }

    pub async fn me(&self, who: &Signed) -> Value {
        self.by(who, "GET", "/api/v1/auth/me", json!(null)).await.is(200).json()
    }
}

/// Nobody was let in, and the panel says why.
#[track_caller]
pub fn failed(answer: Answer, code: &str) {
    let answer = answer.is(303);
    assert_eq!(answer.header("location"), format!("/sign-in?error={code}"));
    assert!(cookie_of(&answer, COOKIE).is_none() && answer.text.is_empty(), "{answer:?}");
}
