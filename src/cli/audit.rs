//! `audit`: the log of who did what. `verify` exits with 1 where the log is not what was written.

use serde::Deserialize;
use time::OffsetDateTime;

use super::client::{Client, Connection, escaped};
use super::compose;
use super::failure::Failure;
use super::printer::{Printer, Tone};
use super::words::text::{count, one_line, time};
use crate::config::Settings;
use crate::domain::audit::{AuditFault, AuditPlace, AuditVerdict};

/// Rows that one request looks at.
const AT_A_TIME: i64 = 100_000;

#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Check that the log is what was written; exit code 1 where it is not
    Verify(Verify),
    /// Show the newest rows
    List(List),
    /// Print all rows as JSON lines, newest first
    Export(Export),
}

#[derive(Debug, clap::Args)]
struct Verify {
    /// Begin behind this row, `ID:HASH`, as a look before printed it
    #[arg(long, value_name = "ID:HASH", value_parser = place)]
    after: Option<AuditPlace>,
    /// Ask the database of the settings, not a server: also where none runs
    #[arg(long)]
    local: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connection: Connection,
}

/// Which rows.
#[derive(Debug, clap::Args)]
struct Filter {
    /// Only of this author, as token:ci; may be repeated
    #[arg(long, value_name = "AUTHOR")]
    author: Vec<String>,
    /// Only this action, as create, denied, deployment.live; may be repeated
    #[arg(long, value_name = "ACTION")]
    action: Vec<String>,
    /// Only about this object, as policy/shop; may be repeated
    #[arg(long, value_name = "KIND/NAME")]
    object: Vec<String>,
    /// Only what belongs to this revision
    #[arg(long, value_name = "REVISION")]
    revision: Option<i64>,
    /// Only from this time on, as 2026-11-27T08:00:00Z
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Only before this time
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// Part of the author, the name, the address or the request id
    #[arg(long, value_name = "TEXT")]
    q: Option<String>,
}

#[derive(Debug, clap::Args)]
struct List {
    #[command(flatten)]
    filter: Filter,
    /// Rows at most
    #[arg(long, default_value_t = 50, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..=500))]
    limit: u32,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Debug, clap::Args)]
struct Export {
    #[command(flatten)]
    filter: Filter,
    #[command(flatten)]
    connection: Connection,
}

impl Arguments {
    /// None where it asks the database itself.
    pub fn connection(&mut self) -> Option<&mut Connection> {
        match &mut self.command {
            Command::Verify(verify) if verify.local => None,
            Command::Verify(verify) => Some(&mut verify.connection),
            Command::List(list) => Some(&mut list.connection),
            Command::Export(export) => Some(&mut export.connection),
        }
    }

    /// Whether it wants settings.
    pub fn local(&self) -> bool {
        matches!(&self.command, Command::Verify(verify) if verify.local)
    }
}

fn place(text: &str) -> Result<AuditPlace, String> {
    let good = |hash: &str| hash.len() == 64 && hash.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    text.split_once(':')
        .and_then(|(id, hash)| Some(AuditPlace { id: id.parse().ok().filter(|id| *id >= 0)?, hash: hash.to_owned() }))
        .filter(|place| good(&place.hash))
        .ok_or_else(|| "a row's id and its hash of 64 hexadecimal digits, with a colon between them".to_owned())
}

impl Filter {
    fn query(&self) -> String {
        let mut parts: Vec<(&str, String)> = Vec::new();
        parts.extend(self.author.iter().map(|text| ("author", escaped(text))));
        parts.extend(self.action.iter().map(|text| ("action", escaped(text))));
        parts.extend(self.object.iter().map(|text| ("object", escaped(text))));
        parts.extend(self.revision.iter().map(|number| ("revision", number.to_string())));
        parts.extend(self.since.iter().map(|text| ("at_gte", escaped(text))));
        parts.extend(self.until.iter().map(|text| ("at_lt", escaped(text))));
        parts.extend(self.q.iter().map(|text| ("q", escaped(text))));
        parts.into_iter().map(|(name, value)| format!("&{name}={value}")).collect()
    }
}

