use std::sync::Arc;
use std::time::Instant;

use serde_json::json;

use super::lab::{Lab, Told, free_port, until};
use crate::compile::MapName;
use crate::compile::sample::{list, put_policy, put_vhost};
use crate::dataplane::{Outcome, Report, Verdict};
use crate::domain::deployment::Lane;
use crate::domain::proof::ProofState;
use crate::domain::{Entry, Snapshot};
use crate::render::{Bundle, RenderedRuleSet};

pub const SQLI: &str = "/?id=1%27%20OR%20%271%27=%271";

fn vhost(snapshot: &mut Snapshot, number: u32, name: &str, policy: &str) {
    let upstream = json!({"servers": [{"address": "127.0.0.1", "port": 9}]});
    let access = if name == "listed" { json!({"deny": ["bad"], "trust": ["us"]}) } else { json!({}) };
    put_vhost(
        snapshot,
        number,
        json!({"name": name, "hostnames": [format!("{name}.test")], "policy": policy, "upstream": upstream, "access": access}),
    );
}

pub fn policy(snapshot: &mut Snapshot, mode: &str, rules: serde_json::Value) {
    put_policy(snapshot, 1, json!({"name": "main", "mode": mode, "custom_rules": rules}));
}

pub fn state(revision: i64, mode: &str) -> Snapshot {
    let mut out = Snapshot::default();
    out.revision = revision;
    let entry = |network: &str| Entry { network: network.parse().unwrap(), comment: Default::default(), expires_at: None };
    for list in [list(1, "bad", [entry("203.0.113.0/25")]), list(2, "us", [entry("192.0.2.64/26")])] {
        out.ip_lists.insert(list.list.spec.name.clone(), list);
    }
    policy(&mut out, mode, json!([]));
    put_policy(&mut out, 2, json!({"name": "off", "mode": "off"}));
    for (number, name, policy) in [(1, "shop", "main"), (2, "listed", "main"), (3, "quiet", "off")] {
        vhost(&mut out, number, name, policy);
    }
    let upstream = json!({"servers": [{"address": "127.0.0.1", "port": 9}]});
    put_vhost(
        &mut out,
        4,
        json!({"name": "closed", "hostnames": ["closed.test"], "policy": "main", "enabled": false, "upstream": upstream}),
    );
    out
}

pub fn live(report: &Report, told: &Told) {
    assert!(matches!(report.outcome, Outcome::Live), "{:?}\n{:#?}", report.outcome, told.steps.lock().unwrap());
    for proof in &report.proofs {
        assert_ne!(proof.state, ProofState::Unproven, "{proof:#?}");
    }
}

fn refused(report: &Report) -> (String, Vec<String>) {
    match &report.outcome {
        Outcome::Refused { said, errors } => (said.clone(), errors.iter().map(|e| e.pointer.clone()).collect()),
        other => panic!("{other:?}"),
    }
}

