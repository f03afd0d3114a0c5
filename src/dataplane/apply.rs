//! The order of bringing a bundle to the engines. Up to `publish` nothing of it can be seen by traffic; behind it, whatever fails is restored.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sha2::{Digest as _, Sha256};

use super::check::{self, Checked};
use super::cli::CliError;
use super::haproxy::{Processes, Reload};
use super::maps::Known;
use super::probe::{self, Probed};
use super::release::Release;
use super::spoa::{self, Compiled, SpoaError};
use super::validator::Judgement;
use super::{Inner, Outcome, Progress, Report, Running, Verdict, blocking, bounded, collect, preflight, restore};
use crate::domain::deployment::{DeploymentState, Lane, Step};
use crate::domain::digest::hex;
use crate::domain::proof::{Proof, ProofState};
use crate::domain::{FieldError, Name};
use crate::render::{Bundle, RenderedRuleSet};

const CHECK_PATIENCE: Duration = Duration::from_secs(60);
/// A bind that fails takes HAProxy two seconds; 10,000 backends take half a second to read.
pub const RELOAD_PATIENCE: Duration = Duration::from_secs(30);
/// Each old worker keeps its memory and its connections; beyond these, reloads wait.
const MOST_OLD_WORKERS: usize = 4;

/// Vhosts that are probed although they were not touched, where everything was started anew; the reconciler goes on with the rest at leisure.
const OTHERS: usize = 16;

/// Why it did not come to its end.
#[derive(Debug)]
pub enum Stop {
    Refused { said: String, errors: Vec<FieldError> },
    Retry { said: String },
}

impl Stop {
    pub fn retry(said: impl std::fmt::Display) -> Self {
        Self::Retry { said: bounded(&said.to_string()) }
    }

    pub fn said(&self) -> &str {
        match self {
            Self::Refused { said, .. } | Self::Retry { said } => said,
        }
    }
}

impl From<CliError> for Stop {
    fn from(error: CliError) -> Self {
        match error {
            CliError::Unfit(_) => Self::Refused { said: error.to_string(), errors: vec![] },
            error => Self::retry(error),
        }
    }
}

impl From<std::io::Error> for Stop {
    fn from(error: std::io::Error) -> Self {
        Self::retry(error)
    }
}

/// Tells of steps as they end.
pub struct Steps<'a> {
    pub inner: &'a Inner,
    pub progress: &'a dyn Progress,
}

impl Steps<'_> {
    /// Runs a step; `work` says what came of it, in words.
    pub async fn step<T>(&self, name: &'static str, work: impl Future<Output = Result<(T, String), Stop>>) -> Result<T, Stop> {
        let (started_at, begun) = ((self.inner.clock)(), Instant::now());
        let done = work.await;
        let took_us = i64::try_from(begun.elapsed().as_micros()).unwrap_or(i64::MAX);
        let (ok, detail) = match &done {
            Ok((_, detail)) => (true, detail.as_str()),
            Err(stop) => (false, stop.said()),
        };
        tracing::debug!(step = name, took_us, ok, detail, "dataplane.step");
        self.progress.step(Step { name: name.to_owned(), started_at, took_us, ok, detail: bounded(detail) });
        done.map(|(value, _)| value)
    }
}

/// What has happened so far, for whoever must take it back.
#[derive(Default)]
pub struct Done {
    /// What was live before.
    pub live: Option<Release>,
    pub staged: Option<Release>,
    pub published: bool,
    /// The new structure may run: a reload was asked for.
    pub reloaded: bool,
    lanes: BTreeSet<Lane>,
    proofs: Vec<Proof>,
}

pub async fn apply(
    inner: &Inner,
    running: &mut Running,
    bundle: &Arc<Bundle>,
    previous: Option<&Arc<Bundle>>,
    progress: &dyn Progress,
) -> Report {
    let steps = Steps { inner, progress };
    let mut done = Done::default();
    let outcome = match bring(&steps, running, bundle, previous, &mut done).await {
        Ok(()) => {
            let releases = inner.releases.clone();
            if let Err(error) = blocking(move || releases.prune()).await {
                tracing::warn!(%error, "dataplane.apply: old releases stay");
            }
            Outcome::Live
        }
        Err(stop) => {
            restore::restore(&steps, running, &done).await;
            match stop {
                Stop::Refused { said, errors } => Outcome::Refused { said, errors },
                Stop::Retry { said } => Outcome::Retry { said },
            }
        }
    };
    Report { outcome, lanes: done.lanes.into_iter().collect(), proofs: done.proofs }
}

