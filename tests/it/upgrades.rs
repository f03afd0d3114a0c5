//! Upgrades (data-plane 9.18): a WebSocket where the row allows it, and no other way out of HTTP. Behind a 101 nobody inspects.

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::h2;
use crate::origins::server::RawOrigin;
use crate::raw::{ask, exchange};
use crate::stack::{Options, Stack};
use crate::wire::{Answer, SQLI, connect};

const WEBSOCKET: &str =
    "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

/// Sites in each mode that allow WebSockets only under `/ws/`, and `chat`, which allows them except there.
async fn start() -> (Stack, RawOrigin) {
    start_with(Options::default()).await
}

async fn start_with(options: Options) -> (Stack, RawOrigin) {
    let (stack, origin) = (Stack::start_with(options).await, RawOrigin::start().await);
    for (name, mode, everywhere) in
        [("shop", "block", false), ("watched", "detect", false), ("open", "off", false), ("chat", "block", true)]
    {
        stack.put_live(&format!("/api/v1/policies/{name}"), json!({ "name": name, "mode": mode })).await;
        let mut vhost = stack.vhost(name);
        vhost["websocket"] = json!(everywhere);
        vhost["paths"] = json!([{ "prefix": "/ws/", "websocket": !everywhere }]);
        vhost["upstream"]["servers"][0]["port"] = json!(origin.address.port());
        stack.put_live(&format!("/api/v1/vhosts/{name}"), vhost).await;
    }
    (stack, origin)
}

fn head(line: &str, site: &str, headers: &str) -> Vec<u8> {
    format!("{line} HTTP/1.1\r\nHost: {site}.test\r\nUser-Agent: Mozilla/5.0 (test)\r\nAccept: text/html\r\n{headers}\r\n").into_bytes()
}

async fn send(stack: &Stack, site: &str, path: &str, headers: &str) -> Answer {
    ask(stack.http, &head(&format!("GET {path}"), site, headers)).await
}

/// The headers that the origin received, by lower-case name.
fn told(answer: &Answer) -> Vec<(String, String)> {
    let received = answer.json();
    let pair = |header: &Value| Some((header[0].as_str()?.to_ascii_lowercase(), header[1].as_str()?.to_owned()));
    received["headers"].as_array().expect("headers").iter().filter_map(pair).collect()
}

/// An open WebSocket.
async fn open(stack: &Stack, site: &str, path: &str) -> TcpStream {
    let mut stream = connect(stack.http, None).await;
    stream.write_all(&head(&format!("GET {path}"), site, WEBSOCKET)).await.expect("sending");
    let mut answered = Vec::new();
    while !answered.ends_with(b"\r\n\r\n") {
        answered.push(stream.read_u8().await.expect("an answer"));
    }
    assert!(answered.starts_with(b"HTTP/1.1 101 "), "{site}{path}: {}", String::from_utf8_lossy(&answered));
    stream
}

