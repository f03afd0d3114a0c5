//! The values of single actions.

use super::MAX_REDIRECT_CHARS;
use super::allow;
use super::lexer::Piece;
use super::problem::{Report, shown};

pub(super) fn number(report: &mut Report<'_>, name: &str, value: Piece<'_>, from: u32, to: u32) -> Option<u32> {
    let text = value.trim().text();
    let digits = text.bytes().all(|b| b.is_ascii_digit());
    let number = text.parse().ok().filter(|n| digits && (from..=to).contains(n));
    if number.is_none() {
        report.refuse("invalid-value", value, format!("`{name}` takes a number from {from} to {to}, not `{}`", shown(&text)));
    }
    number
}

pub(super) fn phase(report: &mut Report<'_>, value: Piece<'_>) -> Option<u8> {
    match value.trim().text().as_str() {
        "1" => return Some(1),
        "2" | "request" => return Some(2),
        "3" | "4" | "response" => report.refuse("refused-phase", value, "The response phase is not inspected by custom rules"),
        "5" | "logging" => report.refuse("refused-phase", value, "The logging phase is too late for a custom rule to act"),
        other => report.refuse_hint(
            "refused-phase",
            value,
            format!("There is no phase `{}`", shown(other)),
            "Use 1 (request headers) or 2 (request body)",
        ),
    }
    None
}

pub(super) fn severity(report: &mut Report<'_>, value: Piece<'_>) -> Option<u8> {
    let text = value.trim().text();
    let named = |s: &&str| s.eq_ignore_ascii_case(&text);
    let number = match text.as_bytes() {
        [digit @ b'0'..=b'7'] => Some(digit - b'0'),
        _ => allow::SEVERITIES.iter().position(named).and_then(|n| u8::try_from(n).ok()),
    };
    if number.is_none() {
        report.refuse_hint(
            "unknown-severity",
            value,
            format!("There is no severity `{}`", shown(&text)),
            "0 to 7, or EMERGENCY, ALERT, CRITICAL, ERROR, WARNING, NOTICE, INFO, DEBUG",
        );
    }
    number
}

/// An absolute URL of plain ASCII; it ends up in a `Location` header.
pub(super) fn redirect(report: &mut Report<'_>, value: Piece<'_>) -> Option<String> {
    let text = value.text();
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let host = rest.map(|rest| rest.split(['/', '?', '#']).next().unwrap_or_default());
    let host_fine = host.is_some_and(|host| !host.is_empty() && host.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._:[]".contains(&b)));
    let refused = |b: u8| !b.is_ascii_graphic() || b"\"'\\<>^`{|}".contains(&b);
    if !host_fine || text.len() > MAX_REDIRECT_CHARS || text.bytes().any(refused) {
        report.refuse_hint(
            "invalid-redirect",
            value,
            format!("`{}` is not a URL a rule may redirect to", shown(&text)),
            format!(
                "An absolute `http://` or `https://` URL of at most {MAX_REDIRECT_CHARS} ASCII \
                 characters, without user, blanks, quotes and `%{{…}}`"
            ),
        );
        return None;
    }
    Some(text)
}
