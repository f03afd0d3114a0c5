//! What an alarm can be raised on: the state of revisions, proofs and engines, as metrics.

use metrics::{describe_gauge, gauge};

use super::Service;
use crate::domain::deployment::DeploymentState;

impl Service {
    /// Brings the gauges up to date; called every few seconds.
    #[expect(clippy::cast_precision_loss, reason = "metrics are floats; these numbers are far below 2^52")]
    pub fn observe(&self) {
        describe_gauge!("guard_proxy_revision_head", "The newest revision.");
        describe_gauge!(
            "guard_proxy_revision_live",
            "The newest revision that is live and proven; below the head for long: look at the deployments."
        );
        describe_gauge!("guard_proxy_deployment_retrying", "1 while a deployment is retried because something is away or full.");
        describe_gauge!("guard_proxy_revisions_refused", "Refused revisions since the last live one.");
        describe_gauge!("guard_proxy_vhosts_unproven", "Vhosts whose last probe saw something else than the live revision says.");
        describe_gauge!("guard_proxy_mode_overrides", "Vhosts in an emergency mode: not as their policies say.");
        describe_gauge!("guard_proxy_engine_up", "1 for an engine that answers.");
        let (live, engines) = (self.watch_live().borrow().clone(), self.engine_status());
        let retrying = live.deployment.as_ref().is_some_and(|d| d.state == DeploymentState::Retrying);
        gauge!("guard_proxy_revision_head").set(self.head().revision as f64);
        gauge!("guard_proxy_revision_live").set(live.live as f64);
        gauge!("guard_proxy_deployment_retrying").set(f64::from(u8::from(retrying)));
        gauge!("guard_proxy_revisions_refused").set(live.refused.len() as f64);
        gauge!("guard_proxy_vhosts_unproven").set(live.unproven.len() as f64);
        gauge!("guard_proxy_mode_overrides").set(self.mode_overrides_in_force(&self.head()).len() as f64);
        for (engine, up) in [("haproxy", engines.haproxy_up), ("guard-spoa", engines.spoa_up), ("validator", engines.validator_up)] {
            gauge!("guard_proxy_engine_up", "engine" => engine).set(f64::from(u8::from(up)));
        }
    }
}
