//! What differs, field by field: nested objects down to their members, keyed arrays by the keys of their elements, other arrays whole.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{pointer, words};
use crate::domain::diff::FieldChange;

/// Fields of an object that are shown.
const MOST_FIELDS: usize = 200;

/// Arrays whose elements have a key: pointer, the key's member, what people call an element.
const KEYED: [(&str, &str, &str); 4] = [
    ("/exclusions", "id", "exclusion"),
    ("/custom_rules", "id", "custom rule"),
    ("/upstream/servers", "name", "server"),
    ("/paths", "prefix", "path"),
];

static NULL: Value = Value::Null;

/// A place in an object.
pub(super) struct At {
    pointer: String,
    /// `server a`, where it is in an element.
    element: Option<String>,
    /// With dots: `paranoia.blocking`; in an element from there.
    field: String,
}

impl At {
    pub fn root() -> Self {
        Self { pointer: String::new(), element: None, field: String::new() }
    }

    pub fn element(pointer: String, noun: &str, key: &str) -> Self {
        Self { pointer, element: Some(format!("{noun} {}", words::short(key))), field: String::new() }
    }

    fn member(&self, name: &str) -> Self {
        let field = if self.field.is_empty() { name.to_owned() } else { format!("{}.{name}", self.field) };
        Self { pointer: pointer::child(&self.pointer, name), element: self.element.clone(), field }
    }

    /// What stands before the values: `mode:`, `server a: weight`.
    fn subject(&self) -> String {
        match &self.element {
            Some(element) if self.field.is_empty() => format!("{element}:"),
            Some(element) => format!("{element}: {}", self.field),
            None => format!("{}:", self.field),
        }
    }
}

/// The changes of one object, bounded.
#[derive(Default)]
pub(super) struct Fields {
    pub changes: Vec<FieldChange>,
    pub left_out: usize,
}

impl Fields {
    /// What would only be counted is not made.
    fn add(&mut self, make: impl FnOnce() -> FieldChange) {
        if self.changes.len() < MOST_FIELDS {
            self.changes.push(make());
        } else {
            self.left_out += 1;
        }
    }

    /// Null is what is absent: both mean the default.
    pub fn walk(&mut self, at: &At, before: &Value, after: &Value) {
        match (before, after) {
            _ if before == after => {}
            (Value::Object(before), Value::Object(after)) => {
                // sorted, whatever order the maps keep
                for name in before.keys().chain(after.keys()).collect::<BTreeSet<_>>() {
                    self.walk(&at.member(name), before.get(name).unwrap_or(&NULL), after.get(name).unwrap_or(&NULL));
                }
            }
            (Value::Array(old), Value::Array(new)) => match keyed(&at.pointer, old, new) {
                Some(elements) => self.elements(at, &elements),
                None => self.add(|| FieldChange {
                    pointer: at.pointer.clone(),
                    before: Some(before.clone()),
                    after: Some(after.clone()),
                    words: words::items(&at.subject(), old, new),
                }),
            },
            _ => self.add(|| FieldChange {
                pointer: at.pointer.clone(),
                before: present(before),
                after: present(after),
                words: words::change(&at.subject(), before, after),
            }),
        }
    }

    /// An element that is new or gone.
    pub fn one_sided(&mut self, at: &At, before: impl FnOnce() -> Option<Value>, after: impl FnOnce() -> Option<Value>) {
        self.add(|| {
            let (before, after) = (before(), after());
            let word = if before.is_some() { "removed" } else { "new" };
            FieldChange { pointer: at.pointer.clone(), before, after, words: words::line(&format!("{} {word}", at.subject())) }
        });
    }

    /// The fields of an object that is `created` or deleted: those that are not the defaults.
    pub fn whole(&mut self, object: &Value, defaults: &Value, created: bool) {
        let Value::Object(members) = object else { return };
        let sorted: BTreeMap<&String, &Value> = members.iter().collect();
        for (name, value) in sorted.into_iter().filter(|(name, value)| *name != "name" && defaults.get(name.as_str()) != Some(*value)) {
            let at = At::root().member(name);
            self.add(|| FieldChange {
                words: words::one(&at.subject(), value),
                pointer: at.pointer,
                before: (!created).then(|| value.clone()),
                after: created.then(|| value.clone()),
            });
        }
    }

    fn elements(&mut self, at: &At, elements: &Elements) {
        let find = |side: &[(String, &'_ Value)]| side.iter().map(|(key, _)| key.clone()).collect::<BTreeSet<_>>();
        let (old_keys, new_keys) = (find(&elements.before), find(&elements.after));
        let place = |key: &str| At::element(pointer::child(&at.pointer, key), elements.noun, key);
        let order = |side: &[(String, &Value)]| -> Vec<String> {
            side.iter().map(|(key, _)| key).filter(|key| old_keys.contains(*key) && new_keys.contains(*key)).cloned().collect()
        };
        let (old_order, new_order) = (order(&elements.before), order(&elements.after));
        if old_order != new_order {
            self.add(|| FieldChange {
                pointer: at.pointer.clone(),
                before: Some(old_order.into()),
                after: Some(new_order.into()),
                words: words::line(&format!("{} order changed", at.subject())),
            });
        }
        for (key, element) in elements.before.iter().filter(|(key, _)| !new_keys.contains(key)) {
            self.one_sided(&place(key), || Some((*element).clone()), || None);
        }
        let known: BTreeMap<&str, &Value> = elements.before.iter().map(|(key, element)| (key.as_str(), *element)).collect();
        for (key, element) in &elements.after {
            match known.get(key.as_str()) {
                Some(before) => self.walk(&place(key), before, element),
                None => self.one_sided(&place(key), || None, || Some((*element).clone())),
            }
        }
    }
}

fn present(value: &Value) -> Option<Value> {
    (!value.is_null()).then(|| value.clone())
}

/// The elements of a keyed array by their keys, in their order.
struct Elements<'v> {
    noun: &'static str,
    before: Vec<(String, &'v Value)>,
    after: Vec<(String, &'v Value)>,
}

/// None where the array has no keys, or an element has none or one that another has, too: it is one change then.
fn keyed<'v>(pointer: &str, before: &'v [Value], after: &'v [Value]) -> Option<Elements<'v>> {
    let (_, member, noun) = KEYED.into_iter().find(|(array, _, _)| *array == pointer)?;
    let side = |items: &'v [Value]| {
        let mut seen = BTreeSet::new();
        let mut out = Vec::with_capacity(items.len());
        for item in items {
            let key = match item.get(member)? {
                Value::String(key) => key.clone(),
                Value::Number(key) => key.to_string(),
                _ => return None,
            };
            if !seen.insert(key.clone()) {
                return None;
            }
            out.push((key, item));
        }
        Some(out)
    };
    Some(Elements { noun, before: side(before)?, after: side(after)? })
}
