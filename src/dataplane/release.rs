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
    /// Where a test wants it to die.
    #[cfg(test)]
    die_at: Option<&'static str>,
}

impl Releases {
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self {
            root: root.into(),
            #[cfg(test)]
            die_at: None,
        }
    }

    pub fn folder(&self, number: u64) -> PathBuf {
        self.root.join("releases").join(number.to_string())
    }

    /// The live release, if there is one.
    pub fn current(&self) -> io::Result<Option<Release>> {
        let target = match fs::read_link(self.root.join("current")) {
            Ok(target) => target,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let number = target.file_name().and_then(|name| name.to_str()).and_then(|name| name.parse().ok());
        let Some(number) = number else {
            return Err(io::Error::other(format!("`current` leads to {}, which is no release", target.display())));
        };
        self.read(number).map(Some)
    }

    pub fn read(&self, number: u64) -> io::Result<Release> {
        let text = fs::read(self.folder(number).join(MANIFEST))?;
        let manifest = serde_json::from_slice(&text).map_err(io::Error::other)?;
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
        let live = self.current().ok().flatten();
        let number = numbers.iter().copied().max().unwrap_or(0).max(live.as_ref().map_or(0, |l| l.number)) + 1;
        let manifest = Manifest {
            revision: bundle.revision,
            digest: bundle.digest.clone(),
            structure: bundle.structure.clone(),
            rulesets: bundle.rulesets.keys().cloned().collect(),
        };
        let beside = releases.join(format!("{number}.new"));
        remove_if_there(&beside)?;
        let lender = live.map(|l| Lender { folder: self.folder(l.number), same_structure: l.manifest.structure == bundle.structure });
        write_files(&beside, bundle, lender.as_ref(), true)?;
        self.die("files")?;
        let text = serde_json::to_vec_pretty(&manifest).map_err(io::Error::other)?;
        write_file(&beside.join(MANIFEST), &text)?.sync_all()?;
        sync_folder(&beside)?;
        self.die("manifest")?;
        fs::rename(&beside, self.folder(number))?;
        sync_folder(&releases)?;
        self.die("renamed")?;
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
        self.die("link")?;
        fs::rename(&beside, self.root.join("current"))?;
        sync_folder(&self.root)
    }

    /// Removes a release that was never live, or has been taken back.
    pub fn remove(&self, number: u64) -> io::Result<()> {
        remove_if_there(&self.folder(number))
    }

    /// Removes what is neither live nor among the newest few, and what was left half written.
    pub fn prune(&self) -> io::Result<()> {
        let live = self.current()?.map(|l| l.number);
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

    #[cfg(test)]
    fn die(&self, at: &str) -> io::Result<()> {
        if self.die_at == Some(at) { Err(io::Error::other("died")) } else { Ok(()) }
    }

    #[cfg(not(test))]
    #[expect(clippy::unused_self, clippy::unnecessary_wraps, reason = "the tests' is not so empty")]
    fn die(&self, _at: &str) -> io::Result<()> {
        Ok(())
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
}

impl Lender {
    /// The file, where it is the same. What the structure's digest covers needs no reading: `haproxy.cfg` is megabytes.
    fn lend(&self, name: &str, content: &[u8]) -> Option<PathBuf> {
        let covered = name == "haproxy.cfg" || name == "coraza.cfg" || name.starts_with("errors/");
        let path = self.folder.join(name);
        ((covered && self.same_structure) || same(&path, content)).then_some(path)
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
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
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
mod tests {
    use super::*;
    use std::collections::BTreeMap;
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

    fn bundle(revision: Revision, files: &[(&str, &str)]) -> Bundle {
        Bundle {
            revision,
            digest: format!("d{revision}"),
            structure: "s".into(),
            files: files.iter().map(|(name, text)| ((*name).to_owned(), Arc::from(text.as_bytes()))).collect(),
            maps: BTreeMap::new(),
            rulesets: BTreeMap::new(),
            probes: Arc::default(),
        }
    }

    #[test]
    fn releases_share_what_is_the_same() {
        let root = tempfile::tempdir().unwrap();
        let releases = Releases::new(root.path());
        assert_eq!(releases.current().unwrap(), None);
        let first = releases.write(&bundle(1, &[("live.map", "1 a\n"), ("errors/403.html", "no")])).unwrap();
        assert_eq!(releases.current().unwrap(), None, "written is not live");
        releases.publish(first.number).unwrap();
        assert_eq!(releases.current().unwrap().unwrap(), first);
        let second = releases.write(&bundle(2, &[("live.map", "1 b\n"), ("errors/403.html", "no")])).unwrap();
        releases.publish(second.number).unwrap();
        let inode = |number, name: &str| std::fs::metadata(releases.folder(number).join(name)).unwrap().ino();
        assert_eq!(inode(1, "errors/403.html"), inode(2, "errors/403.html"));
        assert_ne!(inode(1, "live.map"), inode(2, "live.map"));
        assert_eq!(releases.maps(1).unwrap()[&MapName::Live].as_slice(), [("1".to_owned(), "a".to_owned())]);
        let mode = |path: PathBuf| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(releases.folder(2)), mode(releases.folder(2).join("live.map"))), (0o700, 0o600));
        for revision in 3..12 {
            releases.write(&bundle(revision, &[("live.map", "x y\n")])).unwrap();
        }
        releases.prune().unwrap();
        let mut left = releases.numbers().unwrap();
        left.sort_unstable();
        assert_eq!(left, [2, 7, 8, 9, 10, 11]);
    }

    #[test]
    fn whoever_dies_current_is_whole() {
        let root = tempfile::tempdir().unwrap();
        let mut releases = Releases::new(root.path());
        let first = releases.write(&bundle(1, &[("live.map", "1 a\n")])).unwrap();
        releases.publish(first.number).unwrap();
        for at in ["files", "manifest", "renamed", "link"] {
            releases.die_at = Some(at);
            let died = releases.write(&bundle(2, &[("live.map", "1 b\n")])).and_then(|r| releases.publish(r.number));
            assert!(died.is_err(), "{at}");
            releases.die_at = None;
            let live = releases.current().unwrap().unwrap();
            assert_eq!(live, first, "{at}");
            assert_eq!(std::fs::read_to_string(root.path().join("current/live.map")).unwrap(), "1 a\n");
        }
        let next = releases.write(&bundle(3, &[("live.map", "1 c\n")])).unwrap();
        releases.publish(next.number).unwrap();
        releases.prune().unwrap();
        assert_eq!(std::fs::read_to_string(root.path().join("current/live.map")).unwrap(), "1 c\n");
        assert!(
            std::fs::read_dir(root.path().join("releases")).unwrap().all(|e| !e.unwrap().file_name().to_string_lossy().contains("new"))
        );
    }

    #[test]
    fn names_stay_inside() {
        for bad in ["../x", "/etc/x", "a//b", "", ".hidden", "a/../b", "manifest.json"] {
            assert!(inside(Path::new("/r"), bad).is_err(), "{bad}");
        }
        assert!(inside(Path::new("/r"), "errors/403.html").is_ok());
    }

    #[test]
    fn staging_leaves_nothing() {
        let root = tempfile::tempdir().unwrap();
        let staged = Releases::new(root.path()).stage(&bundle(1, &[("errors/1", "x")])).unwrap();
        let folder = staged.folder().to_owned();
        assert!(folder.join("errors/1").exists());
        drop(staged);
        assert!(!folder.exists());
    }
}
