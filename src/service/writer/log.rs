//! What else goes into the audit log, appended by the writer between its batches: rows are kept until it is known that they are there.

use std::future::pending;

use tokio::sync::mpsc;

use super::Writer;
use crate::domain::audit::{AuditPlace, AuditRow};
use crate::service::audit::Appending;

/// Rows of one transaction, at most.
const BATCH: usize = 512;

/// Rows on their way.
pub struct Log {
    events: mpsc::Receiver<Appending>,
    /// Not known to be in the log.
    waiting: Vec<Appending>,
    /// Where the chain ends if the answer to a commit was lost and it was done.
    perhaps: Option<AuditPlace>,
}

impl Log {
    pub fn new(events: mpsc::Receiver<Appending>) -> Self {
        Self { events, waiting: Vec::new(), perhaps: None }
    }

    /// Comes back when there is something to append that does not wait already. Nothing is lost where it is not waited for to the end.
    pub async fn receive(&mut self) {
        if !self.waiting.is_empty() || self.events.recv_many(&mut self.waiting, BATCH).await == 0 {
            // Those that wait are tried again by the heartbeat.
            pending::<()>().await;
        }
    }

    /// Takes in what was sent by now, and nothing more.
    pub fn close(&mut self) {
        self.events.close();
    }

    fn done(&mut self) {
        for appending in self.waiting.drain(..) {
            if let Some(done) = appending.done {
                // Whoever left has been told that it is not known.
                _ = done.send(());
            }
        }
    }
}

impl Writer {
    /// Appends what waits; what cannot be appended waits on.
    pub(super) async fn append(&mut self) {
        for _ in 0..3 {
            if self.log.waiting.is_empty() || !self.regain().await {
                return;
            }
            if let Some(place) = self.log.perhaps.take() {
                match self.store.audit_hash(place.id).await {
                    Ok(Some(hash)) if hash == place.hash => return self.log.done(),
                    Ok(_) => {}
                    Err(_) => {
                        self.log.perhaps = Some(place);
                        return;
                    }
                }
            }
            let rows: Vec<AuditRow> = self.log.waiting.iter().map(|appending| appending.row.clone()).collect();
            let Some(lead) = &mut self.lead else { return };
            let appended = match lead.would_end(&rows).await {
                Ok(place) => lead.append(&rows).await.map_err(|error| (error, Some(place))),
                Err(error) => Err((error, None)),
            };
            match appended {
                Ok(true) => return self.log.done(),
                Ok(false) => tracing::error!("somebody else wrote to the audit log: its end is read anew"),
                Err((error, place)) => {
                    tracing::error!(%error, rows = rows.len(), "the audit log cannot be written; tried again");
                    self.log.perhaps = place;
                    self.lose();
                    return;
                }
            }
        }
    }

    /// Appends what waits and the sums of floods; at the end all that was sent.
    pub(super) async fn sum_up(&mut self, end: bool) {
        self.append().await;
        // While the database is away the queue keeps its bound, and floods count on.
        if self.log.waiting.is_empty() || end {
            // What was sent goes before what is its sum.
            while let Ok(appending) = self.log.events.try_recv() {
                self.log.waiting.push(appending);
            }
            let sums = self.shared.floods.due((self.shared.clock)(), end);
            self.log.waiting.extend(sums.into_iter().map(|row| Appending { row, done: None }));
            self.append().await;
        }
        if end && !self.log.waiting.is_empty() {
            tracing::error!(rows = self.log.waiting.len(), "rows of the audit log could not be written");
        }
    }
}
