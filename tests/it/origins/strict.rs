//! Reads what an origin received as strictly as can be: what it accepts has one meaning, for every reader. Framing headers that could be read in
//! two ways, folded lines, bare line feeds, blanks before a colon and chunk extensions are faults.

#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    pub method: String,
    pub target: Vec<u8>,
    /// Of HTTP/1: 0 or 1.
    pub version: u8,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// As they are: nobody frames a request by them.
    pub trailers: Vec<String>,
}

impl Request {
    /// Every value of a header.
    pub fn all(&self, name: &str) -> Vec<&str> {
        self.headers.iter().filter(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str()).collect()
    }

    pub fn target(&self) -> String {
        String::from_utf8_lossy(&self.target).into_owned()
    }
}

#[derive(Debug, PartialEq)]
pub enum Read {
    /// A request, and the bytes that it took.
    Whole(Request, usize),
    /// More bytes could make it a request.
    Partial,
    Fault(String),
}

fn token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// Reads the request at the start of `bytes`.
pub fn read(bytes: &[u8]) -> Read {
    let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
        return Read::Partial;
    };
    match head(&bytes[..end]).and_then(|request| framing(&request).map(|framing| (request, framing))) {
        Err(fault) => Read::Fault(format!("{fault} in {:?}", String::from_utf8_lossy(&bytes[..end]))),
        Ok((request, framing)) => body(request, framing, bytes, end + 4),
    }
}

/// Reads all of a connection: whole requests, and whether something was left that is none yet.
pub fn read_all(mut bytes: &[u8]) -> Result<(Vec<Request>, bool), String> {
    let mut requests = Vec::new();
    while !bytes.is_empty() {
        match read(bytes) {
            Read::Whole(request, length) => {
                requests.push(request);
                bytes = &bytes[length..];
            }
            Read::Partial => return Ok((requests, true)),
            Read::Fault(fault) => return Err(fault),
        }
    }
    Ok((requests, false))
}

fn head(bytes: &[u8]) -> Result<Request, String> {
    let mut lines = Vec::new();
    for line in bytes.split(|byte| *byte == b'\n') {
        lines.push(line.strip_suffix(b"\r").unwrap_or(line));
    }
    if bytes.iter().filter(|byte| **byte == b'\n').count() != bytes.windows(2).filter(|two| two == b"\r\n").count() {
        return Err("a bare line feed".into());
    }
    // Other controls are as wrong and everybody takes them for themselves.
    if lines.iter().any(|line| line.iter().any(|byte| matches!(byte, 0 | b'\r'))) {
        return Err("NUL or a bare carriage return".into());
    }
    let words: Vec<&[u8]> = lines[0].split(|byte| *byte == b' ').collect();
    let [method, target, [b'H', b'T', b'T', b'P', b'/', b'1', b'.', version @ (b'0' | b'1')]] = words[..] else {
        return Err("no request line of HTTP/1".into());
    };
    if method.is_empty() || !method.iter().all(|byte| token(*byte)) || target.is_empty() {
        return Err("an odd method or target".into());
    }
    let mut headers = Vec::new();
    for line in &lines[1..] {
        let colon = line.iter().position(|byte| *byte == b':').ok_or("a header without a colon")?;
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        if name.is_empty() || !name.iter().all(|byte| token(*byte)) {
            return Err(format!("a header's name is {:?}", String::from_utf8_lossy(name)));
        }
        headers.push((String::from_utf8_lossy(name).into_owned(), String::from_utf8_lossy(value).into_owned()));
    }
    let (method, target) = (String::from_utf8_lossy(method).into_owned(), target.to_vec());
    Ok(Request { method, target, version: version - b'0', headers, body: Vec::new(), trailers: Vec::new() })
}

enum Framing {
    Length(usize),
    Chunked,
}

fn framing(request: &Request) -> Result<Framing, String> {
    match (&request.all("content-length")[..], &request.all("transfer-encoding")[..]) {
        ([], []) => Ok(Framing::Length(0)),
        ([], [coding]) if request.version == 1 && coding.eq_ignore_ascii_case("chunked") => Ok(Framing::Chunked),
        ([length], []) if !length.is_empty() && length.bytes().all(|byte| byte.is_ascii_digit()) => {
            length.parse().map(Framing::Length).map_err(|_| format!("a length of {length}"))
        }
        (lengths, codings) => Err(format!("framing of lengths {lengths:?} and codings {codings:?}")),
    }
}

