//! A folder -> documents. Every YAML file under it that is not hidden is read; nothing outside of it is.

use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use serde_json::{Map, Value};

use super::document::{Document, EntriesFile, Source, Spot};
use super::entries;
use super::fault::Fault;
use super::yaml::{self, Parsed, Place};
use crate::domain::{FieldError, Kind, Name};

/// Bytes of a YAML file, and of a file of entries, at most.
const MOST_YAML: u64 = 16 << 20;
const MOST_ENTRIES: u64 = 32 << 20;
/// Files in the tree at most, and folders inside each other.
const MOST_FILES: usize = 20_000;
const DEEPEST: usize = 32;

/// What a folder holds.
#[derive(Debug, Default)]
pub struct Tree {
    pub documents: Vec<Document>,
    pub faults: Vec<Fault>,
    /// To be known, and no fault.
    pub notes: Vec<Fault>,
}

/// Reads a folder. What cannot be read at all (no such folder) is the error.
pub fn read(root: &Path) -> Result<Tree, String> {
    let canonical = fs_err::canonicalize(root).map_err(|error| error.to_string())?;
    if !canonical.is_dir() {
        return Err(format!("`{}` is not a folder", root.display()));
    }
    let mut tree = Tree::default();
    let mut files = Vec::new();
    // Faults name files as people here would: from where they are.
    let plain: PathBuf = root.components().filter(|part| !matches!(part, Component::CurDir)).collect();
    let prefix = plain.to_string_lossy().into_owned();
    walk(&canonical, Path::new(""), 0, &mut files, &mut tree.faults)?;
    for fault in &mut tree.faults {
        fault.spot.path = shown(&prefix, &fault.spot.path);
    }
    files.sort();
    if files.len() > MOST_FILES {
        return Err(format!("`{}` has {} YAML files; {MOST_FILES} are read at most", root.display(), files.len()));
    }
    let reader = Reader { root: canonical, prefix };
    for path in files {
        reader.file(&path, &mut tree);
    }
    Ok(tree)
}

fn walk(root: &Path, folder: &Path, depth: usize, files: &mut Vec<String>, faults: &mut Vec<Fault>) -> Result<(), String> {
    let mut entries: Vec<_> =
        fs_err::read_dir(root.join(folder)).and_then(Iterator::collect::<std::io::Result<Vec<_>>>).map_err(|e| e.to_string())?;
    entries.sort_by_key(fs_err::DirEntry::file_name);
    for entry in entries {
        let name = entry.file_name();
        let relative = folder.join(&name);
        let path = relative.to_string_lossy().into_owned();
        if name.to_string_lossy().starts_with('.') {
            continue;
        }
        let kind = entry.file_type().map_err(|error| error.to_string())?;
        let yaml = relative.extension().is_some_and(|extension| extension == "yaml" || extension == "yml");
        let here = || Spot { path: path.clone(), place: Place { line: 1, column: 1 } };
        if kind.is_dir() {
            if depth >= DEEPEST {
                faults.push(Fault::new(here(), "too_deep", format!("folders are read {DEEPEST} deep at most")));
                continue;
            }
            walk(root, &relative, depth + 1, files, faults)?;
        } else if yaml && kind.is_symlink() {
            // What it leads to may change, or be outside; a tree is what is in it.
            faults.push(Fault::new(here(), "symbolic_link", "symbolic links are not followed: put the file itself here"));
        } else if yaml && name.to_str().is_none() {
            faults.push(Fault::new(here(), "file_name", "the file's name is not UTF-8"));
        } else if yaml {
            files.push(path);
        }
    }
    Ok(())
}

/// A file of the tree, as it is named to people.
fn shown(prefix: &str, path: &str) -> String {
    if prefix.is_empty() { path.to_owned() } else { format!("{}/{path}", prefix.trim_end_matches('/')) }
}

struct Reader {
    root: PathBuf,
    prefix: String,
}

impl Reader {
    fn file(&self, path: &str, tree: &mut Tree) {
        let at = |place| Spot { path: shown(&self.prefix, path), place };
        let start = Place { line: 1, column: 1 };
        let text = match self.bytes(path, MOST_YAML).and_then(|bytes| String::from_utf8(bytes).map_err(|_| "not UTF-8".to_owned())) {
            Ok(text) => text,
            Err(detail) => return tree.faults.push(Fault::new(at(start), "unreadable", detail)),
        };
        let documents = match yaml::parse(&text) {
            Ok(documents) => documents,
            Err(error) => return tree.faults.push(Fault::new(at(error.place), "syntax", error.detail)),
        };
        let source = Arc::new(Source { path: shown(&self.prefix, path), text });
        for parsed in documents {
            match self.document(path, &source, parsed) {
                Ok(document) => tree.documents.push(document),
                Err(mut faults) => tree.faults.append(&mut faults),
            }
        }
    }

    fn bytes(&self, path: &str, most: u64) -> Result<Vec<u8>, String> {
        let path = self.root.join(path);
        let size = fs_err::metadata(&path).map_err(|error| error.to_string())?.len();
        if size > most {
            return Err(format!("the file has {size} bytes; {most} are read at most"));
        }
        fs_err::read(&path).map_err(|error| error.to_string())
    }

