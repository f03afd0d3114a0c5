//! Promise 6: no field of any resource can add a line, a word or a directive to a file.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::compile::sample::versioned;
use crate::domain::snapshot::ListState;
use crate::domain::{Entry, IpList, Policy, Vhost};

/// Texts that end lines, words, quotes, comments and expressions in the languages of our files, and bits to build others from.
const BITS: [&str; 44] = [
    "\n",
    "\r\n",
    "\r",
    "\u{0}",
    "\u{b}",
    "\u{85}",
    "\u{2028}",
    " ",
    "\t",
    "\u{a0}",
    "\"",
    "'",
    "\\",
    "\\\n",
    "#",
    "|",
    ";",
    ",",
    ":",
    "%[src]",
    "%{x}",
    "${HOME}",
    "$(id)",
    "{{ x }}",
    "{% x %}",
    "`",
    "<!--",
    "/",
    "..",
    "*",
    "=",
    "\n    server evil 192.0.2.66:80",
    " backup",
    "\" \"id:1,phase:1,allow",
    "\nSecRuleEngine Off",
    "\n  - name: evil",
    "evil",
    "a",
    "9",
    "-",
    ".example.com",
    "http-request deny",
    "é",
    "\u{202e}",
];

fn hostile() -> impl Strategy<Value = String> {
    prop_oneof![
        proptest::collection::vec(proptest::sample::select(&BITS[..]), 1..5).prop_map(|bits| bits.concat()),
        "\\PC{0,12}",
        ".{0,12}",
        // things that parse now and then
        "[a-z0-9.*:/_%$+~@,-]{1,20}",
    ]
}

/// Every text of every resource, by JSON pointer, with a benign value.
fn policy() -> Value {
    json!({
        "name": "p", "title": "t", "description": "d", "allowed_methods": ["GET"], "allowed_content_types": ["text/plain"],
        "exclusions": [
            {"id": "e1", "rule": {"tag": "attack-sqli"}, "target": "ARGS:a", "path": {"prefix": "/a"}, "reason": "r", "owner": "o"},
            {"id": "e2", "rule": {"tag": "attack-xss"}, "target": "ARGS:b"},
            {"id": "e3", "rule": {"tag": "attack-lfi"}, "path": {"prefix": "/b"}},
        ],
        "custom_rules": [{"id": 190_001, "seclang": "SecRule ARGS \"@streq a\" \"phase:2,deny,status:403,log,msg:'m'\""}],
    })
}

fn vhost() -> Value {
    json!({
        "name": "v", "title": "t", "description": "d", "hostnames": ["v.test", "*.v.test"], "labels": {"team": "web"}, "policy": "p",
        "upstream": {"balance": "source", "servers": [{"name": "s", "address": "192.0.2.1", "port": 80}], "health_check": {"path": "/", "expect_status": "200"}},
        "access": {"deny": ["l"]},
    })
}

fn list() -> (Value, Value) {
    (json!({"name": "l", "title": "t", "description": "d"}), json!({"network": "192.0.2.0/24", "comment": "c"}))
}

/// Pointers of all texts in a value.
fn texts(value: &Value, at: &str, out: &mut Vec<String>) {
    match value {
        Value::String(_) => out.push(at.to_owned()),
        Value::Array(items) => items.iter().enumerate().for_each(|(n, item)| texts(item, &format!("{at}/{n}"), out)),
        Value::Object(fields) => fields.iter().for_each(|(key, field)| texts(field, &format!("{at}/{key}"), out)),
        _ => {}
    }
}

/// The resources with one text of one of them changed; `None` where the types refuse it.
fn snapshot(change: Option<(usize, usize, &str)>) -> Option<Snapshot> {
    let (list, entry) = list();
    let mut resources = [policy(), vhost(), list, entry];
    if let Some((resource, pointer, text)) = change {
        let mut pointers = Vec::new();
        texts(&resources[resource], "", &mut pointers);
        let pointer = &pointers[pointer % pointers.len()];
        *resources[resource].pointer_mut(pointer).unwrap() = Value::String(text.to_owned());
    }
    let [policy, vhost, list, entry] = resources;
    let policy = serde_json::from_value::<Policy>(policy).ok()?.complete().ok()?;
    let vhost = serde_json::from_value::<Vhost>(vhost).ok()?.complete().ok()?;
    let list = serde_json::from_value::<IpList>(list).ok()?;
    let entry = serde_json::from_value::<Entry>(entry).ok()?;
    crate::compile::ruleset_of(&policy, NOW).ok()?;
    // references follow the names, as the service sees to
    let (vhost, list_name) = (Vhost { policy: policy.name.clone(), ..vhost }, list.name.clone());
    let vhost = Vhost { access: crate::domain::vhost::Access { deny: vec![list_name.clone()], ..vhost.access }, ..vhost };
    let mut snapshot = Snapshot::default();
    snapshot.policies.insert(policy.name.clone(), versioned(1, 1, policy).into());
    snapshot.put_vhost(versioned(1, 1, vhost).into());
    let entries = [(entry.network, entry)].into_iter().collect();
    snapshot
        .ip_lists
        .insert(list_name, std::sync::Arc::new(ListState { list: versioned(1, 1, list), entries: std::sync::Arc::new(entries) }));
    Some(snapshot)
}