async fn bring(
    steps: &Steps<'_>,
    running: &mut Running,
    bundle: &Arc<Bundle>,
    previous: Option<&Arc<Bundle>>,
    done: &mut Done,
) -> Result<(), Stop> {
    let inner = steps.inner;
    steps.progress.state(DeploymentState::Validating);
    if let Some(last) = previous {
        // Before anybody must answer: who is away can only be started from good files.
        restore::mend(steps, last).await?;
    }
    let before = inner.haproxy.processes().await?;
    let current = before.current.ok_or_else(|| Stop::retry("HAProxy has no worker that takes connections"))?;
    let runs = inner.haproxy.structure(current).await?;
    let reload = runs != bundle.structure;

    let (live, staged) = steps.step("stage", stage(inner, bundle)).await?;
    let same = live.as_ref() == Some(&staged);
    (done.live, done.staged) = (live, Some(staged.clone()));
    if reload {
        steps.step("validate", validate(inner, bundle, &staged)).await?;
    }

    steps.progress.state(DeploymentState::Applying);
    collect::room(inner, running, bundle).await?;
    if steps.step("rulesets", load(inner, running, bundle)).await? {
        done.lanes.insert(Lane::Ruleset);
    }
    if reload {
        steps.step("preflight", preflight(inner, bundle, done.live.as_ref(), &before, &runs)).await?;
    }
    if !same {
        let (releases, number) = (inner.releases.clone(), staged.number);
        // From here on it may be seen, even if the switch itself reports an error.
        done.published = true;
        let publish = async move {
            blocking(move || releases.publish(number)).await?;
            Ok(((), format!("release {number} is current")))
        };
        steps.step("publish", publish).await?;
    }
    if reload {
        done.lanes.insert(Lane::Reload);
        done.reloaded = true;
        steps.step("reload", reload_to(inner, running, bundle, &before)).await?;
    } else {
        if previous.is_none_or(|previous| previous.maps != bundle.maps) {
            done.lanes.insert(Lane::Runtime);
        }
        steps.step("runtime", runtime(inner, running, bundle, &before)).await?;
    }

    steps.progress.state(DeploymentState::Verifying);
    let touched = if same { BTreeSet::new() } else { probe::touched(previous.map(|p| p.probes.as_ref()), &bundle.probes) };
    let again = previous.is_none_or(|previous| previous.revision == bundle.revision);
    steps.step("verify", verify(inner, running, bundle, &touched, reload || again, done)).await
}

/// Writes the release, unless it is the live one already.
async fn stage(inner: &Inner, bundle: &Arc<Bundle>) -> Result<((Option<Release>, Release), String), Stop> {
    let (releases, bundle) = (inner.releases.clone(), bundle.clone());
    let staged = blocking(move || {
        let live = releases.sound();
        if let Some(live) = live.as_ref().filter(|l| l.manifest.digest == bundle.digest) {
            let detail = format!("release {} is it already", live.number);
            return Ok(((Some(live.clone()), live.clone()), detail));
        }
        let release = releases.write(&bundle)?;
        let detail = format!("release {}, {} files", release.number, bundle.files.len());
        Ok(((live, release), detail))
    });
    Ok(staged.await?)
}

/// `haproxy -c` on the very files that HAProxy will read.
async fn validate(inner: &Inner, bundle: &Bundle, staged: &Release) -> Result<((), String), Stop> {
    match check::check(&inner.settings.haproxy, &inner.releases.folder(staged.number), CHECK_PATIENCE).await {
        Checked::Valid => Ok(((), "haproxy -c: valid".to_owned())),
        Checked::Unknown(said) | Checked::Broke(said) => Err(Stop::Retry { said }),
        Checked::Refused { alerts } => Err(Stop::Refused { said: check::words(&alerts), errors: check::errors_in(bundle, &alerts) }),
    }
}

/// Loads the rule sets that guard-spoa does not have, beside those it has. True where there were any.
async fn load(inner: &Inner, running: &mut Running, bundle: &Bundle) -> Result<(bool, String), Stop> {
    let loaded = inner.agent.applications().await.map_err(Stop::retry)?;
    let (mut detail, mut missing) = (String::new(), Vec::new());
    for (name, ruleset) in &bundle.rulesets {
        let known = running.digests.get(name).filter(|(of, _)| Arc::ptr_eq(of, ruleset));
        let digest = known.map_or_else(|| hex(&Sha256::digest(ruleset.text.as_bytes())), |(_, digest)| digest.clone());
        let there = loaded.get(name).is_some_and(|app| app.digest == digest);
        running.digests.insert(name.clone(), (ruleset.clone(), digest));
        if !there {
            // All of them before any is loaded.
            missing.push((name, ruleset, judged(inner, ruleset).await?));
        }
    }
    for (name, ruleset, judged) in missing {
        let answer =
            if judged { inner.agent.load(name, &ruleset.text).await } else { inner.agent.load_unjudged(name, &ruleset.text).await };
        match answer {
            Ok(Compiled::Accepted { rule_count, load_ms, .. }) => {
                let _ = write!(detail, "{}{name}: {rule_count} rules in {load_ms:.0} ms", if detail.is_empty() { "" } else { "; " });
            }
            Ok(Compiled::Refused { error }) => {
                let (said, errors) = spoa::refusal(ruleset, &error);
                return Err(Stop::Refused { said, errors });
            }
            // It would cost the traffic's agent the same again and again.
            Err(error @ (SpoaError::Broke(_) | SpoaError::Late(_))) if !judged => {
                let (said, errors) = spoa::too_expensive(ruleset, &error.to_string());
                return Err(Stop::Refused { said, errors });
            }
            Err(error) => return Err(Stop::retry(error)),
        }
    }
    running.digests.retain(|name, _| bundle.rulesets.contains_key(name));
    let any = !detail.is_empty();
    Ok((any, if any { detail } else { format!("all {} are loaded", bundle.rulesets.len()) }))
}

