//! All routes, and what stands around them.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Router, middleware};
use http::header::{CONTENT_TYPE, ETAG, HeaderValue, IF_NONE_MATCH};
use http::{HeaderMap, StatusCode, Uri};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use utoipa_swagger_ui::{Config, SwaggerUi};

use super::extract::{NoParams, Query};
use super::problem::Problem;
use super::state::ApiState;
use super::{guard, health, metrics, openapi, stream, v1};
use crate::web;

/// The documented routes.
pub fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::with_openapi(openapi::base())
        .merge(v1::vhosts::routes())
        .merge(v1::paths::routes())
        .merge(v1::servers::routes())
        .merge(v1::policies::routes())
        .merge(v1::exclusions::routes())
        .merge(v1::custom_rules::routes())
        .merge(v1::ip_lists::routes())
        .merge(v1::entries::routes())
        .merge(v1::batch::routes())
        .merge(v1::revisions::routes())
        .merge(v1::rollback::routes())
        .merge(v1::change_sets::routes())
        .merge(v1::plans::routes())
        .merge(v1::deployments::routes())
        .merge(v1::audit::routes())
        .merge(v1::status::routes())
        .merge(v1::traffic::routes())
        .merge(v1::mode_override::routes())
        .merge(v1::roles::routes())
        .merge(v1::tokens::routes())
        .merge(v1::auth::routes())
        .merge(v1::sso::routes())
        .merge(v1::totp::routes())
        .merge(v1::sessions::routes())
        .merge(v1::users::routes())
        .merge(v1::keys::routes())
        .merge(stream::routes())
        .merge(health::routes())
        .routes(routes!(document))
}

/// The whole service.
pub fn router(state: ApiState) -> Router {
    let (router, document) = routes().split_for_parts();
    let templates = metrics::Routes::new(document.paths.paths.keys().cloned().chain(guard::PUBLIC.map(str::to_owned)));
    metrics::describe();
    let docs = SwaggerUi::new("/docs").config(Config::from("/api/v1/openapi.json"));
    router
        .merge(Router::from(docs))
        .merge(panel())
        .fallback(guard::fallback)
        .layer(middleware::from_fn_with_state((state.clone(), templates), guard::guard))
        .with_state(state)
}

/// The panel's files, and its first page; its other pages are what no route matches.
fn panel() -> Router<ApiState> {
    let file = async |uri: Uri, headers: HeaderMap| web::file(uri.path(), &headers);
    let [page, icon, assets] = web::ROUTES;
    Router::new().route(page, get(async || web::page())).route(icon, get(file)).route(assets, get(file))
}

/// Read this document
#[utoipa::path(get, path = "/api/v1/openapi.json", operation_id = "get_openapi", tag = "operation", security(()),
    responses((status = 200, description = "The OpenAPI document.", body = Object), (status = 304, description = "Not changed.")))]
async fn document(State(state): State<ApiState>, headers: HeaderMap, _: Query<NoParams>) -> Result<Response, Problem> {
    let (text, etag) = state.document.clone();
    if headers.get(IF_NONE_MATCH).is_some_and(|given| *given == etag) {
        return Ok((StatusCode::NOT_MODIFIED, [(ETAG, etag)]).into_response());
    }
    let kind = HeaderValue::from_static("application/json");
    Ok(([(CONTENT_TYPE, kind), (ETAG, etag)], text).into_response())
}
