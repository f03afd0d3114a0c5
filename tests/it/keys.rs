//! Keys that seal, from a shell, with the real program.

use serde_json::Value;
use tokio::process::Command;

use crate::stack::Stack;

const GUARD_PROXY: &str = env!("CARGO_BIN_EXE_guard-proxy");

async fn keys(stack: &Stack, arguments: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::new(GUARD_PROXY);
    command.env("GUARD_PROXY_URL", format!("http://{}", stack.api)).env("GUARD_PROXY_TOKEN", &stack.token).env("NO_COLOR", "1");
    command.env("HOME", stack.dir.path()).current_dir(stack.dir.path()).arg("keys");
    let output = command.args(arguments).output().await.expect("it runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_changed_from_a_shell() {
    let stack = Stack::start().await;
    let (code, out, err) = keys(&stack, &["list", "--json"]).await;
    let listed: Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!((code, &listed[0]["state"], &listed[0]["signing_keys"]), (Some(0), &"primary".into(), &1.into()), "{out}{err}");
    let (code, out, err) = keys(&stack, &["reseal"]).await;
    assert_eq!((code, out.starts_with("0 secrets sealed anew\n")), (Some(0), true), "{out}{err}");

    // A new key in the file that the server does not know yet.
    let config = stack.dir.path().join("guard-proxy.toml");
    let config = config.to_str().expect("a path");
    let (code, out, _) = keys(&stack, &["list", "--local", "--json", "--config", config]).await;
    let listed: Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!((code, listed[0]["state"].as_str()), (Some(0), Some("primary")), "{out}");
    let file = stack.path("state/auth.key");
    let old = std::fs::read_to_string(&file).expect("the key");
    std::fs::write(&file, format!("{}\n{old}", "ab".repeat(32))).expect("a new key");
    let (code, out, err) = keys(&stack, &["list", "--local", "--config", config]).await;
    assert_eq!((code, out.contains("old      0 authenticators, 1 signing key")), (Some(0), true), "{out}{err}");
    assert!(err.contains("is still needed: `guard-proxy keys reseal`"), "{err}");
    assert!(!out.contains(old.trim()), "a key is never shown");
    let (code, out, err) = keys(&stack, &["reseal", "--local", "--config", config]).await;
    assert_eq!((code, err.contains("another `guard-proxy serve` works on this database")), (Some(1), true), "{out}{err}");
    assert!(err.contains("without `--local`"), "{err}");
}
