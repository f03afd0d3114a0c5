//! One object of the tree, and where in it something is.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::yaml::{Found, Place};
use crate::domain::{FieldError, Kind, Name};

/// A text file of the tree.
#[derive(Debug)]
pub struct Source {
    /// As people name it: with the tree's folder in front.
    pub path: String,
    pub text: String,
}

/// Where entries of a list were read from, when that was not the document itself.
#[derive(Clone, Debug)]
pub struct EntriesFile {
    pub path: String,
    /// The line of each entry.
    pub lines: Vec<u32>,
}

/// One object as the tree has it.
#[derive(Clone, Debug)]
pub struct Document {
    pub source: Arc<Source>,
    pub kind: Kind,
    pub name: Name,
    /// The fields as the API takes them: without `kind` and `entries_file`, with `entries` where the tree has them.
    pub fields: Map<String, Value>,
    pub places: BTreeMap<String, Found>,
    pub entries_file: Option<EntriesFile>,
}

/// A place in a file, for people and for editors.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Spot {
    pub path: String,
    pub place: Place,
}

impl std::fmt::Display for Spot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}:{}", self.path, self.place.line, self.place.column)
    }
}

impl Document {
    /// As the API and people name it: `policies/shop`.
    pub fn path(&self) -> String {
        format!("{}/{}", self.kind.collection(), self.name)
    }

    /// Where the document begins.
    pub fn start(&self) -> Spot {
        let place = self.places.get("/kind").map_or(Place { line: 1, column: 1 }, |found| found.key);
        Spot { path: self.source.path.clone(), place }
    }

    /// The place of a fault: of what its pointer leads to, or of the nearest thing around it that is written in the tree.
    pub fn locate(&self, fault: &FieldError) -> Spot {
        let pointer = fault.pointer.as_str();
        if let Some(spot) = self.locate_entry(pointer) {
            return spot;
        }
        if let Some(found) = self.places.get(pointer).filter(|_| !pointer.is_empty()) {
            let inner = fault.line.filter(|_| found.scalar).map(|line| (line, fault.column.unwrap_or(1)));
            let place = match inner {
                Some((line, column)) => inside(&self.source.text, *found, line, column),
                None if found.scalar && fault.code != "unknown_field" => found.value,
                None => found.key,
            };
            return Spot { path: self.source.path.clone(), place };
        }
        let mut around = pointer;
        while let Some((outer, _)) = around.rsplit_once('/') {
            if let Some(found) = self.places.get(outer).filter(|_| !outer.is_empty()) {
                return Spot { path: self.source.path.clone(), place: found.key };
            }
            around = outer;
        }
        self.start()
    }

    /// Entries that a file of their own holds.
    fn locate_entry(&self, pointer: &str) -> Option<Spot> {
        let file = self.entries_file.as_ref()?;
        let rest = pointer.strip_prefix("/entries")?;
        let index: Option<usize> = rest.split('/').nth(1).and_then(|index| index.parse().ok());
        let line = index.and_then(|index| file.lines.get(index)).copied().unwrap_or(1);
        Some(Spot { path: file.path.clone(), place: Place { line, column: 1 } })
    }
}

/// The place of a line and column inside a text value, in the file. Exact for blocks and for texts without escapes; with escapes the column
/// is that of a character before.
fn inside(text: &str, found: Found, line: u32, column: u32) -> Place {
    let Place { line: first, column: start } = found.value;
    let index = |n: u32| usize::try_from(n.saturating_sub(1)).unwrap_or(usize::MAX);
    let opening = text.lines().nth(index(first)).and_then(|line| line.chars().nth(index(start)));
    let quoted = matches!(opening, Some('"' | '\''));
    // A block begins on the line behind its sign.
    let block = first > found.key.line && !quoted;
    match (block, line) {
        (true, _) => Place { line: first + line - 1, column: start + column - 1 },
        (false, 1) => Place { line: first, column: start + column - 1 + u32::from(quoted) },
        // A text of several lines within quotes: where it begins is all that can be said.
        (false, _) => found.value,
    }
}
