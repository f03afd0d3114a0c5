//! The audit log by the API, and what browsers are told.

use axum::body::Body;
use http::Request;
use serde_json::{Value, json};
use sqlx::PgPool;

use super::harness::{App, TOKEN, app};
use super::people_lab::lab;
use crate::api::{ApiState, Origins, router};

#[sqlx::test(migrations = "./migrations")]
async fn the_log_is_listed_searched_streamed_and_verified(pool: PgPool) {
    let app = app(&pool).await;
    app.furnish().await;
    let long = "x".repeat(400);
    let rules: Vec<Value> =
        (0..12).map(|n| json!({"id": 190_001 + n, "seclang": format!("SecAction \"phase:1,pass,nolog,msg:'{long}'\"")})).collect();
    app.put("/api/v1/policies/big", None, json!({"custom_rules": rules})).await.is(201);

    let page = app.get("/api/v1/audit?limit=3").await.is(200).json();
    let ids = |page: &Value| page["items"].as_array().unwrap().iter().map(|row| row["id"].as_i64().unwrap()).collect::<Vec<_>>();
    assert_eq!(ids(&page), [4, 3, 2]);
    let newest = &page["items"][0];
    assert_eq!(
        (&newest["author"], &newest["action"], &newest["kind"], &newest["name"]),
        (&"token:admin".into(), &"create".into(), &"policy".into(), &"big".into())
    );
    assert_eq!((&newest["shortened"], &newest["after"], &newest["revision"]), (&true.into(), &Value::Null, &4.into()));
    let cursor = page["next_cursor"].as_str().unwrap();
    let rest = app.get(&format!("/api/v1/audit?limit=3&cursor={cursor}")).await.is(200).json();
    assert_eq!((ids(&rest), &rest["next_cursor"]), (vec![1], &Value::Null));
    app.get(&format!("/api/v1/audit?kind=vhost&cursor={cursor}")).await.problem(400, "invalid_query");
    assert_eq!(ids(&app.get("/api/v1/audit?object=policy/shop&object=vhost/shop").await.is(200).json()), [3, 1]);
    assert_eq!(ids(&app.get("/api/v1/audit?q=OFFICE").await.is(200).json()), [2]);
    assert_eq!(ids(&app.get("/api/v1/audit?revision=2&action=create&author=token:admin").await.is(200).json()), [2]);
    for wrong in ["object=shop", "object=/x", "at_gte=yesterday", "limit=0", "limit=501", "nothing=1", "format=csv", "q=%00", "cursor=00"] {
        app.get(&format!("/api/v1/audit?{wrong}")).await.problem(400, "invalid_query");
    }

    let whole = app.get("/api/v1/audit/4").await.is(200).json();
    assert_eq!(whole["after"]["custom_rules"].as_array().unwrap().len(), 12);
    for none in ["0", "5", "x", "9223372036854775808"] {
        app.get(&format!("/api/v1/audit/{none}")).await.problem(404, "not_found");
    }

    for answer in [
        app.get("/api/v1/audit?format=jsonl").await,
        app.ask("GET", "/api/v1/audit", &["accept: application/x-ndjson"], Body::empty()).await,
    ] {
        let answer = answer.is(200);
        assert_eq!(answer.header("content-type"), "application/x-ndjson");
        let lines: Vec<Value> = answer.text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.iter().map(|row| row["id"].as_i64().unwrap()).collect::<Vec<_>>(), [4, 3, 2, 1]);
        assert_eq!(lines[0], whole);
    }

    let verdict = app.get("/api/v1/audit/verify").await.is(200).json();
    assert_eq!(
        (&verdict["ok"], &verdict["complete"], &verdict["checked"], &verdict["broken"]),
        (&true.into(), &true.into(), &4.into(), &Value::Null)
    );
    assert_eq!(verdict["last"]["hash"], whole["hash"]);
    let hash = whole["hash"].as_str().unwrap();
    let behind = app.get(&format!("/api/v1/audit/verify?after_id=4&after_hash={hash}")).await.is(200).json();
    assert_eq!((&behind["ok"], &behind["checked"]), (&true.into(), &0.into()));
    for wrong in ["after_id=4", "after_hash=x", "after_id=4&after_hash=x", "after_id=-1&after_hash=x", "limit=0", "limit=1000001"] {
        app.get(&format!("/api/v1/audit/verify?{wrong}")).await.problem(400, "invalid_query");
    }

    sqlx::query("alter table audit disable trigger audit_append_only").execute(&pool).await.unwrap();
    sqlx::query("update audit set author = 'nobody' where id = 3").execute(&pool).await.unwrap();
    let verdict = app.get("/api/v1/audit/verify").await.is(200).json();
    assert_eq!((&verdict["ok"], &verdict["broken"]["id"], &verdict["broken"]["fault"]), (&false.into(), &3.into(), &"changed".into()));
}

