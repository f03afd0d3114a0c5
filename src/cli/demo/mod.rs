//! `demo`: supervises everything on one machine, to try it out: a private PostgreSQL, HAProxy, guard-spoa twice, a sample origin, and the
//! API in this process. In production systemd does what this does; `serve` never starts an engine.
//!
//! The order is the lesson of product.md: the engines start from files that are there before the database is asked anything.

pub mod load;
mod origin;
mod postgres;
mod process;
mod state;
mod trial;

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use tokio::net::{TcpListener, UnixStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::compose::{self, Running};
use super::failure::Failure;
use super::printer::{Printer, Tone};
use super::programs;
use crate::config::{List, Secret, Settings};
use crate::telemetry;
use process::{Spec, Supervised};
use state::{Ready, State};

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Where everything is kept; a later start goes on from it [default: .state/demo in a checkout, else guard-proxy/demo where XDG keeps state]
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
    /// Port of the protected sites
    #[arg(long, value_name = "PORT", default_value_t = 8000)]
    http_port: u16,
    /// Port of the API
    #[arg(long, value_name = "PORT", default_value_t = 8080)]
    api_port: u16,
    /// Port of the sample origin
    #[arg(long, value_name = "PORT", default_value_t = 8001)]
    origin_port: u16,
    /// HAProxy, 2.6 or 2.8 [default: the one in PATH, or /usr/sbin/haproxy]
    #[arg(long, value_name = "PROGRAM", env = "HAPROXY")]
    haproxy: Option<PathBuf>,
    /// Start, send the three requests, say what came back, and stop
    #[arg(long)]
    check: bool,
}

/// How long a child may take until it answers.
const PATIENCE: Duration = Duration::from_secs(30);

pub async fn run(arguments: Arguments, printer: &Printer) -> Result<(), Failure> {
    let stop = stop_signal()?;
    let root = arguments.state.clone().unwrap_or_else(state::default_root);
    let mut demo = Demo { printer: *printer, children: Vec::new(), running: None, cancel: CancellationToken::new() };
    let state = State::open(&root)?;
    let outcome = tokio::select! {
        outcome = demo.start(&arguments, &state) => match outcome {
            Ok(ready) => demo.attend(&arguments, &state, &ready, &stop).await,
            Err(failure) => Err(failure),
        },
        () = stop.cancelled() => Err(Failure::user("stopped before everything was up")),
    };
    let (began, started) = (Instant::now(), !demo.children.is_empty());
    demo.stop().await;
    if started {
        printer.step("stopped", began.elapsed());
    }
    outcome
}

/// Cancelled by SIGINT, SIGTERM or SIGHUP; a second one ends the process at once, and the next start cleans up.
fn stop_signal() -> Result<CancellationToken, Failure> {
    let stop = CancellationToken::new();
    let (mut interrupt, mut terminate, mut hangup) = (
        signal(SignalKind::interrupt()).context("signals")?,
        signal(SignalKind::terminate()).context("signals")?,
        signal(SignalKind::hangup()).context("signals")?,
    );
    let token = stop.clone();
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
                _ = hangup.recv() => {}
            }
            if token.is_cancelled() {
                std::process::exit(1);
            }
            token.cancel();
        }
    });
    Ok(stop)
}

struct Demo {
    printer: Printer,
    /// In the order of their start.
    children: Vec<Supervised>,
    running: Option<Running>,
    /// For the tasks of this process.
    cancel: CancellationToken,
}

