//! Commands. Exit codes: 0 is good, 1 is what the caller can mend, 2 is an error of ours. Standard output has what was asked for,
//! standard error has the rest.

mod check;
mod compose;
mod demo;
mod doctor;
mod failure;
mod migrate;
mod openapi;
mod printer;
mod programs;
mod serve;

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
}

/// Runs one command.
pub fn main(arguments: impl Iterator<Item = OsString>, environment: impl Iterator<Item = (String, String)>) -> ExitCode {
    let printer = Printer::new();
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            // clap prints help and errors itself, to the right stream; its exit code for a wrong command line is not ours.
            let _ = error.print();
            return if error.use_stderr() { ExitCode::from(1) } else { ExitCode::SUCCESS };
        }
    };
    // A panic is an error of ours like another; its words are on standard error already.
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| run(cli, environment, &printer)));
    match outcome.unwrap_or_else(|_| Err(Failure::Internal(anyhow::anyhow!("the command panicked")))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            printer.failure(&failure);
            ExitCode::from(failure.exit_code())
        }
    }
}

fn run(cli: Cli, environment: impl Iterator<Item = (String, String)>, printer: &Printer) -> Result<(), Failure> {
    // The document does not depend on settings, and a build may ask for it anywhere.
    if let Command::Openapi(arguments) = &cli.command {
        return openapi::run(arguments, printer);
    }
    let environment: Vec<(String, String)> = environment.collect();
    let loaded = config::load(cli.config.as_deref(), environment.into_iter()).map_err(|error| {
        Failure::user(error.to_string()).hint("docs/configuration.md lists every setting; the environment wins over the file")
    })?;
    let Loaded { settings, file } = loaded;
    match cli.command {
        Command::Serve(arguments) => on_runtime(serve::run(settings, arguments, printer)),
        Command::Migrate => on_runtime(migrate::run(settings, printer)),
        Command::Demo(arguments) => on_runtime(demo::run(arguments, printer)),
        Command::Doctor(arguments) => on_runtime(doctor::run(settings, file, arguments, printer)),
        Command::Check => on_runtime(check::run(settings, file, printer)),
        Command::Openapi(_) => Ok(()),
    }
}

fn on_runtime(command: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("starting the runtime")?;
    let outcome = runtime.block_on(command);
    // What still runs (a validation in the blocking pool) must not keep a stopped program alive.
    runtime.shutdown_timeout(std::time::Duration::from_millis(500));
    outcome
}
