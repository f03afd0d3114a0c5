//! Why a change is risky: what it opens, what it closes, and what is seen less of from then on.
//!
//! What never was counts neither way: of a vhost or policy that is new, only what is wide is said. Nor does what has expired.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use time::OffsetDateTime;

use super::changes::Changes;
use super::pointer;
use super::words::count;
use crate::domain::plan::{Risk, RiskClass, RiskReason};
use crate::domain::{Name, Policy, Snapshot};

mod access;
mod caller;
mod exclusions;
mod networks;
mod policies;
mod vhosts;

/// Reasons that are shown.
const MOST_REASONS: usize = 200;

/// What is risky about going from `before` to `after`. `caller`: the address of who asks, to see whether they lock themselves out.
pub fn risk(before: &Snapshot, after: &Snapshot, caller: Option<IpAddr>, now: OffsetDateTime) -> Risk {
    let mut reasons = all(before, after, caller, now);
    let class = reasons.first().map(|reason| reason.class).unwrap_or_default();
    reasons.truncate(MOST_REASONS);
    Risk { class, reasons }
}

/// Every reason, the highest class first; of those with the same code and pointer one.
pub(super) fn all(before: &Snapshot, after: &Snapshot, caller: Option<IpAddr>, now: OffsetDateTime) -> Vec<RiskReason> {
    let states = States { before, after, now };
    let changes = Changes::between(before, after);
    let mut reasons = Reasons::default();
    let used = users(after);
    for pair in &changes.policies {
        let Some(policy) = pair.after else { continue };
        let users = used.get(pair.name).copied().unwrap_or_default();
        let found = match pair.before {
            Some(before) => policies::weaker(before, policy, now),
            None => exclusions::wide(&[], &policy.exclusions, now),
        };
        for fault in found {
            let pointer = format!("{}{}", pointer::child("/policies", pair.name), fault.pointer);
            reasons.add(fault.class, fault.code, pointer, format!("{} (used by {})", fault.message, count(users, "vhost")));
        }
    }
    vhosts::look(&states, &changes, &mut reasons);
    access::look(&states, &changes, &mut reasons);
    if let Some(caller) = caller {
        caller::look(&states, &changes, caller, &mut reasons);
    }
    reasons.finish()
}

/// Both states, and when.
struct States<'s> {
    before: &'s Snapshot,
    after: &'s Snapshot,
    now: OffsetDateTime,
}

/// Something that is weaker in a policy than it was.
struct Weaker {
    class: RiskClass,
    code: &'static str,
    /// Into the policy.
    pointer: String,
    message: String,
}

#[derive(Default)]
struct Reasons(Vec<RiskReason>);

impl Reasons {
    fn add(&mut self, class: RiskClass, code: &str, pointer: String, message: String) {
        self.0.push(RiskReason { class, code: code.to_owned(), pointer, message });
    }

    fn finish(self) -> Vec<RiskReason> {
        let mut reasons = self.0;
        // stable: within a class as they were found
        reasons.sort_by_key(|reason| std::cmp::Reverse(reason.class));
        let mut seen = BTreeSet::new();
        reasons.retain(|reason| seen.insert((reason.code.clone(), reason.pointer.clone())));
        reasons
    }
}

/// How many vhosts use each policy.
fn users(snapshot: &Snapshot) -> BTreeMap<&Name, usize> {
    let mut out = BTreeMap::new();
    for vhost in snapshot.vhosts.values().map(|vhost| &vhost.spec) {
        let names: BTreeSet<&Name> = vhost.paths.iter().filter_map(|path| path.policy.as_ref()).chain([&vhost.policy]).collect();
        for name in names {
            *out.entry(name).or_default() += 1;
        }
    }
    out
}

fn policy<'s>(snapshot: &'s Snapshot, name: &Name) -> Option<&'s Policy> {
    snapshot.policies.get(name).map(|policy| &policy.spec)
}
