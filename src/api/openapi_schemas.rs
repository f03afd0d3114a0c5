//! The schemas of the OpenAPI document, where utoipa leaves something to be said: defaults, merge patches, what is answered.

use serde_json::{Map, Value, json};

use crate::domain::path::Body;
use crate::domain::rule::{CustomRule, Exclusion};
use crate::domain::upstream::{HealthCheck, Timeouts, Upstream};
use crate::domain::vhost::{Access, ClientIp, RateLimit};
use crate::domain::{Entry, IpList, Paranoia, Policy, Server, Thresholds, Vhost, VhostPath};

/// The kinds, and the elements of their keyed arrays with their keys.
pub const KINDS: [&str; 3] = ["Vhost", "Policy", "IpList"];
pub const ELEMENTS: [(&str, &str); 4] = [("Exclusion", "id"), ("CustomRule", "id"), ("Server", "name"), ("VhostPath", "prefix")];

/// Completes the schemas as utoipa gives them.
pub fn complete(schemas: &mut Schemas) {
    schemas.remove("i64");
    pages(schemas);
    differences(schemas);
    defaults(schemas);
    patches(schemas);
    representations(schemas);
    read_only(schemas);
}

/// Says the default of each member that may be left out: what comes out when nothing but the required ones goes in.
fn defaults(schemas: &mut Schemas) {
    fn filled<T: serde::de::DeserializeOwned + serde::Serialize>(least: Value) -> Value {
        serde_json::from_value::<T>(least).and_then(serde_json::to_value).unwrap_or_default()
    }
    let server = json!({ "address": "192.0.2.1", "port": 80 });
    let upstream = json!({ "servers": [server] });
    let filled = [
        ("Vhost", filled::<Vhost>(json!({ "name": "x", "hostnames": ["x.example"], "policy": "x", "upstream": upstream }))),
        ("Policy", filled::<Policy>(json!({ "name": "x" }))),
        ("IpList", filled::<IpList>(json!({ "name": "x" }))),
        ("Exclusion", filled::<Exclusion>(json!({ "rule": { "id": 942100 } }))),
        ("CustomRule", filled::<CustomRule>(json!({ "seclang": "" }))),
        ("Server", filled::<Server>(server)),
        ("Upstream", filled::<Upstream>(upstream)),
        ("HealthCheck", filled::<HealthCheck>(json!({}))),
        ("Timeouts", filled::<Timeouts>(json!({}))),
        ("Access", filled::<Access>(json!({}))),
        ("ClientIp", filled::<ClientIp>(json!({}))),
        ("Body", filled::<Body>(json!({}))),
        ("RateLimit", filled::<RateLimit>(json!({ "requests": 1 }))),
        ("VhostPath", filled::<VhostPath>(json!({ "prefix": "/x/" }))),
        ("Thresholds", filled::<Thresholds>(json!({}))),
        ("Paranoia", filled::<Paranoia>(json!({}))),
        ("Entry", filled::<Entry>(json!({ "network": "192.0.2.1" }))),
    ];
    for (name, filled) in filled {
        let Some(schema) = schemas.get_mut(name) else { continue };
        let required = schema["required"].as_array().cloned().unwrap_or_default();
        for (member, property) in schema["properties"].as_object_mut().into_iter().flatten() {
            let default = filled.get(member).filter(|default| !default.is_null());
            if let Some(default) = default.filter(|_| !required.iter().any(|one| one == member)) {
                property["default"] = default.clone();
            }
        }
    }
}

type Schemas = Map<String, Value>;

const PREFIX: &str = "#/components/schemas/";

fn referenced(schema: &Value) -> Option<&str> {
    schema["$ref"].as_str()?.strip_prefix(PREFIX)
}

