//! Elements of keyed arrays as resources of their own: an edit of one is an edit of the owner, judged as a whole.

use serde_json::{Map, Value};

use super::apply::{Next, Outcome, check, check_existing, write};
use super::object::Object;
use super::{Keyed, Precondition, parse};
use crate::domain::error::{Error, FieldError, Result};
use crate::domain::rule::PathPrefix;
use crate::domain::{Kind, Name, Revision, Subject};

impl Keyed {
    /// The keyed arrays of a kind.
    pub fn of(kind: Kind) -> &'static [Self] {
        match kind {
            Kind::Policy => &[Self::Exclusions, Self::CustomRules],
            Kind::Vhost => &[Self::Servers, Self::Paths],
            Kind::IpList => &[],
        }
    }

    /// The kind of the object that has the array.
    pub fn owner(self) -> Kind {
        match self {
            Self::Exclusions | Self::CustomRules => Kind::Policy,
            Self::Servers | Self::Paths => Kind::Vhost,
        }
    }

    /// What somebody must be allowed to write it.
    pub fn subject(self) -> Subject {
        match self {
            Self::Exclusions => Subject::Exclusion,
            Self::CustomRules => Subject::CustomRule,
            Self::Servers => Subject::Server,
            Self::Paths => Subject::Path,
        }
    }

    /// What an element is called in messages.
    pub fn element(self) -> &'static str {
        match self {
            Self::Exclusions => "exclusion",
            Self::CustomRules => "custom rule",
            Self::Servers => "server",
            Self::Paths => "path",
        }
    }

    /// The key of an element in `Versioned::elements`.
    pub fn path(self, key: &str) -> String {
        match self {
            Self::Exclusions => format!("exclusions/{key}"),
            Self::CustomRules => format!("custom_rules/{key}"),
            Self::Servers => format!("servers/{key}"),
            Self::Paths => format!("paths/{key}"),
        }
    }

    /// The array's JSON pointer in its owner.
    pub fn pointer(self) -> &'static str {
        match self {
            Self::Exclusions => "/exclusions",
            Self::CustomRules => "/custom_rules",
            Self::Servers => "/upstream/servers",
            Self::Paths => "/paths",
        }
    }

    /// Where an element is in its owner's array.
    pub fn position(self, owner: &Object, key: &str) -> Option<usize> {
        match (self, owner) {
            (Self::Exclusions, Object::Policy(policy)) => {
                policy.spec.exclusions.iter().position(|e| e.id.as_ref().is_some_and(|id| id.as_str() == key))
            }
            (Self::CustomRules, Object::Policy(policy)) => {
                policy.spec.custom_rules.iter().position(|r| r.id.is_some_and(|id| id.to_string() == key))
            }
            (Self::Servers, Object::Vhost(vhost)) => {
                vhost.spec.upstream.servers.iter().position(|s| s.name.as_ref().is_some_and(|name| name.as_str() == key))
            }
            (Self::Paths, Object::Vhost(vhost)) => vhost.spec.paths.iter().position(|path| path.prefix.as_str() == key),
            _ => None,
        }
    }

    /// The key of the element at a place of its owner's array.
    pub fn key_at(self, owner: &Object, index: usize) -> Option<String> {
        match (self, owner) {
            (Self::Exclusions, Object::Policy(policy)) => policy.spec.exclusions.get(index)?.id.as_ref().map(ToString::to_string),
            (Self::CustomRules, Object::Policy(policy)) => policy.spec.custom_rules.get(index)?.id.map(|id| id.to_string()),
            (Self::Servers, Object::Vhost(vhost)) => vhost.spec.upstream.servers.get(index)?.name.as_ref().map(ToString::to_string),
            (Self::Paths, Object::Vhost(vhost)) => vhost.spec.paths.get(index).map(|path| path.prefix.to_string()),
            _ => None,
        }
    }

    /// The field that is the key.
    pub fn field(self) -> &'static str {
        match self {
            Self::Exclusions | Self::CustomRules => "id",
            Self::Servers => "name",
            Self::Paths => "prefix",
        }
    }

    /// The key of the path as the field has it; None where it can be nobody's.
    fn key(self, key: &str) -> Option<Value> {
        match self {
            // Only the one way to write a number: `0190000` is no second name of 190000.
            Self::CustomRules => key.parse::<u32>().ok().filter(|id| id.to_string() == key).map(Value::from),
            Self::Exclusions | Self::Servers => Name::parse(key).is_ok().then(|| Value::from(key)),
            Self::Paths => PathPrefix::parse(key).is_ok().then(|| Value::from(key)),
        }
    }
}

