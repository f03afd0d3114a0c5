//! What a node is, as far as the files it gets depend on it.

use crate::domain::Network;

/// What a node is, as far as the files it gets depend on it. From the settings; not part of a revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeSettings {
    /// Where the real frontend listens for clients, at least one.
    pub http_binds: Vec<std::net::SocketAddr>,
    /// Folder of the sockets, absolute, owned by us, 0700.
    pub run_dir: String,
    /// Bytes of a request that are inspected whole: HAProxy's buffer. 16384 to 4194304; 131072 by default.
    pub inspected_bytes: u32,
    /// HAProxy's connections, at least 100.
    pub maxconn: u32,
    /// Milliseconds HAProxy waits for a verdict: queue and evaluation. 2000 by default.
    pub waf_timeout_ms: u32,
    /// Milliseconds until a client that sends nothing is left; 35000 by default.
    pub client_timeout_ms: u32,
    /// Milliseconds that headers may take; 5000 by default.
    pub request_timeout_ms: u32,
    /// Milliseconds until an upgraded connection on which nothing is sent is closed; 3600000 by default.
    pub tunnel_timeout_ms: u32,
    /// Connections that a client may have open, and requests that it may have going on at once; 1000 by default.
    pub connections_per_client: u32,
    /// Networks of proxies, of which an address is many clients: their connections are not limited.
    pub proxies: Vec<Network>,
    /// A path that answers load balancers on every host; empty: none.
    pub health_path: String,
    /// Networks whose connections start with the PROXY protocol.
    pub proxy_protocol_from: Vec<Network>,
    /// Seconds that old workers may go on serving after a reload; 1800 by default.
    pub hard_stop_after_s: u32,
    /// Networks and addresses that upstreams may be at although they are refused by default (`127.0.0.0/8` in the demo).
    pub allow_upstreams: Vec<Network>,
    /// Addresses of our own (binds, API), at which an upstream is refused whatever `allow_upstreams` says.
    pub own_addresses: Vec<std::net::SocketAddr>,
}

impl NodeSettings {
    /// HAProxy's Runtime API of the current worker.
    pub fn runtime_socket(&self) -> String {
        format!("{}/haproxy-runtime.sock", self.run_dir)
    }
    /// The master CLI.
    pub fn master_socket(&self) -> String {
        format!("{}/haproxy-master.sock", self.run_dir)
    }
    /// The second bind of the real frontend, for probes.
    pub fn probe_socket(&self) -> String {
        format!("{}/probe.sock", self.run_dir)
    }
    /// Where a reload hands counters over.
    pub fn peers_socket(&self) -> String {
        format!("{}/haproxy-peers.sock", self.run_dir)
    }
    /// SPOP.
    pub fn spoa_socket(&self) -> String {
        format!("{}/guard-spoa.sock", self.run_dir)
    }
    /// guard-spoa's control socket.
    pub fn control_socket(&self) -> String {
        format!("{}/guard-spoa-control.sock", self.run_dir)
    }
    /// The validator's control socket.
    pub fn validator_socket(&self) -> String {
        format!("{}/guard-spoa-validator.sock", self.run_dir)
    }
}