    fn document(&self, file: &str, source: &Arc<Source>, parsed: Parsed) -> Result<Document, Vec<Fault>> {
        let Parsed { value, places } = parsed;
        let place_of = |pointer: &str| {
            let found = places.get(pointer).or_else(|| places.get(""));
            let place = found.map_or(Place { line: 1, column: 1 }, |found| if found.scalar { found.value } else { found.key });
            Spot { path: source.path.clone(), place }
        };
        let fault = |pointer: &str, code: &str, detail: String| {
            let mut fault = Fault::new(place_of(pointer), code, detail);
            pointer.clone_into(&mut fault.pointer);
            vec![fault]
        };
        let Value::Object(mut fields) = value else {
            return Err(fault("", "invalid_type", "a document is a mapping: `kind`, `name` and the fields of the resource".to_owned()));
        };
        let kinds = "`policy`, `ip_list` or `vhost`";
        let kind = match fields.remove("kind") {
            Some(Value::String(text)) => [Kind::Policy, Kind::IpList, Kind::Vhost].into_iter().find(|kind| kind.as_str() == text),
            Some(_) => None,
            None => return Err(fault("", "missing_field", format!("`kind` is required: {kinds}"))),
        };
        let Some(kind) = kind else { return Err(fault("/kind", "invalid_value", format!("`kind` is {kinds}"))) };
        let name = match fields.get("name") {
            Some(Value::String(text)) => Name::parse(text).map_err(|detail| fault("/name", "invalid_value", detail))?,
            Some(_) => return Err(fault("/name", "invalid_type", "a name is a text: put it in quotes".to_owned())),
            None => return Err(fault("", "missing_field", "`name` is required".to_owned())),
        };
        // Members that the server adds; they would be ignored there, and mislead here.
        for (member, detail) in [("meta", "is not written"), ("entry_count", "is not written"), ("digest", "is not written")] {
            if fields.contains_key(member) && (member == "meta" || kind == Kind::IpList) {
                return Err(fault(&format!("/{member}"), "read_only", format!("`{member}` {detail}: the server makes it")));
            }
        }
        let mut entries_file = None;
        if kind == Kind::IpList
            && let Some(given) = fields.remove("entries_file")
        {
            if fields.contains_key("entries") {
                return Err(fault("/entries_file", "conflict", "entries are either here or in a file, not both".to_owned()));
            }
            let Value::String(given) = given else {
                return Err(fault("/entries_file", "invalid_type", "the path of a file, as a text".to_owned()));
            };
            let path = self.inside(file, &given).map_err(|detail| fault("/entries_file", "invalid_value", detail))?;
            entries_file = Some(self.entries(&path, &mut fields).map_err(|faults| match faults {
                Ok(faults) => faults,
                Err(detail) => fault("/entries_file", "invalid_value", detail),
            })?);
        }
        Ok(Document { source: Arc::clone(source), kind, name, fields, places, entries_file })
    }

    /// The path of a file that a document names: relative to the document, and inside the tree.
    fn inside(&self, document: &str, given: &str) -> Result<String, String> {
        let relative = Path::new(given);
        if given.is_empty() || !relative.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir)) {
            return Err("the path is relative to this file, without `..`: the file is in the tree".to_owned());
        }
        let folder = Path::new(document).parent().unwrap_or(Path::new(""));
        let path: PathBuf = folder.join(relative).components().filter(|part| matches!(part, Component::Normal(_))).collect();
        let real = fs_err::canonicalize(self.root.join(&path)).map_err(|_| format!("there is no file `{}`", path.display()))?;
        if real != self.root.join(&path) {
            return Err("symbolic links are not followed: put the file itself into the tree".to_owned());
        }
        if !real.is_file() {
            return Err(format!("`{}` is not a file", path.display()));
        }
        path.to_str().map(str::to_owned).ok_or_else(|| "the path is not UTF-8".to_owned())
    }

    /// Reads entries into the fields. The error is faults in the file, or what is wrong with it as a whole.
    fn entries(&self, path: &str, fields: &mut Map<String, Value>) -> Result<EntriesFile, Result<Vec<Fault>, String>> {
        let format = entries::format_of(path).ok_or_else(|| Err("a file of entries is called `.txt` or `.csv`".to_owned()))?;
        let bytes = self.bytes(path, MOST_ENTRIES).map_err(Err)?;
        let read = entries::parse(format, &bytes).map_err(|faults| {
            let told = |fault: FieldError| {
                let place = Place { line: fault.line.unwrap_or(1), column: fault.column.unwrap_or(1) };
                let detail = fault.detail.strip_prefix(&format!("line {}: ", place.line)).unwrap_or(&fault.detail).to_owned();
                Fault::new(Spot { path: shown(&self.prefix, path), place }, &fault.code, detail)
            };
            Ok(faults.into_iter().map(told).collect())
        })?;
        let lines = read.iter().map(|(line, _)| *line).collect();
        fields.insert("entries".to_owned(), read.iter().map(|(_, entry)| entries::value(entry)).collect());
        Ok(EntriesFile { path: shown(&self.prefix, path), lines })
    }
}

/// The object and the pointer inside it of a pointer from the root: `/policies/shop/mode`.
pub fn split_root(pointer: &str) -> Option<(Kind, &str, &str)> {
    let rest = pointer.strip_prefix('/')?;
    let (collection, rest) = rest.split_once('/')?;
    let (name, inside) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
    Some((Kind::of_collection(collection)?, name, inside))
}
