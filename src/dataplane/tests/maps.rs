use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::lab::{Process, start_haproxy, until};
use crate::compile::{Map, MapName};
use crate::dataplane::haproxy::{Haproxy, Reload};
use crate::dataplane::maps::{Known, Maps, Worker};

/// As small as it is allowed: what does not fit shows.
const BUFSIZE: u32 = 16_384;

fn config(folder: &Path, structure: &str) -> String {
    let uses: String = MapName::ALL.iter().map(|name| format!("    http-request set-var(txn.x) path,map_str({})\n", name.file())).collect();
    format!(
        "global\n    default-path config\n    description gp-{structure}\n    tune.bufsize {BUFSIZE}\ndefaults base\n    mode http\n    timeout connect 1s\n    timeout client 30s\n    timeout server 1s\nfrontend http from base\n    bind unix@{}/http.sock name http\n{uses}    http-request return status 200\n",
        folder.display()
    )
}

fn maps(entries: impl Fn(MapName) -> Map) -> Maps {
    MapName::ALL.into_iter().map(|name| (name, Arc::new(entries(name)))).collect()
}

fn numbered(prefix: &str, range: std::ops::Range<u32>, value: &str) -> Map {
    let mut map: Map = range.map(|i| (format!("{prefix}{i}"), format!("{value}{i}"))).collect();
    map.sort();
    map
}

struct Lab {
    folder: tempfile::TempDir,
    haproxy: Haproxy,
    process: Process,
}

impl Lab {
    async fn start(maps: &Maps) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("haproxy.cfg"), config(folder.path(), "one")).unwrap();
        for (name, map) in maps {
            let text: String = map.iter().map(|(k, v)| format!("{k} {v}\n")).collect();
            std::fs::write(folder.path().join(name.file()), text).unwrap();
        }
        let master = folder.path().join("master.sock");
        let process = start_haproxy(folder.path(), &folder.path().join("haproxy.cfg"), master.to_str().unwrap());
        let haproxy = Haproxy::new(master.to_str().unwrap());
        until("HAProxy is up", async || haproxy.processes().await.ok()?.current).await;
        Self { folder, haproxy, process }
    }

    fn worker(&self, pid: u32) -> Worker<'_> {
        Worker::new(&self.haproxy.cli, pid)
    }

    async fn has(&self, pid: u32) -> BTreeMap<MapName, Map> {
        let mut out = BTreeMap::new();
        for name in MapName::ALL {
            let mut map = self.worker(pid).dump(name).await.unwrap();
            map.sort();
            out.insert(name, map);
        }
        out
    }
}

fn plain(maps: &Maps) -> BTreeMap<MapName, Map> {
    maps.iter().map(|(name, map)| (*name, map.to_vec())).collect()
}

