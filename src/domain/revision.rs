//! Revisions: immutable, numbered snapshots of the whole intended state.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

use super::diff::ChangeCounts;
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

/// An object by its collection and name: `policies/shop`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "String", into = "String")]
#[schema(value_type = String, pattern = "^(vhosts|policies|ip-lists)/[a-z0-9][a-z0-9-]{0,62}$", example = "policies/shop")]
pub struct ObjectRef((Kind, Name));

impl ObjectRef {
    pub fn new(kind: Kind, name: Name) -> Self {
        Self((kind, name))
    }

    pub fn parse(text: &str) -> Result<Self, String> {
        let parts = text.split_once('/').and_then(|(collection, name)| Some((Kind::of_collection(collection)?, name)));
        let (kind, name) = parts.ok_or("an object is named `vhosts/NAME`, `policies/NAME` or `ip-lists/NAME`")?;
        Ok(Self((kind, Name::parse(name)?)))
    }

    pub fn into_parts(self) -> (Kind, Name) {
        self.0
    }
}

impl TryFrom<String> for ObjectRef {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text)
    }
}

impl std::str::FromStr for ObjectRef {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        Self::parse(text)
    }
}

impl std::fmt::Display for ObjectRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.0.0.collection(), self.0.1)
    }
}

impl From<ObjectRef> for String {
    fn from(object: ObjectRef) -> Self {
        object.to_string()
    }
}

/// How a revision came to be.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Origin {
    /// One write of an object.
    #[default]
    Write,
    /// A change set was committed.
    ChangeSet {
        id: Uuid,
        /// The second person, where a protected vhost wanted one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        approved_by: Option<String>,
    },
    /// Went back to what was at an earlier revision.
    Rollback {
        revision: Revision,
        /// The second person, where a protected vhost wanted one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        approved_by: Option<String>,
    },
    /// The system took back what an engine refused: the objects of these revisions are as they were last live.
    TakeBack { revisions: Vec<Revision>, deployment: Uuid },
}

impl Origin {
    /// The second person, where one was wanted.
    pub fn approved_by(&self) -> Option<&str> {
        match self {
            Self::ChangeSet { approved_by, .. } | Self::Rollback { approved_by, .. } => approved_by.as_deref(),
            Self::Write | Self::TakeBack { .. } => None,
        }
    }

    /// The revisions that it takes back, if that is what it does.
    pub fn taken_back(&self) -> Option<&[Revision]> {
        match self {
            Self::TakeBack { revisions, .. } => Some(revisions),
            Self::Write | Self::ChangeSet { .. } | Self::Rollback { .. } => None,
        }
    }
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
    pub origin: Origin,
    pub counts: ChangeCounts,
    /// Lists and streams show the first 100 of them.
    pub changes: Vec<ObjectChange>,
}
