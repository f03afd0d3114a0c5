//! `seal`: a secret for the settings, encrypted under the keys of `[auth]`, which are kept elsewhere.

use std::io::Read as _;

use super::failure::Failure;
use super::people;
use super::printer::Printer;
use crate::config::Settings;

const MOST: u64 = 4096;

/// Standard input, so that the secret is in no list of processes and no history of a shell.
pub fn run(settings: &Settings, printer: &Printer) -> Result<(), Failure> {
    let mut text = String::new();
    let read = std::io::stdin().take(MOST).read_to_string(&mut text);
    read.map_err(|error| Failure::user(format!("no secret could be read: {error}")))?;
    let secret = text.trim_end_matches(['\r', '\n']);
    if secret.is_empty() || secret.contains(char::is_control) {
        return Err(Failure::user("standard input has no secret on one line").hint("guard-proxy seal <secret-file"));
    }
    let sealed = people::made_ring(settings)?.seal_text(people::CLIENT_SECRET, secret).map_err(anyhow::Error::new)?;
    printer.note("For `oidc.client_secret`; good as long as its key is:");
    printer.line(sealed);
    Ok(())
}
