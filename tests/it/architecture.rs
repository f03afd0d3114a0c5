//! The arrows of the house point one way (see src/lib.rs), and pure folders stay pure. Scans the sources; tests in them are exempt.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Each folder, and the folders that it may name. A new arrow is a line here, for a reviewer to see.
const ARROWS: [(&str, &[&str]); 15] = [
    ("domain", &[]),
    ("seclang", &["domain"]),
    ("compile", &["domain", "seclang"]),
    ("render", &["domain", "seclang", "compile"]),
    ("plan", &["domain", "seclang", "compile", "render"]),
    ("auth", &["domain"]),
    ("store", &["domain", "auth"]),
    // Of telemetry, whoever needs the time may have the clock: it names nothing.
    ("dataplane", &["domain", "compile", "render", "telemetry::clock"]),
    ("service", &["domain", "seclang", "compile", "render", "plan", "auth", "store", "dataplane", "telemetry::clock"]),
    ("reconcile", &["domain", "compile", "render", "dataplane", "service", "telemetry::clock"]),
    ("web", &[]),
    // The API sees of the data plane what the service shows of it: the type of its status.
    ("api", &["domain", "auth", "dataplane", "service", "telemetry::clock", "web"]),
    ("config", &["domain", "auth", "compile", "dataplane"]),
    ("telemetry", &["config"]),
    (
        "cli",
        &[
            "domain",
            "compile",
            "render",
            "auth",
            "store",
            "dataplane",
            "service",
            "reconcile",
            "api",
            "config",
            "telemetry",
            "telemetry::clock",
            "web",
        ],
    ),
];

const PURE: [&str; 5] = ["domain", "seclang", "compile", "render", "plan"];
const IMPURE: [&str; 9] = ["tokio::", "sqlx::", "axum::", "reqwest::", "std::fs", "fs_err", "std::process", "std::env::", "now_utc"];

/// The sources of a folder (or of a module that is one file) without tests: path and text.
fn sources(folder: &str) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let place = Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(folder);
    let mut take = |path: PathBuf| {
        let text = std::fs::read_to_string(&path).expect("a source");
        let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        let code = code.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
        found.push((path, code));
    };
    let file = place.with_extension("rs");
    let mut folders = Vec::new();
    if file.is_file() {
        take(file)
    } else {
        folders.push(place)
    }
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder of sources") {
            let path = entry.expect("an entry").path();
            let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            if path.is_dir() && stem != "tests" {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") && stem != "tests" {
                take(path);
            }
        }
    }
    assert!(!found.is_empty(), "src/{folder} has no sources");
    found
}

/// The folders that `crate::` leads to in a text: `crate::a::b`, and each of `crate::{a, b::c}`.
fn named(code: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for rest in code.split("crate::").skip(1) {
        let items: Vec<&str> = match rest.strip_prefix('{') {
            Some(group) => {
                let (mut depth, mut start, mut items) = (0, 0, Vec::new());
                for (at, c) in group.char_indices() {
                    match c {
                        '{' => depth += 1,
                        '}' if depth == 0 => {
                            items.push(&group[start..at]);
                            break;
                        }
                        '}' => depth -= 1,
                        ',' if depth == 0 => {
                            items.push(&group[start..at]);
                            start = at + 1;
                        }
                        _ => {}
                    }
                }
                items
            }
            None => vec![rest],
        };
        for item in items {
            let item = item.trim();
            let word = |text: &str| text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
            let first = word(item);
            let clock = first == "telemetry" && item.strip_prefix("telemetry::").is_some_and(|rest| word(rest) == "clock");
            // Macros of ours are named by `crate::` too.
            if first.chars().next().is_some_and(char::is_lowercase) {
                names.insert(if clock { "telemetry::clock".to_owned() } else { first });
            }
        }
    }
    names
}

#[test]
fn arrows_point_one_way() {
    let mut wrong = Vec::new();
    for (folder, allowed) in ARROWS {
        for (path, code) in sources(folder) {
            for name in named(&code) {
                if name != folder && !allowed.contains(&name.as_str()) {
                    wrong.push(format!("{} names crate::{name}", path.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "arrows that are not in the list of tests/it/architecture.rs:\n{}", wrong.join("\n"));
}

#[test]
fn every_folder_has_its_arrows_listed() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for entry in std::fs::read_dir(source).expect("src") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        assert!(path.is_file() || ARROWS.iter().any(|(folder, _)| *folder == name), "src/{name} has no line in ARROWS");
    }
}

#[test]
fn pure_folders_are_pure() {
    let mut wrong = Vec::new();
    for folder in PURE {
        for (path, code) in sources(folder) {
            for word in IMPURE.iter().filter(|word| code.contains(**word)) {
                wrong.push(format!("{} has `{word}`", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "these folders know no runtime, SQL, HTTP, file system, environment or clock:\n{}", wrong.join("\n"));
}

#[test]
fn output_goes_through_the_printer() {
    for (folder, _) in ARROWS {
        for (path, code) in sources(folder) {
            for word in ["println!", "print!(", "dbg!("] {
                assert!(!code.contains(word), "{} has `{word}`", path.display());
            }
        }
    }
}

#[test]
fn groups_are_taken_apart() {
    let code = "use crate::{api::{self, x}, config};\nfn f() { crate::store::g() }\nuse crate::telemetry::{self, clock};use crate::telemetry::clock::Clock;";
    assert_eq!(named(code).into_iter().collect::<Vec<_>>(), ["api", "config", "store", "telemetry", "telemetry::clock"]);
}
