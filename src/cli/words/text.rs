//! Small things that all words have in common.

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::domain::name::is_invisible;

/// Makes a text harmless for a terminal: control characters and what cannot be seen are shown as escapes, newlines are kept.
pub fn clean(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c == '\n' || c == '\t' || !(c.is_control() || is_invisible(c)) {
            out.push(c);
        } else {
            out.extend(c.escape_unicode());
        }
    }
    out
}

/// As [`clean`], on one line.
pub fn one_line(text: &str) -> String {
    clean(text).replace('\n', "⏎").replace('\t', " ")
}

/// `1 vhost`, `3 vhosts`.
pub fn count(number: usize, one: &str) -> String {
    if number == 1 {
        return format!("1 {one}");
    }
    let many = match one.strip_suffix('y') {
        Some(stem) if !stem.ends_with(['a', 'e', 'o', 'u']) => format!("{stem}ies"),
        _ => format!("{one}s"),
    };
    format!("{number} {many}")
}

/// `3.4 MB`, for people.
pub fn bytes(number: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "for people, one digit")]
    let number = number as f64;
    match number {
        n if n >= 1e9 => format!("{:.1} GB", n / 1e9),
        n if n >= 1e6 => format!("{:.1} MB", n / 1e6),
        n if n >= 1e3 => format!("{:.1} kB", n / 1e3),
        n => format!("{n:.0} bytes"),
    }
}

pub fn time(at: OffsetDateTime) -> String {
    at.replace_nanosecond(0).unwrap_or(at).format(&Rfc3339).unwrap_or_default()
}

/// The serialised name of a unit variant: `mode`'s `block`.
pub fn word(value: &impl serde::Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}
