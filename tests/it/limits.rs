//! How much one client may take, what many slow ones cost the others, and whose word about a client's address counts.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::h2;
use crate::stack::{Options, Stack, eventually};
use crate::wire::{Answer, SQLI, SQLI_FORM, connect, get, read};

const fn local(c: u8, d: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(127, 0, c, d))
}

/// A form whose last bytes are not sent yet: a request that goes on.
struct Held {
    stream: TcpStream,
    rest: Vec<u8>,
}

impl Held {
    /// `client` is told in X-Forwarded-For.
    async fn new(stack: &Stack, site: &str, from: IpAddr, client: &str, body: &str) -> Self {
        let mut stream = connect(stack.http, Some(from)).await;
        let (sent, rest) = body.split_at(body.len() / 2);
        let head = format!(
            "POST /held HTTP/1.1\r\nHost: {site}.test\r\nUser-Agent: test\r\nAccept: */*\r\nX-Forwarded-For: {client}\r\nContent-Type: \
             application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{sent}",
            body.len()
        );
        stream.write_all(head.as_bytes()).await.expect("sending");
        Self { stream, rest: rest.into() }
    }

    async fn finish(mut self) -> Answer {
        let _ = self.stream.write_all(&self.rest).await;
        read(&mut self.stream).await
    }
}

/// Sends these bytes and reads what is answered: status 0 where the connection just ends.
async fn raw(stack: &Stack, from: IpAddr, bytes: &[u8]) -> Answer {
    let mut stream = connect(stack.http, Some(from)).await;
    let _ = stream.write_all(bytes).await;
    read(&mut stream).await
}

