//! Change sets: staged writes against a base revision, seen by their author alone until they are committed as one revision, or until somebody
//! else must say yes to them; also what is left of a refused revision.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

use super::diff::ChangeCounts;
use super::{FieldError, Name, Revision};

/// Where a change set is. `committed` and `discarded` are its ends; a `refused` one becomes open again by a rebase, one that awaits approval or
/// has it by any edit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ChangeSetState {
    Open,
    /// It was to be committed, touches a protected vhost, and waits for the yes of a second person.
    AwaitingApproval,
    /// It has that yes, for what it holds and does: to be committed.
    Approved,
    Committed,
    Discarded,
    /// The content of a revision that was committed, refused by an engine or a probe, and taken back.
    Refused,
}

impl ChangeSetState {
    pub const ALL: [Self; 6] = [Self::Open, Self::AwaitingApproval, Self::Approved, Self::Committed, Self::Discarded, Self::Refused];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::AwaitingApproval => "awaiting_approval",
            Self::Approved => "approved",
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

/// What somebody else said of a change set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Decision {
    /// The person who decided.
    pub by: String,
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    pub approved: bool,
    /// Why; empty where nothing was said.
    pub reason: String,
}

/// That a change set touches protected vhosts, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Approval {
    /// The protected vhosts that it touches, as they were or as they are to be; at most 100, in the order of their names.
    pub vhosts: Vec<Name>,
    /// Of the plan that is to be approved, or was: the commit does that and nothing else.
    pub plan_digest: String,
    /// When it began to wait.
    #[serde(with = "time::serde::rfc3339")]
    pub requested_at: OffsetDateTime,
    /// Null while it waits.
    #[schema(required)]
    pub decision: Option<Decision>,
}

impl Approval {
    /// Who approved it, if somebody did.
    pub fn approved_by(&self) -> Option<&str> {
        self.decision.as_ref().filter(|decision| decision.approved).map(|decision| decision.by.as_str())
    }
}

/// A change set as the store keeps it and the API shows it; what it stages is read through it, with `?change_set=`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ChangeSet {
    pub id: Uuid,
    /// The identity of the principal who alone sees it; shown to nobody.
    #[serde(skip)]
    #[schema(ignore)]
    pub owner: String,
    /// Everybody who had a part in it, also the people behind tokens, known since it waits for approval: none of them may approve it.
    #[serde(skip)]
    #[schema(ignore)]
    pub contributors: Vec<Uuid>,
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
    /// Of one that touches protected vhosts, since it was to be committed; null again after an edit.
    #[schema(required)]
    pub approval: Option<Approval>,
    /// Of one that a rollback became, which had to wait for approval: the revision that it goes back to.
    #[schema(required)]
    pub rollback_to: Option<Revision>,
}

impl ChangeSet {
    /// What it holds or is called is another by now: nobody has said yes to that, and it goes back to no revision.
    pub fn edited(&mut self) {
        if matches!(self.state, ChangeSetState::AwaitingApproval | ChangeSetState::Approved) {
            self.state = ChangeSetState::Open;
        }
        (self.approval, self.rollback_to) = (None, None);
    }
}
