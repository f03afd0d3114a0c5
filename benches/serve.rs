//! The control plane under load: reads, lists and writes at 8, 64 and 1,000 connections beside `pgbench` on the same server, start to ready
//! and memory with 1,000 vhosts. `make bench` prints; `make floor` (argument `floor`) judges the floor of the requirements.
//!
//! Wants DATABASE_URL (a server that nobody else uses), haproxy, wrk, and pgbench beside the server's programs.

#[path = "../tests/it/origin.rs"]
#[expect(dead_code, reason = "shared with the integration tests")]
mod origin;
#[path = "../tests/it/settings.rs"]
mod settings;
#[path = "../tests/it/stack.rs"]
#[expect(dead_code, reason = "shared with the integration tests")]
mod stack;
#[path = "../tests/it/wire.rs"]
#[expect(dead_code, reason = "shared with the integration tests")]
mod wire;

use std::io::Write;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::json;
use stack::{Stack, kill};

use futures::StreamExt;

const VHOSTS: usize = 1000;
const SECONDS: u32 = 5;

/// What wrk says of one run.
#[derive(Debug, Clone)]
struct Load {
    rate: f64,
    p50_ms: f64,
    p99_ms: f64,
    errors: u64,
}

#[tokio::main]
async fn main() {
    let floor = std::env::args().any(|a| a == "floor");
    let mut stack = Stack::start().await;
    let took = fill(&stack).await;
    println!("{VHOSTS} vhosts and 50 policies written through the API in {:.1} s", took.as_secs_f64());

    kill(&mut stack.serve, "-TERM");
    let started = Instant::now();
    stack.start_serve().await;
    let ready = started.elapsed();
    tokio::time::sleep(Duration::from_secs(2)).await;
    let idle = resident_mb(&stack);
    println!("start to ready, {VHOSTS} vhosts   {:>7.2} s   (goal 0.5)", ready.as_secs_f64());
    println!("resident when idle           {idle:>7.1} MB  (goal 40)");

    let reference = reference(&stack);
    println!("reference: pgbench -S -M prepared {:>8.0} /s, one hot row {:>7.0} /s (64 clients)", reference.0, reference.1);
    println!("{:<6} {:>6} {:>10} {:>10} {:>10} {:>8} {:>8}", "what", "conns", "req/s", "p50 ms", "p99 ms", "errors", "ratio");
    let mut loads = Vec::new();
    for connections in [8, 64, 1000] {
        for (what, script, of) in [("GET", GET, reference.0), ("list", LIST, reference.0), ("PATCH", PATCH, reference.1)] {
            let load = wrk(&stack, script, connections);
            println!(
                "{what:<6} {connections:>6} {:>10.0} {:>10.2} {:>10.2} {:>8} {:>8.2}",
                load.rate,
                load.p50_ms,
                load.p99_ms,
                load.errors,
                load.rate / of
            );
            loads.push((what, connections, load));
        }
    }
    lanes(&stack).await;
    let busy = resident_mb(&stack);
    println!("resident after the load      {busy:>7.1} MB");
    if floor && !judge(&stack, &loads, ready, busy).await {
        drop(stack);
        std::process::exit(1);
    }
}

/// From a write to the proof that it is enforced, lane by lane, as a caller with `?wait=live` sees it.
async fn lanes(stack: &Stack) {
    let policy = "/api/v1/policies/p0?wait=live";
    let rule = |n: usize| json!([{ "id": 190_001, "seclang": format!("SecRule ARGS:n \"@streq {n}\" \"phase:2,deny,msg:'{n}'\"") }]);
    let vhost = "/api/v1/vhosts/v0?wait=live";
    for (lane, path, goal) in [("runtime", policy, 50.0), ("ruleset", policy, 100.0), ("reload", vhost, 2000.0)] {
        let mut took = Vec::new();
        for n in 0..10 {
            let patch = match lane {
                "runtime" => json!({ "mode": if n % 2 == 0 { "detect" } else { "block" } }),
                "ruleset" => json!({ "custom_rules": rule(n) }),
                _ => json!({ "upstream": { "timeouts": { "connect_ms": 1000 + n } } }),
            };
            let at = Instant::now();
            stack.call("PATCH", path, &[("if-match", "*")], Some(&patch)).await.expect(200);
            took.push(at.elapsed().as_secs_f64() * 1000.0);
        }
        took.sort_by(f64::total_cmp);
        println!("live by the {lane:<8} lane   p50 {:>7.1} ms, worst {:>7.1} ms   (goal {goal} ms)", took[5], took[9]);
    }
}

