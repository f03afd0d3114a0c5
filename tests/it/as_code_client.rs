//! The commands of policies as code against a server that is played: signals at every moment, and what leaves nothing behind. See `as_code`
//! for those with the real server.

use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use http::StatusCode;
use serde_json::{Value, json};

const ID: &str = "018f2f3e-0000-7000-8000-000000000002";

#[derive(Clone, Default)]
struct Played {
    asked: Arc<Mutex<Vec<String>>>,
    /// What is never answered: a part of method and path.
    hangs: &'static str,
    /// How long a commit takes.
    commit_takes: Duration,
    /// The commit is answered with 503, and the change set is in this state then.
    fails_and_is: Option<&'static str>,
    /// It is a proxy that answers so, and not the server.
    by_proxy: bool,
    /// The commit is answered with 200, and with nothing that says what became of it.
    garbled: bool,
}

fn change_set(state: &str, revision: Option<i64>) -> Value {
    json!({ "id": ID, "state": state, "author": "ci", "message": "", "base": 8, "version": 1, "created_at": "2026-01-01T00:00:00Z",
        "updated_at": "2026-01-01T00:00:00Z", "counts": { "created": 0, "updated": 1, "deleted": 0 }, "revision": revision, "refusal": null, "approval": null, "rollback_to": null })
}

fn plan(changes: usize) -> Value {
    let change = json!({ "kind": "policy", "name": "shop", "change": "updated", "fields": [], "fields_left_out": 0 });
    json!({
        "id": ID, "digest": "ab12", "source": { "kind": "change_set", "id": ID }, "author": "ci", "created_at": "2026-01-01T00:00:00Z", "head": 8,
        "diff": { "counts": { "created": 0, "updated": changes, "deleted": 0 }, "changes": vec![change; changes], "left_out": 0 },
        "conflicts": [], "errors": [], "findings": [], "engines": [], "files": [], "vhosts": { "total": 0, "names": [] }, "lanes": [],
        "cost": { "rulesets_to_load": 0, "memory_bytes": 0, "warm_up_ms": 0, "map_entries": 0 }, "risk": { "class": "low", "reasons": [] },
    })
}

async fn answer(State(played): State<Played>, request: Request) -> Response {
    let asked = format!("{} {}", request.method(), request.uri().path().trim_start_matches("/api/v1"));
    played.asked.lock().expect("the notes").push(asked.clone());
    if !played.hangs.is_empty() && asked.contains(played.hangs) {
        std::future::pending::<()>().await;
    }
    let (status, body) = match asked.as_str() {
        "POST /change-sets" => (201, change_set("open", None)),
        path if path.starts_with("PUT") => (200, change_set("open", None)),
        path if path.ends_with("/plan") => (201, plan(1)),
        path if path.ends_with("/commit") && played.garbled => (200, json!("done")),
        path if path.ends_with("/commit") && played.by_proxy => (504, json!({ "message": "upstream timed out" })),
        path if path.ends_with("/commit") && played.fails_and_is.is_some() => {
            (503, json!({ "status": 503, "code": "unavailable", "detail": "the database is away", "request_id": "r" }))
        }
        path if path.starts_with("GET /change-sets/") => {
            let state = played.fails_and_is.unwrap_or("open");
            (200, change_set(state, (state == "committed").then_some(9)))
        }
        path if path.ends_with("/commit") => {
            tokio::time::sleep(played.commit_takes).await;
            (200, change_set("committed", Some(9)))
        }
        "GET /deployments" => (200, json!({ "items": [], "next_cursor": null })),
        _ => (204, Value::Null),
    };
    (StatusCode::from_u16(status).expect("a status"), Json(body)).into_response()
}

/// Runs `apply`, sends SIGINT when the server was asked `at`, and gives the exit code, standard error, and what was asked.
async fn interrupted(at: &'static str, hangs: &'static str, commit_takes: Duration) -> (Option<i32>, String, Vec<String>) {
    applied(Played { hangs, commit_takes, ..Played::default() }, Some(at)).await
}

