//! Child processes: started in groups of their own (a terminal's Ctrl-C is for us alone), started again when they end by themselves,
//! stopped by pid. A pid file for each lets the next start find what a killed supervisor left behind.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::super::printer::Printer;

/// How long a child may take to end before it is killed.
const STOP_PATIENCE: Duration = Duration::from_secs(6);
/// A child that ran this long is healthy: its next end starts the backoff anew.
const HEALTHY: Duration = Duration::from_secs(10);

/// What to run.
#[derive(Clone, Debug)]
pub struct Spec {
    pub name: &'static str,
    pub program: PathBuf,
    pub arguments: Vec<OsString>,
    /// Uid and gid; ours where None.
    pub user: Option<(u32, u32)>,
    /// Standard output and error.
    pub log: PathBuf,
    pub pid_file: PathBuf,
    /// `TERM` or `INT`.
    pub stop: &'static str,
}

/// A child that is kept running.
#[derive(Debug)]
pub struct Supervised {
    pub spec: Spec,
    /// How often it ended by itself.
    ends: Arc<AtomicU32>,
    cancel: CancellationToken,
    task: JoinHandle<()>,
}

impl Supervised {
    pub fn start(spec: Spec, printer: Printer) -> Self {
        let ends = Arc::new(AtomicU32::new(0));
        let cancel = CancellationToken::new();
        let task = tokio::spawn(keep(spec.clone(), ends.clone(), cancel.clone(), printer));
        Self { spec, ends, cancel, task }
    }

    pub fn ends(&self) -> u32 {
        self.ends.load(Ordering::Relaxed)
    }

    /// Ends it, by force where it does not end within seconds.
    pub async fn stop(self) {
        self.cancel.cancel();
        let _ = self.task.await;
    }
}

async fn keep(spec: Spec, ends: Arc<AtomicU32>, cancel: CancellationToken, printer: Printer) {
    let mut backoff = Duration::from_millis(100);
    loop {
        let started = Instant::now();
        let said = match spawn(&spec) {
            Ok(mut child) => {
                tokio::select! {
                    () = cancel.cancelled() => {
                        stop(&spec, child).await;
                        return;
                    }
                    status = child.wait() => status.map_or_else(|error| error.to_string(), |status| status.to_string()),
                }
            }
            Err(error) => error.to_string(),
        };
        ends.fetch_add(1, Ordering::Relaxed);
        tracing::warn!(child = spec.name, said, "a child ended by itself");
        if started.elapsed() >= HEALTHY {
            backoff = Duration::from_millis(100);
        }
        printer.warn(&format!("{} ended ({said}), starting it again; its log is {}", spec.name, spec.log.display()));
        tokio::select! {
            () = cancel.cancelled() => break,
            () = tokio::time::sleep(backoff) => backoff = (backoff * 2).min(Duration::from_secs(5)),
        }
    }
    let _ = std::fs::remove_file(&spec.pid_file);
}

fn spawn(spec: &Spec) -> std::io::Result<Child> {
    let log = fs_err::OpenOptions::new().create(true).append(true).open(&spec.log)?;
    let mut command = Command::new(&spec.program);
    // A file, not a pipe: children outlive a killed supervisor, and a pipe without a reader would end them by SIGPIPE.
    command.args(&spec.arguments).stdin(Stdio::null()).stdout(log.file().try_clone()?).stderr(log.into_parts().0).process_group(0);
    if let Some((uid, gid)) = spec.user {
        command.uid(uid).gid(gid);
    }
    let child = command.spawn()?;
    if let Some(pid) = child.id() {
        let words = [spec.program.clone().into_os_string()].into_iter().chain(spec.arguments.iter().cloned());
        let words: Vec<String> = words.map(|word| word.to_string_lossy().into_owned()).collect();
        let text = serde_json::to_string(&PidFile { pid, words }).map_err(std::io::Error::other)?;
        fs_err::write(&spec.pid_file, text)?;
    }
    Ok(child)
}

async fn stop(spec: &Spec, mut child: Child) {
    if let Some(pid) = child.id() {
        signal(spec.stop, &pid.to_string()).await;
        if tokio::time::timeout(STOP_PATIENCE, child.wait()).await.is_err() {
            tracing::warn!(child = spec.name, "a child did not end when asked to: killed");
            // The whole group: HAProxy's workers would outlive a master that was killed while it was stuck.
            signal("KILL", &format!("-{pid}")).await;
            let _ = child.wait().await;
        }
    }
    let _ = std::fs::remove_file(&spec.pid_file);
}

