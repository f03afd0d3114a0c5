//! What differs, object by object.

use serde::Serialize;
use serde_json::{Value, json};

use super::changes::{Changes, Pair};
use super::fields::{At, Fields};
use super::pointer;
use crate::domain::diff::{Diff, ObjectDiff};
use crate::domain::revision::ChangeType;
use crate::domain::snapshot::ListState;
use crate::domain::{IpList, Kind, Name, Policy, Snapshot, Vhost};

/// Objects of a diff that are shown.
const MOST_OBJECTS: usize = 500;

/// What differs from `before` to `after`, in what callers write: revisions and times do not count. `only`: of that object alone.
pub fn diff(before: &Snapshot, after: &Snapshot, only: Option<(Kind, &Name)>) -> Diff {
    let changes = Changes::between(before, after);
    let mut out = Diff::default();
    let wanted = |kind: Kind, name: &Name| only.is_none_or(|only| only == (kind, name));
    for pair in changes.policies.iter().filter(|pair| wanted(Kind::Policy, pair.name)) {
        add(&mut out, Kind::Policy, pair, |fields| of_spec(fields, pair.before, pair.after, || defaults_of_policy(pair.name)));
    }
    for pair in changes.ip_lists.iter().filter(|pair| wanted(Kind::IpList, pair.name)) {
        add(&mut out, Kind::IpList, pair, |fields| of_list(fields, pair));
    }
    for pair in changes.vhosts.iter().filter(|pair| wanted(Kind::Vhost, pair.name)) {
        add(&mut out, Kind::Vhost, pair, |fields| of_spec(fields, pair.before, pair.after, || defaults_of_vhost(pair.name)));
    }
    out
}

fn add<T>(out: &mut Diff, kind: Kind, pair: &Pair<T>, fill: impl FnOnce(&mut Fields)) {
    let change = match (pair.before, pair.after) {
        (None, _) => ChangeType::Created,
        (_, None) => ChangeType::Deleted,
        _ => ChangeType::Updated,
    };
    out.counts.add(change);
    if out.changes.len() == MOST_OBJECTS {
        out.left_out += 1;
        return;
    }
    let mut fields = Fields::default();
    fill(&mut fields);
    out.changes.push(ObjectDiff { kind, name: pair.name.clone(), change, fields: fields.changes, fields_left_out: fields.left_out });
}

/// Plain data always serializes.
fn value(spec: &impl Serialize) -> Value {
    serde_json::to_value(spec).expect("resources are plain data")
}

fn of_spec<T: Serialize>(fields: &mut Fields, before: Option<&T>, after: Option<&T>, defaults: impl FnOnce() -> Value) {
    match (before, after) {
        (Some(before), Some(after)) => fields.walk(&At::root(), &value(before), &value(after)),
        (Some(before), None) => fields.whole(&value(before), &defaults(), false),
        (None, Some(after)) => fields.whole(&value(after), &defaults(), true),
        (None, None) => {}
    }
}

fn of_list(fields: &mut Fields, pair: &Pair<ListState>) {
    let spec = |state: Option<&'_ ListState>| state.map(|state| state.list.spec.clone());
    let (before, after) = (spec(pair.before), spec(pair.after));
    of_spec(fields, before.as_ref(), after.as_ref(), || defaults_of_list(pair.name));
    for (network, old, new) in pair.entries() {
        let network = network.to_string();
        let at = At::element(pointer::child("/entries", &network), "entry", &network);
        match (old, new) {
            (Some(old), Some(new)) => fields.walk(&at, &value(old), &value(new)),
            (old, new) => fields.one_sided(&at, || old.map(value), || new.map(value)),
        }
    }
}

fn defaults_of_policy(name: &Name) -> Value {
    value(&Policy::new(name.clone()))
}

fn defaults_of_list(name: &Name) -> Value {
    let list: IpList = serde_json::from_value(json!({"name": name})).expect("the least that a list can be");
    value(&list)
}

/// Without the fields that every vhost must say.
fn defaults_of_vhost(name: &Name) -> Value {
    let least = json!({"name": name, "hostnames": [], "policy": "p", "upstream": {"servers": []}});
    let vhost: Vhost = serde_json::from_value(least).expect("the least that a vhost can be");
    let mut out = value(&vhost);
    if let Value::Object(members) = &mut out {
        members.retain(|member, _| !["hostnames", "policy", "upstream"].contains(&member.as_str()));
    }
    out
}
