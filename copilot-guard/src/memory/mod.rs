//! A store in memory: for tests and trials. Nothing of it survives the process, and it forgets nothing until then.

mod access;
mod approvals;

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use tokio::sync::watch;

use crate::access::{DeviceGrant, GrantHash, Revocation};
use crate::approval::Approval;
use crate::audit::log::EventLog;
use crate::audit::{
    AuditError, AuditEvent, AuditReader, AuditSink, Durable, ExchangeFilter, ExchangeRecord, Page, ReadError,
};
use crate::id::{ApprovalId, ExchangeId};

/// Keeps audit events, approvals, device grants and revocations in memory, under one lock, so that state and event change together. Clones share
/// the same content.
///
/// Its [`Durable`] means "in memory": what it holds ends with the process.
#[derive(Clone, Default)]
pub struct MemoryStore {
    inner: Arc<Inner>,
    outbox: bool,
}

#[derive(Default)]
struct Inner {
    content: Mutex<Content>,
    /// Counts changes of approvals.
    changes: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Content {
    log: EventLog,
    approvals: HashMap<ApprovalId, Approval>,
    outbox: VecDeque<AuditEvent>,
    grants: HashMap<GrantHash, DeviceGrant>,
    revocations: Vec<Revocation>,
}

// It holds what was asked and answered: `{:?}` shows none of it.
impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore")
            .field("outbox", &self.outbox)
            .finish_non_exhaustive()
    }
}

impl MemoryStore {
    /// An empty store that is audit sink and approval store in one.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same store with an outbox: events of approvals wait there for another audit sink.
    #[must_use]
    pub fn with_outbox(mut self) -> Self {
        self.outbox = true;
        self
    }

    fn lock(&self) -> MutexGuard<'_, Content> {
        // Nothing that runs under the lock can stop halfway through a change.
        self.inner.content.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl AuditSink for MemoryStore {
    async fn append(&self, events: &[AuditEvent]) -> Result<Durable, AuditError> {
        let mut content = self.lock();
        for event in events {
            content.log.push(event.clone());
        }
        Ok(Durable::acknowledged())
    }
}

#[async_trait]
impl AuditReader for MemoryStore {
    async fn list(&self, filter: &ExchangeFilter) -> Result<Page<ExchangeRecord>, ReadError> {
        self.lock().log.list(filter)
    }

    async fn events(&self, exchange: ExchangeId) -> Result<Vec<AuditEvent>, ReadError> {
        self.lock().log.events(exchange)
    }
}
