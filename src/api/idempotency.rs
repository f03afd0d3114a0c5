//! `Idempotency-Key`: for an hour, the same key of the same principal gets the same answer. In memory: what it guards is idempotent by
//! nature, so a restart loses nothing but the sameness of the answer.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use sha2::{Digest as _, Sha256};
use tokio::time::Instant;

use super::codes::Code;
use super::problem::Problem;
use crate::domain::Principal;

const KEPT: Duration = Duration::from_secs(3600);
/// So many keys of each principal are remembered; then the oldest that is answered is forgotten.
const MOST: usize = 100;

#[derive(Default)]
pub struct Idempotency(Mutex<HashMap<String, HashMap<String, Remembered>>>);

struct Remembered {
    at: Instant,
    request: [u8; 32],
    /// None while the first one is at work.
    answer: Option<Answer>,
}

#[derive(Clone)]
enum Answer {
    Done(StatusCode, HeaderMap, Bytes),
    Refused(Problem),
}

/// The key of a request, if it has one.
pub fn key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let Some(value) = headers.get("idempotency-key") else { return Ok(None) };
    let wrong = || Problem::new(Code::InvalidHeader, "an Idempotency-Key is 1 to 255 printable ASCII characters");
    let text = value.to_str().map_err(|_| wrong())?;
    if (1..=255).contains(&text.len()) { Ok(Some(text.to_owned())) } else { Err(wrong()) }
}

impl Idempotency {
    /// Answers as the first time, or does `work` and remembers. `request` is what must be the same: path and body.
    pub async fn once(
        &self,
        key: Option<String>,
        principal: &Principal,
        request: &[&[u8]],
        work: impl Future<Output = Result<Response, Problem>>,
    ) -> Result<Response, Problem> {
        let Some(key) = key else { return work.await };
        let mut hash = Sha256::new();
        for part in request {
            hash.update(part.len().to_be_bytes());
            hash.update(part);
        }
        let slot = (principal.identity(), key);
        if let Some(answer) = self.begin(&slot, hash.finalize().into())? {
            return answer.replay();
        }
        let mut claim = Claim { kept: self, slot: Some(slot) };
        let answer = match work.await {
            Ok(response) => {
                let (parts, body) = response.into_parts();
                let bytes = axum::body::to_bytes(body, usize::MAX).await.map_err(|error| Problem::internal(error.to_string()))?;
                Answer::Done(parts.status, parts.headers, bytes)
            }
            Err(problem) if problem.code().status().is_client_error() => Answer::Refused(problem),
            // Not an outcome: the next one may try again.
            Err(problem) => return Err(problem),
        };
        claim.finish(answer.clone());
        answer.replay()
    }

    fn begin(&self, slot: &(String, String), request: [u8; 32]) -> Result<Option<Answer>, Problem> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        // What is at work is nobody's to forget: the same request would be done twice.
        all.retain(|_, kept| {
            kept.retain(|_, remembered| remembered.answer.is_none() || now.duration_since(remembered.at) < KEPT);
            !kept.is_empty()
        });
        let kept = all.entry(slot.0.clone()).or_default();
        match kept.get(&slot.1) {
            Some(remembered) if remembered.request != request => {
                Err(Problem::new(Code::IdempotencyMismatch, "this Idempotency-Key was used for another request; take a new one"))
            }
            Some(Remembered { answer: None, .. }) => {
                Err(Problem::new(Code::Conflict, "the first request with this Idempotency-Key is still at work"))
            }
            Some(Remembered { answer, .. }) => Ok(answer.clone()),
            None => {
                if kept.len() >= MOST {
                    let answered = kept.iter().filter(|(_, remembered)| remembered.answer.is_some());
                    let Some(oldest) = answered.min_by_key(|(_, remembered)| remembered.at).map(|(key, _)| key.clone()) else {
                        let detail = format!("{MOST} requests with an Idempotency-Key are still at work; wait for one to end");
                        return Err(Problem::new(Code::TooMany, detail));
                    };
                    kept.remove(&oldest);
                }
                kept.insert(slot.1.clone(), Remembered { at: now, request, answer: None });
                Ok(None)
            }
        }
    }
}

impl Answer {
    fn replay(self) -> Result<Response, Problem> {
        match self {
            Self::Done(status, headers, bytes) => {
                let mut response = (status, bytes).into_response();
                *response.headers_mut() = headers;
                Ok(response)
            }
            Self::Refused(problem) => Err(problem),
        }
    }
}

/// Forgets the key when its work ends without an outcome, also by being dropped.
struct Claim<'a> {
    kept: &'a Idempotency,
    slot: Option<(String, String)>,
}

impl Claim<'_> {
    fn finish(&mut self, answer: Answer) {
        if let Some((principal, key)) = self.slot.take()
            && let Some(kept) = self.kept.0.lock().unwrap_or_else(PoisonError::into_inner).get_mut(&principal)
            && let Some(remembered) = kept.get_mut(&key)
        {
            remembered.answer = Some(answer);
        }
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        if let Some((principal, key)) = self.slot.take()
            && let Some(kept) = self.kept.0.lock().unwrap_or_else(PoisonError::into_inner).get_mut(&principal)
        {
            kept.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn principal(n: u128) -> Principal {
        Principal::Token { id: uuid::Uuid::from_u128(n), name: "same".to_owned(), grant: Default::default() }
    }

    /// Whether it was done now, or told again.
    async fn done(kept: &Idempotency, of: u128, key: &str) -> bool {
        let mut done = false;
        let work = async {
            done = true;
            Ok(StatusCode::OK.into_response())
        };
        kept.once(Some(key.to_owned()), &principal(of), &[b"x"], work).await.unwrap();
        done
    }

    #[tokio::test]
    async fn nobody_makes_another_be_forgotten_nor_what_is_at_work() {
        let kept = Idempotency::default();
        assert!(done(&kept, 1, "mine").await && !done(&kept, 1, "mine").await);
        for n in 0..2 * MOST {
            assert!(done(&kept, 2, &n.to_string()).await);
        }
        assert!(!done(&kept, 1, "mine").await, "another principal's keys are not mine");
        assert!(!done(&kept, 2, &(2 * MOST - 1).to_string()).await);
        assert!(done(&kept, 2, "0").await, "the oldest of their own was forgotten");

        // Both stay at work while others come and go.
        let of = principal(3);
        let mut work: Vec<_> = (0..MOST).map(|n| Box::pin(kept.once(Some(n.to_string()), &of, &[b"x"], std::future::pending()))).collect();
        for pending in &mut work {
            assert!(futures::poll!(pending.as_mut()).is_pending());
        }
        let again = kept.once(Some("0".to_owned()), &of, &[b"x"], std::future::pending()).await;
        assert_eq!(again.err().map(|problem| problem.code()), Some(Code::Conflict));
        let more = kept.once(Some("more".to_owned()), &of, &[b"x"], std::future::pending()).await;
        assert_eq!(more.err().map(|problem| problem.code()), Some(Code::TooMany));
        drop(work.pop());
        assert!(done(&kept, 3, "more").await);
    }
}
