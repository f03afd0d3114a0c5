use serde_json::{Value, json};
use sqlx::PgPool;

use super::harness::App;
use super::people_lab::{COOKIE, Lab, PASSWORD, lab};

fn part(value: &Value) -> String {
    data_encoding::BASE64URL_NOPAD.encode(value.to_string().as_bytes())
}

fn parsed(part: &str) -> Value {
    serde_json::from_slice(&data_encoding::BASE64URL_NOPAD.decode(part.as_bytes()).unwrap()).unwrap()
}

async fn refused(lab: &Lab, token: &str) {
    let lines = [format!("authorization: Bearer {token}")];
    let answer = lab.plain("GET", "/api/v1/auth/me", &[&lines[0]], Value::Null).await;
    answer.problem(401, "unauthenticated");
}

/// Another service: it has the URL of the keys, and no code of ours.
#[sqlx::test(migrations = "./migrations")]
async fn another_service_verifies_by_what_is_published_alone(pool: PgPool) {
    let lab = lab(&pool).await;
    let id = lab.somebody("ada@example.com", "viewer").await;
    let ada = lab.sign_in("ada@example.com").await;
    let published = lab.plain("GET", "/.well-known/jwks.json", &[], Value::Null).await.is(200);
    assert_eq!(published.header("cache-control"), "public, max-age=300");
    let parts: Vec<&str> = ada.access.split('.').collect();
    let (head, claims) = (parsed(parts[0]), parsed(parts[1]));
    let key = published.json()["keys"].as_array().unwrap().iter().find(|key| key["kid"] == head["kid"]).unwrap().clone();
    assert_eq!((&key["kty"], &key["crv"], &head["alg"], key.get("d")), (&json!("OKP"), &json!("Ed25519"), &json!("EdDSA"), None));
    let decode = |text: &str| data_encoding::BASE64URL_NOPAD.decode(text.as_bytes()).unwrap();
    let public = aws_lc_rs::signature::UnparsedPublicKey::new(&aws_lc_rs::signature::ED25519, decode(key["x"].as_str().unwrap()));
    let signed = format!("{}.{}", parts[0], parts[1]);
    public.verify(signed.as_bytes(), &decode(parts[2])).unwrap();
    assert!(public.verify(format!("{signed}x").as_bytes(), &decode(parts[2])).is_err());
    assert_eq!((&claims["iss"], &claims["aud"], &claims["sub"]), (&json!("guard-proxy"), &json!("guard-proxy"), &json!(id)));
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 300);
    assert!(claims.get("email").is_none() && claims.get("roles").is_none());
}

#[sqlx::test(migrations = "./migrations")]
async fn no_token_but_one_of_ours_that_is_good_now(pool: PgPool) {
    let lab = lab(&pool).await;
    lab.somebody("ada@example.com", "viewer").await;
    let ada = lab.sign_in("ada@example.com").await;
    let parts: Vec<&str> = ada.access.split('.').collect();
    let (head, claims) = (parsed(parts[0]), parsed(parts[1]));
    for alg in ["none", "None", "HS256", "RS256", "ES256"] {
        let mut other = head.clone();
        other["alg"] = json!(alg);
        refused(&lab, &format!("{}.{}.", part(&other), parts[1])).await;
        refused(&lab, &format!("{}.{}.{}", part(&other), parts[1], parts[2])).await;
    }
    // Algorithm confusion: an HMAC whose secret is the key that everybody may read.
    let published = lab.service.jwks().keys.remove(0);
    let raw = data_encoding::BASE64URL_NOPAD.decode(published.x.as_bytes()).unwrap();
    for secret in [raw.as_slice(), published.x.as_bytes()] {
        let mut header = jsonwebtoken::Header::new(jsonwebtoken::Algorithm::HS256);
        (header.kid, header.typ) = (Some(published.kid.clone()), Some("at+jwt".to_owned()));
        refused(&lab, &jsonwebtoken::encode(&header, &claims, &jsonwebtoken::EncodingKey::from_secret(secret)).unwrap()).await;
    }
    for (name, value) in
        [("kid", json!("another")), ("kid", json!("../../etc/passwd")), ("jwk", json!({"kty": "OKP"})), ("typ", json!("JWT"))]
    {
        let mut other = head.clone();
        other[name] = value;
        refused(&lab, &format!("{}.{}.{}", part(&other), parts[1], parts[2])).await;
    }
    for (name, value) in [("sub", json!(uuid::Uuid::nil())), ("epoch", json!(99)), ("exp", json!(9_999_999_999_i64))] {
        let mut other = claims.clone();
        other[name] = value;
        refused(&lab, &format!("{}.{}.{}", parts[0], part(&other), parts[2])).await;
    }
    lab.by(&ada, "GET", "/api/v1/auth/me", Value::Null).await.is(200);
    lab.pass(-2);
    refused(&lab, &ada.access).await;
    lab.pass(302);
    refused(&lab, &ada.access).await;
}

