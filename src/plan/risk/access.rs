//! Whom lists let past the WAF, and whom they keep out.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::networks::{Added, added, covering};
use super::{Reasons, States};
use crate::domain::plan::RiskClass;
use crate::domain::vhost::Access;
use crate::domain::{Name, Network, Snapshot, Vhost};
use crate::plan::changes::Changes;
use crate::plan::pointer;
use crate::plan::words::count;

pub(super) fn look(states: &States, changes: &Changes, reasons: &mut Reasons) {
    let (trusting, denying) = (users(states.after, |access| &access.trust), users(states.after, |access| &access.deny));
    for pair in &changes.ip_lists {
        let users = |of: &BTreeMap<&Name, usize>| of.get(pair.name).copied().unwrap_or_default();
        let (trusting, denying) = (users(&trusting), users(&denying));
        if trusting + denying == 0 {
            continue;
        }
        let new = Added::of(&added(pair, states.now));
        let Some(widest) = new.widest else { continue };
        let root = pointer::child("/ip_lists", pair.name);
        let entry = pointer::child(&format!("{root}/entries"), &widest.to_string());
        if trusting > 0 {
            let message = format!("{} skip the WAF on {}", told(&new), count(trusting, "vhost"));
            reasons.add(class(&new), "trust_widened", entry.clone(), message);
        }
        if denying > 0 && new.wide.is_some() {
            reasons.add(RiskClass::High, "wide_deny", entry, format!("{} get 403 on {}", told(&new), count(denying, "vhost")));
        }
    }
    let mut news = News { states, known: BTreeMap::new() };
    for pair in &changes.vhosts {
        if let Some(after) = pair.after.filter(|vhost| vhost.enabled) {
            vhost(&mut news, pair.before, after, reasons);
        }
    }
}

fn vhost(news: &mut News, before: Option<&Vhost>, after: &Vhost, reasons: &mut Reasons) {
    let root = pointer::child("/vhosts", &after.name);
    let created = before.is_none();
    let nothing = Access::default();
    let old = before.map_or(&nothing, |before| &before.access);
    for name in after.access.trust.iter().filter(|name| !old.trust.contains(name)) {
        let new = news.of(name, &old.trust);
        let (class, who) = match new.count {
            // nobody so far
            0 => (RiskClass::Low, "whoever is put on it may".to_owned()),
            _ => (class(&new), told(&new)),
        };
        if !created || class == RiskClass::High {
            let message = format!("IP list {name} is trusted: {who} skip the WAF");
            reasons.add(class, "trust_widened", format!("{root}/access/trust"), message);
        }
    }
    for name in after.access.deny.iter().filter(|name| !old.deny.contains(name)) {
        let new = news.of(name, &old.deny);
        if new.wide.is_some() {
            let message = format!("IP list {name} is denied: {} get 403", told(&new));
            reasons.add(RiskClass::High, "wide_deny", format!("{root}/access/deny"), message);
        }
    }
    if !old.allow_only.is_empty() && after.access.allow_only.is_empty() {
        let message = "everybody may reach the site, and not only who is on its lists".to_owned();
        reasons.add(RiskClass::Medium, "access_opened", format!("{root}/access/allow_only"), message);
    }
    let proxies = before.map_or(&[][..], |before| &before.client_ip.trusted_proxies);
    let covered = |network: &Network| proxies.iter().any(|proxy| proxy.net().contains(&network.net()));
    let fresh: Vec<Network> = after.client_ip.trusted_proxies.iter().filter(|network| !covered(network)).copied().collect();
    let new = Added::of(&fresh);
    if new.count > 0 && (!created || new.wide.is_some()) {
        let message = format!("{} may say whose requests they bring, also those of clients that skip the WAF", told(&new));
        reasons.add(class(&new), "trust_widened", format!("{root}/client_ip/trusted_proxies"), message);
    }
}

fn class(new: &Added) -> RiskClass {
    if new.wide.is_some() { RiskClass::High } else { RiskClass::Medium }
}

/// `clients in 3 networks, 10.0.0.0/8 the widest,`
fn told(new: &Added) -> String {
    match (new.count, new.wide.or(new.widest)) {
        (1, Some(network)) => format!("clients in {network}"),
        (count, Some(network)) => format!("clients in {count} networks, {network} the widest,"),
        (_, None) => "nobody".to_owned(),
    }
}

/// How many enabled vhosts name each list.
fn users(snapshot: &Snapshot, names: fn(&Access) -> &Vec<Name>) -> BTreeMap<&Name, usize> {
    let mut out = BTreeMap::new();
    for vhost in snapshot.vhosts.values().map(|vhost| &vhost.spec).filter(|vhost| vhost.enabled) {
        for name in names(&vhost.access).iter().collect::<BTreeSet<_>>() {
            *out.entry(name).or_default() += 1;
        }
    }
    out
}

/// What a list is more than those that had its place before: looked up once for all vhosts that do the same.
struct News<'s> {
    states: &'s States<'s>,
    known: BTreeMap<(Name, Vec<Name>), Arc<Added>>,
}

impl News<'_> {
    fn of(&mut self, list: &Name, before: &[Name]) -> Arc<Added> {
        let States { before: old, after, now } = *self.states;
        let made = self.known.entry((list.clone(), before.to_vec())).or_insert_with(|| {
            let known: Vec<_> = before.iter().filter_map(|name| old.ip_lists.get(name)).map(|list| &list.entries).collect();
            let entries = after.ip_lists.get(list).map(|list| list.entries.clone()).unwrap_or_default();
            let networks: Vec<Network> = entries
                .values()
                .filter(|entry| entry.active(now) && !known.iter().any(|known| covering(known, &entry.network, now).is_some()))
                .map(|entry| entry.network)
                .collect();
            Arc::new(Added::of(&networks))
        });
        made.clone()
    }
}
