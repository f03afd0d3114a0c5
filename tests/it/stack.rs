//! Everything real, started for one test: a database of its own, HAProxy, guard-spoa with the full CRS, the validator, `guard-proxy serve`
//! and an origin. Stopped when it is dropped; only processes started here are ended, by their ids.

use std::net::SocketAddr;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::origin::Origin;
use crate::wire::{Answer, Request};

/// An answer of the API.
#[derive(Debug)]
pub struct ApiAnswer {
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    pub body: Value,
}

impl ApiAnswer {
    pub fn etag(&self) -> String {
        self.headers["etag"].to_str().expect("an ETag is text").to_owned()
    }

    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{:#}", self.body);
        self
    }

    /// The pointers of a problem's errors.
    pub fn pointers(&self) -> Vec<&str> {
        self.body["errors"].as_array().into_iter().flatten().filter_map(|e| e["pointer"].as_str()).collect()
    }
}

/// How a stack is started.
#[derive(Default)]
pub struct Options {
    /// Arguments for guard-spoa beside the usual.
    pub spoa_args: Vec<&'static str>,
    /// More lines of the settings' sections.
    pub node: &'static str,
    pub haproxy: &'static str,
    /// More binds of the frontend.
    pub extra_binds: Vec<SocketAddr>,
}

pub struct Stack {
    pub dir: tempfile::TempDir,
    pub api: SocketAddr,
    pub http: SocketAddr,
    pub origin: Origin,
    pub token: String,
    client: reqwest::Client,
    config: PathBuf,
    url: String,
    database: (String, String),
    pub options: Options,
    pub serve: Option<Child>,
    pub haproxy: Option<Child>,
    pub spoa: Option<Child>,
    pub validator: Option<Child>,
}

