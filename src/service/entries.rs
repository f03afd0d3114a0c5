//! Entries of IP lists. Changing them changes the list: its revision, which is its ETag, moves along.

use std::collections::BTreeMap;
use std::sync::Arc;

use time::{OffsetDateTime, UtcOffset};

use super::Precondition;
use super::apply::{Change, Next, Op, Outcome, check_existing};
use super::object::Object;
use crate::domain::error::{Error, FieldError, Result};
use crate::domain::revision::ChangeType;
use crate::domain::snapshot::ListState;
use crate::domain::{Entry, Kind, Network, Versioned};

/// Entries of a list, at most. A change copies the list's index in the writer (about 20 ms at this size), and HAProxy holds them all.
pub const MOST: usize = 200_000;

/// By their keys, in the form that the database gives back. A network that is there twice is refused.
pub fn by_network(pointer: &str, entries: Vec<Entry>) -> Result<BTreeMap<Network, Entry>> {
    if entries.len() > MOST {
        return Err(too_many(pointer));
    }
    let mut found = BTreeMap::new();
    let mut errors = Vec::new();
    for (index, mut entry) in entries.into_iter().enumerate() {
        entry.expires_at = entry.expires_at.map(micros);
        let network = entry.network;
        if found.insert(network, entry).is_some() && errors.len() < 100 {
            errors.push(FieldError::new(format!("{pointer}/{index}/network"), "duplicate", format!("`{network}` is there twice")));
        }
    }
    if errors.is_empty() { Ok(found) } else { Err(Error::Invalid(errors)) }
}

pub fn too_many(pointer: &str) -> Error {
    Error::invalid(pointer, "out_of_range", format!("a list has at most {MOST} entries"))
}

/// PostgreSQL keeps microseconds, in UTC: what is in memory must be what a restart would load.
pub fn micros(at: OffsetDateTime) -> OffsetDateTime {
    let at = at.to_offset(UtcOffset::UTC);
    at.replace_nanosecond(at.microsecond() * 1000).unwrap_or(at)
}

pub fn apply(state: Arc<ListState>, op: &Op, precondition: Precondition, next: Next<'_>) -> Result<Outcome> {
    let value = || serde_json::to_value(&state.list.spec).expect("resources are plain data");
    let (entries, opened, closed) = match op {
        Op::BatchEntries { add, remove, .. } => {
            // A batch says what to add and what to remove, not what was there: it wants no precondition, but keeps one that it has.
            if !matches!(precondition, Precondition::None | Precondition::Base) {
                check_existing(precondition, state.list.revision, value)?;
            }
            batch(&state.entries, add, remove)?
        }
        Op::ReplaceEntries { entries, .. } => {
            check_existing(precondition, state.list.revision, value)?;
            replace(&state.entries, entries)
        }
        _ => unreachable!("only operations on entries come here"),
    };
    if opened.is_empty() && closed.is_empty() {
        return Ok(Outcome::Unchanged(state.list.revision));
    }
    let list = Versioned { revision: next.revision, updated_at: next.now, ..state.list.clone() };
    Ok(Outcome::Changed(Box::new(Change {
        kind: Kind::IpList,
        name: list.spec.name.clone(),
        change: ChangeType::Updated,
        created: false,
        before: Some(Object::IpList(state)),
        after: Some(Object::IpList(Arc::new(ListState { list, entries }))),
        opened,
        closed,
    })))
}

type Edited = (Arc<BTreeMap<Network, Entry>>, Vec<Entry>, Vec<Network>);

/// Removes, then adds: an entry named in both is there afterwards.
fn batch(old: &Arc<BTreeMap<Network, Entry>>, add: &BTreeMap<Network, Entry>, remove: &[Network]) -> Result<Edited> {
    let opened: Vec<Entry> = add.values().filter(|entry| old.get(&entry.network) != Some(*entry)).cloned().collect();
    let mut closed: Vec<Network> =
        remove.iter().filter(|network| old.contains_key(network) && !add.contains_key(network)).copied().collect();
    closed.sort_unstable();
    closed.dedup();
    let grown = opened.iter().filter(|entry| !old.contains_key(&entry.network)).count();
    if old.len() + grown - closed.len() > MOST {
        return Err(Error::invalid("/add", "out_of_range", format!("a list has at most {MOST} entries, and this one has {}", old.len())));
    }
    if opened.is_empty() && closed.is_empty() {
        return Ok((Arc::clone(old), opened, closed));
    }
    let mut entries = BTreeMap::clone(old);
    for network in &closed {
        entries.remove(network);
    }
    entries.extend(opened.iter().map(|entry| (entry.network, entry.clone())));
    closed.extend(opened.iter().map(|entry| entry.network).filter(|network| old.contains_key(network)));
    Ok((Arc::new(entries), opened, closed))
}

/// What takes the place of what.
pub fn replace(old: &Arc<BTreeMap<Network, Entry>>, new: &Arc<BTreeMap<Network, Entry>>) -> Edited {
    let opened = new.values().filter(|entry| old.get(&entry.network) != Some(*entry)).cloned().collect();
    let closed = old.iter().filter(|(network, entry)| new.get(network) != Some(*entry)).map(|(network, _)| *network).collect();
    (Arc::clone(new), opened, closed)
}
