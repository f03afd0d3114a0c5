//! Every bad input gets its problem, with the right pointer, and changes nothing.

use axum::body::Body;
use serde_json::{Value, json};
use sqlx::PgPool;

use super::harness::{app, pointers, vhost};

#[sqlx::test(migrations = "./migrations")]
async fn wrong_resources(pool: PgPool) {
    let app = app(&pool).await;
    app.furnish().await;
    let head = app.service.head().revision;
    let with = |pointer: &str, value: Value| {
        let mut body = vhost("new");
        *body.pointer_mut(pointer).unwrap() = value;
        body
    };
    let long = format!("{}.example", "a.".repeat(130));
    let new = "/api/v1/vhosts/new";
    let policy = "/api/v1/policies/new";
    for (path, body, pointer) in [
        (new, with("/hostnames/0", json!("a b.example")), "/hostnames/0"),
        (new, with("/hostnames/0", json!("a\nb.example")), "/hostnames/0"),
        (new, with("/hostnames/0", json!("a.*.example")), "/hostnames/0"),
        (new, with("/hostnames/0", json!(long)), "/hostnames/0"),
        (new, with("/hostnames", json!([])), "/hostnames"),
        (new, with("/policy", json!("nobody")), "/policy"),
        (new, with("/access/trust/0", json!("nobody")), "/access/trust/0"),
        (new, with("/upstream/servers/0/address", json!("169.254.169.254")), "/upstream/servers/0/address"),
        (new, with("/upstream/servers/0/address", json!("fe80::1")), "/upstream/servers/0/address"),
        (new, with("/upstream/servers/0/address", json!("127.0.0.1")), "/upstream/servers/0/address"),
        (new, with("/upstream/servers/0/port", json!(0)), "/upstream/servers/0/port"),
        (new, with("/labels", json!({"a b": "c"})), "/labels/a b"),
        (new, json!({"hostnames": ["new.example"], "policy": "shop"}), "/upstream"),
        (policy, json!({"paranoia": {"blocking": 5}}), "/paranoia/blocking"),
        (policy, json!({"paranoia": {"blocking": 0}}), "/paranoia/blocking"),
        (policy, json!({"paranoia": {"blocking": 3, "detection": 2}}), "/paranoia/detection"),
        (policy, json!({"thresholds": {"inbound": 0}}), "/thresholds/inbound"),
        (policy, json!({"thresholds": {"outbound": 100_000}}), "/thresholds/outbound"),
        (policy, json!({"colour": "red"}), "/colour"),
        (policy, json!({"name": "other"}), "/name"),
        (policy, json!({"title": "a\u{7}"}), "/title"),
        (policy, json!({"custom_rules": [{"id": 1, "seclang": "SecRule ARGS \"@streq 1\" \"deny\""}]}), "/custom_rules/0/id"),
        (policy, json!({"custom_rules": [{"id": 200_000, "seclang": "SecRule ARGS \"@streq 1\" \"deny\""}]}), "/custom_rules/0/id"),
        (policy, json!({"exclusions": [{"rule": {"id": 949110}}]}), "/exclusions/0/rule"),
        ("/api/v1/policies/Bad_Name", json!({}), "/name"),
        ("/api/v1/policies/shop/exclusions/x", json!({"rule": {"id": 1}}), "/rule"),
        ("/api/v1/vhosts/shop/upstream/servers/b", json!({"address": "169.254.169.254", "port": 80}), "/address"),
    ] {
        let problem = app.put(path, None, body.clone()).await.problem(422, "invalid");
        assert!(pointers(&problem).contains(&pointer), "{body}: {problem}");
    }
    let problem = app.put(new, None, with("/hostnames/0", json!("shop.example.com"))).await.problem(409, "taken");
    assert_eq!(pointers(&problem), ["/hostnames/0"]);
    let both = json!({"hostnames": ["shop.example.com"], "policy": "nobody", "upstream": vhost("x")["upstream"]});
    let problem = app.put(new, None, both).await.problem(422, "invalid");
    assert_eq!(pointers(&problem), ["/policy", "/hostnames/0"]);

    // What an engine refuses is never committed.
    let rule = r#"SecRule ARGS:x "@streq refuse-me" "phase:2,deny,msg:'x'""#;
    let problem = app.patch("/api/v1/policies/shop", "*", json!({"custom_rules": [{"seclang": rule}]})).await.problem(422, "refused");
    assert_eq!((&problem["engine"], &problem["said"]), (&json!("guard-spoa"), &json!("no, says the engine")));
    assert_eq!(app.service.head().revision, head);
}

