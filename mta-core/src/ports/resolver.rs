//! The port that answers DNS questions (RFC 1035).

use crate::dns::{Answer, Query};
use async_trait::async_trait;

/// Answers DNS questions; follows CNAMEs; never blocks the caller's thread.
#[async_trait]
pub trait Resolver: Send + Sync {
    /// Looks one question up. A failure is an [`Answer::Failed`], so that policy decides about it.
    async fn lookup(&self, query: &Query) -> Answer;
}

/// Knows no name at all.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoNames;

#[async_trait]
impl Resolver for NoNames {
    async fn lookup(&self, _query: &Query) -> Answer {
        Answer::NoName
    }
}
