//! A write in its caller's task: what can be judged without the writer is judged here.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::oneshot;
use uuid::Uuid;

use super::apply::{Op, relative};
use super::authorize::{Purpose, Warrant};
use super::judge::Judged;
use super::keyed::inside;
use super::object::Object;
use super::writer::{About, Done, Made, Reply, Request, Unmade, Work, snapshot_after};
use super::{Caller, Operation, Precondition, Service, Written, entries};
use crate::domain::error::{Error, Result};
use crate::domain::revision::Origin;
use crate::domain::{Action, Finding, Kind, Revision, Snapshot, Subject};

/// What a revision is made for, by where it comes from.
fn purpose(about: &About) -> Purpose {
    if matches!(about.origin, Origin::Rollback { .. }) { Purpose::Rollback } else { Purpose::Edit }
}

/// How often a write is judged anew because another came in between.
const ROUNDS: usize = 5;

/// Characters of a revision's message, at most.
const MESSAGE: usize = 2000;

/// Refuses what no revision may be called; `pointer` says where the message came from.
pub fn check_message(pointer: &str, message: &str) -> Result<()> {
    if message.chars().count() > MESSAGE || message.chars().any(|c| c.is_control() && c != '\n' && c != '\t') {
        let detail = format!("a message has at most {MESSAGE} characters, and no control characters but newline and tab");
        return Err(Error::invalid(pointer, "invalid_message", detail));
    }
    Ok(())
}

impl Service {
    /// Validates, lets the engines judge what it touches, commits as one revision with its audit row. `message` is the revision's: at most
    /// 2,000 characters, no control characters but newline and tab. `Error::AwaitingApproval` where it touches a protected vhost.
    pub async fn write(&self, caller: &Caller, operation: Operation, precondition: Precondition, message: &str) -> Result<Written> {
        check_message("", message)?;
        self.authorize_write(caller, &operation)?;
        let work = Arc::new(Work::One { op: Op::new(operation)?, precondition });
        let about = About { message: message.to_owned(), ..About::default() };
        let (done, findings) = match self.commit(caller, Arc::clone(&work), about, None).await {
            Ok(done) => done,
            Err(Unmade::Error(error)) => return Err(error),
            Err(Unmade::Unapproved(_)) => {
                let change_set = self.submit_work(caller, &work, message.to_owned(), None).await?;
                return Err(self.awaiting(caller, change_set));
            }
            // Only what is staged has these.
            Err(Unmade::Conflicts(_) | Unmade::Faults(_)) => return Err(Error::internal("one operation cannot conflict")),
        };
        let (kind, name) = work.target().ok_or_else(|| Error::internal("one operation has a target"))?;
        let snapshot = snapshot_after(&done, kind, name);
        Ok(Written { revision: done.revision, changed: done.changed, created: done.created, snapshot, findings })
    }

    /// Judges work on the newest state and has the writer commit it, anew while others come in between. With the digest of a plan: only where
    /// a plan made now would have the same.
    pub(super) async fn commit(
        &self,
        caller: &Caller,
        work: Arc<Work>,
        about: About,
        plan_digest: Option<&str>,
    ) -> Result<(Done, Vec<Finding>), Unmade> {
        let about = Arc::new(about);
        let warrant = self.warrant(caller, purpose(&about));
        for _ in 0..ROUNDS {
            let head = self.head();
            if let Some(expected) = plan_digest {
                let found = self.plan_digest(caller, &warrant, &head, &work).await.map_err(Unmade::Error)?;
                if found != expected {
                    return Err(Unmade::Error(Error::PlanChanged));
                }
            }
            let only_on = plan_digest.map(|_| head.revision);
            let (judged, findings) = match self.preview(&warrant, &head, &work).await? {
                Preview::Unchanged(revision) => {
                    let object = work.target().and_then(|(kind, name)| Object::find(&head, kind, name));
                    return Ok((Done { revision, changed: false, created: false, object, snapshot: head }, Vec::new()));
                }
                Preview::Judged(judged, findings) => (judged, findings),
            };
            let (reply, answer) = oneshot::channel();
            let (work, caller, about) = (Arc::clone(&work), caller.clone(), Arc::clone(&about));
            let warrant = warrant.clone();
            let request = Request { work, caller, warrant, about, judged: Arc::new(judged), only_on, reply };
            let gone = |()| Unmade::Error(Error::Unavailable("shutting down".to_owned()));
            self.inner.requests.send(request).await.map_err(|_| gone(()))?;
            match answer.await.map_err(|_| gone(()))? {
                Reply::Done(done) => return Ok((done, findings)),
                Reply::Unmade(unmade) => return Err(unmade),
                Reply::Rejudge => {}
            }
        }
        let words = "others change what this is about all the time, so that it could not be judged; try again";
        Err(Unmade::Error(Error::Conflict(words.to_owned())))
    }

