//! Desired state -> bundle: everything a node needs for a revision. Pure; templates are embedded.

use std::collections::BTreeMap;
use std::sync::Arc;

use minijinja::value::{Serde, Value};
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::compile::{Backend, Desired, Map, MapName, NodeSettings, ProbeTarget, RuleSet};
use crate::domain::digest::hex;
use crate::domain::{Name, Revision};

mod contexts;
mod environment;
mod lanes;
mod pages;
mod probe_state;
#[cfg(test)]
mod tests;

pub use environment::templates_digest;
pub use lanes::lanes;
pub use probe_state::{PROBE_STATE_FORMAT, ProbeState};

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
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RenderedRuleSet {
    pub name: String,
    pub text: String,
    pub policies: Vec<Name>,
    /// 1-based line of `text` -> JSON pointer into each of the policies (`/exclusions/3`).
    pub origins: BTreeMap<usize, String>,
}

/// A template refused a value, or is broken: ours, never the caller's, since what reaches a template is allow-listed.
#[derive(Debug, thiserror::Error)]
#[error("rendering {template}: {message}")]
pub struct RenderError {
    pub template: String,
    pub message: String,
}

/// Stands for the structure's digest while it is not known.
const NO_STRUCTURE: &str = "0000000000000000";

/// Renders. `previous` may lend texts that did not change.
pub fn render(desired: &Desired, node: &NodeSettings, previous: Option<&Bundle>) -> Result<Bundle, RenderError> {
    let mut files: BTreeMap<String, Arc<[u8]>> = BTreeMap::new();
    let spoe = template(environment::SPOE, &contexts::Spoe::new(node))?;
    let backends = render_backends(&desired.backends)?;

    let mut structure = Digests::default();
    structure.add("haproxy.cfg", template(environment::HAPROXY, &contexts::Haproxy::new(node, NO_STRUCTURE))?.as_bytes());
    structure.add("backends", backends.as_bytes());
    structure.add("coraza.cfg", spoe.as_bytes());
    for page in &pages::PAGES {
        let text = pages::render(page)?;
        let name = format!("errors/{}.lf", page.status);
        structure.add(&name, text.as_bytes());
        files.insert(name, text.into_bytes().into());
    }
    let structure = structure.finish()[..16].to_owned();

    let mut haproxy = template(environment::HAPROXY, &contexts::Haproxy::new(node, &structure))?;
    haproxy.push_str(&backends);
    files.insert("haproxy.cfg".to_owned(), haproxy.into_bytes().into());
    files.insert("coraza.cfg".to_owned(), spoe.into_bytes().into());

    for (name, map) in &desired.maps {
        files.insert(name.file().to_owned(), map_file(*name, map, previous)?);
    }
    let rulesets = desired
        .rulesets
        .values()
        .map(|ruleset| Ok((ruleset.name.clone(), rendered(ruleset, previous)?)))
        .collect::<Result<BTreeMap<_, _>, RenderError>>()?;
    files.insert("guard-spoa.yaml".to_owned(), agent_file(node, &rulesets)?.into_bytes().into());

    let mut digest = Digests::default();
    // haproxy.cfg by its structure: it is megabytes, and has been read once
    digest.add("structure", structure.as_bytes());
    for (name, content) in files.iter().filter(|(name, _)| *name != "haproxy.cfg") {
        digest.add(name, content);
    }
    Ok(Bundle {
        revision: desired.revision,
        digest: digest.finish(),
        structure,
        files,
        maps: desired.maps.clone(),
        rulesets,
        probes: Arc::new(desired.probes.clone()),
    })
}

