use std::time::{Duration, Instant};

use http::StatusCode;
use serde_json::{Value, json};
use sqlx::PgPool;

use super::people_lab::COOKIE;
use super::sso_lab::{SSO_COOKIE, cookie_of, failed, sso_lab, sso_lab_with};
use super::sso_provider::Signing;

#[sqlx::test(migrations = "./migrations")]
async fn an_answer_is_to_this_browsers_attempt_once(pool: PgPool) {
    let lab = sso_lab(&pool).await;
    let (mine, other) = (lab.begin().await, lab.begin().await);
    let query = lab.at_provider(&mine).await;
    assert!(query.contains(mine.state()) && mine.state() != other.state());
    // Login CSRF: the answer of one browser in another, and none at all.
    failed(lab.back(&query, Some(&other.cookie)).await, "sso_attempt");
    failed(lab.back(&query, None).await, "sso_attempt");
    let mut changed = mine.cookie.clone().into_bytes();
    changed[40] = if changed[40] == b'A' { b'B' } else { b'A' };
    for cookie in ["", "x", &String::from_utf8(changed).unwrap(), &"A".repeat(5000), &format!("{}A", mine.cookie)] {
        failed(lab.back(&query, Some(cookie)).await, "sso_attempt");
    }
    for wrong in
        [query.replace(mine.state(), other.state()), query.replace(mine.state(), ""), query.replace("state=", "stat="), String::new()]
    {
        failed(lab.back(&wrong, Some(&mine.cookie)).await, "sso_attempt");
    }
    for name in ["state", "code", "iss", "error"] {
        failed(lab.back(&format!("{query}&{name}=x&{name}=y"), Some(&mine.cookie)).await, "sso_attempt");
    }
    // A picture or a frame of another site.
    for line in ["sec-fetch-mode: no-cors", "sec-fetch-dest: iframe"] {
        let cookie = format!("cookie: {SSO_COOKIE}={}", mine.cookie);
        let answer = lab.plain("GET", &format!("/api/v1/auth/sso/callback{query}"), &[line, &cookie], Value::Null).await;
        assert!(cookie_of(&answer, SSO_COOKIE).is_none(), "the attempt is still this browser's");
        failed(answer, "sso_attempt");
        failed(lab.plain("GET", "/api/v1/auth/sso", &[line], Value::Null).await, "sso_attempt");
    }
    // Two of the cookie: one is not ours.
    let twice = format!("cookie: {SSO_COOKIE}={0}; {SSO_COOKIE}={0}", mine.cookie);
    failed(lab.plain("GET", &format!("/api/v1/auth/sso/callback{query}"), &[&twice], Value::Null).await, "sso_attempt");
    assert_eq!(lab.provider.asked("token"), 0, "nobody was asked for any of it");
    let navigates = ["sec-fetch-mode: navigate", "sec-fetch-dest: document", "sec-fetch-site: cross-site"];
    let cookie = format!("cookie: {SSO_COOKIE}={}", mine.cookie);
    let lines = [&navigates[..], &[cookie.as_str()]].concat();
    lab.panel(lab.plain("GET", &format!("/api/v1/auth/sso/callback{query}"), &lines, Value::Null).await).await;
    // Replayed, with its cookie.
    failed(lab.back(&query, Some(&mine.cookie)).await, "sso_attempt");
    // A code that was used, in an attempt that is good.
    let code = query.split("code=").nth(1).unwrap().split('&').next().unwrap();
    let again = format!("?code={code}&state={}&iss={}", other.state(), lab.provider.issuer());
    failed(lab.back(&again, Some(&other.cookie)).await, "sso_untrue");
    // One that took too long.
    let slow = lab.begin().await;
    let query = lab.at_provider(&slow).await;
    lab.pass(600);
    failed(lab.back(&query, Some(&slow.cookie)).await, "sso_attempt");
    // The provider said no, and is believed in the attempt that it is about alone.
    lab.provider.says(|says| says.error = Some("access_denied"));
    failed(lab.try_sso().await, "sso_refused");
}