/// Items of pages by their name, where utoipa writes them out.
fn pages(schemas: &mut Schemas) {
    let lists = KINDS.iter().map(|kind| (format!("{kind}Page"), format!("{kind}Representation")));
    let elements = ELEMENTS.iter().map(|(element, _)| (format!("{element}List"), format!("{element}Representation")));
    let others = [("EntryPage", "EntryRepresentation"), ("RevisionPage", "RevisionInfo"), ("DeploymentPage", "Deployment")];
    let others = others.iter().map(|(page, item)| ((*page).to_owned(), (*item).to_owned()));
    for (page, item) in lists.chain(elements).chain(others) {
        if let Some(items) = schemas.get_mut(&page).and_then(|page| page.pointer_mut("/properties/items/items")) {
            *items = json!({ "$ref": format!("{PREFIX}{item}") });
        }
    }
    if let Some(data) = schemas.get_mut("StreamEvent").and_then(|event| event["properties"].get_mut("data")) {
        data["type"] = "object".into();
        data["additionalProperties"] = true.into();
    }
    // Only ever answered: what may be null is there all the same.
    if let Some(deployment) = schemas.get_mut("Deployment") {
        deployment["required"] = deployment["properties"].as_object().into_iter().flat_map(Map::keys).cloned().collect();
    }
}

/// What differs may be any JSON, and what is contested an array, too: its order.
fn differences(schemas: &mut Schemas) {
    let field = json!(["object", "array", "string", "number", "boolean", "null"]);
    for (name, members, types) in
        [("FieldChange", &["before", "after"][..], field), ("Conflict", &["base", "yours", "theirs"], json!(["object", "array", "null"]))]
    {
        for member in members {
            if let Some(property) = schemas.get_mut(name).and_then(|schema| schema["properties"].get_mut(*member)) {
                property["type"] = types.clone();
            }
        }
    }
}

/// The number of a revision, where utoipa takes the alias for a schema of its own.
pub fn revisions(value: &mut Value) {
    match value {
        Value::Object(members) => {
            if members.get("$ref").is_some_and(|name| *name == format!("{PREFIX}i64")) {
                members.remove("$ref");
                members.insert("type".into(), "integer".into());
                members.insert("format".into(), "int64".into());
                members.insert("minimum".into(), 0.into());
            }
            members.values_mut().for_each(revisions);
        }
        Value::Array(items) => items.iter_mut().for_each(revisions),
        _ => {}
    }
}

/// `XPatch` for each schema that a merge patch changes: no member is required, each may be null, objects inside are patches again.
fn patches(schemas: &mut Schemas) {
    KINDS.into_iter().chain(ELEMENTS.map(|(name, _)| name)).for_each(|name| _ = patch(schemas, name));
}

fn patch(schemas: &mut Schemas, name: &str) -> Option<String> {
    let patch_name = format!("{name}Patch");
    if schemas.contains_key(&patch_name) {
        return Some(patch_name);
    }
    let mut schema = schemas.get(name)?.clone();
    schema.get("properties")?;
    // Holds the place: schemas may name themselves.
    schemas.insert(patch_name.clone(), Value::Null);
    let members = schema.as_object_mut()?;
    members.remove("required");
    members.insert("description".into(), format!("A merge patch (RFC 7396) of `{name}`: null is default or absent.").into());
    for (_, property) in members.get_mut("properties")?.as_object_mut()? {
        if let Some(object) = property.as_object_mut() {
            object.remove("default");
        }
        let inner = referenced(property).map(str::to_owned).and_then(|inner| patch(schemas, &inner));
        if let Some(inner) = inner {
            *property = json!({ "anyOf": [{ "type": "null" }, { "$ref": format!("{PREFIX}{inner}") }] });
        } else {
            nullable(property);
        }
    }
    schemas.insert(patch_name.clone(), schema);
    Some(patch_name)
}

fn nullable(property: &mut Value) {
    match property.get("type").cloned() {
        Some(Value::String(one)) => property["type"] = json!([one, "null"]),
        Some(_) => {}
        None if property.get("oneOf").is_some() => {}
        None => *property = json!({ "anyOf": [{ "type": "null" }, property.take()] }),
    }
}

