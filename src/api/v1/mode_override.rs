//! `/api/v1/vhosts/{vhost}/mode-override`: the break-glass.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::api::extract::{Asker, Document, NoParams, Path, Query};
use crate::api::problem::Problem;
use crate::api::representation::json;
use crate::api::state::ApiState;
use crate::api::v1::change_sets::detached;
use crate::api::write;
use crate::domain::{Error, ModeOverride, Name, NewModeOverride};

pub fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(get, put, delete))
}

/// Read a vhost's emergency mode
///
/// In force, or the last one: `until` says.
#[utoipa::path(get, path = "/api/v1/vhosts/{vhost}/mode-override", operation_id = "get_mode_override", tag = "status",
    params(("vhost" = Name, Path)),
    responses((status = 200, description = "The emergency mode.", body = ModeOverride)))]
async fn get(State(state): State<ApiState>, asker: Asker, Path(vhost): Path<String>, _: Query<NoParams>) -> Result<Response, Problem> {
    let name = Name::parse(&vhost).map_err(|_| Error::NotFound { kind: "vhost", name: vhost })?;
    json(StatusCode::OK, &state.service.mode_override(&asker, &name)?)
}

/// Put a vhost into an emergency mode
///
/// At once, for a while, whatever its policies say; also of a protected vhost, without approval. It is no revision, and ends by itself. Its status
/// shows it, and what the wire does.
#[utoipa::path(put, path = "/api/v1/vhosts/{vhost}/mode-override", operation_id = "put_mode_override", tag = "status",
    params(("vhost" = Name, Path)),
    request_body(content = NewModeOverride, content_type = "application/json"),
    responses((status = 200, description = "It is on its way to the node.", body = ModeOverride)))]
async fn put(
    State(state): State<ApiState>,
    asker: Asker,
    Path(vhost): Path<String>,
    _: Query<NoParams>,
    Document(new): Document<NewModeOverride>,
) -> Result<Response, Problem> {
    let (service, caller, vhost) = (state.service.clone(), asker.0.clone(), write::name(&vhost)?);
    json(StatusCode::OK, &detached(async move { service.put_mode_override(&caller, &vhost, new).await }).await?)
}

/// End a vhost's emergency mode
#[utoipa::path(delete, path = "/api/v1/vhosts/{vhost}/mode-override", operation_id = "delete_mode_override", tag = "status",
    params(("vhost" = Name, Path)),
    responses((status = 204, description = "The vhost is treated as its policies say again.")))]
async fn delete(State(state): State<ApiState>, asker: Asker, Path(vhost): Path<String>, _: Query<NoParams>) -> Result<Response, Problem> {
    let (service, caller, vhost) = (state.service.clone(), asker.0.clone(), write::name(&vhost)?);
    detached(async move { service.delete_mode_override(&caller, &vhost).await }).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}
