//! Which HAProxy the tests run on, and what `doctor` says of it. `HAPROXY` chooses it; `scripts/test` runs all of this with 2.6 and with 2.8.

use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use serde_json::Value;

use crate::stack::{Stack, eventually, program};

/// What `haproxy -v` says of itself: 2.8.25-5cf5d0683.
fn version() -> String {
    let output = Command::new(program("haproxy")).arg("-v").output().expect("HAProxy runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.strip_prefix("HAProxy version ").and_then(|rest| rest.split(' ').next()).expect("its version").to_owned()
}

/// Each check of `doctor` with this HAProxy as the judge: name, status and detail.
fn doctor(stack: &Stack, haproxy: &std::path::Path) -> Vec<(String, String, String)> {
    let mut command = Command::new(program("guard-proxy"));
    command.args(["doctor", "--json", "--config"]).arg(stack.path("guard-proxy.toml"));
    let output = command.env("GUARD_PROXY_HAPROXY__PROGRAM", haproxy).output().expect("doctor runs");
    let said: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let text = |check: &Value, key: &str| check[key].as_str().expect("text").to_owned();
    let checks = said["checks"].as_array().expect("checks").iter();
    checks.map(|check| (text(check, "name"), text(check, "status"), text(check, "detail"))).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_haproxy_asked_for_serves_and_judges() {
    let stack = Stack::start().await;
    let version = version();
    assert!(["2.6.", "2.8."].iter().any(|tested| version.starts_with(tested)), "{version} is not one that we say is tested");
    let mut serves = Value::Null;
    eventually("HAProxy says its version", async || {
        serves = stack.get("/api/v1/status").await.expect(200).body["engines"]["versions"]["haproxy"].clone();
        serves.is_string()
    })
    .await;
    assert_eq!(serves, version.as_str());
    let checks = doctor(&stack, &program("haproxy"));
    let of_haproxy: Vec<_> = checks.iter().filter(|(name, ..)| name == "haproxy").collect();
    assert!(matches!(&of_haproxy[..], [(_, status, detail)] if status == "ok" && detail.starts_with(&version)), "{checks:#?}");

    // Others, which judge and do not serve: one that nobody has tried, and one that is too old.
    let other = stack.path("other-haproxy");
    for (says, judged) in [("3.0.5-8e879a5", "warn"), ("2.4.22-f8e3218", "fail"), ("2.8.25-5cf5d0683", "fail")] {
        std::fs::write(&other, format!("#!/bin/sh\necho 'HAProxy version {says} 2025/01/01 - https://haproxy.org/'\n")).expect("a file");
        std::fs::set_permissions(&other, std::fs::Permissions::from_mode(0o700)).expect("its mode");
        let checks = doctor(&stack, &other);
        let of_haproxy: Vec<_> = checks.iter().filter(|(name, ..)| name == "haproxy").collect();
        let [(_, first, words), (_, second, differs)] = &of_haproxy[..] else { panic!("{checks:#?}") };
        assert_eq!((first.as_str(), second.as_str()), (judged, "warn"));
        assert!(words.contains(says) && differs.contains(says) && differs.contains(&version), "{of_haproxy:#?}");
    }
}
