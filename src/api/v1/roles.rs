//! `/api/v1/roles`.

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::api::extract::{Asker, NoParams, Query};
use crate::api::problem::Problem;
use crate::api::representation::json;
use crate::api::state::ApiState;
use crate::domain::permission::MATRIX;
use crate::domain::{Action, Role, Subject};

pub fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(list))
}

/// The matrix of roles.
#[derive(Serialize, ToSchema)]
pub struct Roles {
    /// From the least to the most; each may do what the ones before it may.
    roles: Vec<Role>,
    items: Vec<RoleRow>,
    total: usize,
}

/// Who may do what with one kind of things.
#[derive(Serialize, ToSchema)]
pub struct RoleRow {
    kind: Subject,
    about: &'static str,
    /// Whether a role that is limited to some vhosts has it too, for what these vhosts are about.
    scoped: bool,
    /// The least role that reads; null: nobody.
    #[schema(required)]
    read: Option<Role>,
    #[schema(required)]
    create: Option<Role>,
    #[schema(required)]
    update: Option<Role>,
    #[schema(required)]
    delete: Option<Role>,
}

/// Read what the roles may do
#[utoipa::path(get, path = "/api/v1/roles", operation_id = "list_roles", tag = "access",
    responses((status = 200, description = "The whole matrix.", body = Roles)))]
async fn list(State(state): State<ApiState>, asker: Asker, _: Query<NoParams>) -> Result<Response, Problem> {
    state.service.authorize(&asker.principal, Action::Read, "role", None)?;
    let row = |row: &crate::domain::permission::Row| RoleRow {
        kind: row.subject,
        about: row.about,
        scoped: row.scoped,
        read: row.read,
        create: row.create,
        update: row.update,
        delete: row.delete,
    };
    let items: Vec<_> = MATRIX.iter().map(row).collect();
    json(StatusCode::OK, &Roles { roles: Role::ALL.to_vec(), total: items.len(), items })
}
