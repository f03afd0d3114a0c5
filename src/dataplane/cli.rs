//! HAProxy's command line over a Unix socket: one connection a call, a bound on everything.
//!
//! Both sockets are spoken to the same way: write, close our half, read to the end. The master's is interactive and would stay open otherwise
//! (tried on 2.6.12 and 2.8.25: it answers all lines that came before the close, each reply ending with an empty line).

use std::path::PathBuf;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

/// HAProxy stops to serve while it works on a call, so a call is small: 200 `set map` in one line stalled requests for 854 ms.
pub const MOST_COMMANDS: usize = 10;

/// What the master says when it has no such worker. 2.8 may forget to close behind it.
const NO_WORKER: &str = "Can't find the target PID matching the prefix '@!";
/// What it says of a worker that is ending. 2.6 may say nothing and close.
const NO_CLI: &str = "Can't connect to the target CLI!";

/// Within this a worker that has hung up has ended, else something else is wrong with it.
const ENDING: Duration = Duration::from_secs(2);

/// Bytes of a reply that are read before HAProxy is thought to be mad: 100,000 rows of 200 bytes fit thrice.
const MOST_REPLY: usize = 64 << 20;

#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// Nobody listens: HAProxy is down, or its master starts itself anew.
    #[error("HAProxy does not answer on {path}: {source}")]
    Away { path: String, source: std::io::Error },
    #[error("HAProxy did not answer `{command}` in {seconds} s")]
    Timeout { command: String, seconds: u64 },
    /// The worker that was meant has ended.
    #[error("HAProxy's worker {0} has ended")]
    Gone(u32),
    #[error("HAProxy answered `{command}` with: {said}")]
    Said { command: String, said: String },
    /// Ours: a value that must not be on a command line got here.
    #[error("not fit for HAProxy's command line: {0:?}")]
    Unfit(String),
}

/// A word of a command: what could end the command or the line, or begin something else, is refused, not escaped.
pub fn word(text: &str) -> Result<&str, CliError> {
    let fits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b';' | b'\\' | b'"' | b'\'' | b'<'));
    if fits { Ok(text) } else { Err(CliError::Unfit(text.chars().take(80).collect())) }
}

/// A line of a payload: a key without spaces, and a value to the end of the line.
pub fn payload_line(key: &str, value: &str) -> Result<String, CliError> {
    let key_fits = !key.is_empty() && !key.chars().any(|c| c.is_whitespace() || c.is_control());
    let value_fits = !value.is_empty() && value.trim() == value && !value.chars().any(char::is_control);
    if key_fits && value_fits {
        Ok(format!("{key} {value}\n"))
    } else {
        Err(CliError::Unfit(format!("{key} {value}").chars().take(80).collect()))
    }
}

/// A socket of HAProxy's.
#[derive(Clone, Debug)]
pub struct Cli {
    path: PathBuf,
    timeout: Duration,
}

