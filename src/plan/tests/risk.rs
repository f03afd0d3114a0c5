//! What is risky, and what is not.

use std::net::IpAddr;

use super::*;

fn caller() -> IpAddr {
    "192.0.2.7".parse().unwrap()
}

/// `class code pointer` of each reason.
fn reasons(before: &Snapshot, after: &Snapshot) -> Vec<String> {
    let risk = super::super::risk(before, after, Some(caller()), NOW);
    assert_eq!(risk.class, risk.reasons.iter().map(|reason| reason.class).max().unwrap_or_default());
    risk.reasons.iter().map(|reason| format!("{:?} {} {}", reason.class, reason.code, reason.pointer)).collect()
}

#[test]
fn of_policies() {
    let exclusion = |fields: Value| json!({"exclusions": [with(json!({"id": "x", "rule": {"id": 942_100}}), fields)]});
    let rule =
        |id: u32, enabled: bool| json!({"custom_rules": [{"id": id, "enabled": enabled, "seclang": "SecAction \"phase:1,pass,nolog\""}]});
    let past = "1969-01-01T00:00:00Z";
    for (before, after, want) in [
        (json!({"mode": "block"}), json!({"mode": "detect"}), "Medium mode_lowered /policies/p/mode"),
        (json!({"mode": "block"}), json!({"mode": "off"}), "High mode_lowered /policies/p/mode"),
        (json!({"mode": "detect"}), json!({"mode": "off"}), "High mode_lowered /policies/p/mode"),
        (json!({"mode": "off"}), json!({"mode": "block"}), ""),
        (
            json!({"paranoia": {"blocking": 2, "detection": 3}}),
            json!({"paranoia": {"blocking": 1, "detection": 3}}),
            "Medium paranoia_lowered /policies/p/paranoia/blocking",
        ),
        (
            json!({"paranoia": {"blocking": 1, "detection": 3}}),
            json!({"paranoia": {"blocking": 1, "detection": 2}}),
            "Low paranoia_lowered /policies/p/paranoia/detection",
        ),
        (json!({"paranoia": {"blocking": 1}}), json!({"paranoia": {"blocking": 2}}), ""),
        (json!({}), json!({"thresholds": {"inbound": 10}}), "Medium threshold_raised /policies/p/thresholds/inbound"),
        (json!({}), json!({"thresholds": {"inbound": 100}}), "High threshold_raised /policies/p/thresholds/inbound"),
        (json!({}), json!({"thresholds": {"outbound": 5}}), "Medium threshold_raised /policies/p/thresholds/outbound"),
        (json!({}), json!({"thresholds": {"inbound": 4}}), ""),
        (json!({}), exclusion(json!({})), "Medium wide_exclusion /policies/p/exclusions/x"),
        (json!({}), exclusion(json!({"path": {"prefix": "/"}})), "Medium wide_exclusion /policies/p/exclusions/x"),
        (json!({}), exclusion(json!({"target": "ARGS:a"})), ""),
        (json!({}), exclusion(json!({"path": {"prefix": "/a"}})), ""),
        (json!({}), exclusion(json!({"rule": {"tag": "attack-xss"}})), "High wide_exclusion /policies/p/exclusions/x"),
        (
            json!({}),
            exclusion(json!({"rule": {"range": {"from": 942_100, "to": 942_200}}})),
            "High wide_exclusion /policies/p/exclusions/x",
        ),
        (json!({}), exclusion(json!({"rule": {"range": {"from": 942_100, "to": 942_100}}, "target": "ARGS:a"})), ""),
        (
            json!({}),
            exclusion(json!({"rule": {"tag": "attack-xss"}, "target": "ARGS:a"})),
            "Medium wide_exclusion /policies/p/exclusions/x",
        ),
        (json!({}), exclusion(json!({"enabled": false})), ""),
        (json!({}), exclusion(json!({"expires_at": past})), ""),
        (exclusion(json!({"expires_at": past})), exclusion(json!({})), "Medium wide_exclusion /policies/p/exclusions/x"),
        (exclusion(json!({})), exclusion(json!({"reason": "why"})), ""),
        // another name, and smaller than what there was
        (exclusion(json!({"rule": {"range": {"from": 942_100, "to": 942_200}}})), exclusion(json!({"id": "y"})), ""),
        (
            exclusion(json!({"rule": {"tag": "a"}, "path": {"prefix": "/a/"}})),
            exclusion(json!({"rule": {"tag": "a"}, "path": {"prefix": "/a/b"}})),
            "",
        ),
        (
            exclusion(json!({"rule": {"tag": "a"}, "path": {"prefix": "/a"}})),
            exclusion(json!({"rule": {"tag": "a"}, "path": {"prefix": "/ab"}})),
            "Medium wide_exclusion /policies/p/exclusions/x",
        ),
        (rule(190_001, true), json!({}), "Medium rule_removed /policies/p/custom_rules/190001"),
        (rule(190_001, true), rule(190_001, false), "Medium rule_removed /policies/p/custom_rules/190001"),
        (rule(190_001, false), json!({}), ""),
        (rule(190_001, true), rule(190_002, true), ""),
    ] {
        let (before, after) = (state(before, json!({}), json!({})), state(after, json!({}), json!({})));
        let want: Vec<&str> = Some(want).filter(|want| !want.is_empty()).into_iter().collect();
        assert_eq!(reasons(&before, &after), want);
    }
}

