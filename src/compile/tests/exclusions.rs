//! Exclusions and custom rules as SecLang. That each form takes effect, and no more, was tried on Coraza 3.8.1.

use super::*;
use crate::domain::Policy;

fn policy(value: serde_json::Value) -> Policy {
    let mut value = value;
    value["name"] = json!("p");
    serde_json::from_value::<Policy>(value).unwrap().complete().unwrap()
}

/// Lines with their pointers.
type Lines = Vec<(String, String)>;

fn lines(value: serde_json::Value) -> (Lines, Lines) {
    let ruleset = ruleset_of(&policy(value), NOW).unwrap();
    let pairs = |lines: &[SecLangLine]| -> Lines { lines.iter().map(|line| (line.text.clone(), line.pointer.clone())).collect() };
    (pairs(&ruleset.source.before_crs), pairs(&ruleset.source.after_crs))
}

#[test]
fn without_a_path_they_are_directives_behind_the_core_rule_set() {
    let (before, after) = lines(json!({"exclusions": [
        {"rule": {"id": 942_100}},
        {"rule": {"range": {"from": 941_100, "to": 941_199}}},
        {"rule": {"tag": "attack-sqli"}, "enabled": false},
        {"rule": {"tag": "attack-rce"}},
        {"rule": {"id": 942_200}, "target": "ARGS:comment"},
        {"rule": {"range": {"from": 942_200, "to": 942_200}}, "target": "ARGS"},
        {"rule": {"tag": "attack-xss"}, "target": "REQUEST_COOKIES:s.id"},
    ]}));
    assert!(before.is_empty());
    let after: Vec<(&str, &str)> = after.iter().map(|(text, pointer)| (text.as_str(), pointer.as_str())).collect();
    assert_eq!(
        after,
        [
            ("SecRuleRemoveById 942100", "/exclusions/0"),
            ("SecRuleRemoveById 941100-941199", "/exclusions/1"),
            (r#"SecRuleRemoveByTag "attack-rce""#, "/exclusions/3"),
            (r#"SecRuleUpdateTargetById 942200 "!ARGS:comment""#, "/exclusions/4"),
            (r#"SecRuleUpdateTargetById 942200 "!ARGS""#, "/exclusions/5"),
            (r#"SecRuleUpdateTargetByTag "attack-xss" "!REQUEST_COOKIES:s.id""#, "/exclusions/6"),
        ]
    );
}

#[test]
fn with_a_path_they_are_chains_before_it_that_hold_for_plain_paths_only() {
    let (before, after) = lines(json!({"exclusions": [
        {"rule": {"id": 942_100}, "path": {"prefix": "/blog/"}, "enabled": false},
        {"rule": {"id": 942_100}, "target": "ARGS:x", "path": {"prefix": "/blog/"}},
        {"rule": {"tag": "attack-lfi"}, "path": {"prefix": "/a.b+c"}},
        {"rule": {"range": {"from": 942_100, "to": 942_199}}, "path": {"prefix": "/"}},
    ]}));
    assert!(after.is_empty());
    assert!(before[0].0.contains("setvar:tx.gp_plain=1") && before[0].0.contains("id:100100,"));
    let rest: Vec<(&str, &str)> = before[1..].iter().map(|(text, pointer)| (text.as_str(), pointer.as_str())).collect();
    assert_eq!(
        rest,
        [
            (r#"SecRule REQUEST_URI_RAW "@rx ^/blog(?:[/?]|$)" "id:100101,phase:1,pass,nolog,t:none,chain""#, "/exclusions/1"),
            (r#"SecRule TX:gp_plain "@streq 1" "t:none,ctl:ruleRemoveTargetById=942100;ARGS:x""#, "/exclusions/1"),
            (r#"SecRule REQUEST_URI_RAW "@rx ^/a\.b\+c(?:[/?]|$)" "id:100102,phase:1,pass,nolog,t:none,chain""#, "/exclusions/2"),
            (r#"SecRule TX:gp_plain "@streq 1" "t:none,ctl:ruleRemoveByTag=attack-lfi""#, "/exclusions/2"),
            (r#"SecRule REQUEST_URI_RAW "@rx ^(?:[/?]|$)" "id:100103,phase:1,pass,nolog,t:none,chain""#, "/exclusions/3"),
            (r#"SecRule TX:gp_plain "@streq 1" "t:none,ctl:ruleRemoveById=942100-942199""#, "/exclusions/3"),
        ]
    );
}

#[test]
fn path_exclusions_come_before_custom_rules_and_directives_behind_them() {
    let rule = |id: u32, placement: &str| json!({"id": id, "placement": placement, "seclang": "SecRule ARGS:a \"@streq 1\" \"phase:2,deny,status:403,log,msg:'a'\""});
    let (before, after) = lines(json!({
        "custom_rules": [rule(190_005, "after"), rule(190_001, "before"), rule(190_002, "before")],
        "exclusions": [{"rule": {"id": 190_001}, "path": {"prefix": "/x"}}, {"rule": {"id": 190_005}}, {"rule": {"id": 190_009}}],
    }));
    let pointers = |lines: &Lines| lines.iter().map(|(_, pointer)| pointer.clone()).collect::<Vec<_>>();
    assert_eq!(pointers(&before), ["/exclusions", "/exclusions/0", "/exclusions/0", "/custom_rules/1", "/custom_rules/2"]);
    // 190009 is not loaded, and Coraza would refuse an update of its targets
    assert_eq!(pointers(&after), ["/custom_rules/0", "/exclusions/1"]);
}

#[test]
fn faults_come_with_pointers() {
    let errors = ruleset_of(
        &policy(json!({
            "custom_rules": [{"seclang": "SecRule ARGS \"@rx a\" \"phase:2,deny,log,msg:'a'\""}, {"seclang": "SecRule ARGS \"@inspectFile /bin/sh\" \"phase:2,deny\"", "enabled": false}],
            "exclusions": [{"rule": {"id": 942_100}, "target": "REQUEST_URI:x"}],
        })),
        NOW,
    )
    .unwrap_err();
    assert_eq!((errors[0].pointer.as_str(), errors[0].code.as_str()), ("/exclusions/0/target", "target_without_elements"));
    assert_eq!(errors[1].pointer, "/custom_rules/1/seclang");
    assert_eq!(errors[1].line, Some(1));
    assert!(errors[1].code.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{}", errors[1].code);
}
