//! `mode-override`: emergency mode, for those who are called at night.

use serde_json::json;
use time::Duration;
use time::format_description::well_known::Rfc3339;

use super::client::{Client, Connection};
use super::failure::Failure;
use super::printer::{Printer, Tone};
use super::words::text::one_line;
use crate::domain::{Mode, ModeOverride, Name};
use crate::telemetry::clock;

#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    pub connection: Connection,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Put a vhost into another mode for a while, whatever its policies say
    Set {
        #[arg(value_name = "VHOST")]
        vhost: Name,
        /// off, detect or block
        #[arg(value_name = "MODE", value_parser = mode)]
        mode: Mode,
        /// Minutes until it is over by itself, at most 24 hours
        #[arg(long, value_name = "MINUTES", value_parser = clap::value_parser!(u16).range(1..=1440))]
        minutes: u16,
        /// Why; everybody sees it
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
    /// End a vhost's emergency mode at once
    End {
        #[arg(value_name = "VHOST")]
        vhost: Name,
    },
    /// List the emergency modes in force
    List {
        /// Print them as JSON
        #[arg(long)]
        json: bool,
    },
}

fn mode(text: &str) -> Result<Mode, String> {
    serde_json::from_value(text.into()).map_err(|_| format!("`{text}` is no mode: off, detect or block"))
}

pub async fn run(arguments: Arguments, printer: &Printer) -> Result<u8, Failure> {
    let client = Client::new(&arguments.connection)?;
    let path = |vhost: &Name| format!("/vhosts/{vhost}/mode-override");
    match arguments.command {
        Command::Set { vhost, mode, minutes, reason } => {
            let until = (clock::system()() + Duration::minutes(i64::from(minutes))).format(&Rfc3339).map_err(anyhow::Error::from)?;
            let body = json!({ "mode": mode, "until": until, "reason": reason });
            let (set, _) = client.put(&path(&vhost), &body).await?.typed::<ModeOverride>()?;
            printer.line(line(&set, printer));
            printer.note("It is on its way to the node: `guard-proxy status` shows what is proven.");
        }
        Command::End { vhost } => {
            client.delete(&path(&vhost)).await?;
            printer.line(format!("Vhost {} is treated as its policies say.", printer.tone(Tone::Strong, &vhost)));
        }
        Command::List { json } => {
            let status = client.get("/status").await?.body;
            let all = &status["mode_overrides"];
            if json {
                printer.line(format!("{all:#}"));
            } else {
                let all: Vec<ModeOverride> = serde_json::from_value(all.clone())
                    .map_err(|error| Failure::user(format!("the server's answer is not what this version knows: {error}")))?;
                all.iter().for_each(|one| printer.line(line(one, printer)));
            }
        }
    }
    Ok(0)
}

/// One of them, for people.
pub fn line(one: &ModeOverride, printer: &Printer) -> String {
    let mode = printer.tone(if one.mode == Mode::Block { Tone::Warning } else { Tone::Bad }, one.mode.as_str());
    let until = one.until.format(&Rfc3339).unwrap_or_default();
    let (vhost, author) = (printer.tone(Tone::Strong, &one.vhost), one_line(&one.author));
    format!("{vhost} is in emergency mode {mode} until {until}, by {author}: {}", one_line(&one.reason))
}
