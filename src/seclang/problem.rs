//! What is wrong with a text, and where.

use super::MAX_PROBLEMS;
use super::lexer::Piece;

/// A place in the submitted text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
    /// Line of `start`, from 1.
    pub line: u32,
    /// Column of `start` in characters, from 1.
    pub column: u32,
}

/// One thing to correct (in `Err`), or to know ([`super::CustomRule::findings`]).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Problem {
    /// Stable, kebab-case; what a caller may match on.
    pub code: &'static str,
    /// One sentence for the operator, without a full stop.
    pub message: String,
    /// What to do about it, when we know.
    pub hint: Option<String>,
    pub span: Span,
}

/// Gathers problems (which refuse the rule) and findings (which do not) for one text.
pub(super) struct Report<'t> {
    text: &'t str,
    pub problems: Vec<Problem>,
    pub findings: Vec<Problem>,
}

impl<'t> Report<'t> {
    pub fn new(text: &'t str) -> Self {
        Self { text, problems: Vec::new(), findings: Vec::new() }
    }

    /// A problem without a hint.
    pub fn refuse(&mut self, code: &'static str, at: Piece<'_>, message: impl Into<String>) {
        self.add(code, at, message.into(), None);
    }

    /// A problem with a hint.
    pub fn refuse_hint(&mut self, code: &'static str, at: Piece<'_>, message: impl Into<String>, hint: impl Into<String>) {
        self.add(code, at, message.into(), Some(hint.into()));
    }

    fn add(&mut self, code: &'static str, at: Piece<'_>, message: String, hint: Option<String>) {
        if self.problems.len() < MAX_PROBLEMS {
            let span = self.span(at);
            self.problems.push(Problem { code, message, hint, span });
        }
    }

    /// Something to know that does not refuse the rule.
    pub fn find(&mut self, code: &'static str, at: Piece<'_>, message: impl Into<String>, hint: impl Into<String>) {
        if self.findings.len() < MAX_PROBLEMS {
            let span = self.span(at);
            self.findings.push(Problem { code, message: message.into(), hint: Some(hint.into()), span });
        }
    }

    fn span(&self, at: Piece<'_>) -> Span {
        let (start, end) = at.bounds();
        let before = &self.text[..start];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Span { start, end, line: count(before.matches('\n').count() + 1), column: count(before[line_start..].chars().count() + 1) }
    }
}

/// Shortens and defuses a piece of the text before it is quoted in a message.
pub(super) fn shown(text: &str) -> String {
    let mut out: String = text.chars().take(60).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    if text.chars().nth(60).is_some() {
        out.push('…');
    }
    out
}

/// The name in `known` that `given` was most likely meant to be: the same letters in another
/// case, or at most two edits away (one for short names).
pub(super) fn closest<'k>(given: &str, known: impl Iterator<Item = &'k str>) -> Option<&'k str> {
    if given.chars().count() > 40 {
        return None;
    }
    let wanted: Vec<char> = given.to_ascii_lowercase().chars().collect();
    let allowed = if wanted.len() <= 4 { 1 } else { 2 };
    known
        .map(|name| (edits(&wanted, &name.to_ascii_lowercase()), name))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// Levenshtein distance.
fn edits(a: &[char], b: &str) -> usize {
    let mut row: Vec<usize> = (0..=a.len()).collect();
    for (i, cb) in b.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, ca) in a.iter().enumerate() {
            let substituted = diagonal + usize::from(*ca != cb);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[a.len()]
}
