//! What came of asking the engines, in words that name the objects that it is about.

use super::scope::Judged;
use crate::dataplane::Verdict;
use crate::domain::error::{Error, Result};
use crate::domain::plan::{EngineAnswer, EngineVerdict};
use crate::domain::{FieldError, Finding, Kind, Name, Severity};
use crate::render::RenderedRuleSet;
use crate::service::apply::Change;

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
    pub(super) fn new() -> Self {
        let silent = |engine: &str| EngineVerdict { engine: engine.to_owned(), answer: EngineAnswer::NotAsked, said: String::new() };
        let (coraza, haproxy) = (silent("coraza"), silent("haproxy"));
        Self { judged: Judged::default(), findings: Vec::new(), refusal: None, coraza, haproxy }
    }

    /// Takes in what came of one question.
    pub(super) fn hear(&mut self, of: fn(&mut Self) -> &mut EngineVerdict, answer: Result<Vec<Finding>>) {
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

/// Says that it is about the rules of several policies together, and whose.
pub(super) fn strict_words(error: Error, vhost: &Name) -> Error {
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
pub(super) fn strict_owner(changes: &[Change], vhost: &Name, ruleset: &RenderedRuleSet) -> String {
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

pub(super) fn told(verdict: Verdict, object: &str) -> Result<Vec<Finding>> {
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
