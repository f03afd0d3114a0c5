//! A client of raw sockets: it sends exactly the bytes that a test means, in the pieces and with the pauses that it means.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

/// An answer as it stood on the wire; `status` 0 where the connection closed without one.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str())
    }

    /// What the sample origin says it received.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("not JSON ({e}): {}", String::from_utf8_lossy(&self.body)))
    }
}

/// One request, built up.
#[derive(Clone, Debug)]
pub struct Request {
    method: String,
    target: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    chunked: Option<usize>,
    /// Where the bytes behind the head are cut, and the pause before each further piece.
    pieces: Option<(usize, Duration)>,
    from: Option<IpAddr>,
}

/// A SQL injection that the CRS scores at paranoia level 1, as a query.
pub const SQLI: &str = "id=1%27%20OR%20%271%27%3D%271%27%20UNION%20SELECT%20password%20FROM%20users--";
/// The same in a form.
pub const SQLI_FORM: &str = "id=1'+OR+'1'%3D'1'+UNION+SELECT+password+FROM+users--";

pub fn get(target: &str) -> Request {
    Request::new("GET", target)
}

pub fn post(target: &str, body: impl Into<Vec<u8>>) -> Request {
    let mut request = Request::new("POST", target).header("content-type", "application/x-www-form-urlencoded");
    request.body = body.into();
    request
}

impl Request {
    pub fn new(method: &str, target: &str) -> Self {
        Self {
            method: method.into(),
            target: target.into(),
            headers: vec![("user-agent".into(), "Mozilla/5.0 (test)".into()), ("accept".into(), "text/html,*/*".into())],
            body: Vec::new(),
            chunked: None,
            pieces: None,
            from: None,
        }
    }

    /// Sets a header, in place of one of that name.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.retain(|(n, _)| !n.eq_ignore_ascii_case(name));
        self.headers.push((name.into(), value.into()));
        self
    }

    /// The same in a folder of this name, under the folder that it asks for: a mark for the origin's log.
    pub fn under(mut self, folder: &str) -> Self {
        let path = self.target.find('?').unwrap_or(self.target.len());
        self.target.insert_str(path, folder);
        self
    }

    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// Sends the body in chunks of this many bytes, without a length.
    pub fn chunked(mut self, size: usize) -> Self {
        self.chunked = Some(size);
        self
    }

    /// Sends head and body apart, and the body in pieces, with a pause before each.
    pub fn pieces(mut self, size: usize, pause: Duration) -> Self {
        self.pieces = Some((size, pause));
        self
    }

    /// Connects from this address (127.0.0.0/8 is all ours).
    pub fn from(mut self, address: IpAddr) -> Self {
        self.from = Some(address);
        self
    }

    fn head(&self, host: &str) -> Vec<u8> {
        let mut head = format!("{} {} HTTP/1.1\r\nHost: {host}\r\n", self.method, self.target);
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if self.chunked.is_some() {
            head.push_str("Transfer-Encoding: chunked\r\n");
        } else if !self.body.is_empty() || matches!(self.method.as_str(), "POST" | "PUT" | "PATCH") {
            head.push_str(&format!("Content-Length: {}\r\n", self.body.len()));
        }
        head.push_str("Connection: close\r\n\r\n");
        head.into_bytes()
    }

    fn payload(&self) -> Vec<u8> {
        let Some(size) = self.chunked else { return self.body.clone() };
        let mut out = Vec::new();
        for chunk in self.body.chunks(size) {
            out.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
            out.extend_from_slice(chunk);
            out.extend_from_slice(b"\r\n");
        }
        out.extend_from_slice(b"0\r\n\r\n");
        out
    }

    /// Sends to `to` with this `Host`, reads the answer to its end; 20 s at most.
    pub async fn send(&self, to: SocketAddr, host: &str) -> Answer {
        tokio::time::timeout(Duration::from_secs(20), self.exchange(to, host))
            .await
            .unwrap_or_else(|_| panic!("no answer in 20 s to {} {} of {host}", self.method, self.target))
    }

    /// The same, however long it takes.
    pub async fn exchange(&self, to: SocketAddr, host: &str) -> Answer {
        let mut stream = connect(to, self.from).await;
        let (head, payload) = (self.head(host), self.payload());
        let sent = match self.pieces {
            None => stream.write_all(&[head, payload].concat()).await,
            Some((size, pause)) => {
                let mut sent = stream.write_all(&head).await;
                for piece in payload.chunks(size) {
                    tokio::time::sleep(pause).await;
                    if sent.is_ok() {
                        sent = stream.write_all(piece).await;
                    }
                }
                sent
            }
        };
        // An early answer (413) may close our sending side; what counts is what was answered.
        drop(sent);
        read(&mut stream).await
    }
}

pub async fn connect(to: SocketAddr, from: Option<IpAddr>) -> TcpStream {
    let socket = TcpSocket::new_v4().expect("a socket");
    if let Some(from) = from {
        socket.bind(SocketAddr::new(from, 0)).expect("binding the client's address");
    }
    let stream = socket.connect(to).await.expect("connecting");
    stream.set_nodelay(true).expect("nodelay");
    stream
}

/// Reads one answer; headers to the empty line, then by Content-Length, else to the end.
pub async fn read<S: AsyncReadExt + Unpin>(stream: &mut S) -> Answer {
    let mut answer = read_head(stream).await;
    if answer.status == 0 {
        return answer;
    }
    let length = answer.header("content-length").and_then(|v| v.parse::<usize>().ok());
    let mut chunk = [0_u8; 16_384];
    while length.is_none_or(|length| answer.body.len() < length) {
        match stream.read(&mut chunk).await {
            Ok(n) if n > 0 => answer.body.extend_from_slice(&chunk[..n]),
            _ => break,
        }
    }
    answer
}

/// Reads an answer's status and headers; its body is what happened to come with them.
pub async fn read_head<S: AsyncReadExt + Unpin>(stream: &mut S) -> Answer {
    let mut buffer = Vec::new();
    let mut chunk = [0_u8; 16_384];
    let head_end = loop {
        if let Some(at) = buffer.windows(4).position(|w| w == b"\r\n\r\n") {
            break at;
        }
        match stream.read(&mut chunk).await {
            Ok(n) if n > 0 => buffer.extend_from_slice(&chunk[..n]),
            _ => return Answer { status: 0, headers: Vec::new(), body: buffer },
        }
    };
    let head = String::from_utf8_lossy(&buffer[..head_end]).into_owned();
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|l| l.split(' ').nth(1)).and_then(|s| s.parse().ok()).unwrap_or(0);
    let headers: Vec<(String, String)> =
        lines.filter_map(|l| l.split_once(':')).map(|(n, v)| (n.trim().to_owned(), v.trim().to_owned())).collect();
    Answer { status, headers, body: buffer[head_end + 4..].to_vec() }
}
