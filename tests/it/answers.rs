//! What HAProxy answers itself: pages in two forms with the request's id, a reason for each in the event lines, and a path for load balancers.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::stack::{Options, Stack, eventually, free_port, kill};
use crate::wire::{Answer, Request, SQLI, connect, get, post, read};

const HTML: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
const JSON: &str = "application/json";

fn address(last: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(127, 0, 0, last))
}

/// An origin whose answers are bytes that stand here; it counts those that it keeps waiting.
struct Canned {
    address: SocketAddr,
    waiting: Arc<AtomicU32>,
    task: tokio::task::JoinHandle<()>,
}

impl Canned {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("its address");
        let waiting = Arc::new(AtomicU32::new(0));
        let count = waiting.clone();
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(canned(stream, count.clone()));
            }
        });
        Self { address, waiting, task }
    }

    fn upstream(&self, response_ms: u32) -> Value {
        json!({ "servers": [{ "name": "o", "address": "127.0.0.1", "port": self.address.port() }], "timeouts": { "response_ms": response_ms } })
    }
}

impl Drop for Canned {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn canned(mut stream: TcpStream, waiting: Arc<AtomicU32>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return,
        }
    }
    let head = String::from_utf8_lossy(&head);
    let path = head.split(' ').nth(1).unwrap_or_default();
    let own = |status: &str| {
        format!("HTTP/1.1 {status}\r\ncontent-type: text/x-own\r\nx-gp-own: 1\r\ncontent-length: 8\r\nconnection: close\r\n\r\nmy {path}")
    };
    let bytes = match path {
        "/101" => "HTTP/1.1 101 Switching Protocols\r\nupgrade: h2c\r\nconnection: upgrade\r\n\r\n".to_owned(),
        "/junk" => "not HTTP\r\n\r\n".to_owned(),
        "/wait" => {
            waiting.fetch_add(1, Ordering::SeqCst);
            let _ = stream.read_u8().await;
            return;
        }
        "/e403" => own("403 No"),
        "/e503" => own("503 No"),
        _ => own("200 Yes"),
    };
    let _ = stream.write_all(bytes.as_bytes()).await;
}

/// A refusal in one form: what anybody may see of it, and what its event line says.
#[track_caller]
fn page(what: &str, answer: &Answer, accept: &str, status: u16) -> String {
    assert_eq!(answer.status, status, "{what}: {answer:?}");
    let id = answer.header("x-request-id").expect("the request's id").to_owned();
    assert!(uuid::Uuid::parse_str(&id).is_ok(), "{what}: {id}");
    assert_eq!(answer.header("cache-control"), Some("no-store"), "{what}");
    assert_eq!(answer.header("x-gp-own"), None, "{what}: ours alone");
    let body = String::from_utf8_lossy(&answer.body);
    assert_eq!(body.matches(&id).count(), 1, "{what}: {body}");
    for told in ["waf", "rule", "coraza", "crs", "9421", "score", "anomaly", "haproxy", "1900"] {
        assert!(!body.to_ascii_lowercase().replace(&id, "").contains(told), "{what}: `{told}` is nobody's business: {body}");
    }
    if accept == JSON {
        assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{what}");
        let said = answer.json();
        assert_eq!((&said["status"], &said["request_id"], &said["type"]), (&json!(status), &json!(id), &json!("about:blank")), "{what}");
        assert!(said["title"].is_string() && said["detail"].is_string(), "{what}: {said}");
        assert_eq!(said.as_object().map(serde_json::Map::len), Some(5), "{what}: {said}");
    } else {
        assert_eq!(answer.header("content-type"), Some("text/html; charset=utf-8"), "{what}");
        assert!(body.starts_with("<!doctype html>") && body.trim_end().ends_with("</html>"), "{what}: {body}");
        assert!(body.contains(&format!("<h1>{status} ")), "{what}: {body}");
    }
    id
}

