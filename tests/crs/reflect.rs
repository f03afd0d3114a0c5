//! What stands behind HAProxy: answers 200 to everything, and `/reflect` as the suite's own backend does: with the answer asked for.

use std::net::SocketAddr;

use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri};

#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wanted {
    #[serde(default)]
    status: Option<u16>,
    #[serde(default)]
    headers: std::collections::BTreeMap<String, String>,
    #[serde(default)]
    body: String,
}

pub async fn start() -> SocketAddr {
    let app = axum::Router::new().fallback(answer);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port for the origin");
    let address = listener.local_addr().expect("its address");
    tokio::spawn(async move { axum::serve(listener, app).await.expect("the origin serves") });
    address
}

async fn answer(uri: Uri, body: Bytes) -> (StatusCode, HeaderMap, String) {
    let wanted = if uri.path() == "/reflect" { serde_json::from_slice::<Wanted>(&body).ok() } else { None };
    let Some(wanted) = wanted else { return (StatusCode::OK, HeaderMap::new(), "ok\n".into()) };
    let headers = wanted.headers.iter().filter_map(|(n, v)| Some((n.parse::<HeaderName>().ok()?, v.parse::<HeaderValue>().ok()?)));
    let status = wanted.status.and_then(|s| StatusCode::from_u16(s).ok()).unwrap_or(StatusCode::OK);
    (status, headers.collect(), wanted.body)
}
