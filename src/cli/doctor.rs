//! `doctor`: looks at everything that an installation stands on, and says what to do about what is wrong. Changes nothing.

use std::net::SocketAddr;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;
use tokio::net::{TcpStream, UnixStream};

use super::credentials::credentials;
use super::doors::{audit_log, doors, sealing};
use super::failure::Failure;
use super::printer::{Printer, Tone};
use super::secret_files::secret_files;
use super::serve::from_here;
use super::{compose, programs};
use crate::config::Settings;
use crate::dataplane::{EngineStatus, known_fault};

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// From good to bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Status {
    Ok,
    Warn,
    Fail,
}

/// What was looked at, and what was seen.
#[derive(Debug, Serialize)]
struct Check {
    name: &'static str,
    status: Status,
    detail: String,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    advice: Option<String>,
}

#[derive(Debug, Default)]
pub(super) struct Checks(Vec<Check>);

impl Checks {
    pub(super) fn ok(&mut self, name: &'static str, detail: impl Into<String>) {
        self.0.push(Check { name, status: Status::Ok, detail: detail.into(), advice: None });
    }
    pub(super) fn warn(&mut self, name: &'static str, detail: impl Into<String>, advice: impl Into<String>) {
        self.0.push(Check { name, status: Status::Warn, detail: detail.into(), advice: Some(advice.into()) });
    }
    pub(super) fn fail(&mut self, name: &'static str, detail: impl Into<String>, advice: impl Into<String>) {
        self.0.push(Check { name, status: Status::Fail, detail: detail.into(), advice: Some(advice.into()) });
    }
    /// The last verdict, and its words.
    #[cfg(test)]
    pub(super) fn last(&self) -> (Status, String) {
        let check = self.0.last().expect("something was looked at");
        (check.status, format!("{}: {}: {}", check.name, check.detail, check.advice.as_deref().unwrap_or_default()))
    }
}

const PATIENCE: Duration = Duration::from_secs(3);
/// The HAProxy versions that the tests of the wire run on, the oldest first: with an older one our configuration does not load.
const TESTED_HAPROXY: [(u32, u32); 2] = [(2, 6), (2, 8)];

pub async fn run(settings: Settings, file: Option<PathBuf>, arguments: Arguments, printer: &Printer) -> Result<(), Failure> {
    let mut checks = Checks::default();
    match &file {
        Some(file) => checks.ok("settings file", file.display().to_string()),
        None => checks.ok("settings file", "no file; defaults and environment"),
    }
    database(&mut checks, &settings).await;
    doors(&mut checks, &settings);
    secret_files(&mut checks, &settings, file.as_deref(), std::env::home_dir().as_deref());
    folders(&mut checks, &settings);
    let judges = haproxy(&mut checks, &settings).await;
    guard_spoa(&mut checks, &settings).await;
    let engines = compose::engine_status(&settings).await;
    sockets(&mut checks, &settings, &engines).await;
    same_haproxy(&mut checks, judges.as_deref(), &engines);
    ports(&mut checks, &settings, engines.haproxy_up).await;

    let failed = checks.0.iter().filter(|check| check.status == Status::Fail).count();
    if arguments.json {
        let text = serde_json::to_string_pretty(&serde_json::json!({ "ok": failed == 0, "checks": checks.0 }));
        printer.line(text.map_err(anyhow::Error::from)?);
    } else {
        table(&checks, printer);
    }
    match failed {
        0 => Ok(()),
        1 => Err(Failure::user("1 check failed")),
        _ => Err(Failure::user(format!("{failed} checks failed"))),
    }
}

fn table(checks: &Checks, printer: &Printer) {
    let width = checks.0.iter().map(|check| check.name.len()).max().unwrap_or(0);
    for check in &checks.0 {
        let mark = match check.status {
            Status::Ok => printer.tone(Tone::Good, "ok  "),
            Status::Warn => printer.tone(Tone::Warning, "warn"),
            Status::Fail => printer.tone(Tone::Bad, "FAIL"),
        };
        printer.line(format!("{mark}  {:width$}  {}", check.name, check.detail));
        if let Some(advice) = &check.advice {
            printer.line(format!("      {:width$}  {}", "", printer.tone(Tone::Faint, advice)));
        }
    }
}