/// The SecLang of one rule set, for judging it before it is part of anything.
pub fn render_ruleset(ruleset: &RuleSet) -> Result<RenderedRuleSet, RenderError> {
    const BEFORE: &str = "# --- before the Core Rule Set";
    const AFTER: &str = "# --- behind the Core Rule Set";
    let source = &ruleset.source;
    let text = template(environment::APPLICATION, &contexts::Application::new(source))?;
    let mut origins = BTreeMap::new();
    // no generated line can look like a heading: it starts with `Sec`, and has no line breaks
    for (heading, lines) in [(BEFORE, &source.before_crs), (AFTER, &source.after_crs)] {
        let Some(at) = text.lines().position(|line| line == heading) else {
            let message = format!("there is no line `{heading}`");
            return Err(RenderError { template: environment::APPLICATION.to_owned(), message });
        };
        // the heading is line `at + 1`
        origins.extend(lines.iter().zip(at + 2..).map(|(line, number)| (number, line.pointer.clone())));
    }
    Ok(RenderedRuleSet { name: ruleset.name.clone(), text, policies: ruleset.policies.clone(), origins })
}

fn rendered(ruleset: &RuleSet, previous: Option<&Bundle>) -> Result<Arc<RenderedRuleSet>, RenderError> {
    // the name is a digest of all that makes the text
    match previous.and_then(|previous| previous.rulesets.get(&ruleset.name)) {
        Some(known) if known.policies == ruleset.policies => Ok(known.clone()),
        Some(known) => Ok(Arc::new(RenderedRuleSet { policies: ruleset.policies.clone(), ..known.as_ref().clone() })),
        None => render_ruleset(ruleset).map(Arc::new),
    }
}

fn template(name: &str, context: &impl Serialize) -> Result<String, RenderError> {
    environment::render(name, Value::from(Serde(context)))
}

/// Backends rendered at a time: what a template works on stays in the processor's cache.
const BACKENDS_AT_A_TIME: usize = 64;

/// The one text that grows with the number of vhosts.
fn render_backends(backends: &[Backend]) -> Result<String, RenderError> {
    let mut out = String::with_capacity(backends.len() * 400);
    for some in backends.chunks(BACKENDS_AT_A_TIME) {
        let backends = some.iter().map(contexts::BackendContext::new).collect();
        out.push_str(&template(environment::BACKENDS, &contexts::Backends { backends })?);
    }
    Ok(out)
}

fn agent_file(node: &NodeSettings, rulesets: &BTreeMap<String, Arc<RenderedRuleSet>>) -> Result<String, RenderError> {
    let applications = rulesets.values().map(|r| contexts::AgentApplication { name: &r.name, directives: &r.text }).collect();
    template(environment::AGENT, &contexts::Agent { bind: format!("unix://{}", node.spoa_socket()), applications })
}

/// Maps are not templates: a line is a key, a blank and a value. The same rule as the templates' choke point, and stricter: neither has a
/// blank, and no key is a comment.
fn map_file(name: MapName, map: &Arc<Map>, previous: Option<&Bundle>) -> Result<Arc<[u8]>, RenderError> {
    if let Some(previous) = previous
        && let Some(known) = previous.maps.get(&name)
        && let Some(file) = previous.files.get(name.file())
        && known == map
    {
        return Ok(file.clone());
    }
    let plain = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic());
    let mut out = Vec::with_capacity(map.iter().map(|(key, value)| key.len() + value.len() + 2).sum());
    for (key, value) in map.iter() {
        if !plain(key) || !plain(value) || key.starts_with('#') {
            let message = format!("`{}` -> `{}` is not an entry of a map", key.escape_default(), value.escape_default());
            return Err(RenderError { template: name.file().to_owned(), message });
        }
        out.extend_from_slice(key.as_bytes());
        out.push(b' ');
        out.extend_from_slice(value.as_bytes());
        out.push(b'\n');
    }
    Ok(out.into())
}

/// A digest over named contents.
#[derive(Default)]
struct Digests(Sha256);

impl Digests {
    /// Lengths first, so that nothing can move from a name to a content or to the next file.
    fn add(&mut self, name: &str, content: &[u8]) {
        for part in [name.as_bytes(), content] {
            self.0.update((part.len() as u64).to_le_bytes());
            self.0.update(part);
        }
    }

    fn finish(self) -> String {
        hex(&self.0.finalize())
    }
}
