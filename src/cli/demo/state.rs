//! The state folder of a demo: where things are, the lock that keeps a second demo out, and `demo.json` for scripts.

use std::fs::{File, TryLockError};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::super::failure::Failure;

/// What `demo.json` says once everything is up; for scripts, and for the next start.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
pub struct Ready {
    pub api_url: String,
    pub http_url: String,
    /// An administrator's bearer token.
    pub token: String,
    /// The sample origin's port, so that a start with another one can tell which servers to move.
    pub origin_port: u16,
}

/// The folder, locked as long as this lives.
#[derive(Debug)]
pub struct State {
    pub root: PathBuf,
    /// Sockets; elsewhere when the state folder's path is too long for them.
    pub run: PathBuf,
    pub log: PathBuf,
    pub pids: PathBuf,
    /// Held, not read.
    _lock: File,
}

/// The longest folder that leaves room for every socket's name in 107 bytes, with what HAProxy appends while it binds.
const RUN_LIMIT: usize = 64;

/// Where a demo keeps its state when nobody says: here, in a checkout; else where XDG wants state.
pub fn default_root() -> PathBuf {
    let xdg = || {
        let home = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let base = home("XDG_STATE_HOME").or_else(|| Some(home("HOME")?.join(".local/state")))?;
        Some(base.join("guard-proxy/demo"))
    };
    let checkout = Path::new(".state").exists() || Path::new("Cargo.toml").exists();
    if checkout { PathBuf::from(".state/demo") } else { xdg().unwrap_or_else(|| PathBuf::from(".state/demo")) }
}

impl State {
    pub fn open(root: &Path) -> Result<Self, Failure> {
        folder(root, 0o711).map_err(|error| unusable(root, &error))?;
        let root = fs_err::canonicalize(root).map_err(|error| unusable(root, &error))?;
        let plain = root.to_str().is_some_and(|path| path.bytes().all(|b| b.is_ascii_alphanumeric() || b"/._-".contains(&b)));
        if !plain {
            let message = format!("the state folder `{}` has characters other than A-Z, a-z, 0-9 and `/._-`", root.display());
            return Err(Failure::user(message).hint("choose another one with `--state`: HAProxy's files name it"));
        }
        let lock = File::create(root.join("lock")).map_err(|error| unusable(&root, &error))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(Failure::user(format!("another demo runs with the state folder `{}`", root.display()))
                    .hint("stop it with Ctrl-C, or start this one with another `--state` and other ports"));
            }
            Err(TryLockError::Error(error)) => return Err(unusable(&root, &error)),
        }
        let (log, pids) = (root.join("log"), root.join("pids"));
        for path in [&log, &pids] {
            folder(path, 0o700).map_err(|error| unusable(path, &error))?;
        }
        let run = root.join("run");
        let run = if run.as_os_str().len() <= RUN_LIMIT { run } else { short(&root, "run", &temporary()) };
        private(&run, None)?;
        Ok(Self { root, run, log, pids, _lock: lock })
    }

    fn ready_file(&self) -> PathBuf {
        self.root.join("demo.json")
    }

    /// What the last start wrote.
    pub fn last(&self) -> Option<Ready> {
        serde_json::from_str(&std::fs::read_to_string(self.ready_file()).ok()?).ok()
    }

    /// Writes `demo.json`, mode 0600, whole or not at all.
    pub fn write_ready(&self, ready: &Ready) -> anyhow::Result<()> {
        let (path, fresh) = (self.ready_file(), self.root.join("demo.json.new"));
        let _ = std::fs::remove_file(&fresh);
        let mut file =
            std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&fresh).context("creating demo.json.new")?;
        serde_json::to_writer_pretty(&mut file, ready).context("writing demo.json.new")?;
        file.write_all(b"\n").context("writing demo.json.new")?;
        fs_err::rename(fresh, path).context("demo.json")
    }
}

fn unusable(path: &Path, error: &dyn std::fmt::Display) -> Failure {
    Failure::user(format!("the folder `{}` cannot be used: {error}", path.display())).hint("choose another state folder with `--state`")
}

/// Makes a folder with its parents; one that is there keeps its mode.
fn folder(path: &Path, mode: u32) -> std::io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    std::fs::DirBuilder::new().recursive(true).mode(0o755).create(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))
}

fn temporary() -> PathBuf {
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    runtime.filter(|path| path.is_absolute() && path.is_dir() && path.as_os_str().len() <= 40).unwrap_or_else(|| PathBuf::from("/tmp"))
}

/// A short folder of this state folder's own, outside of it.
pub fn short(root: &Path, purpose: &str, base: &Path) -> PathBuf {
    let digest = Sha256::digest(root.as_os_str().as_encoded_bytes());
    let tag: String = digest.iter().take(5).map(|byte| format!("{byte:02x}")).collect();
    base.join(format!("guard-proxy-{}-{tag}-{purpose}", uid()))
}

/// Our effective user.
pub fn uid() -> u32 {
    std::fs::metadata("/proc/self").map(|meta| meta.uid()).unwrap_or(u32::MAX)
}

/// Makes a folder of mode 0700 that belongs to `owner` (uid, gid), or to us; refuses one that belongs to somebody else, since anybody may
/// make folders in /tmp.
pub fn private(path: &Path, owner: Option<(u32, u32)>) -> Result<(), Failure> {
    match std::fs::DirBuilder::new().mode(0o700).create(path) {
        Ok(()) => {
            if let Some((uid, gid)) = owner {
                std::os::unix::fs::chown(path, Some(uid), Some(gid)).map_err(|error| unusable(path, &error))?;
            }
        }
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(unusable(path, &error)),
    }
    let meta = fs_err::symlink_metadata(path).map_err(|error| unusable(path, &error))?;
    if !meta.is_dir() || meta.uid() != owner.map_or_else(uid, |(uid, _)| uid) {
        return Err(unusable(path, &"it belongs to somebody else"));
    }
    fs_err::set_permissions(path, std::fs::Permissions::from_mode(0o700)).map_err(|error| unusable(path, &error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_demo_is_kept_out() {
        let folder = tempfile::tempdir().unwrap();
        let state = State::open(folder.path()).unwrap();
        let Err(Failure::User { message, .. }) = State::open(folder.path()) else { panic!("two demos") };
        assert!(message.starts_with("another demo runs"));
        drop(state);
        State::open(folder.path()).unwrap();
    }

    #[test]
    fn ready_is_private_and_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let state = State::open(folder.path()).unwrap();
        assert_eq!(state.last(), None);
        let ready = Ready { api_url: "http://a".into(), http_url: "http://b".into(), token: "t".into(), origin_port: 1 };
        state.write_ready(&ready).unwrap();
        state.write_ready(&ready).unwrap();
        assert_eq!(state.last(), Some(ready));
        assert_eq!(fs_err::metadata(folder.path().join("demo.json")).unwrap().mode() & 0o777, 0o600);
    }

    #[test]
    fn sockets_of_a_long_path_go_elsewhere() {
        let folder = tempfile::tempdir().unwrap();
        let long = folder.path().join("x".repeat(90));
        let state = State::open(&long).unwrap();
        assert!(state.run.as_os_str().len() <= RUN_LIMIT && !state.run.starts_with(&state.root));
        fs_err::remove_dir(&state.run).unwrap();
    }
}
