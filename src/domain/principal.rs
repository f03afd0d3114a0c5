//! Who acts, and what acting is.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::Grant;

/// Who is behind a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Principal {
    /// A person who has signed in.
    User {
        id: Uuid,
        email: String,
        session: Uuid,
        grant: Arc<Grant>,
    },
    Token {
        id: Uuid,
        name: String,
        grant: Arc<Grant>,
    },
    System,
}

impl Principal {
    /// As authors and audit rows show it.
    pub fn label(&self) -> String {
        match self {
            Self::User { email, .. } => format!("user:{email}"),
            Self::Token { name, .. } => format!("token:{name}"),
            Self::System => "system".to_owned(),
        }
    }

    /// Of a person or token; they never share one.
    pub fn id(&self) -> Option<Uuid> {
        match self {
            Self::User { id, .. } | Self::Token { id, .. } => Some(*id),
            Self::System => None,
        }
    }

    /// What they may do; None: everything, the system.
    pub fn grant(&self) -> Option<&Arc<Grant>> {
        match self {
            Self::User { grant, .. } | Self::Token { grant, .. } => Some(grant),
            Self::System => None,
        }
    }

    /// By what limits, keys and ownership are counted: an id where there is one, since names may be used again.
    pub fn identity(&self) -> String {
        self.id().map_or_else(|| self.label(), |id| id.to_string())
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    Read,
    Create,
    Update,
    Delete,
}

impl Action {
    pub const ALL: [Self; 4] = [Self::Read, Self::Create, Self::Update, Self::Delete];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
        }
    }
}
