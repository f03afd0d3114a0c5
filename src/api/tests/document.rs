use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::api::{codes, guard, openapi, openapi_json};

fn document() -> Value {
    serde_json::from_str(&openapi_json()).unwrap()
}

/// (path, method, operation) of each operation.
fn operations(document: &Value) -> Vec<(&str, &str, &Value)> {
    let paths = document["paths"].as_object().unwrap();
    paths.iter().flat_map(|(path, item)| item.as_object().unwrap().iter().map(move |(m, o)| (path.as_str(), m.as_str(), o))).collect()
}

/// Fails when a committed file is not what the code generates; `UPDATE=1` writes it.
fn committed(path: &str, generated: &str) {
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if std::env::var_os("UPDATE").is_some() {
        fs_err::create_dir_all(file.parent().unwrap()).unwrap();
        fs_err::write(&file, generated).unwrap();
    }
    let there = fs_err::read_to_string(&file).unwrap_or_default();
    assert!(there == generated, "{path} is not what the code generates: run `make docs`");
}

#[test]
fn what_is_committed_is_what_is_generated() {
    committed("openapi/openapi.json", &openapi_json());
    committed("docs/problems.md", &codes::markdown());
}

#[test]
fn the_typed_document_loses_nothing() {
    fn differ(one: &Value, two: &Value, at: &str) {
        match (one, two) {
            (Value::Object(a), Value::Object(b)) => {
                for key in a.keys().chain(b.keys()) {
                    let none = Value::Null;
                    differ(a.get(key).unwrap_or(&none), b.get(key).unwrap_or(&none), &format!("{at}/{key}"));
                }
            }
            (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
                a.iter().zip(b).enumerate().for_each(|(index, (a, b))| differ(a, b, &format!("{at}/{index}")));
            }
            _ => assert_eq!(one, two, "{at}"),
        }
    }
    differ(&serde_json::to_value(openapi()).unwrap(), &document(), "");
}

#[test]
fn every_operation_says_what_a_client_needs() {
    let document = document();
    assert_eq!(document["openapi"], "3.1.0");
    assert_eq!(document["info"]["license"]["identifier"], "Apache-2.0");
    let known: BTreeSet<_> = document["tags"].as_array().unwrap().iter().map(|tag| tag["name"].as_str().unwrap()).collect();
    let mut ids = BTreeSet::new();
    for (path, method, operation) in operations(&document) {
        let at = format!("{method} {path}");
        assert!(ids.insert(operation["operationId"].as_str().unwrap_or_else(|| panic!("{at}"))), "{at}");
        assert!(operation["summary"].as_str().is_some_and(|text| !text.is_empty()), "{at}: summary");
        let tags = operation["tags"].as_array().unwrap();
        assert!(tags.len() == 1 && known.contains(tags[0].as_str().unwrap()), "{at}: {tags:?}");
        let responses = operation["responses"].as_object().unwrap();
        // A browser goes on from single sign-on, whatever came of it.
        let good = if path.starts_with("/api/v1/auth/sso") { "303" } else { "2" };
        assert!(responses.keys().any(|status| status.starts_with(good)), "{at}");
        for (status, response) in responses {
            let described = response["$ref"].is_string() || response["description"].as_str().is_some_and(|text| !text.is_empty());
            assert!(described, "{at} {status}");
        }
        let public = guard::PUBLIC.contains(&path);
        let credential = guard::CREDENTIALS.contains(&path);
        assert!(!credential || public, "{at}");
        assert_eq!(responses.contains_key("401"), !public || credential, "{at}");
        assert_eq!(operation["security"] == serde_json::json!([{}]), public, "{at}: {}", operation["security"]);
        let parameters: Vec<_> = operation["parameters"].as_array().into_iter().flatten().collect();
        for named in path.split('/').filter_map(|part| part.strip_prefix('{')).map(|part| part.split('}').next().unwrap()) {
            assert!(parameters.iter().any(|p| p["name"] == named && p["in"] == "path" && p["required"] == true), "{at}: {named}");
        }
        for parameter in parameters {
            assert!(parameter["schema"].is_object(), "{at}: {parameter}");
        }
        if matches!(method, "put" | "patch") {
            assert!(operation["requestBody"]["required"] == true, "{at}");
        }
    }
}

#[test]
fn every_reference_leads_somewhere_and_every_schema_is_used() {
    let document = document();
    let mut named = BTreeMap::new();
    fn walk<'a>(value: &'a Value, named: &mut BTreeMap<&'a str, usize>) {
        match value {
            Value::Object(members) => {
                if let Some(Value::String(name)) = members.get("$ref") {
                    *named.entry(name).or_default() += 1;
                }
                members.values().for_each(|value| walk(value, named));
            }
            Value::Array(items) => items.iter().for_each(|value| walk(value, named)),
            _ => {}
        }
    }
    walk(&document, &mut named);
    for name in named.keys() {
        assert!(document.pointer(name.trim_start_matches('#')).is_some_and(|target| !target.is_null()), "{name}");
    }
    for (kind, all) in document["components"].as_object().unwrap() {
        for name in all.as_object().unwrap().keys().filter(|_| kind != "securitySchemes") {
            assert!(named.contains_key(format!("#/components/{kind}/{name}").as_str()), "{kind}/{name} is not used");
        }
    }
}

#[test]
fn each_code_is_there_once() {
    let texts: BTreeSet<_> = codes::Code::ALL.iter().map(|code| code.as_str()).collect();
    assert_eq!(texts.len(), codes::Code::ALL.len());
    for code in codes::Code::ALL {
        assert_eq!(serde_json::to_value(code).unwrap(), code.as_str());
        assert!(code.status().as_u16() >= 400 && !code.title().is_empty());
    }
}

#[test]
fn lists_take_their_parameters_and_members_tell_their_defaults() {
    let document = document();
    let parameters = |path: &str| {
        let all = document["paths"][path]["get"]["parameters"].as_array().unwrap().clone();
        all.iter().map(|parameter| parameter["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    for path in [
        "/api/v1/vhosts",
        "/api/v1/policies",
        "/api/v1/ip-lists",
        "/api/v1/ip-lists/{ip_list}/entries",
        "/api/v1/deployments",
        "/api/v1/revisions",
    ] {
        for name in ["limit", "cursor"] {
            assert!(parameters(path).contains(&name.to_owned()), "{path}: {name}");
        }
    }
    let schemas = &document["components"]["schemas"];
    assert_eq!(schemas["Policy"]["properties"]["mode"]["default"], "block");
    assert_eq!(schemas["Policy"]["properties"]["thresholds"]["default"]["inbound"], 5);
    assert_eq!(schemas["Vhost"]["required"], serde_json::json!(["hostnames", "policy", "upstream"]));
    assert_eq!(schemas["ProblemCode"]["enum"].as_array().unwrap().len(), codes::Code::ALL.len());
    assert_eq!(schemas["ProblemCode"]["enum"][0], "bad_request");
}

/// A change set that is not there is 404 wherever one can be named, and a revision that is kept no more 410.
#[test]
fn what_is_read_through_a_change_set_may_be_absent() {
    let document = document();
    let mut found = 0;
    for (path, method, operation) in operations(&document) {
        let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
        if parameters.iter().any(|parameter| parameter["in"] == "query" && parameter["name"] == "change_set") {
            found += 1;
            for status in ["404", "410"] {
                assert!(operation["responses"].get(status).is_some(), "{method} {path}: {status}");
            }
        }
    }
    assert!(found > 20, "{found}");
}