pub enum Edit<'a> {
    Put(&'a Value),
    Patch(&'a Value),
    Delete,
}

pub fn edit(keyed: Keyed, owner: Object, key: &str, edit: Edit<'_>, precondition: Precondition, next: Next<'_>) -> Result<Outcome> {
    let absent = || Error::NotFound { kind: keyed.element(), name: key.to_owned() };
    let facts = owner.facts();
    let mut value = owner.value();
    let name: Name = value["name"].as_str().and_then(|n| Name::parse(n).ok()).expect("every resource has a name");
    let items = value.pointer_mut(keyed.pointer()).and_then(Value::as_array_mut).expect("the array is always written");
    let Some(id) = keyed.key(key) else {
        return Err(match edit {
            Edit::Put(_) => Error::invalid(
                format!("/{}", keyed.field()),
                "invalid_value",
                format!("`{}` is no key of a {}", key.escape_default(), keyed.element()),
            ),
            _ => absent(),
        });
    };
    let index = items.iter().position(|item| item[keyed.field()] == id);
    let revision: Revision = facts.elements.get(&keyed.path(key)).copied().unwrap_or(facts.revision);
    let created = index.is_none();
    let at = match (&edit, index) {
        (Edit::Put(_), _) => {
            let current = index.map(|index| (revision, &items[index]));
            check(precondition, current, Clone::clone, || {
                Error::Conflict(format!("{} `{key}` of `{name}` exists already", keyed.element()))
            })?;
            index.unwrap_or(items.len())
        }
        (_, None) => return Err(absent()),
        (_, Some(index)) => {
            check_existing(precondition, revision, || items[index].clone())?;
            index
        }
    };
    match edit {
        Edit::Put(element) => {
            let element = with_key(keyed, id, key, element.clone())?;
            match index {
                Some(index) => items[index] = element,
                None => items.push(element),
            }
        }
        Edit::Patch(patch) => {
            if !patch.is_object() {
                return Err(Error::invalid("", "invalid_type", "a merge patch of a resource is a JSON object"));
            }
            let mut element = items[at].take();
            parse::merge(&mut element, patch.clone());
            items[at] = with_key(keyed, id, key, element)?;
        }
        Edit::Delete => drop(items.remove(at)),
    }
    let deleting = matches!(edit, Edit::Delete);
    let done =
        parse::resource(keyed.owner(), &name, value).map(|spec| write(keyed.owner(), &name, Some(owner), spec, created && !deleting, next));
    match done {
        Ok(Outcome::Unchanged(_)) => Ok(Outcome::Unchanged(revision)),
        Err(error) if !deleting => Err(inside(error, &format!("{}/{at}", keyed.pointer()))),
        done => done,
    }
}

fn with_key(keyed: Keyed, id: Value, key: &str, element: Value) -> Result<Value> {
    let Value::Object(mut fields) = element else {
        return Err(Error::invalid("", "invalid_type", format!("a {} is a JSON object", keyed.element())));
    };
    fields.remove("meta");
    let field = keyed.field();
    match fields.get(field) {
        Some(given) if *given != id => {
            Err(Error::invalid(format!("/{field}"), "name_differs", format!("`{field}` is `{key}`, as in the path; a key never changes")))
        }
        Some(_) => Ok(Value::Object(fields)),
        None => {
            let mut with = Map::new();
            with.insert(field.to_owned(), id);
            with.extend(fields);
            Ok(Value::Object(with))
        }
    }
}

/// Makes pointers relative to `prefix`; what points elsewhere is told of the whole, with its place in words.
pub fn inside(error: Error, prefix: &str) -> Error {
    let relative = |mut fault: FieldError| {
        match fault.pointer.strip_prefix(prefix).filter(|rest| rest.is_empty() || rest.starts_with('/')) {
            Some(rest) => fault.pointer = rest.to_owned(),
            None if fault.pointer.is_empty() => {}
            None => {
                fault.detail = format!("{}: {}", fault.pointer, fault.detail);
                fault.pointer = String::new();
            }
        }
        fault
    };
    match error {
        Error::Invalid(faults) => Error::Invalid(faults.into_iter().map(relative).collect()),
        Error::EngineRefused { engine, said, errors } => {
            Error::EngineRefused { engine, said, errors: errors.into_iter().map(relative).collect() }
        }
        other => other,
    }
}
