//! What templates are given: one type for each, made from `compile`'s types, with a sample that uses everything.

use std::net::{IpAddr, SocketAddr};

use serde::Serialize;

use crate::compile::{Backend, NodeSettings, RuleSetSource, client_ip_flag};
use crate::domain::upstream::Timeouts;
use crate::domain::vhost::{ClientIpHeader, Period};

use super::pages::PAGES;

/// Kept free in HAProxy's buffers for headers that we add.
const MAXREWRITE: u32 = 1024;
/// What a frame to the agent needs besides headers, path and body.
const FRAME_OVERHEAD: u32 = 1500;

/// Statuses of custom rules that are honoured; every other denial is 403.
const DENY_STATUSES: [u16; 9] = [400, 401, 404, 405, 410, 413, 429, 500, 503];

#[derive(Serialize)]
pub(super) struct Haproxy {
    /// 16 hex digits.
    pub structure: String,
    pub runtime_socket: String,
    pub probe_socket: String,
    pub spoa_socket: String,
    pub inspected_bytes: u32,
    pub maxrewrite: u32,
    /// From this size on the buffer counts as full.
    pub full_bytes: u32,
    pub maxconn: u32,
    pub hard_stop_after_s: u32,
    /// Of upstreams, where a vhost says nothing else.
    pub timeouts: Vec<Timeout>,
    pub client_timeout_ms: u32,
    pub request_timeout_ms: u32,
    pub tunnel_timeout_ms: u32,
    pub binds: Vec<Bind>,
    pub peers_socket: String,
    /// Networks whose connections start with the PROXY protocol.
    pub proxy_protocol_from: Vec<String>,
    pub connections_per_client: u32,
    /// Networks of which an address is many clients.
    pub proxies: Vec<String>,
    /// Empty: none.
    pub health_path: String,
    /// Those that name one client.
    pub client_ip_headers: [ClientHeader; 4],
    /// 1 to the number of proxies that `x-forwarded-for` is followed through.
    pub hops: [u8; 5],
    /// Seconds that rates are counted in.
    pub periods: [u32; 4],
    /// Those with a page.
    pub statuses: [u16; PAGES.len()],
    pub deny_statuses: [u16; 9],
}

/// A header that names the client, and its flag in a row.
#[derive(Serialize)]
pub(super) struct ClientHeader {
    name: &'static str,
    flag: String,
}

impl ClientHeader {
    /// `x-forwarded-for` is a list, and has rules of its own.
    fn of_one_client() -> [Self; 4] {
        use ClientIpHeader::{CfConnectingIp, FastlyClientIp, TrueClientIp, XRealIp};
        [XRealIp, CfConnectingIp, TrueClientIp, FastlyClientIp]
            .map(|header| Self { name: header.name(), flag: client_ip_flag(header).to_string() })
    }
}

#[derive(Serialize)]
pub(super) struct Bind {
    pub address: String,
    /// `v6only`, `v4v6` or empty.
    pub option: &'static str,
}

impl Haproxy {
    pub fn new(node: &NodeSettings, structure: &str) -> Self {
        Self {
            structure: structure.to_owned(),
            runtime_socket: node.runtime_socket(),
            probe_socket: node.probe_socket(),
            spoa_socket: node.spoa_socket(),
            inspected_bytes: node.inspected_bytes,
            maxrewrite: MAXREWRITE,
            full_bytes: node.inspected_bytes.saturating_sub(MAXREWRITE + FRAME_OVERHEAD),
            maxconn: node.maxconn,
            hard_stop_after_s: node.hard_stop_after_s,
            timeouts: Timeout::all(&Timeouts::default()).to_vec(),
            client_timeout_ms: node.client_timeout_ms,
            request_timeout_ms: node.request_timeout_ms,
            tunnel_timeout_ms: node.tunnel_timeout_ms,
            peers_socket: node.peers_socket(),
            proxy_protocol_from: node.proxy_protocol_from.iter().map(ToString::to_string).collect(),
            connections_per_client: node.connections_per_client,
            proxies: node.proxies.iter().map(ToString::to_string).collect(),
            health_path: node.health_path.clone(),
            client_ip_headers: ClientHeader::of_one_client(),
            hops: [1, 2, 3, 4, 5],
            periods: Period::ALL.map(Period::seconds),
            binds: node.http_binds.iter().map(|bind| Bind::new(*bind, &node.http_binds)).collect(),
            statuses: PAGES.map(|page| page.status),
            deny_statuses: DENY_STATUSES,
        }
    }
}

