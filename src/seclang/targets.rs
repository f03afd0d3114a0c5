//! The variables of a `SecRule`.

use super::allow::{self, Shape, Variable};
use super::ast::{Selector, Target, TargetMode};
use super::lexer::Piece;
use super::problem::{Report, closest, shown};
use super::regex;
use super::seen::{Seen, TX_HINT};

/// Reads `A|B:name|&C|!B:/regex/`. In phase 1 the body is not there yet: such a variable is a
/// finding of the caller, who learns of it through `body`.
pub(super) fn parse(report: &mut Report<'_>, list: Piece<'_>, seen: Seen, body: &mut bool) -> Vec<Target> {
    let mut targets: Vec<Target> = Vec::new();
    let mut rest = list;
    loop {
        let end = target_end(rest);
        let piece = rest.slice(0, end);
        if let Some((target, variable)) = one(report, piece, seen) {
            *body |= variable.body && target.mode != TargetMode::Exclude;
            let listed = |t: &Target| t.name == target.name && t.mode != TargetMode::Exclude;
            if target.mode == TargetMode::Exclude && !targets.iter().any(listed) {
                report.refuse_hint(
                    "exclusion-of-nothing",
                    piece,
                    format!("`!{}` excludes from a variable that is not listed before it", target.name),
                    format!("Write `{0}|!{0}:name`", target.name),
                );
            }
            targets.push(target);
        }
        if end >= rest.len() {
            return targets;
        }
        rest = rest.from(end + 1);
    }
}

/// Where the target ends: at the next `|` that is not inside `/…/`.
fn target_end(rest: Piece<'_>) -> usize {
    let mut in_regex = false;
    let mut escaped = false;
    let mut previous = None;
    for (index, c) in rest.iter().enumerate() {
        match c {
            '|' if !in_regex => return index,
            '/' if in_regex && !escaped => in_regex = false,
            // only what directly follows the colon opens an expression, and never an XPath
            '/' if !in_regex && matches!(previous, Some(':' | '\'')) => {
                in_regex = !rest.slice(0, 4).text().eq_ignore_ascii_case("XML:");
            }
            _ => {}
        }
        escaped = in_regex && c == '\\' && !escaped;
        previous = Some(c);
    }
    rest.len()
}

fn one(report: &mut Report<'_>, piece: Piece<'_>, seen: Seen) -> Option<(Target, &'static Variable)> {
    let (mode, named) = match piece.get(0) {
        Some('!') => (TargetMode::Exclude, piece.from(1)),
        Some('&') => (TargetMode::Count, piece.from(1)),
        _ => (TargetMode::Value, piece),
    };
    let colon = named.position(|c| c == ':');
    let name = named.slice(0, colon.unwrap_or_else(|| named.len()));
    let variable = known(report, name)?;
    let collection = variable.shape != Shape::Single;
    let selector = match colon {
        Some(_) if !collection => {
            report.refuse("no-selector", piece, format!("`{}` is a single value, nothing can be selected", variable.name));
            return None;
        }
        Some(colon) => Some(selector(report, variable, named.from(colon + 1))?),
        None => None,
    };
    match (mode, &selector) {
        (TargetMode::Count | TargetMode::Exclude, _) if !collection => {
            report.refuse("not-a-collection", piece, format!("`{}` is a single value: `&` and `!` are for collections", variable.name));
            return None;
        }
        (TargetMode::Exclude, None) => {
            report.refuse_hint(
                "exclusion-of-everything",
                piece,
                format!("`!{}` without a name excludes everything", variable.name),
                format!("Write `!{}:name`", variable.name),
            );
            return None;
        }
        (_, None) if variable.shape == Shape::XPath => {
            report.refuse_hint(
                "selector-needed",
                piece,
                format!("`{}` needs a selector", variable.name),
                "Coraza answers `XML:/*` (text) and `XML://@*` (attributes)",
            );
            return None;
        }
        (_, selector) if variable.name == "TX" => {
            let readable = matches!(selector, Some(Selector::Name(key)) if seen.tx(&key.to_ascii_lowercase()));
            if !readable {
                report.refuse_hint("refused-variable", piece, "That of `TX` belongs to the engine, or nothing is in it here", TX_HINT);
                return None;
            }
        }
        _ if !seen.single(variable.name) => {
            report.refuse_hint(
                "refused-variable",
                piece,
                format!("`{}` holds nothing of this rule before its first match", variable.name),
                "Use it in a rule behind `chain`",
            );
            return None;
        }
        _ => {}
    }
    let target = Target { mode, name: variable.name, selector };
    Some((target, variable))
}

