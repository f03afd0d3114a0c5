//! `/api/v1/auth/totp`: the authenticator of whoever asks.

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::auth::SignedInBody;
use crate::api::extract::{Asker, NoParams, Query, Small};
use crate::api::problem::Problem;
use crate::api::representation::json;
use crate::api::state::ApiState;
use crate::auth::Text;
use crate::service::TotpBegun;

pub fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(begin)).routes(routes!(confirm)).routes(routes!(disable))
}

/// What beginning takes.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct TotpBegin {
    /// Once more: an access token alone is not enough.
    password: Text,
}

/// Begin with an authenticator
///
/// Counts from when its first code is confirmed; one of before counts until then.
#[utoipa::path(post, path = "/api/v1/auth/totp", operation_id = "begin_totp", tag = "auth", request_body = TotpBegin,
    responses((status = 200, description = "The seed.", body = TotpBegun)))]
async fn begin(
    State(state): State<ApiState>,
    asker: Asker,
    _: Query<NoParams>,
    Small(given): Small<TotpBegin>,
) -> Result<Response, Problem> {
    json(StatusCode::OK, &state.service.begin_totp(&asker, &given.password).await?)
}

/// What confirming takes.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct TotpConfirm {
    /// Six digits.
    #[schema(max_length = 16)]
    code: String,
}

/// Codes that stand in for the authenticator.
#[derive(Serialize, ToSchema)]
struct TotpConfirmed {
    /// Each is good once; they are shown this once.
    recovery_codes: Vec<Text>,
    #[serde(flatten)]
    signed_in: SignedInBody,
}

/// Confirm an authenticator
///
/// By its first code. All other sessions end; this one goes on with the access token of the answer.
#[utoipa::path(post, path = "/api/v1/auth/totp/confirm", operation_id = "confirm_totp", tag = "auth", request_body = TotpConfirm,
    responses((status = 200, description = "A code is wanted from now on.", body = TotpConfirmed)))]
async fn confirm(
    State(state): State<ApiState>,
    asker: Asker,
    _: Query<NoParams>,
    Small(given): Small<TotpConfirm>,
) -> Result<Response, Problem> {
    let confirmed = state.service.confirm_totp(&asker, &given.code).await?;
    json(StatusCode::OK, &TotpConfirmed { recovery_codes: confirmed.recovery_codes, signed_in: confirmed.signed_in.into() })
}

/// What taking it off takes.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct TotpDisable {
    password: Text,
    /// Of the authenticator, or a recovery code.
    #[schema(max_length = 64)]
    code: String,
}

/// Take the authenticator off
///
/// All other sessions end; this one goes on with the access token of the answer.
#[utoipa::path(post, path = "/api/v1/auth/totp/disable", operation_id = "disable_totp", tag = "auth", request_body = TotpDisable,
    responses((status = 200, description = "No code is wanted any more.", body = SignedInBody)))]
async fn disable(
    State(state): State<ApiState>,
    asker: Asker,
    _: Query<NoParams>,
    Small(given): Small<TotpDisable>,
) -> Result<Response, Problem> {
    let signed_in = state.service.disable_totp(&asker, &given.password, &given.code).await?;
    json(StatusCode::OK, &SignedInBody::from(signed_in))
}
