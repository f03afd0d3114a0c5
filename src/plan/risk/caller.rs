//! Whether who asks would lock themselves out.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;
use time::OffsetDateTime;

use super::networks::covering;
use super::{Reasons, States};
use crate::domain::plan::RiskClass;
use crate::domain::vhost::Access;
use crate::domain::{Name, Network, Snapshot, Vhost};
use crate::plan::changes::Changes;
use crate::plan::pointer;
use crate::plan::words::enumerate;

/// Vhosts that answer the caller 403 from now on, by what is to blame. A change of a list touches vhosts that are as they were.
pub(super) fn look(states: &States, changes: &Changes, caller: IpAddr, reasons: &mut Reasons) {
    if changes.ip_lists.is_empty() && changes.vhosts.is_empty() {
        return;
    }
    let mut before = Lists::new(states.before, caller, states.now);
    let mut after = Lists::new(states.after, caller, states.now);
    let mut blamed: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, versioned) in &states.after.vhosts {
        let new = &versioned.spec;
        let Some(old) = states.before.vhosts.get(name).map(|vhost| &vhost.spec) else { continue };
        if new.enabled && !new.access.is_empty() && after.deny(&new.access) && !before.deny(&old.access) {
            blamed.entry(blame(old, new, &mut before, &mut after)).or_default().push(name.to_string());
        }
    }
    for (pointer, vhosts) in blamed {
        let noun = if vhosts.len() == 1 { "vhost" } else { "vhosts" };
        let message = format!("your own address {} gets 403 on {noun} {}", caller.to_canonical(), enumerate(&vhosts));
        reasons.add(RiskClass::High, "locks_out_caller", pointer, message);
    }
}

/// Where the cause is written.
fn blame(old: &Vhost, new: &Vhost, before: &mut Lists, after: &mut Lists) -> String {
    let root = pointer::child("/vhosts", &new.name);
    let entries = |list: &Name| format!("{}/entries", pointer::child("/ip_lists", list));
    for list in &new.access.deny {
        if let Some(network) = after.on(list) {
            return match old.access.deny.contains(list) {
                true => pointer::child(&entries(list), &network.to_string()),
                false => format!("{root}/access/deny"),
            };
        }
    }
    let left = old.access.allow_only.iter().find(|list| new.access.allow_only.contains(list) && before.on(list).is_some());
    match left {
        Some(list) => entries(list),
        None => format!("{root}/access/allow_only"),
    }
}

/// Which lists of a snapshot have the caller, each looked up once.
struct Lists<'s> {
    snapshot: &'s Snapshot,
    caller: Network,
    now: OffsetDateTime,
    known: BTreeMap<Name, Option<Network>>,
}

impl<'s> Lists<'s> {
    fn new(snapshot: &'s Snapshot, caller: IpAddr, now: OffsetDateTime) -> Self {
        Self { snapshot, caller: Network::new(IpNet::from(caller)), now, known: BTreeMap::new() }
    }

    /// The entry that the caller is in. A list that is missing has nobody.
    fn on(&mut self, list: &Name) -> Option<Network> {
        if let Some(known) = self.known.get(list) {
            return *known;
        }
        let found = self.snapshot.ip_lists.get(list).and_then(|list| covering(&list.entries, &self.caller, self.now));
        self.known.insert(list.clone(), found);
        found
    }

    fn deny(&mut self, access: &Access) -> bool {
        access.deny.iter().any(|list| self.on(list).is_some())
            || (!access.allow_only.is_empty() && !access.allow_only.iter().any(|list| self.on(list).is_some()))
    }
}
