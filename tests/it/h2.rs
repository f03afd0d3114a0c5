//! A client of raw HTTP/2 over prior knowledge: it sends exactly the frames that a test means. Only flow control is obeyed unasked.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::wire::{Answer, connect};

pub const DATA: u8 = 0;
pub const HEADERS: u8 = 1;
pub const RST_STREAM: u8 = 3;
pub const SETTINGS: u8 = 4;
pub const GOAWAY: u8 = 7;
pub const WINDOW_UPDATE: u8 = 8;
pub const CONTINUATION: u8 = 9;

pub const END_STREAM: u8 = 1;
pub const ACK: u8 = 1;
pub const END_HEADERS: u8 = 4;
pub const PADDED: u8 = 8;

const INITIAL_WINDOW_SIZE: u16 = 4;

#[derive(Clone, Debug, PartialEq)]
pub struct Frame {
    pub kind: u8,
    pub flags: u8,
    pub stream: u32,
    pub payload: Vec<u8>,
}

impl Frame {
    pub fn new(kind: u8, flags: u8, stream: u32, payload: impl Into<Vec<u8>>) -> Self {
        Self { kind, flags, stream, payload: payload.into() }
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&(self.payload.len() as u32).to_be_bytes()[1..]);
        out.extend_from_slice(&[self.kind, self.flags]);
        out.extend_from_slice(&self.stream.to_be_bytes());
        out.extend_from_slice(&self.payload);
    }

    /// Takes the first whole frame out of `buffer`.
    fn take(buffer: &mut Vec<u8>) -> Option<Self> {
        let head: [u8; 9] = buffer.get(..9)?.try_into().expect("nine bytes");
        let end = 9 + u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        let payload = buffer.get(9..end)?.to_vec();
        buffer.drain(..end);
        let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]) & 0x7fff_ffff;
        Some(Self { kind: head[3], flags: head[4], stream, payload })
    }

    fn number(&self) -> u32 {
        self.payload.get(..4).map_or(0, |b| u32::from_be_bytes(b.try_into().expect("four bytes")))
    }
}

/// One request, built up.
#[derive(Clone, Debug)]
pub struct Request {
    fields: Vec<(Vec<u8>, Vec<u8>)>,
    trailers: Vec<(String, String)>,
    body: Vec<u8>,
    length: bool,
    frame: usize,
    pause: Duration,
    padding: Option<u8>,
    block: usize,
    drips: usize,
}

pub fn get(path: &str) -> Request {
    Request::new("GET", path)
}

pub fn post(path: &str, body: impl Into<Vec<u8>>) -> Request {
    let mut request = Request::new("POST", path).header("content-type", "application/x-www-form-urlencoded");
    request.body = body.into();
    request
}

impl Request {
    pub fn new(method: &str, path: &str) -> Self {
        let fields = [
            (":method", method),
            (":scheme", "http"),
            (":path", path),
            (":authority", ""),
            ("user-agent", "Mozilla/5.0 (test)"),
            ("accept", "text/html,*/*"),
        ];
        Self {
            fields: fields.iter().map(|(n, v)| (n.as_bytes().to_vec(), v.as_bytes().to_vec())).collect(),
            trailers: Vec::new(),
            body: Vec::new(),
            length: true,
            frame: 16_384,
            pause: Duration::ZERO,
            padding: None,
            block: 16_384,
            drips: 0,
        }
    }

