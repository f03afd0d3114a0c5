//! What changed between two versions of a map.

use std::cmp::Ordering;

use super::Map;

/// What to do to a map so that it becomes another one. Each part is sorted by key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MapDiff {
    pub added: Vec<(String, String)>,
    /// With their new values.
    pub changed: Vec<(String, String)>,
    /// Keys.
    pub removed: Vec<String>,
}

impl MapDiff {
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Entries touched: what decides between changing them one by one and preparing a new version of the map.
    pub fn len(&self) -> usize {
        self.added.len() + self.changed.len() + self.removed.len()
    }
}

/// One walk over both, since maps are sorted by key.
pub fn diff(old: &Map, new: &Map) -> MapDiff {
    let mut out = MapDiff::default();
    let (mut old, mut new) = (old.iter().peekable(), new.iter().peekable());
    loop {
        let order = match (old.peek(), new.peek()) {
            (None, None) => return out,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some((before, _)), Some((after, _))) => before.cmp(after),
        };
        match order {
            Ordering::Less => out.removed.extend(old.next().map(|(key, _)| key.clone())),
            Ordering::Greater => out.added.extend(new.next().cloned()),
            Ordering::Equal => {
                if let (Some((_, before)), Some(entry)) = (old.next(), new.next())
                    && *before != entry.1
                {
                    out.changed.push(entry.clone());
                }
            }
        }
    }
}
