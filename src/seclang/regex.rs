//! What RE2 does not have. The engine compiles every expression in the end; this finds what people
//! bring along from PCRE, and says so with a place. And it estimates what an expression costs, since counted repetitions make a
//! large machine of a short text.

use super::lexer::Piece;
use super::problem::Report;

/// The longest expression, repetitions written out; the agent counts its compiled instructions against the same number.
pub(super) const MAX_PATTERN_NODES: u64 = 2000;

/// What an expression is made of, see [`measure`].
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Measure {
    /// Literals, classes and branches, repetitions written out.
    pub nodes: u64,
    groups: u32,
    /// Has a `^` or `\A`.
    anchored: bool,
    /// Has a group behind its first literal, class or anchor.
    inner_group: bool,
}

impl Measure {
    /// The captures that a match fills, a bit for each. Coraza 3.8.1 compares `^literal$`, also in parentheses, as plain text and then
    /// captures nothing; and it never captures a ninth group.
    pub fn captures(self) -> u16 {
        if self.anchored && !self.inner_group {
            return 0;
        }
        let highest = self.groups.min(8);
        (2 << highest) - 1
    }
}

/// One open group.
#[derive(Default)]
struct Frame {
    done: u64,
    /// What a quantifier would repeat.
    last: u64,
    captures: bool,
}

/// Reads an expression as Go's `regexp/syntax` does, as far as its size goes: an expression that Go refuses may be measured wrong.
pub(super) fn measure(pattern: &[(usize, char)]) -> Measure {
    let get = |index: usize| pattern.get(index).map(|(_, c)| *c);
    let mut measure = Measure::default();
    let mut outer: Vec<Frame> = Vec::new();
    let mut frame = Frame::default();
    let mut empty = true;
    let mut index = 0;
    while let Some(c) = get(index) {
        let start = index;
        let mut atom = true;
        match c {
            '\\' if get(index + 1) == Some('Q') => {
                let end = (index + 2..pattern.len()).find(|i| get(*i) == Some('\\') && get(i + 1) == Some('E'));
                let until = end.unwrap_or(pattern.len());
                frame.done = frame.done.saturating_add(frame.last).saturating_add((until - index - 2) as u64);
                // a quantifier repeats the last character only
                frame.last = 0;
                if until > index + 2 {
                    (frame.done, frame.last) = (frame.done - 1, 1);
                }
                (index, atom) = (until + 2, false);
                empty &= until == start + 2;
            }
            '\\' => index = escape(pattern, index),
            '[' => index = class(pattern, index),
            '(' => {
                let (captures, next, opens) = open(pattern, index);
                (index, atom) = (next, false);
                if opens {
                    if captures {
                        measure.groups = measure.groups.saturating_add(1);
                        measure.inner_group |= !empty;
                    }
                    outer.push(std::mem::replace(&mut frame, Frame { captures, ..Frame::default() }));
                }
            }
            ')' => {
                (index, atom) = (index + 1, false);
                if let Some(parent) = outer.pop() {
                    let inner = close(&std::mem::replace(&mut frame, parent));
                    frame.done = frame.done.saturating_add(frame.last);
                    frame.last = inner;
                }
            }
            '|' => {
                frame.done = frame.done.saturating_add(frame.last).saturating_add(1);
                frame.last = 0;
                (index, atom) = (index + 1, false);
            }
            '*' | '+' | '?' => {
                frame.last = frame.last.saturating_add(1);
                (index, atom) = (index + 1, false);
            }
            '{' => match counts(pattern, index) {
                Some((from, to, next)) => {
                    frame.last = match to {
                        Some(to) => frame.last.saturating_mul(to.max(1)).saturating_add(to.saturating_sub(from)),
                        None => frame.last.saturating_mul(from.max(1)).saturating_add(1),
                    };
                    (index, atom) = (next, false);
                }
                None => index += 1,
            },
            _ => index += 1,
        }
        if atom {
            frame.done = frame.done.saturating_add(frame.last);
            frame.last = 1;
            measure.anchored |= c == '^' || (c == '\\' && get(start + 1) == Some('A'));
            empty = false;
        }
    }
    while let Some(parent) = outer.pop() {
        let inner = close(&std::mem::replace(&mut frame, parent));
        frame.done = frame.done.saturating_add(inner);
    }
    measure.nodes = frame.done.saturating_add(frame.last);
    measure
}

/// The size of a whole group; an empty one is still a node.
fn close(frame: &Frame) -> u64 {
    let inner = frame.done.saturating_add(frame.last).max(1);
    inner.saturating_add(if frame.captures { 2 } else { 0 })
}

/// One past an escape outside a class: `\x{…}` and `\p{…}` are one.
fn escape(pattern: &[(usize, char)], index: usize) -> usize {
    let get = |index: usize| pattern.get(index).map(|(_, c)| *c);
    let braced = matches!(get(index + 1), Some('x' | 'p' | 'P')) && get(index + 2) == Some('{');
    // no name is longer
    match (braced, (index + 3..pattern.len().min(index + 48)).find(|i| get(*i) == Some('}'))) {
        (true, Some(end)) => end + 1,
        _ => index + 2,
    }
}

