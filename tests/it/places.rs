//! Parts of a site, what may be sent to them, and whose client it is: bodies, WebSocket, proxies in front, limits.

use std::net::{IpAddr, Ipv4Addr};

use serde_json::{Value, json};

use crate::origin::sha256;
use crate::stack::{Options, Stack, eventually};
use crate::wire::{Request, SQLI, get};

const BOUNDARY: &str = "XX7MA4YWxk";

/// A form with a field and a file of about `bytes`.
fn upload(field: &str, bytes: usize) -> Vec<u8> {
    let mut body = format!(
        "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"c\"\r\n\r\n{field}\r\n--{BOUNDARY}\r\nContent-Disposition: form-data; \
         name=\"f\"; filename=\"a.bin\"\r\nContent-Type: application/octet-stream\r\n\r\n"
    )
    .into_bytes();
    body.extend(b"lorem ipsum ".repeat(bytes / 12));
    body.extend(format!("\r\n--{BOUNDARY}--\r\n").into_bytes());
    body
}

fn multipart(path: &str, body: Vec<u8>) -> Request {
    Request::new("POST", path).header("content-type", &format!("multipart/form-data; boundary={BOUNDARY}")).body(body)
}

fn octets(path: &str, bytes: usize) -> Request {
    Request::new("PUT", path).header("content-type", "application/octet-stream").body(b"lorem ipsum ".repeat(bytes / 12))
}

/// A whole buffer of a body that is no form takes the agent a second and more, on a busy machine much more.
async fn patient() -> Stack {
    Stack::start_with(Options { node: "waf_timeout_ms = 20000\n", ..Options::default() }).await
}

