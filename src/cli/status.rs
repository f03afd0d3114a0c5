//! `status`: what is live, what is not, and why. Exit code 1 where something is behind, refused or unproven.

use serde::Deserialize;
use serde_json::{Value, json};

use super::client::{Client, Connection};
use super::failure::Failure;
use super::printer::{Printer, Tone};
use super::words::text::{clean, count, one_line, time, word};
use crate::domain::change_set::ChangeSet;
use crate::domain::deployment::Deployment;
use crate::domain::{ModeOverride, Name, Revision};

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Print it as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    pub connection: Connection,
}

/// Of the server's status, what is told here.
#[derive(Debug, Deserialize)]
struct Status {
    head: Revision,
    live: Revision,
    deployment: Option<Deployment>,
    refused: Vec<Refused>,
    unproven: Vec<Name>,
    #[serde(default)]
    mode_overrides: Vec<ModeOverride>,
    engines: Engines,
    counts: Counts,
}

#[derive(Debug, Deserialize)]
struct Refused {
    revision: Revision,
    said: String,
}

#[derive(Debug, Deserialize)]
struct Engines {
    haproxy_up: bool,
    spoa_up: bool,
    validator_up: bool,
    #[serde(default)]
    versions: std::collections::BTreeMap<String, String>,
    #[serde(default)]
    problems: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Counts {
    vhosts: usize,
    policies: usize,
    ip_lists: usize,
}

pub async fn run(arguments: Arguments, printer: &Printer) -> Result<u8, Failure> {
    let client = Client::new(&arguments.connection)?;
    let (status, raw) = client.get("/status").await?.typed::<Status>()?;
    let mut page = client.get("/change-sets?state=refused&limit=50").await?.body;
    let refused_raw = page["items"].take();
    let refused: Vec<ChangeSet> = serde_json::from_value(refused_raw.clone()).unwrap_or_default();
    let healthy = status.live == status.head
        && status.refused.is_empty()
        && status.unproven.is_empty()
        && refused.is_empty()
        && status.engines.haproxy_up
        && status.engines.spoa_up;
    if arguments.json {
        let report: Value = json!({ "healthy": healthy, "status": raw, "refused_change_sets": refused_raw });
        printer.line(format!("{report:#}"));
    } else {
        lines(&status, &refused, printer).iter().for_each(|line| printer.line(line));
    }
    Ok(u8::from(!healthy))
}

fn lines(status: &Status, refused: &[ChangeSet], printer: &Printer) -> Vec<String> {
    let good = |good: bool, words: &str| printer.tone(if good { Tone::Good } else { Tone::Bad }, words);
    let mut out = Vec::new();
    let (head, live) = (status.head, status.live);
    if live == head {
        out.push(format!("Revision {head} is {}", good(true, "live and proven")));
    } else {
        out.push(format!(
            "Revision {head} is the newest, {live} is live: {}",
            good(false, &format!("{} behind", count(usize::try_from(head - live).unwrap_or(0), "revision")))
        ));
    }
    let Counts { vhosts, policies, ip_lists } = status.counts;
    out.push(format!("{}, {}, {}", count(policies, "policy"), count(ip_lists, "IP list"), count(vhosts, "vhost")));
    if let Some(deployment) = &status.deployment {
        let lanes: Vec<String> = deployment.lanes.iter().map(word).collect();
        let lanes = if lanes.is_empty() { String::new() } else { format!(", by {}", lanes.join(", ")) };
        let when = deployment.ended_at.map_or_else(|| format!("since {}", time(deployment.created_at)), |at| format!("at {}", time(at)));
        out.push(format!("Deployment of revision {}: {}{lanes} {when}", deployment.revision, word(&deployment.state)));
        out.extend(clean(&deployment.said).lines().map(|line| format!("  | {line}")));
    }
    let engines = &status.engines;
    for (name, key, up) in
        [("HAProxy", "haproxy", engines.haproxy_up), ("guard-spoa", "guard_spoa", engines.spoa_up), ("validator", "", engines.validator_up)]
    {
        let version = engines.versions.get(key).map(|version| format!(" {}", one_line(version))).unwrap_or_default();
        out.push(format!("{name}{version}: {}", good(up, if up { "up" } else { "away" })));
    }
    out.extend(engines.problems.iter().map(|problem| format!("  | {}", one_line(problem))));
    for Refused { revision, said } in &status.refused {
        out.push(format!("Revision {revision} was {}", good(false, "refused")));
        out.extend(clean(said).lines().map(|line| format!("  | {line}")));
    }
    if !status.unproven.is_empty() {
        let names: Vec<&str> = status.unproven.iter().map(Name::as_str).collect();
        out.push(format!("{}: {}", good(false, "Unproven vhosts"), names.join(", ")));
    }
    out.extend(status.mode_overrides.iter().map(|one| super::mode_override::line(one, printer)));
    for change_set in refused {
        let what = change_set.revision.map(|revision| format!(" (revision {revision})")).unwrap_or_default();
        let message = if change_set.message.is_empty() { String::new() } else { format!(", \"{}\"", one_line(&change_set.message)) };
        out.push(format!(
            "Change set {}{what} of {}{message} was {}",
            change_set.id,
            one_line(&change_set.author),
            good(false, "refused and taken back")
        ));
        for refusal in change_set.refusal.iter() {
            out.extend(
                refusal
                    .errors
                    .iter()
                    .map(|error| format!("  {}: {} [{}]", one_line(&error.pointer), one_line(&error.detail), one_line(&error.code))),
            );
            out.extend(clean(&refusal.said).lines().map(|line| format!("  | {line}")));
        }
    }
    out
}
