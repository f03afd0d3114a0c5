//! From a write to the wire: what is refused never reaches traffic, nothing is lost while things change, and restarts pick up.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::json;

use crate::stack::{Options, Stack, eventually, free_port, kill};
use crate::wire::{Request, SQLI, get};

fn attack() -> Request {
    get(&format!("/?{SQLI}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_engine_refuses_is_not_committed() {
    let stack = Stack::start().await;
    stack.site("a", json!({})).await;
    let head = stack.get("/api/v1/status").await.expect(200).body["head"].clone();
    // The lexer lets it pass, the engine does not: a repetition of a repetition.
    let rule = json!({ "custom_rules": [{ "id": 190001, "seclang": "SecRule ARGS \"@rx a**\" \"phase:2,deny,msg:'x'\"" }] });
    let refused = stack.call("PATCH", "/api/v1/policies/a", &[("if-match", "*")], Some(&rule)).await;
    assert_eq!(refused.status, 422, "{:#}", refused.body);
    assert_eq!(refused.body["code"], "refused");
    assert_eq!(refused.pointers(), ["/custom_rules/0"], "{:#}", refused.body);
    // A rule that no CRS has.
    let exclusion = json!({ "exclusions": [{ "rule": { "id": 942999 } }] });
    let refused = stack.call("PATCH", "/api/v1/policies/a", &[("if-match", "*")], Some(&exclusion)).await;
    assert_eq!((refused.status, refused.pointers()), (422, vec!["/exclusions/0"]), "{:#}", refused.body);
    assert_eq!(stack.get("/api/v1/status").await.body["head"], head, "no revision came of it");
    assert_eq!(stack.status("a", attack()).await, 403);
    assert_eq!(stack.status("a", get("/")).await, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn with_the_validator_away_the_agent_still_refuses_and_the_write_is_taken_back() {
    let mut stack = Stack::start().await;
    stack.site("a", json!({})).await;
    kill(&mut stack.validator, "-KILL");
    let rule = json!({ "custom_rules": [{ "id": 190001, "seclang": "SecRule ARGS \"@rx a**\" \"phase:2,deny,msg:'x'\"" }] });
    let path = "/api/v1/policies/a?wait=live&wait_timeout_s=20";
    let refused = stack.call("PATCH", path, &[("if-match", "*")], Some(&rule)).await;
    assert_eq!((refused.status, refused.body["code"].as_str()), (422, Some("refused")), "{:#}\n{}", refused.body, stack.logs());
    let deployment = refused.body["deployment"].as_str().expect("the deployment").to_owned();
    let deployment = stack.get(&format!("/api/v1/deployments/{deployment}")).await.expect(200).body;
    assert_eq!(deployment["state"], "refused");
    assert!(!deployment["said"].as_str().expect("words").is_empty(), "the engine's words: {deployment:#}");
    assert_eq!(stack.status("a", attack()).await, 403, "the last good release serves");
    assert_eq!(stack.status("a", get("/")).await, 200);
    // Taken back: the newest revision is live, and the policy is as it was.
    eventually("the newest revision is live", async || stack.get("/api/v1/status").await.body["current"] == true).await;
    let policy = stack.get("/api/v1/policies/a").await.expect(200).body;
    assert_eq!(policy["custom_rules"], json!([]));
    let head = stack.get("/api/v1/status").await.body["head"].as_i64().expect("a number");
    let info = stack.get(&format!("/api/v1/revisions/{head}")).await.expect(200).body;
    assert_eq!((info["author"].as_str(), &info["origin"]["revisions"]), (Some("system"), &json!([refused.body["revision"]])), "{info:#}");
    let left = stack.get("/api/v1/change-sets?state=refused").await.expect(200).body["items"][0].clone();
    assert_eq!(left["refusal"]["deployment"], refused.body["deployment"], "{left:#}");
    assert_eq!(left["refusal"]["errors"][0]["pointer"], "/policies/a/custom_rules/0", "{left:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bind_that_is_taken_is_refused_before_a_reload() {
    let mut stack = Stack::start().await;
    stack.site("a", json!({})).await;
    let squatter = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let taken: SocketAddr = squatter.local_addr().expect("its address");
    let workers = stack.worker_pids().await;
    stack.rebind(&[stack.http, taken]);
    kill(&mut stack.serve, "-TERM");
    let lost = Arc::new(AtomicUsize::new(0));
    let (stop, watcher) = clients(&stack, "a", lost.clone());
    stack.start_serve().await;
    eventually("the deployment is refused", async || {
        let body = stack.get("/api/v1/deployments?limit=1").await.body;
        body["items"][0]["state"] == "refused"
    })
    .await;
    let body = stack.get("/api/v1/deployments?limit=1").await.body;
    assert!(body["items"][0]["said"].as_str().is_some_and(|said| said.contains(&taken.to_string())), "it names the address: {body:#}");
    stop.store(true, Ordering::Relaxed);
    watcher.await.expect("the clients end");
    assert_eq!(lost.load(Ordering::Relaxed), 0, "no request was lost");
    assert_eq!(stack.worker_pids().await, workers, "nothing was reloaded");
    assert_eq!(stack.status("a", attack()).await, 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_rule_sets_and_five_reloads_under_load() {
    let stack = Stack::start().await;
    stack.site("a", json!({})).await;
    let lost = Arc::new(AtomicUsize::new(0));
    let (stop, watcher) = clients(&stack, "a", lost.clone());
    for n in 0..20 {
        let rule = format!("SecRule ARGS:n \"@streq {n}\" \"phase:2,deny,msg:'number {n}'\"");
        stack.patch_live("/api/v1/policies/a", json!({ "custom_rules": [{ "id": 190001, "seclang": rule }] })).await;
        assert_eq!(stack.status("a", get(&format!("/?n={n}"))).await, 403, "rule set {n} is enforced when it is live");
        assert_eq!(stack.status("a", get(&format!("/?n={}", n + 100))).await, 200);
    }
    let workers = stack.worker_pids().await;
    for n in 0..5 {
        stack.patch_live("/api/v1/vhosts/a", json!({ "upstream": { "timeouts": { "connect_ms": 1000 + n } } })).await;
    }
    assert_ne!(stack.worker_pids().await, workers, "a timeout is structure: it takes a reload");
    stop.store(true, Ordering::Relaxed);
    let sent = watcher.await.expect("the clients end");
    assert_eq!(lost.load(Ordering::Relaxed), 0, "of {sent} requests");
    assert!(sent > 50, "the load was a load: {sent}");
    let passed = stack.origin.received("UNION");
    assert!(passed.is_empty(), "{} attacks reached the origin", passed.len());
}

/// Clients that send benign requests and attacks until told to stop; what is not 200 or 403 counts as lost. Gives the number sent.
fn clients(stack: &Stack, site: &str, lost: Arc<AtomicUsize>) -> (Arc<AtomicBool>, tokio::task::JoinHandle<usize>) {
    let stop = Arc::new(AtomicBool::new(false));
    let (to, host, halt) = (stack.http, format!("{site}.test"), stop.clone());
    let task = tokio::spawn(async move {
        let client = async |attacks: bool| {
            let mut sent = 0;
            while !halt.load(Ordering::Relaxed) && sent < 100_000 {
                let (request, want) = if attacks { (attack(), 403) } else { (get("/?a=1"), 200) };
                let answer = request.send(to, &host).await;
                if answer.status != want {
                    eprintln!("wanted {want}: {answer:?}");
                    lost.fetch_add(1, Ordering::Relaxed);
                }
                sent += 1;
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            sent
        };
        let (a, b, c) = tokio::join!(client(false), client(true), client(false));
        a + b + c
    });
    (stop, task)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_sees_one_generation() {
    // Two values flip together; a rule that is true only in a mixture would deny. A half-sent body stays whole on the old generation.
    let stack = Stack::start().await;
    stack.site("a", json!({})).await;
    let slow = {
        let request = crate::wire::post("/slow", crate::wire::SQLI_FORM).pieces(20, Duration::from_millis(120));
        let to = stack.http;
        tokio::spawn(async move { request.send(to, "a.test").await.status })
    };
    tokio::time::sleep(Duration::from_millis(100)).await;
    stack.patch_live("/api/v1/policies/a", json!({ "mode": "off" })).await;
    assert_eq!(stack.status("a", attack()).await, 200, "the next request is on the new generation");
    assert_eq!(slow.await.expect("the slow one ends"), 403, "the one under way stays on the old");
    // With a rule-set change between, the old application waits for it.
    stack.patch_live("/api/v1/policies/a", json!({ "mode": "block" })).await;
    let slow = {
        let request = crate::wire::post("/slow", crate::wire::SQLI_FORM).pieces(20, Duration::from_millis(150));
        let to = stack.http;
        tokio::spawn(async move { request.send(to, "a.test").await.status })
    };
    tokio::time::sleep(Duration::from_millis(100)).await;
    let rule = "SecRule ARGS:x \"@streq 1\" \"phase:2,deny,msg:'x'\"";
    stack.patch_live("/api/v1/policies/a", json!({ "custom_rules": [{ "seclang": rule }] })).await;
    assert_eq!(slow.await.expect("the slow one ends"), 403, "not 503: its application is still there");
}

#[tokio::test(flavor = "multi_thread")]
async fn engines_outlive_the_control_plane_and_the_other_way_round() {
    let mut stack = Stack::start().await;
    stack.site("a", json!({})).await;
    let workers = stack.worker_pids().await;
    kill(&mut stack.serve, "-KILL");
    assert_eq!(stack.status("a", attack()).await, 403, "the engines serve without us");
    assert_eq!(stack.status("a", get("/")).await, 200);
    stack.start_serve().await;
    eventually("the adopted engines are live", async || {
        let status = stack.get("/api/v1/status").await.body;
        status["live"] == status["head"]
    })
    .await;
    assert_eq!(stack.worker_pids().await, workers, "adopting is no reason to reload");
    stack.patch_live("/api/v1/policies/a", json!({ "mode": "detect" })).await;
    assert_eq!(stack.status("a", attack()).await, 200);

    // HAProxy and guard-spoa come back from the files as after a reboot, with the control plane down.
    kill(&mut stack.serve, "-KILL");
    kill(&mut stack.haproxy, "-TERM");
    kill(&mut stack.spoa, "-TERM");
    stack.start_spoa();
    stack.start_haproxy();
    eventually("they serve", async || tokio::net::TcpStream::connect(stack.http).await.is_ok()).await;
    eventually("what was set at runtime is in the files", async || stack.status("a", attack()).await == 200).await;
    stack.start_serve().await;
    stack.patch_live("/api/v1/policies/a", json!({ "mode": "block" })).await;
    assert_eq!(stack.status("a", attack()).await, 403);
    // And they are healed when they restart under a running control plane, which had changed things at runtime.
    kill(&mut stack.haproxy, "-TERM");
    kill(&mut stack.spoa, "-KILL");
    stack.start_spoa();
    stack.start_haproxy();
    eventually("they serve again", async || {
        tokio::net::TcpStream::connect(stack.http).await.is_ok() && stack.status("a", get("/")).await == 200
    })
    .await;
    let rule = "SecRule ARGS:x \"@streq 1\" \"phase:2,deny,msg:'x'\"";
    stack.patch_live("/api/v1/policies/a", json!({ "custom_rules": [{ "seclang": rule }] })).await;
    assert_eq!(stack.status("a", get("/?x=1")).await, 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn old_workers_are_kept_in_step() {
    let stack = Stack::start().await;
    stack.site("a", json!({})).await;
    // A kept-alive connection holds the old worker over a reload.
    let mut kept = crate::wire::connect(stack.http, None).await;
    let ask = async |stream: &mut tokio::net::TcpStream| {
        use tokio::io::AsyncWriteExt;
        let request = format!("GET /?{SQLI} HTTP/1.1\r\nHost: a.test\r\nUser-Agent: Mozilla/5.0\r\nAccept: */*\r\n\r\n");
        stream.write_all(request.as_bytes()).await.expect("sending");
        crate::wire::read(stream).await.status
    };
    // A half-sent request keeps it busy: idle connections are closed by the reload.
    {
        use tokio::io::AsyncWriteExt;
        kept.write_all(b"GET /?a=1 HTTP/1.1\r\nHost: a.test\r\nUser-Agent: Mozilla/5.0\r\n").await.expect("sending");
    }
    stack.patch_live("/api/v1/vhosts/a", json!({ "upstream": { "timeouts": { "connect_ms": 1234 } } })).await;
    assert!(
        stack.master("show proc").await.split("# old workers").nth(1).is_some_and(|old| old.contains("worker")),
        "the old worker is there"
    );
    let mut late = crate::wire::connect(stack.http, None).await;
    assert_eq!(ask(&mut late).await, 403);
    stack.patch_live("/api/v1/policies/a", json!({ "mode": "off" })).await;
    {
        use tokio::io::AsyncWriteExt;
        kept.write_all(format!("Accept: */*\r\nX-Late: {SQLI}\r\n\r\n").as_bytes()).await.expect("sending");
    }
    assert_eq!(crate::wire::read(&mut kept).await.status, 200, "the old worker serves what is live now");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_probe_shows_what_is_enforced_and_reaches_no_origin() {
    let stack =
        Stack::start_with(Options { extra_binds: vec![SocketAddr::from(([127, 0, 0, 1], free_port()))], ..Options::default() }).await;
    stack.list("bad", &["203.0.113.0/24"]).await;
    stack.site("a", json!({})).await;
    stack.patch_live("/api/v1/vhosts/a", json!({ "access": { "deny": ["bad"] } })).await;
    let status = stack.get("/api/v1/vhosts/a/status").await.expect(200).body;
    assert_eq!(status["proof"]["state"], "proven", "{status:#}");
    assert!(status["proof"]["at"].is_string() && !status["proof"]["seen"].as_array().expect("what was seen").is_empty(), "{status:#}");
    assert!(stack.origin.received("").is_empty(), "a probe reached the origin: {:?}", stack.origin.received(""));
    // Nobody outside is believed to be a probe.
    let answer = stack.send("a", attack().header("x-gp-probe", "canary")).await;
    assert_eq!(answer.status, 403);
    assert!(answer.header("x-gp-state").is_none());
    let answer = stack.send("a", get("/?a=1").header("x-gp-probe", "canary")).await;
    assert_eq!(answer.status, 200);
    assert_eq!(stack.origin.received("/?a=1").len(), 1);
    assert!(stack.origin.received("/?a=1")[0].headers.keys().all(|n| !n.as_str().starts_with("x-gp-")), "our headers do not go through");
}