impl Cli {
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), timeout: Duration::from_secs(15) }
    }

    /// Sends one command; the reply without its last empty line.
    pub async fn ask(&self, command: &str) -> Result<String, CliError> {
        if command.contains(['\n', '\r', '\0']) {
            return Err(CliError::Unfit(command.chars().take(80).collect()));
        }
        self.call(&format!("{command}\n")).await
    }

    /// Sends commands that answer nothing when all is well, at most [`MOST_COMMANDS`]; any text is HAProxy's complaint.
    pub async fn tell(&self, commands: &[String]) -> Result<(), CliError> {
        debug_assert!(commands.len() <= MOST_COMMANDS);
        if let Some(bad) = commands.iter().find(|c| c.contains(['\n', '\r', '\0'])) {
            return Err(CliError::Unfit(bad.chars().take(80).collect()));
        }
        let said = self.call(&(commands.join("\n") + "\n")).await?;
        quiet(commands.first().map_or("", String::as_str), &said)
    }

    /// Sends a command with a payload. `lines` each end with a newline and hold no empty one, which would end the payload; the payload
    /// needs exactly one empty line behind it, since a second would be a command of its own.
    pub async fn tell_payload(&self, command: &str, lines: &str) -> Result<(), CliError> {
        if command.contains(['\n', '\r', '\0']) || !lines.ends_with('\n') || lines.starts_with('\n') || lines.contains("\n\n") {
            return Err(CliError::Unfit(command.chars().take(80).collect()));
        }
        let said = self.call(&format!("{command} <<\n{lines}\n")).await?;
        quiet(command, &said)
    }

    async fn call(&self, text: &str) -> Result<String, CliError> {
        match tokio::time::timeout(self.timeout, self.exchange(text)).await {
            Ok(Ok(reply)) if hung_up(text, &reply) => Err(self.after_hanging_up(text, &reply).await),
            Ok(Ok(reply)) => reply_of(text, reply),
            Ok(Err(source)) => Err(CliError::Away { path: self.path.display().to_string(), source }),
            Err(_) => Err(CliError::Timeout { command: first_line(text), seconds: self.timeout.as_secs() }),
        }
    }

    async fn exchange(&self, text: &str) -> std::io::Result<String> {
        let mut socket = UnixStream::connect(&self.path).await?;
        socket.write_all(text.as_bytes()).await?;
        socket.shutdown().await?;
        let mut reply = Vec::new();
        while !is_last_word(&reply) && socket.read_buf(&mut reply).await? > 0 {
            if reply.len() > MOST_REPLY {
                return Err(std::io::Error::other("the reply is too long"));
            }
        }
        Ok(String::from_utf8_lossy(&reply).into_owned())
    }

    /// Whether the worker that hung up was about to end: it is asked, with what changes nothing, until the master no longer knows it.
    async fn after_hanging_up(&self, text: &str, reply: &str) -> CliError {
        let said =
            CliError::Said { command: first_line(text), said: if reply.is_empty() { "nothing".to_owned() } else { first_line(reply) } };
        let Some(pid) = worker_of(text) else { return said };
        let gone = async {
            loop {
                match self.exchange(&format!("@!{pid} show info\n")).await {
                    Ok(reply) if reply.starts_with(NO_WORKER) => return true,
                    Ok(reply) if hung_up(text, &reply) => tokio::time::sleep(Duration::from_millis(20)).await,
                    _ => return false,
                }
            }
        };
        if tokio::time::timeout(ENDING, gone).await == Ok(true) { CliError::Gone(pid) } else { said }
    }
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().chars().take(200).collect()
}

/// The worker that a call is for.
fn worker_of(text: &str) -> Option<u32> {
    text.strip_prefix("@!")?.split(' ').next()?.parse().ok()
}

/// A worker answers every command with an empty line at least.
fn hung_up(text: &str, reply: &str) -> bool {
    worker_of(text).is_some() && (reply.is_empty() || reply.contains(NO_CLI))
}

/// Whether the master has said what nothing can follow.
fn is_last_word(reply: &[u8]) -> bool {
    let last = reply.strip_suffix(b"\n").and_then(|lines| lines.rsplit(|byte| *byte == b'\n').next());
    last.is_some_and(|line| line.starts_with(NO_WORKER.as_bytes()) || line.starts_with(NO_CLI.as_bytes()))
}

/// The master's own answer for a worker that is no more.
fn reply_of(text: &str, reply: String) -> Result<String, CliError> {
    if let Some((_, rest)) = reply.split_once(NO_WORKER) {
        return Err(CliError::Gone(rest.split('\'').next().and_then(|pid| pid.parse().ok()).unwrap_or(0)));
    }
    if reply.trim_start().starts_with("Unknown command") {
        return Err(CliError::Said { command: first_line(text), said: first_line(reply.trim_start()) });
    }
    Ok(reply)
}

