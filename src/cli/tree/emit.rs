//! Values -> YAML text: canonical, so that the same value is the same bytes, and such that people like to read and change it.
//! What could be taken for something else is quoted; what comes out is read back as what went in, by our reader and by those of YAML 1.1.

use serde_json::Value;

use super::ordered::Ordered;

/// A sequence of scalars is written on one line up to here.
const WIDTH: usize = 100;

/// A mapping as a document, with a newline at its end.
pub fn document(members: &[(String, Ordered)]) -> String {
    let mut out = String::new();
    mapping(&mut out, members, 0);
    if out.is_empty() {
        out.push_str("{}\n");
    }
    out
}

fn mapping(out: &mut String, members: &[(String, Ordered)], indent: usize) {
    for (number, (key, value)) in members.iter().enumerate() {
        // The first member of an item stands behind its dash.
        if number > 0 || !out.ends_with("- ") {
            blanks(out, indent);
        }
        out.push_str(&scalar_text(key));
        out.push(':');
        member(out, value, indent);
    }
}

/// What comes behind a key's colon.
fn member(out: &mut String, value: &Ordered, indent: usize) {
    match value {
        Ordered::Mapping(members) if !members.is_empty() => {
            out.push('\n');
            mapping(out, members, indent + 2);
        }
        Ordered::Sequence(items) if !items.is_empty() => match on_one_line(items, indent) {
            Some(line) => line_end(out, &line),
            None => {
                out.push('\n');
                sequence(out, items, indent + 2);
            }
        },
        Ordered::Scalar(Value::String(text)) if wants_block(text) => block(out, text, indent + 2),
        other => line_end(out, &small(other)),
    }
}

fn sequence(out: &mut String, items: &[Ordered], indent: usize) {
    for item in items {
        blanks(out, indent);
        out.push_str("- ");
        match item {
            Ordered::Mapping(members) if !members.is_empty() => mapping(out, members, indent + 2),
            Ordered::Sequence(inner) if !inner.is_empty() => {
                // A sequence in a sequence, which no resource has: flow style keeps it simple.
                out.push_str(&flow(inner));
                out.push('\n');
            }
            other => {
                out.push_str(&small(other));
                out.push('\n');
            }
        }
    }
}

fn blanks(out: &mut String, count: usize) {
    out.extend(std::iter::repeat_n(' ', count));
}

fn line_end(out: &mut String, text: &str) {
    out.push(' ');
    out.push_str(text);
    out.push('\n');
}

/// Scalars and what is empty; anything else in flow style.
fn small(value: &Ordered) -> String {
    match value {
        Ordered::Scalar(Value::String(text)) => scalar_text(text),
        Ordered::Scalar(other) => other.to_string(),
        Ordered::Sequence(items) => flow(items),
        Ordered::Mapping(members) => {
            let members: Vec<String> = members.iter().map(|(key, value)| format!("{}: {}", scalar_text(key), small(value))).collect();
            format!("{{{}}}", members.join(", "))
        }
    }
}

fn flow(items: &[Ordered]) -> String {
    format!("[{}]", items.iter().map(small).collect::<Vec<_>>().join(", "))
}

/// A short sequence of scalars, as one line.
fn on_one_line(items: &[Ordered], indent: usize) -> Option<String> {
    if items.len() > 16 || !items.iter().all(|item| matches!(item, Ordered::Scalar(_))) {
        return None;
    }
    let line = flow(items);
    (line.len() + indent <= WIDTH).then_some(line)
}

fn scalar_text(text: &str) -> String {
    if is_plain(text) { text.to_owned() } else { quoted(text) }
}

