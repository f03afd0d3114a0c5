//! What bringing a bundle to a node takes: lanes, with why, and cost.

use std::collections::BTreeSet;

use super::backends::Backends;
use super::words::enumerate;
use crate::compile::{self, MapDiff, MapName};
use crate::domain::Name;
use crate::domain::deployment::Lane;
use crate::domain::plan::{Cost, LaneReason};
use crate::render::{self, Bundle};

/// Bytes that an application of guard-spoa takes: an estimate.
const BYTES_PER_RULESET: u64 = 3_400_000;
/// Milliseconds that loading one takes: an estimate.
const MS_PER_RULESET: u64 = 35;

/// The lanes that are needed, in the order of [`Lane`], each with at least one reason; none where nothing differs.
pub fn lanes(before: Option<&Bundle>, after: &Bundle) -> Vec<LaneReason> {
    let needed = render::lanes(before, after);
    let Some(before) = before else {
        let reason = || "nothing is known of what the node runs: everything is brought".to_owned();
        return needed.into_iter().map(|lane| LaneReason { lane, reason: reason() }).collect();
    };
    let reasons = |lane: Lane| {
        let mut reasons = match lane {
            Lane::Runtime => map_reasons(before, after),
            Lane::Ruleset => vec![ruleset_reason(before, after)],
            Lane::Reload => reload_reasons(before, after),
        };
        if reasons.is_empty() {
            reasons.push("what the node runs differs".to_owned());
        }
        reasons.into_iter().map(move |reason| LaneReason { lane, reason })
    };
    needed.into_iter().flat_map(reasons).collect()
}

/// What bringing it costs a node. Without `before` everything is loaded.
pub fn cost(before: Option<&Bundle>, after: &Bundle) -> Cost {
    let rulesets_to_load = new_rulesets(before, after).count();
    let times = |each: u64| each * rulesets_to_load as u64;
    Cost {
        rulesets_to_load,
        memory_bytes: times(BYTES_PER_RULESET),
        warm_up_ms: times(MS_PER_RULESET),
        map_entries: match before {
            Some(before) => map_diffs(before, after).iter().map(|(_, diff)| diff.len()).sum(),
            None => after.maps.values().map(|map| map.len()).sum(),
        },
    }
}

fn new_rulesets<'b>(before: Option<&'b Bundle>, after: &'b Bundle) -> impl Iterator<Item = &'b render::RenderedRuleSet> {
    after
        .rulesets
        .iter()
        .filter(move |(name, _)| before.is_none_or(|before| !before.rulesets.contains_key(*name)))
        .map(|(_, ruleset)| &**ruleset)
}

fn map_diffs(before: &Bundle, after: &Bundle) -> Vec<(MapName, MapDiff)> {
    let names: BTreeSet<MapName> = before.maps.keys().chain(after.maps.keys()).copied().collect();
    let empty = std::sync::Arc::default();
    let map = |bundle: &'_ Bundle, name: MapName| bundle.maps.get(&name).unwrap_or(&empty).clone();
    names
        .into_iter()
        .map(|name| (name, map(before, name), map(after, name)))
        .filter(|(_, old, new)| !std::sync::Arc::ptr_eq(old, new))
        .map(|(name, old, new)| (name, compile::diff(&old, &new)))
        .filter(|(_, diff)| !diff.is_empty())
        .collect()
}

fn map_reasons(before: &Bundle, after: &Bundle) -> Vec<String> {
    let told = |(name, diff): (MapName, MapDiff)| {
        let parts = [(diff.added.len(), "new"), (diff.changed.len(), "changed"), (diff.removed.len(), "gone")];
        let parts: Vec<String> = parts.into_iter().filter(|(count, _)| *count > 0).map(|(count, word)| format!("{count} {word}")).collect();
        format!("entries of {}: {}", name.file(), parts.join(", "))
    };
    map_diffs(before, after).into_iter().map(told).collect()
}

fn ruleset_reason(before: &Bundle, after: &Bundle) -> String {
    let new: Vec<_> = new_rulesets(Some(before), after).collect();
    let policies: BTreeSet<&Name> = new.iter().flat_map(|ruleset| &ruleset.policies).collect();
    let of = if policies.len() == 1 { "policy" } else { "policies" };
    let policies: Vec<String> = policies.into_iter().map(Name::to_string).collect();
    match new.len() {
        1 => format!("1 rule set is new, of {of} {}", enumerate(&policies)),
        more => format!("{more} rule sets are new, of {of} {}", enumerate(&policies)),
    }
}

fn reload_reasons(before: &Bundle, after: &Bundle) -> Vec<String> {
    let backends = Backends::between(before, after);
    let told = |names: &[Name], (one, many): (&str, &str)| match names {
        [] => None,
        [name] => Some(format!("the backend of vhost {name} {one}")),
        names => Some(format!(
            "the backends of {} vhosts {many}: {}",
            names.len(),
            enumerate(&names.iter().map(Name::to_string).collect::<Vec<_>>())
        )),
    };
    let mut out: Vec<String> = [
        told(&backends.new, ("is new", "are new")),
        told(&backends.changed, ("changes", "change")),
        told(&backends.gone, ("goes", "go")),
        backends.rest.then(|| "haproxy.cfg differs outside of the backends".to_owned()),
    ]
    .into_iter()
    .flatten()
    .collect();
    let others: BTreeSet<&str> = super::merged(&before.files, &after.files)
        .filter(|(_, old, new)| old != new)
        .filter_map(|(path, _, _)| match path.as_str() {
            "coraza.cfg" => Some("coraza.cfg differs"),
            path => path.starts_with("errors/").then_some("error pages differ"),
        })
        .collect();
    out.extend(others.into_iter().map(str::to_owned));
    out
}