async fn vhost(stack: &Stack, name: &str, patch: Value) {
    stack.patch_live(&format!("/api/v1/vhosts/{name}"), patch).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_are_as_large_as_the_place_says() {
    let stack = patient().await;
    stack.site("up", json!({})).await;
    vhost(
        &stack,
        "up",
        json!({ "paths": [{ "prefix": "/upload/", "body": { "on_partial": "inspect_head" } }], "body": { "max_bytes": 600_000 } }),
    )
    .await;
    for (path, field, bytes, expected) in [
        ("/upload/x", "hello", 500_000, 200),
        ("/upload/x", "1' OR '1'='1", 500_000, 403),
        ("/upload", "hello", 500_000, 200),
        ("/uploads", "hello", 500_000, 413),
        ("/other", "hello", 500_000, 413),
        ("/upload/x", "hello", 30_000, 200),
        ("/upload/x", "1' OR '1'='1", 30_000, 403),
        ("/upload/x", "hello", 700_000, 413),
        ("//upload/x", "hello", 500_000, 413),
    ] {
        assert_eq!(stack.status("up", multipart(path, upload(field, bytes))).await, expected, "{path} {field} {bytes}");
    }
    let without_length = multipart("/upload/x", upload("hello", 500_000)).chunked(4096);
    assert_eq!(stack.status("up", without_length).await, 413, "without a length `max_bytes` could not be kept");
    let json =
        Request::new("POST", "/upload/x").header("content-type", "application/json").body(format!("{{\"a\":\"{}\"}}", "x".repeat(300_000)));
    assert_eq!(stack.status("up", json).await, 413, "what is no upload is inspected whole, or refused");
    assert_eq!(stack.status("up", octets("/upload/x", 480_000)).await, 200);
    assert_eq!(stack.refused("up", octets("/other", 480_000)).await, "cut");
    assert_eq!(stack.refused("up", octets("/upload/x", 660_000)).await, "too-large");

    // `max_bytes` is a limit of the site, not of the WAF.
    stack.site("small", json!({ "mode": "detect" })).await;
    vhost(&stack, "small", json!({ "body": { "max_bytes": 10_000 } })).await;
    for (mode, bytes, expected) in [("detect", 9996, 200), ("detect", 10_008, 413), ("off", 9996, 200), ("off", 10_008, 413)] {
        stack.patch_live("/api/v1/policies/small", json!({ "mode": mode })).await;
        assert_eq!(stack.status("small", octets("/", bytes)).await, expected, "{mode} {bytes}");
    }
    // In detect nothing else denies: a body that was cut arrives whole.
    stack.patch_live("/api/v1/policies/small", json!({ "mode": "detect" })).await;
    vhost(&stack, "small", json!({ "body": null })).await;
    let body = upload("hello", 300_000);
    let answer = stack.send("small", multipart("/", body.clone())).await;
    assert_eq!(answer.json()["sha256"], sha256(&body));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_megabytes_pass_where_the_place_says_so() {
    let stack = patient().await;
    stack.site("big", json!({})).await;
    let place = json!({ "prefix": "/upload/", "body": { "on_partial": "inspect_head", "max_bytes": 200_000_000 } });
    vhost(&stack, "big", json!({ "paths": [place] })).await;
    assert_eq!(stack.status("big", octets("/upload/warm", 1000)).await, 200);
    let pids = [stack.worker_pids().await[0], stack.spoa.as_ref().expect("guard-spoa").id()];
    let before = pids.map(peak_kib);
    let body = b"lorem ipsum ".repeat(100_000_000 / 12);
    let digest = sha256(&body);
    let answer = stack.send("big", Request::new("PUT", "/upload/x").header("content-type", "application/octet-stream").body(body)).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.json()["sha256"], digest);
    for (before, pid) in before.into_iter().zip(pids) {
        let grown = peak_kib(pid).saturating_sub(before);
        assert!(grown < 32 << 10, "process {pid} grew by {grown} KiB");
    }
}

/// The most memory that a process has had, in KiB.
fn peak_kib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("the process is there");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("every process has one");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_behind_proxies() {
    let stack = Stack::start().await;
    stack.list("bad", &["203.0.113.66", "2001:db8:bad::/48"]).await;
    stack.site("cdn", json!({})).await;
    vhost(&stack, "cdn", json!({ "access": { "deny": ["bad"] }, "client_ip": { "trusted_proxies": ["127.0.0.0/30", "10.0.0.0/8"] } }))
        .await;
    let trusted = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
    let stranger = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 9));
    let seen = async |from: IpAddr, forwarded: &str| {
        let answer = stack.send("cdn", get("/").header("x-forwarded-for", forwarded).from(from)).await;
        if answer.status != 200 {
            return answer.status.to_string();
        }
        answer.json()["headers"]["x-forwarded-for"].as_str().expect("the origin is told").to_owned()
    };
    for (from, forwarded, expected) in [
        (stranger, "198.51.100.1", "127.0.0.9"),
        (stranger, "203.0.113.66", "127.0.0.9"),
        (trusted, "198.51.100.1", "198.51.100.1"),
        (trusted, "203.0.113.66", "403"),
        (trusted, "2001:db8:bad::7", "403"),
        (trusted, "::ffff:203.0.113.66", "403"),
        (trusted, "2001:db8::7", "2001:db8::7"),
        (trusted, "6.6.6.6, 198.51.100.1", "198.51.100.1"),
        (trusted, "6.6.6.6, 198.51.100.1, 10.1.1.1", "198.51.100.1"),
        (trusted, "6.6.6.6, 198.51.100.1, 10.1.1.1,10.2.2.2", "198.51.100.1"),
        (trusted, "203.0.113.66, 10.1.1.1, 10.1.1.1, 10.1.1.1", "403"),
        // What is no address ends the walk: what stands before it, anybody may have written.
        (trusted, "6.6.6.6, unknown", "127.0.0.2"),
        (trusted, "6.6.6.6, 999.1.1.1, 10.1.1.1", "10.1.1.1"),
        (trusted, "", "127.0.0.2"),
        // HAProxy takes a comma inside of quotes for none: what the proxy added must not hide behind one that the client has sent.
        (trusted, "\", 203.0.113.66", "400"),
        (trusted, "\"6.6.6.6, 198.51.100.1", "400"),
        (trusted, "a\\, 198.51.100.1", "400"),
        // Further than we follow, it is a proxy's address.
        (trusted, "6.6.6.6, 10.0.0.6, 10.0.0.5, 10.0.0.4, 10.0.0.3, 10.0.0.2", "10.0.0.6"),
    ] {
        assert_eq!(seen(from, forwarded).await, expected, "{from} says {forwarded:?}");
    }
    // A proxy that is trusted as a client is not the client when it says something that nobody can read.
    stack.list("good", &["127.0.0.2", "10.1.1.1"]).await;
    vhost(&stack, "cdn", json!({ "access": { "trust": ["good"] } })).await;
    let attack = async |forwarded: Option<&str>| {
        let request = get(&format!("/?{SQLI}")).from(trusted);
        stack.status("cdn", forwarded.map_or(request.clone(), |text| request.header("x-forwarded-for", text))).await
    };
    assert_eq!((attack(None).await, attack(Some("198.51.100.1")).await, attack(Some("unknown")).await), (200, 403, 403));
    // The scheme is believed of proxies only.
    let proto = async |from| {
        let answer = stack.send("cdn", get("/").header("x-forwarded-proto", "https").from(from)).await;
        answer.json()["headers"]["x-forwarded-proto"].as_str().expect("the origin is told").to_owned()
    };
    assert_eq!((proto(stranger).await.as_str(), proto(trusted).await.as_str()), ("http", "https"));

    for header in ["x-real-ip", "cf-connecting-ip", "true-client-ip", "fastly-client-ip"] {
        vhost(&stack, "cdn", json!({ "client_ip": { "header": header } })).await;
        let told = |name: &'static str, from| get("/").header(name, "198.51.100.1").from(from);
        let client = async |request| stack.send("cdn", request).await.json()["headers"]["x-forwarded-for"].as_str().map(str::to_owned);
        let name: &'static str = match header {
            "x-real-ip" => "x-real-ip",
            "cf-connecting-ip" => "cf-connecting-ip",
            "true-client-ip" => "true-client-ip",
            _ => "fastly-client-ip",
        };
        assert_eq!(client(told(name, trusted)).await.as_deref(), Some("198.51.100.1"), "{header}");
        assert_eq!(client(told(name, stranger)).await.as_deref(), Some("127.0.0.9"), "{header}");
        assert_eq!(client(told("x-forwarded-for", trusted)).await.as_deref(), Some("127.0.0.2"), "{header}: another header has no effect");
        assert_eq!(stack.send("cdn", told(name, stranger)).await.json()["headers"].get(name), None, "{header} is ours to say");
    }
    // Another vhost trusts nobody.
    stack.site("direct", json!({})).await;
    let answer = stack.send("direct", get("/").header("x-forwarded-for", "198.51.100.1").from(trusted)).await;
    assert_eq!(answer.json()["headers"]["x-forwarded-for"], "127.0.0.2");
}

