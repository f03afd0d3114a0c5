//! How long it takes from a snapshot to files. Not a test: prints figures, asserts nothing. `cargo bench --bench compile [vhosts [policies]]`

use std::process::Command;
use std::time::{Duration, Instant};

use guard_proxy::compile::{compile, sample};
use guard_proxy::domain::Snapshot;
use guard_proxy::plan;
use guard_proxy::render::{Bundle, render};

const RUNS: usize = 21;

fn main() {
    let numbers: Vec<u32> = std::env::args().skip(1).filter_map(|arg| arg.parse().ok()).collect();
    let (vhosts, policies) = (numbers.first().copied().unwrap_or(10_000), numbers.get(1).copied().unwrap_or(50));
    let now = time::OffsetDateTime::UNIX_EPOCH;
    let node = sample::node("/run/guard-proxy");
    let snapshot = sample::snapshot(vhosts, policies);
    println!("{vhosts} vhosts, {policies} policies, {RUNS} runs");
    let desired = measure("compile", || compile(&snapshot, &node, now));
    let bundle = measure("render, nothing known", || render(&desired, &node, None).expect("renders"));
    measure("render, after the same", || render(&desired, &node, Some(&bundle)).expect("renders"));
    measure("compile and render, nothing known", || render(&compile(&snapshot, &node, now), &node, None).expect("renders"));
    measure("compile and render, after the same", || render(&compile(&snapshot, &node, now), &node, Some(&bundle)).expect("renders"));
    println!(
        "haproxy.cfg {} bytes, all files {} bytes",
        bundle.files["haproxy.cfg"].len(),
        bundle.files.values().map(|f| f.len()).sum::<usize>()
    );
    let after = one_change(&snapshot);
    let changed = render(&compile(&after, &node, now), &node, Some(&bundle)).expect("renders");
    measure("plan, one change: objects and files", || (plan::diff(&snapshot, &after, None), plan::files(Some(&bundle), &changed)));
    measure("plan, one change: lanes, vhosts, cost", || {
        (plan::lanes(Some(&bundle), &changed), plan::affected(Some(&bundle), &changed), plan::cost(Some(&bundle), &changed))
    });
    measure("plan, one change: risk", || plan::risk(&snapshot, &after, Some([192, 0, 2, 7].into()), now));
    let nothing = render(&compile(&Default::default(), &node, now), &node, None).expect("renders");
    measure("plan, all is new: objects and files", || {
        (plan::diff(&Default::default(), &after, None), plan::files(Some(&nothing), &changed))
    });
    for _ in 0..3 {
        println!("haproxy -c {:?}", check(&bundle));
    }

    let entries = (0..100_000u32).map(|n| guard_proxy::domain::Entry {
        network: format!("{}.{}.{}.{}/{}", n % 200 + 1, n >> 8 & 255, n & 255, n % 7 * 32, 24 + n % 9).parse().expect("a network"),
        comment: Default::default(),
        expires_at: None,
    });
    let mut snapshot = sample::snapshot(10, 1);
    let list = sample::list(1, "bad", entries);
    println!("a list of {} networks", list.entries.len());
    snapshot.ip_lists.insert(list.list.spec.name.clone(), list);
    let desired = measure("compile, one long list", || compile(&snapshot, &node, now));
    measure("render, one long list", || render(&desired, &node, None).expect("renders"));
}

/// A server of a vhost in the middle gets another weight, and its WebSockets are let through.
fn one_change(snapshot: &Snapshot) -> Snapshot {
    let mut after = snapshot.clone();
    let name = after.vhosts.keys().nth(after.vhosts.len() / 2).expect("a vhost").clone();
    let mut vhost = after.vhosts[&name].as_ref().clone();
    vhost.spec.upstream.servers[0].weight = 7;
    vhost.spec.websocket = true;
    after.put_vhost(vhost.into());
    after
}

fn measure<T>(what: &str, mut run: impl FnMut() -> T) -> T {
    let mut times: Vec<Duration> = Vec::new();
    let mut last = None;
    let before = on_cpu();
    for _ in 0..RUNS {
        let start = Instant::now();
        let result = run();
        times.push(start.elapsed());
        last = Some(result);
    }
    let cpu = (on_cpu() - before) / RUNS as u32;
    times.sort();
    println!("{what}: min {:.1?}, p50 {:.1?}, max {:.1?}, on the CPU {cpu:.1?} a run", times[0], times[RUNS / 2], times[RUNS - 1]);
    last.expect("ran")
}

/// What this thread has really had of a processor: on a busy machine the clock says little.
fn on_cpu() -> Duration {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    Duration::from_nanos(stat.split(' ').next().and_then(|nanoseconds| nanoseconds.parse().ok()).unwrap_or_default())
}

/// What everybody waits for afterwards.
fn check(bundle: &Bundle) -> Duration {
    let dir = tempfile::tempdir().expect("a folder");
    for (name, content) in &bundle.files {
        let path = dir.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        std::fs::write(path, content).expect("a file");
    }
    let start = Instant::now();
    let ran = Command::new("haproxy").args(["-q", "-c", "-f"]).arg(dir.path().join("haproxy.cfg")).status().expect("haproxy");
    assert!(ran.success());
    start.elapsed()
}
