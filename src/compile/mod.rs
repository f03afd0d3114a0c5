//! Snapshot -> desired state of the data plane. Pure: the same snapshot, settings and time give the same result.

use std::collections::BTreeMap;
use std::sync::Arc;

use time::OffsetDateTime;

use crate::domain::upstream::{Balance, HealthCheck, Timeouts};
use crate::domain::{Mode, Name, Network, Revision, Snapshot};

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

/// A map of HAProxy: sorted by key, each key once.
pub type Map = Vec<(String, String)>;

/// The maps, by their roles; file names are `MapName::file`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MapName {
    /// host -> vhost number
    Hosts,
    /// host behind a wildcard's label -> vhost number
    Wildcards,
    /// vhost number -> generation, or `off`: the only entry whose change means anything for a vhost's row
    Live,
    /// `<number>.<generation>/` -> row
    Rows,
    /// `<profile>|<family><hex>` -> `deny`, `allow` or `trust`
    Access,
    /// redirect target that a custom rule may name -> `1`
    Redirects,
}

impl MapName {
    pub const ALL: [Self; 6] = [Self::Hosts, Self::Wildcards, Self::Live, Self::Rows, Self::Access, Self::Redirects];
    /// Relative to the release, which is also the Runtime API's name of it.
    pub fn file(self) -> &'static str {
        match self {
            Self::Hosts => "hosts.map",
            Self::Wildcards => "wildcards.map",
            Self::Live => "live.map",
            Self::Rows => "rows.map",
            Self::Access => "access.map",
            Self::Redirects => "redirects.map",
        }
    }
}

/// A rule set: SecLang named by its content, so that policies that agree share it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleSet {
    /// `rs-` and 16 hex digits of the SHA-256 of what it is made from and of the template; also the application's name in guard-spoa.
    pub name: String,
    /// What it is made from: see `render`, which makes SecLang of it.
    pub source: Arc<RuleSetSource>,
    /// The policies that use it, for mapping the engine's words to objects.
    pub policies: Vec<Name>,
}

/// All that shapes the SecLang of a rule set; modes, levels and thresholds ride in the transaction id instead.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RuleSetSource {
    pub allowed_methods: Vec<crate::domain::policy::Method>,
    pub allowed_content_types: Vec<crate::domain::policy::ContentType>,
    /// Lines of SecLang, generated, each with the place in the policy that it came from (`/exclusions/3`, `/custom_rules/0`).
    pub before_crs: Vec<SecLangLine>,
    pub after_crs: Vec<SecLangLine>,
}

/// One generated line (a chain is several with one pointer).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SecLangLine {
    pub text: String,
    /// JSON pointer into the policy.
    pub pointer: String,
}

/// A backend: what HAProxy must be reloaded for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backend {
    /// The vhost's number.
    pub number: u32,
    pub vhost: Name,
    pub balance: Balance,
    pub servers: Vec<crate::domain::Server>,
    pub health_check: Option<HealthCheck>,
    pub timeouts: Timeouts,
}

/// What a probe of a vhost must see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbeTarget {
    pub vhost: Name,
    pub number: u32,
    pub enabled: bool,
    /// A host to ask for, of the first hostname.
    pub host: String,
    pub mode: Mode,
    /// The generation in `live.map`; `off` for a disabled vhost.
    pub generation: String,
    /// The whole row.
    pub row: String,
    /// The rule set's name.
    pub ruleset: String,
    /// Client addresses whose access verdict must be seen: (address, `deny` | `allow` | `trust`); a few of each list used.
    pub clients: Vec<(std::net::IpAddr, &'static str)>,
}

/// The desired state of the data plane for one revision.
#[derive(Clone, Debug)]
pub struct Desired {
    pub revision: Revision,
    pub maps: BTreeMap<MapName, Arc<Map>>,
    pub rulesets: BTreeMap<String, RuleSet>,
    /// By number.
    pub backends: Vec<Backend>,
    /// By vhost.
    pub probes: BTreeMap<Name, ProbeTarget>,
    /// When the next entry or exclusion expires, after `now`.
    pub next_expiry: Option<OffsetDateTime>,
}

/// Compiles a snapshot. It cannot fail: what could be wrong is refused when it is written.
pub fn compile(_snapshot: &Snapshot, _node: &NodeSettings, _now: OffsetDateTime) -> Desired {
    todo!("compile")
}
