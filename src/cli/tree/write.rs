//! Objects -> a folder. What somebody else wrote there is never lost without being asked: the digests of what an export wrote are kept in the
//! folder, in the format of `sha256sum --check`.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::ordered::{self, Ordered};
use super::{emit, entries};
use crate::domain::digest::sha256_hex;
use crate::domain::{Entry, IpList, Kind, Policy, Vhost};

/// The file with the digests.
pub const DIGESTS: &str = ".guard-proxy-export";
/// In front of it, for those who find it.
const ABOUT: &str =
    "# Written by `guard-proxy export`: what it wrote, to tell it from what others write. `sha256sum --check .guard-proxy-export`\n";

/// An object as the server has it.
#[derive(Debug)]
pub struct Exported {
    pub kind: Kind,
    pub name: String,
    /// As the API answers it.
    pub fields: Map<String, Value>,
    /// Of an IP list.
    pub entries: Vec<Entry>,
}

/// The files of these objects, by path. An object that has members that we do not know is refused: they would be lost.
pub fn files(objects: &[Exported]) -> Result<BTreeMap<String, String>, String> {
    let mut files = BTreeMap::new();
    for Exported { kind, name, fields, entries } in objects {
        let mut members = vec![("kind".to_owned(), Ordered::Scalar(kind.as_str().into()))];
        let known =
            ordered(*kind, fields).map_err(|error| format!("the server's {kind} `{name}` is not one that this version knows: {error}"))?;
        if let Ordered::Mapping(known) = known {
            members.extend(known);
        }
        if *kind == Kind::IpList {
            let (extension, text) = entries::file(entries);
            let file = format!("{name}.{extension}");
            files.insert(format!("{}/{file}", kind.collection()), text);
            members.push(("entries_file".to_owned(), Ordered::Scalar(file.into())));
        }
        files.insert(format!("{}/{name}.yaml", kind.collection()), emit::document(&members));
    }
    Ok(files)
}

/// What is configured of an object, in the order in which its type has its fields, without what the server adds.
fn ordered(kind: Kind, fields: &Map<String, Value>) -> serde_json::Result<Ordered> {
    let mut fields = fields.clone();
    fields.remove("meta");
    if kind == Kind::IpList {
        fields.remove("entry_count");
        fields.remove("digest");
    }
    let value = Value::Object(fields);
    match kind {
        Kind::Policy => ordered::of(&serde_json::from_value::<Policy>(value)?),
        Kind::IpList => ordered::of(&serde_json::from_value::<IpList>(value)?),
        Kind::Vhost => ordered::of(&serde_json::from_value::<Vhost>(value)?),
    }
}

/// What writing would do to a folder.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    pub written: Vec<String>,
    pub unchanged: usize,
    pub removed: Vec<String>,
    /// YAML files that are not ours: part of the tree, and not of the export.
    pub foreign: Vec<String>,
    /// Files of ours, or in the place of one, that somebody else changed.
    pub changed: Vec<String>,
}

/// Looks at what is there.
pub fn compare(root: &Path, files: &BTreeMap<String, String>) -> Result<Outcome, String> {
    let mut outcome = Outcome::default();
    let known = digests(root)?;
    for (path, text) in files {
        match content(&root.join(path))? {
            None => outcome.written.push(path.clone()),
            Some(there) if there == text.as_bytes() => outcome.unchanged += 1,
            Some(there) => {
                if known.get(path) != Some(&sha256_hex(&there)) {
                    outcome.changed.push(path.clone());
                }
                outcome.written.push(path.clone());
            }
        }
    }
    for (path, digest) in known.iter().filter(|(path, _)| !files.contains_key(*path)) {
        if let Some(there) = content(&root.join(path))? {
            if sha256_hex(&there) != *digest {
                outcome.changed.push(path.clone());
            }
            outcome.removed.push(path.clone());
        }
    }
    if root.is_dir() {
        let mut found = Vec::new();
        yaml_files(root, Path::new(""), &mut found)?;
        outcome.foreign = found.into_iter().filter(|path| !files.contains_key(path) && !known.contains_key(path)).collect();
    }
    Ok(outcome)
}

/// Writes what differs and removes what is gone.
pub fn write(root: &Path, files: &BTreeMap<String, String>, outcome: &Outcome) -> Result<(), String> {
    fs_err::create_dir_all(root).map_err(|error| error.to_string())?;
    for path in &outcome.written {
        if let Some(text) = files.get(path) {
            atomic(root, path, text)?;
        }
    }
    for path in &outcome.removed {
        fs_err::remove_file(root.join(path)).map_err(|error| error.to_string())?;
    }
    let mut text = ABOUT.to_owned();
    for (path, content) in files {
        text.push_str(&format!("{}  {path}\n", sha256_hex(content.as_bytes())));
    }
    if content(&root.join(DIGESTS))?.as_deref() == Some(text.as_bytes()) { Ok(()) } else { atomic(root, DIGESTS, &text) }
}

/// A reader sees the old file or the new one, whenever we are stopped.
fn atomic(root: &Path, path: &str, text: &str) -> Result<(), String> {
    let target = root.join(path);
    let folder = target.parent().unwrap_or(root);
    fs_err::create_dir_all(folder).map_err(|error| error.to_string())?;
    let name = target.file_name().unwrap_or_default().to_string_lossy();
    let beside = folder.join(format!(".{name}.{}.tmp", std::process::id()));
    let written = fs_err::File::create(&beside)
        .and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()))
        .and_then(|()| fs_err::rename(&beside, &target));
    written.map_err(|error| {
        let _ = fs_err::remove_file(&beside);
        error.to_string()
    })
}

fn content(path: &Path) -> Result<Option<Vec<u8>>, String> {
    match fs_err::symlink_metadata(path) {
        Err(error) if matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory) => Ok(None),
        Err(error) => Err(error.to_string()),
        Ok(meta) if !meta.is_file() => Err(format!("`{}` is in the way: it is not a file", path.display())),
        Ok(_) => fs_err::read(path).map(Some).map_err(|error| error.to_string()),
    }
}

/// What the last export wrote. Paths are taken only in the form that we write: a file is never removed because a line says so that we did not
/// write.
fn digests(root: &Path) -> Result<BTreeMap<String, String>, String> {
    let Some(bytes) = content(&root.join(DIGESTS))? else { return Ok(BTreeMap::new()) };
    let text = String::from_utf8_lossy(&bytes);
    let ours = |line: &str| {
        let (digest, path) = line.split_once("  ")?;
        let (folder, name) = path.split_once('/')?;
        let (stem, extension) = name.rsplit_once('.')?;
        Kind::of_collection(folder)?;
        crate::domain::Name::parse(stem).ok()?;
        matches!(extension, "yaml" | "txt" | "csv").then(|| (path.to_owned(), digest.to_owned()))
    };
    Ok(text.lines().filter_map(ours).collect())
}

fn yaml_files(root: &Path, folder: &Path, found: &mut Vec<String>) -> Result<(), String> {
    for entry in fs_err::read_dir(root.join(folder)).map_err(|error| error.to_string())? {
        let entry = entry.map_err(|error| error.to_string())?;
        let relative: PathBuf = folder.join(entry.file_name());
        if entry.file_name().to_string_lossy().starts_with('.') {
            continue;
        }
        let kind = entry.file_type().map_err(|error| error.to_string())?;
        if kind.is_dir() {
            yaml_files(root, &relative, found)?;
        } else if relative.extension().is_some_and(|extension| extension == "yaml" || extension == "yml") {
            found.push(relative.to_string_lossy().into_owned());
        }
    }
    found.sort();
    Ok(())
}