#[tokio::test(flavor = "multi_thread")]
async fn a_websocket_is_opened_where_the_row_allows_it() {
    let (stack, origin) = start().await;
    for (site, path) in [("shop", "/ws/"), ("shop", "/ws"), ("shop", "/ws/room?a=1"), ("watched", "/ws/"), ("open", "/ws/"), ("chat", "/")]
    {
        let mut stream = open(&stack, site, path).await;
        // Bytes of any kind, both ways, more than once, and larger than a buffer.
        for message in [b"\x81\x85\0\0\0\0hello".to_vec(), b"GET / HTTP/1.1\r\n\r\n".to_vec(), vec![0xa5; 300_000]] {
            let (mut reader, mut writer) = stream.split();
            let mut echoed = vec![0; message.len()];
            let (sent, read) = tokio::join!(writer.write_all(&message), reader.read_exact(&mut echoed));
            sent.and(read.map(drop)).expect("both ways are open");
            assert!(echoed == message, "{site}{path}: what came back is not what was sent");
        }
    }
    // The request that opens it is a request like any other.
    for (site, want) in [("shop", 403), ("watched", 101), ("open", 101)] {
        let answered = exchange(stack.http, &head(&format!("GET /ws/?{SQLI}"), site, WEBSOCKET)).await;
        assert!(answered.starts_with(format!("HTTP/1.1 {want}").as_bytes()), "{site}: {}", String::from_utf8_lossy(&answered));
    }
    let asked: Vec<_> = origin.drain().await.into_iter().flat_map(|read| read.map_or(Vec::new(), |(requests, _)| requests)).collect();
    assert!(asked.iter().any(|request| request.target.starts_with(b"/ws") && request.all("connection") == ["upgrade"]), "{asked:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn elsewhere_it_is_a_plain_request() {
    let (stack, _origin) = start().await;
    for (site, path) in [
        ("shop", "/"),
        ("shop", "/wsx"),
        ("shop", "/x/ws/"),
        ("watched", "/"),
        ("open", "/"),
        ("chat", "/ws/"),
        // Where the place is not certain nothing is allowed that one of them forbids.
        ("shop", "/ws//"),
        ("shop", "//ws/"),
        ("watched", "/x/../ws/"),
        ("watched", "/ws/../ws/"),
        ("shop", "/WS/"),
        ("shop", "/%77s/"),
        ("shop", "/ws;/"),
        ("chat", "//"),
        ("chat", "//ws/"),
        ("open", "//ws/"),
    ] {
        let answer = send(&stack, site, path, WEBSOCKET).await;
        assert_eq!(answer.status, 200, "{site}{path}: {answer:?}");
        let told = told(&answer);
        assert!(
            told.iter().all(|(name, value)| name != "upgrade" && (name != "connection" || value != "upgrade")),
            "{site}{path}: {told:?}"
        );
    }
}

/// Only `websocket` is a WebSocket, and nothing is h2c.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_else_is_an_upgrade() {
    let (stack, _origin) = start().await;
    let h2c = "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n";
    for (site, path) in [("shop", "/"), ("shop", "/ws/"), ("watched", "/ws/"), ("open", "/"), ("open", "/ws/"), ("chat", "/")] {
        for upgrade in [
            h2c,
            "Connection: Upgrade\r\nUpgrade: h2c\r\n",
            "Connection: HTTP2-Settings\r\nHTTP2-Settings: AAMAAABk\r\n",
            "Upgrade: h2c\r\n",
            "Connection: Upgrade\r\nUpgrade: websocket, h2c\r\nHTTP2-Settings: AAMAAABk\r\n",
            "Connection: Upgrade\r\nUpgrade: h2c, websocket\r\n",
            "Connection: Upgrade\r\nUpgrade: websocket\r\nUpgrade: h2c\r\n",
            "Connection: Upgrade\r\nUpgrade: h2c\r\nUpgrade: websocket\r\n",
            "Connection: Upgrade\r\nUpgrade: websocket/13\r\n",
            "Connection: Upgrade\r\nUpgrade: websocket2\r\n",
            "Connection: Upgrade\r\nUpgrade: web socket\r\n",
            "Connection: Upgrade\r\nUpgrade: \"websocket\"\r\n",
            "Connection: Upgrade\r\nUpgrade: websocket;x\r\n",
            "Connection: Upgrade\r\nUpgrade: websocket,\r\n",
            "Connection: Upgrade\r\nUpgrade: websocket\0\r\n",
            "Connection: Upgrade\r\nUpgrade: tls/1.0\r\n",
            "Connection: Upgrade\r\nUpgrade: HTTP/2.0\r\n",
            "Connection: Upgrade\r\nUpgrade: connect-udp\r\n",
            "Connection: Upgrade\r\nUpgrade:\r\n",
        ] {
            let answer = send(&stack, site, path, upgrade).await;
            assert!([200, 400, 403].contains(&answer.status), "{site}{path} {upgrade:?}: {answer:?}");
            if answer.status == 200 {
                let told = told(&answer);
                let upgraded = told.iter().find(|(name, value)| {
                    matches!(name.as_str(), "upgrade" | "http2-settings")
                        || name == "connection" && value.to_ascii_lowercase().contains("up")
                });
                assert_eq!(upgraded, None, "{site}{path} {upgrade:?}");
            }
        }
    }
    // However it is written, it is one.
    for upgrade in ["WebSocket", "WEBSOCKET", " websocket "] {
        let headers = WEBSOCKET.replace(": Upgrade", ": keep-alive, UPGRADE").replace(" websocket", &format!(" {upgrade}"));
        let answered = exchange(stack.http, &head("GET /ws/", "shop", &headers)).await;
        assert!(answered.starts_with(b"HTTP/1.1 101 "), "{upgrade}: {}", String::from_utf8_lossy(&answered));
    }
}

/// An origin that answers 101 to who did not ask gets no tunnel.
#[tokio::test(flavor = "multi_thread")]
async fn an_uninvited_101_is_502() {
    let (stack, origin) = start().await;
    for site in ["shop", "watched", "open", "chat"] {
        for headers in ["", "Connection: Upgrade\r\nUpgrade: h2c\r\n", "Connection: Upgrade\r\n"] {
            let answered =
                exchange(stack.http, &[head("GET /101", site, headers), b"GET /smuggled HTTP/1.1\r\n\r\n".to_vec()].concat()).await;
            assert!(answered.starts_with(b"HTTP/1.1 502 "), "{site} {headers:?}: {}", String::from_utf8_lossy(&answered));
        }
    }
    let answered = exchange(stack.http, &head("GET /101", "shop", WEBSOCKET)).await;
    assert!(answered.starts_with(b"HTTP/1.1 502 "), "asked where it is not allowed: {}", String::from_utf8_lossy(&answered));
    for read in origin.drain().await {
        let (requests, _) = read.expect("nothing raw has passed");
        assert!(requests.iter().all(|request| request.target == b"/101"), "{requests:?}");
    }
}

