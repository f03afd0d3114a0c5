//! What is staged, brought onto a state that may have moved since: objects and elements that only one side changed are taken from that side, and
//! where both did it is a conflict, unless both came to the same.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;

use super::apply::{Change, Next, Outcome, write};
use super::object::{Object, Spec};
use super::parse::{escape, resource};
use super::whole::Fault;
use super::{Keyed, entries};
use crate::domain::diff::Conflict;
use crate::domain::revision::ChangeType;
use crate::domain::snapshot::ListState;
use crate::domain::{Entry, Kind, Name, Network, Snapshot, Versioned};

/// What is staged of one object.
#[derive(Clone, Debug)]
pub struct Staged {
    pub kind: Kind,
    pub name: Name,
    /// As it was found; None where it was not there.
    pub base: Option<Object>,
    /// As it is to be; None: gone.
    pub spec: Option<Spec>,
    /// Of an IP list: entries that are new or different.
    pub added: Vec<Entry>,
    /// Of an IP list: entries that go.
    pub removed: Vec<Network>,
}

/// Why something staged cannot be brought onto a state.
pub enum Unfit {
    Conflicts(Vec<Conflict>),
    Faults(Vec<Fault>),
}

impl Staged {
    /// The difference of two states of one object.
    pub fn between(kind: Kind, name: &Name, base: Option<&Object>, after: Option<&Object>) -> Self {
        let (added, removed) = match after {
            Some(Object::IpList(list)) => {
                let before = Object::entries(base);
                let (_, added, closed) = entries::replace(&before, &list.entries);
                (added, closed.into_iter().filter(|network| !list.entries.contains_key(network)).collect())
            }
            _ => (Vec::new(), Vec::new()),
        };
        Self { kind, name: name.clone(), base: base.cloned(), spec: after.map(Object::spec), added, removed }
    }

    /// Whether it says nothing that its base does not say.
    pub fn is_nothing(&self) -> bool {
        let same = match (&self.base, &self.spec) {
            (Some(base), Some(spec)) => base.is(spec),
            (None, None) => true,
            _ => false,
        };
        same && self.added.is_empty() && self.removed.is_empty()
    }

    pub fn change(&self) -> ChangeType {
        match (&self.base, &self.spec) {
            (_, None) => ChangeType::Deleted,
            (None, Some(_)) => ChangeType::Created,
            (Some(_), Some(_)) => ChangeType::Updated,
        }
    }
}

/// What bringing all of `staged` onto `snapshot` changes there. Whether the result is sound as a whole is not judged here.
pub fn merge(snapshot: &Snapshot, staged: &[Staged], next: Next<'_>) -> Result<Vec<Change>, Unfit> {
    let (mut changes, mut conflicts, mut faults) = (Vec::new(), Vec::new(), Vec::new());
    for one in staged {
        match merge_one(Object::find(snapshot, one.kind, &one.name), one, next) {
            Ok(change) => changes.extend(change),
            Err(Unfit::Conflicts(more)) => conflicts.extend(more),
            Err(Unfit::Faults(more)) => faults.extend(more),
        }
    }
    conflicts.sort_by(|a, b| (a.kind.collection(), &a.name, &a.element).cmp(&(b.kind.collection(), &b.name, &b.element)));
    match (conflicts.is_empty(), faults.is_empty()) {
        (true, true) => Ok(changes),
        (false, _) => Err(Unfit::Conflicts(conflicts)),
        (true, false) => Err(Unfit::Faults(faults)),
    }
}

fn merge_one(current: Option<Object>, staged: &Staged, next: Next<'_>) -> Result<Option<Change>, Unfit> {
    let spec = match spec(current.as_ref(), staged)? {
        Some(spec) => spec,
        None => return Ok(current.map(Change::delete)),
    };
    let created = current.is_none();
    let before = current.clone();
    let change = match write(staged.kind, &staged.name, current, spec, created, next) {
        Outcome::Unchanged(_) => None,
        Outcome::Changed(change) => Some(*change),
    };
    if staged.kind == Kind::IpList && !(staged.added.is_empty() && staged.removed.is_empty()) {
        return merge_entries(before, change, staged, next);
    }
    Ok(change)
}

/// The object as it is to be; None where it goes, or stays away.
fn spec(current: Option<&Object>, staged: &Staged) -> Result<Option<Spec>, Unfit> {
    let mine = || staged.spec.clone();
    let theirs = || current.map(Object::spec);
    let unmoved = match (&staged.base, current) {
        (Some(base), Some(current)) => base.is_version_of(current),
        (None, None) => true,
        _ => false,
    };
    if unmoved {
        return Ok(mine());
    }
    let base = staged.base.as_ref().map(Object::spec);
    // A list is its entries, too: it does not go where somebody changed some.
    let kept = match (&staged.spec, current) {
        (None, Some(current)) => !same_entries(staged.base.as_ref(), current),
        (Some(_), None) => staged.base.is_some() && !(staged.added.is_empty() && staged.removed.is_empty()),
        _ => false,
    };
    if kept {
        return Err(Unfit::Conflicts(vec![whole_object(base.as_ref(), staged, current)]));
    }
    if base == theirs() {
        return Ok(mine());
    }
    if base == mine() || mine() == theirs() {
        return Ok(theirs());
    }
    match (&base, &staged.spec, current) {
        (Some(base), Some(mine), Some(current)) => {
            let values = Sides { base: base.value(), mine: mine.value(), theirs: current.value() };
            let merged = values.merge(staged, current)?;
            let parsed = resource(staged.kind, &staged.name, merged);
            parsed.map(Some).map_err(|error| Unfit::Faults(vec![Fault { kind: staged.kind, name: staged.name.clone(), error }]))
        }
        _ => Err(Unfit::Conflicts(vec![whole_object(base.as_ref(), staged, current)])),
    }
}

