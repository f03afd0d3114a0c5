//! Desired state -> bundle: everything a node needs for a revision. Pure; templates are embedded.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::compile::{Desired, Map, MapName, NodeSettings, ProbeTarget};
use crate::domain::{Name, Revision};

/// Everything a node needs for a revision.
#[derive(Clone, Debug)]
pub struct Bundle {
    pub revision: Revision,
    /// SHA-256 in hex over all files, by name.
    pub digest: String,
    /// SHA-256 in hex, 16 digits, over what only a reload can change (`haproxy.cfg`, `coraza.cfg`, `errors/`). `haproxy.cfg` says it in
    /// `description gp-<digest>`, so that a worker can be asked.
    pub structure: String,
    /// Relative path -> content: `haproxy.cfg`, `coraza.cfg`, `guard-spoa.yaml`, `*.map`, `errors/*`. Regular files, `/` between parts.
    pub files: BTreeMap<String, Arc<[u8]>>,
    /// The same maps as in `files`, as entries.
    pub maps: BTreeMap<MapName, Arc<Map>>,
    /// Application name -> SecLang. The same as in `guard-spoa.yaml`.
    pub rulesets: BTreeMap<String, Arc<RenderedRuleSet>>,
    pub probes: Arc<BTreeMap<Name, ProbeTarget>>,
}

/// The SecLang of a rule set, with what is needed to map an engine's line back to the objects that caused it.
#[derive(Clone, Debug)]
pub struct RenderedRuleSet {
    pub name: String,
    pub text: String,
    pub policies: Vec<Name>,
    /// 1-based line of `text` -> JSON pointer into the policies.
    pub origins: BTreeMap<usize, String>,
}

/// A template refused a value, or is broken: ours, never the caller's, since what reaches a template is allow-listed.
#[derive(Debug, thiserror::Error)]
#[error("rendering {template}: {message}")]
pub struct RenderError {
    pub template: String,
    pub message: String,
}

/// Renders. `previous` may lend texts that did not change.
pub fn render(_desired: &Desired, _node: &NodeSettings, _previous: Option<&Bundle>) -> Result<Bundle, RenderError> {
    todo!("render")
}

/// Digest of all embedded templates: SHA-256 in hex, 16 digits. Part of what a bundle is made with.
pub fn templates_digest() -> &'static str {
    todo!("templates_digest")
}
