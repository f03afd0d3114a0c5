//! Coming up: the lead, the head, what was live.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use arc_swap::ArcSwap;
use time::OffsetDateTime;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;
use uuid::{ContextV7, Uuid};

use super::audit::{self, Appending, Floods};
use super::engines::Engines;
use super::judge::Judge;
use super::people::{self, People, PeopleOptions};
use super::sight::Sights;
use super::stream::Stream;
use super::tokens::{self, Tokens, Used};
use super::traffic::Traffic;
use super::view::Views;
use super::writer::log::Log;
use super::writer::{QUEUE, Request, Writer};
use super::{LiveState, Service};
use crate::compile::NodeSettings;
use crate::dataplane::EngineStatus;
use crate::domain::deployment::Deployment;
use crate::domain::error::{Error, Result};
use crate::domain::proof::{Proof, ProofState};
use crate::domain::vhost::LabelKey;
use crate::domain::{GroupRole, ModeOverrides, Name, Revision, Snapshot};
use crate::store::{Lead, Store};
use crate::telemetry::clock::Clock;

/// How long a start waits for the lock of a process that just died: PostgreSQL notices when it next looks at the connection.
const TAKE_LEAD: Duration = Duration::from_secs(5);

/// What the service and its writer share.
pub(super) struct Shared {
    pub clock: Clock,
    /// The same as `head`, for readers: they take no lock.
    pub newest: ArcSwap<Snapshot>,
    pub head: watch::Sender<Arc<Snapshot>>,
    pub live: watch::Sender<Arc<LiveState>>,
    /// Emergency modes.
    pub overrides: watch::Sender<Arc<ModeOverrides>>,
    pub stream: Stream,
    leads: AtomicBool,
    /// The first revision whose state can still be made.
    pub first_kept: AtomicI64,
    /// What comes in floods, counted.
    pub floods: Floods,
    /// With the time before which no id is made: a clock that was set back changes no order.
    ids: Mutex<(ContextV7, OffsetDateTime)>,
}

impl Shared {
    /// An id in the order of time, and of being made within a millisecond.
    pub fn id(&self, now: OffsetDateTime) -> Uuid {
        let mut ids = self.ids.lock().unwrap_or_else(PoisonError::into_inner);
        ids.1 = ids.1.max(now);
        let seconds = u64::try_from(ids.1.unix_timestamp()).unwrap_or(0);
        Uuid::new_v7(uuid::Timestamp::from_unix(&ids.0, seconds, ids.1.nanosecond()))
    }

    pub fn show(&self, head: Arc<Snapshot>) {
        let revision = head.revision;
        self.newest.store(Arc::clone(&head));
        // Nobody who follows what is live waits for the head.
        self.live.send_if_modified(|live| {
            Arc::make_mut(live).head = revision;
            false
        });
        self.head.send_replace(head);
    }

    pub fn leads(&self) -> bool {
        self.leads.load(Ordering::Relaxed)
    }

    pub fn set_leads(&self, leads: bool) {
        self.leads.store(leads, Ordering::Relaxed);
    }
}

pub(super) struct Inner {
    pub store: Store,
    pub shared: Arc<Shared>,
    pub judge: Judge,
    pub node: Arc<NodeSettings>,
    pub requests: mpsc::Sender<Request>,
    pub people: Arc<People>,
    /// Keys of labels that the settings name in scopes of groups, whether anybody of these has signed in yet or not.
    pub group_labels: BTreeSet<LabelKey>,
    pub audit: mpsc::Sender<Appending>,
    pub tokens: Arc<ArcSwap<Tokens>>,
    pub used: Arc<Used>,
    pub sights: Sights,
    pub proofs: RwLock<HashMap<Name, Arc<Proof>>>,
    pub engine_status: ArcSwap<EngineStatus>,
    pub views: Views,
    pub traffic: Mutex<Traffic>,
    pub engines: Arc<dyn Engines>,
    /// Whose turn it is to change emergency modes: what the database has and what is in force are the same.
    pub emergency: tokio::sync::Mutex<()>,
    tasks: TaskTracker,
    /// Ends the tasks when the last clone of the service goes.
    stop: DropGuard,
}

impl Service {
    /// Comes up on a database that is migrated: takes the lead (`Error::Conflict` where another process serves this database), loads the
    /// head, what was live, proofs and tokens, and starts the writer. For `serve` and the demo:
    ///
    /// ```ignore
    /// let store = Store::connect(&url, &StoreSettings::default()).await?;
    /// store.migrate().await?;
    /// let service = Service::start(store, Arc::new(node.clone()), node.settings().node.clone(), clock::system()).await?;
    /// ```
    ///
    /// It ends with [`Service::close`], or when the last clone is dropped; what is queued by then is still written.
    pub async fn start(store: Store, engines: Arc<dyn Engines>, node: NodeSettings, clock: Clock) -> Result<Self> {
        Self::start_with(store, engines, node, clock, PeopleOptions::default()).await
    }

