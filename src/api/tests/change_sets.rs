use serde_json::{Value, json};
use sqlx::PgPool;

use super::harness::{Answer, App, app, pointers, vhost};

const JSON: &str = "content-type: application/json";

impl App {
    async fn post(&self, path: &str, body: Value) -> Answer {
        self.ask("POST", path, &[JSON], body.to_string()).await
    }

    async fn change_set(&self) -> String {
        self.post("/api/v1/change-sets", json!({"message": "m"})).await.is(201).json()["id"].as_str().unwrap().to_owned()
    }
}

#[sqlx::test]
async fn every_kind_and_element_can_be_staged_and_read_through_it(pool: PgPool) {
    let app = app(&pool).await;
    app.furnish().await;
    let made = app.post("/api/v1/change-sets", json!({"message": "levels"})).await.is(201);
    let id = made.json()["id"].as_str().unwrap().to_owned();
    assert_eq!((made.header("location"), made.etag().as_str()), (format!("/api/v1/change-sets/{id}").as_str(), "\"1\""));
    let at = |path: &str| format!("/api/v1/{path}?change_set={id}");
    for (method, path, lines, body, status) in [
        ("PUT", "policies/new", vec![], json!({"mode": "detect"}), 201),
        ("PUT", "policies/shop/exclusions/x", vec![], json!({"rule": {"id": 942_100}}), 201),
        ("PATCH", "policies/shop/exclusions/x", vec!["if-match: \"-3\""], json!({"reason": "why"}), 200),
        ("PATCH", "vhosts/shop", vec!["if-match: *"], json!({"title": "t"}), 200),
        ("PUT", "vhosts/shop/upstream/servers/b", vec![], json!({"address": "192.0.2.11", "port": 80}), 201),
        ("POST", "ip-lists/office/entries:batch", vec![], json!({"add": [{"network": "192.0.2.0/24"}]}), 200),
        ("PUT", "ip-lists/office/entries", vec!["if-match: *"], json!([{"network": "10.0.0.0/8"}]), 200),
    ] {
        let mut all = vec![if method == "PATCH" { "content-type: application/merge-patch+json" } else { JSON }];
        all.extend(lines);
        let answer = app.ask(method, &at(path), &all, body.to_string()).await.is(status);
        assert_eq!(answer.header("guard-proxy-change-set"), id, "{method} {path}");
        assert!(answer.headers.get("guard-proxy-revision").is_none());
        // A later write to the owner moves its ETag; read at once it is the same.
        if status != 204 && !path.ends_with("entries:batch") && !path.ends_with("entries") {
            assert_eq!(app.get(&at(path)).await.is(200).etag(), answer.etag(), "{path}");
        }
    }
    app.delete(&at("vhosts/shop/upstream/servers/b"), "*").await.is(204);
    assert_eq!(app.get(&at("policies/shop/exclusions")).await.is(200).json()["total"], 1);
    assert_eq!(app.get(&at("ip-lists/office/entries")).await.is(200).json()["items"][0]["network"], "10.0.0.0/8");
    assert_eq!(app.get(&at("policies")).await.is(200).json()["total"], 2);
    let stale =
        app.ask("PUT", &at("policies/shop"), &[JSON, "if-match: \"1\""], json!({}).to_string()).await.problem(412, "precondition_failed");
    assert_eq!(stale["current"]["exclusions"][0]["reason"], "why", "what the change set shows: {stale}");
    app.ask("PUT", &at("policies/shop"), &[JSON], json!({}).to_string()).await.problem(428, "precondition_required");

    assert_eq!(app.get("/api/v1/policies/shop").await.is(200).json()["exclusions"], json!([]), "nobody else sees it");
    let diff = app.get(&format!("/api/v1/change-sets/{id}/diff")).await.is(200).json();
    assert_eq!(diff["counts"], json!({"created": 1, "updated": 3, "deleted": 0}), "{diff:#}");
    let plan = app.post(&format!("/api/v1/change-sets/{id}/plan"), json!({})).await.is(201);
    assert_eq!(app.get(plan.header("location")).await.is(200).json(), plan.json());
    let committed = app.post(&format!("/api/v1/change-sets/{id}/commit"), json!({"plan_digest": plan.json()["digest"]})).await.is(200);
    assert_eq!((committed.header("guard-proxy-revision"), &committed.json()["state"]), ("4", &json!("committed")));
    let info = app.get("/api/v1/revisions/4").await.is(200).json();
    assert_eq!((&info["origin"], &info["message"]), (&json!({"kind": "change_set", "id": id}), &json!("levels")));
    assert_eq!(app.get("/api/v1/policies/shop?revision=3").await.is(200).json()["exclusions"], json!([]));
    assert_eq!(app.get("/api/v1/policies/shop?revision=3").await.etag(), "\"1\"", "with the ETag that it had");
    assert_eq!(app.get("/api/v1/vhosts?revision=2").await.is(200).json()["total"], 0);
    let found = app.get("/api/v1/revisions?object=policies/shop&object=policies/new").await.is(200).json();
    assert_eq!(found["items"].as_array().unwrap().iter().map(|one| one["number"].as_i64().unwrap()).collect::<Vec<_>>(), [4, 1]);
    assert_eq!(app.get("/api/v1/change-sets?state=committed").await.is(200).json()["items"][0]["id"], json!(id));
    app.service.close().await;
}

