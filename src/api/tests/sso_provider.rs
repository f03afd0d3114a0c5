//! A provider of OpenID Connect on loopback, with real keys: it says what OpenID Connect wants it to, until a test has it lie.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as Rsa, KeySize};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, RSA_PKCS1_SHA256};
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use data_encoding::{BASE64, BASE64URL_NOPAD};
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::telemetry::clock::Clock;

pub const CLIENT: &str = "guard-proxy";
pub const SECRET: &str = "a secret/of+the client";
pub const BACK: &str = "https://guard.example.com/api/v1/auth/sso/callback";

/// How id tokens are signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signing {
    Rs256,
    Es256,
    None,
    /// With the public key, which everybody has, as the secret of an HMAC.
    Hs256OfPublic,
    /// With the client's own secret.
    Hs256OfSecret,
    /// By a key that is not published.
    Foreign,
    /// Rightly, and then a claim is changed.
    Tampered,
}

/// What a test changes.
pub struct Says {
    /// Claims beside those that are always there; null takes one away.
    pub claims: Value,
    /// Members of the discovery document; null takes one away.
    pub discovery: Value,
    pub signing: Signing,
    /// Of the answer that the browser brings; None: without.
    pub iss: Option<String>,
    /// Bytes before the discovery document.
    pub padding: usize,
    pub hangs: bool,
    pub status: StatusCode,
    pub error: Option<&'static str>,
}

struct Key {
    kid: String,
    rsa: Rsa,
    ec: EcdsaKeyPair,
}

impl Key {
    fn new(kid: &str) -> Self {
        let ec = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        Self { kid: kid.to_owned(), rsa: Rsa::generate(KeySize::Rsa2048).unwrap(), ec }
    }

    /// Of the DER: a sequence of the modulus, 256 bytes behind a zero, and the exponent.
    fn modulus(&self) -> &[u8] {
        &self.rsa.public_key().as_ref()[9..265]
    }

    fn published(&self) -> [Value; 2] {
        let point = self.ec.public_key().as_ref();
        let text = |bytes: &[u8]| BASE64URL_NOPAD.encode(bytes);
        [
            json!({"kty": "RSA", "use": "sig", "alg": "RS256", "kid": self.kid, "n": text(self.modulus()), "e": "AQAB"}),
            json!({"kty": "EC", "use": "sig", "alg": "ES256", "kid": format!("{}-ec", self.kid), "crv": "P-256", "x": text(&point[1..33]), "y": text(&point[33..])}),
        ]
    }
}

struct Granted {
    challenge: String,
    nonce: Value,
}

struct Inner {
    issuer: String,
    clock: Clock,
    key: Mutex<Key>,
    says: Mutex<Says>,
    codes: Mutex<HashMap<String, Granted>>,
    asked: Mutex<Vec<String>>,
}

#[derive(Clone)]
pub struct Provider(Arc<Inner>);

/// Dropped, it is away.
pub struct Running {
    pub provider: Provider,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl std::ops::Deref for Running {
    type Target = Provider;
    fn deref(&self) -> &Provider {
        &self.provider
    }
}

pub async fn provider(listener: tokio::net::TcpListener, clock: Clock) -> Running {
    let issuer = format!("http://{}/realms/test", listener.local_addr().unwrap());
    let says = Says {
        claims: json!({"sub": "1", "email": "ada@example.com", "email_verified": true, "name": "Ada", "groups": ["admins"]}),
        discovery: json!({}),
        signing: Signing::Rs256,
        iss: Some(issuer.clone()),
        padding: 0,
        hangs: false,
        status: StatusCode::OK,
        error: None,
    };
    let inner = Inner { issuer, clock, key: Key::new("first").into(), says: says.into(), codes: Mutex::default(), asked: Mutex::default() };
    let provider = Provider(Arc::new(inner));
    let router = Router::new()
        .route("/realms/test/.well-known/openid-configuration", get(discovery))
        .route("/realms/test/keys", get(keys))
        .route("/realms/test/authorize", get(authorize))
        .route("/realms/test/token", post(token))
        .with_state(provider.clone());
    let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    Running { provider, task }
}

impl Provider {
    pub fn issuer(&self) -> &str {
        &self.0.issuer
    }

    pub fn says(&self, change: impl FnOnce(&mut Says)) {
        change(&mut self.0.says.lock().unwrap());
    }

    /// Sets a claim.
    pub fn claim(&self, name: &str, value: Value) {
        self.says(|says| says.claims[name] = value);
    }

    /// Another key signs, and is all that is published.
    pub fn rotate(&self) {
        *self.0.key.lock().unwrap() = Key::new("second");
    }

    /// How often a path was asked.
    pub fn asked(&self, what: &str) -> usize {
        self.0.asked.lock().unwrap().iter().filter(|asked| *asked == what).count()
    }

    fn note(&self, what: &str) {
        self.0.asked.lock().unwrap().push(what.to_owned());
    }

