//! The way to the provider: one client, with time limits, without redirects, and with an end to every answer.

use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::time::Duration;

use openidconnect::{AsyncHttpClient, HttpRequest, HttpResponse};

use super::{OidcOptions, chain};

const TO_CONNECT: Duration = Duration::from_secs(3);
/// One request, to the end of its answer.
const PATIENCE: Duration = Duration::from_secs(8);
/// Discovery documents and key sets have some kilobytes.
pub const MOST_ANSWER: usize = 256 << 10;

#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    #[error("{0}")]
    Failed(String),
    #[error("an answer of over {MOST_ANSWER} bytes")]
    TooLong,
    #[error("status {0}")]
    Status(u16),
    /// Neither TLS nor loopback.
    #[error("`{0}` is not an https:// URL")]
    Plain(String),
    #[error("the HTTP client: {0}")]
    Setup(String),
}

#[derive(Clone, Debug)]
pub struct Http {
    client: reqwest::Client,
    /// The issuer is at plain HTTP on loopback: so may be its endpoints.
    loopback: bool,
}

/// Whether a URL is one of this machine.
pub fn on_loopback(url: &str) -> bool {
    let Ok(url) = openidconnect::url::Url::parse(url) else { return false };
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.to_canonical().is_loopback())
}

impl Http {
    /// The one constructor.
    pub fn new(options: &OidcOptions) -> Result<Self, HttpError> {
        let loopback = options.issuer.starts_with("http://") && on_loopback(&options.issuer);
        let mut builder = reqwest::Client::builder()
            .connect_timeout(TO_CONNECT)
            .timeout(PATIENCE)
            // What asks for a code or its secret is not led elsewhere.
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("guard-proxy/", env!("CARGO_PKG_VERSION")));
        if on_loopback(&options.issuer) {
            builder = builder.no_proxy();
        }
        if let Some(pem) = &options.ca {
            let certificates = reqwest::Certificate::from_pem_bundle(pem).map_err(|error| HttpError::Setup(error.to_string()))?;
            builder = builder.tls_certs_merge(certificates);
        }
        let client = builder.build().map_err(|error| HttpError::Setup(error.to_string()))?;
        Ok(Self { client, loopback })
    }

    /// Whether the provider may name this URL: TLS, but for one that is on this machine altogether.
    pub fn allows(&self, url: &str) -> bool {
        url.starts_with("https://") || (self.loopback && url.starts_with("http://") && on_loopback(url))
    }

    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let url = request.uri().to_string();
        if !self.allows(&url) {
            return Err(HttpError::Plain(url));
        }
        let (parts, body) = request.into_parts();
        let sent = self.client.request(parts.method, url).headers(parts.headers).body(body).send().await;
        let mut answer = sent.map_err(|error| failed(&error))?;
        if answer.status().is_server_error() {
            return Err(HttpError::Status(answer.status().as_u16()));
        }
        let mut bytes = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|error| failed(&error))? {
            if bytes.len() + chunk.len() > MOST_ANSWER {
                return Err(HttpError::TooLong);
            }
            bytes.extend_from_slice(&chunk);
        }
        let mut response = HttpResponse::new(bytes);
        *response.status_mut() = answer.status();
        *response.headers_mut() = std::mem::take(answer.headers_mut());
        Ok(response)
    }
}

impl<'c> AsyncHttpClient<'c> for Http {
    type Error = HttpError;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, HttpError>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(self.send(request))
    }
}

/// reqwest's own message says only that something was wrong.
fn failed(error: &reqwest::Error) -> HttpError {
    HttpError::Failed(chain(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_this_machine_and_nothing_that_looks_like_it() {
        for here in
            ["http://127.0.0.1:8080/realms/x", "http://[::1]:80", "http://localhost", "http://127.9.9.9", "http://[::ffff:127.0.0.1]"]
        {
            assert!(on_loopback(here), "{here}");
        }
        for there in ["http://127.0.0.1.evil.example", "http://localhost.evil.example", "http://a@evil.example", "http://10.0.0.1", "x", ""]
        {
            assert!(!on_loopback(there), "{there}");
        }
    }
}