impl Demo {
    async fn start(&mut self, arguments: &Arguments, state: &State) -> Result<Ready, Failure> {
        let printer = self.printer;
        let began = Instant::now();
        printer.note(format!("Guard Proxy demo in {}", state.root.display()));
        let cluster = postgres::Cluster::locate(state)?;
        if let Some(folder) = cluster.elsewhere(state) {
            printer.note(format!(
                "  the database is in {}: its user may not enter the state folder, or its path is too long",
                folder.display()
            ));
        }
        let settings = settings(arguments, state, &cluster)?;
        let guard_spoa = settings.node.guard_spoa.clone().unwrap_or_default();
        let log = fs_err::OpenOptions::new().create(true).append(true).open(state.log.join("guard-proxy.log")).context("the log")?;
        telemetry::init_logs_to_file(&settings.log, log.into_parts().0);
        let metrics = telemetry::init_metrics();

        let left = process::stop_leftovers(&state.pids).await;
        if !left.is_empty() {
            printer.warn(&format!("an earlier demo was killed; stopped what it left running: {}", left.join(", ")));
        }
        let listeners = Ports::take(arguments).await?;
        tokio::spawn(origin::serve(listeners.origin, self.cancel.clone()));

        // The database takes longest, so it starts first and everything else meanwhile.
        let step = Instant::now();
        let made = cluster.initialise().await?;
        let database = self.children.len();
        self.children.push(Supervised::start(cluster.spec(state), printer));
        if made {
            printer.step("a PostgreSQL cluster of its own", step.elapsed());
        }

        let step = Instant::now();
        compose::first_release(&settings).await?;
        for spec in engines(&settings, state, &guard_spoa) {
            self.children.push(Supervised::start(spec, printer));
        }
        let node = settings.node_settings();
        self.answering(database, step, "PostgreSQL", || cluster.answers()).await?;
        self.answering(database + 1, step, "guard-spoa, validator", || connects(node.validator_socket())).await?;
        self.answering(database + 2, step, "guard-spoa", || connects(node.spoa_socket())).await?;
        self.answering(database + 3, step, "HAProxy", || connects(node.master_socket())).await?;

        let step = Instant::now();
        let last = state.last();
        let store = compose::connect(&settings).await?;
        compose::migrate(&store).await?;
        // Given, so that a script's token stays good, also when `demo.json` was removed and the database was not.
        let token = last.as_ref().map_or_else(new_token, |ready| ready.token.clone());
        self.running = Some(compose::start(&settings, store, listeners.api, Some(&token), metrics).await?);
        printer.step("API", step.elapsed());

        let step = Instant::now();
        let ready = Ready {
            api_url: format!("http://127.0.0.1:{}", arguments.api_port),
            http_url: format!("http://127.0.0.1:{}", arguments.http_port),
            token,
            origin_port: arguments.origin_port,
        };
        let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(30)).build().context("an HTTP client")?;
        let caller = load::Caller { client, api_url: ready.api_url.clone(), token: ready.token.clone() };
        let created = caller.load(arguments.origin_port, last.map(|ready| ready.origin_port)).await?;
        let what =
            if created == 0 { "examples, as they were left".to_owned() } else { format!("{created} examples loaded through the API") };
        printer.step(&what, step.elapsed());

        let step = Instant::now();
        if let Some(running) = &self.running {
            running.wait_live(PATIENCE).await.map_err(|failure| failure.hint(format!("the logs are in `{}`", state.log.display())))?;
        }
        printer.step("live and proven on the wire", step.elapsed());
        state.write_ready(&ready)?;
        printer.note(format!("Ready in {:.1} s", began.elapsed().as_secs_f64()));
        Ok(ready)
    }

    /// Waits until a child answers; gives up when it keeps ending instead.
    async fn answering<F: Future<Output = bool>>(
        &self,
        index: usize,
        since: Instant,
        what: &str,
        answers: impl Fn() -> F,
    ) -> Result<(), Failure> {
        let Some(child) = self.children.get(index) else { return Ok(()) };
        let began = Instant::now();
        while !answers().await {
            if began.elapsed() > PATIENCE || child.ends() >= 3 {
                let log = &child.spec.log;
                return Err(Failure::user(format!("{what} does not answer; the end of its log:\n{}", tail(log)))
                    .hint(format!("the whole log is `{}`", log.display())));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        self.printer.step(what, since.elapsed());
        Ok(())
    }

    /// Everything is up: shows how to use it and waits for the end, or tries it and ends.
    async fn attend(&mut self, arguments: &Arguments, state: &State, ready: &Ready, stop: &CancellationToken) -> Result<(), Failure> {
        let printer = self.printer;
        if arguments.check {
            return tokio::select! {
                outcome = trial::run(arguments.http_port, &printer) => outcome,
                () = stop.cancelled() => Err(Failure::user("stopped before the three requests were answered")),
            };
        }
        let strong = |text: &str| printer.tone(Tone::Strong, text);
        printer.line(format!("\n{}", strong("Protected sites")));
        for host in ["shop", "blog", "api", "anything.tenants"] {
            printer.line(format!("  http://{host}.localhost:{}/", arguments.http_port));
        }
        printer.line(format!("\n{}", strong("API")));
        printer.line(format!("  {}/docs", ready.api_url));
        printer.line(format!("  token: {}", ready.token));
        printer.line(format!("  curl -H 'Authorization: Bearer {}' {}/api/v1/vhosts", ready.token, ready.api_url));
        printer.line(format!("\n{}", strong("Try it")));
        trial::print(arguments.http_port, &printer);
        printer.line(format!("\nLogs and state are in {}. Ctrl-C stops everything.", state.root.display()));
        if let Some(running) = &mut self.running {
            tokio::select! {
                () = stop.cancelled() => {}
                failure = running.ended() => return Err(failure),
            }
        }
        Ok(())
    }

    /// Ends everything: the API, then what serves traffic, then the database.
    async fn stop(&mut self) {
        if let Some(running) = self.running.take() {
            running.stop().await;
        }
        self.cancel.cancel();
        let mut engines = std::mem::take(&mut self.children);
        let database = if engines.is_empty() { None } else { Some(engines.remove(0)) };
        futures::future::join_all(engines.into_iter().map(Supervised::stop)).await;
        if let Some(database) = database {
            database.stop().await;
        }
    }
}

fn new_token() -> String {
    format!("gpx_{}{}", uuid::Uuid::new_v4().simple(), uuid::Uuid::new_v4().simple())
}

/// The settings of a demo: its own, whatever the machine has in /etc.
fn settings(arguments: &Arguments, state: &State, cluster: &postgres::Cluster) -> Result<Settings, Failure> {
    let loopback = |port| SocketAddr::from(([127, 0, 0, 1], port));
    let mut settings = Settings::default();
    settings.database.url = Secret::new(cluster.url());
    settings.api.listen = loopback(arguments.api_port);
    // It is reached by plain HTTP, on this machine alone.
    settings.api.insecure_cookies = true;
    settings.node.http_binds = List(vec![loopback(arguments.http_port)]);
    settings.node.state_dir.clone_from(&state.root);
    settings.node.run_dir.clone_from(&state.run);
    settings.node.allow_upstreams = List(vec!["127.0.0.0/8".parse().map_err(|e: String| anyhow::anyhow!(e))?]);
    settings.node.guard_spoa = Some(programs::guard_spoa(None)?);
    settings.haproxy.program = programs::haproxy(arguments.haproxy.as_deref())?;
    settings.haproxy.maxconn = Some(1000);
    settings.haproxy.hard_stop_after_s = 60;
    Ok(settings)
}

/// The engines, in the order of their start.
fn engines(settings: &Settings, state: &State, guard_spoa: &Path) -> [Spec; 3] {
    let node = settings.node_settings();
    let current = settings.node.state_dir.join("current");
    let spec = |name: &'static str, program: &Path, arguments: Vec<OsString>| Spec {
        name,
        program: program.to_owned(),
        arguments,
        user: None,
        log: state.log.join(format!("{name}.log")),
        pid_file: state.pids.join(format!("{name}.pid")),
        stop: "TERM",
    };
    // As in examples/systemd; the hard limits behind these are systemd's.
    let validator =
        ["-validator".into(), "-control".into(), node.validator_socket().into(), "-memory-limit".into(), "400MiB".into()].into();
    let agent = vec![
        "-config".into(),
        current.join("guard-spoa.yaml").into(),
        "-control".into(),
        node.control_socket().into(),
        "-event-log".into(),
        state.log.join("events.log").into(),
        "-drain-timeout".into(),
        "2s".into(),
        "-memory-limit".into(),
        "1536MiB".into(),
    ];
    let haproxy = vec![
        "-W".into(),
        "-S".into(),
        format!("{},mode,600", node.master_socket()).into(),
        "-f".into(),
        current.join("haproxy.cfg").into(),
    ];
    [
        spec("guard-spoa-validator", guard_spoa, validator),
        spec("guard-spoa", guard_spoa, agent),
        spec("haproxy", &settings.haproxy.program, haproxy),
    ]
}

