//! Snapshot -> bundle: pure, but 50 ms at 10,000 vhosts, so not on the threads that serve.

use std::sync::Arc;
use std::time::Instant;

use time::OffsetDateTime;

use crate::compile::{NodeSettings, compile};
use crate::domain::deployment::Step;
use crate::domain::{FieldError, Snapshot};
use crate::render::{Bundle, render};

/// What came of it.
pub struct Built {
    pub bundle: Result<Arc<Bundle>, Failure>,
    pub next_expiry: Option<OffsetDateTime>,
    pub steps: Vec<Step>,
}

/// Why there is no bundle.
pub struct Failure {
    pub said: String,
    pub errors: Vec<FieldError>,
}

/// `now` decides what has expired; `previous` lends what did not change.
pub async fn build(snapshot: &Arc<Snapshot>, node: &NodeSettings, now: OffsetDateTime, previous: Option<Arc<Bundle>>) -> Built {
    let (snapshot, node) = (snapshot.clone(), node.clone());
    let work = tokio::task::spawn_blocking(move || build_now(&snapshot, &node, now, previous.as_deref()));
    work.await.unwrap_or_else(|error| {
        // A panic in pure code: ours, and the last good state stays.
        let failure = Failure { said: format!("internal: compiling failed: {error}"), errors: vec![] };
        Built { bundle: Err(failure), next_expiry: None, steps: vec![] }
    })
}

fn build_now(snapshot: &Snapshot, node: &NodeSettings, now: OffsetDateTime, previous: Option<&Bundle>) -> Built {
    let begun = Instant::now();
    let desired = compile(snapshot, node, now);
    let step = |name: &str, begun: Instant, ok: bool, detail: String| Step {
        name: name.to_owned(),
        started_at: now,
        took_us: i64::try_from(begun.elapsed().as_micros()).unwrap_or(i64::MAX),
        ok,
        detail,
    };
    let detail = format!("{} vhosts, {} rule sets", snapshot.vhosts.len(), desired.rulesets.len());
    let mut steps = vec![step("compile", begun, desired.problems.is_empty(), detail)];
    if let Some(first) = desired.problems.first() {
        let said = format!("the stored state cannot be compiled: {}: {}", first.pointer, first.detail);
        let failure = Failure { said, errors: desired.problems.iter().take(50).cloned().collect() };
        return Built { bundle: Err(failure), next_expiry: desired.next_expiry, steps };
    }
    let begun = Instant::now();
    let rendered = render(&desired, node, previous);
    let detail = match &rendered {
        Ok(bundle) => format!("{} files, digest {}", bundle.files.len(), bundle.digest),
        Err(error) => error.to_string(),
    };
    steps.push(step("render", begun, rendered.is_ok(), detail));
    let bundle = rendered.map(Arc::new).map_err(|error| Failure { said: format!("internal: {error}"), errors: vec![] });
    Built { bundle, next_expiry: desired.next_expiry, steps }
}
