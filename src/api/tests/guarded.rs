use axum::body::Body;
use http::Request;
use serde_json::Value;
use sqlx::PgPool;

use super::harness::{TOKEN, app};
use crate::api::{guard, openapi_json};

/// Every route of the document, but for those on the public list, is closed; so is what is no route.
#[sqlx::test(migrations = "./migrations")]
async fn no_route_without_a_credential(pool: PgPool) {
    let app = app(&pool).await;
    let document: Value = serde_json::from_str(&openapi_json()).unwrap();
    let mut closed = 0;
    let plain = |method: &str, path: &str, credential: Option<&str>| {
        let mut request = Request::builder().method(method).uri(path);
        if let Some(credential) = credential {
            request = request.header("authorization", credential);
        }
        app.send(request.body(Body::empty()).unwrap())
    };
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in item.as_object().unwrap().keys().map(|method| method.to_uppercase()).chain(["OPTIONS".into(), "TRACE".into()]) {
            let concrete = path.split('/').map(|part| if part.starts_with('{') { part.replace(['{', '}'], "") } else { part.into() });
            let concrete = concrete.collect::<Vec<_>>().join("/");
            let answer = plain(&method, &concrete, None).await;
            if guard::PUBLIC.contains(&path.as_str()) {
                // Those that take another credential say that it is missing, and nothing of a bearer's.
                let refused = answer.status == 401;
                assert!(!refused || guard::CREDENTIALS.contains(&path.as_str()), "{method} {path}");
                if refused {
                    answer.problem(401, "sign_in_failed");
                }
                continue;
            }
            assert_eq!(answer.header("www-authenticate"), "Bearer realm=\"guard-proxy\"");
            answer.problem(401, "unauthenticated");
            closed += 1;
        }
    }
    assert!(closed > 80);
    for path in [
        "/api",
        "/api/v1/nothing",
        "/docsx",
        "/health/",
        "/metrics",
        "/api/v1/openapi.json/",
        "/api/v1/auth/sign-in/",
        "/.well-known/",
        "/.well-known/jwks.json/",
        "/doc%73/",
        "//health",
    ] {
        plain("GET", path, None).await.problem(401, "unauthenticated");
    }
    // What a browser navigates to is a page only where the API has nothing to say.
    for path in [
        "/api",
        "/api/v1/nothing",
        "/api/v1/status",
        "/docsx/../api",
        "/metrics",
        "/health/",
        "/.well-known/",
        "//health",
        "/%61pi/v1/vhosts",
    ] {
        let request = Request::builder().uri(path).header("accept", "text/html").body(Body::empty()).unwrap();
        app.send(request).await.problem(401, "unauthenticated");
    }
    let wrong = format!("Bearer {TOKEN}x");
    for credential in ["Bearer", "Bearer ", "Basic YTpi", TOKEN, wrong.as_str(), "Bearer \u{e9}"] {
        plain("GET", "/api/v1/status", Some(credential)).await.problem(401, "unauthenticated");
    }
    for credential in [format!("bearer {TOKEN}"), format!("BEARER  {TOKEN}")] {
        plain("GET", "/api/v1/status", Some(&credential)).await.is(200);
    }
    let twice = Request::builder().uri("/api/v1/status").header("authorization", format!("Bearer {TOKEN}"));
    let twice = twice.header("authorization", "Bearer x").body(Body::empty()).unwrap();
    app.send(twice).await.problem(401, "unauthenticated");
}

#[sqlx::test(migrations = "./migrations")]
async fn public_routes_and_headers_of_all(pool: PgPool) {
    let app = app(&pool).await;
    let plain = async |path: &str| app.send(Request::builder().uri(path).body(Body::empty()).unwrap()).await;
    assert_eq!(plain("/health").await.is(200).text, r#"{"status":"ok"}"#);
    let ready = plain("/ready").await.is(200).json();
    assert_eq!((&ready["status"], &ready["data_plane"]["haproxy_up"]), (&"ready".into(), &false.into()));
    let document = plain("/api/v1/openapi.json").await.is(200);
    assert_eq!(document.text, openapi_json());
    assert!(plain("/docs").await.headers.contains_key("location"));
    let docs = plain("/docs/").await.is(200);
    assert!(docs.text.contains("swagger-ui"));
    assert!(docs.header("content-security-policy").contains("script-src 'self';"));
    let script = plain("/docs/swagger-initializer.js").await.is(200);
    assert!(script.text.contains("/api/v1/openapi.json"), "{}", script.text);
    // No script of the page is written into it: the policy would stop it.
    assert!(!docs.text.contains("<script>"), "{}", docs.text);
    plain("/docs/nothing.js").await.problem(404, "not_found");
    for path in ["/health", "/api/v1/status", "/docs/"] {
        let answer = plain(path).await;
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert!(answer.header("cache-control").starts_with("no-"));
        assert_eq!(uuid::Uuid::parse_str(answer.header("x-request-id")).unwrap().get_version_num(), 7);
    }
    assert_eq!(app.get("/api/v1/status").await.header("cache-control"), "no-store");
    assert!(app.get("/metrics").await.is(200).header("content-type").starts_with("text/plain; version=0.0.4"));
    pool.close().await;
}

/// The panel is there or says how to build it; either way it is dressed as everything is, and wants no credential.
#[sqlx::test(migrations = "./migrations")]
async fn the_panel_is_public(pool: PgPool) {
    let app = app(&pool).await;
    let show = async |path: &str| {
        let request = Request::builder().uri(path).header("accept", "text/html,*/*;q=0.8");
        app.send(request.body(Body::empty()).unwrap()).await
    };
    for path in ["/", "/vhosts/shop", "/sign-in"] {
        let answer = show(path).await;
        assert!(matches!(answer.status.as_u16(), 200 | 503), "{path}: {}", answer.status);
        assert_eq!(answer.header("content-type"), "text/html; charset=utf-8");
        assert_eq!(answer.header("cache-control"), "no-cache");
        assert_eq!(answer.header("x-frame-options"), "DENY");
        assert!(answer.header("content-security-policy").starts_with("default-src 'none';"));
    }
    show("/assets/nothing.js").await.problem(404, "not_found");
    pool.close().await;
}

#[sqlx::test(migrations = "./migrations")]
async fn a_panic_is_a_problem(pool: PgPool) {
    let mut app = app(&pool).await;
    let routes = Default::default();
    let panics = axum::Router::new().route(
        "/health",
        axum::routing::get(async || {
            if true {
                panic!("secret")
            }
        }),
    );
    app.router = panics.layer(axum::middleware::from_fn_with_state((app.state.clone(), routes), guard::guard));
    let problem = app.get("/health").await.problem(500, "internal");
    assert!(!problem.to_string().contains("secret"));
}

#[sqlx::test(migrations = "./migrations")]
async fn a_principal_has_sixteen_streams(pool: PgPool) {
    use tower::ServiceExt as _;
    let app = app(&pool).await;
    let open = async || {
        let request = Request::builder().uri("/api/v1/stream").header("authorization", format!("Bearer {TOKEN}"));
        app.router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
    };
    let mut streams = Vec::new();
    for _ in 0..16 {
        streams.push(open().await);
    }
    assert!(streams.iter().all(|stream| stream.status() == 200));
    let refused = app.get("/api/v1/stream").await;
    assert!(refused.headers.contains_key("retry-after"));
    refused.problem(429, "too_many");
    streams.pop();
    assert_eq!(open().await.status(), 200);
}
