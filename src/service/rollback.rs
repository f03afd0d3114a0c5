//! Going back: a new revision that is equal to an old one, whole or for some objects. Nothing is rewritten.

use std::sync::Arc;

use super::write::check_message;
use super::writer::{About, Unmade, Work};
use super::{Caller, Service, plan};
use crate::domain::error::Result;
use crate::domain::revision::{ObjectRef, Origin, RevisionInfo};
use crate::domain::{Finding, Revision};

/// What going back did.
#[derive(Clone, Debug)]
pub struct RolledBack {
    /// The revision made, or the newest one where nothing had to change.
    pub info: RevisionInfo,
    pub changed: bool,
    pub findings: Vec<Finding>,
}

impl Service {
    /// With `objects`, those alone. With `plan_digest`: only if what would happen is what that plan said.
    pub async fn rollback(
        &self,
        caller: &Caller,
        revision: Revision,
        objects: &[ObjectRef],
        message: Option<&str>,
        plan_digest: Option<&str>,
    ) -> Result<RolledBack> {
        let given = message.unwrap_or_default();
        check_message("/message", given)?;
        let message = if given.is_empty() { format!("back to revision {revision}") } else { given.to_owned() };
        let staged = self.staged_rollback(caller, &self.head(), revision, objects).await?;
        let about = About { message: message.clone(), origin: Origin::Rollback { revision, approved_by: None }, ..About::default() };
        let work = Arc::new(Work::Staged(staged));
        let (done, findings) = match self.commit(caller, Arc::clone(&work), about, plan_digest).await {
            Ok(done) => done,
            Err(Unmade::Unapproved(_)) => {
                let change_set = self.submit_work(caller, &work, message, Some(revision)).await?;
                return Err(self.awaiting(caller, change_set));
            }
            Err(unmade) => return Err(plan::unmade(unmade)),
        };
        let info = self.info(caller, done.revision.max(1)).await?;
        Ok(RolledBack { info, changed: done.changed, findings })
    }
}