/// Waits until HAProxy counts so many things of clients in one of its tables.
async fn counted(stack: &Stack, table: &str, count: usize) {
    let mut shown = String::new();
    eventually("as many are counted", async || {
        shown = stack.master(&format!("@1 show table {table}")).await;
        let sum: usize = shown.split("conn_cur=").skip(1).filter_map(|rest| rest.split_whitespace().next()?.parse::<usize>().ok()).sum();
        sum == count
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_client_has_so_many_connections_and_requests() {
    let options = Options {
        spoa_args: vec!["-test-faults", "-max-evaluations", "64", "-slow-evaluation", "0"],
        node: "waf_timeout_ms = 15000\nproxies = [\"127.0.6.0/24\"]\nproxy_protocol_from = [\"127.0.7.0/24\"]\n",
        haproxy: "connections_per_client = 5\nrequest_timeout_ms = 60000\n",
        ..Options::default()
    };
    let stack = Stack::start_with(options).await;
    stack.site("site", json!({})).await;
    stack.site("fronted", json!({})).await;
    stack.patch_live("/api/v1/vhosts/fronted", json!({ "client_ip": { "trusted_proxies": ["127.0.6.0/24"] } })).await;

    // Connections, also those that say nothing.
    let greedy = local(5, 1);
    let mut idle = Vec::new();
    for _ in 0..5 {
        idle.push(connect(stack.http, Some(greedy)).await);
    }
    counted(&stack, "st_conn", 5).await;
    let ask = b"GET / HTTP/1.1\r\nHost: site.test\r\nUser-Agent: test\r\nAccept: */*\r\nConnection: close\r\n\r\n";
    assert_eq!(raw(&stack, greedy, ask).await.status, 0, "one too many is closed, unanswered");
    assert_eq!(raw(&stack, local(5, 2), ask).await.status, 200, "another client is served");
    let mut first = idle.remove(0);
    first.write_all(ask).await.expect("sending");
    assert_eq!(read(&mut first).await.status, 200, "those that were there are served");
    drop(first);
    eventually("the place of one that went is free", async || raw(&stack, greedy, ask).await.status == 200).await;
    drop(idle);
    counted(&stack, "st_conn", 0).await;

    // A proxy of the node is many clients: it has no limit of connections, each client behind it one of requests.
    let proxy = local(6, 1);
    let mut held = Vec::new();
    for _ in 0..5 {
        held.push(Held::new(&stack, "fronted", proxy, "198.51.100.1", "a=1&b=2").await);
    }
    for n in 0..8 {
        held.push(Held::new(&stack, "fronted", proxy, &format!("198.51.100.{}", n + 10), "a=1&b=2").await);
    }
    counted(&stack, "st_busy", 13).await;
    let behind = |client: &str| get("/").header("x-forwarded-for", client).from(proxy);
    let refused = stack.send("fronted", behind("198.51.100.1")).await;
    assert_eq!(refused.status, 429);
    assert_eq!(stack.refused("fronted", behind("198.51.100.1")).await, "busy");
    assert_eq!(stack.refused("fronted", behind("6.6.6.6, 198.51.100.1")).await, "busy", "what stands before it is no way out");
    assert_eq!(stack.status("fronted", behind("198.51.100.2")).await, 200, "another client behind it");
    assert_eq!(stack.status("fronted", behind("198.51.100.10")).await, 200, "one with a request going on");
    // Nobody else is believed: this is one client, with one request.
    assert_eq!(stack.status("fronted", get("/").header("x-forwarded-for", "198.51.100.1").from(local(5, 3))).await, 200);
    for held in held {
        assert_eq!(held.finish().await.status, 200, "those that went on are served");
    }
    counted(&stack, "st_busy", 0).await;
    assert_eq!(stack.status("fronted", behind("198.51.100.1")).await, 200);

    // Streams of one connection are requests at once too.
    assert_eq!(stack.control("PUT", "/v1/test/faults", Some(json!({ "delay_ms": 1500 }))).await.0, 200);
    let streams: Vec<h2::Frame> = (0..12).flat_map(|n| h2::get("/streams").frames(2 * n + 1, "site.test")).collect();
    let mut connection = h2::Connection::open(stack.http).await;
    connection.exchange(&streams, Duration::ZERO).await;
    let mut statuses: Vec<u16> = connection.answers.values().map(|answer| answer.status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [&[200; 5][..], &[429; 7]].concat());
    assert_eq!(stack.origin.received("/streams").len(), 5);
    assert_eq!(stack.control("PUT", "/v1/test/faults", Some(json!({}))).await.0, 200);
    drop(connection);
    counted(&stack, "st_conn", 0).await;

    // Behind the PROXY protocol a connection is its client's.
    let named = |client: &str| format!("PROXY TCP4 {client} 127.0.0.1 4711 80\r\n");
    let balancer = local(7, 1);
    let mut idle = Vec::new();
    for _ in 0..5 {
        let mut stream = connect(stack.http, Some(balancer)).await;
        stream.write_all(named("198.51.100.1").as_bytes()).await.expect("sending");
        idle.push(stream);
    }
    counted(&stack, "st_conn", 5).await;
    let told = |client| [named(client).as_bytes(), ask].concat();
    assert_eq!(raw(&stack, balancer, &told("198.51.100.1")).await.status, 0);
    assert_eq!(raw(&stack, balancer, &told("198.51.100.2")).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn three_hundred_slow_uploads_do_not_starve_others() {
    let options = Options {
        // Three hundred are judged at once, on a machine that has other things to do.
        spoa_args: vec!["-queue-timeout", "50s", "-slow-evaluation", "0"],
        node: "waf_timeout_ms = 55000\n",
        ..Options::default()
    };
    let stack = Stack::start_with(options).await;
    stack.site("slow", json!({})).await;
    let benign = format!("text={}&more=2", "lorem+ipsum+".repeat(300));
    let bad = format!("text={}&{SQLI_FORM}", "lorem+ipsum+".repeat(300));
    let mut held = Vec::new();
    for n in 0..300 {
        let body = if n % 2 == 0 { &benign } else { &bad };
        held.push(Held::new(&stack, "slow", local(8, 1), "", body).await);
    }
    counted(&stack, "st_busy", 300).await;

    // All of them are waited for: others are judged and served meanwhile, also from the same address.
    for from in [local(8, 1), local(8, 2)] {
        assert_eq!(stack.status("slow", get("/ordinary").from(from)).await, 200);
        assert_eq!(stack.status("slow", get(&format!("/ordinary?{SQLI}")).from(from)).await, 403);
    }
    counted(&stack, "st_busy", 300).await;
    assert_eq!(stack.origin.received("/held").len(), 0, "none of them has ended");

    // A byte now and then, from all of them.
    for _ in 0..3 {
        for upload in &mut held {
            let byte = upload.rest.remove(0);
            upload.stream.write_all(&[byte]).await.expect("it is still waited for");
        }
        assert_eq!(stack.status("slow", get("/ordinary").from(local(8, 2))).await, 200);
    }
    let answers = futures::future::join_all(held.into_iter().map(Held::finish)).await;
    for (n, answer) in answers.iter().enumerate() {
        assert_eq!(answer.status, if n % 2 == 0 { 200 } else { 403 }, "upload {n}: {answer:?}");
    }
    let arrived = stack.origin.received("/held");
    assert_eq!(arrived.len(), 150);
    assert!(arrived.iter().all(|r| r.body == benign.as_bytes()), "whole, and none that is bad");
}

/// The header of version 2: a command, a family and the addresses.
fn version_2(command: u8, family: u8, addresses: &[u8]) -> Vec<u8> {
    let mut out = b"\r\n\r\n\0\r\nQUIT\n".to_vec();
    out.extend([0x20 | command, family]);
    out.extend(u16::try_from(addresses.len()).expect("short").to_be_bytes());
    out.extend(addresses);
    out
}

#[tokio::test(flavor = "multi_thread")]
async fn the_proxy_protocol_is_for_those_who_are_trusted_with_it() {
    let options = Options { node: "proxy_protocol_from = [\"127.0.7.0/24\"]\n", ..Options::default() };
    let stack = Stack::start_with(options).await;
    stack.list("bad", &["203.0.113.66", "2001:db8:bad::/48"]).await;
    stack.site("site", json!({})).await;
    stack.patch_live("/api/v1/vhosts/site", json!({ "access": { "deny": ["bad"] } })).await;

    let v4 = |client: [u8; 4]| version_2(1, 0x11, &[&client[..], &[127, 0, 0, 1], &[0x12, 0x67, 0, 80]].concat());
    let v6 = |client: &str| {
        let client: std::net::Ipv6Addr = client.parse().expect("an address");
        version_2(1, 0x21, &[&client.octets()[..], &std::net::Ipv6Addr::LOCALHOST.octets(), &[0x12, 0x67, 0, 80]].concat())
    };
    let v1 = |line: &str| format!("PROXY {line}\r\n").into_bytes();
    let (balancer, stranger) = (local(7, 1), local(0, 9));
    // (who sends it, what, the status, the client that the origin is told of)
    for (n, (from, header, status, client)) in [
        (balancer, v1("TCP4 198.51.100.7 127.0.0.1 4711 80"), 200, "198.51.100.7"),
        (balancer, v1("TCP6 2001:db8::7 ::1 4711 80"), 200, "2001:db8::7"),
        (balancer, v1("TCP4 203.0.113.66 127.0.0.1 4711 80"), 403, ""),
        (balancer, v1("TCP6 2001:db8:bad::7 ::1 4711 80"), 403, ""),
        (balancer, v1("TCP6 ::ffff:203.0.113.66 ::1 4711 80"), 403, ""),
        (balancer, v1("UNKNOWN"), 200, "127.0.7.1"),
        (balancer, v4([198, 51, 100, 7]), 200, "198.51.100.7"),
        (balancer, v4([203, 0, 113, 66]), 403, ""),
        (balancer, v6("2001:db8::7"), 200, "2001:db8::7"),
        (balancer, v6("2001:db8:bad::7"), 403, ""),
        // A balancer's own check of us.
        (balancer, version_2(0, 0, &[]), 200, "127.0.7.1"),
        // Without one, with half of one, or with two: nothing.
        (balancer, Vec::new(), 0, ""),
        (balancer, v1("TCP4 198.51.100.7"), 0, ""),
        (balancer, [v1("TCP4 198.51.100.7 127.0.0.1 4711 80"), v1("TCP4 198.51.100.8 127.0.0.1 4711 80")].concat(), 400, ""),
        (stranger, v1("TCP4 198.51.100.7 127.0.0.1 4711 80"), 400, ""),
        (stranger, v1("UNKNOWN"), 400, ""),
        (stranger, v4([198, 51, 100, 7]), 400, ""),
        (stranger, version_2(0, 0, &[]), 400, ""),
        (stranger, Vec::new(), 200, "127.0.0.9"),
    ]
    .into_iter()
    .enumerate()
    {
        let ask = format!(
            "GET /case{n}. HTTP/1.1\r\nHost: site.test\r\nUser-Agent: test\r\nAccept: */*\r\nX-Forwarded-For: 6.6.6.6\r\nConnection: close\r\n\r\n"
        );
        let said = String::from_utf8_lossy(&header).into_owned();
        let answer = raw(&stack, from, &[&header[..], ask.as_bytes()].concat()).await;
        assert_eq!(answer.status, status, "{from}: {said:?}");
        let received = stack.origin.received(&format!("/case{n}."));
        let told: Vec<&str> = received.iter().map(|r| r.headers["x-forwarded-for"].to_str().expect("text")).collect();
        assert_eq!(told, if status == 200 { vec![client] } else { vec![] }, "{from}: {said:?}");
    }
}
