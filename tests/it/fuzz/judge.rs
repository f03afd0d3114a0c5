//! Compares what the origin received with what HAProxy logged and what guard-spoa saw, by the request's id.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Seek, SeekFrom};
use std::path::PathBuf;

use serde_json::Value;

use super::attack::{Attack, BENIGN, Place};
use super::recorder::{Received, position};
use crate::origin::sha256;
use crate::stack::{Stack, eventually};

/// Ours, put in behind the WAF; and what says where a body ends, which is each connection's own.
const NOT_FROM_THE_CLIENT: [&str; 7] =
    ["x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "x-request-id", "connection", "transfer-encoding", "content-length"];

/// Both logs, by request id.
pub struct Judge {
    haproxy: Tail,
    agent: Tail,
    logged: BTreeMap<String, Vec<Value>>,
    seen: BTreeMap<String, Vec<Value>>,
    ids: BTreeSet<String>,
    /// Those that HAProxy did not write a line of, as it says itself.
    unwritten: usize,
}

impl Judge {
    pub fn new(stack: &Stack) -> Self {
        let tail = |name: &str| Tail { path: stack.path(name), at: 0 };
        Self {
            haproxy: tail("log/haproxy.log"),
            agent: tail("log/spoa.log"),
            logged: BTreeMap::new(),
            seen: BTreeMap::new(),
            ids: BTreeSet::new(),
            unwritten: 0,
        }
    }

    fn read(&mut self) {
        for line in self.haproxy.lines().into_iter().filter(|line| line["log"] == "request") {
            self.logged.entry(text(&line, "id").into()).or_default().push(line);
        }
        for line in self.agent.lines().into_iter().filter(|line| line["msg"] == "request seen") {
            let id = text(&line, "id").rsplit('.').next().unwrap_or_default().to_owned();
            self.seen.entry(id).or_default().push(line);
        }
    }

    /// What is wrong with each that the origin received, if anything.
    pub async fn findings(&mut self, stack: &Stack, received: &[Received], attacks: &[Attack]) -> Vec<(usize, String)> {
        let mut missing = 0;
        eventually("HAProxy has logged what the origin received", async || {
            self.read();
            let id = |r: &Received| r.text("x-request-id");
            missing = received.iter().filter(|r| !id(r).is_empty() && !self.logged.contains_key(&id(r))).count();
            // It does not when two threads log at once.
            missing == 0 || self.unwritten + missing <= stack.dropped_lines().await
        })
        .await;
        self.unwritten += missing;
        let all = received.iter().enumerate();
        all.flat_map(|(at, r)| self.judge(r, attacks).into_iter().map(move |finding| (at, finding))).collect()
    }

    fn judge(&mut self, received: &Received, attacks: &[Attack]) -> Vec<String> {
        let mut found = received.odd.clone();
        let id = received.text("x-request-id");
        if !self.ids.insert(id.clone()) {
            found.push(format!("the id {id:?} came before: two requests at the origin, one at HAProxy"));
        }
        let host = received.text("host");
        let line = match self.logged.get(&id).map(Vec::as_slice) {
            Some([line]) => line,
            Some(lines) => return [found, vec![format!("logged {} times", lines.len())]].concat(),
            None if id.is_empty() => return [found, vec!["not logged".into()]].concat(),
            // One of those that HAProxy counted; what guard-spoa saw tells enough of it.
            None => {
                match host.as_str() {
                    "off.test" => return found,
                    "block.test" => found.extend(passed(attacks, received)),
                    "detect.test" => {}
                    host => found.push(format!("not logged, and sent to {host}")),
                }
                found.extend(self.unseen(&id, received));
                return found;
            }
        };
        if text(line, "host") != host {
            found.push(format!("decided for {} and sent to {host}", line["host"]));
        }
        match text(line, "mode") {
            "O" if host == "off.test" => return found,
            "B" if host == "block.test" => {
                for (field, wanted) in [("waf", "1"), ("action", "allow"), ("cut", "-"), ("error", "-"), ("fault", "-")] {
                    if line[field] != wanted {
                        found.push(format!("{field} is {}, and it passed", line[field]));
                    }
                }
                found.extend(passed(attacks, received));
            }
            "D" if host == "detect.test" => {}
            mode => found.push(format!("mode {mode} for {host}")),
        }
        if text(line, "cut") != "1" {
            found.extend(self.unseen(&id, received));
        }
        found
    }

    /// What reached the origin and was not shown to guard-spoa.
    fn unseen(&self, id: &str, received: &Received) -> Vec<String> {
        let seen = match self.seen.get(id).map(Vec::as_slice) {
            Some([seen]) => seen,
            other => return vec![format!("guard-spoa saw it {} times", other.map_or(0, <[Value]>::len))],
        };
        let mut found = Vec::new();
        let method = String::from_utf8_lossy(&received.method).into_owned();
        if seen["method"] != method.as_str() {
            found.push(format!("another method was inspected: {}", seen["method"]));
        }
        // In `*` itself there is nothing to inspect, and HAProxy has no path for it.
        if received.target != b"*" && seen["uri"] != hex(&received.target).as_str() {
            found.push(format!("another uri was inspected: {}", unhex(text(seen, "uri"))));
        }
        let shown: BTreeSet<String> = seen["headers"].as_array().into_iter().flatten().filter_map(Value::as_str).map(lower_name).collect();
        let sent = received.headers.iter().filter(|(name, _)| !NOT_FROM_THE_CLIENT.iter().any(|ours| ours.as_bytes() == name));
        for (name, value) in sent.chain(&received.trailers) {
            let line = [name, &b":"[..], value].concat();
            if !shown.contains(&hex(&line)) {
                found.push(format!("a field was not inspected: {}", line.escape_ascii()));
            }
        }
        if received.whole && seen["body_sha256"] != sha256(&received.body).as_str() {
            found.push(format!("another body was inspected: {} bytes of {}", seen["body_bytes"], received.body.len()));
        }
        found
    }
}

/// Attacks that reached the origin as they were sent.
fn passed(attacks: &[Attack], received: &Received) -> Vec<String> {
    attacks.iter().filter(|attack| attack.kind != BENIGN).filter_map(|attack| intact(attack, received)).collect()
}

/// An attack that is in a place that the rules inspect, and passed.
fn intact(attack: &Attack, received: &Received) -> Option<String> {
    let holds = |bytes: &[u8]| position(bytes, &attack.needle).is_some();
    let query = position(&received.target, b"?").map_or(&b""[..], |at| &received.target[at..]);
    let there = match attack.place {
        Place::Path => holds(&received.target),
        Place::Query => holds(query),
        Place::Header => received.all("referer").any(holds),
        Place::Cookie => received.all("cookie").any(holds),
        // Whatever type it says: a body without a parser is read as a form.
        Place::Form | Place::Json | Place::Xml | Place::Multipart => holds(&received.body),
    };
    there.then(|| format!("the attack {} passed in the {:?}", attack.kind, attack.place))
}

/// A log that grows.
struct Tail {
    path: PathBuf,
    at: u64,
}

impl Tail {
    /// The whole lines since the last time that are JSON.
    fn lines(&mut self) -> Vec<Value> {
        let mut text = Vec::new();
        let mut file = std::fs::File::open(&self.path).expect("the log");
        file.seek(SeekFrom::Start(self.at)).expect("seeking");
        file.read_to_end(&mut text).expect("reading");
        let whole = text.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
        self.at += whole as u64;
        text[..whole].split(|b| *b == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect()
    }
}

fn text<'a>(line: &'a Value, field: &str) -> &'a str {
    line[field].as_str().unwrap_or_default()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn unhex(text: &str) -> String {
    let bytes: Vec<u8> = text.as_bytes().chunks(2).filter_map(|d| u8::from_str_radix(std::str::from_utf8(d).ok()?, 16).ok()).collect();
    bytes.escape_ascii().to_string()
}

/// A header in hex with its name in lower case.
fn lower_name(line: &str) -> String {
    let mut bytes: Vec<u8> = line.as_bytes().chunks(2).filter_map(|d| u8::from_str_radix(std::str::from_utf8(d).ok()?, 16).ok()).collect();
    let colon = position(&bytes, b":").unwrap_or(bytes.len());
    bytes[..colon].make_ascii_lowercase();
    hex(&bytes)
}
