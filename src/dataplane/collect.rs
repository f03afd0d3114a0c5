//! Taking away what nobody needs any more. Nothing of this is written down: it follows from what workers and agent say.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::{Duration, Instant};

use super::apply::Stop;
use super::maps::Known;
use super::spoa::Application;
use super::{Inner, Running, blocking};
use crate::compile::MapName;
use crate::render::Bundle;

/// A row is read right after its generation, before a request waits for anything: this is generous.
const ROW_GRACE: Duration = Duration::from_secs(10);
/// An application is asked after the body has been waited for: 30 s where the vhost blocks, an hour where it only reports. Then come the
/// agent's own time, which is configured, and some for HAProxy itself.
const BODY_BLOCK: Duration = Duration::from_secs(33);
const GRACE_DETECT: Duration = Duration::from_secs(3_720);
/// Each costs some 8 MB. Beyond these the oldest go after the short time: what is lost is the report on a body that took minutes to come.
const MOST_UNNAMED: usize = 24;
/// With so many that may all still be asked, nothing is loaded beside them until some have gone.
const MOST_LEFT: usize = 64;
/// How long the agent may let what is in flight end, before it does so by itself.
const DRAIN: Duration = Duration::from_millis(200);

/// What is known of applications.
#[derive(Default)]
pub struct Seen {
    /// By name: whether every row that named it was one that blocks.
    blocks: HashMap<String, bool>,
    /// Since when no row that is wanted names it.
    unwanted: HashMap<String, Instant>,
}

/// Who names applications.
#[derive(Default)]
struct Named {
    wanted: BTreeSet<String>,
    /// Only rows that are on their way out, and since when the last of them is.
    old: HashMap<String, Instant>,
}

pub async fn collect(inner: &Inner, running: &mut Running) -> Vec<String> {
    let mut done = Vec::new();
    if let Err(error) = rows_and_applications(inner, running, &mut done).await {
        tracing::debug!(error, "dataplane.collect: another time");
    }
    let releases = inner.releases.clone();
    if let Err(error) = blocking(move || if releases.current().is_some() { releases.prune() } else { Ok(()) }).await {
        tracing::warn!(%error, "dataplane.collect: old releases stay");
    }
    done
}

/// Makes room in the agent for what `bundle` needs beside the others, or says that there is none yet: memory is not without end.
pub async fn room(inner: &Inner, running: &mut Running, bundle: &Bundle) -> Result<(), Stop> {
    let loaded = inner.agent.applications().await.map_err(Stop::retry)?;
    let beside = loaded.keys().filter(|name| name.starts_with("rs-") && !bundle.rulesets.contains_key(*name)).count();
    if beside <= MOST_UNNAMED || bundle.rulesets.keys().all(|name| loaded.contains_key(name)) {
        return Ok(());
    }
    let mut done = Vec::new();
    if let Err(error) = rows_and_applications(inner, running, &mut done).await {
        tracing::debug!(error, "dataplane.collect: no room was made");
    }
    tracing::debug!(?done, "dataplane.collect: made room");
    let left = running.applications.unwanted.keys().filter(|name| !bundle.rulesets.contains_key(*name)).count();
    if left > MOST_LEFT {
        return Err(Stop::retry(format!("too many rule sets are still in use by requests under way ({left}); some go within a minute")));
    }
    Ok(())
}

async fn rows_and_applications(inner: &Inner, running: &mut Running, done: &mut Vec<String>) -> Result<(), String> {
    let processes = inner.haproxy.processes().await.map_err(|e| e.to_string())?;
    running.workers.retain(|pid, _| processes.workers().any(|worker| worker == *pid));
    let mut named = Named::default();
    for pid in processes.workers() {
        let worker = inner.worker(pid);
        let known = match running.workers.remove(&pid) {
            Some(known) if known.has_old_rows(ROW_GRACE) => {
                running.applications.note_all(&mut named, &known);
                let known = worker.forget(known, ROW_GRACE).await.map_err(|e| e.to_string())?;
                done.push(format!("old rows of worker {pid}"));
                known
            }
            Some(known) => known,
            None => {
                // Not ours to change here, only to look at: a worker that we have not brought to anything yet.
                let counts = worker.counts().await.map_err(|e| e.to_string())?;
                if !counts.contains_key(&MapName::Rows) {
                    continue;
                }
                let rows = worker.dump(MapName::Rows).await.map_err(|e| e.to_string())?;
                rows.iter().for_each(|(_, row)| running.applications.note(&mut named, row, None));
                continue;
            }
        };
        running.applications.note_all(&mut named, &known);
        running.workers.insert(pid, known);
    }
    let releases = inner.releases.clone();
    let live = blocking(move || Ok(releases.current())).await.map_err(|e| e.to_string())?;
    let Some(live) = live else { return Ok(()) };
    named.wanted.extend(live.manifest.rulesets);

    let loaded = inner.agent.applications().await.map_err(|e| e.to_string())?;
    let short = BODY_BLOCK + Duration::from_millis(inner.settings.node.waf_timeout_ms.into());
    for name in running.applications.over(&named, &loaded, short) {
        let gone = inner.agent.unload(&name, DRAIN).await.map_err(|e| e.to_string())?;
        running.applications.unwanted.remove(&name);
        running.applications.blocks.remove(&name);
        done.push(format!("application {name} {}", if gone { "unloaded" } else { "drains" }));
    }
    Ok(())
}

