//! A write in its caller's task: what can be judged without the writer is judged here.

use std::sync::Arc;

use tokio::sync::oneshot;
use uuid::Uuid;

use super::apply::{Change, Next, Op, Outcome, apply};
use super::judge::Judged;
use super::keyed::inside;
use super::object::Object;
use super::writer::{Done, Reply, Request, snapshot_after};
use super::{Caller, Operation, Precondition, Service, Written, entries};
use crate::domain::error::{Error, Result};
use crate::domain::{Action, Finding, Snapshot};

/// How often a write is judged anew because another came in between.
const ROUNDS: usize = 5;

/// Characters of a revision's message, at most.
const MESSAGE: usize = 2000;

impl Service {
    /// Validates, lets the engines judge what it touches, commits as one revision with its audit row. `message` is the revision's: at most
    /// 2,000 characters, no control characters but newline and tab.
    pub async fn write(&self, caller: &Caller, operation: Operation, precondition: Precondition, message: &str) -> Result<Written> {
        if message.chars().count() > MESSAGE || message.chars().any(|c| c.is_control() && c != '\n' && c != '\t') {
            let detail = format!("a message has at most {MESSAGE} characters, and no control characters but newline and tab");
            return Err(Error::invalid("", "invalid_message", detail));
        }
        self.authorize_write(caller, &operation)?;
        let op = Arc::new(Op::new(operation)?);
        for _ in 0..ROUNDS {
            let head = self.head();
            let (judged, findings) = match self.preview(&head, &op, precondition).await? {
                Preview::Unchanged(revision) => {
                    return Ok(Written { revision, changed: false, created: false, snapshot: head, findings: Vec::new() });
                }
                Preview::Judged(judged, findings) => (*judged, findings),
            };
            let (reply, answer) = oneshot::channel();
            let request = Request { op: Arc::clone(&op), precondition, caller: caller.clone(), message: message.to_owned(), judged, reply };
            let gone = |_| Error::Unavailable("shutting down".to_owned());
            self.inner.requests.send(request).await.map_err(|_| gone(()))?;
            match answer.await.map_err(|_| gone(()))? {
                Reply::Done(done) => return Ok(written(done?, &op, findings)),
                Reply::Rejudge => {}
            }
        }
        Err(Error::Conflict("others change this object all the time, so that it could not be judged; try again".to_owned()))
    }

    fn authorize_write(&self, caller: &Caller, operation: &Operation) -> Result<()> {
        let (action, kind, name) = match operation {
            Operation::Put { kind, name, .. } => {
                let exists = Object::find(&self.head(), *kind, name).is_some();
                (if exists { Action::Update } else { Action::Create }, *kind, name)
            }
            Operation::Patch { kind, name, .. } => (Action::Update, *kind, name),
            Operation::Delete { kind, name } => (Action::Delete, *kind, name),
            Operation::PutElement { keyed, owner, .. }
            | Operation::PatchElement { keyed, owner, .. }
            | Operation::DeleteElement { keyed, owner, .. } => (Action::Update, keyed.owner(), owner),
            Operation::BatchEntries { list, .. } | Operation::ReplaceEntries { list, .. } => {
                (Action::Update, crate::domain::Kind::IpList, list)
            }
        };
        self.authorize(&caller.principal, action, kind.as_str(), Some(name))
    }

    /// What the write would come to now. What is refused or changes nothing is answered from here: that was so at a moment between
    /// question and answer, and costs the writer nothing.
    async fn preview(&self, head: &Arc<Snapshot>, op: &Arc<Op>, precondition: Precondition) -> Result<Preview> {
        // Nothing to judge, and too much to do it twice.
        if matches!(**op, Op::BatchEntries { .. } | Op::ReplaceEntries { .. }) {
            return Ok(Preview::Judged(Box::default(), Vec::new()));
        }
        let now = entries::micros(self.now());
        let next = Next { revision: head.revision + 1, now, id: Uuid::nil(), number: 1 };
        match apply(head, op, precondition, &next)? {
            Outcome::Unchanged(revision) => Ok(Preview::Unchanged(revision)),
            Outcome::Changed(change) => {
                let (judged, findings) = self.inner.judge.judge(head, &change, now).await.map_err(|error| relative(error, op, &change))?;
                Ok(Preview::Judged(Box::new(judged), findings))
            }
        }
    }
}

enum Preview {
    Unchanged(i64),
    Judged(Box<Judged>, Vec<Finding>),
}

/// Faults of the owner, told of the element that was written.
fn relative(error: Error, op: &Op, change: &Change) -> Error {
    let (keyed, key) = match op {
        Op::PutElement { keyed, key, .. } | Op::PatchElement { keyed, key, .. } => (keyed, key),
        _ => return error,
    };
    match change.after.as_ref().and_then(|after| keyed.position(after, key)) {
        Some(index) => inside(error, &format!("{}/{index}", keyed.pointer())),
        None => error,
    }
}

fn written(done: Done, op: &Op, findings: Vec<Finding>) -> Written {
    let (kind, name) = op.target();
    let snapshot = snapshot_after(&done, kind, name);
    Written { revision: done.revision, changed: done.changed, created: done.created, snapshot, findings }
}
