//! What differs between two states, and what bringing the second one would do: objects, files, vhosts, lanes, cost, risk. Pure.
//!
//! Everything here says the same whenever it is asked and however long it takes: a plan's [`digest`] is made over it. Hence no time limits in
//! the diffs, only bounds. Conflicts, what engines say, ids and keeping plans are `service`'s.

use std::cmp::Ordering;
use std::collections::BTreeMap;

mod affected;
mod backends;
mod changes;
mod digest;
mod effects;
mod fields;
mod files;
mod lines;
mod objects;
mod pointer;
mod risk;
#[cfg(test)]
mod tests;
mod words;

pub use affected::affected;
pub use digest::{Outcome, digest};
pub use effects::{cost, lanes};
pub use files::files;
pub use objects::diff;
pub use risk::risk;

/// Both maps in the order of their keys, each key once.
fn merged<'m, K: Ord, V>(
    before: &'m BTreeMap<K, V>,
    after: &'m BTreeMap<K, V>,
) -> impl Iterator<Item = (&'m K, Option<&'m V>, Option<&'m V>)> {
    let (mut before, mut after) = (before.iter().peekable(), after.iter().peekable());
    std::iter::from_fn(move || {
        let order = match (before.peek(), after.peek()) {
            (None, None) => return None,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some((old, _)), Some((new, _))) => old.cmp(new),
        };
        let old = if order.is_le() { before.next() } else { None };
        let new = if order.is_ge() { after.next() } else { None };
        old.or(new).map(|(key, _)| (key, old.map(|(_, value)| value), new.map(|(_, value)| value)))
    })
}
