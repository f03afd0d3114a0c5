//! A small snapshot that uses everything.

use serde_json::json;

use crate::compile::sample::{list, put_policy, put_vhost};
use crate::domain::{Entry, Snapshot};

pub fn entry(network: &str) -> Entry {
    Entry { network: network.parse().unwrap(), comment: Default::default(), expires_at: None }
}

pub fn snapshot() -> Snapshot {
    let mut out = Snapshot::default();
    out.revision = 12;
    for list in [
        list(1, "bad", [entry("203.0.113.0/25"), entry("2001:db8:bad::/48")]),
        list(2, "office", [entry("10.0.0.0/8"), entry("203.0.113.64/26")]),
        list(3, "monitoring", [entry("10.9.0.0/16"), entry("192.0.2.7")]),
    ] {
        out.ip_lists.insert(list.list.spec.name.clone(), list);
    }
    put_policy(&mut out, 1, json!({"name": "plain"}));
    put_policy(
        &mut out,
        2,
        json!({
            "name": "shop", "mode": "detect", "paranoia": {"blocking": 1, "detection": 4}, "thresholds": {"inbound": 10, "outbound": 8},
            "allowed_methods": ["GET", "POST"], "allowed_content_types": ["application/json"],
            "exclusions": [
                {"rule": {"id": 942_100}},
                {"rule": {"range": {"from": 941_100, "to": 941_199}}, "target": "ARGS:html"},
                {"rule": {"tag": "attack-rce"}, "target": "REQUEST_COOKIES:s.id"},
                {"rule": {"id": 942_200}, "target": "ARGS:comment", "path": {"prefix": "/blog/"}},
                {"rule": {"tag": "attack-lfi"}, "path": {"prefix": "/files/a.b+c"}},
                {"rule": {"id": 942_300}, "enabled": false},
            ],
            "custom_rules": [
                {"id": 190_001, "seclang": "SecRule ARGS:go \"@streq away\" \"phase:2,redirect:https://sorry.example.com/blocked,t:none,log,msg:'away'\""},
                {"id": 190_002, "placement": "after", "seclang": "SecRule ARGS:debug \"@streq 1\" \"phase:2,deny,status:404,t:none,log,msg:'debug'\""},
            ],
        }),
    );
    put_policy(&mut out, 3, json!({"name": "off", "mode": "off"}));
    put_vhost(
        &mut out,
        1,
        json!({"name": "shop", "hostnames": ["shop.example.com", "*.shop.example.com"], "policy": "shop",
            "upstream": {
                "balance": "leastconn", "health_check": {"path": "/health?deep=1", "expect_status": "200,204,300-302"},
                "timeouts": {"connect_ms": 500, "response_ms": 60000, "queue_ms": 100},
                "servers": [
                    {"name": "a", "address": "192.0.2.10", "port": 8080, "weight": 10}, {"address": "2001:db8::1", "port": 80},
                    {"name": "spare", "address": "192.0.2.11", "port": 8080, "backup": true},
                ]},
            "access": {"deny": ["bad"], "allow_only": ["office"], "trust": ["monitoring"]}, "on_waf_unavailable": "pass"}),
    );
    let upstream = json!({"servers": [{"address": "192.0.2.20", "port": 80}]});
    put_vhost(
        &mut out,
        2,
        json!({"name": "plain", "hostnames": ["*.example.org", "[2001:db8::9]", "192.0.2.9"], "policy": "plain", "upstream": upstream}),
    );
    put_vhost(
        &mut out,
        3,
        json!({"name": "old", "hostnames": ["old.example.com"], "policy": "off", "upstream": upstream, "enabled": false}),
    );
    put_vhost(
        &mut out,
        5,
        json!({"name": "parts", "hostnames": ["parts.example.com"], "policy": "plain", "upstream": upstream,
            "paths": [
                {"prefix": "/upload", "body": {"on_partial": "inspect_head"}},
                {"prefix": "/Chat/", "policy": "shop", "websocket": true},
                {"prefix": "/static/", "policy": "off", "body": {"max_bytes": 0}},
            ],
            "client_ip": {"trusted_proxies": ["10.1.0.0/16", "2001:db8:f::/48"]}, "rate_limit": {"requests": 100, "period": "1m"}}),
    );
    put_vhost(
        &mut out,
        6,
        json!({"name": "exact", "hostnames": ["exact.example.com"], "policy": "plain", "upstream": upstream, "on_ambiguous_path": "deny",
            "client_ip": {"trusted_proxies": ["10.1.0.0/16"], "header": "cf-connecting-ip"}}),
    );
    put_vhost(&mut out, 4, json!({"name": "open", "hostnames": ["guard-proxy-probe.example.org"], "policy": "off", "upstream": upstream}));
    out
}
