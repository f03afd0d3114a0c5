//! Bodies: whole and inspected, or refused, however they are sent; nothing of one reaches an origin that was not inspected.

use std::time::Duration;

use futures::StreamExt;
use futures::future::join;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::h2;
use crate::origin::sha256;
use crate::stack::{Options, Stack};
use crate::wire::{self, Answer, SQLI_FORM, connect, get, post};

/// More than the frontend's `timeout http-request` (5 s), which is for headers only.
const LONG: Duration = Duration::from_secs(7);
/// What is inspected whole, by default, less what headers and the rest of a frame may take.
const SURELY_WHOLE: usize = 120_000;

async fn start() -> Stack {
    // Time enough on any machine: a verdict is what is asked for, and too slow a one is a 503.
    let stack = Stack::start_with(Options {
        spoa_args: vec!["-queue-timeout", "50s", "-slow-evaluation", "0"],
        node: "waf_timeout_ms = 55000\n",
        ..Options::default()
    })
    .await;
    stack.site("block", json!({})).await;
    stack
}

#[tokio::test(flavor = "multi_thread")]
async fn attacks_are_whole_or_refused() {
    let stack = start().await;
    attacks_at_the_end(&stack).await;
    aligned_to_the_buffer(&stack).await;
    tiny_pieces(&stack).await;
    headers_eat_the_buffer(&stack).await;
    let passed = stack.origin.received("/attack");
    assert!(passed.is_empty(), "{} attacks reached the origin, the first: {:?}", passed.len(), passed[0].headers);
}

