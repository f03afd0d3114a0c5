//! Policies as code with everything real: the commands as pipelines call them, and what is on the wire afterwards.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::response::Response;
use serde_json::{Value, json};

use crate::stack::{Stack, kill};
use crate::wire::{SQLI, get};

/// What a command came to.
#[derive(Debug)]
pub struct Ran {
    code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Ran {
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{}\n{}", self.out, self.err);
        self
    }
}

fn command(program: impl AsRef<std::ffi::OsStr>, url: &str, token: &str, folder: &Path) -> tokio::process::Command {
    let mut command = tokio::process::Command::new(program);
    command.env("GUARD_PROXY_URL", url).env("GUARD_PROXY_TOKEN", token).env("NO_COLOR", "1").env("HOME", folder);
    command.current_dir(folder).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    command
}

async fn ended(child: tokio::process::Child) -> Ran {
    let output = tokio::time::timeout(Duration::from_secs(150), child.wait_with_output()).await.expect("it ends").expect("its output");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ran { code: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) }
}

const GUARD_PROXY: &str = env!("CARGO_BIN_EXE_guard-proxy");

/// Runs `guard-proxy` in a folder.
async fn run_at(url: &str, stack: &Stack, folder: &Path, arguments: &[&str]) -> Ran {
    ended(command(GUARD_PROXY, url, &stack.token, folder).args(arguments).spawn().expect("it starts")).await
}

pub async fn run(stack: &Stack, folder: &Path, arguments: &[&str]) -> Ran {
    run_at(&format!("http://{}", stack.api), stack, folder, arguments).await
}

/// With another token than the administrator's.
pub async fn run_with(token: &str, stack: &Stack, folder: &Path, arguments: &[&str]) -> Ran {
    let url = format!("http://{}", stack.api);
    ended(command(GUARD_PROXY, &url, token, folder).args(arguments).spawn().expect("it starts")).await
}

pub fn write(folder: &Path, path: &str, text: &str) {
    let path = folder.join(path);
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    std::fs::write(path, text).expect("a file");
}

/// All files of a folder.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let (mut found, mut folders) = (BTreeMap::new(), vec![folder.to_owned()]);
    while let Some(at) = folders.pop() {
        for entry in std::fs::read_dir(at).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let text = std::fs::read(&path).expect("a file");
                found.insert(path.strip_prefix(folder).expect("in it").to_owned(), text);
            }
        }
    }
    found
}

pub fn policy(mode: &str) -> String {
    format!("kind: policy\nname: a\nmode: {mode}\n")
}

pub fn vhost(stack: &Stack) -> String {
    let port = stack.origin.address.port();
    format!(
        "kind: vhost\nname: a\nhostnames: [a.test]\npolicy: a\nupstream:\n  servers:\n    - name: o\n      address: 127.0.0.1\n      port: {port}\n"
    )
}

pub async fn head(stack: &Stack) -> i64 {
    stack.get("/api/v1/status").await.expect(200).body["head"].as_i64().expect("a number")
}

async fn open_change_sets(stack: &Stack) -> usize {
    stack.get("/api/v1/change-sets?state=open").await.expect(200).body["items"].as_array().expect("a list").len()
}

