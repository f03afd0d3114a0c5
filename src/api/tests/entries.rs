use serde_json::{Value, json};
use sqlx::PgPool;

use super::harness::{App, app, pointers};

const ENTRIES: &str = "/api/v1/ip-lists/office/entries";
const BATCH: &str = "/api/v1/ip-lists/office/entries:batch";

fn networks(page: &Value) -> Vec<&str> {
    page["items"].as_array().unwrap().iter().map(|item| item["network"].as_str().unwrap()).collect()
}

async fn batch(app: &App, lines: &[&str], body: Value) -> super::harness::Answer {
    let mut all = vec!["content-type: application/json"];
    all.extend(lines);
    app.ask("POST", BATCH, &all, body.to_string()).await
}

#[sqlx::test(migrations = "./migrations")]
async fn entries_are_replaced_batched_and_found(pool: PgPool) {
    let app = app(&pool).await;
    app.furnish().await;
    let empty = app.get(ENTRIES).await.is(200);
    assert_eq!(empty.json(), json!({"items": [], "next_cursor": null, "total": 0}));

    let text = "# ours\n192.0.2.7/24 # probes\n2001:db8::/32\n10.0.0.1\n";
    let etag = format!("if-match: {}", empty.etag());
    let replaced = app.ask("PUT", ENTRIES, &["content-type: text/plain; charset=utf-8", &etag], text).await.is(200);
    assert_eq!(replaced.json()["entry_count"], 3);
    let digest = replaced.json()["digest"].clone();
    let problem = app.ask("PUT", ENTRIES, &["content-type: text/plain", &etag], text).await.problem(412, "precondition_failed");
    assert_eq!(problem["current"], replaced.json());
    app.ask("PUT", ENTRIES, &["content-type: text/plain"], text).await.problem(428, "precondition_required");
    let etag = format!("if-match: {}", replaced.etag());

    let page = app.get(ENTRIES).await.json();
    assert_eq!(networks(&page), ["10.0.0.1/32", "192.0.2.0/24", "2001:db8::/32"]);
    let entry = json!({"network": "192.0.2.0/24", "comment": "probes", "expires_at": null, "expired": false});
    assert_eq!(page["items"][1], entry);
    // What was read can be written back; so can CSV of the same.
    let same = app.ask("PUT", ENTRIES, &["content-type: application/json", &etag], page.to_string()).await.is(200);
    assert_eq!((same.etag(), &same.json()["digest"]), (replaced.etag(), &digest));
    let csv = "network,comment,expires_at\n10.0.0.1,,\n192.0.2.0/24,probes,\n2001:db8::/32,,\n";
    let same = app.ask("PUT", ENTRIES, &["content-type: text/csv", &etag], csv).await.is(200);
    assert_eq!(same.etag(), replaced.etag());

    let add = json!({
        "add": [{"network": "192.0.2.7", "comment": "one", "expires_at": "2001-01-01T00:00:00Z"}, {"network": "0.0.0.0/0"}],
        "remove": ["10.0.0.1", "172.16.0.0/12"],
    });
    let batched = batch(&app, &[], add.clone()).await.is(200);
    assert_eq!(batched.json()["entry_count"], 4);
    assert_eq!(batch(&app, &[], add).await.is(200).etag(), batched.etag());

    for (query, want) in [
        ("contains=192.0.2.7", "0.0.0.0/0 192.0.2.0/24 192.0.2.7/32"),
        ("contains=192.0.2.0/25", "0.0.0.0/0 192.0.2.0/24"),
        ("contains=2001:db8::1", "2001:db8::/32"),
        ("contains=192.0.2.7&q=ONE", "192.0.2.7/32"),
        ("q=prob", "192.0.2.0/24"),
        ("q=2001", "2001:db8::/32"),
        ("", "0.0.0.0/0 192.0.2.0/24 192.0.2.7/32 2001:db8::/32"),
    ] {
        let want: Vec<&str> = want.split_whitespace().collect();
        let (mut found, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = app.get(&format!("{ENTRIES}?{query}&limit=2{cursor}")).await.is(200).json();
            assert_eq!(page["total"], want.len(), "{query}");
            found.extend(networks(&page).into_iter().map(str::to_owned));
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        assert_eq!(found, want, "{query}");
    }
    let page = app.get(&format!("{ENTRIES}?q=one")).await.json();
    assert_eq!(page["items"][0]["expired"], true);
    app.get(&format!("{ENTRIES}?contains=nowhere")).await.problem(400, "invalid_query");
    app.get("/api/v1/ip-lists/nobody/entries").await.problem(404, "not_found");
}

#[sqlx::test(migrations = "./migrations")]
async fn bad_entries_are_told_and_change_nothing(pool: PgPool) {
    let app = app(&pool).await;
    app.furnish().await;
    let before = app.get("/api/v1/ip-lists/office").await.etag();
    let any = "if-match: *";
    let problem =
        app.ask("PUT", ENTRIES, &["content-type: text/plain", any], "10.0.0.1\nnonsense\n10.0.0.300\n").await.problem(422, "invalid");
    let lines: Vec<_> = problem["errors"].as_array().unwrap().iter().map(|error| error["line"].as_u64().unwrap()).collect();
    assert_eq!(lines, [2, 3]);
    let problem = batch(&app, &[], json!({"add": [{"network": "10.0.0.0/33"}], "remove": ["x"]})).await.problem(422, "invalid");
    assert_eq!(pointers(&problem), ["/add/0/network", "/remove/0"]);
    app.ask("PUT", ENTRIES, &["content-type: application/xml", any], "<a/>").await.problem(415, "unsupported_media_type");
    app.ask("PUT", ENTRIES, &[any], "10.0.0.1").await.problem(415, "unsupported_media_type");
    let problem = app.ask("PUT", ENTRIES, &["content-type: application/json", any], "[\n  {]").await.problem(400, "invalid_json");
    assert_eq!((&problem["line"], &problem["column"]), (&json!(2), &json!(4)));
    let huge = format!("content-length: {}", 33 << 20);
    app.ask("PUT", ENTRIES, &["content-type: text/plain", any, &huge], "10.0.0.1").await.problem(413, "body_too_large");
    app.ask("POST", "/api/v1/ip-lists/nobody/entries:batch", &["content-type: application/json"], "{}").await.problem(404, "not_found");
    assert_eq!(app.get("/api/v1/ip-lists/office").await.etag(), before);
}

#[sqlx::test(migrations = "./migrations")]
async fn a_key_gets_the_same_answer_again(pool: PgPool) {
    let app = app(&pool).await;
    app.furnish().await;
    let add = |network: &str| json!({"add": [{"network": network}]});
    let key = ["idempotency-key: k1"];
    let first = batch(&app, &key, add("10.0.0.1")).await.is(200);
    batch(&app, &[], add("10.0.0.2")).await.is(200);
    let again = batch(&app, &key, add("10.0.0.1")).await.is(200);
    assert_eq!((again.text.clone(), again.header("guard-proxy-revision")), (first.text.clone(), first.header("guard-proxy-revision")));
    batch(&app, &key, add("10.0.0.3")).await.problem(422, "idempotency_mismatch");
    batch(&app, &["idempotency-key: k2"], add("x")).await.problem(422, "invalid");
    batch(&app, &["idempotency-key: k2"], add("x")).await.problem(422, "invalid");
    batch(&app, &["idempotency-key: "], add("10.0.0.3")).await.problem(400, "invalid_header");
    assert_eq!(networks(&app.get(ENTRIES).await.json()), ["10.0.0.1/32", "10.0.0.2/32"]);
}
