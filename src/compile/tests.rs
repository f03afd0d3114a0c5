//! Compiled snapshots.

use std::net::IpAddr;

use serde_json::json;
use time::{Duration, OffsetDateTime};

use super::sample::{list, node, put_policy, put_vhost};
use super::*;
use crate::domain::{Entry, Mode, ModeOverride};

mod access;
mod exclusions;
mod places;
mod upstreams;

const NOW: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;

fn compiled(snapshot: &Snapshot) -> Desired {
    let desired = compile(snapshot, &node("/run/guard-proxy"), NOW);
    assert_eq!(desired.problems, []);
    desired
}

fn entry(network: &str) -> Entry {
    Entry { network: network.parse().unwrap(), comment: Default::default(), expires_at: None }
}

fn put_list(snapshot: &mut Snapshot, number: u32, name: &str, networks: &[&str]) {
    let list = list(number, name, networks.iter().map(|network| entry(network)));
    snapshot.ip_lists.insert(list.list.spec.name.clone(), list);
}

fn upstream() -> serde_json::Value {
    json!({"servers": [{"address": "192.0.2.1", "port": 80}]})
}

fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

/// One vhost `a`, number 1, with a policy `p`.
fn one() -> Snapshot {
    let mut snapshot = Snapshot::default();
    put_policy(&mut snapshot, 1, json!({"name": "p"}));
    put_vhost(&mut snapshot, 1, json!({"name": "a", "hostnames": ["a.test"], "policy": "p", "upstream": upstream()}));
    snapshot
}

#[test]
fn the_same_snapshot_compiles_to_the_same() {
    let snapshot = sample::snapshot(50, 5);
    let (one, two) = (compiled(&snapshot), compiled(&snapshot));
    assert_eq!((one.maps, one.rulesets, one.backends, one.probes), (two.maps, two.rulesets, two.backends, two.probes));
}

#[test]
fn maps_are_sorted_and_keys_are_there_once() {
    for (name, map) in compiled(&sample::snapshot(200, 5)).maps {
        assert!(map.windows(2).all(|pair| pair[0].0 < pair[1].0), "{name:?}");
    }
}

#[test]
fn an_emergency_mode_is_that_of_each_row_until_it_is_over() {
    let mut snapshot = one();
    let before = compiled(&snapshot);
    let vhost = snapshot.vhosts[&name("a")].clone();
    let now = NOW;
    let mut emergency = |until, vhost_id| {
        let one = ModeOverride {
            vhost: name("a"),
            vhost_id,
            mode: Mode::Off,
            until,
            reason: "night".into(),
            author: "me".into(),
            created_at: now,
        };
        snapshot.overrides = Arc::new([(name("a"), one)].into());
        compiled(&snapshot)
    };
    let soon = now + time::Duration::hours(1);
    let off = emergency(soon, vhost.id);
    assert!(off.probes[&name("a")].row.starts_with('O') && off.probes[&name("a")].mode == Mode::Off);
    assert_eq!((off.probes[&name("a")].ruleset.clone(), off.next_expiry), (before.probes[&name("a")].ruleset.clone(), Some(soon)));
    assert_eq!(emergency(now, vhost.id).probes[&name("a")].row, before.probes[&name("a")].row, "over");
    assert_eq!(emergency(soon, uuid::Uuid::from_u128(9)).probes[&name("a")].row, before.probes[&name("a")].row, "its predecessor's");
}

