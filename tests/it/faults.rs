//! What the table of `fail_modes` does not show: a crowd, an agent that comes back, and words that neither an agent nor a client can say.

use std::collections::BTreeSet;

use serde_json::json;
use spop::TypedData;

use crate::agent::Agent;
use crate::stack::{Options, Stack, eventually, kill};
use crate::wire::{Request, SQLI, get, post};

fn attack() -> Request {
    get(&format!("/?{SQLI}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crowd_gets_nothing_past_and_a_killed_agent_comes_back() {
    let options = Options {
        spoa_args: vec!["-test-faults", "-max-evaluations", "1", "-queue-timeout", "300ms", "-slow-evaluation", "0"],
        node: "waf_timeout_ms = 10000\n",
        ..Options::default()
    };
    let mut stack = Stack::start_with(options).await;
    stack.site("closed", json!({})).await;
    stack.site("open", json!({})).await;
    stack.patch_live("/api/v1/vhosts/open", json!({ "on_waf_unavailable": "pass" })).await;
    stack.site("detect", json!({ "mode": "detect" })).await;

    // One evaluation at a time, and the queue's wait is over before the turn of most comes.
    assert_eq!(stack.control("PUT", "/v1/test/faults", Some(json!({ "delay_ms": 900 }))).await.0, 200);
    let crowd = async |site, request: Request| -> BTreeSet<u16> {
        futures::future::join_all((0..12).map(|_| stack.status(site, request.clone()))).await.into_iter().collect()
    };
    // A probe of our own may have the one place meanwhile: until some were judged and some were not.
    let mut seen = BTreeSet::new();
    eventually("some are served and some are refused", async || {
        seen.extend(crowd("closed", get("/")).await);
        seen.len() > 1
    })
    .await;
    assert_eq!(seen, [200, 503].into());
    assert!(crowd("open", attack()).await.is_subset(&[403, 503].into()), "an overload passes nothing");
    assert_eq!(crowd("detect", attack()).await, [200].into(), "detect denies nothing");
    assert!(stack.origin.received("UNION").len() == 12, "only what was sent to the site in detect arrived");

    kill(&mut stack.spoa, "-KILL");
    assert_eq!(stack.status("closed", attack()).await, 503);
    // From the rendered file, with no help.
    stack.start_spoa();
    eventually("the agent serves again", async || stack.status("closed", get("/")).await == 200).await;
    assert_eq!(stack.status("closed", attack()).await, 403);
    assert_eq!(stack.status("open", post("/", "a=1")).await, 200);
    assert_eq!(stack.status("open", attack()).await, 403);
}

/// 9.5: whatever an agent says, only a clear `allow` passes.
#[tokio::test(flavor = "multi_thread")]
async fn any_other_word_than_allow_denies() {
    let mut stack = Stack::start().await;
    let away = "SecRule ARGS:go \"@streq away\" \"phase:2,redirect:'https://sorry.test/blocked',msg:'away'\"";
    stack.site("block", json!({ "custom_rules": [{ "seclang": away }] })).await;
    stack.site("detect", json!({ "mode": "detect" })).await;
    kill(&mut stack.serve, "-TERM");
    kill(&mut stack.spoa, "-KILL");
    let agent = Agent::listen(&stack.path("run/guard-spoa.sock"));
    let text = |text: &str| TypedData::String(text.to_owned());
    agent.say(vec![("action", text("allow"))]);
    eventually("the other agent is asked", async || stack.status("block", get("/")).await == 200).await;

    let listed = "https://sorry.test/blocked";
    for (says, expected, location) in [
        (vec![("action", text("deny"))], 403, None),
        (vec![("action", text("drop"))], 403, None),
        (vec![("action", text("pass"))], 403, None),
        (vec![("action", text("ALLOW"))], 403, None),
        (vec![("action", text("allow "))], 403, None),
        (vec![("action", text(""))], 403, None),
        (vec![("action", TypedData::Int32(1))], 403, None),
        (vec![("action", text("deny")), ("status", TypedData::Int32(503))], 503, None),
        (vec![("action", text("deny")), ("status", TypedData::Int32(429))], 429, None),
        (vec![("action", text("deny")), ("status", TypedData::Int32(200))], 403, None),
        (vec![("action", text("deny")), ("status", TypedData::Int32(302))], 403, None),
        (vec![("action", text("redirect")), ("data", text(listed))], 302, Some(listed)),
        (vec![("action", text("redirect")), ("data", text("https://evil.test/"))], 403, None),
        (vec![("action", text("redirect")), ("data", text("https://evil.test/")), ("status", TypedData::Int32(503))], 403, None),
        (vec![("action", text("redirect"))], 403, None),
        (vec![("action", text("deny")), ("data", text(listed))], 403, None),
        (vec![("action", text("allow")), ("fault", text("panic"))], 503, None),
        (vec![("fault", text("a new one"))], 503, None),
        (vec![("status", TypedData::Int32(200))], 503, None),
        (vec![], 503, None),
    ] {
        agent.say(says.clone());
        let answer = stack.send("block", get("/blocked")).await;
        assert_eq!((answer.status, answer.header("location")), (expected, location), "{says:?}");
        // 9.7
        assert_eq!(stack.status("detect", get("/detected")).await, 200, "{says:?}");
    }
    assert_eq!(stack.origin.received("/blocked").len(), 0, "nothing of it passed");
}

/// 9.8: ids are ours alone.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_client_says_of_ids_has_no_effect() {
    let stack = Stack::start().await;
    stack.site("ids", json!({})).await;
    let weak = "gp.1.1.60000.60000.D.W-.1.1.00000000-0000-4000-8000-000000000000";
    let strict = "gp.4.4.1.1.B.WP.1.1.00000000-0000-4000-8000-000000000000";
    // Only paranoia level 2 minds it.
    let odd = "/?q=a;b%20%3D%20c;d(e),f";
    for name in ["Unique-Id", "Unique_Id", "X-Unique-Id", "X-Request-Id", "X-Gp-Id", "Id", "X-Gp-Probe"] {
        for id in [weak, strict, "canary", "gp..x", ""] {
            assert_eq!(stack.status("ids", attack().header(name, id)).await, 403, "{name}: {id}");
            let answer = stack.send("ids", get(odd).header(name, id)).await;
            assert_eq!(answer.status, 200, "{name}: {id}");
            let ours = answer.header("x-request-id").expect("our id");
            assert!(uuid::Uuid::parse_str(ours).is_ok() && !weak.ends_with(ours), "{name}: {id}: {ours}");
            assert_eq!(answer.json()["headers"]["x-request-id"], ours, "the origin is told ours");
            let shown = answer.headers.iter().any(|(_, value)| value.contains("gp."));
            assert!(!shown, "the WAF's id is nobody's business: {answer:?}");
            let told = &answer.json()["headers"];
            let passed_on =
                told.as_object().expect("headers").iter().any(|(n, v)| n != &name.to_lowercase() && v.to_string().contains("gp."));
            assert!(!passed_on, "nor the origin's: {told}");
        }
    }
}
