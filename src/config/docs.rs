//! `docs/configuration.md` and `examples/guard-proxy.toml`, from the sections themselves.

use std::fmt::Write as _;

use super::{Api, Auth, Database, Haproxy, Log, Node, Oidc, Section};

struct Entry {
    key: &'static str,
    about: String,
    /// name, documentation, allowed, default as TOML (None: unset).
    fields: Vec<(&'static str, String, &'static str, Option<String>)>,
}

fn entry<S: Section>() -> Entry {
    let defaults = serde_json::to_value(S::default()).expect("settings are plain data");
    let text = |lines: &[&str]| lines.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ");
    let fields = S::FIELDS.iter().map(|field| {
        let default = match &defaults[field.name] {
            serde_json::Value::Null => None,
            serde_json::Value::String(empty) if empty.is_empty() => None,
            // A text, a number, and an array of texts look the same in JSON and in TOML.
            value => Some(value.to_string()),
        };
        (field.name, text(field.docs), field.allowed, default)
    });
    Entry { key: S::KEY, about: text(S::ABOUT), fields: fields.collect() }
}

fn entries() -> [Entry; 7] {
    [entry::<Database>(), entry::<Api>(), entry::<Auth>(), entry::<Oidc>(), entry::<Node>(), entry::<Haproxy>(), entry::<Log>()]
}

/// `docs/configuration.md`.
pub fn reference() -> String {
    let mut out = String::from(
        "# Settings\n\n\
         <!-- Generated from src/config/ by `make docs`; a test compares. -->\n\n\
         `guard-proxy` reads `/etc/guard-proxy/guard-proxy.toml` where it is there, or the file that `--config` (or `GUARD_PROXY_CONFIG`) names,\n\
         then the environment: `GUARD_PROXY_SECTION__FIELD`, with two underscores between section and field, wins over the file. An array is one\n\
         text with commas there. Unknown keys are refused. `guard-proxy check` says what is wrong with settings, `guard-proxy doctor` what is\n\
         wrong around them. [examples/guard-proxy.toml](../examples/guard-proxy.toml) has every key with its default.\n",
    );
    for entry in entries() {
        let _ = write!(out, "\n## `[{}]`\n\n{}\n\n| key | default | allowed | |\n| --- | --- | --- | --- |\n", entry.key, entry.about);
        for (name, docs, allowed, default) in entry.fields {
            let default = default.map_or("unset".to_owned(), |default| format!("`{default}`"));
            let _ = writeln!(out, "| `{name}` | {default} | {allowed} | {docs} |");
        }
    }
    out
}

/// `examples/guard-proxy.toml`: every key, commented out, with its default.
pub fn example() -> String {
    let mut out = String::from("# Settings of guard-proxy, each with its default. See docs/configuration.md.\n");
    for entry in entries() {
        let _ = write!(out, "\n# {}\n[{}]\n", entry.about, entry.key);
        for (name, docs, allowed, default) in entry.fields {
            let _ = write!(out, "# {docs}\n# Allowed: {allowed}.\n");
            let _ = writeln!(out, "#{name} = {}", default.unwrap_or_else(|| "\"\"".to_owned()));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    /// `UPDATE=1 cargo test config::docs` (`make docs`) writes them.
    #[test]
    fn the_documents_are_in_step() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
        for (path, text) in [("docs/configuration.md", super::reference()), ("examples/guard-proxy.toml", super::example())] {
            if std::env::var_os("UPDATE").is_some() {
                fs_err::write(root.join(path), &text).unwrap();
            }
            let committed = fs_err::read_to_string(root.join(path)).unwrap_or_default();
            assert!(committed == text, "{path} is out of step with src/config/: run `make docs`");
        }
    }

    #[test]
    fn the_example_loads_with_every_key_set() {
        let text: String = super::example()
            .lines()
            .filter(|l| !l.ends_with("\"\""))
            .map(|l| match l.strip_prefix('#') {
                Some(key) if !key.starts_with(' ') => format!("{key}\n"),
                _ => format!("{l}\n"),
            })
            .collect();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("settings.toml");
        fs_err::write(&file, text).unwrap();
        let loaded = super::super::load(Some(&file), std::iter::empty()).unwrap();
        assert_eq!(loaded.settings, super::super::Settings::default());
    }
}
