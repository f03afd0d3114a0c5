//! Revisions: immutable, numbered snapshots of the whole intended state.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::{Kind, Name};

/// The number of a revision: gapless, in commit order, from 1; 0 is the empty state before the first.
pub type Revision = i64;

/// What a revision did to one object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ObjectChange {
    pub kind: Kind,
    pub name: Name,
    pub change: ChangeType,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ChangeType {
    Created,
    Updated,
    Deleted,
}

/// A revision as the API shows it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct RevisionInfo {
    pub number: Revision,
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// The principal who wrote it.
    pub author: String,
    pub message: String,
    /// SHA-256 over the changes of this revision and the digest of the one before it, in hex: a chain.
    pub digest: String,
    pub changes: Vec<ObjectChange>,
}
