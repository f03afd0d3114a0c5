//! What an engine said no to is taken back, so that nobody waits for it and nobody builds on it. Whose fault it is the errors say; where none points
//! anywhere it is found out by validating what was written one by one, without touching traffic.

use super::Reconciler;
use super::build::build;
use super::seams::{Engines, Journal};
use crate::dataplane::Verdict;
use crate::domain::Revision;
use crate::domain::deployment::Deployment;
use crate::domain::error::Result;
use crate::service::Blame;

impl<J: Journal, E: Engines> Reconciler<J, E> {
    /// After a refusal of the head. A newer head is tried first: it may be what mends it. Once: with writes without end there is always a newer
    /// one, and what builds on the refused content since is merged like anything else.
    pub(super) async fn take_back(&mut self, refused: &Deployment) {
        if self.refusals <= 1 && self.journal.watch_head().borrow().revision != refused.revision {
            return;
        }
        match self.try_take_back(refused).await {
            Ok(Some(revision)) => {
                // The next round brings it.
                tracing::warn!(refused = refused.revision, revision, "reconcile.taken_back");
            }
            Ok(None) => tracing::error!(revision = refused.revision, "reconcile.refused: nothing to take back: the next write is tried"),
            Err(error) => {
                tracing::error!(%error, revision = refused.revision, "reconcile.refused: not taken back yet");
                // Tried again, and refused again: until then nothing newer waits for it.
                self.refused = None;
                self.back_off();
            }
        }
    }

    async fn try_take_back(&self, refused: &Deployment) -> Result<Option<Revision>> {
        let live = self.live.as_ref().map(|live| live.revision).or(self.last_good).unwrap_or(0);
        let guilty = match self.journal.blame(live, refused).await? {
            Blame::Nobody => return Ok(None),
            Blame::Revisions(revisions) => revisions,
            Blame::Unknown => match self.bisect(live, refused.revision).await? {
                Some(found) => [found].into(),
                // What is named was not written, and the engines find nothing wrong: it is something around.
                None if !refused.errors.is_empty() => return Ok(None),
                None => Default::default(),
            },
        };
        self.journal.take_back(live, refused, guilty).await
    }

    /// The revision that turns what the engines accept into what they refuse; None where they find nothing wrong, or nobody can be asked.
    async fn bisect(&self, live: Revision, refused: Revision) -> Result<Option<Revision>> {
        if !self.refuses(refused).await? {
            return Ok(None);
        }
        let (mut good, mut bad) = (live, refused);
        while bad - good > 1 {
            let middle = good + (bad - good) / 2;
            if self.refuses(middle).await? {
                bad = middle;
            } else {
                good = middle;
            }
        }
        Ok(Some(bad))
    }

    async fn refuses(&self, revision: Revision) -> Result<bool> {
        let snapshot = self.journal.snapshot_at(revision).await?;
        let built = build(&snapshot, self.engines.settings(), self.journal.now(), None).await;
        Ok(match built.bundle {
            Err(_) => true,
            Ok(bundle) => matches!(self.engines.validate(&bundle).await, Verdict::Refused { .. }),
        })
    }
}
