//! Commands. Exit codes: 0 is good, 1 is what the caller can mend, 2 is an error of ours, 130 a signal. Standard output has what was asked
//! for, standard error has the rest. The commands of policies as code are clients of a server: they need no settings and no database, and
//! their only 2 is `plan`'s: there are changes.

mod apply;
mod audit;
mod check;
mod client;
mod compose;
mod credentials;
mod demo;
mod diff;
mod doctor;
mod doors;
mod export;
mod failure;
mod keys;
mod migrate;
mod mode_override;
mod openapi;
mod people;
mod plan;
mod printer;
mod programs;
mod remote;
mod rights;
mod rollback;
mod seal;
mod secret_files;
mod serve;
mod servers;
mod status;
mod token;
mod traffic;
mod tree;
mod user;
mod user_words;
mod validate;
mod words;

use std::ffi::OsString;
use std::future::Future;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Parser, Subcommand};

use crate::config::{self, Loaded};
use failure::Failure;
use printer::Printer;

/// Guard Proxy: a WAF policy control plane for HAProxy and Coraza
#[derive(Debug, Parser)]
#[command(name = "guard-proxy", version, max_term_width = 100)]
struct Cli {
    /// Settings file; without it /etc/guard-proxy/guard-proxy.toml where it is there
    #[arg(long, global = true, env = "GUARD_PROXY_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the API and keep the data plane at the newest revision
    Serve(serve::Arguments),
    /// Bring the database to this version's schema
    Migrate,
    /// Run everything here with a private database, to try it out
    Demo(demo::Arguments),
    /// Tell what is wrong around this installation, and what to do
    Doctor(doctor::Arguments),
    /// Print the API's OpenAPI document
    Openapi(openapi::Arguments),
    /// Check settings and templates with the real engines; needs no database
    Check,
    /// Write what a server has as a folder of YAML
    Export(export::Arguments),
    /// Check a folder of YAML without a server
    Validate(validate::Arguments),
    /// Show what applying a folder would do; exit code 0: nothing, 2: changes, 1: error
    Plan(plan::Arguments),
    /// Bring a folder to a server, and wait until it is live
    Apply(apply::Arguments),
    /// Show what differs between two revisions
    Diff(diff::Arguments),
    /// Go back to an earlier revision, whole or for some objects
    Rollback(rollback::Arguments),
    /// People who may sign in
    User(user::Arguments),
    /// Show the audit log, and check that nobody changed it
    Audit(audit::Arguments),
    /// Keys that seal secrets in the database, and changing them
    Keys(keys::Arguments),
    /// Show what is live and what is not; exit code 1 where something is behind, refused or unproven
    Status(status::Arguments),
    /// Show which servers of a vhost are up
    Servers(servers::Arguments),
    /// Show requests and blocks of the last hour, by the minute
    Traffic(traffic::Arguments),
    /// Make, list and revoke tokens for pipelines
    Token(token::Arguments),
    /// Emergency: put a vhost into another mode for a while, whatever its policies say
    ModeOverride(mode_override::Arguments),
    /// Encrypt the secret of single sign-on for the settings; reads it from standard input
    Seal,
}

impl Command {
    /// Where the command talks to a server by its API; Some(None) for one that works alone like those.
    fn connection(&mut self) -> Option<Option<&mut client::Connection>> {
        Some(match self {
            Self::Validate(_) => None,
            Self::Export(arguments) => Some(&mut arguments.connection),
            Self::Plan(arguments) => Some(&mut arguments.connection),
            Self::Apply(arguments) => Some(&mut arguments.connection),
            Self::Diff(arguments) => Some(&mut arguments.connection),
            Self::Rollback(arguments) => Some(&mut arguments.connection),
            Self::Status(arguments) => Some(&mut arguments.connection),
            Self::Servers(arguments) => Some(&mut arguments.connection),
            Self::Traffic(arguments) => Some(&mut arguments.connection),
            Self::Token(arguments) => Some(&mut arguments.connection),
            Self::ModeOverride(arguments) => Some(&mut arguments.connection),
            Self::User(arguments) => Some(arguments.command.connection()?),
            Self::Audit(arguments) => arguments.connection(),
            Self::Keys(arguments) => Some(arguments.connection()?),
            _ => return None,
        })
    }
}