/// Whether the validator has accepted a rule set, by now or earlier: nothing goes to the agent that serves while there is somebody to judge it
/// first. False where the validator is away.
async fn judged(inner: &Inner, ruleset: &RenderedRuleSet) -> Result<bool, Stop> {
    if inner.validator.accepted.has(ruleset) {
        return Ok(true);
    }
    match inner.validator.judge(ruleset).await {
        Judgement::Said(Verdict::Accepted { .. }) => Ok(true),
        Judgement::Said(Verdict::Refused { said, errors, .. }) => Err(Stop::Refused { said, errors }),
        Judgement::Said(Verdict::Away(why)) => {
            tracing::warn!(why, ruleset = ruleset.name, "the validator is away: the agent judges this itself");
            Ok(false)
        }
        Judgement::Busy(said) => Err(Stop::retry(format!("the validator is busy: {said}"))),
    }
}

/// What a reload could fail by although the configuration is valid.
async fn preflight(inner: &Inner, bundle: &Bundle, live: Option<&Release>, before: &Processes, runs: &str) -> Result<((), String), Stop> {
    if before.old.len() >= MOST_OLD_WORKERS {
        let said = format!("{} old workers of HAProxy still serve connections; the reload waits for one to end", before.old.len());
        return Err(Stop::Retry { said });
    }
    let new = bundle.files.get("haproxy.cfg").map_or(String::new(), |file| String::from_utf8_lossy(file).into_owned());
    let old = live.filter(|live| live.manifest.structure == runs).map(|live| inner.releases.folder(live.number).join("haproxy.cfg"));
    let (tried, taken) = blocking(move || {
        let old = old.map(fs_err::read_to_string).transpose()?;
        let Some(old) = old else {
            // What HAProxy holds now is not known: trying could only find HAProxy itself.
            return Ok((0, vec![]));
        };
        Ok((preflight::binds(&new).difference(&preflight::binds(&old)).count(), preflight::taken(Some(&old), &new)))
    })
    .await?;
    if taken.is_empty() {
        return Ok(((), if tried == 0 { "no new address".to_owned() } else { format!("{tried} new addresses can be bound") }));
    }
    let said: Vec<String> = taken.iter().map(|(address, error)| format!("{address} cannot be bound: {error}")).collect();
    // Where the node listens is a setting: no object is to blame.
    let errors = taken.iter().zip(&said).map(|(_, said)| FieldError::new("/node/binds", "taken", said.clone())).collect();
    Err(Stop::Refused { said: bounded(&said.join("; ")), errors })
}

async fn reload_to(inner: &Inner, running: &mut Running, bundle: &Bundle, before: &Processes) -> Result<((), String), Stop> {
    let begun = Instant::now();
    match inner.haproxy.reload(before, &bundle.structure, RELOAD_PATIENCE).await? {
        // It was valid a moment ago: what fails now is around the process, and no object is to blame.
        Reload::Refused { said } => {
            let errors = vec![FieldError::new("/node", "reload_failed", said.clone())];
            Err(Stop::Refused { said, errors })
        }
        Reload::Done { pid } => {
            let took = begun.elapsed();
            running.workers.insert(pid, Known::fresh(&bundle.maps));
            let now = inner.haproxy.processes().await?;
            // What the new worker read is what was published; it is confirmed all the same.
            bring_all(inner, running, &now, &bundle.maps).await?;
            Ok(((), format!("worker {pid} serves after {} ms, beside {} old", took.as_millis(), now.old.len())))
        }
    }
}

async fn runtime(inner: &Inner, running: &mut Running, bundle: &Bundle, before: &Processes) -> Result<((), String), Stop> {
    let workers = bring_all(inner, running, before, &bundle.maps).await?;
    Ok(((), format!("maps of {workers} workers")))
}

