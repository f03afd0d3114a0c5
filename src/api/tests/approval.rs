//! Approval over HTTP: what waits is answered with 202 and its change set, and people say yes or no.

use serde_json::{Value, json};
use sqlx::PgPool;

use super::people_lab::lab;

#[sqlx::test(migrations = "./migrations")]
async fn what_waits_is_accepted_and_somebody_else_says_yes(pool: PgPool) {
    let lab = lab(&pool).await;
    for who in ["ada@example.com", "bob@example.com"] {
        lab.somebody(who, "editor").await;
    }
    let (ada, bob) = (lab.sign_in("ada@example.com").await, lab.sign_in("bob@example.com").await);
    lab.by(&ada, "PUT", "/api/v1/policies/p", json!({})).await.is(201);
    let mut site = super::harness::vhost("bank");
    site["policy"] = json!("p");
    site["access"] = json!({});
    lab.by(&ada, "PUT", "/api/v1/vhosts/bank", site.clone()).await.is(201);

    // Each way is answered alike: 202, where to look, and the change set.
    site["protected"] = json!(true);
    let force = |who: &super::people_lab::Signed| [format!("authorization: Bearer {}", who.access), "if-match: *".to_owned()];
    let lines = force(&ada);
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let put = lab.plain("PUT", "/api/v1/vhosts/bank?wait=live&message=guard+it", &lines, site).await.is(202);
    let waiting = put.json();
    let path = format!("/api/v1/change-sets/{}", waiting["id"].as_str().unwrap());
    assert!(put.header("location") == path && !put.headers.contains_key("guard-proxy-revision"));
    assert_eq!((&waiting["state"], &waiting["message"]), (&json!("awaiting_approval"), &json!("guard it")));
    assert_eq!(waiting["approval"]["vhosts"], json!(["bank"]));
    assert!(waiting.get("contributors").is_none() && waiting.get("owner").is_none());
    lab.by(&ada, "POST", &format!("{path}/commit"), json!({})).await.is(202);

    let list = lab.by(&bob, "GET", "/api/v1/change-sets?review=true", Value::Null).await.is(200).json();
    assert_eq!(list["items"][0]["id"], waiting["id"]);
    assert_eq!(lab.by(&bob, "GET", "/api/v1/change-sets", Value::Null).await.json()["items"], json!([]));
    lab.by(&bob, "GET", "/api/v1/change-sets?review=true&state=open", Value::Null).await.problem(400, "invalid_query");
    let seen = lab.by(&bob, "GET", &format!("/api/v1/vhosts/bank?change_set={}", waiting["id"].as_str().unwrap()), Value::Null).await;
    assert_eq!(seen.is(200).json()["protected"], true);
    let plan = lab.by(&bob, "POST", &format!("{path}/plan"), Value::Null).await.is(201).json();
    assert_eq!(plan["approval"], json!({"required": true, "vhosts": {"total": 1, "names": ["bank"]}}));
    let yes = |of: &Value| json!({"version": of["version"], "plan_digest": plan["digest"], "reason": "looked at it"});
    lab.by(&ada, "POST", &format!("{path}/approve"), yes(&waiting)).await.problem(403, "own_change");
    lab.admin("POST", &format!("{path}/approve"), yes(&waiting)).await.problem(403, "forbidden");
    lab.by(&bob, "POST", &format!("{path}/approve"), json!({})).await.problem(422, "invalid");
    lab.by(&bob, "POST", &format!("{path}/approve"), json!({"version": waiting["version"], "plan_digest": "x"}))
        .await
        .problem(409, "plan_changed");
    lab.by(&bob, "POST", &format!("{path}/reject"), json!({"reason": "why?"})).await.is(200);
    lab.by(&bob, "POST", &format!("{path}/approve"), yes(&waiting)).await.problem(404, "not_found");
    let again = lab.by(&ada, "POST", &format!("{path}/commit"), json!({})).await.is(202).json();
    lab.by(&bob, "POST", &format!("{path}/approve"), yes(&waiting)).await.problem(409, "conflict");
    let done = lab.by(&bob, "POST", &format!("{path}/approve"), yes(&again)).await.is(200);
    assert_eq!(done.json()["state"], "committed");
    let revision = lab.by(&ada, "GET", &format!("/api/v1/revisions/{}", done.header("guard-proxy-revision")), Value::Null).await.json();
    assert_eq!((&revision["author"], &revision["origin"]["approved_by"]), (&json!("user:ada@example.com"), &json!("user:bob@example.com")));

    // From now on also what it uses; an element, an entry and a deletion are no way around.
    let exclusion = json!({"rule": {"id": 942100}});
    lab.by(&ada, "PUT", "/api/v1/policies/p/exclusions/e", exclusion).await.is(202);
    let lines = force(&bob);
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let deleted = lab.plain("DELETE", "/api/v1/vhosts/bank", &lines, Value::Null).await.is(202);
    assert_eq!(deleted.json()["state"], "awaiting_approval");
    let back = lab.by(&ada, "POST", "/api/v1/revisions/2/rollback", json!({})).await.is(202).json();
    assert_eq!((&back["rollback_to"], &back["state"]), (&json!(2), &json!("awaiting_approval")));
    assert_eq!(lab.by(&ada, "GET", "/api/v1/vhosts/bank", Value::Null).await.json()["protected"], true);
}