#[tokio::test(flavor = "multi_thread")]
async fn others_are_waited_for_and_arrive_whole() {
    let stack = start().await;
    stack.site("detect", json!({ "mode": "detect" })).await;
    join(slow(&stack), benign_ones_arrive_whole(&stack)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_waits_without_need() {
    let stack = start().await;
    stack.site("detect", json!({ "mode": "detect" })).await;
    stack.site("off", json!({ "mode": "off" })).await;
    stack.site("trust", json!({})).await;
    stack.list("friends", &["127.0.0.0/8"]).await;
    stack.patch_live("/api/v1/vhosts/trust", json!({ "access": { "deny": ["friends"] } })).await;
    nobody_waits_for_what_is_refused(&stack).await;
    stack.patch_live("/api/v1/vhosts/trust", json!({ "access": { "deny": [], "trust": ["friends"] } })).await;
    cut_ones_pass_where_nothing_denies(&stack).await;
    not_inspected_not_waited_for(&stack).await;
}

/// A form of about `size` bytes, in fields as forms have them, and `end`.
fn form(size: usize, end: &str) -> Vec<u8> {
    let mut form = String::with_capacity(size + end.len());
    for n in 0.. {
        let left = size.saturating_sub(form.len() + end.len() + 20);
        if left == 0 {
            break;
        }
        form.push_str(&format!("p{n}={}&", "lorem+ipsum+dolor+".repeat(44).get(..left.min(792)).expect("ASCII")));
    }
    form.push_str(end);
    form.into_bytes()
}

/// A request of either protocol.
#[derive(Clone)]
enum Request {
    H1(wire::Request),
    H2(h2::Request),
}

impl From<wire::Request> for Request {
    fn from(request: wire::Request) -> Self {
        Self::H1(request)
    }
}

impl From<h2::Request> for Request {
    fn from(request: h2::Request) -> Self {
        Self::H2(request)
    }
}

impl Request {
    async fn send(self, stack: &Stack, site: &str) -> Answer {
        let host = format!("{site}.test");
        let answer = async {
            match self {
                Self::H1(request) => request.exchange(stack.http, &host).await,
                Self::H2(request) => request.exchange(stack.http, &host).await,
            }
        };
        tokio::time::timeout(Duration::from_secs(60), answer).await.expect("an answer in a minute")
    }
}

/// A way of sending a body to a path.
type Way = (&'static str, fn(&str, Vec<u8>) -> Request);

const WAYS: [Way; 10] = [
    ("in one write", |path, body| post(path, body).into()),
    ("in pieces", |path, body| post(path, body).pieces(20_000, Duration::from_millis(10)).into()),
    ("in chunks of 4 KB", |path, body| post(path, body).chunked(4096).into()),
    ("in chunks of 100 bytes", |path, body| post(path, body).chunked(100).into()),
    ("in one chunk", |path, body| post(path, body.clone()).chunked(body.len()).into()),
    ("in slow chunks", |path, body| {
        post(path, body.clone()).chunked(body.len() / 2).pieces(body.len() / 3, Duration::from_millis(150)).into()
    }),
    ("over h2", |path, body| h2::post(path, body).into()),
    ("over h2, no length", |path, body| h2::post(path, body).no_length().into()),
    ("over h2, no length, frames of 1 KB", |path, body| h2::post(path, body).no_length().frame(1000).into()),
    ("over h2, no length, slow", |path, body| h2::post(path, body).no_length().pause(Duration::from_millis(10)).into()),
];

/// Sends all to a site, four at a time, and gives what was answered.
async fn all(stack: &Stack, site: &str, requests: Vec<(String, Request)>) -> Vec<(String, Answer)> {
    let send = async |(what, request): (String, Request)| (what, request.send(stack, site).await);
    futures::stream::iter(requests).map(send).buffer_unordered(4).collect().await
}

/// None of these attacks passes: refused by a rule, or as too large where that is allowed. A fault (503) is neither.
async fn refused(stack: &Stack, requests: Vec<(String, Request)>, statuses: &[u16]) {
    let answers = all(stack, "block", requests).await;
    let wrong: Vec<_> = answers.iter().filter(|(_, a)| !statuses.contains(&a.status)).map(|(what, a)| (what, a.status)).collect();
    assert!(wrong.is_empty(), "{} of {} were not answered {statuses:?}: {wrong:?}", wrong.len(), answers.len());
}

async fn attacks_at_the_end(stack: &Stack) {
    let of = |sizes: &[usize]| {
        let bodies: Vec<_> = sizes.iter().map(|n| form(n * 1000, SQLI_FORM)).collect();
        let each =
            |(name, way): &Way| bodies.iter().map(|b| (format!("{} bytes {name}", b.len()), way("/attack", b.clone()))).collect::<Vec<_>>();
        WAYS.iter().flat_map(each).collect::<Vec<_>>()
    };
    refused(stack, of(&[20, 66, SURELY_WHOLE / 1000]), &[403]).await;
    refused(stack, of(&[125, 127, 129]), &[403, 413]).await;
    refused(stack, of(&[140, 300, 1000]), &[413]).await;
    // Whole, and so large that it might not fit a frame to the agent: said as what it is, not as a fault.
    refused(stack, vec![("nearly full".into(), post("/attack", form(129_400, SQLI_FORM)).into())], &[413]).await;
}

/// A first chunk, or a first burst of frames, that ends around the size of the buffer; the attack follows.
async fn aligned_to_the_buffer(stack: &Stack) {
    let mut requests = Vec::new();
    for size in (127_900..131_300).step_by(331) {
        let body = [b"z=".to_vec(), vec![b'a'; size - 2], b"&".to_vec(), SQLI_FORM.into()].concat();
        let later = |request: wire::Request| request.pieces(size + 7, Duration::from_millis(30));
        requests.push((format!("chunk of {size}"), post("/attack", body.clone()).chunked(size).into()));
        requests.push((format!("chunk of {size}, then a pause"), later(post("/attack", body.clone()).chunked(size)).into()));
        requests.push((format!("{size} over h2, frames of 16 KB"), h2::post("/attack", body.clone()).no_length().into()));
        requests.push((format!("{size} over h2, frames of 8 KB"), h2::post("/attack", body).no_length().frame(8192).into()));
    }
    refused(stack, requests, &[403, 413]).await;
}

/// Each frame costs the buffer a header of a block: it is full long before it is full of body.
async fn tiny_pieces(stack: &Stack) {
    let mut requests = Vec::new();
    for size in [14_500, 60_000, 127_000, 130_000] {
        let body = form(size, SQLI_FORM);
        requests.push((format!("{size} in h2 frames of 50 bytes"), h2::post("/attack", body.clone()).no_length().frame(50).into()));
        requests.push((format!("{size} in h2 frames of 50 bytes, with length"), h2::post("/attack", body.clone()).frame(50).into()));
        let small = body[body.len().saturating_sub(20_000)..].to_vec();
        requests.push((format!("{size} in h2 frames of 1 byte"), h2::post("/attack", small.clone()).no_length().frame(1).into()));
        // Debian's HAProxy 2.6 takes padding for frames and ends the connection; 2.8 skips it.
        let padded = h2::post("/attack", body.clone()).no_length().frame(9000).padding(255).send(stack.http, "block.test").await;
        assert!([0, 403, 413].contains(&padded.status), "{size} padded: {}", padded.status);
        requests.push((format!("{size} in chunks of 1 byte"), post("/attack", body).chunked(1).into()));
    }
    refused(stack, requests, &[403, 413]).await;
    // With neither a length nor much of a body to go by, that the end has not come tells that the buffer was full before it.
    let drips = |size| h2::post("/attack", form(size, SQLI_FORM)).no_length().drips(3000).pause(Duration::from_micros(100));
    refused(stack, [112_000, 116_000, 120_000].map(|size| (format!("{size}, the end in drips"), drips(size).into())).into(), &[413]).await;
}

async fn headers_eat_the_buffer(stack: &Stack) {
    let mut requests = Vec::new();
    let body = form(9000, SQLI_FORM);
    for kilobytes in [20, 60, 100, 118, 120, 125] {
        let mut h1 = post("/attack", body.clone()).chunked(3000);
        let mut h2 = h2::post("/attack", body.clone()).no_length();
        for n in 0..kilobytes {
            h1 = h1.header(&format!("x-pad-{n}"), &"a".repeat(990));
            h2 = h2.header(&format!("x-pad-{n}"), &"a".repeat(990));
        }
        requests.push((format!("{kilobytes} KB of headers"), h1.into()));
        requests.push((format!("{kilobytes} KB of headers over h2"), h2.into()));
    }
    let empty = (0..90).fold(h2::post("/attack", form(126_000, SQLI_FORM)).no_length(), |request, n| request.header(&format!("a{n}"), ""));
    requests.push(("90 empty headers".into(), empty.into()));
    let long = format!("/attack?{}", "a=b&".repeat(2000));
    requests.push(("8 KB of path".into(), h2::post(&long, form(119_000, SQLI_FORM)).no_length().into()));
    // 400 and 431 where HAProxy takes no head as large or of as many lines; over h2 it then ends the connection without an answer.
    refused(stack, requests, &[403, 413, 400, 431, 0]).await;
}

async fn benign_ones_arrive_whole(stack: &Stack) {
    for size in [20_000, SURELY_WHOLE] {
        let body = form(size, "a=1");
        let requests = WAYS.iter().map(|(name, way)| (format!("{size} bytes {name}"), way("/benign", body.clone()))).collect();
        for (what, answer) in all(stack, "block", requests).await {
            assert_eq!(answer.status, 200, "{what}");
            assert_eq!(answer.json()["sha256"], sha256(&body), "{what}: another body at the origin");
        }
    }
    let trailers = h2::post("/benign", "a=1").no_length().trailer("x-end", "1").send(stack.http, "block.test").await;
    assert_eq!((trailers.status, &trailers.json()["body"]), (200, &json!(3)), "trailers are no body and end one");
    let attack = h2::post("/attack", SQLI_FORM).no_length().frame(9).trailer("x-end", "1").send(stack.http, "block.test").await;
    assert_eq!(attack.status, 403, "an attack before trailers");
    assert_eq!(
        stack.status("block", get("/attack").body(SQLI_FORM).header("content-type", "application/x-www-form-urlencoded").chunked(5)).await,
        403
    );
}

async fn cut_ones_pass_where_nothing_denies(stack: &Stack) {
    let body = form(300_000, SQLI_FORM);
    for site in ["detect", "off", "trust"] {
        let requests = WAYS.iter().map(|(name, way)| ((*name).to_owned(), way("/cut", body.clone()))).collect();
        for (what, answer) in all(stack, site, requests).await {
            assert_eq!(answer.status, 200, "{site}: {what}");
            assert_eq!(answer.json()["sha256"], sha256(&body), "{site}: {what}: another body at the origin");
        }
    }
}

/// The refusal comes with the head: no byte of the body is there to wait for.
async fn nobody_waits_for_what_is_refused(stack: &Stack) {
    for (host, status) in [("nobody.test", 421), ("trust.test", 403)] {
        let mut stream = connect(stack.http, None).await;
        stream.write_all(format!("POST / HTTP/1.1\r\nHost: {host}\r\nContent-Length: 1000\r\n\r\n").as_bytes()).await.expect("sending");
        assert_eq!(wire::read(&mut stream).await.status, status, "{host}");
    }
}

/// What nobody inspects goes on to the origin as it comes.
async fn not_inspected_not_waited_for(stack: &Stack) {
    let origin = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    for site in ["off", "trust"] {
        let port = origin.local_addr().expect("its address").port();
        let upstream = json!({ "servers": [{ "name": "o", "address": "127.0.0.1", "port": port }] });
        stack.patch_live(&format!("/api/v1/vhosts/{site}"), json!({ "upstream": upstream })).await;
        let mut client = connect(stack.http, None).await;
        let head = format!("POST /half HTTP/1.1\r\nHost: {site}.test\r\nContent-Length: 1000\r\n\r\nthe first half");
        client.write_all(head.as_bytes()).await.expect("sending");
        let half = async {
            let (mut server, _) = origin.accept().await.expect("a connection");
            let mut got = Vec::new();
            while !got.ends_with(b"the first half") {
                assert_ne!(
                    server.read_buf(&mut got).await.expect("reading"),
                    0,
                    "{site}: the origin got {}",
                    String::from_utf8_lossy(&got)
                );
            }
        };
        tokio::time::timeout(Duration::from_secs(20), half).await.unwrap_or_else(|_| panic!("{site}: the first half waits for the second"));
    }
}

/// Longer than a head may take, and in detect longer than block ever waits.
async fn slow(stack: &Stack) {
    let drip = |body: Vec<u8>, lasts: Duration| post("/slow", body.clone()).pieces(body.len() / 10, lasts / 10);
    let attack = drip(form(30_000, SQLI_FORM), LONG);
    let h2 = h2::post("/slow", form(30_000, SQLI_FORM)).no_length().frame(3000).pause(LONG / 10);
    let benign = form(30_000, "a=1");
    let patient = form(30_000, SQLI_FORM);
    let never = async {
        let mut stream = connect(stack.http, None).await;
        let head = "POST /attack HTTP/1.1\r\nHost: block.test\r\nContent-Length: 1000\r\n\r\nid=1'+OR+'1'";
        stream.write_all(head.as_bytes()).await.expect("sending");
        wire::read(&mut stream).await.status
    };
    let (attack, h2, kept, patiently, never) = tokio::join!(
        Request::from(attack).send(stack, "block"),
        Request::from(h2).send(stack, "block"),
        Request::from(drip(benign.clone(), LONG)).send(stack, "block"),
        Request::from(drip(patient.clone(), Duration::from_secs(33))).send(stack, "detect"),
        never,
    );
    assert_eq!((attack.status, h2.status), (403, 403), "a slow attack is judged whole");
    assert_eq!((kept.status, &kept.json()["sha256"]), (200, &json!(sha256(&benign))), "a slow body arrives whole");
    assert_eq!(
        (patiently.status, &patiently.json()["sha256"]),
        (200, &json!(sha256(&patient))),
        "detect waits as long as the client sends"
    );
    assert_eq!(never, 408, "block waits 30 s for a body, not for ever");
}
