use data_encoding::BASE32_NOPAD;
use serde_json::{Value, json};
use sqlx::PgPool;

use super::harness::Answer;
use super::people_lab::{COOKIE, PASSWORD, Signed, lab, signed};
use crate::auth::totp;

/// The log when this is in it, and so all that came before: it is written behind what it tells of.
async fn logged(read: impl AsyncFn() -> Answer, action: &str) -> Value {
    for _ in 0..500 {
        let log = read().await.is(200).json();
        if log["items"].as_array().unwrap().iter().any(|row| row["action"] == action) {
            return log;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("{action} is not in the log");
}

#[sqlx::test(migrations = "./migrations")]
async fn the_first_administrator_comes_by_a_link_once(pool: PgPool) {
    let lab = lab(&pool).await;
    let old = lab.service.first_link().await.unwrap().unwrap();
    let link = lab.service.first_link().await.unwrap().unwrap();
    assert!(!format!("{link:?}").contains(link.token.reveal()));
    let token = json!(link.token);
    lab.set_up(&json!(old.token), "ada@example.com", PASSWORD).await.problem(401, "sign_in_failed");
    lab.set_up(&token, "nobody", PASSWORD).await.problem(422, "invalid");
    let short = lab.set_up(&token, "ada@example.com", "short").await.problem(422, "invalid");
    assert_eq!(short["errors"][0]["pointer"], "/password");
    lab.set_up(&token, "ada@example.com", &"x1-".repeat(24)).await.problem(422, "invalid");
    let user = lab.set_up(&token, "Ada@Example.com", PASSWORD).await.is(200).json();
    assert_eq!((&user["email"], &user["roles"][0]["role"], &user["ready"]), (&json!("ada@example.com"), &json!("admin"), &json!(true)));
    lab.set_up(&token, "ada@example.com", PASSWORD).await.problem(401, "sign_in_failed");
    assert!(lab.service.first_link().await.unwrap().is_none(), "there is somebody now");

    let ada = lab.sign_in("ADA@example.com").await;
    assert_eq!((&ada.body["token_type"], &ada.body["expires_in"]), (&json!("Bearer"), &json!(300)));
    assert!(!ada.body.to_string().contains("hash"));
    let me = lab.by(&ada, "GET", "/api/v1/auth/me", Value::Null).await.is(200).json();
    assert_eq!((&me["label"], &me["session"]), (&json!("user:ada@example.com"), &ada.body["session"]));
    // What a person does is theirs.
    let put = lab.by(&ada, "PUT", "/api/v1/policies/shop", json!({})).await.is(201);
    let revision = lab.get(&format!("/api/v1/revisions/{}", put.header("guard-proxy-revision"))).await.json();
    assert_eq!(revision["author"], "user:ada@example.com");
    let stored: Vec<String> = sqlx::query_scalar("select password_hash from users").fetch_all(&pool).await.unwrap();
    assert!(stored[0].starts_with("$2b$12$"));
}

#[sqlx::test(migrations = "./migrations")]
async fn a_link_is_over_after_an_hour_and_is_its_persons_alone(pool: PgPool) {
    let lab = lab(&pool).await;
    let link = json!(lab.service.first_link().await.unwrap().unwrap().token);
    let invited = lab.admin("POST", "/api/v1/users", json!({"email": "bob@example.com", "roles": []})).await.is(201).json();
    lab.try_sign_in("bob@example.com", PASSWORD).await.problem(401, "sign_in_failed");
    lab.set_up(&invited["setup"]["token"], "eve@example.com", PASSWORD).await.problem(401, "sign_in_failed");
    lab.pass(3600);
    lab.set_up(&link, "eve@example.com", PASSWORD).await.problem(401, "sign_in_failed");
    lab.set_up(&invited["setup"]["token"], "bob@example.com", PASSWORD).await.problem(401, "sign_in_failed");
    let path = format!("/api/v1/users/{}/setup-link", invited["user"]["id"].as_str().unwrap());
    let again = lab.admin("POST", &path, json!({})).await.is(200).json();
    lab.set_up(&again["token"], "bob@example.com", PASSWORD).await.is(200);
    lab.sign_in("bob@example.com").await;
}

#[sqlx::test(migrations = "./migrations")]
async fn a_session_is_renewed_and_a_used_cookie_ends_it(pool: PgPool) {
    let lab = lab(&pool).await;
    lab.somebody("ada@example.com", "viewer").await;
    let ada = lab.sign_in("ada@example.com").await;
    let first = ada.cookie.clone().unwrap();
    lab.pass(60);
    let second = signed(lab.refresh(&first).await).cookie.unwrap();
    assert_ne!(first, second);
    // Two tabs: the one that comes second gets an access token and no cookie of its own.
    lab.pass(5);
    let tab = signed(lab.refresh(&first).await);
    assert!(tab.cookie.is_none());
    lab.by(&tab, "GET", "/api/v1/auth/me", Value::Null).await.is(200);
    let third = signed(lab.refresh(&second).await).cookie.unwrap();
    // The one before the last has no grace, and whoever sent it ended the session for all.
    lab.refresh(&first).await.problem(401, "sign_in_failed");
    lab.refresh(&third).await.problem(401, "sign_in_failed");
    lab.by(&tab, "GET", "/api/v1/auth/me", Value::Null).await.problem(401, "unauthenticated");

    let second = lab.sign_in("ada@example.com").await;
    let before = second.cookie.clone().unwrap();
    let after = signed(lab.refresh(&before).await).cookie.unwrap();
    lab.pass(11);
    lab.refresh(&before).await.problem(401, "sign_in_failed");
    lab.refresh(&after).await.problem(401, "sign_in_failed");
    for odd in ["", ".", "a.b", "x", &"a".repeat(4000)] {
        lab.refresh(odd).await.problem(401, "sign_in_failed");
    }
    let stored: i64 = sqlx::query_scalar("select count(*) from sessions").fetch_one(&pool).await.unwrap();
    assert_eq!(stored, 0);
}

#[sqlx::test(migrations = "./migrations")]
async fn sessions_end_when_idle_when_old_and_when_told(pool: PgPool) {
    let lab = lab(&pool).await;
    lab.somebody("ada@example.com", "viewer").await;
    let idle = lab.sign_in("ada@example.com").await;
    lab.pass(12 * 3600);
    lab.refresh(&idle.cookie.unwrap()).await.problem(401, "sign_in_failed");
    let mut cookie = lab.sign_in("ada@example.com").await.cookie.unwrap();
    for _ in 0..15 {
        lab.pass(11 * 3600);
        cookie = signed(lab.plain("POST", "/api/v1/auth/refresh", &[&format!("cookie: {COOKIE}={cookie}")], Value::Null).await.is(200))
            .cookie
            .unwrap();
    }
    lab.pass(3 * 3600);
    lab.refresh(&cookie).await.problem(401, "sign_in_failed");

    let (one, two) = (lab.sign_in("ada@example.com").await, lab.sign_in("ada@example.com").await);
    let all = lab.by(&one, "GET", "/api/v1/auth/sessions", Value::Null).await.is(200).json();
    let current = |item: &Value| item["current"] == true && item["id"] == one.body["session"];
    assert_eq!(all["items"].as_array().unwrap().iter().filter(|item| current(item)).count(), 1);
    lab.by(&one, "DELETE", &format!("/api/v1/auth/sessions/{}", two.body["session"].as_str().unwrap()), Value::Null).await.is(204);
    lab.by(&two, "GET", "/api/v1/auth/me", Value::Null).await.problem(401, "unauthenticated");
    lab.by(&one, "GET", "/api/v1/auth/me", Value::Null).await.is(200);
    // Another's session is as one that is not there.
    lab.somebody("eve@example.com", "admin").await;
    let eve = lab.sign_in("eve@example.com").await;
    let path = format!("/api/v1/auth/sessions/{}", one.body["session"].as_str().unwrap());
    lab.by(&eve, "DELETE", &path, Value::Null).await.problem(404, "not_found");

    let three = lab.sign_in("ada@example.com").await;
    let out = lab.by(&one, "POST", "/api/v1/auth/sign-out", json!({})).await.is(204);
    assert!(out.header("set-cookie").contains("Max-Age=0"));
    lab.by(&one, "GET", "/api/v1/auth/me", Value::Null).await.problem(401, "unauthenticated");
    lab.refresh(&one.cookie.unwrap()).await.problem(401, "sign_in_failed");
    lab.by(&three, "GET", "/api/v1/auth/me", Value::Null).await.is(200);
    let four = lab.sign_in("ada@example.com").await;
    lab.by(&four, "POST", "/api/v1/auth/sign-out", json!({"everywhere": true})).await.is(204);
    for gone in [&three, &four] {
        lab.by(gone, "GET", "/api/v1/auth/me", Value::Null).await.problem(401, "unauthenticated");
        lab.refresh(gone.cookie.as_ref().unwrap()).await.problem(401, "sign_in_failed");
    }
}

#[sqlx::test(migrations = "./migrations")]
async fn an_administrator_ends_sessions_of_others(pool: PgPool) {
    let lab = lab(&pool).await;
    let ada = lab.somebody("ada@example.com", "editor").await;
    let eve = lab.somebody("eve@example.com", "editor").await;
    let (one, two, other) =
        (lab.sign_in("ada@example.com").await, lab.sign_in("ada@example.com").await, lab.sign_in("eve@example.com").await);
    let sessions = format!("/api/v1/users/{ada}/sessions");
    let all = lab.admin("GET", &sessions, Value::Null).await.is(200).json();
    assert_eq!(all["items"].as_array().unwrap().len(), 2, "{all}");
    assert!(all["items"].as_array().unwrap().iter().all(|item| item["current"] == false));
    let session = |who: &Signed| who.body["session"].as_str().unwrap().to_owned();
    // Somebody else's session is not one of theirs.
    lab.admin("DELETE", &format!("{sessions}/{}", session(&other)), Value::Null).await.problem(404, "not_found");
    lab.admin("DELETE", &format!("{sessions}/{}", session(&one)), Value::Null).await.is(204);
    lab.by(&one, "GET", "/api/v1/auth/me", Value::Null).await.problem(401, "unauthenticated");
    lab.refresh(&one.cookie.unwrap()).await.problem(401, "sign_in_failed");
    lab.by(&two, "GET", "/api/v1/auth/me", Value::Null).await.is(200);
    lab.admin("DELETE", &sessions, Value::Null).await.is(204);
    lab.by(&two, "GET", "/api/v1/auth/me", Value::Null).await.problem(401, "unauthenticated");
    assert_eq!(lab.admin("GET", &sessions, Value::Null).await.is(200).json()["items"], json!([]));
    lab.by(&other, "GET", "/api/v1/auth/me", Value::Null).await.is(200);
    // They may sign in again; whoever is no administrator ends nobody's.
    let again = lab.sign_in("ada@example.com").await;
    for (method, path) in [
        ("GET", format!("/api/v1/users/{eve}/sessions")),
        ("DELETE", format!("/api/v1/users/{eve}/sessions")),
        ("DELETE", format!("/api/v1/users/{eve}/sessions/{}", session(&other))),
    ] {
        lab.by(&again, method, &path, Value::Null).await.problem(403, "forbidden");
    }
    let log = logged(async || lab.admin("GET", "/api/v1/audit?limit=50", Value::Null).await, "sessions_ended").await;
    for action in ["session_ended", "sessions_ended"] {
        let found = log["items"].as_array().unwrap().iter().any(|row| row["action"] == action && row["name"] == "ada@example.com");
        assert!(found, "{action}: {log}");
    }
}

#[sqlx::test(migrations = "./migrations")]
async fn what_is_done_to_accounts_is_in_the_log_with_what_it_was(pool: PgPool) {
    let lab = lab(&pool).await;
    let ada = lab.somebody("ada@example.com", "viewer").await;
    let path = format!("/api/v1/users/{ada}");
    lab.admin("PATCH", &path, json!({"roles": [{"role": "admin"}]})).await.is(200);
    let signed_ada = lab.sign_in("ada@example.com").await;
    let wrong = json!({"password": "not the one at all", "new": "another quiet harbour"});
    lab.by(&signed_ada, "POST", "/api/v1/auth/password", wrong).await.problem(422, "invalid");
    lab.admin("POST", &format!("{path}/setup-link"), json!({"reset_totp": true})).await.is(200);
    for _ in 0..10 {
        lab.try_sign_in("nobody@example.com", "not the one at all").await.problem(401, "sign_in_failed");
    }
    lab.try_sign_in("nobody@example.com", "not the one at all").await.problem(429, "too_many");
    lab.admin("PATCH", &path, json!({"disabled": true})).await.problem(409, "conflict");
    lab.somebody("root@example.com", "admin").await;
    lab.admin("PATCH", &path, json!({"disabled": true})).await.is(200);
    lab.admin("DELETE", &path, Value::Null).await.is(204);

    let log = logged(async || lab.admin("GET", "/api/v1/audit?limit=200", Value::Null).await, "user_deleted").await;
    let rows: Vec<&Value> = log["items"].as_array().unwrap().iter().rev().filter(|row| row["kind"] == "user").collect();
    let of = |action: &str, name: &str| -> Vec<&Value> {
        rows.iter().copied().filter(|row| row["action"] == action && row["name"] == name).collect()
    };
    let changes = of("user_changed", "ada@example.com");
    assert_eq!(
        changes.iter().map(|row| (&row["before"]["roles"][0]["role"], &row["after"]["roles"][0]["role"])).next(),
        Some((&json!("viewer"), &json!("admin"))),
        "{changes:?}"
    );
    assert_eq!((&changes[1]["before"]["disabled"], &changes[1]["after"]["disabled"]), (&json!(false), &json!(true)));
    assert!(changes.iter().all(|row| row["object_id"] == json!(ada) && !row["principal_id"].is_null()), "{changes:?}");
    assert_eq!(of("user_created", "ada@example.com")[0]["after"]["roles"][0]["role"], "viewer");
    assert_eq!(of("user_deleted", "ada@example.com")[0]["before"]["disabled"], true);
    assert_eq!(of("set_up", "ada@example.com")[0]["after"]["ready"], true);
    let links = of("setup_link", "ada@example.com");
    assert_eq!(links.iter().map(|row| &row["after"]["reset_totp"]).collect::<Vec<_>>(), [&json!(false), &json!(true)]);
    assert_eq!(of("confirmation_failed", "ada@example.com").len(), 1);
    assert!(!of("sign_in_failed", "nobody@example.com").is_empty() && !of("sign_in_limited", "nobody@example.com").is_empty());
    assert!(!log.to_string().contains("harbour"), "no password is in it");
    // An administrator of some vhosts reads what was done of their own account, and of no other.
    let scoped = lab.somebody("some@example.com", "viewer").await;
    let roles = json!([{"role": "admin", "scope": {"vhosts": ["shop"]}}]);
    lab.admin("PATCH", &format!("/api/v1/users/{scoped}"), json!({"roles": roles})).await.is(200);
    let some = lab.sign_in("some@example.com").await;
    let log = logged(async || lab.by(&some, "GET", "/api/v1/audit?kind=user&limit=200", Value::Null).await, "signed_in").await;
    let seen: Vec<&Value> = log["items"].as_array().unwrap().iter().collect();
    assert!(seen.iter().all(|row| row["name"] == "some@example.com"), "{log}");
    assert!(seen.iter().any(|row| row["action"] == "user_changed" && row["after"]["roles"] == roles), "{log}");
}

#[sqlx::test(migrations = "./migrations")]
async fn an_authenticator_and_its_recovery_codes_count_once_each(pool: PgPool) {
    let lab = lab(&pool).await;
    let id = lab.somebody("ada@example.com", "viewer").await;
    let (ada, other) = (lab.sign_in("ada@example.com").await, lab.sign_in("ada@example.com").await);
    lab.by(&ada, "POST", "/api/v1/auth/totp", json!({"password": "another password"})).await.problem(422, "invalid");
    let begun = lab.by(&ada, "POST", "/api/v1/auth/totp", json!({"password": PASSWORD})).await.is(200).json();
    let seed = BASE32_NOPAD.decode(begun["secret"].as_str().unwrap().as_bytes()).unwrap();
    assert!(begun["uri"].as_str().unwrap().starts_with("otpauth://totp/Guard%20Proxy:ada%40example.com?secret="));
    lab.sign_in("ada@example.com").await;
    let wrong = if totp::code_at(&seed, lab.now()) == "000000" { "000001" } else { "000000" };
    lab.by(&ada, "POST", "/api/v1/auth/totp/confirm", json!({"code": wrong})).await.problem(422, "invalid");
    let code = totp::code_at(&seed, lab.now());
    let confirmed = lab.by(&ada, "POST", "/api/v1/auth/totp/confirm", json!({"code": code})).await.is(200).json();
    let recovery: Vec<String> = serde_json::from_value(confirmed["recovery_codes"].clone()).unwrap();
    assert_eq!(recovery.len(), 10);
    lab.by(&other, "GET", "/api/v1/auth/me", Value::Null).await.problem(401, "unauthenticated");
    // Neither seed nor codes are in the database as they are.
    let (sealed, hashes): (Vec<u8>, Vec<Vec<u8>>) = (
        sqlx::query_scalar("select totp from users").fetch_one(&pool).await.unwrap(),
        sqlx::query_scalar("select hash from recovery_codes").fetch_all(&pool).await.unwrap(),
    );
    assert!(!sealed.windows(seed.len()).any(|window| window == seed) && hashes.len() == 10 && hashes.iter().all(|hash| hash.len() == 32));

    let with = async |code: &str| {
        let body = json!({"email": "ada@example.com", "password": PASSWORD, "totp": code});
        lab.plain("POST", "/api/v1/auth/sign-in", &[], body).await
    };
    lab.try_sign_in("ada@example.com", PASSWORD).await.problem(401, "totp_required");
    lab.try_sign_in("ada@example.com", "another password").await.problem(401, "sign_in_failed");
    with(&code).await.problem(401, "sign_in_failed");
    lab.pass(31);
    let code = totp::code_at(&seed, lab.now());
    signed(with(&code).await);
    with(&code).await.problem(401, "sign_in_failed");
    signed(with(&recovery[0].to_uppercase()).await);
    with(&recovery[0]).await.problem(401, "sign_in_failed");
    let ada = signed(with(&recovery[1]).await);
    let path = "/api/v1/auth/totp/disable";
    lab.by(&ada, "POST", path, json!({"password": PASSWORD, "code": recovery[1]})).await.problem(422, "invalid");
    // For who lost it: an administrator's link takes it off, together with the old password.
    let link = lab.admin("POST", &format!("/api/v1/users/{id}/setup-link"), json!({"reset_totp": true})).await.is(200).json();
    lab.try_sign_in("ada@example.com", PASSWORD).await.problem(401, "totp_required");
    lab.set_up(&link["token"], "ada@example.com", PASSWORD).await.is(200);
    lab.sign_in("ada@example.com").await;
    let left: i64 = sqlx::query_scalar("select count(*) from recovery_codes").fetch_one(&pool).await.unwrap();
    assert_eq!(left, 0);
}

#[sqlx::test(migrations = "./migrations")]
async fn people_are_managed_by_administrators_and_the_last_stays(pool: PgPool) {
    let lab = lab(&pool).await;
    let ada = lab.somebody("ada@example.com", "admin").await;
    let bob = lab.somebody("bob@example.com", "editor").await;
    let signed_bob = lab.sign_in("bob@example.com").await;
    let scoped = json!([{"role": "admin", "scope": {"vhosts": ["shop"]}}]);
    for roles in [json!([]), json!([{"role": "editor"}]), scoped] {
        lab.admin("PATCH", &format!("/api/v1/users/{bob}"), json!({"roles": roles})).await.is(200);
        let bob_now = lab.sign_in("bob@example.com").await;
        for (method, path, body) in [
            ("GET", "/api/v1/users".to_owned(), Value::Null),
            ("GET", format!("/api/v1/users/{bob}"), Value::Null),
            ("POST", "/api/v1/users".to_owned(), json!({"email": "eve@example.com", "roles": []})),
            ("PATCH", format!("/api/v1/users/{bob}"), json!({"roles": [{"role": "admin"}]})),
            ("DELETE", format!("/api/v1/users/{ada}"), Value::Null),
            ("POST", format!("/api/v1/users/{ada}/setup-link"), json!({})),
        ] {
            lab.by(&bob_now, method, &path, body).await.problem(403, "forbidden");
        }
    }
    lab.by(&signed_bob, "GET", "/api/v1/auth/me", Value::Null).await.problem(401, "unauthenticated");
    let last = format!("/api/v1/users/{ada}");
    for change in [json!({"disabled": true}), json!({"roles": []}), json!({"roles": [{"role": "admin", "scope": {"vhosts": ["a"]}}]})] {
        lab.admin("PATCH", &last, change).await.problem(409, "conflict");
    }
    lab.admin("DELETE", &last, Value::Null).await.problem(409, "conflict");
    lab.admin("PATCH", &last, json!({"title": "Ada"})).await.is(200);
    // One who was invited and has no password is no administrator yet.
    let eve = lab.admin("POST", "/api/v1/users", json!({"email": "eve@example.com", "roles": [{"role": "admin"}]})).await.is(201);
    assert_eq!(eve.header("location"), format!("/api/v1/users/{}", eve.json()["user"]["id"].as_str().unwrap()));
    lab.admin("DELETE", &last, Value::Null).await.problem(409, "conflict");
    lab.admin("POST", "/api/v1/users", json!({"email": "EVE@example.com", "roles": []})).await.problem(409, "taken");
    lab.set_up(&eve.json()["setup"]["token"], "eve@example.com", PASSWORD).await.is(200);
    let signed_ada = lab.sign_in("ada@example.com").await;
    lab.admin("PATCH", &last, json!({"disabled": true})).await.is(200);
    lab.by(&signed_ada, "GET", "/api/v1/auth/me", Value::Null).await.problem(401, "unauthenticated");
    lab.refresh(&signed_ada.cookie.unwrap()).await.problem(401, "sign_in_failed");
    lab.try_sign_in("ada@example.com", PASSWORD).await.problem(401, "sign_in_failed");
    lab.admin("DELETE", &last, Value::Null).await.is(204);
    lab.admin("GET", &last, Value::Null).await.problem(404, "not_found");

    let page = lab.admin("GET", "/api/v1/users?limit=1&q=EXAMPLE", Value::Null).await.is(200).json();
    assert_eq!((page["items"].as_array().unwrap().len(), &page["total"]), (1, &json!(2)));
    let next = format!("/api/v1/users?limit=1&q=EXAMPLE&cursor={}", page["next_cursor"].as_str().unwrap());
    let page = lab.admin("GET", &next, Value::Null).await.is(200).json();
    assert_eq!((&page["items"][0]["email"], &page["next_cursor"]), (&json!("eve@example.com"), &Value::Null));
}

#[sqlx::test(migrations = "./migrations")]
async fn a_restart_forgets_nobody_and_no_session(pool: PgPool) {
    let first = lab(&pool).await;
    first.somebody("ada@example.com", "viewer").await;
    let ada = first.sign_in("ada@example.com").await;
    first.service.close().await;
    let second = lab(&pool).await;
    // Another key ring: the key that signed still verifies by its public part, another signs now.
    second.by(&ada, "GET", "/api/v1/auth/me", Value::Null).await.is(200);
    let again = signed(second.refresh(&ada.cookie.unwrap()).await);
    second.by(&again, "GET", "/api/v1/auth/me", Value::Null).await.is(200);
    assert_eq!(second.service.jwks().keys.len(), 2);
}