#[sqlx::test]
async fn what_is_wrong_is_told_and_leaves_nothing(pool: PgPool) {
    let app = app(&pool).await;
    app.furnish().await;
    let sets = "/api/v1/change-sets";
    let operation = |value: Value| json!({"commit": true, "operations": [{"method": "DELETE", "path": "/vhosts/shop"}, value]});
    for (value, pointer) in [
        (json!({"method": "PUT", "path": "policies/x", "value": {}}), "/operations/1/path"),
        (json!({"method": "PUT", "path": "/users/x", "value": {}}), "/operations/1/path"),
        (json!({"method": "PUT", "path": "/policies/X", "value": {}}), "/operations/1/path"),
        (json!({"method": "PUT", "path": "/policies/%ff", "value": {}}), "/operations/1/path"),
        (json!({"method": "PUT", "path": "/policies/x"}), "/operations/1/value"),
        (json!({"method": "DELETE", "path": "/policies/shop", "value": {}}), "/operations/1/value"),
        (json!({"method": "POST", "path": "/policies/x", "value": {}}), "/operations/1/method"),
        (json!({"method": "GET", "path": "/policies/x"}), "/operations/1/method"),
        (json!({"method": "PUT", "path": "/policies/x", "value": {}, "if_match": "12"}), "/operations/1/if_match"),
        (json!({"method": "PUT", "path": "/policies/x", "value": {}, "if_none_match": "\"1\""}), "/operations/1/if_none_match"),
        (json!({"method": "PUT", "path": "/policies/x", "value": {"mode": 1}}), "/operations/1/value/mode"),
        (json!({"method": "PUT", "path": "/policies/x", "value": {"colour": 1}}), "/operations/1/value/colour"),
        (json!({"method": "PUT", "path": "/ip-lists/office/entries", "value": [{"network": "x"}]}), "/operations/1/value/0/network"),
        (json!({"method": "PUT", "path": "/policies/x", "value": {}, "when": 1}), "/operations/1/when"),
    ] {
        let problem = app.post(sets, operation(value.clone())).await.problem(422, "invalid");
        assert_eq!(pointers(&problem), [pointer], "{value}: {problem}");
    }
    let missing = app.post(sets, operation(json!({"method": "PATCH", "path": "/policies/nobody", "value": {}}))).await;
    assert_eq!(pointers(&missing.problem(422, "invalid")), ["/operations/1/path"]);
    let taken = json!({"commit": true, "operations": [{"method": "PUT", "path": "/vhosts/b", "value": vhost("shop")}]});
    assert_eq!(pointers(&app.post(sets, taken).await.problem(409, "taken")), ["/operations/0/value/hostnames/0"]);

    app.post(&format!("{sets}?wait=live"), json!({})).await.problem(400, "invalid_query");
    app.post(&format!("{sets}?wait_timeout_s=5"), json!({"commit": true})).await.problem(400, "invalid_query");
    app.ask("POST", sets, &[JSON], "{\"message\": ").await.problem(400, "invalid_json");
    app.ask("POST", sets, &["content-type: text/plain"], "{}").await.problem(415, "unsupported_media_type");
    app.ask("POST", sets, &[JSON, "content-encoding: gzip"], "{}").await.problem(415, "unsupported_media_type");
    assert_eq!(pointers(&app.post(sets, json!({"mesage": ""})).await.problem(422, "invalid")), ["/mesage"]);
    assert_eq!(pointers(&app.post(sets, json!({"message": "a\u{0}"})).await.problem(422, "invalid")), ["/message"]);
    assert_eq!(pointers(&app.post(sets, json!({"base": 99})).await.problem(422, "invalid")), ["/base"]);

    let id = app.change_set().await;
    let nobody = "00000000-0000-7000-8000-000000000000";
    for path in ["diff", "plan", "commit", "rebase"] {
        let method = if path == "diff" { "GET" } else { "POST" };
        app.ask(method, &format!("{sets}/{nobody}/{path}"), &[], "").await.problem(404, "not_found");
    }
    app.get(&format!("/api/v1/policies?change_set={nobody}")).await.problem(404, "not_found");
    app.get(&format!("/api/v1/policies?change_set={id}&revision=1")).await.problem(400, "invalid_query");
    app.get("/api/v1/policies/shop?revision=99").await.problem(404, "not_found");
    app.get("/api/v1/policies/shop?revision=-1").await.problem(404, "not_found");
    app.ask("PUT", &format!("/api/v1/policies/x?change_set={id}&wait=live"), &[JSON], "{}").await.problem(400, "invalid_query");
    app.ask("PUT", &format!("/api/v1/policies/x?change_set={id}&message=m"), &[JSON], "{}").await.problem(400, "invalid_query");

    let desired = async |objects: Value, query: &str| {
        app.ask("PUT", &format!("{sets}/{id}/desired{query}"), &[JSON], json!({"objects": objects}).to_string()).await
    };
    let problem = desired(json!([{"kind": "policy", "name": "p"}, {"kind": "colour", "name": "x"}]), "").await.problem(422, "invalid");
    assert!(pointers(&problem)[0].starts_with("/objects/1"), "{problem}");
    let problem = desired(json!([{"kind": "policy", "name": "shop", "paranoia": {"blocking": 9}}]), "").await.problem(422, "invalid");
    assert_eq!(pointers(&problem), ["/objects/0/paranoia/blocking"]);
    assert_eq!(
        pointers(&desired(json!([{"kind": "policy", "name": "p", "entries": []}]), "").await.problem(422, "invalid")),
        ["/objects/0/entries"]
    );
    desired(json!([]), "?prune=true").await.problem(422, "prune_all");
    desired(json!([{"kind": "policy", "name": "shop", "meta": {"etag": "x"}}]), "?prune=1").await.problem(400, "invalid_query");
    let staged =
        desired(json!([{"kind": "policy", "name": "shop", "meta": {"etag": "x"}, "mode": "off"}]), "?prune=true").await.is(200).json();
    assert_eq!(staged["counts"], json!({"created": 0, "updated": 1, "deleted": 2}));

    // Somebody else changes the same.
    app.patch("/api/v1/policies/shop", "*", json!({"mode": "detect"})).await.is(200);
    let conflict = app.post(&format!("{sets}/{id}/commit"), json!({})).await.problem(409, "conflict");
    assert_eq!((&conflict["conflicts"][0]["fields"], &conflict["conflicts"][0]["theirs"]["mode"]), (&json!(["/mode"]), &json!("detect")));
    app.post(&format!("{sets}/{id}/rebase"), json!({})).await.problem(409, "conflict");
    app.delete(&format!("{sets}/{id}"), "*").await.is(204);
    app.post(&format!("{sets}/{id}/commit"), json!({})).await.problem(409, "conflict");
    assert_eq!(app.get("/api/v1/revisions").await.is(200).json()["items"][0]["number"], 4, "of all this one write was committed");
    assert_eq!(app.get(&format!("{sets}?state=open")).await.is(200).json()["items"], json!([]));
    app.service.close().await;
}

