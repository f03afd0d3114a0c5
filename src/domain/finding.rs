//! Findings: what validation wants somebody to know.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    Info,
    Warning,
    Error,
}

/// Something that validation noticed about a write; an error refuses it, a warning or info goes along with the answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Finding {
    pub severity: Severity,
    /// Stable, snake_case.
    pub code: String,
    /// JSON pointer into the resulting resource; empty for the whole.
    pub pointer: String,
    pub message: String,
}
