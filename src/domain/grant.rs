//! What somebody may do: roles bound to scopes, for people; permits, for tokens. Data, decided in one place: `service::authorize`.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::permission::Subject;
use super::vhost::{LabelKey, LabelValue};
use super::{Action, Hostname, Name, Vhost};

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

    fn covers_hostname(&self, hostname: &Hostname) -> bool {
        let under = |rest: &str| hostname.strip_suffix(rest).is_some_and(|front| front.ends_with('.'));
        self.hostnames.iter().any(|pattern| match pattern.wildcard() {
            Some(rest) => under(rest),
            None => pattern == hostname,
        })
    }

    fn covers_hostnames(&self, vhost: &Vhost) -> bool {
        !self.hostnames.is_empty() && !vhost.hostnames.is_empty() && vhost.hostnames.iter().all(|hostname| self.covers_hostname(hostname))
    }

    /// Whether every vhost that `other` covers is covered, whatever vhosts there may come to be.
    pub fn includes(&self, other: &Self) -> bool {
        let labels = other.labels.iter().all(|(key, value)| self.labels.get(key) == Some(value));
        let hostnames = other.hostnames.iter().all(|hostname| self.hostnames.contains(hostname) || self.covers_hostname(hostname));
        self.is_global() || (!other.is_global() && other.vhosts.is_subset(&self.vhosts) && labels && hostnames)
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

/// Some actions on some kinds of things, and where they hold: for pipelines, which need less than any role.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Permit {
    #[schema(min_items = 1)]
    pub actions: BTreeSet<Action>,
    #[schema(min_items = 1)]
    pub kinds: BTreeSet<Subject>,
    #[serde(default)]
    pub scope: Scope,
}

/// All that somebody may do.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Grant {
    pub roles: Vec<RoleBinding>,
    pub permits: Vec<Permit>,
}

impl Grant {
    /// Everything.
    pub fn admin() -> Self {
        Self::global(Role::Admin)
    }

    pub fn global(role: Role) -> Self {
        Self { roles: vec![RoleBinding { role, scope: Scope::default() }], permits: Vec::new() }
    }

    /// Where an action is allowed. What shows or changes everything needs a grant for everything.
    pub fn scopes(&self, action: Action, subject: Subject) -> impl Iterator<Item = &Scope> {
        let roles = self.roles.iter().filter(move |binding| binding.role.may(action, subject)).map(|binding| &binding.scope);
        // A permit gives nothing that an administrator has not.
        let there = subject.row().least(action).is_some();
        let permits =
            self.permits.iter().filter(move |permit| there && permit.actions.contains(&action) && permit.kinds.contains(&subject));
        let reaches = move |scope: &&Scope| subject.row().scoped || scope.is_global();
        roles.chain(permits.map(|permit| &permit.scope)).filter(reaches)
    }

    /// Whether it is allowed at all: somewhere.
    pub fn may(&self, action: Action, subject: Subject) -> bool {
        self.scopes(action, subject).next().is_some()
    }

    pub fn everywhere(&self, action: Action, subject: Subject) -> bool {
        self.scopes(action, subject).any(Scope::is_global)
    }

    pub fn on(&self, action: Action, subject: Subject, vhost: &Vhost) -> bool {
        self.scopes(action, subject).any(|scope| scope.covers(vhost))
    }

    /// Whether a role holds everywhere, or one that includes it.
    pub fn has_global(&self, role: Role) -> bool {
        self.roles.iter().any(|binding| binding.role >= role && binding.scope.is_global())
    }

    /// The keys of labels that its scopes name.
    pub fn labels(&self) -> impl Iterator<Item = &LabelKey> {
        let scopes = self.roles.iter().map(|binding| &binding.scope).chain(self.permits.iter().map(|permit| &permit.scope));
        scopes.flat_map(|scope| scope.labels.keys())
    }

    /// Whether it allows all that `other` allows: nobody gives what they have not.
    pub fn includes(&self, other: &Self) -> bool {
        Subject::ALL.iter().all(|subject| {
            Action::ALL.iter().all(|action| {
                other.scopes(*action, *subject).all(|wanted| self.scopes(*action, *subject).any(|held| held.includes(wanted)))
            })
        })
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

    fn grant(value: serde_json::Value) -> Grant {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn nobody_gives_what_they_have_not() {
        let all = ["read", "create", "update", "delete"];
        let editor = grant(json!({"roles": [{"role": "editor", "scope": {"vhosts": ["a", "b"], "hostnames": ["*.example.com"]}}]}));
        let within = |other| editor.includes(&grant(other));
        assert!(within(json!({"roles": [{"role": "viewer", "scope": {"vhosts": ["a"]}}]})));
        assert!(within(json!({"permits": [{"actions": all, "kinds": ["exclusion"], "scope": {"hostnames": ["*.www.example.com"]}}]})));
        assert!(!within(json!({"roles": [{"role": "viewer"}]})), "everything is more than some");
        assert!(!within(json!({"roles": [{"role": "viewer", "scope": {"vhosts": ["a", "c"]}}]})));
        assert!(!within(json!({"roles": [{"role": "viewer", "scope": {"hostnames": ["*.example.org"]}}]})));
        assert!(!within(json!({"roles": [{"role": "viewer", "scope": {"labels": {"team": "web"}}}]})));
        assert!(Grant::admin().includes(&editor) && Grant::admin().includes(&Grant::admin()) && !editor.includes(&Grant::admin()));
        assert!(!Grant::global(Role::Editor).includes(&Grant::admin()));
    }

    #[test]
    fn what_shows_everything_needs_a_grant_for_everything() {
        let scoped = grant(json!({"roles": [{"role": "admin", "scope": {"vhosts": ["a"]}}]}));
        assert!(scoped.may(Action::Delete, Subject::Vhost) && !scoped.everywhere(Action::Read, Subject::Vhost));
        for subject in [Subject::Token, Subject::User, Subject::File, Subject::Metrics, Subject::Session] {
            assert!(!scoped.may(Action::Read, subject) && Grant::admin().may(Action::Read, subject), "{subject:?}");
        }
        assert!(scoped.may(Action::Read, Subject::Audit) && !scoped.everywhere(Action::Read, Subject::Audit), "some of it");
        let odd = grant(json!({"permits": [{"actions": ["delete"], "kinds": ["revision"]}]}));
        assert!(!odd.may(Action::Delete, Subject::Revision), "nobody may");
    }
}
