//! The writer: the one task through which every revision goes. It takes what piled up while the last commit ran, applies each write in order
//! to a copy of the head, commits all in one transaction, and only then shows the new head and answers.
//!
//! Nobody is told anything that depends on what is not committed: refusals and "nothing changed" wait for the commit too.

pub mod log;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use time::OffsetDateTime;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use self::log::Log;
use super::apply::{Change, Next, Op, Outcome, apply};
use super::authorize::Warrant;
use super::entries::micros;
use super::judge::Judged;
use super::merge::{Staged, Unfit, merge};
use super::object::Object;
use super::rows::{Rows, event};
use super::whole::{self, Fault};
use super::{Caller, Precondition, Shared, approval, start};
use crate::domain::diff::Conflict;
use crate::domain::error::{Error, Result};
use crate::domain::revision::Origin;
use crate::domain::{Kind, Name, Principal, Revision, Snapshot};
use crate::store::{Lead, Loaded, NewChangeSet, NewRevision, Store};

/// Writes in one transaction, at most.
const BATCH: usize = 256;
/// Writes that may wait; more wait for a place in the queue.
pub const QUEUE: usize = 1024;
/// How often the lead is asked for while nothing is written.
const HEARTBEAT: Duration = Duration::from_secs(2);
/// How long the answer to a batch of unknown outcome may take.
const FIND_OUT: Duration = Duration::from_secs(10);

/// Why writes are refused while the lead is lost.
pub const NO_LEAD: &str = "the database is away, or another process has taken over: nothing can be written now; try again";

/// What is to become a revision.
pub enum Work {
    /// One operation of a caller.
    One { op: Op, precondition: Precondition },
    /// What a change set, a rollback or a take-back comes to: brought onto the newest state.
    Staged(Vec<Staged>),
}

/// What work comes to on a state.
pub enum Made {
    Unchanged(Revision),
    Changed(Vec<Change>),
}

impl Made {
    pub fn into_changes(self) -> Vec<Change> {
        match self {
            Self::Unchanged(_) => Vec::new(),
            Self::Changed(changes) => changes,
        }
    }
}

/// Why it comes to nothing.
pub enum Unmade {
    /// Of one operation; pointers go into what it wrote.
    Error(Error),
    Conflicts(Vec<Conflict>),
    /// Of what is staged, by object.
    Faults(Vec<Fault>),
    /// It touches these protected vhosts, and nobody else has said yes.
    Unapproved(BTreeSet<Name>),
}

impl Work {
    /// What it changes on a state; judged as a whole. The writer and the caller's task use the same function, so that they cannot disagree.
    pub fn make(&self, snapshot: &Snapshot, next: Next<'_>) -> Result<Made, Unmade> {
        let changes = match self {
            Self::One { op, precondition } => {
                return match apply(snapshot, op, *precondition, next).map_err(Unmade::Error)? {
                    Outcome::Unchanged(revision) => Ok(Made::Unchanged(revision)),
                    Outcome::Changed(change) => Ok(Made::Changed(vec![*change])),
                };
            }
            Self::Staged(staged) => merge(snapshot, staged, next).map_err(|unfit| match unfit {
                Unfit::Conflicts(conflicts) => Unmade::Conflicts(conflicts),
                Unfit::Faults(faults) => Unmade::Faults(faults),
            })?,
        };
        let faults = whole::faults(snapshot, &changes);
        if !faults.is_empty() {
            return Err(Unmade::Faults(faults));
        }
        Ok(if changes.is_empty() { Made::Unchanged(snapshot.revision) } else { Made::Changed(changes) })
    }

    /// The object that one operation is about.
    pub fn target(&self) -> Option<(Kind, &Name)> {
        match self {
            Self::One { op, .. } => Some(op.target()),
            Self::Staged(_) => None,
        }
    }
}

/// The writer of what somebody else commits.
#[derive(Clone, Debug)]
pub struct OnBehalf {
    pub author: String,
    pub id: Option<Uuid>,
}

/// What a revision is said to be, and what is stored with it in the same transaction.
#[derive(Clone, Debug, Default)]
pub struct About {
    pub message: String,
    pub origin: Origin,
    /// The change set that becomes the revision.
    pub change_set: Option<Uuid>,
    /// Who wrote it, where that is not the caller: who approves a change commits it, and has not written it.
    pub on_behalf: Option<OnBehalf>,
    /// What is left of revisions that are taken back by this one.
    pub refused: Vec<NewChangeSet>,
}

