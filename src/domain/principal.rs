//! Who acts, and what acting is.

use serde::{Deserialize, Serialize};

/// Who is behind a call: today a token or the system itself; roles and scopes will come as data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Principal {
    Token { id: uuid::Uuid, name: String },
    System,
}

impl Principal {
    /// As authors and audit rows show it.
    pub fn label(&self) -> String {
        match self {
            Self::Token { name, .. } => format!("token:{name}"),
            Self::System => "system".to_owned(),
        }
    }

    /// By what limits and keys are counted: an id where there is one, since names of tokens may be used again.
    pub fn identity(&self) -> String {
        match self {
            Self::Token { id, .. } => id.to_string(),
            Self::System => self.label(),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    Read,
    Create,
    Update,
    Delete,
}

impl Action {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
        }
    }
}