#[tokio::test(flavor = "multi_thread")]
async fn export_apply_export_is_the_same_to_the_byte() {
    let stack = Stack::start().await;
    let rule = "SecRule ARGS:debug \"@rx ^(?:on|1e3)$\" \\\n    \"phase:2,deny,msg:'it''s: # odd'\"".replace("''", "");
    let odd = json!({ "title": "on", "description": "two\nlines: # and more\n", "custom_rules": [{ "id": 190001, "seclang": rule }],
        "exclusions": [{ "id": "e", "rule": { "id": 942100 }, "target": "ARGS:q", "path": { "prefix": "/x/" }, "expires_at": "2031-01-01T00:00:00Z" }] });
    stack.site("a", odd).await;
    stack.list("plain", &["192.0.2.0/24", "2001:db8::/32"]).await;
    stack.list("dated", &["198.51.100.0/24"]).await;
    let add = json!({ "add": [{ "network": "203.0.113.7", "comment": "a, \"b\" # c", "expires_at": "2031-01-01T00:00:00Z" }] });
    stack.call("POST", "/api/v1/ip-lists/dated/entries:batch?wait=live", &[], Some(&add)).await.expect(200);
    let paths = json!({ "labels": { "stage": "1e3" }, "paths": [{ "prefix": "/up/", "body": { "on_partial": "inspect_head" } }], "access": { "deny": ["dated"] } });
    stack.patch_live("/api/v1/vhosts/a", paths).await;
    let work = tempfile::tempdir().expect("a folder");
    run(&stack, work.path(), &["export", "one"]).await.expect(0);
    run(&stack, work.path(), &["validate", "one"]).await.expect(0);
    let one = files(&work.path().join("one"));
    assert!(one.contains_key(Path::new("ip-lists/plain.txt")) && one.contains_key(Path::new("ip-lists/dated.csv")), "{:?}", one.keys());
    let before = head(&stack).await;
    run(&stack, work.path(), &["plan", "one"]).await.expect(0);
    run(&stack, work.path(), &["apply", "one", "--yes", "--prune"]).await.expect(0);
    assert_eq!(head(&stack).await, before, "what changes nothing makes no revision");
    run(&stack, work.path(), &["export", "two"]).await.expect(0);
    assert_eq!(one, files(&work.path().join("two")));
    assert_eq!(open_change_sets(&stack).await, 0);
    // Another server becomes the same by it.
    let other = Stack::start().await;
    run(&other, work.path(), &["apply", "one", "--yes"]).await.expect(0);
    assert_eq!(head(&other).await, 1, "one revision, however many objects");
    run(&other, work.path(), &["export", "three"]).await.expect(0);
    assert_eq!(one, files(&work.path().join("three")));
    // As it was before.
    let earlier = format!("{}", before - 1);
    run(&stack, work.path(), &["export", "four", "--revision", &earlier]).await.expect(0);
    assert!(one != files(&work.path().join("four")));
}

