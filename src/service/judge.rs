//! What an engine would refuse is never committed: writes that reach a rule set or the structure are judged by the engines first, in
//! the caller's task. The writer then makes sure that what it commits is what was judged.

use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::future::BoxFuture;
use time::OffsetDateTime;
use tokio::sync::Semaphore;

use super::apply::Change;
use super::keyed::inside;
use super::object::Object;
use crate::compile::{self, NodeSettings};
use crate::dataplane::{Node, Verdict};
use crate::domain::error::{Error, Result};
use crate::domain::{Finding, Mode, Policy, Severity, Snapshot, Upstream, Versioned, Vhost};
use crate::render::{self, Bundle, RenderedRuleSet};

/// The engines as far as they judge content. A seam for tests: a stub can refuse or hang.
pub trait Engines: Send + Sync {
    fn validate_ruleset<'a>(&'a self, ruleset: &'a RenderedRuleSet) -> BoxFuture<'a, Verdict>;
    fn validate_structure<'a>(&'a self, bundle: &'a Bundle) -> BoxFuture<'a, Verdict>;
}

impl Engines for Node {
    fn validate_ruleset<'a>(&'a self, ruleset: &'a RenderedRuleSet) -> BoxFuture<'a, Verdict> {
        Box::pin(Node::validate_ruleset(self, ruleset))
    }

    fn validate_structure<'a>(&'a self, bundle: &'a Bundle) -> BoxFuture<'a, Verdict> {
        Box::pin(Node::validate_structure(self, bundle))
    }
}

/// An engine that has not answered by then is taken to be away: the write is accepted with a finding, and judged again when deployed.
const PATIENCE: Duration = Duration::from_secs(10);

/// Judgements at once: each may cost an engine a core and some hundred megabytes.
const AT_ONCE: usize = 2;

/// Names of accepted rule sets remembered. Names are digests of content, so that what was accepted once stays so until the engine changes,
/// which is a restart.
const REMEMBERED: usize = 4096;

pub struct Judge {
    engines: Arc<dyn Engines>,
    node: Arc<NodeSettings>,
    turns: Semaphore,
    accepted: Mutex<(HashSet<String>, VecDeque<String>)>,
}

/// What was judged: as much of the object as the judgement is about.
#[derive(Clone, Debug, Default)]
pub struct Judged {
    policy: Option<Policy>,
    upstream: Option<Upstream>,
}

impl Judged {
    /// Whether all of `change` that engines must judge has been judged.
    pub fn covers(&self, change: &Change) -> bool {
        if ruleset_of(change).is_some_and(|policy| !self.policy.as_ref().is_some_and(|judged| same_ruleset(judged, &policy.spec))) {
            return false;
        }
        structure_of(change).is_none_or(|vhost| self.upstream.as_ref() == Some(&vhost.spec.upstream))
    }
}

/// The policy whose rule set the change makes or alters.
fn ruleset_of(change: &Change) -> Option<&Versioned<Policy>> {
    let Some(Object::Policy(after)) = &change.after else { return None };
    match &change.before {
        Some(Object::Policy(before)) if same_ruleset(&before.spec, &after.spec) => None,
        _ => Some(after),
    }
}

/// The vhost whose backend the change makes or alters.
fn structure_of(change: &Change) -> Option<&Versioned<Vhost>> {
    let Some(Object::Vhost(after)) = &change.after else { return None };
    match &change.before {
        Some(Object::Vhost(before)) if before.spec.upstream == after.spec.upstream => None,
        _ => Some(after),
    }
}

/// Whether two policies differ in what never reaches a rule set, at most. Said by what does not matter, so that a new field matters
/// until somebody says otherwise.
fn same_ruleset(a: &Policy, b: &Policy) -> bool {
    let bare = |policy: &Policy| Policy {
        title: Default::default(),
        description: Default::default(),
        mode: Mode::default(),
        paranoia: Default::default(),
        thresholds: Default::default(),
        ..policy.clone()
    };
    // Most writes leave the rules alone, and comparing them in place is cheaper than copying.
    (a.exclusions == b.exclusions && a.custom_rules == b.custom_rules) && bare(a) == bare(b)
}

impl Judge {
    pub fn new(engines: Arc<dyn Engines>, node: Arc<NodeSettings>) -> Self {
        Self { engines, node, turns: Semaphore::new(AT_ONCE), accepted: Mutex::default() }
    }

