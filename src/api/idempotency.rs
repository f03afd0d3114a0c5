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
/// So many keys are remembered; then the oldest is forgotten.
const MOST: usize = 1000;

#[derive(Default)]
pub struct Idempotency(Mutex<HashMap<(String, String), Remembered>>);

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
        // By identity where there is one: names of tokens may be used again.
        let principal = match principal {
            Principal::Token { id, .. } => id.to_string(),
            other => other.label(),
        };
        let slot = (principal, key);
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
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        kept.retain(|_, remembered| now.duration_since(remembered.at) < KEPT);
        match kept.get(slot) {
            Some(remembered) if remembered.request != request => {
                Err(Problem::new(Code::IdempotencyMismatch, "this Idempotency-Key was used for another request; take a new one"))
            }
            Some(Remembered { answer: None, .. }) => {
                Err(Problem::new(Code::Conflict, "the first request with this Idempotency-Key is still at work"))
            }
            Some(Remembered { answer, .. }) => Ok(answer.clone()),
            None => {
                if kept.len() >= MOST
                    && let Some(oldest) = kept.iter().min_by_key(|(_, remembered)| remembered.at).map(|(slot, _)| slot.clone())
                {
                    kept.remove(&oldest);
                }
                kept.insert(slot.clone(), Remembered { at: now, request, answer: None });
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
        if let Some(slot) = self.slot.take()
            && let Some(remembered) = self.kept.0.lock().unwrap_or_else(PoisonError::into_inner).get_mut(&slot)
        {
            remembered.answer = Some(answer);
        }
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        if let Some(slot) = self.slot.take() {
            self.kept.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&slot);
        }
    }
}
