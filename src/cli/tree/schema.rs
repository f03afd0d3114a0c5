//! The JSON Schema of a document, for editors: made from the schemas of the API, committed as `openapi/policies-as-code.schema.json`.
#![cfg_attr(not(test), expect(dead_code, reason = "written by a test, which `make docs` runs"))]

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

const API: &str = "#/components/schemas/";

/// The schema as it is committed: pretty, with a newline at its end.
pub fn json_schema() -> String {
    let document: Value = serde_json::from_str(&crate::api::openapi_json()).unwrap_or_default();
    let schemas = &document["components"]["schemas"];
    let mut wanted = BTreeSet::new();
    let mut definitions = Map::new();
    for (kind, name) in [("policy", "Policy"), ("ip_list", "IpList"), ("vhost", "Vhost")] {
        // What is absent stays as the server has it, and null is the default: a merge patch, but for the name.
        let mut schema = schemas[format!("{name}Patch")].clone();
        let whole = &schemas[name];
        schema["description"] = whole["description"].clone();
        let mut properties = Map::new();
        properties.insert("kind".into(), json!({ "const": kind }));
        for (member, property) in schema["properties"].as_object().into_iter().flatten() {
            if property["readOnly"] != true {
                properties.insert(member.clone(), property.clone());
            }
        }
        properties.insert("name".into(), whole["properties"]["name"].clone());
        if kind == "ip_list" {
            let about = "All entries of the list. Absent, with `entries_file` absent too: they are left as the server has them.";
            properties
                .insert("entries".into(), json!({ "type": "array", "description": about, "items": { "$ref": format!("{API}Entry") } }));
            let about =
                "A file of entries, relative to this one: `.txt` (`192.0.2.0/24 # comment`) or `.csv` (`network,comment,expires_at`).";
            properties.insert("entries_file".into(), json!({ "type": "string", "description": about, "pattern": "^[^/].*\\.(txt|csv)$" }));
            schema["not"] = json!({ "required": ["entries", "entries_file"] });
        }
        schema["properties"] = Value::Object(properties);
        schema["required"] = json!(["kind", "name"]);
        schema["additionalProperties"] = false.into();
        moved(&mut schema, &mut wanted);
        definitions.insert(format!("{name}Document"), schema);
    }
    while let Some(name) = wanted.pop_first() {
        if !definitions.contains_key(&name) {
            let mut schema = schemas[&name].clone();
            moved(&mut schema, &mut wanted);
            definitions.insert(name, schema);
        }
    }
    let schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Guard Proxy, policies as code",
        "description": "One document of a folder that `guard-proxy apply` takes: `kind`, `name` and the fields of the resource. See docs/policies-as-code.md.",
        "type": "object",
        "required": ["kind", "name"],
        "oneOf": [{ "$ref": "#/$defs/PolicyDocument" }, { "$ref": "#/$defs/IpListDocument" }, { "$ref": "#/$defs/VhostDocument" }],
        "$defs": definitions,
    });
    format!("{schema:#}\n")
}

/// Points references at the schemas of this document, and notes them.
fn moved(value: &mut Value, wanted: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            if let Some(Value::String(reference)) = members.get_mut("$ref")
                && let Some(name) = reference.strip_prefix(API).map(str::to_owned)
            {
                *reference = format!("#/$defs/{name}");
                wanted.insert(name);
            }
            members.values_mut().for_each(|value| moved(value, wanted));
        }
        Value::Array(items) => items.iter_mut().for_each(|item| moved(item, wanted)),
        _ => {}
    }
}
