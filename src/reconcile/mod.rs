//! Brings the data plane to the newest revision, and keeps it there.
//!
//! It takes no input: a new head, an expiry that comes due and the clock only wake it up, and then it looks at what is wanted and what is there. So
//! it makes no difference whether it was woken too often, too late, or has just been started.
//!
//! - `seams`: what it calls, as traits, so that it can be tested without PostgreSQL and HAProxy
//! - `build`: snapshot -> bundle, off the threads that serve
//! - `record`: what is happening goes to the store in order, without anybody waiting for it
//! - `attempt`: one revision, from pending to its end
//! - `take_back`: whose fault a refusal is, and what becomes of that
//! - `watch`: drift, proofs, garbage: what happens while nothing happens

mod attempt;
mod build;
mod record;
mod seams;
mod take_back;
#[cfg(test)]
mod tests;
mod watch;

use std::sync::Arc;
use std::time::Duration;

use time::OffsetDateTime;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::dataplane::Node;
use crate::domain::deployment::Deployment;
use crate::domain::{ModeOverrides, Revision, Snapshot};
use crate::render::Bundle;
use crate::service::Service;
use seams::{Engines, Journal};

/// How often it looks although nobody called.
const PERIOD: Duration = Duration::from_secs(5);
/// How often what the engines have counted is read.
const SAMPLE: Duration = Duration::from_secs(10);
/// How long an engine may be silent before it is said to be away.
const AGAIN: Duration = Duration::from_millis(300);
const FIRST_BACKOFF: Duration = Duration::from_millis(200);
const LAST_BACKOFF: Duration = Duration::from_secs(10);

/// Runs until `cancel`; what is under way then is finished first, and what is left is picked up at the next start.
pub async fn run(service: Service, node: Node, cancel: CancellationToken) {
    let counts = count_traffic(service.clone(), node.clone(), cancel.clone());
    let (journal, engines) = (Arc::new(service), Arc::new(node));
    let statuses = report_status(journal.clone(), engines.clone(), cancel.clone());
    let reconciler = Reconciler::new(journal, engines, PERIOD);
    tokio::join!(statuses, counts, reconciler.run(cancel));
}

/// Its own loop, so that a long deployment does not make the status old.
async fn report_status<J: Journal, E: Engines>(journal: Arc<J>, engines: Arc<E>, cancel: CancellationToken) {
    loop {
        let mut status = engines.engine_status().await;
        if status.away() {
            // HAProxy's master does not answer while it reloads: that is not news.
            tokio::time::sleep(AGAIN).await;
            status = engines.engine_status().await;
        }
        journal.set_engine_status(status);
        tokio::select! {
            () = cancel.cancelled() => return,
            () = tokio::time::sleep(PERIOD) => {}
        }
    }
}

/// An engine that is away gives no numbers; the status says that it is.
async fn count_traffic(service: Service, node: Node, cancel: CancellationToken) {
    let sampling = async {
        loop {
            service.add_traffic(node.traffic().await);
            tokio::time::sleep(SAMPLE).await;
        }
    };
    let _: Option<()> = cancel.run_until_cancelled(sampling).await;
}

/// What went live, as far as this process knows.
struct Live {
    revision: Revision,
    bundle: Arc<Bundle>,
    /// The emergency modes that it was made with.
    overrides: Arc<ModeOverrides>,
    /// When the same revision will mean something else.
    next_expiry: Option<OffsetDateTime>,
}

/// A head, as it is to be compiled.
fn with(head: &Arc<Snapshot>, overrides: &Arc<ModeOverrides>) -> Arc<Snapshot> {
    // Most of the time there is none, and a copy is a look at every vhost.
    if overrides.is_empty() {
        return Arc::clone(head);
    }
    let mut head = Snapshot::clone(head);
    head.overrides = Arc::clone(overrides);
    Arc::new(head)
}