/// Runs one command.
pub fn main(arguments: impl Iterator<Item = OsString>, environment: impl Iterator<Item = (String, String)>) -> ExitCode {
    let printer = Printer::new();
    let mut cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            // clap prints help and errors itself, to the right stream; its exit code for a wrong command line is not ours.
            let _ = error.print();
            return if error.use_stderr() { ExitCode::from(1) } else { ExitCode::SUCCESS };
        }
    };
    let environment: Vec<(String, String)> = environment.collect();
    let client = cli.command.connection();
    let of_pipelines = client.is_some();
    if let Some(Some(connection)) = client {
        connection.token = environment.iter().find(|(name, _)| name == "GUARD_PROXY_TOKEN").map(|(_, token)| token.clone());
    }
    // A panic is an error of ours like another; its words are on standard error already.
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| run(cli, environment, &printer)));
    match outcome.unwrap_or_else(|_| Err(Failure::Internal(anyhow::anyhow!("the command panicked")))) {
        Ok(code) => ExitCode::from(code),
        Err(failure) => {
            printer.failure(&failure);
            ExitCode::from(if of_pipelines { failure.exit_code_of_pipelines() } else { failure.exit_code() })
        }
    }
}

fn run(cli: Cli, environment: Vec<(String, String)>, printer: &Printer) -> Result<u8, Failure> {
    let settings = |file: Option<PathBuf>| {
        config::load(file.as_deref(), environment.into_iter()).map_err(|error| {
            Failure::user(error.to_string()).hint("docs/configuration.md lists every setting; the environment wins over the file")
        })
    };
    let done = |outcome: Result<(), Failure>| outcome.map(|()| 0);
    match cli.command {
        // The document does not depend on settings, and a build may ask for it anywhere.
        Command::Openapi(arguments) => done(openapi::run(&arguments, printer)),
        Command::Validate(arguments) => validate::run(&arguments, printer),
        Command::Export(arguments) => on_runtime(export::run(arguments, printer)),
        Command::Plan(arguments) => on_runtime(plan::run(arguments, printer)),
        Command::Apply(arguments) => on_runtime(apply::run(arguments, printer)),
        Command::Diff(arguments) => on_runtime(diff::run(arguments, printer)),
        Command::Rollback(arguments) => on_runtime(rollback::run(arguments, printer)),
        Command::Status(arguments) => on_runtime(status::run(arguments, printer)),
        Command::Servers(arguments) => on_runtime(servers::run(arguments, printer)),
        Command::Traffic(arguments) => on_runtime(traffic::run(arguments, printer)),
        Command::ModeOverride(arguments) => on_runtime(mode_override::run(arguments, printer)),
        Command::Token(arguments) => on_runtime(token::run(arguments, printer)),
        Command::User(user::Arguments { command: user::Command::SetupLink }) => {
            done(on_runtime(user::setup_link(settings(cli.config)?.settings, printer)))
        }
        Command::User(arguments) => on_runtime(user::run(arguments, printer)),
        Command::Audit(arguments) => {
            let settings = arguments.local().then(|| settings(cli.config)).transpose()?.map(|loaded| loaded.settings);
            on_runtime(audit::run(arguments, settings, printer))
        }
        Command::Keys(mut arguments) => {
            let settings = arguments.local().then(|| settings(cli.config)).transpose()?.map(|loaded| loaded.settings);
            on_runtime(keys::run(arguments, settings, printer))
        }
        Command::Serve(arguments) => done(on_runtime(serve::run(settings(cli.config)?.settings, arguments, printer))),
        Command::Seal => done(seal::run(&settings(cli.config)?.settings, printer)),
        Command::Migrate => done(on_runtime(migrate::run(settings(cli.config)?.settings, printer))),
        // As before: settings that are wrong are told, although the demo has its own.
        Command::Demo(arguments) => {
            settings(cli.config)?;
            done(on_runtime(demo::run(arguments, printer)))
        }
        Command::Doctor(arguments) => {
            let Loaded { settings, file } = settings(cli.config)?;
            done(on_runtime(doctor::run(settings, file, arguments, printer)))
        }
        Command::Check => {
            let Loaded { settings, file } = settings(cli.config)?;
            done(on_runtime(check::run(settings, file, printer)))
        }
    }
}

fn on_runtime<T>(command: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("starting the runtime")?;
    let outcome = runtime.block_on(command);
    // What still runs (a validation in the blocking pool) must not keep a stopped program alive.
    runtime.shutdown_timeout(std::time::Duration::from_millis(500));
    outcome
}
