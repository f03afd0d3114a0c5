//! The order of things, without PostgreSQL and HAProxy: a journal that remembers and engines that do as they are told.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use time::OffsetDateTime;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::Reconciler;
use super::seams::{Engines, Journal};
use crate::compile::{NodeSettings, sample};
use crate::dataplane::{EngineStatus, Outcome, Progress, Report, Verdict};
use crate::domain::deployment::{Deployment, DeploymentState, Lane, Step};
use crate::domain::error::{Error, Result};
use crate::domain::proof::Proof;
use crate::domain::{FieldError, Mode, ModeOverride, ModeOverrides, Name, Revision, Snapshot};
use crate::render::Bundle;
use crate::service::Blame;

struct Remembered {
    now: Mutex<OffsetDateTime>,
    overrides: watch::Sender<Arc<ModeOverrides>>,
    head: watch::Sender<Arc<Snapshot>>,
    deployments: Mutex<Vec<Deployment>>,
    steps: Mutex<Vec<(Uuid, i32, String)>>,
    /// Calls that fail before one succeeds.
    down: Mutex<u32>,
    statuses: Mutex<u32>,
    /// Whose fault refusals are.
    blame: Mutex<Option<Blame>>,
    /// What was taken back.
    taken_back: Mutex<Vec<Vec<Revision>>>,
}

impl Remembered {
    fn new(revision: Revision) -> Arc<Self> {
        let head = watch::Sender::new(Arc::new(snapshot(revision)));
        Arc::new(Self {
            head,
            now: Mutex::new(OffsetDateTime::UNIX_EPOCH),
            overrides: watch::Sender::default(),
            deployments: Mutex::default(),
            steps: Mutex::default(),
            down: Mutex::default(),
            statuses: Mutex::default(),
            blame: Mutex::default(),
            taken_back: Mutex::default(),
        })
    }

    fn write(&self, revision: Revision) {
        self.head.send_replace(Arc::new(snapshot(revision)));
    }

    /// Has the vhost off until then.
    fn emergency(&self, until: OffsetDateTime) {
        let vhost = self.head.borrow().vhosts.values().next().unwrap().clone();
        let one = ModeOverride {
            vhost: vhost.spec.name.clone(),
            vhost_id: vhost.id,
            mode: Mode::Off,
            until,
            reason: "night".into(),
            author: "me".into(),
            created_at: *self.now.lock().unwrap(),
        };
        self.overrides.send_modify(|all| _ = Arc::make_mut(all).insert(one.vhost.clone(), one));
    }

    /// `1 live`, in the order they were opened.
    fn story(&self) -> Vec<String> {
        self.deployments.lock().unwrap().iter().map(|d| format!("{} {}", d.revision, d.state.as_str())).collect()
    }

    fn keep(&self, deployment: &Deployment) {
        let mut all = self.deployments.lock().unwrap();
        match all.iter_mut().find(|d| d.id == deployment.id) {
            Some(known) => known.clone_from(deployment),
            None => all.push(deployment.clone()),
        }
    }
}

fn snapshot(revision: Revision) -> Snapshot {
    let mut out = Snapshot::default();
    out.revision = revision;
    sample::put_policy(&mut out, 1, serde_json::json!({"name": "p", "thresholds": {"inbound": 5 + revision}}));
    let upstream = serde_json::json!({"servers": [{"address": "192.0.2.1", "port": 80}]});
    sample::put_vhost(&mut out, 1, serde_json::json!({"name": "v", "hostnames": ["v.test"], "policy": "p", "upstream": upstream}));
    out
}

fn deployment(revision: Revision, state: DeploymentState) -> Deployment {
    Deployment {
        id: Uuid::new_v4(),
        revision,
        state,
        lanes: vec![],
        created_at: OffsetDateTime::UNIX_EPOCH,
        ended_at: None,
        attempts: 0,
        said: String::new(),
        errors: vec![],
        bundle_digest: String::new(),
        made_with: Default::default(),
        steps: vec![],
    }
}

