//! Releases: numbered folders with everything that the engines read, and one link that says which is live.
//!
//! The engines are started as `-f <root>/current/haproxy.cfg` and `-config <root>/current/guard-spoa.yaml`, so that they come back from a
//! reboot by themselves. A release is written beside, made durable and only then given its number; `current` is switched by one rename. So
//! there is no moment at which `current` leads to half a release, whoever dies. All of this blocks: call it from `spawn_blocking`.

use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use fs_err as fs;
use fs_err::os::unix::fs::{OpenOptionsExt as _, symlink};
use serde::{Deserialize, Serialize};
use std::os::unix::fs::DirBuilderExt as _;

use super::maps::Maps;
use super::marks::{FileMark, FileMarks, Stamps};
use crate::compile::{Map, MapName};
use crate::domain::Revision;
use crate::render::Bundle;

/// Releases that are kept besides the live one.
const KEPT: usize = 5;
const MANIFEST: &str = "manifest.json";

/// What a release says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    pub revision: Revision,
    pub digest: String,
    pub structure: String,
    /// Applications that it needs.
    pub rulesets: Vec<String>,
    /// Absent in what versions before wrote: such a release is not relied on.
    #[serde(default)]
    pub files: FileMarks,
}

/// A release and what it says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Release {
    pub number: u64,
    pub manifest: Manifest,
}

#[derive(Clone, Debug)]
pub struct Releases {
    root: PathBuf,
    stamps: Stamps,
}

impl Releases {
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into(), stamps: Stamps::default() }
    }

    pub fn folder(&self, number: u64) -> PathBuf {
        self.root.join("releases").join(number.to_string())
    }

    /// The number that `current` leads to, whether or not a release is there.
    pub fn linked(&self) -> Option<u64> {
        let target = fs::read_link(self.root.join("current")).ok()?;
        target.file_name()?.to_str()?.parse().ok()
    }

    /// The live release, if there is one that can be read. One that cannot is as good as none: it is written anew.
    pub fn current(&self) -> Option<Release> {
        self.try_current().unwrap_or_else(|error| {
            tracing::error!(%error, "dataplane.release: the current release cannot be read");
            None
        })
    }

    /// The live release, if its files are what they were written as.
    pub fn sound(&self) -> Option<Release> {
        let live = self.current()?;
        match self.stamps.check(live.number, &self.folder(live.number), &live.manifest.files) {
            Ok(()) => Some(live),
            Err(why) => {
                tracing::error!(why, "dataplane.release: the current release is damaged");
                None
            }
        }
    }

    /// Why the engines would not start from what `digest` is of, if so.
    pub fn stray(&self, digest: &str) -> Option<String> {
        match self.try_current() {
            Err(error) => Some(format!("the current release cannot be read: {error}")),
            Ok(None) => Some(format!("{} is gone", self.root.join("current").display())),
            Ok(Some(live)) if live.manifest.digest != digest => {
                Some(format!("the current release {} is of revision {}, of something else", live.number, live.manifest.revision))
            }
            Ok(Some(live)) => self.stamps.check(live.number, &self.folder(live.number), &live.manifest.files).err(),
        }
    }

    fn try_current(&self) -> io::Result<Option<Release>> {
        let path = self.root.join("current");
        let target = match fs::read_link(&path) {
            Ok(target) => target,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let number = target.file_name().and_then(|name| name.to_str()).and_then(|name| name.parse().ok());
        let Some(number) = number else {
            return Err(io::Error::other(format!("{} leads to {}, which is no release", path.display(), target.display())));
        };
        self.read(number).map(Some)
    }

    fn read(&self, number: u64) -> io::Result<Release> {
        let path = self.folder(number).join(MANIFEST);
        let manifest = serde_json::from_slice(&fs::read(&path)?);
        let manifest = manifest.map_err(|error| io::Error::other(format!("{}: {error}", path.display())))?;
        Ok(Release { number, manifest })
    }

    /// The maps of a release, as its files have them.
    pub fn maps(&self, number: u64) -> io::Result<Maps> {
        let mut maps = Maps::new();
        for name in MapName::ALL {
            let text = match fs::read_to_string(self.folder(number).join(name.file())) {
                Ok(text) => text,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            maps.insert(name, Arc::new(parse_map(&text)));
        }
        Ok(maps)
    }

    /// Writes a release; it is complete and durable when this returns, and not yet live.
    pub fn write(&self, bundle: &Bundle) -> io::Result<Release> {
        let releases = self.root.join("releases");
        make_folder(&releases)?;
        let numbers = self.numbers()?;
        let live = self.sound();
        let number = numbers.iter().copied().chain(self.linked()).max().unwrap_or(0) + 1;
        let lender = live.map(|live| Lender {
            folder: self.folder(live.number),
            same_structure: live.manifest.structure == bundle.structure,
            files: live.manifest.files,
        });
        let marks = bundle.files.iter().map(|(name, content)| {
            let known = lender.as_ref().and_then(|lender| lender.covered(name, content));
            (name.clone(), known.cloned().unwrap_or_else(|| FileMark::of(content)))
        });
        let manifest = Manifest {
            revision: bundle.revision,
            digest: bundle.digest.clone(),
            structure: bundle.structure.clone(),
            rulesets: bundle.rulesets.keys().cloned().collect(),
            files: marks.collect(),
        };
        let beside = releases.join(format!("{number}.new"));
        remove_if_there(&beside)?;
        write_files(&beside, bundle, lender.as_ref(), true)?;
        let text = serde_json::to_vec_pretty(&manifest).map_err(io::Error::other)?;
        write_file(&beside.join(MANIFEST), &text)?.sync_all()?;
        sync_folder(&beside)?;
        self.stamps.trust(number, &beside, &manifest.files)?;
        fs::rename(&beside, self.folder(number))?;
        sync_folder(&releases)?;
        Ok(Release { number, manifest })
    }

    /// Makes a release the live one, in one step.
    pub fn publish(&self, number: u64) -> io::Result<()> {
        let beside = self.root.join("current.new");
        match fs::remove_file(&beside) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        symlink(Path::new("releases").join(number.to_string()), &beside)?;
        fs::rename(&beside, self.root.join("current"))?;
        sync_folder(&self.root)
    }

    /// Removes a release that was never live, or has been taken back.
    pub fn remove(&self, number: u64) -> io::Result<()> {
        self.stamps.forget(number);
        remove_if_there(&self.folder(number))
    }

    /// Removes what is neither live nor among the newest few, and what was left half written.
    pub fn prune(&self) -> io::Result<()> {
        let live = self.linked();
        let mut numbers = self.numbers()?;
        numbers.sort_unstable();
        let old = numbers.len().saturating_sub(KEPT);
        for number in numbers.into_iter().take(old).filter(|number| Some(*number) != live) {
            self.remove(number)?;
        }
        for entry in fs::read_dir(self.root.join("releases"))? {
            let entry = entry?;
            if entry.file_name().to_string_lossy().ends_with(".new") {
                remove_if_there(&entry.path())?;
            }
        }
        Ok(())
    }

    /// Writes a bundle to a folder of its own, to be judged there.
    pub fn stage(&self, bundle: &Bundle) -> io::Result<Staged> {
        let folder = self.root.join("staging").join(uuid::Uuid::now_v7().to_string());
        let staged = Staged(folder);
        write_files(&staged.0, bundle, None, false)?;
        Ok(staged)
    }

    fn numbers(&self) -> io::Result<Vec<u64>> {
        let names = fs::read_dir(self.root.join("releases"))?.map(|entry| Ok(entry?.file_name()));
        let names = names.collect::<io::Result<Vec<_>>>()?;
        Ok(names.iter().filter_map(|name| name.to_str()?.parse().ok()).collect())
    }
}

/// A folder that is gone when this is dropped.
#[derive(Debug)]
pub struct Staged(PathBuf);

impl Staged {
    pub fn folder(&self) -> &Path {
        &self.0
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        if let Err(error) = remove_if_there(&self.0) {
            tracing::warn!(%error, "dataplane.staging: a folder stays behind");
        }
    }
}

/// The live release, whose files may be taken along.
struct Lender {
    folder: PathBuf,
    same_structure: bool,
    files: FileMarks,
}

impl Lender {
    /// What the structure's digest covers needs no reading where the release is sound: `haproxy.cfg` is megabytes.
    fn covered(&self, name: &str, content: &[u8]) -> Option<&FileMark> {
        let covered = self.same_structure && (name == "haproxy.cfg" || name == "coraza.cfg" || name.starts_with("errors/"));
        self.files.get(name).filter(|mark| covered && mark.size == content.len() as u64)
    }

    /// The file, where it is the same.
    fn lend(&self, name: &str, content: &[u8]) -> Option<PathBuf> {
        let path = self.folder.join(name);
        (self.covered(name, content).is_some() || same(&path, content)).then_some(path)
    }
}

/// Takes each file from the live release where it is the same, which costs no space and nothing to make durable.
fn write_files(folder: &Path, bundle: &Bundle, live: Option<&Lender>, durable: bool) -> io::Result<()> {
    make_folder(folder)?;
    let mut written = Vec::new();
    for (name, content) in &bundle.files {
        let path = inside(folder, name)?;
        if let Some(parent) = path.parent().filter(|parent| *parent != folder) {
            make_folder(parent)?;
        }
        let lent = live.and_then(|live| live.lend(name, content));
        if lent.is_none_or(|lent| fs::hard_link(lent, &path).is_err()) {
            written.push(write_file(&path, content)?);
        }
    }
    if durable {
        // All are written first: the first of these then takes most of the others along.
        for file in &written {
            file.sync_all()?;
        }
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                sync_folder(&entry.path())?;
            }
        }
    }
    Ok(())
}

