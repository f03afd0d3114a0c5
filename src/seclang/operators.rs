//! The operator of a `SecRule` and its argument.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::allow::{self, Argument};
use super::ast::Operator;
use super::lexer::Piece;
use super::macros::{self, Place};
use super::problem::{Report, closest, shown};
use super::regex;
use super::seen::Seen;

/// Reads the inside of the operator's quotes. Only `\"` is an escape there; every other backslash
/// belongs to the argument.
pub(super) fn parse(report: &mut Report<'_>, quoted: Piece<'_>, seen: Seen) -> Option<Operator> {
    let chars = unescaped(quoted);
    let piece = Piece::new(&chars, quoted.bounds().0);
    let (negated, body) = match (piece.get(0), piece.get(1)) {
        (Some('!'), _) => (true, piece.from(1)),
        _ => (false, piece),
    };
    if body.get(0) != Some('@') {
        let argument = body.trim();
        if matches!(argument.get(0), Some('@' | '!')) {
            report.refuse_hint(
                "blank-before-operator",
                argument,
                "With a blank before it this is an expression, not an operator",
                "Remove the blank, or write `@rx` before an expression that begins with `@` or `!`",
            );
            return None;
        }
        return finish(report, negated, ("rx", Argument::Regex), argument, seen);
    }
    let end = body.position(|c| c == ' ').unwrap_or_else(|| body.len());
    let (name, argument) = (body.slice(1, end), body.from(end).trim());
    let text = name.text();
    if let Some((name, kind)) = allow::OPERATORS.iter().find(|(known, _)| *known == text) {
        return finish(report, negated, (name, *kind), argument, seen);
    }
    if let Some(reason) = allow::refused_operator(&text) {
        report.refuse("refused-operator", name, format!("`@{text}` {reason}"));
        return None;
    }
    let message = format!("Coraza has no operator `@{}`", shown(&text));
    match closest(&text, allow::OPERATORS.iter().map(|(known, _)| *known)) {
        Some(near) => report.refuse_hint("unknown-operator", name, message, format!("Did you mean `@{near}`?")),
        None => report.refuse("unknown-operator", name, message),
    }
    None
}

/// `\"` becomes `"`, as in Coraza, which looks at each backslash on its own.
fn unescaped(quoted: Piece<'_>) -> Vec<(usize, char)> {
    let mut chars = Vec::with_capacity(quoted.len());
    let mut index = 0;
    while let Some(c) = quoted.get(index) {
        let escaped = c == '\\' && quoted.get(index + 1) == Some('"');
        let kept = index + usize::from(escaped);
        let place = quoted.slice(kept, kept + 1).bounds().0;
        chars.push((place, if escaped { '"' } else { c }));
        index = kept + 1;
    }
    chars
}

fn finish(
    report: &mut Report<'_>,
    negated: bool,
    (name, kind): (&'static str, Argument),
    argument: Piece<'_>,
    seen: Seen,
) -> Option<Operator> {
    let text = argument.text();
    if kind == Argument::None {
        if !argument.is_empty() {
            report.refuse("unexpected-argument", argument, format!("`@{name}` takes no argument"));
            return None;
        }
    } else if argument.is_empty() {
        report.refuse("missing-argument", argument, format!("`@{name}` needs an argument"));
        return None;
    }
    if let Some(index) = argument.position(|c| c == '\t') {
        report.refuse_hint(
            "control-character",
            argument.slice(index, index + 1),
            "A tab cannot stand inside an argument",
            "Write `\\t` in an expression",
        );
        return None;
    }
    let before = report.problems.len();
    let argument = match kind {
        Argument::None => String::new(),
        Argument::Regex => {
            regex::check(report, argument);
            text
        }
        Argument::Text => {
            macros::check(report, argument, Place::Operator(seen));
            text
        }
        Argument::Words => words(report, argument)?,
        Argument::Number => number(report, argument, seen)?,
        Argument::Networks => networks(report, argument),
        Argument::Bytes => bytes(report, argument),
        Argument::Path => path(report, argument)?,
    };
    (report.problems.len() == before).then_some(Operator { negated, name, argument })
}

/// An empty word, from two blanks in a row, would match everything. A single word is written
/// twice: with a blank in it the text cannot be a selector's expression, which Coraza keeps under
/// its bare text in the same cache as `@pm`'s (and panics when it finds the other one's). `\x` and
/// `rx:` at the start would meet `@rx` there.
fn words(report: &mut Report<'_>, argument: Piece<'_>) -> Option<String> {
    let text = argument.text();
    let lower = text.to_lowercase();
    if lower.contains("\\x") || lower.starts_with("rx:") || lower.contains(char::is_control) {
        report.refuse_hint(
            "invalid-words",
            argument,
            "`@pm` takes plain words: it knows no `\\x`, and the list cannot begin with `rx:`",
            "Use `@rx`",
        );
        return None;
    }
    let words: Vec<&str> = text.split_whitespace().collect();
    Some(match words[..] {
        [one] => format!("{one} {one}"),
        _ => words.join(" "),
    })
}

/// Coraza takes what is not a number for 0, without a word.
fn number(report: &mut Report<'_>, argument: Piece<'_>, seen: Seen) -> Option<String> {
    let text = argument.text();
    if macros::is_one(&text) {
        macros::check(report, argument, Place::Operator(seen));
        return Some(text);
    }
    let digits = text.strip_prefix('-').unwrap_or(&text);
    if (1..=18).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit()) {
        return Some(text);
    }
    report.refuse_hint("not-a-number", argument, format!("`{}` is not a whole number", shown(&text)), "Compare text with `@streq`");
    None
}

