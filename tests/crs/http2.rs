//! A request over HTTP/2, by prior knowledge: what a test means whose version is HTTP/2. As a line of HTTP/1 that is no request at all.

use std::net::SocketAddr;

use axum::http::Request;

use crate::format::Input;
use crate::wire::{Answer, connect};

/// Host is the authority; the others HTTP/2 forbids.
const NOT_SENT: [&str; 4] = ["host", "connection", "keep-alive", "proxy-connection"];

pub async fn send(to: SocketAddr, input: &Input) -> Answer {
    assert!(input.data.is_none() && input.encoded_data.is_none(), "a body over HTTP/2 is not needed so far");
    let host = input.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case("host")).map_or("", |(_, v)| v.as_str());
    let uri = format!("http://{host}{}", input.uri.as_deref().unwrap_or("/"));
    let mut request = Request::builder().method(input.method.as_deref().unwrap_or("GET")).uri(uri);
    for (name, value) in input.headers.iter().filter(|(n, _)| !NOT_SENT.contains(&n.to_lowercase().as_str())) {
        request = request.header(name, value);
    }
    let (client, connection) = h2::client::handshake(connect(to, None).await).await.expect("HAProxy speaks HTTP/2");
    let driver = tokio::spawn(connection);
    let mut client = client.ready().await.expect("a stream");
    let (answer, _) = client.send_request(request.body(()).expect("a request"), true).expect("sending");
    let answer = answer.await.expect("an answer");
    let text = |v: &axum::http::HeaderValue| String::from_utf8_lossy(v.as_bytes()).into_owned();
    let headers = answer.headers().iter().map(|(n, v)| (n.to_string(), text(v))).collect();
    driver.abort();
    Answer { status: answer.status().as_u16(), headers, body: Vec::new() }
}
