//! Rendered files, judged by the real HAProxy. Without it these tests fail: a template that nobody judged is not known to work.

use std::path::Path;
use std::process::Command;

use super::*;
use crate::compile::{compile, sample};
use crate::domain::Snapshot;

const NOW: time::OffsetDateTime = time::OffsetDateTime::UNIX_EPOCH;

mod golden;
mod hostile;
mod pages;
mod small;

/// What `haproxy -c` says of a bundle, by its exit code and words.
fn haproxy(bundle: &Bundle) -> (i32, String) {
    let dir = tempfile::tempdir().unwrap();
    write(bundle, dir.path());
    let ran = Command::new("haproxy").args(["-c", "-f"]).arg(dir.path().join("haproxy.cfg")).output();
    let ran = ran.expect("these tests need the haproxy program");
    (ran.status.code().unwrap_or(-1), format!("{}{}", String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr)))
}

fn write(bundle: &Bundle, dir: &Path) {
    for (name, content) in &bundle.files {
        let path = dir.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
}

fn text<'b>(bundle: &'b Bundle, file: &str) -> &'b str {
    std::str::from_utf8(&bundle.files[file]).unwrap()
}

fn rendered(snapshot: &Snapshot) -> Bundle {
    let node = sample::node("/run/guard-proxy");
    let desired = compile(snapshot, &node, NOW);
    assert_eq!(desired.problems, []);
    render(&desired, &node, None).unwrap()
}

#[track_caller]
fn valid(bundle: &Bundle) {
    let (code, said) = haproxy(bundle);
    assert!(code == 0 && !said.contains("WARNING"), "haproxy -c: {code}\n{said}");
}

#[test]
fn no_vhosts_at_all() {
    valid(&rendered(&Snapshot::default()));
}

#[test]
fn everything_at_once() {
    valid(&rendered(&small::snapshot()));
}

#[test]
fn every_bind_form() {
    let binds = ["127.0.0.1:8080", "0.0.0.0:80", "[::]:80", "[::]:81", "[2001:db8::1]:8080"];
    let node = NodeSettings { http_binds: binds.iter().map(|b| b.parse().unwrap()).collect(), ..sample::node("/run/guard-proxy") };
    let bundle = render(&compile(&small::snapshot(), &node, NOW), &node, None).unwrap();
    let cfg = text(&bundle, "haproxy.cfg");
    for line in ["bind [::]:80 name http v6only\n", "bind [::]:81 name http v4v6\n", "bind [2001:db8::1]:8080 name http v6only\n"] {
        assert!(cfg.contains(line), "{line}");
    }
    valid(&bundle);
}

#[test]
fn smallest_and_largest_buffer() {
    for bytes in [16_384, 4_194_304] {
        let node = NodeSettings { inspected_bytes: bytes, ..sample::node("/run/guard-proxy") };
        valid(&render(&compile(&small::snapshot(), &node, NOW), &node, None).unwrap());
    }
}
