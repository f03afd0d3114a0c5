//! People who sign in.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

use super::name::text_newtype;
use super::{Role, RoleBinding, Source, Title};

text_newtype! {
    /// An e-mail address, in lower case: by it a person signs in.
    Email, canonical,
    #[schema(max_length = 190, example = "ada@example.com")]
}

/// Bytes at most: as an author, with what stands before it, it fits where authors are kept.
const MOST: usize = 190;

fn canonical(text: &str) -> Result<String, String> {
    let text = text.to_lowercase();
    let (local, domain) = text.rsplit_once('@').unwrap_or_default();
    let visible = |c: char| !c.is_whitespace() && !c.is_control() && !"<>()[]\\,;:\"@".contains(c);
    let domain_ok = domain.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '.')) && !domain.starts_with('.');
    if text.len() > MOST || local.is_empty() || domain.is_empty() || !local.chars().all(visible) || !domain_ok {
        return Err(format!("an e-mail address has a name, an `@` and a domain, and at most {MOST} bytes"));
    }
    Ok(text)
}

/// A person who may sign in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct User {
    pub id: Uuid,
    pub email: Email,
    pub title: Title,
    /// How the person comes.
    #[serde(default)]
    pub source: Source,
    /// What the person may do, all of it together.
    pub roles: Vec<RoleBinding>,
    /// Whether the person is kept out.
    pub disabled: bool,
    /// Whether the person can sign in: one who was invited and has not chosen a password yet cannot.
    pub ready: bool,
    /// Whether a code is asked for at sign-in.
    pub totp: bool,
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    pub updated_at: OffsetDateTime,
}

impl User {
    /// Whether this is somebody who can manage people: the last of them is not taken away. Who comes by single sign-on does not count: the
    /// provider may be away, or give them another group.
    pub fn administers(&self) -> bool {
        let by_password = self.source == Source::Local && self.ready;
        !self.disabled && by_password && self.roles.iter().any(|binding| binding.role == Role::Admin && binding.scope.is_global())
    }
}

/// One sign-in, for as long as it is renewed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Session {
    pub id: Uuid,
    /// As the browser named itself, at most 200 bytes.
    pub user_agent: String,
    /// From where it was last used.
    #[schema(value_type = Option<String>)]
    pub address: Option<std::net::IpAddr>,
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// When it was last renewed.
    #[serde(with = "time::serde::rfc3339")]
    pub used_at: OffsetDateTime,
    /// When it ends, however much it is used.
    #[serde(with = "time::serde::rfc3339")]
    pub expires_at: OffsetDateTime,
    /// Whether it is the one that asks.
    #[serde(default)]
    pub current: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_one_and_in_lower_case() {
        assert_eq!("Ada.Lovelace@Example.COM".parse::<Email>().unwrap().as_str(), "ada.lovelace@example.com");
        for wrong in ["", "a", "@b", "a@", "a b@c", "a@b c", "a@b@c", "a\n@b", "<a>@b", "a@b\0", "a@.b"] {
            assert!(wrong.parse::<Email>().is_err(), "{wrong:?}");
        }
        assert!(format!("{}@b", "a".repeat(189)).parse::<Email>().is_err());
    }
}
