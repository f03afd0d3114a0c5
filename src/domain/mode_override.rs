//! Emergency mode: the break-glass. A vhost is in another mode for a while, whatever its policies say, without a revision and without approval.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};
use utoipa::ToSchema;
use uuid::Uuid;

use super::error::{Error, FieldError, Result};
use super::{Mode, Name};

/// How long it may last at most.
pub const MOST: Duration = Duration::hours(24);
/// Characters of a reason, at most.
const REASON: usize = 500;

/// What is asked for.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewModeOverride {
    pub mode: Mode,
    /// After now, and within 24 hours. Then the vhost is again as it is configured, by itself.
    #[serde(with = "time::serde::rfc3339")]
    pub until: OffsetDateTime,
    /// Why: 1 to 500 characters of one line. It is in the log and in the audit log.
    #[schema(min_length = 1, max_length = 500)]
    pub reason: String,
}

impl NewModeOverride {
    pub fn check(&self, now: OffsetDateTime) -> Result<()> {
        let mut errors = Vec::new();
        if self.until <= now || self.until > now + MOST {
            errors.push(FieldError::new("/until", "out_of_range", "an emergency mode ends after now, and within 24 hours"));
        }
        let reason = self.reason.trim();
        if reason.is_empty() || self.reason.chars().count() > REASON || self.reason.chars().any(char::is_control) {
            errors.push(FieldError::new("/reason", "invalid_value", format!("say why, in one line of 1 to {REASON} characters")));
        }
        if errors.is_empty() { Ok(()) } else { Err(Error::Invalid(errors)) }
    }
}

/// One that was asked for; over when its time is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ModeOverride {
    pub vhost: Name,
    /// Of the vhost: one that is created anew by the same name has none.
    #[serde(skip)]
    #[schema(ignore)]
    pub vhost_id: Uuid,
    pub mode: Mode,
    #[serde(with = "time::serde::rfc3339")]
    pub until: OffsetDateTime,
    pub reason: String,
    /// The principal who asked for it.
    pub author: String,
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
}

impl ModeOverride {
    /// Whether the vhost with this id is in it now.
    pub fn in_force(&self, vhost: Uuid, now: OffsetDateTime) -> bool {
        self.vhost_id == vhost && self.until > now
    }
}

/// By vhost, also those whose time is over.
pub type ModeOverrides = BTreeMap<Name, ModeOverride>;