/// Gives what is answered schemas of its own, in which every member is required, where what is written leaves some to defaults.
fn representations(schemas: &mut Schemas) {
    for name in KINDS.into_iter().chain(ELEMENTS.map(|(name, _)| name)).map(|name| format!("{name}Representation")) {
        let Some(mut schema) = schemas.get(&name).cloned() else { continue };
        if let Some(properties) = schema["properties"].as_object_mut() {
            properties.values_mut().for_each(|property| answered(schemas, property));
        }
        schemas.insert(name, schema);
    }
    // Keys may be left to us on writing; they are there on reading.
    for (element, key) in ELEMENTS {
        for name in [format!("{element}Representation"), format!("Answered{element}")] {
            if let Some(key) = schemas.get_mut(&name).and_then(|schema| schema["properties"].get_mut(key)) {
                not_null(key);
            }
        }
    }
}

fn not_null(property: &mut Value) {
    if let Some(types) = property["type"].as_array() {
        let kept = types.iter().find(|kind| *kind != "null").cloned().unwrap_or_default();
        property["type"] = kept;
    } else if let Some(some) = property["oneOf"].as_array().and_then(|all| all.iter().find(|one| one["type"] != "null")).cloned() {
        *property = some;
    }
}

/// Points a property at the answered form of what it holds.
fn answered(schemas: &mut Schemas, property: &mut Value) {
    if let Some(items) = property.get_mut("items") {
        return answered(schemas, items);
    }
    if let Some(all) = property.get_mut("oneOf").and_then(Value::as_array_mut) {
        return all.iter_mut().for_each(|one| answered(schemas, one));
    }
    let Some(name) = referenced(property).map(str::to_owned) else { return };
    // Exactly one of its members is there.
    if name.starts_with("RuleSelector") || name.ends_with("Meta") {
        return;
    }
    let answered_name = format!("Answered{name}");
    if !schemas.contains_key(&answered_name) {
        let Some(mut schema) = schemas.get(&name).cloned() else { return };
        let Some(mut properties) = schema["properties"].as_object().cloned() else { return };
        schemas.insert(answered_name.clone(), Value::Null);
        properties.values_mut().for_each(|property| answered(schemas, property));
        schema["required"] = properties.keys().cloned().collect();
        schema["properties"] = Value::Object(properties);
        if let Some(members) = schema.as_object_mut() {
            members.remove("additionalProperties");
        }
        schemas.insert(answered_name.clone(), schema);
    }
    property["$ref"] = format!("{PREFIX}{answered_name}").into();
}

/// What is accepted and ignored on write, so that what was read may be written back.
fn read_only(schemas: &mut Schemas) {
    let ignored = |schemas: &mut Schemas, name: &str, member: &str, schema: Value| {
        if let Some(properties) = schemas.get_mut(name).and_then(|schema| schema["properties"].as_object_mut()) {
            properties.insert(member.to_owned(), schema);
        }
    };
    for kind in KINDS {
        let Some(schema) = schemas.get_mut(kind).and_then(Value::as_object_mut) else { continue };
        // The path says the name.
        let required: Vec<Value> = schema.get("required").and_then(Value::as_array).into_iter().flatten().cloned().collect();
        let required: Vec<Value> = required.into_iter().filter(|member| member != "name").collect();
        if required.is_empty() {
            schema.remove("required");
        } else {
            schema.insert("required".into(), required.into());
        }
    }
    for name in ["Vhost", "Policy", "IpList", "VhostPatch", "PolicyPatch", "IpListPatch"] {
        ignored(schemas, name, "meta", json!({ "$ref": format!("{PREFIX}Meta"), "readOnly": true }));
    }
    for name in ["IpList", "IpListPatch"] {
        ignored(schemas, name, "entry_count", json!({ "type": "integer", "minimum": 0, "readOnly": true }));
        ignored(schemas, name, "digest", json!({ "type": "string", "readOnly": true }));
    }
}
