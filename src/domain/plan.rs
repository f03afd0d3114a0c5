//! Plans: what committing would do, with the engines' own answers.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

use super::deployment::Lane;
use super::diff::{Conflict, Diff};
use super::{FieldError, Finding, Name, Revision};

/// What a plan is of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum PlanSource {
    ChangeSet {
        id: Uuid,
    },
    /// What a revision did to the one before it.
    Revision {
        revision: Revision,
    },
    /// What going back to a revision would do; whole, or of some objects (`policies/shop`).
    Rollback {
        revision: Revision,
        objects: Vec<String>,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FileChange {
    Added,
    Changed,
    Removed,
}

/// A rendered file that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FileDiff {
    /// As a node has it: `haproxy.cfg`, `rows.map`.
    pub path: String,
    pub change: FileChange,
    /// Lines added and removed, also those that `diff` leaves out.
    pub added: usize,
    pub removed: usize,
    /// Unified diff with three lines of context, at most 64 KiB.
    pub diff: String,
    /// Whether `diff` ends early.
    pub truncated: bool,
}

/// Vhosts whose treatment of requests changes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AffectedVhosts {
    pub total: usize,
    /// At most 100, in the order of their names.
    pub names: Vec<Name>,
}

impl AffectedVhosts {
    pub fn of(names: &BTreeSet<Name>) -> Self {
        Self { total: names.len(), names: names.iter().take(100).cloned().collect() }
    }
}

/// A lane that is needed, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LaneReason {
    pub lane: Lane,
    /// For people: `2 rule sets are new`, `the backend of vhost shop changes`.
    pub reason: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum EngineAnswer {
    Accepted,
    Refused,
    /// Nobody could be asked.
    Away,
    /// Nothing of the change is for this engine.
    NotAsked,
}

/// What an engine said about what the change touches.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EngineVerdict {
    /// `coraza` or `haproxy`.
    pub engine: String,
    pub answer: EngineAnswer,
    /// Its own words, where it had any.
    pub said: String,
}

/// What bringing it costs a node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Cost {
    /// Applications that guard-spoa loads beside those it has.
    pub rulesets_to_load: usize,
    /// Bytes that they take while both are there: an estimate of 3.4 MB each.
    pub memory_bytes: u64,
    /// Milliseconds of loading them, one after another: an estimate of 35 ms each.
    pub warm_up_ms: u64,
    /// Map entries that change.
    pub map_entries: usize,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RiskClass {
    #[default]
    Low,
    Medium,
    High,
}

/// Why a change is risky.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RiskReason {
    pub class: RiskClass,
    /// Stable: `mode_lowered`, `paranoia_lowered`, `threshold_raised`, `trust_widened`, `wide_exclusion`, `wide_deny`, `locks_out_caller`,
    /// `inspection_reduced`, `vhost_removed`, `rule_removed`; new ones may come.
    pub code: String,
    /// From the root: `/policies/shop/mode`.
    pub pointer: String,
    pub message: String,
}

/// The highest class of its reasons.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Risk {
    pub class: RiskClass,
    /// At most 200, the highest class first.
    pub reasons: Vec<RiskReason>,
}

/// Whether a second person must say yes first, and why.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ApprovalNeeded {
    pub required: bool,
    /// The protected vhosts that are touched, as they were or as they are to be: themselves, or by a policy or IP list that they use.
    pub vhosts: AffectedVhosts,
}

/// What committing would do. Made once, and kept; `commit` refuses a `plan_digest` that is no longer what a plan made then would have.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Plan {
    pub id: Uuid,
    /// SHA-256 in hex over what would be changed, in what, with which effects; not over revision numbers and times: what somebody else
    /// commits elsewhere meanwhile leaves it as it is.
    pub digest: String,
    pub source: PlanSource,
    pub author: String,
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// The revision that was the newest: what it was planned on.
    pub head: Revision,
    /// What differs. Nothing differs: committing makes no revision.
    pub diff: Diff,
    /// Empty unless the change set must be rebased: `commit` would answer 409 with these.
    pub conflicts: Vec<Conflict>,
    /// Why `commit` would refuse it, with pointers from the root (`/policies/shop/custom_rules/0`); empty where it would not.
    pub errors: Vec<FieldError>,
    /// What validation noticed; pointers from the root.
    pub findings: Vec<Finding>,
    pub engines: Vec<EngineVerdict>,
    pub files: Vec<FileDiff>,
    pub vhosts: AffectedVhosts,
    pub lanes: Vec<LaneReason>,
    pub cost: Cost,
    pub risk: Risk,
    #[serde(default)]
    #[schema(required)]
    pub approval: ApprovalNeeded,
}
