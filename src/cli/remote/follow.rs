//! From a committed revision to one that is live and proven, step by step.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::Value;
use uuid::Uuid;

use super::{Interrupts, faults};
use crate::cli::client::{Client, Refused};
use crate::cli::failure::Failure;
use crate::cli::printer::{Printer, Tone};
use crate::cli::tree::{Document, split_root};
use crate::cli::words::text::{one_line, word};
use crate::domain::deployment::{Deployment, DeploymentState};
use crate::domain::{FieldError, Revision};

const EVERY: Duration = Duration::from_millis(250);

/// What the deployments tell of a revision.
#[derive(Debug)]
pub enum Verdict<'a> {
    Live(&'a Deployment),
    Refused(&'a Deployment),
    /// Also while another's change on top of it is refused.
    NotYet,
}

/// Looks for the end of a revision in deployments, oldest first. `ours` are the objects that it changed.
pub fn verdict<'a>(revision: Revision, deployments: &'a [Deployment], ours: impl Fn(&FieldError) -> bool) -> Verdict<'a> {
    for deployment in deployments.iter().filter(|deployment| deployment.revision >= revision) {
        match deployment.state {
            // A deployment may bring several revisions: it is ours that was refused when it is of this one, or about its objects.
            DeploymentState::Refused if deployment.revision == revision || deployment.errors.iter().any(&ours) => {
                return Verdict::Refused(deployment);
            }
            DeploymentState::Live => return Verdict::Live(deployment),
            _ => {}
        }
    }
    Verdict::NotYet
}

/// The part of a revision's origin that is of interest here.
#[derive(Deserialize)]
struct Origin {
    number: Revision,
    #[serde(default)]
    origin: Value,
}

/// Follows a revision until it is live. Fails when it is refused, and when the patience is over.
pub async fn follow(
    client: &Client,
    revision: Revision,
    documents: &[Document],
    patience: Duration,
    printer: &Printer,
    interrupts: &mut Interrupts,
) -> Result<(), Failure> {
    let committed = format!("revision {revision} is committed");
    let how = "follow it: guard-proxy status";
    match interrupts.unless(watch(client, revision, documents, patience, printer)).await {
        Some(outcome) => outcome,
        None => Err(Failure::Interrupted(format!("{committed}, and goes live without us; {how}"))),
    }
}

async fn watch(client: &Client, revision: Revision, documents: &[Document], patience: Duration, printer: &Printer) -> Result<(), Failure> {
    let began = Instant::now();
    let mut shown: BTreeMap<Uuid, usize> = BTreeMap::new();
    let ours = |error: &FieldError| {
        split_root(&error.pointer).is_some_and(|(kind, name, _)| documents.iter().any(|doc| doc.kind == kind && doc.name.as_str() == name))
    };
    let mut state = String::new();
    loop {
        match deployments(client, revision).await {
            Ok(found) => {
                found.iter().for_each(|deployment| show(deployment, &mut shown, printer));
                match verdict(revision, &found, ours) {
                    Verdict::Live(deployment) => {
                        if let Some(by) = taken_back(client, revision, deployment.revision).await? {
                            let message = format!(
                                "revision {revision} was refused and taken back by revision {by}: traffic is served by the last good state"
                            );
                            return Err(Failure::user(message).hint("`guard-proxy status` shows the refused change set and why"));
                        }
                        let took = began.elapsed().as_secs_f64();
                        let live = printer.tone(Tone::Good, "live");
                        printer.line(format!("Revision {revision} is {live} and proven ({took:.1} s)."));
                        return Ok(());
                    }
                    Verdict::Refused(deployment) => return Err(no(revision, deployment, documents)),
                    Verdict::NotYet => {
                        state = found.last().map(|last| format!(": {} {}", word(&last.state), one_line(&last.said))).unwrap_or_default();
                    }
                }
            }
            // The server may be restarting; the revision is committed all the same.
            Err(Refused::Away { .. }) if began.elapsed() < patience => {}
            Err(refused) => {
                return Err(Failure::from(refused).hint(format!("revision {revision} is committed; follow it: guard-proxy status")));
            }
        }
        if began.elapsed() >= patience {
            let waited = patience.as_secs();
            return Err(Failure::user(format!("revision {revision} is committed, and was not live within {waited} s{}", state.trim_end()))
                .hint("follow it: guard-proxy status; `--timeout` waits longer"));
        }
        tokio::time::sleep(EVERY).await;
    }
}

/// Deployments that bring this revision, oldest first.
async fn deployments(client: &Client, revision: Revision) -> Result<Vec<Deployment>, Refused> {
    let mut body = client.get("/deployments?limit=50").await?.body;
    let items: Vec<Deployment> = serde_json::from_value(body["items"].take())
        .map_err(|error| Refused::Odd(format!("the server's deployments are not what this version knows: {error}")))?;
    Ok(items.into_iter().rev().filter(|deployment| deployment.revision >= revision).collect())
}

fn show(deployment: &Deployment, shown: &mut BTreeMap<Uuid, usize>, printer: &Printer) {
    let known = shown.entry(deployment.id).or_insert_with(|| {
        let lanes: Vec<String> = deployment.lanes.iter().map(word).collect();
        let lanes = if lanes.is_empty() { String::new() } else { format!(" by {}", lanes.join(", ")) };
        printer.note(format!("Deployment of revision {}{lanes}", deployment.revision));
        0
    });
    for step in deployment.steps.iter().skip(*known) {
        if step.ok {
            printer.step(&one_line(&step.name), Duration::from_micros(u64::try_from(step.took_us).unwrap_or(0)));
        } else {
            printer.step_failed(&one_line(&step.name), &crate::cli::words::text::clean(&step.detail));
        }
    }
    *known = (*known).max(deployment.steps.len());
}

/// The revision that took this one back, among those up to the live one.
async fn taken_back(client: &Client, revision: Revision, live: Revision) -> Result<Option<Revision>, Failure> {
    if live <= revision {
        return Ok(None);
    }
    let mut body = client.get("/revisions?limit=100").await?.body;
    let items: Vec<Origin> = serde_json::from_value(body["items"].take()).unwrap_or_default();
    let took = |info: &Origin| {
        info.number > revision
            && info.number <= live
            && info.origin["kind"] == "take_back"
            && info.origin["revisions"].as_array().is_some_and(|all| all.iter().any(|one| one.as_i64() == Some(revision)))
    };
    Ok(items.iter().find(|info| took(info)).map(|info| info.number))
}

fn no(revision: Revision, deployment: &Deployment, documents: &[Document]) -> Failure {
    let message = format!(
        "revision {revision} was committed and refused: it is not in force, traffic is served by the last good state (deployment {})",
        deployment.id
    );
    faults::refused(documents, &message, &deployment.said, &deployment.errors)
        .hint("mend the tree and apply it again; `guard-proxy status` shows what was refused")
}
