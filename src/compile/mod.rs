//! Snapshot -> desired state of the data plane. Pure: the same snapshot, settings and time give the same result.
//!
//! What can differ without a new rule set or a reload is in maps ([`MapName`]): which vhost a host is, which row is live, what the row
//! says, what lists say about clients. What SecLang must say is in [`RuleSet`]s, shared by policies that agree. What only a reload can
//! change is in [`Backend`]s. [`ProbeTarget`]s say what must be seen afterwards.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use time::OffsetDateTime;

use crate::domain::snapshot::ListState;
use crate::domain::upstream::{Balance, HealthCheck, Timeouts};
use crate::domain::{FieldError, Name, Revision, Snapshot, Vhost};

mod access;
mod custom;
pub mod diff;
mod exclusions;
mod maps;
mod node;
mod places;
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
pub use places::{strict_ruleset_of, strict_rulesets};
pub use probes::{PlaceTarget, ProbeTarget};
pub use rows::client_ip_flag;
pub use rulesets::{RuleSet, RuleSetSource, SecLangLine, ruleset_of};
pub use upstreams::check_upstreams;

use places::Treatment;
use rows::Shared;

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
    /// When the next entry, exclusion or emergency mode expires, after `now`.
    pub next_expiry: Option<OffsetDateTime>,
    /// What could not be compiled, with pointers from the root (`/policies/shop/custom_rules/0/seclang`). Empty unless something is stored
    /// that today's validation would refuse; such a state must not be brought to a node.
    pub problems: Vec<FieldError>,
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
    let used: BTreeSet<&Name> = snapshot.vhosts.values().flat_map(|vhost| vhost.spec.policies().map(|(_, name)| name)).collect();
    let mut treatments: BTreeMap<&Name, Treatment> = BTreeMap::new();
    for (name, policy) in used.into_iter().filter_map(|name| snapshot.policies.get_key_value(name)) {
        policy.spec.exclusions.iter().filter(|e| e.enabled).for_each(|exclusion| expiry.see(exclusion.expires_at));
        let built = rulesets::build(&policy.spec, now);
        problems.extend(built.errors.into_iter().map(|mut error| {
            error.pointer = format!("/policies/{name}{}", error.pointer);
            error
        }));
        redirects.extend(built.redirects);
        treatments.insert(name, Treatment::new(&policy.spec, &built.ruleset.name));
        problems.extend(rulesets::add(&mut rulesets, built.ruleset));
    }

    let lists: BTreeMap<u32, &ListState> = snapshot.ip_lists.values().map(|list| (list.list.number, list.as_ref())).collect();
    let mut strict = Strict::new(snapshot, now);
    let mut profiles: BTreeMap<access::Profile, Listed> = BTreeMap::new();
    let mut proxies: BTreeMap<String, Map> = BTreeMap::new();
    let mut entries = Map::new();
    let mut out = maps::Maps::with_capacity(snapshot.vhosts.len());
    let mut backends = Vec::with_capacity(snapshot.vhosts.len());
    let mut probes = Vec::with_capacity(snapshot.vhosts.len());
    for (name, versioned) in &snapshot.vhosts {
        let (vhost, number) = (&versioned.spec, versioned.number);
        out.hostnames(vhost, number);
        backends.push(backend(snapshot, vhost, number));
        for (pointer, policy) in vhost.policies().filter(|(_, policy)| !treatments.contains_key(policy)) {
            problems.push(FieldError::new(format!("/vhosts/{name}{pointer}"), "not_found", format!("there is no policy `{policy}`")));
        }
        let Some(mut places) = places::places(vhost, &treatments, strict.ruleset(vhost, &treatments, &mut rulesets).as_deref()) else {
            continue;
        };
        let emergency = snapshot.overrides.get(name).filter(|one| one.in_force(versioned.id, now));
        if let Some(emergency) = emergency {
            expiry.see(Some(emergency.until));
            places.iter_mut().for_each(|place| place.treatment.mode = emergency.mode);
        }
        let listed = (!vhost.access.is_empty()).then(|| {
            let profile = profile(snapshot, vhost, &mut problems);
            &*profiles.entry(profile).or_insert_with_key(|profile| {
                let own = profile.entries(&lists, now);
                let clients = probes::clients(profile, &lists, &own, now);
                entries.extend(own);
                Listed { name: profile.name(), clients }
            })
        });
        let trusted = &vhost.client_ip.trusted_proxies;
        let proxied = (!trusted.is_empty()).then(|| {
            let (name, own) = access::proxies(trusted);
            proxies.entry(name.clone()).or_insert(own);
            name
        });
        let shared = Shared {
            vhost,
            profile: listed.map(|listed| listed.name.as_str()),
            proxies: proxied.as_deref(),
            revision: vhost
                .policies()
                .filter_map(|(_, policy)| snapshot.policies.get(policy))
                .map(|policy| policy.revision)
                .fold(versioned.revision, Revision::max),
        };
        let rows: Vec<(String, String)> = places.iter().map(|place| (place.key.clone(), shared.row(place))).collect();
        let generation =
            if vhost.enabled { rows::generation(rows.iter().map(|(k, r)| (k.as_str(), r.as_str()))) } else { "off".to_owned() };
        out.live(number, &generation);
        if vhost.enabled {
            out.rows(number, &generation, &rows, rows::looks_at_paths(vhost));
        }
        let host = probes::host(snapshot, vhost);
        let clients = listed.map(|listed| listed.clients.clone()).unwrap_or_default();
        probes.push((name.clone(), probes::target(versioned, host, generation, &places, rows, clients)));
    }
    entries.extend(proxies.into_values().flatten());
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

/// Strict rule sets of sites with paths, each combination of policies made once.
struct Strict<'s> {
    snapshot: &'s Snapshot,
    now: OffsetDateTime,
    made: BTreeMap<Vec<&'s Name>, String>,
}

impl<'s> Strict<'s> {
    fn new(snapshot: &'s Snapshot, now: OffsetDateTime) -> Self {
        Self { snapshot, now, made: BTreeMap::new() }
    }

    /// The name of the strict rule set of a site with paths; one that is made anew is added to `rulesets`. What is wrong in it was said of the
    /// policies it is merged from.
    fn ruleset(
        &mut self,
        vhost: &Vhost,
        treatments: &BTreeMap<&Name, Treatment>,
        rulesets: &mut BTreeMap<String, RuleSet>,
    ) -> Option<String> {
        let policies = places::strict_policies(self.snapshot, vhost);
        match policies[..] {
            [] => return None,
            [one] => return treatments.get(&one.name).map(|treatment| treatment.ruleset.clone()),
            _ => {}
        }
        let names: Vec<&Name> = policies.iter().map(|policy| &policy.name).collect();
        let made = self.made.entry(names).or_insert_with(|| {
            let ruleset = places::merge(&policies, self.now).ruleset;
            let name = ruleset.name.clone();
            rulesets::add(rulesets, ruleset);
            name
        });
        Some(made.clone())
    }
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