/// The log as somebody reads it who administers `shop` alone.
#[sqlx::test(migrations = "./migrations")]
async fn a_scope_shows_its_own_rows_by_every_way(pool: PgPool) {
    let app = app(&pool).await;
    app.furnish().await;
    for name in ["bank", "mint"] {
        app.put(&format!("/api/v1/policies/{name}"), None, json!({"title": "of-another"})).await.is(201);
        app.put(&format!("/api/v1/vhosts/{name}"), None, json!({
            "hostnames": [format!("{name}.example.com")], "policy": name, "upstream": {"servers": [{"address": "192.0.2.9", "port": 80}]},
        }))
        .await
        .is(201);
    }
    app.ask(
        "PATCH",
        "/api/v1/vhosts/shop",
        &["if-match: *", "content-type: application/merge-patch+json"],
        json!({"title": "x"}).to_string(),
    )
    .await
    .is(200);
    let roles = json!([{"role": "admin", "scope": {"vhosts": ["shop"]}}]);
    let made =
        app.ask("POST", "/api/v1/tokens", &["content-type: application/json"], json!({"name": "of-shop", "roles": roles}).to_string());
    let token = made.await.is(201).json()["token"].as_str().unwrap().to_owned();
    let ask = async |path: &str, accept: &str| {
        let request = Request::builder().uri(path).header("authorization", format!("Bearer {token}")).header("accept", accept);
        app.send(request.body(Body::empty()).unwrap()).await
    };
    let all = app.get("/api/v1/audit?limit=500").await.is(200).json();
    let page = ask("/api/v1/audit", "*/*").await.is(200).json();
    let names = |page: &Value| page["items"].as_array().unwrap().iter().map(|row| row["name"].clone()).collect::<Vec<_>>();
    assert_eq!((names(&page), &page["next_cursor"]), (vec![json!("shop"), json!("shop"), json!("office"), json!("shop")], &Value::Null));
    assert!(page["items"].as_array().unwrap().iter().all(|row| row["hash"].is_null()));

    // A page is full where there is more, and says that there is more only where there is.
    let (mut paged, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = ask(&format!("/api/v1/audit?limit=2{cursor}"), "*/*").await.is(200).json();
        paged.extend(names(&page));
        let Some(next) = page["next_cursor"].as_str() else { break };
        assert_eq!(page["items"].as_array().unwrap().len(), 2);
        cursor = format!("&cursor={next}");
    }
    assert_eq!(paged, names(&page));
    // That of somebody who sees more leads to nothing more.
    let theirs = app.get("/api/v1/audit?limit=2").await.json()["next_cursor"].as_str().unwrap().to_owned();
    let rest = ask(&format!("/api/v1/audit?limit=2&cursor={theirs}"), "*/*").await.is(200);
    assert!(!rest.text.contains("of-another"));

    for answer in [ask("/api/v1/audit?format=jsonl", "*/*").await, ask("/api/v1/audit", "application/x-ndjson").await] {
        let lines: Vec<Value> = answer.is(200).text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.iter().map(|row| row["name"].clone()).collect::<Vec<_>>(), names(&page));
    }
    let seen: Vec<&Value> = page["items"].as_array().unwrap().iter().map(|row| &row["id"]).collect();
    let mut hidden = 0;
    for row in all["items"].as_array().unwrap() {
        let answer = ask(&format!("/api/v1/audit/{}", row["id"]), "*/*").await;
        if seen.contains(&&row["id"]) {
            answer.is(200);
        } else {
            let id = row["id"].to_string();
            let none =
                ask("/api/v1/audit/999999", "*/*").await.problem(404, "not_found")["detail"].as_str().unwrap().replace("999999", &id);
            assert_eq!(answer.problem(404, "not_found")["detail"], none, "as one that never was");
            hidden += 1;
        }
    }
    assert!(hidden >= 4, "two policies, two vhosts, and the token where it is in the log by now: {all}");
    for filter in ["q=bank", "q=of-another", "object=vhost/bank", "object=policy/mint", "kind=token", "revision=5", "action=denied"] {
        let found = ask(&format!("/api/v1/audit?{filter}"), "*/*").await.is(200).json();
        assert_eq!((names(&found), &found["next_cursor"]), (vec![], &Value::Null), "{filter}");
    }
    ask("/api/v1/audit/verify", "*/*").await.problem(403, "forbidden");
    app.get("/api/v1/audit/verify").await.is(200);
    // What they were just refused is their own; it is appended without waiting.
    let mut denied = Vec::new();
    for _ in 0..100 {
        denied = names(&ask("/api/v1/audit?action=denied", "*/*").await.json());
        if !denied.is_empty() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert_eq!(denied, [json!("GET /api/v1/audit/verify")]);
}