fn body(mut request: Request, framing: Framing, bytes: &[u8], start: usize) -> Read {
    if let Framing::Length(length) = framing {
        let Some(body) = bytes.get(start..start + length) else { return Read::Partial };
        request.body = body.to_vec();
        return Read::Whole(request, start + length);
    }
    let mut at = start;
    loop {
        let Some(line) = bytes[at..].windows(2).position(|two| two == b"\r\n") else { return Read::Partial };
        let size = &bytes[at..at + line];
        if size.is_empty() || size.len() > 8 || !size.iter().all(u8::is_ascii_hexdigit) {
            return Read::Fault(format!("a chunk's size is {:?}", String::from_utf8_lossy(size)));
        }
        let size = usize::from_str_radix(&String::from_utf8_lossy(size), 16).expect("up to 8 hexadecimal digits");
        at += line + 2;
        if size == 0 {
            return ended(request, bytes, at);
        }
        let Some(chunk) = bytes.get(at..at + size + 2) else { return Read::Partial };
        if &chunk[size..] != b"\r\n" {
            return Read::Fault("a chunk is longer than its size".into());
        }
        request.body.extend_from_slice(&chunk[..size]);
        at += size + 2;
    }
}

/// What follows the last chunk: trailers, mostly none, and an empty line.
fn ended(mut request: Request, bytes: &[u8], mut at: usize) -> Read {
    while let Some(line) = bytes[at..].windows(2).position(|two| two == b"\r\n") {
        if line == 0 {
            return Read::Whole(request, at + 2);
        }
        request.trailers.push(String::from_utf8_lossy(&bytes[at..at + line]).into_owned());
        at += line + 2;
    }
    Read::Partial
}

#[test]
fn one_meaning_or_a_fault() {
    let whole = |text: &str| match read(text.as_bytes()) {
        Read::Whole(request, length) => (request, length),
        other => panic!("{text:?}: {other:?}"),
    };
    let one = "POST /a HTTP/1.1\r\nHost: b\r\nContent-Length: 3\r\n\r\nabc";
    let (request, length) = whole(&format!("{one}GET /"));
    assert_eq!((request.target().as_str(), request.body.as_slice(), length), ("/a", &b"abc"[..], one.len()));
    let (request, _) = whole("POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n1\r\nd\r\n0\r\n\r\n");
    assert_eq!(request.body, b"abcd");
    let (request, _) = whole("POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n0\r\nA: b\r\n\r\n");
    assert_eq!(request.trailers, ["A: b"]);
    assert_eq!(read_all(b"GET / HTTP/1.1\r\n\r\nGET /b HTTP/1.1\r\n\r\nGET").map(|(all, rest)| (all.len(), rest)), Ok((2, true)));
    for partial in [
        "GET / HTTP/1.1\r\n",
        "POST / HTTP/1.1\r\ncontent-length: 5\r\n\r\nabc",
        "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n5\r\na",
    ] {
        assert_eq!(read(partial.as_bytes()), Read::Partial, "{partial:?}");
    }
    for head in [
        "GET / HTTP/1.1\nHost: a",
        "GET / HTTP/1.1\r\nA: b\r\n c: d",
        "GET / HTTP/1.1\r\nA : b",
        "GET / HTTP/1.1\r\nA: b\rc: d",
        "GET / HTTP/1.1\r\nA: b\0",
        "GET  / HTTP/1.1",
        "GET / HTTP/0.9",
        "GET / HTTP/1.2",
        "GET / x HTTP/1.1",
        "POST / HTTP/1.0\r\nTransfer-Encoding: chunked",
        "POST / HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 3",
        "POST / HTTP/1.1\r\nContent-Length: +3",
        "POST / HTTP/1.1\r\nContent-Length: 3, 3",
        "POST / HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked",
        "POST / HTTP/1.1\r\nTransfer-Encoding: xchunked",
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity",
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3;a=b\r\nabc\r\n0\r\n",
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n0\r\n",
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\nabc\r\n0\r\n",
    ] {
        assert!(matches!(read(format!("{head}\r\n\r\n").as_bytes()), Read::Fault(_)), "{head:?}");
    }
}
