//! The validator: the guard-spoa that judges rule sets before anything is committed, and what it has accepted.

use std::collections::{HashSet, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use sha2::{Digest as _, Sha256};
use tokio::sync::Semaphore;

use super::Verdict;
use super::spoa::{Compiled, EngineFinding, PATIENCE, Spoa, SpoaError, findings, refusal, too_expensive, within};
use crate::domain::FieldError;
use crate::render::RenderedRuleSet;

/// How long a validator that ended may take until it is there again: whoever supervises it starts it anew.
const RESTART: Duration = Duration::from_secs(5);
/// Judgements at once: each may cost the validator a core and some hundred megabytes.
const AT_ONCE: u32 = 2;
/// Accepted rule sets remembered.
const REMEMBERED: usize = 4096;

/// Rule sets that the validator accepted, by the SHA-256 of their text: what was accepted once stays so until the engine changes, which is a
/// restart. Shared by the judgement of writes and by deployments, so that nothing is compiled twice to be judged.
#[derive(Default)]
pub struct Accepted(Mutex<Known>);

/// Digests, and the order in which they came.
#[derive(Default)]
struct Known(HashSet<[u8; 32]>, VecDeque<[u8; 32]>);

impl Accepted {
    fn key(ruleset: &RenderedRuleSet) -> [u8; 32] {
        Sha256::digest(ruleset.text.as_bytes()).into()
    }

    pub fn has(&self, ruleset: &RenderedRuleSet) -> bool {
        let key = Self::key(ruleset);
        self.0.lock().unwrap_or_else(PoisonError::into_inner).0.contains(&key)
    }

    pub fn add(&self, ruleset: &RenderedRuleSet) {
        let key = Self::key(ruleset);
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.0.insert(key) {
            known.1.push_back(key);
        }
        if known.1.len() > REMEMBERED
            && let Some(oldest) = known.1.pop_front()
        {
            known.0.remove(&oldest);
        }
    }
}

/// What asking the validator came to.
pub enum Judgement {
    Said(Verdict),
    /// It is there, and has no place: nothing is known, and it is worth to ask again.
    Busy(String),
}

/// The process that judges, and what it has judged.
pub struct Validator {
    pub spoa: Spoa,
    pub accepted: Accepted,
    turns: Semaphore,
    /// When it last answered, or broke.
    seen: Mutex<Option<Instant>>,
    patience: Duration,
}

impl Validator {
    pub fn new(socket: &str) -> Self {
        let turns = Semaphore::new(AT_ONCE as usize);
        Self { spoa: Spoa::new(socket), accepted: Accepted::default(), turns, seen: Mutex::default(), patience: PATIENCE }
    }

    /// Judges a rule set. The time it waits for its turn is not told of the content.
    pub async fn judge(&self, ruleset: &RenderedRuleSet) -> Judgement {
        let verdict = match self.ask(ruleset).await {
            Ok(Compiled::Accepted { findings: found, .. }) => {
                self.accepted.add(ruleset);
                Verdict::Accepted { findings: findings(ruleset, &found) }
            }
            Ok(Compiled::Refused { error }) => refused(refusal(ruleset, &error)),
            Err(SpoaError::Away(said)) => Verdict::Away(said),
            Err(SpoaError::Busy(said)) => return Judgement::Busy(said),
            Err(error @ (SpoaError::Broke(_) | SpoaError::Late(_))) => refused(too_expensive(ruleset, &error.to_string())),
            // It answered, and not that it agrees: whatever it meant, nobody may load that.
            Err(error @ SpoaError::Said { .. }) => {
                refused(refusal(ruleset, &EngineFinding { message: error.to_string(), ..Default::default() }))
            }
        };
        Judgement::Said(verdict)
    }

    async fn ask(&self, ruleset: &RenderedRuleSet) -> Result<Compiled, SpoaError> {
        let ended = |_| SpoaError::Away("shutting down".to_owned());
        let turn = self.turns.acquire().await.map_err(ended)?;
        let first = self.ask_who_is_there(ruleset).await;
        drop(turn);
        let Err(SpoaError::Broke(said)) = first else { return first };
        // It ended under this one, or under the one beside it, or was about to end anyway. Alone it is known which.
        tracing::warn!(said, ruleset = ruleset.name, "the validator ended while it judged; asking again, alone");
        let _alone = self.turns.acquire_many(AT_ONCE).await.map_err(ended)?;
        match self.ask_who_is_there(ruleset).await {
            // It broke on this, and nobody has started it again.
            Err(SpoaError::Away(_)) => Err(SpoaError::Broke(said)),
            other => other,
        }
    }

    /// One that was there a moment ago is being started anew.
    async fn ask_who_is_there(&self, ruleset: &RenderedRuleSet) -> Result<Compiled, SpoaError> {
        loop {
            let answer = within(self.patience, self.spoa.validate(&ruleset.text)).await;
            let away = matches!(answer, Err(SpoaError::Away(_)));
            if !self.was_there(!away) || !away {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Whether it was there a moment ago, or (`now`) is.
    fn was_there(&self, now: bool) -> bool {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if now {
            *seen = Some(Instant::now());
        }
        seen.is_some_and(|at| at.elapsed() < RESTART)
    }
}

fn refused((said, errors): (String, Vec<FieldError>)) -> Verdict {
    Verdict::Refused { engine: "coraza", said, errors }
}

#[cfg(test)]
mod tests {
    use super::super::spoa::tests::ruleset;
    use super::*;

    /// A validator that does with each connection, in turn, what it is told: an answer, or (None) to hang up; then it is gone.
    fn validator(folder: &std::path::Path, answers: Vec<Option<(u16, &'static str)>>) -> Validator {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let socket = folder.join("s");
        let listener = tokio::net::UnixListener::bind(&socket).unwrap();
        let path = socket.clone();
        tokio::spawn(async move {
            for (status, body) in answers.into_iter().map(|answer| answer.unwrap_or((0, ""))) {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut buffer = [0; 4096];
                assert!(stream.read(&mut buffer).await.unwrap() > 0);
                match status {
                    0 => {}
                    1 => tokio::time::sleep(Duration::from_secs(5)).await,
                    _ => {
                        let text = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\n\r\n{body}", body.len());
                        stream.write_all(text.as_bytes()).await.unwrap();
                    }
                }
            }
            std::fs::remove_file(path).unwrap();
        });
        Validator { patience: Duration::from_millis(300), ..Validator::new(socket.to_str().unwrap()) }
    }

    async fn judged(answers: &[Option<(u16, &'static str)>]) -> String {
        let folder = tempfile::tempdir().unwrap();
        let validator = validator(folder.path(), answers.to_vec());
        let ruleset = ruleset();
        let told = match validator.judge(&ruleset).await {
            Judgement::Busy(_) => "busy".to_owned(),
            Judgement::Said(Verdict::Accepted { .. }) => "accepted".to_owned(),
            Judgement::Said(Verdict::Away(_)) => "away".to_owned(),
            Judgement::Said(Verdict::Refused { errors, .. }) => {
                assert_eq!(errors[0].pointer, "/policies/shop");
                errors[0].code.clone()
            }
        };
        assert_eq!(validator.accepted.has(&ruleset), told == "accepted");
        told
    }

    #[tokio::test]
    async fn only_who_could_not_be_asked_is_away() {
        const GOOD: Option<(u16, &str)> = Some((200, r#"{"rule_count":1,"load_ms":1.0,"findings":[]}"#));
        assert_eq!(judged(&[GOOD]).await, "accepted");
        assert_eq!(judged(&[Some((503, r#"{"error":"busy"}"#))]).await, "busy");
        assert_eq!(judged(&[Some((413, r#"{"error":{"code":"too-large","message":"m"}}"#))]).await, "too_expensive");
        assert_eq!(judged(&[Some((413, "over the limit"))]).await, "too_expensive");
        assert_eq!(judged(&[Some((422, r#"{"error":{"code":"too-expensive","message":"m"}}"#))]).await, "too_expensive");
        assert_eq!(judged(&[Some((422, r#"{"error":{"message":"m"}}"#))]).await, "engine_refused");
        assert_eq!(judged(&[Some((500, "panic"))]).await, "engine_refused");
        assert_eq!(judged(&[Some((403, "no"))]).await, "engine_refused");
        // Too slow: not asked again.
        assert_eq!(judged(&[Some((1, ""))]).await, "too_expensive");
        // It broke twice; it broke and is gone; it only ended when it was asked, and agrees when it is there again.
        assert_eq!(judged(&[None, None]).await, "too_expensive");
        assert_eq!(judged(&[None]).await, "too_expensive");
        assert_eq!(judged(&[None, GOOD]).await, "accepted");
        assert_eq!(judged(&[None, Some((503, "busy"))]).await, "busy");
        let nobody = Validator::new("/nonexistent/socket").judge(&ruleset()).await;
        assert!(matches!(nobody, Judgement::Said(Verdict::Away(_))));
    }
}
