//! Request smuggling: bytes that one reader takes for one request and another for two. Whatever is sent, what the origin gets has one meaning, each
//! request in it was judged by us, and there is an answer for each.

use std::collections::{HashMap, HashSet};

use futures::StreamExt;
use serde_json::{Value, json};

use crate::origins::server::RawOrigin;
use crate::origins::strict::Request;
use crate::raw::{answers, exchange, exchange_patiently, unescaped};
use crate::stack::Stack;
use crate::wire::{SQLI, SQLI_FORM};

/// A case of the corpus as sent to a site.
struct Case {
    site: &'static str,
    class: &'static str,
    text: &'static str,
    number: usize,
    bytes: Vec<u8>,
}

impl Case {
    fn said(&self, what: impl std::fmt::Debug) -> String {
        format!("{} {} {}: {} -> {what:?}", self.site, self.number, self.class, self.text)
    }
}

fn corpus() -> Vec<(&'static str, &'static str)> {
    let lines = include_str!("corpus/smuggling.txt").lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| line.split_once(' ').expect("a class and bytes")).collect()
}

fn replaced(bytes: &[u8], name: &str, value: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = bytes;
    while let Some(at) = rest.windows(name.len()).position(|window| window == name.as_bytes()) {
        out.extend_from_slice(&rest[..at]);
        out.extend_from_slice(value);
        rest = &rest[at + name.len()..];
    }
    out.extend_from_slice(rest);
    out
}

/// The bytes of a case: its path names it, and the other request's is `/second` and its number.
fn bytes(text: &str, site: &str, number: usize, query: &str) -> Vec<u8> {
    let host = format!("{site}.test");
    let head = format!("Host: {host}\r\nUser-Agent: Mozilla/5.0 (test)\r\nAccept: text/html\r\n");
    let second = format!("GET /second{number}?{query} HTTP/1.1\r\n{head}\r\n");
    let mut bytes = unescaped(text);
    for (name, value) in [("{path}", format!("/first{number}")), ("{host}", host), ("{head}", head)] {
        bytes = replaced(&bytes, name, value.as_bytes());
    }
    bytes = replaced(&bytes, "{size}", format!("{:x}", second.len()).as_bytes());
    bytes = replaced(&bytes, "{second}", second.as_bytes());
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").map_or(bytes.len(), |at| at + 4);
    let length = (bytes.len() - end).to_string();
    replaced(&bytes, "{length}", length.as_bytes())
}

/// `guarded` blocks, `open` is off.
pub async fn start() -> (Stack, RawOrigin) {
    let (stack, origin) = (Stack::start().await, RawOrigin::start().await);
    for (name, mode) in [("guarded", "block"), ("open", "off")] {
        stack.put_live(&format!("/api/v1/policies/{name}"), json!({ "name": name, "mode": mode })).await;
        let mut vhost = stack.vhost(name);
        vhost["upstream"]["servers"][0]["port"] = json!(origin.address.port());
        stack.put_live(&format!("/api/v1/vhosts/{name}"), vhost).await;
    }
    (stack, origin)
}

/// Everything that the origin was sent, which has to have one meaning.
pub async fn received(origin: &RawOrigin) -> Vec<Request> {
    let read = origin.drain().await;
    let faults: Vec<&String> = read.iter().filter_map(|read| read.as_ref().err()).collect();
    assert!(faults.is_empty(), "the origin was sent what can be read in two ways:\n{faults:#?}");
    read.into_iter().flatten().flat_map(|(requests, _)| requests).collect()
}