#[test]
fn of_vhosts() {
    let part = |fields: Value| json!({"paths": [with(json!({"prefix": "/api/"}), fields)]});
    let head = json!({"body": {"on_partial": "inspect_head"}});
    for (before, after, want) in [
        (json!({}), json!({"policy": "q"}), vec!["High mode_lowered /vhosts/a/policy"]),
        (json!({"policy": "q"}), json!({}), vec![]),
        (part(json!({})), part(json!({"policy": "q"})), vec!["High mode_lowered /vhosts/a/paths/~1api~1/policy"]),
        (json!({}), part(json!({"policy": "q"})), vec!["High mode_lowered /vhosts/a/paths/~1api~1/policy"]),
        // what goes leaves its place to the site
        (
            with(json!({"policy": "q"}), part(json!({"policy": "p"}))),
            json!({"policy": "q"}),
            vec!["High mode_lowered /vhosts/a/paths/~1api~1/policy"],
        ),
        // said of the site, once
        (part(json!({})), with(json!({"policy": "q"}), part(json!({}))), vec!["High mode_lowered /vhosts/a/policy"]),
        (json!({}), json!({"enabled": false}), vec!["Medium vhost_removed /vhosts/a/enabled"]),
        (json!({"enabled": false}), json!({"enabled": false, "policy": "q"}), vec![]),
        (json!({}), head.clone(), vec!["Medium inspection_reduced /vhosts/a/body/on_partial"]),
        (head.clone(), json!({}), vec![]),
        (json!({}), part(head.clone()), vec!["Medium inspection_reduced /vhosts/a/paths/~1api~1/body/on_partial"]),
        (head.clone(), with(head, part(json!({}))), vec![]),
        (json!({}), json!({"websocket": true}), vec!["Medium inspection_reduced /vhosts/a/websocket"]),
        (json!({}), json!({"on_waf_unavailable": "pass"}), vec!["Medium inspection_reduced /vhosts/a/on_waf_unavailable"]),
        (json!({"on_ambiguous_path": "deny"}), json!({}), vec!["Medium inspection_reduced /vhosts/a/on_ambiguous_path"]),
        (
            json!({}),
            json!({"client_ip": {"trusted_proxies": ["192.0.2.1"]}}),
            vec!["Medium trust_widened /vhosts/a/client_ip/trusted_proxies"],
        ),
        (json!({"client_ip": {"trusted_proxies": ["10.0.0.0/8"]}}), json!({"client_ip": {"trusted_proxies": ["10.0.0.0/9"]}}), vec![]),
    ] {
        let off = || json!({"mode": "off"});
        let (before, after) = (state(json!({}), off(), before), state(json!({}), off(), after));
        assert_eq!(reasons(&before, &after), want);
    }
    let mut without = state(json!({}), json!({}), json!({}));
    without.remove_vhost(&name("a"));
    assert_eq!(reasons(&state(json!({}), json!({}), json!({})), &without), ["High vhost_removed /vhosts/a"]);
    assert_eq!(reasons(&state(json!({}), json!({}), json!({"enabled": false})), &without), [""; 0]);
}

#[test]
fn of_hostnames_that_move_to_a_weaker_policy() {
    let before = state(json!({}), json!({"mode": "detect"}), json!({"hostnames": ["a.test", "b.test"]}));
    let mut after = state(json!({}), json!({"mode": "detect"}), json!({"hostnames": ["a.test"]}));
    sample::put_vhost(&mut after, 2, vhost(json!({"name": "b", "hostnames": ["b.test"], "policy": "q"})));
    assert_eq!(reasons(&before, &after), ["Medium mode_lowered /vhosts/b/hostnames"]);
}

