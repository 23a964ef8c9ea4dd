//! The record: one append-only sequence of events per exchange, and who may write and read it.
//!
//! An exchange's events begin with [`EventKind::Opened`] (durable before a byte goes upstream) and end with exactly one
//! [`EventKind::Closed`]. Votes and other steps of an approval are events of the exchange that opened the approval.

mod event;
#[cfg(feature = "tower")]
mod jsonl;
#[cfg(feature = "tower")]
pub(crate) mod log;
mod query;
mod record;

use std::fmt;

use async_trait::async_trait;

pub use event::{
    Actor, ApprovalStep, AuditEvent, Closing, EventKind, MaskCount, Opening, Outcome, RuleRef, Stranger,
    TokenCount, Withdrawal,
};
#[cfg(feature = "tower")]
pub use jsonl::{JsonLinesReader, JsonLinesSink};
pub use query::{AuditReader, Cursor, ExchangeFilter, Page, ReadError};
pub use record::{ExchangeRecord, VoteRecord};

/// Proof that a sink holds the events durably. Only an acknowledging sink makes one.
#[derive(Debug)]
#[must_use]
pub struct Durable(());

impl Durable {
    /// States that every event given to [`AuditSink::append`] survives a crash of this process and machine,
    /// as far as the sink can promise.
    pub const fn acknowledged() -> Self {
        Self(())
    }
}

/// Why events could not be stored.
#[derive(Debug, thiserror::Error)]
#[error("the audit sink failed: {what}")]
pub struct AuditError {
    what: &'static str,
    #[source]
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl AuditError {
    /// A failure with a short description (never content of an event) and its cause.
    pub fn new(what: &'static str, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self {
            what,
            source: Some(source.into()),
        }
    }

    /// A failure without a cause.
    pub const fn message(what: &'static str) -> Self {
        Self { what, source: None }
    }
}

/// Where the record goes. One method; an organisation's own sink is about 15 lines.
///
/// # When it is called
/// From one task, one call at a time, in order. A batch holds events of several exchanges. The same event may come
/// again after a failure or a restart: [`AuditEvent::id`] is the idempotency key.
///
/// # If this fails
/// - An `Err` before a request was forwarded refuses it with 503; during an answer it ends the answer (setting
///   `on_failure = "deny"`, the default). Nothing that was not acknowledged is delivered beyond `max_undurable` bytes.
/// - A call that does not return stalls every exchange: give it a time limit of its own.
/// - Answering [`Durable`] for what is not stored loses evidence without anybody noticing.
/// - A panic counts as an `Err`.
#[async_trait]
pub trait AuditSink: fmt::Debug + Send + Sync + 'static {
    /// Stores all of `events`, or none, and returns when they are durable.
    async fn append(&self, events: &[AuditEvent]) -> Result<Durable, AuditError>;
}