#[sqlx::test]
async fn operations_are_staged_on_top_of_what_is_staged(pool: PgPool) {
    let app = app(&pool).await;
    app.furnish().await;
    let id = app.change_set().await;
    let operations = format!("/api/v1/change-sets/{id}/operations");
    let first = json!([{"method": "PATCH", "path": "/policies/shop", "value": {"title": "first"}, "if_match": "*"}]);
    assert_eq!(app.post(&operations, json!({"operations": first})).await.is(200).json()["version"], 2);
    let staged = format!("/api/v1/policies/shop?change_set={id}");
    let tag = app.get(&staged).await.is(200).etag();
    let second = |tag: &str, mode: &str| {
        json!({"operations": [
            {"method": "PUT", "path": "/policies/new", "value": {}, "if_none_match": "*"},
            {"method": "PATCH", "path": "/policies/shop", "value": {"mode": mode}, "if_match": tag},
        ]})
    };
    for (tag, mode, pointer) in [("\"1\"", "off", "/operations/1/if_match"), (tag.as_str(), "x", "/operations/1/value/mode")] {
        let problem = app.post(&operations, second(tag, mode)).await.problem(422, "invalid");
        assert_eq!(pointers(&problem), [pointer], "{problem}");
    }
    app.get(&format!("/api/v1/policies/new?change_set={id}")).await.problem(404, "not_found");
    let done = app.post(&operations, second(&tag, "off")).await.is(200).json();
    assert_eq!((&done["version"], &done["counts"]), (&json!(3), &json!({"created": 1, "updated": 1, "deleted": 0})));
    let shop = app.get(&staged).await.is(200).json();
    assert_eq!((&shop["title"], &shop["mode"]), (&json!("first"), &json!("off")));
    app.delete(&format!("/api/v1/change-sets/{id}"), "*").await.is(204);
    app.post(&operations, second("*", "off")).await.problem(409, "conflict");
    app.service.close().await;
}

