//! What differs in the files of a node, as people read it.

use std::fmt::Write;
use std::ops::Range;
use std::sync::Arc;

use similar::DiffOp;

use super::lines::{diff, lines};
use super::merged;
use crate::domain::plan::{FileChange, FileDiff};
use crate::render::Bundle;

/// Bytes of the diff of one file.
const MOST_OF_A_FILE: usize = 64 << 10;
/// Bytes of the diffs of all files together.
const MOST_OF_ALL: usize = 1 << 20;
/// Bytes of a line that are shown: a whole rule set is one line of `guard-spoa.yaml`.
const MOST_OF_A_LINE: usize = 1024;
/// Equal lines around what differs.
const CONTEXT: usize = 3;

/// The files that differ, by name; without `before` every file is new.
pub fn files(before: Option<&Bundle>, after: &Bundle) -> Vec<FileDiff> {
    let none = std::collections::BTreeMap::new();
    let mut left = MOST_OF_ALL;
    let mut out = Vec::new();
    for (path, old, new) in merged(before.map_or(&none, |bundle| &bundle.files), &after.files) {
        if let (Some(old), Some(new)) = (old, new)
            && (Arc::ptr_eq(old, new) || old == new)
        {
            continue;
        }
        let file = file(path, old.map(AsRef::as_ref), new.map(AsRef::as_ref), left.min(MOST_OF_A_FILE));
        left -= file.diff.len();
        out.push(file);
    }
    out
}

fn file(path: &str, before: Option<&[u8]>, after: Option<&[u8]>, most: usize) -> FileDiff {
    let (old, new) = (lines(before.unwrap_or_default()), lines(after.unwrap_or_default()));
    let ops = diff(&old, &new);
    let count =
        |range: fn(&DiffOp) -> Range<usize>| ops.iter().filter(|op| !matches!(op, DiffOp::Equal { .. })).map(|op| range(op).len()).sum();
    let (removed, added) = (count(DiffOp::old_range), count(DiffOp::new_range));
    let side = |letter: char, there: bool| if there { format!("{letter}/{path}") } else { "/dev/null".to_owned() };
    let mut text = Bounded { text: String::new(), most, full: false };
    text.push(&format!("--- {}\n+++ {}\n", side('a', before.is_some()), side('b', after.is_some())));
    for hunk in similar::group_diff_ops(ops, CONTEXT) {
        write_hunk(&mut text, &hunk, &old, &new);
        if text.full {
            break;
        }
    }
    let change = match (before, after) {
        (None, _) => FileChange::Added,
        (_, None) => FileChange::Removed,
        _ => FileChange::Changed,
    };
    FileDiff { path: path.to_owned(), change, added, removed, diff: text.text, truncated: text.full }
}

fn write_hunk(out: &mut Bounded, hunk: &[DiffOp], old: &[&[u8]], new: &[&[u8]]) {
    let span = |range: fn(&DiffOp) -> Range<usize>| {
        let start = hunk.first().map_or(0, |op| range(op).start);
        let length = hunk.last().map_or(0, |op| range(op).end) - start;
        // lines count from 1; nothing is said to stand behind the line before it
        format!("{},{length}", if length == 0 { start } else { start + 1 })
    };
    out.push(&format!("@@ -{} +{} @@\n", span(DiffOp::old_range), span(DiffOp::new_range)));
    for op in hunk {
        let sides: [(char, &[&[u8]]); 2] = match op {
            DiffOp::Equal { .. } => [(' ', &old[op.old_range()]), ('+', &[])],
            _ => [('-', &old[op.old_range()]), ('+', &new[op.new_range()])],
        };
        for (sign, lines) in sides {
            for line in lines {
                out.push(&shown(sign, line));
                if out.full {
                    return;
                }
            }
        }
    }
}

/// A line of a diff, cut where it is long.
fn shown(sign: char, line: &[u8]) -> String {
    let (content, ended) = match line.strip_suffix(b"\n") {
        Some(content) => (content, true),
        None => (line, false),
    };
    let content = String::from_utf8_lossy(content);
    let end = content.floor_char_boundary(MOST_OF_A_LINE);
    let mut out = format!("{sign}{}", &content[..end]);
    if end < content.len() {
        let _ = write!(out, "… {} bytes more", content.len() - end);
    }
    out.push('\n');
    if !ended {
        out.push_str("\\ No newline at end of file\n");
    }
    out
}

/// A text that takes whole pieces until one does not fit, and nothing from then on.
struct Bounded {
    text: String,
    most: usize,
    full: bool,
}

impl Bounded {
    fn push(&mut self, piece: &str) {
        self.full |= self.text.len() + piece.len() > self.most;
        if !self.full {
            self.text.push_str(piece);
        }
    }
}