pub struct Request {
    pub work: Arc<Work>,
    pub caller: Caller,
    /// What the caller may write: the writer asks once more, of the state that is written to.
    pub warrant: Warrant,
    pub about: Arc<About>,
    pub judged: Arc<Judged>,
    /// What was judged is more than what `judged` tells: only on this revision.
    pub only_on: Option<Revision>,
    pub reply: oneshot::Sender<Reply>,
}

impl Request {
    /// What the system restores was there before.
    fn wants_approval(&self) -> bool {
        !matches!(self.caller.principal, Principal::System) && self.about.origin.approved_by().is_none()
    }
}

pub enum Reply {
    Done(Done),
    Unmade(Unmade),
    /// Another write came in between: what would be committed is not what was judged.
    Rejudge,
}

/// What a write did.
pub struct Done {
    pub revision: Revision,
    pub changed: bool,
    pub created: bool,
    /// The object that one operation is about, as it left it.
    pub object: Option<Object>,
    /// The newest head: this write, and those committed with it.
    pub snapshot: Arc<Snapshot>,
}

enum Planned {
    Unmade(Unmade),
    Rejudge,
    Done { revision: Revision, changed: bool, created: bool, object: Option<Object> },
}

struct Plan {
    snapshot: Snapshot,
    rows: Rows,
    numbers: BTreeMap<Kind, u32>,
    planned: Vec<Planned>,
}

pub struct Writer {
    store: Store,
    shared: Arc<Shared>,
    requests: mpsc::Receiver<Request>,
    log: Log,
    lead: Option<Lead>,
    head: Arc<Snapshot>,
    /// Of the head.
    digest: String,
    /// The highest number used, by kind.
    numbers: BTreeMap<Kind, u32>,
}

impl Writer {
    pub fn new(
        store: Store,
        shared: Arc<Shared>,
        requests: mpsc::Receiver<Request>,
        log: Log,
        lead: Lead,
        digest: String,
        numbers: BTreeMap<Kind, u32>,
    ) -> Self {
        let head = Arc::clone(&shared.head.borrow());
        shared.set_leads(true);
        Self { store, shared, requests, log, lead: Some(lead), head, digest, numbers }
    }

