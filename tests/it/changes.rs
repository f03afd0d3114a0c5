//! Change sets, plans and rollbacks with the real engines: what is staged changes nothing on the wire, what is committed does, and what an engine
//! refuses blocks nobody else.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use crate::stack::{ApiAnswer, Stack, eventually, kill};
use crate::wire::{Request, SQLI, get};

fn attack() -> Request {
    get(&format!("/?{SQLI}"))
}

/// Accepted by the allow-list, refused by the engine.
fn bad_rule() -> Value {
    json!([{ "id": 190001, "seclang": "SecRule ARGS \"@rx a**\" \"phase:2,deny,msg:'x'\"" }])
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_else(|| panic!("no text at {pointer}: {value:#}"))
}

impl Stack {
    async fn post(&self, path: &str, body: Value) -> ApiAnswer {
        self.call("POST", path, &[], Some(&body)).await
    }

    async fn new_change_set(&self, operations: Value) -> String {
        let made = self.post("/api/v1/change-sets", json!({ "message": "a test", "operations": operations })).await.expect(201);
        text(&made.body, "/id").to_owned()
    }

    async fn head(&self) -> i64 {
        self.get("/api/v1/status").await.expect(200).body["head"].as_i64().expect("a number")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn from_staged_to_planned_to_live_and_back() {
    let stack = Stack::start().await;
    stack.site("a", json!({})).await;
    let good = stack.head().await;
    let id = stack
        .new_change_set(json!([
            { "method": "PUT", "path": "/vhosts/b", "value": { "hostnames": ["b.test"], "policy": "b",
              "upstream": { "servers": [{ "address": "127.0.0.1", "port": stack.origin.address.port() }] } } },
            { "method": "PUT", "path": "/policies/b", "value": { "mode": "block" } },
        ]))
        .await;
    // And by the same requests as always.
    let patched = stack
        .call("PATCH", &format!("/api/v1/policies/a?change_set={id}"), &[("if-match", "*")], Some(&json!({ "mode": "detect" })))
        .await
        .expect(200);
    assert_eq!(patched.headers["guard-proxy-change-set"], id.as_str());
    assert!(patched.headers.get("guard-proxy-revision").is_none(), "{:?}", patched.headers);
    assert_eq!(stack.get(&format!("/api/v1/policies/a?change_set={id}")).await.expect(200).body["mode"], "detect");
    assert_eq!(stack.get(&format!("/api/v1/policies/a?change_set={id}")).await.etag(), patched.etag());
    assert_eq!(stack.get(&format!("/api/v1/vhosts?change_set={id}")).await.expect(200).body["total"], 2);
    assert_eq!(stack.get("/api/v1/policies/a").await.expect(200).body["mode"], "block");
    assert_eq!(stack.status("a", attack()).await, 403, "what is staged changes nothing");

    let plan = stack.post(&format!("/api/v1/change-sets/{id}/plan"), json!({})).await.expect(201);
    assert_eq!(stack.get(plan.headers["location"].to_str().expect("text")).await.expect(200).body, plan.body);
    let plan = plan.body;
    assert_eq!((&plan["errors"], &plan["conflicts"]), (&json!([]), &json!([])), "{plan:#}");
    let answers: Vec<_> = plan["engines"].as_array().expect("engines").iter().map(|e| (text(e, "/engine"), text(e, "/answer"))).collect();
    assert_eq!(answers, [("coraza", "accepted"), ("haproxy", "accepted")], "the real ones: {plan:#}");
    assert!(plan["lanes"].as_array().expect("lanes").iter().any(|lane| lane["lane"] == "reload"), "{plan:#}");
    assert!(
        plan["files"].as_array().expect("files").iter().any(|file| file["path"] == "haproxy.cfg" && text(file, "/diff").contains("be_"))
    );
    assert_eq!(plan["risk"]["reasons"][0]["code"], "mode_lowered", "{plan:#}");

    let body = json!({ "plan_digest": "0".repeat(64) });
    let other = stack.post(&format!("/api/v1/change-sets/{id}/commit?wait=live"), body).await.expect(409);
    assert_eq!(other.body["code"], "plan_changed");
    let body = json!({ "plan_digest": plan["digest"] });
    let committed = stack.post(&format!("/api/v1/change-sets/{id}/commit?wait=live"), body).await.expect(200);
    assert_eq!(committed.body["state"], "committed", "{:#}", committed.body);
    assert_eq!(committed.headers["guard-proxy-revision"], (good + 1).to_string().as_str());
    assert_eq!(committed.headers["guard-proxy-live-revision"], committed.headers["guard-proxy-revision"]);
    assert_eq!(stack.status("b", attack()).await, 403, "the new site");
    assert_eq!(stack.status("a", attack()).await, 200, "the lowered mode");

    let diff = stack.get(&format!("/api/v1/revisions/{}/diff", good + 1)).await.expect(200).body;
    assert_eq!((&diff["counts"]["created"], &diff["counts"]["updated"]), (&json!(2), &json!(1)));
    assert_eq!(stack.get(&format!("/api/v1/policies/a?revision={good}")).await.expect(200).body["mode"], "block", "as it was");

    // Back for one object, then whole.
    let back = stack.post(&format!("/api/v1/revisions/{good}/rollback?wait=live"), json!({ "objects": ["policies/a"] })).await.expect(200);
    assert_eq!(back.body["origin"], json!({ "kind": "rollback", "revision": good }));
    assert_eq!((stack.status("a", attack()).await, stack.status("b", attack()).await), (403, 403));
    stack.post(&format!("/api/v1/revisions/{good}/rollback?wait=live"), json!({})).await.expect(200);
    assert_eq!((stack.status("a", attack()).await, stack.status("b", get("/")).await), (403, 421), "no such host any more");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_write_between_good_ones_of_others_blocks_nobody() {
    let mut stack = Stack::start().await;
    for name in ["a", "b", "c"] {
        stack.site(name, json!({})).await;
    }
    // With nobody to judge them, all three are committed; they are brought together.
    kill(&mut stack.validator, "-KILL");
    let path = |name: &str| format!("/api/v1/policies/{name}?wait=live&wait_timeout_s=60");
    let headers = [("if-match", "*")];
    let (detect, rule) = (json!({ "mode": "detect" }), json!({ "custom_rules": bad_rule() }));
    let (path_a, path_b, path_c) = (path("a"), path("b"), path("c"));
    let (first, bad, last) = tokio::join!(
        stack.call("PATCH", &path_a, &headers, Some(&detect)),
        stack.call("PATCH", &path_b, &headers, Some(&rule)),
        stack.call("PATCH", &path_c, &headers, Some(&detect)),
    );
    first.expect(200);
    last.expect(200);
    assert_eq!((bad.status, bad.body["code"].as_str()), (422, Some("refused")), "{:#}\n{}", bad.body, stack.logs());
    assert_eq!(bad.pointers(), ["/policies/b/custom_rules/0"], "{:#}", bad.body);
    assert_eq!((stack.status("a", attack()).await, stack.status("c", attack()).await), (200, 200), "theirs are in force");
    assert_eq!(stack.status("b", attack()).await, 403, "as it was");
    // The author hears of it as soon as it is taken back; the revision that does so is live a moment later.
    eventually("nothing is refused or behind", async || {
        let status = stack.get("/api/v1/status").await.expect(200).body;
        (&status["current"], &status["refused"]) == (&json!(true), &json!([]))
    })
    .await;

    // Fix and retry.
    let left = stack.get("/api/v1/change-sets?state=refused").await.expect(200).body;
    let id = text(&left, "/items/0/id").to_owned();
    stack.post(&format!("/api/v1/change-sets/{id}/rebase"), json!({})).await.expect(200);
    stack.start_validator();
    let mended = json!({ "custom_rules": [{ "id": 190001, "seclang": "SecRule ARGS:n \"@streq 7\" \"phase:2,deny,msg:'x'\"" }] });
    stack.call("PATCH", &format!("/api/v1/policies/b?change_set={id}"), &headers, Some(&mended)).await.expect(200);
    stack.post(&format!("/api/v1/change-sets/{id}/commit?wait=live"), json!({})).await.expect(200);
    assert_eq!(stack.status("b", get("/?n=7")).await, 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_objects_are_one_revision_and_a_bad_one_among_them_none() {
    let stack = Stack::start().await;
    stack.site("a", json!({})).await;
    let port = stack.origin.address.port();
    let vhost = |n: usize| {
        let value = json!({ "hostnames": [format!("v{n}.test")], "policy": "a", "upstream": { "servers": [{ "address": "127.0.0.1", "port": port }] } });
        json!({ "method": "PUT", "path": format!("/vhosts/v{n}"), "value": value })
    };
    let mut operations: Vec<Value> = (0..1000).map(vhost).collect();
    operations[617]["value"]["upstream"]["servers"][0]["port"] = json!(0);
    let head = stack.head().await;
    let refused = stack.post("/api/v1/change-sets?wait=live", json!({ "operations": operations, "commit": true })).await.expect(422);
    assert_eq!(refused.pointers(), ["/operations/617/value/upstream/servers/0/port"]);
    assert_eq!(stack.head().await, head);
    operations[617] = vhost(617);
    let body = json!({ "message": "many", "operations": operations, "commit": true });
    let done = stack.post("/api/v1/change-sets?wait=live&wait_timeout_s=60", body).await.expect(201);
    assert_eq!((&done.body["revision"], &done.body["counts"]["created"]), (&json!(head + 1), &json!(1000)), "{:#}", done.body);
    assert_eq!(stack.status("v617", attack()).await, 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn commits_and_take_backs_survive_kills() {
    let mut stack = Stack::start().await;
    stack.site("a", json!({})).await;
    kill(&mut stack.validator, "-KILL");
    for round in 0..4_u64 {
        // A bad one on its way to be taken back, and a change set committed, when everything of ours dies.
        let rule = json!({ "title": format!("bad {round}"), "custom_rules": bad_rule() });
        let bad = stack.call("PATCH", "/api/v1/policies/a", &[("if-match", "*")], Some(&rule)).await.expect(200);
        let name = format!("p{round}");
        let id =
            stack.new_change_set(json!([{ "method": "PUT", "path": format!("/policies/{name}"), "value": { "title": "kept" } }])).await;
        let committed = stack.post(&format!("/api/v1/change-sets/{id}/commit"), json!({})).await.expect(200);
        tokio::time::sleep(Duration::from_millis(round * 120)).await;
        kill(&mut stack.serve, "-KILL");
        stack.start_serve().await;
        eventually("the newest revision is live", async || stack.get("/api/v1/status").await.body["current"] == true).await;
        let policy = stack.get("/api/v1/policies/a").await.expect(200).body;
        assert_eq!(policy["custom_rules"], json!([]), "round {round}: taken back\n{}", stack.logs());
        assert_eq!(stack.get(&format!("/api/v1/policies/{name}")).await.expect(200).body["title"], "kept", "round {round}");
        let kept = stack.get(&format!("/api/v1/change-sets/{id}")).await.expect(200).body;
        assert_eq!((&kept["state"], &kept["revision"]), (&json!("committed"), &committed.body["revision"]), "round {round}");
        let number = bad.headers["guard-proxy-revision"].to_str().expect("text").parse::<i64>().expect("a number");
        let left = stack.get("/api/v1/change-sets?state=refused&limit=500").await.expect(200).body;
        let of = left["items"].as_array().expect("items").iter().filter(|one| one["revision"] == number).count();
        assert_eq!(of, 1, "round {round}: what was refused is left once: {left:#}");
        assert_eq!(stack.status("a", attack()).await, 403);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn while_change_sets_are_committed_no_request_is_lost_or_passes() {
    let stack = Arc::new(Stack::start().await);
    stack.site("a", json!({})).await;
    let stop = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let clients: Vec<_> = (0..2)
        .map(|_| {
            let (stack, stop) = (stack.clone(), stop.clone());
            tokio::spawn(async move {
                let mut wrong = Vec::new();
                let mut count = 0;
                while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                    let statuses = (stack.status("a", attack()).await, stack.status("a", get("/")).await);
                    count += 1;
                    if statuses != (403, 200) {
                        wrong.push(statuses);
                    }
                }
                (count, wrong)
            })
        })
        .collect();
    for n in 0..8 {
        let rule = format!("SecRule ARGS:n \"@streq {n}\" \"phase:2,deny,msg:'number {n}'\"");
        let operations = json!([
            { "method": "PATCH", "path": "/policies/a", "value": { "custom_rules": [{ "id": 190001, "seclang": rule }] } },
            { "method": "PUT", "path": format!("/vhosts/n{n}"), "value": { "hostnames": [format!("n{n}.test")], "policy": "a",
              "upstream": { "servers": [{ "address": "127.0.0.1", "port": stack.origin.address.port() }] } } },
        ]);
        stack.post("/api/v1/change-sets?wait=live", json!({ "operations": operations, "commit": true })).await.expect(201);
        assert_eq!(stack.status(&format!("n{n}"), get(&format!("/?n={n}"))).await, 403);
    }
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    for client in clients {
        let (count, wrong) = client.await.expect("the clients end");
        assert!(count > 10 && wrong.is_empty(), "{count} pairs, wrong: {wrong:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_its_probe_is_taken_back() {
    let stack = Stack::start().await;
    stack.site("a", json!({})).await;
    stack.site("b", json!({})).await;
    // Somebody sees to it that the wire goes on treating `b` as before, whatever we say: the engines accept the change, the probe does not.
    let shown = stack.master("@1 show map live.map").await;
    let before = shown.lines().find_map(|line| line.split_once(' ')?.1.strip_prefix("2 ")).expect("the entry of the second vhost");
    let tamper = format!("@1 set map live.map 2 {}", before.trim());
    let operations = json!([
        { "method": "PATCH", "path": "/policies/b", "value": { "mode": "detect" } },
        { "method": "PUT", "path": "/policies/unused", "value": {} },
    ]);
    let body = json!({ "message": "not seen", "operations": operations, "commit": true });
    let refused = {
        let mut asked = std::pin::pin!(stack.post("/api/v1/change-sets?wait=live&wait_timeout_s=60", body));
        loop {
            tokio::select! {
                answer = &mut asked => break answer.expect(422),
                _ = stack.master(&tamper) => {}
            }
        }
    };
    assert_eq!((&refused.body["code"], refused.pointers()), (&json!("refused"), vec!["/vhosts/b"]), "{:#}", refused.body);
    assert!(text(&refused.body, "/said").contains("probe of vhost `b`"), "{:#}", refused.body);
    eventually("the newest revision is live", async || stack.get("/api/v1/status").await.body["current"] == true).await;
    assert_eq!(stack.get("/api/v1/policies/b").await.expect(200).body["mode"], "block");
    assert_eq!(stack.get("/api/v1/policies/unused").await.status, 404, "one revision, one fate");
    let left = stack.get("/api/v1/change-sets?state=refused").await.expect(200).body["items"][0].clone();
    assert_eq!((text(&left, "/message"), &left["counts"]), ("not seen", &json!({ "created": 1, "updated": 1, "deleted": 0 })), "{left:#}");
    assert_eq!((stack.status("a", attack()).await, stack.status("b", attack()).await), (403, 403));
    let proof = stack.get("/api/v1/vhosts/b/status").await.expect(200).body;
    assert_eq!(proof["live"], true, "{proof:#}");
}