async fn connects(socket: String) -> bool {
    UnixStream::connect(socket).await.is_ok()
}

fn tail(log: &Path) -> String {
    let text = fs_err::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(10)..].iter().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")
}

/// The ports, taken before anything starts, so that one in use is an error with nothing to undo.
struct Ports {
    api: TcpListener,
    origin: TcpListener,
}

impl Ports {
    async fn take(arguments: &Arguments) -> Result<Self, Failure> {
        // HAProxy binds by itself, and with SO_REUSEPORT: two would share a port without an error.
        drop(take("the protected sites", "--http-port", arguments.http_port).await?);
        Ok(Self {
            api: take("the API", "--api-port", arguments.api_port).await?,
            origin: take("the sample origin", "--origin-port", arguments.origin_port).await?,
        })
    }
}

async fn take(what: &str, option: &str, port: u16) -> Result<TcpListener, Failure> {
    if port == 0 {
        return Err(Failure::user(format!("port 0 is none that {what} could be found at")).hint(format!("choose one with `{option}`")));
    }
    TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], port))).await.map_err(|error| {
        let why = match error.kind() {
            std::io::ErrorKind::AddrInUse => "is in use by another program".to_owned(),
            std::io::ErrorKind::PermissionDenied => "may not be used by an ordinary user".to_owned(),
            _ => format!("cannot be used: {error}"),
        };
        Failure::user(format!("port {port} of {what} {why}")).hint(format!("choose another one with `{option}`"))
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_compiles_rules_has_limits_of_memory() {
        let (agent, validator) = (
            include_str!("../../../examples/systemd/guard-spoa.service"),
            include_str!("../../../examples/systemd/guard-spoa-validator.service"),
        );
        let demo = include_str!("mod.rs");
        for (unit, soft, hard) in [(agent, "1536MiB", "MemoryMax=2G\n"), (validator, "400MiB", "MemoryMax=512M\n")] {
            assert!(unit.contains(&format!("-memory-limit {soft}")) && unit.contains(hard), "{unit}");
            assert!(demo.contains(&format!("\"{soft}\".into()")), "the demo has it too");
        }
        assert!(include_str!("../../../examples/systemd/guard-proxy.service").contains("MemoryMax="));
    }
}
