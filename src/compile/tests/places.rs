//! Parts of a site, and the strict one. What they do to requests is tried on the wire (tests/it/places.rs, paths.rs).

use super::*;

fn rule(id: u32, text: &str) -> serde_json::Value {
    json!({"id": id, "seclang": format!("SecRule ARGS:do \"@streq {text}\" \"phase:2,deny,t:none,log,msg:'{text}'\"")})
}

/// One site of policy `a` with paths of `b` and of `c`, which inspects nothing.
fn parts(a: serde_json::Value, b: serde_json::Value) -> Snapshot {
    let mut snapshot = Snapshot::default();
    for (number, name, value) in [(1, "a", a), (2, "b", b), (3, "c", json!({"mode": "off", "custom_rules": [rule(190_009, "off")]}))] {
        let mut value = value;
        value["name"] = json!(name);
        put_policy(&mut snapshot, number, value);
    }
    let paths = json!([{"prefix": "/B", "policy": "b"}, {"prefix": "/c/", "policy": "c", "body": {"max_bytes": 7}}]);
    put_vhost(&mut snapshot, 1, json!({"name": "s", "hostnames": ["s.test"], "policy": "a", "paths": paths, "upstream": upstream()}));
    snapshot
}

fn row<'d>(desired: &'d Desired, key: &str) -> Vec<&'d str> {
    let generation = &desired.probes[&name("s")].generation;
    let wanted = format!("1.{generation}{key}");
    let found = desired.maps[&MapName::Rows].iter().find(|(key, _)| *key == wanted);
    found.unwrap_or_else(|| panic!("no row {wanted}")).1.split('|').collect()
}

fn strict_lines(desired: &Desired) -> Vec<(&str, &str)> {
    let source = &desired.rulesets[row(desired, "!")[2]].source;
    source.before_crs.iter().chain(&source.after_crs).map(|line| (line.text.as_str(), line.pointer.as_str())).collect()
}

#[test]
fn the_strict_row_is_the_strictest_of_each_part() {
    let desired = compiled(&parts(
        json!({"mode": "detect", "paranoia": {"blocking": 2, "detection": 4}, "thresholds": {"inbound": 9, "outbound": 3}}),
        json!({"paranoia": {"blocking": 3}, "thresholds": {"inbound": 7, "outbound": 8}, "allowed_methods": ["GET", "PURGE"]}),
    ));
    assert_eq!(row(&desired, "/")[..2], ["Dm", "2.4.9.3.D"]);
    assert_eq!(row(&desired, "/B/")[..2], ["Bm", "3.3.7.8.B"]);
    assert_eq!(row(&desired, "/c/")[0], "Om");
    let strict = row(&desired, "!");
    assert_eq!((strict[0], strict[1], strict[4]), ("Bm", "3.4.7.3.B", "7"));
    assert_eq!(row(&desired, "^/b/"), row(&desired, "/B/"), "what another case would find");
    let methods = &desired.rulesets[strict[2]].source.allowed_methods;
    assert_eq!(methods.iter().map(|m| m.as_str()).collect::<Vec<_>>(), ["GET"]);
}

#[test]
fn rules_of_all_that_inspect_are_in_it_and_keep_to_themselves() {
    let sets = |id: u32| json!({"id": id, "seclang": "SecRule ARGS:a \"@streq 1\" \"phase:1,pass,t:none,nolog,setvar:tx.custom_a=1\""});
    let desired = compiled(&parts(
        json!({"custom_rules": [rule(190_001, "same"), rule(190_002, "one"), sets(190_003)]}),
        json!({"custom_rules": [rule(190_001, "same"), rule(190_002, "two"), sets(190_003)]}),
    ));
    let lines = strict_lines(&desired);
    let of = |text: &str| lines.iter().filter(|(line, _)| line.contains(text)).map(|(_, pointer)| *pointer).collect::<Vec<_>>();
    assert_eq!(of("msg:'same'"), ["/policies/a/custom_rules/0"], "the same rule once");
    assert_eq!(of("id:190002"), ["/policies/a/custom_rules/1"]);
    assert_eq!(of("msg:'two'"), ["/policies/b/custom_rules/1"], "under an id that is free");
    assert_eq!((of("tx.custom_m0_a=1").len(), of("tx.custom_m1_a=1").len()), (1, 1));
    assert_eq!(of("msg:'off'"), [""; 0], "what is not inspected has no part in it");
    let ids: std::collections::BTreeSet<&str> = lines.iter().filter_map(|(line, _)| line.split("id:").nth(1)?.split(',').next()).collect();
    assert_eq!(ids.len(), 5, "{lines:?}");
}