/// One past a class. A `]` that is its first member does not end it, nor does that of `[:alpha:]`.
fn class(pattern: &[(usize, char)], start: usize) -> usize {
    let get = |index: usize| pattern.get(index).map(|(_, c)| *c);
    let mut index = start + 1 + usize::from(get(start + 1) == Some('^'));
    let first = index;
    while let Some(c) = get(index) {
        index = match c {
            ']' if index > first => return index + 1,
            '\\' => index + 2,
            '[' if get(index + 1) == Some(':') => {
                let end = (index + 2..pattern.len().min(index + 16)).find(|i| get(*i) == Some(':') && get(i + 1) == Some(']'));
                end.map_or(index + 1, |end| end + 2)
            }
            _ => index + 1,
        };
    }
    pattern.len()
}

/// Of a `(`: whether the group captures, one past its head, and whether it is a group at all (`(?i)` is none).
fn open(pattern: &[(usize, char)], index: usize) -> (bool, usize, bool) {
    let get = |index: usize| pattern.get(index).map(|(_, c)| *c);
    if get(index + 1) != Some('?') {
        return (true, index + 1, true);
    }
    let named = get(index + 2) == Some('<') || (get(index + 2) == Some('P') && get(index + 3) == Some('<'));
    let ends = |c: Option<char>| if named { c == Some('>') } else { matches!(c, Some(':' | ')')) };
    let end = (index + 2..pattern.len()).find(|i| ends(get(*i))).unwrap_or(pattern.len());
    (named, end + 1, named || get(end) != Some(')'))
}

/// `{n}`, `{n,}` or `{n,m}` and one past it; anything else is plain text.
fn counts(pattern: &[(usize, char)], index: usize) -> Option<(u64, Option<u64>, usize)> {
    let end = (index + 1..pattern.len().min(index + 24)).find(|i| pattern[*i].1 == '}')?;
    let inner: String = pattern[index + 1..end].iter().map(|(_, c)| *c).collect();
    let number = |text: &str| text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse::<u64>().ok()).flatten();
    let (from, to) = match inner.split_once(',') {
        Some((from, "")) => (number(from)?, None),
        Some((from, to)) => (number(from)?, Some(number(to)?)),
        None => (number(&inner)?, Some(number(&inner)?)),
    };
    Some((from, to, end + 1))
}

/// Refuses what costs too much, look-around, atomic groups, possessive quantifiers and back-references.
pub(super) fn check(report: &mut Report<'_>, pattern: Piece<'_>) {
    let nodes = measure(pattern.chars()).nodes;
    if nodes > MAX_PATTERN_NODES {
        report.refuse_hint(
            "too-expensive",
            pattern,
            format!("Once its repetitions are written out, the expression is longer than {MAX_PATTERN_NODES} characters"),
            "Use smaller counts (`{n,m}` writes out what it repeats m times, also when nested), `+` or `*`; for lists of words use `@pm`",
        );
    }
    let mut index = 0;
    let mut in_class = false;
    while let Some(c) = pattern.get(index) {
        let next = pattern.get(index + 1);
        match c {
            '\\' => {
                if next.is_some_and(|d| ('1'..='9').contains(&d)) || next == Some('k') {
                    refuse(report, pattern.slice(index, index + 2), "back-references");
                }
                index += 1;
            }
            '[' if !in_class => {
                in_class = true;
                // a leading `]` is a member of the class
                if next == Some('^') {
                    index += 1;
                }
                if pattern.get(index + 1) == Some(']') {
                    index += 1;
                }
            }
            '[' if next == Some(':') => index += 1,
            ']' => in_class = false,
            '(' if !in_class && next == Some('?') => group(report, pattern, index),
            '*' | '+' | '?' if !in_class && next == Some('+') => {
                refuse(report, pattern.slice(index, index + 2), "possessive quantifiers");
                index += 1;
            }
            _ => {}
        }
        index += 1;
    }
}

fn group(report: &mut Report<'_>, pattern: Piece<'_>, index: usize) {
    let (what, width) = match (pattern.get(index + 2), pattern.get(index + 3)) {
        (Some('=' | '!'), _) => ("look-ahead", 3),
        (Some('<'), Some('=' | '!')) => ("look-behind", 4),
        (Some('<'), Some(c)) if c.is_ascii_alphabetic() || c == '_' => return,
        (Some('<'), _) => ("groups without a name behind `(?<`", 3),
        (Some('>'), _) => ("atomic groups", 3),
        (Some('P'), Some('=' | '>')) => ("back-references", 4),
        (Some('#'), _) => ("comments", 3),
        (Some('|'), _) => ("branch resets", 3),
        (Some('('), _) => ("conditions", 3),
        (Some('R' | '&' | '0'..='9'), _) => ("recursion", 3),
        _ => return,
    };
    refuse(report, pattern.slice(index, index + width), what);
}

fn refuse(report: &mut Report<'_>, at: Piece<'_>, what: &str) {
    report.refuse_hint(
        "unsupported-regex",
        at,
        format!("The engine's regular expressions (RE2) have no {what}"),
        "Say it with a second condition: `chain` and another `SecRule`",
    );
}
