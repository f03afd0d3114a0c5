//! Keeps a deployment's states and steps in the store, in order, while the work goes on: nobody who works waits for the database.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::seams::Journal;
use crate::dataplane::Progress;
use crate::domain::deployment::{Deployment, DeploymentState, Step};
use crate::domain::error::Error;

/// Steps of an attempt after the first replace those of the one before it, so that a day of retries does not fill the store.
const MOST_STEPS: usize = 40;

enum Note {
    State(DeploymentState),
    Step(Step),
    /// The end of the attempt, with what only its end can say.
    End(Box<Deployment>, oneshot::Sender<Deployment>),
}

/// Where an attempt tells what it does.
pub struct Recorder {
    notes: mpsc::UnboundedSender<Note>,
    task: JoinHandle<()>,
}

impl Recorder {
    pub fn start<J: Journal>(journal: Arc<J>, deployment: Deployment) -> Self {
        let (notes, received) = mpsc::unbounded_channel();
        let task = tokio::spawn(keep(journal, deployment, received));
        Self { notes, task }
    }

    /// Stores the end, and gives the deployment back with its steps. Whoever waits for the revision hears of it before the last steps are stored;
    /// they are when this returns.
    pub async fn end(self, deployment: Deployment) -> Deployment {
        let (ended, receive) = oneshot::channel();
        let fallback = deployment.clone();
        drop(self.notes.send(Note::End(Box::new(deployment), ended)));
        let deployment = receive.await.unwrap_or(fallback);
        drop(self.notes);
        if let Err(error) = self.task.await {
            tracing::error!(%error, "reconcile.record: ended badly");
        }
        deployment
    }
}

impl Progress for Recorder {
    fn state(&self, state: DeploymentState) {
        drop(self.notes.send(Note::State(state)));
    }

    fn step(&self, step: Step) {
        drop(self.notes.send(Note::Step(step)));
    }
}

/// Says steps to the log only: for what is no deployment.
pub struct Quiet;

impl Progress for Quiet {
    fn state(&self, _state: DeploymentState) {}

    fn step(&self, step: Step) {
        tracing::debug!(step = step.name, took_us = step.took_us, ok = step.ok, detail = step.detail, "reconcile.step");
    }
}

async fn keep<J: Journal>(journal: Arc<J>, mut deployment: Deployment, mut notes: mpsc::UnboundedReceiver<Note>) {
    let first = if deployment.attempts > 1 { deployment.steps.len().min(MOST_STEPS) } else { 0 };
    deployment.steps.truncate(first);
    let mut batch = Vec::new();
    while notes.recv_many(&mut batch, 64).await > 0 {
        let (mut state, mut end, saved) = (None, None, deployment.steps.len());
        for note in batch.drain(..) {
            match note {
                // Where several came while the database was busy only the last one is news.
                Note::State(new) => state = Some(new),
                Note::Step(step) => deployment.steps.push(step),
                Note::End(last, ended) => end = Some((last, ended)),
            }
        }
        if let Some((last, ended)) = end {
            deployment = Deployment { steps: deployment.steps, ..*last };
            insist(&*journal, &deployment).await;
            drop(ended.send(deployment.clone()));
        } else if let Some(state) = state {
            deployment.state = state;
            if let Err(error) = journal.save_deployment(&deployment).await {
                tracing::warn!(%error, "reconcile.record: a state was not stored");
            }
        }
        for (seq, step) in deployment.steps.iter().enumerate().skip(saved) {
            let seq = i32::try_from(seq).unwrap_or(i32::MAX);
            if let Err(error) = journal.save_step(deployment.id, seq, step).await {
                tracing::warn!(%error, step = step.name, "reconcile.record: a step was not stored");
            }
        }
    }
}

/// An end must be stored: what is live and not said to be would leave its author waiting. The next start would find it out, too.
async fn insist<J: Journal>(journal: &J, deployment: &Deployment) {
    let mut pause = Duration::from_millis(100);
    for _ in 0..12 {
        match journal.save_deployment(deployment).await {
            Ok(()) => return,
            Err(error @ Error::NotFound { .. }) => {
                tracing::error!(%error, "reconcile.record: the store does not know the deployment");
                return;
            }
            Err(error) => {
                tracing::warn!(%error, state = deployment.state.as_str(), "reconcile.record: the end was not stored, trying again")
            }
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_secs(5));
    }
    tracing::error!(deployment = %deployment.id, "reconcile.record: the end could not be stored");
}