fn quiet(command: &str, said: &str) -> Result<(), CliError> {
    let said = said.trim();
    if said.is_empty() { Ok(()) } else { Err(CliError::Said { command: first_line(command), said: said.chars().take(1000).collect() }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_cannot_end_a_command() {
        for good in ["shop.example.com", "12.ab34/upload/", "3|4c0000", "https://a/b?c=d&e=f#g"] {
            assert_eq!(word(good).unwrap(), good);
        }
        for bad in ["", "a b", "a;b", "a\nb", "a\\b", "a\tb", "a\"b", "<<", "é", "a\0"] {
            assert!(word(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_payload_line_is_one_line() {
        assert_eq!(payload_line("a", "b c").unwrap(), "a b c\n");
        for (key, value) in [("", "b"), ("a", ""), ("a b", "c"), ("a\n", "b"), ("a", "b\nc"), ("a", " b"), ("a", "b\r")] {
            assert!(payload_line(key, value).is_err(), "{key:?} {value:?}");
        }
    }

    /// A master that answers with these, one a call and the last again and again, and closes or not.
    fn master(replies: &'static [&'static str], closes: bool) -> (tempfile::TempDir, Cli) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("master.sock");
        let listener = tokio::net::UnixListener::bind(&path).unwrap();
        tokio::spawn(async move {
            let mut held = Vec::new();
            for reply in replies.iter().chain(std::iter::repeat(replies.last().unwrap())) {
                let (mut socket, _) = listener.accept().await.unwrap();
                socket.read_to_end(&mut Vec::new()).await.unwrap();
                socket.write_all(reply.as_bytes()).await.unwrap();
                if !closes {
                    held.push(socket);
                }
            }
        });
        (folder, Cli::new(path))
    }

    const GONE: &str = "Can't find the target PID matching the prefix '@!31157'\n";

    #[tokio::test]
    async fn a_master_of_2_8_that_forgets_to_close_is_not_waited_for() {
        let (_folder, cli) = master(&[GONE], false);
        assert!(matches!(cli.ask("@!31157 show map").await, Err(CliError::Gone(31157))));
    }

    #[tokio::test]
    async fn a_worker_that_is_ending_has_ended() {
        // 2.8 and 2.6, then 2.6 alone.
        for replies in [&["Can't connect to the target CLI!\n", "Can't connect to the target CLI!\n", GONE], &["", "", GONE]] {
            let (_folder, cli) = master(replies, true);
            let told = cli.tell(&["@!31157 set map live.map 1 a".to_owned()]).await;
            assert!(matches!(told, Err(CliError::Gone(31157))), "{told:?}");
        }
    }

    #[tokio::test]
    async fn a_worker_that_hangs_up_and_lives_has_not_obeyed() {
        // 2.6 and a payload that is too big.
        let (_folder, cli) = master(&["", "Name: HAProxy\n\n"], true);
        let told = cli.tell_payload("@!31157 add map live.map", "1 a\n").await;
        assert!(matches!(told, Err(CliError::Said { .. })), "{told:?}");
        // The master itself may say nothing: 2.6 to `reload`.
        let (_folder, cli) = master(&[""], true);
        assert_eq!(cli.ask("reload").await.unwrap(), "");
    }

    #[test]
    fn replies_that_are_complaints() {
        let gone = reply_of("@!99999 show info\n", "Can't find the target PID matching the prefix '@!99999'\n".into());
        assert!(matches!(gone, Err(CliError::Gone(99999))));
        assert!(matches!(reply_of("x\n", "\nUnknown command. Please enter one of\n".into()), Err(CliError::Said { .. })));
        let of_2_8 = "Unknown command: 'x', but maybe one of the following ones is a better match:\n  quit : disconnect\n\n";
        assert!(matches!(reply_of("x\n", of_2_8.into()), Err(CliError::Said { .. })));
        // 2.6 hangs up without a word; counting what arrived tells.
        let of_2_8 =
            "The command is too big for the buffer size. Please change tune.bufsize in the configuration to use a bigger command.\n";
        assert!(matches!(quiet("add map", of_2_8), Err(CliError::Said { .. })));
        assert!(quiet("set map", "\n\n\n").is_ok());
        assert!(matches!(quiet("set map", "\nentry not found.\n\n"), Err(CliError::Said { .. })));
    }
}
