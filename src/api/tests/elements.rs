use axum::body::Body;
use serde_json::json;
use sqlx::PgPool;

use super::harness::app;

#[sqlx::test(migrations = "./migrations")]
async fn elements_are_resources_of_their_own(pool: PgPool) {
    let app = app(&pool).await;
    app.furnish().await;
    let rule = r#"SecRule ARGS:debug "@streq 1" "phase:2,deny,status:403,msg:'debug switch'""#;
    for (owner, path, body, patch) in [
        (
            "/api/v1/policies/shop",
            "/api/v1/policies/shop/exclusions/comment-field",
            json!({"rule": {"id": 942100}, "target": "ARGS:comment"}),
            json!({"reason": "free text"}),
        ),
        ("/api/v1/policies/shop", "/api/v1/policies/shop/custom-rules/190001", json!({"seclang": rule}), json!({"enabled": false})),
        (
            "/api/v1/vhosts/shop",
            "/api/v1/vhosts/shop/upstream/servers/spare",
            json!({"address": "192.0.2.11", "port": 8080, "backup": true}),
            json!({"weight": 50}),
        ),
        (
            "/api/v1/vhosts/shop",
            "/api/v1/vhosts/shop/paths/%2Fapi%2F",
            json!({"policy": "shop", "websocket": true}),
            json!({"websocket": false}),
        ),
    ] {
        let (collection, key) = path.rsplit_once('/').unwrap();
        app.get(path).await.problem(404, "not_found");
        let created = app.put(path, None, body.clone()).await.is(201);
        assert_eq!(created.header("location"), path);
        let meta = created.json()["meta"].clone();
        assert_eq!(meta["etag"], created.etag());
        assert_eq!(app.get(owner).await.etag(), created.etag());

        // A change elsewhere in the owner leaves the element's ETag alone.
        app.patch(owner, "*", json!({"title": format!("after {key}")})).await.is(200);
        let read = app.get(path).await.is(200);
        assert_eq!((read.etag(), read.json()), (created.etag(), created.json()));
        app.ask("GET", path, &[&format!("if-none-match: {}", read.etag())], Body::empty()).await.is(304);
        let again = app.put(path, Some(&read.etag()), read.json()).await.is(200);
        assert_eq!(again.etag(), read.etag());

        let patched = app.patch(path, &read.etag(), patch.clone()).await.is(200);
        for (member, value) in patch.as_object().unwrap() {
            assert_eq!(patched.json()[member], *value);
        }
        let problem = app.patch(path, &read.etag(), patch).await.problem(412, "precondition_failed");
        assert_eq!(problem["current"], patched.json());
        app.put(path, None, body.clone()).await.problem(428, "precondition_required");
        let create = ["content-type: application/json", "if-none-match: *"];
        let problem = app.ask("PUT", path, &create, body.to_string()).await.problem(412, "already_exists");
        assert_eq!(problem["current"], patched.json());

        let all = app.get(collection).await.is(200).json();
        assert_eq!(all["items"].as_array().unwrap().last().unwrap(), &patched.json());
        app.delete(path, &read.etag()).await.problem(412, "precondition_failed");
        app.delete(path, &patched.etag()).await.is(204);
        app.get(path).await.problem(404, "not_found");
        app.put(path, Some("*"), body.clone()).await.problem(412, "precondition_failed");
        let nobody = path.replace("/shop/", "/nobody/");
        app.get(&nobody).await.problem(404, "not_found");
        app.put(&nobody, None, body).await.problem(404, "not_found");
    }
    // The last server stays.
    let problem = app.delete("/api/v1/vhosts/shop/upstream/servers/s1", "*").await.problem(422, "invalid");
    assert_eq!(problem["errors"][0]["pointer"], "/upstream/servers");
    app.put("/api/v1/policies/shop/custom-rules/0190001", None, json!({"seclang": rule})).await.problem(422, "invalid");
}
