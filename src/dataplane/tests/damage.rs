//! Files that somebody has been at, engines that are away, an agent that is full.

use std::time::Duration;

use serde_json::json;

use super::apply::{live, policy, state};
use super::lab::Lab;
use crate::dataplane::Outcome;
use crate::domain::deployment::Lane;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn damaged_files_are_healed_without_a_reload() {
    let first = state(1, "block");
    let lab = Lab::start(&first).await;
    let one = lab.bundle(&first);
    let (report, told) = lab.apply(&one, None).await;
    live(&report, &told);
    let current = lab.folder.path().join("state/current");
    for (name, text) in [("rows.map", ""), ("haproxy.cfg", "global\n"), ("manifest.json", "{")] {
        std::fs::write(current.join(name), text).unwrap();
        let why = lab.node.drift(&one).await.unwrap();
        assert!(why.contains(name), "{why}");
        let (report, told) = lab.apply(&one, Some(&one)).await;
        live(&report, &told);
        assert!(!report.lanes.contains(&Lane::Reload), "{}", told.names());
        assert_eq!(lab.node.drift(&one).await, None, "{name}");
        assert_ne!(std::fs::read_to_string(current.join(name)).unwrap(), text);
    }
    // A new revision does not take the damage along.
    std::fs::write(current.join("haproxy.cfg"), "global\n").unwrap();
    let two = lab.bundle(&state(2, "detect"));
    let (report, told) = lab.apply(&two, Some(&one)).await;
    live(&report, &told);
    assert_eq!(std::fs::read(current.join("haproxy.cfg")).unwrap(), *two.files["haproxy.cfg"]);
    assert!(told.names().starts_with("mend stage"), "{}", told.names());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_away_is_started_from_what_was_live() {
    let first = state(1, "block");
    let mut lab = Lab::start(&first).await;
    let one = lab.bundle(&first);
    let (report, told) = lab.apply(&one, None).await;
    live(&report, &told);
    lab.stop_haproxy();
    let state_dir = lab.folder.path().join("state");
    std::fs::write(state_dir.join("current/haproxy.cfg"), "").unwrap();
    let two = lab.bundle(&state(2, "detect"));
    let (report, _) = lab.apply(&two, Some(&one)).await;
    assert!(matches!(report.outcome, Outcome::Retry { .. }), "{:?}", report.outcome);
    assert_eq!(lab.node.current_release().await.unwrap().unwrap().1, one.digest, "not the one that nobody has seen");
    std::fs::remove_file(state_dir.join("current")).unwrap();
    assert!(lab.node.drift(&one).await.unwrap().contains("current"));
    lab.node.keep_release(&one).await.unwrap();
    lab.start_haproxy().await;
    let (report, told) = lab.apply(&two, Some(&one)).await;
    live(&report, &told);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_that_is_full_takes_no_more_until_some_go() {
    let mut snapshot = state(1, "block");
    let lab = Lab::start(&snapshot).await;
    let one = lab.bundle(&snapshot);
    let (report, told) = lab.apply(&one, None).await;
    live(&report, &told);
    for i in 0..70 {
        lab.node.inner.agent.load(&format!("rs-{i:016}"), "SecRuleEngine On").await.unwrap();
    }
    snapshot.revision = 2;
    let rule = "SecRule ARGS:debug \"@streq 1\" \"phase:2,deny,status:404,t:none,log,msg:'debug'\"";
    policy(&mut snapshot, "block", json!([{"id": 190_001, "seclang": rule}]));
    let two = lab.bundle(&snapshot);
    assert!(two.rulesets.keys().any(|name| !one.rulesets.contains_key(name)));
    let (report, told) = lab.apply(&two, Some(&one)).await;
    assert!(
        matches!(&report.outcome, Outcome::Retry { said } if said.contains("too many rule sets")),
        "{:?} {}",
        report.outcome,
        told.names()
    );
    lab.node.inner.running.lock().await.applications.age(Duration::from_secs(60));
    let (report, told) = lab.apply(&two, Some(&one)).await;
    live(&report, &told);
    let left = lab.node.inner.agent.applications().await.unwrap();
    assert!(left.len() <= 24 + two.rulesets.len() + one.rulesets.len(), "{}", left.len());
}
