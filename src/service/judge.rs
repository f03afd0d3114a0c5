//! What an engine would refuse is never committed: writes that reach a rule set or the structure are judged by the engines first, in
//! the caller's task. The writer then makes sure that what it commits is what was judged.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::StreamExt as _;
use futures::future::BoxFuture;
use time::OffsetDateTime;
use tokio::sync::Semaphore;

use super::apply::Change;
use super::object::Object;
use super::whole;
use crate::compile::{self, NodeSettings};
use crate::dataplane::{Accepted, Node, ServerStatus, Verdict};
use crate::domain::error::{Error, Result};
use crate::domain::plan::{EngineAnswer, EngineVerdict};
use crate::domain::{FieldError, Finding, Kind, Mode, Name, Policy, Revision, Severity, Snapshot, Versioned, Vhost};
use crate::render::{self, Bundle, RenderedRuleSet};

/// The engines as far as they judge content and are asked what they see. A seam for tests: a stub can refuse or hang.
pub trait Engines: Send + Sync {
    fn validate_ruleset<'a>(&'a self, ruleset: &'a RenderedRuleSet) -> BoxFuture<'a, Verdict>;
    fn validate_structure<'a>(&'a self, bundle: &'a Bundle) -> BoxFuture<'a, Verdict>;
    /// Rule sets that were accepted, so that nothing is judged twice.
    fn accepted(&self) -> &Accepted;
    /// The servers of a vhost, by its number; in words, why nobody can be asked.
    fn servers(&self, vhost: u32) -> BoxFuture<'_, Result<Vec<ServerStatus>, String>>;
    /// The last resort against an engine that never answers: engines have limits of their own, and turns to wait for.
    fn patience(&self) -> Duration {
        Duration::from_secs(60)
    }
}

impl Engines for Node {
    fn validate_ruleset<'a>(&'a self, ruleset: &'a RenderedRuleSet) -> BoxFuture<'a, Verdict> {
        Box::pin(Node::validate_ruleset(self, ruleset))
    }

    fn validate_structure<'a>(&'a self, bundle: &'a Bundle) -> BoxFuture<'a, Verdict> {
        Box::pin(Node::validate_structure(self, bundle))
    }

    fn accepted(&self) -> &Accepted {
        Node::accepted(self)
    }

    fn servers(&self, vhost: u32) -> BoxFuture<'_, Result<Vec<ServerStatus>, String>> {
        Box::pin(Node::servers(self, vhost))
    }
}

/// Judgements at once: each may cost an engine a core and some hundred megabytes.
const AT_ONCE: usize = 2;

/// Bytes of SecLang of all rule sets together: guard-spoa reads a file of at most 64 MiB, in which they are quoted.
const MOST_SECLANG: usize = 32 << 20;

/// Combinations of policies that sites with paths may have, on all sites together: each costs guard-spoa some 4 MB and 100 ms at a start.
const MOST_STRICT: usize = 64;

pub struct Judge {
    pub engines: Arc<dyn Engines>,
    node: Arc<NodeSettings>,
    turns: Semaphore,
    most_seclang: usize,
    /// What policies came to when it was last counted: name of the rule set, and bytes.
    weighed: Mutex<HashMap<Name, Weighed>>,
}

/// The policy that was counted, the name of its rule set, and bytes.
type Weighed = (Arc<Versioned<Policy>>, String, usize);

/// What was judged: as much of the objects as the judgement is about.
#[derive(Debug, Default)]
pub struct Judged {
    policies: BTreeMap<Name, Arc<Versioned<Policy>>>,
    vhosts: BTreeMap<Name, Arc<Versioned<Vhost>>>,
    merged: Merged,
    everything: bool,
}

/// What strict rule sets that a change makes or alters are merged of beside the changed objects: policies, and their revisions.
type Merged = BTreeMap<Name, Revision>;

impl Judged {
    /// What needs no judgement: it was live.
    pub fn everything() -> Self {
        Self { everything: true, ..Self::default() }
    }

    /// Whether all of `changes` that engines must judge has been judged, were they made to `head`.
    pub fn covers(&self, head: &Snapshot, changes: &[Change]) -> bool {
        if self.everything {
            return true;
        }
        let ruleset = |policy: &Arc<Versioned<Policy>>| {
            self.policies.get(&policy.spec.name).is_some_and(|judged| same_ruleset(&judged.spec, &policy.spec))
        };
        let structure = |vhost: &Arc<Versioned<Vhost>>| {
            self.vhosts.get(&vhost.spec.name).is_some_and(|judged| judged.spec.upstream == vhost.spec.upstream)
        };
        changes.iter().filter_map(ruleset_of).all(ruleset)
            && changes.iter().filter_map(structure_of).all(structure)
            && merged_with(head, changes, &strict_of(head, changes)) == self.merged
    }
}

