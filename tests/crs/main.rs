//! The regression suite of the Core Rule Set in use, through the real HAProxy and guard-spoa. See docs/crs-regression.md.
//!
//! Arguments choose the tests whose names contain one of them: `cargo test --test crs -- 942100`.

mod evidence;
mod exceptions;
mod format;
mod http2;
mod judge;
#[path = "../it/observe.rs"]
#[expect(dead_code, reason = "shared with the integration tests")]
mod observe;
#[path = "../it/origin.rs"]
#[expect(dead_code, reason = "shared with the integration tests")]
mod origin;
mod reflect;
mod report;
mod request;
#[path = "../it/settings.rs"]
mod settings;
mod setup;
#[path = "../it/stack.rs"]
#[expect(dead_code, reason = "shared with the integration tests")]
mod stack;
#[path = "../it/wire.rs"]
#[expect(dead_code, reason = "shared with the integration tests")]
mod wire;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use evidence::Logs;
use format::{Stage, Test};
use futures::StreamExt;
use report::Report;
use request::Session;
use tokio::io::AsyncWriteExt;
use wire::Answer;

/// Requests at the same time.
const CONCURRENCY: usize = 8;
/// How often a request is sent at most until its log line is there.
const ROUNDS: usize = 5;
/// Tests of the runner itself, in the suite's format. `RUNNER_FAILS` are to fail: a runner that passes everything proves nothing.
const RUNNER_PASSES: &str = include_str!("runner-passes.yaml");
const RUNNER_FAILS: &str = include_str!("runner-fails.yaml");

#[tokio::main]
async fn main() -> ExitCode {
    let begin = Instant::now();
    let wanted: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with('-')).collect();
    let chosen = |test: &Test| wanted.is_empty() || wanted.iter().any(|part| test.name.contains(part.as_str()));
    let (suite, version) = suite();
    let all = suite.len();
    let suite: Vec<Test> = suite.into_iter().filter(|t| chosen(t)).collect();
    let mut report = Report::new(version, all - suite.len(), exceptions::load());
    let (responses, suite): (Vec<Test>, Vec<Test>) = suite.into_iter().partition(Test::is_about_responses);
    report.not_evaluated = responses.into_iter().map(|t| t.name).collect();
    if !suite.is_empty() {
        let stack = setup::start(&suite).await;
        run(&stack, suite, &mut report).await;
    }
    report.print(begin.elapsed())
}

/// The tests that come with the rules that guard-spoa is built with, and their version.
fn suite() -> (Vec<Test>, String) {
    let module = "github.com/corazawaf/coraza-coreruleset/v4";
    let spoa = Path::new(env!("CARGO_MANIFEST_DIR")).join("spoa");
    let out = Command::new("go").args(["list", "-m", "-f", "{{.Dir}}\n{{.Version}}", module]).current_dir(spoa).output().expect("go runs");
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    let (folder, version) = text.trim().split_once('\n').unwrap_or_else(|| panic!("{}", String::from_utf8_lossy(&out.stderr)));
    (format::load(&PathBuf::from(folder).join("tests")), version.to_owned())
}

/// A test and the answers to its stages.
type Sent = (Test, Vec<Answer>);

/// Sends everything, then judges by the logs.
async fn run(stack: &stack::Stack, suite: Vec<Test>, report: &mut Report) {
    let own = |text| format::parse(text).unwrap_or_else(|e| panic!("the runner's own tests: {e}"));
    let mut all =
        [suite, own(RUNNER_PASSES), own(RUNNER_FAILS)].map(|tests| tests.into_iter().map(|t| (t, Vec::new())).collect::<Vec<Sent>>());
    for sent in &mut all {
        exchange_all(stack.http, sent.iter_mut().collect()).await;
    }
    let logs = read_logs(stack, &mut all).await;
    let [suite, passes, fails] = &all;
    for (test, answers) in suite {
        let result = judge::test(test, answers, &logs);
        report.add(&test.name, result, |instead| judge::test(&test.expecting(instead), answers, &logs));
    }
    for (test, answers) in passes {
        if let Err(why) = judge::test(test, answers, &logs) {
            report.runner.push((format!("runner-passes {}", test.name), why));
        }
    }
    for (test, answers) in fails {
        if judge::test(test, answers, &logs).is_ok() {
            report.runner.push((format!("runner-fails {}", test.name), "passes: the runner sees nothing".into()));
        }
    }
}

/// The logs of all requests; those of which a line was lost are sent again.
async fn read_logs(stack: &stack::Stack, all: &mut [Vec<Sent>]) -> Logs {
    for _ in 0..ROUNDS {
        let answers = all.iter().flatten().flat_map(|(_, answers)| answers);
        let ids: Vec<&str> = answers.filter_map(|a| a.header("x-request-id")).collect();
        let logs = Logs::read(stack, setup::HOST, &ids).await;
        let lost: Vec<&mut Sent> = all.iter_mut().flatten().filter(|(_, answers)| answers.iter().any(|a| logs.lost(a))).collect();
        if lost.is_empty() {
            return logs;
        }
        println!("sent again, since HAProxy has dropped their log lines: {}", lost.len());
        exchange_all(stack.http, lost).await;
    }
    panic!("HAProxy drops log lines in {ROUNDS} rounds");
}

async fn exchange_all(to: SocketAddr, tests: Vec<&mut Sent>) {
    futures::stream::iter(tests).for_each_concurrent(CONCURRENCY, async |(test, answers)| *answers = exchange(to, test).await).await;
}

/// Sends the stages of a test one after another, each on a connection of its own.
async fn exchange(to: SocketAddr, test: &Test) -> Vec<Answer> {
    let mut session = Session::default();
    let mut answers = Vec::new();
    for Stage { input, output } in &test.stages {
        let answer = async {
            if input.version.as_deref().is_some_and(|version| version.starts_with("HTTP/2")) {
                return http2::send(to, input).await;
            }
            send(to, &request::bytes(input, &session), output.response_contains.is_some()).await
        };
        let answer = tokio::time::timeout(Duration::from_secs(60), answer).await;
        let answer = answer.unwrap_or_else(|_| Answer { status: 0, headers: Vec::new(), body: Vec::new() });
        session.keep(input, &answer);
        answers.push(answer);
    }
    answers
}

/// Not every answer is read to its end: whether one to HEAD has a body only its request tells.
async fn send(to: SocketAddr, bytes: &[u8], with_body: bool) -> Answer {
    let mut stream = wire::connect(to, None).await;
    // An early answer may close our sending side; what counts is what was answered.
    let _ = stream.write_all(bytes).await;
    if with_body { wire::read(&mut stream).await } else { wire::read_head(&mut stream).await }
}
