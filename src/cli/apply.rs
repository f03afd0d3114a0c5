//! `apply`: brings a folder to the server: plans, asks, commits exactly what was planned, and follows it until it is live. Exit codes: 0 live,
//! 1 refused, 3 waiting for approval.

use std::path::PathBuf;
use std::time::Duration;

use super::client::{Client, Connection};
use super::failure::Failure;
use super::printer::{Printer, Tone};
use super::remote::{self, Interrupts};
use super::{plan, words};

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Folder with the YAML files
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// Also delete what the server has and the folder does not name
    #[arg(long)]
    prune: bool,
    /// Where it touches a protected vhost, have it wait for approval, and exit with 3 while it waits; run again to commit what was approved
    #[arg(long)]
    submit: bool,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    /// What the revision is for, at most 2,000 characters
    #[arg(long, default_value = "guard-proxy apply", value_name = "TEXT")]
    message: String,
    /// Seconds to wait until it is live
    #[arg(long, default_value_t = 120, value_name = "SECONDS")]
    timeout: u64,
    #[command(flatten)]
    pub connection: Connection,
}

pub async fn run(arguments: Arguments, printer: &Printer) -> Result<u8, Failure> {
    remote::not_asked(arguments.yes)?;
    let tree = remote::good_tree(&arguments.folder)?;
    let client = Client::new(&arguments.connection)?;
    let mut interrupts = Interrupts::new()?;
    let staged = remote::stage(&client, &tree.documents, &arguments.message, arguments.prune, &mut interrupts).await?;
    words::plan::lines(&staged.plan, printer).iter().for_each(|line| printer.line(line));
    let good = plan::cannot(&client, &staged.plan, &tree.documents).await;
    if good.is_err() || words::plan::empty(&staged.plan) {
        remote::discard(&client, staged.id).await;
        return good.map(|()| 0);
    }
    if staged.plan.approval.required && !arguments.submit {
        remote::discard(&client, staged.id).await;
        return Err(Failure::user("this touches protected vhosts, and wants the approval of somebody else; nothing was committed")
            .hint("with `--submit` it waits for that as a change set"));
    }
    let question = format!("Commit this to {}?", client.url());
    match remote::confirm(&question, arguments.yes, printer, &mut interrupts).await {
        Some(true) => {}
        said => {
            remote::discard(&client, staged.id).await;
            let nothing = "nothing was committed";
            return Err(if said.is_none() {
                Failure::Interrupted(nothing.to_owned())
            } else {
                Failure::user(format!("not confirmed: {nothing}"))
            });
        }
    }
    let committed = remote::commit(&client, &staged, &tree.documents, printer, &mut interrupts).await?;
    let revision = committed.revision;
    printer.line(format!("Revision {} is committed.", printer.tone(Tone::Strong, &revision.to_string())));
    if committed.interrupted {
        let text = format!("revision {revision} is committed, and goes live without us; follow it: guard-proxy status");
        return Err(Failure::Interrupted(text));
    }
    let patience = Duration::from_secs(arguments.timeout);
    remote::follow(&client, revision, &tree.documents, patience, printer, &mut interrupts).await?;
    Ok(0)
}
