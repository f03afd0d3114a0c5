//! Engines of a test's own.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::compile::{NodeSettings, compile, sample};
use crate::dataplane::{DataplaneSettings, Node, Progress, Report};
use crate::domain::Snapshot;
use crate::domain::deployment::{DeploymentState, Step};
use crate::render::{Bundle, render};

/// Debian's HAProxy, or what `HAPROXY` names.
pub fn haproxy() -> PathBuf {
    std::env::var_os("HAPROXY").map_or_else(|| "/usr/sbin/haproxy".into(), PathBuf::from)
}

/// `bin/guard-spoa`, or what `GUARD_SPOA` names.
pub fn guard_spoa() -> PathBuf {
    let path = std::env::var_os("GUARD_SPOA").map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("bin/guard-spoa"), PathBuf::from);
    assert!(path.exists(), "{} is not there: `scripts/build` makes it", path.display());
    path
}

pub fn free_port() -> SocketAddr {
    // Below the ports that the kernel gives to clients, and each once.
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let start = (std::process::id() % 100) as u16 * 20;
    loop {
        let port = 30_000 + (start + NEXT.fetch_add(1, Ordering::Relaxed)) % 2_000;
        if let Ok(listener) = TcpListener::bind(("127.0.0.1", port)) {
            return listener.local_addr().unwrap();
        }
    }
}

/// Ends what was started, and only that.
pub struct Process(Child);

impl Process {
    pub fn start(program: &Path, args: &[&str], log: &Path) -> Self {
        let log = std::fs::File::options().create(true).append(true).open(log).unwrap();
        let mut command = Command::new(program);
        command.args(args).stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        Self(command.spawn().unwrap())
    }

    /// HAProxy's master ends its workers when it is ended.
    pub fn end(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end();
    }
}

pub fn start_haproxy(folder: &Path, config: &Path, master: &str) -> Process {
    let log = folder.join("haproxy.log");
    let socket = format!("{master},mode,600");
    Process::start(&haproxy(), &["-W", "-S", &socket, "-f", config.to_str().unwrap()], &log)
}

pub async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(begun.elapsed() < Duration::from_secs(10), "{what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Remembers what it was told.
#[derive(Default)]
pub struct Told {
    pub states: Mutex<Vec<DeploymentState>>,
    pub steps: Mutex<Vec<Step>>,
}

impl Told {
    /// The steps' names, with `!` behind those that failed.
    pub fn names(&self) -> String {
        let steps = self.steps.lock().unwrap();
        steps.iter().map(|s| format!("{}{}", s.name, if s.ok { "" } else { "!" })).collect::<Vec<_>>().join(" ")
    }

    pub fn times(&self) -> String {
        let steps = self.steps.lock().unwrap();
        steps.iter().map(|s| format!("{} {:.1} ms", s.name, s.took_us as f64 / 1000.0)).collect::<Vec<_>>().join(", ")
    }
}

impl Progress for Told {
    fn state(&self, state: DeploymentState) {
        self.states.lock().unwrap().push(state);
    }
    fn step(&self, step: Step) {
        self.steps.lock().unwrap().push(step);
    }
}

/// A node with its engines.
pub struct Lab {
    pub folder: TempDir,
    pub settings: NodeSettings,
    pub node: Node,
    haproxy: Option<Process>,
    agent: Option<Process>,
    validator: Option<Process>,
    spoa: PathBuf,
}

impl Lab {
    /// Writes the first release of `snapshot` and starts what reads it.
    pub async fn start(snapshot: &Snapshot) -> Self {
        let spoa = guard_spoa();
        let folder = tempfile::tempdir().unwrap();
        let mut settings = sample::node(folder.path().join("run").to_str().unwrap());
        std::fs::create_dir(&settings.run_dir).unwrap();
        settings.http_binds = vec![free_port()];
        let node = Self::node_of(folder.path(), &settings);
        node.ensure_release(&bundle(snapshot, &settings)).await.unwrap();
        let log = folder.path().join("validator.log");
        let validator = Process::start(&spoa, &["-validator", "-control", &settings.validator_socket()], &log);
        let mut lab = Self { folder, settings, node, haproxy: None, agent: None, validator: Some(validator), spoa };
        lab.start_agent().await;
        lab.start_haproxy().await;
        lab
    }

    fn node_of(folder: &Path, settings: &NodeSettings) -> Node {
        Node::new(DataplaneSettings { node: settings.clone(), state_dir: folder.join("state"), haproxy: haproxy() })
    }

    /// Another process of ours: it knows nothing yet.
    pub fn new_node(&self) -> Node {
        Self::node_of(self.folder.path(), &self.settings)
    }

    pub async fn start_haproxy(&mut self) {
        self.haproxy = None;
        let config = self.folder.path().join("state/current/haproxy.cfg");
        self.haproxy = Some(start_haproxy(self.folder.path(), &config, &self.settings.master_socket()));
        let node = self.node.clone();
        until("HAProxy is up", async || node.engine_status().await.haproxy_up.then_some(())).await;
    }

    pub async fn start_agent(&mut self) {
        self.agent = None;
        let config = self.folder.path().join("state/current/guard-spoa.yaml");
        let control = self.settings.control_socket();
        let args = ["-config", config.to_str().unwrap(), "-control", &control];
        self.agent = Some(Process::start(&self.spoa, &args, &self.folder.path().join("agent.log")));
        let node = self.node.clone();
        until("guard-spoa is up", async || node.engine_status().await.spoa_up.then_some(())).await;
    }

    pub fn stop_haproxy(&mut self) {
        self.haproxy = None;
    }

    pub fn stop_validator(&mut self) {
        self.validator = None;
    }

    pub fn stop_agent(&mut self) {
        self.agent = None;
    }

    pub fn bundle(&self, snapshot: &Snapshot) -> Arc<Bundle> {
        bundle(snapshot, &self.settings)
    }

    pub async fn apply(&self, bundle: &Arc<Bundle>, previous: Option<&Arc<Bundle>>) -> (Report, Told) {
        let told = Told::default();
        let report = self.node.apply(bundle, previous, &told).await;
        (report, told)
    }

    /// The status that a client gets.
    pub async fn get(&self, host: &str, target: &str) -> u16 {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let mut stream = tokio::net::TcpStream::connect(self.settings.http_binds[0]).await.unwrap();
        let text =
            format!("GET {target} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: Mozilla/5.0\r\nAccept: text/html\r\nConnection: close\r\n\r\n");
        stream.write_all(text.as_bytes()).await.unwrap();
        let mut said = String::new();
        stream.read_to_string(&mut said).await.unwrap();
        said.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0)
    }
}

pub fn bundle(snapshot: &Snapshot, settings: &NodeSettings) -> Arc<Bundle> {
    let desired = compile(snapshot, settings, time::OffsetDateTime::UNIX_EPOCH);
    assert_eq!(desired.problems, []);
    Arc::new(render(&desired, settings, None).unwrap())
}
