//! How a command fails: by something the caller can mend, or by an error of ours.

/// See the module. `?` on an `anyhow::Error` makes an internal one.
#[derive(Debug)]
pub enum Failure {
    User {
        message: String,
        hints: Vec<String>,
    },
    Internal(anyhow::Error),
    /// It waits for the yes of somebody else.
    Waits {
        message: String,
        hints: Vec<String>,
    },
    /// A signal stopped it; what is left to know.
    Interrupted(String),
}

impl Failure {
    pub fn user(message: impl Into<String>) -> Self {
        Self::User { message: message.into(), hints: Vec::new() }
    }

    /// Adds what to do about it; an internal error has no such words.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        if let Self::User { hints, .. } | Self::Waits { hints, .. } = &mut self {
            hints.push(hint.into());
        }
        self
    }

    pub fn exit_code(&self) -> u8 {
        match self {
            Self::User { .. } => 1,
            Self::Internal(_) => 2,
            Self::Waits { .. } => 3,
            // As shells tell it of a program that SIGINT ended.
            Self::Interrupted(_) => 130,
        }
    }

    /// For commands whose 2 means something else: `plan` says so that there are changes.
    pub fn exit_code_of_pipelines(&self) -> u8 {
        match self {
            Self::Internal(_) => 1,
            other => other.exit_code(),
        }
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::Internal(error)
    }
}
