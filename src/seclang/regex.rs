//! What RE2 does not have. The engine compiles every expression in the end; this finds what people
//! bring along from PCRE, and says so with a place.

use super::lexer::Piece;
use super::problem::Report;

/// Refuses look-around, atomic groups, possessive quantifiers and back-references.
pub(super) fn check(report: &mut Report<'_>, pattern: Piece<'_>) {
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
