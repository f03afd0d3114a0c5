//! Objects and their fields.

use super::*;
use crate::domain::diff::ChangeCounts;
use crate::domain::revision::ChangeType;

fn rule(id: u32, value: &str) -> Value {
    json!({"id": id, "seclang": format!("SecRule ARGS:a \"@streq {value}\" \"phase:2,deny,status:403,log,msg:'a'\"")})
}

#[test]
fn fields_of_a_policy() {
    let exclusion = |id: &str, tag: &str| json!({"id": id, "rule": {"tag": tag}});
    for (before, after, want) in [
        (json!({}), json!({}), vec![]),
        (json!({"mode": "detect"}), json!({"mode": "block"}), vec!["/mode | mode: detect → block"]),
        (
            json!({}),
            json!({"paranoia": {"blocking": 2, "detection": 2}}),
            vec!["/paranoia/blocking | paranoia.blocking: 1 → 2", "/paranoia/detection | paranoia.detection: 1 → 2"],
        ),
        (json!({}), json!({"title": "Shop\u{e9}"}), vec!["/title | title: \"\" → Shopé"]),
        (json!({"description": "a\nb\tc"}), json!({}), vec!["/description | description: a b c → \"\""]),
        (
            json!({"allowed_methods": ["GET", "POST"]}),
            json!({"allowed_methods": ["PUT", "GET"]}),
            vec!["/allowed_methods | allowed_methods: + PUT, - POST"],
        ),
        (
            json!({"allowed_methods": ["GET", "POST"]}),
            json!({"allowed_methods": ["POST", "GET"]}),
            vec!["/allowed_methods | allowed_methods: order changed"],
        ),
        (
            json!({"custom_rules": [rule(190_001, "a"), rule(190_002, "b")]}),
            json!({"custom_rules": [rule(190_002, "b"), rule(190_001, "a")]}),
            vec!["/custom_rules | custom_rules: order changed"],
        ),
        (
            json!({"custom_rules": [rule(190_001, "a"), rule(190_002, "b")]}),
            json!({"custom_rules": [rule(190_003, "c"), rule(190_002, "b")]}),
            vec!["/custom_rules/190001 | custom rule 190001: removed", "/custom_rules/190003 | custom rule 190003: new"],
        ),
        (
            json!({"custom_rules": [rule(190_001, "a")]}),
            json!({"custom_rules": [with(rule(190_001, "a"), json!({"enabled": false}))]}),
            vec!["/custom_rules/190001/enabled | custom rule 190001: enabled true → false"],
        ),
        (
            json!({"exclusions": [exclusion("x", "attack-xss")]}),
            json!({"exclusions": [with(exclusion("x", "attack-sqli"), json!({"path": {"prefix": "/a"}}))]}),
            vec![
                "/exclusions/x/path | exclusion x: path none → prefix /a",
                "/exclusions/x/rule/tag | exclusion x: rule.tag attack-xss → attack-sqli",
            ],
        ),
    ] {
        assert_eq!(told(&state(before, json!({}), json!({})), &state(after, json!({}), json!({}))), want);
    }
}

#[test]
fn fields_of_a_vhost() {
    let servers = |servers: Value| json!({"upstream": {"servers": servers}});
    let server = |name: &str, weight: u32| json!({"name": name, "address": "192.0.2.1", "port": 80, "weight": weight});
    for (before, after, want) in [
        (
            json!({"hostnames": ["b.example.com", "c.test"]}),
            json!({"hostnames": ["a.example.com", "c.test"]}),
            vec!["/hostnames | hostnames: + a.example.com, - b.example.com"],
        ),
        (
            servers(json!([server("a", 100), server("b", 1)])),
            servers(json!([server("a", 50), server("c", 1)])),
            vec![
                "/upstream/servers/b | server b: removed",
                "/upstream/servers/a/weight | server a: weight 100 → 50",
                "/upstream/servers/c | server c: new",
            ],
        ),
        (
            json!({"paths": [{"prefix": "/api/~x"}]}),
            json!({"paths": [{"prefix": "/api/~x", "policy": "q", "body": {"max_bytes": 5}}]}),
            vec![
                "/paths/~1api~1~0x/body/max_bytes | path /api/~x: body.max_bytes none → 5",
                "/paths/~1api~1~0x/policy | path /api/~x: policy none → q",
            ],
        ),
        (
            json!({"labels": {"team": "a"}}),
            json!({"labels": {"team": "b", "tier": "1"}}),
            vec!["/labels/team | labels.team: a → b", "/labels/tier | labels.tier: none → 1"],
        ),
        (json!({"rate_limit": {"requests": 5}}), json!({}), vec!["/rate_limit | rate_limit: period 10s, requests 5 → none"]),
        (
            json!({"client_ip": {"trusted_proxies": ["192.0.2.0/24"]}}),
            json!({"client_ip": {"trusted_proxies": []}}),
            vec!["/client_ip/trusted_proxies | client_ip.trusted_proxies: - 192.0.2.0/24"],
        ),
    ] {
        assert_eq!(told(&state(json!({}), json!({}), before), &state(json!({}), json!({}), after)), want);
    }
}