/// How many words each line of each file has, as the reader of the file counts them.
fn shape(bundle: &Bundle) -> Vec<(String, Vec<usize>)> {
    let words = |line: &str| line.split_ascii_whitespace().count();
    let mut out: Vec<(String, Vec<usize>)> = bundle
        .files
        .iter()
        // which of two maps an entry is in, and how many of a list, is the point of the change
        .filter(|(file, _)| !matches!(file.as_str(), "hosts.map" | "wildcards.map" | "access.map" | "redirects.map" | "guard-spoa.yaml"))
        .map(|(file, content)| (file.clone(), std::str::from_utf8(content).unwrap().lines().map(words).collect()))
        .collect();
    for map in bundle.maps.values() {
        assert!(map.iter().all(|(key, value)| words(key) == 1 && words(value) == 1));
    }
    // names of rule sets differ, their order may
    let mut rulesets: Vec<Vec<usize>> = bundle.rulesets.values().map(|r| r.text.lines().map(words).collect()).collect();
    rulesets.sort();
    out.extend(rulesets.into_iter().map(|shape| ("rule set".to_owned(), shape)));
    out.push(("guard-spoa.yaml".to_owned(), vec![text(bundle, "guard-spoa.yaml").lines().count()]));
    out
}

static BENIGN: std::sync::LazyLock<Bundle> = std::sync::LazyLock::new(|| rendered(&snapshot(None).unwrap()));

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]
    #[test]
    fn no_field_adds_a_line_or_a_word(resource in 0usize..4, pointer in 0usize..40, text in hostile()) {
        let Some(changed) = snapshot(Some((resource, pointer, &text))) else { return Ok(()) };
        let benign = &*BENIGN;
        let custom = changed.policies.values().next().unwrap().spec.custom_rules[0].seclang != policy()["custom_rules"][0]["seclang"];
        let bundle = rendered(&changed);
        if custom {
            // a rule may be any rule that seclang lets through, on one line for each link
            prop_assert_eq!(text_lines(&bundle), text_lines(benign) - 1 + custom_links(&changed));
        } else {
            prop_assert_eq!(shape(&bundle), shape(benign));
        }
    }
}

fn text_lines(bundle: &Bundle) -> usize {
    bundle.rulesets.values().map(|ruleset| ruleset.text.lines().count()).sum()
}

fn custom_links(snapshot: &Snapshot) -> usize {
    let policy = &snapshot.policies.values().next().unwrap().spec;
    crate::seclang::parse_custom_rule(190_001, &policy.custom_rules[0].seclang).unwrap().links.len()
}

/// The choke point itself: what no newtype would let through does not get out of a template either.
#[test]
fn the_last_line_of_defence() {
    let node = sample::node("/run/guard-proxy");
    let desired = compile(&small::snapshot(), &node, NOW);
    for bad in ["", "a b", "a\nb", "a\tb", "a\"b", "a'b", "a%b", "a\u{85}b", "a$b", "a#b", "é"] {
        let mut hostile = desired.clone();
        hostile.backends[0].check_host = bad.to_owned();
        let error = render(&hostile, &node, None).unwrap_err();
        assert!(error.template.ends_with("backends.cfg.j2") && error.message.contains("token"), "{bad:?}: {error}");
        let hostile = NodeSettings { run_dir: format!("/run/{bad}{bad} x"), ..node.clone() };
        assert!(render(&desired, &hostile, None).is_err());
        let mut hostile = desired.clone();
        hostile.maps.insert(MapName::Hosts, Arc::new(vec![(format!("{bad} x"), "1".to_owned())]));
        assert!(render(&hostile, &node, None).is_err());
    }
    for bad in ["SecRule A \"b\" \"c\"\nSecRuleEngine Off", "a\rb", "a\u{0}b", "a\u{2028}b", "a\u{85}b"] {
        let mut hostile = desired.clone();
        let ruleset = hostile.rulesets.values_mut().next().unwrap();
        let mut source = ruleset.source.as_ref().clone();
        source.before_crs.push(crate::compile::SecLangLine { text: bad.to_owned(), pointer: String::new() });
        ruleset.source = Arc::new(source);
        let error = render(&hostile, &node, None).unwrap_err();
        assert!(error.message.contains("control character"), "{bad:?}: {error}");
    }
}

#[test]
fn only_plain_text_and_whole_numbers_are_written() {
    use minijinja::value::Value;
    for bad in [Value::from(()), Value::from(true), Value::from(1.5), Value::from(vec![1]), Value::UNDEFINED] {
        let context = Value::from_pairs([("max_frame_bytes", bad), ("waf_timeout_ms", Value::from(1))]);
        let error = environment::render(environment::SPOE, context).unwrap_err();
        assert!(error.message.contains("never written") || error.message.contains("undefined"), "{error}");
    }
    let error = environment::render(environment::SPOE, Value::from_pairs([("max_frame_bytes", 5)])).unwrap_err();
    assert!(error.message.contains("undefined") && error.message.contains("coraza.cfg.j2"), "{error}");
}
