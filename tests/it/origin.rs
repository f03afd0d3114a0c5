//! An origin that says what it received, and remembers it: what an origin got is the last word on what passed.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, Uri};
use sha2::{Digest, Sha256};

#[derive(Clone, Debug)]
pub struct Received {
    pub uri: String,
    pub headers: HeaderMap,
    pub body: Bytes,
}

type Log = Arc<Mutex<Vec<Received>>>;

pub struct Origin {
    pub address: SocketAddr,
    log: Log,
    task: tokio::task::JoinHandle<()>,
}

impl Origin {
    pub async fn start() -> Self {
        let log = Log::default();
        let app = axum::Router::new().fallback(echo).layer(axum::extract::DefaultBodyLimit::max(256 << 20)).with_state(log.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port for the origin");
        let address = listener.local_addr().expect("its address");
        let task = tokio::spawn(async move { axum::serve(listener, app).await.expect("the origin serves") });
        Self { address, log, task }
    }

    /// Everything received whose URI contains `mark`.
    pub fn received(&self, mark: &str) -> Vec<Received> {
        self.log.lock().expect("the log").iter().filter(|r| r.uri.contains(mark)).cloned().collect()
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        self.task.abort();
    }
}

pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

async fn echo(State(log): State<Log>, method: Method, uri: Uri, headers: HeaderMap, body: Bytes) -> axum::Json<serde_json::Value> {
    let said = serde_json::json!({
        "method": method.as_str(),
        "uri": uri.to_string(),
        "body": body.len(),
        "sha256": sha256(&body),
        "headers": headers.iter().map(|(n, v)| (n.to_string(), String::from_utf8_lossy(v.as_bytes()).into_owned())).collect::<std::collections::BTreeMap<_, _>>(),
    });
    log.lock().expect("the log").push(Received { uri: uri.to_string(), headers, body });
    axum::Json(said)
}
