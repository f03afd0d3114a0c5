//! Entries of IP lists as they are sent: JSON, CSV or plain text. Every fault is told, with its pointer or its line.

use std::collections::HashSet;

use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::value::RawValue;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::json;
use super::problem::Problem;
use crate::domain::{Entry, FieldError, Network, Title};

/// After so many faults nobody reads on.
const ENOUGH: usize = 1000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Json,
    Csv,
    Text,
}

impl Format {
    pub fn of(media_type: &str) -> Option<Self> {
        match media_type {
            "application/json" => Some(Self::Json),
            "text/csv" => Some(Self::Csv),
            "text/plain" => Some(Self::Text),
            _ => None,
        }
    }
}

/// Parses all entries of a list.
pub fn parse(format: Format, body: &[u8]) -> Result<Vec<Entry>, Problem> {
    let mut faults = Faults::default();
    let entries = match format {
        Format::Json => whole(body, &mut faults)?,
        Format::Csv => unnumbered(lines(body, &mut faults, csv_line())?),
        Format::Text => unnumbered(lines(body, &mut faults, text_line)?),
    };
    faults.end(entries)
}

fn unnumbered(entries: Vec<(u32, Entry)>) -> Vec<Entry> {
    entries.into_iter().map(|(_, entry)| entry).collect()
}

/// Parses entries a line each, for those who have them in a file: each with its line. JSON has no lines to speak of.
pub fn numbered(format: Format, body: &[u8]) -> Result<Vec<(u32, Entry)>, Vec<FieldError>> {
    let mut faults = Faults::default();
    let entries = match format {
        Format::Csv => lines(body, &mut faults, csv_line()),
        Format::Text => lines(body, &mut faults, text_line),
        Format::Json => Err(Problem::query("entries in a file are lines of text or CSV")),
    };
    let entries =
        entries.map_err(|problem| vec![FieldError { line: problem.line(), ..FieldError::new("", "bad_request", problem.detail()) }])?;
    if faults.errors.is_empty() { Ok(entries) } else { Err(faults.errors) }
}

#[derive(Default)]
struct Faults {
    errors: Vec<FieldError>,
    seen: HashSet<Network>,
}

impl Faults {
    fn add(&mut self, error: FieldError) {
        if self.errors.len() < ENOUGH {
            self.errors.push(error);
        }
    }

    /// Notes an entry; a network that is there twice would lose a comment in silence.
    fn note(&mut self, entry: &Entry, pointer: impl FnOnce() -> String, line: Option<u32>) {
        if !self.seen.insert(entry.network) {
            let detail = format!("`{}` is there twice", entry.network);
            self.add(FieldError { line, ..FieldError::new(pointer(), "duplicate", detail) });
        }
    }

    fn end<T>(self, value: T) -> Result<T, Problem> {
        if self.errors.is_empty() { Ok(value) } else { Err(Problem::invalid(self.errors)) }
    }
}

/// An entry as it may be written: what we add on reading is ignored.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    network: Network,
    #[serde(default)]
    comment: Title,
    #[serde(default, with = "time::serde::rfc3339::option")]
    expires_at: Option<OffsetDateTime>,
    #[serde(default, rename = "expired")]
    _expired: Option<IgnoredAny>,
}

/// What a page answers is taken, too, if it is the only one.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Whole<'a> {
    #[serde(borrow)]
    items: Vec<&'a RawValue>,
    #[serde(default)]
    next_cursor: Option<IgnoredAny>,
    #[serde(default, rename = "total")]
    _total: Option<IgnoredAny>,
}

fn whole(body: &[u8], faults: &mut Faults) -> Result<Vec<Entry>, Problem> {
    if body.trim_ascii_start().first() == Some(&b'[') {
        let items: Vec<&RawValue> = serde_json::from_slice(body).map_err(|error| json::problem(&error))?;
        return Ok(entries(&items, "", faults));
    }
    let whole: Whole<'_> = structure(body)?;
    if whole.next_cursor.is_some() {
        let detail = "this is one page of several: writing it would lose the others; write them all";
        return Err(crate::domain::Error::invalid("/next_cursor", "invalid_value", detail).into());
    }
    Ok(entries(&whole.items, "/items", faults))
}

fn entries(items: &[&RawValue], pointer: &str, faults: &mut Faults) -> Vec<Entry> {
    let mut out = Vec::with_capacity(items.len());
    for (index, raw) in items.iter().enumerate() {
        match item::<Written>(raw) {
            Ok(Written { network, comment, expires_at, .. }) => {
                let entry = Entry { network, comment, expires_at };
                faults.note(&entry, || format!("{pointer}/{index}/network"), None);
                out.push(entry);
            }
            Err((inside, code, detail)) => faults.add(FieldError::new(format!("{pointer}/{index}{inside}"), code, detail)),
        }
    }
    out
}

