//! The stack that the suite runs through, and what in it is not as in production.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use guard_proxy::domain::Hostname;
use serde::Deserialize;
use serde_json::json;

use crate::format::Test;
use crate::reflect;
use crate::stack::{Options, Stack, kill};

/// The vhost that is always there.
pub const HOST: &str = "localhost";

/// What the suite's authors set beside the CRS defaults (rule 900005 of their test set-up). Policies cannot say these: limits of arguments and
/// files are off by default, and the encoding check is pinned in our template.
const SETTINGS: &str = "SecAction \"id:900005,phase:1,pass,t:none,nolog,setvar:tx.crs_validate_utf8_encoding=1,\
    setvar:tx.arg_name_length=100,setvar:tx.arg_length=400,setvar:tx.total_arg_length=64000,setvar:tx.max_num_args=255,\
    setvar:tx.max_file_size=64100,setvar:tx.combined_file_sizes=65535\"\n";

/// Starts everything and puts one site there for all hosts of the suite.
///
/// As in production: HAProxy's configuration and maps, the way to guard-spoa, and the application's text, all of it compiled from a policy that
/// detects at the highest level and allows what the CRS allows by default (ours allow more). Different: `SETTINGS` is put before the Core Rule
/// Set. For that the application is loaded anew under its own name, with `serve` away: it would put back what it has rendered. And a verdict
/// may take a minute: the suite has forms of 64 KB, and the machine may have much else to do.
pub async fn start(tests: &[Test]) -> Stack {
    let mut stack = Stack::start_with(Options {
        spoa_args: vec!["-queue-timeout", "55s", "-slow-evaluation", "0s"],
        node: "waf_timeout_ms = 60000\n",
        ..Options::default()
    })
    .await;
    let origin = reflect::start().await;
    stack.put_live("/api/v1/policies/crs", policy()).await;
    stack.put_live("/api/v1/vhosts/crs", vhost(tests, origin)).await;
    kill(&mut stack.serve, "-TERM");
    let application = application(&stack);
    let (before, behind) = application.directives.split_once("Include @owasp_crs/").expect("the template includes the rules");
    let body = json!({ "directives": format!("{before}{SETTINGS}Include @owasp_crs/{behind}") });
    let (status, answer) = stack.control("PUT", &format!("/v1/applications/{}", application.name), Some(body)).await;
    assert_eq!((status, &answer["replaced"]), (200, &json!(true)), "{answer:#}");
    stack
}

fn policy() -> serde_json::Value {
    json!({
        "name": "crs", "mode": "detect", "paranoia": { "blocking": 4 },
        "allowed_methods": ["GET", "HEAD", "POST", "OPTIONS"],
        "allowed_content_types": [
            "application/x-www-form-urlencoded", "multipart/form-data", "text/xml", "application/xml", "application/soap+xml",
            "application/json",
        ],
    })
}

/// Serves every host that the suite names, if it is one.
fn vhost(tests: &[Test], origin: SocketAddr) -> serde_json::Value {
    let headers = tests.iter().flat_map(|t| &t.stages).flat_map(|s| &s.input.headers);
    let named = headers.filter(|(n, _)| n.eq_ignore_ascii_case("host")).map(|(_, host)| without_port(host));
    let hosts: BTreeSet<String> =
        named.filter_map(|host| Hostname::parse(host).ok()).map(|host| host.as_str().to_owned()).chain([HOST.to_owned()]).collect();
    json!({
        "name": "crs", "hostnames": hosts, "policy": "crs",
        "upstream": { "servers": [{ "name": "o", "address": "127.0.0.1", "port": origin.port() }] },
    })
}

fn without_port(host: &str) -> &str {
    host.rsplit_once(':').filter(|(_, port)| !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit())).map_or(host, |(name, _)| name)
}

#[derive(Deserialize)]
struct Agent {
    applications: Vec<Application>,
}

#[derive(Deserialize)]
struct Application {
    name: String,
    directives: String,
}

/// The one application of the release, as it was rendered.
fn application(stack: &Stack) -> Application {
    let text = std::fs::read_to_string(stack.path("state/current/guard-spoa.yaml")).expect("the agent's file");
    let mut agent: Agent = serde_saphyr::from_str(&text).expect("the agent's file is YAML");
    assert_eq!(agent.applications.len(), 1, "one site, one application");
    agent.applications.remove(0)
}
