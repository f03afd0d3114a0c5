//! `/api/v1/auth`: signing in and out, and the keys by which others verify access tokens.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, SET_COOKIE};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::api::extract::{Asker, Guest, NoParams, Query, Small};
use crate::api::problem::Problem;
use crate::api::representation::json;
use crate::api::state::ApiState;
use crate::api::{cookie, origin};
use crate::auth::{Jwks, Text, access};
use crate::domain::{Error, User};
use crate::service::{Me, SignIn, SignedIn};

pub fn routes() -> OpenApiRouter<ApiState> {
    let auth = OpenApiRouter::new().routes(routes!(sign_in)).routes(routes!(refresh)).routes(routes!(sign_out)).routes(routes!(me));
    auth.routes(routes!(password)).routes(routes!(setup)).routes(routes!(jwks))
}

/// Who has signed in.
#[derive(Serialize, ToSchema)]
#[schema(as = SignedIn)]
pub struct SignedInBody {
    /// Send it as `Authorization: Bearer`. Keep it in memory alone: the cookie gets the next.
    pub access_token: Text,
    #[schema(example = "Bearer")]
    pub token_type: &'static str,
    /// Seconds for which it is good.
    #[schema(minimum = 1, maximum = 600)]
    pub expires_in: i64,
    pub user: User,
    pub session: Uuid,
}

impl From<SignedIn> for SignedInBody {
    fn from(signed_in: SignedIn) -> Self {
        let SignedIn { access: access_token, user, session, .. } = signed_in;
        Self { access_token, token_type: "Bearer", expires_in: access::GOOD_FOR.whole_seconds(), user, session }
    }
}

/// The answer, with the cookie where there is a new one.
fn answer(state: &ApiState, mut signed_in: SignedIn) -> Result<Response, Problem> {
    let cookie = signed_in.cookie.take();
    let mut response = json(StatusCode::OK, &SignedInBody::from(signed_in))?;
    if let Some((value, lives)) = cookie {
        response.headers_mut().insert(SET_COOKIE, cookie::SESSION.set(&value, lives, state.options.insecure_cookies)?);
    }
    Ok(response)
}

/// Sign in
///
/// The answer is the same, and takes as long, whether there is such an account or not.
#[utoipa::path(post, path = "/api/v1/auth/sign-in", operation_id = "sign_in", tag = "auth", security(()), request_body = SignIn,
    responses((status = 200, description = "Signed in; the cookie renews the session.", body = SignedInBody)))]
async fn sign_in(
    State(state): State<ApiState>,
    guest: Guest,
    headers: HeaderMap,
    _: Query<NoParams>,
    Small(given): Small<SignIn>,
) -> Result<Response, Problem> {
    origin::same_site(&headers)?;
    let signed_in = state.service.sign_in(&guest.0, &given).await?;
    answer(&state, signed_in)
}

/// Renew the session
///
/// By the cookie alone, which is used up and replaced. One that was used up before ends the session, for whoever has it; for ten seconds it
/// is taken all the same, since two tabs may renew at once: that answer sets no cookie.
#[utoipa::path(post, path = "/api/v1/auth/refresh", operation_id = "refresh_session", tag = "auth", security(()),
    responses((status = 200, description = "Another access token.", body = SignedInBody)))]
async fn refresh(State(state): State<ApiState>, guest: Guest, headers: HeaderMap, _: Query<NoParams>) -> Result<Response, Problem> {
    origin::same_site(&headers)?;
    let cookie = cookie::SESSION.read(&headers, state.options.insecure_cookies).ok_or(Error::SignInFailed)?;
    let signed_in = state.service.refresh(&guest.0, cookie).await?;
    answer(&state, signed_in)
}

/// What signing out takes.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SignOut {
    /// All sessions of the person, not only this one.
    #[serde(default)]
    everywhere: bool,
}

/// Sign out
///
/// The session, and its access tokens with it, are over at once.
#[utoipa::path(post, path = "/api/v1/auth/sign-out", operation_id = "sign_out", tag = "auth", request_body = SignOut,
    responses((status = 204, description = "Signed out.")))]
async fn sign_out(
    State(state): State<ApiState>,
    asker: Asker,
    headers: HeaderMap,
    _: Query<NoParams>,
    Small(given): Small<SignOut>,
) -> Result<Response, Problem> {
    origin::same_site(&headers)?;
    state.service.sign_out(&asker, given.everywhere).await?;
    Ok((StatusCode::NO_CONTENT, [(SET_COOKIE, cookie::SESSION.clear(state.options.insecure_cookies)?)]).into_response())
}

/// Read who asks
#[utoipa::path(get, path = "/api/v1/auth/me", operation_id = "get_me", tag = "auth",
    responses((status = 200, description = "Who the credential belongs to.", body = Me)))]
async fn me(State(state): State<ApiState>, asker: Asker, _: Query<NoParams>) -> Result<Response, Problem> {
    json(StatusCode::OK, &state.service.me(&asker)?)
}

/// What changing a password takes.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PasswordChange {
    /// As it is.
    password: Text,
    /// As it is to be: 12 to 71 bytes.
    new: Text,
}

/// Change one's password
///
/// All other sessions end; this one goes on with the access token of the answer.
#[utoipa::path(post, path = "/api/v1/auth/password", operation_id = "change_password", tag = "auth", request_body = PasswordChange,
    responses((status = 200, description = "Changed.", body = SignedInBody)))]
async fn password(
    State(state): State<ApiState>,
    asker: Asker,
    _: Query<NoParams>,
    Small(given): Small<PasswordChange>,
) -> Result<Response, Problem> {
    let signed_in = state.service.change_password(&asker, &given.password, &given.new).await?;
    answer(&state, signed_in)
}

/// What using a link takes.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SetUp {
    /// That of the link.
    token: Text,
    /// Whose the link is; of the first administrator's link: whose it is to be.
    #[schema(max_length = 190)]
    email: String,
    /// 12 to 71 bytes.
    password: Text,
}

/// Choose a password by a link
///
/// Once, within an hour. Ends all sessions of before.
#[utoipa::path(post, path = "/api/v1/auth/setup", operation_id = "set_up", tag = "auth", security(()), request_body = SetUp,
    responses((status = 200, description = "The person, who can sign in now.", body = User)))]
async fn setup(
    State(state): State<ApiState>,
    guest: Guest,
    headers: HeaderMap,
    _: Query<NoParams>,
    Small(given): Small<SetUp>,
) -> Result<Response, Problem> {
    origin::same_site(&headers)?;
    json(StatusCode::OK, &state.service.set_up(&guest.0, &given.token, &given.email, &given.password).await?)
}

/// Read the keys that verify access tokens
///
/// A JSON Web Key Set (RFC 7517). A key is there an hour before it signs and an hour after. `iss` and `aud` are `guard-proxy`, the algorithm
/// is EdDSA, the type `at+jwt`. Whether a session was ended since is known to Guard Proxy alone: tokens are good for five minutes.
#[utoipa::path(get, path = "/.well-known/jwks.json", operation_id = "get_jwks", tag = "auth", security(()),
    responses((status = 200, description = "The public keys.", body = Jwks)))]
async fn jwks(State(state): State<ApiState>, _: Query<NoParams>) -> Result<Response, Problem> {
    let mut response = json(StatusCode::OK, &state.service.jwks())?;
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=300"));
    Ok(response)
}
