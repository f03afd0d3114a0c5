//! People in words, and asking them for a password.

use std::io::IsTerminal as _;

use super::failure::Failure;
use super::printer::Printer;
use super::words::text::{one_line, time};
use crate::domain::{RoleBinding, Session};

/// `editor on shop, viewer`.
pub fn roles(roles: &[RoleBinding]) -> String {
    let one = |binding: &RoleBinding| {
        let scope = &binding.scope;
        let labels = scope.labels.iter().map(|(key, value)| format!("{key}={value}"));
        let on: Vec<String> =
            scope.vhosts.iter().map(ToString::to_string).chain(labels).chain(scope.hostnames.iter().map(ToString::to_string)).collect();
        if on.is_empty() { binding.role.as_str().to_owned() } else { format!("{} on {}", binding.role.as_str(), on.join(", ")) }
    };
    if roles.is_empty() { "no role".to_owned() } else { one_line(&roles.iter().map(one).collect::<Vec<_>>().join("; ")) }
}

/// `0197…  Firefox/140.0  from 192.0.2.7  used 2026-01-01T12:00:00Z  ends 2026-01-08T12:00:00Z`.
pub fn session(session: &Session) -> String {
    let Session { id, user_agent, address, used_at, expires_at, .. } = session;
    let agent = if user_agent.is_empty() { "unnamed".to_owned() } else { one_line(user_agent) };
    let from = address.map(|address| format!("  from {address}")).unwrap_or_default();
    format!("{id}  {agent}{from}  used {}  ends {}", time(*used_at), time(*expires_at))
}

/// One line of standard input. A terminal shows what is typed: said, since this program turns no echo off.
pub async fn ask_password(printer: &Printer) -> Result<String, Failure> {
    if std::io::stdin().is_terminal() {
        printer.ask("Password, 12 to 71 bytes (shown as it is typed; `--password-file` reads a file):");
    }
    let read = tokio::task::spawn_blocking(|| {
        let mut line = String::new();
        std::io::stdin().read_line(&mut line).map(|_| line)
    });
    let line = read.await.ok().and_then(Result::ok).ok_or_else(|| Failure::user("no password could be read"))?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}
