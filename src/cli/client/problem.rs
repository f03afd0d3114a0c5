//! What a server says no with.

use serde::Deserialize;
use uuid::Uuid;

use crate::cli::failure::Failure;
use crate::cli::words::text::clean;
use crate::domain::diff::Conflict;
use crate::domain::{FieldError, Revision};

/// A problem (RFC 9457) of the API. Members that we do not know are ignored: new ones may come.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Problem {
    pub status: u16,
    pub code: String,
    pub detail: String,
    pub errors: Vec<FieldError>,
    pub request_id: String,
    pub said: Option<String>,
    pub deployment: Option<Uuid>,
    pub revision: Option<Revision>,
    pub conflicts: Vec<Conflict>,
}

/// Why there is no good answer.
#[derive(Clone, Debug)]
pub enum Refused {
    Problem(Box<Problem>),
    /// Nobody answered, or the answer broke off: what was asked for may have been done.
    Away {
        url: String,
        why: String,
    },
    /// Something answered that is no Guard Proxy, or not one of this version.
    Odd(String),
    /// A yes that cannot be read.
    Unread(String),
}

impl Refused {
    pub fn problem(&self) -> Option<&Problem> {
        match self {
            Self::Problem(problem) => Some(problem),
            _ => None,
        }
    }

    /// Whether it was done all the same is not known: the answer was lost, or the server failed over it.
    pub fn is_unsure(&self) -> bool {
        match self {
            Self::Problem(problem) => problem.status >= 500,
            Self::Away { .. } | Self::Unread(_) => true,
            Self::Odd(_) => false,
        }
    }

    pub fn code(&self) -> &str {
        self.problem().map_or("", |problem| &problem.code)
    }
}

impl From<Refused> for Failure {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Away { url, why } => Self::user(format!("{} cannot be reached: {}", clean(&url), clean(&why)))
                .hint("is the server up, and `GUARD_PROXY_URL` right?"),
            Refused::Odd(text) | Refused::Unread(text) => Self::user(clean(&text)),
            Refused::Problem(problem) => {
                let mut message = format!("{} [{}]", clean(&problem.detail), clean(&problem.code));
                for error in &problem.errors {
                    message.push_str(&format!("\n  {}: {} [{}]", clean(&error.pointer), clean(&error.detail), clean(&error.code)));
                }
                if let Some(said) = &problem.said {
                    message.push_str(&format!("\n  {}", clean(said)));
                }
                let failure = Self::user(message);
                match problem.status {
                    401 => failure.hint(
                        "the server does not take this token: `GUARD_PROXY_TOKEN`, `--token-file` or the settings file of the command line",
                    ),
                    403 => failure.hint("the token is good, and may not do that"),
                    500.. => failure.hint(format!("the server's log knows more about request {}", clean(&problem.request_id))),
                    _ => failure,
                }
            }
        }
    }
}