#[test]
fn only_what_all_exclude_everywhere_is_excluded_in_it() {
    let desired = compiled(&parts(
        json!({"exclusions": [
            {"rule": {"id": 942_100}}, {"rule": {"id": 942_110}}, {"rule": {"id": 942_120}, "target": "ARGS:x"},
            {"rule": {"id": 942_130}, "path": {"prefix": "/p"}}, {"rule": {"id": 942_140}}]}),
        json!({"exclusions": [
            {"rule": {"id": 942_120}, "target": "ARGS:x"}, {"rule": {"id": 942_100}}, {"rule": {"id": 942_110}, "target": "ARGS:y"},
            {"rule": {"id": 942_130}, "path": {"prefix": "/p"}}, {"rule": {"id": 942_140}, "expires_at": "1969-01-01T00:00:00Z"}]}),
    ));
    assert_eq!(
        strict_lines(&desired),
        [
            ("SecRuleRemoveById 942100", "/policies/a/exclusions/0"),
            ("SecRuleUpdateTargetById 942120 \"!ARGS:x\"", "/policies/a/exclusions/2")
        ]
    );
}

#[test]
fn one_policy_needs_no_rule_set_of_its_own_for_it() {
    let mut snapshot = parts(json!({"custom_rules": [rule(190_001, "x")]}), json!({"mode": "off"}));
    let desired = compiled(&snapshot);
    assert_eq!(row(&desired, "!")[2], row(&desired, "/")[2], "b and c inspect nothing");
    // Any change of a row is a new generation, also of a row for a path.
    let before = desired.probes[&name("s")].generation.clone();
    put_policy(&mut snapshot, 3, json!({"name": "c", "mode": "detect"}));
    assert_ne!(compiled(&snapshot).probes[&name("s")].generation, before);
}

#[test]
fn an_exclusion_of_a_custom_rules_id_is_about_the_policys_own() {
    let excluded = json!([{"rule": {"range": {"from": 190_000, "to": 199_999}}}]);
    let desired = compiled(&parts(
        json!({"custom_rules": [rule(190_001, "one")], "exclusions": excluded}),
        json!({"custom_rules": [rule(190_001, "two")], "exclusions": excluded}),
    ));
    let lines = strict_lines(&desired);
    assert_eq!(lines.len(), 2, "both rules, and nothing that takes them out: {lines:?}");
    assert!(lines.iter().all(|(line, _)| line.starts_with("SecRule ")), "{lines:?}");
}

#[test]
fn what_no_policy_has_in_common_allows_nothing() {
    let desired = compiled(&parts(
        json!({"allowed_methods": ["GET"], "allowed_content_types": ["text/plain"]}),
        json!({"allowed_methods": ["POST"], "allowed_content_types": ["text/xml"]}),
    ));
    let source = &desired.rulesets[row(&desired, "!")[2]].source;
    assert_eq!(source.allowed_methods.iter().map(|m| m.as_str()).collect::<Vec<_>>(), ["NONE"]);
    assert_eq!(source.allowed_content_types.iter().map(|t| t.as_str()).collect::<Vec<_>>(), ["none/none"]);
    crate::render::render(&desired, &node("/run/guard-proxy"), None).unwrap();
}

#[test]
fn proxies_of_two_vhosts_are_told_apart_by_all_of_their_digest() {
    let with = |networks: &[&str]| {
        let networks: Vec<crate::domain::Network> = networks.iter().map(|text| text.parse().unwrap()).collect();
        super::super::access::proxies(&networks)
    };
    // These have the first ten decimal digits of their digests in common.
    let (victim, attacker) = (with(&["100.68.203.159/32"]), with(&["0.0.0.0/0", "100.84.218.35/32"]));
    assert_ne!(victim.0, attacker.0);
    assert_eq!(victim.0.len(), 33);
}

#[test]
fn strict_rule_sets_are_counted_by_combination() {
    let mut snapshot = parts(json!({}), json!({}));
    assert_eq!(strict_rulesets(&snapshot), 1);
    let paths = json!([{"prefix": "/x/", "policy": "b"}]);
    put_vhost(&mut snapshot, 2, json!({"name": "t", "hostnames": ["t.test"], "policy": "a", "paths": paths, "upstream": upstream()}));
    assert_eq!(strict_rulesets(&snapshot), 1, "the same policies that inspect");
    put_policy(&mut snapshot, 3, json!({"name": "c"}));
    assert_eq!(strict_rulesets(&snapshot), 2);
}
