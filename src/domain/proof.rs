//! Proof: what a probe has shown about a vhost.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::{Name, Revision};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProofState {
    /// A probe saw what the revision says.
    Proven,
    /// A probe saw something else.
    Unproven,
    /// Not probed since it changed (only a sample is probed where more than 100 vhosts are touched).
    Unprobed,
}

/// What the last probe of a vhost showed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Proof {
    pub vhost: Name,
    pub state: ProofState,
    /// The live revision when it was probed.
    pub revision: Revision,
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// The host that was asked for.
    pub host: String,
    /// The row that HAProxy worked with, as the probe read it.
    pub row: String,
    /// What was expected and seen of each probe, in words.
    pub seen: Vec<String>,
}
