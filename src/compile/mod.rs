//! Snapshot -> desired state of the data plane. Pure: the same snapshot, settings and time give the same result.
//!
//! What can differ without a new rule set or a reload is in maps ([`MapName`]): which vhost a host is, which row is live, what the row
//! says, what lists say about clients. What SecLang must say is in [`RuleSet`]s, shared by policies that agree. What only a reload can
//! change is in [`Backend`]s. [`ProbeTarget`]s say what must be seen afterwards.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use time::OffsetDateTime;

use crate::domain::snapshot::ListState;
use crate::domain::upstream::{Balance, HealthCheck, Timeouts};
use crate::domain::{FieldError, Name, Policy, Revision, Snapshot, Vhost};

mod access;
mod custom;
pub mod diff;
mod exclusions;
mod maps;
mod node;
mod probes;
mod rows;
mod rulesets;
pub mod sample;
#[cfg(test)]
mod tests;
mod upstreams;

pub use diff::{MapDiff, diff};
pub use maps::{Map, MapName};
pub use node::NodeSettings;
pub use probes::ProbeTarget;
pub use rulesets::{RuleSet, RuleSetSource, SecLangLine, ruleset_of};
pub use upstreams::check_upstreams;

/// A backend: what HAProxy must be reloaded for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backend {
    /// The vhost's number.
    pub number: u32,
    pub vhost: Name,
    pub balance: Balance,
    pub servers: Vec<crate::domain::Server>,
    pub health_check: Option<HealthCheck>,
    /// The Host header of health checks.
    pub check_host: String,
    pub timeouts: Timeouts,
}

/// The desired state of the data plane for one revision.
#[derive(Clone, Debug)]
pub struct Desired {
    pub revision: Revision,
    pub maps: BTreeMap<MapName, Arc<Map>>,
    pub rulesets: BTreeMap<String, RuleSet>,
    /// By number.
    pub backends: Vec<Backend>,
    /// By vhost.
    pub probes: BTreeMap<Name, ProbeTarget>,
    /// When the next entry or exclusion expires, after `now`.
    pub next_expiry: Option<OffsetDateTime>,
    /// What could not be compiled, with pointers from the root (`/policies/shop/custom_rules/0/seclang`). Empty unless something is stored
    /// that today's validation would refuse; such a state must not be brought to a node.
    pub problems: Vec<FieldError>,
}

/// What the vhosts of a policy have in common.
struct Treatment<'s> {
    policy: &'s Policy,
    revision: Revision,
    ruleset: String,
}