async fn database(checks: &mut Checks, settings: &Settings) {
    let store = match compose::connect(settings).await {
        Ok(store) => store,
        Err(failure) => {
            let (detail, advice) = words(failure);
            return checks.fail("database", detail, advice);
        }
    };
    checks.ok("database", "answers");
    match compose::check_migrations(&store).await {
        Ok(()) => checks.ok("migrations", "as this version expects"),
        Err(failure) => {
            let (detail, advice) = words(failure);
            checks.fail("migrations", detail, advice);
        }
    }
    audit_log(checks, &store).await;
    sealing(checks, settings, &store).await;
    credentials(checks, &store).await;
    store.close().await;
}

/// A failure as detail and advice.
fn words(failure: Failure) -> (String, String) {
    match failure {
        Failure::User { message, hints } | Failure::Waits { message, hints } => (message, hints.join("; ")),
        Failure::Interrupted(message) => (message, String::new()),
        Failure::Internal(error) => (format!("{error:#}"), "look at the database's own log".to_owned()),
    }
}

fn folders(checks: &mut Checks, settings: &Settings) {
    let state = &settings.node.state_dir;
    if let Err((detail, advice)) = writable(state) {
        checks.fail("state folder", detail, advice);
    } else if state.join("current/haproxy.cfg").exists() {
        checks.ok("state folder", format!("{} has a release", state.display()));
    } else {
        let advice = "`guard-proxy serve` writes the first one; HAProxy and guard-spoa cannot start before";
        checks.warn("state folder", format!("{} has no release yet", state.display()), advice);
    }
    let run = &settings.node.run_dir;
    match writable(run) {
        Err((detail, advice)) => checks.fail("run folder", detail, advice),
        Ok(mode) if mode & 0o077 != 0 => {
            let detail = format!("{} has mode {:o}: others could reach the sockets", run.display(), mode & 0o777);
            checks.fail("run folder", detail, format!("chmod 700 {}", run.display()));
        }
        Ok(_) => checks.ok("run folder", run.display().to_string()),
    }
}

/// The folder's mode, or what is wrong and what to do.
fn writable(folder: &Path) -> Result<u32, (String, String)> {
    let shown = folder.display();
    let meta = folder.metadata().map_err(|error| {
        (format!("{shown}: {error}"), format!("install -d -m 700 -o USER {shown}, with the user that runs guard-proxy"))
    })?;
    if !meta.is_dir() {
        return Err((format!("{shown} is not a folder"), "set another one, or move it away".to_owned()));
    }
    let trial = folder.join(format!(".doctor-{}", std::process::id()));
    fs_err::write(&trial, b"").map_err(|error| {
        (
            format!("{shown} cannot be written to: {error}"),
            format!("run doctor as the user that runs guard-proxy; chown it to that user: {shown}"),
        )
    })?;
    let _ = std::fs::remove_file(trial);
    Ok(meta.mode())
}

/// The version of the HAProxy that judges configurations.
async fn haproxy(checks: &mut Checks, settings: &Settings) -> Option<String> {
    let program = &settings.haproxy.program;
    match programs::ask(program, &["-v"], PATIENCE).await {
        Ok((true, text)) => {
            let line = text.lines().next().unwrap_or_default();
            let version = line.strip_prefix("HAProxy version ").or_else(|| line.strip_prefix("HA-Proxy version ")).unwrap_or(line);
            let version = version.split_whitespace().next().unwrap_or_default();
            let mut parts = version.split('.').map_while(|part| part.parse::<u32>().ok());
            let found = parts.next().zip(parts.next()).unwrap_or_default();
            let detail = format!("{version} ({})", program.display());
            if let Some(words) = known_fault(version) {
                checks.fail("haproxy", detail, words);
            } else if TESTED_HAPROXY.contains(&found) {
                checks.ok("haproxy", detail);
            } else if found > TESTED_HAPROXY[0] {
                checks.warn(
                    "haproxy",
                    detail,
                    "2.6 and 2.8 are tested; `guard-proxy check` tells whether this one takes our configuration",
                );
            } else {
                checks.fail("haproxy", format!("`{line}` is too old"), "install HAProxy 2.6 or 2.8");
            }
            return Some(version.to_owned());
        }
        Ok((false, text)) => checks.fail("haproxy", text, "set `haproxy.program` to HAProxy 2.6 or 2.8"),
        Err(error) => {
            checks.fail("haproxy", format!("{}: {error}", program.display()), "apt-get install haproxy, or set `haproxy.program`");
        }
    }
    None
}

