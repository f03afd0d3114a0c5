//! `rollback`: everything, or some objects, as they were in an earlier revision; as a new revision.

use std::time::Duration;

use serde_json::json;

use super::client::{Client, Connection};
use super::failure::Failure;
use super::printer::{Printer, Tone};
use super::remote::{self, Interrupts};
use super::{plan, words};
use crate::domain::Revision;
use crate::domain::plan::Plan;
use crate::domain::revision::{ObjectRef, RevisionInfo};

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The revision to go back to
    #[arg(value_name = "REVISION")]
    revision: Revision,
    /// Only this object, as policies/shop; may be repeated
    #[arg(long = "object", value_name = "OBJECT")]
    objects: Vec<ObjectRef>,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    /// What the new revision is for, at most 2,000 characters
    #[arg(long, value_name = "TEXT")]
    message: Option<String>,
    /// Seconds to wait until it is live
    #[arg(long, default_value_t = 120, value_name = "SECONDS")]
    timeout: u64,
    #[command(flatten)]
    pub connection: Connection,
}

pub async fn run(arguments: Arguments, printer: &Printer) -> Result<u8, Failure> {
    remote::not_asked(arguments.yes)?;
    let client = Client::new(&arguments.connection)?;
    let mut interrupts = Interrupts::new()?;
    let stopped = || Failure::Interrupted("nothing was committed".to_owned());
    let path = format!("/revisions/{}/rollback", arguments.revision);
    let mut body = json!({});
    if !arguments.objects.is_empty() {
        body["objects"] = json!(arguments.objects);
    }
    let planned = interrupts.unless(client.post(&format!("{path}/plan"), &body)).await.ok_or_else(stopped)??;
    let (plan, _) = planned.typed::<Plan>()?;
    words::plan::lines(&plan, printer).iter().for_each(|line| printer.line(line));
    plan::cannot(&client, &plan, &[]).await?;
    if words::plan::empty(&plan) {
        return Ok(0);
    }
    let question = format!("Go back to revision {} on {}?", arguments.revision, client.url());
    match remote::confirm(&question, arguments.yes, printer, &mut interrupts).await {
        Some(true) => {}
        Some(false) => return Err(Failure::user("not confirmed: nothing was committed")),
        None => return Err(stopped()),
    }
    body["plan_digest"] = plan.digest.clone().into();
    if let Some(message) = &arguments.message {
        body["message"] = message.clone().into();
    }
    let mut asked = std::pin::pin!(client.post(&path, &body));
    let (answer, interrupted) = tokio::select! {
        answer = &mut asked => (answer, false),
        // Not broken off: it would not be known what came of it.
        () = interrupts.next() => (asked.await, true),
    };
    let answer = answer.map_err(|refused| match refused.code() {
        "plan_changed" => {
            Failure::user("what was planned is not what going back would do by now: somebody else was faster; nothing was committed")
                .hint("run it again, and look at what is left")
        }
        _ => {
            let unsure = refused.is_unsure();
            let failure = Failure::from(refused);
            if unsure {
                failure.hint("it is not known whether it was committed: `guard-proxy status` shows the newest revision")
            } else {
                failure
            }
        }
    })?;
    if let Some(waits) = remote::waiting(&answer) {
        return Err(waits);
    }
    let (info, _) = answer.typed::<RevisionInfo>()?;
    let revision = info.number;
    printer.line(format!("Revision {} is committed.", printer.tone(Tone::Strong, &revision.to_string())));
    if interrupted {
        let text = format!("revision {revision} is committed, and goes live without us; follow it: guard-proxy status");
        return Err(Failure::Interrupted(text));
    }
    remote::follow(&client, revision, &[], Duration::from_secs(arguments.timeout), printer, &mut interrupts).await?;
    Ok(0)
}
