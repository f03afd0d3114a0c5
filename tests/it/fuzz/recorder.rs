//! An origin of raw sockets: it keeps the exact bytes of what came, reads them as strictly as anyone, and says what a laxer reader could
//! take for something else.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

type Field = (Vec<u8>, Vec<u8>);

#[derive(Clone, Debug, Default)]
pub struct Received {
    pub method: Vec<u8>,
    pub target: Vec<u8>,
    /// Names in lower case.
    pub headers: Vec<Field>,
    pub body: Vec<u8>,
    pub trailers: Vec<Field>,
    /// Its end came, too.
    pub whole: bool,
    /// What is not plain HTTP/1.1.
    pub odd: Vec<String>,
    pub raw: Vec<u8>,
}

impl Received {
    pub fn all<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        self.headers.iter().filter(move |(n, _)| n == name.as_bytes()).map(|(_, v)| v.as_slice())
    }

    /// The value of a header as text; empty where there is none.
    pub fn text(&self, name: &str) -> String {
        self.all(name).next().map(|v| String::from_utf8_lossy(v).into_owned()).unwrap_or_default()
    }
}

pub struct Recorder {
    pub port: u16,
    log: Arc<Mutex<Vec<Received>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Recorder {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port for the origin");
        let port = listener.local_addr().expect("its address").port();
        let log = Arc::<Mutex<Vec<Received>>>::default();
        let all = log.clone();
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, all.clone()));
            }
        });
        Self { port, log, task }
    }

    /// What came since this was asked last.
    pub fn take(&self) -> Vec<Received> {
        std::mem::take(&mut self.log.lock().expect("the log"))
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(mut stream: TcpStream, log: Arc<Mutex<Vec<Received>>>) {
    let mut buffer = Vec::new();
    loop {
        match take(&buffer) {
            Some((received, used)) => {
                buffer.drain(..used);
                log.lock().expect("the log").push(received);
                if stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.is_err() {
                    break;
                }
            }
            None => match stream.read_buf(&mut buffer).await {
                Ok(1..) => {}
                _ => break,
            },
        }
    }
    if !buffer.is_empty() {
        let mut received = head(&buffer).map(|(received, _)| received).unwrap_or_default();
        received.raw = buffer;
        log.lock().expect("the log").push(received);
    }
}

/// The first request in `bytes` and its size; none if its end is not there.
fn take(bytes: &[u8]) -> Option<(Received, usize)> {
    let (mut received, mut at) = head(bytes)?;
    let chunked = received.all("transfer-encoding").next().is_some();
    if chunked {
        at += chunks(&bytes[at..], &mut received)?;
    } else if let Ok(length) = received.text("content-length").parse::<usize>() {
        received.body = bytes.get(at..at + length)?.to_vec();
        at += length;
    }
    received.whole = true;
    received.raw = bytes[..at].to_vec();
    Some((received, at))
}

fn head(bytes: &[u8]) -> Option<(Received, usize)> {
    let end = position(bytes, b"\r\n\r\n")?;
    let mut received = Received::default();
    let mut odd = Vec::new();
    let mut lines = bytes[..end].split(|b| *b == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let start = lines.next().unwrap_or_default();
    let words: Vec<&[u8]> = start.split(|b| *b == b' ').collect();
    match words[..] {
        [method, target, b"HTTP/1.1" | b"HTTP/1.0"] => (received.method, received.target) = (method.to_vec(), target.to_vec()),
        _ => odd.push(format!("the request line is {}", start.escape_ascii())),
    }
    if !received.target.starts_with(b"/") && received.target != b"*" {
        odd.push(format!("the target is {}", received.target.escape_ascii()));
    }
    received.headers = fields(lines, &mut odd);
    let raw = &bytes[..end + 2];
    if raw.iter().filter(|b| **b == b'\n').count() != raw.windows(2).filter(|w| w == b"\r\n").count() {
        odd.push("a line ends in LF only".into());
    }
    for name in ["content-length", "host", "x-request-id", "x-forwarded-for", "transfer-encoding"] {
        if received.all(name).count() > 1 {
            odd.push(format!("{name} is there twice"));
        }
    }
    let lengths = received.all("content-length").filter(|v| v.is_empty() || !v.iter().all(u8::is_ascii_digit)).count();
    let codings = received.all("transfer-encoding").filter(|v| !v.eq_ignore_ascii_case(b"chunked")).count();
    if lengths + codings > 0 || received.all("content-length").chain(received.all("transfer-encoding")).count() > 1 {
        odd.push("the end of the body is not clear".into());
    }
    if words.last() == Some(&&b"HTTP/1.0"[..]) && received.all("transfer-encoding").next().is_some() {
        odd.push("chunks in HTTP/1.0".into());
    }
    received.odd = odd;
    Some((received, end + 4))
}

fn fields<'a>(lines: impl Iterator<Item = &'a [u8]>, odd: &mut Vec<String>) -> Vec<Field> {
    let mut fields = Vec::new();
    for line in lines {
        let Some(colon) = line.iter().position(|b| *b == b':') else {
            odd.push(format!("a header without a colon: {}", line.escape_ascii()));
            continue;
        };
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        let token = |b: &u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(b);
        if name.is_empty() || !name.iter().all(token) {
            odd.push(format!("a header's name is {}", name.escape_ascii()));
        }
        // A NUL is passed on by HAProxy; the WAF sees it, and refuses it where it may.
        if value.iter().any(|b| matches!(b, b'\r' | b'\n')) {
            odd.push(format!("a header's value is {}", value.escape_ascii()));
        }
        fields.push((name.to_ascii_lowercase(), value.to_vec()));
    }
    fields
}

/// Reads a chunked body into `received`; gives its size on the wire.
fn chunks(bytes: &[u8], received: &mut Received) -> Option<usize> {
    let mut at = 0;
    loop {
        let end = at + position(&bytes[at..], b"\r\n")?;
        let line = &bytes[at..end];
        let size = std::str::from_utf8(line).ok().and_then(|text| usize::from_str_radix(text, 16).ok());
        let Some(size) = size.filter(|_| line.iter().all(u8::is_ascii_hexdigit)) else {
            received.odd.push(format!("the size of a chunk is {}", line.escape_ascii()));
            return Some(bytes.len());
        };
        at = end + 2;
        if size == 0 {
            break;
        }
        received.body.extend_from_slice(bytes.get(at..at + size)?);
        if bytes.get(at + size..at + size + 2)? != b"\r\n" {
            received.odd.push("a chunk is longer than its size".into());
        }
        at += size + 2;
    }
    let end = if bytes[at..].starts_with(b"\r\n") { 0 } else { position(&bytes[at..], b"\r\n\r\n")? + 2 };
    let lines = bytes[at..at + end].split(|b| *b == b'\n').map(|l| l.strip_suffix(b"\r").unwrap_or(l)).filter(|l| !l.is_empty());
    received.trailers = fields(lines, &mut received.odd);
    Some(at + end + 2)
}

pub fn position(bytes: &[u8], needle: &[u8]) -> Option<usize> {
    bytes.windows(needle.len()).position(|window| window == needle)
}