/// The floor of the requirements that started the project.
async fn judge(stack: &Stack, loads: &[(&str, usize, Load)], ready: Duration, memory_mb: f64) -> bool {
    println!("\nfloor");
    let mut good = true;
    let mut line = |what: &str, value: String, holds: bool| {
        println!("{} {what:<52} {value}", if holds { "pass" } else { "FAIL" });
        good &= holds;
    };
    let vhost = json!({ "name": "floor", "hostnames": ["floor.test"], "policy": "p0", "upstream": { "servers": [{ "address": "127.0.0.1", "port": 9 }] } });
    for (what, method, body) in [
        ("create", "PUT", Some(&vhost)),
        ("read", "GET", None),
        ("update", "PATCH", Some(&json!({ "title": "floor" }))),
        ("delete", "DELETE", None),
    ] {
        let headers: &[(&str, &str)] = if matches!(what, "update" | "delete") { &[("if-match", "*")] } else { &[] };
        let at = Instant::now();
        let answer = stack.call(method, "/api/v1/vhosts/floor", headers, body).await;
        let ms = at.elapsed().as_secs_f64() * 1000.0;
        line(&format!("{what} a vhost in under 100 ms"), format!("{ms:.1} ms ({})", answer.status), ms < 100.0 && answer.status < 300);
    }
    for (what, connections, load) in loads.iter().filter(|(_, connections, _)| *connections == 1000) {
        let held = load.rate >= 1000.0 && load.p99_ms < 500.0 && load.errors == 0;
        let floor = format!("{what}: 1,000 a second at {connections} users, p99 < 500 ms");
        line(&floor, format!("{:.0} /s, p99 {:.0} ms, {} errors", load.rate, load.p99_ms, load.errors), held);
    }
    line("under 256 MB", format!("{memory_mb:.0} MB"), memory_mb < 256.0);
    line("up in under 5 s", format!("{:.2} s", ready.as_secs_f64()), ready < Duration::from_secs(5));
    println!(
        "not judged here: bcrypt at cost 12 (no passwords yet); the TypeScript client (the OpenAPI document is linted by its own tests)"
    );
    good
}

async fn fill(stack: &Stack) -> Duration {
    let started = Instant::now();
    for n in 0..50 {
        let level = n % 4 + 1;
        let policy = json!({ "name": format!("p{n}"), "paranoia": { "blocking": level }, "thresholds": { "inbound": 5 + n } });
        stack.call("PUT", &format!("/api/v1/policies/p{n}"), &[], Some(&policy)).await.expect(201);
    }
    let writes = futures::stream::iter(0..VHOSTS).map(|n| async move {
        let vhost = json!({
            "name": format!("v{n}"), "hostnames": [format!("v{n}.test"), format!("www.v{n}.test")], "policy": format!("p{}", n % 50),
            "upstream": { "servers": [{ "address": "127.0.0.1", "port": 20_000 + n }, { "address": "127.0.0.1", "port": 30_000 + n }] },
        });
        stack.call("PUT", &format!("/api/v1/vhosts/v{n}"), &[], Some(&vhost)).await.expect(201);
    });
    writes.buffer_unordered(16).collect::<Vec<()>>().await;
    started.elapsed()
}