#[sqlx::test(migrations = "./migrations")]
async fn wrong_requests(pool: PgPool) {
    let app = app(&pool).await;
    app.furnish().await;
    let head = app.service.head().revision;
    let path = "/api/v1/policies/shop";
    let json_type = "content-type: application/json";
    let put = async |lines: &[&str], body: &str| app.ask("PUT", path, lines, body.to_owned()).await;

    let problem = put(&[json_type, "if-match: *"], "{\n  \"mode\": \"detect\",\n  \"title\" 1\n}").await.problem(400, "invalid_json");
    assert_eq!((&problem["line"], &problem["column"]), (&json!(3), &json!(11)));
    put(&[json_type, "if-match: *"], "{\"mode\":\"off\",\"mode\":\"block\"}").await.problem(400, "invalid_json");
    put(&[json_type, "if-match: *"], "").await.problem(400, "invalid_json");
    let zipped = put(&[json_type, "content-encoding: gzip", "if-match: *"], "{}").await;
    assert_eq!(zipped.header("accept-encoding"), "identity");
    zipped.problem(415, "unsupported_media_type");
    let entries = "/api/v1/ip-lists/office/entries";
    app.ask("PUT", entries, &["content-type: text/plain", "content-encoding: zstd", "if-match: *"], "x")
        .await
        .problem(415, "unsupported_media_type");
    let problem = put(&[json_type, "if-match: *"], "[]").await.problem(422, "invalid");
    assert_eq!(pointers(&problem), [""]);
    put(&["if-match: *"], "{}").await.problem(415, "unsupported_media_type");
    put(&["content-type: application/merge-patch+json", "if-match: *"], "{}").await.problem(415, "unsupported_media_type");
    put(&[json_type, "if-match: 7"], "{}").await.problem(400, "invalid_header");
    put(&[json_type, "if-match: *", "if-none-match: *"], "{}").await.problem(400, "invalid_header");
    put(&[json_type, "if-match: *"], &format!("{{\"title\":\"{}\"}}", "a".repeat(1 << 20))).await.problem(413, "body_too_large");
    let patch = app.ask("PATCH", path, &["content-type: text/plain", "if-match: *"], "{}").await;
    assert!(patch.header("accept-patch").contains("merge-patch"));
    patch.problem(415, "unsupported_media_type");

    for query in
        ["wait=soon", "wait=live&wait_timeout_s=0", "wait=live&wait_timeout_s=121", "wait_timeout_s=3", "message=a%0Ab", "mesage=x"]
    {
        app.put(&format!("{path}?{query}"), Some("*"), json!({"mode": "off"})).await.problem(400, "invalid_query");
    }
    app.put(&format!("{path}?message={}", "a".repeat(501)), Some("*"), json!({"mode": "off"})).await.problem(400, "invalid_query");
    app.get("/api/v1/policies/shop?x=1").await.problem(400, "invalid_query");
    app.get("/health?x=1").await.problem(400, "invalid_query");

    app.get("/api/v1/nothing").await.problem(404, "not_found");
    app.get("/api/v1/vhosts/shop/").await.problem(404, "not_found");
    app.get("/api/v1/vhosts/%ff").await.problem(404, "not_found");
    app.get("/api/v1/revisions/first").await.problem(404, "not_found");
    app.get("/api/v1/deployments/1").await.problem(404, "not_found");
    let post = app.ask("POST", path, &[json_type], "{}").await;
    let mut allow: Vec<_> = post.header("allow").split(',').collect();
    allow.sort_unstable();
    assert_eq!(allow, ["DELETE", "GET", "HEAD", "PATCH", "PUT"]);
    post.problem(405, "method_not_allowed");
    app.ask("GET", path, &[&format!("x-large: {}", "a".repeat(65_536))], Body::empty()).await.problem(431, "headers_too_large");
    assert_eq!(app.service.head().revision, head);
}
