//! Attack and benign through HAProxy: what each field of a policy does on the wire.

use std::net::IpAddr;
use std::time::Duration;

use serde_json::json;

use crate::stack::Stack;
use crate::wire::{Request, SQLI, SQLI_FORM, get, post};

/// Scores at paranoia level 2 and not at 1 (920272 is level 3, 942431 level 2: many special characters in an argument).
const PL2: &str = "/?q=a;b%20%3D%20c;d(e),f";

fn attack() -> Request {
    get(&format!("/?{SQLI}"))
}

fn from(address: &str) -> IpAddr {
    address.parse().expect("an address")
}

#[tokio::test(flavor = "multi_thread")]
async fn policies_on_the_wire() {
    let stack = Stack::start().await;
    modes(&stack).await;
    levels_and_thresholds(&stack).await;
    methods_and_types(&stack).await;
    hosts(&stack).await;
    headers(&stack).await;
    exclusions(&stack).await;
    custom_rules(&stack).await;
    custom_rules_stay_in_their_bounds(&stack).await;
    multipart(&stack).await;
    access(&stack).await;
    bodies(&stack).await;
}

async fn modes(stack: &Stack) {
    stack.site("block", json!({})).await;
    assert_eq!(stack.status("block", get("/?a=1")).await, 200);
    let refused = stack.send("block", attack()).await;
    assert_eq!(refused.status, 403);
    assert!(refused.header("x-request-id").is_some(), "a refusal names the request: {refused:?}");
    assert!(stack.origin.received("UNION").is_empty(), "an attack reached the origin");

    stack.site("detect", json!({ "mode": "detect" })).await;
    assert_eq!(stack.status("detect", attack()).await, 200);
    stack.site("off", json!({ "mode": "off" })).await;
    assert_eq!(stack.status("off", attack()).await, 200);
    assert_eq!(stack.origin.received("UNION").len(), 2, "detect and off let it through");

    // A mode changes for the next request, without a reload.
    let workers = stack.worker_pids().await;
    stack.patch_live("/api/v1/policies/off", json!({ "mode": "block" })).await;
    assert_eq!(stack.status("off", attack()).await, 403);
    stack.patch_live("/api/v1/policies/off", json!({ "mode": "detect" })).await;
    assert_eq!(stack.status("off", attack()).await, 200);
    assert_eq!(stack.worker_pids().await, workers, "a mode is no reason to reload");
}

async fn levels_and_thresholds(stack: &Stack) {
    stack.site("pl1", json!({ "paranoia": { "blocking": 1 } })).await;
    stack.site("pl2", json!({ "paranoia": { "blocking": 4 }, "thresholds": { "inbound": 3 } })).await;
    stack.site("shadow", json!({ "paranoia": { "blocking": 1, "detection": 4 } })).await;
    assert_eq!(stack.status("pl1", get(PL2)).await, 200);
    assert_eq!(stack.status("pl2", get(PL2)).await, 403);
    assert_eq!(stack.status("shadow", get(PL2)).await, 200, "shadow mode reports and does not block");
    let seen = stack.event_rules("shadow", PL2).await;
    assert!(seen.iter().any(|id| (920_000..950_000).contains(id)), "shadow mode reports what level 4 found: {seen:?}");

    stack.site("tolerant", json!({ "thresholds": { "inbound": 1000 } })).await;
    assert_eq!(stack.status("tolerant", attack()).await, 200);
    stack.patch_live("/api/v1/policies/tolerant", json!({ "thresholds": { "inbound": 5 } })).await;
    assert_eq!(stack.status("tolerant", attack()).await, 403);
    // Policies that differ in values only share one application.
    let applications = stack.applications().await;
    assert_eq!(applications.len(), 1, "{applications:?}");
}

