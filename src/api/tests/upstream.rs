use serde_json::json;
use sqlx::PgPool;

use super::harness::{app, vhost};

#[sqlx::test(migrations = "./migrations")]
async fn servers_are_told_as_haproxy_sees_them(pool: PgPool) {
    let app = app(&pool).await;
    app.furnish().await;
    let server = json!({
        "name": "s", "address": "192.0.2.10:8080", "state": "unchecked", "in_state_s": 3, "check": null,
        "sessions": 0, "requests": 2, "connect_errors": 1, "response_errors": 0,
    });
    let told = app.get("/api/v1/vhosts/shop/upstream/status").await.is(200).json();
    assert_eq!(told, json!({"items": [server], "total": 1}));
    app.get("/api/v1/vhosts/nobody/upstream/status").await.problem(404, "not_found");
    app.put("/api/v1/vhosts/blog", None, vhost("blog")).await.is(201);
    let away = app.get("/api/v1/vhosts/blog/upstream/status").await;
    assert!(away.header("retry-after").parse::<u32>().is_ok());
    away.problem(503, "unavailable");
}
