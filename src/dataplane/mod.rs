//! HAProxy, guard-spoa and files. The applying side is one seam: a [`Bundle`](crate::render::Bundle) goes in, a [`Report`] comes out.
//! Today it runs inside `serve`; it will run on other hosts later.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use crate::compile::NodeSettings;
use crate::domain::deployment::{DeploymentState, Lane, Step};
use crate::domain::proof::Proof;
use crate::domain::{FieldError, Finding};
use crate::render::{Bundle, RenderedRuleSet};

/// What the applying side is told at its start.
#[derive(Clone, Debug)]
pub struct DataplaneSettings {
    pub node: NodeSettings,
    /// Folder of releases, absolute: `releases/<n>/`, `current`, `staging/`.
    pub state_dir: PathBuf,
    /// The haproxy program, for `haproxy -c`.
    pub haproxy: PathBuf,
}

/// What an engine said about content before it went anywhere near traffic.
#[derive(Clone, Debug)]
pub enum Verdict {
    Accepted {
        findings: Vec<Finding>,
    },
    /// `errors` point into the object kinds named by the caller: `/policies/shop/custom_rules/0`, `/vhosts/shop/upstream`.
    Refused {
        engine: &'static str,
        said: String,
        errors: Vec<FieldError>,
    },
    /// Nobody could be asked; says nothing about the content.
    Away(String),
}

/// How bringing a bundle to the node ended.
#[derive(Clone, Debug)]
pub enum Outcome {
    Live,
    Refused {
        said: String,
        errors: Vec<FieldError>,
    },
    /// Says nothing about the content: try again.
    Retry {
        said: String,
    },
}

/// What came of applying a bundle.
#[derive(Clone, Debug)]
pub struct Report {
    pub outcome: Outcome,
    pub lanes: Vec<Lane>,
    pub proofs: Vec<Proof>,
}

/// Hears of each step as it ends, and of the state that the deployment is in. Implementations must not block.
pub trait Progress: Send + Sync {
    fn state(&self, state: DeploymentState);
    fn step(&self, step: Step);
}

/// What the engines say of themselves.
#[derive(Clone, Debug, Default, serde::Serialize, utoipa::ToSchema)]
pub struct EngineStatus {
    /// `haproxy`, `guard-spoa` and `validator`: up and answering.
    pub haproxy_up: bool,
    pub spoa_up: bool,
    pub validator_up: bool,
    /// `haproxy`, `guard_spoa`, `coraza`, `crs`.
    pub versions: BTreeMap<String, String>,
    /// The structure digest that the current worker says it runs.
    pub structure: String,
    /// Applications loaded in guard-spoa.
    pub applications: usize,
    /// What is wrong, in words; empty when all is well.
    pub problems: Vec<String>,
}

/// One node: HAProxy and guard-spoa by their sockets, releases by their folder. Cheap to clone.
#[derive(Clone)]
pub struct Node {
    settings: Arc<DataplaneSettings>,
}

impl Node {
    pub fn new(settings: DataplaneSettings) -> Self {
        Self { settings: Arc::new(settings) }
    }

    pub fn settings(&self) -> &DataplaneSettings {
        &self.settings
    }

    /// Compiles a rule set in the validator process, never in the serving one.
    pub async fn validate_ruleset(&self, _ruleset: &RenderedRuleSet) -> Verdict {
        todo!()
    }

    /// Judges a bundle's structure by `haproxy -c` in a staging folder of its own; the bundle may be reduced to the vhosts of interest.
    pub async fn validate_structure(&self, _bundle: &Bundle) -> Verdict {
        todo!()
    }

    /// Brings `bundle` to the engines: stage, validate, load rule sets, publish, runtime or reload, verify, unload; on failure the last good
    /// release is restored. `previous` is what was live, if this process knows; without it everything is set anew.
    pub async fn apply(&self, _bundle: &Arc<Bundle>, _previous: Option<&Arc<Bundle>>, _progress: &dyn Progress) -> Report {
        todo!()
    }

    /// Writes a first release if there is none, so that the engines can be started: `current/haproxy.cfg` and `current/guard-spoa.yaml`.
    pub async fn ensure_release(&self, _bundle: &Arc<Bundle>) -> std::io::Result<()> {
        todo!()
    }

    pub async fn engine_status(&self) -> EngineStatus {
        todo!()
    }
}