struct Reconciler<J, E> {
    journal: Arc<J>,
    engines: Arc<E>,
    period: Duration,
    live: Option<Live>,
    /// What was live when this process began.
    last_good: Option<Revision>,
    /// The head that an engine said no to. It is not tried again: the next write is.
    refused: Option<Revision>,
    /// How many were, one after the other.
    refusals: u32,
    /// A deployment that is being retried.
    retrying: Option<Deployment>,
    backoff: Duration,
    /// Not before then, unless there is a new head.
    not_before: Option<Instant>,
    /// When what is live was last brought up to its emergency modes without the head, in vain or not.
    kept_up: Option<Instant>,
    /// The head that the backoff is about.
    tried: Revision,
    watch: watch::Watch,
}

impl<J: Journal, E: Engines> Reconciler<J, E> {
    fn new(journal: Arc<J>, engines: Arc<E>, period: Duration) -> Self {
        Self {
            journal,
            engines,
            period,
            live: None,
            last_good: None,
            refused: None,
            refusals: 0,
            retrying: None,
            backoff: FIRST_BACKOFF,
            not_before: None,
            kept_up: None,
            tried: -1,
            watch: watch::Watch::default(),
        }
    }

    async fn run(mut self, cancel: CancellationToken) {
        let (mut heads, mut overrides) = (self.journal.watch_head(), self.journal.watch_mode_overrides());
        if !self.begin(&cancel).await {
            return;
        }
        loop {
            let head = with(&heads.borrow_and_update(), &overrides.borrow_and_update());
            if cancel.is_cancelled() {
                return;
            }
            let trying = self.wanted(&head) && self.may_try(&head);
            if trying {
                self.bring(&head).await;
            } else if self.outlived(&head) {
                self.keep_up(&head.overrides).await;
            }
            // However much is written and whatever is tried again, what is live is looked after. It limits itself.
            self.look_after().await;
            if trying {
                // Another head may have come meanwhile; only the newest is looked at.
                continue;
            }
            let until = self.next_wake(&head);
            tokio::select! {
                () = cancel.cancelled() => return,
                changed = heads.changed() => if changed.is_err() { return },
                changed = overrides.changed() => if changed.is_err() { return },
                () = tokio::time::sleep_until(until) => {}
            }
        }
    }

    /// Whether what is live is not what the head means now.
    fn wanted(&self, head: &Snapshot) -> bool {
        if self.refused == Some(head.revision) {
            return false;
        }
        match &self.live {
            None => true,
            Some(live) if live.overrides != head.overrides => true,
            Some(live) => live.revision != head.revision || live.next_expiry.is_some_and(|at| at <= self.journal.now()),
        }
    }

    /// Whether emergency modes moved, or something expired, while the head cannot be brought: what is live follows without it.
    fn outlived(&self, head: &Snapshot) -> bool {
        if self.kept_up.is_some_and(|at| at.elapsed() < self.period) {
            return false;
        }
        match &self.live {
            Some(live) if live.revision == head.revision && self.refused != Some(head.revision) => false,
            Some(live) => live.overrides != head.overrides || live.next_expiry.is_some_and(|at| at <= self.journal.now()),
            None => self.refused == Some(head.revision) && self.last_good.is_some() && !head.overrides.is_empty(),
        }
    }

    /// A newer head is tried at once: it may be what mends it.
    fn may_try(&self, head: &Snapshot) -> bool {
        head.revision != self.tried || self.not_before.is_none_or(|at| at <= Instant::now())
    }

    fn next_wake(&self, head: &Snapshot) -> Instant {
        let now = Instant::now();
        let period = now + self.period;
        if self.wanted(head) {
            return self.not_before.unwrap_or(now).min(period);
        }
        match self.live.as_ref().and_then(|live| live.next_expiry) {
            // Its own millisecond is not over yet when it comes due. What is refused waits for the next write, due or not.
            Some(at) if self.refused != Some(head.revision) => {
                let left = (at - self.journal.now()).max(time::Duration::ZERO).unsigned_abs();
                period.min(now + left + Duration::from_millis(1))
            }
            _ => period,
        }
    }

    fn back_off(&mut self) {
        self.not_before = Some(Instant::now() + self.backoff);
        self.backoff = (self.backoff * 2).min(LAST_BACKOFF);
    }

    fn settled(&mut self) {
        self.backoff = FIRST_BACKOFF;
        self.not_before = None;
    }
}