/// What came of asking.
pub struct Judgement {
    pub judged: Judged,
    /// Pointers from the root: `/policies/shop/custom_rules/0`.
    pub findings: Vec<Finding>,
    /// What is wrong; pointers from the root.
    pub refusal: Option<Error>,
    pub coraza: EngineVerdict,
    pub haproxy: EngineVerdict,
}

impl Judgement {
    fn new() -> Self {
        let silent = |engine: &str| EngineVerdict { engine: engine.to_owned(), answer: EngineAnswer::NotAsked, said: String::new() };
        let (coraza, haproxy) = (silent("coraza"), silent("haproxy"));
        Self { judged: Judged::default(), findings: Vec::new(), refusal: None, coraza, haproxy }
    }

    /// Takes in what came of one question.
    fn hear(&mut self, of: fn(&mut Self) -> &mut EngineVerdict, answer: Result<Vec<Finding>>) {
        match answer {
            Ok(findings) => {
                let away = findings.iter().any(|finding| finding.code == NOT_VALIDATED);
                let verdict = of(self);
                if away && verdict.answer != EngineAnswer::Refused {
                    verdict.answer = EngineAnswer::Away;
                } else if verdict.answer == EngineAnswer::NotAsked {
                    verdict.answer = EngineAnswer::Accepted;
                }
                self.findings.extend(findings);
            }
            Err(error) => {
                if let Error::EngineRefused { said, .. } = &error {
                    let verdict = of(self);
                    verdict.answer = EngineAnswer::Refused;
                    let gap = if verdict.said.is_empty() { "" } else { "\n" };
                    verdict.said.push_str(gap);
                    verdict.said.push_str(said);
                }
                self.refusal = Some(match self.refusal.take() {
                    None => error,
                    Some(before) => both(before, error),
                });
            }
        }
    }

    /// As for a caller who wants it written.
    pub fn into_result(self) -> Result<(Judged, Vec<Finding>)> {
        match self.refusal {
            Some(error) => Err(error),
            None => Ok((self.judged, self.findings)),
        }
    }
}

/// Two refusals told as one; ours goes first.
fn both(a: Error, b: Error) -> Error {
    match (a, b) {
        (Error::Invalid(mut a), Error::Invalid(b)) => {
            a.extend(b);
            Error::Invalid(a)
        }
        (Error::EngineRefused { engine, mut said, mut errors }, Error::EngineRefused { said: more, errors: further, .. }) => {
            said.push('\n');
            said.push_str(&more);
            errors.extend(further);
            Error::EngineRefused { engine, said, errors }
        }
        (Error::EngineRefused { engine, said, mut errors }, Error::Invalid(further)) => {
            errors.extend(further);
            Error::EngineRefused { engine, said, errors }
        }
        (Error::Invalid(mut errors), Error::EngineRefused { engine, said, errors: further }) => {
            errors.extend(further);
            Error::EngineRefused { engine, said, errors }
        }
        (Error::Invalid(_) | Error::EngineRefused { .. }, other) => other,
        (other, _) => other,
    }
}

/// The policy whose rule set the change makes or alters.
fn ruleset_of(change: &Change) -> Option<&Arc<Versioned<Policy>>> {
    let Some(Object::Policy(after)) = &change.after else { return None };
    match &change.before {
        Some(Object::Policy(before)) if same_ruleset(&before.spec, &after.spec) => None,
        _ => Some(after),
    }
}

/// The vhosts whose strict rule set the changes make or alter, as they are to be.
fn strict_of(head: &Snapshot, changes: &[Change]) -> Vec<Arc<Versioned<Vhost>>> {
    let policies = |vhost: &Vhost| vhost.policies().map(|(_, name)| name.clone()).collect::<BTreeSet<_>>();
    // A policy that is switched on joins the strict rule sets of its sites.
    let altered: BTreeSet<&Name> = changes
        .iter()
        .filter(|change| match (&change.before, &change.after) {
            (Some(Object::Policy(before)), Some(Object::Policy(after))) => {
                !same_ruleset(&before.spec, &after.spec) || (before.spec.mode == Mode::Off) != (after.spec.mode == Mode::Off)
            }
            _ => false,
        })
        .map(|change| &change.name)
        .collect();
    let uses = |vhost: &Vhost| !altered.is_empty() && vhost.policies().any(|(_, name)| altered.contains(name));
    let mut changed = BTreeSet::new();
    let mut found = Vec::new();
    for change in changes.iter().filter(|change| change.kind == Kind::Vhost) {
        changed.insert(&change.name);
        let Some(Object::Vhost(after)) = &change.after else { continue };
        if after.spec.paths.is_empty() {
            continue;
        }
        let same = matches!(&change.before, Some(Object::Vhost(before))
            if !before.spec.paths.is_empty() && policies(&before.spec) == policies(&after.spec));
        if !same || uses(&after.spec) {
            found.push(Arc::clone(after));
        }
    }
    if !altered.is_empty() {
        let others = head.vhosts.values().filter(|vhost| !vhost.spec.paths.is_empty() && !changed.contains(&vhost.spec.name));
        found.extend(others.filter(|vhost| uses(&vhost.spec)).cloned());
    }
    found
}

