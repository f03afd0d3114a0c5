//! The commands against a server that is played: what a real one would rarely do on demand.

use std::sync::{Arc, Mutex};

use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use axum::{Json, Router};
use http::StatusCode;
use serde_json::{Value, json};

use super::*;
use crate::cli::client::{Client, Connection};
use crate::cli::printer::Printer;
use crate::domain::deployment::Deployment;

type Play = dyn Fn(&str, &str) -> (u16, Value) + Send + Sync;

#[derive(Clone)]
struct Played {
    play: Arc<Play>,
    asked: Arc<Mutex<Vec<String>>>,
}

async fn answer(State(played): State<Played>, request: Request) -> Response {
    let path = request.uri().path_and_query().map(ToString::to_string).unwrap_or_default();
    let path = path.trim_start_matches("/api/v1").to_owned();
    let method = request.method().to_string();
    played.asked.lock().unwrap().push(format!("{method} {path}"));
    let (status, body) = (played.play)(&method, &path);
    if status == 0 {
        std::future::pending::<()>().await;
    }
    (StatusCode::from_u16(status).unwrap(), [("guard-proxy-revision", "9")], Json(body)).into_response()
}

async fn server(play: impl Fn(&str, &str) -> (u16, Value) + Send + Sync + 'static) -> (Client, Arc<Mutex<Vec<String>>>) {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let played = Played { play: Arc::new(play), asked: asked.clone() };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(axum::serve(listener, Router::new().fallback(answer).with_state(played)).into_future());
    let connection = Connection { url: Some(url), token: Some("t".to_owned()), ..Connection::default() };
    (Client::new(&connection).unwrap(), asked)
}

const ID: &str = "018f2f3e-0000-7000-8000-000000000002";

fn change_set(state: &str, revision: Option<i64>) -> Value {
    json!({ "id": ID, "state": state, "author": "ci", "message": "", "base": 8, "version": 1, "created_at": "2026-01-01T00:00:00Z",
        "updated_at": "2026-01-01T00:00:00Z", "counts": { "created": 0, "updated": 1, "deleted": 0 }, "revision": revision, "refusal": null })
}

fn plan() -> Value {
    serde_json::to_value(crate::cli::words::sample_plan()).unwrap()
}

fn problem(status: u16, code: &str, more: Value) -> (u16, Value) {
    let mut body = json!({ "type": "x", "title": "x", "status": status, "detail": "no", "code": code, "errors": [], "request_id": "r" });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    (status, body)
}

