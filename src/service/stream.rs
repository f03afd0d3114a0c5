//! What moves, told to whoever listens; the last events are remembered for those who were away for a moment.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use tokio::sync::broadcast;

use super::StreamEvent;

/// Events remembered, and how far a listener may lag behind.
const REMEMBERED: usize = 1024;

pub struct Stream {
    /// The next id, and the last events.
    remembered: Mutex<(u64, VecDeque<StreamEvent>)>,
    sender: broadcast::Sender<StreamEvent>,
}

impl Stream {
    /// Ids go on from `first`: a process that starts later must begin higher, so that an id of the one before is older than all of ours.
    pub fn new(first: u64) -> Self {
        Self { remembered: Mutex::new((first, VecDeque::new())), sender: broadcast::channel(REMEMBERED).0 }
    }

    pub fn emit(&self, topic: &str, data: serde_json::Value) {
        self.emit_to(None, topic, data);
    }

    /// For one principal alone, where one is named.
    pub fn emit_to(&self, owner: Option<String>, topic: &str, data: serde_json::Value) {
        // Sent under the lock: listeners get them in the order of their ids, and `subscribe` misses none.
        let mut remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        let event = StreamEvent { id: remembered.0, topic: topic.to_owned(), data, owner };
        remembered.0 += 1;
        if remembered.1.len() == REMEMBERED {
            remembered.1.pop_front();
        }
        remembered.1.push_back(event.clone());
        // Nobody listening is no error.
        drop(self.sender.send(event));
    }

    pub fn subscribe(&self, last_id: Option<u64>) -> (Vec<StreamEvent>, broadcast::Receiver<StreamEvent>) {
        let remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        let missed = last_id.map(|last| remembered.1.iter().filter(|event| event.id > last).cloned().collect()).unwrap_or_default();
        (missed, self.sender.subscribe())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_are_remembered_and_none_is_missed_or_told_twice() {
        let stream = Stream::new(100);
        for n in 0..1500 {
            stream.emit("revisions", n.into());
        }
        let (missed, mut receiver) = stream.subscribe(Some(1590));
        assert_eq!(missed.iter().map(|event| event.id).collect::<Vec<_>>(), (1591..1600).collect::<Vec<_>>());
        stream.emit("status", 1.into());
        assert_eq!(receiver.try_recv().unwrap().id, 1600);
        assert_eq!(stream.subscribe(Some(0)).0.len(), REMEMBERED);
        assert!(stream.subscribe(None).0.is_empty());
    }
}
