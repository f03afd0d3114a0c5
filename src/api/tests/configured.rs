use axum::body::Body;
use serde_json::{Value, json};
use sqlx::PgPool;

use super::harness::{app, vhost};

#[sqlx::test(migrations = "./migrations")]
async fn each_kind_is_created_read_changed_and_deleted(pool: PgPool) {
    let app = app(&pool).await;
    app.furnish().await;
    for (path, patch, member) in [
        ("/api/v1/policies/other", json!({"mode": "detect", "paranoia": {"blocking": 2, "detection": 2}}), "/mode"),
        ("/api/v1/ip-lists/other", json!({"title": "Other"}), "/title"),
        ("/api/v1/vhosts/other", json!({"enabled": false, "title": "Other"}), "/enabled"),
    ] {
        let body = if path.contains("vhosts") { vhost("other") } else { json!({}) };
        let created = app.put(path, None, body.clone()).await.is(201);
        assert_eq!(created.header("location"), path);
        let revision: i64 = created.header("guard-proxy-revision").parse().unwrap();
        let meta = created.json()["meta"].clone();
        assert_eq!((&meta["etag"], &meta["revision"]), (&json!(created.etag()), &json!(revision)));
        assert_eq!(created.json()["name"], "other");

        let read = app.get(path).await.is(200);
        assert_eq!(read.json(), created.json());
        let same = format!("if-none-match: \"1\", W/{}", read.etag());
        let not_modified = app.ask("GET", path, &[&same], Body::empty()).await.is(304);
        assert_eq!((not_modified.etag(), not_modified.text.as_str()), (read.etag(), ""));

        // What was read can be written back, and changes nothing.
        let again = app.put(path, Some(&read.etag()), read.json()).await.is(200);
        assert_eq!((again.etag(), again.header("guard-proxy-revision")), (read.etag(), revision.to_string().as_str()));

        let patched = app.patch(path, &format!("W/{}", read.etag()), patch.clone()).await.is(200);
        assert_eq!(patched.json().pointer(member), patch.pointer(member));
        assert_eq!(patched.header("guard-proxy-revision"), (revision + 1).to_string());

        let stale = app.patch(path, &read.etag(), patch.clone()).await;
        assert_eq!(stale.etag(), patched.etag());
        let problem = stale.problem(412, "precondition_failed");
        assert_eq!(problem["current"], patched.json());
        app.put(path, None, body.clone()).await.problem(428, "precondition_required");
        let create = ["content-type: application/json", "if-none-match: *"];
        let problem = app.ask("PUT", path, &create, body.to_string()).await.problem(412, "already_exists");
        assert_eq!(problem["current"], patched.json());
        app.put("/api/v1/policies/nobody", Some("\"1\""), json!({})).await.problem(412, "precondition_failed");

        app.ask("DELETE", path, &[], Body::empty()).await.problem(428, "precondition_required");
        app.delete(path, &read.etag()).await.problem(412, "precondition_failed");
        let deleted = app.delete(path, &format!("\"7777\", {}", patched.etag())).await.is(204);
        assert_eq!((deleted.text.as_str(), deleted.header("guard-proxy-revision")), ("", (revision + 2).to_string().as_str()));
        app.get(path).await.problem(404, "not_found");
        app.delete(path, "*").await.problem(404, "not_found");
    }
}

