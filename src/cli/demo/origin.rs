//! The sample origin: says what reached it. JSON for everything but `/`, which greets a browser.

use std::collections::BTreeMap;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use http_body_util::BodyExt as _;
use serde::Serialize;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// What reached the origin.
#[derive(Serialize)]
struct Echo {
    method: String,
    path: String,
    query: Option<String>,
    headers: BTreeMap<String, Vec<String>>,
    body_bytes: u64,
}

pub async fn serve(listener: TcpListener, cancel: CancellationToken) {
    let router = Router::new().fallback(answer);
    let ended = axum::serve(listener, router).with_graceful_shutdown(cancel.cancelled_owned()).await;
    if let Err(error) = ended {
        tracing::error!(%error, "the sample origin ended");
    }
}

async fn answer(request: Request) -> Response {
    let (head, body) = request.into_parts();
    let greets = head.uri.path() == "/"
        && head.headers.get(header::ACCEPT).is_some_and(|accept| accept.as_bytes().windows(9).any(|word| word == b"text/html"));
    let Ok(body_bytes) = count(body).await else {
        return (StatusCode::BAD_REQUEST, "the body broke off\n").into_response();
    };
    let mut headers: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, value) in &head.headers {
        headers.entry(name.to_string()).or_default().push(String::from_utf8_lossy(value.as_bytes()).into_owned());
    }
    let host = headers.get("host").and_then(|values| values.first()).cloned().unwrap_or_default();
    if greets {
        return Html(page(&host)).into_response();
    }
    let echo = Echo {
        method: head.method.to_string(),
        path: head.uri.path().to_owned(),
        query: head.uri.query().map(str::to_owned),
        headers,
        body_bytes,
    };
    let mut text = serde_json::to_string_pretty(&echo).unwrap_or_default();
    text.push('\n');
    ([(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))], text).into_response()
}

/// The length of a body, which is thrown away as it comes.
async fn count(mut body: Body) -> Result<u64, axum::Error> {
    let mut bytes = 0;
    while let Some(frame) = body.frame().await {
        if let Some(data) = frame?.data_ref() {
            bytes += data.len() as u64;
        }
    }
    Ok(bytes)
}

fn page(host: &str) -> String {
    let host: String = host.chars().filter(|c| c.is_ascii_alphanumeric() || ".-:".contains(*c)).collect();
    format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <title>{host}</title><style>body{{font:1.1rem/1.6 system-ui,sans-serif;max-width:40rem;margin:4rem auto;padding:0 1rem}}\
         code{{background:#8882;padding:.1em .3em;border-radius:.2em}}</style>\
         <h1>{host}</h1><p>This is the sample origin of the Guard Proxy demo. The request came through HAProxy and was judged by Coraza.</p>\
         <ul><li><a href=\"/anything?hello=world\">an ordinary request</a> shows what reached the origin</li>\
         <li><a href=\"/?q=1%27%20OR%20%271%27=%271\">an SQL injection</a> is answered <code>403</code> where the policy blocks</li></ul></html>\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use tower::ServiceExt as _;

    async fn ask(request: Request) -> (StatusCode, String) {
        let answer = Router::new().fallback(answer).oneshot(request).await.unwrap();
        let status = answer.status();
        (status, String::from_utf8(answer.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap())
    }

    #[tokio::test]
    async fn it_echoes_and_greets() {
        let request = Request::post("/a/b?c=d").header("x-a", "1").header("x-a", "2").body(Body::from("12345")).unwrap();
        let (status, text) = ask(request).await;
        assert_eq!(status, StatusCode::OK);
        let echo: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(echo["method"], "POST");
        assert_eq!(echo["path"], "/a/b");
        assert_eq!(echo["query"], "c=d");
        assert_eq!(echo["headers"]["x-a"], serde_json::json!(["1", "2"]));
        assert_eq!(echo["body_bytes"], 5);

        let request = Request::get("/").header("accept", "text/html,*/*").header("host", "<script>").body(Body::empty()).unwrap();
        let (_, text) = ask(request).await;
        assert!(text.starts_with("<!doctype html>") && !text.contains("<script>"));
    }
}
