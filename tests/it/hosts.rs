//! Which site a request is for (data-plane 9.15): one answer, whatever the request calls it, and the origin is told that one.

use serde_json::json;

use crate::origins::server::RawOrigin;
use crate::raw::{answers, ask, exchange};
use crate::stack::Stack;
use crate::wire::{Answer, SQLI};

const AGENT: &str = "User-Agent: Mozilla/5.0 (test)\r\nAccept: text/html\r\n";

/// What came of a request whose head is these lines.
async fn send(stack: &Stack, lines: &str) -> Answer {
    ask(stack.http, format!("{lines}\r\n{AGENT}\r\n").as_bytes()).await
}

/// The status, and the hosts that the origin saw.
fn seen(answer: &Answer) -> (u16, Vec<String>) {
    if answer.status != 200 {
        return (answer.status, Vec::new());
    }
    let received = answer.json();
    let headers = received["headers"].as_array().expect("headers");
    let hosts = headers.iter().filter(|header| header[0].as_str().is_some_and(|name| name.eq_ignore_ascii_case("host")));
    (200, hosts.map(|header| header[1].as_str().expect("a value").to_owned()).collect())
}

/// `guarded` blocks, `open` is off, and both have hosts of every kind.
async fn start() -> (Stack, RawOrigin) {
    let (stack, origin) = (Stack::start().await, RawOrigin::start().await);
    for (name, mode, hostnames) in [
        ("guarded", "block", vec!["guarded.test", "*.wild.test", "bücher.test", "[2001:db8::1]", "192.0.2.9"]),
        ("open", "off", vec!["open.test", "x.wild.test"]),
    ] {
        stack.put_live(&format!("/api/v1/policies/{name}"), json!({ "name": name, "mode": mode })).await;
        let mut vhost = stack.vhost(name);
        vhost["hostnames"] = json!(hostnames);
        vhost["upstream"]["servers"][0]["port"] = json!(origin.address.port());
        stack.put_live(&format!("/api/v1/vhosts/{name}"), vhost).await;
    }
    (stack, origin)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_is_one_site_or_none() {
    let (stack, _origin) = start().await;
    for (host, want) in [
        ("guarded.test", "guarded.test"),
        ("Guarded.TEST", "guarded.test"),
        ("guarded.test:8080", "guarded.test"),
        ("guarded.test.", "guarded.test"),
        ("guarded.test.:80", "guarded.test"),
        ("a.wild.test", "a.wild.test"),
        ("A.WILD.test.", "a.wild.test"),
        ("xn--bcher-kva.test", "xn--bcher-kva.test"),
        ("XN--BCHER-KVA.test", "xn--bcher-kva.test"),
        ("[2001:db8::1]", "[2001:db8::1]"),
        ("[2001:DB8::1]:80", "[2001:db8::1]"),
        ("192.0.2.9", "192.0.2.9"),
        ("192.0.2.9:80", "192.0.2.9"),
    ] {
        let head = |query: &str| format!("GET /?{query} HTTP/1.1\r\nHost: {host}");
        assert_eq!(seen(&send(&stack, &head("a=1")).await), (200, vec![want.to_owned()]), "{host}");
        assert_eq!(send(&stack, &head(SQLI)).await.status, 403, "{host} is inspected");
    }
    // An exact name wins over a wildcard.
    assert_eq!(send(&stack, &format!("GET /?{SQLI} HTTP/1.1\r\nHost: x.wild.test")).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_host_of_ours_is_refused() {
    let (stack, origin) = start().await;
    for host in [
        "",
        " ",
        ".",
        "unknown.test",
        "test",
        "wild.test",
        "a.b.wild.test",
        ".wild.test",
        "*.wild.test",
        "guarded.test..",
        ".guarded.test",
        "a,guarded.test",
        "guarded.test,a",
        "open.test,guarded.test",
        "open.test, guarded.test",
        "guarded.test a",
        "guarded.test\topen.test",
        "guarded.test/../x",
        "guarded.test/",
        "guarded.test?",
        "guarded.test#",
        "guarded.test\\x",
        "guarded_x.test",
        "guarded%2etest",
        "guarded.test%00",
        "guarded.test\u{0}",
        "guarded.test\u{0}.x",
        "open.test\u{0}",
        "open.test\u{0}guarded.test",
        "open.test\u{1}",
        "open.test\u{7f}",
        "guarded.test@open.test",
        "open.test@guarded.test",
        "guarded.test:80:80",
        "guarded.test:x",
        "guarded.test:80@open.test",
        "bücher.test",
        "guarded。test",
        "[::1]",
        "[2001:db8::1",
        "2001:db8::1",
        "[guarded.test]",
        "[2001:db8::1]x",
        "[2001:db8::1%25eth0]",
        "192.0.2.009",
        "3221225993",
        "0xc0.0.2.9",
    ] {
        let answer = send(&stack, &format!("GET / HTTP/1.1\r\nHost: {host}")).await;
        // A port that is none is cut off with the port; what is left must be a host.
        let cut = host.starts_with("guarded.test:");
        let refused = [400, 421].contains(&answer.status);
        assert!(refused || cut && seen(&answer).1 == ["guarded.test"], "{host:?}: {answer:?}");
    }
    for lines in [
        "GET / HTTP/1.1",
        "GET / HTTP/1.0",
        "GET / HTTP/1.1\r\nX-Forwarded-Host: guarded.test",
        "GET / HTTP/1.1\r\nHost: guarded.test\r\nHost: open.test",
        "GET / HTTP/1.1\r\nHost: open.test\r\nhost: guarded.test",
        "GET / HTTP/1.1\r\nHost: guarded.test\r\n open.test",
        "GET / HTTP/1.1\r\nHost : guarded.test",
        "GET / HTTP/1.1\r\n Host: guarded.test",
        "GET / HTTP/1.1\r\nHo\tst: guarded.test",
        "GET http:///x HTTP/1.1\r\nHost: unknown.test",
        "GET http://unknown.test/ HTTP/1.1\r\nHost: guarded.test",
        "GET open.test/ HTTP/1.1\r\nHost: guarded.test",
        "GET //open.test HTTP/1.1\r\nHost: unknown.test",
    ] {
        let answer = send(&stack, lines).await;
        assert!([400, 421].contains(&answer.status), "{lines:?}: {answer:?}");
    }
    let received: Vec<_> = origin.drain().await.into_iter().flat_map(|read| read.expect("one meaning").0).collect();
    assert!(received.iter().all(|request| request.all("host") == ["guarded.test"]), "{received:?}");
}

/// The absolute form names a host too. What decides is what the origin gets, and nothing else of it.
#[tokio::test(flavor = "multi_thread")]
async fn the_absolute_form_decides_for_the_origin_too() {
    let (stack, origin) = start().await;
    for (target, host) in [
        ("http://guarded.test/x", "guarded.test"),
        ("http://guarded.test:80/x", "guarded.test"),
        ("HTTP://GUARDED.test./x", "guarded.test."),
        ("https://guarded.test/x", "guarded.test"),
        ("http://guarded.test/x", "open.test"),
        ("http://open.test/x", "guarded.test"),
        ("http://guarded.test:81/x", "open.test:81"),
        ("http://user:secret@guarded.test/x", "guarded.test"),
        ("http://open.test@guarded.test/x", "guarded.test"),
        ("http://guarded.test@open.test/x", "guarded.test"),
        ("http://guarded.test@open.test/x", "open.test"),
        ("http://guarded.test\\@open.test/x", "guarded.test"),
        ("http://[2001:db8::1]/x", "[2001:db8::1]"),
        ("http://a.wild.test/x", "x.wild.test"),
    ] {
        let head = |query: &str| format!("GET {target}?{query} HTTP/1.1\r\nHost: {host}");
        let (status, hosts) = seen(&send(&stack, &head("a=1")).await);
        let attack = send(&stack, &head(SQLI)).await;
        let open = ["open.test".to_owned(), "x.wild.test".to_owned()];
        match (status, &hosts[..]) {
            (400 | 421, []) => assert!([400, 421].contains(&attack.status), "{target} {host}: {attack:?}"),
            (200, [told]) => {
                assert_eq!(attack.status == 200, open.contains(told), "{target} {host}: {told} is told, {} done", attack.status)
            }
            other => panic!("{target} {host}: {other:?}"),
        }
    }
    for read in origin.drain().await {
        for request in read.expect("what arrives has one meaning").0 {
            assert!(request.target.starts_with(b"/x?"), "{request:?}");
            assert_eq!(request.all("x-forwarded-host"), request.all("host"), "{request:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn http_1_0_is_a_request_like_another() {
    let (stack, _origin) = start().await;
    let answer = send(&stack, "GET /?a=1 HTTP/1.0\r\nHost: guarded.test").await;
    assert_eq!(seen(&answer), (200, vec!["guarded.test".to_owned()]));
    assert_eq!(send(&stack, &format!("GET /?{SQLI} HTTP/1.0\r\nHost: guarded.test")).await.status, 403);
    // Before 1.0 there were no headers, so no host.
    let answered = answers(&exchange(stack.http, b"GET /\r\n\r\n").await, false);
    assert!(answered.iter().all(|answer| answer.status == 400), "{answered:?}");
    let strange = send(&stack, "GET / HTTP/1.2\r\nHost: guarded.test").await;
    assert!([200, 400, 403, 505].contains(&strange.status), "{strange:?}");
    for version in ["HTTP/0.9", "HTTP/2.0", "HTTP/3.0", "HTTP/11", "http/1.1", "HTTP/1", "HTTP/1.1x", "ICY/1.1"] {
        let answer = send(&stack, &format!("GET /?{SQLI} {version}\r\nHost: guarded.test")).await;
        assert!([0, 400, 403, 505].contains(&answer.status), "{version}: {answer:?}");
    }
}
