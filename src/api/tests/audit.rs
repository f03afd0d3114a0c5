//! The audit log by the API, and what browsers are told.

use axum::body::Body;
use http::Request;
use serde_json::{Value, json};
use sqlx::PgPool;

use super::harness::{App, TOKEN, app};
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
