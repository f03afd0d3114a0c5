//! Vhosts: protected sites.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::name::{Description, Name, Title, text_newtype};
use super::path::{Body, OnAmbiguousPath, VhostPath};
use super::policy::bounds;
use super::{Error, FieldError, Hostname, Network, Upstream, error, path};

text_newtype! {
    /// A label's key: as a name.
    LabelKey, |text| Name::parse(text).map(|name| name.to_string()).map_err(|e| e.replace("a name is", "a label's key is")),
    #[schema(pattern = "^[a-z0-9][a-z0-9-]{0,62}$")]
}

text_newtype! {
    /// A label's value: at most 63 of `a-z A-Z 0-9 . _ -`.
    LabelValue, |text| {
        let ok = text.len() <= 63 && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
        if ok { Ok(text.to_owned()) } else { Err("a label's value is at most 63 characters of a-z, A-Z, 0-9, `.`, `_` and `-`".to_owned()) }
    },
    #[schema(pattern = "^[a-zA-Z0-9._-]{0,63}$")]
}

/// Which IP lists decide about clients. Precedence: deny, then allow_only, then trust; trust skips the WAF.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Access {
    /// Clients on these lists get 403. At most 16.
    #[schema(max_items = 16)]
    pub deny: Vec<Name>,
    /// Where not empty, clients on none of these get 403. At most 16.
    #[schema(max_items = 16)]
    pub allow_only: Vec<Name>,
    /// Clients on these skip the WAF. At most 16.
    #[schema(max_items = 16)]
    pub trust: Vec<Name>,
}

impl Access {
    pub fn is_empty(&self) -> bool {
        self.deny.is_empty() && self.allow_only.is_empty() && self.trust.is_empty()
    }

    /// Every list named, with the JSON pointer of the place that names it.
    pub fn references(&self) -> impl Iterator<Item = (String, &Name)> {
        [("deny", &self.deny), ("allow_only", &self.allow_only), ("trust", &self.trust)]
            .into_iter()
            .flat_map(|(field, names)| names.iter().enumerate().map(move |(index, name)| (format!("/access/{field}/{index}"), name)))
    }
}

/// What happens to requests when no agent can be asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnWafUnavailable {
    /// 503.
    #[default]
    Deny,
    /// They pass uninspected, loudly.
    Pass,
}

/// Where a proxy in front of us writes the address of its client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ClientIpHeader {
    /// A list that each proxy adds to: the last address that is no trusted proxy's is the client's. At most 5 proxies one behind the other.
    #[default]
    XForwardedFor,
    XRealIp,
    CfConnectingIp,
    TrueClientIp,
    FastlyClientIp,
}

impl ClientIpHeader {
    pub fn name(self) -> &'static str {
        match self {
            Self::XForwardedFor => "x-forwarded-for",
            Self::XRealIp => "x-real-ip",
            Self::CfConnectingIp => "cf-connecting-ip",
            Self::TrueClientIp => "true-client-ip",
            Self::FastlyClientIp => "fastly-client-ip",
        }
    }
}

/// Whose word is taken for the address of a client. Everything that is about a client (lists, limits, events, what the origin is told) is
/// about the address found so.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ClientIp {
    /// Proxies in front of us: what they say in `header` (and in `X-Forwarded-Proto`) is believed; nobody else's is. At most 256.
    #[schema(max_items = 256)]
    pub trusted_proxies: Vec<Network>,
    pub header: ClientIpHeader,
}

/// Requests of one client (IPv6: of one /64) to this vhost in a period; more get 429. Probes are not counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RateLimit {
    /// 1 to 1000000.
    #[schema(minimum = 1, maximum = 1_000_000)]
    pub requests: u32,
    #[serde(default)]
    pub period: Period,
}

/// The time that requests are counted in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub enum Period {
    #[serde(rename = "1s")]
    Second,
    #[default]
    #[serde(rename = "10s")]
    TenSeconds,
    #[serde(rename = "1m")]
    Minute,
    #[serde(rename = "10m")]
    TenMinutes,
}