#[sqlx::test(migrations = "./migrations")]
async fn patches_and_read_only_members(pool: PgPool) {
    let app = app(&pool).await;
    app.furnish().await;
    let patch = json!({"mode": "detect", "meta": {"etag": "nonsense"}, "title": "Shop"});
    let patched = app.patch("/api/v1/policies/shop", "*", patch).await.is(200);
    assert_eq!((&patched.json()["mode"], &patched.json()["title"]), (&json!("detect"), &json!("Shop")));
    let back = app.patch("/api/v1/policies/shop", &patched.etag(), json!({"mode": null})).await.is(200);
    assert_eq!((&back.json()["mode"], &back.json()["title"]), (&json!("block"), &json!("Shop")));
    let list = json!({"entry_count": 7, "digest": "x", "meta": null, "title": "Office"});
    let list = app.put("/api/v1/ip-lists/office", Some("*"), list).await.is(200).json();
    assert_eq!((&list["entry_count"], &list["title"]), (&json!(0), &json!("Office")));
    // The digest of nothing.
    assert_eq!(list["digest"], "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

fn names(page: &Value) -> Vec<String> {
    page["items"].as_array().unwrap().iter().map(|item| item["name"].as_str().unwrap().to_owned()).collect()
}

#[sqlx::test(migrations = "./migrations")]
async fn lists_are_filtered_sorted_and_paged(pool: PgPool) {
    let app = app(&pool).await;
    app.furnish().await;
    app.put("/api/v1/policies/strict", None, json!({"mode": "detect"})).await.is(201);
    for n in 0..7 {
        let mut body = vhost(&format!("v{n}"));
        if n % 2 == 1 {
            body["policy"] = json!("strict");
            body["labels"] = json!({"team": "api", "stage": "test"});
            body["title"] = json!("Große Sache");
        }
        body["enabled"] = json!(n != 3);
        if n == 6 {
            body["paths"] = json!([{"prefix": "/admin/", "policy": "strict"}]);
        }
        if n == 5 {
            body["access"] = json!({});
        }
        app.put(&format!("/api/v1/vhosts/v{n}"), None, body).await.is(201);
    }
    app.patch("/api/v1/vhosts/v1", "*", json!({"description": "last"})).await.is(200);

    for (query, want) in [
        ("", "shop v0 v1 v2 v3 v4 v5 v6"),
        ("sort=-name", "v6 v5 v4 v3 v2 v1 v0 shop"),
        ("sort=updated_at", "shop v0 v2 v3 v4 v5 v6 v1"),
        ("sort=-updated_at", "v1 v6 v5 v4 v3 v2 v0 shop"),
        ("policy=strict", "v1 v3 v5"),
        ("policy=strict&policy=shop", "shop v0 v1 v2 v3 v4 v5 v6"),
        ("policy=strict&enabled=true", "v1 v5"),
        ("uses_policy=strict", "v1 v3 v5 v6"),
        ("uses_ip_list=office&uses_policy=strict", "v1 v3 v6"),
        ("uses_ip_list=nobody", ""),
        ("label=team:api&label=team:web&enabled=false", "v3"),
        ("label=stage:test&policy=shop", ""),
        ("hostname=v2.example.com&hostname=V4.EXAMPLE.com", "v2 v4"),
        ("q=GRO%C3%9FE", "v1 v3 v5"),
        ("q=v6.ex", "v6"),
        ("updated_at_gte=2100-01-01T00:00:00Z", ""),
        ("updated_at_lt=2100-01-01T00:00:00Z&q=v1", "v1"),
    ] {
        let want: Vec<&str> = want.split_whitespace().collect();
        let whole = app.get(&format!("/api/v1/vhosts?{query}")).await.is(200).json();
        assert_eq!(names(&whole), want, "{query}");
        assert_eq!((&whole["total"], &whole["next_cursor"]), (&json!(want.len()), &Value::Null), "{query}");
        let mut paged = Vec::new();
        let mut cursor = String::new();
        loop {
            let page = app.get(&format!("/api/v1/vhosts?{query}&limit=3{cursor}")).await.is(200).json();
            assert_eq!(page["total"], want.len());
            paged.extend(names(&page));
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        assert_eq!(paged, want, "{query}");
    }
    assert_eq!(names(&app.get("/api/v1/policies?mode=detect").await.json()), ["strict"]);
    assert_eq!(names(&app.get("/api/v1/ip-lists").await.json()), ["office"]);

    let next = app.get("/api/v1/vhosts?limit=2").await.json()["next_cursor"].as_str().unwrap().to_owned();
    // Bound to sort and filter, not to the limit, nor to what is there.
    app.delete("/api/v1/vhosts/v0", "*").await.is(204);
    assert_eq!(names(&app.get(&format!("/api/v1/vhosts?limit=1&cursor={next}")).await.json()), ["v1"]);
    for query in [
        format!("cursor={next}&sort=-name"),
        format!("cursor={next}&q=v"),
        "cursor=abc".to_owned(),
        "limit=0".to_owned(),
        "limit=501".to_owned(),
        "limit=many".to_owned(),
        "limit=1&limit=2".to_owned(),
        "sort=age".to_owned(),
        "label=team".to_owned(),
        "hostname=a%20b".to_owned(),
        "enabled=maybe".to_owned(),
        "updated_at_gte=yesterday".to_owned(),
        "colour=red".to_owned(),
        "mode=block".to_owned(),
    ] {
        let problem = app.get(&format!("/api/v1/vhosts?{query}")).await.problem(400, "invalid_query");
        let parameter = query.split('=').next().unwrap();
        assert!(query.starts_with("cursor") || problem["detail"].as_str().unwrap().contains(parameter), "{problem}");
    }
    let all = app.get(&format!("/api/v1/policies?cursor={next}")).await;
    all.problem(400, "invalid_query");
}

#[sqlx::test(migrations = "./migrations")]
async fn what_is_used_stays(pool: PgPool) {
    let app = app(&pool).await;
    app.furnish().await;
    app.put("/api/v1/vhosts/second", None, vhost("second")).await.is(201);
    for path in ["/api/v1/policies/shop", "/api/v1/ip-lists/office"] {
        let problem = app.delete(path, "*").await.problem(409, "in_use");
        assert_eq!(problem["used_by"], json!(["second", "shop"]));
        app.get(path).await.is(200);
    }
}
