//! When guard-spoa is dead, slow, overloaded or broken: 503 for a vhost that fails closed, and only its absence passes for one that does not.

use std::time::Duration;

use serde_json::json;

use crate::stack::{Options, Stack, eventually, kill};
use crate::wire::{Request, SQLI, get, post};

fn attack() -> Request {
    get(&format!("/?{SQLI}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_agent_away_slow_overloaded_or_broken() {
    let options = Options { spoa_args: vec!["-test-faults", "-max-evaluations", "1", "-queue-timeout", "300ms"], ..Options::default() };
    let mut stack = Stack::start_with(options).await;
    stack.site("closed", json!({})).await;
    stack.site("open", json!({})).await;
    stack.patch_live("/api/v1/vhosts/open", json!({ "on_waf_unavailable": "pass" })).await;
    stack.site("detect", json!({ "mode": "detect" })).await;
    stack.site("off", json!({ "mode": "off" })).await;

    // Slow: longer than HAProxy waits. A request can cause that, so nobody in block passes.
    let fault = async |fault| assert_eq!(stack.control("PUT", "/v1/test/faults", Some(fault)).await.0, 200);
    fault(json!({ "delay_ms": 2600 })).await;
    let (closed, open, detect, off) = tokio::join!(
        stack.status("closed", get("/")),
        stack.status("open", get("/")),
        stack.status("detect", get("/")),
        stack.status("off", get("/"))
    );
    assert_eq!((closed, open, detect, off), (503, 503, 200, 200), "slow");
    tokio::time::sleep(Duration::from_millis(3000)).await;

    // Overloaded: one evaluation at a time, and the queue's wait is over before its turn comes.
    fault(json!({ "delay_ms": 900 })).await;
    // A probe of our own may have the one place meanwhile: until some were judged and some were not.
    let mut seen = std::collections::BTreeSet::new();
    eventually("some are served and some are refused", async || {
        seen.extend(futures::future::join_all((0..12).map(|_| stack.status("closed", get("/")))).await);
        seen.len() > 1
    })
    .await;
    assert_eq!(seen, [200, 503].into(), "overloaded");
    let burst = futures::future::join_all((0..12).map(|_| stack.status("open", attack()))).await;
    assert!(burst.iter().all(|s| [403, 503].contains(s)), "an overload passes nothing: {burst:?}");
    let burst = futures::future::join_all((0..12).map(|_| stack.status("detect", get("/")))).await;
    assert!(burst.iter().all(|s| *s == 200), "detect denies nothing: {burst:?}");
    tokio::time::sleep(Duration::from_millis(1500)).await;

    // A panic is one request's and is answered at once.
    fault(json!({ "panic": true })).await;
    assert_eq!(stack.status("closed", get("/")).await, 503, "panic");
    assert_eq!(stack.status("open", get("/")).await, 503, "a panic can be caused by the request");
    assert_eq!(stack.status("detect", get("/")).await, 200);
    fault(json!({})).await;
    assert_eq!(stack.status("closed", get("/")).await, 200, "and the process lives on");

    // Dead: only now the choice of the vhost counts.
    kill(&mut stack.spoa, "-KILL");
    // Requests that met a connection of before, or one of each thread's first, time out and are denied: a request could cause that.
    let mut in_a_row = 0;
    eventually("HAProxy knows that the agent is away", async || {
        in_a_row = if stack.status("open", get("/")).await == 200 { in_a_row + 1 } else { 0 };
        in_a_row == 20
    })
    .await;
    assert_eq!(stack.status("closed", get("/")).await, 503);
    assert_eq!(stack.status("closed", attack()).await, 503);
    assert_eq!(stack.status("open", attack()).await, 200, "passes, as its vhost says");
    assert_eq!(stack.status("detect", attack()).await, 200);
    assert_eq!(stack.status("off", get("/")).await, 200);

    // It comes back from the rendered file, with no help.
    stack.start_spoa();
    eventually("the agent serves again", async || stack.status("closed", get("/")).await == 200).await;
    assert_eq!(stack.status("closed", attack()).await, 403);
    assert_eq!(stack.status("open", post("/", "a=1")).await, 200);
    assert_eq!(stack.status("open", attack()).await, 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_ours_is_not_judged() {
    // 9.8: without parameters, without a row, with an application that nobody loaded: 503, never a guess.
    let stack = Stack::start().await;
    stack.site("a", json!({})).await;
    assert_eq!(stack.status("a", get("/").header("Unique-Id", "gp.4.4.1.1.D.W-.1.1.x")).await, 200);
    let worker = stack.master("@1 show map live.map").await;
    let entry: Vec<&str> = worker.lines().find(|l| l.starts_with("0x")).expect("an entry").split_whitespace().collect();
    let number = entry[1];
    stack.master(&format!("@1 set map live.map {number} 424242")).await;
    assert_eq!(stack.status("a", get("/")).await, 503, "no row");
    let rows = stack.master("@1 show map rows.map").await;
    let row = rows.lines().find(|l| l.starts_with("0x")).expect("a row").split_whitespace().nth(2).expect("its value").to_owned();
    let application = row.split('|').nth(2).expect("an application").to_owned();
    let unknown = row.replace(&application, "rs-unknown");
    stack.master(&format!("@1 add map rows.map {number}.424242/ {unknown}")).await;
    assert_eq!(stack.status("a", get("/")).await, 503, "an application that nobody loaded");
    let without = row.replace(&application, "");
    stack.master(&format!("@1 add map rows.map {number}.424243/ {without}")).await;
    stack.master(&format!("@1 set map live.map {number} 424243")).await;
    assert_eq!(stack.status("a", get("/")).await, 503, "no application");
    let parameters = row.split('|').nth(1).expect("parameters").to_owned();
    let broken = row.replace(&parameters, "9.9.0");
    stack.master(&format!("@1 add map rows.map {number}.424244/ {broken}")).await;
    stack.master(&format!("@1 set map live.map {number} 424244")).await;
    assert_eq!(stack.status("a", get("/")).await, 503, "parameters that are none");
}
