//! Inspected requests a second through HAProxy and guard-spoa, for the first and the last of 10,000 vhosts, and for one of ten: what a request
//! costs must not grow with the number of sites. Prints ratios; asserts nothing on time. Wants haproxy, bin/guard-spoa and wrk.

#[path = "../tests/it/origin.rs"]
#[expect(dead_code, reason = "shared with the integration tests")]
mod origin;

use std::net::SocketAddr;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use guard_proxy::compile::{compile, sample};
use guard_proxy::domain::Snapshot;
use guard_proxy::render::render;
use serde_json::json;

const SECONDS: u32 = 5;

/// Stopped when dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = Command::new("kill").args(["-TERM", &self.0.id().to_string()]).status();
        let _ = self.0.wait();
    }
}

fn start(program: &str, arguments: &[&str], log: &Path) -> Running {
    let out = std::fs::File::create(log).expect("a log file");
    let err = out.try_clone().expect("the log file again");
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(out).stderr(err).process_group(0);
    Running(command.spawn().unwrap_or_else(|e| panic!("starting {program}: {e}")))
}

/// Requests a second and the 99th percentile in milliseconds.
fn wrk(to: SocketAddr, host: &str) -> (f64, f64) {
    let script = "done = function(s, l) io.write(string.format('RESULT %f %f %d\\n', s.requests / (s.duration / 1e6), l:percentile(99) / 1e3, \
                  s.errors.status + s.errors.connect + s.errors.read + s.errors.timeout)) end";
    let file = std::env::temp_dir().join(format!("guard-proxy-wire-{}.lua", std::process::id()));
    std::fs::write(&file, script).expect("a script");
    let output = Command::new("wrk")
        .args(["-t1", "-c32", &format!("-d{SECONDS}s"), "-s"])
        .arg(&file)
        .args([
            "-H",
            &format!("Host: {host}"),
            "-H",
            "User-Agent: Mozilla/5.0",
            "-H",
            "Accept: text/html",
            &format!("http://{to}/?a=1&b=hello"),
        ])
        .output()
        .expect("wrk runs");
    let _ = std::fs::remove_file(&file);
    let text = String::from_utf8_lossy(&output.stdout);
    let values: Vec<f64> = text
        .lines()
        .find_map(|l| l.strip_prefix("RESULT "))
        .unwrap_or_else(|| panic!("wrk said {text}"))
        .split_whitespace()
        .map(|v| v.parse().expect("a number"))
        .collect();
    assert_eq!(values[2], 0.0, "errors in {text}");
    (values[0], values[1])
}

fn sites(count: u32, origin: SocketAddr) -> Snapshot {
    let mut snapshot = Snapshot::default();
    snapshot.revision = 1;
    sample::put_policy(&mut snapshot, 1, json!({ "name": "p" }));
    for n in 1..=count {
        let vhost = json!({
            "name": format!("v{n}"), "hostnames": [format!("v{n}.test")], "policy": "p",
            "upstream": { "servers": [{ "address": origin.ip(), "port": origin.port() }] },
        });
        sample::put_vhost(&mut snapshot, n, vhost);
    }
    snapshot
}

#[tokio::main]
async fn main() {
    let origin = origin::Origin::start().await;
    let spoa = std::env::var("GUARD_SPOA").unwrap_or_else(|_| concat!(env!("CARGO_MANIFEST_DIR"), "/bin/guard-spoa").to_owned());
    let mut reference = None;
    println!("{:<8} {:<6} {:>8} {:>9} {:>8}", "vhosts", "which", "req/s", "p99 ms", "ratio");
    for count in [10_u32, 10_000] {
        let dir = tempfile::tempdir().expect("a folder");
        let port = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("its address").port();
        let mut node = sample::node(dir.path().to_str().expect("a path of text"));
        node.http_binds = vec![SocketAddr::from(([127, 0, 0, 1], port))];
        let bundle =
            render(&compile(&sites(count, origin.address), &node, time::OffsetDateTime::UNIX_EPOCH), &node, None).expect("renders");
        for (name, content) in &bundle.files {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            std::fs::write(path, content).expect("a file");
        }
        let file = |name: &str| dir.path().join(name).display().to_string();
        let _agent = start(&spoa, &["-config", &file("guard-spoa.yaml"), "-control", &file("control.sock")], Path::new(&file("spoa.log")));
        let _haproxy = start("/usr/sbin/haproxy", &["-f", &file("haproxy.cfg")], Path::new(&file("haproxy.log")));
        let until = Instant::now() + Duration::from_secs(30);
        let ready = |host: &str| {
            let output = Command::new("curl")
                .args(["-s", "-o", "/dev/null", "-w", "%{http_code}", "-H", &format!("Host: {host}")])
                .arg(format!("http://127.0.0.1:{port}/"))
                .output();
            output.is_ok_and(|o| o.stdout == b"200")
        };
        while !ready("v1.test") {
            assert!(Instant::now() < until, "not ready: {}", std::fs::read_to_string(file("haproxy.log")).unwrap_or_default());
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        for (which, n) in [("first", 1), ("last", count)] {
            let to = SocketAddr::from(([127, 0, 0, 1], port));
            let (rate, p99) = tokio::task::spawn_blocking(move || wrk(to, &format!("v{n}.test"))).await.expect("wrk ends");
            let reference = *reference.get_or_insert(rate);
            println!("{count:<8} {which:<6} {rate:>8.0} {p99:>9.1} {:>8.2}", rate / reference);
        }
    }
    println!("ratio: to the first of ten; goal 0.95 or more for the last of 10,000");
}
