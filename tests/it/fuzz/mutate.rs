//! What an attacker, a broken client or a strange one does to a request.

use super::attack::Message;
use super::random::Random;
use super::script::{Script, Step};
use super::words::{Bytes, HEADERS, HOSTS, LINES, METHODS, PATHS, SCHEMES, TYPES, VERSIONS};
use crate::h2::{self, DATA, END_HEADERS, END_STREAM, Frame, PADDED};

/// Changes that mean the same in both protocols.
pub fn message(message: &mut Message, random: &mut Random) {
    for _ in 0..random.below(3) {
        match random.below(10) {
            0 => message.method = random.pick(&METHODS).to_vec(),
            1 => message.host = random.pick(&HOSTS).to_vec(),
            2 => content_type(message, random),
            3 => message.target = [random.pick(&PATHS), &message.target[1..]].concat(),
            4 => {
                let at = random.below(message.target.len());
                message.target.splice(at..at, random.pick(&PATHS).iter().copied());
            }
            5 => {
                let filler = b"a=b&".repeat(random.below(200));
                message.target = [&message.target[..], b"&", &filler].concat();
            }
            6 => (0..random.below(120)).for_each(|n| message.header(format!("x-filler-{n}"), vec![b'f'; n * 3])),
            7 => message.body.extend((0..random.below(40)).map(|_| *b"\r\n&=\"{}<>-a0%\0".get(random.below(14)).unwrap_or(&b'z'))),
            _ => {
                let (name, value) = random.pick(&HEADERS);
                let at = random.below(message.headers.len() + 1);
                message.headers.insert(at, (name.to_vec(), value.to_vec()));
            }
        }
    }
}

fn content_type(message: &mut Message, random: &mut Random) {
    let value = random.pick(&TYPES);
    message.headers.retain(|(name, _)| name != b"content-type");
    if !random.percent(20) {
        message.header("content-type", *value);
    }
}

/// HTTP/1: a framing, a second request behind it, changed bytes, and a way of sending.
pub fn h1(mut message: Message, second: Message, random: &mut Random) -> Script {
    let version = if random.percent(8) { random.pick(&VERSIONS) } else { "HTTP/1.1" };
    let body = framed(&mut message, random);
    let mut head = message.head(version);
    if random.percent(20) {
        let line = [random.pick(&LINES), &b"\r\n"[..]].concat();
        let at = head.len() - 2;
        head.splice(at..at, line);
    }
    if random.percent(6) {
        head = head.iter().copied().filter(|b| *b != b'\r').collect();
    }
    if random.percent(3) {
        head.splice(0..0, b"\r\n\r\n"[..2 * random.below(3)].iter().copied());
    }
    let mut bytes = [head, body].concat();
    if random.percent(25) {
        let mut second = second;
        second.length();
        bytes.extend(second.head("HTTP/1.1"));
        bytes.extend(&second.body);
    }
    if random.percent(15) {
        corrupt(&mut bytes, random);
    }
    Script::H1(pieces(bytes, random))
}

/// The body as it is on the wire; the headers say how to read it, or do not.
fn framed(message: &mut Message, random: &mut Random) -> Vec<u8> {
    if message.body.is_empty() && random.percent(80) {
        return Vec::new();
    }
    let at = if random.percent(50) { 0 } else { message.headers.len() };
    let said = |message: &mut Message, name: &str, value: String| message.headers.insert(at, (name.into(), value.into()));
    match random.below(10) {
        0..4 => said(message, "content-length", message.body.len().to_string()),
        4 => said(message, "content-length", (message.body.len() + 1).saturating_sub(random.below(3)).to_string()),
        5 => said(message, "content-length", random.below(message.body.len() + 1).to_string()),
        6 => {
            said(message, "content-length", random.below(message.body.len() + 30).to_string());
            said(message, "transfer-encoding", "chunked".into());
            return chunked(&message.body, random);
        }
        _ => {
            said(
                message,
                "Transfer-Encoding",
                random.pick(&["chunked", "chunked", "chunked", "Chunked", "CHUNKED ", "identity, chunked"]).to_string(),
            );
            return chunked(&message.body, random);
        }
    }
    message.body.clone()
}