impl Seen {
    fn note_all(&mut self, named: &mut Named, known: &Known) {
        known.rows().for_each(|row| self.note(named, row, None));
        known.old_rows().for_each(|(row, since)| self.note(named, row, Some(since)));
    }

    /// `<mode and flags>|<parameters>|<application>|…`, and since when the row is not wanted any more, if it is not.
    fn note(&mut self, named: &mut Named, row: &str, old: Option<Instant>) {
        let Some(application) = row.split('|').nth(2).filter(|name| !name.is_empty()) else { return };
        let blocks = !row.starts_with('D');
        match self.blocks.get_mut(application) {
            Some(all) => *all &= blocks,
            None => drop(self.blocks.insert(application.to_owned(), blocks)),
        }
        match old {
            None if !named.wanted.contains(application) => drop(named.wanted.insert(application.to_owned())),
            None => {}
            Some(since) => match named.old.get_mut(application) {
                Some(last) => *last = since.max(*last),
                None => drop(named.old.insert(application.to_owned(), since)),
            },
        }
    }

    /// Which of what is loaded nobody names and nobody can still ask for.
    fn over(&mut self, named: &Named, loaded: &BTreeMap<String, Application>, short: Duration) -> Vec<String> {
        // What we have not named is not ours to unload.
        let ours = |name: &String| name.starts_with("rs-") && loaded.contains_key(name);
        self.unwanted.retain(|name, _| ours(name) && !named.wanted.contains(name));
        self.blocks.retain(|name, _| loaded.contains_key(name));
        for name in loaded.keys().filter(|name| ours(name) && !named.wanted.contains(*name)) {
            let since = named.old.get(name).copied();
            let known = self.unwanted.entry(name.clone()).or_insert_with(|| since.unwrap_or_else(Instant::now));
            *known = since.map_or(*known, |since| since.max(*known));
        }
        let mut by_age: Vec<(&String, Duration)> = self.unwanted.iter().map(|(name, since)| (name, since.elapsed())).collect();
        by_age.sort_by_key(|(_, age)| std::cmp::Reverse(*age));
        let beyond = by_age.len().saturating_sub(MOST_UNNAMED);
        let over = by_age.into_iter().enumerate().filter(|(i, (name, age))| {
            let soon = *i < beyond || self.blocks.get(*name) == Some(&true);
            let busy = loaded.get(*name).is_some_and(|application| application.in_flight > 0);
            // A row that is still there can still be read.
            !named.old.contains_key(*name) && *age >= if soon && !busy { short } else { GRACE_DETECT }
        });
        over.map(|(_, (name, _))| name.clone()).collect()
    }
}

#[cfg(test)]
impl Seen {
    /// As if all of it had been so for longer.
    pub fn age(&mut self, by: Duration) {
        self.unwanted.values_mut().for_each(|since| *since = since.checked_sub(by).unwrap_or(*since));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: Duration = Duration::from_secs(35);

    fn loaded<'a>(names: impl IntoIterator<Item = &'a str>) -> BTreeMap<String, Application> {
        let application = |name: &str| Application { name: name.to_owned(), digest: String::new(), state: String::new(), in_flight: 0 };
        names.into_iter().map(|name| (name.to_owned(), application(name))).collect()
    }

    #[test]
    fn an_application_goes_when_nobody_can_still_ask_for_it() {
        let mut seen = Seen::default();
        let mut named = Named::default();
        for row in ["B|1.1.5.4.B|rs-block|0", "B|1.1.5.4.B|rs-both|0", "Dm|1.1.5.4.D|rs-both|0", "O|1.1.5.4.D||0"] {
            seen.note(&mut named, row, None);
        }
        assert_eq!(named.wanted, BTreeSet::from(["rs-block".to_owned(), "rs-both".to_owned()]));
        let mut apps = loaded(["rs-block", "rs-both", "rs-unknown", "somebody-elses"]);
        assert!(seen.over(&named, &apps, SHORT).is_empty());
        let nobody = Named::default();
        assert!(seen.over(&nobody, &apps, SHORT).is_empty());
        seen.age(SHORT);
        assert_eq!(seen.over(&nobody, &apps, SHORT), ["rs-block"], "what only blocks");
        let mut old = Named::default();
        seen.note(&mut old, "B|1.1.5.4.B|rs-block|0", Instant::now().checked_sub(SHORT));
        assert!(seen.over(&old, &apps, SHORT).is_empty(), "a row is still there");
        let many: Vec<String> = (0..MOST_UNNAMED).map(|i| format!("rs-{i}")).collect();
        apps.extend(loaded(many.iter().map(String::as_str)));
        assert_eq!(seen.over(&nobody, &apps, SHORT).len(), 3, "and, when there are too many, the oldest");
        apps.get_mut("rs-block").unwrap().in_flight = 1;
        assert_eq!(seen.over(&nobody, &apps, SHORT).len(), 2, "but none that is at work");
    }

    #[test]
    fn steady_changes_leave_no_more_than_can_still_be_asked_for() {
        let mut seen = Seen::default();
        let mut most = 0;
        let mut apps = loaded([]);
        for change in 0..300 {
            let name = format!("rs-{change}");
            apps.extend(loaded([name.as_str()]));
            let mut named = Named::default();
            seen.note(&mut named, &format!("D|1.1.5.4.D|{name}|0"), None);
            for gone in seen.over(&named, &apps, SHORT) {
                apps.remove(&gone);
            }
            most = most.max(apps.len());
            seen.age(Duration::from_secs(1));
        }
        assert!(most <= 38, "{most}");
    }
}