/// The code of another person's sign-in, put into one's own: PKCE binds it to the attempt that it was made for.
#[sqlx::test(migrations = "./migrations")]
async fn a_stolen_code_is_good_for_nobody(pool: PgPool) {
    let lab = sso_lab(&pool).await;
    let (victim, thief) = (lab.begin().await, lab.begin().await);
    let stolen = lab.at_provider(&victim).await;
    let code = stolen.split("code=").nth(1).unwrap().split('&').next().unwrap();
    let query = format!("?code={code}&state={}&iss={}", thief.state(), lab.provider.issuer());
    failed(lab.back(&query, Some(&thief.cookie)).await, "sso_untrue");
    assert_eq!(lab.provider.asked("token"), 1);
    // The cookie of the attempt is no session, and the session's is no attempt.
    lab.refresh(&victim.cookie).await.problem(401, "sign_in_failed");
    let ada = lab.sso().await;
    let begun = lab.begin().await;
    let query = lab.at_provider(&begun).await;
    failed(lab.back(&query, ada.cookie.as_deref()).await, "sso_attempt");
}

#[sqlx::test(migrations = "./migrations")]
async fn no_token_but_the_providers_for_us_of_now(pool: PgPool) {
    let lab = sso_lab(&pool).await;
    for signing in [Signing::None, Signing::Hs256OfPublic, Signing::Hs256OfSecret, Signing::Foreign, Signing::Tampered] {
        lab.provider.says(|says| says.signing = signing);
        lab.refused("sso_untrue").await;
        lab.pass(10);
    }
    lab.provider.says(|says| says.signing = Signing::Rs256);
    let now = lab.now().unix_timestamp();
    for (claim, value) in [
        ("nonce", json!("another")),
        ("nonce", Value::Null),
        ("aud", json!("another")),
        ("aud", json!(["guard-proxy", "another"])),
        ("aud", Value::Null),
        ("azp", json!("another")),
        ("iss", json!("https://evil.example")),
        ("iss", json!(format!("{}/", lab.provider.issuer()))),
        ("iss", Value::Null),
        ("exp", json!(now)),
        ("exp", json!(now - 3600)),
        ("exp", Value::Null),
        ("iat", json!(now - 3600)),
        ("iat", json!(now + 3600)),
        ("sub", Value::Null),
        ("sub", json!("")),
        ("sub", json!("a\nb")),
        ("sub", json!("a".repeat(256))),
    ] {
        let mut before = Value::Null;
        lab.provider.says(|says| {
            before = std::mem::replace(&mut says.claims, json!({"sub": "1", "email": "ada@example.com", "groups": ["admins"]}))
        });
        lab.provider.claim(claim, value.clone());
        let answer = lab.try_sso().await;
        assert_eq!(answer.header("location"), "/sign-in?error=sso_untrue", "{claim}: {value}");
        lab.provider.says(|says| says.claims = before);
        lab.pass(10);
    }
    let users = lab.admin("GET", "/api/v1/users", Value::Null).await.is(200).json();
    assert_eq!(users["total"], 0, "nobody was made");
    lab.sso().await;
}

/// Mix-up: an answer says whose it is, or is not taken where the provider says that it always does.
#[sqlx::test(migrations = "./migrations")]
async fn an_answer_of_another_provider_is_refused(pool: PgPool) {
    let lab = sso_lab(&pool).await;
    for iss in [Some("https://evil.example".to_owned()), Some(String::new()), None] {
        lab.provider.says(|says| says.iss = iss);
        lab.refused("sso_untrue").await;
    }
    assert_eq!(lab.provider.asked("token"), 0, "no code was given away");
    lab.provider.says(|says| says.discovery = json!({"authorization_response_iss_parameter_supported": null, "token_endpoint_auth_methods_supported": ["client_secret_post"]}));
    lab.pass(3601);
    lab.sso().await;
    lab.provider.says(|says| says.iss = Some("https://evil.example".to_owned()));
    lab.refused("sso_untrue").await;
}

#[sqlx::test(migrations = "./migrations")]
async fn keys_that_changed_are_read_anew(pool: PgPool) {
    let lab = sso_lab(&pool).await;
    lab.sso().await;
    lab.provider.rotate();
    lab.sso().await;
    assert_eq!((lab.provider.asked("keys"), lab.provider.asked("token")), (2, 2));
    lab.sso().await;
    assert_eq!(lab.provider.asked("keys"), 2);
}

