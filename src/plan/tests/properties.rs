//! Differences are there where the specs differ, and nowhere else.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

fn a_policy() -> impl Strategy<Value = Value> {
    let rules = vec(0u32..4, 0..4).prop_map(|mut ids| {
        let mut seen = std::collections::BTreeSet::new();
        ids.retain(|id| seen.insert(*id));
        ids.into_iter().map(|id| json!({"id": 190_000 + id, "seclang": "x", "enabled": id != 1})).collect::<Vec<_>>()
    });
    let methods = Just(vec!["GET", "POST", "PUT"]).prop_shuffle();
    (prop_oneof![Just("off"), Just("block")], 1u8..=2, rules, methods, any::<bool>(), 0usize..2).prop_map(|(mode, level, rules, methods, long, exclusions)| {
        let title = if long { "x".repeat(200) } else { String::new() };
        let exclusions = vec![json!({"id": "x", "rule": {"tag": "a"}}); exclusions];
        json!({"mode": mode, "paranoia": {"blocking": level}, "custom_rules": rules, "allowed_methods": methods, "title": title, "exclusions": exclusions})
    })
}

fn a_vhost() -> impl Strategy<Value = Value> {
    let servers = vec(1u16..3, 1..3).prop_map(|ports| {
        let server = |(n, port): (usize, &u16)| json!({"name": format!("s{n}"), "address": "192.0.2.1", "port": port});
        ports.iter().enumerate().map(server).collect::<Vec<_>>()
    });
    let paths = Just(vec![json!({"prefix": "/a/"}), json!({"prefix": "/b", "policy": "q"})]).prop_shuffle();
    (servers, paths, proptest::option::of(1u32..3), any::<bool>()).prop_map(|(servers, paths, limit, enabled)| {
        let limit = limit.map(|requests| json!({"requests": requests}));
        json!({"upstream": {"servers": servers}, "paths": paths, "rate_limit": limit, "enabled": enabled})
    })
}

fn a_state() -> impl Strategy<Value = Snapshot> {
    (a_policy(), a_vhost(), vec((0u8..3, any::<bool>()), 0..3), any::<bool>()).prop_map(|(policy, vhost, entries, there)| {
        let mut out = state(policy, json!({}), vhost);
        let entries = entries.into_iter().map(|(n, old)| if old { expired(&format!("10.0.0.{n}")) } else { entry(&format!("10.0.0.{n}")) });
        put_list(&mut out, 1, "x", entries.collect());
        if !there {
            out.remove_vhost(&name("a"));
        }
        out
    })
}

/// All that a caller could have written.
fn specs(snapshot: &Snapshot) -> Value {
    json!([
        snapshot.policies.values().map(|policy| &policy.spec).collect::<Vec<_>>(),
        snapshot.vhosts.values().map(|vhost| &vhost.spec).collect::<Vec<_>>(),
        snapshot.ip_lists.values().map(|list| (&list.list.spec, list.entries.values().collect::<Vec<_>>())).collect::<Vec<_>>(),
    ])
}

proptest! {
    #[test]
    fn a_diff_is_empty_where_the_specs_are_the_same(before in a_state(), after in a_state()) {
        prop_assert_eq!(super::super::diff(&before, &before, None), Default::default());
        let diff = super::super::diff(&before, &after, None);
        prop_assert_eq!(diff.changes.is_empty(), specs(&before) == specs(&after));
        prop_assert_eq!(diff.counts.total(), diff.changes.len());
        for object in &diff.changes {
            prop_assert!(!object.fields.is_empty(), "{object:?} has no fields");
            for field in &object.fields {
                prop_assert!(field.before != field.after, "{field:?}");
                prop_assert!(!field.words.contains('\n') && field.words.chars().count() <= 300, "{field:?}");
            }
        }
        let pointers: std::collections::BTreeSet<_> = diff.changes.iter().flat_map(|o| o.fields.iter().map(move |f| (o.kind as u8, &o.name, &f.pointer))).collect();
        prop_assert_eq!(pointers.len(), diff.changes.iter().map(|object| object.fields.len()).sum::<usize>());
        let back = super::super::diff(&after, &before, None);
        prop_assert_eq!((back.counts.created, back.counts.deleted), (diff.counts.deleted, diff.counts.created));
        prop_assert_eq!(super::super::risk(&before, &before, None, NOW), Default::default());
    }
}