/// Sends it for each form, and expects this status and this reason.
async fn refusal(stack: &Stack, host: &str, request: Request, status: u16, reason: &str) {
    for accept in [HTML, JSON] {
        let answer = request.clone().header("accept", accept).send(stack.http, host).await;
        let id = page(reason, &answer, accept, status);
        let line = stack.line(&id).await;
        assert_eq!((&line["id"], &line["status"], &line["refused"]), (&json!(id), &json!(status), &json!(reason)), "{line}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_have_a_page_and_a_reason() {
    let mut stack = Stack::start().await;
    let canned = Canned::start().await;
    by_host_method_and_path(&stack).await;
    by_access_rate_and_size(&stack).await;
    by_the_waf(&stack).await;
    what_accept_means(&stack).await;
    by_the_origin(&stack, &canned).await;
    the_origins_own_answers(&stack, &canned).await;
    health(&mut stack).await;
    with_nothing_to_go_by(&mut stack).await;
}

async fn by_host_method_and_path(stack: &Stack) {
    stack.site("site", json!({})).await;
    refusal(stack, "site.test", get("/").header("content-length", "1000000000000000"), 400, "framing").await;
    refusal(stack, "site.test", get("ftp://site.test/"), 400, "bad-target").await;
    refusal(stack, "a_b", get("/"), 400, "bad-host").await;
    refusal(stack, "unknown.test", get("/"), 421, "unknown-host").await;
    refusal(stack, "site.test", Request::new("TRACE", "/"), 405, "method").await;
    stack.site("closed", json!({})).await;
    stack.patch_live("/api/v1/vhosts/closed", json!({ "enabled": false })).await;
    refusal(stack, "closed.test", get("/"), 421, "disabled").await;
    stack.site("parts", json!({})).await;
    stack.patch_live("/api/v1/vhosts/parts", json!({ "paths": [{ "prefix": "/a/" }], "on_ambiguous_path": "deny" })).await;
    refusal(stack, "parts.test", get("/x/../a/"), 400, "ambiguous-path").await;
}

async fn by_access_rate_and_size(stack: &Stack) {
    stack.list("bad", &["127.0.0.66"]).await;
    stack.patch_live("/api/v1/vhosts/site", json!({ "access": { "deny": ["bad"] }, "body": { "max_bytes": 150_000 } })).await;
    refusal(stack, "site.test", get("/").from(address(66)), 403, "access").await;
    refusal(stack, "site.test", post("/", vec![b'a'; 160_000]), 413, "too-large").await;
    refusal(stack, "site.test", post("/", vec![b'a'; 140_000]), 413, "cut").await;
    stack.site("rate", json!({})).await;
    stack.patch_live("/api/v1/vhosts/rate", json!({ "rate_limit": { "requests": 1, "period": "10m" } })).await;
    assert_eq!(stack.status("rate", get("/")).await, 200);
    refusal(stack, "rate.test", get("/"), 429, "rate").await;
}

/// The Core Rule Set's 403, and each status that a custom rule may give.
async fn by_the_waf(stack: &Stack) {
    refusal(stack, "site.test", get(&format!("/?{SQLI}")), 403, "waf").await;
    let statuses = [400, 401, 404, 405, 410, 413, 429, 500, 503];
    let rule = |status: u16| {
        let seclang = format!("SecRule ARGS:s \"@streq {status}\" \"phase:2,deny,status:{status},t:none,log,msg:'as told'\"");
        json!({ "id": 190_000 + u32::from(status), "seclang": seclang })
    };
    stack.site("custom", json!({ "custom_rules": statuses.map(rule) })).await;
    for status in statuses {
        refusal(stack, "custom.test", get(&format!("/?s={status}")), status, "waf").await;
    }
}

async fn what_accept_means(stack: &Stack) {
    let attack = get(&format!("/?{SQLI}"));
    for (accept, json) in [
        ("application/json", true),
        ("Application/JSON;q=0.9, */*", true),
        ("application/problem+json", true),
        ("application/vnd.api+json", true),
        ("text/html, application/json", false),
        ("application/json, text/HTML;q=0.1", false),
        ("*/*", false),
        ("", false),
        ("image/png", false),
    ] {
        let answer = stack.send("site", attack.clone().header("accept", accept)).await;
        page(accept, &answer, if json { JSON } else { HTML }, 403);
    }
    // HEAD: the same head, no body.
    for (accept, content_type) in [(HTML, "text/html; charset=utf-8"), (JSON, "application/problem+json")] {
        let answer = stack.send("site", Request::new("HEAD", &format!("/?{SQLI}")).header("accept", accept)).await;
        assert_eq!((answer.status, answer.header("content-type"), answer.body.len()), (403, Some(content_type), 0), "{answer:?}");
    }
    // Whatever else stands there changes the choice at most: not a byte of it comes back.
    for (kind, hostile) in [(JSON, "application/json\"}'),%[src]${HOME}<script>alert(1)</script>"), (HTML, "text/html'),%[src]<script>]")] {
        let plain = stack.send("site", get(&format!("/?{SQLI}")).header("accept", kind)).await;
        let odd = stack.send("site", get(&format!("/?{SQLI}")).header("accept", hostile)).await;
        let (id, odd_id) = (page("plain", &plain, kind, 403), page("odd", &odd, kind, 403));
        let without = |answer: &Answer, id: &str| {
            let body = String::from_utf8_lossy(&answer.body).replace(id, "");
            let headers: Vec<_> = answer.headers.iter().filter(|(name, _)| name != "x-request-id").cloned().collect();
            (headers, body)
        };
        assert_eq!(without(&plain, &id), without(&odd, &odd_id));
    }
}

/// What HAProxy answers where the origin does not, or not properly.
async fn by_the_origin(stack: &Stack, canned: &Canned) {
    stack.site("canned", json!({})).await;
    stack.patch_live("/api/v1/vhosts/canned", json!({ "upstream": canned.upstream(300) })).await;
    refusal(stack, "canned.test", get("/101"), 502, "bad-answer").await;
    refusal(stack, "canned.test", get("/junk"), 502, "bad-answer").await;
    refusal(stack, "canned.test", get("/wait"), 504, "slow-server").await;
    stack.site("down", json!({})).await;
    let upstream = json!({ "servers": [{ "name": "o", "address": "127.0.0.1", "port": free_port() }] });
    stack.patch_live("/api/v1/vhosts/down", json!({ "upstream": upstream })).await;
    refusal(stack, "down.test", get("/"), 503, "no-server").await;
}

/// Errors of an origin are its own, in whatever form, also where it claims to be us.
async fn the_origins_own_answers(stack: &Stack, canned: &Canned) {
    for (path, status) in [("/e403", 403), ("/e503", 503), ("/e200", 200)] {
        for accept in [HTML, JSON] {
            let answer = stack.send("canned", get(path).header("accept", accept)).await;
            assert_eq!((answer.status, answer.header("content-type")), (status, Some("text/x-own")), "{path} {accept}");
            assert_eq!(answer.body, format!("my {path}").into_bytes(), "{path} {accept}");
            let line = stack.line(answer.header("x-request-id").expect("the request's id")).await;
            assert_eq!((&line["status"], &line["refused"]), (&json!(status), &json!("-")), "{line}");
        }
    }
    assert!(canned.waiting.load(Ordering::SeqCst) > 0, "it was this origin");
}

/// For load balancers: any host, no log, and well only while there is somebody to ask for verdicts.
async fn health(stack: &mut Stack) {
    const PATH: &str = "/.guard-proxy/health";
    let mut asked = Vec::new();
    for host in ["unknown.test", "site.test", "127.0.0.1", "a_b", "closed.test"] {
        let answer = get(PATH).send(stack.http, host).await;
        assert_eq!((answer.status, answer.body.as_slice()), (200, b"ok".as_slice()), "{host}: {answer:?}");
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        asked.push(answer.header("x-request-id").expect("the request's id").to_owned());
    }
    assert_eq!(get(&format!("{PATH}/")).send(stack.http, "unknown.test").await.status, 421, "no other path");
    kill(&mut stack.spoa, "-KILL");
    eventually("the health path says 503", async || get(PATH).send(stack.http, "unknown.test").await.status == 503).await;
    for accept in [HTML, JSON] {
        let answer = get(PATH).header("accept", accept).send(stack.http, "unknown.test").await;
        asked.push(page("health", &answer, accept, 503));
    }
    // Lines are written in their order: once this one is there, those before it would be.
    refusal(stack, "site.test", get("/"), 503, "waf-error").await;
    let log = std::fs::read_to_string(stack.path("log/haproxy.log")).expect("the log");
    assert!(asked.iter().all(|id| !log.contains(id)) && !log.contains(PATH), "health is not logged");
    stack.start_spoa();
    eventually("the health path says 200 again", async || get(PATH).send(stack.http, "unknown.test").await.status == 200).await;
}

/// Maps that lost what requests need, while nobody is there to mend them.
async fn with_nothing_to_go_by(stack: &mut Stack) {
    kill(&mut stack.serve, "-TERM");
    for pid in stack.worker_pids().await {
        stack.master(&format!("@!{pid} clear map access.map")).await;
    }
    refusal(stack, "site.test", get("/"), 503, "no-access").await;
    for pid in stack.worker_pids().await {
        stack.master(&format!("@!{pid} clear map rows.map")).await;
    }
    refusal(stack, "site.test", get("/"), 503, "no-row").await;
}

/// Waits for little.
const IMPATIENT: &str = "client_timeout_ms = 1000\nrequest_timeout_ms = 500\nconnections_per_client = 3\n";

/// Sends these bytes as a body once HAProxy waits for one, which it says by a 100.
async fn upload(stack: &Stack, accept: &str, framing: &str, body: &str) -> Answer {
    const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";
    let mut stream = connect(stack.http, None).await;
    let head = format!("POST / HTTP/1.1\r\nHost: site.test\r\nAccept: {accept}\r\nExpect: 100-continue\r\n{framing}\r\n\r\n");
    stream.write_all(head.as_bytes()).await.expect("sending the head");
    let mut said = vec![0; CONTINUE.len()];
    stream.read_exact(&mut said).await.expect("HAProxy waits for the body");
    assert_eq!(said, CONTINUE);
    stream.write_all(body.as_bytes()).await.expect("sending the body");
    read(&mut stream).await
}

async fn raw(stack: &Stack, bytes: &str) -> Answer {
    let mut stream = connect(stack.http, None).await;
    stream.write_all(bytes.as_bytes()).await.expect("sending");
    read(&mut stream).await
}

#[tokio::test(flavor = "multi_thread")]
async fn too_slow_too_busy_and_no_requests_at_all() {
    let stack =
        Stack::start_with(Options { node: "health_path = \"\"\nproxies = [\"127.0.0.2\"]\n", haproxy: IMPATIENT, ..Options::default() })
            .await;
    let canned = Canned::start().await;
    stack.site("site", json!({})).await;
    // Without a health path its place is like any other.
    assert_eq!(stack.status("site", get("/.guard-proxy/health")).await, 200);
    assert_eq!(stack.origin.received("/.guard-proxy/health").len(), 1);
    refusal(&stack, "unknown.test", get("/.guard-proxy/health"), 421, "unknown-host").await;

    for accept in [HTML, JSON] {
        for (framing, body, status, reason) in
            [("Content-Length: 9", "a=1", 408, "slow-request"), ("Transfer-Encoding: chunked", "no chunk\r\n", 400, "broken-request")]
        {
            let answer = upload(&stack, accept, framing, body).await;
            let id = page(reason, &answer, accept, status);
            assert_eq!(stack.line(&id).await["refused"], reason);
        }
    }

    // What never becomes a request meets no rule: HAProxy's own words, no id, and a line of its own.
    for (bytes, status) in [("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400), ("GET / HTTP/1.1\r\nHo", 408)] {
        let answer = raw(&stack, bytes).await;
        assert_eq!((answer.status, answer.header("x-request-id")), (status, None), "{bytes:?}");
        eventually("its line", async || {
            let log = std::fs::read_to_string(stack.path("log/haproxy.log")).unwrap_or_default();
            let mut lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
            lines.any(|line| line["id"] == "-" && line["status"] == status && line["refused"] == "-")
        })
        .await;
    }

    // Requests at once of one client behind a proxy.
    stack
        .patch_live(
            "/api/v1/vhosts/site",
            json!({ "upstream": canned.upstream(30_000), "client_ip": { "trusted_proxies": ["127.0.0.2"] } }),
        )
        .await;
    let forwarded = |path: &str| get(path).header("x-forwarded-for", "198.51.100.1").from(address(2));
    let http = stack.http;
    let held: Vec<_> = (0..3)
        .map(|_| {
            let request = forwarded("/wait");
            tokio::spawn(async move { request.send(http, "site.test").await })
        })
        .collect();
    eventually("three wait", async || canned.waiting.load(Ordering::SeqCst) == 3).await;
    refusal(&stack, "site.test", forwarded("/"), 429, "busy").await;
    let other = get("/").header("x-forwarded-for", "198.51.100.2").from(address(2));
    assert_eq!(stack.status("site", other).await, 200, "another client of that proxy");
    held.iter().for_each(tokio::task::JoinHandle::abort);
}