impl Journal for Remembered {
    fn watch_mode_overrides(&self) -> watch::Receiver<Arc<ModeOverrides>> {
        self.overrides.subscribe()
    }
    fn watch_head(&self) -> watch::Receiver<Arc<Snapshot>> {
        self.head.subscribe()
    }
    fn now(&self) -> OffsetDateTime {
        *self.now.lock().unwrap()
    }
    async fn snapshot_at(&self, revision: Revision) -> Result<Arc<Snapshot>> {
        Ok(Arc::new(snapshot(revision)))
    }
    async fn open_deployment(&self, revision: Revision) -> Result<Deployment> {
        let mut down = self.down.lock().unwrap();
        if *down > 0 {
            *down -= 1;
            return Err(Error::Unavailable("the database".into()));
        }
        let new = deployment(revision, DeploymentState::Pending);
        self.keep(&new);
        Ok(new)
    }
    async fn save_deployment(&self, deployment: &Deployment) -> Result<()> {
        self.keep(deployment);
        Ok(())
    }
    async fn save_step(&self, deployment: Uuid, seq: i32, step: &Step) -> Result<()> {
        self.steps.lock().unwrap().push((deployment, seq, step.name.clone()));
        Ok(())
    }
    async fn save_proofs(&self, _proofs: Vec<Proof>) -> Result<()> {
        Ok(())
    }
    async fn last_deployments(&self) -> Result<(Option<Deployment>, Option<Deployment>)> {
        let all = self.deployments.lock().unwrap();
        let open = all.iter().rfind(|d| !d.state.ended());
        Ok((open.cloned(), all.iter().rfind(|d| d.state == DeploymentState::Live).cloned()))
    }
    async fn blame(&self, _live: Revision, _refused: &Deployment) -> Result<Blame> {
        Ok(self.blame.lock().unwrap().clone().unwrap_or(Blame::Nobody))
    }
    async fn take_back(&self, _live: Revision, refused: &Deployment, guilty: BTreeSet<Revision>) -> Result<Option<Revision>> {
        let mut down = self.down.lock().unwrap();
        if *down > 0 {
            *down -= 1;
            return Err(Error::Unavailable("the database".into()));
        }
        self.taken_back.lock().unwrap().push(guilty.into_iter().collect());
        self.write(refused.revision + 1);
        Ok(Some(refused.revision + 1))
    }
    fn set_engine_status(&self, _status: EngineStatus) {
        *self.statuses.lock().unwrap() += 1;
    }
    fn engine_status(&self) -> Arc<EngineStatus> {
        Arc::default()
    }
    fn unproven(&self) -> Vec<Name> {
        vec![]
    }
}

struct Obedient {
    settings: NodeSettings,
    /// What comes of the next attempts; live where nothing is said.
    outcomes: Mutex<VecDeque<Outcome>>,
    /// `revision<-previous` of each attempt.
    applied: Mutex<Vec<String>>,
    release: Mutex<Option<(Revision, String)>>,
    drifted: Mutex<Option<String>>,
    slow: Mutex<Duration>,
    collected: Mutex<u32>,
    /// Revisions that validation refuses.
    bad: Mutex<std::ops::Range<Revision>>,
    validated: Mutex<Vec<Revision>>,
}

impl Obedient {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            settings: sample::node("/run/x"),
            outcomes: Mutex::default(),
            applied: Mutex::default(),
            release: Mutex::default(),
            drifted: Mutex::default(),
            slow: Mutex::default(),
            collected: Mutex::default(),
            bad: Mutex::new(0..0),
            validated: Mutex::default(),
        })
    }

    fn then(&self, outcome: Outcome) {
        self.outcomes.lock().unwrap().push_back(outcome);
    }

    fn applied(&self) -> Vec<String> {
        self.applied.lock().unwrap().clone()
    }
}

fn refusal() -> Outcome {
    Outcome::Refused { said: "no".into(), errors: vec![FieldError::new("/policies/p", "engine_refused", "no")] }
}

fn away() -> Outcome {
    Outcome::Retry { said: "away".into() }
}

