//! Promise 1: an acknowledged write, and its outcome, survive `kill -9` of everything of ours.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::json;

use crate::stack::{Stack, eventually, kill};
use crate::wire::{SQLI, get};

#[tokio::test(flavor = "multi_thread")]
async fn acknowledged_writes_survive() {
    let mut stack = Stack::start().await;
    stack.site("a", json!({})).await;
    // What was acknowledged: name -> ETag.
    let acknowledged: Arc<Mutex<Vec<(String, String)>>> = Arc::default();
    for round in 0..4_u64 {
        let client = reqwest::Client::new();
        let (api, token, log) = (stack.api, stack.token.clone(), acknowledged.clone());
        let writers = tokio::spawn(async move {
            let write = async |worker: u32| {
                for n in 0..500 {
                    let name = format!("p-{round}-{worker}-{n}");
                    let request =
                        client.put(format!("http://{api}/api/v1/policies/{name}")).bearer_auth(&token).json(&json!({ "name": name }));
                    // An error is the kill: what was not acknowledged may or may not be there.
                    let Ok(answer) = request.send().await else { return };
                    if answer.status() == 201 {
                        let etag = answer.headers()["etag"].to_str().expect("an ETag is text").to_owned();
                        log.lock().expect("the log").push((name, etag));
                    }
                }
            };
            tokio::join!(write(0), write(1), write(2), write(3), write(4), write(5), write(6), write(7));
        });
        // The mode flips meanwhile, so that the kill also meets a deployment under way.
        let mode = if round % 2 == 0 { "detect" } else { "block" };
        stack.call("PATCH", "/api/v1/policies/a", &[("if-match", "*")], Some(&json!({ "mode": mode }))).await.expect(200);
        // However slow the machine: some were acknowledged, others are under way.
        eventually("some writes are acknowledged", async || acknowledged.lock().expect("the log").len() as u64 > (round + 1) * 10).await;
        tokio::time::sleep(Duration::from_millis(round * 35)).await;
        kill(&mut stack.serve, "-KILL");
        if round == 2 {
            kill(&mut stack.haproxy, "-KILL");
            kill(&mut stack.spoa, "-KILL");
        }
        writers.await.expect("the writers end");
        stack.start_serve().await;
        if round == 2 {
            stack.start_spoa();
            stack.start_haproxy();
        }
        eventually("the newest revision is live", async || {
            let status = stack.get("/api/v1/status").await.body;
            status["live"] == status["head"]
        })
        .await;
        let want = if mode == "detect" { 200 } else { 403 };
        eventually("the wire does what the API says", async || {
            tokio::net::TcpStream::connect(stack.http).await.is_ok() && stack.status("a", get(&format!("/?{SQLI}"))).await == want
        })
        .await;
    }
    let acknowledged = acknowledged.lock().expect("the log").clone();
    assert!(acknowledged.len() > 20, "there was something to lose: {}", acknowledged.len());
    for (name, etag) in &acknowledged {
        let answer = stack.get(&format!("/api/v1/policies/{name}")).await.expect(200);
        assert_eq!(answer.etag(), *etag, "{name}");
    }
    let mut numbers = Vec::new();
    let mut path = "/api/v1/revisions?limit=500".to_owned();
    loop {
        let page = stack.get(&path).await.expect(200).body;
        numbers.extend(page["items"].as_array().expect("items").iter().map(|r| r["number"].as_i64().expect("a number")));
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        path = format!("/api/v1/revisions?limit=500&cursor={cursor}");
    }
    let head = stack.get("/api/v1/status").await.body["head"].as_i64().expect("a number");
    assert_eq!(numbers, (1..=head).rev().collect::<Vec<_>>(), "no gap");
    let verdict = stack.get("/api/v1/audit/verify?limit=1000000").await.expect(200).body;
    assert!(verdict["ok"] == true && verdict["complete"] == true, "the audit log is whole: {verdict}");
}
