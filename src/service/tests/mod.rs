//! The service on a real PostgreSQL, a database a test; engines are stubs.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use futures::future::BoxFuture;
use serde_json::{Value, json};
use sqlx::postgres::PgConnectOptions;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{Caller, Engines, Operation, Precondition, Service, Written};
use crate::compile::sample;
use crate::dataplane::{Accepted, ServerStatus, Verdict};
use crate::domain::error::{Error, Result};
use crate::domain::{FieldError, Kind, Name, Principal, Snapshot};
use crate::render::{Bundle, RenderedRuleSet};
use crate::store::{Store, StoreSettings};

mod approval;
mod audit;
mod audit_migration;
mod audit_scopes;
mod auth;
mod change_sets;
mod engines;
mod history;
mod lists;
mod live;
mod merges;
mod outage;
mod plans;
mod scope_properties;
mod scope_reads;
mod scopes;
mod seals;
mod take_back;
mod traffic;
mod writes;

/// What the stub says when asked.
#[derive(Clone, Default)]
pub enum Mood {
    #[default]
    Accept,
    Refuse(String),
    Away,
    Hang,
}

#[derive(Default)]
pub struct Stub {
    pub mood: Mutex<Mood>,
    pub rulesets: AtomicUsize,
    pub structures: AtomicUsize,
    pub accepted: Accepted,
}

impl Stub {
    fn answer(&self) -> BoxFuture<'_, Verdict> {
        let mood = self.mood.lock().unwrap().clone();
        Box::pin(async move {
            match mood {
                Mood::Accept => Verdict::Accepted { findings: Vec::new() },
                Mood::Refuse(pointer) => Verdict::Refused {
                    engine: "stub",
                    said: "no".to_owned(),
                    errors: vec![FieldError::new(pointer, "engine_refused", "no")],
                },
                Mood::Away => Verdict::Away("gone".to_owned()),
                Mood::Hang => std::future::pending().await,
            }
        })
    }
}

impl Engines for Stub {
    fn validate_ruleset<'a>(&'a self, _: &'a RenderedRuleSet) -> BoxFuture<'a, Verdict> {
        self.rulesets.fetch_add(1, Ordering::Relaxed);
        self.answer()
    }
    fn validate_structure<'a>(&'a self, _: &'a Bundle) -> BoxFuture<'a, Verdict> {
        self.structures.fetch_add(1, Ordering::Relaxed);
        self.answer()
    }
    fn accepted(&self) -> &Accepted {
        &self.accepted
    }
    fn servers(&self, _: u32) -> BoxFuture<'_, Result<Vec<ServerStatus>, String>> {
        Box::pin(async { Err("gone".to_owned()) })
    }
    fn patience(&self) -> std::time::Duration {
        std::time::Duration::from_millis(300)
    }
}

/// 2026-11-22 12:00:00 UTC, and one millisecond more each time it is asked.
pub fn ticking() -> crate::telemetry::clock::Clock {
    let ticks = AtomicUsize::new(0);
    let start = OffsetDateTime::from_unix_timestamp(1_795_348_800).unwrap();
    Arc::new(move || start + time::Duration::milliseconds(ticks.fetch_add(1, Ordering::Relaxed) as i64))
}

pub struct House {
    pub service: Service,
    pub stub: Arc<Stub>,
    pub options: PgConnectOptions,
}

impl House {
    pub async fn new(options: PgConnectOptions) -> Self {
        let stub = Arc::new(Stub::default());
        let service = start(&options, Arc::clone(&stub)).await.unwrap();
        Self { service, stub, options }
    }

    /// Stops, and comes up again from what the database has.
    pub async fn restart(self) -> Self {
        self.service.close().await;
        Self::new(self.options).await
    }

    pub async fn write(&self, operation: Operation, precondition: Precondition) -> Result<Written> {
        self.service.write(&caller(), operation, precondition, "a test").await
    }

    pub async fn put(&self, kind: Kind, name: &str, value: Value) -> Written {
        let exists = super::object::Object::find(&self.service.head(), kind, &n(name)).is_some();
        let precondition = if exists { Precondition::Any } else { Precondition::None };
        self.write(Operation::Put { kind, name: n(name), value }, precondition).await.unwrap()
    }

    pub async fn patch(&self, kind: Kind, name: &str, patch: Value) -> Result<Written> {
        self.write(Operation::Patch { kind, name: n(name), patch }, Precondition::Any).await
    }

    pub async fn delete(&self, kind: Kind, name: &str) -> Result<Written> {
        self.write(Operation::Delete { kind, name: n(name) }, Precondition::Any).await
    }

    /// A policy `base`, and a vhost `shop` that uses it.
    pub async fn furnish(&self) {
        self.put(Kind::Policy, "base", json!({})).await;
        self.put(Kind::Vhost, "shop", vhost("shop", "base")).await;
    }
}

pub async fn start(options: &PgConnectOptions, stub: Arc<Stub>) -> Result<Service> {
    let store = Store::with_options(options.clone(), &StoreSettings::default()).await?;
    Service::start(store, stub, sample::node("/run/guard-proxy"), ticking()).await
}

pub fn n(name: &str) -> Name {
    Name::parse(name).unwrap()
}

pub fn caller() -> Caller {
    Caller {
        principal: Principal::Token { id: Uuid::from_u128(7), name: "tester".to_owned(), grant: Arc::new(crate::domain::Grant::admin()) },
        request_id: "req-1".to_owned(),
        address: Some([192, 0, 2, 1].into()),
    }
}

/// Somebody else.
pub fn stranger() -> Caller {
    Caller {
        principal: Principal::Token { id: Uuid::from_u128(8), name: "stranger".to_owned(), grant: Arc::new(crate::domain::Grant::admin()) },
        ..caller()
    }
}

pub fn vhost(name: &str, policy: &str) -> Value {
    json!({
        "hostnames": [format!("{name}.example.com")], "policy": policy,
        "upstream": {"servers": [{"address": "192.0.2.10", "port": 8080}]},
    })
}

/// (pointer, code) of the faults.
pub fn faults<T: std::fmt::Debug>(result: Result<T>) -> Vec<(String, String)> {
    match result {
        Err(Error::Invalid(faults) | Error::EngineRefused { errors: faults, .. }) => {
            faults.into_iter().map(|fault| (fault.pointer, fault.code)).collect()
        }
        other => panic!("{other:?}"),
    }
}

/// All that a snapshot says, as text.
pub fn told(snapshot: &Snapshot) -> String {
    format!("{snapshot:#?}")
}
