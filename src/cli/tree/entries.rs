//! Entries of IP lists in files of their own: as text (`192.0.2.0/24 # comment`) where that holds all, else as CSV.

use serde_json::{Value, json};
use time::format_description::well_known::Rfc3339;

use crate::api::entry_text::{self, Format};
use crate::domain::{Entry, FieldError};

/// The format that a file's name says.
pub fn format_of(path: &str) -> Option<Format> {
    let (_, extension) = path.rsplit_once('.')?;
    match extension {
        "txt" => Some(Format::Text),
        "csv" => Some(Format::Csv),
        _ => None,
    }
}

/// The entries of a file, each with its 1-based line.
pub fn parse(format: Format, bytes: &[u8]) -> Result<Vec<(u32, Entry)>, Vec<FieldError>> {
    entry_text::numbered(format, bytes)
}

/// The file of a list's entries: its extension and content. The same entries are the same bytes.
pub fn file(entries: &[Entry]) -> (&'static str, String) {
    let mut text = String::new();
    for entry in entries {
        text.push_str(&entry.network.to_string());
        if !entry.comment.is_empty() {
            text.push_str(" # ");
            text.push_str(&entry.comment);
        }
        text.push('\n');
    }
    let read = parse(Format::Text, text.as_bytes());
    if read.is_ok_and(|read| read.len() == entries.len() && read.iter().map(|(_, entry)| entry).eq(entries)) {
        return ("txt", text);
    }
    let mut csv = "network,comment,expires_at\n".to_owned();
    for entry in entries {
        let expires = entry.expires_at.and_then(|at| at.format(&Rfc3339).ok()).unwrap_or_default();
        csv.push_str(&format!("{},{},{expires}\n", entry.network, csv_field(&entry.comment)));
    }
    ("csv", csv)
}

fn csv_field(text: &str) -> String {
    let plain = !text.contains(['"', ',', '#']) && text.trim() == text;
    if plain { text.to_owned() } else { format!("\"{}\"", text.replace('"', "\"\"")) }
}

/// An entry as the API takes it.
pub fn value(entry: &Entry) -> Value {
    serde_json::to_value(entry).unwrap_or_else(|_| json!({ "network": entry.network }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Title;

    fn entry(network: &str, comment: &str, expires: Option<&str>) -> Entry {
        let expires_at = expires.map(|text| time::OffsetDateTime::parse(text, &Rfc3339).unwrap());
        Entry { network: network.parse().unwrap(), comment: Title::parse(comment).unwrap(), expires_at }
    }

    #[test]
    fn text_where_it_holds_all_else_csv() {
        let plain = [entry("192.0.2.0/24", "office # 2", None), entry("2001:db8::/32", "", None)];
        assert_eq!(file(&plain), ("txt", "192.0.2.0/24 # office # 2\n2001:db8::/32\n".to_owned()));
        let dated = [entry("192.0.2.0/24", "a, \"b\"", Some("2030-01-01T00:00:00Z")), entry("198.51.100.7", " blank", None)];
        let (extension, text) = file(&dated);
        assert_eq!(extension, "csv");
        assert_eq!(text, "network,comment,expires_at\n192.0.2.0/24,\"a, \"\"b\"\"\",2030-01-01T00:00:00Z\n198.51.100.7/32,\" blank\",\n");
        let read = parse(Format::Csv, text.as_bytes()).unwrap();
        assert!(read.iter().map(|(_, entry)| entry).eq(&dated));
        assert_eq!(read[1].0, 3);
        assert_eq!(file(&[]), ("txt", String::new()));
    }

    #[test]
    fn faults_have_lines_and_columns() {
        let faults = parse(Format::Text, b"192.0.2.0/24\n\n  nonsense # x\n192.0.2.0/24\n").unwrap_err();
        let told: Vec<_> = faults.iter().map(|fault| (fault.line, fault.column)).collect();
        assert_eq!(told, [(Some(3), Some(3)), (Some(4), None)]);
    }
}