impl Engines for Obedient {
    fn settings(&self) -> &NodeSettings {
        &self.settings
    }
    async fn apply(&self, bundle: &Arc<Bundle>, previous: Option<&Arc<Bundle>>, progress: &dyn Progress) -> Report {
        progress.state(DeploymentState::Applying);
        let step = Step { name: "publish".into(), started_at: OffsetDateTime::UNIX_EPOCH, took_us: 1, ok: true, detail: String::new() };
        progress.step(step);
        let slow = *self.slow.lock().unwrap();
        tokio::time::sleep(slow).await;
        let from = previous.map_or("?".to_owned(), |p| p.revision.to_string());
        self.applied.lock().unwrap().push(format!("{}<-{from}", bundle.revision));
        let outcome = self.outcomes.lock().unwrap().pop_front().unwrap_or(Outcome::Live);
        if matches!(outcome, Outcome::Live) {
            *self.release.lock().unwrap() = Some((bundle.revision, bundle.digest.clone()));
            *self.drifted.lock().unwrap() = None;
        }
        Report { outcome, lanes: vec![Lane::Runtime], proofs: vec![] }
    }
    async fn validate(&self, bundle: &Bundle) -> Verdict {
        self.validated.lock().unwrap().push(bundle.revision);
        if self.bad.lock().unwrap().contains(&bundle.revision) {
            return Verdict::Refused { engine: "stub", said: "no".into(), errors: vec![] };
        }
        Verdict::Accepted { findings: vec![] }
    }
    async fn keep_release(&self, bundle: &Arc<Bundle>) -> std::io::Result<()> {
        *self.release.lock().unwrap() = Some((bundle.revision, bundle.digest.clone()));
        Ok(())
    }
    async fn current_release(&self) -> std::io::Result<Option<(Revision, String)>> {
        Ok(self.release.lock().unwrap().clone())
    }
    async fn drift(&self, _bundle: &Bundle) -> Option<String> {
        self.drifted.lock().unwrap().clone()
    }
    async fn collect(&self) -> Vec<String> {
        *self.collected.lock().unwrap() += 1;
        vec![]
    }
    async fn probe(&self, _bundle: &Bundle, _vhosts: &BTreeSet<Name>) -> Vec<Proof> {
        vec![]
    }
    async fn engine_status(&self) -> EngineStatus {
        EngineStatus::default()
    }
}

struct Running {
    cancel: CancellationToken,
    task: tokio::task::JoinHandle<()>,
}

impl Running {
    fn start(journal: &Arc<Remembered>, engines: &Arc<Obedient>) -> Self {
        let cancel = CancellationToken::new();
        let reconciler = Reconciler::new(journal.clone(), engines.clone(), Duration::from_millis(20));
        let task = tokio::spawn(reconciler.run(cancel.clone()));
        Self { cancel, task }
    }

    async fn stop(self) {
        self.cancel.cancel();
        self.task.await.unwrap();
    }
}