#[tokio::test]
async fn maps_become_what_they_shall_be() {
    let target = |n: u32, value: &'static str| {
        maps(move |name| match name {
            MapName::Live => numbered("", 1..n, value),
            MapName::Rows => numbered("", 1..n, "")
                .into_iter()
                .map(|(k, _)| (format!("{k}.{value}{k}/"), format!("B|{value}|rs-{value}|-|1")))
                .collect::<std::collections::BTreeSet<_>>()
                .into_iter()
                .collect(),
            MapName::Hosts => numbered("host", 1..n, ""),
            MapName::Redirects => vec![("https://a.test/x;y?z=1&b#c".into(), "1".into())],
            _ => numbered("k", 1..n, "v"),
        })
    };
    let (few, changed, many) = (target(5, "a"), target(5, "b"), target(3000, "c"));
    let lab = Lab::start(&few).await;
    let pid = lab.haproxy.processes().await.unwrap().current.unwrap();
    let worker = lab.worker(pid);
    let mut known = worker.bring(None, &few).await.unwrap();
    assert_eq!(lab.has(pid).await, plain(&few));

    // One by one; rows of before stay until they are forgotten.
    known = worker.bring(Some(known), &changed).await.unwrap();
    let has = lab.has(pid).await;
    assert_eq!(has[&MapName::Live], *changed[&MapName::Live]);
    assert_eq!(has[&MapName::Rows].len(), 8);
    assert!(known.has_old_rows(Duration::ZERO));
    known = worker.forget(known, Duration::from_secs(60)).await.unwrap();
    assert!(known.has_old_rows(Duration::ZERO), "too young");
    known = worker.forget(known, Duration::ZERO).await.unwrap();
    assert_eq!(lab.has(pid).await, plain(&changed));

    // Versions, in many calls each.
    known = worker.bring(Some(known), &many).await.unwrap();
    known = worker.bring(Some(known), &few).await.unwrap();
    known = worker.bring(Some(known), &many).await.unwrap();
    assert_eq!(lab.has(pid).await[&MapName::Rows].len(), 2999 + 8, "with those of before; those that came back are not there twice");
    known = worker.forget(known, Duration::ZERO).await.unwrap();
    assert_eq!(lab.has(pid).await, plain(&many));

    // A version that was left half made, an entry twice, and one too few: read anew, and mended.
    lab_tell(&lab.haproxy, &format!("@!{pid} prepare map live.map")).await;
    lab.haproxy.cli.tell_payload(&format!("@!{pid} add map @1 rows.map"), "x y\n").await.ok();
    lab_tell(&lab.haproxy, &format!("@!{pid} add map hosts.map host1 7")).await;
    lab_tell(&lab.haproxy, &format!("@!{pid} del map access.map k7")).await;
    worker.bring(Some(known), &many).await.unwrap();
    assert_eq!(lab.has(pid).await, plain(&many));
}

async fn lab_tell(haproxy: &Haproxy, command: &str) {
    haproxy.cli.ask(command).await.unwrap();
}

#[tokio::test]
async fn a_reload_is_believed_when_it_is_seen() {
    use tokio::io::AsyncWriteExt as _;
    let target = maps(|_| numbered("k", 1..4, "v"));
    let mut lab = Lab::start(&target).await;
    let config_file = lab.folder.path().join("haproxy.cfg");
    let reload = async |structure: &str, text: String| {
        std::fs::write(&config_file, text).unwrap();
        let before = lab.haproxy.processes().await.unwrap();
        lab.haproxy.reload(&before, structure, Duration::from_secs(10)).await.unwrap()
    };
    let first = lab.haproxy.processes().await.unwrap().current.unwrap();
    let mut held = tokio::net::UnixStream::connect(lab.folder.path().join("http.sock")).await.unwrap();
    held.write_all(b"GET / HTTP/1.1\r\n").await.unwrap();

    let Reload::Done { pid } = reload("two", config(lab.folder.path(), "two")).await else { panic!() };
    assert_eq!(lab.haproxy.structure(pid).await.unwrap(), "two");
    let bad = config(lab.folder.path(), "three").replace("mode http", "mode htp");
    let Reload::Refused { said } = reload("three", bad).await else { panic!() };
    assert!(!said.contains(&*lab.folder.path().to_string_lossy()), "the folder is not for people: {said}");
    assert!(!said.contains("NOTICE") && !said.contains("Loading failure"), "{said}");
    let processes = lab.haproxy.processes().await.unwrap();
    assert_eq!((processes.current, processes.failed, processes.old.as_slice()), (Some(pid), 1, &[first][..]));
    let Reload::Done { pid } = reload("four", config(lab.folder.path(), "four")).await else { panic!() };

    // Both workers are brought to the same; one that has ended is not there.
    let next = maps(|_| numbered("k", 1..100, "w"));
    for worker in [pid, first] {
        lab.worker(worker).bring(Some(Known::fresh(&target)), &next).await.unwrap();
        let has = lab.has(worker).await;
        assert_eq!(has[&MapName::Live], *next[&MapName::Live]);
    }
    drop(held);
    until("the old worker ends", async || lab.haproxy.processes().await.ok()?.old.is_empty().then_some(())).await;
    let gone = lab.worker(first).bring(None, &next).await;
    assert!(matches!(gone, Err(crate::dataplane::cli::CliError::Gone(gone)) if gone == first), "{gone:?}");
    lab.process.end();
    assert!(matches!(lab.haproxy.processes().await, Err(crate::dataplane::cli::CliError::Away { .. })));
}
