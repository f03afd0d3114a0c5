//! Upstreams: where a vhost's requests go.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::FieldError;
use super::name::{Name, text_newtype};
use super::policy::bounds;
use super::rule::complete_keys;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Balance {
    #[default]
    Roundrobin,
    Leastconn,
    /// By a hash of the client's address.
    Source,
    Random,
}

impl Balance {
    /// HAProxy's keyword.
    pub fn keyword(self) -> &'static str {
        match self {
            Self::Roundrobin => "roundrobin",
            Self::Leastconn => "leastconn",
            Self::Source => "source",
            Self::Random => "random",
        }
    }
}

/// A TCP port, 1 to 65535.
pub type Port = std::num::NonZeroU16;

/// One server of an upstream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Server {
    /// Unique in the upstream; made by the server where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Name>,
    /// An IPv4 or IPv6 address.
    #[schema(value_type = String, example = "192.0.2.10")]
    pub address: IpAddr,
    #[schema(value_type = u16, minimum = 1, maximum = 65535)]
    pub port: Port,
    /// Share of the requests, 0 (none) to 256.
    #[serde(default = "default_weight")]
    #[schema(default = 100, minimum = 0, maximum = 256)]
    pub weight: u16,
    /// Used only when no other server is up.
    #[serde(default)]
    pub backup: bool,
}

fn default_weight() -> u16 {
    100
}

text_newtype! {
    /// What a health check asks for: a path of at most 512 characters that starts with `/`; URL characters, with a query where wanted.
    CheckPath, |text| {
        let ok = text.starts_with('/') && text.len() <= 512 && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~/+@:,?=&".contains(&b));
        if ok { Ok(text.to_owned()) } else { Err("a health check's path starts with `/` and has at most 512 characters of a-z, A-Z, 0-9 and `-._~/+@:,?=&`".to_owned()) }
    },
    #[schema(max_length = 512, example = "/health")]
}

text_newtype! {
    /// The statuses that count as healthy: codes and ranges, `200-399` or `200,204,300-302`.
    StatusRanges, |text| {
        let code = |t: &str| t.len() == 3 && t.parse::<u16>().is_ok_and(|n| (100..=599).contains(&n));
        let range = |t: &str| match t.split_once('-') { Some((a, b)) => code(a) && code(b) && a <= b, None => code(t) };
        let ok = text.len() <= 100 && text.split(',').all(range);
        if ok { Ok(text.to_owned()) } else { Err("statuses are codes and ranges of 100 to 599: `200-399` or `200,204`".to_owned()) }
    },
    #[schema(max_length = 100, example = "200-399")]
}

/// An HTTP health check of every server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HealthCheck {
    #[serde(default = "root")]
    #[schema(default = "/")]
    pub path: CheckPath,
    /// Milliseconds between checks, 100 to 3,600,000.
    #[serde(default = "default_interval")]
    #[schema(default = 2000, minimum = 100, maximum = 3600000)]
    pub interval_ms: u32,
    /// Good checks until a server is up, 1 to 100.
    #[serde(default = "default_rise")]
    #[schema(default = 2, minimum = 1, maximum = 100)]
    pub rise: u8,
    /// Bad checks until a server is down, 1 to 100.
    #[serde(default = "default_fall")]
    #[schema(default = 3, minimum = 1, maximum = 100)]
    pub fall: u8,
    #[serde(default = "default_status")]
    #[schema(default = "200-399")]
    pub expect_status: StatusRanges,
}

fn root() -> CheckPath {
    CheckPath::parse("/").expect("in the allow-list")
}
fn default_status() -> StatusRanges {
    StatusRanges::parse("200-399").expect("in the allow-list")
}
fn default_interval() -> u32 {
    2000
}
fn default_rise() -> u8 {
    2
}
fn default_fall() -> u8 {
    3
}

/// How long a request may take on its way, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Timeouts {
    /// To connect to a server, 1 to 60,000.
    #[schema(default = 2000, minimum = 1, maximum = 60000)]
    pub connect_ms: u32,
    /// Between two pieces of an answer, 1 to 86,400,000.
    #[schema(default = 30000, minimum = 1, maximum = 86400000)]
    pub response_ms: u32,
    /// For a free connection, 1 to 600,000.
    #[schema(default = 5000, minimum = 1, maximum = 600000)]
    pub queue_ms: u32,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { connect_ms: 2000, response_ms: 30_000, queue_ms: 5000 }
    }
}

/// Where a vhost's requests go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Upstream {
    #[serde(default)]
    pub balance: Balance,
    /// 1 to 64; keyed by `name`.
    #[schema(min_items = 1, max_items = 64)]
    pub servers: Vec<Server>,
    /// Absent: servers are taken to be up.
    #[serde(default)]
    pub health_check: Option<HealthCheck>,
    #[serde(default)]
    pub timeouts: Timeouts,
}

impl Upstream {
    /// See `Policy::complete`. Which addresses are allowed is a setting of the node, judged by `compile`.
    pub(super) fn complete(&mut self, errors: &mut Vec<FieldError>) {
        bounds("/upstream/servers", self.servers.len(), 1..=64, errors);
        let names = (1..).map(|n| Name::parse(&format!("s{n}")).expect("in the allow-list"));
        complete_keys("/upstream/servers", &mut self.servers, |s| s.name.clone(), |s, name| s.name = Some(name), names, errors);
        let mut check = |pointer: String, value: u32, allowed: std::ops::RangeInclusive<u32>| {
            if !allowed.contains(&value) {
                let detail = format!("{} to {} is allowed", allowed.start(), allowed.end());
                errors.push(FieldError::new(pointer, "out_of_range", detail));
            }
        };
        for (index, server) in self.servers.iter().enumerate() {
            check(format!("/upstream/servers/{index}/weight"), server.weight.into(), 0..=256);
        }
        if let Some(health) = &self.health_check {
            check("/upstream/health_check/interval_ms".into(), health.interval_ms, 100..=3_600_000);
            check("/upstream/health_check/rise".into(), health.rise.into(), 1..=100);
            check("/upstream/health_check/fall".into(), health.fall.into(), 1..=100);
        }
        check("/upstream/timeouts/connect_ms".into(), self.timeouts.connect_ms, 1..=60_000);
        check("/upstream/timeouts/response_ms".into(), self.timeouts.response_ms, 1..=86_400_000);
        check("/upstream/timeouts/queue_ms".into(), self.timeouts.queue_ms, 1..=600_000);
    }
}
