//! Taking back what did not come to its end: the last good release is current again, and what runs is what it says.

use std::sync::Arc;

use super::apply::{Done, RELOAD_PATIENCE, Steps, Stop, bring_all};
use super::haproxy::Reload;
use super::maps::Known;
use super::release::Release;
use super::{Inner, Running, blocking};
use crate::render::Bundle;

/// Restores as far as anything was changed. It cannot fail upwards: what it cannot do now, the next attempt does, since that reads what runs.
pub async fn restore(steps: &Steps<'_>, running: &mut Running, done: &Done) {
    let Some(staged) = done.staged.as_ref().filter(|staged| done.live.as_ref() != Some(*staged)) else { return };
    let inner = steps.inner;
    if done.published
        && let Some(live) = &done.live
    {
        let restored = steps.step("restore", back(inner, running, live, done.reloaded)).await;
        if let Err(stop) = restored {
            tracing::error!(said = stop.said(), release = live.number, "dataplane.restore: the last good state could not be restored");
        }
    }
    if !done.published || done.live.is_some() {
        let (releases, number) = (inner.releases.clone(), staged.number);
        let removed = blocking(move || {
            // Never what `current` leads to, whatever has failed.
            if releases.linked() == Some(number) { Ok(()) } else { releases.remove(number) }
        });
        if let Err(error) = removed.await {
            tracing::warn!(%error, number, "dataplane.restore: a release that was refused stays behind");
        }
    }
}

/// Makes what was live last what the engines would start from, where `current` is something else, damaged or gone.
pub async fn mend(steps: &Steps<'_>, last: &Arc<Bundle>) -> Result<(), Stop> {
    let (releases, digest) = (steps.inner.releases.clone(), last.digest.clone());
    let Some(why) = blocking(move || Ok(releases.stray(&digest))).await? else { return Ok(()) };
    let written = async {
        let number = write_current(steps.inner, last).await?;
        tracing::warn!(why, number, "dataplane.mend: the last live release was written anew");
        Ok(((), format!("{why}; release {number} is current")))
    };
    steps.step("mend", written).await
}

/// Writes a release and makes it the current one; its number.
pub async fn write_current(inner: &Inner, bundle: &Arc<Bundle>) -> std::io::Result<u64> {
    let (releases, bundle) = (inner.releases.clone(), bundle.clone());
    blocking(move || {
        let number = releases.write(&bundle)?.number;
        releases.publish(number)?;
        Ok(number)
    })
    .await
}

/// Files first, so that a reload at any moment gives the same.
async fn back(inner: &Inner, running: &mut Running, live: &Release, reloaded: bool) -> Result<((), String), Stop> {
    let (releases, number) = (inner.releases.clone(), live.number);
    let maps = blocking(move || {
        releases.publish(number)?;
        releases.maps(number)
    })
    .await?;
    let mut processes = inner.haproxy.processes().await?;
    let mut detail = format!("release {number} is current again");
    let runs = match processes.current {
        Some(pid) if reloaded => inner.haproxy.structure(pid).await?,
        _ => live.manifest.structure.clone(),
    };
    if runs != live.manifest.structure {
        match inner.haproxy.reload(&processes, &live.manifest.structure, RELOAD_PATIENCE).await? {
            Reload::Refused { said } => return Err(Stop::retry(format!("reloading the last good configuration: {said}"))),
            Reload::Done { pid } => {
                running.workers.insert(pid, Known::fresh(&maps));
                detail.push_str(", HAProxy reloaded");
            }
        }
        processes = inner.haproxy.processes().await?;
    }
    let workers = bring_all(inner, running, &processes, &maps).await?;
    Ok(((), format!("{detail}, maps of {workers} workers")))
}
