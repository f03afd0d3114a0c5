//! What the engines say of themselves, and whether they still run what we brought them.

use std::collections::BTreeMap;
use std::time::Duration;

use super::haproxy::{Processes, info_field, known_fault, structure_of};
use super::stat::{self, ServerStatus};
use super::{EngineStatus, Inner, Running, blocking};
use crate::render::Bundle;

/// A status is asked for often: nobody waits long for it.
const PATIENCE: Duration = Duration::from_secs(3);

pub async fn engine_status(inner: &Inner) -> EngineStatus {
    let haproxy = haproxy(async {
        let (processes, current) = current(inner).await?;
        let info = inner.haproxy.info(current).await.map_err(|e| e.to_string())?;
        Ok((processes, info))
    });
    let spoa = |client| async move {
        let client: &super::spoa::Spoa = client;
        tokio::time::timeout(PATIENCE, client.status()).await.map_or_else(|_| Err(late()), |said| said.map_err(|e| e.to_string()))
    };
    let (haproxy, agent, validator) = tokio::join!(haproxy, spoa(&inner.agent), spoa(&inner.validator.spoa));

    let mut status = EngineStatus::default();
    match haproxy {
        Ok((processes, info)) => {
            status.haproxy_up = true;
            status.structure = structure_of(&info).to_owned();
            let version = info_field(&info, "Version").unwrap_or(&processes.version);
            status.versions.insert("haproxy".into(), version.to_owned());
            status.problems.extend(known_fault(version).map(|words| format!("HAProxy {version}: {words}")));
            if processes.failed > 0 {
                status.problems.push("HAProxy's last reload failed; it serves what it had".to_owned());
            }
        }
        Err(said) => status.problems.push(said),
    }
    match agent {
        Ok(said) => {
            status.spoa_up = true;
            status.applications = said.applications;
            let versions = [("guard_spoa", said.version), ("coraza", said.coraza_version), ("crs", said.crs_version)];
            status.versions.extend(BTreeMap::from(versions.map(|(name, version)| (name.to_owned(), version))));
            if said.role == "validator" {
                status.problems.push("a validator answers where guard-spoa should".to_owned());
            }
        }
        Err(said) => status.problems.push(format!("guard-spoa: {said}")),
    }
    match validator {
        Ok(said) if said.role == "validator" => status.validator_up = true,
        Ok(_) => status.problems.push("guard-spoa answers where the validator should".to_owned()),
        Err(said) => status.problems.push(format!("the validator: {said}")),
    }
    status
}

pub async fn servers(inner: &Inner, vhost: u32) -> Result<Vec<ServerStatus>, String> {
    haproxy(async {
        // Whoever reads asks HAProxy: one at a time, since its sockets are for deployments first.
        let _turn = inner.asking.lock().await;
        let (_, current) = current(inner).await?;
        // 4: servers; -1: all of them.
        let said = inner.haproxy.cli.ask(&format!("@!{current} show stat be_{vhost} 4 -1")).await.map_err(|e| e.to_string())?;
        Ok(stat::servers(&said))
    })
    .await
}

fn late() -> String {
    format!("no answer in {} s", PATIENCE.as_secs())
}

async fn haproxy<T>(asked: impl Future<Output = Result<T, String>>) -> Result<T, String> {
    tokio::time::timeout(PATIENCE, asked).await.unwrap_or_else(|_| Err(format!("HAProxy: {}", late())))
}

/// The worker that takes connections.
async fn current(inner: &Inner) -> Result<(Processes, u32), String> {
    let processes = inner.haproxy.processes().await.map_err(|e| e.to_string())?;
    let current = processes.current.ok_or("HAProxy has no worker that takes connections")?;
    Ok((processes, current))
}

pub async fn drift(inner: &Inner, running: &Running, bundle: &Bundle) -> Option<String> {
    let (releases, digest) = (inner.releases.clone(), bundle.digest.clone());
    // Files first: an engine that is away can only be started from good ones.
    if let Some(why) = blocking(move || Ok(releases.stray(&digest))).await.ok().flatten() {
        return Some(why);
    }
    let processes = inner.haproxy.processes().await.ok()?;
    let current = processes.current?;
    let structure = inner.haproxy.structure(current).await.ok()?;
    if structure != bundle.structure {
        return Some(format!("HAProxy runs structure `{structure}`, not `{}`", bundle.structure));
    }
    for pid in processes.workers() {
        let Some(known) = running.workers.get(&pid) else {
            return Some(format!("HAProxy has a worker {pid} that we have not brought to anything"));
        };
        let counts = inner.worker(pid).counts().await.ok()?;
        if !known.fits(&counts) {
            return Some(format!("the maps of HAProxy's worker {pid} are not as we left them"));
        }
    }
    let loaded = inner.agent.applications().await.ok()?;
    let missing = bundle.rulesets.keys().find(|name| !loaded.contains_key(*name))?;
    Some(format!("guard-spoa does not have the rule set `{missing}`"))
}