#[sqlx::test(migrations = "./migrations")]
async fn a_provider_that_is_away_or_odd_is_said_to_be(pool: PgPool) {
    let lab = sso_lab(&pool).await;
    let begin = async || {
        let begun = Instant::now();
        let answer = lab.plain("GET", "/api/v1/auth/sso", &[], Value::Null).await;
        assert!(cookie_of(&answer, COOKIE).is_none() && cookie_of(&answer, SSO_COOKIE).is_none());
        failed(answer, "sso_away");
        lab.pass(5);
        begun.elapsed()
    };
    let at = |path: &str| format!("{}{path}", lab.provider.issuer());
    for odd in [
        json!({"issuer": "https://evil.example"}),
        json!({"issuer": at("/")}),
        json!({"authorization_endpoint": "http://evil.example/authorize"}),
        json!({"authorization_endpoint": "javascript:alert(1)"}),
        json!({"token_endpoint": "http://evil.example/token"}),
        json!({"token_endpoint": null}),
        json!({"jwks_uri": "http://192.0.2.1/keys"}),
        json!({"jwks_uri": "file:///etc/passwd"}),
        json!({"jwks_uri": at("/nothing")}),
    ] {
        lab.provider.says(|says| says.discovery = odd);
        begin().await;
    }
    lab.provider.says(|says| says.discovery = json!({}));
    for status in [StatusCode::INTERNAL_SERVER_ERROR, StatusCode::NOT_FOUND, StatusCode::FOUND] {
        lab.provider.says(|says| says.status = status);
        begin().await;
    }
    lab.provider.says(|says| (says.status, says.padding) = (StatusCode::OK, 64 << 20));
    begin().await;
    lab.provider.says(|says| (says.padding, says.hangs) = (0, true));
    let (took, asked) = (begin().await, lab.provider.asked("discovery"));
    assert!((Duration::from_secs(5)..Duration::from_secs(15)).contains(&took), "{took:?}");
    // Who comes right after hears so at once, and the provider is left alone.
    lab.pass(-1);
    assert!(begin().await < Duration::from_secs(1) && lab.provider.asked("discovery") == asked);
    lab.provider.says(|says| says.hangs = false);
    lab.sso().await;
    // It goes away while somebody is there.
    let begun = lab.begin().await;
    let query = lab.at_provider(&begun).await;
    let super::sso_lab::SsoLab { lab, provider } = lab;
    drop(provider);
    tokio::time::sleep(Duration::from_millis(100)).await;
    let line = format!("cookie: {SSO_COOKIE}={}", begun.cookie);
    failed(lab.plain("GET", &format!("/api/v1/auth/sso/callback{query}"), &[&line], Value::Null).await, "sso_away");
}

#[sqlx::test(migrations = "./migrations")]
async fn attempts_of_an_address_are_counted_before_the_provider_is_asked(pool: PgPool) {
    let lab = sso_lab_with(&pool, |_| {}).await;
    let peer = "x-forwarded-for: 192.0.2.9";
    let mut codes = Vec::new();
    for _ in 0..25 {
        let begun = lab.begin().await;
        let cookie = format!("cookie: {SSO_COOKIE}={}", begun.cookie);
        let path = format!("/api/v1/auth/sso/callback?code=x&state={}&iss={}", begun.state(), lab.provider.issuer());
        let mut request = http::Request::builder().uri(path);
        for line in [peer, cookie.as_str()] {
            let (name, value) = line.split_once(": ").unwrap();
            request = request.header(name, value);
        }
        let mut request = request.body(axum::body::Body::empty()).unwrap();
        let from = crate::api::serve::Peer("10.0.0.1:1".parse().unwrap());
        request.extensions_mut().insert(axum::extract::ConnectInfo(from));
        codes.push(lab.send(request).await.header("location").to_owned());
    }
    assert_eq!(codes.iter().filter(|code| *code == "/sign-in?error=sso_untrue").count(), 20);
    assert_eq!(codes.iter().filter(|code| *code == "/sign-in?error=too_many").count(), 5);
    assert_eq!(lab.provider.asked("token"), 20);
}