    fn id_token(&self, nonce: Value) -> String {
        let (key, says, now) = (self.0.key.lock().unwrap(), self.0.says.lock().unwrap(), (self.0.clock)().unix_timestamp());
        let mut claims = json!({"iss": self.0.issuer, "aud": CLIENT, "iat": now, "exp": now + 300, "nonce": nonce});
        merge(&mut claims, &says.claims);
        let part = |value: &Value| BASE64URL_NOPAD.encode(value.to_string().as_bytes());
        let head = |alg: &str, kid: &str| part(&json!({"alg": alg, "kid": kid, "typ": "JWT"}));
        let body = part(&claims);
        let rs256 = |key: &Key, kid: &str, body: &str| {
            let text = format!("{}.{body}", head("RS256", kid));
            let mut signature = vec![0; key.rsa.public_modulus_len()];
            key.rsa.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text.as_bytes(), &mut signature).unwrap();
            format!("{text}.{}", BASE64URL_NOPAD.encode(&signature))
        };
        let hs256 = |secret: &[u8]| {
            let text = format!("{}.{body}", head("HS256", &key.kid));
            let hmac = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, secret);
            format!("{text}.{}", BASE64URL_NOPAD.encode(aws_lc_rs::hmac::sign(&hmac, text.as_bytes()).as_ref()))
        };
        match says.signing {
            Signing::Rs256 => rs256(&key, &key.kid, &body),
            Signing::Foreign => rs256(&Key::new("foreign"), &key.kid, &body),
            Signing::Tampered => {
                let whole = rs256(&key, &key.kid, &body);
                claims["sub"] = json!("another");
                let parts: Vec<&str> = whole.split('.').collect();
                format!("{}.{}.{}", parts[0], part(&claims), parts[2])
            }
            Signing::Es256 => {
                let text = format!("{}.{body}", head("ES256", &format!("{}-ec", key.kid)));
                let signature = key.ec.sign(&SystemRandom::new(), text.as_bytes()).unwrap();
                format!("{text}.{}", BASE64URL_NOPAD.encode(signature.as_ref()))
            }
            Signing::None => format!("{}.{body}.", head("none", &key.kid)),
            Signing::Hs256OfPublic => hs256(key.modulus()),
            Signing::Hs256OfSecret => hs256(SECRET.as_bytes()),
        }
    }
}

fn merge(into: &mut Value, from: &Value) {
    for (name, value) in from.as_object().unwrap() {
        if value.is_null() {
            into.as_object_mut().unwrap().remove(name);
        } else {
            into[name] = value.clone();
        }
    }
}

async fn discovery(State(provider): State<Provider>) -> Response {
    provider.note("discovery");
    if provider.0.says.lock().unwrap().hangs {
        std::future::pending::<()>().await;
    }
    let (says, at) = (provider.0.says.lock().unwrap(), |path: &str| format!("{}/{path}", provider.0.issuer));
    let mut document = json!({
        "issuer": provider.0.issuer, "authorization_endpoint": at("authorize"), "token_endpoint": at("token"), "jwks_uri": at("keys"),
        "response_types_supported": ["code"], "subject_types_supported": ["public"],
        // Also what must not be taken.
        "id_token_signing_alg_values_supported": ["RS256", "ES256", "HS256", "none"],
        "authorization_response_iss_parameter_supported": true,
    });
    merge(&mut document, &says.discovery);
    let body = format!("{}{document}", " ".repeat(says.padding));
    (says.status, [("content-type", "application/json"), ("location", "/realms/test/elsewhere")], body).into_response()
}

async fn keys(State(provider): State<Provider>) -> Json<Value> {
    provider.note("keys");
    Json(json!({"keys": provider.0.key.lock().unwrap().published()}))
}

/// Somebody is signed in here always: they come back at once.
async fn authorize(State(provider): State<Provider>, Query(asked): Query<HashMap<String, String>>) -> Response {
    provider.note("authorize");
    let is = |name: &str, wanted: &str| asked.get(name).is_some_and(|value| value == wanted);
    let good = is("response_type", "code") && is("client_id", CLIENT) && is("redirect_uri", BACK) && is("code_challenge_method", "S256");
    let scopes: Vec<&str> = asked.get("scope").map(|scopes| scopes.split(' ').collect()).unwrap_or_default();
    if !good || scopes != ["openid", "email", "profile"] {
        return (StatusCode::BAD_REQUEST, format!("{asked:?}")).into_response();
    }
    let code = uuid::Uuid::new_v4().to_string();
    let granted = Granted { challenge: asked["code_challenge"].clone(), nonce: json!(asked["nonce"]) };
    provider.0.codes.lock().unwrap().insert(code.clone(), granted);
    let says = provider.0.says.lock().unwrap();
    let iss = says.iss.as_ref().map(|iss| format!("&iss={iss}")).unwrap_or_default();
    let said = says.error.map_or_else(|| format!("code={code}"), |error| format!("error={error}"));
    Redirect::to(&format!("{BACK}?{said}&state={}&session_state=x{iss}", asked["state"])).into_response()
}

async fn token(State(provider): State<Provider>, headers: HeaderMap, body: String) -> Response {
    let asked: HashMap<String, String> = openidconnect::url::form_urlencoded::parse(body.as_bytes()).into_owned().collect();
    provider.note("token");
    let refused = |error: &str| (StatusCode::BAD_REQUEST, Json(json!({"error": error}))).into_response();
    let encoded = "a+secret%2Fof%2Bthe+client";
    let basic = format!("Basic {}", BASE64.encode(format!("{CLIENT}:{encoded}").as_bytes()));
    let in_body = asked.get("client_secret").is_some_and(|secret| secret == SECRET);
    if !in_body && headers.get("authorization").is_none_or(|value| value != basic.as_str()) {
        return refused("invalid_client");
    }
    let Some(granted) = asked.get("code").and_then(|code| provider.0.codes.lock().unwrap().remove(code)) else {
        return refused("invalid_grant");
    };
    let verifier = asked.get("code_verifier").map(|verifier| BASE64URL_NOPAD.encode(&Sha256::digest(verifier.as_bytes())));
    if verifier.as_ref() != Some(&granted.challenge) || asked["redirect_uri"] != BACK || asked["grant_type"] != "authorization_code" {
        return refused("invalid_grant");
    }
    let answer = json!({"access_token": "at", "token_type": "Bearer", "expires_in": 60, "id_token": provider.id_token(granted.nonce)});
    Json(answer).into_response()
}
