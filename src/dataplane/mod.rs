//! HAProxy, guard-spoa and files. The applying side is one seam: a [`Bundle`](crate::render::Bundle) goes in, a [`Report`] comes out.
//! Today it runs inside `serve`; it will run on other hosts later.
//!
//! - `cli`, `haproxy`, `maps`: HAProxy's sockets, processes, and the maps inside its workers
//! - `stat`, `traffic`: what HAProxy sees of servers, and what the engines have counted
//! - `spoa`: guard-spoa's control socket
//! - `release`, `marks`: what the engines read, in folders that are never half
//! - `check`, `preflight`: what can be known before traffic is touched
//! - `wire`, `probe`: what can be seen afterwards
//! - `apply`, `restore`, `collect`: the order of it all

mod apply;
mod check;
mod cli;
mod collect;
mod haproxy;
mod maps;
mod marks;
mod preflight;
mod probe;
mod release;
mod restore;
mod spoa;
mod stat;
mod status;
#[cfg(test)]
mod tests;
mod traffic;
mod validator;
mod wire;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Mutex;

use self::check::Checked;
use self::haproxy::Haproxy;
pub use self::haproxy::known_fault;
use self::maps::{Known, Worker};
use self::probe::{HANDOVER, Prober};
use self::release::Releases;
use self::spoa::{Spoa, TOO_EXPENSIVE};
pub use self::stat::{ServerCheck, ServerState, ServerStatus};
pub use self::traffic::{Counted, TrafficSample};
pub use self::validator::Accepted;
use self::validator::{Judgement, Validator};
use crate::compile::NodeSettings;
use crate::domain::deployment::{DeploymentState, Lane, Step};
use crate::domain::proof::Proof;
use crate::domain::{FieldError, Finding, Name, Revision};
use crate::render::{Bundle, RenderedRuleSet};
use crate::telemetry::clock::Clock;

/// A few vhosts have so long to be judged by `haproxy -c`; it takes some milliseconds.
const JUDGE_PATIENCE: Duration = Duration::from_secs(10);

/// What the applying side is told at its start.
#[derive(Clone, Debug)]
pub struct DataplaneSettings {
    pub node: NodeSettings,
    /// Folder of releases, absolute: `releases/<n>/`, `current`, `staging/`.
    pub state_dir: PathBuf,
    /// The haproxy program, for `haproxy -c`.
    pub haproxy: PathBuf,
}

/// What an engine said about content before it went anywhere near traffic.
#[derive(Clone, Debug)]
pub enum Verdict {
    Accepted {
        findings: Vec<Finding>,
    },
    /// `errors` point into the object kinds named by the caller: `/policies/shop/custom_rules/0`, `/vhosts/shop/upstream`.
    Refused {
        engine: &'static str,
        said: String,
        errors: Vec<FieldError>,
    },
    /// Nobody could be asked: not there, or no place for another question. Says nothing about the content. An engine that broke on the
    /// content, or took too long, has refused it (`too_expensive`).
    Away(String),
}

/// How bringing a bundle to the node ended.
#[derive(Clone, Debug)]
pub enum Outcome {
    Live,
    Refused {
        said: String,
        errors: Vec<FieldError>,
    },
    /// Says nothing about the content: try again.
    Retry {
        said: String,
    },
}

/// What came of applying a bundle.
#[derive(Clone, Debug)]
pub struct Report {
    pub outcome: Outcome,
    pub lanes: Vec<Lane>,
    pub proofs: Vec<Proof>,
}

/// Hears of each step as it ends, and of the state that the deployment is in. Implementations must not block.
pub trait Progress: Send + Sync {
    fn state(&self, state: DeploymentState);
    fn step(&self, step: Step);
}

/// What the engines say of themselves.
#[derive(Clone, Debug, Default, serde::Serialize, utoipa::ToSchema)]
pub struct EngineStatus {
    /// `haproxy`, `guard-spoa` and `validator`: up and answering.
    pub haproxy_up: bool,
    pub spoa_up: bool,
    pub validator_up: bool,
    /// `haproxy`, `guard_spoa`, `coraza`, `crs`.
    pub versions: BTreeMap<String, String>,
    /// The structure digest that the current worker says it runs.
    pub structure: String,
    /// Applications loaded in guard-spoa.
    pub applications: usize,
    /// What is wrong, in words; empty when all is well.
    pub problems: Vec<String>,
}

