//! The one error of everything below the API: it knows no transport. `api::problem` maps it to HTTP, as the last step.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::change_set::ChangeSet;
use super::diff::Conflict;
use super::{Kind, Name};

/// One fault in what a caller sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FieldError {
    /// JSON pointer (RFC 6901) into the resulting resource; empty for the whole.
    pub pointer: String,
    /// Stable, snake_case: what kind of fault.
    pub code: String,
    /// For people: what is wrong, and what to do.
    pub detail: String,
    /// 1-based line and column inside the value, where the value is a text of its own (SecLang).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<u32>,
}

impl FieldError {
    pub fn new(pointer: impl Into<String>, code: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), code: code.into(), detail: detail.into(), line: None, column: None }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("there is no {kind} `{name}`")]
    NotFound { kind: &'static str, name: String },
    #[error("{} field(s) are wrong", .0.len())]
    Invalid(Vec<FieldError>),
    /// An engine said no to the content; `said` is its own words, bounded.
    #[error("an engine refused the change")]
    EngineRefused { engine: &'static str, said: String, errors: Vec<FieldError> },
    /// `?wait=live` and the deployment of the revision was refused.
    #[error("revision {revision} was refused: {said}")]
    RevisionRefused { revision: i64, deployment: uuid::Uuid, said: String, errors: Vec<FieldError> },
    /// If-Match did not name the current version; `current` is its representation.
    #[error("the object has changed since it was read")]
    Stale { current: Option<Box<serde_json::Value>>, etag: Option<i64> },
    #[error("If-Match is required to change what exists")]
    PreconditionRequired,
    #[error("{kind} `{name}` exists already")]
    AlreadyExists { kind: Kind, name: Name },
    #[error("{kind} `{name}` is used by {}", crate::domain::name::enumerate(.by, 20))]
    InUse { kind: Kind, name: Name, by: Vec<Name> },
    /// It was there, and is kept no more.
    #[error("{0}")]
    Gone(String),
    #[error("a valid credential is required")]
    Unauthenticated,
    /// Whatever of e-mail address, password and code was wrong: the words never tell which.
    #[error("e-mail address, password or code is wrong")]
    SignInFailed,
    /// The password is right; a code is wanted beside it.
    #[error("a code of the authenticator is wanted: send it as `totp`")]
    TotpRequired,
    /// Slow down.
    #[error("{what}: try again in {retry_after_s} s")]
    TooMany { what: String, retry_after_s: u32 },
    #[error("this credential may not do that")]
    Forbidden,
    #[error("{0}")]
    Conflict(String),
    /// What a change set holds was changed since its base.
    #[error("{} object(s) or element(s) were changed by somebody else, too: look at `conflicts`, mend the change set and rebase it", .0.len())]
    MergeConflict(Vec<Conflict>),
    /// The plan that somebody said yes to is no longer what would happen.
    #[error("what committing would do is no longer what the plan said: make a new plan and look at it")]
    PlanChanged,
    /// The change set is one's own: somebody else must say yes.
    #[error("you had a part in this change, or the token that made it is yours: somebody else must approve it")]
    OwnChange,
    /// No failure, and not done yet: it touches a protected vhost, and waits for the yes of a second person as this change set.
    #[error("it touches a protected vhost and awaits approval as change set {}", .0.id)]
    AwaitingApproval(Box<ChangeSet>),
    /// Something this needs is away (database, engine); trying again may help.
    #[error("{0}")]
    Unavailable(String),
    /// Ours. The text is for the log alone.
    #[error("internal: {0}")]
    Internal(String),
}

impl Error {
    pub fn invalid(pointer: impl Into<String>, code: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::Invalid(vec![FieldError::new(pointer, code, detail)])
    }

    pub fn internal(context: impl std::fmt::Display) -> Self {
        Self::Internal(context.to_string())
    }
}

pub type Result<T, E = Error> = std::result::Result<T, E>;
