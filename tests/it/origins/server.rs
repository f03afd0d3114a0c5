//! An origin of raw sockets. It keeps every byte of every connection, and answers with what it received and where that leads.
//!
//! `/101` is answered 101 whoever asked, and so is an `Upgrade: websocket`; what follows is sent back as it came.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::readings;
use super::strict::{Read, Request, read, read_all};

/// The bytes of one connection.
type Transcript = Arc<Mutex<Vec<u8>>>;

pub struct RawOrigin {
    pub address: SocketAddr,
    transcripts: Arc<Mutex<Vec<Transcript>>>,
    /// Each connection watches it, and goes when it changes.
    closing: watch::Sender<()>,
    task: tokio::task::JoinHandle<()>,
}

impl RawOrigin {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port for the origin");
        let address = listener.local_addr().expect("its address");
        let transcripts = Arc::<Mutex<Vec<Transcript>>>::default();
        let closing = watch::Sender::new(());
        let (log, closed) = (transcripts.clone(), closing.clone());
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.expect("accepting");
                let transcript = Transcript::default();
                log.lock().expect("the log").push(transcript.clone());
                tokio::spawn(serve(stream, transcript, closed.subscribe()));
            }
        });
        Self { address, transcripts, closing, task }
    }

    /// Ends all connections, and gives what was received on each since the last time: nothing can follow. A fault is what no strict reader
    /// accepts.
    pub async fn drain(&self) -> Vec<Result<(Vec<Request>, bool), String>> {
        self.closing.send_replace(());
        // 2.8 leaves a connection whose request will never be complete to its timeouts, 35 s by default.
        let ended = tokio::time::timeout(Duration::from_secs(90), self.closing.closed()).await;
        ended.expect("every connection to the origin has ended");
        let transcripts = std::mem::take(&mut *self.transcripts.lock().expect("the log"));
        transcripts.iter().map(|transcript| read_all(&transcript.lock().expect("a transcript"))).collect()
    }
}

impl Drop for RawOrigin {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Serves one connection. It always reads to the end: HAProxy's end, not ours, says that nothing follows.
async fn serve(mut stream: TcpStream, transcript: Transcript, mut closing: watch::Receiver<()>) {
    let (mut pending, mut chunk) = (Vec::new(), [0_u8; 16_384]);
    let (mut raw, mut ours) = (false, true);
    loop {
        let read_now = tokio::select! {
            read = stream.read(&mut chunk) => read,
            _ = closing.changed(), if ours => {
                ours = false;
                let _ = stream.shutdown().await;
                continue;
            }
        };
        let Ok(length @ 1..) = read_now else { return };
        if raw {
            let _ = stream.write_all(&chunk[..length]).await;
            continue;
        }
        transcript.lock().expect("a transcript").extend_from_slice(&chunk[..length]);
        pending.extend_from_slice(&chunk[..length]);
        while let Read::Whole(request, taken) = read(&pending) {
            pending.drain(..taken);
            raw = upgrades(&request);
            let _ = stream.write_all(&answer(&request)).await;
            if raw {
                let _ = stream.write_all(&std::mem::take(&mut pending)).await;
            }
        }
        // The rest of it is only kept: what is at fault is told by `drain`.
        if let Read::Fault(_) = read(&pending)
            && ours
        {
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").await;
        }
    }
}

fn upgrades(request: &Request) -> bool {
    request.target() == "/101" || request.all("upgrade").iter().any(|value| value.eq_ignore_ascii_case("websocket"))
}

fn answer(request: &Request) -> Vec<u8> {
    if upgrades(request) {
        // The answer to the key that RFC 6455 has for an example: HAProxy looks at it where it has seen a key.
        let accept = "sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
        return format!("HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n{accept}\r\n\r\n").into_bytes();
    }
    let places: Vec<Value> = readings(&request.target)
        .into_iter()
        .map(|(kind, place)| json!({ "origin": kind, "place": place.map(|place| String::from_utf8_lossy(&place).into_owned()) }))
        .collect();
    let body = json!({
        "method": request.method,
        "target": request.target(),
        "headers": request.headers,
        "body": String::from_utf8_lossy(&request.body),
        "places": places,
    })
    .to_string();
    let body_sent = if request.method == "HEAD" { "" } else { &body };
    format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body_sent}", body.len()).into_bytes()
}