impl EngineStatus {
    /// An engine that traffic goes through was asked and did not answer.
    pub fn away(&self) -> bool {
        let asked = !self.problems.is_empty();
        asked && (!self.haproxy_up || !self.spoa_up)
    }
}

/// One node: HAProxy and guard-spoa by their sockets, releases by their folder. Cheap to clone.
#[derive(Clone)]
pub struct Node {
    inner: Arc<Inner>,
}

struct Inner {
    settings: DataplaneSettings,
    clock: Clock,
    haproxy: Haproxy,
    agent: Spoa,
    validator: Validator,
    releases: Releases,
    /// Held by readers that ask HAProxy.
    asking: Mutex<()>,
    /// Held by whoever changes something: runtime and reload never run beside each other.
    running: Mutex<Running>,
}

/// What we know of what runs. It may be lost at any time: what is not known is read from the engines.
#[derive(Default)]
struct Running {
    /// The maps of each worker as we left them, by pid.
    workers: HashMap<u32, Known>,
    /// SHA-256 of rule sets, so that each is computed once.
    digests: HashMap<String, (Arc<RenderedRuleSet>, String)>,
    applications: collect::Seen,
}

impl Node {
    /// Connects to nothing yet.
    pub fn new(settings: DataplaneSettings) -> Self {
        Self::with_clock(settings, crate::telemetry::clock::system())
    }

    pub fn with_clock(settings: DataplaneSettings, clock: Clock) -> Self {
        let inner = Inner {
            haproxy: Haproxy::new(&settings.node.master_socket()),
            agent: Spoa::new(&settings.node.control_socket()),
            validator: Validator::new(&settings.node.validator_socket()),
            releases: Releases::new(&settings.state_dir),
            asking: Mutex::default(),
            running: Mutex::default(),
            settings,
            clock,
        };
        Self { inner: Arc::new(inner) }
    }

    pub fn settings(&self) -> &DataplaneSettings {
        &self.inner.settings
    }

    /// Compiles a rule set in the validator process, never in the serving one.
    pub async fn validate_ruleset(&self, ruleset: &RenderedRuleSet) -> Verdict {
        match self.inner.validator.judge(ruleset).await {
            Judgement::Said(verdict) => verdict,
            Judgement::Busy(said) => Verdict::Away(said),
        }
    }

    /// The rule sets that the validator accepted.
    pub fn accepted(&self) -> &Accepted {
        &self.inner.validator.accepted
    }

    /// Judges a bundle's structure by `haproxy -c` in a staging folder of its own; the bundle may be reduced to the vhosts of interest.
    pub async fn validate_structure(&self, bundle: &Bundle) -> Verdict {
        let (releases, to_stage) = (self.inner.releases.clone(), bundle.clone());
        let staged = match blocking(move || releases.stage(&to_stage)).await {
            Ok(staged) => staged,
            Err(error) => return Verdict::Away(format!("staging: {error}")),
        };
        let checked = check::check(&self.inner.settings.haproxy, staged.folder(), JUDGE_PATIENCE).await;
        drop(tokio::task::spawn_blocking(move || drop(staged)));
        match checked {
            Checked::Valid => Verdict::Accepted { findings: vec![] },
            Checked::Unknown(said) => Verdict::Away(said),
            Checked::Broke(said) => {
                let errors =
                    bundle.probes.keys().map(|name| FieldError::new(format!("/vhosts/{name}/upstream"), TOO_EXPENSIVE, said.clone()));
                Verdict::Refused { engine: "haproxy", errors: errors.take(20).collect(), said }
            }
            Checked::Refused { alerts } => {
                Verdict::Refused { engine: "haproxy", said: check::words(&alerts), errors: check::errors_in(bundle, &alerts) }
            }
        }
    }

    /// Judges a whole bundle: each rule set, then the structure. The first that is refused is told.
    pub async fn validate(&self, bundle: &Bundle) -> Verdict {
        for ruleset in bundle.rulesets.values() {
            if self.inner.validator.accepted.has(ruleset) {
                continue;
            }
            match self.validate_ruleset(ruleset).await {
                Verdict::Accepted { .. } => self.inner.validator.accepted.add(ruleset),
                verdict => return verdict,
            }
        }
        self.validate_structure(bundle).await
    }

