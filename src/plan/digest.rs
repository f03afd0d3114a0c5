//! What a plan says, in 64 characters: whoever approved it can hold a commit to it.

use serde::Serialize;
use sha2::{Digest as _, Sha256};
use time::OffsetDateTime;

use super::changes::{Changes, Pair};
use super::{affected, lanes, risk};
use crate::domain::Snapshot;
use crate::domain::digest::hex;
use crate::domain::snapshot::ListState;
use crate::render::{Bundle, templates_digest};

/// What a digest is made over: what is changed, in what, with which effects.
pub struct Outcome<'p> {
    pub before: &'p Snapshot,
    pub after: &'p Snapshot,
    /// What the states are rendered to; None where `after` cannot be.
    pub bundles: Option<(Option<&'p Bundle>, &'p Bundle)>,
    /// Errors and findings, in an order that does not change: code and pointer of each.
    pub said: &'p [String],
    pub now: OffsetDateTime,
}

/// SHA-256 in hex. Over everything, also what a plan leaves out where there is too much; not over revisions, times and objects that do not
/// change. Nor over who asks: a plan may be made at one address and committed from another, so of the risks those of the caller are not in it.
pub fn digest(of: &Outcome) -> String {
    let mut out = Parts(Sha256::new());
    out.add("templates", templates_digest());
    let changes = Changes::between(of.before, of.after);
    out.pairs("policy", &changes.policies);
    for pair in &changes.ip_lists {
        let spec = |state: Option<&'_ ListState>| json(state.map(|state| &state.list.spec));
        out.object("ip_list", pair.name, &spec(pair.before), &spec(pair.after));
        for (network, old, new) in pair.entries() {
            out.object("entry", &network.to_string(), &json(old), &json(new));
        }
    }
    out.pairs("vhost", &changes.vhosts);
    // Of what a protected vhost is to use nobody else may have changed anything since it was looked at, also what it does not use yet.
    for vhost in changes.vhosts.iter().filter_map(|pair| pair.after).filter(|vhost| vhost.protected) {
        for (pointer, name) in vhost.policies() {
            out.object("uses", &pointer, name, &json(of.after.policies.get(name).map(|policy| &policy.spec)));
        }
        for (pointer, name) in vhost.access.references() {
            let list = of.after.ip_lists.get(name);
            out.object("uses", &pointer, name, &json(list.map(|list| &list.list.spec)));
            list.iter().flat_map(|list| list.entries.values()).for_each(|entry| out.add("has", &json(Some(entry))));
        }
    }
    if let Some((before, after)) = of.bundles {
        affected::all(before, after).iter().for_each(|name| out.add("affected", name));
        lanes(before, after).iter().for_each(|lane| out.add("lane", &json(Some(lane))));
    }
    risk::all(of.before, of.after, None, of.now).iter().for_each(|reason| out.add("risk", &json(Some(reason))));
    of.said.iter().for_each(|said| out.add("said", said));
    hex(&out.0.finalize())
}

/// Members in the order of their declaration. Plain data always serializes.
fn json(value: Option<&impl Serialize>) -> String {
    value.map(|value| serde_json::to_string(value).expect("resources are plain data")).unwrap_or_default()
}

struct Parts(Sha256);

impl Parts {
    /// Lengths first, so that nothing can move from one part to the next.
    fn add(&mut self, label: &str, text: &str) {
        for part in [label, text] {
            self.0.update((part.len() as u64).to_le_bytes());
            self.0.update(part);
        }
    }

    fn object(&mut self, kind: &str, name: &str, before: &str, after: &str) {
        self.add(kind, name);
        self.add("before", before);
        self.add("after", after);
    }

    fn pairs<T: Serialize>(&mut self, kind: &str, pairs: &[Pair<T>]) {
        for pair in pairs {
            self.object(kind, pair.name, &json(pair.before), &json(pair.after));
        }
    }
}
