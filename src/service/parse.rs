//! JSON -> typed resource, the one place: what is wrong is told with JSON pointers, several faults at once where that is possible.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use serde_path_to_error::Segment;

use super::object::Spec;
use crate::domain::error::{Error, FieldError, Result};
use crate::domain::{IpList, Kind, Name, Policy, Vhost};

/// Reads a whole resource: of `kind`, named `name` (filled in where absent; another name is refused).
pub fn resource(kind: Kind, name: &Name, value: Value) -> Result<Spec> {
    let Value::Object(mut fields) = value else {
        return Err(Error::invalid("", "invalid_type", format!("a {kind} is a JSON object")));
    };
    // Read-only; what was read can be written back.
    fields.remove("meta");
    match fields.get("name") {
        Some(Value::String(given)) if given != name.as_str() => {
            let detail = format!("the name is `{name}`, as in the path; a name never changes: create another {kind} and delete this one");
            return Err(Error::invalid("/name", "name_differs", detail));
        }
        Some(_) => {}
        None => drop(fields.insert("name".to_owned(), Value::String(name.to_string()))),
    }
    match kind {
        Kind::Vhost => complete(fields, Vhost::complete).map(Spec::Vhost),
        Kind::Policy => complete(fields, Policy::complete).map(Spec::Policy),
        Kind::IpList => complete(fields, IpList::complete).map(Spec::IpList),
    }
}