    /// Sets a field, pseudo header or not, in place of one of that name.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        match self.fields.iter_mut().find(|(n, _)| n == name.as_bytes()) {
            Some((_, there)) => *there = value.as_bytes().to_vec(),
            None => return self.field(name, value),
        }
        self
    }

    /// Adds a field behind the others, whatever is there: twice, out of order, in capitals, with any bytes.
    pub fn field(mut self, name: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) -> Self {
        self.fields.push((name.into(), value.into()));
        self
    }

    pub fn has(&self, name: &str, value: &str) -> bool {
        self.fields.iter().any(|(n, v)| n == name.as_bytes() && v == value.as_bytes())
    }

    pub fn without(mut self, name: &str) -> Self {
        self.fields.retain(|(n, _)| n != name.as_bytes());
        self
    }

    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// No content-length: the end of the stream alone ends the body.
    pub fn no_length(mut self) -> Self {
        self.length = false;
        self
    }

    /// Sends the body in frames of this many bytes.
    pub fn frame(mut self, size: usize) -> Self {
        self.frame = size;
        self
    }

    /// Sends the last bytes of the body in frames of one byte.
    pub fn drips(mut self, bytes: usize) -> Self {
        self.drips = bytes;
        self
    }

    /// Waits before each DATA frame.
    pub fn pause(mut self, pause: Duration) -> Self {
        self.pause = pause;
        self
    }

    /// Pads each DATA frame by this many bytes.
    pub fn padding(mut self, bytes: u8) -> Self {
        self.padding = Some(bytes);
        self
    }

    /// Cuts the block of headers after this many bytes each, into CONTINUATION frames.
    pub fn continuation(mut self, size: usize) -> Self {
        self.block = size;
        self
    }

    /// Ends the stream by a field behind the body.
    pub fn trailer(mut self, name: &str, value: &str) -> Self {
        self.trailers.push((name.into(), value.into()));
        self
    }

    /// The frames of this request on a stream, with `host` for an authority that was not set.
    pub fn frames(&self, stream: u32, host: &str) -> Vec<Frame> {
        let mut fields = self.fields.clone();
        if let Some((_, authority)) = fields.iter_mut().find(|(n, v)| n == b":authority" && v.is_empty()) {
            *authority = host.as_bytes().to_vec();
        }
        if self.length && !self.body.is_empty() {
            fields.push((b"content-length".to_vec(), self.body.len().to_string().into_bytes()));
        }
        let ends_with_head = self.body.is_empty() && self.trailers.is_empty();
        let mut frames = headers(stream, &fields, self.block, ends_with_head);
        let (most, drips) = self.body.split_at(self.body.len() - self.drips);
        let last = most.len().div_ceil(self.frame) + drips.len();
        for (at, piece) in most.chunks(self.frame).chain(drips.chunks(1)).enumerate() {
            let end = if at + 1 == last && self.trailers.is_empty() { END_STREAM } else { 0 };
            frames.push(data(stream, piece, self.padding, end));
        }
        if !self.trailers.is_empty() {
            frames.extend(headers(stream, &self.trailers, self.block, true));
        }
        frames
    }

    /// Sends to `to` with this authority, reads the answer to its end; 20 s at most.
    pub async fn send(&self, to: SocketAddr, host: &str) -> Answer {
        tokio::time::timeout(Duration::from_secs(20), self.exchange(to, host)).await.expect("an answer in 20 s")
    }

    /// The same, however long it takes.
    pub async fn exchange(&self, to: SocketAddr, host: &str) -> Answer {
        let mut connection = Connection::open(to).await;
        connection.exchange(&self.frames(1, host), self.pause).await;
        connection.answers.remove(&1).unwrap_or_else(|| Answer { status: 0, headers: Vec::new(), body: Vec::new() })
    }
}

/// HEADERS and what does not fit it in CONTINUATION frames.
pub fn headers<N: AsRef<[u8]>, V: AsRef<[u8]>>(stream: u32, fields: &[(N, V)], size: usize, end: bool) -> Vec<Frame> {
    let block = encode(fields);
    let last = block.len().div_ceil(size);
    let piece = |(at, piece): (usize, &[u8])| {
        let kind = if at == 0 { HEADERS } else { CONTINUATION };
        let flags = if at + 1 == last { END_HEADERS } else { 0 } | if at == 0 && end { END_STREAM } else { 0 };
        Frame::new(kind, flags, stream, piece)
    };
    block.chunks(size).enumerate().map(piece).collect()
}

fn data(stream: u32, piece: &[u8], padding: Option<u8>, end: u8) -> Frame {
    let Some(bytes) = padding else { return Frame::new(DATA, end, stream, piece) };
    Frame::new(DATA, end | PADDED, stream, [&[bytes], piece, &vec![0; usize::from(bytes)]].concat())
}

/// HPACK in its plainest form: each field literal, new names, no table and no Huffman.
fn encode<N: AsRef<[u8]>, V: AsRef<[u8]>>(fields: &[(N, V)]) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, value) in fields {
        out.push(0);
        for text in [name.as_ref(), value.as_ref()] {
            length(text.len(), &mut out);
            out.extend_from_slice(text);
        }
    }
    out
}

/// An integer behind a prefix of seven bits (RFC 7541, 5.1).
fn length(n: usize, out: &mut Vec<u8>) {
    if n < 127 {
        return out.push(n as u8);
    }
    out.push(127);
    let mut rest = n - 127;
    while rest >= 128 {
        out.push((rest % 128) as u8 | 128);
        rest /= 128;
    }
    out.push(rest as u8);
}

pub struct Connection {
    stream: TcpStream,
    incoming: Vec<u8>,
    decoder: loona_hpack::Decoder<'static>,
    /// What may be sent: on the connection, on a stream at its start, and on each stream.
    window: i64,
    initial: i64,
    windows: BTreeMap<u32, i64>,
    /// By stream, as far as they came.
    pub answers: BTreeMap<u32, Answer>,
    ended: Vec<u32>,
}

impl Connection {
    pub async fn open(to: SocketAddr) -> Self {
        let mut stream = connect(to, None).await;
        // Windows of our own that no answer fills.
        let mut hello = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
        let setting = [&INITIAL_WINDOW_SIZE.to_be_bytes()[..], &0x7f_ffff_u32.to_be_bytes()].concat();
        Frame::new(SETTINGS, 0, 0, setting).write(&mut hello);
        Frame::new(WINDOW_UPDATE, 0, 0, 0x7f_0000_u32.to_be_bytes()).write(&mut hello);
        stream.write_all(&hello).await.expect("a new connection takes the preface");
        Self {
            stream,
            incoming: Vec::new(),
            decoder: loona_hpack::Decoder::new(),
            window: 65_535,
            initial: 65_535,
            windows: BTreeMap::new(),
            answers: BTreeMap::new(),
            ended: Vec::new(),
        }
    }