async fn methods_and_types(stack: &Stack) {
    for method in ["PUT", "PATCH", "DELETE"] {
        let request = Request::new(method, "/thing").header("content-type", "application/json").body(r#"{"a":1}"#);
        assert_eq!(stack.status("block", request).await, 200, "{method} passes by default");
    }
    for method in ["CONNECT", "TRACE", "TRACK"] {
        assert_ne!(stack.status("block", Request::new(method, "/thing")).await, 200, "{method}");
    }
    stack.patch_live("/api/v1/policies/block", json!({ "allowed_methods": ["GET", "POST"] })).await;
    assert_eq!(stack.status("block", Request::new("PUT", "/thing").body("a=1")).await, 403);
    stack.patch_live("/api/v1/policies/block", json!({ "allowed_methods": null, "allowed_content_types": ["application/json"] })).await;
    assert_eq!(stack.status("block", post("/thing", "a=1")).await, 403, "a form is not among the allowed types");
    assert_eq!(stack.status("block", post("/thing", r#"{"a":1}"#).header("content-type", "application/json")).await, 200);
    stack.patch_live("/api/v1/policies/block", json!({ "allowed_content_types": null })).await;
    assert_eq!(stack.status("block", post("/thing", "a=1")).await, 200);
}

async fn hosts(stack: &Stack) {
    let mut wild = stack.vhost("wild");
    wild["policy"] = json!("block");
    wild["hostnames"] = json!(["*.wild.test", "bücher.test"]);
    stack.put_live("/api/v1/vhosts/wild", wild).await;
    assert_eq!(get("/").send(stack.http, "a.wild.test").await.status, 200);
    assert_eq!(get("/").send(stack.http, "A.Wild.Test.").await.status, 200);
    assert_eq!(attack().send(stack.http, "a.wild.test").await.status, 403);
    assert_eq!(get("/").send(stack.http, "a.b.wild.test").await.status, 421, "a wildcard is one label");
    assert_eq!(get("/").send(stack.http, "wild.test").await.status, 421);
    assert_eq!(get("/").send(stack.http, "xn--bcher-kva.test").await.status, 200);
    assert_eq!(get("/").send(stack.http, "unknown.test").await.status, 421);
    assert_eq!(get("/").send(stack.http, "a b").await.status, 400);
    stack.patch_live("/api/v1/vhosts/wild", json!({ "enabled": false })).await;
    assert_eq!(get("/").send(stack.http, "a.wild.test").await.status, 421, "a disabled vhost answers 421");
    let taken = stack
        .call(
            "PUT",
            "/api/v1/vhosts/other",
            &[],
            Some(&json!({
                "name": "other", "hostnames": ["*.wild.test"], "policy": "block", "upstream": stack.vhost("x")["upstream"],
            })),
        )
        .await;
    assert_eq!((taken.status, taken.pointers()), (409, vec!["/hostnames/0"]), "and keeps its hostnames");
    stack.patch_live("/api/v1/vhosts/wild", json!({ "enabled": true })).await;
    assert_eq!(get("/").send(stack.http, "a.wild.test").await.status, 200);
}

/// What an origin may trust: our values, in every spelling that it may read as one.
async fn headers(stack: &Stack) {
    let mut request = get("/headers");
    let ours = [
        "X-Forwarded-For",
        "X_Forwarded_For",
        "x-forwarded_host",
        "Forwarded",
        "X-Real-IP",
        "X_Real_IP",
        "X-Request-ID",
        "X_Request-Id",
        "X-GP-State",
        "X_GP_Probe",
        "X-Original-URL",
        "X_Rewrite_Url",
    ];
    for name in ours {
        request = request.header(name, "6.6.6.6");
    }
    assert_eq!(stack.status("block", request).await, 200);
    let received = stack.origin.received("/headers").remove(0);
    let forged: Vec<_> = received.headers.iter().filter(|(_, value)| *value == "6.6.6.6").collect();
    assert!(forged.is_empty(), "{forged:?}");
    assert_eq!(received.headers["x-forwarded-for"], "127.0.0.1");
    assert_eq!(received.headers["x-forwarded-host"], "block.test");
}

async fn exclusions(stack: &Stack) {
    stack.site("excl", json!({})).await;
    let ids = stack.event_rules("block", &format!("/?{SQLI}")).await;
    let detectors: Vec<u32> = ids.into_iter().filter(|id| (930_000..949_000).contains(id)).collect();
    assert!(!detectors.is_empty(), "the attack is found by rules that can be excluded");
    let whole: Vec<_> = detectors.iter().map(|id| json!({ "rule": { "id": id } })).collect();
    stack.patch_live("/api/v1/policies/excl", json!({ "exclusions": whole })).await;
    assert_eq!(stack.status("excl", attack()).await, 200, "every rule that found it is out");
    assert_eq!(stack.status("excl", get("/?q=%3Cscript%3Ealert(1)%3C/script%3E")).await, 403, "nothing more is");
    assert_eq!(stack.status("block", attack()).await, 403, "for nobody else");

    let target: Vec<_> = detectors.iter().map(|id| json!({ "rule": { "id": id }, "target": "ARGS:id" })).collect();
    stack.patch_live("/api/v1/policies/excl", json!({ "exclusions": target })).await;
    assert_eq!(stack.status("excl", attack()).await, 200, "the argument is out");
    assert_eq!(stack.status("excl", get(&format!("/?other{}", &SQLI[2..]))).await, 403, "another argument is not");

    stack
        .patch_live(
            "/api/v1/policies/excl",
            json!({ "exclusions": [
        { "id": "blog", "rule": { "tag": "attack-sqli" }, "target": "ARGS:id", "path": { "prefix": "/blog/" }, "reason": "free text" },
    ] }),
        )
        .await;
    assert_eq!(stack.status("excl", get(&format!("/blog/post?{SQLI}"))).await, 200, "under its path");
    assert_eq!(stack.status("excl", get(&format!("/blog?{SQLI}"))).await, 200, "/blog/ covers /blog");
    for path in [
        "/",
        "/blogx",
        "/x/blog/",
        "/blog/../admin",
        "/blog/%2e%2e/admin",
        "/blog//../admin",
        "/blog/..%2fadmin",
        "/blog/.%2e/admin",
        "/blog/..;/admin",
    ] {
        assert_eq!(stack.status("excl", get(&format!("{path}?{SQLI}"))).await, 403, "{path} is not under /blog/");
    }
    let range = json!([{ "rule": { "range": { "from": 942000, "to": 942999 } } }]);
    stack.patch_live("/api/v1/policies/excl", json!({ "exclusions": range })).await;
    assert_eq!(stack.status("excl", get("/?id=1%27%20OR%20%271%27=%271")).await, 200, "the range is out");
    stack
        .patch_live(
            "/api/v1/policies/excl",
            json!({ "exclusions": [{ "rule": { "range": { "from": 942000, "to": 942999 } }, "enabled": false }] }),
        )
        .await;
    assert_eq!(stack.status("excl", attack()).await, 403, "a disabled exclusion is none");
    stack
        .patch_live(
            "/api/v1/policies/excl",
            json!({ "exclusions": [
        { "rule": { "range": { "from": 942000, "to": 942999 } }, "expires_at": "2020-01-01T00:00:00Z" },
    ] }),
        )
        .await;
    assert_eq!(stack.status("excl", attack()).await, 403, "an expired exclusion is none");
}

async fn custom_rules(stack: &Stack) {
    stack.site("custom", json!({ "custom_rules": [
        { "id": 190001, "seclang": "SecRule ARGS:debug \"@streq deny\" \"phase:2,deny,status:403,msg:'debug switch'\"" },
        { "id": 190002, "seclang": "SecRule ARGS:debug \"@streq gone\" \"phase:1,deny,status:410,msg:'gone'\"" },
        { "id": 190003, "seclang": "SecRule ARGS:debug \"@streq drop\" \"phase:2,drop,msg:'dropped'\"" },
        { "id": 190004, "seclang": "SecRule ARGS:debug \"@streq away\" \"phase:2,redirect:'https://sorry.test/blocked',msg:'redirected'\"" },
        { "id": 190005, "placement": "after", "seclang": "SecRule ARGS:debug \"@streq late\" \"phase:2,deny,msg:'after the CRS'\"" },
        { "id": 190006, "seclang": "SecRule ARGS:debug \"@streq score\" \"phase:2,pass,msg:'scores',setvar:'tx.inbound_anomaly_score_pl1=+5'\"" },
        { "id": 190007, "seclang": "SecRule ARGS:debug \"@streq pass\" \"phase:2,pass,msg:'noted'\"" },
        { "id": 190008, "seclang": "SecRule ARGS:debug \"@streq block\" \"phase:2,block,msg:'block'\"" },
        { "id": 190009, "seclang": "SecRule REQUEST_METHOD \"@streq POST\" \"phase:2,deny,chain,msg:'chained'\"\nSecRule ARGS:debug \"@streq chain\" \"t:none\"" },
    ] })).await;
    for (value, status) in [
        ("deny", 403),
        ("gone", 410),
        ("drop", 403),
        ("away", 302),
        ("late", 403),
        ("score", 403),
        ("pass", 200),
        ("block", 200),
        ("chain", 200),
        ("x", 200),
    ] {
        let answer = stack.send("custom", get(&format!("/?debug={value}"))).await;
        assert_eq!(answer.status, status, "{value}: {answer:?}");
        if value == "away" {
            assert_eq!(answer.header("location"), Some("https://sorry.test/blocked"));
        }
    }
    assert_eq!(stack.status("custom", post("/", "debug=chain")).await, 403, "both links of the chain");
    // In detect nothing of ours denies, a custom rule least of all.
    stack.patch_live("/api/v1/policies/custom", json!({ "mode": "detect" })).await;
    for value in ["deny", "gone", "drop", "away", "late"] {
        assert_eq!(stack.status("custom", get(&format!("/?debug={value}"))).await, 200, "{value} in detect");
    }
}

/// What the review of our own allow-list found: none of it may switch a policy off, or tell a probe from a client.
async fn custom_rules_stay_in_their_bounds(stack: &Stack) {
    for seclang in [
        "SecRule UNIQUE_ID \"@rx [.][WC]-[.]\" \"phase:2,pass,msg:'x'\"",
        "SecRule TX:gp_probe \"@streq 0\" \"phase:2,pass,msg:'x'\"",
        "SecRule TX \"@rx x\" \"phase:2,pass,msg:'x'\"",
        "SecRule ARGS \"@rx x\" \"phase:2,pass,setvar:tx.custom_x=-9999,setvar:tx.inbound_anomaly_score_pl1=+%{tx.custom_x}\"",
        "SecRule ARGS \"@rx x\" \"phase:2,pass,setvar:tx.inbound_anomaly_score_pl1=0\"",
        "SecRule ARGS \"@streq x\" \"phase:2,pass,t:hexEncode,t:hexEncode,t:hexEncode,t:hexEncode\"",
        "SecRule ARGS \"@rx ^[a-c0].{1000}.{1000}.{1000}\" \"phase:2,pass,msg:'x'\"",
    ] {
        let policy = json!({ "name": "bounds", "custom_rules": [{ "seclang": seclang }] });
        let answer = stack.call("PUT", "/api/v1/policies/bounds", &[], Some(&policy)).await;
        assert_eq!((answer.status, answer.pointers()), (422, vec!["/custom_rules/0/seclang"]), "{seclang}: {:#}", answer.body);
    }
    // A site that refuses everybody by a rule of its own is a site all the same.
    stack.site("shut", json!({ "custom_rules": [{ "seclang": "SecAction \"phase:1,deny,status:410,msg:'closed for good'\"" }] })).await;
    assert_eq!(stack.status("shut", get("/")).await, 410);
}

/// Readers behind us disagree about such bodies: what one takes for a comment is a field for another.
async fn multipart(stack: &Stack) {
    let part = |headers: &str| format!("--x\r\ncontent-disposition: form-data; {headers}\r\n\r\n1' UNION SELECT password FROM users--\r\n");
    let benign = "--x\r\ncontent-disposition: form-data; name=\"a\"\r\n\r\nhello\r\n";
    let send = async |body: String| stack.status("block", post("/m", body).header("content-type", "multipart/form-data; boundary=x")).await;
    assert_eq!(send(format!("{benign}--x--\r\n")).await, 200);
    assert_eq!(send(format!("{}--x--\r\n", part("name=\"a\""))).await, 403, "an ordinary field");
    for (what, body) in [
        ("a field that says it is a file", format!("{}--x--\r\n", part("name=\"a\"; filename*=utf-8''x"))),
        ("a part behind the end", format!("{benign}--x--\r\n{}", part("name=\"a\""))),
        ("text before the beginning", format!("a=1' UNION SELECT password FROM users--\r\n{benign}--x--\r\n")),
    ] {
        let status = send(body).await;
        assert!([400, 403].contains(&status), "{what}: {status}");
    }
    let passed = stack.origin.received("/m");
    assert_eq!(passed.len(), 1, "only the benign one reached the origin");
}

async fn access(stack: &Stack) {
    stack.list("bad", &["127.0.2.0/24"]).await;
    stack.list("office", &["127.0.3.0/24", "127.0.2.7"]).await;
    stack.list("monitoring", &["127.0.3.9", "127.0.4.0/24"]).await;
    stack.site("access", json!({})).await;
    let go = async |address: &str, request: Request| stack.status("access", request.from(from(address))).await;

    stack.patch_live("/api/v1/vhosts/access", json!({ "access": { "deny": ["bad"] } })).await;
    assert_eq!(go("127.0.2.7", get("/")).await, 403);
    assert_eq!(go("127.0.3.1", get("/")).await, 200);
    stack.patch_live("/api/v1/vhosts/access", json!({ "access": { "allow_only": ["office"] } })).await;
    assert_eq!(go("127.0.2.7", get("/")).await, 403, "deny comes before allow_only");
    assert_eq!(go("127.0.3.1", get("/")).await, 200);
    assert_eq!(go("127.0.4.1", get("/")).await, 403, "not on the list");
    stack.patch_live("/api/v1/vhosts/access", json!({ "access": { "trust": ["monitoring"] } })).await;
    assert_eq!(go("127.0.3.9", attack()).await, 200, "trusted and allowed");
    assert_eq!(go("127.0.4.1", attack()).await, 403, "trusted, not allowed");
    assert_eq!(go("127.0.3.1", attack()).await, 403, "allowed, not trusted");

    // Entries come and go without a reload.
    let workers = stack.worker_pids().await;
    let batch = json!({ "add": [{ "network": "127.0.3.1" }] });
    stack.call("POST", "/api/v1/ip-lists/bad/entries:batch?wait=live", &[], Some(&batch)).await.expect(200);
    assert_eq!(go("127.0.3.1", get("/")).await, 403);
    let batch = json!({ "remove": ["127.0.3.1/32"] });
    stack.call("POST", "/api/v1/ip-lists/bad/entries:batch?wait=live", &[], Some(&batch)).await.expect(200);
    assert_eq!(go("127.0.3.1", get("/")).await, 200);
    let many: Vec<_> = (0..2000).map(|n| json!({ "network": format!("10.{}.{}.0/24", n / 200, n % 200) })).collect();
    stack.call("POST", "/api/v1/ip-lists/bad/entries:batch?wait=live", &[], Some(&json!({ "add": many }))).await.expect(200);
    assert_eq!(go("127.0.2.7", get("/")).await, 403, "still there after a new version of the map");
    assert_eq!(go("127.0.3.1", get("/")).await, 200);
    assert_eq!(stack.worker_pids().await, workers, "entries are no reason to reload");
    let expired = json!({ "add": [{ "network": "127.0.3.1", "expires_at": "2020-01-01T00:00:00Z" }] });
    stack.call("POST", "/api/v1/ip-lists/bad/entries:batch?wait=live", &[], Some(&expired)).await.expect(200);
    assert_eq!(go("127.0.3.1", get("/")).await, 200, "an expired entry is none");

    let used = stack.call("DELETE", "/api/v1/ip-lists/bad", &[("if-match", "*")], None).await;
    assert_eq!(used.status, 409, "{:#}", used.body);
    assert!(used.body.to_string().contains("access"), "it names the vhost: {:#}", used.body);
}

async fn bodies(stack: &Stack) {
    let form = |padding: usize| format!("pad={}&{SQLI_FORM}", "a".repeat(padding));
    let pause = Duration::from_millis(30);
    assert_eq!(stack.status("block", post("/b", SQLI_FORM)).await, 403, "in one packet");
    assert_eq!(stack.status("block", post("/b", SQLI_FORM).pieces(10, pause)).await, 403, "split over packets");
    assert_eq!(stack.status("block", post("/b", SQLI_FORM).chunked(7)).await, 403, "in chunks");
    assert_eq!(stack.status("block", post("/b", SQLI_FORM).chunked(7).pieces(11, pause)).await, 403, "chunks split over packets");
    assert_eq!(stack.status("block", post("/b", form(20_000))).await, 403, "behind 20 KB");
    assert_eq!(stack.status("block", post("/b", form(20_000)).chunked(1000)).await, 403, "behind 20 KB of chunks");
    assert_eq!(stack.status("block", post("/b", "a=1&b=hello")).await, 200);
    for size in [140_000, 300_000] {
        assert_eq!(stack.status("block", post("/b", form(size))).await, 413, "{size} is more than is inspected");
        assert_eq!(stack.status("block", post("/b", form(size)).chunked(4096)).await, 413, "{size} in chunks");
        let passed = stack.send("detect", post("/cut", form(size))).await;
        assert_eq!(passed.status, 200, "detect denies nothing");
        assert_eq!(passed.json()["body"], json!(form(size).len()), "and the origin has all of it");
    }
    assert!(
        stack.origin.received("/b").iter().all(|r| !String::from_utf8_lossy(&r.body).contains("UNION")),
        "an attack reached the origin"
    );
}
