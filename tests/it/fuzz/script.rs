//! What a client does, byte for byte: made by the fuzzer, kept as a text in `corpus/`.

use std::fmt::{Display, Formatter, Write};
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::h2::{Connection, Frame};
use crate::raw::unescaped;
use crate::wire::connect;

/// How long a client waits for more of an answer before it goes away.
const PATIENCE: Duration = Duration::from_millis(1200);

#[derive(Clone, Debug, PartialEq)]
pub enum Script {
    H1(Vec<Step>),
    H2(Vec<Frame>),
}

#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    Send(Vec<u8>),
    Pause(u64),
    /// Half-closes: nothing more will come.
    Finish,
}

impl Script {
    /// Does it, and gives the statuses that were answered.
    pub async fn run(&self, to: SocketAddr) -> Vec<u16> {
        match self {
            Self::H1(steps) => statuses(&h1(steps, to).await),
            Self::H2(frames) => {
                let mut connection = Connection::open(to).await;
                // Frames that make no sense may get no answer.
                let _ = tokio::time::timeout(PATIENCE, connection.exchange(frames, Duration::ZERO)).await;
                connection.answers.values().map(|answer| answer.status).collect()
            }
        }
    }

    pub fn read(text: &str) -> Self {
        let mut lines = text.lines().filter(|line| !line.starts_with(['#', '!']) && !line.is_empty());
        match lines.next() {
            Some("h1") => Self::H1(lines.map(step).collect()),
            Some("h2") => Self::H2(lines.map(frame).collect()),
            other => panic!("a script begins with h1 or h2, not {other:?}"),
        }
    }
}

async fn h1(steps: &[Step], to: SocketAddr) -> Vec<u8> {
    let (mut reader, mut writer) = connect(to, None).await.into_split();
    let write = async {
        for step in steps {
            let done = match step {
                Step::Send(bytes) => writer.write_all(bytes).await,
                Step::Pause(ms) => {
                    tokio::time::sleep(Duration::from_millis(*ms)).await;
                    Ok(())
                }
                Step::Finish => writer.shutdown().await,
            };
            // An early answer may have closed our side.
            if done.is_err() {
                break;
            }
        }
    };
    let mut answer = Vec::new();
    let read = async { while let Ok(Ok(1..)) = tokio::time::timeout(PATIENCE, reader.read_buf(&mut answer)).await {} };
    tokio::join!(write, read);
    answer
}

fn statuses(bytes: &[u8]) -> Vec<u16> {
    let text = String::from_utf8_lossy(bytes);
    text.split("HTTP/1.").skip(1).filter_map(|answer| answer.get(2..5)?.parse().ok()).collect()
}

impl Display for Script {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        let mut out = String::new();
        match self {
            Self::H1(steps) => {
                out.push_str("h1\n");
                for step in steps {
                    match step {
                        Step::Send(bytes) => writeln!(out, "send \"{}\"", bytes.escape_ascii())?,
                        Step::Pause(ms) => writeln!(out, "pause {ms}")?,
                        Step::Finish => writeln!(out, "finish")?,
                    }
                }
            }
            Self::H2(frames) => {
                out.push_str("h2\n");
                for frame in frames {
                    let Frame { kind, flags, stream, payload } = frame;
                    writeln!(out, "frame {kind} {flags} {stream} \"{}\"", payload.escape_ascii())?;
                }
            }
        }
        f.write_str(&out)
    }
}

fn step(line: &str) -> Step {
    match line.split_once(' ') {
        Some(("send", text)) => Step::Send(unescape(text)),
        Some(("pause", ms)) => Step::Pause(ms.parse().expect("milliseconds")),
        _ if line == "finish" => Step::Finish,
        _ => panic!("no step: {line}"),
    }
}

fn frame(line: &str) -> Frame {
    let parts: Vec<&str> = line.splitn(5, ' ').collect();
    let ["frame", kind, flags, stream, payload] = parts[..] else { panic!("no frame: {line}") };
    let byte = |text: &str| text.parse().expect("a byte");
    Frame::new(byte(kind), byte(flags), stream.parse().expect("a stream"), unescape(payload))
}

/// The other way of `escape_ascii`, in quotes.
pub fn unescape(text: &str) -> Vec<u8> {
    let inner = text.strip_prefix('"').and_then(|t| t.strip_suffix('"')).unwrap_or_else(|| panic!("no quotes: {text}"));
    unescaped(inner)
}

#[test]
fn a_script_is_read_as_it_was_written() {
    let every: Vec<u8> = (0..=255).collect();
    let h1 = Script::H1(vec![Step::Send(every.clone()), Step::Pause(5), Step::Finish]);
    let h2 = Script::H2(vec![Frame::new(1, 5, 3, every), Frame::new(0, 1, 3, [])]);
    assert_eq!((Script::read(&h1.to_string()), Script::read(&h2.to_string())), (h1, h2));
}
