//! Policies -> rule sets: what needs SecLang of its own. Policies that differ only in mode, levels or thresholds share one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use sha2::{Digest, Sha256};
use time::OffsetDateTime;

use super::{custom, exclusions};
use crate::domain::digest::hex;
use crate::domain::policy::{ContentType, Method};
use crate::domain::rule::Placement;
use crate::domain::{FieldError, Name, Policy};

/// What `render` makes SecLang with; part of a rule set's name, so that a new template makes new rule sets.
const TEMPLATE: &str = include_str!("../../templates/coraza/application.conf.j2");

/// A rule set: SecLang named by its content, so that policies that agree share it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleSet {
    /// `rs-` and 16 hex digits of the SHA-256 of what it is made from and of the template; also the application's name in guard-spoa.
    pub name: String,
    /// What it is made from: see `render`, which makes SecLang of it.
    pub source: Arc<RuleSetSource>,
    /// The policies that use it, for mapping the engine's words to objects.
    pub policies: Vec<Name>,
}

/// All that shapes the SecLang of a rule set; modes, levels and thresholds ride in the transaction id instead.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RuleSetSource {
    /// Sorted, each once.
    pub allowed_methods: Vec<Method>,
    /// Sorted, each once.
    pub allowed_content_types: Vec<ContentType>,
    /// Lines of SecLang, generated, each with the place in the policy that it came from (`/exclusions/3`, `/custom_rules/0`).
    pub before_crs: Vec<SecLangLine>,
    pub after_crs: Vec<SecLangLine>,
}

/// One generated line (a chain is several with one pointer).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SecLangLine {
    pub text: String,
    /// JSON pointer into the policies that share the rule set; from the root (`/policies/...`) in one that was merged of several.
    pub pointer: String,
}

impl RuleSetSource {
    fn name(&self) -> String {
        let mut hash = Sha256::new();
        // lengths first, so that no two sources have the same bytes
        let mut add = |text: &str| {
            hash.update((text.len() as u64).to_le_bytes());
            hash.update(text);
        };
        add(TEMPLATE);
        for part in [
            self.allowed_methods.iter().map(|m| m.as_str()).collect::<Vec<_>>(),
            self.allowed_content_types.iter().map(|t| t.as_str()).collect(),
            self.before_crs.iter().flat_map(|line| [line.text.as_str(), line.pointer.as_str()]).collect(),
            self.after_crs.iter().flat_map(|line| [line.text.as_str(), line.pointer.as_str()]).collect(),
        ] {
            add(&part.len().to_string());
            part.into_iter().for_each(&mut add);
        }
        format!("rs-{}", &hex(&hash.finalize())[..16])
    }
}

impl RuleSet {
    pub(super) fn new(source: RuleSetSource, policies: Vec<Name>) -> Self {
        Self { name: source.name(), source: Arc::new(source), policies }
    }
}

/// A rule set in the making, and what else its rules ask for.
pub struct Built {
    pub ruleset: RuleSet,
    pub redirects: BTreeSet<String>,
    /// What is wrong, by place in the policy; a rule that is wrong is left out.
    pub errors: Vec<FieldError>,
}

pub(super) fn build(policy: &Policy, now: OffsetDateTime) -> Built {
    let (mut before, mut after, mut redirects, mut errors) = (Vec::new(), Vec::new(), BTreeSet::new(), Vec::new());
    exclusions::check(policy, &mut errors);
    let enabled: Vec<u32> = policy.custom_rules.iter().filter(|rule| rule.enabled).filter_map(|rule| rule.id).collect();
    let scoped = exclusions::lines(policy.exclusions.iter().enumerate().filter(|(_, exclusion)| exclusion.active(now)), &enabled);
    // a `ctl` works on what follows: also on custom rules
    before.extend(scoped.before);
    for (index, rule) in policy.custom_rules.iter().enumerate() {
        let Some(id) = rule.id else { continue };
        match custom::compile(id, &rule.seclang) {
            Err(problems) => errors.extend(problems.into_iter().map(|mut problem| {
                problem.pointer = format!("/custom_rules/{index}/seclang");
                problem
            })),
            Ok(_) if !rule.enabled => {}
            Ok(compiled) => {
                let lines = compiled.lines.into_iter().map(|text| SecLangLine { text, pointer: format!("/custom_rules/{index}") });
                match rule.placement {
                    Placement::Before => before.extend(lines),
                    Placement::After => after.extend(lines),
                }
                redirects.extend(compiled.redirect_target);
            }
        }
    }
    // directives work on what is loaded: last of all
    after.extend(scoped.after);
    let source = RuleSetSource {
        allowed_methods: sorted(&policy.allowed_methods),
        allowed_content_types: sorted(&policy.allowed_content_types),
        before_crs: before,
        after_crs: after,
    };
    Built { ruleset: RuleSet::new(source, vec![policy.name.clone()]), redirects, errors }
}

fn sorted<T: Ord + Clone>(items: &[T]) -> Vec<T> {
    items.iter().cloned().collect::<BTreeSet<_>>().into_iter().collect()
}

/// What all of them have, sorted.
pub(super) fn common<'a, T: Ord + Clone + 'a>(mut all: impl Iterator<Item = &'a [T]>) -> Vec<T> {
    let first = all.next().unwrap_or_default();
    let mut kept = sorted(first);
    for items in all {
        kept.retain(|item| items.contains(item));
    }
    kept
}

/// The rule set of one policy, for judging a write of it: what is wrong comes with JSON pointers into the policy.
pub fn ruleset_of(policy: &Policy, now: OffsetDateTime) -> Result<RuleSet, Vec<FieldError>> {
    let built = build(policy, now);
    if built.errors.is_empty() { Ok(built.ruleset) } else { Err(built.errors) }
}

/// Adds a policy's rule set to those there are, or its name to the one it shares.
///
/// Two that are not the same and have one name are somebody's work, who has looked for them: the second is told as a problem, so that nothing
/// is brought to a node.
pub(super) fn add(rulesets: &mut BTreeMap<String, RuleSet>, ruleset: RuleSet) -> Option<FieldError> {
    match rulesets.get_mut(&ruleset.name) {
        Some(shared) if shared.source != ruleset.source => {
            let policy = ruleset.policies.first().map(Name::as_str).unwrap_or_default();
            let detail = "its rules have the fingerprint of others: change something in them".to_owned();
            return Some(FieldError::new(format!("/policies/{policy}"), "same_fingerprint", detail));
        }
        Some(shared) => shared.policies.extend(ruleset.policies),
        None => {
            rulesets.insert(ruleset.name.clone(), ruleset);
        }
    }
    None
}