async fn until(what: &str, seen: impl Fn() -> bool) {
    for _ in 0..500 {
        if seen() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{what}");
}

async fn a_while() {
    tokio::time::sleep(Duration::from_millis(100)).await;
}

#[tokio::test]
async fn the_newest_is_brought_and_what_came_meanwhile_is_skipped() {
    let (journal, engines) = (Remembered::new(1), Obedient::new());
    *engines.slow.lock().unwrap() = Duration::from_millis(60);
    let running = Running::start(&journal, &engines);
    until("the first", || engines.applied().len() == 1).await;
    journal.write(2);
    tokio::time::sleep(Duration::from_millis(20)).await;
    journal.write(3);
    journal.write(4);
    until("the newest", || journal.story().last().is_some_and(|s| s == "4 live")).await;
    a_while().await;
    assert_eq!(engines.applied(), ["1<-?", "2<-1", "4<-2"]);
    assert_eq!(journal.story(), ["1 live", "2 live", "4 live"]);
    let steps: Vec<String> = journal.steps.lock().unwrap().iter().take(3).map(|(_, seq, name)| format!("{seq} {name}")).collect();
    assert_eq!(steps, ["0 compile", "1 render", "2 publish"]);
    running.stop().await;
}

/// The first revision is live, and the second was refused.
async fn with_a_refused_head() -> (Arc<Remembered>, Arc<Obedient>, Running) {
    let (journal, engines) = (Remembered::new(1), Obedient::new());
    let running = Running::start(&journal, &engines);
    until("the first", || journal.story() == ["1 live"]).await;
    engines.then(refusal());
    journal.write(2);
    until("refused", || journal.story() == ["1 live", "2 refused"]).await;
    (journal, engines, running)
}

#[tokio::test]
async fn what_is_refused_waits_for_the_next_write() {
    let (journal, engines, running) = with_a_refused_head().await;
    a_while().await;
    assert_eq!(engines.applied(), ["1<-?", "2<-1"], "not tried again");
    let said = journal.deployments.lock().unwrap()[1].clone();
    assert_eq!((said.said.as_str(), said.errors.len(), said.ended_at.is_some()), ("no", 1, true));
    journal.write(3);
    until("the next", || journal.story() == ["1 live", "2 refused", "3 live"]).await;
    assert_eq!(engines.applied()[2], "3<-1", "from the last good state");
    running.stop().await;
}

#[tokio::test]
async fn what_is_refused_is_taken_back_and_the_rest_goes_live() {
    let (journal, engines) = (Remembered::new(1), Obedient::new());
    *journal.blame.lock().unwrap() = Some(Blame::Revisions([3].into()));
    let running = Running::start(&journal, &engines);
    until("the first", || journal.story() == ["1 live"]).await;
    engines.then(refusal());
    *journal.down.lock().unwrap() = 0;
    journal.write(4);
    until("taken back", || journal.story() == ["1 live", "4 refused", "5 live"]).await;
    assert_eq!(*journal.taken_back.lock().unwrap(), [[3]]);
    assert!(engines.validated.lock().unwrap().is_empty(), "whose fault it was is said");

    // The database is away just then: it is tried again, and refused again, until it is back.
    engines.then(refusal());
    engines.then(refusal());
    *engines.slow.lock().unwrap() = Duration::from_millis(20);
    journal.write(6);
    until("under way", || engines.applied().len() >= 4).await;
    *journal.down.lock().unwrap() = 1;
    until("taken back", || journal.story().last().is_some_and(|last| last == "7 live")).await;
    running.stop().await;
}

#[tokio::test]
async fn what_no_error_explains_is_found_by_validating_alone() {
    let (journal, engines) = (Remembered::new(1), Obedient::new());
    *journal.blame.lock().unwrap() = Some(Blame::Unknown);
    let running = Running::start(&journal, &engines);
    until("the first", || journal.story() == ["1 live"]).await;
    *engines.bad.lock().unwrap() = 6..11;
    let nameless = || Outcome::Refused { said: "no".into(), errors: vec![] };
    engines.then(nameless());
    journal.write(10);
    until("taken back", || journal.story() == ["1 live", "10 refused", "11 live"]).await;
    assert_eq!(*journal.taken_back.lock().unwrap(), [[6]]);
    let validated = engines.validated.lock().unwrap().clone();
    assert!(validated.len() <= 5 && engines.applied() == ["1<-?", "10<-1", "11<-1"], "traffic saw none of it: {validated:?}");

    // Validation finds nothing: all of it, since something in it is refused.
    engines.then(nameless());
    journal.write(12);
    until("taken back", || journal.story().last().is_some_and(|last| last == "13 live")).await;
    assert_eq!(journal.taken_back.lock().unwrap()[1], Vec::<Revision>::new());
    // But where the errors name what nobody wrote, it is something around.
    engines.then(refusal());
    journal.write(14);
    until("refused", || journal.story().last().is_some_and(|last| last == "14 refused")).await;
    a_while().await;
    assert_eq!((journal.taken_back.lock().unwrap().len(), journal.story().last().unwrap().as_str()), (2, "14 refused"));
    running.stop().await;
}

#[tokio::test]
async fn a_newer_write_is_tried_before_anything_is_taken_back() {
    let (journal, engines) = (Remembered::new(1), Obedient::new());
    *journal.blame.lock().unwrap() = Some(Blame::Revisions([2].into()));
    let running = Running::start(&journal, &engines);
    until("the first", || journal.story() == ["1 live"]).await;
    *engines.slow.lock().unwrap() = Duration::from_millis(80);
    engines.then(refusal());
    journal.write(2);
    until("under way", || journal.story().len() == 2).await;
    journal.write(3);
    until("mended", || journal.story() == ["1 live", "2 refused", "3 live"]).await;
    assert!(journal.taken_back.lock().unwrap().is_empty());
    running.stop().await;
}

#[tokio::test]
async fn writes_without_end_do_not_keep_what_is_refused() {
    let (journal, engines) = (Remembered::new(1), Obedient::new());
    *journal.blame.lock().unwrap() = Some(Blame::Revisions([2].into()));
    let running = Running::start(&journal, &engines);
    until("the first", || journal.story() == ["1 live"]).await;
    *engines.slow.lock().unwrap() = Duration::from_millis(30);
    (0..1000).for_each(|_| engines.then(refusal()));
    for revision in 2..100 {
        journal.write(revision);
        tokio::time::sleep(Duration::from_millis(5)).await;
        if !journal.taken_back.lock().unwrap().is_empty() {
            break;
        }
    }
    assert_eq!(journal.taken_back.lock().unwrap().first(), Some(&vec![2]), "{:?}", journal.story());
    assert!(journal.story().len() > 2, "but a newer one was tried once: {:?}", journal.story());
    running.stop().await;
}

#[tokio::test]
async fn what_is_away_is_tried_again_and_later_revisions_join() {
    let (journal, engines) = (Remembered::new(1), Obedient::new());
    engines.then(away());
    engines.then(away());
    let running = Running::start(&journal, &engines);
    until("retrying", || journal.story() == ["1 retrying"]).await;
    until("live after all", || journal.story() == ["1 live"]).await;
    let kept = journal.deployments.lock().unwrap()[0].clone();
    assert_eq!((kept.attempts, kept.said.as_str()), (3, ""), "one deployment, three attempts");
    engines.then(away());
    journal.write(2);
    until("retrying", || journal.story() == ["1 live", "2 retrying"]).await;
    journal.write(3);
    until("joined", || journal.story() == ["1 live", "2 superseded", "3 live"]).await;
    assert_eq!(engines.applied(), ["1<-?", "1<-?", "1<-?", "2<-1", "3<-1"]);
    running.stop().await;
}

#[tokio::test]
async fn what_cannot_be_remembered_is_not_begun() {
    let (journal, engines) = (Remembered::new(1), Obedient::new());
    *journal.down.lock().unwrap() = 2;
    let running = Running::start(&journal, &engines);
    until("the first call", || *journal.down.lock().unwrap() == 1).await;
    assert_eq!(engines.applied(), Vec::<String>::new());
    until("live after all", || journal.story() == ["1 live"]).await;
    running.stop().await;
}

#[tokio::test]
async fn a_start_picks_up_where_the_last_one_stopped() {
    // It died at 3 with its files already out; 2 was the last good one. 3 will be refused.
    let (journal, engines) = (Remembered::new(3), Obedient::new());
    journal.keep(&Deployment { bundle_digest: "two".into(), ..deployment(2, DeploymentState::Live) });
    journal.keep(&deployment(3, DeploymentState::Verifying));
    *engines.release.lock().unwrap() = Some((3, "three".into()));
    engines.then(Outcome::Live);
    engines.then(refusal());
    let running = Running::start(&journal, &engines);
    until("refused", || journal.story() == ["2 live", "3 superseded", "3 refused"]).await;
    assert_eq!(engines.applied(), ["2<-?", "3<-2"]);
    running.stop().await;

    // The release cannot be read: what was live is written, before the newest is tried.
    let engines = Obedient::new();
    *engines.slow.lock().unwrap() = Duration::from_millis(100);
    let running = Running::start(&journal, &engines);
    until("written", || engines.release.lock().unwrap().is_some()).await;
    assert_eq!((engines.release.lock().unwrap().as_ref().unwrap().0, engines.applied().len()), (2, 0));
    running.stop().await;
    journal.deployments.lock().unwrap().retain(|d| d.revision == 2);

    // Nothing to go back from: the release is the last good one.
    let engines = Obedient::new();
    *engines.release.lock().unwrap() = Some((2, "two".into()));
    let running = Running::start(&journal, &engines);
    until("live", || journal.story().last().unwrap() == "3 live").await;
    assert_eq!(engines.applied(), ["3<-?"]);
    running.stop().await;

    // The newest is refused by a process that has seen nothing else: it finds out what it keeps.
    let engines = Obedient::new();
    let last = journal.last_deployments().await.unwrap().1.unwrap();
    *engines.release.lock().unwrap() = Some((3, last.bundle_digest));
    engines.then(refusal());
    journal.write(4);
    let running = Running::start(&journal, &engines);
    until("kept", || engines.applied() == ["4<-?", "3<-?"]).await;
    running.stop().await;
}

#[tokio::test]
async fn an_emergency_mode_is_brought_at_once_and_ends_by_itself() {
    let (journal, engines) = (Remembered::new(1), Obedient::new());
    let running = Running::start(&journal, &engines);
    until("the first", || journal.story() == ["1 live"]).await;
    let now = *journal.now.lock().unwrap();
    journal.emergency(now + time::Duration::hours(1));
    until("in force", || journal.story() == ["1 live", "1 live"]).await;
    a_while().await;
    assert_eq!(journal.story().len(), 2, "it is brought once");
    *journal.now.lock().unwrap() = now + time::Duration::hours(1);
    until("over", || journal.story() == ["1 live", "1 live", "1 live"]).await;
    let digests: Vec<String> = journal.deployments.lock().unwrap().iter().map(|d| d.bundle_digest.clone()).collect();
    assert!(digests[0] != digests[1] && digests[0] == digests[2]);
    a_while().await;
    assert_eq!(journal.story().len(), 3, "what is over is over");
    running.stop().await;
}

#[tokio::test]
async fn an_emergency_mode_begins_and_ends_while_the_head_is_refused() {
    let (journal, engines, running) = with_a_refused_head().await;
    let now = *journal.now.lock().unwrap();
    journal.emergency(now + time::Duration::hours(1));
    until("in force on what is live", || engines.applied() == ["1<-?", "2<-1", "1<-1"]).await;
    *journal.now.lock().unwrap() = now + time::Duration::hours(1);
    until("over", || engines.applied() == ["1<-?", "2<-1", "1<-1", "1<-1"]).await;
    a_while().await;
    assert_eq!((engines.applied().len(), journal.story().len()), (4, 2), "and nothing was decided about any revision");
    running.stop().await;
}

#[tokio::test]
async fn drift_is_healed_without_a_deployment() {
    let (journal, engines) = (Remembered::new(1), Obedient::new());
    let running = Running::start(&journal, &engines);
    until("the first", || journal.story() == ["1 live"]).await;
    *engines.drifted.lock().unwrap() = Some("HAProxy was started anew".into());
    until("healed", || engines.applied() == ["1<-?", "1<-1"]).await;
    a_while().await;
    assert_eq!((engines.applied().len(), journal.story().len()), (2, 1));
    running.stop().await;
}

#[tokio::test]
async fn drift_is_healed_while_a_newer_revision_is_tried_again() {
    let (journal, engines) = (Remembered::new(1), Obedient::new());
    let running = Running::start(&journal, &engines);
    until("the first", || journal.story() == ["1 live"]).await;
    let before = *journal.statuses.lock().unwrap();
    (0..3).for_each(|_| engines.then(away()));
    journal.write(2);
    until("retrying", || journal.story() == ["1 live", "2 retrying"]).await;
    assert!(*journal.statuses.lock().unwrap() > before, "what the attempt found out is told");
    *engines.drifted.lock().unwrap() = Some("HAProxy was started anew".into());
    until("healed", || engines.applied().contains(&"1<-1".to_owned())).await;
    assert_eq!(journal.story(), ["1 live", "2 retrying"]);
    running.stop().await;
}

#[tokio::test]
async fn however_much_is_written_garbage_goes() {
    let (journal, engines) = (Remembered::new(1), Obedient::new());
    *engines.slow.lock().unwrap() = Duration::from_millis(5);
    let running = Running::start(&journal, &engines);
    until("the first", || journal.story() == ["1 live"]).await;
    let (before, begun) = (*engines.collected.lock().unwrap(), engines.applied().len());
    let writer = journal.clone();
    let writes = tokio::spawn(async move {
        for revision in 2..200 {
            writer.write(revision);
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    });
    writes.await.unwrap();
    let collected = *engines.collected.lock().unwrap() - before;
    assert!(collected >= 3, "{collected} of {} deployments", engines.applied().len() - begun);
    running.stop().await;
}