/// A port that was free a moment ago and that nobody else is given: each process goes through a range of its own, below the ports that the
/// kernel gives to clients.
pub fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let start = (std::process::id() % 200) * 100;
    loop {
        let port = 10_000 + (start as u16 + NEXT.fetch_add(1, Ordering::Relaxed)) % 20_000;
        if std::net::TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

pub fn program(name: &str) -> PathBuf {
    let variable = match name {
        "haproxy" => std::env::var_os("HAPROXY"),
        "guard-spoa" => std::env::var_os("GUARD_SPOA"),
        _ => None,
    };
    let path = variable.map(PathBuf::from).unwrap_or_else(|| match name {
        "guard-proxy" => PathBuf::from(env!("CARGO_BIN_EXE_guard-proxy")),
        "guard-spoa" => Path::new(env!("CARGO_MANIFEST_DIR")).join("bin/guard-spoa"),
        other => PathBuf::from("/usr/sbin").join(other),
    });
    assert!(path.exists(), "{} is not there; `make build` makes it", path.display());
    path
}

/// A child in a process group of its own, its output in a file: a pipe's end would kill it with its reader.
pub fn spawn(mut command: Command, log: &Path) -> Child {
    let out = std::fs::OpenOptions::new().create(true).append(true).open(log).expect("a log file");
    let err = out.try_clone().expect("the log file again");
    command.stdin(Stdio::null()).stdout(out).stderr(err).process_group(0);
    command.spawn().unwrap_or_else(|e| panic!("starting {command:?}: {e}"))
}

pub fn kill(child: &mut Option<Child>, signal: &str) {
    if let Some(mut child) = child.take() {
        let _ = Command::new("kill").args([signal, &child.id().to_string()]).status();
        let until = Instant::now() + Duration::from_secs(5);
        while Instant::now() < until && matches!(child.try_wait(), Ok(None)) {
            std::thread::sleep(Duration::from_millis(10));
        }
        let _ = child.kill();
        let _ = child.wait();
    }
}

/// Waits until `what` holds; 20 s at most.
pub async fn eventually<F: AsyncFnMut() -> bool>(what: &str, mut holds: F) {
    let until = Instant::now() + Duration::from_secs(20);
    while !holds().await {
        assert!(Instant::now() < until, "in 20 s not: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

impl Stack {
    pub async fn start() -> Self {
        Self::start_with(Options::default()).await
    }

    pub async fn start_with(options: Options) -> Self {
        let dir = tempfile::Builder::new().prefix("gp-it").tempdir().expect("a folder");
        for folder in ["state", "run", "log"] {
            std::fs::create_dir(dir.path().join(folder)).expect("a folder");
        }
        let admin =
            std::env::var("DATABASE_URL").expect("DATABASE_URL names a PostgreSQL that may create databases; `make test` starts one");
        let name = format!("it_{}", uuid::Uuid::new_v4().simple());
        sql(&admin, &format!("CREATE DATABASE {name}")).await;
        let url = with_database(&admin, &name);
        let (api, http) = (free_port(), free_port());
        let binds: Vec<SocketAddr> =
            std::iter::once(SocketAddr::from(([127, 0, 0, 1], http))).chain(options.extra_binds.iter().copied()).collect();
        let config = dir.path().join("guard-proxy.toml");
        let mut stack = Self {
            api: SocketAddr::from(([127, 0, 0, 1], api)),
            http: binds[0],
            origin: Origin::start().await,
            token: String::new(),
            client: reqwest::Client::builder().timeout(Duration::from_secs(60)).build().expect("a client"),
            database: (admin, name),
            config,
            url,
            options,
            serve: None,
            haproxy: None,
            spoa: None,
            validator: None,
            dir,
        };
        stack.rebind(&binds);
        let out = Command::new(program("guard-proxy")).arg("migrate").arg("--config").arg(&stack.config).output().expect("migrate runs");
        assert!(out.status.success(), "migrate: {}", String::from_utf8_lossy(&out.stderr));
        stack.start_validator();
        stack.start_serve().await;
        let log = stack.path("log/serve.log");
        let mut token = String::new();
        eventually("the first start shows the token", async || {
            let said = std::fs::read_to_string(&log).expect("the log");
            let shown = said.lines().find_map(|l| l.split_once("shown this once: "));
            token = shown.map(|(_, token)| token.trim().to_owned()).unwrap_or_default();
            !token.is_empty()
        })
        .await;
        stack.token = token;
        let release = stack.path("state/current/haproxy.cfg");
        eventually("a first release", async || release.exists()).await;
        stack.start_spoa();
        stack.start_haproxy();
        stack
    }

    pub fn path(&self, relative: &str) -> PathBuf {
        self.dir.path().join(relative)
    }

    /// Writes the settings with these binds of the frontend; `serve` reads them at its next start.
    pub fn rebind(&mut self, binds: &[SocketAddr]) {
        crate::settings::write(&self.config, self.dir.path(), &self.url, self.api, binds, &self.options);
    }

    pub async fn start_serve(&mut self) {
        let mut command = Command::new(program("guard-proxy"));
        command.arg("serve").arg("--config").arg(&self.config).env("RUST_LOG", "info");
        self.serve = Some(spawn(command, &self.path("log/serve.log")));
        let url = format!("http://{}/ready", self.api);
        let client = self.client.clone();
        let log = self.path("log/serve.log");
        let child = self.serve.as_mut().expect("just started");
        eventually("the API is ready", async || {
            if let Ok(Some(status)) = child.try_wait() {
                panic!("serve ended with {status}: {}", std::fs::read_to_string(&log).unwrap_or_default());
            }
            client.get(&url).send().await.is_ok_and(|a| a.status().is_success())
        })
        .await;
    }

    pub fn start_spoa(&mut self) {
        let mut command = Command::new(program("guard-spoa"));
        command
            .arg("-config")
            .arg(self.path("state/current/guard-spoa.yaml"))
            .arg("-control")
            .arg(self.path("run/guard-spoa-control.sock"))
            .args(&self.options.spoa_args);
        self.spoa = Some(spawn(command, &self.path("log/spoa.log")));
    }

    pub fn start_validator(&mut self) {
        let mut command = Command::new(program("guard-spoa"));
        command.arg("-validator").arg("-control").arg(self.path("run/guard-spoa-validator.sock"));
        self.validator = Some(spawn(command, &self.path("log/validator.log")));
    }

    pub fn start_haproxy(&mut self) {
        let mut command = Command::new(program("haproxy"));
        let socket = format!("{},mode,600", self.path("run/haproxy-master.sock").display());
        command.args(["-W", "-S", &socket, "-f"]).arg(self.path("state/current/haproxy.cfg"));
        self.haproxy = Some(spawn(command, &self.path("log/haproxy.log")));
    }

    // The API.

    pub async fn call(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Option<&Value>) -> ApiAnswer {
        let method = reqwest::Method::from_bytes(method.as_bytes()).expect("a method");
        let mut request = self.client.request(method, format!("http://{}{path}", self.api)).bearer_auth(&self.token);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request.send().await.expect("the API answers");
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let text = answer.text().await.expect("the answer's body");
        let body = if text.is_empty() { Value::Null } else { serde_json::from_str(&text).unwrap_or(Value::String(text)) };
        ApiAnswer { status, headers, body }
    }

    pub async fn get(&self, path: &str) -> ApiAnswer {
        self.call("GET", path, &[], None).await
    }

    /// Creates or replaces, and waits until it is live.
    pub async fn put_live(&self, path: &str, body: Value) -> ApiAnswer {
        let there = self.get(path).await.status == 200;
        let headers: &[(&str, &str)] = if there { &[("if-match", "*")] } else { &[] };
        let answer = self.call("PUT", &format!("{path}?wait=live&wait_timeout_s=30"), headers, Some(&body)).await;
        assert!(matches!(answer.status, 200 | 201), "{path}: {} {:#}\n{}", answer.status, answer.body, self.logs());
        answer
    }

    /// Patches and waits until it is live.
    pub async fn patch_live(&self, path: &str, patch: Value) -> ApiAnswer {
        let answer = self.call("PATCH", &format!("{path}?wait=live&wait_timeout_s=30"), &[("if-match", "*")], Some(&patch)).await;
        assert_eq!(answer.status, 200, "{path}: {:#}\n{}", answer.body, self.logs());
        answer
    }

    /// A policy and a vhost of that name, at `<name>.test`, with the test's origin; live when this returns.
    pub async fn site(&self, name: &str, policy: Value) {
        let mut policy = policy;
        policy["name"] = json!(name);
        self.put_live(&format!("/api/v1/policies/{name}"), policy).await;
        self.put_live(&format!("/api/v1/vhosts/{name}"), self.vhost(name)).await;
    }

    pub fn vhost(&self, name: &str) -> Value {
        json!({
            "name": name, "hostnames": [format!("{name}.test")], "policy": name,
            "upstream": { "servers": [{ "name": "o", "address": "127.0.0.1", "port": self.origin.address.port() }] },
        })
    }

    /// Makes a list with these networks.
    pub async fn list(&self, name: &str, networks: &[&str]) {
        self.put_live(&format!("/api/v1/ip-lists/{name}"), json!({ "name": name })).await;
        let add: Vec<Value> = networks.iter().map(|n| json!({ "network": n })).collect();
        let path = format!("/api/v1/ip-lists/{name}/entries:batch?wait=live");
        self.call("POST", &path, &[], Some(&json!({ "add": add }))).await.expect(200);
    }

    // The wire.

    pub async fn send(&self, site: &str, request: Request) -> Answer {
        request.send(self.http, &format!("{site}.test")).await
    }

    pub async fn status(&self, site: &str, request: Request) -> u16 {
        self.send(site, request).await.status
    }

    /// The ends of all logs, for a failure's message.
    pub fn logs(&self) -> String {
        ["serve", "haproxy", "spoa", "validator"]
            .iter()
            .map(|name| {
                let text = std::fs::read_to_string(self.path(&format!("log/{name}.log"))).unwrap_or_default();
                let lines: Vec<&str> = text.lines().collect();
                format!("--- {name}\n{}\n", lines[lines.len().saturating_sub(15)..].join("\n"))
            })
            .collect()
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.logs());
        }
        for (child, signal) in
            [(&mut self.serve, "-TERM"), (&mut self.haproxy, "-TERM"), (&mut self.spoa, "-TERM"), (&mut self.validator, "-TERM")]
        {
            kill(child, signal);
        }
        let (admin, name) = self.database.clone();
        let _ = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(sql(&admin, &format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")));
        })
        .join();
    }
}

async fn sql(url: &str, statement: &str) {
    use sqlx::Connection;
    let mut connection = sqlx::PgConnection::connect(url).await.expect("the database answers");
    sqlx::raw_sql(sqlx::AssertSqlSafe(statement.to_owned())).execute(&mut connection).await.expect("the statement runs");
}

fn with_database(url: &str, name: &str) -> String {
    let (base, query) = url.split_once('?').map_or((url, None), |(base, query)| (base, Some(query)));
    let root = base.rsplit_once('/').expect("a URL with a database").0;
    query.map_or(format!("{root}/{name}"), |query| format!("{root}/{name}?{query}"))
}
