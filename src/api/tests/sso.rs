use serde_json::{Value, json};
use sqlx::PgPool;

use super::people_lab::{COOKIE, PASSWORD};
use super::sso_lab::{SSO_COOKIE, cookie_of, failed, sso_lab, sso_lab_with};
use super::sso_provider::Signing;

#[sqlx::test(migrations = "./migrations")]
async fn somebody_comes_by_the_provider(pool: PgPool) {
    let lab = sso_lab(&pool).await;
    let methods = lab.plain("GET", "/api/v1/auth/methods", &[], Value::Null).await.is(200).json();
    assert_eq!(methods, json!({"password": true, "sso": {"name": "Test", "begin": "/api/v1/auth/sso"}}));
    let begun = lab.begin_to("?return_to=/vhosts/shop%3Ftab%3Drules").await;
    for part in ["response_type=code", "code_challenge_method=S256", "code_challenge=", "nonce=", "state=", "scope=openid+email+profile"] {
        assert!(begun.url.contains(part), "{}", begun.url);
    }
    let answer = lab.back(&lab.at_provider(&begun).await, Some(&begun.cookie)).await.is(303);
    assert_eq!((answer.header("location"), answer.header("cache-control")), ("/vhosts/shop?tab=rules", "no-store"));
    let lines: Vec<&str> = answer.headers.get_all("set-cookie").iter().map(|line| line.to_str().unwrap()).collect();
    assert!(lines[0].starts_with(COOKIE) && lines[0].contains("SameSite=Strict; Max-Age=43200"), "{lines:?}");
    let ada = lab.panel(answer).await;
    let me = lab.me(&ada).await;
    assert_eq!((&me["label"], &me["user"]["source"], &me["user"]["title"]), (&json!("user:ada@example.com"), &json!("sso"), &json!("Ada")));
    assert_eq!((&me["roles"], &me["user"]["ready"]), (&json!([{"role": "admin", "scope": {}}]), &json!(true)));
    lab.by(&ada, "PUT", "/api/v1/policies/shop", json!({})).await.is(201);

    let log = lab.log().await;
    assert_eq!((log[0].0.as_str(), log[1].0.as_str(), log[0].1.as_str()), ("signed_in", "user_created", "ada@example.com"));
    assert_eq!((&log[0].2["by"], &log[0].2["subject"]), (&json!("sso"), &json!("1")));
    // The same person, by the other kind of key; documents and keys are kept.
    lab.provider.says(|says| says.signing = Signing::Es256);
    let again = lab.sso().await;
    assert_eq!(again.body["user"]["id"], ada.body["user"]["id"]);
    assert_eq!((lab.provider.asked("discovery"), lab.provider.asked("keys"), lab.provider.asked("token")), (1, 1, 2));
    lab.pass(3601);
    lab.sso().await;
    assert_eq!(lab.provider.asked("discovery"), 2);
    // A session of single sign-on ends sooner than others.
    let cookie = again.cookie.unwrap();
    lab.pass(12 * 3600 - 3601);
    lab.refresh(&cookie).await.problem(401, "sign_in_failed");
}