    /// [`start`](Self::start), with what is set of how people sign in.
    pub async fn start_with(
        store: Store,
        engines: Arc<dyn Engines>,
        node: NodeSettings,
        clock: Clock,
        people: PeopleOptions,
    ) -> Result<Self> {
        store.check_migrations().await?;
        let lead = take_lead(&store).await?;
        let loaded = store.load_head().await?;
        let (live, proofs, tokens) = (live_state(&store).await?, store.proofs().await?, Tokens::load(&store).await?);
        let first_kept = store.first_kept().await?;
        let overrides = store.mode_overrides().await?.into_iter().map(|one| (one.vhost.clone(), one)).collect();
        let group_labels = people.sso.as_ref().map(|sso| GroupRole::labels(&sso.roles)).unwrap_or_default();
        let people = People::load(&store, people, clock()).await?;

        let head = Arc::new(loaded.snapshot);
        let proofs: HashMap<Name, Arc<Proof>> = proofs
            .into_iter()
            .filter(|proof| head.vhosts.contains_key(&proof.vhost))
            .map(|proof| (proof.vhost.clone(), Arc::new(proof)))
            .collect();
        let mut unproven: Vec<Name> = proofs.values().filter(|p| p.state == ProofState::Unproven).map(|p| p.vhost.clone()).collect();
        unproven.sort();
        let live = LiveState { head: head.revision, unproven, ..live };

        let newest_id = live.deployment.as_ref().and_then(|deployment| deployment.id.get_timestamp()).map_or(0, |at| at.to_unix().0 + 1);
        let newest_id = i64::try_from(newest_id).ok().and_then(|s| OffsetDateTime::from_unix_timestamp(s).ok());
        // Microseconds since 1970: beyond any id of the processes before, and exact in JavaScript.
        let first_event = u64::try_from(clock().unix_timestamp_nanos() / 1000).unwrap_or(0);
        let shared = Arc::new(Shared {
            clock,
            newest: ArcSwap::new(Arc::clone(&head)),
            head: watch::Sender::new(head),
            live: watch::Sender::new(Arc::new(live)),
            overrides: watch::Sender::new(Arc::new(overrides)),
            stream: Stream::new(first_event),
            leads: AtomicBool::new(false),
            first_kept: AtomicI64::new(first_kept),
            floods: Floods::default(),
            ids: Mutex::new((ContextV7::new(), newest_id.unwrap_or(OffsetDateTime::UNIX_EPOCH))),
        });
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let (requests, queue) = mpsc::channel(QUEUE);
        let (audit, events) = mpsc::channel(audit::QUEUE);
        let log = Log::new(events);
        let writer = Writer::new(store.clone(), Arc::clone(&shared), queue, log, lead, loaded.digest, loaded.numbers);
        tasks.spawn(writer.run(stop.clone()));

        let people = Arc::new(people);
        let (stopped, upkeep) = (stop.clone(), people::upkeep(store.clone(), Arc::clone(&people), shared.clock.clone()));
        tasks.spawn(async move { stopped.run_until_cancelled(upkeep).await });

        let tokens = Arc::new(ArcSwap::from_pointee(tokens));
        let used = Arc::<Used>::default();
        let (stopped, following) = (stop.clone(), tokens::follow(store.clone(), Arc::clone(&tokens), Arc::clone(&used)));
        tasks.spawn(async move { stopped.run_until_cancelled(following).await });

        let node = Arc::new(node);
        let judge = Judge::new(Arc::clone(&engines), Arc::clone(&node));
        let inner = Inner {
            store,
            shared,
            judge,
            node,
            requests,
            audit,
            tokens,
            used,
            sights: Sights::default(),
            people,
            group_labels,
            proofs: RwLock::new(proofs),
            engine_status: ArcSwap::default(),
            views: Views::default(),
            traffic: Mutex::default(),
            engines,
            emergency: tokio::sync::Mutex::default(),
            tasks,
            stop: stop.drop_guard(),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Writes what is queued, gives the lead back and ends all connections; later writes are `Unavailable`.
    pub async fn close(&self) {
        self.inner.stop.token().cancel();
        self.inner.tasks.close();
        self.inner.tasks.wait().await;
        self.inner.used.save(&self.inner.store).await;
        self.inner.store.close().await;
    }
}

pub(super) async fn take_lead(store: &Store) -> Result<Lead> {
    let until = tokio::time::Instant::now() + TAKE_LEAD;
    loop {
        if let Some(lead) = store.take_lead().await? {
            return Ok(lead);
        }
        if tokio::time::Instant::now() >= until {
            return Err(Error::Conflict(
                "another `guard-proxy serve` works on this database: exactly one may; stop it first, or give this one a database of its own"
                    .to_owned(),
            ));
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn live_state(store: &Store) -> Result<LiveState> {
    let (open, live, refused) = store.last_deployments().await?;
    let mut state = LiveState::default();
    // In the order of time, as they were noted when they happened.
    let mut known: Vec<_> = open.into_iter().chain(live).chain(refused).collect();
    known.sort_by_key(|deployment| deployment.id);
    for deployment in &known {
        state.note(deployment);
    }
    state.taken_back = taken_back(store).await?;
    Ok(state)
}

/// Revisions that were taken back, and the deployments that refused them.
pub(super) async fn taken_back(store: &Store) -> Result<BTreeMap<Revision, Arc<Deployment>>> {
    let mut found = BTreeMap::new();
    for (revisions, id) in store.taken_back(100).await? {
        if let Some(deployment) = store.deployment(id).await?.map(Arc::new) {
            found.extend(revisions.into_iter().map(|revision| (revision, Arc::clone(&deployment))));
        }
    }
    Ok(found)
}
