//! A synthetic snapshot, for tests and benchmarks.

use std::collections::BTreeMap;
use std::sync::Arc;

use time::OffsetDateTime;
use uuid::Uuid;

use super::NodeSettings;
use crate::domain::snapshot::ListState;
use crate::domain::{Entry, IpList, Name, Policy, Revision, Snapshot, Versioned, Vhost};

/// A node with sockets under `run_dir`.
pub fn node(run_dir: &str) -> NodeSettings {
    NodeSettings {
        http_binds: vec![std::net::SocketAddr::from(([127, 0, 0, 1], 8080))],
        run_dir: run_dir.to_owned(),
        inspected_bytes: 131_072,
        maxconn: 4000,
        waf_timeout_ms: 2000,
        client_timeout_ms: 35_000,
        request_timeout_ms: 5000,
        tunnel_timeout_ms: 3_600_000,
        connections_per_client: 1000,
        proxies: Vec::new(),
        health_path: "/.guard-proxy/health".to_owned(),
        proxy_protocol_from: Vec::new(),
        hard_stop_after_s: 1800,
        allow_upstreams: Vec::new(),
        own_addresses: Vec::new(),
    }
}

/// An object as the store would give it.
pub fn versioned<T>(number: u32, revision: Revision, spec: T) -> Versioned<T> {
    Versioned {
        id: Uuid::nil(),
        number,
        spec,
        revision,
        created_at: OffsetDateTime::UNIX_EPOCH,
        updated_at: OffsetDateTime::UNIX_EPOCH,
        elements: Arc::new(BTreeMap::new()),
    }
}

/// An IP list with its entries.
pub fn list(number: u32, name: &str, entries: impl IntoIterator<Item = Entry>) -> Arc<ListState> {
    let spec = IpList { name: parse(name), title: Default::default(), description: Default::default(), source: Default::default() };
    let entries = entries.into_iter().map(|entry| (entry.network, entry)).collect();
    Arc::new(ListState { list: versioned(number, 1, spec), entries: Arc::new(entries) })
}

/// Adds a policy, given as the API would.
pub fn put_policy(snapshot: &mut Snapshot, number: u32, policy: serde_json::Value) {
    let policy: Policy = serde_json::from_value(policy).expect("a policy");
    let policy = policy.complete().expect("a valid policy");
    snapshot.policies.insert(policy.name.clone(), Arc::new(versioned(number, 1, policy)));
}

/// Adds a vhost, given as the API would.
pub fn put_vhost(snapshot: &mut Snapshot, number: u32, vhost: serde_json::Value) {
    let vhost: Vhost = serde_json::from_value(vhost).expect("a vhost");
    snapshot.put_vhost(Arc::new(versioned(number, 1, vhost.complete().expect("a valid vhost"))));
}

fn parse(name: &str) -> Name {
    Name::parse(name).expect("a name")
}

/// `vhosts` sites with health checks, two hostnames and a server each, spread over `policies` policies that all differ, and two lists
/// that every tenth site uses.
pub fn snapshot(vhosts: u32, policies: u32) -> Snapshot {
    let mut out = Snapshot::default();
    out.revision = 7;
    let entry = |n: u32| Entry {
        network: format!("10.{}.{}.0/24", n >> 8, n & 255).parse().expect("a network"),
        comment: Default::default(),
        expires_at: None,
    };
    out.ip_lists.insert(parse("bad"), list(1, "bad", (0..100).map(entry)));
    out.ip_lists.insert(parse("monitoring"), list(2, "monitoring", (300..310).map(entry)));
    for n in 1..=policies {
        put_policy(
            &mut out,
            n,
            serde_json::json!({
                "name": format!("policy-{n}"), "paranoia": {"blocking": n % 4 + 1}, "thresholds": {"inbound": 5 + n},
                "exclusions": [
                    {"rule": {"id": 942_100}, "target": format!("ARGS:comment{n}"), "path": {"prefix": "/blog/"}},
                    {"rule": {"tag": "attack-xss"}, "target": format!("ARGS:html{n}")},
                ],
            }),
        );
    }
    for n in 1..=vhosts {
        let access = if n % 10 == 0 { serde_json::json!({"deny": ["bad"], "trust": ["monitoring"]}) } else { serde_json::json!({}) };
        put_vhost(
            &mut out,
            n,
            serde_json::json!({
                "name": format!("site-{n}"), "hostnames": [format!("site-{n}.example.com"), format!("www.site-{n}.example.com")],
                "policy": format!("policy-{}", (n - 1) % policies + 1), "access": access,
                "upstream": {"servers": [{"address": format!("192.0.{}.{}", n >> 8 & 255, n & 255), "port": 8080}], "health_check": {"path": "/health"}},
            }),
        );
    }
    out
}
