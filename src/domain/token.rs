//! Tokens: credentials of pipelines.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{Grant, Name, Network, Permit, RoleBinding};

/// What a token is to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewToken {
    /// Unique, and never changed: revisions name it as their author.
    pub name: Name,
    /// Roles that it has. Roles or permits must be there.
    #[serde(default)]
    #[schema(max_items = 64)]
    pub roles: Vec<RoleBinding>,
    /// What it may do beside its roles.
    #[serde(default)]
    #[schema(max_items = 64)]
    pub permits: Vec<Permit>,
    /// Networks that it may be used from; anywhere where empty. What counts is the client behind `api.trusted_proxies`.
    #[serde(default)]
    #[schema(max_items = 64)]
    pub networks: Vec<Network>,
    /// From then on it is good for nothing. Absent: never.
    #[serde(default, with = "time::serde::rfc3339::option")]
    pub expires_at: Option<OffsetDateTime>,
}

/// A token as it is shown: never its text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TokenInfo {
    pub id: Uuid,
    pub name: String,
    pub roles: Vec<RoleBinding>,
    pub permits: Vec<Permit>,
    pub networks: Vec<Network>,
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// The principal who made it.
    pub created_by: String,
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(required)]
    pub expires_at: Option<OffsetDateTime>,
    /// Give or take half a minute; null where it was never used.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(required)]
    pub last_used_at: Option<OffsetDateTime>,
}

impl NewToken {
    pub fn grant(&self) -> Grant {
        Grant { roles: self.roles.clone(), permits: self.permits.clone() }
    }
}