#[sqlx::test(migrations = "./migrations")]
async fn people_with_a_scope_read_of_people_what_is_about_them(pool: PgPool) {
    let lab = lab(&pool).await;
    // An address that was somebody else's before.
    let gone = lab.somebody("ada@example.com", "viewer").await;
    lab.sign_in("ada@example.com").await;
    lab.admin("DELETE", &format!("/api/v1/users/{gone}"), Value::Null).await.is(204);
    lab.pass(60);
    let id = lab.somebody("ada@example.com", "viewer").await;
    lab.somebody("eve@example.com", "viewer").await;
    lab.sign_in("eve@example.com").await;
    let roles = json!([{"role": "admin", "scope": {"vhosts": ["shop"]}}]);
    lab.admin("PATCH", &format!("/api/v1/users/{id}"), json!({"roles": roles})).await.is(200);
    let ada = lab.sign_in("ada@example.com").await;
    lab.try_sign_in("eve@example.com", "another password").await.problem(401, "sign_in_failed");
    let page = lab.by(&ada, "GET", "/api/v1/audit", Value::Null).await.is(200);
    let rows = page.json()["items"].as_array().unwrap().clone();
    assert!(rows.iter().any(|row| row["action"] == "signed_in") && rows.iter().any(|row| row["action"] == "user_created"), "{rows:?}");
    assert!(rows.iter().all(|row| row["name"] == "ada@example.com") && !page.text.contains("eve@"), "{rows:?}");
    let signed_in = rows.iter().filter(|row| row["action"] == "signed_in").count();
    assert_eq!(signed_in, 1, "what the other did is not theirs: {rows:?}");
}

#[sqlx::test(migrations = "./migrations")]
async fn more_rows_than_are_read_at_a_time_are_streamed_once(pool: PgPool) {
    let app = app(&pool).await;
    for n in 0..101 {
        app.put(&format!("/api/v1/policies/p-{n}"), None, json!({})).await.is(201);
    }
    let answer = app.get("/api/v1/audit?format=jsonl").await.is(200);
    let ids: Vec<i64> = answer.text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["id"].as_i64().unwrap()).collect();
    assert_eq!(ids, (1..=101).rev().collect::<Vec<_>>());
}

#[sqlx::test(migrations = "./migrations")]
async fn refusals_are_in_the_log_and_their_credential_is_not(pool: PgPool) {
    let app = app(&pool).await;
    let secret = "gpx_a_token_that_was_revoked_yesterday";
    for _ in 0..500 {
        let request = Request::builder().uri("/api/v1/policies/shop?x=y").header("authorization", format!("Bearer {secret}"));
        app.send(request.body(Body::empty()).unwrap()).await.problem(401, "unauthenticated");
    }
    app.service.close().await;
    let text: Vec<(String, String, String)> =
        sqlx::query_as("select author, name, after::text from audit where action = 'denied' order by id").fetch_all(&pool).await.unwrap();
    assert_eq!(text.len(), 2, "{text:?}");
    assert_eq!((text[0].0.as_str(), text[0].1.as_str()), ("anonymous", "GET /api/v1/policies/{policy}"));
    assert!(text[1].2.contains("\"more\":499"), "{text:?}");
    let all: String = sqlx::query_scalar("select string_agg(a::text, ' ') from audit a").fetch_one(&pool).await.unwrap();
    assert!(!all.contains("gpx_"), "{all}");
}