/// The renderer's names are ours; a name that leaves the folder is a bug that must not reach the disk.
fn inside(folder: &Path, name: &str) -> io::Result<PathBuf> {
    let fits = name.split('/').all(|part| !part.is_empty() && !part.starts_with('.')) && name != MANIFEST && !name.contains('\0');
    if fits { Ok(folder.join(name)) } else { Err(io::Error::other(format!("{name:?} is no name of a file in a release"))) }
}

fn same(path: &Path, content: &[u8]) -> bool {
    let Ok(mut file) = fs::File::open(path) else { return false };
    if file.metadata().is_ok_and(|meta| meta.len() != content.len() as u64) {
        return false;
    }
    let mut there = Vec::with_capacity(content.len() + 1);
    file.read_to_end(&mut there).is_ok() && there == content
}

fn write_file(path: &Path, content: &[u8]) -> io::Result<fs::File> {
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(content)?;
    Ok(file)
}

fn make_folder(path: &Path) -> io::Result<()> {
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(|error| io::Error::new(error.kind(), format!("making {}: {error}", path.display())))
}

fn sync_folder(path: &Path) -> io::Result<()> {
    fs::File::open(path)?.sync_all()
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// `key value` lines, as HAProxy reads them.
fn parse_map(text: &str) -> Map {
    let entries = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let mut map: Map = entries.filter_map(|line| line.split_once(' ')).map(|(k, v)| (k.to_owned(), v.trim().to_owned())).collect();
    map.sort();
    map.dedup_by(|a, b| a.0 == b.0);
    map
}

#[cfg(test)]
#[path = "release_tests.rs"]
mod tests;
