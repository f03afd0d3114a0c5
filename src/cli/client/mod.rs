//! A client of a Guard Proxy's API: one constructor, with timeouts; problems as types. A token never travels in the clear to another host.

mod problem;
mod settings;

use std::time::Duration;

use reqwest::{Method, StatusCode, Url};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::failure::Failure;
pub use problem::{Problem, Refused};
pub use settings::Connection;

/// The server gives an answer up after 150 s.
const PATIENCE: Duration = Duration::from_secs(160);
const TO_CONNECT: Duration = Duration::from_secs(10);
/// Bytes of an answer at most.
const MOST_BYTES: usize = 256 << 20;

/// See the module.
#[derive(Debug)]
pub struct Client {
    http: reqwest::Client,
    base: Url,
    token: String,
}

/// A good answer.
#[derive(Debug)]
pub struct Answer {
    pub body: Value,
    headers: reqwest::header::HeaderMap,
}

impl Answer {
    /// The body as a type, and as it came: what the type does not know is kept for `--json`.
    pub fn typed<T: DeserializeOwned>(self) -> Result<(T, Value), Failure> {
        match serde_path_to_error::deserialize::<_, T>(&self.body) {
            Ok(typed) => Ok((typed, self.body)),
            Err(error) => Err(Failure::user(format!("the server's answer is not what this version knows: {error}"))
                .hint("is the server of the same version as this program?")),
        }
    }

    /// The number that a header has.
    pub fn number(&self, header: &str) -> Option<i64> {
        self.headers.get(header)?.to_str().ok()?.parse().ok()
    }
}