fn merged_with(head: &Snapshot, changes: &[Change], strict: &[Arc<Versioned<Vhost>>]) -> Merged {
    let changed: BTreeSet<&Name> = changes.iter().filter(|change| change.kind == Kind::Policy).map(|change| &change.name).collect();
    let of = |name: &Name| Some((name.clone(), head.policies.get(name)?.revision));
    let names = strict.iter().flat_map(|vhost| vhost.spec.policies()).map(|(_, name)| name);
    names.filter(|name| !changed.contains(name)).filter_map(of).collect()
}

/// The vhost whose backend the change makes or alters.
fn structure_of(change: &Change) -> Option<&Arc<Versioned<Vhost>>> {
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
        Self { engines, node, turns: Semaphore::new(AT_ONCE), most_seclang: MOST_SECLANG, weighed: Mutex::default() }
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
        self.weigh(head, policy, &rendered, now).await?;
        self.compiled(&rendered, root).await
    }

    /// Refuses what would make all SecLang together more than the agent can be started with. A bound that costs next to nothing is looked at
    /// first; only beyond it rule sets are made and counted, each policy once.
    async fn weigh(&self, head: &Snapshot, policy: &Policy, made: &RenderedRuleSet, now: OffsetDateTime) -> Result<()> {
        let others = || head.policies.values().filter(|other| other.spec.name != policy.name && at_most(&other.spec) > 0);
        let bound: usize = others().map(|other| at_most(&other.spec)).sum();
        if bound + made.text.len() <= self.most_seclang {
            return Ok(());
        }
        let mut weighed = self.weighed.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let others: Vec<_> = others().cloned().collect();
        let (made, policy) = (made.clone(), policy.name.clone());
        let (weighed, sum) = tokio::task::spawn_blocking(move || {
            let mut counted = HashSet::from([made.name.clone()]);
            let mut sum = made.text.len();
            weighed.retain(|name, _| *name != policy);
            for other in &others {
                let known = weighed.get(&other.spec.name).filter(|(of, _, _)| Arc::ptr_eq(of, other));
                let (name, bytes) = match known {
                    Some((_, name, bytes)) => (name.clone(), *bytes),
                    // What cannot be made is not loaded.
                    None => rendered(&other.spec, now).map_or_else(|_| (String::new(), 0), |made| (made.name, made.text.len())),
                };
                weighed.insert(other.spec.name.clone(), (Arc::clone(other), name.clone(), bytes));
                if counted.insert(name) {
                    sum += bytes;
                }
            }
            let there: HashSet<&Name> = others.iter().map(|other| &other.spec.name).collect();
            weighed.retain(|name, _| there.contains(name));
            (weighed, sum)
        })
        .await
        .map_err(Error::internal)?;
        *self.weighed.lock().unwrap_or_else(PoisonError::into_inner) = weighed;
        if sum <= self.most_seclang {
            return Ok(());
        }
        let said = format!(
            "with this change the rules of all policies together would be {sum} bytes of SecLang, and {} is the most that guard-spoa is given: \
             shorten custom rules or exclusions, or let policies have the same ones",
            self.most_seclang
        );
        let errors = vec![FieldError::new("", "too_large", said.clone())];
        Err(Error::EngineRefused { engine: "coraza", said, errors })
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

/// What a policy's rule set cannot be longer than, in bytes. Policies without rules of their own share a few short ones.
fn at_most(policy: &Policy) -> usize {
    if policy.exclusions.is_empty() && policy.custom_rules.is_empty() {
        return 0;
    }
    let rules: usize = policy.custom_rules.iter().map(|rule| rule.seclang.len() * 2 + 1024).sum();
    (16 << 10) + rules + policy.exclusions.len() * (4 << 10)
}

/// Says that it is about the rules of several policies together, and whose.
fn strict_words(error: Error, vhost: &Name) -> Error {
    match error {
        Error::EngineRefused { engine, said, mut errors } => {
            let whose = format!("in the rules that treat ambiguous paths of vhost `{vhost}`, those of all its policies together: ");
            for error in &mut errors {
                error.detail.insert_str(0, &whose);
            }
            Error::EngineRefused { engine, said, errors }
        }
        other => other,
    }
}

/// The changed object that a strict rule set is told of: its vhost, or the changed policy that is in it.
fn strict_owner(changes: &[Change], vhost: &Name, ruleset: &RenderedRuleSet) -> String {
    let changed = |kind: Kind, name: &Name| changes.iter().any(|change| change.kind == kind && change.name == *name);
    match ruleset.policies.iter().find(|policy| changed(Kind::Policy, policy)) {
        Some(policy) if !changed(Kind::Vhost, vhost) => format!("/policies/{policy}"),
        _ => format!("/vhosts/{vhost}"),
    }
}

/// Makes pointers into an object pointers from the root. Those of engines are that already, unless they are empty.
pub fn rooted(error: Error, root: &str) -> Error {
    let under = |mut error: FieldError| {
        error.pointer.insert_str(0, root);
        error
    };
    match error {
        Error::Invalid(errors) => Error::Invalid(errors.into_iter().map(under).collect()),
        Error::EngineRefused { engine, said, errors } => {
            let errors = errors.into_iter().map(|error| if error.pointer.is_empty() { under(error) } else { error }).collect();
            Error::EngineRefused { engine, said, errors }
        }
        other => other,
    }
}

/// Nobody could be asked; `object` is what it was to be asked about, from the root.
const NOT_VALIDATED: &str = "not_validated";

fn told(verdict: Verdict, object: &str) -> Result<Vec<Finding>> {
    match verdict {
        Verdict::Accepted { findings } => Ok(findings),
        Verdict::Refused { engine, said, errors } => Err(rooted(Error::EngineRefused { engine, said, errors }, object)),
        Verdict::Away(why) => {
            tracing::warn!(why, object, "nobody could judge a write; it is judged when it is deployed");
            Ok(vec![Finding {
                severity: Severity::Warning,
                code: NOT_VALIDATED.to_owned(),
                pointer: object.to_owned(),
                message:
                    "the engine that would judge this is away: this was accepted without its judgement, which comes with the deployment. \
                          See to it that guard-spoa's validator and HAProxy's program are there (`guard-proxy doctor` says what is not), \
                          and look at the deployment: if it is refused, what was written is taken back and stays as a refused change set"
                        .to_owned(),
            }])
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::tests::Stub;
    use super::*;
    use crate::compile::sample;

    #[tokio::test]
    async fn all_rules_together_are_bounded_and_shared_ones_count_once() {
        let rules = |n: u32| {
            let rule = |i: u32| json!({"id": 190_000 + i, "seclang": format!("SecRule ARGS:a{n} \"@streq {}\" \"phase:2,deny,msg:'x'\"", "x".repeat(8000))});
            json!((0..10).map(rule).collect::<Vec<_>>())
        };
        let policy = |name: &str, n: u32| json!({"name": name, "custom_rules": rules(n)});
        let mut head = Snapshot::default();
        for n in 0..5 {
            sample::put_policy(&mut head, n + 1, policy(&format!("p{n}"), n));
        }
        for n in 0..20 {
            sample::put_policy(&mut head, n + 10, policy(&format!("twin{n}"), 0));
        }
        let mut judge = Judge::new(Arc::new(Stub::default()), Arc::new(sample::node("/run/guard-proxy")));
        // Six of 80 kB and some, not seven.
        judge.most_seclang = 560_000;
        let ask = async |head: &Snapshot, name: &str, n: u32| {
            let mut one = Snapshot::default();
            sample::put_policy(&mut one, 99, policy(name, n));
            let policy = one.policies.values().next().unwrap().spec.clone();
            judge.ruleset(head, &policy, OffsetDateTime::UNIX_EPOCH).await
        };
        ask(&head, "p5", 5).await.unwrap();
        sample::put_policy(&mut head, 6, policy("p5", 5));
        ask(&head, "twin20", 0).await.unwrap();
        ask(&head, "p5", 6).await.unwrap();
        for _ in 0..2 {
            let Err(Error::EngineRefused { errors, .. }) = ask(&head, "p6", 6).await else { panic!() };
            assert_eq!((errors[0].code.as_str(), errors[0].pointer.as_str()), ("too_large", "/policies/p6"));
        }
        let policy = &head.policies.values().next().unwrap().spec;
        assert!(rendered(policy, OffsetDateTime::UNIX_EPOCH).unwrap().text.len() <= at_most(policy));
    }
}
