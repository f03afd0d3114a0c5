//! Revisions, deployments, waiting, status, the stream; and the end of a server.

use std::time::Duration;

use futures::StreamExt;
use serde_json::{Value, json};
use sqlx::PgPool;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tower::ServiceExt;

use super::harness::{TOKEN, app};
use crate::dataplane::EngineStatus;
use crate::domain::deployment::DeploymentState;
use crate::domain::proof::{Proof, ProofState};
use crate::domain::{FieldError, Name};

#[sqlx::test(migrations = "./migrations")]
async fn revisions_and_their_files(pool: PgPool) {
    let app = app(&pool).await;
    app.furnish().await;
    app.put("/api/v1/policies/other?message=because%20of%20it", None, json!({})).await.is(201);
    let page = app.get("/api/v1/revisions?limit=3").await.is(200).json();
    let numbers = |page: &Value| page["items"].as_array().unwrap().iter().map(|r| r["number"].as_i64().unwrap()).collect::<Vec<_>>();
    assert_eq!((numbers(&page), &page["total"]), (vec![4, 3, 2], &json!(4)));
    assert_eq!(page["items"][0]["message"], "because of it");
    let next = page["next_cursor"].as_str().unwrap();
    let page = app.get(&format!("/api/v1/revisions?limit=3&cursor={next}")).await.is(200).json();
    assert_eq!((numbers(&page), &page["next_cursor"]), (vec![1], &Value::Null));
    let revision = app.get("/api/v1/revisions/4").await.is(200).json();
    assert_eq!(revision["changes"], json!([{"kind": "policy", "name": "other", "change": "created"}]));
    app.get("/api/v1/revisions/5").await.problem(404, "not_found");

    let files = app.get("/api/v1/revisions/4/files").await.is(200).json();
    let first = &files["items"][0];
    let path = first["path"].as_str().unwrap();
    let file = app.get(&format!("/api/v1/revisions/4/files/{path}")).await.is(200);
    assert_eq!(file.text.len(), first["size"].as_u64().unwrap() as usize);
    let escaped = path.replace('/', "%2F");
    assert_eq!(app.get(&format!("/api/v1/revisions/4/files/{escaped}")).await.is(200).text, file.text);
    app.get("/api/v1/revisions/4/files/..%2Fetc%2Fpasswd").await.problem(404, "not_found");
}

#[sqlx::test(migrations = "./migrations")]
async fn waiting_ends_live_refused_or_not_yet(pool: PgPool) {
    let app = app(&pool).await;
    app.furnish().await;
    let body = json!({"mode": "detect"});

    let waiting = app.put("/api/v1/policies/a?wait=live&wait_timeout_s=1", None, body.clone()).await.is(202);
    assert_eq!(waiting.header("location"), "/api/v1/revisions/4");
    assert_eq!(waiting.json()["mode"], "detect");
    let mut deployment = app.service.open_deployment(4).await.unwrap();
    let deleted = app.delete("/api/v1/policies/a?wait=live&wait_timeout_s=1", "*").await.is(202);
    assert_eq!(deleted.text, "");
    let path = format!("/api/v1/deployments/{}", deployment.id);
    deployment.state = DeploymentState::Live;
    app.service.save_deployment(&deployment).await.unwrap();
    assert_eq!(app.get(&path).await.is(200).json()["state"], "live");

    // Live meanwhile.
    let (answer, ()) = tokio::join!(app.put("/api/v1/policies/b?wait=live", None, body.clone()), async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        let mut deployment = app.service.open_deployment(6).await.unwrap();
        deployment.state = DeploymentState::Live;
        app.service.save_deployment(&deployment).await.unwrap();
    });
    let answer = answer.is(201);
    assert_eq!((answer.header("guard-proxy-revision"), answer.header("guard-proxy-live-revision")), ("6", "6"));
    assert_eq!(answer.header("location"), "/api/v1/policies/b");

    // Refused meanwhile.
    let (answer, id) = tokio::join!(app.patch("/api/v1/policies/b?wait=live", "*", json!({"mode": "off"})), async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        let mut deployment = app.service.open_deployment(7).await.unwrap();
        deployment.state = DeploymentState::Refused;
        deployment.said = "no".to_owned();
        deployment.errors = vec![FieldError::new("/policies/b/mode", "refused", "no")];
        app.service.save_deployment(&deployment).await.unwrap();
        app.service.take_back(6, &deployment, [7].into()).await.unwrap();
        deployment.id
    });
    let problem = answer.problem(422, "refused");
    assert_eq!((&problem["deployment"], &problem["revision"], &problem["said"]), (&json!(id), &json!(7), &json!("no")));
    assert_eq!(problem["errors"][0]["pointer"], "/policies/b/mode");

    let status = app.get("/api/v1/status").await.is(200).json();
    assert_eq!((&status["head"], &status["live"], &status["current"]), (&json!(8), &json!(6), &json!(false)));
    assert_eq!(status["refused"][0]["revision"], 7);
    let states = app.get("/api/v1/deployments?state=live&state=refused&limit=1").await.is(200).json();
    assert_eq!(states["items"][0]["state"], "refused");
    let next = states["next_cursor"].as_str().unwrap();
    let rest = app.get(&format!("/api/v1/deployments?state=live&state=refused&limit=2&cursor={next}")).await.is(200).json();
    assert_eq!((rest["items"].as_array().unwrap().len(), &rest["next_cursor"]), (2, &Value::Null));
    app.get(&format!("/api/v1/deployments?cursor={next}")).await.problem(400, "invalid_query");
    app.get("/api/v1/deployments?state=done").await.problem(400, "invalid_query");

    let vhost = app.get("/api/v1/vhosts/shop/status").await.is(200).json();
    assert_eq!((&vhost["live"], &vhost["state"], &vhost["proof"]), (&json!(true), &json!("unprobed"), &Value::Null));
    // What was proven is not, while an engine is away.
    let at = app.service.now();
    let (vhost, host, row) = (Name::parse("shop").unwrap(), "shop.test".to_owned(), String::new());
    let proof = Proof { vhost, state: ProofState::Proven, revision: 7, at, host, row, seen: vec![] };
    app.service.save_proofs(vec![proof]).await.unwrap();
    assert_eq!(app.get("/api/v1/vhosts/shop/status").await.is(200).json()["state"], "proven");
    app.service.set_engine_status(EngineStatus { haproxy_up: true, problems: vec!["guard-spoa: away".into()], ..Default::default() });
    assert_eq!(app.get("/api/v1/vhosts/shop/status").await.is(200).json()["state"], "unproven");
    app.get("/api/v1/vhosts/nobody/status").await.problem(404, "not_found");
}

