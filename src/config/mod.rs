//! Settings: a TOML file, then the environment (`GUARD_PROXY_SECTION__FIELD`), one file a section here.
//!
//! A section is declared once, by `section!`: the struct, its defaults, and the words of `docs/configuration.md` and
//! `examples/guard-proxy.toml` come from the same lines, so they cannot disagree. Errors name the key, where its value came from and what
//! is allowed. Secrets have no Debug.

mod api;
mod auth;
mod database;
mod docs;
mod haproxy;
mod load;
mod log;
mod node;
mod oidc;
mod values;

use serde::{Deserialize, Serialize};

use crate::compile::NodeSettings;
use crate::dataplane::DataplaneSettings;

pub use api::Api;
pub use auth::Auth;
pub use database::Database;
pub use docs::{example, reference};
pub use haproxy::Haproxy;
pub use load::{ConfigError, DEFAULT_FILE, Loaded, Problem, load};
pub use log::{Format, Log};
pub use node::Node;
pub use oidc::Oidc;
pub use values::{List, Origin, Secret};

/// One key of a section, for documentation and error messages.
#[derive(Debug)]
pub struct Field {
    pub name: &'static str,
    pub docs: &'static [&'static str],
    /// What is allowed, in words that fit behind "allowed: ".
    pub allowed: &'static str,
}

/// What `section!` makes of a section beside its struct.
pub trait Section: Default + Serialize {
    const KEY: &'static str;
    const ABOUT: &'static [&'static str];
    const FIELDS: &'static [Field];
    /// Notes what types cannot say.
    fn check(&self, problems: &mut Problems);
}

/// What is wrong with values that parsed: (`section.field`, what).
#[derive(Debug, Default)]
pub struct Problems(Vec<(String, String)>);

impl Problems {
    fn note(&mut self, section: &str, field: &str, what: impl Into<String>) {
        self.0.push((format!("{section}.{field}"), what.into()));
    }
}

/// Declares a section: `field: type = default, "what is allowed";`, each with its documentation.
macro_rules! section {
    ($(#[doc = $about:literal])+ $name:ident in $key:literal { $($(#[doc = $doc:literal])+ $field:ident: $kind:ty = $default:expr, $allowed:literal;)+ }) => {
        $(#[doc = $about])+
        #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(deny_unknown_fields, default)]
        pub struct $name { $($(#[doc = $doc])+ pub $field: $kind,)+ }

        impl Default for $name {
            fn default() -> Self {
                Self { $($field: $default,)+ }
            }
        }

        impl $name {
            const KEY: &'static str = $key;
            const ABOUT: &'static [&'static str] = &[$($about),+];
            const FIELDS: &'static [crate::config::Field] =
                &[$(crate::config::Field { name: stringify!($field), docs: &[$($doc),+], allowed: $allowed },)+];
        }
    };
}
use section;

/// Implements `Section` by the constants that `section!` made and the function given.
macro_rules! checked {
    ($name:ident, |$section:ident, $problems:ident| $check:block) => {
        impl crate::config::Section for $name {
            const KEY: &'static str = $name::KEY;
            const ABOUT: &'static [&'static str] = $name::ABOUT;
            const FIELDS: &'static [crate::config::Field] = $name::FIELDS;
            fn check(&self, $problems: &mut crate::config::Problems) {
                let $section = self;
                $check
            }
        }
    };
}
use checked;

/// All settings, checked.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    pub database: Database,
    pub api: Api,
    pub auth: Auth,
    pub oidc: Oidc,
    pub node: Node,
    pub haproxy: Haproxy,
    pub log: Log,
}

impl Settings {
    /// The settings that the files of a node depend on.
    pub fn node_settings(&self) -> NodeSettings {
        let mut own_addresses = self.node.http_binds.0.clone();
        own_addresses.push(self.api.listen);
        NodeSettings {
            http_binds: self.node.http_binds.0.clone(),
            run_dir: self.node.run_dir.to_string_lossy().into_owned(),
            inspected_bytes: self.node.inspected_bytes,
            maxconn: self.haproxy.maxconn.unwrap_or_else(|| {
                let (memory, files) = (haproxy::memory_bytes().unwrap_or_default(), haproxy::open_files().unwrap_or_default());
                haproxy::maxconn_of(memory, files, self.node.inspected_bytes)
            }),
            waf_timeout_ms: self.node.waf_timeout_ms,
            client_timeout_ms: self.haproxy.client_timeout_ms,
            request_timeout_ms: self.haproxy.request_timeout_ms,
            tunnel_timeout_ms: self.haproxy.tunnel_timeout_ms,
            connections_per_client: self.haproxy.connections_per_client,
            proxies: self.node.proxies.0.clone(),
            health_path: self.node.health_path.clone(),
            proxy_protocol_from: self.node.proxy_protocol_from.0.clone(),
            hard_stop_after_s: self.haproxy.hard_stop_after_s,
            allow_upstreams: self.node.allow_upstreams.0.clone(),
            own_addresses,
        }
    }

    pub fn dataplane_settings(&self) -> DataplaneSettings {
        DataplaneSettings { node: self.node_settings(), state_dir: self.node.state_dir.clone(), haproxy: self.haproxy.program.clone() }
    }
}