/// What the vhosts of a profile have in common.
struct Listed {
    name: String,
    clients: Vec<(std::net::IpAddr, &'static str)>,
}

/// Compiles a snapshot. It cannot fail: what could be wrong is refused when it is written. What is wrong all the same is left out, closed
/// rather than open (no row is 503, a missing allow list lets nobody in), and said in [`Desired::problems`].
pub fn compile(snapshot: &Snapshot, _node: &NodeSettings, now: OffsetDateTime) -> Desired {
    let mut expiry = Expiry { now, next: None };
    let mut problems = Vec::new();
    let mut redirects = BTreeSet::new();
    let mut rulesets = BTreeMap::new();
    let used: BTreeSet<&Name> = snapshot.vhosts.values().map(|vhost| &vhost.spec.policy).collect();
    let mut treatments: HashMap<&Name, Treatment<'_>> = HashMap::with_capacity(used.len());
    for (name, policy) in used.into_iter().filter_map(|name| snapshot.policies.get_key_value(name)) {
        policy.spec.exclusions.iter().filter(|e| e.enabled).for_each(|exclusion| expiry.see(exclusion.expires_at));
        let built = rulesets::build(&policy.spec, now);
        problems.extend(built.errors.into_iter().map(|mut error| {
            error.pointer = format!("/policies/{name}{}", error.pointer);
            error
        }));
        redirects.extend(built.redirects);
        treatments.insert(name, Treatment { policy: &policy.spec, revision: policy.revision, ruleset: built.ruleset.name.clone() });
        rulesets::add(&mut rulesets, built.ruleset);
    }

    let lists: BTreeMap<u32, &ListState> = snapshot.ip_lists.values().map(|list| (list.list.number, list.as_ref())).collect();
    let mut profiles: BTreeMap<access::Profile, Listed> = BTreeMap::new();
    let mut entries = Map::new();
    let mut out = maps::Maps::with_capacity(snapshot.vhosts.len());
    let mut backends = Vec::with_capacity(snapshot.vhosts.len());
    let mut probes = Vec::with_capacity(snapshot.vhosts.len());
    for (name, versioned) in &snapshot.vhosts {
        let (vhost, number) = (&versioned.spec, versioned.number);
        out.hostnames(vhost, number);
        backends.push(backend(snapshot, vhost, number));
        let Some(treatment) = treatments.get(&vhost.policy) else {
            problems.push(FieldError::new(format!("/vhosts/{name}/policy"), "not_found", format!("there is no policy `{}`", vhost.policy)));
            continue;
        };
        let listed = (!vhost.access.is_empty()).then(|| {
            let profile = profile(snapshot, vhost, &mut problems);
            &*profiles.entry(profile).or_insert_with_key(|profile| {
                let own = profile.entries(&lists, now);
                let clients = probes::clients(profile, &lists, &own, now);
                entries.extend(own);
                Listed { name: profile.name(), clients }
            })
        });
        let revision = versioned.revision.max(treatment.revision);
        let row = rows::row(vhost, treatment.policy, &treatment.ruleset, listed.map(|listed| listed.name.as_str()), revision);
        let generation = if vhost.enabled { rows::generation(&row) } else { "off".to_owned() };
        out.live(number, &generation, vhost.enabled.then_some(row.as_str()));
        let target = ProbeTarget {
            vhost: name.clone(),
            number,
            enabled: vhost.enabled,
            host: probes::host(snapshot, vhost),
            mode: treatment.policy.mode,
            generation,
            row,
            ruleset: treatment.ruleset.clone(),
            clients: listed.map(|listed| listed.clients.clone()).unwrap_or_default(),
        };
        probes.push((name.clone(), target));
    }
    for number in profiles.keys().flat_map(|p| p.deny.iter().chain(&p.allow_only).chain(&p.trust)).collect::<BTreeSet<_>>() {
        lists.get(number).into_iter().flat_map(|list| list.entries.values()).for_each(|entry| expiry.see(entry.expires_at));
    }
    backends.sort_unstable_by_key(|backend| backend.number);
    Desired {
        revision: snapshot.revision,
        maps: out.finish(entries, redirects),
        rulesets,
        backends,
        probes: probes.into_iter().collect(),
        next_expiry: expiry.next,
        problems,
    }
}

fn backend(snapshot: &Snapshot, vhost: &Vhost, number: u32) -> Backend {
    let upstream = &vhost.upstream;
    Backend {
        number,
        vhost: vhost.name.clone(),
        balance: upstream.balance,
        servers: upstream.servers.clone(),
        health_check: upstream.health_check.clone(),
        check_host: probes::check_host(snapshot, vhost),
        timeouts: upstream.timeouts,
    }
}

fn profile(snapshot: &Snapshot, vhost: &Vhost, problems: &mut Vec<FieldError>) -> access::Profile {
    let mut numbers = |field: &str, names: &[Name]| -> Vec<u32> {
        let number = |(index, name): (usize, &Name)| {
            let number = snapshot.ip_lists.get(name).map(|list| list.list.number);
            if number.is_none() {
                let pointer = format!("/vhosts/{}/access/{field}/{index}", vhost.name);
                problems.push(FieldError::new(pointer, "not_found", format!("there is no IP list `{name}`")));
            }
            number
        };
        names.iter().enumerate().filter_map(number).collect()
    };
    let access = &vhost.access;
    let (deny, allow_only, trust) =
        (numbers("deny", &access.deny), numbers("allow_only", &access.allow_only), numbers("trust", &access.trust));
    let nobody = allow_only.is_empty() && !access.allow_only.is_empty();
    access::Profile::new(deny, allow_only, trust, nobody)
}

/// The earliest expiry still to come.
struct Expiry {
    now: OffsetDateTime,
    next: Option<OffsetDateTime>,
}

impl Expiry {
    fn see(&mut self, at: Option<OffsetDateTime>) {
        if let Some(at) = at.filter(|at| *at > self.now) {
            self.next = Some(self.next.map_or(at, |next| next.min(at)));
        }
    }
}
