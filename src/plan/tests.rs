//! Two states each, and what is said of the way from one to the other.

use std::sync::Arc;

use serde_json::{Value, json};
use time::{Duration, OffsetDateTime};

use super::*;
use crate::compile::{compile, sample};
use crate::domain::snapshot::ListState;
use crate::domain::{Entry, Kind, Name, Snapshot};
use crate::render::{Bundle, render};

mod diff;
mod digest;
mod effects;
mod files;
mod lines;
mod properties;
mod risk;

const NOW: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;

fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

fn bundle(snapshot: &Snapshot) -> Bundle {
    let node = sample::node("/run/guard-proxy");
    let desired = compile(snapshot, &node, NOW);
    assert_eq!(desired.problems, []);
    render(&desired, &node, None).unwrap()
}

/// `fields` over `least`, member by member.
fn with(least: Value, fields: Value) -> Value {
    let (Value::Object(mut least), Value::Object(fields)) = (least, fields) else { panic!("objects") };
    least.extend(fields);
    Value::Object(least)
}

/// Vhost `a`, number 1, with policy `p`; the fields given instead of the defaults.
fn vhost(fields: Value) -> Value {
    let upstream = json!({"servers": [{"name": "s", "address": "192.0.2.1", "port": 80}]});
    with(json!({"name": "a", "hostnames": ["a.test"], "policy": "p", "upstream": upstream}), fields)
}

fn policy(fields: Value) -> Value {
    with(json!({"name": "p"}), fields)
}

/// Policies `p` and `q`, and vhost `a`.
fn state(p: Value, q: Value, a: Value) -> Snapshot {
    let mut out = Snapshot::default();
    sample::put_policy(&mut out, 1, policy(p));
    sample::put_policy(&mut out, 2, with(json!({"name": "q"}), q));
    sample::put_vhost(&mut out, 1, vhost(a));
    out
}

fn entry(network: &str) -> Entry {
    serde_json::from_value(json!({"network": network})).unwrap()
}

fn expired(network: &str) -> Entry {
    Entry { expires_at: Some(NOW - Duration::SECOND), ..entry(network) }
}

fn put_list(snapshot: &mut Snapshot, number: u32, name: &str, entries: Vec<Entry>) {
    let list: Arc<ListState> = sample::list(number, name, entries);
    snapshot.ip_lists.insert(list.list.spec.name.clone(), list);
}

/// Pointer and words of every change, of all objects.
fn told(before: &Snapshot, after: &Snapshot) -> Vec<String> {
    let changes = super::diff(before, after, None).changes;
    changes.iter().flat_map(|object| &object.fields).map(|field| format!("{} | {}", field.pointer, field.words)).collect()
}
