//! The bytes of a test's request, completed as go-ftw completes them: the tests were written for what it sends.

use std::collections::BTreeMap;

use base64::Engine;

use crate::format::Input;
use crate::wire::Answer;

const FORM: &str = "application/x-www-form-urlencoded";

/// What one stage of a test leaves to the next.
#[derive(Default)]
pub struct Session {
    cookies: BTreeMap<String, String>,
    location: Option<String>,
}

impl Session {
    pub fn keep(&mut self, input: &Input, answer: &Answer) {
        self.location = answer.header("location").map(str::to_owned);
        if input.save_cookie {
            let set = answer.headers.iter().filter(|(n, _)| n.eq_ignore_ascii_case("set-cookie"));
            let pairs = set.filter_map(|(_, v)| v.split(';').next()?.split_once('='));
            self.cookies.extend(pairs.map(|(n, v)| (n.trim().to_owned(), v.trim().to_owned())));
        }
    }

    fn target<'a>(&'a self, input: &'a Input) -> &'a str {
        let own = input.uri.as_deref().unwrap_or("/");
        if input.follow_redirect { self.location.as_deref().expect("follow_redirect comes behind a redirect") } else { own }
    }
}

/// `encoded_request` as it is, else put together.
pub fn bytes(input: &Input, session: &Session) -> Vec<u8> {
    if let Some(raw) = &input.encoded_request {
        return decoded(raw);
    }
    let (method, version) = (input.method.as_deref().unwrap_or("GET"), input.version.as_deref().unwrap_or("HTTP/1.1"));
    let mut headers: Vec<(String, String)> = input.headers.iter().map(|(n, v)| (n.clone(), v.clone())).collect();
    if !session.cookies.is_empty() && header(&headers, "cookie").is_none() {
        let pairs: Vec<String> = session.cookies.iter().map(|(n, v)| format!("{n}={v}")).collect();
        headers.push(("Cookie".into(), pairs.join("; ")));
    }
    let mut data = match (&input.data, &input.encoded_data) {
        (Some(text), _) => expanded(text).into_bytes(),
        (None, Some(encoded)) => decoded(encoded),
        (None, None) => Vec::new(),
    };
    let complete = input.autocomplete_headers.unwrap_or(true);
    if complete && !data.is_empty() {
        if header(&headers, "content-type").is_none() {
            headers.push(("Content-Type".into(), FORM.into()));
        }
        if header(&headers, "content-type").is_some_and(|v| v.eq_ignore_ascii_case(FORM)) {
            data = form_encoded(data);
        }
    }
    if header(&headers, "content-type").is_some_and(|v| v.to_lowercase().contains("multipart/form-data;")) {
        data = with_crlf(&data);
    }
    if complete {
        if header(&headers, "connection").is_none() {
            headers.push(("Connection".into(), "close".into()));
        }
        let has_body = !data.is_empty() || matches!(method, "POST" | "PUT" | "PATCH" | "DELETE");
        if has_body && header(&headers, "content-length").is_none() {
            headers.push(("Content-Length".into(), data.len().to_string()));
        }
    }
    let mut out = format!("{method} {} {version}\r\n", session.target(input)).into_bytes();
    for (name, value) in headers {
        out.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
    }
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(&data);
    out
}

/// The first value of a header.
fn header<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str())
}

fn decoded(text: &str) -> Vec<u8> {
    let text: String = text.split_whitespace().collect();
    base64::engine::general_purpose::STANDARD.decode(&text).unwrap_or_else(|e| panic!("not base64 ({e}): {text}"))
}

/// go-ftw runs `data` through Go's templates; the suite uses them for one thing: `{{ "1" | repeat 152 }}`.
fn expanded(text: &str) -> String {
    let repeat = regex::Regex::new(r#"\{\{\s*"([^"]*)"\s*\|\s*repeat\s+(\d+)\s*\}\}"#).expect("a pattern");
    let repeated = |found: &regex::Captures<'_>| found[1].repeat(found[2].parse().expect("digits"));
    let text = repeat.replace_all(text, repeated).into_owned();
    assert!(!text.contains("{{"), "a template that this runner does not know: {text}");
    text
}

/// Keys and values of a form are written as they are meant, and encoded here, unless a `+` or `%` says that they already are.
fn form_encoded(data: Vec<u8>) -> Vec<u8> {
    if data.iter().any(|b| b"+%".contains(b)) {
        return data;
    }
    let pairs = data.split(|b| *b == b'&').map(|pair| {
        let parts: Vec<Vec<u8>> = pair.splitn(2, |b| *b == b'=').map(escaped).collect();
        parts.join(&b'=')
    });
    // A `&` at the end is no pair of its own.
    let mut pairs: Vec<Vec<u8>> = pairs.collect();
    if pairs.last().is_some_and(Vec::is_empty) {
        pairs.pop();
    }
    pairs.join(&b'&')
}

fn escaped(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    for byte in text {
        match byte {
            b' ' => out.push(b'+'),
            b if b.is_ascii_alphanumeric() || b"-_.~".contains(b) => out.push(*b),
            b => out.extend_from_slice(format!("%{b:02X}").as_bytes()),
        }
    }
    out
}

fn with_crlf(data: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(data.len() + data.len() / 16);
    for byte in data {
        if *byte == b'\n' {
            out.push(b'\r');
        }
        out.push(*byte);
    }
    out
}