    /// Sends the frames as windows allow it, and reads until each stream that was opened is answered, or the connection ends.
    pub async fn exchange(&mut self, frames: &[Frame], pause: Duration) {
        let opened: std::collections::BTreeSet<u32> = frames.iter().filter(|f| f.kind == HEADERS).map(|f| f.stream).collect();
        let mut begun = std::collections::BTreeSet::new();
        // A second head of a stream is its trailers.
        let paused = |frame: &Frame, begun: &std::collections::BTreeSet<u32>| {
            frame.kind == DATA || frame.kind == HEADERS && begun.contains(&frame.stream)
        };
        let mut frames = frames.iter().peekable();
        while !opened.iter().all(|stream| self.ended.contains(stream)) {
            let wait = frames.peek().filter(|frame| self.fits(frame)).map(|f| if paused(f, &begun) { pause } else { Duration::ZERO });
            let next = async {
                match wait {
                    None => std::future::pending().await,
                    Some(Duration::ZERO) => {}
                    Some(pause) => tokio::time::sleep(pause).await,
                }
            };
            tokio::select! {
                biased;
                read = read_frame(&mut self.stream, &mut self.incoming) => match read {
                    Some(frame) => self.take(frame).await,
                    None => break,
                },
                () = next => {
                    let mut together = vec![frames.next().expect("it was there")];
                    begun.insert(together[0].stream);
                    // 2.6 refuses a head whose CONTINUATION frames it must wait for, now and then
                    while together.last().is_some_and(|frame| frame.kind != DATA) && frames.peek().is_some_and(|frame| !paused(frame, &begun)) {
                        together.extend(frames.next());
                        begun.extend(together.last().map(|frame| frame.stream));
                    }
                    self.write(&together).await;
                }
            }
        }
    }

    fn fits(&self, frame: &Frame) -> bool {
        let cost = frame.payload.len() as i64;
        frame.kind != DATA || cost <= self.window.min(*self.windows.get(&frame.stream).unwrap_or(&self.initial))
    }

    /// What the other side no longer takes it may have answered already: reading tells.
    async fn write(&mut self, frames: &[&Frame]) {
        let mut out = Vec::new();
        for frame in frames {
            frame.write(&mut out);
            if frame.kind == DATA {
                self.window -= frame.payload.len() as i64;
                *self.windows.entry(frame.stream).or_insert(self.initial) -= frame.payload.len() as i64;
            }
        }
        let _ = self.stream.write_all(&out).await;
    }

    async fn take(&mut self, frame: Frame) {
        let ends = frame.flags & END_STREAM != 0;
        match frame.kind {
            SETTINGS if frame.flags & ACK == 0 => {
                self.settings(&frame.payload);
                let mut ack = Vec::new();
                Frame::new(SETTINGS, ACK, 0, []).write(&mut ack);
                let _ = self.stream.write_all(&ack).await;
            }
            WINDOW_UPDATE if frame.stream == 0 => self.window += i64::from(frame.number()),
            WINDOW_UPDATE => *self.windows.entry(frame.stream).or_insert(self.initial) += i64::from(frame.number()),
            // HAProxy splits no block of headers and pads nothing.
            HEADERS => {
                let fields = self.decoder.decode(&frame.payload).expect("HAProxy's HPACK is sound");
                let text = |b: &[u8]| String::from_utf8_lossy(b).into_owned();
                let headers: Vec<_> = fields.iter().map(|(n, v)| (text(n), text(v))).collect();
                let status = headers.iter().find(|(n, _)| n == ":status").and_then(|(_, v)| v.parse().ok()).unwrap_or(0);
                self.answers.insert(frame.stream, Answer { status, headers, body: Vec::new() });
                self.ended.extend(ends.then_some(frame.stream));
            }
            DATA => {
                if let Some(answer) = self.answers.get_mut(&frame.stream) {
                    answer.body.extend_from_slice(&frame.payload);
                }
                self.ended.extend(ends.then_some(frame.stream));
            }
            RST_STREAM => self.ended.push(frame.stream),
            // Nothing more is taken; what was begun may still be answered, and then the connection ends.
            GOAWAY if frame.number() == 0 => self.ended.extend((1..1000).step_by(2)),
            _ => {}
        }
    }

    fn settings(&mut self, payload: &[u8]) {
        for setting in payload.chunks_exact(6) {
            if setting[..2] == INITIAL_WINDOW_SIZE.to_be_bytes() {
                let size = i64::from(u32::from_be_bytes(setting[2..].try_into().expect("four bytes")));
                self.windows.values_mut().for_each(|window| *window += size - self.initial);
                self.initial = size;
            }
        }
    }
}

/// The next frame; none once the connection has ended. What was read stays in `incoming` if this is dropped.
async fn read_frame(stream: &mut TcpStream, incoming: &mut Vec<u8>) -> Option<Frame> {
    loop {
        if let Some(frame) = Frame::take(incoming) {
            return Some(frame);
        }
        if stream.read_buf(incoming).await.ok()? == 0 {
            return None;
        }
    }
}
