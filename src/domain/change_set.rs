//! Change sets: staged writes against a base revision, seen by their author alone until they are committed as one revision; also what is left
//! of a refused revision.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

use super::diff::ChangeCounts;
use super::{FieldError, Revision};

/// Where a change set is. `committed` and `discarded` are its ends; a `refused` one becomes open again by a rebase.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ChangeSetState {
    Open,
    Committed,
    Discarded,
    /// The content of a revision that was committed, refused by an engine or a probe, and taken back.
    Refused,
}

impl ChangeSetState {
    pub const ALL: [Self; 4] = [Self::Open, Self::Committed, Self::Discarded, Self::Refused];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Committed => "committed",
            Self::Discarded => "discarded",
            Self::Refused => "refused",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }
}

/// Why the content of a change set was refused after it had been committed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Refusal {
    /// The deployment that ended refused.
    pub deployment: Uuid,
    /// The engine's own words.
    pub said: String,
    /// Pointers from the root: `/policies/shop/custom_rules/0`.
    pub errors: Vec<FieldError>,
}

/// A change set as the store keeps it and the API shows it; what it stages is read through it, with `?change_set=`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ChangeSet {
    pub id: Uuid,
    /// The identity of the principal who alone sees it; shown to nobody.
    #[serde(skip)]
    #[schema(ignore)]
    pub owner: String,
    pub state: ChangeSetState,
    /// The principal who began it, or who wrote the refused revision.
    pub author: String,
    /// Becomes the revision's.
    pub message: String,
    /// The revision that it is staged against.
    pub base: Revision,
    /// Increases by one with every change of it; also its ETag.
    pub version: i64,
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    pub updated_at: OffsetDateTime,
    /// Objects that it stages.
    pub counts: ChangeCounts,
    /// Committed: the revision it became, or the one that was the newest when it changed nothing. Refused: the revision it was.
    #[schema(required)]
    pub revision: Option<Revision>,
    /// Of one that was refused: why. Stays while it is mended, until it is committed.
    #[schema(required)]
    pub refusal: Option<Refusal>,
}