#[sqlx::test(migrations = "./migrations")]
async fn a_change_of_password_or_roles_bites_at_once(pool: PgPool) {
    let lab = lab(&pool).await;
    let id = lab.somebody("ada@example.com", "viewer").await;
    let (ada, other) = (lab.sign_in("ada@example.com").await, lab.sign_in("ada@example.com").await);
    let path = "/api/v1/auth/password";
    lab.by(&ada, "POST", path, json!({"password": "not the one at all", "new": "another green harbour"})).await.problem(422, "invalid");
    lab.by(&ada, "POST", path, json!({"password": PASSWORD, "new": "ada@example.com"})).await.problem(422, "invalid");
    lab.by(&ada, "POST", path, json!({"password": PASSWORD, "new": "Ab1-".repeat(18)})).await.problem(422, "invalid");
    let changed =
        super::people_lab::signed(lab.by(&ada, "POST", path, json!({"password": PASSWORD, "new": "another green harbour"})).await);
    refused(&lab, &ada.access).await;
    refused(&lab, &other.access).await;
    lab.refresh(other.cookie.as_ref().unwrap()).await.problem(401, "sign_in_failed");
    lab.by(&changed, "GET", "/api/v1/auth/me", Value::Null).await.is(200);
    lab.refresh(ada.cookie.as_ref().unwrap()).await.is(200);
    lab.try_sign_in("ada@example.com", PASSWORD).await.problem(401, "sign_in_failed");
    lab.admin("PATCH", &format!("/api/v1/users/{id}"), json!({"roles": []})).await.is(200);
    refused(&lab, &changed.access).await;
    // A token of a pipeline has neither password nor session.
    for (method, path, body) in [
        ("POST", "/api/v1/auth/password", json!({"password": PASSWORD, "new": PASSWORD})),
        ("POST", "/api/v1/auth/totp", json!({"password": PASSWORD})),
        ("POST", "/api/v1/auth/sign-out", json!({})),
        ("GET", "/api/v1/auth/sessions", Value::Null),
    ] {
        lab.admin(method, path, body).await.problem(403, "forbidden");
    }
    assert_eq!(lab.admin("GET", "/api/v1/auth/me", Value::Null).await.is(200).json()["label"], "token:admin");
}