/// Sends a signal by the `kill` program: the call itself would need unsafe code.
async fn signal(signal: &str, target: &str) {
    let mut command = Command::new("kill");
    command.args(["-s", signal, "--", target]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    match command.status().await {
        // A process that ended in the meantime is what was wanted.
        Ok(_) => {}
        Err(error) => tracing::error!(%error, "the program `kill` cannot be run"),
    }
}

#[derive(Serialize, Deserialize)]
struct PidFile {
    pid: u32,
    /// Program and arguments as started; one that names a path of the state folder tells ours from a stranger with the same pid.
    words: Vec<String>,
}

/// Ends what an earlier supervisor of the same state folder left running; gives the names of what it found.
pub async fn stop_leftovers(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let left = fs_err::read_to_string(&path).ok().and_then(|text| serde_json::from_str::<PidFile>(&text).ok());
        if let Some(left) = left.filter(is_ours) {
            found.push(path.file_stem().unwrap_or_default().to_string_lossy().into_owned());
            let name = if left.words.first().is_some_and(|program| program.ends_with("/postgres")) { "INT" } else { "TERM" };
            signal(name, &left.pid.to_string()).await;
            let asked = Instant::now();
            while is_ours(&left) && asked.elapsed() < STOP_PATIENCE {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            if is_ours(&left) {
                signal("KILL", &format!("-{}", left.pid)).await;
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
        let _ = std::fs::remove_file(&path);
    }
    found
}

/// Whether the process of a pid file still runs what it was started with. Arguments may have been added: HAProxy's master does on reload.
fn is_ours(left: &PidFile) -> bool {
    let Ok(line) = std::fs::read(format!("/proc/{}/cmdline", left.pid)) else { return false };
    let words: Vec<&[u8]> = line.split(|byte| *byte == 0).collect();
    !line.is_empty() && left.words.iter().skip(1).filter(|word| word.contains('/')).all(|word| words.contains(&word.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(folder: &Path, program: &str, arguments: &[&str]) -> Spec {
        Spec {
            name: "child",
            program: super::super::super::programs::in_path(program).unwrap(),
            arguments: arguments.iter().map(OsString::from).collect(),
            user: None,
            log: folder.join("log"),
            pid_file: folder.join("child.pid"),
            stop: "TERM",
        }
    }

    async fn pid(folder: &Path) -> u32 {
        for _ in 0..200 {
            let read = fs_err::read_to_string(folder.join("child.pid")).ok().and_then(|t| serde_json::from_str::<PidFile>(&t).ok());
            if let Some(file) = read {
                return file.pid;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("no pid file");
    }

    #[tokio::test]
    async fn a_child_that_ends_is_started_again_and_stopped_at_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let child = Supervised::start(spec(folder.path(), "sleep", &["1000"]), Printer::new());
        let first = pid(folder.path()).await;
        signal("KILL", &first.to_string()).await;
        for _ in 0..200 {
            tokio::time::sleep(Duration::from_millis(10)).await;
            if child.ends() == 1 && pid(folder.path()).await != first {
                break;
            }
        }
        let second = pid(folder.path()).await;
        assert_ne!(first, second);
        child.stop().await;
        assert!(!Path::new(&format!("/proc/{second}")).exists());
        assert!(!folder.path().join("child.pid").exists());
    }

    #[tokio::test]
    async fn leftovers_are_told_from_strangers() {
        let folder = tempfile::tempdir().unwrap();
        let pids = folder.path().join("pids");
        fs_err::create_dir(&pids).unwrap();
        let file = folder.path().join("watched");
        fs_err::write(&file, "").unwrap();
        let mut spec = spec(folder.path(), "tail", &["-f", file.to_str().unwrap()]);
        spec.pid_file = pids.join("child.pid");
        let mut child = spawn(&spec).unwrap();
        // A child is there before its arguments are: the kernel lets the parent go on in the middle of `execve`.
        let left = || serde_json::from_str(&fs_err::read_to_string(&spec.pid_file).unwrap()).unwrap();
        while !is_ours(&left()) {
            assert!(child.try_wait().unwrap().is_none(), "tail ended by itself");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        // A stranger that has the pid of a leftover: this test itself.
        let stranger = PidFile { pid: std::process::id(), words: vec!["x".to_owned(), "/nowhere".to_owned()] };
        fs_err::write(pids.join("stranger.pid"), serde_json::to_string(&stranger).unwrap()).unwrap();
        // A child that is not ended is a failure, never a test that hangs.
        let ended = tokio::time::timeout(Duration::from_secs(60), child.wait());
        let (found, ended) = tokio::join!(stop_leftovers(&pids), ended);
        assert_eq!(found, ["child"]);
        ended.expect("the leftover was not ended").unwrap();
        assert_eq!(std::fs::read_dir(&pids).unwrap().count(), 0);
    }
}
