//! One probe: a request of our own through the second bind of the real frontend, with a client address of our choice, and what came back.

use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use crate::domain::vhost::ClientIpHeader;
use crate::render::ProbeState;

/// Bytes of an answer that are read: HAProxy's own pages are small.
const MOST_ANSWER: u64 = 256 << 10;
const PATIENCE: Duration = Duration::from_secs(10);

/// The headers of every probe but Host; they are told to the agent too where its verdict is compared.
pub const HEADERS: [(&str, &str); 2] = [("user-agent", "Mozilla/5.0 (guard-proxy probe)"), ("accept", "text/html")];

/// An attack that any configuration of the rule set scores, unless it was told not to: SQL injection and a script.
pub const ATTACK: &str = "/?gp-probe=1%27%20OR%20%271%27=%271&q=%3Cscript%3Ealert(1)%3C/script%3E";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Probe {
    /// The marker rule: shows the mode, whatever access and rate say.
    Canary,
    /// As a client's, but never counted by rates.
    Plain,
}

/// A header that a trusted proxy would send, and what it says.
pub type Told = (ClientIpHeader, IpAddr);

/// What a probe saw.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    /// It came to the end of the rules, where a client's request would have left for the origin.
    pub passed: bool,
    /// All empty where HAProxy said nothing of it.
    pub state: ProbeState,
    pub raw_state: String,
}

/// Sends one probe. An error means that HAProxy could not be asked.
pub async fn send(socket: &Path, probe: Probe, source: IpAddr, host: &str, target: &str, told: Option<Told>) -> std::io::Result<Answer> {
    let exchange = async {
        let mut stream = UnixStream::connect(socket).await?;
        stream.write_all(request(probe, source, host, target, told)?.as_bytes()).await?;
        let mut raw = Vec::new();
        stream.take(MOST_ANSWER).read_to_end(&mut raw).await?;
        parse(&raw)
    };
    tokio::time::timeout(PATIENCE, exchange)
        .await
        .unwrap_or_else(|_| Err(std::io::Error::new(std::io::ErrorKind::TimedOut, "no answer in 10 s")))
}

fn request(probe: Probe, source: IpAddr, host: &str, target: &str, told: Option<Told>) -> std::io::Result<String> {
    let fits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic());
    if !fits(host) || !fits(target) {
        return Err(std::io::Error::other("the probe's host or target has characters that do not belong there"));
    }
    let (family, here) = if source.is_ipv4() { ("TCP4", "127.0.0.1") } else { ("TCP6", "::1") };
    let mut text = format!("PROXY {family} {source} {here} 4000 80\r\nGET {target} HTTP/1.1\r\nhost: {host}\r\n");
    for (name, value) in HEADERS {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    if probe == Probe::Canary {
        text.push_str("x-gp-probe: canary\r\n");
    }
    if let Some((header, client)) = told {
        text.push_str(&format!("{}: {client}\r\n", header.name()));
    }
    text.push_str("connection: close\r\n\r\n");
    Ok(text)
}

fn parse(raw: &[u8]) -> std::io::Result<Answer> {
    let text = String::from_utf8_lossy(raw);
    let bad = || std::io::Error::other("HAProxy closed the probe's connection without an answer");
    let (head, body) = text.split_once("\r\n\r\n").ok_or_else(bad)?;
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok()).ok_or_else(bad)?;
    let header = lines.filter_map(|line| line.split_once(':')).find(|(name, _)| name.eq_ignore_ascii_case("x-gp-state"));
    let raw_state = header.map_or(String::new(), |(_, value)| value.trim().to_owned());
    Ok(Answer {
        status,
        passed: status == 200 && body.trim_end() == "passed",
        state: ProbeState::parse(&raw_state).unwrap_or_default(),
        raw_state,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read() {
        let raw = b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\nX-Gp-State: 1.7 O|x waf= acc= action= status= error= fault= rules= score= rev=ab client=192.0.2.1\r\n\r\npassed";
        let answer = parse(raw).unwrap();
        assert!(answer.passed);
        assert_eq!(answer.state.row, "O|x");
        assert!(parse(b"").is_err());
    }

    #[test]
    fn a_probe_is_one_request() {
        assert!(request(Probe::Plain, "192.0.2.1".parse().unwrap(), "a\r\nx: y", "/", None).is_err());
        let text = request(Probe::Canary, "2001:db8::1".parse().unwrap(), "a.test", "/", None).unwrap();
        assert!(text.starts_with("PROXY TCP6 2001:db8::1 ::1 4000 80\r\nGET / HTTP/1.1\r\nhost: a.test\r\n"));
        assert!(text.contains("\r\nx-gp-probe: canary\r\n"));
    }
}
