//! The engines as far as the service asks them: to judge content, and what they see. A seam for tests: a stub can refuse or hang.

use std::time::Duration;

use futures::future::BoxFuture;

use crate::dataplane::{Accepted, Node, ServerStatus, Verdict};
use crate::render::{Bundle, RenderedRuleSet};

pub trait Engines: Send + Sync {
    fn validate_ruleset<'a>(&'a self, ruleset: &'a RenderedRuleSet) -> BoxFuture<'a, Verdict>;
    fn validate_structure<'a>(&'a self, bundle: &'a Bundle) -> BoxFuture<'a, Verdict>;
    /// Rule sets that were accepted, so that nothing is judged twice.
    fn accepted(&self) -> &Accepted;
    /// The servers of a vhost, by its number; in words, why nobody can be asked.
    fn servers(&self, vhost: u32) -> BoxFuture<'_, Result<Vec<ServerStatus>, String>>;
    /// The last resort against an engine that never answers: engines have limits of their own, and turns to wait for.
    fn patience(&self) -> Duration {
        Duration::from_secs(60)
    }
}

impl Engines for Node {
    fn validate_ruleset<'a>(&'a self, ruleset: &'a RenderedRuleSet) -> BoxFuture<'a, Verdict> {
        Box::pin(Node::validate_ruleset(self, ruleset))
    }

    fn validate_structure<'a>(&'a self, bundle: &'a Bundle) -> BoxFuture<'a, Verdict> {
        Box::pin(Node::validate_structure(self, bundle))
    }

    fn accepted(&self) -> &Accepted {
        Node::accepted(self)
    }

    fn servers(&self, vhost: u32) -> BoxFuture<'_, Result<Vec<ServerStatus>, String>> {
        Box::pin(Node::servers(self, vhost))
    }
}
