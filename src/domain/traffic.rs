//! What becomes of clients' requests, in numbers.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;

/// Requests of clients, by what became of them; probes are none. What is refused before it is inspected (by access lists, rate limits, sizes,
/// framing, unknown hosts), or because no agent can be asked, is in none of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TrafficCounts {
    /// Went on to the upstream, inspected or not.
    pub forwarded: u32,
    /// Of these, those answered with 500 to 599: by a server, or by HAProxy where no server could.
    pub server_errors: u32,
    /// Got a verdict from guard-spoa.
    pub inspected: u32,
    /// Of these, those refused by it, in mode `block`.
    pub blocked: u32,
    /// Of these, those that `block` would have refused, and `detect` let pass.
    pub detected: u32,
    /// Got an answer without a verdict from guard-spoa: it had no turn in time, or failed. What it turned away unread is not in it.
    pub failed: u32,
}

impl TrafficCounts {
    fn with(self, other: Self, count: impl Fn(u32, u32) -> u32) -> Self {
        Self {
            forwarded: count(self.forwarded, other.forwarded),
            server_errors: count(self.server_errors, other.server_errors),
            inspected: count(self.inspected, other.inspected),
            blocked: count(self.blocked, other.blocked),
            detected: count(self.detected, other.detected),
            failed: count(self.failed, other.failed),
        }
    }

    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        self.with(other, u32::saturating_add)
    }

    /// What a counter has gained. One that is lower than it was has begun anew, or has wrapped around.
    #[must_use]
    pub fn since(self, before: Self) -> Self {
        self.with(before, |now, before| now.checked_sub(before).unwrap_or(now))
    }
}

/// A minute of traffic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TrafficPoint {
    /// When the minute began.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    #[serde(flatten)]
    pub counts: TrafficCounts,
}
