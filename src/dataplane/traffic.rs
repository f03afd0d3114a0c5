//! What the engines have counted of clients' requests.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::timeout;

use super::cli::CliError;
use super::haproxy::info_field;
use super::{Inner, stat};
use crate::domain::TrafficCounts;

/// One that does not answer in that time is asked again with the next sample.
const PATIENCE: Duration = Duration::from_secs(3);

/// What one process has counted since it began.
#[derive(Clone, Debug)]
pub struct Counted {
    /// Tells the process from others, also from those before.
    pub process: String,
    pub age: Duration,
    /// By number; a vhost without traffic may be left out.
    pub vhosts: HashMap<u32, TrafficCounts>,
}

/// What the engines have counted.
#[derive(Clone, Debug, Default)]
pub struct TrafficSample {
    pub processes: Vec<Counted>,
    /// Whether all that takes requests has answered.
    pub whole: bool,
}

pub async fn sample(inner: &Inner) -> TrafficSample {
    let (workers, agent) = tokio::join!(workers(inner), timeout(PATIENCE, agent(inner)));
    let agent = agent.ok().flatten();
    let whole = workers.is_some() && agent.is_some();
    TrafficSample { processes: workers.unwrap_or_default().into_iter().chain(agent).collect(), whole }
}

async fn workers(inner: &Inner) -> Option<Vec<Counted>> {
    let processes = timeout(PATIENCE, inner.haproxy.processes()).await.ok()?.ok()?;
    let mut counted = vec![timeout(PATIENCE, worker(inner, processes.current?)).await.ok()?.ok()?];
    for pid in processes.old {
        // It may end at any time.
        if let Ok(Ok(old)) = timeout(PATIENCE, worker(inner, pid)).await {
            counted.push(old);
        }
    }
    Some(counted)
}

async fn worker(inner: &Inner, pid: u32) -> Result<Counted, CliError> {
    let info = inner.haproxy.info(pid).await?;
    let age = info_field(&info, "Uptime_sec").and_then(|s| s.parse().ok()).map_or(Duration::MAX, Duration::from_secs);
    // -1: of all; 2: backends; -1: no servers. 250 bytes for each vhost.
    let said = inner.haproxy.cli.ask(&format!("@!{pid} show stat -1 2 -1")).await?;
    let vhosts = tokio::task::spawn_blocking(move || stat::backends(&said)).await.unwrap_or_default();
    Ok(Counted { process: format!("haproxy {pid}"), age, vhosts })
}

async fn agent(inner: &Inner) -> Option<Counted> {
    let said = inner.agent.traffic().await.ok()?;
    let age = ((inner.clock)() - said.started_at).max(time::Duration::ZERO).unsigned_abs();
    Some(Counted { process: format!("guard-spoa {} {}", said.pid, said.started_at), age, vhosts: said.vhosts })
}