#[test]
fn long_and_odd_texts_become_one_short_line() {
    let long = |end: &str| format!("{}{end}", "é".repeat(100));
    let rules = |text: &str| json!({"custom_rules": [{"id": 190_000, "seclang": text}]});
    for (before, after, want) in [
        (json!({"title": long("a")}), json!({"title": long("b")}), format!("title: …{0}a → …{0}b", "é".repeat(20))),
        (json!({}), json!({"title": long("b")}), format!("title: \"\" → {}…", "é".repeat(59))),
        (rules("a\u{1b}\u{202e}\r\nb"), rules("c"), "custom rule 190000: seclang a\u{fffd}\u{fffd}  b → c".to_owned()),
    ] {
        let diff = super::super::diff(&state(before, json!({}), json!({})), &state(after, json!({}), json!({})), None);
        assert_eq!(diff.changes[0].fields.iter().map(|field| &field.words).collect::<Vec<_>>(), [&want]);
    }
    let methods = |letter: char| (1..=32).map(|n| letter.to_string().repeat(n)).collect::<Vec<_>>();
    let words = told(
        &state(json!({"allowed_methods": methods('A')}), json!({}), json!({})),
        &state(json!({"allowed_methods": methods('B')}), json!({}), json!({})),
    );
    assert_eq!(words, ["/allowed_methods | allowed_methods: + B, + BB, + BBB, + BBBB, + BBBBB and 59 more"]);
}

#[test]
fn values_go_along_and_what_is_absent_is_absent() {
    let (before, after) =
        (state(json!({}), json!({}), json!({})), state(json!({"mode": "off"}), json!({}), json!({"rate_limit": {"requests": 5}})));
    let diff = super::super::diff(&before, &after, None);
    let values: Vec<_> =
        diff.changes.iter().flat_map(|object| &object.fields).map(|field| (field.before.clone(), field.after.clone())).collect();
    assert_eq!(values, [(Some(json!("block")), Some(json!("off"))), (None, Some(json!({"requests": 5, "period": "10s"})))]);
    // as it is kept
    let kept: crate::domain::diff::Diff = serde_json::from_str(&serde_json::to_string(&diff).unwrap()).unwrap();
    assert_eq!(kept, diff);
}

#[test]
fn objects_that_come_and_go_say_what_is_not_default() {
    let (none, some) = (Snapshot::default(), state(json!({"mode": "off"}), json!({}), json!({"websocket": true})));
    let want = [
        "/mode | mode: off",
        "/hostnames | hostnames: a.test",
        "/policy | policy: p",
        "/upstream | upstream: balance roundrobin, servers 1 element, timeouts set",
        "/websocket | websocket: true",
    ];
    assert_eq!(told(&none, &some), want);
    assert_eq!(told(&some, &none), want);
    let (created, deleted) = (super::super::diff(&none, &some, None), super::super::diff(&some, &none, None));
    assert_eq!(created.counts, ChangeCounts { created: 3, ..Default::default() });
    assert_eq!(deleted.counts, ChangeCounts { deleted: 3, ..Default::default() });
    let kinds: Vec<_> = created.changes.iter().map(|object| (object.kind, object.name.as_str(), object.change)).collect();
    let new = ChangeType::Created;
    assert_eq!(kinds, [(Kind::Policy, "p", new), (Kind::Policy, "q", new), (Kind::Vhost, "a", new)]);
    assert_eq!((&created.changes[0].fields[0].before, &created.changes[0].fields[0].after), (&None, &Some(json!("off"))));
    assert_eq!((&deleted.changes[0].fields[0].before, &deleted.changes[0].fields[0].after), (&Some(json!("off")), &None));
}

#[test]
fn entries_are_told_by_their_networks() {
    let (mut before, mut after) = (Snapshot::default(), Snapshot::default());
    put_list(&mut before, 1, "bad", vec![entry("192.0.2.0/24"), entry("10.0.0.0/8"), entry("203.0.113.7")]);
    let commented = Entry { comment: "scanner".parse().unwrap(), ..entry("203.0.113.7") };
    put_list(&mut after, 1, "bad", vec![entry("192.0.2.0/24"), entry("2001:db8::/32"), commented]);
    assert_eq!(
        told(&before, &after),
        [
            "/entries/10.0.0.0~18 | entry 10.0.0.0/8: removed",
            "/entries/203.0.113.7~132/comment | entry 203.0.113.7/32: comment \"\" → scanner",
            "/entries/2001:db8::~132 | entry 2001:db8::/32: new",
        ]
    );
    assert_eq!(told(&Snapshot::default(), &after)[0], "/entries/192.0.2.0~124 | entry 192.0.2.0/24: new");
}

#[test]
fn what_is_too_much_is_counted() {
    let mut after = sample::snapshot(510, 10);
    let entries = (0..250).map(|n| entry(&format!("10.0.{n}.0/24"))).collect();
    put_list(&mut after, 3, "long", entries);
    let diff = super::super::diff(&Snapshot::default(), &after, None);
    assert_eq!((diff.changes.len(), diff.left_out, diff.counts.total()), (500, 23, 523));
    let long = diff.changes.iter().find(|object| object.name.as_str() == "long").unwrap();
    assert_eq!((long.fields.len(), long.fields_left_out), (200, 50));
}

#[test]
fn one_object_alone() {
    let (before, after) = (Snapshot::default(), state(json!({}), json!({}), json!({})));
    let only = |kind: Kind, wanted: &str| super::super::diff(&before, &after, Some((kind, &name(wanted)))).changes.len();
    assert_eq!((only(Kind::Policy, "q"), only(Kind::Policy, "a"), only(Kind::Vhost, "a"), only(Kind::IpList, "q")), (1, 0, 1, 0));
}

#[test]
fn revisions_and_times_are_no_difference() {
    let before = state(json!({}), json!({}), json!({}));
    let mut after = before.clone();
    after.revision = 9;
    let mut policy = after.policies[&name("p")].as_ref().clone();
    (policy.revision, policy.updated_at) = (9, NOW + Duration::DAY);
    after.policies.insert(name("p"), Arc::new(policy));
    assert_eq!(super::super::diff(&before, &after, None), Default::default());
}