    /// Works until nobody can ask any more, or until it is told to stop: then what is queued is still written.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut heartbeat = tokio::time::interval(HEARTBEAT);
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut requests = Vec::with_capacity(BATCH);
        let mut stopping = false;
        loop {
            tokio::select! {
                () = stop.cancelled(), if !stopping => {
                    stopping = true;
                    self.requests.close();
                }
                count = self.requests.recv_many(&mut requests, BATCH) => {
                    if count == 0 {
                        break;
                    }
                    self.write(std::mem::take(&mut requests)).await;
                    // What is written asks for the lead itself.
                    heartbeat.reset();
                }
                () = self.log.receive() => self.append().await,
                _ = heartbeat.tick() => {
                    self.check().await;
                    self.sum_up(false).await;
                }
            }
        }
        self.log.close();
        self.sum_up(true).await;
        self.shared.set_leads(false);
        if let Some(lead) = self.lead.take() {
            lead.close().await;
        }
    }

    async fn check(&mut self) {
        if let Some(lead) = &mut self.lead {
            if lead.check().await.is_ok() {
                return;
            }
            self.lose();
        }
        self.regain().await;
    }

    fn lose(&mut self) {
        tracing::error!("the lead is lost: no writes until it is regained");
        self.shared.set_leads(false);
        self.lead = None;
    }

    /// Takes the lead again and loads the head anew: another process may have written meanwhile.
    async fn regain(&mut self) -> bool {
        if self.lead.is_some() {
            return true;
        }
        let Ok(Some(lead)) = self.store.take_lead().await else { return false };
        match self.reload().await {
            Ok(()) => {
                self.lead = Some(lead);
                self.shared.set_leads(true);
                tracing::info!(revision = self.head.revision, "the lead is regained");
                true
            }
            Err(error) => {
                tracing::warn!(%error, "the lead was regained, but the head cannot be loaded");
                lead.close().await;
                false
            }
        }
    }

    /// Shows what the database has, where it is something else. What was taken back meanwhile is known before: it never was in force.
    async fn reload(&mut self) -> Result<()> {
        let Loaded { snapshot, digest, numbers } = self.store.load_head().await?;
        let overrides = self.store.mode_overrides().await?.into_iter().map(|one| (one.vhost.clone(), one)).collect();
        self.shared.overrides.send_replace(Arc::new(overrides));
        let changed = digest != self.digest;
        if changed {
            let taken_back = start::taken_back(&self.store).await?;
            self.shared.live.send_modify(|live| Arc::make_mut(live).taken_back.extend(taken_back));
        }
        self.digest = digest;
        self.numbers = numbers;
        if changed {
            self.show(Arc::new(snapshot));
        }
        Ok(())
    }

    fn show(&mut self, head: Arc<Snapshot>) {
        self.head = Arc::clone(&head);
        self.shared.show(head);
    }

    async fn write(&mut self, requests: Vec<Request>) {
        if !self.regain().await {
            refuse(requests, || Error::Unavailable(NO_LEAD.to_owned()));
            // Whoever waited meanwhile would wait for the same.
            while let Ok(request) = self.requests.try_recv() {
                refuse(vec![request], || Error::Unavailable(NO_LEAD.to_owned()));
            }
            return;
        }
        if let Err((requests, error)) = self.batch(requests).await {
            if requests.len() > 1 && matches!(error, Error::Internal(_)) {
                // One of them is something that the database will not have: the others are not to blame.
                tracing::error!(%error, writes = requests.len(), "a batch failed; its writes are tried one by one");
                for request in requests {
                    if let Err((request, error)) = self.batch(vec![request]).await {
                        refuse(request, || copy(&error));
                    }
                }
            } else {
                refuse(requests, || copy(&error));
            }
        }
    }

    /// Commits all of them, or none and gives them back.
    async fn batch(&mut self, requests: Vec<Request>) -> Result<(), (Vec<Request>, Error)> {
        for _ in 0..3 {
            if !self.regain().await {
                return Err((requests, Error::Unavailable(NO_LEAD.to_owned())));
            }
            let now = micros((self.shared.clock)());
            // Pure, so that a fault of ours leaves nothing half done; without this it would end all writing.
            let Ok(plan) = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| self.plan(&requests, now))) else {
                return Err((requests, Error::internal("a write made the writer panic")));
            };
            if plan.rows.batch.revisions.is_empty() {
                answer(requests, plan.planned, &self.head);
                return Ok(());
            }
            let Some(lead) = &mut self.lead else { continue };
            match lead.commit((self.head.revision, &self.digest), &plan.rows.batch).await {
                Ok(true) => {
                    self.committed(requests, plan);
                    return Ok(());
                }
                Ok(false) => {
                    tracing::error!("somebody else wrote to the database: the head is loaded anew");
                    if self.reload().await.is_err() {
                        self.lose();
                    }
                }
                Err(error) => return self.find_out(requests, plan, error).await,
            }
        }
        Err((requests, Error::Unavailable("somebody else writes to the database all the time; try again".to_owned())))
    }

    fn plan(&self, requests: &[Request], now: OffsetDateTime) -> Plan {
        let mut plan = Plan {
            snapshot: Snapshot::clone(&self.head),
            rows: Rows::new(self.digest.clone()),
            numbers: self.numbers.clone(),
            planned: Vec::with_capacity(requests.len()),
        };
        for request in requests {
            let planned = self.plan_one(&mut plan, request, now);
            plan.planned.push(planned);
        }
        plan
    }

    fn plan_one(&self, plan: &mut Plan, request: &Request, now: OffsetDateTime) -> Planned {
        if request.only_on.is_some_and(|revision| revision != plan.snapshot.revision) {
            return Planned::Rejudge;
        }
        let numbers = RefCell::new(plan.numbers.clone());
        let fresh = |kind| {
            let mut numbers = numbers.borrow_mut();
            let number = numbers.entry(kind).or_insert(0);
            *number = number.saturating_add(1);
            (self.shared.id(now), *number)
        };
        let revision = plan.snapshot.revision + 1;
        let changes = match request.warrant.make(&request.work, &plan.snapshot, Next { revision, now, fresh: &fresh }) {
            Err(unmade) => return Planned::Unmade(unmade),
            Ok(Made::Unchanged(revision)) => {
                let object = request.work.target().and_then(|(kind, name)| Object::find(&plan.snapshot, kind, name));
                return Planned::Done { revision, changed: false, created: false, object };
            }
            Ok(Made::Changed(changes)) => changes,
        };
        if !request.judged.covers(&plan.snapshot, &changes) {
            return Planned::Rejudge;
        }
        if request.wants_approval() {
            let protected = approval::touched(&plan.snapshot, &changes);
            if !protected.is_empty() {
                return Planned::Unmade(Unmade::Unapproved(protected));
            }
        }
        plan.numbers = numbers.into_inner();
        plan.rows.add(&changes, revision, now, &request.caller, &request.about);
        whole::put(&mut plan.snapshot, &changes);
        plan.snapshot.revision = revision;
        let created = changes.iter().any(|change| change.created);
        let object = request.work.target().and_then(|_| changes.into_iter().next()).and_then(|change| change.after);
        Planned::Done { revision, changed: true, created, object }
    }

    fn committed(&mut self, requests: Vec<Request>, plan: Plan) {
        self.digest = plan.rows.digest;
        self.numbers = plan.numbers;
        self.show(Arc::new(plan.snapshot));
        self.acknowledge(requests, plan.planned, &plan.rows.batch.revisions);
    }

    /// What is stored is told: to the callers, then on the stream. The head shows it already.
    fn acknowledge(&self, requests: Vec<Request>, planned: Vec<Planned>, revisions: &[NewRevision]) {
        answer(requests, planned, &self.head);
        for revision in revisions {
            self.shared.stream.emit("revisions", event(&revision.info));
        }
    }

    /// A commit failed, and perhaps only its answer was lost. The session that ran it holds the lock: once the lead is regained that
    /// session is over, and what the database says is final.
    async fn find_out(&mut self, requests: Vec<Request>, plan: Plan, error: Error) -> Result<(), (Vec<Request>, Error)> {
        self.lose();
        let until = Instant::now() + FIND_OUT;
        while !self.regain().await {
            if Instant::now() >= until {
                let unknown =
                    "the database went away while it took this write: it is not known whether it was stored; read before you try again";
                return Err((requests, Error::Unavailable(unknown.to_owned())));
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let last = plan.rows.batch.revisions.last().map_or(0, |revision| revision.info.number);
        match self.store.digest_of(last).await {
            Ok(Some(digest)) if digest == plan.rows.digest => {
                tracing::warn!(revision = last, "the batch had been committed, only its answer was lost");
                self.acknowledge(requests, plan.planned, &plan.rows.batch.revisions);
                Ok(())
            }
            Ok(_) => Err((requests, error)),
            Err(error) => Err((requests, error)),
        }
    }
}

fn answer(requests: Vec<Request>, planned: Vec<Planned>, head: &Arc<Snapshot>) {
    for (request, planned) in requests.into_iter().zip(planned) {
        let reply = match planned {
            Planned::Unmade(unmade) => Reply::Unmade(unmade),
            Planned::Rejudge => Reply::Rejudge,
            Planned::Done { revision, changed, created, object } => {
                Reply::Done(Done { revision, changed, created, object, snapshot: Arc::clone(head) })
            }
        };
        // A client that left cancels nothing.
        drop(request.reply.send(reply));
    }
}

fn refuse(requests: Vec<Request>, error: impl Fn() -> Error) {
    for request in requests {
        drop(request.reply.send(Reply::Unmade(Unmade::Error(error()))));
    }
}

/// The same for several callers.
fn copy(error: &Error) -> Error {
    match error {
        Error::Unavailable(words) => Error::Unavailable(words.clone()),
        other => Error::Internal(other.to_string()),
    }
}

/// The head, where the object is in it as the write left it. Where a later write of the same batch changed it again: a snapshot of the
/// object alone, since to copy the whole head for each of many callers costs more than the writes.
pub fn snapshot_after(done: &Done, kind: Kind, name: &Name) -> Arc<Snapshot> {
    let shown = Object::find(&done.snapshot, kind, name);
    let same = match (&shown, &done.object) {
        (Some(shown), Some(object)) => shown.same(object),
        (None, None) => true,
        _ => false,
    };
    if same {
        return Arc::clone(&done.snapshot);
    }
    let mut alone = Snapshot::default();
    alone.revision = done.revision;
    if let Some(object) = done.object.clone() {
        object.put(&mut alone);
    }
    Arc::new(alone)
}
