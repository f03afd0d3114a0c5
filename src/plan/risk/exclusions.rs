//! Exclusions that take out more than they need.

use time::OffsetDateTime;

use super::Weaker;
use crate::domain::plan::RiskClass;
use crate::domain::rule::{Exclusion, PathScope, RuleSelector};
use crate::plan::pointer;

/// Wide exclusions that are in force, and that no exclusion covered before.
pub(super) fn wide(before: &[Exclusion], after: &[Exclusion], now: OffsetDateTime) -> Vec<Weaker> {
    let known: Vec<&Exclusion> = before.iter().filter(|exclusion| exclusion.active(now)).collect();
    after
        .iter()
        .filter(|exclusion| exclusion.active(now) && !known.iter().any(|known| covers(known, exclusion)))
        .filter_map(|exclusion| {
            let class = class(exclusion)?;
            let id = exclusion.id.as_ref().map_or_else(String::new, ToString::to_string);
            let message = format!("exclusion {id} takes {} out {}", what(exclusion), place(exclusion));
            Some(Weaker { class, code: "wide_exclusion", pointer: pointer::child("/exclusions", &id), message })
        })
        .collect()
}

/// None: it is as small as it should be.
fn class(exclusion: &Exclusion) -> Option<RiskClass> {
    let everywhere = exclusion.target.is_none() && folder(exclusion.path.as_ref()) == "/";
    match (several(&exclusion.rule), everywhere) {
        (true, true) => Some(RiskClass::High),
        (true, false) | (false, true) => Some(RiskClass::Medium),
        (false, false) => None,
    }
}

/// Whether more rules than one may be meant.
fn several(rule: &RuleSelector) -> bool {
    match rule {
        RuleSelector::Id(_) => false,
        RuleSelector::Range { from, to } => from < to,
        RuleSelector::Tag(_) => true,
    }
}

/// The path with a slash at its end; `/` where there is none.
fn folder(path: Option<&PathScope>) -> String {
    format!("{}/", path.map_or("", |path| path.prefix.trim_end_matches('/')))
}

/// Whether all that `small` takes out was taken out by `large`.
fn covers(large: &Exclusion, small: &Exclusion) -> bool {
    let rules = match (&large.rule, &small.rule) {
        (RuleSelector::Tag(large), RuleSelector::Tag(small)) => large == small,
        (large, small) => match (ids(large), ids(small)) {
            (Some((from, to)), Some((first, last))) => from <= first && last <= to,
            _ => false,
        },
    };
    let targets = large.target.is_none() || large.target == small.target;
    rules && targets && folder(small.path.as_ref()).starts_with(&folder(large.path.as_ref()))
}

fn ids(rule: &RuleSelector) -> Option<(u32, u32)> {
    match rule {
        RuleSelector::Id(id) => Some((*id, *id)),
        RuleSelector::Range { from, to } => Some((*from, *to)),
        RuleSelector::Tag(_) => None,
    }
}

fn what(exclusion: &Exclusion) -> String {
    let rules = match &exclusion.rule {
        RuleSelector::Id(id) => format!("rule {id}"),
        RuleSelector::Range { from, to } => format!("rules {from} to {to}"),
        RuleSelector::Tag(tag) => format!("all rules with tag {tag}"),
    };
    match &exclusion.target {
        Some(target) => format!("{target} of {rules}"),
        None => rules,
    }
}

fn place(exclusion: &Exclusion) -> String {
    match folder(exclusion.path.as_ref()).as_str() {
        "/" => "on every path".to_owned(),
        folder => format!("under {folder}"),
    }
}
