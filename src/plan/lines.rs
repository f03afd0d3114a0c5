//! Which lines differ. Deterministic, and fast for what this is used on: large files of which little changes, and large files of which all does.
//!
//! Common beginnings and ends are cut off first. Of the rest, lines that are in each text once are matched (their longest run in order, as
//! in a patience diff), and what lies between those is left to `similar`, as long as it is small: there is no time limit, which would let a
//! slow machine see another diff than a fast one.

use std::collections::HashMap;
use std::ops::Range;

use similar::{Algorithm, DiffOp};

/// Lines of one side times those of the other, up to which a gap is worth a search. Beyond it all of the gap is taken as replaced.
const LARGEST_GAP: usize = 250_000;

/// The lines of a text, with their ends.
pub(super) fn lines(text: &[u8]) -> Vec<&[u8]> {
    text.split_inclusive(|byte| *byte == b'\n').collect()
}

/// What turns `old` into `new`, in order, covering both.
pub(super) fn diff(old: &[&[u8]], new: &[&[u8]]) -> Vec<DiffOp> {
    let mut matches = Matches { old, new, runs: Vec::new() };
    matches.between(0..old.len(), 0..new.len(), |matches, a, b| {
        let (mut from_a, mut from_b) = (a.start, b.start);
        for (i, j) in anchors(&old[a.clone()], &new[b.clone()]) {
            let (i, j) = (a.start + i, b.start + j);
            matches.between(from_a..i, from_b..j, Matches::search);
            matches.push(i, j, 1);
            (from_a, from_b) = (i + 1, j + 1);
        }
        matches.between(from_a..a.end, from_b..b.end, Matches::search);
    });
    matches.ops()
}

/// What is in both, as runs of lines, in order.
struct Matches<'t> {
    old: &'t [&'t [u8]],
    new: &'t [&'t [u8]],
    /// Start in each, and length.
    runs: Vec<(usize, usize, usize)>,
}

impl Matches<'_> {
    fn push(&mut self, i: usize, j: usize, length: usize) {
        match self.runs.last_mut() {
            _ if length == 0 => {}
            Some((a, b, len)) if (*a + *len, *b + *len) == (i, j) => *len += length,
            _ => self.runs.push((i, j, length)),
        }
    }

    /// Matches the common beginning and end, and lets `inner` do the rest, where there is one on both sides.
    fn between(&mut self, a: Range<usize>, b: Range<usize>, inner: impl FnOnce(&mut Self, Range<usize>, Range<usize>)) {
        let (old, new) = (&self.old[a.clone()], &self.new[b.clone()]);
        let head = old.iter().zip(new).take_while(|(a, b)| a == b).count();
        let tail = old[head..].iter().rev().zip(new[head..].iter().rev()).take_while(|(a, b)| a == b).count();
        self.push(a.start, b.start, head);
        let (rest_a, rest_b) = (a.start + head..a.end - tail, b.start + head..b.end - tail);
        if !rest_a.is_empty() && !rest_b.is_empty() {
            inner(self, rest_a, rest_b);
        }
        self.push(a.end - tail, b.end - tail, tail);
    }

    fn search(&mut self, a: Range<usize>, b: Range<usize>) {
        if a.len().saturating_mul(b.len()) > LARGEST_GAP {
            return;
        }
        for op in similar::capture_diff_slices(Algorithm::Myers, &self.old[a.clone()], &self.new[b.clone()]) {
            if let DiffOp::Equal { old_index, new_index, len } = op {
                self.push(a.start + old_index, b.start + new_index, len);
            }
        }
    }

    fn ops(self) -> Vec<DiffOp> {
        let mut out = Vec::new();
        let (mut old_index, mut new_index) = (0, 0);
        for (i, j, len) in self.runs.into_iter().chain([(self.old.len(), self.new.len(), 0)]) {
            match (i - old_index, j - new_index) {
                (0, 0) => {}
                (old_len, 0) => out.push(DiffOp::Delete { old_index, old_len, new_index }),
                (0, new_len) => out.push(DiffOp::Insert { old_index, new_index, new_len }),
                (old_len, new_len) => out.push(DiffOp::Replace { old_index, old_len, new_index, new_len }),
            }
            if len > 0 {
                out.push(DiffOp::Equal { old_index: i, new_index: j, len });
            }
            (old_index, new_index) = (i + len, j + len);
        }
        out
    }
}

/// Lines that each side has once, at their places: as many as can be matched in order.
fn anchors(old: &[&[u8]], new: &[&[u8]]) -> Vec<(usize, usize)> {
    #[derive(Default)]
    struct Seen {
        old: usize,
        new: usize,
        at: usize,
    }
    let mut seen: HashMap<&[u8], Seen> = HashMap::with_capacity(old.len());
    for line in old {
        seen.entry(line).or_default().old += 1;
    }
    for (at, line) in new.iter().enumerate() {
        if let Some(seen) = seen.get_mut(line) {
            seen.new += 1;
            seen.at = at;
        }
    }
    let once = old.iter().enumerate().filter_map(|(i, line)| {
        let seen = seen.get(line)?;
        (seen.old == 1 && seen.new == 1).then_some((i, seen.at))
    });
    longest_in_order(&once.collect::<Vec<_>>())
}

/// The longest of the subsequences whose second parts grow.
fn longest_in_order(pairs: &[(usize, usize)]) -> Vec<(usize, usize)> {
    // by length: the pair that ends the subsequence of that length with the smallest second part
    let mut ends: Vec<usize> = Vec::new();
    let mut previous: Vec<Option<usize>> = Vec::with_capacity(pairs.len());
    for (at, (_, j)) in pairs.iter().enumerate() {
        let length = ends.partition_point(|end| pairs[*end].1 < *j);
        previous.push(length.checked_sub(1).map(|shorter| ends[shorter]));
        if length == ends.len() {
            ends.push(at);
        } else {
            ends[length] = at;
        }
    }
    let mut out = Vec::with_capacity(ends.len());
    let mut next = ends.last().copied();
    while let Some(at) = next {
        out.push(pairs[at]);
        next = previous[at];
    }
    out.reverse();
    out
}
