//! The audit log from a shell, and the door of the API, with the real program.

use serde_json::{Value, json};
use tokio::process::Command;

use crate::stack::Stack;

const GUARD_PROXY: &str = env!("CARGO_BIN_EXE_guard-proxy");

async fn run(stack: &Stack, arguments: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::new(GUARD_PROXY);
    command.env("GUARD_PROXY_URL", format!("http://{}", stack.api)).env("GUARD_PROXY_TOKEN", &stack.token).env("NO_COLOR", "1");
    command.env("HOME", stack.dir.path()).current_dir(stack.dir.path());
    let output = command.args(arguments).output().await.expect("it runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_from_a_shell() {
    let stack = Stack::start().await;
    stack.site("a", json!({})).await;
    let denied = reqwest::Client::new().get(format!("http://{}/api/v1/policies/a", stack.api)).send().await.expect("an answer");
    assert_eq!(denied.status(), 401);

    let (code, out, err) = run(&stack, &["audit", "list", "--object", "policy/a", "--limit", "1"]).await;
    assert_eq!((code, out.contains("token:admin from 127.0.0.1"), out.lines().count()), (Some(0), true, 1), "{out}{err}");
    let (code, out, _) = run(&stack, &["audit", "export"]).await;
    assert_eq!(code, Some(0));
    let rows: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect();
    for action in ["create", "denied", "deployment.live"] {
        assert!(rows.iter().any(|row| row["action"] == action), "{action}: {out}");
    }

    let (code, out, err) = run(&stack, &["audit", "verify", "--json"]).await;
    assert_eq!(code, Some(0), "{out}{err}");
    let verdict: Value = serde_json::from_str(&out).expect("JSON");
    let place = format!("{}:{}", verdict["last"]["id"], verdict["last"]["hash"].as_str().expect("a hash"));
    let config = stack.dir.path().join("guard-proxy.toml");
    let config = config.to_str().expect("a path");
    let (code, out, err) = run(&stack, &["audit", "verify", "--local", "--config", config, "--after", &place]).await;
    assert_eq!((code, out.contains("what was written")), (Some(0), true), "{out}{err}");
    let wrong = format!("{}:{}", verdict["last"]["id"], "0".repeat(64));
    for more in [&["--after", wrong.as_str()][..], &["--after", wrong.as_str(), "--local", "--config", config][..]] {
        let (code, out, _) = run(&stack, &[&["audit", "verify"][..], more].concat()).await;
        assert_eq!((code, out.contains("wrong")), (Some(1), true), "{out}");
    }
}

#[tokio::test]
async fn plain_http_stays_on_loopback_unless_somebody_says_so() {
    let serve = async |settings: &[(&str, &str)]| {
        let mut command = Command::new(GUARD_PROXY);
        // No database answers there: what gets that far is not held back by its address.
        command.arg("serve").env("GUARD_PROXY_DATABASE__URL", "postgres://x@127.0.0.1:1/x").env("GUARD_PROXY_API__LISTEN", "0.0.0.0:0");
        let output = command.envs(settings.iter().copied()).output().await.expect("it runs");
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (code, said) = serve(&[]).await;
    assert!(code == Some(1) && said.contains("not loopback") && said.contains("api.tls_certificate"), "{said}");
    let (code, said) = serve(&[("GUARD_PROXY_API__ALLOW_PLAIN", "true")]).await;
    assert!(code == Some(1) && said.contains("the database cannot be used"), "{said}");
    let (code, said) = serve(&[("GUARD_PROXY_API__TLS_CERTIFICATE", "/nowhere/cert.pem")]).await;
    assert!(code == Some(1) && said.contains("tls_key"), "{said}");
    let (code, said) = serve(&[("GUARD_PROXY_API__ALLOW_PLAIN", "true"), ("GUARD_PROXY_API__CORS_ORIGINS", "*")]).await;
    assert!(code == Some(1) && said.contains("cors_origins"), "{said}");
}