#[tokio::test(flavor = "multi_thread")]
async fn plan_tells_by_its_exit_code_and_apply_ends_live_and_proven() {
    let stack = Stack::start().await;
    let work = tempfile::tempdir().expect("a folder");
    write(work.path(), "waf/policy.yaml", &policy("block"));
    write(work.path(), "waf/vhost.yaml", &vhost(&stack));
    let planned = run(&stack, work.path(), &["plan", "waf"]).await.expect(2);
    assert!(planned.out.contains("policies/a created") && planned.out.contains("Risk:"), "{}", planned.out);
    let planned: Value = serde_json::from_str(&run(&stack, work.path(), &["plan", "waf", "--json"]).await.expect(2).out).expect("JSON");
    assert_eq!(planned["diff"]["counts"]["created"], 2);
    assert!(run(&stack, work.path(), &["plan", "waf", "--markdown"]).await.expect(2).out.starts_with("### "));
    assert_eq!((head(&stack).await, open_change_sets(&stack).await), (0, 0), "a plan leaves nothing behind");
    // Nobody to ask.
    run(&stack, work.path(), &["apply", "waf"]).await.expect(1);
    let applied = run(&stack, work.path(), &["apply", "waf", "--yes", "--message", "the first"]).await.expect(0);
    assert!(applied.out.contains("Revision 1 is live and proven"), "{}\n{}", applied.out, applied.err);
    assert!(applied.err.contains("verify"), "its steps: {}", applied.err);
    assert_eq!(stack.get("/api/v1/revisions/1").await.expect(200).body["message"], "the first");
    assert_eq!(stack.status("a", get(&format!("/?{SQLI}"))).await, 403);
    assert_eq!(stack.get("/api/v1/vhosts/a/status").await.expect(200).body["proof"]["state"], "proven");
    run(&stack, work.path(), &["plan", "waf"]).await.expect(0);
    run(&stack, work.path(), &["status"]).await.expect(0);
    // What is absent stays as the server has it.
    stack.patch_live("/api/v1/policies/a", json!({ "title": "kept" })).await;
    write(work.path(), "waf/policy.yaml", &policy("detect"));
    run(&stack, work.path(), &["apply", "waf", "--yes"]).await.expect(0);
    let there = stack.get("/api/v1/policies/a").await.expect(200).body;
    assert_eq!((there["title"].as_str(), there["mode"].as_str()), (Some("kept"), Some("detect")));
    let differs = run(&stack, work.path(), &["diff", "1"]).await.expect(0);
    assert!(differs.out.contains("policies/a changed") && differs.out.contains("mode"), "{}", differs.out);
    run(&stack, work.path(), &["rollback", "1", "--object", "policies/a", "--yes"]).await.expect(0);
    assert_eq!(stack.status("a", get(&format!("/?{SQLI}"))).await, 403, "it is as it was");
    // Errors are 1.
    write(work.path(), "waf/policy.yaml", "kind: policy\nname: a\nmode: blok\n");
    let wrong = run(&stack, work.path(), &["plan", "waf"]).await.expect(1);
    assert!(wrong.err.contains("waf/policy.yaml:3:7"), "{}", wrong.err);
    write(work.path(), "waf/policy.yaml", &policy("block"));
    write(work.path(), "waf/vhost.yaml", &vhost(&stack).replace("policy: a", "policy: nowhere"));
    let wrong = run(&stack, work.path(), &["plan", "waf"]).await.expect(1);
    assert!(wrong.err.contains("waf/vhost.yaml:4:9"), "what only the server knows: {}", wrong.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_engine_refuses_is_told_at_its_line() {
    let mut stack = Stack::start().await;
    let work = tempfile::tempdir().expect("a folder");
    write(work.path(), "waf/vhost.yaml", &vhost(&stack));
    write(work.path(), "waf/policy.yaml", &policy("block"));
    run(&stack, work.path(), &["apply", "waf", "--yes"]).await.expect(0);
    // Our lexer lets it pass, the engine does not.
    let rule = "custom_rules:\n  - id: 190001\n    seclang: |-\n      SecRule ARGS \"@rx a**\" \"phase:2,deny,msg:'x'\"\n";
    write(work.path(), "waf/policy.yaml", &format!("{}{rule}", policy("block")));
    let refused = run(&stack, work.path(), &["apply", "waf", "--yes"]).await.expect(1);
    assert!(refused.err.contains("waf/policy.yaml:5:5") && refused.err.contains("| "), "{}", refused.err);
    assert_eq!((head(&stack).await, open_change_sets(&stack).await), (1, 0), "nothing was committed");
    // With nobody to ask before, the agent refuses it after the commit: the command fails all the same.
    kill(&mut stack.validator, "-KILL");
    let refused = run(&stack, work.path(), &["apply", "waf", "--yes"]).await.expect(1);
    assert!(refused.out.contains("Revision 2 is committed"), "{}", refused.out);
    assert!(refused.err.contains("waf/policy.yaml:5:5") && refused.err.contains("last good state"), "{}", refused.err);
    assert_eq!(stack.status("a", get(&format!("/?{SQLI}"))).await, 403);
    let status = run(&stack, work.path(), &["status"]).await.expect(1);
    assert!(status.out.contains("refused"), "{}", status.out);
    let status: Value = serde_json::from_str(&run(&stack, work.path(), &["status", "--json"]).await.expect(1).out).expect("JSON");
    assert_eq!(status["healthy"], false);
}

/// In front of the API: lets a rival write before a commit goes through, or holds a plan for ever.
#[derive(Clone)]
struct Between {
    api: String,
    token: String,
    client: reqwest::Client,
    /// The policy that is changed, and how.
    rival: Option<Arc<(&'static str, Value)>>,
    holds: bool,
}

async fn pass(State(between): State<Between>, request: Request) -> Response {
    let path = request.uri().path_and_query().map(ToString::to_string).unwrap_or_default();
    if between.holds && path.ends_with("/plan") {
        std::future::pending::<()>().await;
    }
    if let Some(rival) = between.rival.as_ref().filter(|_| path.ends_with("/commit")) {
        let (policy, patch) = &**rival;
        let url = format!("{}/api/v1/policies/{policy}?message=rival", between.api);
        let sent = between.client.patch(url).bearer_auth(&between.token).header("if-match", "*").json(patch).send().await;
        assert!(sent.expect("the rival's write").status().is_success());
    }
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, 64 << 20).await.expect("a body");
    let mut headers = parts.headers;
    headers.remove("host");
    let sent = between.client.request(parts.method, format!("{}{path}", between.api)).headers(headers).body(body).send().await;
    let answer = sent.expect("the API answers");
    let mut response = Response::builder().status(answer.status());
    for (name, value) in answer.headers().iter().filter(|(name, _)| *name != "transfer-encoding" && *name != "content-length") {
        response = response.header(name, value);
    }
    response.body(Body::from(answer.bytes().await.expect("a body"))).expect("a response")
}

async fn between(stack: &Stack, rival: Option<(&'static str, Value)>, holds: bool) -> String {
    let api = format!("http://{}", stack.api);
    let state = Between { api, token: stack.token.clone(), client: reqwest::Client::new(), rival: rival.map(Arc::new), holds };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("its address"));
    tokio::spawn(axum::serve(listener, Router::new().fallback(pass).with_state(state)).into_future());
    url
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_pipelines_one_wins_and_the_other_learns_what_happened() {
    let stack = Stack::start().await;
    let work = tempfile::tempdir().expect("a folder");
    let other = "kind: policy\nname: b\n";
    write(work.path(), "waf/policy.yaml", &format!("{}---\n{other}", policy("block")));
    run(&stack, work.path(), &["apply", "waf", "--yes"]).await.expect(0);
    write(work.path(), "waf/policy.yaml", &format!("{}---\n{other}", policy("off")));
    let url = between(&stack, Some(("a", json!({ "mode": "detect" }))), false).await;
    let lost = run_at(&url, &stack, work.path(), &["apply", "waf", "--yes"]).await.expect(1);
    for part in ["policies/a", "/mode", "rival", "revision 2", "\"block\"", "\"off\"", "\"detect\"", "nothing was committed"] {
        assert!(lost.err.contains(part), "{part}: {}", lost.err);
    }
    assert_eq!((head(&stack).await, open_change_sets(&stack).await), (2, 0));
    // A change of another object is nobody's conflict, and is not lost.
    let url = between(&stack, Some(("b", json!({ "title": "elsewhere" }))), false).await;
    run_at(&url, &stack, work.path(), &["apply", "waf", "--yes"]).await.expect(0);
    assert_eq!(stack.get("/api/v1/policies/a").await.expect(200).body["mode"], "off");
    assert_eq!(stack.get("/api/v1/policies/b").await.expect(200).body["title"], "elsewhere");
    // Truly at once: whatever the order, both are told the truth.
    for name in ["one", "two"] {
        write(work.path(), &format!("{name}/policy.yaml"), &format!("kind: policy\nname: a\ntitle: {name}\n"));
    }
    let before = head(&stack).await;
    let arguments = |name| ["apply", name, "--yes"];
    let (one, two) = (arguments("one"), arguments("two"));
    let (one, two) = tokio::join!(run(&stack, work.path(), &one), run(&stack, work.path(), &two));
    let won = [&one, &two].iter().filter(|ran| ran.code == Some(0)).count();
    assert!(won >= 1 && head(&stack).await == before + i64::try_from(won).expect("small"), "{one:?} {two:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn prune_is_asked_for_and_never_takes_everything() {
    let stack = Stack::start().await;
    stack.site("a", json!({})).await;
    let work = tempfile::tempdir().expect("a folder");
    write(work.path(), "waf/policy.yaml", "kind: policy\nname: new\n");
    let before = head(&stack).await;
    let refused = run(&stack, work.path(), &["apply", "waf", "--yes", "--prune"]).await.expect(1);
    assert!(refused.err.contains("prune_all"), "{}", refused.err);
    assert_eq!((head(&stack).await, open_change_sets(&stack).await), (before, 0));
    // Without it, what is not named stays; with it, it goes.
    run(&stack, work.path(), &["apply", "waf", "--yes"]).await.expect(0);
    stack.get("/api/v1/vhosts/a").await.expect(200);
    write(work.path(), "waf/policy.yaml", "kind: policy\nname: a\n");
    write(work.path(), "waf/vhost.yaml", &vhost(&stack));
    let planned = run(&stack, work.path(), &["plan", "waf", "--prune"]).await.expect(2);
    assert!(planned.out.contains("policies/new deleted"), "{}", planned.out);
    run(&stack, work.path(), &["apply", "waf", "--yes", "--prune"]).await.expect(0);
    stack.get("/api/v1/policies/new").await.expect(404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_before_the_commit_leaves_the_server_as_it_was() {
    let stack = Stack::start().await;
    let work = tempfile::tempdir().expect("a folder");
    write(work.path(), "waf/policy.yaml", &policy("block"));
    let url = between(&stack, None, true).await;
    let child = command(GUARD_PROXY, &url, &stack.token, work.path()).args(["apply", "waf", "--yes"]).spawn().expect("it starts");
    let until = Instant::now() + Duration::from_secs(20);
    while open_change_sets(&stack).await == 0 {
        assert!(Instant::now() < until, "no change set");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    let pid = child.id().expect("it runs").to_string();
    assert!(std::process::Command::new("kill").args(["-INT", &pid]).status().expect("kill runs").success());
    let ran = ended(child).await.expect(130);
    assert!(ran.err.contains("nothing was committed"), "{}", ran.err);
    assert_eq!((head(&stack).await, open_change_sets(&stack).await), (0, 0));
}

/// A shell like a runner's, with `guard-proxy` in its PATH, a `gh` that notes what it was called with, and a git repository around it.
fn shell(stack: &Stack, folder: &Path, script: &str) -> tokio::process::Command {
    let bin = folder.join(".bin");
    write(&bin, "gh", "#!/bin/sh\necho \"$@\" >> \"$HOME/gh.log\"\n");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(bin.join("gh"), mode).expect("its mode");
    let own = Path::new(GUARD_PROXY).parent().expect("its folder").display();
    let mut command = command("bash", &format!("http://{}", stack.api), &stack.token, folder);
    command.args(["-eu", "-c", script]);
    command.env("PATH", format!("{}:{own}:{}", bin.display(), std::env::var("PATH").unwrap_or_default()));
    for (name, value) in [
        ("GITHUB_STEP_SUMMARY", "summary.md"),
        ("GITHUB_SHA", "0123456789abcdef0123456789abcdef01234567"),
        ("PULL_REQUEST", "7"),
        ("CI_COMMIT_TITLE", "a title"),
        ("CI_COMMIT_SHORT_SHA", "01234567"),
        ("GIT_AUTHOR_NAME", "t"),
        ("GIT_AUTHOR_EMAIL", "t@example.com"),
        ("GIT_COMMITTER_NAME", "t"),
        ("GIT_COMMITTER_EMAIL", "t@example.com"),
        ("GIT_CONFIG_NOSYSTEM", "1"),
    ] {
        command.env(name, value);
    }
    command
}

fn recipe(file: &str) -> Value {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/ci").join(file)).expect("a recipe");
    serde_saphyr::from_str(&text).expect("it is YAML")
}

/// The shell commands of a job, each as the runner runs it.
fn scripts(file: &str, job: &str) -> Vec<String> {
    let recipe = recipe(file);
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let found: Vec<String> = match &recipe["jobs"] {
        Value::Null => recipe[job]["script"].as_array().into_iter().flatten().filter_map(text).collect(),
        jobs => jobs[job]["steps"].as_array().into_iter().flatten().filter_map(|step| text(&step["run"])).collect(),
    };
    assert!(!found.is_empty(), "{file} has no commands in {job}");
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn the_recipes_for_pipelines_work_as_written() {
    let stack = Stack::start().await;
    for (file, mode) in [("github-actions.yaml", "block"), ("gitlab-ci.yaml", "detect")] {
        let work = tempfile::tempdir().expect("a folder");
        write(work.path(), "waf/policy.yaml", &policy(mode));
        write(work.path(), "waf/vhost.yaml", &vhost(&stack));
        let setup = "git init --quiet . && git add waf && git commit --quiet --message 'a title'";
        ended(shell(&stack, work.path(), setup).spawn().expect("bash")).await.expect(0);
        let before = head(&stack).await;
        // GitLab runs all commands of a job in one shell, GitHub each step in its own.
        let job = |job: &str| match file {
            "gitlab-ci.yaml" => vec![scripts(file, job).join("\n")],
            _ => scripts(file, job),
        };
        for script in job("plan") {
            ended(shell(&stack, work.path(), &script).spawn().expect("bash")).await.expect(0);
        }
        let plan = std::fs::read_to_string(work.path().join("plan.md")).expect("the plan");
        assert!(plan.contains("policies/a"), "{file}: {plan}");
        assert_eq!(head(&stack).await, before, "{file}");
        for script in job("apply") {
            ended(shell(&stack, work.path(), &script).spawn().expect("bash")).await.expect(0);
        }
        assert_eq!(head(&stack).await, before + 1, "{file}");
        let message = stack.get(&format!("/api/v1/revisions/{}", before + 1)).await.expect(200).body["message"].clone();
        assert!(message.as_str().is_some_and(|message| message.starts_with("a title (01234567")), "{file}: {message}");
        // Nothing left to do is good, too; an error is not.
        for script in job("plan") {
            ended(shell(&stack, work.path(), &script).spawn().expect("bash")).await.expect(0);
        }
        write(work.path(), "waf/policy.yaml", "kind: policy\nname: a\nmode: blok\n");
        let mut codes = Vec::new();
        for script in job("plan").into_iter().chain(job("apply")).filter(|script| script.contains("guard-proxy")) {
            codes.push(ended(shell(&stack, work.path(), &script).spawn().expect("bash")).await.code);
        }
        assert!(codes.iter().all(|code| *code == Some(1)), "{file}: {codes:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_documents_commands_work_as_written() {
    let stack = Stack::start().await;
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/policies-as-code.md")).expect("the document");
    let script: String = text.split("```sh tested\n").skip(1).filter_map(|rest| rest.split("\n```").next()).collect::<Vec<_>>().join("\n");
    assert!(script.contains("rollback") && script.contains("export"), "{script}");
    let work = tempfile::tempdir().expect("a folder");
    let ran = ended(shell(&stack, work.path(), &script).spawn().expect("bash")).await.expect(0);
    assert_eq!(ran.out.matches("exit code 2").count(), 2, "{}", ran.out);
    let there = stack.get("/api/v1/policies/careful").await.expect(200).body;
    assert_eq!((there["mode"].as_str(), head(&stack).await), (Some("detect"), 3));
    run(&stack, &work.path().join("policies"), &["plan", "waf"]).await.expect(0);
}