impl Client {
    /// The one constructor. Refuses what would send the token in the clear.
    pub fn new(connection: &Connection) -> Result<Self, Failure> {
        let settings = connection.resolve()?;
        let mut builder = reqwest::Client::builder()
            .connect_timeout(TO_CONNECT)
            .timeout(PATIENCE)
            // A redirect would take the token elsewhere.
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("guard-proxy/", env!("CARGO_PKG_VERSION")));
        if settings.loopback {
            builder = builder.no_proxy();
        }
        if let Some(pem) = settings.ca {
            let certificates = reqwest::Certificate::from_pem_bundle(&pem)
                .map_err(|error| Failure::user(format!("the file of certificates cannot be read: {error}")))?;
            builder = builder.tls_certs_merge(certificates);
        }
        let http = builder.build().map_err(|error| Failure::Internal(anyhow::anyhow!(error).context("the HTTP client")))?;
        Ok(Self { http, base: settings.url, token: settings.token })
    }

    /// As people know it.
    pub fn url(&self) -> &str {
        self.base.as_str().trim_end_matches('/')
    }

    pub async fn get(&self, path: &str) -> Result<Answer, Refused> {
        self.send(Method::GET, path, None).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Result<Answer, Refused> {
        self.send(Method::POST, path, Some(body)).await
    }

    pub async fn put(&self, path: &str, body: &Value) -> Result<Answer, Refused> {
        self.send(Method::PUT, path, Some(body)).await
    }

    pub async fn patch(&self, path: &str, body: &Value) -> Result<Answer, Refused> {
        self.send(Method::PATCH, path, Some(body)).await
    }

    pub async fn delete(&self, path: &str) -> Result<Answer, Refused> {
        self.send(Method::DELETE, path, None).await
    }

    /// `path` is what comes behind `/api/v1`, with its query.
    async fn send(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Answer, Refused> {
        let url = format!("{}/api/v1{path}", self.url());
        let mut request = self.http.request(method, &url).bearer_auth(&self.token);
        if let Some(body) = body {
            request = request.json(body);
        }
        let away = |error: reqwest::Error| Refused::Away { url: self.url().to_owned(), why: causes(&error) };
        let mut answer = request.send().await.map_err(away)?;
        let (status, headers) = (answer.status(), answer.headers().clone());
        let mut bytes = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(away)? {
            if bytes.len() + chunk.len() > MOST_BYTES {
                return Err(Refused::Unread(format!("{url} answers more than {MOST_BYTES} bytes")));
            }
            bytes.extend_from_slice(&chunk);
        }
        let json = serde_json::from_slice::<Value>(&bytes);
        if !status.is_success() {
            return Err(self.refused(&url, status, &bytes));
        }
        let body = match json {
            Ok(body) => body,
            Err(_) if bytes.is_empty() => Value::Null,
            Err(_) => return Err(Refused::Unread(format!("{url} does not answer JSON: is the URL right?"))),
        };
        Ok(Answer { body, headers })
    }

    /// JSON lines, as they come; an answer that breaks off is an error.
    pub async fn lines(&self, path: &str, mut each: impl FnMut(&str)) -> Result<(), Refused> {
        let url = format!("{}/api/v1{path}", self.url());
        let away = |error: reqwest::Error| Refused::Away { url: self.url().to_owned(), why: causes(&error) };
        // A log of years takes its time; that nothing comes any more is noticed by the connection.
        let request = self.http.get(&url).bearer_auth(&self.token).timeout(Duration::from_secs(24 * 3600));
        let mut answer = request.send().await.map_err(away)?;
        let status = answer.status();
        if !status.is_success() {
            return Err(self.refused(&url, status, &answer.bytes().await.unwrap_or_default()));
        }
        let mut rest: Vec<u8> = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(away)? {
            rest.extend_from_slice(&chunk);
            let end = rest.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
            for line in rest[..end].split(|b| *b == b'\n').filter(|line| !line.is_empty()) {
                each(&String::from_utf8_lossy(line));
            }
            rest.drain(..end);
            if rest.len() > MOST_BYTES {
                return Err(Refused::Odd(format!("{url} answers a line of more than {MOST_BYTES} bytes")));
            }
        }
        if rest.is_empty() { Ok(()) } else { Err(Refused::Odd(format!("{url} broke off in a line"))) }
    }

    /// What an answer other than 2xx says. One of 500 and more that is not ours is a proxy's, which has no answer from behind it.
    fn refused(&self, url: &str, status: StatusCode, body: &[u8]) -> Refused {
        match serde_json::from_slice::<Problem>(body) {
            Ok(problem) if !problem.code.is_empty() => Refused::Problem(Box::new(Problem { status: status.as_u16(), ..problem })),
            _ if status.is_server_error() => {
                Refused::Away { url: self.url().to_owned(), why: format!("something before it answers {status}") }
            }
            _ => Refused::Odd(format!("{url} answers {status}, and not as a Guard Proxy does: is the URL right?")),
        }
    }

    /// All items of a list, page by page. `path` has no query yet.
    pub async fn all(&self, path: &str, query: &str) -> Result<Vec<Value>, Refused> {
        let mut items = Vec::new();
        let mut cursor: Option<String> = None;
        loop {
            let mut page = format!("{path}?limit=500");
            if !query.is_empty() {
                page.push_str(&format!("&{query}"));
            }
            if let Some(cursor) = &cursor {
                page.push_str(&format!("&cursor={}", escaped(cursor)));
            }
            let mut body = self.get(&page).await?.body;
            match body["items"].take() {
                Value::Array(more) => items.extend(more),
                _ => return Err(Refused::Odd(format!("{path} does not answer a list"))),
            }
            match body["next_cursor"].take() {
                Value::String(next) if cursor.as_ref() != Some(&next) => cursor = Some(next),
                _ => return Ok(items),
            }
        }
    }
}

/// Percent-escapes a value of a query.
pub fn escaped(text: &str) -> String {
    let unreserved = |b: u8| b.is_ascii_alphanumeric() || b"-._~/".contains(&b);
    text.bytes().map(|b| if unreserved(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

/// An error with what is behind it: `reqwest` says only "error sending request" itself.
fn causes(error: &reqwest::Error) -> String {
    let mut text = if error.is_timeout() { "no answer in time".to_owned() } else { String::new() };
    let mut cause: Option<&dyn std::error::Error> = std::error::Error::source(error);
    while let Some(inner) = cause {
        if !text.is_empty() {
            text.push_str(": ");
        }
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    if text.is_empty() { error.to_string() } else { text }
}