/// What one version takes another may refuse, so the one that judges has to be the one that serves.
fn same_haproxy(checks: &mut Checks, judges: Option<&str>, engines: &EngineStatus) {
    if let (Some(judges), Some(serves)) = (judges, engines.versions.get("haproxy"))
        && judges != serves
    {
        let detail = format!("{judges} judges configurations, and {serves} serves");
        checks.warn("haproxy", detail, "set `haproxy.program` to the program that serves; after an upgrade: systemctl restart haproxy");
    }
}

async fn guard_spoa(checks: &mut Checks, settings: &Settings) {
    let program = match programs::guard_spoa(settings.node.guard_spoa.as_deref()) {
        Ok(program) => program,
        Err(failure) => {
            let (detail, advice) = words(failure);
            return checks.warn("guard-spoa", detail, advice);
        }
    };
    match programs::ask(&program, &["-version"], PATIENCE).await {
        Ok((true, text)) => checks.ok("guard-spoa", format!("{text} ({})", program.display())),
        Ok((false, text)) => checks.fail("guard-spoa", text, "build it anew with `scripts/build`"),
        Err(error) => checks.fail("guard-spoa", format!("{}: {error}", program.display()), "build it anew with `scripts/build`"),
    }
}

async fn sockets(checks: &mut Checks, settings: &Settings, engines: &EngineStatus) {
    let node = settings.node_settings();
    for (name, path, unit) in [
        ("haproxy master", node.master_socket(), "haproxy"),
        ("haproxy runtime", node.runtime_socket(), "haproxy"),
        ("haproxy probe", node.probe_socket(), "haproxy"),
        ("guard-spoa spop", node.spoa_socket(), "guard-spoa"),
        ("guard-spoa control", node.control_socket(), "guard-spoa"),
        ("validator", node.validator_socket(), "guard-spoa-validator"),
    ] {
        let start = format!("systemctl start {unit}; its unit is in examples/systemd");
        let Ok(meta) = std::fs::metadata(&path) else {
            checks.fail(name, format!("{path} is not there"), start);
            continue;
        };
        if !meta.file_type().is_socket() {
            checks.fail(name, format!("{path} is not a socket"), format!("remove it and {start}"));
            continue;
        }
        match tokio::time::timeout(PATIENCE, UnixStream::connect(&path)).await {
            Ok(Ok(_)) => checks.ok(name, path),
            Ok(Err(error)) if error.kind() == std::io::ErrorKind::PermissionDenied => {
                checks.fail(name, format!("{path}: {error}"), "run doctor as the user that runs the engines");
            }
            Ok(Err(error)) => checks.fail(name, format!("{path}: {error}"), start),
            Err(_) => checks.fail(name, format!("{path} does not take connections"), format!("systemctl restart {unit}")),
        }
    }
    if !engines.versions.is_empty() {
        let versions: Vec<String> = engines.versions.iter().map(|(name, version)| format!("{name} {version}")).collect();
        checks.ok("running versions", versions.join(", "));
    }
    for problem in &engines.problems {
        checks.warn("engines", problem.clone(), "`journalctl -u haproxy -u guard-spoa -u guard-spoa-validator` may tell more");
    }
}

async fn ports(checks: &mut Checks, settings: &Settings, haproxy_up: bool) {
    for bind in &settings.node.http_binds.0 {
        match (listened(*bind).await, haproxy_up) {
            (true, true) => checks.ok("client port", format!("{bind} takes connections")),
            (true, false) => {
                checks.fail(
                    "client port",
                    format!("{bind} is another program's"),
                    "stop it, or set `node.http_binds`: HAProxy could not bind",
                );
            }
            (false, true) => checks.fail(
                "client port",
                format!("HAProxy is up, and {bind} takes no connection"),
                "`guard-proxy serve` brings its files up to date",
            ),
            (false, false) => checks.warn("client port", format!("{bind} takes no connection"), "start HAProxy"),
        }
    }
    let listen = settings.api.listen;
    if listened(listen).await {
        checks.ok("API", format!("{listen} takes connections"));
    } else {
        checks.warn("API", format!("{listen} takes no connection"), "systemctl start guard-proxy");
    }
}

async fn listened(address: SocketAddr) -> bool {
    matches!(tokio::time::timeout(PATIENCE, TcpStream::connect(from_here(address))).await, Ok(Ok(_)))
}