#[test]
fn a_generation_is_its_rows() {
    let mut snapshot = one();
    let before = compiled(&snapshot);
    put_vhost(&mut snapshot, 2, json!({"name": "b", "hostnames": ["b.test"], "policy": "p", "upstream": upstream()}));
    let with_neighbour = compiled(&snapshot);
    assert_eq!(before.probes[&name("a")].generation, with_neighbour.probes[&name("a")].generation);
    put_policy(&mut snapshot, 1, json!({"name": "p", "mode": "detect"}));
    let detect = compiled(&snapshot);
    let (old, new) = (&with_neighbour.probes[&name("a")], &detect.probes[&name("a")]);
    assert_ne!(old.generation, new.generation);
    assert_eq!(old.ruleset, new.ruleset, "a mode is no rule set");
    assert!(new.row.starts_with("D|1.1.5.4.D|rs-"), "{}", new.row);
    assert!((1..=10).contains(&new.generation.len()) && new.generation.bytes().all(|b| b.is_ascii_digit()));
    assert_eq!(*detect.maps[&MapName::Live], [("1".to_owned(), new.generation.clone()), ("2".to_owned(), new.generation.clone())]);
}

#[test]
fn a_disabled_vhost_keeps_its_hosts_and_backend_and_has_no_row() {
    let mut snapshot = one();
    let vhost = json!({"name": "a", "hostnames": ["a.test", "*.a.test"], "policy": "p", "upstream": upstream(), "enabled": false});
    put_vhost(&mut snapshot, 1, vhost);
    let desired = compiled(&snapshot);
    assert_eq!(*desired.maps[&MapName::Live], [("1".to_owned(), "off".to_owned())]);
    assert!(desired.maps[&MapName::Rows].is_empty());
    assert_eq!(*desired.maps[&MapName::Wildcards], [("a.test".to_owned(), "1".to_owned())]);
    assert_eq!((desired.backends.len(), desired.probes[&name("a")].generation.as_str()), (1, "off"));
}

#[test]
fn policies_that_differ_in_values_share_a_rule_set_and_unused_ones_have_none() {
    let mut snapshot = one();
    put_policy(
        &mut snapshot,
        2,
        json!({"name": "q", "paranoia": {"blocking": 4}, "allowed_methods": ["DELETE", "PATCH", "PUT", "OPTIONS", "POST", "HEAD", "GET"]}),
    );
    put_policy(&mut snapshot, 3, json!({"name": "r", "allowed_methods": ["GET"]}));
    put_policy(&mut snapshot, 4, json!({"name": "unused", "allowed_methods": ["POST"]}));
    for (number, policy) in [(2, "q"), (3, "r")] {
        put_vhost(
            &mut snapshot,
            number,
            json!({"name": policy, "hostnames": [format!("{policy}.test")], "policy": policy, "upstream": upstream()}),
        );
    }
    let desired = compiled(&snapshot);
    let policies: Vec<Vec<&str>> = desired.rulesets.values().map(|r| r.policies.iter().map(|name| name.as_str()).collect()).collect();
    assert_eq!(policies.len(), 2);
    assert!(policies.contains(&vec!["p", "q"]) && policies.contains(&vec!["r"]), "{policies:?}");
}

#[test]
fn the_next_expiry_is_of_what_is_used_and_still_to_come() {
    let mut snapshot = one();
    let at = |days: i64| (NOW + Duration::days(days)).format(&time::format_description::well_known::Rfc3339).unwrap();
    let exclusion = |days| json!({"rule": {"id": 942_100}, "expires_at": at(days)});
    put_policy(&mut snapshot, 1, json!({"name": "p", "exclusions": [exclusion(-1), exclusion(9)]}));
    put_policy(&mut snapshot, 2, json!({"name": "unused", "exclusions": [exclusion(1)]}));
    assert_eq!(compiled(&snapshot).next_expiry, Some(NOW + Duration::days(9)));
    let entry = |days| Entry { expires_at: Some(NOW + Duration::days(days)), ..entry("192.0.2.0/24") };
    for (number, name, days) in [(1, "used", 5), (2, "other", 2)] {
        let list = list(number, name, [entry(days)]);
        snapshot.ip_lists.insert(list.list.spec.name.clone(), list);
    }
    let vhost = json!({"name": "a", "hostnames": ["a.test"], "policy": "p", "upstream": upstream(), "access": {"deny": ["used"]}});
    put_vhost(&mut snapshot, 1, vhost);
    assert_eq!(compiled(&snapshot).next_expiry, Some(NOW + Duration::days(5)));
    let later = compile(&snapshot, &node("/run"), NOW + Duration::days(9));
    assert_eq!(later.next_expiry, None);
    assert!(later.rulesets.values().all(|r| r.source.after_crs.is_empty()), "expired exclusions are not compiled");
}

