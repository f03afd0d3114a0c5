//! Heads that only HTTP/2 can have: the WAF and the origin see one request, the same.

use serde_json::json;

use crate::h2::{Request, get};
use crate::stack::Stack;
use crate::wire::{Answer, SQLI};

#[tokio::test(flavor = "multi_thread")]
async fn heads_of_http2() {
    let stack = Stack::start().await;
    stack.site("block", json!({})).await;
    stack.site("off", json!({ "mode": "off" })).await;
    let send = async |request: Request| -> Answer { request.send(stack.http, "block.test").await };
    let attack = format!("/?{SQLI}");

    assert_eq!(send(get("/?a=1")).await.status, 200);
    assert_eq!(send(get(&attack)).await.status, 403);
    assert_eq!(send(get(&attack).continuation(7)).await.status, 403, "in CONTINUATION frames");
    let benign = send(get("/many?a=1").continuation(1)).await;
    assert_eq!((benign.status, &benign.json()["uri"]), (200, &json!("/many?a=1")), "the head is put together again");
    let json = Request::new("PUT", "/json").field("content-type", "application/json");
    assert_eq!(send(json.clone().body(r#"{"a":1}"#)).await.status, 200);
    assert_eq!(send(json.body(r#"{"a":"1' UNION SELECT password FROM users--"}"#)).await.status, 403);

    // A host without an authority is one; of two that differ none is believed over the policy of the other.
    let host = send(get("/host").without(":authority").field("host", "block.test")).await;
    assert_eq!((host.status, &host.json()["headers"]["host"]), (200, &json!("block.test")));
    for other in [get(&attack).field("host", "off.test"), get(&attack).field(":authority", "off.test"), get(&attack).field(":path", "/")] {
        let answer = send(other.clone()).await;
        assert!([0, 400, 403].contains(&answer.status), "{other:?}: {}", answer.status);
    }
    for (name, value) in
        [("transfer-encoding", "chunked"), ("connection", "close"), ("X-Upper", "1"), ("x-line", "a\r\nx-second: 1"), (":odd", "1")]
    {
        let answer = send(get("/odd").field(name, value)).await;
        assert!([0, 200, 400].contains(&answer.status), "{name}: {}", answer.status);
    }
    for received in stack.origin.received("/odd") {
        let odd = ["transfer-encoding", "x-second", ":odd"].iter().find(|name| received.headers.contains_key(**name));
        assert!(odd.is_none(), "{odd:?} reached the origin: {:?}", received.headers);
    }
    assert!(stack.origin.received("UNION").is_empty(), "an attack reached the origin");
}
