//! Finding the programs that we run, and asking them for their version.

use std::ffi::OsStr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::process::Command;

use super::failure::Failure;

/// Where programs of the system are although an ordinary user's PATH may lack them.
const SYSTEM: [&str; 3] = ["/usr/local/sbin", "/usr/sbin", "/sbin"];

pub fn is_program(path: &Path) -> bool {
    path.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

/// A program in PATH, or in one of the system's folders.
pub fn in_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).filter(|folder| folder.is_absolute());
    folders.chain(SYSTEM.map(PathBuf::from)).map(|folder| folder.join(name)).find(|path| is_program(path))
}

/// HAProxy: as asked for, or the one in PATH or the system's folders.
pub fn haproxy(asked: Option<&Path>) -> Result<PathBuf, Failure> {
    if let Some(asked) = asked {
        let absolute = std::path::absolute(asked).unwrap_or_else(|_| asked.to_owned());
        return if is_program(&absolute) {
            Ok(absolute)
        } else {
            Err(Failure::user(format!("`{}`, given as `--haproxy` or `$HAPROXY`, is not a program", asked.display())))
        };
    }
    in_path("haproxy").ok_or_else(|| Failure::user("HAProxy was not found in PATH or /usr/sbin").hint("on Debian: apt-get install haproxy"))
}

/// guard-spoa: as set, `$GUARD_SPOA`, beside this program, `bin/` of the current folder, PATH.
pub fn guard_spoa(set: Option<&Path>) -> Result<PathBuf, Failure> {
    if let Some(set) = set {
        return if is_program(set) {
            Ok(set.to_owned())
        } else {
            Err(Failure::user(format!("`{}`, set as `node.guard_spoa`, is not a program", set.display())))
        };
    }
    if let Some(set) = std::env::var_os("GUARD_SPOA").filter(|value| !value.is_empty()) {
        let set = PathBuf::from(set);
        let absolute = std::path::absolute(&set).unwrap_or_else(|_| set.clone());
        return if is_program(&absolute) {
            Ok(absolute)
        } else {
            Err(Failure::user(format!("`{}`, set as `$GUARD_SPOA`, is not a program", set.display())))
        };
    }
    let beside = std::env::current_exe().ok().and_then(|exe| Some(exe.parent()?.join("guard-spoa")));
    let here = std::env::current_dir().ok().map(|folder| folder.join("bin/guard-spoa"));
    let found = [beside, here].into_iter().flatten().find(|path| is_program(path)).or_else(|| in_path("guard-spoa"));
    found.ok_or_else(|| {
        Failure::user("guard-spoa was not found beside this program, in `bin/` or in PATH")
            .hint("build it with `scripts/build`, or set `$GUARD_SPOA` to it")
    })
}

/// The folder with `postgres` and `initdb`: of the major version wanted, or the newest.
pub fn postgres(major: Option<u32>) -> Option<PathBuf> {
    let complete = |folder: &Path| is_program(&folder.join("postgres")) && is_program(&folder.join("initdb"));
    let mut debian: Vec<(u32, PathBuf)> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|entry| {
            let entry = entry.ok()?;
            Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin")))
        })
        .filter(|(_, folder)| complete(folder))
        .collect();
    debian.sort();
    match major {
        Some(major) if debian.iter().any(|(found, _)| *found == major) => {
            debian.into_iter().find(|(found, _)| *found == major).map(|(_, folder)| folder)
        }
        _ => debian.pop().map(|(_, folder)| folder).or_else(|| {
            let folder = in_path("postgres")?.parent()?.to_owned();
            complete(&folder).then_some(folder)
        }),
    }
}

/// What a program prints, standard output and error as one, and whether it ended well. Killed after `patience`.
pub async fn ask<S: AsRef<OsStr>>(program: &Path, arguments: &[S], patience: Duration) -> std::io::Result<(bool, String)> {
    let mut command = Command::new(program);
    command.args(arguments).stdin(std::process::Stdio::null()).kill_on_drop(true);
    let output = tokio::time::timeout(patience, command.output()).await.map_err(|_| {
        std::io::Error::new(std::io::ErrorKind::TimedOut, format!("`{}` took longer than {patience:?}", program.display()))
    })??;
    let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.push_str(&String::from_utf8_lossy(&output.stderr));
    Ok((output.status.success(), text.trim().to_owned()))
}
