//! Places: the parts of a site that are treated alike, each with a row. The whole site is one; `paths` make more; and a site with paths has
//! one more, for paths that origins may read differently.
//!
//! Policies have no order, so of several there is no strictest one: the strict place is made of the strictest that each of them says
//! (data-plane 9.14).

use std::collections::{BTreeMap, BTreeSet};

use time::OffsetDateTime;

use super::custom;
use super::rulesets::{self, Built, RuleSet, RuleSetSource, SecLangLine};
use crate::domain::path::{Body, OnPartial};
use crate::domain::policy::{ContentType, Method, Paranoia, Thresholds};
use crate::domain::rule::{CUSTOM_RULE_IDS, Exclusion, Placement, RuleSelector};
use crate::domain::{FieldError, Mode, Name, Policy, Snapshot, Vhost, VhostPath};

/// How requests are treated, as far as it is the same for every vhost that says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Treatment {
    pub mode: Mode,
    pub paranoia: Paranoia,
    pub thresholds: Thresholds,
    /// The rule set's name.
    pub ruleset: String,
}

impl Treatment {
    pub fn new(policy: &Policy, ruleset: &str) -> Self {
        Self { mode: policy.mode, paranoia: policy.paranoia, thresholds: policy.thresholds, ruleset: ruleset.to_owned() }
    }

    /// The stricter of each part; the rule set is left as it is.
    fn stricter(self, other: &Self) -> Self {
        Self {
            mode: self.mode.max(other.mode),
            paranoia: Paranoia {
                blocking: self.paranoia.blocking.max(other.paranoia.blocking),
                detection: self.paranoia.detection.max(other.paranoia.detection),
            },
            thresholds: Thresholds {
                inbound: self.thresholds.inbound.min(other.thresholds.inbound),
                outbound: self.thresholds.outbound.min(other.thresholds.outbound),
            },
            ruleset: self.ruleset,
        }
    }
}

/// A part of a site.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// Behind `<number>.<generation>` in `rows.map`: `/`, `/api/`, or `!` for ambiguous paths.
    pub key: String,
    pub treatment: Treatment,
    pub body: Body,
    pub websocket: bool,
}

/// The key of the place for ambiguous paths: no path starts so.
pub(super) const STRICT: &str = "!";

/// The parts of a site, the whole of it first, the strict one last; `treatments` by policy. None where the policy of the site is missing; a
/// path whose policy is missing is left out with all that is under it: no row is there to be found, only that of the site.
pub(super) fn places(vhost: &Vhost, treatments: &BTreeMap<&Name, Treatment>, strict: Option<&str>) -> Option<Vec<Place>> {
    let whole =
        Place { key: "/".to_owned(), treatment: treatments.get(&vhost.policy)?.clone(), body: vhost.body, websocket: vhost.websocket };
    let part = |path: &VhostPath| {
        Some(Place {
            key: path.folder(),
            treatment: treatments.get(path.policy.as_ref().unwrap_or(&vhost.policy))?.clone(),
            body: Body {
                on_partial: path.body.on_partial.unwrap_or(vhost.body.on_partial),
                max_bytes: path.body.max_bytes.unwrap_or(vhost.body.max_bytes),
            },
            websocket: path.websocket.unwrap_or(vhost.websocket),
        })
    };
    let mut out = vec![whole];
    out.extend(vhost.paths.iter().filter_map(part));
    if let Some(ruleset) = strict {
        out.push(strictest(&out, ruleset.to_owned()));
    }
    Some(out)
}

/// `places`: at least that of the whole site.
fn strictest(places: &[Place], ruleset: String) -> Place {
    // What a part that is not inspected says of levels and thresholds counts only where none is.
    let none = places.iter().all(|place| place.treatment.mode == Mode::Off);
    let treatments = places.iter().map(|place| &place.treatment).filter(|treatment| none || treatment.mode != Mode::Off);
    let strictest = treatments.cloned().reduce(|strictest, other| strictest.stricter(&other)).expect("a site has a policy");
    Place {
        key: STRICT.to_owned(),
        treatment: Treatment { ruleset, ..strictest },
        body: Body {
            on_partial: places.iter().map(|place| place.body.on_partial).min().unwrap_or(OnPartial::Deny),
            max_bytes: places.iter().map(|place| place.body.max_bytes).min().unwrap_or_default(),
        },
        websocket: places.iter().all(|place| place.websocket),
    }
}

/// The policies that a site's strict rule set is made of, by name: those that inspect, or all where none does. Where it is one only, the
/// strict rule set is its own; a site without paths has none.
pub(super) fn strict_policies<'s>(snapshot: &'s Snapshot, vhost: &Vhost) -> Vec<&'s Policy> {
    if vhost.paths.is_empty() {
        return Vec::new();
    }
    let names: BTreeSet<&Name> = vhost.policies().map(|(_, name)| name).collect();
    let all: Vec<&Policy> = names.into_iter().filter_map(|name| Some(&snapshot.policies.get(name)?.spec)).collect();
    let inspecting: Vec<&Policy> = all.iter().copied().filter(|policy| policy.mode != Mode::Off).collect();
    if inspecting.is_empty() { all } else { inspecting }
}

/// The rule set that a site's strict place needs beside those of its policies. None where it has no paths, or one policy that inspects.
pub fn strict_ruleset_of(snapshot: &Snapshot, vhost: &Vhost, now: OffsetDateTime) -> Option<Built> {
    let policies = strict_policies(snapshot, vhost);
    (policies.len() > 1).then(|| merge(&policies, now))
}

