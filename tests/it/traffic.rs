//! What the numbers count: of clients and of no probe, by verdict and mode.

use std::time::Duration;

use serde_json::{Value, json};

use crate::as_code::run;
use crate::stack::{Stack, eventually};
use crate::wire::{SQLI, get};

/// forwarded, 5xx, inspected, blocked, detected, failed of the last hour.
fn sum(traffic: &Value) -> [u64; 6] {
    let points = traffic["points"].as_array().expect("points");
    ["forwarded", "server_errors", "inspected", "blocked", "detected", "failed"]
        .map(|name| points.iter().map(|point| point[name].as_u64().expect("a number")).sum())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attack_is_counted_as_what_became_of_it_and_a_probe_is_not() {
    let stack = Stack::start().await;
    stack.site("a", json!({ "mode": "block" })).await;
    stack.site("b", json!({ "mode": "detect" })).await;
    let attack = || get(&format!("/?{SQLI}"));
    assert_eq!((stack.status("a", get("/")).await, stack.status("a", attack()).await, stack.status("b", attack()).await), (200, 403, 200));

    let mut seen = Vec::new();
    // It is counted every ten seconds.
    for (path, want) in [
        ("/api/v1/vhosts/a/traffic", [1, 0, 2, 1, 0, 0]),
        ("/api/v1/vhosts/b/traffic", [1, 0, 1, 0, 1, 0]),
        ("/api/v1/traffic", [2, 0, 3, 1, 1, 0]),
    ] {
        eventually("the requests are counted, and no probe", async || {
            seen = sum(&stack.get(path).await.expect(200).body).to_vec();
            tokio::time::sleep(Duration::from_millis(200)).await;
            seen == want
        })
        .await;
    }
    let metrics = stack.call("GET", "/metrics", &[], None).await.expect(200).body;
    let metrics = metrics.as_str().expect("text");
    assert!(metrics.contains("\nguard_proxy_requests_blocked_total 1\n"), "{metrics}");

    let folder = tempfile::tempdir().expect("a folder");
    let told = run(&stack, folder.path(), &["traffic", "b"]).await.expect(0).out;
    assert!(told.contains("detected") && told.lines().last().is_some_and(|line| line.starts_with("together")), "{told}");
    let servers = run(&stack, folder.path(), &["servers", "b"]).await.expect(0).out;
    assert!(servers.starts_with("o  127.0.0.1:") && servers.contains(" unchecked for "), "{servers}");
    let upstream = stack.get("/api/v1/vhosts/b/upstream/status").await.expect(200).body;
    assert_eq!((&upstream["items"][0]["requests"], &upstream["total"]), (&json!(1), &json!(1)), "{upstream:#}");
}
