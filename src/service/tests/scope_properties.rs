//! Whatever somebody with a scope does, no vhost outside of it is treated otherwise: random states, scopes and writes, judged by what is compiled.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::compile::compile;
use crate::domain::{Action, Grant, Hostname, Subject, Vhost};
use crate::render::render;
use crate::service::apply::Next;
use crate::service::authorize::{Purpose, Warrant};
use crate::service::merge::Staged;
use crate::service::object::Object;
use crate::service::writer::{Made, Work};
use crate::service::{whole, write};

/// A little generator: the seed of what fails is all that is needed to see it again.
pub struct Dice(pub u64);

impl Dice {
    pub fn below(&mut self, most: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % most
    }
    pub fn often(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
    pub fn one<'a, T: ?Sized>(&mut self, of: &[&'a T]) -> &'a T {
        of[self.below(of.len() as u64) as usize]
    }
}

const VHOSTS: [&str; 4] = ["a", "b", "c", "d"];
const POLICIES: [&str; 4] = ["p", "q", "r", "s"];
const LISTS: [&str; 3] = ["x", "y", "z"];
const HOSTNAMES: [&str; 8] = [
    "a.example.com",
    "b.example.com",
    "*.example.com",
    "w.b.example.com",
    "*.b.example.com",
    "c.example.org",
    "*.example.org",
    "d.example.org",
];
/// Hosts that clients ask for.
const ASKED: [&str; 8] = [
    "a.example.com",
    "b.example.com",
    "other.example.com",
    "w.b.example.com",
    "v.b.example.com",
    "c.example.org",
    "d.example.org",
    "e.example.org",
];

fn a_state(dice: &mut Dice) -> Snapshot {
    let mut out = Snapshot::default();
    out.revision = 1;
    for (number, name) in (1..).zip(POLICIES) {
        if dice.often(85) {
            let exclusions = if dice.often(50) { json!([{"id": "e", "rule": {"id": 942_100 + dice.below(2) * 10}}]) } else { json!([]) };
            let mode = dice.one(&["off", "detect", "block"]);
            sample::put_policy(&mut out, number, json!({"name": name, "mode": mode, "exclusions": exclusions}));
        }
    }
    for (number, name) in (1..).zip(LISTS) {
        if dice.often(85) {
            let entries = (0..dice.below(3)).map(|n| serde_json::from_value(json!({"network": format!("192.0.2.{n}")})).unwrap());
            out.ip_lists.insert(super::n(name), sample::list(number, name, entries));
        }
    }
    let mut of: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for hostname in HOSTNAMES {
        if dice.often(80) {
            of.entry(dice.one(&VHOSTS)).or_default().push(hostname);
        }
    }
    let (policies, lists): (Vec<String>, Vec<String>) =
        (out.policies.keys().map(ToString::to_string).collect(), out.ip_lists.keys().map(ToString::to_string).collect());
    for (number, name) in (1..).zip(VHOSTS) {
        let Some(hostnames) = of.get(name).filter(|_| !policies.is_empty()) else { continue };
        let policy = |dice: &mut Dice| policies[dice.below(policies.len() as u64) as usize].clone();
        let list = |dice: &mut Dice| {
            if lists.is_empty() || dice.often(60) { json!([]) } else { json!([lists[dice.below(lists.len() as u64) as usize]]) }
        };
        let paths = if dice.often(30) { json!([{"prefix": "/x/", "policy": policy(dice)}]) } else { json!([]) };
        let labels = if dice.often(60) { json!({"team": dice.one(&["web", "ops"])}) } else { json!({}) };
        let vhost = json!({
            "name": name, "hostnames": hostnames, "policy": policy(dice), "paths": paths, "labels": labels, "enabled": dice.often(85),
            "access": {"deny": list(dice), "trust": list(dice)},
            "upstream": {"servers": [{"name": "s", "address": "192.0.2.10", "port": 8080 + dice.below(2)}]},
        });
        sample::put_vhost(&mut out, number, vhost);
    }
    out
}

