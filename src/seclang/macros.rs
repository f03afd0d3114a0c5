//! `%{NAME}` and `%{NAME.key}`: text the engine replaces while it evaluates a rule.

use super::allow::{self, Shape};
use super::lexer::Piece;
use super::problem::{Report, shown};
use super::seen::Seen;

/// Where a macro stands decides what it may read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// `msg` and `logdata`: goes into events, so only what the match itself yields.
    Message,
    /// The argument of an operator: whatever a rule may read there.
    Operator(Seen),
}

/// Checks every macro in `text`. The engine refuses a malformed one, and takes a key it does not
/// find for literal text.
pub(super) fn check(report: &mut Report<'_>, text: Piece<'_>, place: Place) {
    let mut index = 0;
    while index + 1 < text.len() {
        if text.get(index) != Some('%') || text.get(index + 1) != Some('{') {
            index += 1;
            continue;
        }
        let Some(length) = text.from(index + 2).position(|c| c == '}') else {
            report.refuse("malformed-macro", text.from(index), "A `%{` is not closed");
            return;
        };
        let whole = text.slice(index, index + 3 + length);
        one(report, whole, place);
        index += 3 + length;
    }
}

/// Whether the whole of `text` is one macro.
pub(super) fn is_one(text: &str) -> bool {
    text.strip_prefix("%{").and_then(|rest| rest.strip_suffix('}')).is_some_and(|inner| !inner.contains(['{', '}']))
}

fn one(report: &mut Report<'_>, whole: Piece<'_>, place: Place) {
    let inner = whole.slice(2, whole.len() - 1).text();
    let well_formed =
        !inner.is_empty() && !inner.ends_with('.') && inner.bytes().all(|b| b.is_ascii_alphanumeric() || b"[]._-".contains(&b));
    if !well_formed {
        report.refuse_hint(
            "malformed-macro",
            whole,
            format!("`%{{{}}}` is not a macro", shown(&inner)),
            "Write `%{NAME}` or `%{NAME.key}` of letters, digits and `[]._-`",
        );
        return;
    }
    let (name, key) = match inner.split_once('.') {
        Some((name, key)) => (name, Some(key.to_ascii_lowercase())),
        None => (inner.as_str(), None),
    };
    let allowed = match place {
        Place::Message => in_message(name, key.as_deref()),
        Place::Operator(seen) => in_operator(name, key.as_deref(), seen),
    };
    if !allowed {
        let hint = match place {
            Place::Message => "Allowed: MATCHED_VAR, MATCHED_VAR_NAME, TX.0 to TX.9, and TX.custom_*",
            Place::Operator(_) => "Allowed: what a rule may read; collections with a key",
        };
        report.refuse_hint("refused-macro", whole, format!("`%{{{}}}` cannot be used here", shown(&inner)), hint);
    }
}

fn in_message(name: &str, key: Option<&str>) -> bool {
    match (name.to_ascii_uppercase().as_str(), key) {
        ("MATCHED_VAR" | "MATCHED_VAR_NAME", None) => true,
        ("TX", Some(key)) => allow::is_own(key) || (key.len() == 1 && key.bytes().all(|b| b.is_ascii_digit())),
        _ => false,
    }
}

fn in_operator(name: &str, key: Option<&str>, seen: Seen) -> bool {
    allow::variable(name).is_some_and(|variable| match variable.shape {
        Shape::Single => key.is_none() && seen.single(name),
        Shape::Collection if variable.name == "TX" => key.is_some_and(|key| seen.tx(key)),
        Shape::Collection => key.is_some() && seen.single(name),
        Shape::XPath => false,
    })
}