async fn applied(played: Played, at: Option<&'static str>) -> (Option<i32>, String, Vec<String>) {
    let asked = played.asked.clone();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("its address"));
    let server = tokio::spawn(axum::serve(listener, Router::new().fallback(answer).with_state(played)).into_future());
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_guard-proxy"));
    command.args(["apply", "--yes", "--timeout", "20"]).arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/policies"));
    command.env("GUARD_PROXY_URL", url).env("GUARD_PROXY_TOKEN", "t").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.kill_on_drop(true).spawn().expect("it starts");
    if let Some(at) = at {
        let until = Instant::now() + Duration::from_secs(20);
        while !asked.lock().expect("the notes").iter().any(|line: &String| line.contains(at)) {
            assert!(Instant::now() < until, "never asked {at}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        let pid = child.id().expect("it runs").to_string();
        assert!(std::process::Command::new("kill").args(["-INT", &pid]).status().expect("kill runs").success());
    }
    let output = tokio::time::timeout(Duration::from_secs(20), child.wait_with_output()).await.expect("it ends").expect("its output");
    server.abort();
    let asked = asked.lock().expect("the notes").clone();
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned(), asked)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_before_the_commit_leaves_nothing_behind() {
    for hangs in ["/desired", "/plan"] {
        let (code, said, asked) = interrupted(hangs, hangs, Duration::ZERO).await;
        assert_eq!(code, Some(130), "{said}");
        assert!(said.contains("nothing was committed"), "{said}");
        assert_eq!(asked.last(), Some(&format!("DELETE /change-sets/{ID}")), "{asked:?}");
        assert!(!asked.iter().any(|line| line.ends_with("/commit")), "{asked:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_during_the_commit_waits_for_its_answer() {
    let (code, said, asked) = interrupted("/commit", "", Duration::from_secs(1)).await;
    assert_eq!(code, Some(130), "{said}");
    assert!(said.contains("revision 9 is committed") && said.contains("guard-proxy status"), "{said}");
    assert!(!asked.iter().any(|line| line.starts_with("DELETE")), "{asked:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_after_the_commit_says_what_is_committed() {
    let (code, said, asked) = interrupted("GET /deployments", "", Duration::ZERO).await;
    assert_eq!(code, Some(130), "{said}");
    assert!(said.contains("revision 9 is committed") && said.contains("guard-proxy status"), "{said}");
    assert!(!asked.iter().any(|line| line.starts_with("DELETE")), "{asked:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_the_server_failed_over_is_looked_up_and_not_thrown_away() {
    for (state, how, code, words) in [
        ("open", "", 1, "the database is away"),
        ("open", "by proxy", 1, "504 Gateway Timeout"),
        ("open", "garbled", 1, "not what this version knows"),
        ("awaiting_approval", "", 3, "awaits the approval of somebody else"),
    ] {
        let played = Played { fails_and_is: Some(state), by_proxy: how == "by proxy", garbled: how == "garbled", ..Played::default() };
        let (exit, said, asked) = applied(played, None).await;
        assert!(exit == Some(code) && said.contains(words), "{exit:?} {said}");
        assert_eq!(state == "open", said.contains("it is not known whether"), "{said}");
        assert!(!asked.iter().any(|line| line.starts_with("DELETE")), "{asked:?}");
    }
}

#[test]
fn no_command_needs_settings_and_errors_are_1() {
    let run = |arguments: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_guard-proxy"));
        command.args(arguments).env_clear().env("GUARD_PROXY_CONFIG", "/nowhere.toml").stdin(Stdio::null());
        let output = command.current_dir(env!("CARGO_MANIFEST_DIR")).output().expect("it runs");
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    assert_eq!(run(&["validate", "examples/policies"]).0, Some(0));
    for command in
        [&["plan", "examples/policies"][..], &["apply", "examples/policies", "--yes"], &["status"], &["diff", "1"], &["export", "x"]]
    {
        let (code, said) = run(command);
        assert_eq!(code, Some(1), "{command:?}: {said}");
        assert!(said.contains("GUARD_PROXY_URL"), "{said}");
    }
    let (code, said) = run(&["apply", "examples/policies"]);
    assert!(code == Some(1) && said.contains("--yes"), "{said}");
    // A token is no value of a flag, for all to see.
    assert_eq!(run(&["status", "--token", "secret"]).0, Some(1));
}