#[test]
fn a_probe_of_a_wildcard_asks_for_a_host_that_is_nobody_elses() {
    let mut snapshot = one();
    put_vhost(&mut snapshot, 2, json!({"name": "w", "hostnames": ["*.w.test"], "policy": "p", "upstream": upstream()}));
    assert_eq!(compiled(&snapshot).probes[&name("w")].host, "guard-proxy-probe.w.test");
    put_vhost(&mut snapshot, 3, json!({"name": "x", "hostnames": ["guard-proxy-probe.w.test"], "policy": "p", "upstream": upstream()}));
    let desired = compiled(&snapshot);
    assert_eq!(desired.probes[&name("w")].host, "guard-proxy-probe-2.w.test");
    assert_eq!(desired.backends[1].check_host, "guard-proxy-probe-2.w.test");
}

#[test]
fn what_is_missing_closes_and_is_said() {
    let mut snapshot = one();
    let access = json!({"allow_only": ["gone"], "deny": ["gone-too"]});
    put_vhost(&mut snapshot, 1, json!({"name": "a", "hostnames": ["a.test"], "policy": "p", "upstream": upstream(), "access": access}));
    put_vhost(&mut snapshot, 2, json!({"name": "b", "hostnames": ["b.test"], "policy": "gone", "upstream": upstream()}));
    let desired = compile(&snapshot, &node("/run"), NOW);
    let pointers: Vec<&str> = desired.problems.iter().map(|problem| problem.pointer.as_str()).collect();
    assert_eq!(pointers, ["/vhosts/a/access/deny/0", "/vhosts/a/access/allow_only/0", "/vhosts/b/policy"]);
    assert_eq!(*desired.maps[&MapName::Access], [("n|".to_owned(), "deny".to_owned())]);
    assert_eq!(desired.maps[&MapName::Rows].len(), 1, "no row for b: 503");
}

#[test]
fn a_diff_says_what_to_do() {
    let map = |entries: &[(&str, &str)]| -> Map { entries.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect() };
    let (old, new) = (map(&[("a", "1"), ("b", "1"), ("d", "1")]), map(&[("a", "1"), ("b", "2"), ("c", "1"), ("e", "1")]));
    let expected = MapDiff { added: map(&[("c", "1"), ("e", "1")]), changed: map(&[("b", "2")]), removed: vec!["d".to_owned()] };
    assert_eq!(diff(&old, &new), expected);
    assert_eq!((expected.len(), diff(&new, &new).is_empty()), (4, true));
    assert_eq!(diff(&Map::new(), &new).added, new);
    assert_eq!(diff(&old, &Map::new()).removed, ["a", "b", "d"]);
}

#[test]
fn redirect_targets_are_known_to_the_data_plane() {
    let mut snapshot = one();
    let rule = |id: u32, to: &str, enabled: bool| {
        let seclang = format!("SecRule ARGS:go \"@streq {id}\" \"phase:2,redirect:{to},log,msg:'go'\"");
        json!({"id": id, "enabled": enabled, "seclang": seclang})
    };
    let rules = json!([rule(190_001, "https://sorry.test/a", true), rule(190_002, "https://sorry.test/b", false)]);
    put_policy(&mut snapshot, 1, json!({"name": "p", "custom_rules": rules}));
    assert_eq!(*compiled(&snapshot).maps[&MapName::Redirects], [("https://sorry.test/a".to_owned(), "1".to_owned())]);
}
