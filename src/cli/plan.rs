//! `plan`: what applying a folder would do. Exit codes: 0 nothing, 2 changes, 1 an error, or what cannot be applied.

use std::path::PathBuf;

use super::client::{Client, Connection};
use super::failure::Failure;
use super::printer::Printer;
use super::remote::{self, Interrupts, Staged};
use super::tree::Document;
use super::words;
use crate::domain::plan::Plan;

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Folder with the YAML files
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// Also plan to delete what the server has and the folder does not name
    #[arg(long)]
    prune: bool,
    /// Print the plan as JSON
    #[arg(long, conflicts_with = "markdown")]
    json: bool,
    /// Print the plan as Markdown, for a comment
    #[arg(long)]
    markdown: bool,
    #[command(flatten)]
    pub connection: Connection,
}

/// There are changes.
const CHANGES: u8 = 2;

pub async fn run(arguments: Arguments, printer: &Printer) -> Result<u8, Failure> {
    let tree = remote::good_tree(&arguments.folder)?;
    let client = Client::new(&arguments.connection)?;
    let mut interrupts = Interrupts::new()?;
    let staged = remote::stage(&client, &tree.documents, "guard-proxy plan", arguments.prune, &mut interrupts).await?;
    remote::discard(&client, staged.id).await;
    let Staged { plan, raw, .. } = &staged;
    if arguments.json {
        printer.line(format!("{raw:#}"));
    } else if arguments.markdown {
        let (mut faults, others) = remote::mapped(&tree.documents, &plan.errors);
        faults.extend(others.into_iter().map(|error| unplaced(&arguments, error)));
        printer.line(words::markdown::plan(plan, &faults).trim_end());
    } else {
        words::plan::lines(plan, printer).iter().for_each(|line| printer.line(line));
    }
    cannot(&client, plan, &tree.documents).await?;
    Ok(if words::plan::empty(plan) { 0 } else { CHANGES })
}

/// An error about what the tree does not have: at the folder.
fn unplaced(arguments: &Arguments, error: crate::domain::FieldError) -> super::tree::Fault {
    let spot = super::tree::Spot { path: arguments.folder.display().to_string(), place: super::tree::yaml::Place { line: 1, column: 1 } };
    super::tree::Fault { spot, detail: format!("{}: {}", error.pointer, error.detail), pointer: error.pointer, code: error.code }
}

/// Fails where the plan says that committing would be refused.
pub async fn cannot(client: &Client, plan: &Plan, documents: &[Document]) -> Result<(), Failure> {
    if !plan.conflicts.is_empty() {
        return Err(remote::conflict(client, &plan.conflicts).await);
    }
    if words::plan::refused(plan) {
        let said: Vec<&str> = plan.engines.iter().map(|engine| engine.said.as_str()).filter(|said| !said.is_empty()).collect();
        return Err(remote::refused(documents, "this cannot be applied; nothing was committed", &said.join("\n"), &plan.errors));
    }
    Ok(())
}