/// Parses one item; the error is the pointer inside it, a code and a detail.
fn item<T: DeserializeOwned>(raw: &RawValue) -> Result<T, (String, &'static str, String)> {
    let mut deserializer = serde_json::Deserializer::from_str(raw.get());
    serde_path_to_error::deserialize(&mut deserializer).map_err(|error| describe(&error))
}

/// A body of ours, with faults of the syntax (400) told from faults of the content (422).
fn structure<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Problem> {
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        if error.inner().is_data() {
            let (pointer, code, detail) = describe(&error);
            return crate::domain::Error::invalid(pointer, code, detail).into();
        }
        json::problem(error.inner())
    })?;
    deserializer.end().map_err(|error| json::problem(&error))?;
    Ok(value)
}

/// The place of a fault inside what was parsed, its code (as `service` gives them), and what it is.
fn describe(error: &serde_path_to_error::Error<serde_json::Error>) -> (String, &'static str, String) {
    let mut pointer = pointer(error.path());
    let text = error.inner().to_string();
    let what = text.rsplit_once(" at line ").map_or(text.as_str(), |(what, _)| what);
    if let Some(field) = what.strip_prefix("missing field `").and_then(|rest| rest.split('`').next()) {
        pointer.push_str(&format!("/{field}"));
        return (pointer, "missing_field", format!("`{field}` is required"));
    }
    let code = match what {
        _ if what.starts_with("unknown field") => "unknown_field",
        _ if what.starts_with("duplicate field") => "duplicate",
        _ if what.starts_with("invalid type") => "invalid_type",
        _ => "invalid_value",
    };
    (pointer, code, what.to_owned())
}

/// RFC 6901.
fn pointer(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    let mut out = String::new();
    for segment in path {
        match segment {
            Segment::Seq { index } => out.push_str(&format!("/{index}")),
            Segment::Map { key } | Segment::Enum { variant: key } => {
                out.push('/');
                out.push_str(&key.replace('~', "~0").replace('/', "~1"));
            }
            Segment::Unknown => {}
        }
    }
    out
}

/// `{add, remove}`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Batch<'a> {
    #[serde(borrow, default)]
    add: Vec<&'a RawValue>,
    #[serde(borrow, default)]
    remove: Vec<&'a RawValue>,
}

/// Parses a batch: entries to add, networks to remove.
pub fn batch(body: &[u8]) -> Result<(Vec<Entry>, Vec<Network>), Problem> {
    let mut faults = Faults::default();
    let batch: Batch<'_> = structure(body)?;
    let add = entries(&batch.add, "/add", &mut faults);
    let mut remove = Vec::with_capacity(batch.remove.len());
    for (index, raw) in batch.remove.iter().enumerate() {
        match item::<Network>(raw) {
            Ok(network) if faults.seen.contains(&network) => {
                let detail = format!("`{network}` is to be both added and removed");
                faults.add(FieldError::new(format!("/remove/{index}"), "conflict", detail));
            }
            Ok(network) => remove.push(network),
            Err((inside, code, detail)) => faults.add(FieldError::new(format!("/remove/{index}{inside}"), code, detail)),
        }
    }
    faults.end((add, remove))
}

/// Parses line by line; `parse` answers None for a line without an entry, and an error with its 1-based column.
fn lines(
    body: &[u8],
    faults: &mut Faults,
    mut parse: impl FnMut(&str) -> Result<Option<Entry>, (usize, String)>,
) -> Result<Vec<(u32, Entry)>, Problem> {
    let text = std::str::from_utf8(body).map_err(|error| {
        let line = 1 + body[..error.valid_up_to()].iter().filter(|byte| **byte == b'\n').count();
        let detail = format!("line {line}: not UTF-8");
        Problem::new(super::codes::Code::BadRequest, detail).with(|members| members.line = Some(line))
    })?;
    let mut out = Vec::new();
    for (line, text) in (1..).zip(text.trim_start_matches('\u{feff}').lines()) {
        match parse(text) {
            Ok(None) => {}
            Ok(Some(entry)) => {
                faults.note(&entry, || format!("/items/{}/network", out.len()), Some(line));
                out.push((line, entry));
            }
            Err((column, detail)) => {
                let error = FieldError::new("", "invalid_value", format!("line {line}: {detail}"));
                faults.add(FieldError { line: Some(line), column: u32::try_from(column).ok(), ..error });
            }
        }
    }
    Ok(out)
}

