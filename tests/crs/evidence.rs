//! What was seen of a request: the answer on the wire, HAProxy's line and guard-spoa's, joined by the request's id.

use std::collections::HashMap;

use serde::Deserialize;

use crate::stack::{Stack, eventually};
use crate::wire::{Answer, SQLI, get};

/// HAProxy's line of a request; it writes `-` where there is nothing to write.
#[derive(Deserialize)]
pub struct Line {
    id: String,
    waf: String,
    action: String,
    rules: String,
    error: String,
    fault: String,
}

/// guard-spoa's line of a request in which a rule matched.
#[derive(Deserialize)]
struct Event {
    id: String,
    rules: Vec<Match>,
    truncated: bool,
}

#[derive(Clone, Deserialize)]
pub struct Match {
    pub id: u32,
    pub msg: String,
    pub data: String,
}

/// Both logs.
pub struct Logs {
    lines: HashMap<String, Line>,
    events: HashMap<String, Event>,
}

impl Logs {
    /// Reads the logs once they hold all that they will ever hold of these requests.
    pub async fn read(stack: &Stack, host: &str, ids: &[&str]) -> Self {
        // Event lines come in the order of the verdicts: behind this one none is missing.
        let last = get(&format!("/?{SQLI}")).send(stack.http, host).await;
        let last = last.header("x-request-id").expect("answers carry the request's id");
        let log = stack.path("log/spoa.log");
        eventually("the last event", async || std::fs::read_to_string(&log).is_ok_and(|text| text.contains(last))).await;
        // HAProxy drops a line, and counts it, where another thread does not make room on its output soon enough.
        let mut haproxy = HashMap::new();
        eventually("HAProxy's lines of all requests", async || {
            haproxy = lines(stack, "haproxy", |line: &Line| &line.id);
            ids.iter().filter(|id| !haproxy.contains_key(**id)).count() <= dropped(stack).await
        })
        .await;
        Self { lines: haproxy, events: lines(stack, "spoa", |event: &Event| uuid(&event.id)) }
    }

    /// Whether HAProxy's line of the request that was answered so was dropped.
    pub fn lost(&self, answer: &Answer) -> bool {
        answer.header("x-request-id").is_some_and(|id| !self.lines.contains_key(id))
    }

    /// What the engine matched in the request that was answered so; or why there is no verdict on it.
    pub fn verdict(&self, answer: &Answer) -> Result<Vec<Match>, String> {
        let Some(id) = answer.header("x-request-id") else {
            return Err(format!("not inspected: HAProxy could not read it and answered {}", answer.status));
        };
        let line = &self.lines[id];
        if line.waf == "-" {
            return Err(format!("not inspected: our rules in HAProxy answered {}", answer.status));
        }
        if line.action == "-" || line.error != "-" || line.fault != "-" {
            return Err(format!("no verdict: error `{}`, fault `{}`", line.error, line.fault));
        }
        let event = self.events.get(id);
        let mut matches = event.map(|e| e.rules.clone()).unwrap_or_default();
        let said: Vec<u32> = matches.iter().map(|m| m.id).filter(|id| counted(*id)).collect();
        let told: Vec<u32> = line.rules.split(',').filter_map(|id| id.parse().ok()).collect();
        let rest = told.strip_prefix(said.as_slice()).filter(|rest| rest.is_empty() || event.is_some_and(|e| e.truncated));
        let Some(rest) = rest else { return Err(format!("HAProxy was told {told:?}, the event line says {said:?}")) };
        // The rules that were too many for the event line.
        matches.extend(rest.iter().map(|id| Match { id: *id, msg: String::new(), data: String::new() }));
        Ok(matches)
    }
}

/// Lines that HAProxy has dropped.
async fn dropped(stack: &Stack) -> usize {
    let info = stack.master("@1 show info").await;
    let count = info.lines().find_map(|line| line.strip_prefix("DroppedLogs: ")).expect("HAProxy counts them");
    count.trim().parse().expect("a number")
}

/// The rules that guard-spoa tells HAProxy: detections of the CRS, and its own of multipart bodies.
fn counted(id: u32) -> bool {
    (910_000..960_000).contains(&id) || id == 100_010
}

/// The last part of HAProxy's id for the agent.
fn uuid(id: &str) -> &str {
    id.rsplit('.').next().unwrap_or_default()
}

fn lines<T: for<'a> Deserialize<'a>>(stack: &Stack, log: &str, id: impl Fn(&T) -> &str) -> HashMap<String, T> {
    let text = std::fs::read(stack.path(&format!("log/{log}.log"))).expect("the log");
    let parsed = text.split(|b| *b == b'\n').filter_map(|line| serde_json::from_slice::<T>(line).ok());
    parsed.map(|line| (id(&line).to_owned(), line)).collect()
}
