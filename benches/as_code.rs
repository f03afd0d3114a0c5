//! Policies as code at size: plan and apply of 10,000 vhosts from a folder, then of one change in them, by the command line against a real stack;
//! memory of the server meanwhile. Reference: `haproxy -c` on what is live, run beside. Prints figures, asserts nothing.
//! `cargo bench --bench as_code [vhosts]`; wants DATABASE_URL and haproxy.

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

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use stack::{Stack, program};

#[tokio::main]
async fn main() {
    let vhosts: usize = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(10_000);
    let stack = Stack::start().await;
    let folder = stack.path("policies");
    tree(&folder, vhosts);
    println!(
        "{vhosts} vhosts, 50 policies, {:.1} MB of YAML; resident at the start {:.1} MB",
        size(&folder),
        resident(&stack) as f64 / 1e3
    );

    run(&stack, "validate", &["validate"], &folder, &[0]);
    run(&stack, "plan, all is new", &["plan"], &folder, &[2]);
    let apply = ["apply", "--yes", "--timeout", "300"];
    run(&stack, "apply, all is new (live and proven)", &apply, &folder, &[0]);
    let reference = check(&stack);
    println!("{:<40} {:>8.2} s   (reference)", "haproxy -c on it", reference.as_secs_f64());
    run(&stack, "plan, nothing to do", &["plan"], &folder, &[0]);
    for (what, from, to) in
        [("a mode (runtime lane)", "mode: block", "mode: detect"), ("a server's port (reload lane)", "port: 40000", "port: 40001")]
    {
        let file = if from.starts_with("mode") { "policies/p7.yaml" } else { "vhosts/v0.yaml" };
        let text = fs::read_to_string(folder.join(file)).expect("a file of the tree");
        assert!(text.contains(from), "{file}");
        fs::write(folder.join(file), text.replacen(from, to, 1)).expect("writing the tree");
        let planned = run(&stack, &format!("plan, one change: {what}"), &["plan"], &folder, &[2]);
        let applied = run(&stack, &format!("apply, one change: {what}"), &apply, &folder, &[0]);
        let ratio = |took: Duration| took.as_secs_f64() / reference.as_secs_f64();
        println!("{:<40} {:>8.2}, {:.2} x the reference", "", ratio(planned), ratio(applied));
    }
    println!("resident at the end {:.1} MB", resident(&stack) as f64 / 1e3);
}

/// A folder as somebody would keep it: a file an object.
fn tree(folder: &Path, vhosts: usize) {
    for kind in ["policies", "vhosts"] {
        fs::create_dir_all(folder.join(kind)).expect("a folder");
    }
    for n in 0..50 {
        let text = format!("kind: policy\nname: p{n}\nmode: block\nparanoia: {{blocking: {}, detection: {}}}\n", n % 4 + 1, n % 4 + 1);
        fs::write(folder.join(format!("policies/p{n}.yaml")), text).expect("writing the tree");
    }
    for n in 0..vhosts {
        let mut text = format!("kind: vhost\nname: v{n}\nhostnames: [v{n}.test, www.v{n}.test]\npolicy: p{}\n", n % 50);
        let _ = writeln!(text, "upstream:\n  servers:\n    - {{name: a, address: 127.0.0.1, port: {}}}", 40_000 + n % 10_000);
        fs::write(folder.join(format!("vhosts/v{n}.yaml")), text).expect("writing the tree");
    }
}

fn size(folder: &Path) -> f64 {
    let files = ["policies", "vhosts"].iter().flat_map(|kind| fs::read_dir(folder.join(kind)).expect("a folder"));
    files.map(|file| file.expect("a file").metadata().expect("its size").len() as f64).sum::<f64>() / 1e6
}

/// Runs a command, and watches the server's memory.
fn run(stack: &Stack, what: &str, command: &[&str], folder: &Path, codes: &[i32]) -> Duration {
    let (most, stop) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    let pid = stack.serve.as_ref().expect("serve runs").id();
    let watcher = {
        let (most, stop) = (most.clone(), stop.clone());
        std::thread::spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                most.fetch_max(resident_of(pid), Ordering::Relaxed);
                std::thread::sleep(Duration::from_millis(20));
            }
        })
    };
    let at = Instant::now();
    let output = Command::new(program("guard-proxy"))
        .arg(command[0])
        .arg(folder)
        .args(&command[1..])
        .env("GUARD_PROXY_URL", format!("http://{}", stack.api))
        .env("GUARD_PROXY_TOKEN", &stack.token)
        .output()
        .expect("the command runs");
    let took = at.elapsed();
    stop.store(true, Ordering::Relaxed);
    watcher.join().expect("the watcher ends");
    let code = output.status.code().unwrap_or(-1);
    assert!(codes.contains(&code), "{what}: exit {code}: {}", String::from_utf8_lossy(&output.stderr));
    println!("{what:<40} {:>8.2} s   server at most {:>7.1} MB", took.as_secs_f64(), most.load(Ordering::Relaxed) as f64 / 1e3);
    took
}

fn check(stack: &Stack) -> Duration {
    let mut best = Duration::MAX;
    for _ in 0..3 {
        let at = Instant::now();
        let file = stack.path("state/current/haproxy.cfg");
        let out = Command::new(program("haproxy")).arg("-c").arg("-f").arg(&file).output().expect("haproxy runs");
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        best = best.min(at.elapsed());
    }
    best
}

/// Kilobytes.
fn resident(stack: &Stack) -> u64 {
    resident_of(stack.serve.as_ref().expect("serve runs").id())
}

fn resident_of(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().split(' ').next()).and_then(|kb| kb.parse().ok()).unwrap_or(0)
}
