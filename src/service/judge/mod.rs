//! What an engine would refuse is never committed: writes that reach a rule set or the structure are judged by the engines first, in
//! the caller's task. The writer then makes sure that what it commits is what was judged.

mod judgement;
mod scales;
mod scope;

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::StreamExt as _;
use futures::future::BoxFuture;
use time::OffsetDateTime;
use tokio::sync::Semaphore;

pub use self::judgement::{Judgement, rooted};
use self::judgement::{strict_owner, strict_words, told};
use self::scales::Scales;
pub use self::scope::Judged;
use self::scope::{merged_with, ruleset_of, strict_of, structure_of};
use super::apply::Change;
use super::engines::Engines;
use super::whole;
use crate::compile::{self, NodeSettings};
use crate::dataplane::Verdict;
use crate::domain::error::{Error, Result};
use crate::domain::{FieldError, Finding, Name, Policy, Snapshot, Versioned, Vhost};
use crate::render::{self, RenderedRuleSet};

/// Judgements at once: each may cost an engine a core and some hundred megabytes.
const AT_ONCE: usize = 2;

/// Combinations of policies that sites with paths may have, on all sites together: each costs guard-spoa some 4 MB and 100 ms at a start.
const MOST_STRICT: usize = 64;

pub struct Judge {
    engines: Arc<dyn Engines>,
    node: Arc<NodeSettings>,
    turns: Semaphore,
    scales: Scales,
}

impl Judge {
    pub fn new(engines: Arc<dyn Engines>, node: Arc<NodeSettings>) -> Self {
        Self { engines, node, turns: Semaphore::new(AT_ONCE), scales: Scales::default() }
    }

    /// Judges changes, were they made to `head`. Everything is asked about, also where something was refused already.
    pub async fn judge(&self, head: &Snapshot, changes: &[Change], now: OffsetDateTime) -> Judgement {
        let mut judgement = Judgement::new();
        let policies: Vec<&Arc<Versioned<Policy>>> = changes.iter().filter_map(ruleset_of).collect();
        let asked: Vec<_> = policies.iter().map(|policy| self.ruleset(head, &policy.spec, now)).collect();
        for answer in futures::stream::iter(asked).buffered(AT_ONCE).collect::<Vec<_>>().await {
            judgement.hear(|judgement| &mut judgement.coraza, answer);
        }
        let vhosts: Vec<&Arc<Versioned<Vhost>>> = changes.iter().filter_map(structure_of).collect();
        let strict = strict_of(head, changes);
        judgement.judged.merged = merged_with(head, changes, &strict);
        if !vhosts.is_empty() || !strict.is_empty() {
            let mut after = head.clone();
            whole::put(&mut after, changes);
            if !vhosts.is_empty() {
                judgement.hear(|judgement| &mut judgement.haproxy, self.structure(&after, &vhosts, now).await);
            }
            if !strict.is_empty() {
                judgement.hear(|judgement| &mut judgement.coraza, self.strict(head, after, changes, strict, now).await);
            }
        }
        judgement.judged.policies = policies.into_iter().map(|policy| (policy.spec.name.clone(), Arc::clone(policy))).collect();
        judgement.judged.vhosts = vhosts.into_iter().map(|vhost| (vhost.spec.name.clone(), Arc::clone(vhost))).collect();
        judgement
    }

    /// The strict rule sets that the changes make or alter.
    async fn strict(
        &self,
        head: &Snapshot,
        after: Snapshot,
        changes: &[Change],
        vhosts: Vec<Arc<Versioned<Vhost>>>,
        now: OffsetDateTime,
    ) -> Result<Vec<Finding>> {
        let needed = compile::strict_rulesets(&after);
        if needed > MOST_STRICT && needed > compile::strict_rulesets(head) {
            let said = format!(
                "with this change the sites with `paths` would combine policies in {needed} ways, and {MOST_STRICT} are the most: each is a rule \
                 set of its own in guard-spoa; let sites use the same combinations"
            );
            let errors = vec![FieldError::new("", "too_large", said.clone())];
            return Err(Error::EngineRefused { engine: "coraza", said, errors });
        }
        let rulesets = tokio::task::spawn_blocking(move || {
            let mut made: BTreeMap<String, (Name, RenderedRuleSet)> = BTreeMap::new();
            for vhost in vhosts {
                // What is wrong in a policy's rules was said of the policy.
                let Some(built) = compile::strict_ruleset_of(&after, &vhost.spec, now).filter(|built| built.errors.is_empty()) else {
                    continue;
                };
                let ruleset = render::render_ruleset(&built.ruleset).map_err(Error::internal)?;
                made.entry(ruleset.name.clone()).or_insert((vhost.spec.name.clone(), ruleset));
            }
            Ok::<_, Error>(made)
        })
        .await
        .map_err(Error::internal)??;
        let mut findings = Vec::new();
        for (vhost, ruleset) in rulesets.into_values() {
            let object = strict_owner(changes, &vhost, &ruleset);
            findings.extend(self.compiled(&ruleset, &object).await.map_err(|error| strict_words(error, &vhost))?);
        }
        Ok(findings)
    }

