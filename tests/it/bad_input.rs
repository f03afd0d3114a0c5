//! Bad input gets a problem that says what was wrong and where, and changes nothing.

use serde_json::{Value, json};

use crate::stack::Stack;
use crate::wire::Request;

/// A vhost or policy with one thing wrong: its kind, what is merged into a good one, the answer's status, a pointer of the problem.
const WRONG: &[(&str, &str, u16, &str)] = &[
    ("vhosts", r#"{"hostnames":["a b.test"]}"#, 422, "/hostnames/0"),
    ("vhosts", r#"{"hostnames":["ok.test","a\nb.test"]}"#, 422, "/hostnames/1"),
    ("vhosts", r#"{"hostnames":["a.*.test"]}"#, 422, "/hostnames/0"),
    ("vhosts", r#"{"hostnames":["taken.test"]}"#, 409, "/hostnames/0"),
    ("vhosts", r#"{"hostnames":["TAKEN.test."]}"#, 409, "/hostnames/0"),
    ("vhosts", r#"{"hostnames":[]}"#, 422, "/hostnames"),
    ("vhosts", r#"{"policy":"nobody"}"#, 422, "/policy"),
    ("vhosts", r#"{"access":{"deny":["nobody"]}}"#, 422, "/access/deny/0"),
    ("vhosts", r#"{"upstream":{"servers":[{"address":"169.254.169.254","port":80}]}}"#, 422, "/upstream/servers/0/address"),
    ("vhosts", r#"{"upstream":{"servers":[{"address":"fe80::1","port":80}]}}"#, 422, "/upstream/servers/0/address"),
    ("vhosts", r#"{"upstream":{"servers":[{"address":"::ffff:169.254.169.254","port":80}]}}"#, 422, "/upstream/servers/0/address"),
    ("vhosts", r#"{"upstream":{"servers":[{"address":"0.0.0.0","port":80}]}}"#, 422, "/upstream/servers/0/address"),
    ("vhosts", r#"{"upstream":{"servers":[{"address":"127.0.0.1","port":0}]}}"#, 422, "/upstream/servers/0/port"),
    ("vhosts", r#"{"upstream":{"servers":[]}}"#, 422, "/upstream/servers"),
    ("vhosts", r#"{"upstream":{"health_check":{"path":"/a b"}}}"#, 422, "/upstream/health_check/path"),
    ("vhosts", r#"{"colour":"red"}"#, 422, "/colour"),
    ("vhosts", r#"{"upstream":{"colour":"red"}}"#, 422, "/upstream/colour"),
    ("policies", r#"{"paranoia":{"blocking":5}}"#, 422, "/paranoia/blocking"),
    ("policies", r#"{"paranoia":{"blocking":0}}"#, 422, "/paranoia/blocking"),
    ("policies", r#"{"paranoia":{"blocking":3,"detection":2}}"#, 422, "/paranoia/detection"),
    ("policies", r#"{"thresholds":{"inbound":0}}"#, 422, "/thresholds/inbound"),
    ("policies", r#"{"mode":"blocc"}"#, 422, "/mode"),
    ("policies", r#"{"exclusions":[{"rule":{"id":949110}}]}"#, 422, "/exclusions/0/rule"),
    ("policies", r#"{"exclusions":[{"rule":{"tag":"OWASP_CRS"}}]}"#, 422, "/exclusions/0/rule/tag"),
    ("policies", r#"{"custom_rules":[{"id":200001,"seclang":"SecAction \"phase:1,pass\""}]}"#, 422, "/custom_rules/0/id"),
    ("policies", r#"{"custom_rules":[{"seclang":"SecRule ARGS \"@looksBad x\" \"phase:2,deny\""}]}"#, 422, "/custom_rules/0/seclang"),
    ("policies", r#"{"custom_rules":[{"seclang":"SecRule ARGS \"@rx (?=a)b\" \"phase:2,deny\""}]}"#, 422, "/custom_rules/0/seclang"),
    ("policies", r#"{"custom_rules":[{"seclang":"SecRule ARGS \"@rx (\" \"phase:2,deny,msg:'x'\""}]}"#, 422, "/custom_rules/0"),
    ("policies", r#"{"custom_rules":[{"seclang":"Include /etc/passwd"}]}"#, 422, "/custom_rules/0/seclang"),
    ("policies", r#"{"custom_rules":[{"seclang":"SecRuleEngine Off"}]}"#, 422, "/custom_rules/0/seclang"),
    (
        "policies",
        r#"{"custom_rules":[{"seclang":"SecRule ARGS \"@inspectFile /usr/bin/touch\" \"phase:2,deny\""}]}"#,
        422,
        "/custom_rules/0/seclang",
    ),
    (
        "policies",
        r#"{"custom_rules":[{"seclang":"SecRule ARGS \"@rx a\" \"phase:2,deny,exec:/bin/sh\""}]}"#,
        422,
        "/custom_rules/0/seclang",
    ),
    (
        "policies",
        r#"{"custom_rules":[{"seclang":"SecRule ARGS \"@rx a\" \"phase:2,pass,ctl:ruleEngine=Off\""}]}"#,
        422,
        "/custom_rules/0/seclang",
    ),
    (
        "policies",
        r#"{"custom_rules":[{"seclang":"SecRule ARGS \"@rx a\" \"phase:2,pass\"\nSecRuleEngine Off"}]}"#,
        422,
        "/custom_rules/0/seclang",
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn it_gets_a_problem_and_changes_nothing() {
    let stack = Stack::start().await;
    stack.site("taken", json!({})).await;
    stack.list("office", &["192.0.2.0/24"]).await;
    let before = stack.get("/api/v1/status").await.expect(200).body["head"].clone();

    for (kind, wrong, status, pointer) in WRONG {
        let mut body = if *kind == "vhosts" { stack.vhost("new") } else { json!({ "name": "new" }) };
        if *kind == "vhosts" {
            body["policy"] = json!("taken");
        }
        merge(&mut body, serde_json::from_str(wrong).expect("JSON"));
        let answer = stack.call("PUT", &format!("/api/v1/{kind}/new"), &[], Some(&body)).await;
        assert_eq!(answer.status, *status, "{wrong}: {:#}", answer.body);
        assert!(answer.pointers().contains(pointer), "{wrong}: {:#}", answer.body);
        assert_eq!(answer.headers["content-type"], "application/problem+json");
        let detail = answer.body["errors"][0]["detail"].as_str().expect("words");
        assert!(detail.len() > 10, "{wrong}: it says what to do: {detail:?}");
        assert!(answer.body["request_id"].is_string() && answer.body["type"].is_string() && answer.body["code"].is_string());
    }
    let long = json!({ "name": "new", "hostnames": [format!("{}test", "a.".repeat(130))], "policy": "taken", "upstream": stack.vhost("new")["upstream"] });
    let answer = stack.call("PUT", "/api/v1/vhosts/new", &[], Some(&long)).await;
    assert_eq!((answer.status, answer.pointers()), (422, vec!["/hostnames/0"]), "over 253 characters");
    let own = json!({ "servers": [{ "address": "127.0.0.1", "port": stack.http.port() }] });
    let mut looped = stack.vhost("new");
    (looped["policy"], looped["upstream"]) = (json!("taken"), own);
    let answer = stack.call("PUT", "/api/v1/vhosts/new", &[], Some(&looped)).await;
    assert_eq!((answer.status, answer.pointers()), (422, vec!["/upstream/servers/0/address"]), "our own port, though loopback is allowed");

    let batch = json!({ "add": [{ "network": "192.0.2.7" }, { "network": "192.0.2.0/33" }] });
    let answer = stack.call("POST", "/api/v1/ip-lists/office/entries:batch", &[], Some(&batch)).await;
    assert_eq!((answer.status, answer.pointers()), (422, vec!["/add/1/network"]), "a network that is none: {:#}", answer.body);

    // Preconditions.
    let patch = json!({ "title": "x" });
    let etag = stack.get("/api/v1/policies/taken").await.etag();
    assert_eq!(stack.call("PATCH", "/api/v1/policies/taken", &[], Some(&patch)).await.status, 428);
    let stale = stack.call("PATCH", "/api/v1/policies/taken", &[("if-match", "\"999999\"")], Some(&patch)).await.expect(412);
    assert_eq!(stale.etag(), etag);
    assert_eq!(stale.body["current"]["name"], "taken", "412 shows what is there: {:#}", stale.body);
    let used = stack.call("DELETE", "/api/v1/policies/taken", &[("if-match", "*")], None).await.expect(409);
    assert!(used.body.to_string().contains("taken"), "it names the vhosts: {:#}", used.body);

    // What cannot be parsed, and what is too much.
    let broken = raw(&stack, "{\n  \"name\": \"new\",\n  oops\n}").await;
    assert_eq!((broken.0, broken.1["line"].clone(), broken.1["column"].clone()), (400, json!(3), json!(3)), "{:#}", broken.1);
    let huge = format!("{{\"name\":\"new\",\"description\":\"{}\"}}", "a".repeat(2 << 20));
    assert_eq!(raw(&stack, &huge).await.0, 413);
    assert_eq!(stack.get("/api/v1/vhosts?colour=red").await.status, 400);
    assert_eq!(stack.get("/api/v1/nothing").await.status, 404);

    let after = stack.get("/api/v1/status").await.expect(200).body["head"].clone();
    assert_eq!(after, before, "nothing was changed by any of it");
    assert_eq!(stack.get("/api/v1/policies/new").await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_token_nothing_answers() {
    let stack = Stack::start().await;
    let document = stack.get("/api/v1/openapi.json").await.expect(200).body;
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().expect("a client");
    let mut closed = 0;
    for (path, item) in document["paths"].as_object().expect("paths") {
        for method in item.as_object().expect("operations").keys() {
            let method = reqwest::Method::from_bytes(method.to_uppercase().as_bytes()).expect("a method");
            let url = format!("http://{}{}", stack.api, path.replace(['{', '}'], ""));
            for token in [None, Some(""), Some("gpx_x"), Some(&stack.token[1..])] {
                let mut request = client.request(method.clone(), &url);
                if let Some(token) = token {
                    request = request.header("authorization", format!("Bearer {token}"));
                }
                let status = request.send().await.expect("an answer").status().as_u16();
                // These take a password, a cookie or a link, and refuse by themselves what has none: see `api::tests::people_attacks`.
                if ["/api/v1/auth/sign-in", "/api/v1/auth/refresh", "/api/v1/auth/setup"].contains(&path.as_str()) {
                    assert!((400..500).contains(&status), "{method} {path} with {token:?}: {status}");
                    continue;
                }
                // Both ends of single sign-on lead a browser on, whatever comes of it: see `api::tests::sso`.
                if ["/api/v1/auth/sso", "/api/v1/auth/sso/callback"].contains(&path.as_str()) {
                    assert_eq!(status, 303, "{method} {path} with {token:?}");
                    continue;
                }
                let public = ["/health", "/ready", "/api/v1/openapi.json", "/.well-known/jwks.json", "/api/v1/auth/methods"];
                let public = public.contains(&path.as_str());
                assert_eq!(status == 401, !public, "{method} {path} with {token:?}: {status}");
                closed += usize::from(!public);
            }
        }
    }
    assert!(closed > 100, "routes were asked: {closed}");
}

fn merge(into: &mut Value, from: Value) {
    match from {
        Value::Object(from) if into.is_object() => from.into_iter().for_each(|(key, value)| merge(&mut into[key], value)),
        from => *into = from,
    }
}

/// A PUT of these bytes as JSON; over a raw socket, since an answer may come before the last of them is sent.
async fn raw(stack: &Stack, body: &str) -> (u16, Value) {
    let request = Request::new("PUT", "/api/v1/policies/new")
        .header("authorization", &format!("Bearer {}", stack.token))
        .header("content-type", "application/json")
        .body(body);
    let answer = request.send(stack.api, "localhost").await;
    (answer.status, serde_json::from_slice(&answer.body).unwrap_or(Value::Null))
}
