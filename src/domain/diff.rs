//! What differs between two states, object by object and field by field: what people and pipelines read before they say yes.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::revision::ChangeType;
use super::{Kind, Name, Revision};

/// One field that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FieldChange {
    /// JSON pointer into the object. Elements of keyed arrays are named by their key, not by their place: `/custom_rules/190001`,
    /// `/upstream/servers/a/weight`; entries of an IP list `/entries/192.0.2.0~124`.
    pub pointer: String,
    /// Absent: it was not there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub before: Option<serde_json::Value>,
    /// Absent: it is not there any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub after: Option<serde_json::Value>,
    /// For people, one line: `mode: detect → block`.
    pub words: String,
}

/// One object that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ObjectDiff {
    pub kind: Kind,
    pub name: Name,
    pub change: ChangeType,
    /// At most 200. Of an object that is created or deleted, its top-level fields other than the defaults.
    pub fields: Vec<FieldChange>,
    /// Fields beyond those.
    pub fields_left_out: usize,
}

/// How many objects differ.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ChangeCounts {
    pub created: usize,
    pub updated: usize,
    pub deleted: usize,
}

impl ChangeCounts {
    pub fn add(&mut self, change: ChangeType) {
        match change {
            ChangeType::Created => self.created += 1,
            ChangeType::Updated => self.updated += 1,
            ChangeType::Deleted => self.deleted += 1,
        }
    }

    pub fn total(self) -> usize {
        self.created + self.updated + self.deleted
    }
}

/// All that differs, in the order of kinds (policies, IP lists, vhosts) and names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Diff {
    pub counts: ChangeCounts,
    /// At most 500.
    pub changes: Vec<ObjectDiff>,
    /// Objects beyond those; `counts` has them.
    pub left_out: usize,
}

/// Where two wrote the same: what a change set holds was changed since its base by somebody else, too.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Conflict {
    pub kind: Kind,
    pub name: Name,
    /// JSON pointer of the element of a keyed array (`/custom_rules/190001`) or entry (`/entries/192.0.2.0~124`); empty for the object
    /// itself.
    pub element: String,
    /// JSON pointers into the object or element that both changed; where they changed different ones, or one deleted it, all of them.
    pub fields: Vec<String>,
    /// As both found it; null where it was not there.
    #[schema(required, value_type = Option<Object>)]
    pub base: Option<serde_json::Value>,
    /// As the change set has it; null where it deletes it.
    #[schema(required, value_type = Option<Object>)]
    pub yours: Option<serde_json::Value>,
    /// As it is now; null where it was deleted.
    #[schema(required, value_type = Option<Object>)]
    pub theirs: Option<serde_json::Value>,
    /// The newest revision that changed it; 0 where it is not there any more.
    pub theirs_revision: Revision,
}