#[sqlx::test(migrations = "./migrations")]
async fn groups_are_roles_anew_each_time(pool: PgPool) {
    let lab = sso_lab(&pool).await;
    lab.provider.claim("groups", json!(["others", "shop", "readers", "Admins"]));
    let ada = lab.sso().await;
    let scoped = json!([{"role": "editor", "scope": {"vhosts": ["shop"]}}, {"role": "viewer", "scope": {}}]);
    assert_eq!(lab.me(&ada).await["roles"], scoped);
    lab.provider.claim("groups", json!("readers"));
    let later = lab.sso().await;
    assert_eq!(lab.me(&later).await["roles"], json!([{"role": "viewer", "scope": {}}]));
    // The access token of before is of another epoch; its session goes on with the roles of now.
    lab.by(&ada, "GET", "/api/v1/auth/me", Value::Null).await.problem(401, "unauthenticated");
    let ada = super::people_lab::signed(lab.refresh(&ada.cookie.unwrap()).await);
    assert_eq!(lab.me(&ada).await["roles"], json!([{"role": "viewer", "scope": {}}]));
    let log = lab.log().await;
    assert_eq!((log[1].0.as_str(), &log[1].2), ("sso_roles_changed", &json!({"roles": [{"role": "viewer", "scope": {}}]})));
    // No group that has a role: nobody gets in, and who was in is out.
    for groups in [json!([]), Value::Null, json!(["readers "]), json!({"readers": true}), json!([["readers"]])] {
        lab.provider.claim("groups", groups);
        lab.refused("sso_no_role").await;
    }
    for gone in [&ada, &later] {
        lab.by(gone, "GET", "/api/v1/auth/me", Value::Null).await.problem(401, "unauthenticated");
        lab.refresh(gone.cookie.as_ref().unwrap()).await.problem(401, "sign_in_failed");
    }
    assert_eq!(lab.person("ada@example.com").await["roles"], json!([]));
    let log = lab.log().await;
    assert!(log.iter().any(|row| row.0 == "sso_failed" && row.1 == "sso:1" && row.2["reason"] == "sso_no_role"), "{log:?}");
    lab.provider.claim("groups", json!(["readers"]));
    lab.sso().await;
}

#[sqlx::test(migrations = "./migrations")]
async fn who_comes_by_the_provider_has_no_password(pool: PgPool) {
    let lab = sso_lab(&pool).await;
    lab.somebody("bob@example.com", "admin").await;
    let ada = lab.sso().await;
    let id = ada.body["user"]["id"].as_str().unwrap();
    let before = lab.service.bcrypt_runs();
    let unknown = lab.try_sign_in("nobody@example.com", PASSWORD).await.problem(401, "sign_in_failed");
    let known = lab.try_sign_in("ada@example.com", PASSWORD).await.problem(401, "sign_in_failed");
    assert_eq!((&unknown["detail"], lab.service.bcrypt_runs() - before), (&known["detail"], 2));
    let path = format!("/api/v1/users/{id}");
    lab.admin("POST", &format!("{path}/setup-link"), json!({})).await.problem(409, "conflict");
    lab.admin("PATCH", &path, json!({"roles": []})).await.problem(409, "conflict");
    lab.by(&ada, "POST", "/api/v1/auth/password", json!({"password": PASSWORD, "new": "another green harbour"}))
        .await
        .problem(422, "invalid");
    lab.by(&ada, "POST", "/api/v1/auth/totp", json!({"password": PASSWORD})).await.problem(422, "invalid");
    // An administrator of the provider's is not the last of them: bob is.
    let bob = lab.person("bob@example.com").await;
    lab.admin("DELETE", &format!("/api/v1/users/{}", bob["id"].as_str().unwrap()), Value::Null).await.problem(409, "conflict");
    lab.admin("PATCH", &path, json!({"disabled": true})).await.is(200);
    lab.by(&ada, "GET", "/api/v1/auth/me", Value::Null).await.problem(401, "unauthenticated");
    lab.refused("sso_disabled").await;
    lab.admin("PATCH", &path, json!({"disabled": false})).await.is(200);
    lab.sso().await;
    lab.admin("DELETE", &path, Value::Null).await.is(204);
    assert_ne!(lab.sso().await.body["user"]["id"], id);
}

