//! Sites that go, and sites that are inspected less.

use std::collections::BTreeSet;

use super::{Reasons, States, policies, policy};
use crate::domain::path::{OnAmbiguousPath, OnPartial};
use crate::domain::plan::RiskClass;
use crate::domain::vhost::OnWafUnavailable;
use crate::domain::{Name, Vhost, VhostPath};
use crate::plan::changes::Changes;
use crate::plan::pointer;

pub(super) fn look(states: &States, changes: &Changes, reasons: &mut Reasons) {
    for pair in &changes.vhosts {
        let root = pointer::child("/vhosts", pair.name);
        match (pair.before, pair.after) {
            (Some(before), None) if before.enabled => {
                let message = format!("vhost {} is removed: its hostnames are not served any more", pair.name);
                reasons.add(RiskClass::High, "vhost_removed", root, message);
            }
            (Some(before), Some(after)) if before.enabled && !after.enabled => {
                let message = format!("vhost {} is disabled: it answers 421", pair.name);
                reasons.add(RiskClass::Medium, "vhost_removed", format!("{root}/enabled"), message);
            }
            (before, Some(after)) if after.enabled => {
                if let Some(before) = before {
                    inspection(&root, before, after, reasons);
                    places(states, &root, before, after, reasons);
                }
                moved_hostnames(states, &root, after, reasons);
            }
            _ => {}
        }
    }
}

/// What is about the whole of a site.
fn inspection(root: &str, before: &Vhost, after: &Vhost, reasons: &mut Reasons) {
    let mut reduced = |field: &str, message: &str| {
        reasons.add(RiskClass::Medium, "inspection_reduced", format!("{root}/{field}"), message.to_owned());
    };
    if (before.on_waf_unavailable, after.on_waf_unavailable) == (OnWafUnavailable::Deny, OnWafUnavailable::Pass) {
        reduced("on_waf_unavailable", "requests pass uninspected while no agent can be asked");
    }
    if (before.on_ambiguous_path, after.on_ambiguous_path) == (OnAmbiguousPath::Deny, OnAmbiguousPath::Strict) {
        reduced("on_ambiguous_path", "paths that origins may read in more than one way are no longer denied");
    }
}

/// How a part of a site is treated.
struct Place<'v> {
    policy: &'v Name,
    on_partial: OnPartial,
    websocket: bool,
}

/// A site with its paths by folder, the longest first.
struct Parts<'v> {
    vhost: &'v Vhost,
    paths: Vec<(String, &'v VhostPath)>,
}

impl<'v> Parts<'v> {
    fn of(vhost: &'v Vhost) -> Self {
        let mut paths: Vec<(String, &VhostPath)> = vhost.paths.iter().map(|path| (path.folder(), path)).collect();
        paths.sort_by_key(|(folder, _)| std::cmp::Reverse(folder.len()));
        Self { vhost, paths }
    }

    /// `folder` ends in a slash; the longest path that it lies under decides.
    fn at(&self, folder: &str) -> Place<'v> {
        let (vhost, path) = (self.vhost, self.paths.iter().find(|(path, _)| folder.starts_with(path)).map(|(_, path)| *path));
        Place {
            policy: path.and_then(|path| path.policy.as_ref()).unwrap_or(&vhost.policy),
            on_partial: path.and_then(|path| path.body.on_partial).unwrap_or(vhost.body.on_partial),
            websocket: path.and_then(|path| path.websocket).unwrap_or(vhost.websocket),
        }
    }
}

/// Every part that there is or was, before and after. What happens to a part as to the whole site is said of the site.
fn places(states: &States, root: &str, before: &Vhost, after: &Vhost, reasons: &mut Reasons) {
    const WHOLE: &str = "/";
    let (old_parts, new_parts) = (Parts::of(before), Parts::of(after));
    let folders: BTreeSet<&str> = old_parts.paths.iter().chain(&new_parts.paths).map(|(folder, _)| folder.as_str()).collect();
    let (old_whole, new_whole) = (old_parts.at(WHOLE), new_parts.at(WHOLE));
    for folder in std::iter::once(WHOLE).chain(folders) {
        let whole = folder == WHOLE;
        let (old, new) = (old_parts.at(folder), new_parts.at(folder));
        let (at, under) = if whole {
            (root.to_owned(), String::new())
        } else {
            let prefix = new_parts.paths.iter().find(|(path, _)| path == folder).map_or(folder, |(_, path)| &path.prefix);
            (pointer::child(&format!("{root}/paths"), prefix), format!("under {folder}: "))
        };
        if old.policy != new.policy && (whole || (old.policy, new.policy) != (old_whole.policy, new_whole.policy)) {
            switched(states, format!("{at}/policy"), &under, (old.policy, new.policy), reasons);
        }
        let head = |place: &Place| place.on_partial == OnPartial::InspectHead;
        if !head(&old) && head(&new) && (whole || head(&old_whole) || !head(&new_whole)) {
            let message = format!("{under}of uploads too large to inspect only the beginning is inspected");
            reasons.add(RiskClass::Medium, "inspection_reduced", format!("{at}/body/on_partial"), message);
        }
        if !old.websocket && new.websocket && (whole || old_whole.websocket || !new_whole.websocket) {
            let message = format!("{under}what is sent over WebSocket connections is not inspected");
            reasons.add(RiskClass::Medium, "inspection_reduced", format!("{at}/websocket"), message);
        }
    }
}

/// Another policy takes the place of one.
fn switched(states: &States, pointer: String, under: &str, (old, new): (&Name, &Name), reasons: &mut Reasons) {
    let (Some(before), Some(after)) = (policy(states.before, old), policy(states.after, new)) else { return };
    for fault in policies::weaker(before, after, states.now) {
        let message = format!("{under}policy {new} takes the place of {old}: {}", fault.message);
        reasons.add(fault.class, fault.code, pointer.clone(), message);
    }
}

/// Hostnames that another vhost had.
fn moved_hostnames(states: &States, root: &str, after: &Vhost, reasons: &mut Reasons) {
    for hostname in &after.hostnames {
        let Some(from) = states.before.vhost_of(hostname).filter(|from| **from != after.name) else { continue };
        let Some(before) = states.before.vhosts.get(from).map(|vhost| &vhost.spec).filter(|before| before.enabled) else { continue };
        let under = format!("{hostname} moves here from vhost {from}: ");
        if before.policy != after.policy {
            switched(states, format!("{root}/hostnames"), &under, (&before.policy, &after.policy), reasons);
        }
    }
}
