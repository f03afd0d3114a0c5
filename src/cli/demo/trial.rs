//! The three requests that show what it is about: one that passes, one that is blocked, one that is trusted. Printed as curl lines for
//! people, run by `demo --check`.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use anyhow::Context as _;

use super::super::failure::Failure;
use super::super::printer::{Printer, Tone};

struct Trial {
    what: &'static str,
    query: &'static str,
    /// The address to call from.
    from: Option<Ipv4Addr>,
    expected: u16,
}

const TRIALS: [Trial; 3] = [
    Trial { what: "an ordinary request passes", query: "/?q=hello", from: None, expected: 200 },
    Trial { what: "an SQL injection is blocked", query: "/?q=1%27%20OR%20%271%27=%271", from: None, expected: 403 },
    Trial {
        what: "the same from a trusted address passes",
        query: "/?q=1%27%20OR%20%271%27=%271",
        from: Some(Ipv4Addr::new(127, 0, 0, 2)),
        expected: 200,
    },
];
const HOST: &str = "shop.localhost";

/// The curl lines.
pub fn print(http_port: u16, printer: &Printer) {
    for Trial { what, query, from, expected } in &TRIALS {
        let interface = from.map(|address| format!("--interface {address} ")).unwrap_or_default();
        printer.line(printer.tone(Tone::Faint, &format!("  # {what}: {expected}")));
        printer.line(format!("  curl -i {interface}'http://{HOST}:{http_port}{query}'"));
    }
}

/// Sends the three; an error says that one was answered otherwise.
pub async fn run(http_port: u16, printer: &Printer) -> Result<(), Failure> {
    let mut wrong = 0;
    for Trial { what, query, from, expected } in &TRIALS {
        let client = reqwest::Client::builder()
            .no_proxy()
            .timeout(Duration::from_secs(10))
            .local_address(from.map(IpAddr::V4))
            .resolve(HOST, ([127, 0, 0, 1], http_port).into())
            .build()
            .context("an HTTP client")?;
        let seen = match client.get(format!("http://{HOST}:{http_port}{query}")).send().await {
            Ok(answer) => answer.status().as_u16().to_string(),
            Err(error) => format!("{:#}", anyhow::Error::from(error)),
        };
        let right = seen == expected.to_string();
        wrong += usize::from(!right);
        let mark = if right { printer.tone(Tone::Good, "ok  ") } else { printer.tone(Tone::Bad, "FAIL") };
        let instead = if right { String::new() } else { format!(", expected {expected}") };
        printer.line(format!("{mark} {what}: {seen}{instead}"));
    }
    if wrong == 0 {
        return Ok(());
    }
    Err(Failure::user(format!("{wrong} of {} requests were not answered as they should be", TRIALS.len()))
        .hint("the logs are in the folder `log` of the state folder"))
}