fn tree() -> Tree {
    good_tree(&std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/policies")).unwrap()
}

fn message(failure: Failure) -> String {
    match failure {
        Failure::User { message, .. } | Failure::Waits { message, .. } | Failure::Interrupted(message) => message,
        Failure::Internal(error) => panic!("{error:#}"),
    }
}

#[tokio::test]
async fn faults_of_what_was_sent_come_back_with_file_and_line() {
    let tree = tree();
    let index = tree.documents.iter().position(|document| document.path() == "policies/shop").unwrap();
    let (client, asked) = server(move |method, path| match (method, path) {
        ("POST", "/change-sets") => (201, change_set("open", None)),
        ("PUT", _) => {
            let pointer = format!("/objects/{index}/custom_rules/0/seclang");
            problem(422, "invalid", json!({ "errors": [{ "pointer": pointer, "code": "x", "detail": "wrong", "line": 1, "column": 9 }] }))
        }
        _ => (204, Value::Null),
    })
    .await;
    let mut interrupts = Interrupts::new().unwrap();
    let Err(failure) = stage(&client, &tree.documents, "m", true, &mut interrupts).await else { panic!("staged") };
    assert!(message(failure).contains("examples/policies/policies/shop.yaml:13:15: policies/shop: wrong [x]"));
    let asked = asked.lock().unwrap().clone();
    assert_eq!(
        asked,
        ["POST /change-sets".to_owned(), format!("PUT /change-sets/{ID}/desired?prune=true"), format!("DELETE /change-sets/{ID}")]
    );
}

async fn committed(answer: (u16, Value)) -> (Result<(i64, bool), String>, Vec<String>) {
    let (client, asked) = server(move |method, path| match (method, path) {
        ("POST", "/change-sets") => (201, change_set("open", None)),
        ("POST", path) if path.ends_with("/plan") => (201, plan()),
        ("POST", path) if path.ends_with("/commit") => answer.clone(),
        ("GET", "/revisions/8") => {
            (200, json!({ "number": 8, "created_at": "2026-01-01T00:00:00Z", "author": "pipeline-b", "message": "calm", "digest": "", "counts": { "created": 0, "updated": 0, "deleted": 0 }, "changes": [], "origin": { "kind": "write" } }))
        }
        ("PUT", _) => (200, change_set("open", None)),
        _ => (204, Value::Null),
    })
    .await;
    let (tree, mut interrupts) = (tree(), Interrupts::new().unwrap());
    let Ok(staged) = stage(&client, &tree.documents, "m", false, &mut interrupts).await else { panic!("not staged") };
    let outcome = commit(&client, &staged, &tree.documents, &Printer::plain(), &mut interrupts).await;
    let asked = asked.lock().unwrap().clone();
    (outcome.map(|committed| (committed.revision, committed.interrupted)).map_err(message), asked)
}

#[tokio::test]
async fn who_loses_learns_who_won_with_what() {
    assert_eq!(committed((200, change_set("committed", Some(9)))).await.0, Ok((9, false)));
    let conflict = json!({ "conflicts": [{ "kind": "policy", "name": "shop", "element": "", "fields": ["/mode"], "base": { "mode": "off" },
        "yours": { "mode": "block" }, "theirs": { "mode": "detect" }, "theirs_revision": 8 }] });
    let (outcome, asked) = committed(problem(409, "conflict", conflict)).await;
    let said = outcome.unwrap_err();
    for part in ["policies/shop", "pipeline-b", "revision 8", "yours: \"block\"", "theirs: \"detect\"", "nothing was committed"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert_eq!(asked.last().unwrap(), &format!("DELETE /change-sets/{ID}"));
    let said = committed(problem(409, "plan_changed", json!({}))).await.0.unwrap_err();
    assert!(said.contains("nothing was committed"), "{said}");
    let refused =
        json!({ "said": "bad regex", "errors": [{ "pointer": "/policies/shop/custom_rules/0", "code": "refused", "detail": "d" }] });
    let said = committed(problem(422, "refused", refused)).await.0.unwrap_err();
    assert!(said.contains("policies/shop.yaml:11:5") && said.contains("| bad regex"), "{said}");
}

#[tokio::test]
async fn what_waits_is_no_commit_and_its_change_set_stays() {
    for state in ["awaiting_approval", "approved"] {
        let mut waiting = change_set(state, None);
        waiting["approval"] = json!({ "vhosts": ["bank"], "plan_digest": "d", "requested_at": "2026-01-01T00:00:00Z", "decision": null });
        let (client, asked) = server(move |method, path| match (method, path) {
            ("POST", "/change-sets") => (201, change_set("open", None)),
            ("POST", path) if path.ends_with("/plan") => (201, plan()),
            ("POST", path) if path.ends_with("/commit") => (202, waiting.clone()),
            ("PUT", _) => (200, change_set("open", None)),
            _ => (204, Value::Null),
        })
        .await;
        let (tree, mut interrupts) = (tree(), Interrupts::new().unwrap());
        let Ok(staged) = stage(&client, &tree.documents, "m", false, &mut interrupts).await else { panic!("not staged") };
        let outcome = commit(&client, &staged, &tree.documents, &Printer::plain(), &mut interrupts).await;
        let Err(failure) = outcome else { panic!("committed") };
        assert_eq!((failure.exit_code(), failure.exit_code_of_pipelines()), (3, 3));
        assert!(message(failure).contains("bank"));
        assert!(!asked.lock().unwrap().iter().any(|line| line.starts_with("DELETE")), "it waits: it is not taken back");
    }
}

fn deployment(revision: i64, state: &str, pointer: &str) -> Deployment {
    serde_json::from_value(json!({
        "id": uuid::Uuid::from_u128(u128::try_from(revision).unwrap()), "revision": revision, "state": state, "lanes": ["runtime"],
        "created_at": "2026-01-01T00:00:00Z", "ended_at": null, "attempts": 1, "said": "no", "bundle_digest": "", "made_with": {},
        "errors": if pointer.is_empty() { json!([]) } else { json!([{ "pointer": pointer, "code": "refused", "detail": "d" }]) },
        "steps": [{ "name": "compile", "started_at": "2026-01-01T00:00:00Z", "took_us": 10, "ok": true, "detail": "" }],
    }))
    .unwrap()
}

#[test]
fn a_verdict_is_about_what_we_committed() {
    use super::follow::{Verdict, verdict};
    let ours = |error: &crate::domain::FieldError| error.pointer.starts_with("/policies/shop");
    let of = |all: &[Deployment]| match verdict(9, all, ours) {
        Verdict::Live(d) => format!("live {}", d.revision),
        Verdict::Refused(d) => format!("refused {}", d.revision),
        Verdict::NotYet => "not yet".to_owned(),
    };
    assert_eq!(of(&[]), "not yet");
    assert_eq!(of(&[deployment(8, "live", "")]), "not yet");
    assert_eq!(of(&[deployment(9, "applying", "")]), "not yet");
    assert_eq!(of(&[deployment(9, "superseded", ""), deployment(10, "live", "")]), "live 10");
    assert_eq!(of(&[deployment(9, "refused", ""), deployment(10, "live", "")]), "refused 9");
    assert_eq!(of(&[deployment(10, "refused", "/policies/other/mode")]), "not yet");
    assert_eq!(of(&[deployment(10, "refused", "/policies/shop/mode")]), "refused 10");
}

#[tokio::test]
async fn what_is_refused_after_the_commit_fails_with_words_and_places() {
    let followed = async |refused: bool, origin: Value| {
        let (client, _) = server(move |_, path| {
            if path.starts_with("/deployments") {
                let all = if refused {
                    vec![deployment(9, "refused", "/policies/shop/custom_rules/0")]
                } else {
                    vec![deployment(10, "live", "")]
                };
                return (200, json!({ "items": all, "next_cursor": null }));
            }
            (200, json!({ "items": [{ "number": 10, "origin": origin }] }))
        })
        .await;
        let mut interrupts = Interrupts::new().unwrap();
        let patience = std::time::Duration::from_secs(5);
        follow(&client, 9, &tree().documents, patience, &Printer::plain(), &mut interrupts).await.map_err(message)
    };
    let said = followed(true, Value::Null).await.unwrap_err();
    assert!(said.contains("policies/shop.yaml:11:5") && said.contains("| no"), "{said}");
    assert_eq!(followed(false, json!({ "kind": "write" })).await, Ok(()));
    let said = followed(false, json!({ "kind": "take_back", "revisions": [9], "deployment": ID })).await.unwrap_err();
    assert!(said.contains("taken back by revision 10"), "{said}");
}

#[tokio::test]
async fn what_is_no_guard_proxy_and_what_is_away_is_said_so() {
    for (status, words) in [(404, "is the URL right"), (502, "something before it answers 502")] {
        let (client, _) = server(move |_, _| (status, json!("gateway"))).await;
        assert!(message(client.get("/status").await.unwrap_err().into()).contains(words), "{status}");
    }
    let gone = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let connection = Connection { url: Some(format!("http://{gone}")), token: Some("t".to_owned()), ..Connection::default() };
    let client = Client::new(&connection).unwrap();
    assert!(message(client.get("/status").await.unwrap_err().into()).contains("cannot be reached"));
}
