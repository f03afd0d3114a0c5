//! Roles, and where they hold, as command lines say them.

use std::collections::BTreeMap;

use serde_json::Value;

use super::failure::Failure;
use crate::domain::vhost::{LabelKey, LabelValue};
use crate::domain::{Hostname, Name, Role, RoleBinding, Scope};

/// Which vhosts it is about; without any of these, all.
#[derive(Debug, clap::Args)]
pub struct Where {
    /// Only for this vhost; may be repeated. A vhost is in scope by its name, a label or its hostnames
    #[arg(long = "vhost", value_name = "VHOST")]
    vhosts: Vec<Name>,
    /// Only for vhosts with this label, as team=web; may be repeated
    #[arg(long = "label", value_name = "KEY=VALUE", value_parser = label)]
    labels: Vec<(LabelKey, LabelValue)>,
    /// Only for vhosts whose hostnames are all among these, as *.example.com; may be repeated
    #[arg(long = "hostname", value_name = "HOSTNAME")]
    hostnames: Vec<Hostname>,
}

impl Where {
    pub fn scope(self) -> Result<Scope, Failure> {
        let labels: BTreeMap<_, _> = self.labels.iter().cloned().collect();
        if labels.len() < self.labels.len() {
            return Err(Failure::user("a label has one value in a scope")
                .hint("let the vhosts have another label, or name them with --vhost or --hostname"));
        }
        Ok(Scope { vhosts: self.vhosts.into_iter().collect(), labels, hostnames: self.hostnames.into_iter().collect() })
    }
}

/// Each of these roles there.
pub fn bindings(roles: Vec<Role>, scope: &Scope) -> Vec<RoleBinding> {
    roles.into_iter().map(|role| RoleBinding { role, scope: scope.clone() }).collect()
}

/// A value as the API writes it.
pub fn word<T: serde::de::DeserializeOwned>(text: &str, what: &str) -> Result<T, String> {
    serde_json::from_value(Value::from(text.trim())).map_err(|_| format!("`{text}` is no {what}"))
}

pub fn role(text: &str) -> Result<Role, String> {
    word(text, "role: viewer, operator, editor or admin")
}

fn label(text: &str) -> Result<(LabelKey, LabelValue), String> {
    let (key, value) = text.split_once('=').ok_or("a label is KEY=VALUE")?;
    Ok((key.parse()?, value.parse()?))
}
