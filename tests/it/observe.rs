//! What a test may look at beside the answers: HAProxy's workers, guard-spoa's applications, and the event lines.

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use crate::stack::{Stack, eventually};
use crate::wire::{Request, get};

impl Stack {
    /// One command on the master's CLI.
    pub async fn master(&self, command: &str) -> String {
        let mut stream = UnixStream::connect(self.path("run/haproxy-master.sock")).await.expect("the master's socket");
        stream.write_all(format!("{command}\n").as_bytes()).await.expect("sending");
        stream.shutdown().await.expect("half-closing");
        let mut out = String::new();
        stream.read_to_string(&mut out).await.expect("reading");
        out
    }

    /// The ids of the workers that serve new connections.
    pub async fn worker_pids(&self) -> Vec<u32> {
        let text = self.master("show proc").await;
        let current = text.split("# old workers").next().unwrap_or_default();
        current
            .lines()
            .filter(|line| line.split_whitespace().nth(1) == Some("worker"))
            .filter_map(|line| line.split_whitespace().next()?.parse().ok())
            .collect()
    }

    /// guard-spoa's control socket.
    pub async fn control(&self, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
        let client = reqwest::Client::builder().unix_socket(self.path("run/guard-spoa-control.sock")).build().expect("a client");
        let method = reqwest::Method::from_bytes(method.as_bytes()).expect("a method");
        let mut request = client.request(method, format!("http://guard-spoa{path}"));
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await.expect("guard-spoa answers");
        (answer.status().as_u16(), answer.json().await.unwrap_or(Value::Null))
    }

    pub async fn applications(&self) -> Vec<String> {
        let (_, body) = self.control("GET", "/v1/applications", None).await;
        let items = body["items"].as_array().cloned().unwrap_or_default();
        items.iter().map(|a| a["name"].as_str().expect("a name").to_owned()).collect()
    }

    /// Sends a request and gives HAProxy's line of it.
    pub async fn request_line(&self, site: &str, request: Request) -> Value {
        let answer = self.send(site, request).await;
        self.line(answer.header("x-request-id").expect("answers carry the request's id")).await
    }

    /// HAProxy's line of the first request whose line has this text.
    pub async fn line(&self, mark: &str) -> Value {
        let mut found = Value::Null;
        eventually("the request's line", async || {
            let log = std::fs::read_to_string(self.path("log/haproxy.log")).unwrap_or_default();
            let line = log.lines().filter(|l| l.contains(mark)).find_map(|l| serde_json::from_str::<Value>(l).ok());
            found = line.unwrap_or_default();
            !found.is_null()
        })
        .await;
        found
    }

    /// Why HAProxy refused a request.
    pub async fn refused(&self, site: &str, request: Request) -> String {
        self.request_line(site, request).await["refused"].as_str().expect("every line says").to_owned()
    }

    /// Sends a GET and gives the ids of all rules that guard-spoa says it matched.
    pub async fn event_rules(&self, site: &str, target: &str) -> Vec<u32> {
        let answer = self.send(site, get(target)).await;
        let id = answer.header("x-request-id").expect("answers carry the request's id").to_owned();
        let mut rules = Vec::new();
        eventually("the event line", async || {
            let log = std::fs::read_to_string(self.path("log/spoa.log")).unwrap_or_default();
            let event = log
                .lines()
                .filter(|l| l.contains(&id))
                .filter_map(|l| serde_json::from_str::<Value>(l).ok())
                .find(|e| e["rules"].is_array());
            let Some(event) = event else { return false };
            rules = event["rules"].as_array().expect("rules").iter().filter_map(|r| r["id"].as_u64()).map(|id| id as u32).collect();
            true
        })
        .await;
        rules
    }
}