fn chunked(body: &[u8], random: &mut Random) -> Vec<u8> {
    let mut out = Vec::new();
    let most = *random.pick(&[1, 7, 100, 5000, 1 << 20]);
    let odd = random.percent(40);
    let mut rest = body;
    while !rest.is_empty() {
        let (piece, behind) = rest.split_at(rest.len().min(1 + random.below(most)));
        let size = piece.len();
        let line = match random.below(if odd { 40 } else { 1 }) {
            1 => format!("{size:x};a=b\r\n"),
            2 => format!("{size:x};a=\"\r\n\"\r\n"),
            3 => format!("{size:x} ; a\r\n"),
            4 => format!("000000000{size:X}\r\n"),
            5 => format!("{size:x}\n"),
            6 => format!("0x{size:x}\r\n"),
            7 => format!("{size:x}\t\r\n"),
            8 => format!("{:x}\r\n", size + 1),
            9 => format!("{size:x};\r\r\n"),
            10 => format!("{size:x};a\nb\r\n"),
            11 => format!("1{size:016x}\r\n"),
            12 => format!("{size:x}\r\r\n"),
            _ => format!("{size:x}\r\n"),
        };
        out.extend_from_slice(line.as_bytes());
        out.extend_from_slice(piece);
        out.extend_from_slice(if odd && random.percent(3) { b"\n" } else { b"\r\n" });
        rest = behind;
    }
    let end: Bytes = match random.below(12) {
        0 => b"0\r\nx-end: 1\r\n\r\n",
        1 => b"0\r\ncontent-length: 7\r\nhost: off.test\r\n\r\n",
        2 => b"0;a=b\r\n\r\n",
        3 => b"00\r\n\r\n",
        4 => b"0\r\n",
        5 => b"0\n\n",
        6 => b"0\r\n \r\n\r\n",
        _ => b"0\r\n\r\n",
    };
    out.extend_from_slice(end);
    out
}

/// A few bytes become others, go, or come twice.
fn corrupt(bytes: &mut Vec<u8>, random: &mut Random) {
    for _ in 0..=random.below(3) {
        if bytes.is_empty() {
            return;
        }
        let at = random.below(bytes.len());
        let end = (at + 1 + random.below(4)).min(bytes.len());
        match random.below(4) {
            0 => bytes[at] = *random.pick(b"\r\n\0\t :;,\"\x0b\x80\xff0aZ"),
            1 => drop(bytes.drain(at..end)),
            2 => bytes.splice(at..at, bytes[at..end].to_vec()).for_each(drop),
            _ => bytes.insert(at, *random.pick(b"\r\n\0\t :;,\x85\xa00")),
        }
    }
}

fn pieces(bytes: Vec<u8>, random: &mut Random) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut rest = &bytes[..];
    for _ in 0..random.below(4) {
        let (piece, behind) = rest.split_at(random.below(rest.len()));
        steps.push(Step::Send(piece.to_vec()));
        if random.percent(60) {
            steps.push(Step::Pause(1 + random.below(25) as u64));
        }
        rest = behind;
    }
    steps.push(Step::Send(rest.to_vec()));
    if random.percent(93) {
        steps.push(Step::Finish);
    }
    steps
}

/// HTTP/2: pseudo headers and fields of any kind, frames in any order.
pub fn h2(message: &Message, second: &Message, random: &mut Random) -> Script {
    let mut frames = stream(1, message, random);
    if random.percent(25) {
        let more = stream(3, second, random);
        if random.percent(50) {
            frames.extend(more);
        } else {
            // HPACK has no table here: blocks of headers may come in any order.
            let at = random.below(frames.len() + 1);
            frames.splice(at..at, more);
        }
    }
    if random.percent(30) {
        for _ in 0..=random.below(2) {
            rearrange(&mut frames, random);
        }
    }
    Script::H2(frames)
}

