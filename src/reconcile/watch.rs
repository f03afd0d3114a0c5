//! While nothing happens: whether what runs is still what was brought, whether it can still be seen, and what nobody needs any more.

use std::collections::BTreeSet;

use tokio::time::Instant;

use super::record::Quiet;
use super::seams::{Engines, Journal};
use super::{Live, Reconciler};
use crate::dataplane::Outcome;
use crate::domain::Name;
use crate::domain::proof::ProofState;

/// Vhosts whose proof is made new in each period: 1,000 in five minutes.
const PROBED: usize = 16;
/// Beside them, those whose proof is wanting.
const WANTING: usize = 32;
/// Periods from one collection to the next.
const COLLECT_EVERY: u32 = 2;

#[derive(Default)]
pub struct Watch {
    /// When garbage is looked for again.
    collect: Option<Instant>,
    /// The last vhost that was probed anew; the next ones follow it by name.
    probed: Option<Name>,
    /// Looked at no earlier than this: many heads in a row do not make many looks.
    next: Option<Instant>,
}

impl<J: Journal, E: Engines> Reconciler<J, E> {
    pub(super) async fn look_after(&mut self) {
        let now = Instant::now();
        if self.watch.next.is_some_and(|next| next > now) {
            return;
        }
        self.watch.next = Some(now + self.period);
        let Some(live) = &self.live else { return };
        let bundle = live.bundle.clone();
        if let Some(why) = self.engines.drift(&bundle).await {
            self.heal(&why).await;
        } else {
            self.prove_some().await;
        }
        if self.watch.collect.is_none_or(|at| at <= now) {
            self.watch.collect = Some(now + self.period * COLLECT_EVERY);
            for done in self.engines.collect().await {
                tracing::info!(done, "reconcile.collected");
            }
        }
    }

    /// An engine was started anew, or somebody else has been at it: what is live is brought again. No deployment, since nothing was decided.
    async fn heal(&mut self, why: &str) {
        let Some(Live { revision, bundle, .. }) = &self.live else { return };
        tracing::warn!(why, revision, "reconcile.drift: bringing it again");
        let report = self.engines.apply(bundle, Some(bundle), &Quiet).await;
        match report.outcome {
            Outcome::Live => tracing::info!(revision, "reconcile.healed"),
            Outcome::Refused { said, .. } | Outcome::Retry { said } => tracing::error!(revision, said, "reconcile.drift: not healed yet"),
        }
        if let Err(error) = self.journal.save_proofs(report.proofs).await {
            tracing::warn!(%error, "reconcile.proofs: not stored");
        }
    }

    /// Proofs grow old: a few are made anew, first those that are wanting.
    async fn prove_some(&mut self) {
        let Some(live) = &self.live else { return };
        let known = &live.bundle.probes;
        // While an engine is away none can be proven, and all take their time.
        let wanting = if self.journal.engine_status().away() { 0 } else { WANTING };
        let wanting = self.journal.unproven().into_iter().filter(|name| known.contains_key(name)).take(wanting);
        let mut chosen: BTreeSet<Name> = wanting.collect();
        let behind = known.keys().filter(|name| self.watch.probed.as_ref().is_none_or(|last| *name > last));
        let next: Vec<Name> = behind.take(PROBED).cloned().collect();
        // At the end of the names it begins again with the next period.
        self.watch.probed = if next.len() < PROBED { None } else { next.last().cloned() };
        chosen.extend(next);
        if chosen.is_empty() {
            return;
        }
        let proofs = self.engines.probe(&live.bundle, &chosen).await;
        for proof in proofs.iter().filter(|proof| proof.state == ProofState::Unproven) {
            tracing::error!(vhost = %proof.vhost, seen = ?proof.seen.last(), "reconcile.unproven");
        }
        if let Err(error) = self.journal.save_proofs(proofs).await {
            tracing::warn!(%error, "reconcile.proofs: not stored");
        }
    }
}