/// Brings the maps of every worker to `maps`; how many there are. A worker that ends meanwhile needs none.
pub async fn bring_all(inner: &Inner, running: &mut Running, processes: &Processes, maps: &super::maps::Maps) -> Result<usize, CliError> {
    running.workers.retain(|pid, _| processes.workers().any(|worker| worker == *pid));
    let mut count = 0;
    for pid in processes.workers() {
        let worker = inner.worker(pid);
        // Taken out meanwhile: if this fails, or is dropped, the next one reads what is there.
        let mut brought = match running.workers.remove(&pid) {
            Some(known) => worker.bring(Some(known), maps).await,
            None => worker.bring(None, maps).await,
        };
        if let Err(error @ CliError::Said { .. }) = &brought {
            tracing::warn!(%error, pid, "dataplane.maps: not as we left them, read anew");
            brought = worker.bring(None, maps).await;
        }
        match brought {
            Ok(known) => {
                running.workers.insert(pid, known);
                count += 1;
            }
            Err(CliError::Gone(_)) if Some(pid) != processes.current => {}
            Err(error) => return Err(error),
        }
    }
    Ok(count)
}

/// Probes the vhosts that were touched, and where everything could have changed some others; old workers are asked for their maps.
async fn verify(
    inner: &Inner,
    running: &mut Running,
    bundle: &Bundle,
    touched: &BTreeSet<Name>,
    others: bool,
    done: &mut Done,
) -> Result<((), String), Stop> {
    let mut wanted = probe::sample(touched, probe::MOST_PROBED);
    if others {
        let rest = bundle.probes.keys().filter(|name| !touched.contains(*name)).cloned().collect();
        wanted.extend(probe::sample(&rest, OTHERS));
    }
    old_workers_agree(inner, running, bundle, &wanted).await?;
    let targets = bundle.probes.iter().filter(|(name, _)| wanted.contains(*name)).map(|(_, target)| target).collect();
    let at = (inner.clock)();
    let probed = inner.prober(bundle).probe(targets, bundle.revision, at).await;
    let judged = judge(&probed, touched);
    done.proofs = probed.into_iter().map(|probed| probed.proof).collect();
    let count = done.proofs.len();
    done.proofs.extend(touched.difference(&wanted).filter_map(|name| bundle.probes.get(name)).map(|target| Proof {
        vhost: target.vhost.clone(),
        state: ProofState::Unprobed,
        revision: bundle.revision,
        at,
        host: target.host.clone(),
        row: target.row.clone(),
        seen: vec![],
    }));
    judged?;
    Ok(((), format!("{count} vhosts probed, {} of them touched", wanted.intersection(touched).count())))
}

/// Only what was touched can speak against the revision; the rest is unproven, and loud.
fn judge(probed: &[Probed], touched: &BTreeSet<Name>) -> Result<(), Stop> {
    let failed = || probed.iter().filter(|p| p.proof.state != ProofState::Proven);
    for other in failed().filter(|p| !touched.contains(&p.proof.vhost)) {
        tracing::error!(vhost = %other.proof.vhost, seen = ?other.proof.seen.last(), "dataplane.unproven");
    }
    let words = |p: &Probed| p.proof.seen.last().cloned().unwrap_or_default();
    let wrong: Vec<&Probed> = failed().filter(|p| touched.contains(&p.proof.vhost) && !p.fault).collect();
    if let Some(first) = wrong.first() {
        let error = |p: &&Probed| FieldError::new(format!("/vhosts/{}", p.proof.vhost), "not_proven", words(p));
        let said = format!("a probe of vhost `{}` saw something else: {}", first.proof.vhost, words(first));
        return Err(Stop::Refused { said: bounded(&said), errors: wrong.iter().take(20).map(error).collect() });
    }
    match failed().find(|p| touched.contains(&p.proof.vhost)) {
        Some(first) => Err(Stop::retry(format!("vhost `{}` could not be proven: {}", first.proof.vhost, words(first)))),
        None => Ok(()),
    }
}

/// Probes reach the current worker only; of the others the maps must say the same.
async fn old_workers_agree(inner: &Inner, running: &mut Running, bundle: &Bundle, wanted: &BTreeSet<Name>) -> Result<(), Stop> {
    let processes = inner.haproxy.processes().await?;
    for pid in processes.old {
        let live = match inner.worker(pid).dump(crate::compile::MapName::Live).await {
            Ok(live) => live.into_iter().collect::<std::collections::HashMap<_, _>>(),
            Err(CliError::Gone(_)) => continue,
            Err(error) => return Err(error.into()),
        };
        let mut targets = wanted.iter().filter_map(|name| bundle.probes.get(name));
        if let Some(target) = targets.find(|target| live.get(&target.number.to_string()) != Some(&target.generation)) {
            running.workers.remove(&pid);
            return Err(Stop::retry(format!("the old worker {pid} has another generation of vhost `{}`", target.vhost)));
        }
    }
    Ok(())
}