/// All custom rules of the policies, and only the exclusions that all of them have.
pub(super) fn merge(policies: &[&Policy], now: OffsetDateTime) -> Built {
    let mut merged = Merged::default();
    for (index, policy) in policies.iter().enumerate() {
        merged.add(policy, &format!("m{index}"));
    }
    merged.finish(policies, now)
}

#[derive(Default)]
struct Merged {
    before: Vec<SecLangLine>,
    after: Vec<SecLangLine>,
    redirects: BTreeSet<String>,
    errors: Vec<FieldError>,
    /// Custom rule -> text and id that it has here.
    ids: BTreeMap<u32, String>,
}

impl Merged {
    fn add(&mut self, policy: &Policy, namespace: &str) {
        for (index, rule) in policy.custom_rules.iter().enumerate().filter(|(_, rule)| rule.enabled) {
            let Some(id) = rule.id else { continue };
            let Some(id) = self.id(id, &rule.seclang) else { continue };
            let pointer = format!("/policies/{}/custom_rules/{index}", policy.name);
            match custom::compile_in(namespace, id, &rule.seclang) {
                Err(problems) => self.errors.extend(problems.into_iter().map(|mut problem| {
                    problem.pointer = format!("{pointer}/seclang");
                    problem
                })),
                Ok(compiled) => {
                    let lines = compiled.lines.into_iter().map(|text| SecLangLine { text, pointer: pointer.clone() });
                    match rule.placement {
                        Placement::Before => self.before.extend(lines),
                        Placement::After => self.after.extend(lines),
                    }
                    self.redirects.extend(compiled.redirect_target);
                }
            }
        }
    }

    /// The id that a rule has here: its own, or the highest free one where another policy's other rule has it. None for the same rule again.
    fn id(&mut self, wanted: u32, text: &str) -> Option<u32> {
        match self.ids.get(&wanted) {
            Some(known) if known == text && custom::is_shareable(text) => None,
            None => {
                self.ids.insert(wanted, text.to_owned());
                Some(wanted)
            }
            Some(_) => {
                let free = CUSTOM_RULE_IDS.rev().find(|id| !self.ids.contains_key(id))?;
                self.ids.insert(free, text.to_owned());
                Some(free)
            }
        }
    }

    fn finish(mut self, policies: &[&Policy], now: OffsetDateTime) -> Built {
        let common = common_exclusions(policies, now);
        let ids: Vec<u32> = self.ids.keys().copied().collect();
        let scoped = super::exclusions::lines(common.iter().map(|(index, exclusion)| (*index, *exclusion)), &ids);
        let owner = policies.first().map(|policy| policy.name.to_string()).unwrap_or_default();
        self.after.extend(scoped.after.into_iter().map(|mut line| {
            line.pointer = format!("/policies/{owner}{}", line.pointer);
            line
        }));
        let source = RuleSetSource {
            allowed_methods: some(rulesets::common(policies.iter().map(|policy| &policy.allowed_methods[..])), Method::parse("NONE")),
            allowed_content_types: some(
                rulesets::common(policies.iter().map(|policy| &policy.allowed_content_types[..])),
                ContentType::parse("none/none"),
            ),
            before_crs: self.before,
            after_crs: self.after,
        };
        let names = policies.iter().map(|policy| policy.name.clone()).collect();
        Built { ruleset: RuleSet::new(source, names), redirects: self.redirects, errors: self.errors }
    }
}

/// Where nothing is allowed by all, the Core Rule Set would take an empty row for its own defaults: then it is what nobody sends.
fn some<T>(all: Vec<T>, nobody: Result<T, String>) -> Vec<T> {
    if all.is_empty() { nobody.into_iter().collect() } else { all }
}

/// How many strict rule sets the sites of a snapshot need beside those of their policies.
pub fn strict_rulesets(snapshot: &Snapshot) -> usize {
    let of = |vhost: &Vhost| strict_policies(snapshot, vhost).into_iter().map(|policy| policy.name.clone()).collect::<Vec<_>>();
    snapshot.vhosts.values().map(|vhost| of(&vhost.spec)).filter(|policies| policies.len() > 1).collect::<BTreeSet<_>>().len()
}

/// The exclusions, with their places in the first policy, that every policy has; those for a path only are nobody's here.
fn common_exclusions<'p>(policies: &[&'p Policy], now: OffsetDateTime) -> Vec<(usize, &'p Exclusion)> {
    let Some((first, others)) = policies.split_first() else { return Vec::new() };
    // An id of a custom rule is each policy's own: here it may be another policy's rule.
    let custom = |exclusion: &Exclusion| match &exclusion.rule {
        RuleSelector::Id(id) => CUSTOM_RULE_IDS.contains(id),
        RuleSelector::Range { from, .. } => CUSTOM_RULE_IDS.contains(from),
        RuleSelector::Tag(_) => false,
    };
    let everywhere = |exclusion: &Exclusion| exclusion.path.is_none() && exclusion.active(now) && !custom(exclusion);
    let same = |a: &Exclusion, b: &Exclusion| everywhere(b) && a.rule == b.rule && a.target == b.target;
    first
        .exclusions
        .iter()
        .enumerate()
        .filter(|(_, exclusion)| everywhere(exclusion))
        .filter(|(_, exclusion)| others.iter().all(|policy| policy.exclusions.iter().any(|other| same(exclusion, other))))
        .collect()
}