/// The bundle with another haproxy.cfg.
fn with_config(bundle: &Bundle, edit: impl Fn(&str) -> String) -> Arc<Bundle> {
    let mut out = bundle.clone();
    let structure = "fedcba9876543210";
    let config = String::from_utf8(bundle.files["haproxy.cfg"].to_vec()).unwrap();
    let config = edit(&config).replace(&bundle.structure, structure);
    out.files.insert("haproxy.cfg".into(), config.into_bytes().into());
    out.structure = structure.into();
    out.digest = format!("{structure}{}", bundle.digest);
    Arc::new(out)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_goes_the_way_it_needs() {
    let first = state(1, "block");
    let lab = Lab::start(&first).await;
    let one = lab.bundle(&first);

    // What runs is what the release says: nothing is reloaded, everything is proven.
    let (report, told) = lab.apply(&one, None).await;
    live(&report, &told);
    assert_eq!(told.names(), "stage rulesets runtime verify");
    assert_eq!(report.proofs.len(), 4);
    assert_eq!(lab.get("shop.test", SQLI).await, 403);
    assert_eq!(lab.get("quiet.test", SQLI).await, 503, "no origin");
    assert_eq!(lab.get("closed.test", "/").await, 421);
    assert_eq!(lab.node.drift(&one).await, None);

    // Runtime.
    let two = lab.bundle(&state(2, "detect"));
    let begun = Instant::now();
    let (report, told) = lab.apply(&two, Some(&one)).await;
    eprintln!("runtime lane: {:.1} ms: {}", begun.elapsed().as_secs_f64() * 1000.0, told.times());
    live(&report, &told);
    assert_eq!((report.lanes, told.names().as_str()), (vec![Lane::Runtime], "stage rulesets publish runtime verify"));
    assert_eq!(report.proofs.len(), 3, "{:?}", report.proofs);
    assert_eq!(lab.get("shop.test", SQLI).await, 503, "passed to the origin");

    // Rule set.
    let mut third = state(3, "block");
    policy(
        &mut third,
        "block",
        json!([{"id": 190_001, "seclang": "SecRule ARGS:debug \"@streq 1\" \"phase:2,deny,status:404,t:none,log,msg:'debug'\""}]),
    );
    let three = lab.bundle(&third);
    let begun = Instant::now();
    let (report, told) = lab.apply(&three, Some(&two)).await;
    eprintln!("ruleset lane: {:.1} ms: {}", begun.elapsed().as_secs_f64() * 1000.0, told.times());
    live(&report, &told);
    assert_eq!(report.lanes, [Lane::Runtime, Lane::Ruleset]);
    assert_eq!(lab.get("shop.test", "/?debug=1").await, 404);

    // What nobody names stays until nobody can still ask for it; then it is unloaded.
    let agent = &lab.node.inner.agent;
    let text = &three.rulesets.values().next().unwrap().text;
    agent.load("rs-ffffffffffffffff", text).await.unwrap();
    assert!(lab.node.collect().await.is_empty(), "too young");
    assert!(agent.applications().await.unwrap().contains_key("rs-ffffffffffffffff"));
    assert!(agent.unload("rs-ffffffffffffffff", std::time::Duration::from_secs(1)).await.unwrap());
    assert!(!agent.applications().await.unwrap().contains_key("rs-ffffffffffffffff"));

    // Reload, while a client of before holds its connection.
    use tokio::io::AsyncWriteExt as _;
    let mut held = tokio::net::TcpStream::connect(lab.settings.http_binds[0]).await.unwrap();
    held.write_all(b"GET / HTTP/1.1\r\nHost: shop.test\r\n").await.unwrap();
    let mut fourth = third.clone();
    fourth.revision = 4;
    vhost(&mut fourth, 5, "new", "main");
    let four = lab.bundle(&fourth);
    let begun = Instant::now();
    let (report, told) = lab.apply(&four, Some(&three)).await;
    eprintln!("reload lane: {:.1} ms: {}", begun.elapsed().as_secs_f64() * 1000.0, told.times());
    live(&report, &told);
    assert_eq!((report.lanes, told.names().as_str()), (vec![Lane::Reload], "stage validate rulesets preflight publish reload verify"));
    assert_eq!(lab.get("new.test", SQLI).await, 403);

    // Both workers hear of the next change.
    let mut fifth = fourth.clone();
    fifth.revision = 5;
    policy(&mut fifth, "off", json!([]));
    let five = lab.bundle(&fifth);
    let (report, told) = lab.apply(&five, Some(&four)).await;
    live(&report, &told);
    let processes = lab.node.inner.haproxy.processes().await.unwrap();
    assert_eq!(processes.old.len(), 1, "the held connection keeps it");
    for pid in processes.workers() {
        let live = lab.node.inner.worker(pid).dump(MapName::Live).await.unwrap();
        let mut wanted = five.maps[&MapName::Live].to_vec();
        wanted.sort();
        let mut live = live.clone();
        live.sort();
        assert_eq!(live, wanted, "worker {pid}");
    }
    drop(held);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_refused_leaves_no_trace() {
    let first = state(1, "block");
    let lab = Lab::start(&first).await;
    let one = lab.bundle(&first);
    let (report, told) = lab.apply(&one, None).await;
    live(&report, &told);
    let unharmed = async |what: &str| {
        assert_eq!(lab.node.current_release().await.unwrap().unwrap().1, one.digest, "{what}");
        assert_eq!(lab.node.drift(&one).await, None, "{what}");
        assert_eq!(lab.get("shop.test", SQLI).await, 403, "{what}");
        assert_eq!(lab.get("shop.test", "/").await, 503, "{what}: to the origin, which is not there");
        // Old rows may stay; nothing else may.
        let pid = lab.node.inner.haproxy.processes().await.unwrap().current.unwrap();
        for name in MapName::ALL.into_iter().filter(|name| *name != MapName::Rows) {
            let mut has = lab.node.inner.worker(pid).dump(name).await.unwrap();
            has.sort();
            assert_eq!(has, *one.maps[&name], "{what}: {}", name.file());
        }
    };

    // The agent does not compile it.
    let mut two = one.as_ref().clone();
    let (name, old) = two.rulesets.iter().find(|(_, r)| r.policies.iter().any(|p| p.as_str() == "main")).unwrap();
    let text = format!("{}SecRule ARGS \"@rx (?!x)\" \"id:190009,phase:2,pass,log,msg:'x'\"\n", old.text);
    let line = text.lines().count();
    let origins = [(line, "/custom_rules/0".to_owned())].into();
    let broken = RenderedRuleSet { name: name.clone(), text, policies: old.policies.clone(), origins };
    assert!(matches!(lab.node.validate_ruleset(old).await, Verdict::Accepted { .. }));
    assert!(
        matches!(lab.node.validate_ruleset(&broken).await, Verdict::Refused { ref errors, .. } if errors[0].pointer == "/policies/main/custom_rules/0")
    );
    two.rulesets.insert(name.clone(), Arc::new(broken));
    two.digest = "2".into();
    let (report, told) = lab.apply(&Arc::new(two), Some(&one)).await;
    let (said, pointers) = refused(&report);
    assert_eq!((told.names().as_str(), pointers[0].as_str()), ("stage rulesets!", "/policies/main/custom_rules/0"), "{said}");
    unharmed("rule set").await;

    // HAProxy does not read it.
    let three = with_config(&one, |config| {
        config.replacen("server s1 127.0.0.1:9", "server s1 127.0.0.1:99999", 1).replace("127.0.0.1:9 ", "127.0.0.1:99999 ")
    });
    assert!(matches!(lab.node.validate_structure(&one).await, Verdict::Accepted { .. }));
    let Verdict::Refused { errors, .. } = lab.node.validate_structure(&three).await else { panic!() };
    assert!(errors.iter().any(|e| e.pointer == "/vhosts/shop/upstream"), "{errors:?}");
    let (report, told) = lab.apply(&three, Some(&one)).await;
    let (said, pointers) = refused(&report);
    assert_eq!(told.names(), "stage validate!", "{said}");
    assert!(pointers.contains(&"/vhosts/shop/upstream".to_owned()), "{pointers:?}");
    unharmed("structure").await;

    // Somebody has the address.
    let port = free_port();
    let somebody = std::net::TcpListener::bind(port).unwrap();
    let four = with_config(&one, |config| config.replacen("    bind unix@", &format!("    bind {port} name http\n    bind unix@"), 1));
    let (report, told) = lab.apply(&four, Some(&one)).await;
    let (said, _) = refused(&report);
    assert_eq!(told.names(), "stage validate rulesets preflight!");
    assert!(said.contains(&port.to_string()), "{said}");
    unharmed("bind").await;
    drop(somebody);

    // A probe sees something else: on the runtime lane, and behind a reload.
    let mut five = lab.bundle(&state(5, "detect")).as_ref().clone();
    let mut probes = five.probes.as_ref().clone();
    probes.get_mut("shop").unwrap().mode = crate::domain::Mode::Block;
    five.probes = Arc::new(probes);
    let (report, told) = lab.apply(&Arc::new(five.clone()), Some(&one)).await;
    let (said, pointers) = refused(&report);
    assert_eq!((told.names().as_str(), pointers[0].as_str()), ("stage rulesets publish runtime verify! restore", "/vhosts/shop"), "{said}");
    unharmed("probe, runtime").await;
    let six = with_config(&five, str::to_owned);
    let (report, told) = lab.apply(&six, Some(&one)).await;
    refused(&report);
    assert_eq!(told.names(), "stage validate rulesets preflight publish reload verify! restore");
    unharmed("probe, reload").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_is_started_anew_is_brought_back() {
    let first = state(1, "block");
    let mut lab = Lab::start(&first).await;
    let one = lab.bundle(&first);
    let (report, told) = lab.apply(&one, None).await;
    live(&report, &told);

    // The agent dies: nothing is known about the content.
    lab.stop_agent();
    let two = lab.bundle(&state(2, "detect"));
    let (report, _) = lab.apply(&two, Some(&one)).await;
    assert!(matches!(report.outcome, Outcome::Retry { .. }), "{:?}", report.outcome);
    assert_eq!(lab.node.current_release().await.unwrap().unwrap().1, one.digest);
    lab.start_agent().await;
    let agent_sees_it = async || (lab.get("shop.test", SQLI).await == 403).then_some(());
    until("HAProxy finds the agent again", agent_sees_it).await;
    let (report, told) = lab.apply(&two, Some(&one)).await;
    live(&report, &told);

    // HAProxy dies, and comes back from the files.
    lab.start_haproxy().await;
    assert!(lab.node.drift(&two).await.is_some());
    let (report, told) = lab.apply(&two, Some(&two)).await;
    live(&report, &told);
    assert_eq!(lab.node.drift(&two).await, None);

    // Somebody has been at the maps.
    let pid = lab.node.inner.haproxy.processes().await.unwrap().current.unwrap();
    lab.node.inner.haproxy.cli.tell(&[format!("@!{pid} del map hosts.map shop.test")]).await.unwrap();
    assert!(lab.node.drift(&two).await.is_some());
    let (report, told) = lab.apply(&two, Some(&two)).await;
    live(&report, &told);
    assert_ne!(lab.get("shop.test", "/").await, 421);

    // We die ourselves in the middle, between the files and the maps: the next process reads what is there.
    let three = lab.bundle(&state(3, "block"));
    lab.node.inner.releases.publish(lab.node.inner.releases.write(&three).unwrap().number).unwrap();
    lab.node = lab.new_node();
    let (report, told) = lab.apply(&three, None).await;
    live(&report, &told);
    assert_eq!(told.names(), "stage rulesets runtime verify", "no needless reload");
    assert_eq!(lab.get("shop.test", SQLI).await, 403);
    assert!(lab.node.collect().await.is_empty(), "nothing is old enough");
}

/// A socket in the agent's place, which hangs up, or (with `hang`) never answers, on what it is told to load.
fn stubborn_agent(socket: &str, hang: bool) -> Arc<std::sync::atomic::AtomicUsize> {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    drop(std::fs::remove_file(socket));
    let listener = tokio::net::UnixListener::bind(socket).unwrap();
    let loads = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let count = loads.clone();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let count = count.clone();
            tokio::spawn(async move {
                let mut buffer = [0; 4096];
                let n = stream.read(&mut buffer).await.unwrap_or(0);
                if buffer[..n].starts_with(b"PUT") {
                    count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                    if hang {
                        tokio::time::sleep(std::time::Duration::from_secs(60)).await;
                    }
                    return;
                }
                let body = r#"{"items":[]}"#;
                let text = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
                drop(stream.write_all(text.as_bytes()).await);
            });
        }
    });
    loads
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_agent_loads_nothing_that_could_have_been_judged_and_was_not() {
    use std::sync::atomic::Ordering;
    let first = state(1, "block");
    let mut lab = Lab::start(&first).await;
    let one = lab.bundle(&first);
    let (report, told) = lab.apply(&one, None).await;
    live(&report, &told);

    // The validator says no: the agent is not even asked.
    let mut second = state(2, "block");
    policy(&mut second, "block", json!([{"id": 190_001, "seclang": "SecRule ARGS \"@rx a**\" \"phase:2,deny,msg:'x'\""}]));
    let two = lab.bundle(&second);
    lab.stop_agent();
    let loads = stubborn_agent(&lab.settings.control_socket(), false);
    let (report, told) = lab.apply(&two, Some(&one)).await;
    let (said, pointers) = refused(&report);
    assert_eq!((told.names().as_str(), pointers[0].as_str()), ("stage rulesets!", "/policies/main/custom_rules/0"), "{said}");
    assert_eq!(loads.load(Ordering::Relaxed), 0);

    // It says yes: what becomes of the agent then is not the content's.
    let mut third = state(3, "block");
    policy(&mut third, "block", json!([{"id": 190_001, "seclang": "SecRule ARGS:a \"@streq 1\" \"phase:2,deny,msg:'x'\""}]));
    let three = lab.bundle(&third);
    let (report, _) = lab.apply(&three, Some(&one)).await;
    assert!(matches!(report.outcome, Outcome::Retry { .. }), "{:?}", report.outcome);
    assert_eq!(loads.load(Ordering::Relaxed), 1);
    assert!(three.rulesets.values().all(|ruleset| lab.node.accepted().has(ruleset)));

    // Nobody to judge it, and the agent breaks on it, or has no end.
    lab.stop_validator();
    for hang in [false, true] {
        let node = lab.new_node();
        let loads = stubborn_agent(&lab.settings.control_socket(), hang);
        let begun = Instant::now();
        let report = node.apply(&two, Some(&one), &Told::default()).await;
        let Outcome::Refused { errors, .. } = &report.outcome else { panic!("{:?}", report.outcome) };
        assert!(errors.iter().all(|e| e.code == "too_expensive" && e.pointer.starts_with("/policies/")), "{errors:?}");
        assert_eq!(loads.load(Ordering::Relaxed), 1);
        assert!(begun.elapsed().as_secs() < 13);
    }
}
