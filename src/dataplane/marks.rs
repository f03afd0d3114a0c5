//! What the files of a release must be: their sizes and digests, and what this process has seen of them already.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use fs_err as fs;
use serde::{Deserialize, Serialize};

use crate::domain::digest::sha256_hex;

/// A file of a release as it was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileMark {
    pub size: u64,
    pub sha256: String,
}

impl FileMark {
    pub fn of(content: &[u8]) -> Self {
        Self { size: content.len() as u64, sha256: sha256_hex(content) }
    }
}

/// By name.
pub type FileMarks = BTreeMap<String, FileMark>;

/// Size and time of change of a file when it was last written or read here.
type Stamp = (u64, SystemTime);

/// By release. What is as it was when last read is not read again.
#[derive(Clone, Debug, Default)]
pub struct Stamps(Arc<Mutex<HashMap<u64, HashMap<String, Stamp>>>>);

impl Stamps {
    /// What was just written is what was to be written.
    pub fn trust(&self, number: u64, folder: &Path, files: &FileMarks) -> io::Result<()> {
        let stamps = files.keys().map(|name| Ok((name.clone(), stamp(&folder.join(name))?))).collect::<io::Result<_>>()?;
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(number, stamps);
        Ok(())
    }

    pub fn forget(&self, number: u64) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&number);
    }

    /// Which file is not what it was written as, if any: by a look at each, and by reading those that were not read before or have changed.
    pub fn check(&self, number: u64, folder: &Path, files: &FileMarks) -> Result<(), String> {
        if files.is_empty() {
            return Err(format!("{}: the manifest does not say what its files are", folder.display()));
        }
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&number).cloned().unwrap_or_default();
        let mut seen = HashMap::with_capacity(files.len());
        for (name, mark) in files {
            let path = folder.join(name);
            let now = stamp(&path).map_err(|error| error.to_string())?;
            if now.0 != mark.size {
                return Err(format!("{} has {} bytes, it was written with {}", path.display(), now.0, mark.size));
            }
            if known.get(name) != Some(&now) && FileMark::of(&fs::read(&path).map_err(|error| error.to_string())?) != *mark {
                return Err(format!("{} is not what it was written as", path.display()));
            }
            seen.insert(name.clone(), now);
        }
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(number, seen);
        Ok(())
    }
}

fn stamp(path: &Path) -> io::Result<Stamp> {
    let meta = fs::metadata(path)?;
    Ok((meta.len(), meta.modified()?))
}