    /// What the engine says of a rule set; asked once for each.
    async fn compiled(&self, ruleset: &RenderedRuleSet, object: &str) -> Result<Vec<Finding>> {
        let accepted = self.engines.accepted();
        if accepted.has(ruleset) {
            return Ok(Vec::new());
        }
        let verdict = self.ask(self.engines.validate_ruleset(ruleset)).await;
        if matches!(verdict, Verdict::Accepted { .. }) {
            accepted.add(ruleset);
        }
        told(verdict, object)
    }

    async fn ruleset(&self, head: &Snapshot, policy: &Policy, now: OffsetDateTime) -> Result<Vec<Finding>> {
        let root = format!("/policies/{}", policy.name);
        self.ruleset_judged(head, policy, now, &root).await.map_err(|error| rooted(error, &root))
    }

    async fn ruleset_judged(&self, head: &Snapshot, policy: &Policy, now: OffsetDateTime, root: &str) -> Result<Vec<Finding>> {
        let owned = policy.clone();
        let rendered = tokio::task::spawn_blocking(move || rendered(&owned, now)).await.map_err(Error::internal)??;
        self.scales.weigh(head, policy, &rendered, now).await?;
        self.compiled(&rendered, root).await
    }

    /// The backends of these vhosts, as they are to be in `after`.
    async fn structure(&self, after: &Snapshot, vhosts: &[&Arc<Versioned<Vhost>>], now: OffsetDateTime) -> Result<Vec<Finding>> {
        let mut errors = Vec::new();
        for vhost in vhosts {
            let own = compile::check_upstreams(&vhost.spec, &self.node).into_iter();
            errors.extend(own.map(|error| FieldError { pointer: format!("/vhosts/{}{}", vhost.spec.name, error.pointer), ..error }));
        }
        if !errors.is_empty() {
            return Err(Error::Invalid(errors));
        }
        // Only these vhosts and what they name: what it costs does not depend on how many others there are. As if enabled, so that enabling
        // them later needs no judgement.
        let mut reduced = Snapshot::default();
        reduced.revision = after.revision + 1;
        for vhost in vhosts {
            for (name, policy) in vhost.spec.policies().filter_map(|(_, name)| after.policies.get_key_value(name)) {
                reduced.policies.insert(name.clone(), Arc::clone(policy));
            }
            for (_, name) in vhost.spec.access.references() {
                if let Some(list) = after.ip_lists.get(name).filter(|_| !reduced.ip_lists.contains_key(name)) {
                    let mut list = list.as_ref().clone();
                    list.entries = Arc::default();
                    reduced.ip_lists.insert(name.clone(), Arc::new(list));
                }
            }
            let mut alone = Versioned::clone(vhost);
            alone.spec.enabled = true;
            reduced.put_vhost(Arc::new(alone));
        }
        let node = Arc::clone(&self.node);
        let bundle = tokio::task::spawn_blocking(move || render::render(&compile::compile(&reduced, &node, now), &node, None))
            .await
            .map_err(Error::internal)?
            .map_err(Error::internal)?;
        let verdict = self.ask(self.engines.validate_structure(&bundle)).await;
        let object = match vhosts {
            [one] => format!("/vhosts/{}", one.spec.name),
            _ => String::new(),
        };
        told(verdict, &object)
    }

    async fn ask(&self, question: BoxFuture<'_, Verdict>) -> Verdict {
        let Ok(_turn) = self.turns.acquire().await else { return Verdict::Away("shutting down".to_owned()) };
        let patience = self.engines.patience();
        // It took the question: whatever it is doing with it, it must not do it where traffic is served.
        let late = |_| {
            let said = format!("no answer in {} s: it costs an engine too much", patience.as_secs());
            Verdict::Refused { engine: "engine", errors: vec![FieldError::new("", "too_expensive", said.clone())], said }
        };
        tokio::time::timeout(patience, question).await.unwrap_or_else(late)
    }
}

fn rendered(policy: &Policy, now: OffsetDateTime) -> Result<RenderedRuleSet> {
    let ruleset = compile::ruleset_of(policy, now).map_err(Error::Invalid)?;
    render::render_ruleset(&ruleset).map_err(Error::internal)
}
