//! A tree, staged on the server and planned there.

use std::time::Duration;

use serde_json::{Value, json};
use uuid::Uuid;

use super::{Interrupts, faults};
use crate::cli::client::{Client, Refused};
use crate::cli::failure::Failure;
use crate::cli::tree::Document;
use crate::domain::change_set::ChangeSet;
use crate::domain::plan::Plan;

/// A change set with its plan.
pub struct Staged {
    pub id: Uuid,
    pub plan: Plan,
    /// The plan as it was answered.
    pub raw: Value,
}

/// Takes a change set back. One that stays behind is seen by its author alone, and harmless: failing to discard it is no failure.
pub async fn discard(client: &Client, id: Uuid) {
    let _ = tokio::time::timeout(Duration::from_secs(10), client.delete(&format!("/change-sets/{id}"))).await;
}

/// Stages and plans. Where this fails or is interrupted, nothing stays on the server.
pub async fn stage(
    client: &Client,
    documents: &[Document],
    message: &str,
    prune: bool,
    interrupts: &mut Interrupts,
) -> Result<Staged, Failure> {
    let stopped = || Failure::Interrupted("nothing was committed".to_owned());
    let body = json!({ "message": message });
    let mut begun = std::pin::pin!(client.post("/change-sets", &body));
    let (answer, interrupted) = match interrupts.unless(&mut begun).await {
        Some(answer) => (answer, false),
        // Not broken off at once: the change set would be there, and its id with nobody.
        None => (tokio::time::timeout(Duration::from_secs(5), begun).await.map_err(|_| stopped())?, true),
    };
    let (change_set, _) = answer?.typed::<ChangeSet>()?;
    let id = change_set.id;
    let work = plan_of(client, documents, id, prune);
    let outcome = if interrupted { None } else { interrupts.unless(work).await }.unwrap_or_else(|| Err(stopped()));
    if outcome.is_err() {
        discard(client, id).await;
    }
    outcome
}

async fn plan_of(client: &Client, documents: &[Document], id: Uuid, prune: bool) -> Result<Staged, Failure> {
    let object = |document: &Document| {
        let mut members = serde_json::Map::new();
        members.insert("kind".to_owned(), document.kind.as_str().into());
        members.extend(document.fields.clone());
        Value::Object(members)
    };
    let objects: Vec<Value> = documents.iter().map(object).collect();
    let query = if prune { "?prune=true" } else { "" };
    let no = |refused: Refused| match refused {
        Refused::Problem(problem) if !problem.errors.is_empty() || problem.code == "prune_all" => faults::problem(documents, &problem),
        other => Failure::from(other),
    };
    client.put(&format!("/change-sets/{id}/desired{query}"), &json!({ "objects": objects })).await.map_err(no)?;
    let (plan, raw) = client.post(&format!("/change-sets/{id}/plan"), &json!({})).await.map_err(no)?.typed::<Plan>()?;
    Ok(Staged { id, plan, raw })
}
