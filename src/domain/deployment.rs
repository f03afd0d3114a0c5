//! Deployments: bringing a revision to the nodes.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{FieldError, Revision};

/// Where a deployment is. `live`, `refused` and `superseded` are its ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeploymentState {
    Pending,
    Validating,
    Applying,
    Verifying,
    /// Something was away or full; says nothing about the revision. Tried again.
    Retrying,
    Live,
    Refused,
    /// A newer revision took its place before it was applied.
    Superseded,
}

impl DeploymentState {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Validating => "validating",
            Self::Applying => "applying",
            Self::Verifying => "verifying",
            Self::Retrying => "retrying",
            Self::Live => "live",
            Self::Refused => "refused",
            Self::Superseded => "superseded",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        [Self::Pending, Self::Validating, Self::Applying, Self::Verifying, Self::Retrying, Self::Live, Self::Refused, Self::Superseded]
            .into_iter()
            .find(|state| state.as_str() == text)
    }

    pub fn ended(self) -> bool {
        matches!(self, Self::Live | Self::Refused | Self::Superseded)
    }
}

/// How a change reaches traffic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Lane {
    Runtime,
    Ruleset,
    Reload,
}

/// One step of a deployment as it went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Step {
    /// `compile`, `render`, `stage`, `validate`, `rulesets`, `preflight`, `publish`, `runtime`, `reload`, `verify`, `restore`, `unload`.
    pub name: String,
    #[serde(with = "time::serde::rfc3339")]
    pub started_at: OffsetDateTime,
    /// Microseconds it took.
    pub took_us: i64,
    pub ok: bool,
    /// What happened, in the engine's own words where an engine spoke; bounded to 8 KiB.
    pub detail: String,
}

/// A deployment as the store keeps it and the API shows it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Deployment {
    pub id: Uuid,
    /// The revision that it brings; it contains all before it.
    pub revision: Revision,
    pub state: DeploymentState,
    pub lanes: Vec<Lane>,
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339::option")]
    pub ended_at: Option<OffsetDateTime>,
    pub attempts: i32,
    /// Why it was refused or is retried, in the engine's own words; empty while all is well.
    pub said: String,
    /// Where the refusal could be mapped to objects: pointers from the root, `/policies/shop/custom_rules/0`.
    pub errors: Vec<FieldError>,
    /// Digest of the bundle, SHA-256 in hex; empty until rendered.
    pub bundle_digest: String,
    /// Versions that made it: `guard_proxy`, `haproxy`, `guard_spoa`, `coraza`, `crs`, `templates` (a digest).
    pub made_with: std::collections::BTreeMap<String, String>,
    pub steps: Vec<Step>,
}