#[sqlx::test(migrations = "./migrations")]
async fn pages_of_other_sites_cannot_use_the_cookie(pool: PgPool) {
    let lab = lab(&pool).await;
    lab.somebody("ada@example.com", "viewer").await;
    let ada = lab.sign_in("ada@example.com").await;
    let cookie = format!("cookie: {COOKIE}={}", ada.cookie.unwrap());
    let other = [
        &["sec-fetch-site: cross-site"][..],
        &["sec-fetch-site: same-site"],
        &["host: guard.example", "origin: https://evil.example"],
        &["host: guard.example", "origin: null"],
    ];
    for lines in other {
        let lines = [&[cookie.as_str()], lines].concat();
        lab.plain("POST", "/api/v1/auth/refresh", &lines, Value::Null).await.problem(403, "cross_site");
        let body = json!({"email": "ada@example.com", "password": PASSWORD});
        lab.plain("POST", "/api/v1/auth/sign-in", &lines, body).await.problem(403, "cross_site");
    }
    // The cookie is no credential of any other route, nor under another name, nor twice.
    lab.plain("GET", "/api/v1/auth/me", &[&cookie], Value::Null).await.problem(401, "unauthenticated");
    let plain = cookie.replace("__Host-", "");
    lab.plain("POST", "/api/v1/auth/refresh", &[&plain], Value::Null).await.problem(401, "sign_in_failed");
    let twice = format!("{cookie}; {COOKIE}=x.y");
    lab.plain("POST", "/api/v1/auth/refresh", &[&twice], Value::Null).await.problem(401, "sign_in_failed");
    let own = [cookie.as_str(), "sec-fetch-site: same-origin"];
    lab.plain("POST", "/api/v1/auth/refresh", &own, Value::Null).await.is(200);
}

#[sqlx::test(migrations = "./migrations")]
async fn signing_in_tells_nothing_of_accounts(pool: PgPool) {
    let lab = lab(&pool).await;
    lab.somebody("ada@example.com", "viewer").await;
    let bob = lab.somebody("bob@example.com", "viewer").await;
    lab.admin("PATCH", &format!("/api/v1/users/{bob}"), json!({"disabled": true})).await.is(200);
    lab.admin("POST", "/api/v1/users", json!({"email": "invited@example.com", "roles": []})).await.is(201);
    let long = "x".repeat(3000);
    let mut answers = Vec::new();
    for (email, password) in [
        ("ada@example.com", "not the one at all"),
        ("nobody@example.com", "not the one at all"),
        ("bob@example.com", PASSWORD),
        ("invited@example.com", PASSWORD),
        ("not an address", PASSWORD),
        ("ada@example.com", long.as_str()),
        ("", ""),
    ] {
        let before = runs(&lab);
        let mut problem = lab.try_sign_in(email, password).await.problem(401, "sign_in_failed");
        assert_eq!(runs(&lab) - before, 1, "{email}");
        problem["request_id"].take();
        answers.push(problem);
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:?}");
}

fn runs(lab: &App) -> u64 {
    lab.service.bcrypt_runs()
}

#[sqlx::test(migrations = "./migrations")]
async fn guessing_is_slowed_down_by_account_and_by_address(pool: PgPool) {
    let lab = lab(&pool).await;
    lab.somebody("ada@example.com", "viewer").await;
    for email in ["ada@example.com", "nobody@example.com"] {
        for _ in 0..10 {
            lab.try_sign_in(email, "not the one at all").await.problem(401, "sign_in_failed");
        }
        let before = runs(&lab);
        let refused = lab.try_sign_in(email, PASSWORD).await;
        assert!((50..=61).contains(&refused.header("retry-after").parse::<u32>().unwrap()));
        refused.problem(429, "too_many");
        assert_eq!(runs(&lab), before, "no work is done for it");
    }
    lab.pass(61);
    lab.sign_in("ada@example.com").await;
    // One address, many accounts: its own where it comes directly, the one that a proxy of ours says. What anybody else says is nothing.
    let guess = async |n: usize, peer: &str, told: Option<&str>| {
        lab.try_sign_in_from(peer, told, &format!("{peer}-{n}@example.com"), "not the one at all").await.status
    };
    for (peer, told, other) in [("192.0.2.1", None, Some("192.0.2.77")), ("10.0.0.1", Some("192.0.2.9"), None)] {
        for n in 0..20 {
            assert_eq!(guess(n, peer, told).await, 401, "{peer} {n}");
        }
        assert_eq!(guess(20, peer, told).await, 429, "{peer}");
        assert_eq!(guess(21, peer, other.or(told)).await, 429, "{peer} says that it is somebody else");
    }
    assert_eq!(guess(22, "10.0.0.1", Some("192.0.2.10")).await, 401, "another client of the same proxy");
}