/// RFC 7396: null takes away, objects are merged, all else (arrays too) replaces.
pub fn merge(target: &mut Value, patch: Value) {
    let Value::Object(patch) = patch else {
        *target = patch;
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let fields = target.as_object_mut().expect("made an object above");
    for (key, value) in patch {
        if value.is_null() {
            fields.remove(&key);
        } else {
            merge(fields.entry(key).or_insert(Value::Null), value);
        }
    }
}

/// Faults told at once, at most: one per top-level field, and nobody reads more.
const MOST_FAULTS: usize = 32;

/// Deserializes, and on a fault goes on with a harmless value in the place of the top-level field that has it, so that the faults of
/// other fields are told too.
fn complete<T: DeserializeOwned>(fields: Map<String, Value>, complete: fn(T) -> Result<T>) -> Result<T> {
    let mut value = Value::Object(fields);
    let mut faults = Vec::new();
    loop {
        match serde_path_to_error::deserialize::<_, T>(&value) {
            Ok(typed) if faults.is_empty() => return complete(typed),
            Ok(typed) => {
                if let Err(Error::Invalid(more)) = complete(typed) {
                    // Only of fields that were read as they were sent.
                    let more: Vec<_> = more.into_iter().filter(|fault| !faults.iter().any(|known| same_field(known, fault))).collect();
                    faults.extend(more);
                }
                break;
            }
            Err(error) => {
                let fault = fault(&error);
                let field = field_of(&fault.pointer);
                let repeated = faults.iter().any(|known: &FieldError| known.pointer == fault.pointer);
                faults.push(fault);
                if field.is_empty() || repeated || faults.len() >= MOST_FAULTS {
                    break;
                }
                let fields = value.as_object_mut().expect("made one above");
                match harmless(&field) {
                    Some(good) => drop(fields.insert(field, good)),
                    None => drop(fields.remove(&field)),
                }
            }
        }
    }
    faults.dedup_by(|a, b| a.pointer == b.pointer);
    Err(Error::Invalid(faults))
}

/// Reads what is no resource; the first fault is told.
pub fn typed<T: DeserializeOwned>(value: &Value) -> Result<T> {
    serde_path_to_error::deserialize(value).map_err(|error| Error::Invalid(vec![fault(&error)]))
}

/// A good value of each required field.
fn harmless(field: &str) -> Option<Value> {
    match field {
        "name" | "policy" => Some(json!("x")),
        "hostnames" => Some(json!(["x.example"])),
        "upstream" => Some(json!({"servers": [{"address": "192.0.2.1", "port": 80}]})),
        _ => None,
    }
}

fn same_field(a: &FieldError, b: &FieldError) -> bool {
    field_of(&a.pointer) == field_of(&b.pointer)
}

/// The top-level field of a pointer, unescaped.
fn field_of(pointer: &str) -> String {
    pointer.split('/').nth(1).unwrap_or_default().replace("~1", "/").replace("~0", "~")
}

fn fault(error: &serde_path_to_error::Error<serde_json::Error>) -> FieldError {
    let mut pointer = String::new();
    for segment in error.path() {
        match segment {
            Segment::Seq { index } => pointer.push_str(&format!("/{index}")),
            Segment::Map { key } => {
                pointer.push('/');
                pointer.push_str(&escape(key));
            }
            Segment::Enum { .. } | Segment::Unknown => {}
        }
    }
    let words = error.inner().to_string();
    let quoted = |prefix: &str| words.strip_prefix(prefix).and_then(|rest| rest.split('`').next());
    if let Some(field) = quoted("missing field `") {
        return FieldError::new(format!("{pointer}/{}", escape(field)), "missing_field", format!("`{field}` is required"));
    }
    if let Some(field) = quoted("unknown field `") {
        if !pointer.ends_with(&format!("/{}", escape(field))) {
            pointer.push('/');
            pointer.push_str(&escape(field));
        }
        return FieldError::new(pointer, "unknown_field", words);
    }
    let code = if words.starts_with("invalid type: ") { "invalid_type" } else { "invalid_value" };
    FieldError::new(pointer, code, words)
}

/// RFC 6901.
pub fn escape(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(kind: Kind, value: Value) -> Vec<(String, String)> {
        match resource(kind, &Name::parse("shop").unwrap(), value) {
            Err(Error::Invalid(faults)) => faults.into_iter().map(|f| (f.pointer, f.code)).collect(),
            other => panic!("{other:?}"),
        }
    }

    fn pair(pointer: &str, code: &str) -> (String, String) {
        (pointer.to_owned(), code.to_owned())
    }

    #[test]
    fn faults_point_at_the_field_itself_and_are_told_at_once() {
        let value = json!({
            "hostnames": ["shop.example.com", "a b"], "policy": "Shop", "labels": {"a/b": "c"}, "colour": "red",
            "upstream": {"servers": [{"address": "192.0.2.1", "port": 0, "weigth": 1}]}, "access": {"denied": []}, "enabled": "yes",
        });
        let mut told = faults(Kind::Vhost, value);
        told.sort();
        assert_eq!(
            told,
            [
                pair("/access/denied", "unknown_field"),
                pair("/colour", "unknown_field"),
                pair("/enabled", "invalid_type"),
                pair("/hostnames/1", "invalid_value"),
                pair("/labels/a~1b", "invalid_value"),
                pair("/policy", "invalid_value"),
                pair("/upstream/servers/0/port", "invalid_value"),
            ]
        );
    }

    #[test]
    fn what_is_missing_is_named_and_what_types_cannot_say_is_told_beside() {
        let mut told = faults(Kind::Vhost, json!({"hostnames": [], "upstream": {"servers": [{}]}}));
        told.sort();
        assert_eq!(
            told,
            [pair("/hostnames", "out_of_range"), pair("/policy", "missing_field"), pair("/upstream/servers/0/address", "missing_field")]
        );
        assert_eq!(faults(Kind::Policy, json!({"name": "other"})), [pair("/name", "name_differs")]);
        assert_eq!(faults(Kind::Policy, json!({"name": 7})), [pair("/name", "invalid_type")]);
        assert_eq!(faults(Kind::Policy, json!([])), [pair("", "invalid_type")]);
        assert_eq!(
            faults(Kind::Policy, json!({"exclusions": [{"rule": {"id": 942100}}, {"rule": {"id": 1}}]})),
            [pair("/exclusions/1/rule", "invalid_value")]
        );
    }

    #[test]
    fn meta_is_ignored_and_the_name_filled_in() {
        let spec = resource(Kind::Policy, &Name::parse("shop").unwrap(), json!({"meta": {"etag": "\"4\""}})).unwrap();
        assert_eq!(spec.name().as_str(), "shop");
    }

    #[test]
    fn merging_is_rfc_7396() {
        // The examples of its appendix A.
        for (target, patch, want) in [
            (json!({"a": "b"}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": "b"}), json!({"b": "c"}), json!({"a": "b", "b": "c"})),
            (json!({"a": "b"}), json!({"a": null}), json!({})),
            (json!({"a": "b", "b": "c"}), json!({"a": null}), json!({"b": "c"})),
            (json!({"a": ["b"]}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": "c"}), json!({"a": ["b"]}), json!({"a": ["b"]})),
            (json!({"a": {"b": "c"}}), json!({"a": {"b": "d", "c": null}}), json!({"a": {"b": "d"}})),
            (json!({"a": [{"b": "c"}]}), json!({"a": [1]}), json!({"a": [1]})),
            (json!(["a", "b"]), json!(["c", "d"]), json!(["c", "d"])),
            (json!({"a": "b"}), json!(["c"]), json!(["c"])),
            (json!({"a": "foo"}), json!(null), json!(null)),
            (json!({"a": "foo"}), json!("bar"), json!("bar")),
            (json!({"e": null}), json!({"a": 1}), json!({"e": null, "a": 1})),
            (json!([1, 2]), json!({"a": "b", "c": null}), json!({"a": "b"})),
            (json!({}), json!({"a": {"bb": {"ccc": null}}}), json!({"a": {"bb": {}}})),
        ] {
            let mut merged = target.clone();
            merge(&mut merged, patch.clone());
            assert_eq!(merged, want, "{target} + {patch}");
        }
    }
}
