//! What one policy lets through that another does not.

use time::OffsetDateTime;

use super::{Weaker, exclusions};
use crate::domain::plan::RiskClass;
use crate::domain::rule::CustomRule;
use crate::domain::{Mode, Policy};
use crate::plan::pointer;

/// An inbound threshold from here on needs twenty critical rules to match: next to nothing is denied.
const HARDLY_EVER_DENIES: u32 = 100;

/// Where `after` is weaker than `before`: the same policy later, or the one that takes its place.
pub(super) fn weaker(before: &Policy, after: &Policy, now: OffsetDateTime) -> Vec<Weaker> {
    let mut out = Vec::new();
    let mut add = |class, code, pointer: &str, message: String| out.push(Weaker { class, code, pointer: pointer.to_owned(), message });
    if after.mode < before.mode {
        let (class, means) = match after.mode {
            Mode::Off => (RiskClass::High, "nothing is inspected any more"),
            _ => (RiskClass::Medium, "attacks are reported and no longer denied"),
        };
        add(class, "mode_lowered", "/mode", format!("mode: {} → {}: {means}", before.mode.as_str(), after.mode.as_str()));
    }
    let (old, new) = (before.paranoia, after.paranoia);
    if new.blocking < old.blocking {
        let message = format!("paranoia.blocking: {} → {}: fewer rules count towards a denial", old.blocking.get(), new.blocking.get());
        add(RiskClass::Medium, "paranoia_lowered", "/paranoia/blocking", message);
    }
    if new.detection < old.detection {
        let message = format!("paranoia.detection: {} → {}: fewer rules report", old.detection.get(), new.detection.get());
        add(RiskClass::Low, "paranoia_lowered", "/paranoia/detection", message);
    }
    let (old, new) = (before.thresholds, after.thresholds);
    for (name, old, new) in [("inbound", old.inbound.get(), new.inbound.get()), ("outbound", old.outbound.get(), new.outbound.get())] {
        if new > old {
            let class = if name == "inbound" && new >= HARDLY_EVER_DENIES { RiskClass::High } else { RiskClass::Medium };
            let message = format!("thresholds.{name}: {old} → {new}: more must match until something is denied");
            add(class, "threshold_raised", &format!("/thresholds/{name}"), message);
        }
    }
    for rule in before.custom_rules.iter().filter(|rule| rule.enabled) {
        if let Some((id, message)) = rule_gone(rule, &after.custom_rules) {
            add(RiskClass::Medium, "rule_removed", &pointer::child("/custom_rules", &id.to_string()), message);
        }
    }
    out.extend(exclusions::wide(&before.exclusions, &after.exclusions, now));
    out
}

/// The id of an enabled rule that is not there any more, and what to say. One that has a new id is there.
fn rule_gone(rule: &CustomRule, after: &[CustomRule]) -> Option<(u32, String)> {
    let id = rule.id?;
    let same = |other: &CustomRule| other.enabled && other.seclang == rule.seclang;
    match after.iter().find(|other| other.id == Some(id)) {
        Some(other) if other.enabled => None,
        _ if after.iter().any(same) => None,
        Some(_) => Some((id, format!("custom rule {id} is disabled: what it denies is let through"))),
        None => Some((id, format!("custom rule {id} is removed: what it denies is let through"))),
    }
}