/// What is wrong with a request at the origin, by the line that HAProxy logged of it.
pub fn unjudged(request: &Request, lines: &HashMap<String, Value>) -> Option<String> {
    let [id] = request.all("x-request-id")[..] else { return Some("it has not one id of ours".into()) };
    let line = lines.get(id)?;
    let path = request.target().split('?').next().unwrap_or_default().to_owned();
    if line["path"].as_str() != Some(&path) && request.target != b"*" {
        return Some(format!("another path was judged: {line}"));
    }
    match (line["mode"].as_str(), line["waf"].as_str(), line["action"].as_str()) {
        (Some("O"), ..) => None,
        (Some("B"), Some("1"), Some("allow")) if request.trailers.is_empty() => None,
        (Some("B"), ..) if !request.trailers.is_empty() => Some("its trailers came behind all that was inspected".into()),
        _ => Some(format!("it was not inspected and allowed: {line}")),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_smuggled() {
    let (stack, origin) = start().await;
    let mut cases = Vec::new();
    for site in ["guarded", "open"] {
        for query in ["a=1", SQLI] {
            for (class, text) in corpus() {
                let number = cases.len();
                cases.push(Case { site, class, text, number, bytes: bytes(text, site, number, query) });
            }
        }
    }
    let http = stack.http;
    let sent = futures::stream::iter(&cases).map(|case| async move { (case, exchange_patiently(http, &case.bytes).await) });
    let answered: Vec<(&Case, Vec<u8>)> = sent.buffered(32).collect().await;
    let received = received(&origin).await;
    let ids: Vec<String> = received.iter().flat_map(|request| request.all("x-request-id")).map(str::to_owned).collect();
    let lines = stack.lines(&ids).await;

    let mut wrong: Vec<String> =
        received.iter().filter_map(|request| Some(format!("{request:?}: {}", unjudged(request, &lines)?))).collect();
    let distinct: HashSet<&String> = ids.iter().collect();
    assert_eq!(distinct.len(), ids.len(), "an id came to the origin twice");
    for (case, answered) in &answered {
        let answers = answers(answered, case.bytes.starts_with(b"HEAD "));
        let ours = [200, 400, 403, 405, 408, 413, 414, 417, 421, 422, 501, 505];
        if let Some(odd) = answers.iter().find(|answer| answer.status >= 200 && !ours.contains(&answer.status)) {
            wrong.push(case.said(odd.status));
        }
        let arrived = received.iter().filter(|request| {
            let target = request.target();
            target.trim_start_matches("/first").split(['?', '#']).next() == Some(&case.number.to_string())
                || target.starts_with(&format!("/second{}?", case.number))
        });
        let arrived: Vec<String> = arrived.map(Request::target).collect();
        let served = answers.iter().filter(|answer| answer.status == 200).count();
        if arrived.len() > served {
            wrong.push(case.said(format!("{arrived:?} arrived, {served} were answered")));
        }
        if case.site == "guarded" && arrived.iter().any(|target| target.contains("UNION")) {
            wrong.push(case.said(format!("{arrived:?} arrived")));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
    let plain = received.iter().filter(|request| request.target().starts_with("/first")).count();
    assert!(plain > 100 && received.iter().any(|request| request.target().starts_with("/second")), "{plain} arrived: that proves little");
}

/// Requests that are two are two: each is judged on its own, in order.
#[tokio::test(flavor = "multi_thread")]
async fn requests_in_a_row_are_judged_one_by_one() {
    let (stack, origin) = start().await;
    let head = "Host: guarded.test\r\nUser-Agent: Mozilla/5.0 (test)\r\nAccept: text/html\r\n";
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\n{head}\r\n");
    let post = |path: &str, body: &str| {
        let length = body.len();
        format!("POST {path} HTTP/1.1\r\n{head}Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {length}\r\n\r\n{body}")
    };
    let chunked = |path: &str, body: &str| {
        let kind = "Content-Type: application/x-www-form-urlencoded\r\nTransfer-Encoding: chunked\r\n";
        format!("POST {path} HTTP/1.1\r\n{head}{kind}\r\n{:x}\r\n{body}\r\n0\r\n\r\n", body.len())
    };
    let attack = get(&format!("/bad?{SQLI}"));
    for (row, want) in [
        (vec![get("/1"), get("/2"), get("/3")], vec![200, 200, 200]),
        (vec![get("/1"), attack.clone()], vec![200, 403]),
        (vec![post("/1", "a=1"), attack.clone()], vec![200, 403]),
        (vec![chunked("/1", "a=1"), attack.clone()], vec![200, 403]),
        (vec![get("/1"), post("/bad", SQLI_FORM)], vec![200, 403]),
        (vec![post("/1", "a=1"), chunked("/bad", SQLI_FORM)], vec![200, 403]),
        (vec![get("/1"), get("/2"), post("/3", "b=2"), chunked("/4", "c=3"), post("/bad", SQLI_FORM)], vec![200, 200, 200, 200, 403]),
    ] {
        let answered = answers(&exchange_patiently(stack.http, row.concat().as_bytes()).await, false);
        let statuses: Vec<u16> = answered.iter().map(|answer| answer.status).collect();
        assert_eq!(statuses, want, "{row:?}");
        let arrived = received(&origin).await;
        assert!(arrived.iter().all(|request| request.target != b"/bad" && !request.target().contains("UNION")), "{arrived:?}");
        assert_eq!(arrived.len(), want.iter().filter(|status| **status == 200).count(), "{arrived:?}");
    }
}

/// The ordinary ways that look like tricks work.
#[tokio::test(flavor = "multi_thread")]
async fn ordinary_requests_are_served() {
    let (stack, origin) = start().await;
    let head = "Host: guarded.test\r\nUser-Agent: curl/8.0\r\nAccept: */*\r\n";
    let form = "Content-Type: application/x-www-form-urlencoded\r\n";
    for (name, request, want) in [
        ("HEAD", format!("HEAD /a HTTP/1.1\r\n{head}\r\n"), ""),
        ("Expect", format!("POST /a HTTP/1.1\r\n{head}{form}Expect: 100-continue\r\nContent-Length: 3\r\n\r\na=1"), "a=1"),
        ("empty POST", format!("POST /a HTTP/1.1\r\n{head}Content-Length: 0\r\n\r\n"), ""),
        (
            "a chunk's extension",
            format!("POST /a HTTP/1.1\r\n{head}{form}Transfer-Encoding: chunked\r\n\r\n3;n=v\r\na=1\r\n0\r\n\r\n"),
            "a=1",
        ),
        ("chunks", format!("POST /a HTTP/1.1\r\n{head}{form}Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n2\r\n=1\r\n0\r\n\r\n"), "a=1"),
        ("an empty line before", format!("\r\nGET /a HTTP/1.1\r\n{head}\r\n"), ""),
        ("a header with `_`", format!("GET /a HTTP/1.1\r\n{head}X_Custom: 1\r\n\r\n"), ""),
    ] {
        let answered = answers(&exchange(stack.http, request.as_bytes()).await, request.starts_with("HEAD"));
        let last = answered.last().unwrap_or_else(|| panic!("{name}: no answer"));
        assert_eq!(last.status, 200, "{name}: {answered:?}");
        assert_eq!(answered.iter().any(|answer| answer.status == 100), name == "Expect", "{name}: {answered:?}");
        let arrived = received(&origin).await;
        let bodies: Vec<&[u8]> = arrived.iter().map(|request| request.body.as_slice()).collect();
        assert_eq!(bodies, [want.as_bytes()], "{name}");
    }
    let attack = format!("POST /a HTTP/1.1\r\n{head}{form}Expect: 100-continue\r\nContent-Length: {}\r\n\r\n{SQLI_FORM}", SQLI_FORM.len());
    let answered = answers(&exchange(stack.http, attack.as_bytes()).await, false);
    assert_eq!(answered.last().map(|answer| answer.status), Some(403), "the body behind an Expect is inspected");
}