fn same_entries(base: Option<&Object>, current: &Object) -> bool {
    match (base, current) {
        (Some(Object::IpList(base)), Object::IpList(current)) => base.entries == current.entries,
        _ => true,
    }
}

/// One side deleted or created what the other changed or created.
fn whole_object(base: Option<&Spec>, staged: &Staged, current: Option<&Object>) -> Conflict {
    let (base, yours, theirs) = (base.map(Spec::value), staged.spec.as_ref().map(Spec::value), current.map(Object::value));
    let there = yours.as_ref().or(theirs.as_ref()).unwrap_or(&Value::Null);
    let mut fields = differing(base.as_ref().unwrap_or(&Value::Null), there);
    if fields.is_empty() && staged.kind == Kind::IpList {
        fields.push("/entries".to_owned());
    }
    Conflict {
        kind: staged.kind,
        name: staged.name.clone(),
        element: String::new(),
        fields,
        base,
        yours,
        theirs,
        theirs_revision: current.map_or(0, Object::revision),
    }
}

/// Pointers of the members that differ.
fn differing(a: &Value, b: &Value) -> Vec<String> {
    let members = |value: &Value| value.as_object().into_iter().flat_map(|members| members.keys().cloned()).collect::<BTreeSet<_>>();
    let names: BTreeSet<String> = members(a).union(&members(b)).cloned().collect();
    names.into_iter().filter(|name| a.get(name) != b.get(name)).map(|name| format!("/{}", escape(&name))).collect()
}

/// The fields that both changed; where they changed different ones, all of them.
fn contested(base: &Value, mine: &Value, theirs: &Value) -> Vec<String> {
    let (mine, theirs): (BTreeSet<_>, BTreeSet<_>) =
        (differing(base, mine).into_iter().collect(), differing(base, theirs).into_iter().collect());
    let both: Vec<String> = mine.intersection(&theirs).cloned().collect();
    if both.is_empty() { mine.union(&theirs).cloned().collect() } else { both }
}

/// The three versions of an object that both sides changed.
struct Sides {
    base: Value,
    mine: Value,
    theirs: Value,
}

impl Sides {
    /// Keyed arrays element by element, all else as one.
    fn merge(mut self, staged: &Staged, current: &Object) -> Result<Value, Unfit> {
        let mut conflicts = Vec::new();
        let conflict = |element: String, fields, base, yours, theirs, theirs_revision| Conflict {
            kind: staged.kind,
            name: staged.name.clone(),
            element,
            fields,
            base,
            yours,
            theirs,
            theirs_revision,
        };
        let facts = current.facts();
        let mut arrays = Vec::new();
        for keyed in Keyed::of(staged.kind) {
            let take = |value: &mut Value| value.pointer_mut(keyed.pointer()).map(Value::take).unwrap_or_default();
            let sides = [take(&mut self.base), take(&mut self.mine), take(&mut self.theirs)];
            let [base, mine, theirs] = sides.each_ref().map(|side| by_key(*keyed, side));
            let keys: BTreeSet<&String> = base.keys().chain(mine.keys()).chain(theirs.keys()).collect();
            let mut merged: BTreeMap<String, Value> = BTreeMap::new();
            for key in keys {
                let (b, m, t) = (base.get(key), mine.get(key), theirs.get(key));
                let chosen = if b == t || m == t {
                    m
                } else if b == m {
                    t
                } else {
                    let null = Value::Null;
                    let of = |side: Option<&&Value>| side.map_or(&null, |side| *side).clone();
                    let revision = t.and_then(|_| facts.elements.get(&keyed.path(key)).copied()).unwrap_or(0);
                    let element = format!("{}/{}", keyed.pointer(), escape(key));
                    let fields = contested(&of(b), &of(m), &of(t));
                    conflicts.push(conflict(element, fields, b.copied().cloned(), m.copied().cloned(), t.copied().cloned(), revision));
                    None
                };
                if let Some(value) = chosen {
                    merged.insert(key.clone(), (*value).clone());
                }
            }
            let order = sides.each_ref().map(|side| keys_of(*keyed, side));
            match ordered(&order) {
                Some(keys) => {
                    arrays.push((*keyed, keys.into_iter().filter_map(|key| merged.get(key).cloned()).collect::<Vec<_>>()));
                }
                None => {
                    let [base, mine, theirs] = sides.clone();
                    let fields = vec![keyed.pointer().to_owned()];
                    conflicts.push(conflict(String::new(), fields, Some(base), Some(mine), Some(theirs), facts.revision));
                }
            }
        }
        let Self { base, mine, theirs } = self;
        let mut body = if base == theirs || mine == theirs {
            mine
        } else if base == mine {
            theirs
        } else {
            let fields = contested(&base, &mine, &theirs);
            conflicts.push(conflict(String::new(), fields, Some(base), Some(mine.clone()), Some(theirs), facts.revision));
            mine
        };
        if !conflicts.is_empty() {
            return Err(Unfit::Conflicts(conflicts));
        }
        for (keyed, items) in arrays {
            if let Some(place) = body.pointer_mut(keyed.pointer()) {
                *place = Value::Array(items);
            }
        }
        Ok(body)
    }
}

