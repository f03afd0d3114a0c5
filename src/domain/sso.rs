//! People who come by single sign-on: who they are to their provider, and what its groups may do here.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::name::text_newtype;
use super::vhost::LabelKey;
use super::{Role, RoleBinding, Scope};

text_newtype! {
    /// The `sub` by which a provider knows a person: never another's, as an e-mail address may be one day. Exactly as it is said.
    SsoSubject, |text| {
        let visible = text.bytes().all(|b| b.is_ascii_graphic() || b == b' ');
        if (1..=255).contains(&text.len()) && visible { Ok(text.to_owned()) } else {
            Err("a subject is 1 to 255 visible characters of ASCII".to_owned())
        }
    },
    #[schema(min_length = 1, max_length = 255, example = "248289761001")]
}

/// Whom a provider means: a subject says nothing without its issuer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SsoIdentity {
    pub issuer: String,
    pub subject: SsoSubject,
}

/// Where a person comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// By a password of this server.
    #[default]
    Local,
    /// By the provider: without a password, and with the roles of its groups.
    Sso,
}

/// What a group of the provider may do here; a binding as people have them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupRole {
    /// Exactly as the provider says it.
    pub group: String,
    pub role: Role,
    #[serde(default)]
    pub scope: Scope,
}

impl GroupRole {
    /// The bindings of somebody's groups, each once, in the order of the mapping.
    pub fn bindings(mapping: &[Self], groups: &BTreeSet<String>) -> Vec<RoleBinding> {
        let mut bindings: Vec<RoleBinding> = Vec::new();
        for one in mapping.iter().filter(|one| groups.contains(&one.group)) {
            let binding = RoleBinding { role: one.role, scope: one.scope.clone() };
            if !bindings.contains(&binding) {
                bindings.push(binding);
            }
        }
        bindings
    }

    /// The keys of labels that the scopes of a mapping name.
    pub fn labels(mapping: &[Self]) -> BTreeSet<LabelKey> {
        mapping.iter().flat_map(|one| one.scope.labels.keys()).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn groups_are_taken_exactly_and_together() {
        let mapping: Vec<GroupRole> = serde_json::from_value(json!([
            {"group": "admins", "role": "admin"},
            {"group": "shop", "role": "editor", "scope": {"vhosts": ["shop"]}},
            {"group": "more", "role": "editor", "scope": {"vhosts": ["shop"]}},
        ]))
        .unwrap();
        let of = |groups: &[&str]| GroupRole::bindings(&mapping, &groups.iter().map(|group| (*group).to_owned()).collect());
        assert_eq!(of(&["more", "shop", "others"]).len(), 1);
        assert_eq!(of(&["shop", "admins"]).iter().map(|one| one.role).collect::<Vec<_>>(), [Role::Admin, Role::Editor]);
        assert!(of(&[]).is_empty() && of(&["Admins", "admins ", "admin"]).is_empty());
        assert!(serde_json::from_value::<GroupRole>(json!({"group": "a", "role": "root"})).is_err());
    }

    #[test]
    fn a_subject_is_visible_and_bounded() {
        assert!(SsoSubject::parse("auth0|5f7c").is_ok() && SsoSubject::parse(&"a".repeat(255)).is_ok());
        for wrong in ["", "a\n", "\u{e9}", "a\0", &"a".repeat(256)] {
            assert!(SsoSubject::parse(wrong).is_err());
        }
    }
}
