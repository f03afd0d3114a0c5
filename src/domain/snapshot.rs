//! The whole intended state at one revision, in memory: what reads are answered from and what is compiled.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{Entry, Hostname, IpList, Name, Network, Policy, Revision, Vhost};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Vhost,
    Policy,
    IpList,
}

impl Kind {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Vhost => "vhost",
            Self::Policy => "policy",
            Self::IpList => "ip_list",
        }
    }

    /// In paths, and in pointers from the root.
    pub fn collection(self) -> &'static str {
        match self {
            Self::Vhost => "vhosts",
            Self::Policy => "policies",
            Self::IpList => "ip-lists",
        }
    }

    pub fn of_collection(text: &str) -> Option<Self> {
        [Self::Vhost, Self::Policy, Self::IpList].into_iter().find(|kind| kind.collection() == text)
    }
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Vhost => "vhost",
            Self::Policy => "policy",
            Self::IpList => "IP list",
        })
    }
}

/// An object with what the store knows of it.
#[derive(Clone, Debug)]
pub struct Versioned<T> {
    /// Stays inside; audit rows carry it, to tell a recreated object from its predecessor.
    pub id: Uuid,
    /// Small, unique per kind, never used again, 1 to 4294967295: the name of the object inside HAProxy's maps.
    pub number: u32,
    pub spec: T,
    /// The revision that last changed it; also its ETag.
    pub revision: Revision,
    pub created_at: OffsetDateTime,
    pub updated_at: OffsetDateTime,
    /// The revision that last changed an element of a keyed array, by `array/key` (`exclusions/comment-field`,
    /// `custom_rules/190001`, `servers/a`, `paths//api/`).
    pub elements: Arc<BTreeMap<String, Revision>>,
}

/// An IP list with its entries, in the order of their networks.
#[derive(Clone, Debug)]
pub struct ListState {
    pub list: Versioned<IpList>,
    pub entries: Arc<BTreeMap<Network, Entry>>,
}

/// See the module. Cheap to clone where nothing changes: objects are shared.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    pub revision: Revision,
    pub vhosts: BTreeMap<Name, Arc<Versioned<Vhost>>>,
    pub policies: BTreeMap<Name, Arc<Versioned<Policy>>>,
    pub ip_lists: BTreeMap<Name, Arc<ListState>>,
    /// Which vhost has a hostname; kept by `put_vhost` and `remove_vhost`.
    hostnames: BTreeMap<Hostname, Name>,
    /// The protected vhosts; kept by the same.
    protected: BTreeSet<Name>,
}

impl Snapshot {
    pub fn put_vhost(&mut self, vhost: Arc<Versioned<Vhost>>) {
        self.remove_vhost(&vhost.spec.name.clone());
        for hostname in &vhost.spec.hostnames {
            self.hostnames.insert(hostname.clone(), vhost.spec.name.clone());
        }
        if vhost.spec.protected {
            self.protected.insert(vhost.spec.name.clone());
        }
        self.vhosts.insert(vhost.spec.name.clone(), vhost);
    }

    pub fn remove_vhost(&mut self, name: &Name) {
        if let Some(old) = self.vhosts.remove(name) {
            for hostname in &old.spec.hostnames {
                self.hostnames.remove(hostname);
            }
            self.protected.remove(name);
        }
    }

    pub fn vhost_of(&self, hostname: &Hostname) -> Option<&Name> {
        self.hostnames.get(hostname)
    }

    /// The vhosts of which a change wants approval, in the order of their names.
    pub fn protected(&self) -> impl Iterator<Item = &Vhost> {
        self.protected.iter().filter_map(|name| self.vhosts.get(name)).map(|vhost| &vhost.spec)
    }

    /// The vhosts that use a policy, in the order of their names.
    pub fn users_of_policy(&self, policy: &Name) -> Vec<Name> {
        self.vhosts.values().filter(|v| v.spec.policies().any(|(_, name)| name == policy)).map(|v| v.spec.name.clone()).collect()
    }

    /// The vhosts that use an IP list, in the order of their names.
    pub fn users_of_list(&self, list: &Name) -> Vec<Name> {
        self.vhosts.values().filter(|v| v.spec.access.references().any(|(_, name)| name == list)).map(|v| v.spec.name.clone()).collect()
    }
}
