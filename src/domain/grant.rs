//! What somebody may do: roles bound to scopes, for people; permits, for tokens. Data, decided in one place: `service::authorize`.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::vhost::{LabelKey, LabelValue};
use super::{Hostname, Name, Vhost};

/// What a person is allowed by; each includes the ones before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Reads configuration, revisions, deployments, status.
    Viewer,
    /// Also entries of IP lists, retrying and rolling back.
    Operator,
    /// Also vhosts, policies, IP lists and change sets.
    Editor,
    /// Also people, tokens and settings.
    Admin,
}

impl Role {
    pub const ALL: [Self; 4] = [Self::Viewer, Self::Operator, Self::Editor, Self::Admin];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Editor => "editor",
            Self::Admin => "admin",
        }
    }
}

/// Which vhosts something is about. A vhost is in it by any one of these; with none of them, all are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Scope {
    /// Names of vhosts.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub vhosts: BTreeSet<Name>,
    /// Labels, each with the value that it must have.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<LabelKey, LabelValue>,
    /// Hostnames that all of the vhost's must be among; `*.example.com` stands for everything under it.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub hostnames: BTreeSet<Hostname>,
}

impl Scope {
    /// Whether it is about everything there is.
    pub fn is_global(&self) -> bool {
        self.vhosts.is_empty() && self.labels.is_empty() && self.hostnames.is_empty()
    }

    pub fn covers(&self, vhost: &Vhost) -> bool {
        let named = self.vhosts.contains(&vhost.name);
        let labelled = self.labels.iter().any(|(key, value)| vhost.labels.get(key) == Some(value));
        self.is_global() || named || labelled || self.covers_hostnames(vhost)
    }

    fn covers_hostnames(&self, vhost: &Vhost) -> bool {
        let under = |hostname: &str, rest: &str| hostname.strip_suffix(rest).is_some_and(|front| front.ends_with('.'));
        let covered = |hostname: &Hostname| {
            self.hostnames.iter().any(|pattern| match pattern.wildcard() {
                Some(rest) => under(hostname, rest),
                None => pattern == hostname,
            })
        };
        !self.hostnames.is_empty() && !vhost.hostnames.is_empty() && vhost.hostnames.iter().all(covered)
    }
}

/// A role, and where it holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RoleBinding {
    pub role: Role,
    #[serde(default)]
    pub scope: Scope,
}

/// All that somebody may do.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    pub roles: Vec<RoleBinding>,
}

impl Grant {
    /// Everything.
    pub fn admin() -> Self {
        Self { roles: vec![RoleBinding { role: Role::Admin, scope: Scope::default() }] }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_vhost_is_in_scope_by_name_label_or_all_of_its_hostnames() {
        let vhost: Vhost = serde_json::from_value(json!({
            "name": "shop", "hostnames": ["shop.example.com", "*.shop.example.com"], "policy": "p", "labels": {"team": "web"},
            "upstream": {"servers": [{"address": "192.0.2.1", "port": 80}]},
        }))
        .unwrap();
        let covers = |scope| serde_json::from_value::<Scope>(scope).unwrap().covers(&vhost);
        assert!(covers(json!({})));
        assert!(covers(json!({"vhosts": ["shop"]})) && !covers(json!({"vhosts": ["sho"]})));
        assert!(covers(json!({"labels": {"team": "web"}})) && !covers(json!({"labels": {"team": "ops"}})));
        assert!(
            covers(json!({"hostnames": ["*.example.com"]})) && covers(json!({"hostnames": ["shop.example.com", "*.shop.example.com"]}))
        );
        assert!(!covers(json!({"hostnames": ["shop.example.com"]})), "one of its hostnames is another's");
        assert!(!covers(json!({"hostnames": ["*.ample.com"]})) && !covers(json!({"hostnames": ["*.shop.example.com"]})));
        assert!(covers(json!({"vhosts": ["other"], "labels": {"team": "web"}})), "any one of them is enough");
    }
}