#[tokio::test(flavor = "multi_thread")]
async fn rates_are_counted_by_vhost_and_client_and_outlive_a_reload() {
    let stack = Stack::start().await;
    stack.site("rate", json!({})).await;
    stack.site("other", json!({})).await;
    vhost(&stack, "rate", json!({ "rate_limit": { "requests": 5, "period": "10m" } })).await;
    let mut seen = Vec::new();
    for _ in 0..8 {
        seen.push(stack.status("rate", get("/")).await);
    }
    assert_eq!(seen, [200, 200, 200, 200, 200, 429, 429, 429]);
    assert_eq!(stack.refused("rate", get("/")).await, "rate");
    assert_eq!(stack.status("other", get("/")).await, 200, "another vhost is not counted");
    let elsewhere = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 7));
    assert_eq!(stack.status("rate", get("/").from(elsewhere)).await, 200, "nor another client");
    // A threshold is a value of the row: no reload, and nobody starts anew.
    vhost(&stack, "rate", json!({ "rate_limit": { "requests": 20, "period": "10m" } })).await;
    assert_eq!(stack.status("rate", get("/")).await, 200);
    vhost(&stack, "rate", json!({ "rate_limit": { "requests": 5, "period": "10m" } })).await;
    let before = stack.worker_pids().await;
    // A worker younger than 10 s may still wait for counters itself, and hands none over: so it is with HAProxy's peers.
    eventually("the worker is 11 s old", async || {
        let info = stack.master(&format!("@!{} show info", before[0])).await;
        let uptime = info.lines().find_map(|line| line.strip_prefix("Uptime_sec: ")).and_then(|text| text.trim().parse::<u64>().ok());
        uptime.is_some_and(|seconds| seconds >= 11)
    })
    .await;
    vhost(&stack, "other", json!({ "upstream": { "timeouts": { "connect_ms": 1900 } } })).await;
    assert_ne!(stack.worker_pids().await, before, "a reload");
    eventually("the old worker handed its counters over", async || {
        let worker = stack.worker_pids().await[0];
        stack.master(&format!("@!{worker} show table st_rate_600")).await.contains("http_req_rate(600000)=1")
    })
    .await;
    assert_eq!(stack.status("rate", get("/")).await, 429, "counters outlive it");
    vhost(&stack, "rate", json!({ "rate_limit": null })).await;
    assert_eq!(stack.status("rate", get("/")).await, 200);
    for (requests, pointer) in [(0, "/rate_limit/requests"), (1_000_001, "/rate_limit/requests")] {
        let answer = stack
            .call("PATCH", "/api/v1/vhosts/rate", &[("if-match", "*")], Some(&json!({ "rate_limit": { "requests": requests } })))
            .await;
        assert_eq!(answer.expect(422).pointers(), [pointer]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_strictest_of_all_policies_is_for_ambiguous_paths() {
    let stack = Stack::start().await;
    let denies = |id: u32, word: &str| json!({ "id": id, "seclang": format!("SecRule ARGS:do \"@streq {word}\" \"phase:2,deny,t:none,log,msg:'{word}'\"") });
    stack
        .put_live(
            "/api/v1/policies/strict",
            json!({ "name": "strict", "paranoia": { "blocking": 4 }, "custom_rules": [denies(190_001, "a")] }),
        )
        .await;
    let excluded = |id: u32| json!({ "rule": { "id": id }, "target": "ARGS:id" });
    stack.patch_live("/api/v1/policies/strict", json!({ "exclusions": [excluded(942_100)] })).await;
    stack
        .site(
            "parts",
            json!({ "thresholds": { "inbound": 1000 }, "custom_rules": [denies(190_001, "b")], "exclusions": [excluded(942_100), excluded(942_130)] }),
        )
        .await;
    stack.put_live("/api/v1/policies/off", json!({ "name": "off", "mode": "off" })).await;
    let paths = json!([{ "prefix": "/admin/", "policy": "strict" }, { "prefix": "/static", "policy": "off" }]);
    vhost(&stack, "parts", json!({ "paths": paths })).await;
    let status = async |target: &str| stack.status("parts", get(target)).await;
    let level_4 = "a=b%7Cc";
    for (target, expected) in [
        (format!("/?{SQLI}"), 200),
        (format!("/?{level_4}"), 200),
        (format!("/admin?{level_4}"), 403),
        (format!("/admin/x?{level_4}"), 403),
        (format!("/administrator?{level_4}"), 200),
        (format!("/static/x?{level_4}"), 200),
        // the strict place: highest level, lowest threshold, all custom rules
        (format!("/static/../admin/x?{level_4}"), 403),
        (format!("/x/./y?{level_4}"), 403),
        ("/x/./y?do=a".to_owned(), 403),
        ("/x/./y?do=b".to_owned(), 403),
        ("/?do=a".to_owned(), 200),
        ("/?do=b".to_owned(), 403),
        ("/admin/?do=a".to_owned(), 403),
        ("/admin/?do=b".to_owned(), 200),
        ("/x/./y?do=c".to_owned(), 200),
    ] {
        assert_eq!(status(&target).await, expected, "{target}");
    }
    // Only what all of them exclude is excluded there.
    let rules = stack.event_rules("parts", &format!("/x/./y?{SQLI}")).await;
    assert!(!rules.contains(&942_100) && rules.contains(&942_130), "{rules:?}");
    let rules = stack.event_rules("parts", &format!("/?{SQLI}")).await;
    assert!(!rules.contains(&942_100) && !rules.contains(&942_130), "{rules:?}");
    // What is proven is each place.
    let proof = stack.get("/api/v1/vhosts/parts/status").await.expect(200).body.to_string();
    for place in ["canary of /admin/", "canary of /static/", "canary of /./"] {
        assert!(proof.contains(place), "{place}: {proof}");
    }
    vhost(&stack, "parts", json!({ "on_ambiguous_path": "deny" })).await;
    assert_eq!(stack.refused("parts", get("/x/./y")).await, "ambiguous-path");
    assert_eq!(status("/x/./y").await, 400);
    assert_eq!(status("/x/y").await, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn paths_are_elements_and_bad_ones_are_told() {
    let stack = Stack::start().await;
    stack.site("parts", json!({})).await;
    let put = async |prefix: &str, body: Value| {
        let path = format!("/api/v1/vhosts/parts/paths/{}", prefix.replace('/', "%2F"));
        stack.call("PUT", &path, &[], Some(&body)).await
    };
    put("/api/", json!({ "websocket": true })).await.expect(201);
    let read = stack.get("/api/v1/vhosts/parts/paths/%2Fapi%2F").await.expect(200);
    assert_eq!(read.body["websocket"], true);
    assert_eq!(stack.get("/api/v1/vhosts/parts/paths").await.body["total"], 1);
    assert_eq!(put("/other/", json!({ "policy": "nobody" })).await.expect(422).pointers(), ["/policy"]);
    for prefix in ["/", "/API", "/x./", "/a~1/", "/a+b/", "/a//b", "/a/../b", "a", "/é"] {
        let answer = put(prefix, json!({})).await;
        assert_eq!(answer.status, 422, "{prefix}: {}", answer.body);
        assert_eq!(answer.pointers(), ["/prefix"], "{prefix}");
    }
    assert_eq!(put("/b/", json!({ "body": { "max_bytes": (1_u64 << 40) + 1 } })).await.expect(422).pointers(), ["/body/max_bytes"]);
    stack.put_live("/api/v1/policies/used", json!({ "name": "used" })).await;
    put("/used/", json!({ "policy": "used" })).await.expect(201);
    let refused = stack.call("DELETE", "/api/v1/policies/used", &[("if-match", "*")], None).await.expect(409);
    assert_eq!(refused.body["code"], "in_use");
    stack.call("DELETE", "/api/v1/vhosts/parts/paths/%2Fused%2F", &[("if-match", "*")], None).await.expect(204);
    stack.call("DELETE", "/api/v1/policies/used", &[("if-match", "*")], None).await.expect(204);
}