impl Bind {
    /// An unspecified IPv6 bind takes IPv4 clients too, unless there is a bind for them.
    fn new(bind: SocketAddr, all: &[SocketAddr]) -> Self {
        let option = match bind.ip() {
            IpAddr::V4(_) => "",
            IpAddr::V6(v6) if v6.is_unspecified() && !all.iter().any(|other| other.is_ipv4() && other.port() == bind.port()) => "v4v6",
            IpAddr::V6(_) => "v6only",
        };
        Self { address: bind.to_string(), option }
    }
}

#[derive(Clone, Copy, PartialEq, Serialize)]
pub(super) struct Timeout {
    name: &'static str,
    ms: u32,
}

impl Timeout {
    fn all(timeouts: &Timeouts) -> [Self; 3] {
        let timeout = |name, ms| Self { name, ms };
        [timeout("connect", timeouts.connect_ms), timeout("server", timeouts.response_ms), timeout("queue", timeouts.queue_ms)]
    }
}

#[derive(Serialize)]
pub(super) struct Backends<'d> {
    pub backends: Vec<BackendContext<'d>>,
}

#[derive(Serialize)]
pub(super) struct BackendContext<'d> {
    number: u32,
    vhost: &'d str,
    balance: &'static str,
    /// Those that differ from the defaults section's.
    timeouts: Vec<Timeout>,
    /// None or one.
    check: Vec<Check<'d>>,
    servers: Vec<Server<'d>>,
}

#[derive(Serialize)]
struct Check<'d> {
    path: &'d str,
    host: &'d str,
    expect_status: &'d str,
    interval_ms: u32,
    rise: u8,
    fall: u8,
}

#[derive(Serialize)]
struct Server<'d> {
    name: &'d str,
    address: String,
    weight: u16,
    backup: bool,
}

impl<'d> BackendContext<'d> {
    pub fn new(backend: &'d Backend) -> Self {
        let check = |health: &'d crate::domain::upstream::HealthCheck| Check {
            path: &health.path,
            host: &backend.check_host,
            expect_status: &health.expect_status,
            interval_ms: health.interval_ms,
            rise: health.rise,
            fall: health.fall,
        };
        let server = |server: &'d crate::domain::Server| Server {
            // names are completed on write; HAProxy would refuse a server without one
            name: server.name.as_ref().map_or("", |name| name.as_str()),
            address: SocketAddr::new(server.address, server.port.get()).to_string(),
            weight: server.weight,
            backup: server.backup,
        };
        let usual = Timeout::all(&Timeouts::default());
        Self {
            number: backend.number,
            vhost: &backend.vhost,
            balance: backend.balance.keyword(),
            timeouts: Timeout::all(&backend.timeouts).into_iter().filter(|own| !usual.contains(own)).collect(),
            check: backend.health_check.iter().map(check).collect(),
            servers: backend.servers.iter().map(server).collect(),
        }
    }
}

#[derive(Serialize)]
pub(super) struct Spoe {
    /// HAProxy takes at most its buffer less 4.
    pub max_frame_bytes: u32,
    pub waf_timeout_ms: u32,
}

impl Spoe {
    pub fn new(node: &NodeSettings) -> Self {
        Self { max_frame_bytes: node.inspected_bytes.saturating_sub(4), waf_timeout_ms: node.waf_timeout_ms }
    }
}

#[derive(Serialize)]
pub(super) struct Application<'d> {
    /// `GET HEAD POST`
    methods: String,
    /// `|text/plain| |text/html|`
    content_types: String,
    before: Vec<&'d str>,
    after: Vec<&'d str>,
}

impl<'d> Application<'d> {
    pub fn new(source: &'d RuleSetSource) -> Self {
        let methods: Vec<&str> = source.allowed_methods.iter().map(|method| method.as_str()).collect();
        let types: Vec<String> = source.allowed_content_types.iter().map(|content| format!("|{content}|")).collect();
        Self {
            methods: methods.join(" "),
            content_types: types.join(" "),
            before: source.before_crs.iter().map(|line| line.text.as_str()).collect(),
            after: source.after_crs.iter().map(|line| line.text.as_str()).collect(),
        }
    }
}

#[derive(Serialize)]
pub(super) struct Agent<'d> {
    pub bind: String,
    pub applications: Vec<AgentApplication<'d>>,
}

#[derive(Serialize)]
pub(super) struct AgentApplication<'d> {
    pub name: &'d str,
    pub directives: &'d str,
}
