//! Lanes, vhosts and cost.

use super::*;
use crate::domain::plan::Cost;

/// Lanes with reasons, affected vhosts, and cost.
fn effects(before: &Snapshot, after: &Snapshot) -> (Vec<String>, Vec<String>, Cost) {
    let (before, after) = (bundle(before), bundle(after));
    let lanes = lanes(Some(&before), &after).into_iter().map(|lane| format!("{:?}: {}", lane.lane, lane.reason)).collect();
    let affected = affected(Some(&before), &after);
    assert_eq!(affected.total, affected.names.len());
    (lanes, affected.names.iter().map(Name::to_string).collect(), cost(Some(&before), &after))
}

/// Two vhosts, `a` with policy `p` and `b` with policy `q`.
fn two() -> Snapshot {
    let mut out = state(json!({}), json!({}), json!({}));
    sample::put_vhost(&mut out, 2, vhost(json!({"name": "b", "hostnames": ["b.test"], "policy": "q"})));
    out
}

#[test]
fn nothing_differs() {
    assert_eq!(effects(&two(), &two()), (vec![], vec![], Cost::default()));
}

#[test]
fn each_lane_says_why() {
    type Change = fn(&mut Snapshot);
    let mode: Change = |s| sample::put_policy(s, 1, policy(json!({"mode": "detect"})));
    let exclusion: Change = |s| sample::put_policy(s, 1, policy(json!({"exclusions": [{"rule": {"id": 942_100}}]})));
    let both: Change = |s| {
        sample::put_policy(s, 1, policy(json!({"exclusions": [{"rule": {"id": 942_100}}]})));
        sample::put_policy(s, 2, json!({"name": "q", "allowed_methods": ["GET"]}));
    };
    let server: Change = |s| {
        let servers = json!({"upstream": {"servers": [{"name": "s", "address": "192.0.2.9", "port": 80}]}});
        sample::put_vhost(s, 1, vhost(servers));
    };
    let come: Change = |s| {
        for n in 3..=9 {
            sample::put_vhost(s, n, vhost(json!({"name": format!("c{n}"), "hostnames": [format!("c{n}.test")]})));
        }
    };
    let go: Change = |s| s.remove_vhost(&name("b"));
    let title: Change = |s| {
        let mut vhost = s.vhosts[&name("a")].as_ref().clone();
        (vhost.revision, vhost.spec.title) = (8, "A".parse().unwrap());
        s.put_vhost(Arc::new(vhost));
    };
    let hostname: Change = |s| sample::put_vhost(s, 1, vhost(json!({"hostnames": ["a.test", "x.test"]})));
    let row = ["Runtime: entries of live.map: 1 changed", "Runtime: entries of rows.map: 1 new, 1 gone"];
    for (what, change, want, vhosts, map_entries, rulesets) in [
        ("mode", mode, row.to_vec(), vec!["a"], 3, 0),
        ("exclusion", exclusion, [&row[..], &["Ruleset: 1 rule set is new, of policy p"]].concat(), vec!["a"], 3, 1),
        (
            "two policies",
            both,
            vec![
                "Runtime: entries of live.map: 2 changed",
                "Runtime: entries of rows.map: 2 new, 2 gone",
                "Ruleset: 2 rule sets are new, of policies p, q",
            ],
            vec!["a", "b"],
            6,
            2,
        ),
        ("server", server, vec!["Reload: the backend of vhost a changes"], vec!["a"], 0, 0),
        (
            "vhosts come",
            come,
            vec![
                "Runtime: entries of hosts.map: 7 new",
                "Runtime: entries of live.map: 7 new",
                "Runtime: entries of rows.map: 7 new",
                "Reload: the backends of 7 vhosts are new: c3, c4, c5, c6, c7 and 2 more",
            ],
            vec!["c3", "c4", "c5", "c6", "c7", "c8", "c9"],
            21,
            0,
        ),
        (
            "a vhost goes",
            go,
            vec![
                "Runtime: entries of hosts.map: 1 gone",
                "Runtime: entries of live.map: 1 gone",
                "Runtime: entries of rows.map: 1 gone",
                "Reload: the backend of vhost b goes",
            ],
            vec!["b"],
            3,
            0,
        ),
        // a new row, since it says the revision, and nothing that a request sees
        ("title", title, row.to_vec(), vec![], 3, 0),
        ("hostname", hostname, vec!["Runtime: entries of hosts.map: 1 new"], vec!["a"], 1, 0),
    ] {
        let before = two();
        let mut after = before.clone();
        change(&mut after);
        let cost =
            Cost { rulesets_to_load: rulesets, memory_bytes: rulesets as u64 * 3_400_000, warm_up_ms: rulesets as u64 * 35, map_entries };
        let want: Vec<String> = want.into_iter().map(str::to_owned).collect();
        assert_eq!(effects(&before, &after), (want, vhosts.into_iter().map(str::to_owned).collect(), cost), "{what}");
    }
}

#[test]
fn an_entry_amid_a_list_affects_who_uses_it() {
    let lists = |middle: Option<&str>| {
        let mut out = two();
        let entries = ["10.0.0.1", "10.0.0.9"].into_iter().chain(middle).map(entry).collect();
        put_list(&mut out, 1, "bad", entries);
        sample::put_vhost(&mut out, 1, vhost(json!({"access": {"deny": ["bad"]}})));
        let disabled = json!({"name": "c", "hostnames": ["c.test"], "enabled": false, "access": {"deny": ["bad"]}});
        sample::put_vhost(&mut out, 3, vhost(disabled));
        out
    };
    let (lanes, vhosts, cost) = effects(&lists(None), &lists(Some("10.0.0.5")));
    assert_eq!((lanes, vhosts, cost.map_entries), (vec!["Runtime: entries of access.map: 1 new".to_owned()], vec!["a".to_owned()], 1));
}

#[test]
fn a_hostname_that_moves_affects_both() {
    let before = two();
    let mut after = Snapshot::default();
    after.policies = before.policies.clone();
    sample::put_vhost(&mut after, 1, vhost(json!({"hostnames": ["other.test"]})));
    sample::put_vhost(&mut after, 2, vhost(json!({"name": "b", "hostnames": ["b.test", "a.test"], "policy": "q"})));
    assert_eq!(effects(&before, &after).1, ["a", "b"]);
}

#[test]
fn settings_of_the_node_and_nothing_before() {
    let snapshot = two();
    let before = bundle(&snapshot);
    let mut node = sample::node("/run/guard-proxy");
    node.maxconn += 1;
    let after = render(&compile(&snapshot, &node, NOW), &node, None).unwrap();
    let reasons: Vec<_> = lanes(Some(&before), &after).into_iter().map(|lane| lane.reason).collect();
    assert_eq!(reasons, ["haproxy.cfg differs outside of the backends"]);
    assert_eq!(affected(Some(&before), &after).total, 0);

    assert_eq!(lanes(None, &after).len(), 3);
    assert_eq!(affected(None, &after).names, [name("a"), name("b")]);
    assert_eq!((cost(None, &after).rulesets_to_load, cost(None, &after).map_entries), (1, 6));
}

#[test]
fn names_are_bounded_and_their_number_is_not() {
    let affected = affected(None, &bundle(&sample::snapshot(120, 1)));
    assert_eq!((affected.total, affected.names.len(), affected.names[1].as_str()), (120, 100, "site-10"));
}