impl Period {
    pub const ALL: [Self; 4] = [Self::Second, Self::TenSeconds, Self::Minute, Self::TenMinutes];

    pub fn seconds(self) -> u32 {
        match self {
            Self::Second => 1,
            Self::TenSeconds => 10,
            Self::Minute => 60,
            Self::TenMinutes => 600,
        }
    }
}

/// One protected site.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Vhost {
    pub name: Name,
    #[serde(default)]
    pub title: Title,
    #[serde(default)]
    pub description: Description,
    /// 1 to 100; no hostname belongs to two vhosts.
    #[schema(min_items = 1, max_items = 100)]
    pub hostnames: Vec<Hostname>,
    /// A disabled vhost answers 421 and keeps its hostnames.
    #[serde(default = "yes")]
    #[schema(default = true)]
    pub enabled: bool,
    /// Whether a change of it, or of a policy or IP list that it uses, wants the yes of a second person before it is committed.
    #[serde(default)]
    pub protected: bool,
    /// At most 32.
    #[serde(default)]
    #[schema(value_type = BTreeMap<String, String>)]
    pub labels: BTreeMap<LabelKey, LabelValue>,
    pub policy: Name,
    /// Parts of the site that are treated otherwise: the longest prefix of a request's path decides. At most 32, by `prefix`.
    #[serde(default)]
    #[schema(max_items = 32)]
    pub paths: Vec<VhostPath>,
    pub upstream: Upstream,
    #[serde(default)]
    pub access: Access,
    #[serde(default)]
    pub client_ip: ClientIp,
    #[serde(default)]
    pub body: Body,
    /// Absent: no limit.
    #[serde(default)]
    pub rate_limit: Option<RateLimit>,
    #[serde(default)]
    pub on_waf_unavailable: OnWafUnavailable,
    #[serde(default)]
    pub on_ambiguous_path: OnAmbiguousPath,
    /// Whether requests may become WebSocket connections. What is sent over them is not inspected.
    #[serde(default)]
    pub websocket: bool,
}

fn yes() -> bool {
    true
}

impl Vhost {
    /// Every policy named, with the JSON pointer of the place that names it.
    pub fn policies(&self) -> impl Iterator<Item = (String, &Name)> {
        let of_paths =
            self.paths.iter().enumerate().filter_map(|(index, path)| Some((format!("/paths/{index}/policy"), path.policy.as_ref()?)));
        std::iter::once(("/policy".to_owned(), &self.policy)).chain(of_paths)
    }

    /// See `Policy::complete`. What other objects must be there is `service`'s to judge.
    pub fn complete(mut self) -> error::Result<Self> {
        let mut errors = Vec::new();
        bounds("/hostnames", self.hostnames.len(), 1..=100, &mut errors);
        bounds("/labels", self.labels.len(), 0..=32, &mut errors);
        let mut seen = BTreeSet::new();
        for (index, hostname) in self.hostnames.iter().enumerate() {
            if !seen.insert(hostname) {
                errors.push(FieldError::new(format!("/hostnames/{index}"), "duplicate", format!("`{hostname}` is there twice")));
            }
        }
        for (field, names) in [("deny", &self.access.deny), ("allow_only", &self.access.allow_only), ("trust", &self.access.trust)] {
            bounds(&format!("/access/{field}"), names.len(), 0..=16, &mut errors);
        }
        bounds("/client_ip/trusted_proxies", self.client_ip.trusted_proxies.len(), 0..=256, &mut errors);
        path::check(&self.paths, &mut errors);
        self.body.check("/body", &mut errors);
        if let Some(limit) = self.rate_limit.filter(|limit| !(1..=1_000_000).contains(&limit.requests)) {
            let detail = format!("a rate limit is 1 to 1000000 requests, and not {}", limit.requests);
            errors.push(FieldError::new("/rate_limit/requests", "out_of_range", detail));
        }
        self.upstream.complete(&mut errors);
        if errors.is_empty() { Ok(self) } else { Err(Error::Invalid(errors)) }
    }
}