const GET: &str = r#"
request = function() return wrk.format("GET", "/api/v1/vhosts/v" .. math.random(0, 999)) end
"#;
const LIST: &str = r#"
request = function() return wrk.format("GET", "/api/v1/vhosts?limit=50") end
"#;
const PATCH: &str = r#"
local n = 0
request = function()
  n = n + 1
  wrk.headers["If-Match"] = "*"
  wrk.headers["Content-Type"] = "application/merge-patch+json"
  return wrk.format("PATCH", "/api/v1/vhosts/v" .. math.random(0, 999), nil, '{"title":"t' .. n .. math.random(1, 1000000) .. '"}')
end
"#;

fn wrk(stack: &Stack, script: &str, connections: usize) -> Load {
    let file = stack.path("load.lua");
    let mut out = std::fs::File::create(&file).expect("a script file");
    let done = r#"
done = function(summary, latency)
  local e = summary.errors
  io.write(string.format("RESULT %f %f %f %d\n", summary.requests / (summary.duration / 1e6), latency:percentile(50) / 1e3,
    latency:percentile(99) / 1e3, e.connect + e.read + e.write + e.status + e.timeout))
end
"#;
    write!(out, "{script}{done}").expect("writing the script");
    let output = Command::new("wrk")
        .args(["-t", "2", "-c", &connections.to_string(), "-d", &format!("{SECONDS}s"), "--timeout", "10s", "-s"])
        .arg(&file)
        .args(["-H", &format!("Authorization: Bearer {}", stack.token), &format!("http://{}/", stack.api)])
        .output()
        .expect("wrk runs; `scripts/setup` installs it");
    let text = String::from_utf8_lossy(&output.stdout);
    let result = text.lines().find_map(|l| l.strip_prefix("RESULT ")).unwrap_or_else(|| panic!("wrk said: {text}"));
    let values: Vec<f64> = result.split_whitespace().map(|v| v.parse().expect("a number")).collect();
    Load { rate: values[0], p50_ms: values[1], p99_ms: values[2], errors: values[3] as u64 }
}

fn resident_mb(stack: &Stack) -> f64 {
    let pid = stack.serve.as_ref().expect("serve runs").id();
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("its status");
    let kb: f64 = status
        .lines()
        .find_map(|l| l.strip_prefix("VmRSS:"))
        .and_then(|v| v.split_whitespace().next())
        .expect("RSS")
        .parse()
        .expect("a number");
    kb / 1024.0
}

/// `pgbench`'s point reads and hot-row updates a second, 64 clients, on the server that the control plane uses.
fn reference(stack: &Stack) -> (f64, f64) {
    let url = std::env::var("DATABASE_URL").expect("DATABASE_URL");
    let run = |args: &[&str]| {
        let output = Command::new(pgbench()).args(args).arg(&url).output().expect("pgbench runs");
        assert!(output.status.success(), "pgbench: {}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        text.lines()
            .find_map(|l| l.strip_prefix("tps = "))
            .and_then(|v| v.split_whitespace().next())
            .and_then(|v| v.parse().ok())
            .unwrap_or(0.0)
    };
    run(&["-i", "-q", "-s", "5"]);
    let hot = stack.path("hot.sql");
    std::fs::write(&hot, "UPDATE pgbench_branches SET bbalance = bbalance + 1 WHERE bid = 1;\n").expect("a script");
    let seconds = SECONDS.to_string();
    let common = ["-n", "-M", "prepared", "-c", "64", "-j", "2", "-T", &seconds];
    let reads = run(&[&["-S"], common.as_slice()].concat());
    let hot = hot.display().to_string();
    let writes = run(&[&["-f", hot.as_str()], common.as_slice()].concat());
    (reads, writes)
}

fn pgbench() -> std::path::PathBuf {
    let found =
        std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten().map(|e| e.path().join("bin/pgbench")).find(|p| p.exists());
    found.unwrap_or_else(|| "pgbench".into())
}
