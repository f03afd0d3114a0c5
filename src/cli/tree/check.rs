//! What can be said of a tree without a server: types, rules, references inside it, names and hostnames that are there twice.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::document::{Document, Spot};
use super::fault::Fault;
use super::read::Tree;
use crate::compile;
use crate::domain::{Entry, Error, FieldError, Kind, Name, Network};
use crate::service::Spec;

/// Adds what is wrong, and what is to be known, to the tree.
pub fn check(tree: &mut Tree) {
    let mut found = Findings::default();
    let mut first: BTreeMap<(&str, &Name), Spot> = BTreeMap::new();
    for document in &tree.documents {
        if let Some(there) = first.get(&(document.kind.as_str(), &document.name)) {
            found.fault(
                document,
                &FieldError::new("/name", "duplicate", format!("{} `{}` is at {there}, too", document.kind, document.name)),
            );
        } else {
            first.insert((document.kind.as_str(), &document.name), document.start());
        }
        one(document, &mut found);
    }
    hostnames(tree, &mut found);
    references(tree, &mut found);
    let Findings { mut faults, mut notes } = found;
    tree.faults.append(&mut faults);
    tree.notes.append(&mut notes);
    tree.faults.sort_by(|a, b| a.spot.cmp(&b.spot));
    tree.notes.sort_by(|a, b| a.spot.cmp(&b.spot));
}

#[derive(Default)]
struct Findings {
    faults: Vec<Fault>,
    notes: Vec<Fault>,
}

fn told(document: &Document, error: &FieldError) -> Fault {
    let spot = document.locate(error);
    Fault { spot, pointer: error.pointer.clone(), code: error.code.clone(), detail: error.detail.clone() }
}

impl Findings {
    fn fault(&mut self, document: &Document, error: &FieldError) {
        self.faults.push(told(document, error));
    }
    fn note(&mut self, document: &Document, error: &FieldError) {
        self.notes.push(told(document, error));
    }
}

/// What the server would start from, were the object new: the fields merged onto nothing, as it merges them onto what it has.
fn as_new(fields: &Map<String, Value>) -> Value {
    let mut fields = fields.clone();
    fields.remove("entries");
    let mut value = Value::Object(Map::new());
    crate::service::merge(&mut value, Value::Object(fields));
    value
}

fn one(document: &Document, found: &mut Findings) {
    match crate::service::resource(document.kind, &document.name, as_new(&document.fields)) {
        Ok(Spec::Policy(policy)) => rules(document, &policy, found),
        Ok(_) => {}
        Err(Error::Invalid(errors)) => {
            for error in &errors {
                // Of an object that is on the server already, what is not said stays as it is there.
                let in_array = error.pointer.split('/').any(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()));
                if error.code == "missing_field" && !in_array {
                    let detail = format!("{}, unless the {} is on the server already", error.detail, document.kind);
                    found.note(document, &FieldError { detail, ..error.clone() });
                } else {
                    found.fault(document, error);
                }
            }
        }
        Err(error) => found.fault(document, &FieldError::new("", "invalid", error.to_string())),
    }
    if document.entries_file.is_none()
        && let Some(entries) = document.fields.get("entries")
    {
        inline_entries(document, entries, found);
    }
}

/// Custom rules and exclusions, as far as they can be judged without an engine.
fn rules(document: &Document, policy: &crate::domain::Policy, found: &mut Findings) {
    let now = time::OffsetDateTime::UNIX_EPOCH;
    if let Err(errors) = compile::ruleset_of(policy, now) {
        errors.iter().for_each(|error| found.fault(document, error));
    }
}

fn inline_entries(document: &Document, entries: &Value, found: &mut Findings) {
    let Some(entries) = entries.as_array() else {
        return found.fault(document, &FieldError::new("/entries", "invalid_type", "entries are a sequence of mappings with `network`"));
    };
    let mut seen: BTreeSet<Network> = BTreeSet::new();
    for (index, entry) in entries.iter().enumerate() {
        match serde_path_to_error::deserialize::<_, Entry>(entry) {
            Ok(entry) if seen.insert(entry.network) => {}
            Ok(entry) => {
                let pointer = format!("/entries/{index}/network");
                found.fault(document, &FieldError::new(pointer, "duplicate", format!("`{}` is there twice", entry.network)));
            }
            Err(error) => {
                let inner = error.path().iter().next().map(ToString::to_string).filter(|member| !member.contains(['/', '.', '?']));
                let pointer = inner.map_or(format!("/entries/{index}"), |member| format!("/entries/{index}/{member}"));
                let words = error.inner().to_string();
                let code = match words.as_str() {
                    words if words.starts_with("unknown field") => "unknown_field",
                    words if words.starts_with("missing field") => "missing_field",
                    _ => "invalid_value",
                };
                found.fault(document, &FieldError::new(pointer, code, words));
            }
        }
    }
}

fn texts<'a>(document: &'a Document, member: &str) -> Vec<(String, &'a str)> {
    let found = document.fields.get(member).and_then(Value::as_array);
    let text = |(index, value): (usize, &'a Value)| Some((format!("/{member}/{index}"), value.as_str()?));
    found.into_iter().flatten().enumerate().filter_map(text).collect()
}

fn hostnames(tree: &Tree, found: &mut Findings) {
    let mut owners: BTreeMap<String, &Document> = BTreeMap::new();
    for document in tree.documents.iter().filter(|document| document.kind == Kind::Vhost) {
        for (pointer, hostname) in texts(document, "hostnames") {
            // As the server compares them; what is no hostname was told already.
            let Ok(hostname) = crate::domain::Hostname::parse(hostname) else { continue };
            match owners.insert(hostname.to_string(), document) {
                // The same one twice in a vhost was told with the vhost.
                Some(owner) if owner.name != document.name => {
                    let at = owner.start();
                    let detail = format!("vhost `{}` at {at} has the hostname `{hostname}`, too", owner.name);
                    found.fault(document, &FieldError::new(pointer, "taken", detail));
                }
                _ => {}
            }
        }
    }
}

fn references(tree: &Tree, found: &mut Findings) {
    let there: BTreeSet<(&str, &str)> = tree.documents.iter().map(|document| (document.kind.as_str(), document.name.as_str())).collect();
    for document in tree.documents.iter().filter(|document| document.kind == Kind::Vhost) {
        let mut named: Vec<(String, Kind, &str)> = Vec::new();
        if let Some(policy) = document.fields.get("policy").and_then(Value::as_str) {
            named.push(("/policy".to_owned(), Kind::Policy, policy));
        }
        for (index, path) in document.fields.get("paths").and_then(Value::as_array).into_iter().flatten().enumerate() {
            if let Some(policy) = path.get("policy").and_then(Value::as_str) {
                named.push((format!("/paths/{index}/policy"), Kind::Policy, policy));
            }
        }
        for member in ["deny", "allow_only", "trust"] {
            let lists = document.fields.get("access").and_then(|access| access.get(member)).and_then(Value::as_array);
            for (index, list) in lists.into_iter().flatten().enumerate() {
                if let Some(list) = list.as_str() {
                    named.push((format!("/access/{member}/{index}"), Kind::IpList, list));
                }
            }
        }
        for (pointer, kind, name) in named {
            if Name::parse(name).is_ok() && !there.contains(&(kind.as_str(), name)) {
                let detail = format!("{kind} `{name}` is not in this tree: it must be on the server");
                found.note(document, &FieldError::new(pointer, "not_in_tree", detail));
            }
        }
    }
}