pub async fn run(arguments: Arguments, settings: Option<Settings>, printer: &Printer) -> Result<u8, Failure> {
    match arguments.command {
        Command::Verify(verify) => {
            let verdict = match settings {
                Some(settings) => locally(&settings, verify.after).await?,
                None => remotely(&Client::new(&verify.connection)?, verify.after).await?,
            };
            if verify.json {
                let text = serde_json::to_string_pretty(&verdict).map_err(anyhow::Error::from)?;
                printer.line(text);
            } else {
                said(&verdict, printer);
            }
            Ok(u8::from(!verdict.ok))
        }
        Command::List(list) => {
            let client = Client::new(&list.connection)?;
            let answer = client.get(&format!("/audit?limit={}{}", list.limit, list.filter.query())).await?;
            if list.json {
                printer.line(format!("{:#}", answer.body));
                return Ok(0);
            }
            let (page, _) = answer.typed::<Page>()?;
            page.items.iter().for_each(|row| printer.line(row.line()));
            if page.next_cursor.is_some() {
                printer.note("there are more: see `--limit` and the filters, or `guard-proxy audit export`");
            }
            Ok(0)
        }
        Command::Export(export) => {
            let client = Client::new(&export.connection)?;
            client.lines(&format!("/audit?format=jsonl{}", export.filter.query()), |line| printer.line(line)).await?;
            Ok(0)
        }
    }
}

/// Of a row, what a line tells.
#[derive(Debug, Deserialize)]
struct Row {
    id: i64,
    #[serde(with = "time::serde::rfc3339")]
    at: OffsetDateTime,
    author: String,
    action: String,
    kind: String,
    name: String,
    revision: Option<i64>,
    address: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Page {
    items: Vec<Row>,
    next_cursor: Option<String>,
}

impl Row {
    fn line(&self) -> String {
        let from = self.address.as_ref().map(|address| format!(" from {}", one_line(address))).unwrap_or_default();
        let revision = self.revision.map(|revision| format!(" (revision {revision})")).unwrap_or_default();
        let [author, action, kind, name] = [&self.author, &self.action, &self.kind, &self.name].map(|text| one_line(text));
        format!("{:>6}  {}  {author}{from}  {action} {kind} {name}{revision}", self.id, time(self.at))
    }
}

fn said(verdict: &AuditVerdict, printer: &Printer) {
    let rows = count(usize::try_from(verdict.checked).unwrap_or(usize::MAX), "row");
    match &verdict.broken {
        None => {
            printer.line(format!("{rows} checked: the audit log is {}", printer.tone(Tone::Good, "what was written")));
            printer.line(format!("Keep this outside of the database, for --after: {}:{}", verdict.last.id, verdict.last.hash));
        }
        Some(broken) if broken.fault == AuditFault::Place => {
            let wrong = printer.tone(Tone::Bad, "wrong");
            printer.line(format!("{}: the place of --after is {wrong}, or the log was written anew", one_line(&broken.detail)));
        }
        Some(broken) => {
            printer.line(format!(
                "{rows} checked, row {} is {}: {}",
                broken.id,
                printer.tone(Tone::Bad, "wrong"),
                one_line(&broken.detail)
            ));
            printer.line(format!("The last good row is {}:{}", verdict.last.id, verdict.last.hash));
        }
    }
}

/// In several looks; their rows counted together.
async fn remotely(client: &Client, mut after: Option<AuditPlace>) -> Result<AuditVerdict, Failure> {
    let mut checked = 0;
    loop {
        let from = after.as_ref().map(|place| format!("&after_id={}&after_hash={}", place.id, place.hash)).unwrap_or_default();
        let (mut verdict, _) = client.get(&format!("/audit/verify?limit={AT_A_TIME}{from}")).await?.typed::<AuditVerdict>()?;
        checked += verdict.checked;
        if !verdict.ok || verdict.complete || verdict.checked == 0 {
            verdict.checked = checked;
            return Ok(verdict);
        }
        after = Some(verdict.last);
    }
}

async fn locally(settings: &Settings, after: Option<AuditPlace>) -> Result<AuditVerdict, Failure> {
    let store = compose::connect(settings).await?;
    compose::check_migrations(&store).await?;
    let verdict = compose::verify_audit(&store, after.unwrap_or_else(AuditPlace::start)).await;
    store.close().await;
    verdict
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_an_id_and_a_hash() {
        let hash = "0a".repeat(32);
        assert_eq!(place(&format!("12:{hash}")), Ok(AuditPlace { id: 12, hash: hash.clone() }));
        for wrong in
            ["12", "12:", &format!("-1:{hash}"), &format!("x:{hash}"), &format!("12:{hash}0"), &format!("12:{}", hash.to_uppercase())]
        {
            assert!(place(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_row_is_a_line_whatever_is_in_it() {
        let row = Row {
            id: 7,
            at: OffsetDateTime::UNIX_EPOCH,
            author: "user:a\u{1b}[2J@example.com".to_owned(),
            action: "update".to_owned(),
            kind: "policy".to_owned(),
            name: "a\nb".to_owned(),
            revision: Some(3),
            address: None,
        };
        assert_eq!(row.line(), "     7  1970-01-01T00:00:00Z  user:a\\u{1b}[2J@example.com  update policy a⏎b (revision 3)");
    }
}