    /// Brings `bundle` to the engines: stage, validate, load rule sets, publish, runtime or reload, verify; on failure the last good
    /// release is restored. `previous` is what was live, if this process knows; without it every vhost counts as touched. What the engines run
    /// is read from them either way, so that applying what is live already is cheap and mends what has drifted.
    ///
    /// Not to be dropped before it ends: nothing would be half, but what was published would not be verified.
    pub async fn apply(&self, bundle: &Arc<Bundle>, previous: Option<&Arc<Bundle>>, progress: &dyn Progress) -> Report {
        let mut running = self.inner.running.lock().await;
        apply::apply(&self.inner, &mut running, bundle, previous, progress).await
    }

    /// Writes a first release if there is none that can be read, so that the engines can be started: `current/haproxy.cfg` and
    /// `current/guard-spoa.yaml`.
    pub async fn ensure_release(&self, bundle: &Arc<Bundle>) -> std::io::Result<()> {
        let (releases, bundle) = (self.inner.releases.clone(), bundle.clone());
        blocking(move || match releases.current() {
            Some(_) => Ok(()),
            None => releases.publish(releases.write(&bundle)?.number),
        })
        .await
    }

    /// Makes `bundle` what the engines would start from, where it is not so already. For what was live: nobody is asked.
    pub async fn keep_release(&self, bundle: &Arc<Bundle>) -> std::io::Result<()> {
        let _changing = self.inner.running.lock().await;
        let (releases, digest) = (self.inner.releases.clone(), bundle.digest.clone());
        match blocking(move || Ok(releases.stray(&digest))).await? {
            Some(_) => restore::write_current(&self.inner, bundle).await.map(drop),
            None => Ok(()),
        }
    }

    /// The revision and the bundle's digest of the release that the engines would start from, if there is one that is whole.
    pub async fn current_release(&self) -> std::io::Result<Option<(Revision, String)>> {
        let releases = self.inner.releases.clone();
        let live = blocking(move || Ok(releases.sound())).await?;
        Ok(live.map(|live| (live.manifest.revision, live.manifest.digest)))
    }

    /// Why what runs is no longer what `bundle` says, if so: an engine was started anew, or somebody else has been at it. None also while an
    /// engine is away, which is the status's to tell.
    pub async fn drift(&self, bundle: &Bundle) -> Option<String> {
        let running = self.inner.running.try_lock().ok()?;
        status::drift(&self.inner, &running, bundle).await
    }

    /// Takes away what nobody needs any more: rows of generations past, applications that no worker names, old releases. To be called now and
    /// then; in words, what was done.
    pub async fn collect(&self) -> Vec<String> {
        let Ok(mut running) = self.inner.running.try_lock() else { return vec![] };
        collect::collect(&self.inner, &mut running).await
    }

    /// Probes vhosts of what is live, without changing anything.
    pub async fn probe(&self, bundle: &Bundle, vhosts: &BTreeSet<Name>) -> Vec<Proof> {
        let targets = bundle.probes.iter().filter(|(name, _)| vhosts.contains(*name)).map(|(_, target)| target).collect();
        let probed = self.inner.prober(bundle).probe(targets, bundle.revision, (self.inner.clock)()).await;
        probed.into_iter().map(|probed| probed.proof).collect()
    }

    pub async fn engine_status(&self) -> EngineStatus {
        status::engine_status(&self.inner).await
    }

    /// What the engines have counted of clients' requests; of an engine that does not answer, nothing.
    pub async fn traffic(&self) -> TrafficSample {
        traffic::sample(&self.inner).await
    }

    /// The servers of a vhost's backend as HAProxy sees them now, none where it has no such backend; in words, why it cannot be asked.
    pub async fn servers(&self, vhost: u32) -> Result<Vec<ServerStatus>, String> {
        status::servers(&self.inner, vhost).await
    }
}

impl Inner {
    fn prober(&self, bundle: &Bundle) -> Prober {
        Prober {
            socket: self.settings.node.probe_socket().into(),
            spoa: self.agent.clone(),
            structure: bundle.structure.clone(),
            handover: Instant::now() + HANDOVER,
        }
    }

    fn worker(&self, pid: u32) -> Worker<'_> {
        Worker::new(&self.haproxy.cli, pid)
    }
}

/// Disks may be slow: never on the threads that serve.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> std::io::Result<T> + Send + 'static) -> std::io::Result<T> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| Err(std::io::Error::other(error)))
}

/// An engine's words, bounded to 8 KiB.
fn bounded(said: &str) -> String {
    const MOST: usize = 8 << 10;
    if said.len() <= MOST { said.to_owned() } else { format!("{}…", &said[..said.floor_char_boundary(MOST - 4)]) }
}