/// `Connection` names what concerns one hop. Our headers concern the origin.
#[tokio::test(flavor = "multi_thread")]
async fn connection_names_no_header_of_ours_away() {
    let (stack, origin) = start().await;
    let ours = ["x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-request-id", "host"];
    for connection in [
        "keep-alive, X-Forwarded-For, X-Request-Id, Host, X-Forwarded-Host, X-Forwarded-Proto",
        "close, x-forwarded-for",
        "X-Forwarded-For",
        "host",
        "connection, x-request-id",
    ] {
        for (path, upgrade) in [("/", ""), ("/ws/", "Upgrade: h2c\r\n")] {
            let answer = send(&stack, "shop", path, &format!("Connection: {connection}\r\n{upgrade}")).await;
            assert_eq!(answer.status, 200, "{connection}: {answer:?}");
            let told = told(&answer);
            for name in ours {
                assert!(told.iter().any(|(n, _)| n == name), "{name} is not there: {told:?}");
            }
            let passed = told.iter().any(|(name, value)| name == "connection" && !matches!(value.as_str(), "close" | "keep-alive"));
            assert!(!passed, "{told:?}");
        }
    }
    // Beside an upgrade that is allowed, too.
    let asked = format!("Connection: Upgrade, X-Forwarded-For\r\n{}", WEBSOCKET.split_once("\r\n").expect("lines").1);
    let answered = exchange(stack.http, &head("GET /ws/", "shop", &asked)).await;
    assert!(answered.starts_with(b"HTTP/1.1 101 "), "{}", String::from_utf8_lossy(&answered));
    let received: Vec<_> = origin.drain().await.into_iter().flat_map(|read| read.map_or(Vec::new(), |(requests, _)| requests)).collect();
    let opened = received.iter().find(|request| request.target == b"/ws/" && !request.all("upgrade").is_empty()).expect("it arrived");
    assert_eq!((opened.all("connection"), opened.all("x-forwarded-for")), (vec!["upgrade"], vec!["127.0.0.1"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn connect_and_trace_are_refused() {
    let (stack, origin) = start().await;
    for site in ["shop", "watched", "open", "chat"] {
        for line in [
            "CONNECT /",
            "CONNECT shop.test:80",
            "CONNECT 127.0.0.1:22",
            "CONNECT http://shop.test/",
            "TRACE /",
            "TRACE http://shop.test/",
            "TRACK /",
            "connect /",
            "Connect /",
            "trace /",
            "Trace /",
            "PRI *",
        ] {
            let answer = ask(stack.http, &head(line, site, "")).await;
            let ours = [400, 403, 405, 421].contains(&answer.status);
            // Methods have a case: where nothing is denied, one that is no method may pass as itself.
            let itself = ["connect", "Connect", "trace", "Trace"].iter().any(|method| line.starts_with(method));
            assert!(ours || itself && answer.status == 200, "{site} {line}: {answer:?}");
        }
        for method in ["CONNECT", "TRACE", "TRACK"] {
            for request in [
                h2::Request::new(method, "/"),
                h2::Request::new(method, "/ws/"),
                h2::Request::new(method, "/").without(":path").without(":scheme"),
            ] {
                let answer = request.send(stack.http, &format!("{site}.test")).await;
                assert!([0, 400, 405].contains(&answer.status), "{site} {method} over HTTP/2: {answer:?}");
            }
        }
    }
    for read in origin.drain().await {
        let (requests, _) = read.expect("what arrives has one meaning");
        assert!(requests.iter().all(|request| !["CONNECT", "TRACE", "TRACK", "PRI"].contains(&request.method.as_str())), "{requests:?}");
    }
}

/// Over HTTP/2 a WebSocket begins as a CONNECT (RFC 8441). It opens nothing that HTTP/1 would not.
#[tokio::test(flavor = "multi_thread")]
async fn an_extended_connect_opens_no_more() {
    let (stack, origin) = start().await;
    let websocket = |path: &str, protocol: &str| {
        h2::Request::new("CONNECT", path).without("user-agent").field(":protocol", protocol).field("sec-websocket-version", "13")
    };
    for (site, path) in [("shop", "/"), ("shop", "//ws/"), ("chat", "/ws/"), ("open", "/"), ("watched", "/")] {
        for protocol in ["websocket", "h2c", "connect-udp", ""] {
            let answer = websocket(path, protocol).send(stack.http, &format!("{site}.test")).await;
            assert!([0, 200, 400, 403, 405].contains(&answer.status), "{site}{path} {protocol}: {answer:?}");
        }
    }
    for read in origin.drain().await {
        let (requests, _) = read.expect("nothing raw has passed");
        for request in requests {
            let upgrades = !request.all("upgrade").is_empty() || request.method == "CONNECT";
            assert!(!upgrades, "{request:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quiet_tunnel_is_closed() {
    let (stack, _origin) = start_with(Options { haproxy: "tunnel_timeout_ms = 1000\n", ..Options::default() }).await;
    let mut stream = open(&stack, "shop", "/ws/").await;
    stream.write_all(b"ping").await.expect("sending");
    let mut echoed = Vec::new();
    let closed = tokio::time::timeout(std::time::Duration::from_secs(20), stream.read_to_end(&mut echoed)).await;
    closed.expect("a tunnel on which nothing is sent is closed long before the default of an hour").expect("closed in order");
    assert_eq!(echoed, b"ping");
}
