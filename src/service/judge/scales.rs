//! How long the rules of all policies may be together.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use time::OffsetDateTime;

use super::rendered;
use crate::domain::error::{Error, Result};
use crate::domain::{FieldError, Name, Policy, Snapshot, Versioned};
use crate::render::RenderedRuleSet;

/// Bytes of SecLang of all rule sets together: guard-spoa reads a file of at most 64 MiB, in which they are quoted.
const MOST_SECLANG: usize = 32 << 20;

/// The policy that was counted, the name of its rule set, and bytes.
type Weighed = (Arc<Versioned<Policy>>, String, usize);

pub struct Scales {
    /// Bytes.
    most: usize,
    /// What policies came to when it was last counted: name of the rule set, and bytes.
    weighed: Mutex<HashMap<Name, Weighed>>,
}

impl Default for Scales {
    fn default() -> Self {
        Self { most: MOST_SECLANG, weighed: Mutex::default() }
    }
}

impl Scales {
    /// Refuses what would make all SecLang together more than the agent can be started with. A bound that costs next to nothing is looked at
    /// first; only beyond it rule sets are made and counted, each policy once.
    pub async fn weigh(&self, head: &Snapshot, policy: &Policy, made: &RenderedRuleSet, now: OffsetDateTime) -> Result<()> {
        let others = || head.policies.values().filter(|other| other.spec.name != policy.name && at_most(&other.spec) > 0);
        let bound: usize = others().map(|other| at_most(&other.spec)).sum();
        if bound + made.text.len() <= self.most {
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
        if sum <= self.most {
            return Ok(());
        }
        let said = format!(
            "with this change the rules of all policies together would be {sum} bytes of SecLang, and {} is the most that guard-spoa is given: \
             shorten custom rules or exclusions, or let policies have the same ones",
            self.most
        );
        let errors = vec![FieldError::new("", "too_large", said.clone())];
        Err(Error::EngineRefused { engine: "coraza", said, errors })
    }
}

/// What a policy's rule set cannot be longer than, in bytes. Policies without rules of their own share a few short ones.
fn at_most(policy: &Policy) -> usize {
    if policy.exclusions.is_empty() && policy.custom_rules.is_empty() {
        return 0;
    }
    let rules: usize = policy.custom_rules.iter().map(|rule| rule.seclang.len() * 2 + 1024).sum();
    (16 << 10) + rules + policy.exclusions.len() * (4 << 10)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::compile::sample;
    use crate::service::judge::Judge;
    use crate::service::tests::Stub;

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
        judge.scales = Scales { most: 560_000, ..Scales::default() };
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