    /// Whether the caller may do what an operation does, somewhere: where, is said of what it comes to.
    pub(super) fn authorize_write(&self, caller: &Caller, operation: &Operation) -> Result<()> {
        let (actions, subject): (&[Action], Subject) = match operation {
            Operation::Put { kind, .. } => (&[Action::Create, Action::Update], (*kind).into()),
            // A patch of an object may be one of what is in it.
            Operation::Patch { kind, .. } => {
                let writes = [Action::Create, Action::Update, Action::Delete];
                let may = |subject: &Subject| {
                    writes.iter().any(|action| self.authorize(&caller.principal, *action, subject.as_str(), None).is_ok())
                };
                return if Subject::parts(*kind).iter().any(may) { Ok(()) } else { Err(Error::Forbidden) };
            }
            Operation::Delete { kind, .. } => (&[Action::Delete], (*kind).into()),
            Operation::PutElement { keyed, .. } => (&[Action::Create, Action::Update], keyed.subject()),
            Operation::PatchElement { keyed, .. } => (&[Action::Update], keyed.subject()),
            Operation::DeleteElement { keyed, .. } => (&[Action::Delete], keyed.subject()),
            Operation::BatchEntries { .. } | Operation::ReplaceEntries { .. } => {
                (&[Action::Create, Action::Update, Action::Delete], Subject::Entry)
            }
        };
        let may = |action: &Action| self.authorize(&caller.principal, *action, subject.as_str(), None).is_ok();
        if actions.iter().any(may) { Ok(()) } else { Err(Error::Forbidden) }
    }

    /// What the work would come to now. What is refused or changes nothing is answered from here: that was so at a moment between
    /// question and answer, and costs the writer nothing.
    async fn preview(&self, warrant: &Warrant, head: &Arc<Snapshot>, work: &Work) -> Result<Preview, Unmade> {
        warrant.begin(work, head)?;
        // Nothing to judge, and too much to do it twice.
        if let Work::One { op: Op::BatchEntries { .. } | Op::ReplaceEntries { .. }, .. } = work {
            return Ok(Preview::Judged(Judged::default(), Vec::new()));
        }
        let now = entries::micros(self.now());
        let changes = match warrant.try_on(work, head, now)? {
            Made::Unchanged(revision) => return Ok(Preview::Unchanged(revision)),
            Made::Changed(changes) => changes,
        };
        let judged = self.inner.judge.judge(head, &changes, now).await.into_result();
        let Work::One { op, .. } = work else {
            return judged.map(|(judged, findings)| Preview::Judged(judged, findings)).map_err(Unmade::Error);
        };
        // One operation is told of what it wrote.
        let (kind, name) = op.target();
        let root = format!("/{}/{name}", kind.collection());
        let change = &changes[0];
        match judged {
            Err(error) => Err(Unmade::Error(relative(inside(error, &root), op, change))),
            Ok((judged, mut findings)) => {
                for finding in &mut findings {
                    if let Some(rest) = finding.pointer.strip_prefix(&root) {
                        finding.pointer = rest.to_owned();
                    }
                }
                Ok(Preview::Judged(judged, findings))
            }
        }
    }
}

enum Preview {
    Unchanged(Revision),
    Judged(Judged, Vec<Finding>),
}

/// Ids and numbers for what may never be committed: numbers differ, so that it can be compiled.
pub(super) fn provisional(snapshot: &Snapshot) -> impl Fn(Kind) -> (Uuid, u32) + use<> {
    let most: [(Kind, Option<u32>); 3] = [
        (Kind::Vhost, snapshot.vhosts.values().map(|vhost| vhost.number).max()),
        (Kind::Policy, snapshot.policies.values().map(|policy| policy.number).max()),
        (Kind::IpList, snapshot.ip_lists.values().map(|list| list.list.number).max()),
    ];
    let numbers = RefCell::new(BTreeMap::from(most.map(|(kind, number)| (kind, number.unwrap_or(0)))));
    move |kind| {
        let mut numbers = numbers.borrow_mut();
        let number = numbers.entry(kind).or_insert(0);
        *number = number.saturating_add(1);
        (Uuid::nil(), *number)
    }
}