fn key_of(keyed: Keyed, item: &Value) -> Option<String> {
    match &item[keyed.field()] {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn keys_of(keyed: Keyed, array: &Value) -> Vec<String> {
    array.as_array().into_iter().flatten().filter_map(|item| key_of(keyed, item)).collect()
}

fn by_key(keyed: Keyed, array: &Value) -> BTreeMap<String, &Value> {
    array.as_array().into_iter().flatten().filter_map(|item| Some((key_of(keyed, item)?, item))).collect()
}

/// All keys in the order of the side that changed it; what the other added is behind what it was put behind. None where both changed it in
/// different ways.
fn ordered([base, mine, theirs]: &[Vec<String>; 3]) -> Option<Vec<&String>> {
    // What one side added or deleted is no other order.
    let common = |side: &'_ [String], other: &'_ [String]| side.iter().filter(|key| other.contains(key)).cloned().collect::<Vec<_>>();
    let moved = |side: &[String]| common(side, base) != common(base, side);
    let (first, second) = match (moved(mine), moved(theirs)) {
        (_, false) => (mine, theirs),
        (false, true) => (theirs, mine),
        (true, true) if common(mine, theirs) == common(theirs, mine) => (mine, theirs),
        (true, true) => return None,
    };
    let mut keys: Vec<&String> = first.iter().collect();
    let mut behind = 0;
    for key in second {
        behind = match keys.iter().position(|known| *known == key) {
            Some(known) => known,
            None => {
                keys.insert(behind, key);
                behind
            }
        } + 1;
    }
    Some(keys)
}

fn merge_entries(before: Option<Object>, change: Option<Change>, staged: &Staged, next: Next<'_>) -> Result<Option<Change>, Unfit> {
    let (base, theirs) = (Object::entries(staged.base.as_ref()), Object::entries(before.as_ref()));
    let mine = staged.added.iter().map(|entry| (entry.network, Some(entry))).chain(staged.removed.iter().map(|network| (*network, None)));
    let mut conflicts = Vec::new();
    let (mut opened, mut closed) = (Vec::new(), Vec::new());
    for (network, mine) in mine {
        let (b, t) = (base.get(&network), theirs.get(&network));
        if t == mine {
            continue;
        }
        if b != t {
            let value = |entry: Option<&Entry>| entry.and_then(|entry| serde_json::to_value(entry).ok());
            let (base, yours, theirs) = (value(b), value(mine), value(t));
            let null = Value::Null;
            let side = |value: &Option<Value>| value.as_ref().unwrap_or(&null).clone();
            conflicts.push(Conflict {
                kind: staged.kind,
                name: staged.name.clone(),
                element: format!("/entries/{}", escape(&network.to_string())),
                fields: contested(&side(&base), &side(&yours), &side(&theirs)),
                base,
                yours,
                theirs,
                theirs_revision: before.as_ref().map_or(0, Object::revision),
            });
            continue;
        }
        if t.is_some() {
            closed.push(network);
        }
        opened.extend(mine.cloned());
    }
    if !conflicts.is_empty() {
        return Err(Unfit::Conflicts(conflicts));
    }
    if opened.is_empty() && closed.is_empty() {
        return Ok(change);
    }
    let mut all = BTreeMap::clone(&theirs);
    closed.iter().for_each(|network| _ = all.remove(network));
    all.extend(opened.iter().map(|entry| (entry.network, entry.clone())));
    if all.len() > entries::MOST {
        let error = entries::too_many("/entries");
        return Err(Unfit::Faults(vec![Fault { kind: staged.kind, name: staged.name.clone(), error }]));
    }
    closed.sort_unstable();
    let list = match change.as_ref().and_then(|change| change.after.as_ref()).or(before.as_ref()) {
        Some(Object::IpList(state)) => Versioned { revision: next.revision, updated_at: next.now, ..state.list.clone() },
        _ => return Ok(change),
    };
    let after = Some(Object::IpList(Arc::new(ListState { list, entries: Arc::new(all) })));
    Ok(Some(match change {
        Some(change) => Change { after, opened, closed, ..change },
        None => {
            let (kind, name) = (staged.kind, staged.name.clone());
            Change { kind, name, change: ChangeType::Updated, created: false, before, after, opened, closed }
        }
    }))
}
