//! What is rendered, for reading: `cargo insta review` shows what a change does to it.

use super::*;

#[test]
fn small() {
    let bundle = rendered(&small::snapshot());
    for (file, content) in &bundle.files {
        // error pages are all alike
        if !file.starts_with("errors/") || file == "errors/403.lf" {
            insta::assert_snapshot!(file.replace('/', "-"), std::str::from_utf8(content).unwrap());
        }
    }
}

#[test]
fn origins_lead_back_to_the_policy() {
    let bundle = rendered(&small::snapshot());
    let ruleset = bundle.rulesets.values().find(|ruleset| ruleset.policies[0].as_str() == "shop").unwrap();
    let lines: Vec<&str> = ruleset.text.lines().collect();
    let starts = |pointer: &str| -> Vec<&str> {
        let own = ruleset.origins.iter().filter(|(_, origin)| *origin == pointer);
        own.map(|(line, _)| lines[line - 1].split('"').next().unwrap()).collect()
    };
    assert_eq!(starts("/exclusions/0"), ["SecRuleRemoveById 942100"]);
    assert_eq!(starts("/exclusions/3"), ["SecRule REQUEST_URI_RAW ", "SecRule TX:gp_plain "]);
    assert_eq!(starts("/custom_rules/0"), ["SecRule ARGS:go "]);
    assert_eq!(starts("/custom_rules/1"), ["SecRule ARGS:debug "]);
    assert_eq!(ruleset.origins.len(), 3 + 1 + 4 + 2);
}

#[test]
fn the_agents_file_holds_the_same_text() {
    let bundle = rendered(&small::snapshot());
    let yaml = text(&bundle, "guard-spoa.yaml");
    // every string of it is a JSON string
    let value = |line: &str| serde_json::from_str::<String>(line.split_once(": ").unwrap().1).unwrap();
    let of = |key: &str| -> Vec<String> {
        yaml.lines().filter(|line| line.trim_start_matches([' ', '-']).starts_with(key)).map(value).collect()
    };
    assert_eq!(of("bind"), ["unix:///run/guard-proxy/guard-spoa.sock"]);
    assert_eq!(of("name"), bundle.rulesets.keys().cloned().collect::<Vec<_>>());
    assert_eq!(of("directives"), bundle.rulesets.values().map(|ruleset| ruleset.text.clone()).collect::<Vec<_>>());
}

#[test]
fn the_structure_is_what_only_a_reload_changes() {
    let node = sample::node("/run/guard-proxy");
    let make = |snapshot: &Snapshot, node: &NodeSettings, previous: Option<&Bundle>| {
        render(&compile(snapshot, node, NOW), node, previous).unwrap()
    };
    let snapshot = small::snapshot();
    let one = make(&snapshot, &node, None);
    assert!(text(&one, "haproxy.cfg").contains(&format!("    description gp-{}\n", one.structure)));
    assert!(!text(&one, "haproxy.cfg").contains(NO_STRUCTURE));
    let again = make(&snapshot, &node, Some(&one));
    assert_eq!((&again.digest, &again.files, &again.rulesets), (&one.digest, &one.files, &one.rulesets));
    assert_eq!(lanes(Some(&one), &again), []);

    use crate::domain::deployment::Lane::{Reload, Ruleset, Runtime};
    assert_eq!(lanes(None, &one), [Runtime, Ruleset, Reload]);
    let mut values = snapshot.clone();
    crate::compile::sample::put_policy(&mut values, 1, serde_json::json!({"name": "plain", "mode": "detect"}));
    let values = make(&values, &node, Some(&one));
    assert_eq!((&values.structure, lanes(Some(&one), &values)), (&one.structure, vec![Runtime]));
    assert_ne!(values.digest, one.digest);
    let mut rules = snapshot.clone();
    crate::compile::sample::put_policy(&mut rules, 1, serde_json::json!({"name": "plain", "allowed_methods": ["GET"]}));
    assert_eq!(lanes(Some(&one), &make(&rules, &node, Some(&one))), [Runtime, Ruleset]);
    let slower = NodeSettings { waf_timeout_ms: 3000, ..node.clone() };
    assert_eq!(lanes(Some(&one), &make(&snapshot, &slower, Some(&one))), [Reload], "coraza.cfg is structure");
    let fewer = NodeSettings { maxconn: 100, ..node };
    assert_eq!(lanes(Some(&one), &make(&snapshot, &fewer, Some(&one))), [Reload]);
}

#[test]
fn a_probe_reads_what_haproxy_writes() {
    let header = "12.5093513229 Bux|1.1.5.4.B|rs-d8395edf66a1f759|d1|7 waf=1 acc=allow action=deny status=403 error= fault= rules=100003,949110 score=5 rev=0123456789abcdef client=192.0.2.7";
    let state = ProbeState::parse(header).unwrap();
    let expected = ProbeState {
        number: Some(12),
        generation: "5093513229".to_owned(),
        row: "Bux|1.1.5.4.B|rs-d8395edf66a1f759|d1|7".to_owned(),
        waf: true,
        acc: "allow".to_owned(),
        action: "deny".to_owned(),
        status: Some(403),
        rules: vec![100_003, 949_110],
        score: Some(5),
        rev: "0123456789abcdef".to_owned(),
        client: Some("192.0.2.7".parse().unwrap()),
        ..ProbeState::default()
    };
    assert_eq!(state, expected);
    let unknown = ". waf= acc= action= status= error= fault= rules= score= rev=0123456789abcdef client=";
    assert_eq!(ProbeState::parse(unknown), None, "a row, though empty, has its blank");
    let unknown = ".  waf= acc= action= status= error=256 fault=a b rules=942100, score= rev=0123456789abcdef client=";
    let state = ProbeState::parse(unknown).unwrap();
    assert_eq!((state.number, state.error, state.fault.as_str(), state.rules), (None, Some(256), "a b", vec![942_100]));
    for bad in [
        "",
        "x",
        "a.b c waf= acc= action= status= error= fault= rules= score= rev= client=",
        "1.1 r waf= acc= action= status=x error= fault= rules= score= rev= client=",
        "1.1 r waf= acc= action= status= error= fault= rules= score= rev= client=x",
    ] {
        assert_eq!(ProbeState::parse(bad), None, "{bad}");
    }
    // the template writes what the format says
    let cfg = rendered(&small::snapshot());
    let line = text(&cfg, "haproxy.cfg").lines().find(|line| line.contains("set-header x-gp-state")).unwrap().to_owned();
    let keys = |text: &str| -> Vec<String> {
        text.split([' ', '"']).filter_map(|part| part.split_once('=')).map(|(key, _)| key.to_owned()).collect()
    };
    assert_eq!(keys(&line), keys(PROBE_STATE_FORMAT));
}
