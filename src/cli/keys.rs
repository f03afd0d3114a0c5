//! `keys`: those that seal secrets in the database. The keys themselves are in the settings, and never shown.

use clap::{Args, Subcommand};
use serde::Deserialize;
use serde_json::json;

use super::client::{Client, Connection};
use super::failure::Failure;
use super::printer::{Printer, Tone};
use super::words::text::{count, one_line};
use super::{compose, people};
use crate::config::Settings;
use crate::service::{self, KeyState, Resealed, SealingKey};
use crate::telemetry::clock;

#[derive(Debug, Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show the keys, and how much is sealed under each
    List(How),
    /// Seal under the newest key what older ones sealed, so that these can be taken out of the settings
    Reseal(How),
}

#[derive(Debug, Args)]
struct How {
    /// Use the database and the keys of the settings, not a server; to seal anew, none may run
    #[arg(long)]
    local: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connection: Connection,
}

impl Command {
    fn how(&mut self) -> &mut How {
        match self {
            Self::List(how) | Self::Reseal(how) => how,
        }
    }
}

impl Arguments {
    /// None where it asks the database itself.
    pub fn connection(&mut self) -> Option<&mut Connection> {
        let how = self.command.how();
        (!how.local).then_some(&mut how.connection)
    }

    /// Whether it wants settings.
    pub fn local(&mut self) -> bool {
        self.command.how().local
    }
}

#[derive(Deserialize)]
struct Keys {
    items: Vec<SealingKey>,
}

pub async fn run(arguments: Arguments, settings: Option<Settings>, printer: &Printer) -> Result<u8, Failure> {
    let (how, reseals) = match arguments.command {
        Command::List(how) => (how, false),
        Command::Reseal(how) => (how, true),
    };
    let done = match settings {
        Some(settings) => locally(&settings, reseals).await?,
        None => remotely(&Client::new(&how.connection)?, reseals).await?,
    };
    if how.json {
        let value = if reseals { serde_json::to_value(&done) } else { serde_json::to_value(&done.items) };
        printer.line(format!("{:#}", value.map_err(anyhow::Error::from)?));
        return Ok(0);
    }
    if reseals {
        printer.line(format!("{} sealed anew", count(usize::try_from(done.resealed).unwrap_or(usize::MAX), "secret")));
    }
    for key in &done.items {
        printer.line(line(key, printer));
    }
    advice(&done.items, reseals).into_iter().for_each(|line| printer.note(line));
    Ok(0)
}

async fn remotely(client: &Client, reseals: bool) -> Result<Resealed, Failure> {
    if reseals {
        return Ok(client.post("/keys/reseal", &json!({})).await?.typed::<Resealed>()?.0);
    }
    let (keys, _) = client.get("/keys").await?.typed::<Keys>()?;
    Ok(Resealed { resealed: 0, items: keys.items })
}

async fn locally(settings: &Settings, reseals: bool) -> Result<Resealed, Failure> {
    let ring = people::ring(settings)?.ok_or_else(|| {
        Failure::user("there is no key yet").hint("`auth.key_file` names the file; without it, the first `guard-proxy serve` makes a key")
    })?;
    let store = compose::connect(settings).await?;
    compose::check_migrations(&store).await?;
    let done = if reseals {
        service::reseal_here(&store, &ring, clock::system()()).await
    } else {
        service::sealing_keys(&store, &ring).await.map(|items| Resealed { resealed: 0, items })
    };
    store.close().await;
    done.map_err(|error| compose::failure(error).hint("where a server runs, ask it: without `--local`"))
}

fn line(key: &SealingKey, printer: &Printer) -> String {
    let state = match key.state {
        KeyState::Primary => printer.tone(Tone::Good, "seals  "),
        KeyState::Old => printer.tone(Tone::Warning, "old    "),
        KeyState::Missing => printer.tone(Tone::Bad, "missing"),
    };
    let of = |number: i64, what| count(usize::try_from(number).unwrap_or(0), what);
    format!("{}  {state}  {}, {}", one_line(&key.id), of(key.authenticators, "authenticator"), of(key.signing_keys, "signing key"))
}

/// What to do about them.
pub(super) fn advice(keys: &[SealingKey], reseals: bool) -> Vec<String> {
    let mut said = Vec::new();
    for key in keys {
        let id = one_line(&key.id);
        match key.state {
            KeyState::Missing => said.push(format!(
                "key {id} is not in the settings: put its line back below the first one of `auth.key_file` and restart; where it is lost, \
                 `guard-proxy user reset-password --totp` for each of these people"
            )),
            KeyState::Old if key.count() == 0 => {
                said.push(format!("key {id} has sealed nothing that is there: its line can be taken out of `auth.key_file`"));
            }
            KeyState::Old if !reseals => said.push(format!("key {id} is still needed: `guard-proxy keys reseal`")),
            KeyState::Old => said.push(format!("key {id} is still needed: the server's log says why")),
            KeyState::Primary => {}
        }
    }
    said
}