    /// Judges a change. Findings and faults point into the object.
    pub async fn judge(&self, head: &Snapshot, change: &Change, now: OffsetDateTime) -> Result<(Judged, Vec<Finding>)> {
        let mut judged = Judged::default();
        let mut findings = Vec::new();
        if let Some(policy) = ruleset_of(change) {
            findings.extend(self.ruleset(&policy.spec, now).await?);
            judged.policy = Some(policy.spec.clone());
        }
        if let Some(vhost) = structure_of(change) {
            findings.extend(self.structure(head, vhost, now).await?);
            judged.upstream = Some(vhost.spec.upstream.clone());
        }
        Ok((judged, findings))
    }

    async fn ruleset(&self, policy: &Policy, now: OffsetDateTime) -> Result<Vec<Finding>> {
        let owned = policy.clone();
        let (ruleset, rendered) = tokio::task::spawn_blocking(move || {
            let ruleset = compile::ruleset_of(&owned, now).map_err(Error::Invalid)?;
            let rendered = render::render_ruleset(&ruleset).map_err(Error::internal)?;
            Ok::<_, Error>((ruleset.name, rendered))
        })
        .await
        .map_err(Error::internal)??;
        if self.accepted.lock().unwrap_or_else(PoisonError::into_inner).0.contains(&ruleset) {
            return Ok(Vec::new());
        }
        let verdict = self.ask(self.engines.validate_ruleset(&rendered)).await;
        if matches!(verdict, Verdict::Accepted { .. }) {
            let mut accepted = self.accepted.lock().unwrap_or_else(PoisonError::into_inner);
            if accepted.0.insert(ruleset.clone()) {
                accepted.1.push_back(ruleset);
            }
            if accepted.1.len() > REMEMBERED
                && let Some(oldest) = accepted.1.pop_front()
            {
                accepted.0.remove(&oldest);
            }
        }
        told(verdict, &format!("/policies/{}", policy.name))
    }

    async fn structure(&self, head: &Snapshot, vhost: &Versioned<Vhost>, now: OffsetDateTime) -> Result<Vec<Finding>> {
        let errors = compile::check_upstreams(&vhost.spec, &self.node);
        if !errors.is_empty() {
            return Err(Error::Invalid(errors));
        }
        // Only this vhost and what it names: what it costs does not depend on how many others there are. As if enabled, so that enabling
        // it later needs no judgement.
        let mut reduced = Snapshot::default();
        reduced.revision = head.revision + 1;
        if let Some(policy) = head.policies.get(&vhost.spec.policy) {
            reduced.policies.insert(vhost.spec.policy.clone(), Arc::clone(policy));
        }
        for (_, name) in vhost.spec.access.references() {
            if let Some(list) = head.ip_lists.get(name) {
                let mut list = list.as_ref().clone();
                list.entries = Arc::default();
                reduced.ip_lists.insert(name.clone(), Arc::new(list));
            }
        }
        let mut alone = vhost.clone();
        alone.spec.enabled = true;
        reduced.put_vhost(Arc::new(alone));
        let node = Arc::clone(&self.node);
        let bundle = tokio::task::spawn_blocking(move || render::render(&compile::compile(&reduced, &node, now), &node, None))
            .await
            .map_err(Error::internal)?
            .map_err(Error::internal)?;
        let verdict = self.ask(self.engines.validate_structure(&bundle)).await;
        told(verdict, &format!("/vhosts/{}", vhost.spec.name))
    }

    async fn ask(&self, question: BoxFuture<'_, Verdict>) -> Verdict {
        let Ok(_turn) = self.turns.acquire().await else { return Verdict::Away("shutting down".to_owned()) };
        match tokio::time::timeout(PATIENCE, question).await {
            Ok(verdict) => verdict,
            Err(_) => Verdict::Away(format!("no answer in {} s", PATIENCE.as_secs())),
        }
    }
}

fn told(verdict: Verdict, object: &str) -> Result<Vec<Finding>> {
    match verdict {
        Verdict::Accepted { mut findings } => {
            for finding in &mut findings {
                if let Some(rest) = finding.pointer.strip_prefix(object) {
                    finding.pointer = rest.to_owned();
                }
            }
            Ok(findings)
        }
        Verdict::Refused { engine, said, errors } => Err(inside(Error::EngineRefused { engine, said, errors }, object)),
        Verdict::Away(why) => {
            tracing::warn!(why, object, "nobody could judge a write; it is judged when it is deployed");
            Ok(vec![Finding {
                severity: Severity::Warning,
                code: "not_validated".to_owned(),
                pointer: String::new(),
                message: "the engine that would judge this is away: accepted without its judgement, which comes with the deployment"
                    .to_owned(),
            }])
        }
    }
}
