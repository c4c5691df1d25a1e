//! A message's bytes on their way out, read on store threads (qmail-remote(8)).

use bytes::Bytes;
use driver::StorePool;
use mta_proto::Chunk;
use mta_store::files::RealFiles;
use mta_store::queue::Message;
use std::sync::Arc;

/// Bytes that are read in one go, and so held for one connection.
const PIECE: usize = 32 * 1024;

/// An open message.
#[derive(Clone, Debug)]
pub(super) struct Body(Arc<Message<RealFiles>>);

impl Body {
    pub(super) fn new(message: Message<RealFiles>) -> Self {
        Self(Arc::new(message))
    }

    pub(super) fn len(&self) -> u64 {
        self.0.len()
    }

    /// Reads the piece that begins at a position.
    pub(super) async fn piece(&self, pool: &StorePool, at: u64) -> Chunk {
        let message = Arc::clone(&self.0);
        let read = pool.run(move || {
            let left = usize::try_from(message.len().saturating_sub(at)).unwrap_or(PIECE);
            let mut piece = vec![0; left.clamp(1, PIECE)];
            let n = message.read_at(&mut piece, at)?;
            piece.truncate(n);
            Ok::<_, std::io::Error>(piece)
        });
        match read.await {
            Ok(Ok(piece)) if piece.is_empty() => Chunk::End,
            Ok(Ok(piece)) => Chunk::Bytes(Bytes::from(piece)),
            Ok(Err(error)) => {
                tracing::warn!("unable to read a message that is being sent: {error}");
                Chunk::Failed
            }
            Err(_) => Chunk::Failed,
        }
    }
}
