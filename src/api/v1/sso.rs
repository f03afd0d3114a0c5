//! `/api/v1/auth/sso`: a browser goes to the provider and comes back. Both are pages that a person goes to, so whatever is wrong ends at the
//! panel's sign-in, with a code and nothing else.

use axum::extract::{Query as Pairs, State};
use axum::response::{IntoResponse, Response};
use http::header::{HeaderValue, LOCATION, SET_COOKIE};
use http::{HeaderMap, StatusCode, Uri};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::api::extract::{Guest, NoParams, Query};
use crate::api::problem::Problem;
use crate::api::representation::json;
use crate::api::state::ApiState;
use crate::api::{cookie, origin};
use crate::auth::{Brought, ReturnTo, Text, oidc};
use crate::service::SsoFault;

const BEGIN: &str = "/api/v1/auth/sso";
/// What the provider says to us.
const PARAMETERS: [&str; 4] = ["code", "state", "iss", "error"];

pub fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(methods)).routes(routes!(begin)).routes(routes!(callback))
}

/// How people can sign in.
#[derive(Serialize, ToSchema)]
struct SignInMethods {
    /// By e-mail address and password.
    password: bool,
    /// By single sign-on; null: there is none.
    sso: Option<SsoMethod>,
}

/// Single sign-on.
#[derive(Serialize, ToSchema)]
struct SsoMethod {
    /// The provider's name, for people.
    #[schema(max_length = 60, example = "Keycloak")]
    name: String,
    /// Where a browser goes to begin; `return_to` beside it says where it ends.
    #[schema(example = "/api/v1/auth/sso")]
    begin: &'static str,
}

/// Read how people can sign in
#[utoipa::path(get, path = "/api/v1/auth/methods", operation_id = "get_sign_in_methods", tag = "auth", security(()),
    responses((status = 200, description = "What there is.", body = SignInMethods)))]
async fn methods(State(state): State<ApiState>, _: Query<NoParams>) -> Result<Response, Problem> {
    let sso = state.service.sso_name().map(|name| SsoMethod { name: name.to_owned(), begin: BEGIN });
    json(StatusCode::OK, &SignInMethods { password: true, sso })
}

/// Sign in by the provider
///
/// For browsers: leads to the provider, and sets a cookie by which this browser alone can come back, within ten minutes. Where that fails, it leads
/// to `/sign-in?error=CODE`; docs/sso.md lists the codes.
#[utoipa::path(get, path = "/api/v1/auth/sso", operation_id = "begin_sso", tag = "auth", security(()),
    params(("return_to" = Option<String>, Query, max_length = 512, description = "A path of the panel, where the person goes afterwards.")),
    responses((status = 303, description = "To the provider.")))]
async fn begin(State(state): State<ApiState>, guest: Guest, headers: HeaderMap, uri: Uri) -> Result<Response, Problem> {
    let insecure = state.options.insecure_cookies;
    if !origin::navigates(&headers) {
        return refused(SsoFault::Attempt, None);
    }
    let return_to = ReturnTo::parse(one(&pairs(&uri), "return_to").unwrap_or_default());
    match state.service.begin_sso(&guest.0, return_to).await {
        Ok(begun) => to(begun.url.reveal(), [Some(cookie::SSO.set(&begun.cookie, oidc::ATTEMPT, insecure)?), None]),
        Err(fault) => refused(fault, None),
    }
}

/// Come back from the provider
///
/// For browsers, which the provider sends here. Whoever is known and may get in has a session as by a password, and is led to where they wanted; others to
/// `/sign-in?error=CODE`.
#[utoipa::path(get, path = "/api/v1/auth/sso/callback", operation_id = "finish_sso", tag = "auth", security(()),
    params(
        ("code" = Option<String>, Query, max_length = 4096, description = "By which the provider says who it is."),
        ("state" = Option<String>, Query, max_length = 128, description = "What this browser was sent with."),
        ("iss" = Option<String>, Query, max_length = 500, description = "The provider (RFC 9207)."),
        ("error" = Option<String>, Query, max_length = 200, description = "Why the provider sent nobody."),
    ),
    responses((status = 303, description = "To the panel.")))]
async fn callback(State(state): State<ApiState>, guest: Guest, headers: HeaderMap, uri: Uri) -> Result<Response, Problem> {
    let insecure = state.options.insecure_cookies;
    if !origin::navigates(&headers) {
        return refused(SsoFault::Attempt, None);
    }
    let pairs = pairs(&uri);
    // What is said twice says nothing.
    if PARAMETERS.iter().any(|name| pairs.iter().filter(|(key, _)| key == name).count() > 1) {
        return refused(SsoFault::Attempt, None);
    }
    let text = |name: &str| one(&pairs, name).map(str::to_owned);
    let brought =
        Brought { code: text("code").map(Text::new), state: text("state").map(Text::new), iss: text("iss"), error: text("error") };
    let clear = cookie::SSO.clear(insecure)?;
    match state.service.finish_sso(&guest.0, &brought, cookie::SSO.read(&headers, insecure)).await {
        Ok((mut signed_in, return_to)) => {
            let session = signed_in.cookie.take().map(|(value, lives)| cookie::SESSION.set(&value, lives, insecure)).transpose()?;
            to(return_to.as_str(), [session, Some(clear)])
        }
        // The attempt that this browser may have is still to be answered.
        Err(fault) => refused(fault, (fault != SsoFault::Attempt).then_some(clear)),
    }
}

/// Whatever the provider adds is not ours to refuse.
fn pairs(uri: &Uri) -> Vec<(String, String)> {
    Pairs::<Vec<(String, String)>>::try_from_uri(uri).map(|Pairs(pairs)| pairs).unwrap_or_default()
}

fn one<'a>(pairs: &'a [(String, String)], name: &str) -> Option<&'a str> {
    pairs.iter().find(|(key, _)| key == name).map(|(_, text)| text.as_str())
}

fn refused(fault: SsoFault, cookie: Option<HeaderValue>) -> Result<Response, Problem> {
    to(&format!("/sign-in?error={}", fault.code()), [cookie, None])
}

/// 303: whatever brought the browser here, it goes on by GET.
fn to(place: &str, cookies: [Option<HeaderValue>; 2]) -> Result<Response, Problem> {
    let location = HeaderValue::try_from(place).map_err(|error| Problem::internal(error.to_string()))?;
    let mut response = (StatusCode::SEE_OTHER, [(LOCATION, location)]).into_response();
    for cookie in cookies.into_iter().flatten() {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
    Ok(response)
}