#[sqlx::test(migrations = "./migrations")]
async fn members_that_nobody_asked_for_are_refused(pool: PgPool) {
    let lab = lab(&pool).await;
    let id = lab.somebody("ada@example.com", "viewer").await;
    let ada = lab.sign_in("ada@example.com").await;
    let invite = json!({"email": "eve@example.com", "roles": []});
    for (name, value) in
        [("id", json!(id)), ("password", json!(PASSWORD)), ("password_hash", json!("x")), ("epoch", json!(0)), ("disabled", json!(false))]
    {
        let mut body = invite.clone();
        body[name] = value;
        lab.admin("POST", "/api/v1/users", body).await.problem(422, "invalid");
    }
    for body in [
        json!({"email": "eve@example.com"}),
        json!({"id": id}),
        json!({"totp": false}),
        json!({"password_hash": "x"}),
        json!({"roles": [{"role": "root"}]}),
        json!({"roles": [{"role": "admin", "everywhere": true}]}),
        json!({"roles": vec![json!({"role": "viewer"}); 65]}),
    ] {
        lab.admin("PATCH", &format!("/api/v1/users/{id}"), body).await.problem(422, "invalid");
    }
    for (path, body) in [
        ("/api/v1/auth/sign-in", json!({"email": "a@b", "password": "x", "roles": []})),
        ("/api/v1/auth/setup", json!({"token": "x", "email": "a@b", "password": "x", "roles": []})),
        ("/api/v1/auth/password", json!({"password": "x", "new": "y", "user": "z"})),
        ("/api/v1/auth/sign-in", json!({"email": "a@b", "password": 20_261_127})),
    ] {
        let problem = lab.by(&ada, "POST", path, body).await.problem(422, "invalid");
        assert!(!problem.to_string().contains("20261127"), "what was sent as a password is not shown: {problem}");
    }
    let twice = r#"{"email": "ada@example.com", "email": "eve@example.com", "password": "x"}"#;
    lab.ask("POST", "/api/v1/auth/sign-in", &["content-type: application/json"], twice).await.problem(400, "invalid_json");
    lab.ask("POST", "/api/v1/auth/sign-in", &["content-type: text/plain"], "{}").await.problem(415, "unsupported_media_type");
}

/// Many accounts at once: what waits for bcrypt is bounded, the rest hears so at once, and who has signed in notices nothing.
#[sqlx::test(migrations = "./migrations")]
async fn a_flood_of_sign_ins_starves_nobody(pool: PgPool) {
    let lab = lab(&pool).await;
    lab.somebody("ada@example.com", "viewer").await;
    let ada = lab.sign_in("ada@example.com").await;
    let before = runs(&lab);
    let emails: Vec<String> = (0..10_000).map(|n| format!("{n}@example.com")).collect();
    let flood = futures::future::join_all(emails.iter().map(|email| lab.try_sign_in(email, "not the one at all")));
    let served = async {
        let mut slowest = std::time::Duration::ZERO;
        for _ in 0..20 {
            let begun = std::time::Instant::now();
            lab.by(&ada, "GET", "/api/v1/auth/me", Value::Null).await.is(200);
            slowest = slowest.max(begun.elapsed());
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        slowest
    };
    let (answers, slowest) = futures::join!(flood, served);
    let refused = answers.iter().filter(|answer| answer.status == 429 && answer.headers.contains_key("retry-after")).count();
    let failed = answers.iter().filter(|answer| answer.status == 401).count();
    assert_eq!(refused + failed, 10_000);
    assert!(refused >= 9_900, "{refused} were told to come again");
    assert_eq!(runs(&lab) - before, failed as u64);
    assert!(slowest < std::time::Duration::from_secs(5), "{slowest:?}");
}
