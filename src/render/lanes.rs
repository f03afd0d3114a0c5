//! Which lanes a bundle needs.

use super::Bundle;
use crate::domain::deployment::Lane;

/// The lanes that bring a node from `old` to `new`, each once, in the order of [`Lane`]; none where nothing differs. Without `old` nobody
/// knows what the node runs: everything is brought.
pub fn lanes(old: Option<&Bundle>, new: &Bundle) -> Vec<Lane> {
    let Some(old) = old else { return vec![Lane::Runtime, Lane::Ruleset, Lane::Reload] };
    let needed = [
        (Lane::Runtime, old.maps != new.maps),
        (Lane::Ruleset, new.rulesets.keys().any(|name| !old.rulesets.contains_key(name))),
        (Lane::Reload, old.structure != new.structure),
    ];
    needed.into_iter().filter_map(|(lane, needed)| needed.then_some(lane)).collect()
}