fn a_grant(dice: &mut Dice) -> Grant {
    let mut scope = json!({});
    match dice.below(4) {
        0 => scope = json!({"vhosts": [dice.one(&VHOSTS)]}),
        1 => scope = json!({"labels": {"team": "web"}}),
        2 => scope = json!({"hostnames": [dice.one(&["*.example.com", "*.b.example.com", "*.example.org", "a.example.com"])]}),
        _ => {
            let names: BTreeSet<&str> = [dice.one(&VHOSTS), dice.one(&VHOSTS)].into();
            scope["vhosts"] = json!(names);
        }
    }
    let grant = if dice.often(70) {
        json!({"roles": [{"role": "editor", "scope": scope}]})
    } else {
        let kinds = dice.one(&["vhost", "policy", "exclusion", "entry", "server", "path"]);
        json!({"roles": [{"role": "viewer", "scope": scope}], "permits": [{"actions": ["create", "update", "delete"], "kinds": [kinds], "scope": scope}]})
    };
    serde_json::from_value(grant).unwrap()
}

/// Some of the objects as they are in another state.
fn a_write(dice: &mut Dice, from: &Snapshot, to: &Snapshot) -> Vec<Staged> {
    let keys = VHOSTS.map(|name| (Kind::Vhost, name)).into_iter().chain(POLICIES.map(|name| (Kind::Policy, name)));
    let keys = keys.chain(LISTS.map(|name| (Kind::IpList, name)));
    let share = [15, 30, 60][dice.below(3) as usize];
    let some = keys.filter(|_| dice.often(share)).map(|(kind, name)| {
        let name = super::n(name);
        Staged::between(kind, &name, Object::find(from, kind, &name).as_ref(), Object::find(to, kind, &name).as_ref())
    });
    some.filter(|one| !one.is_nothing()).collect()
}

fn answering<'s>(snapshot: &'s Snapshot, host: &str) -> Option<&'s Vhost> {
    let exact = snapshot.vhost_of(&Hostname::parse(host).unwrap());
    let (_, rest) = host.split_once('.').unwrap();
    let name = exact.or_else(|| snapshot.vhost_of(&Hostname::parse(&format!("*.{rest}")).unwrap()))?;
    Some(&snapshot.vhosts[name].spec)
}

#[test]
fn no_vhost_out_of_scope_is_treated_otherwise() {
    let node = sample::node("/run/guard-proxy");
    let now = OffsetDateTime::from_unix_timestamp(1_795_348_800).unwrap();
    let (mut done, mut shared, mut refused) = (0, 0, 0);
    for seed in 0..6000u64 {
        let mut dice = Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let before = a_state(&mut dice);
        let other = a_state(&mut dice);
        let staged = a_write(&mut dice, &before, &other);
        let grant = a_grant(&mut dice);
        let reserved = grant.labels().cloned().collect();
        let warrant = Warrant::of(Arc::new(grant.clone()), Purpose::Edit, reserved);
        let fresh = write::provisional(&before);
        let made = warrant.make(&Work::Staged(staged), &before, Next { revision: 2, now, fresh: &fresh });
        let Ok(Made::Changed(changes)) = made else {
            refused += 1;
            continue;
        };
        done += 1;
        shared += usize::from(changes.iter().any(|change| change.kind != Kind::Vhost));
        let mut after = before.clone();
        whole::put(&mut after, &changes);
        let kinds = [Subject::Vhost, Subject::Policy, Subject::IpList, Subject::Exclusion, Subject::Entry, Subject::Server, Subject::Path];
        let covers = |vhost: &Vhost| kinds.iter().any(|kind| Action::ALL[1..].iter().any(|action| grant.on(*action, *kind, vhost)));
        let bundle = |snapshot: &Snapshot, previous| render(&compile(snapshot, &node, now), &node, previous).unwrap();
        let old = bundle(&before, None);
        let new = bundle(&after, Some(&old));
        for name in crate::plan::affected(Some(&old), &new).names {
            for state in [&before, &after] {
                assert!(
                    state.vhosts.get(&name).is_none_or(|vhost| covers(&vhost.spec)),
                    "seed {seed}: {name} is out of {grant:?}: {changes:#?}"
                );
            }
        }
        for host in ASKED {
            if let Some(old) = answering(&before, host).filter(|vhost| !covers(vhost)) {
                let new = answering(&after, host).map(|vhost| &vhost.name);
                assert_eq!(new, Some(&old.name), "seed {seed}: {host} is taken from {} by {grant:?}", old.name);
            }
        }
    }
    // The test would be empty if next to nothing were allowed.
    assert!(done > 300 && shared > 100 && refused > 300, "{done} {shared} {refused}");
}