#[sqlx::test(migrations = "./migrations")]
async fn the_stream_tells_resumes_and_resets(pool: PgPool) {
    let app = app(&pool).await;
    app.furnish().await;
    let open = async |lines: &[(&'static str, String)], topics: &str| {
        let mut request = http::Request::builder().uri(format!("/api/v1/stream?topics={topics}"));
        request = request.header("authorization", format!("Bearer {TOKEN}"));
        for (name, value) in lines {
            request = request.header(*name, value);
        }
        let response = app.router.clone().oneshot(request.body(axum::body::Body::empty()).unwrap()).await.unwrap();
        assert_eq!(
            (response.status().as_u16(), &response.headers()["content-type"]),
            (200, &http::HeaderValue::from_static("text/event-stream"))
        );
        response.into_body().into_data_stream()
    };
    let text = async |stream: &mut axum::body::BodyDataStream| {
        let bytes = tokio::time::timeout(Duration::from_secs(5), stream.next()).await.unwrap().unwrap().unwrap();
        String::from_utf8(bytes.to_vec()).unwrap()
    };
    let mut stream = open(&[], "revisions").await;
    app.put("/api/v1/policies/a", None, json!({})).await.is(201);
    let event = text(&mut stream).await;
    assert!(event.contains("event: revisions") && event.contains("\"number\":4"), "{event}");
    let id = event.lines().find_map(|line| line.strip_prefix("id: ")).unwrap().to_owned();
    app.put("/api/v1/policies/b", None, json!({})).await.is(201);
    let mut resumed = open(&[("last-event-id", id)], "revisions").await;
    assert!(text(&mut resumed).await.contains("\"number\":5"));
    let mut elsewhere = open(&[("last-event-id", "00000000-7".to_owned())], "").await;
    assert!(text(&mut elsewhere).await.contains("event: reset"));
    app.get("/api/v1/stream?topics=weather").await.problem(400, "invalid_query");

    app.state.stop.cancel();
    let ended = tokio::time::timeout(Duration::from_secs(5), elsewhere.collect::<Vec<_>>()).await;
    assert!(ended.is_ok());
}

#[sqlx::test(migrations = "./migrations")]
async fn a_server_ends_though_a_stream_is_open(pool: PgPool) {
    let app = app(&pool).await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let shutdown = async move { drop(stopped.await) };
    let server = tokio::spawn(crate::api::serve(listener, app.router.clone(), None, app.state.stop.clone(), shutdown));
    let mut client = tokio::net::TcpStream::connect(address).await.unwrap();
    let request = format!("GET /api/v1/stream HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\n\r\n");
    client.write_all(request.as_bytes()).await.unwrap();
    let mut head = [0; 12];
    client.read_exact(&mut head).await.unwrap();
    assert_eq!(&head, b"HTTP/1.1 200");
    stop.send(()).unwrap();
    tokio::time::timeout(Duration::from_secs(5), server).await.unwrap().unwrap().unwrap();
}
