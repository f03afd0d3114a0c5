//! One line for people about a change. What is long is shortened; what would break the line or cannot be seen becomes a blank or `�`.

use serde_json::Value;

use crate::domain::name::is_invisible;

/// Characters of a value that are shown.
const MOST_OF_A_VALUE: usize = 60;
/// Of these, how many stand before the first difference of two long texts.
const BEFORE_THE_DIFFERENCE: usize = 20;
/// Characters of a line.
const MOST_OF_A_LINE: usize = 300;
/// Items of a list that are named.
const MOST_ITEMS: usize = 5;

/// `mode: detect → block`.
pub(super) fn change(subject: &str, before: &Value, after: &Value) -> String {
    let (before, after) = match (before, after) {
        (Value::String(before), Value::String(after)) => difference(before, after),
        _ => (show(before), show(after)),
    };
    line(&format!("{subject} {before} → {after}"))
}

/// `hostnames: + a.example.com, - b.example.com`.
pub(super) fn items(subject: &str, before: &[Value], after: &[Value]) -> String {
    let not_in = |items: &[Value], others: &[Value], sign: char| -> Vec<String> {
        items.iter().filter(|item| !others.contains(item)).map(|item| format!("{sign} {}", show(item))).collect()
    };
    let mut all = not_in(after, before, '+');
    all.extend(not_in(before, after, '-'));
    let told = if all.is_empty() { "order changed".to_owned() } else { enumerate(&all) };
    line(&format!("{subject} {told}"))
}

/// `hostnames: a.example.com`, of an object that is new or gone.
pub(super) fn one(subject: &str, value: &Value) -> String {
    line(&format!("{subject} {}", show(value)))
}

/// At most [`MOST_OF_A_LINE`] characters.
pub(super) fn line(text: &str) -> String {
    cut(&clean(text), MOST_OF_A_LINE)
}

/// At most [`MOST_OF_A_VALUE`] characters.
pub(super) fn short(text: &str) -> String {
    cut(&clean(text), MOST_OF_A_VALUE)
}

/// The first few, and how many more.
pub(super) fn enumerate(items: &[String]) -> String {
    let mut out = items.iter().take(MOST_ITEMS).map(String::as_str).collect::<Vec<_>>().join(", ");
    if items.len() > MOST_ITEMS {
        out.push_str(&format!(" and {} more", items.len() - MOST_ITEMS));
    }
    out
}

/// `1 vhost`, `2 vhosts`.
pub(super) fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

fn show(value: &Value) -> String {
    match value {
        Value::Null => "none".to_owned(),
        Value::String(text) if text.is_empty() => r#""""#.to_owned(),
        Value::String(text) => short(text),
        Value::Array(items) if items.is_empty() => "none".to_owned(),
        Value::Array(items) if items.iter().any(|item| item.is_object() || item.is_array()) => {
            if items.len() == 1 {
                "1 element".to_owned()
            } else {
                format!("{} elements", items.len())
            }
        }
        Value::Array(items) => enumerate(&items.iter().map(show).collect::<Vec<_>>()),
        Value::Object(members) => {
            let mut told: Vec<String> = members
                .iter()
                .filter(|(_, member)| !member.is_null())
                .map(|(name, member)| if member.is_object() { format!("{name} set") } else { format!("{name} {}", show(member)) })
                .collect();
            told.sort_unstable();
            if told.is_empty() { "none".to_owned() } else { enumerate(&told) }
        }
        Value::Bool(_) | Value::Number(_) => value.to_string(),
    }
}

/// Two texts, cut so that where they differ is seen.
fn difference(before: &str, after: &str) -> (String, String) {
    let same: usize = before.chars().zip(after.chars()).take_while(|(a, b)| a == b).count();
    let long = [before, after].iter().any(|text| text.chars().nth(MOST_OF_A_VALUE).is_some());
    let skipped = if long { same.saturating_sub(BEFORE_THE_DIFFERENCE) } else { 0 };
    let part = |text: &str| match skipped {
        0 if text.is_empty() => r#""""#.to_owned(),
        0 => short(text),
        _ => short(&format!("…{}", text.chars().skip(skipped).collect::<String>())),
    };
    (part(before), part(after))
}

fn clean(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\n' | '\r' | '\t' => ' ',
            c if c.is_control() || is_invisible(c) => '\u{fffd}',
            c => c,
        })
        .collect()
}

fn cut(text: &str, most: usize) -> String {
    if text.chars().nth(most).is_none() {
        return text.to_owned();
    }
    text.chars().take(most - 1).chain(['…']).collect()
}