fn stream(id: u32, message: &Message, random: &mut Random) -> Vec<Frame> {
    let mut fields: Vec<(Vec<u8>, Vec<u8>)> = [
        (&b":method"[..], &message.method[..]),
        (b":scheme", *random.pick(&SCHEMES)),
        (b":path", &message.target),
        (b":authority", &message.host),
    ]
    .map(|(name, value)| (name.to_vec(), value.to_vec()))
    .into();
    fields.extend(message.headers.iter().cloned());
    if random.percent(50) && !message.body.is_empty() {
        let length = message.body.len() + if random.percent(20) { random.below(4) } else { 0 };
        fields.push((b"content-length".to_vec(), length.to_string().into_bytes()));
    }
    for _ in 0..random.below(3) {
        odd_field(&mut fields, message, random);
    }
    let trailers = !message.body.is_empty() && random.percent(10);
    let block = if random.percent(10) { 1 + random.below(200) } else { 16_384 };
    let mut frames = h2::headers(id, &fields, block, message.body.is_empty());
    let size = *random.pick(&[1, 50, 1000, 16_384]);
    let size = if message.body.len() > 5000 { size.max(50) } else { size };
    let count = message.body.len().div_ceil(size);
    for (at, piece) in message.body.chunks(size).enumerate() {
        let end = if at + 1 == count && !trailers { END_STREAM } else { 0 };
        frames.push(Frame::new(DATA, end, id, piece));
    }
    if trailers {
        let name = *random.pick(&["x-end", "content-length", ":path", "host", "transfer-encoding"]);
        frames.extend(h2::headers(id, &[(name, "1")], 16_384, true));
    }
    frames
}

fn odd_field(fields: &mut Vec<(Vec<u8>, Vec<u8>)>, message: &Message, random: &mut Random) {
    let at = random.below(fields.len() + 1);
    let odd: (Bytes, Vec<u8>) = match random.below(16) {
        0 => (b":path", b"/other".to_vec()),
        1 => (b":authority", b"off.test".to_vec()),
        2 => (b":method", b"GET".to_vec()),
        3 => (b":scheme", b"http".to_vec()),
        4 => (b":protocol", b"websocket".to_vec()),
        5 => (b"host", b"off.test".to_vec()),
        6 => (b"Content-Length", b"1".to_vec()),
        7 => (b"transfer-encoding", b"chunked".to_vec()),
        8 => (b"connection", b"close".to_vec()),
        9 => (b"x-lines", b"a\r\nx-smuggled: 1\r\n\r\nGET /second HTTP/1.1\r\nhost: off.test\r\n".to_vec()),
        10 => (b"x-name: 1\r\nx-smuggled", b"1".to_vec()),
        11 => (b"x nul\0", b"\0".to_vec()),
        12 => (b"", b"empty".to_vec()),
        13 => (b"cookie", b"second=1".to_vec()),
        14 => {
            const ENDS: [Bytes; 6] = [b" HTTP/1.1\r\nx-smuggled: 1", b" ", b"\t", b"\x80", b"#", b"\r\n"];
            if let Some((_, path)) = fields.iter_mut().find(|(name, _)| name == b":path") {
                *path = [&message.target, *random.pick(&ENDS)].concat();
            }
            return;
        }
        _ => {
            if at < fields.len() {
                fields.remove(at);
            }
            return;
        }
    };
    fields.insert(at, (odd.0.to_vec(), odd.1));
}

fn rearrange(frames: &mut Vec<Frame>, random: &mut Random) {
    if frames.is_empty() {
        return;
    }
    let (at, other) = (random.below(frames.len()), random.below(frames.len()));
    match random.below(8) {
        0 => frames.swap(at, other),
        1 => frames.insert(at, frames[other].clone()),
        2 => drop(frames.remove(at)),
        3 => frames[at].flags ^= random.pick(&[END_STREAM, END_HEADERS, PADDED, 0x20]),
        4 => frames[at].kind = random.below(11) as u8,
        5 => frames[at].stream = *random.pick(&[0, 1, 2, 3, 5]),
        6 => {
            let half = frames[at].payload.len() / 2;
            frames[at].payload.truncate(half);
        }
        _ => frames.insert(at, Frame::new(random.below(11) as u8, random.below(64) as u8, 1, vec![0; random.below(9)])),
    }
}
