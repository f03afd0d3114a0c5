//! An agent in guard-spoa's place that answers every request alike: with what guard-spoa never says, or what HAProxy never makes it say.

use std::path::Path;
use std::sync::{Arc, Mutex};

use spop::frame::FrameType;
use spop::frames::{Ack, AgentHello, FrameCapabilities};
use spop::{SpopFrame, TypedData, VarScope, Version, decode_varint};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};

/// Variables of the transaction that an acknowledgement sets.
pub type Variables = Vec<(&'static str, TypedData)>;

pub struct Agent {
    says: Arc<Mutex<Variables>>,
    task: tokio::task::JoinHandle<()>,
}

impl Agent {
    /// Listens where guard-spoa has been.
    pub fn listen(socket: &Path) -> Self {
        let _ = std::fs::remove_file(socket);
        let listener = UnixListener::bind(socket).expect("the agent's socket");
        let says = Arc::<Mutex<Variables>>::default();
        let shared = says.clone();
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, shared.clone()));
            }
        });
        Self { says, task }
    }

    /// What every acknowledgement says from now on.
    pub fn say(&self, variables: Variables) {
        *self.says.lock().expect("the answer") = variables;
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Until the peer goes away: None.
async fn serve(mut stream: UnixStream, says: Arc<Mutex<Variables>>) -> Option<()> {
    loop {
        let length = stream.read_u32().await.ok()?;
        let mut frame = vec![0; usize::try_from(length).ok()?];
        stream.read_exact(&mut frame).await.ok()?;
        let answer = match FrameType::from_u8(frame[0]).ok()? {
            FrameType::HaproxyHello => {
                let capabilities = vec![FrameCapabilities::Pipelining];
                AgentHello { version: Version::new(2, 0, 0), max_frame_size: 131_068, capabilities }.serialize()
            }
            FrameType::Notify => {
                let (rest, stream_id) = decode_varint(&frame[5..]).ok()?;
                let (_, frame_id) = decode_varint(rest).ok()?;
                let says = says.lock().expect("the answer").clone();
                let ack = Ack::new(stream_id, frame_id);
                says.into_iter().fold(ack, |ack, (name, value)| ack.set_var(VarScope::Transaction, name, value)).serialize()
            }
            _ => return None,
        };
        stream.write_all(&answer.expect("a frame")).await.ok()?;
    }
}