#[sqlx::test]
async fn revisions_are_compared_planned_and_brought_back(pool: PgPool) {
    let app = app(&pool).await;
    app.furnish().await;
    app.patch("/api/v1/policies/shop", "*", json!({"mode": "detect", "paranoia": {"blocking": 2, "detection": 2}})).await.is(200);
    app.delete("/api/v1/vhosts/shop", "*").await.is(204);
    let words = |diff: &Value| {
        let fields = diff["changes"].as_array().unwrap().iter().flat_map(|change| change["fields"].as_array().unwrap());
        fields.filter_map(|field| field["words"].as_str().map(str::to_owned)).collect::<Vec<_>>()
    };
    let diff = app.get("/api/v1/revisions/4/diff").await.is(200).json();
    assert_eq!(words(&diff), ["mode: block → detect", "paranoia.blocking: 1 → 2", "paranoia.detection: 1 → 2"]);
    let diff = app.get("/api/v1/revisions/3/diff?from=5&object=policies/shop").await.is(200).json();
    assert_eq!(words(&diff)[0], "mode: detect → block", "either way round");
    app.get("/api/v1/revisions/3/diff?from=99").await.problem(404, "not_found");
    app.get("/api/v1/revisions/3/diff?object=shop").await.problem(400, "invalid_query");
    let plan = app.post("/api/v1/revisions/4/plan", json!({})).await.is(201).json();
    assert_eq!((&plan["source"], &plan["vhosts"]["names"]), (&json!({"kind": "revision", "revision": 4}), &json!(["shop"])));
    app.ask("POST", "/api/v1/revisions/0/plan", &[], "").await.problem(404, "not_found");

    let plan = app.post("/api/v1/revisions/3/rollback/plan", json!({"objects": ["policies/shop"]})).await.is(201).json();
    assert_eq!(words(&plan["diff"])[0], "mode: detect → block");
    let body = json!({"objects": ["policies/shop"], "plan_digest": "x"});
    app.post("/api/v1/revisions/3/rollback", body).await.problem(409, "plan_changed");
    let back = app.post("/api/v1/revisions/3/rollback", json!({"objects": ["policies/shop"], "plan_digest": plan["digest"]})).await.is(200);
    assert_eq!((back.header("guard-proxy-revision"), &back.json()["message"]), ("6", &json!("back to revision 3")));
    app.ask("POST", "/api/v1/revisions/3/rollback", &[], "").await.is(200);
    app.get("/api/v1/vhosts/shop").await.is(200);
    let again = app.post("/api/v1/revisions/3/rollback", json!({})).await.is(200).json();
    assert_eq!(again["number"], 7, "nothing to do: no new one");
    let wrong = app.post("/api/v1/revisions/3/rollback", json!({"objects": ["policies/Shop"]})).await.problem(422, "invalid");
    assert_eq!(pointers(&wrong), ["/objects/0"]);
    app.post("/api/v1/revisions/3/rollback", json!({"objects": ["policies/nobody"]})).await.problem(404, "not_found");
    app.service.close().await;
}
