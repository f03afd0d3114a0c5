//! Differences and conflicts, for a terminal.

use serde_json::Value;

use super::text::{count, one_line};
use crate::cli::printer::{Printer, Tone};
use crate::domain::diff::{ChangeCounts, Conflict, Diff};
use crate::domain::revision::{ChangeType, RevisionInfo};

pub fn sign(change: ChangeType) -> (&'static str, Tone, &'static str) {
    match change {
        ChangeType::Created => ("+", Tone::Good, "created"),
        ChangeType::Updated => ("~", Tone::Warning, "changed"),
        ChangeType::Deleted => ("-", Tone::Bad, "deleted"),
    }
}

/// `1 created, 2 changed`; `nothing differs`.
pub fn counts(counts: ChangeCounts) -> String {
    let parts: Vec<String> = [(counts.created, "created"), (counts.updated, "changed"), (counts.deleted, "deleted")]
        .into_iter()
        .filter(|(number, _)| *number > 0)
        .map(|(number, what)| format!("{number} {what}"))
        .collect();
    if parts.is_empty() { "nothing differs".to_owned() } else { parts.join(", ") }
}

/// Object by object, field by field.
pub fn lines(diff: &Diff, printer: &Printer) -> Vec<String> {
    let mut out = Vec::new();
    for object in &diff.changes {
        let (sign, tone, what) = sign(object.change);
        let path = format!("{}/{}", object.kind.collection(), object.name);
        out.push(format!("{} {} {what}", printer.tone(tone, sign), printer.tone(Tone::Strong, &path)));
        for field in &object.fields {
            out.push(format!("    {}", one_line(&field.words)));
        }
        if object.fields_left_out > 0 {
            out.push(format!("    and {}", count(object.fields_left_out, "more field")));
        }
    }
    if diff.left_out > 0 {
        out.push(format!("and {}", count(diff.left_out, "more object")));
    }
    out
}

/// Both sides of each conflict, and who is on the other one.
pub fn conflicts(conflicts: &[Conflict], theirs: &[RevisionInfo], printer: &Printer) -> Vec<String> {
    let mut out = Vec::new();
    for conflict in conflicts {
        let path = format!("{}/{}{}", conflict.kind.collection(), conflict.name, one_line(&conflict.element));
        let who = match theirs.iter().find(|info| info.number == conflict.theirs_revision) {
            Some(info) => {
                let message = if info.message.is_empty() { String::new() } else { format!(", \"{}\"", one_line(&info.message)) };
                format!("by {} in revision {}{message}", one_line(&info.author), info.number)
            }
            None if conflict.theirs_revision > 0 => format!("in revision {}", conflict.theirs_revision),
            None => "meanwhile: it is deleted".to_owned(),
        };
        out.push(format!("{} {} was changed {who}", printer.tone(Tone::Bad, "!"), printer.tone(Tone::Strong, &path)));
        let whole = String::new();
        let fields: Vec<&String> = if conflict.fields.is_empty() { vec![&whole] } else { conflict.fields.iter().collect() };
        for field in fields {
            let name = if field.is_empty() { "all of it".to_owned() } else { one_line(field) };
            out.push(format!("    {name}"));
            for (side, value) in [("was", &conflict.base), ("yours", &conflict.yours), ("theirs", &conflict.theirs)] {
                out.push(format!("      {side:>6}: {}", side_of(value.as_ref(), field)));
            }
        }
    }
    out
}

/// One side of a field, shortened.
pub fn side_of(object: Option<&Value>, field: &str) -> String {
    let Some(object) = object else { return "not there".to_owned() };
    let text = match object.pointer(field) {
        None => return "not set".to_owned(),
        Some(Value::String(text)) => format!("{text:?}"),
        Some(value) => value.to_string(),
    };
    let text = one_line(&text);
    let mut short: String = text.chars().take(160).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}