#[sqlx::test(migrations = "./migrations")]
async fn every_answer_tells_browsers_what_they_may(pool: PgPool) {
    let app = app(&pool).await;
    for path in ["/health", "/api/v1/status", "/api/v1/policies/none", "/nothing", "/docs/", "/api/v1/openapi.json"] {
        for credential in [Some(TOKEN), None] {
            let mut request = Request::builder().uri(path).header("origin", "https://evil.example");
            if let Some(token) = credential {
                request = request.header("authorization", format!("Bearer {token}"));
            }
            let answer = app.send(request.body(Body::empty()).unwrap()).await;
            for (name, value) in [
                ("x-content-type-options", "nosniff"),
                ("x-frame-options", "DENY"),
                ("referrer-policy", "no-referrer"),
                ("cross-origin-opener-policy", "same-origin"),
                ("cross-origin-resource-policy", "same-origin"),
                ("cross-origin-embedder-policy", "require-corp"),
            ] {
                assert_eq!(answer.header(name), value, "{path}");
            }
            assert!(answer.header("permissions-policy").contains("camera=()"));
            assert!(answer.header("content-security-policy").starts_with("default-src 'none'"));
            assert!(!answer.headers.contains_key("strict-transport-security"), "that is for TLS");
            assert!(!answer.headers.keys().any(|name| name.as_str().starts_with("access-control-")), "{path}");
        }
    }
}

#[sqlx::test(migrations = "./migrations")]
async fn other_origins_are_closed_but_for_those_that_are_set(pool: PgPool) {
    let app = app(&pool).await;
    let metrics = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder().handle();
    let state = ApiState::configured(
        app.service.clone(),
        metrics,
        crate::api::ApiOptions { origins: Origins::new(["https://panel.example".to_owned()]), ..Default::default() },
    );
    let open = App { router: router(state.clone()), state, service: app.service.clone() };
    let preflight = |app: &App, origin: &str| {
        let request = Request::builder().method("OPTIONS").uri("/api/v1/policies/shop").header("origin", origin);
        let request =
            request.header("access-control-request-method", "PUT").header("access-control-request-headers", "authorization, if-match");
        let (router, request) = (app.router.clone(), request.body(Body::empty()).unwrap());
        async move { tower::ServiceExt::oneshot(router, request).await.unwrap() }
    };
    let allowed = preflight(&open, "https://panel.example").await;
    assert_eq!(allowed.status(), 204);
    assert_eq!(allowed.headers()["access-control-allow-origin"], "https://panel.example");
    assert!(!allowed.headers().contains_key("access-control-allow-credentials"));
    for origin in ["https://panel.example.evil", "https://evil.example", "http://panel.example", "null", "*"] {
        let refused = preflight(&open, origin).await;
        assert_eq!(refused.status(), 401, "{origin}");
        assert!(!refused.headers().contains_key("access-control-allow-origin"), "{origin}");
    }
    assert_eq!(preflight(&app, "https://panel.example").await.status(), 401, "closed without the setting");
    let read = open.ask("GET", "/api/v1/status", &["origin: https://panel.example"], Body::empty()).await.is(200);
    assert_eq!((read.header("access-control-allow-origin"), read.header("vary")), ("https://panel.example", "origin"));
    let other = open.ask("GET", "/api/v1/status", &["origin: https://evil.example"], Body::empty()).await.is(200);
    assert!(!other.headers.contains_key("access-control-allow-origin"));
}

/// There is no cookie yet; whoever brings one finds it kept from other sites, on public routes as well.
#[sqlx::test(migrations = "./migrations")]
async fn a_cookie_that_another_site_sends_is_refused_before_anything_else(pool: PgPool) {
    let app = app(&pool).await;
    for path in ["/api/v1/policies/shop", "/health"] {
        let request = |site: &str| {
            Request::builder()
                .method("POST")
                .uri(path)
                .header("cookie", "__Host-x=1")
                .header("sec-fetch-site", site)
                .body(Body::empty())
                .unwrap()
        };
        app.send(request("cross-site")).await.problem(403, "cross_site");
        assert_ne!(app.send(request("same-origin")).await.status, 403);
    }
}