/// Vhost `a` with lists `x` and `y`.
fn listed(access: Value, x: Vec<Entry>, y: Vec<Entry>) -> Snapshot {
    let mut out = state(json!({}), json!({}), json!({"access": access}));
    put_list(&mut out, 1, "x", x);
    put_list(&mut out, 2, "y", y);
    out
}

#[test]
fn of_lists() {
    let entries = |networks: &[&str]| networks.iter().map(|network| entry(network)).collect::<Vec<_>>();
    let halves = || (0..=255).map(|n| entry(&format!("11.{n}.0.0/16"))).collect::<Vec<_>>();
    let (trust, deny) = (|| json!({"trust": ["x"]}), || json!({"deny": ["x"]}));
    let one = || entries(&["198.51.100.1"]);
    for (what, before, after, want) in [
        ("an entry", (trust(), vec![]), (trust(), one()), vec!["Medium trust_widened /ip_lists/x/entries/198.51.100.1~132"]),
        ("of a list that nobody trusts", (json!({}), vec![]), (json!({}), one()), vec![]),
        ("of a list that is denied", (deny(), vec![]), (deny(), one()), vec![]),
        ("inside", (trust(), entries(&["198.51.100.0/24"])), (trust(), entries(&["198.51.100.0/24", "198.51.100.1"])), vec![]),
        ("fewer", (trust(), one()), (trust(), vec![]), vec![]),
        ("expired", (trust(), vec![]), (trust(), vec![expired("198.51.100.1")]), vec![]),
        (
            "in force again",
            (trust(), vec![expired("198.51.100.1")]),
            (trust(), one()),
            vec!["Medium trust_widened /ip_lists/x/entries/198.51.100.1~132"],
        ),
        ("wide", (trust(), vec![]), (trust(), entries(&["10.0.0.0/8"])), vec!["High trust_widened /ip_lists/x/entries/10.0.0.0~18"]),
        ("not wide", (trust(), vec![]), (trust(), entries(&["10.0.0.0/9"])), vec!["Medium trust_widened /ip_lists/x/entries/10.0.0.0~19"]),
        ("wide together", (trust(), vec![]), (trust(), halves()), vec!["High trust_widened /ip_lists/x/entries/11.0.0.0~116"]),
        ("a list", (json!({}), one()), (trust(), one()), vec!["Medium trust_widened /vhosts/a/access/trust"]),
        ("an empty list", (json!({}), vec![]), (trust(), vec![]), vec!["Low trust_widened /vhosts/a/access/trust"]),
        ("a wide list", (json!({}), entries(&["::/3"])), (trust(), entries(&["::/3"])), vec!["High trust_widened /vhosts/a/access/trust"]),
        (
            "the same under another name",
            (json!({"trust": ["y"]}), one()),
            (trust(), one()),
            vec!["Low trust_widened /vhosts/a/access/trust"],
        ),
        (
            "no list any more",
            (json!({"allow_only": ["x"]}), one()),
            (json!({}), one()),
            vec!["Medium access_opened /vhosts/a/access/allow_only"],
        ),
        ("denied", (deny(), vec![]), (deny(), entries(&["10.0.0.0/8"])), vec!["High wide_deny /ip_lists/x/entries/10.0.0.0~18"]),
        (
            "denied, IPv6",
            (deny(), vec![]),
            (deny(), entries(&["2001:db8::/32"])),
            vec!["High wide_deny /ip_lists/x/entries/2001:db8::~132"],
        ),
        ("denied, not wide", (deny(), vec![]), (deny(), entries(&["10.0.0.0/9", "2001:db8::/33"])), vec![]),
        (
            "a list denied",
            (json!({}), entries(&["10.0.0.0/8"])),
            (deny(), entries(&["10.0.0.0/8"])),
            vec!["High wide_deny /vhosts/a/access/deny"],
        ),
    ] {
        let side = |(access, x): (Value, Vec<Entry>)| listed(access, x, one());
        assert_eq!(reasons(&side(before), &side(after)), want, "{what}");
    }
}