#[sqlx::test(migrations = "./migrations")]
async fn an_address_is_no_identity(pool: PgPool) {
    let lab = sso_lab(&pool).await;
    let local = lab.somebody("ada@example.com", "admin").await;
    lab.somebody("bob@example.com", "admin").await;
    let by_password = lab.sign_in("ada@example.com").await;
    lab.refused("sso_email_taken").await;
    assert_eq!(lab.person("ada@example.com").await["source"], "local");
    let log = lab.log().await;
    assert_eq!((log[0].0.as_str(), &log[0].2["reason"], &log[0].2["subject"]), ("sso_failed", &json!("sso_email_taken"), &json!("1")));
    // Also in another case, and where the address is another provider person's.
    lab.provider.claim("email", json!("ADA@Example.com"));
    lab.refused("sso_email_taken").await;
    lab.provider.says(|says| (says.claims["sub"], says.claims["email"]) = (json!("2"), json!("carol@example.com")));
    let carol = lab.sso().await;
    lab.provider.claim("sub", json!("3"));
    lab.refused("sso_email_taken").await;
    // Another address is the same person.
    lab.provider.says(|says| (says.claims["sub"], says.claims["email"]) = (json!("2"), json!("bob@example.com")));
    assert_eq!(lab.sso().await.body["user"]["id"], carol.body["user"]["id"]);

    // An administrator says whom the provider means.
    let path = format!("/api/v1/users/{local}");
    lab.admin("PATCH", &path, json!({"sso_subject": "2"})).await.problem(409, "taken");
    lab.admin("PATCH", &path, json!({"sso_subject": ""})).await.problem(422, "invalid");
    let linked = lab.admin("PATCH", &path, json!({"sso_subject": "1"})).await.is(200).json();
    assert_eq!((&linked["source"], &linked["ready"]), (&json!("sso"), &json!(true)));
    lab.by(&by_password, "GET", "/api/v1/auth/me", Value::Null).await.problem(401, "unauthenticated");
    lab.try_sign_in("ada@example.com", PASSWORD).await.problem(401, "sign_in_failed");
    lab.provider.says(|says| (says.claims["sub"], says.claims["groups"]) = (json!("1"), json!(["readers"])));
    let ada = lab.sso().await;
    assert_eq!((&ada.body["user"]["id"], &ada.body["user"]["roles"][0]["role"]), (&json!(local), &json!("viewer")));
    // And back.
    let back = lab.admin("PATCH", &path, json!({"sso_subject": null})).await.is(200).json();
    assert_eq!((&back["source"], &back["ready"]), (&json!("local"), &json!(false)));
    lab.by(&ada, "GET", "/api/v1/auth/me", Value::Null).await.problem(401, "unauthenticated");
    lab.refused("sso_email_taken").await;
    let link = lab.admin("POST", &format!("{path}/setup-link"), json!({})).await.is(200).json();
    lab.set_up(&link["token"], "ada@example.com", PASSWORD).await.is(200);
    lab.sign_in("ada@example.com").await;
    // The last who can manage people by a password stays one.
    let bob = lab.person("bob@example.com").await;
    let path = format!("/api/v1/users/{}", bob["id"].as_str().unwrap());
    lab.admin("PATCH", &path, json!({"sso_subject": "9"})).await.problem(409, "conflict");
}

#[sqlx::test(migrations = "./migrations")]
async fn a_verified_address_links_where_that_is_set(pool: PgPool) {
    let lab = sso_lab_with(&pool, |options| options.link_verified_email = true).await;
    let id = lab.somebody("ada@example.com", "editor").await;
    for verified in [Value::Null, json!(false), json!("false")] {
        lab.provider.claim("email_verified", verified);
        lab.refused("sso_email_taken").await;
    }
    lab.provider.says(|says| (says.claims["email_verified"], says.claims["email"]) = (json!(true), json!("ad\u{e4}@example.com")));
    assert_ne!(lab.sso().await.body["user"]["id"], id);
    lab.provider.says(|says| (says.claims["sub"], says.claims["email"]) = (json!("2"), json!("ada@example.com")));
    assert_eq!(lab.sso().await.body["user"]["id"], id);
    assert!(lab.log().await.iter().any(|row| row.0 == "sso_linked"));
    // Not the last administrator with a password.
    lab.somebody("root@example.com", "admin").await;
    lab.provider.says(|says| (says.claims["sub"], says.claims["email"]) = (json!("4"), json!("root@example.com")));
    lab.refused("sso_email_taken").await;
}

