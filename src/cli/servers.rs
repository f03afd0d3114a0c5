//! `servers`: which servers of a vhost are up, as HAProxy sees it.

use super::client::{Client, Connection};
use super::failure::Failure;
use super::printer::{Printer, Tone};
use super::words::text::{one_line, word};
use crate::dataplane::{ServerState, ServerStatus};
use crate::domain::Name;

#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[arg(value_name = "VHOST")]
    vhost: Name,
    /// Print them as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    pub connection: Connection,
}

pub async fn run(arguments: Arguments, printer: &Printer) -> Result<u8, Failure> {
    let client = Client::new(&arguments.connection)?;
    let mut answer = client.get(&format!("/vhosts/{}/upstream/status", arguments.vhost)).await?;
    if arguments.json {
        printer.line(format!("{:#}", answer.body));
        return Ok(0);
    }
    answer.body = answer.body["items"].take();
    let (servers, _) = answer.typed::<Vec<ServerStatus>>()?;
    if servers.is_empty() {
        printer.note(format!("HAProxy does not know vhost {} yet: `guard-proxy status` says what is live.", arguments.vhost));
    }
    servers.iter().for_each(|server| printer.line(line(server, printer)));
    Ok(0)
}

/// One server, for people.
fn line(server: &ServerStatus, printer: &Printer) -> String {
    let tone = match server.state {
        ServerState::Up => Tone::Good,
        ServerState::Down => Tone::Bad,
        ServerState::Unchecked | ServerState::Unknown => Tone::Faint,
        ServerState::Draining | ServerState::Maintenance => Tone::Warning,
    };
    let ServerStatus { in_state_s, sessions, requests, connect_errors, response_errors, .. } = server;
    let check = server.check.as_ref().map(|check| {
        let code = check.code.map(|code| format!(" ({code})")).unwrap_or_default();
        format!("; {}{code}, {} ms", one_line(&check.said), check.took_ms)
    });
    format!(
        "{}  {}  {} for {in_state_s} s{}; {requests} requests, {sessions} at work, {} failed",
        printer.tone(Tone::Strong, &one_line(&server.name)),
        one_line(&server.address),
        printer.tone(tone, &word(&server.state)),
        check.unwrap_or_default(),
        connect_errors + response_errors,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataplane::ServerCheck;

    #[test]
    fn a_server_is_a_line_whatever_it_says() {
        let server = ServerStatus {
            name: "a".to_owned(),
            address: "192.0.2.10:8080".to_owned(),
            state: ServerState::Down,
            in_state_s: 7,
            check: Some(ServerCheck { said: "Layer7 wrong status: Sick\u{202e}\n".to_owned(), code: Some(503), took_ms: 2 }),
            sessions: 0,
            requests: 12,
            connect_errors: 1,
            response_errors: 2,
        };
        assert_eq!(
            line(&server, &Printer::plain()),
            r"a  192.0.2.10:8080  down for 7 s; Layer7 wrong status: Sick\u{202e}⏎ (503), 2 ms; 12 requests, 0 at work, 3 failed"
        );
    }
}
