//! `export`: what a server has, as a folder that `apply` takes. The same state is the same bytes.

use std::path::PathBuf;

use serde_json::Value;

use super::client::{Client, Connection};
use super::failure::Failure;
use super::printer::{Printer, Tone};
use super::tree::{self, write::Exported};
use super::words::text::count;
use crate::domain::{Entry, Kind, Revision};

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Folder to write to; made where it is not there
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// As it was in this revision
    #[arg(long, value_name = "REVISION")]
    revision: Option<Revision>,
    /// Overwrite what others changed in the folder, and let their files be
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    pub connection: Connection,
}

pub async fn run(arguments: Arguments, printer: &Printer) -> Result<u8, Failure> {
    let client = Client::new(&arguments.connection)?;
    // One revision for all that is read: what is written meanwhile is in all of it or in none.
    let revision = match arguments.revision {
        Some(revision) => revision,
        None => client.get("/status").await?.body["head"]
            .as_i64()
            .ok_or_else(|| Failure::user("the server does not tell its newest revision"))?,
    };
    let objects = if revision > 0 { objects(&client, revision).await? } else { Vec::new() };
    let files =
        tree::write::files(&objects).map_err(|error| Failure::user(error).hint("is the server of the same version as this program?"))?;
    let outcome = tree::write::compare(&arguments.folder, &files).map_err(Failure::user)?;
    let would_lose = !outcome.changed.is_empty() || !outcome.foreign.is_empty();
    if would_lose && !arguments.force {
        let folder = arguments.folder.display();
        let mut text = format!("`{folder}` has what an export would lose, or what is not from one; nothing was written");
        for path in &outcome.changed {
            text.push_str(&format!("\n  changed: {path}"));
        }
        for path in &outcome.foreign {
            text.push_str(&format!("\n  not from an export: {path}"));
        }
        return Err(Failure::user(text).hint("commit them, then `--force` overwrites what was changed; or export to another folder"));
    }
    for path in &outcome.foreign {
        printer.warn(&format!("`{path}` is not from an export, and is part of the tree all the same"));
    }
    tree::write::write(&arguments.folder, &files, &outcome).map_err(Failure::user)?;
    outcome.written.iter().for_each(|path| printer.line(format!("wrote {path}")));
    outcome.removed.iter().for_each(|path| printer.line(format!("removed {path}")));
    let total = count(objects.len(), "object");
    let unchanged = outcome.unchanged;
    printer.note(format!(
        "{} revision {revision}: {total}; {} written, {} removed, {unchanged} as they were",
        printer.tone(Tone::Good, "ok"),
        count(outcome.written.len(), "file"),
        outcome.removed.len()
    ));
    Ok(0)
}

/// All objects of a revision, in the order of kinds and names.
async fn objects(client: &Client, revision: Revision) -> Result<Vec<Exported>, Failure> {
    let at = format!("revision={revision}");
    let mut objects = Vec::new();
    for kind in [Kind::Policy, Kind::IpList, Kind::Vhost] {
        for item in client.all(&format!("/{}", kind.collection()), &at).await? {
            let odd = || Failure::user(format!("the server answers a {kind} that is none: is it of the same version as this program?"));
            let Value::Object(fields) = item else { return Err(odd()) };
            // It becomes the name of a file.
            let name = fields.get("name").and_then(Value::as_str).and_then(|name| crate::domain::Name::parse(name).ok()).ok_or_else(odd)?;
            let mut entries = Vec::new();
            if kind == Kind::IpList {
                for mut item in client.all(&format!("/ip-lists/{name}/entries"), &at).await? {
                    if let Some(members) = item.as_object_mut() {
                        members.remove("expired");
                    }
                    entries.push(serde_json::from_value::<Entry>(item).map_err(|_| odd())?);
                }
            }
            objects.push(Exported { kind, name: name.to_string(), fields, entries });
        }
    }
    Ok(objects)
}