#[sqlx::test(migrations = "./migrations")]
async fn nobody_is_made_without_an_address_or_where_nobody_is_to_be(pool: PgPool) {
    let lab = sso_lab(&pool).await;
    for (email, verified, code) in [
        (Value::Null, json!(true), "sso_no_email"),
        (json!("nobody"), json!(true), "sso_no_email"),
        (json!("\u{212a}ate@example.com"), json!(true), "sso_no_email"),
        (json!("ada@example.com"), json!(false), "sso_email_unverified"),
    ] {
        lab.provider.says(|says| (says.claims["email"], says.claims["email_verified"]) = (email, verified));
        lab.refused(code).await;
    }
    lab.provider.says(|says| (says.claims["email"], says.claims["email_verified"]) = (json!("ada@example.com"), Value::Null));
    lab.sso().await;
    lab.service.close().await;

    let lab = sso_lab_with(&pool, |options| options.create_people = false).await;
    // The person of before is another provider's: the same subject of this one is another person, who has not the address.
    lab.refused("sso_email_taken").await;
    lab.provider.claim("email", json!("bob@example.com"));
    lab.refused("sso_unknown").await;
    let users = lab.admin("GET", "/api/v1/users", Value::Null).await.is(200).json();
    assert_eq!(users["items"][0]["source"], "sso");
}

#[sqlx::test(migrations = "./migrations")]
async fn who_came_by_a_provider_that_is_not_set_any_more_is_out(pool: PgPool) {
    let first = sso_lab(&pool).await;
    let ada = first.sso().await;
    first.service.close().await;
    let second = super::people_lab::lab(&pool).await;
    second.refresh(&ada.cookie.unwrap()).await.problem(401, "sign_in_failed");
    let methods = second.plain("GET", "/api/v1/auth/methods", &[], Value::Null).await.is(200).json();
    assert_eq!(methods, json!({"password": true, "sso": null}));
    for path in ["/api/v1/auth/sso", "/api/v1/auth/sso/callback?code=x&state=y"] {
        failed(second.plain("GET", path, &[], Value::Null).await, "sso_off");
    }
    let id = second.admin("GET", "/api/v1/users", Value::Null).await.json()["items"][0]["id"].clone();
    let patch = json!({"sso_subject": "1"});
    second.admin("PATCH", &format!("/api/v1/users/{}", id.as_str().unwrap()), patch).await.problem(409, "conflict");
    // Whoever has the database makes an administrator of them again.
    let link = second.service.first_link().await.unwrap().unwrap();
    second.set_up(&json!(link.token), "ada@example.com", PASSWORD).await.is(200);
    assert_eq!(second.sign_in("ada@example.com").await.body["user"]["source"], "local");
}

/// The panel is led where it may be; everything else is its first page.
#[sqlx::test(migrations = "./migrations")]
async fn nobody_is_led_elsewhere(pool: PgPool) {
    let lab = sso_lab(&pool).await;
    for (asked, led) in [
        ("/policies", "/policies"),
        ("https://evil.example", "/"),
        ("//evil.example", "/"),
        ("/%5Cevil.example", "/"),
        ("/%09/evil.example", "/"),
        ("/%0d%0aset-cookie:x=y", "/"),
        ("javascript:alert(1)", "/"),
        ("/api/v1/auth/sso", "/"),
    ] {
        let begun = lab.begin_to(&format!("?return_to={asked}")).await;
        let answer = lab.back(&lab.at_provider(&begun).await, Some(&begun.cookie)).await.is(303);
        assert_eq!(answer.header("location"), led, "{asked}");
        assert!(cookie_of(&answer, COOKIE).is_some() && cookie_of(&answer, SSO_COOKIE).as_deref() == Some(""));
    }
    // What the answer says of it counts for nothing.
    let begun = lab.begin().await;
    let query = lab.at_provider(&begun).await;
    let answer = lab.back(&format!("{query}&return_to=//evil.example"), Some(&begun.cookie)).await;
    assert_eq!(answer.header("location"), "/");
}
