//! Committing, with a known end: committed as which revision, or not.

use std::time::Duration;

use serde_json::json;

use super::stage::{Staged, discard};
use super::{Interrupts, faults};
use crate::cli::client::{Answer, Client, Refused};
use crate::cli::failure::Failure;
use crate::cli::printer::Printer;
use crate::cli::tree::Document;
use crate::cli::words;
use crate::cli::words::text::one_line;
use crate::domain::Revision;
use crate::domain::change_set::{ChangeSet, ChangeSetState};
use crate::domain::diff::Conflict;
use crate::domain::plan::Plan;
use crate::domain::revision::RevisionInfo;

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Committed {
    pub revision: Revision,
    /// A signal came while the server was at it.
    pub interrupted: bool,
}

/// Commits a change set as its plan said. Where this fails, nothing was committed, or the failure says that it is not known.
pub async fn commit(
    client: &Client,
    staged: &Staged,
    documents: &[Document],
    printer: &Printer,
    interrupts: &mut Interrupts,
) -> Result<Committed, Failure> {
    let path = format!("/change-sets/{}/commit", staged.id);
    let body = json!({ "plan_digest": staged.plan.digest });
    let mut asked = std::pin::pin!(client.post(&path, &body));
    let mut interrupted = false;
    let answer = loop {
        tokio::select! {
            answer = &mut asked => break answer,
            () = interrupts.next() => {
                if interrupted {
                    return Err(Failure::Interrupted(unknown(staged)));
                }
                interrupted = true;
                printer.note("the server is committing: waiting for its answer, to know what came of it; again to leave at once");
            }
        }
    };
    let lost = match answer {
        Ok(answer) => match waiting(&answer) {
            Some(waits) => return Err(waits),
            None => match revision_of(answer) {
                Ok(revision) => return Ok(Committed { revision, interrupted }),
                Err(unread) => unread,
            },
        },
        Err(refused) if refused.is_unsure() => refused.into(),
        Err(refused) => {
            let failure = no(client, refused, staged, documents).await;
            discard(client, staged.id).await;
            return Err(failure);
        }
    };
    // The answer is lost, and not what was done. The change set stays: it may be committed yet, or wait for somebody.
    match after_all(client, staged).await {
        Some(Ok(revision)) => Ok(Committed { revision, interrupted }),
        Some(Err(waits)) => Err(waits),
        None => Err(lost.hint(unknown(staged))),
    }
}

/// Where it was not committed, and waits for somebody else.
pub fn waiting(answer: &Answer) -> Option<Failure> {
    let change_set: ChangeSet = serde_json::from_value(answer.body.clone()).ok()?;
    let message = match change_set.state {
        ChangeSetState::AwaitingApproval => format!("change set {} awaits the approval of somebody else", change_set.id),
        ChangeSetState::Approved => format!("change set {}, which does the same, is approved and not committed yet", change_set.id),
        _ => return None,
    };
    let vhosts = change_set.approval.map(|approval| words::plan::names(&approval.vhosts, approval.vhosts.len())).unwrap_or_default();
    Some(
        Failure::Waits { message: format!("{message}; it touches the protected {vhosts}"), hints: Vec::new() }
            .hint("run the same again once it is approved: it is known by what it does"),
    )
}

fn revision_of(answer: Answer) -> Result<Revision, Failure> {
    let header = answer.number("guard-proxy-revision");
    let (change_set, _) = answer.typed::<ChangeSet>()?;
    change_set
        .revision
        .or(header)
        .ok_or_else(|| Failure::user("the server does not say which revision it made").hint("`guard-proxy status` tells"))
}

/// The revision that it became, or that it waits; None where neither is known.
async fn after_all(client: &Client, staged: &Staged) -> Option<Result<Revision, Failure>> {
    for wait in [1, 2, 4, 8] {
        tokio::time::sleep(Duration::from_secs(wait)).await;
        if let Ok(answer) = client.get(&format!("/change-sets/{}", staged.id)).await {
            if let Some(waits) = waiting(&answer) {
                return Some(Err(waits));
            }
            let (change_set, _) = answer.typed::<ChangeSet>().ok()?;
            // An open one may be judged yet.
            if change_set.state != ChangeSetState::Open {
                return change_set.revision.filter(|_| change_set.state == ChangeSetState::Committed).map(Ok);
            }
        }
    }
    None
}

fn unknown(staged: &Staged) -> String {
    format!(
        "it is not known whether change set {} was committed: `guard-proxy status` shows the newest revision, and `guard-proxy plan` what is left to do",
        staged.id
    )
}

async fn no(client: &Client, refused: Refused, staged: &Staged, documents: &[Document]) -> Failure {
    let Some(problem) = refused.problem() else { return refused.into() };
    match refused.code() {
        "plan_changed" => overtaken(client, staged).await,
        "conflict" if !problem.conflicts.is_empty() => conflict(client, &problem.conflicts).await,
        _ if !problem.errors.is_empty() || problem.said.is_some() => faults::problem(documents, problem),
        _ => refused.into(),
    }
}

/// The plan is not what it was: by a conflict, or by what somebody else did to something that it depends on.
async fn overtaken(client: &Client, staged: &Staged) -> Failure {
    let answer = client.post(&format!("/change-sets/{}/plan", staged.id), &json!({})).await.ok();
    if let Some((plan, _)) = answer.and_then(|answer| answer.typed::<Plan>().ok())
        && !plan.conflicts.is_empty()
    {
        return conflict(client, &plan.conflicts).await;
    }
    let mut text = "what was planned is not what committing would do by now: somebody else was faster; nothing was committed".to_owned();
    let newer = client.get("/revisions?limit=20").await.ok().map(|mut answer| answer.body["items"].take());
    let newer: Vec<RevisionInfo> = newer.and_then(|items| serde_json::from_value(items).ok()).unwrap_or_default();
    for info in newer.iter().rev().filter(|info| info.number > staged.plan.head) {
        let objects: Vec<String> =
            info.changes.iter().take(5).map(|change| format!("{}/{}", change.kind.collection(), change.name)).collect();
        let more = if info.changes.len() > objects.len() { ", ..." } else { "" };
        let message = if info.message.is_empty() { String::new() } else { format!(", \"{}\"", one_line(&info.message)) };
        text.push_str(&format!("\n  revision {} by {}{message}: {}{more}", info.number, one_line(&info.author), objects.join(", ")));
    }
    Failure::user(text).hint("plan again, look at what is left, and apply that")
}

/// Who was faster, with what, and both sides.
pub async fn conflict(client: &Client, conflicts: &[Conflict]) -> Failure {
    let mut theirs: Vec<RevisionInfo> = Vec::new();
    let mut numbers: Vec<Revision> = conflicts.iter().map(|conflict| conflict.theirs_revision).filter(|number| *number > 0).collect();
    numbers.sort_unstable();
    numbers.dedup();
    for number in numbers.into_iter().take(20) {
        if let Ok(answer) = client.get(&format!("/revisions/{number}")).await
            && let Ok((info, _)) = answer.typed()
        {
            theirs.push(info);
        }
    }
    let lines = words::diff::conflicts(conflicts, &theirs, &Printer::plain());
    Failure::user(format!("somebody else changed the same meanwhile; nothing was committed\n{}", lines.join("\n")))
        .hint("bring the tree to what should be there (`guard-proxy export` shows what is), and apply it again")
}