#[test]
fn of_a_vhost_that_is_new_only_what_is_wide() {
    for (network, want) in [("198.51.100.1", vec![]), ("0.0.0.0/0", vec!["High trust_widened /vhosts/a/access/trust"])] {
        let after = listed(json!({"trust": ["x"]}), vec![entry(network)], vec![]);
        let mut before = after.clone();
        before.remove_vhost(&name("a"));
        assert_eq!(reasons(&before, &after), want);
    }
}

#[test]
fn of_callers_who_lock_themselves_out() {
    let (me, near, other) = (|| vec![entry("192.0.2.7")], || vec![entry("192.0.2.0/24")], || vec![entry("198.51.100.1")]);
    let only = || json!({"allow_only": ["x", "y"]});
    for (what, before, after, want) in [
        (
            "an entry",
            listed(json!({"deny": ["x"]}), vec![], vec![]),
            listed(json!({"deny": ["x"]}), near(), vec![]),
            vec!["High locks_out_caller /ip_lists/x/entries/192.0.2.0~124"],
        ),
        (
            "expired",
            listed(json!({"deny": ["x"]}), vec![], vec![]),
            listed(json!({"deny": ["x"]}), vec![expired("192.0.2.7")], vec![]),
            vec![],
        ),
        ("somebody else", listed(json!({"deny": ["x"]}), vec![], vec![]), listed(json!({"deny": ["x"]}), other(), vec![]), vec![]),
        ("before, too", listed(json!({"deny": ["x"]}), near(), vec![]), listed(json!({"deny": ["x"]}), me(), vec![]), vec![]),
        (
            "a list",
            listed(json!({}), near(), vec![]),
            listed(json!({"deny": ["x"]}), near(), vec![]),
            vec!["High locks_out_caller /vhosts/a/access/deny"],
        ),
        (
            "the others alone",
            listed(json!({}), other(), vec![]),
            listed(only(), other(), vec![]),
            vec!["High locks_out_caller /vhosts/a/access/allow_only"],
        ),
        ("among those", listed(json!({}), other(), me()), listed(only(), other(), me()), vec![]),
        ("taken off", listed(only(), other(), me()), listed(only(), other(), vec![]), vec!["High locks_out_caller /ip_lists/y/entries"]),
        ("in another list", listed(only(), vec![], me()), listed(only(), me(), vec![]), vec![]),
        (
            "disabled",
            listed(json!({}), near(), vec![]),
            {
                let mut out = listed(json!({}), near(), vec![]);
                sample::put_vhost(&mut out, 1, vhost(json!({"access": {"deny": ["x"]}, "enabled": false})));
                out
            },
            vec!["Medium vhost_removed /vhosts/a/enabled"],
        ),
    ] {
        assert_eq!(reasons(&before, &after), want, "{what}");
    }
    let (before, after) = (listed(json!({}), near(), vec![]), listed(json!({"deny": ["x"]}), near(), vec![]));
    assert_eq!(super::super::risk(&before, &after, None, NOW), Default::default());
    let mapped = super::super::risk(&before, &after, Some("::ffff:192.0.2.7".parse().unwrap()), NOW);
    assert_eq!(mapped.reasons[0].message, "your own address 192.0.2.7 gets 403 on vhost a");
}

#[test]
fn the_worst_first_each_once_and_not_too_many() {
    let many = |enabled: bool, mode: &str| {
        let mut out = state(json!({"mode": mode}), json!({}), json!({}));
        for n in 2..=300 {
            sample::put_vhost(
                &mut out,
                n,
                vhost(json!({"name": format!("v{n}"), "hostnames": [format!("v{n}.test")], "enabled": enabled})),
            );
        }
        out
    };
    let risk = super::super::risk(&many(true, "block"), &many(false, "off"), None, NOW);
    assert_eq!(risk.reasons.len(), 200);
    assert_eq!(risk.reasons[0].message, "mode: block → off: nothing is inspected any more (used by 300 vhosts)");
    // lowered twice over: one reason at that place, the worse
    let q = json!({"mode": "off", "paranoia": {"blocking": 1}});
    let (before, after) = (state(json!({"paranoia": {"blocking": 2}}), q.clone(), json!({})), state(json!({}), q, json!({"policy": "q"})));
    assert_eq!(
        reasons(&before, &after),
        [
            "High mode_lowered /vhosts/a/policy",
            "Medium paranoia_lowered /policies/p/paranoia/blocking",
            "Medium paranoia_lowered /vhosts/a/policy",
            "Low paranoia_lowered /policies/p/paranoia/detection",
        ]
    );
}