fn known(report: &mut Report<'_>, name: Piece<'_>) -> Option<&'static Variable> {
    let text = name.text();
    if let Some(variable) = allow::variable(&text) {
        return Some(variable);
    }
    if let Some((code, reason)) = allow::refused_variable(&text) {
        report.refuse(code, name, format!("`{}` {reason}", text.to_ascii_uppercase()));
    } else if text.is_empty() {
        report.refuse("unknown-variable", name, "The name of a variable is missing");
    } else {
        let message = format!("Coraza has no variable `{}`", shown(&text));
        match closest(&text, allow::VARIABLES.iter().map(|v| v.name)) {
            Some(near) => report.refuse_hint("unknown-variable", name, message, format!("Did you mean `{near}`?")),
            None => report.refuse("unknown-variable", name, message),
        }
    }
    None
}

fn selector(report: &mut Report<'_>, variable: &Variable, piece: Piece<'_>) -> Option<Selector> {
    if variable.shape == Shape::XPath {
        let text = piece.text();
        if allow::XPATHS.contains(&text.as_str()) {
            return Some(Selector::Name(text));
        }
        report.refuse_hint(
            "unknown-xpath",
            piece,
            "Coraza does not evaluate XPath expressions",
            "It answers only `XML:/*` (text) and `XML://@*` (attributes)",
        );
        return None;
    }
    // ModSecurity wants `'/a|b/'`; Coraza does not need the quotes, and we write none
    let quoted = piece.len() >= 2 && piece.get(0) == Some('\'') && ends_with(piece, '\'');
    let bare = if quoted { piece.slice(1, piece.len() - 1) } else { piece };
    if bare.get(0) == Some('/') {
        return expression(report, bare);
    }
    let refused = |c: char| matches!(c, '|' | '\'' | '"' | '/' | '\\') || c.is_whitespace();
    let bad = bare.position(refused);
    if bare.is_empty() || bare.len() > 128 || bad.is_some() {
        report.refuse_hint(
            "invalid-selector",
            piece,
            "A name is 1 to 128 characters without blanks, quotes, `/`, `\\` and `|`",
            "Use an expression: `ARGS:/^a\\/b$/`",
        );
        return None;
    }
    Some(Selector::Name(bare.text()))
}

fn expression(report: &mut Report<'_>, bare: Piece<'_>) -> Option<Selector> {
    let inner = bare.slice(1, bare.len() - 1);
    let backslashes = inner.text().chars().rev().take_while(|c| *c == '\\').count();
    let closed = bare.len() >= 2 && ends_with(bare, '/') && backslashes % 2 == 0;
    if !closed || inner.is_empty() || inner.len() > 1024 {
        report.refuse_hint(
            "invalid-selector",
            bare,
            "An expression is `/…/` with 1 to 1024 characters between the slashes",
            "Variables end at the first blank: write `\\x20` or `\\s` for one",
        );
        return None;
    }
    let mut escaped = false;
    for (index, c) in inner.iter().enumerate() {
        // a text that both a selector and `@rx` may have, and of which `@rx` makes a byte
        // expression, would share a place in Coraza's cache of compiled things, and panic
        let byte = c == 'x' && !matches!(inner.get(index + 1), Some('0'..='7'));
        if escaped && byte {
            report.refuse_hint(
                "invalid-selector",
                inner.slice(index - 1, index + 3),
                "In a selector `\\x` stands for ASCII only",
                "Write `\\x00` to `\\x7f`, or the character itself",
            );
            return None;
        }
        if matches!(c, '"' | '\'') || (c == '/' && !escaped) {
            report.refuse_hint(
                "invalid-selector",
                inner.slice(index, index + 1),
                "Quotes and bare slashes cannot stand in a selector's expression",
                "Write `\\x22`, `\\x27` or `\\/`",
            );
            return None;
        }
        if (escaped && (c.is_ascii_uppercase() || c == 'p')) || (!escaped && c == '?' && flag_follows(inner, index)) {
            report.refuse_hint(
                "upper-case-in-selector",
                inner.slice(index.saturating_sub(1), index + 2),
                "Selectors are compared in lower case, where `\\D` would become `\\d`",
                "Write `[^0-9]` for `\\D`, `[^a-z0-9_]` for `\\W`, `[a-z]` for `\\pL`",
            );
            return None;
        }
        escaped = c == '\\' && !escaped;
    }
    regex::check(report, inner);
    Some(Selector::Regex(canonical(&inner.text())))
}

/// Coraza compares names in lower case but lower-cases only some expressions (not those of
/// `ARGS`, where a capital letter never matches): we do it for all. The group keeps the text from
/// being a word of somebody's `@pm`: both are found under their bare text in one cache of the
/// process, and Coraza 3.8.1 panics when it finds the other one's.
fn canonical(pattern: &str) -> String {
    let lower = pattern.to_lowercase();
    if lower.starts_with("(?:") { lower } else { format!("(?:{lower})") }
}

/// `(?P…` and `(?U…` change their meaning in lower case.
fn flag_follows(inner: Piece<'_>, index: usize) -> bool {
    index > 0 && inner.get(index - 1) == Some('(') && inner.get(index + 1).is_some_and(|c| c.is_ascii_uppercase())
}

fn ends_with(piece: Piece<'_>, c: char) -> bool {
    piece.get(piece.len().wrapping_sub(1)) == Some(c)
}
