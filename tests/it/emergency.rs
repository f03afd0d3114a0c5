//! Emergency mode on the wire: at once, without a revision, over by itself, and still there after a crash.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use time::format_description::well_known::Rfc3339;

use crate::stack::{Stack, eventually, kill};
use crate::wire::{SQLI, get};

async fn put(stack: &Stack, mode: &str, seconds: i64) -> Value {
    let until = (guard_proxy::telemetry::clock::system()() + time::Duration::seconds(seconds)).format(&Rfc3339).expect("a time");
    let body = json!({ "mode": mode, "until": until, "reason": "a test" });
    stack.call("PUT", "/api/v1/vhosts/a/mode-override", &[], Some(&body)).await.expect(200).body
}

async fn becomes(stack: &Stack, status: u16) -> Duration {
    let begun = Instant::now();
    eventually("the wire follows", async || stack.status("a", get(&format!("/?{SQLI}"))).await == status).await;
    begun.elapsed()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vhost_is_in_another_mode_for_a_while() {
    let mut stack = Stack::start().await;
    stack.site("a", json!({})).await;
    stack.site("b", json!({})).await;
    let head = stack.get("/api/v1/status").await.expect(200).body["head"].clone();
    becomes(&stack, 403).await;
    put(&stack, "off", 3600).await;
    becomes(&stack, 200).await;
    assert_eq!(stack.status("b", get(&format!("/?{SQLI}"))).await, 403, "others are as they were");
    eventually("it is proven", async || {
        let status = stack.get("/api/v1/vhosts/a/status").await.expect(200).body;
        status["state"] == "proven" && status["mode_override"]["mode"] == "off"
    })
    .await;
    assert_eq!(stack.get("/api/v1/status").await.body["head"], head, "no revision came of it");

    // Writes of others change nothing of it, nor does a crash.
    stack.patch_live("/api/v1/policies/b", json!({ "thresholds": { "inbound": 6 } })).await.expect(200);
    assert_eq!(stack.status("a", get(&format!("/?{SQLI}"))).await, 200);
    kill(&mut stack.serve, "-KILL");
    assert_eq!(stack.status("a", get(&format!("/?{SQLI}"))).await, 200);
    stack.start_serve().await;
    stack.patch_live("/api/v1/policies/b", json!({ "thresholds": { "inbound": 5 } })).await.expect(200);
    assert_eq!(stack.status("a", get(&format!("/?{SQLI}"))).await, 200);

    stack.call("DELETE", "/api/v1/vhosts/a/mode-override", &[], None).await.expect(204);
    becomes(&stack, 403).await;
    // It ends by itself.
    put(&stack, "detect", 2).await;
    becomes(&stack, 200).await;
    becomes(&stack, 403).await;
    eventually("it is over", async || stack.get("/api/v1/status").await.expect(200).body["mode_overrides"] == json!([])).await;
}
