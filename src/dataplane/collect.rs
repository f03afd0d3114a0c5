//! Taking away what nobody needs any more. Nothing of this is written down: it follows from what workers and agent say.

use std::collections::{BTreeSet, HashMap};
use std::time::{Duration, Instant};

use super::maps::Known;
use super::{Inner, Running, blocking};

/// A row is read right after its generation, before a request waits for anything: this is generous.
const ROW_GRACE: Duration = Duration::from_secs(60);
/// An application is asked after the body has been waited for: 30 s where the vhost blocks, an hour where it only reports.
const GRACE_BLOCK: Duration = Duration::from_secs(120);
const GRACE_DETECT: Duration = Duration::from_secs(3_720);
/// Each costs a few MB. Beyond these the oldest go after the short time: what is lost is the report on a body that took minutes to come.
const MOST_UNNAMED: usize = 32;
/// How long the agent may let what is in flight end, before it does so by itself.
const DRAIN: Duration = Duration::from_secs(5);

/// What is known of applications.
#[derive(Default)]
pub struct Seen {
    /// By name: whether every row that named it was one that blocks.
    blocks: HashMap<String, bool>,
    /// Since when nobody names it.
    unnamed: HashMap<String, Instant>,
}

pub async fn collect(inner: &Inner, running: &mut Running) -> Vec<String> {
    let mut done = Vec::new();
    if let Err(error) = rows_and_applications(inner, running, &mut done).await {
        tracing::debug!(error, "dataplane.collect: another time");
    }
    let releases = inner.releases.clone();
    if let Err(error) = blocking(move || if releases.current()?.is_some() { releases.prune() } else { Ok(()) }).await {
        tracing::warn!(%error, "dataplane.collect: old releases stay");
    }
    done
}

async fn rows_and_applications(inner: &Inner, running: &mut Running, done: &mut Vec<String>) -> Result<(), String> {
    let processes = inner.haproxy.processes().await.map_err(|e| e.to_string())?;
    running.workers.retain(|pid, _| processes.workers().any(|worker| worker == *pid));
    let mut named = BTreeSet::new();
    for pid in processes.workers() {
        let worker = inner.worker(pid);
        let known = match running.workers.remove(&pid) {
            Some(known) if known.has_old_rows(ROW_GRACE) => {
                let known = worker.forget(known, ROW_GRACE).await.map_err(|e| e.to_string())?;
                done.push(format!("old rows of worker {pid}"));
                known
            }
            Some(known) => known,
            None => {
                // Not ours to change here, only to look at: a worker that we have not brought to anything yet.
                let counts = worker.counts().await.map_err(|e| e.to_string())?;
                if !counts.contains_key(&crate::compile::MapName::Rows) {
                    continue;
                }
                let rows = worker.dump(crate::compile::MapName::Rows).await.map_err(|e| e.to_string())?;
                rows.iter().for_each(|(_, row)| note(&mut running.applications, &mut named, row));
                continue;
            }
        };
        note_all(&mut running.applications, &mut named, &known);
        running.workers.insert(pid, known);
    }
    let releases = inner.releases.clone();
    let live = blocking(move || releases.current()).await.map_err(|e| e.to_string())?;
    let Some(live) = live else { return Ok(()) };
    named.extend(live.manifest.rulesets);

    let loaded = inner.agent.applications().await.map_err(|e| e.to_string())?;
    // What we have not named is not ours to unload.
    let ours = loaded.into_keys().filter(|name| name.starts_with("rs-") && !named.contains(name)).collect();
    for name in running.applications.over(&ours) {
        let gone = inner.agent.unload(&name, DRAIN).await.map_err(|e| e.to_string())?;
        running.applications.unnamed.remove(&name);
        running.applications.blocks.remove(&name);
        done.push(format!("application {name} {}", if gone { "unloaded" } else { "drains" }));
    }
    Ok(())
}

fn note_all(seen: &mut Seen, named: &mut BTreeSet<String>, known: &Known) {
    known.rows().for_each(|row| note(seen, named, row));
}

/// `<mode and flags>|<parameters>|<application>|…`
fn note(seen: &mut Seen, named: &mut BTreeSet<String>, row: &str) {
    let Some(application) = row.split('|').nth(2).filter(|name| !name.is_empty()) else { return };
    let blocks = !row.starts_with('D');
    match seen.blocks.get_mut(application) {
        Some(all) => *all &= blocks,
        None => drop(seen.blocks.insert(application.to_owned(), blocks)),
    }
    if !named.contains(application) {
        named.insert(application.to_owned());
    }
}

impl Seen {
    /// Which of the applications that nobody names have been so for long enough.
    fn over(&mut self, unnamed: &BTreeSet<String>) -> Vec<String> {
        self.unnamed.retain(|name, _| unnamed.contains(name));
        for name in unnamed {
            self.unnamed.entry(name.clone()).or_insert_with(Instant::now);
        }
        let mut by_age: Vec<(&String, Duration)> = self.unnamed.iter().map(|(name, since)| (name, since.elapsed())).collect();
        by_age.sort_by_key(|(_, age)| std::cmp::Reverse(*age));
        let beyond = by_age.len().saturating_sub(MOST_UNNAMED);
        let short = |i: usize, name: &str| i < beyond || self.blocks.get(name) == Some(&true);
        let over = by_age.iter().enumerate().filter(|(i, (name, age))| *age >= if short(*i, name) { GRACE_BLOCK } else { GRACE_DETECT });
        over.map(|(_, (name, _))| (*name).clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_application_goes_when_nobody_can_still_ask_for_it() {
        let mut seen = Seen::default();
        let mut named = BTreeSet::new();
        for row in ["B|1.1.5.4.B|rs-block|0", "B|1.1.5.4.B|rs-both|0", "Dm|1.1.5.4.D|rs-both|0", "O|1.1.5.4.D||0"] {
            note(&mut seen, &mut named, row);
        }
        assert_eq!(named, BTreeSet::from(["rs-block".to_owned(), "rs-both".to_owned()]));
        let unnamed: BTreeSet<String> = ["rs-block", "rs-both", "rs-unknown"].map(str::to_owned).into();
        assert!(seen.over(&unnamed).is_empty());
        let Some(past) = Instant::now().checked_sub(GRACE_BLOCK) else { return };
        seen.unnamed.values_mut().for_each(|since| *since = past);
        assert_eq!(seen.over(&unnamed), ["rs-block"], "what only blocks");
        let many = (0..MOST_UNNAMED).map(|i| format!("rs-{i}")).chain(unnamed).collect();
        assert_eq!(seen.over(&many).len(), 3, "and, when there are too many, the oldest");
    }
}
