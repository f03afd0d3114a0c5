//! Emergency mode over HTTP: who may, for how long, and that everybody sees it.

use serde_json::{Value, json};
use sqlx::PgPool;
use time::format_description::well_known::Rfc3339;

use super::harness::{app, pointers};

#[sqlx::test(migrations = "./migrations")]
async fn it_has_a_reason_and_an_end_and_everybody_sees_it(pool: PgPool) {
    let app = app(&pool).await;
    app.furnish().await;
    let vhost = app.get("/api/v1/vhosts").await.json()["items"][0]["name"].as_str().unwrap().to_owned();
    let path = format!("/api/v1/vhosts/{vhost}/mode-override");
    let at = |minutes: i64| (app.service.now() + time::Duration::minutes(minutes)).format(&Rfc3339).unwrap();
    let put = async |body: Value| app.ask("PUT", &path, &["content-type: application/json"], body.to_string()).await;
    app.get(&path).await.problem(404, "not_found");
    for (wrong, pointer) in [
        (json!({"mode": "off", "until": at(-1), "reason": "x"}), "/until"),
        (json!({"mode": "off", "until": at(24 * 60 + 2), "reason": "x"}), "/until"),
        (json!({"mode": "off", "until": at(5), "reason": " "}), "/reason"),
        (json!({"mode": "off", "until": at(5), "reason": "a\nb"}), "/reason"),
        (json!({"mode": "open", "until": at(5), "reason": "x"}), "/mode"),
        (json!({"mode": "off", "until": at(5), "reason": "x", "author": "me"}), "/author"),
    ] {
        assert_eq!(pointers(&put(wrong).await.problem(422, "invalid")), [pointer]);
    }
    let head = app.service.head().revision;
    let set = put(json!({"mode": "detect", "until": at(5), "reason": "the shop is down"})).await.is(200).json();
    assert_eq!((&set["vhost"], &set["mode"], &set["reason"]), (&json!(vhost), &json!("detect"), &json!("the shop is down")));
    assert_eq!(app.service.head().revision, head, "it is no revision");
    assert_eq!(app.get("/api/v1/status").await.json()["mode_overrides"], json!([set]));
    assert_eq!(app.get(&format!("/api/v1/vhosts/{vhost}/status")).await.json()["mode_override"], set);
    assert_eq!(app.get(&path).await.json(), set);
    let audit = app.get("/api/v1/audit?action=mode_override.set").await.json();
    assert_eq!(audit["items"][0]["after"]["reason"], "the shop is down");
    app.ask("DELETE", &path, &[], "").await.is(204);
    app.ask("DELETE", &path, &[], "").await.problem(404, "not_found");
    assert_eq!(app.get("/api/v1/status").await.json()["mode_overrides"], json!([]));
}
