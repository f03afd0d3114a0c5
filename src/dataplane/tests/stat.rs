use std::collections::HashMap;

use serde_json::json;

use super::apply::{SQLI, live, state};
use super::lab::{Lab, free_port, until};
use crate::compile::sample::put_vhost;
use crate::dataplane::ServerState;
use crate::domain::TrafficCounts;

#[tokio::test(flavor = "multi_thread")]
async fn servers_are_as_haproxy_sees_them() {
    let (healthy, gone) = (tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap(), free_port());
    let port = healthy.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = healthy.accept().await {
            use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
            let _ = stream.read(&mut [0; 1024]).await;
            let _ = stream.write_all(b"HTTP/1.1 204 Well, \"well\"\r\n\r\n").await;
        }
    });
    let mut snapshot = state(1, "block");
    let servers = json!([{"name": "a", "address": "127.0.0.1", "port": port}, {"name": "b", "address": "127.0.0.1", "port": gone.port()}]);
    let upstream = json!({"servers": servers, "health_check": {"interval_ms": 100, "rise": 1, "fall": 1}});
    put_vhost(&mut snapshot, 5, json!({"name": "checked", "hostnames": ["checked.test"], "policy": "main", "upstream": upstream}));
    let mut lab = Lab::start(&snapshot).await;
    let node = lab.node.clone();
    let found = until("both are checked", async || {
        let found = node.servers(5).await.ok()?;
        (found[0].check.as_ref()?.code.is_some() && found[1].state == ServerState::Down).then_some(found)
    })
    .await;
    let told: Vec<_> = found.iter().map(|one| (one.name.as_str(), one.address.clone(), one.state)).collect();
    assert_eq!(told, [("a", format!("127.0.0.1:{port}"), ServerState::Up), ("b", gone.to_string(), ServerState::Down)]);
    let (good, bad) = (found[0].check.clone().unwrap(), found[1].check.clone().unwrap());
    assert_eq!((good.code, good.said.starts_with("Layer7 check passed")), (Some(204), true), "{good:?}");
    assert_eq!((bad.code, bad.said.as_str()), (None, "Layer4 connection problem: Connection refused"));

    let quiet = node.servers(3).await.unwrap();
    assert_eq!((quiet.len(), quiet[0].state, &quiet[0].check), (1, ServerState::Unchecked, &None));
    assert_eq!(node.servers(77).await.unwrap(), []);
    lab.stop_haproxy();
    assert!(node.servers(3).await.unwrap_err().starts_with("HAProxy does not answer"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_counted_is_of_clients_and_of_a_process() {
    let first = state(1, "block");
    let mut lab = Lab::start(&first).await;
    let before = lab.bundle(&first);
    let (report, told) = lab.apply(&before, None).await;
    live(&report, &told);
    // Nothing listens at the upstream: forwarded, and HAProxy's own 503.
    assert_eq!((lab.get("shop.test", "/").await, lab.get("shop.test", SQLI).await), (503, 403));
    assert_eq!((lab.get("quiet.test", SQLI).await, lab.get("nobody.test", "/").await), (503, 421));
    let now = lab.node.traffic().await;
    assert!(now.whole);
    let [worker, agent] = &now.processes[..] else { panic!("{now:#?}") };
    let forwarded = TrafficCounts { forwarded: 1, server_errors: 1, ..TrafficCounts::default() };
    assert_eq!(worker.vhosts, HashMap::from([(1, forwarded), (3, forwarded)]));
    let inspected = TrafficCounts { inspected: 2, blocked: 1, ..TrafficCounts::default() };
    assert_eq!(agent.vhosts, HashMap::from([(1, inspected)]), "of probes nothing");

    // Detecting, behind a reload: another worker counts, from 0, and the agent goes on.
    let mut second = state(2, "detect");
    put_vhost(
        &mut second,
        6,
        json!({"name": "new", "hostnames": ["new.test"], "policy": "main", "upstream": {"servers": [{"address": "127.0.0.1", "port": 9}]}}),
    );
    let (report, told) = lab.apply(&lab.bundle(&second), Some(&before)).await;
    live(&report, &told);
    assert_eq!(lab.get("shop.test", SQLI).await, 503);
    let now = lab.node.traffic().await;
    let (new, agent_now) = (&now.processes[0], now.processes.last().unwrap());
    assert_ne!(new.process, worker.process);
    assert_eq!(new.vhosts, HashMap::from([(1, forwarded)]));
    let inspected = TrafficCounts { inspected: 3, blocked: 1, detected: 1, ..TrafficCounts::default() };
    assert_eq!((&agent_now.process, &agent_now.vhosts), (&agent.process, &HashMap::from([(1, inspected)])));

    lab.start_agent().await;
    let now = lab.node.traffic().await;
    assert_ne!(now.processes.last().unwrap().process, agent.process);
    assert_eq!(now.processes.last().unwrap().vhosts, HashMap::new());
    lab.stop_agent();
    let now = lab.node.traffic().await;
    assert!(!now.whole && now.processes.iter().all(|one| one.process.starts_with("haproxy")), "{now:#?}");
}