/// `192.0.2.0/24 # comment`; empty lines and lines of comment are skipped.
fn text_line(line: &str) -> Result<Option<Entry>, (usize, String)> {
    let (network, comment) = match line.split_once('#') {
        Some((network, comment)) => (network.trim(), comment.trim()),
        None => (line.trim(), ""),
    };
    if network.is_empty() {
        return Ok(None);
    }
    let column = |part: &str| 1 + part.as_ptr().addr() - line.as_ptr().addr();
    Ok(Some(Entry {
        network: network.parse().map_err(|detail| (column(network), detail))?,
        comment: Title::parse(comment).map_err(|detail| (column(comment), detail))?,
        expires_at: None,
    }))
}

const COLUMNS: [&str; 4] = ["network", "comment", "expires_at", "expired"];

/// RFC 4180, a record a line: `network,comment,expires_at`; a first line that names columns may order them otherwise.
fn csv_line() -> impl FnMut(&str) -> Result<Option<Entry>, (usize, String)> {
    let mut order: Option<Vec<usize>> = None;
    move |line| {
        if line.trim().is_empty() {
            return Ok(None);
        }
        let fields = csv_fields(line)?;
        let Some(order) = &order else {
            if fields.iter().any(|(_, field)| field == "network") {
                let known = |(column, field): &(usize, String)| {
                    let unknown = || (*column, format!("`{}` is no column: {} are", field.escape_debug(), COLUMNS.join(", ")));
                    COLUMNS.iter().position(|name| name == field).ok_or_else(unknown)
                };
                order = Some(fields.iter().map(known).collect::<Result<_, _>>()?);
                return Ok(None);
            }
            order = Some(vec![0, 1, 2]);
            return csv_entry(&fields, &[0, 1, 2]);
        };
        csv_entry(&fields, order)
    }
}

fn csv_entry(fields: &[(usize, String)], order: &[usize]) -> Result<Option<Entry>, (usize, String)> {
    if let Some((column, _)) = fields.get(order.len()) {
        return Err((*column, format!("at most {} fields are wanted", order.len())));
    }
    let field = |which: usize| order.iter().position(|at| *at == which).and_then(|at| fields.get(at));
    let (column, network) = field(0).ok_or((1, "there is no network".to_owned()))?;
    let network = network.parse().map_err(|detail| (*column, detail))?;
    let comment = match field(1) {
        Some((column, text)) => Title::parse(text).map_err(|detail| (*column, detail))?,
        None => Title::default(),
    };
    let expires_at = match field(2) {
        Some((column, text)) if !text.is_empty() => {
            let wrong = |_| (*column, "expires_at is an RFC 3339 time, such as 2026-12-31T00:00:00Z, or empty".to_owned());
            Some(OffsetDateTime::parse(text, &Rfc3339).map_err(wrong)?)
        }
        _ => None,
    };
    Ok(Some(Entry { network, comment, expires_at }))
}

/// The fields of a record with their 1-based columns, unquoted; spaces around unquoted ones are taken off.
fn csv_fields(line: &str) -> Result<Vec<(usize, String)>, (usize, String)> {
    let mut fields = Vec::new();
    let mut rest = line;
    loop {
        let start = rest.trim_start();
        let column = 1 + line.len() - start.len();
        let after = match start.strip_prefix('"') {
            Some(quoted) => {
                let (field, after) = unquote(quoted).ok_or((column, "a quote is not closed on its line".to_owned()))?;
                fields.push((column, field));
                after.trim_start()
            }
            None => {
                let end = start.find(',').unwrap_or(start.len());
                fields.push((column, start[..end].trim_end().to_owned()));
                &start[end..]
            }
        };
        match after.strip_prefix(',') {
            Some(next) => rest = next,
            None if after.is_empty() => return Ok(fields),
            None => return Err((1 + line.len() - after.len(), "after a closing quote comes a comma".to_owned())),
        }
    }
}

/// Up to the closing quote, `""` taken as `"`; and what comes behind it.
fn unquote(text: &str) -> Option<(String, &str)> {
    let mut field = String::new();
    let mut rest = text;
    loop {
        let (before, after) = rest.split_once('"')?;
        field.push_str(before);
        match after.strip_prefix('"') {
            Some(after) => {
                field.push('"');
                rest = after;
            }
            None => return Some((field, after)),
        }
    }
}