/// Coraza leaves out what it cannot read, without a word.
fn networks(report: &mut Report<'_>, argument: Piece<'_>) -> String {
    let text = argument.text();
    let mut networks = Vec::new();
    for network in text.split(',').map(str::trim) {
        let (address, length) = match network.split_once('/') {
            Some((address, length)) => (address, Some(length)),
            None => (network, None),
        };
        let valid = address.parse::<IpAddr>().ok().is_some_and(|address| {
            let most = if address.is_ipv4() { 32 } else { 128 };
            length.is_none_or(|length| {
                let plain = length.bytes().all(|b| b.is_ascii_digit());
                plain && length.parse::<u8>().is_ok_and(|length| length <= most)
            })
        });
        if valid {
            networks.push(network);
        } else {
            report.refuse_hint(
                "not-a-network",
                argument,
                format!("`{}` is neither an address nor a network", shown(network)),
                "Write `192.0.2.0/24,2001:db8::/32`",
            );
        }
    }
    networks.join(",")
}

fn bytes(report: &mut Report<'_>, argument: Piece<'_>) -> String {
    let text = argument.text();
    let mut ranges = Vec::new();
    for range in text.split(',').map(str::trim) {
        let byte = |text: &str| {
            let plain = (1..=3).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
            text.parse::<u8>().ok().filter(|_| plain)
        };
        let read = match range.split_once('-') {
            Some((from, to)) => byte(from).zip(byte(to)).filter(|(from, to)| from <= to),
            None => byte(range).map(|one| (one, one)),
        };
        match read {
            Some((from, to)) if from == to => ranges.push(from.to_string()),
            Some((from, to)) => ranges.push(format!("{from}-{to}")),
            None => report.refuse_hint(
                "not-a-byte-range",
                argument,
                format!("`{}` is not a range of bytes", shown(range)),
                "Write numbers from 0 to 255: `9,10,13,32-126`",
            ),
        }
    }
    ranges.join(",")
}

/// Coraza makes an expression of it, each `{name}` a group that fills `ARGS_PATH:name`.
fn path(report: &mut Report<'_>, argument: Piece<'_>) -> Option<String> {
    let text = argument.text();
    let mut names = BTreeSet::new();
    let parts = text.strip_prefix('/').map(|rest| rest.split('/'));
    let valid = parts.is_some_and(|mut parts| {
        parts.all(|part| {
            let plain = |b: u8| b.is_ascii_alphanumeric() || b"._~-".contains(&b);
            match part.strip_prefix('{').and_then(|p| p.strip_suffix('}')) {
                Some(name) => {
                    let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
                    let first = name.bytes().next().is_some_and(|b| b.is_ascii_alphabetic());
                    first && name.bytes().all(word) && names.insert(name)
                }
                None => part.bytes().all(plain),
            }
        })
    });
    if !valid {
        report.refuse_hint("invalid-path", argument, "A path is `/`, plain parts and distinct `{name}` parts", "Write `/users/{id}/posts`");
        return None;
    }
    Some(text)
}
