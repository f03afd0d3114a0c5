//! Bytes over a socket, as they are: for requests that are none. `wire` is for those that are.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::stack::{Stack, eventually};
use crate::wire::{Answer, connect};

/// How long a connection on which nothing happens is left open by `exchange_patiently`.
const QUIET: Duration = Duration::from_millis(300);

/// Sends `bytes`, closes the sending side, and gives all that comes back until the end.
pub async fn exchange(to: SocketAddr, bytes: &[u8]) -> Vec<u8> {
    talk(to, bytes, Duration::ZERO).await
}

/// The same, but closes only when it has been quiet: of a client that has closed HAProxy may leave later requests aside.
pub async fn exchange_patiently(to: SocketAddr, bytes: &[u8]) -> Vec<u8> {
    talk(to, bytes, QUIET).await
}

async fn talk(to: SocketAddr, bytes: &[u8], quiet: Duration) -> Vec<u8> {
    let talk = async {
        let mut stream = connect(to, None).await;
        // An answer may come, and the connection go, before all is sent: what counts is what was answered.
        let _ = stream.write_all(bytes).await;
        let (mut answered, mut chunk) = (Vec::new(), [0_u8; 16_384]);
        let mut open = true;
        loop {
            let read =
                if open { tokio::time::timeout(quiet, stream.read(&mut chunk)).await.ok() } else { Some(stream.read(&mut chunk).await) };
            match read {
                Some(Ok(length @ 1..)) => answered.extend_from_slice(&chunk[..length]),
                Some(_) => return answered,
                None => {
                    open = false;
                    let _ = stream.shutdown().await;
                }
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(20), talk)
        .await
        .unwrap_or_else(|_| panic!("not ended in 20 s: {:?}", String::from_utf8_lossy(bytes)))
}

/// The other way of `escape_ascii`.
pub fn unescaped(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'\\' {
            out.push(byte);
            continue;
        }
        out.push(match bytes.next().expect("something is escaped") {
            b'r' => b'\r',
            b'n' => b'\n',
            b't' => b'\t',
            same @ (b'\\' | b'"' | b'\'') => same,
            b'x' => {
                let digits = [bytes.next(), bytes.next()].map(|digit| char::from(digit.unwrap_or_default()).to_digit(16).expect("a digit"));
                (digits[0] << 4 | digits[1]) as u8
            }
            other => panic!("\\{} in {text}", char::from(other)),
        });
    }
    out
}

/// The answers in what came back. `headless`: none has a body, as answers to HEAD.
pub fn answers(mut bytes: &[u8], headless: bool) -> Vec<Answer> {
    let mut answers = Vec::new();
    while let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
        let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
        bytes = &bytes[end + 4..];
        let mut lines = head.split("\r\n");
        let status = lines.next().and_then(|line| line.strip_prefix("HTTP/1.1 ")).and_then(|line| line.get(..3)?.parse().ok());
        let status = status.unwrap_or_else(|| panic!("no answer: {head:?}"));
        let headers: Vec<(String, String)> =
            lines.filter_map(|line| line.split_once(':')).map(|(name, value)| (name.to_owned(), value.trim().to_owned())).collect();
        let mut answer = Answer { status, headers, body: Vec::new() };
        if !headless && status >= 200 {
            let length = answer.header("content-length").map_or(bytes.len(), |length| length.parse().expect("a length"));
            answer.body = bytes[..length.min(bytes.len())].to_vec();
            bytes = &bytes[answer.body.len()..];
        }
        answers.push(answer);
    }
    answers
}

/// The answer to one request, in these bytes; status 0 where the connection closed without one.
pub async fn ask(to: SocketAddr, bytes: &[u8]) -> Answer {
    let answered = exchange(to, bytes).await;
    let found = answers(&answered, bytes.starts_with(b"HEAD ")).into_iter().find(|answer| answer.status >= 200);
    found.unwrap_or(Answer { status: 0, headers: Vec::new(), body: answered })
}

/// The head of a GET as browsers send it, for a target and a host of any bytes.
pub fn get(target: &[u8], host: &str) -> Vec<u8> {
    let rest = format!(" HTTP/1.1\r\nHost: {host}\r\nUser-Agent: Mozilla/5.0 (test)\r\nAccept: text/html,*/*\r\n\r\n");
    [b"GET ", target, rest.as_bytes()].concat()
}

/// Bytes written as text: `<hh>` is a byte, everything else stands for itself.
pub fn bytes(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('<') {
        out.extend_from_slice(before.as_bytes());
        let (hex, behind) = after.split_once('>').expect("`<` opens a byte: write `<3c>`");
        out.push(u8::from_str_radix(hex, 16).expect("two hexadecimal digits"));
        rest = behind;
    }
    out.extend_from_slice(rest.as_bytes());
    out
}

impl Stack {
    /// The lines that HAProxy logged of these requests, by id: all but those that it says it dropped. It does when two threads log at once.
    pub async fn lines(&self, ids: &[String]) -> HashMap<String, Value> {
        let mut lines = HashMap::new();
        eventually("HAProxy logged every request", async || {
            let log = std::fs::read(self.path("log/haproxy.log")).expect("HAProxy's log");
            let log = String::from_utf8_lossy(&log);
            let whole = log.rsplit_once('\n').map_or("", |(whole, _)| whole);
            let logged: HashMap<&str, &str> = whole
                .lines()
                .filter_map(|line| Some((line.strip_prefix(r#"{"log":"request","id":""#)?.split('"').next()?, line)))
                .collect();
            let found =
                ids.iter().filter_map(|id| Some((id.clone(), serde_json::from_str(logged.get(id.as_str())?).expect("a line is JSON"))));
            lines = found.collect();
            let missing = ids.iter().filter(|id| !lines.contains_key(*id)).count();
            missing == 0 || missing <= self.dropped_lines().await
        })
        .await;
        lines
    }

    /// How many lines HAProxy says it has not written.
    pub async fn dropped_lines(&self) -> usize {
        let mut dropped = 0;
        for worker in self.worker_pids().await {
            let info = self.master(&format!("@!{worker} show info")).await;
            let count = info.lines().find_map(|line| line.strip_prefix("DroppedLogs: ")).expect("HAProxy counts them");
            dropped += count.parse::<usize>().expect("a number");
        }
        dropped
    }
}

#[test]
fn bytes_are_written_as_text() {
    assert_eq!(bytes("/a<00>b<3c>c"), b"/a\0b<c");
}