/// Whether a text may stand as it is, by an allow-list that is far from all that YAML lets stand: no reader takes it for a number, a
/// boolean, a time, null or syntax, not even in flow style.
fn is_plain(text: &str) -> bool {
    const WORDS: [&str; 14] = ["true", "false", "yes", "no", "on", "off", "y", "n", "null", "nan", "inf", "infinity", "none", "nil"];
    let bytes = text.as_bytes();
    let Some(first) = bytes.first() else { return false };
    let inner = |b: &u8| b.is_ascii_alphanumeric() || b" ._/-+@".contains(b);
    if text.len() > 120 || text.ends_with(' ') || !bytes.iter().all(inner) {
        return false;
    }
    if first.is_ascii_digit() {
        // An address, a network: two points or a slash are in no number. `10s` and the like are words.
        let address = bytes.iter().all(|b| b.is_ascii_digit() || b"./".contains(b));
        return address && (text.contains('/') || text.matches('.').count() > 1);
    }
    (first.is_ascii_alphabetic() || *first == b'/') && !WORDS.contains(&text.to_ascii_lowercase().as_str())
}

/// Double quotes, with JSON's escapes and those that YAML wants beside them.
fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            c if !printable(c) => {
                let code = u32::from(c);
                let escaped = if code <= 0xff {
                    format!("\\x{code:02X}")
                } else if code <= 0xffff {
                    format!("\\u{code:04X}")
                } else {
                    format!("\\U{code:08X}")
                };
                out.push_str(&escaped);
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// Whether a character may be written as it is: no control characters, nothing that ends a line for some or cannot be seen.
fn printable(c: char) -> bool {
    !c.is_control() && !crate::domain::name::is_invisible(c) && !matches!(c, '\u{fffe}' | '\u{ffff}' | '\u{e000}'..='\u{f8ff}')
}

/// Whether a text is better read as a block: several lines, or full of what quotes would make ugly.
fn wants_block(text: &str) -> bool {
    let ugly = text.contains('\n') || text.contains('"') || text.contains('\\');
    let good = text.chars().all(|c| printable(c) || c == '\n');
    let first = text.chars().next();
    // A first line that is empty or begins with a blank would hide the indentation.
    let visible = first.is_some_and(|c| c != '\n' && c != ' ');
    ugly && good && visible && !text.ends_with("\n\n") && text.lines().all(|line| line.is_empty() || !line.trim().is_empty())
}

fn block(out: &mut String, text: &str, indent: usize) {
    out.push_str(if text.ends_with('\n') { " |\n" } else { " |-\n" });
    for line in text.lines() {
        if !line.is_empty() {
            blanks(out, indent);
            out.push_str(line);
        }
        out.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::super::yaml;
    use super::*;

    fn written(value: &Value) -> String {
        match Ordered::from(value.clone()) {
            Ordered::Mapping(members) => document(&members),
            other => panic!("{other:?}"),
        }
    }

    fn back(value: &Value) -> Value {
        let text = written(value);
        let mut documents = yaml::parse(&text).unwrap_or_else(|error| panic!("{error:?} in\n{text}"));
        assert_eq!(documents.len(), 1, "{text}");
        documents.remove(0).value
    }

    #[test]
    fn people_like_to_read_it() {
        let json = r#"{"kind": "policy", "name": "shop", "title": "Shop: the first", "mode": "block", "empty": {}, "never": [], "nothing": null,
            "paranoia": {"blocking": 1, "detection": 2}, "allowed_methods": ["GET", "HEAD"],
            "custom_rules": [{"id": 190001, "seclang": "SecRule ARGS \"@rx \\d\" \\\n    \"deny\""}, {"id": 190002, "seclang": "x"}],
            "labels": {"on": "off", "a/b": "1e3"}, "address": "192.0.2.1", "network": "192.0.2.0/24", "long": "x"}"#;
        let want = "kind: policy\nname: shop\ntitle: \"Shop: the first\"\nmode: block\nempty: {}\nnever: []\nnothing: null\nparanoia:\n  blocking: 1\n  detection: 2\nallowed_methods: [GET, HEAD]\ncustom_rules:\n  - id: 190001\n    seclang: |-\n      SecRule ARGS \"@rx \\d\" \\\n          \"deny\"\n  - id: 190002\n    seclang: x\nlabels:\n  \"on\": \"off\"\n  a/b: \"1e3\"\naddress: 192.0.2.1\nnetwork: 192.0.2.0/24\nlong: x\n";
        let Ok(Ordered::Mapping(members)) = serde_json::from_str(json) else { panic!("not a mapping") };
        assert_eq!(document(&members), want, "in the order that it came in");
        let value: Value = serde_json::from_str(json).unwrap();
        assert_eq!(back(&value), value);
    }

    #[test]
    fn what_looks_like_something_else_stays_a_text() {
        let texts = [
            "on",
            "off",
            "Yes",
            "NO",
            "y",
            "~",
            "null",
            "Null",
            "",
            " ",
            " a",
            "a ",
            "1e3",
            "1.5",
            ".5",
            "0x1F",
            "0o7",
            "0b1",
            "012",
            "1_000",
            "+1",
            "-1",
            "1:20",
            "12:30:45",
            "2026-12-31",
            "2026-12-31T00:00:00Z",
            ".inf",
            ".NaN",
            "a: b",
            "a #b",
            "# a",
            "- a",
            "? a",
            "[a",
            "{a",
            "a]",
            "*a",
            "&a",
            "!a",
            "|",
            ">",
            "%a",
            "@a",
            "`a",
            "'a'",
            "\"a\"",
            "a\\b",
            "a\tb",
            "\ta",
            "a\nb",
            "a\n",
            "a\n\n",
            "\na",
            " a\nb",
            "a\n b",
            "a\n \nb",
            "a\r\nb",
            "é",
            "店",
            "\u{feff}a",
            "a\u{2028}b",
            "\u{85}",
            "\u{0}",
            "\u{7f}",
            "=",
            "<<",
            "---",
            "...",
            "--- a",
            "a\n---\nb",
            "a\n...\nb",
            "😀",
            "\u{fffe}",
            "\u{1f600}\"\n",
            "a:",
            ":a",
            "a,b",
            "true",
            "nan",
            "1.2.3",
            "1/2",
            "2001:db8::/32",
            "SecRule ARGS \"@rx ^a\" \\\n  \"id:1\"\n",
            "\"\n\t\"",
            "x\"\ty",
        ];
        for text in texts {
            let value = json!({ "a": text, "b": [text, {"c": text}], text: 1 });
            assert_eq!(back(&value), value, "{text:?}\n{}", written(&value));
        }
    }

    fn values() -> impl Strategy<Value = Value> {
        let texts = prop_oneof![
            any::<String>().prop_map(Value::from),
            "[ -~\n\t]{0,40}".prop_map(Value::from),
            "[a-z0-9:.#\" \\\\\n-]{0,12}".prop_map(Value::from),
        ];
        let leaf = prop_oneof![Just(Value::Null), any::<bool>().prop_map(Value::from), any::<i64>().prop_map(Value::from), texts];
        let key = prop_oneof!["[a-z_]{1,8}", "[ -~]{0,8}", any::<String>().prop_map(|text| text.chars().take(20).collect())];
        leaf.prop_recursive(4, 24, 5, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                prop::collection::vec((key.clone(), inner), 0..5).prop_map(|all| Value::Object(all.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn what_is_written_is_read_back(value in values()) {
            // Keys that are the same number are the same key for the reader.
            let value = json!({ "kind": value });
            prop_assume!(yaml::parse(&written(&value)).is_ok() || !has_odd_keys(&value));
            prop_assert_eq!(back(&value), value);
        }
    }

    fn has_odd_keys(value: &Value) -> bool {
        match value {
            Value::Object(members) => members.iter().any(|(key, value)| key.parse::<f64>().is_ok() || has_odd_keys(value)),
            Value::Array(items) => items.iter().any(has_odd_keys),
            _ => false,
        }
    }
}
