//! A sink that keeps what it is given, and misbehaves on demand.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use tokio::sync::watch;

use crate::audit::{AuditError, AuditEvent, AuditSink, Durable};

/// What a [`RecordingSink`] does with the next call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SinkMode {
    /// Keeps the events.
    Store,
    /// Answers an error, and keeps nothing.
    Fail,
    /// Does not answer until the mode changes, then does what the new mode says.
    Stall,
    /// Panics.
    Panic,
}

/// Keeps events in the order of their calls, each id once. Clones share everything.
#[derive(Debug, Clone)]
pub struct RecordingSink {
    events: Arc<Mutex<Vec<AuditEvent>>>,
    mode: Arc<watch::Sender<SinkMode>>,
}

impl Default for RecordingSink {
    fn default() -> Self {
        Self::new()
    }
}

impl RecordingSink {
    /// A sink that works.
    pub fn new() -> Self {
        Self {
            events: Arc::default(),
            mode: Arc::new(watch::Sender::new(SinkMode::Store)),
        }
    }

    /// From now on, calls that stall among them.
    pub fn set_mode(&self, mode: SinkMode) {
        self.mode.send_replace(mode);
    }

    /// What it was given so far.
    pub fn events(&self) -> Vec<AuditEvent> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<AuditEvent>> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl AuditSink for RecordingSink {
    #[expect(clippy::panic, reason = "asked for by the test")]
    async fn append(&self, events: &[AuditEvent]) -> Result<Durable, AuditError> {
        let mut mode = self.mode.subscribe();
        let mode = *mode
            .wait_for(|mode| *mode != SinkMode::Stall)
            .await
            .map_err(|e| AuditError::new("the test has ended", e))?;
        match mode {
            SinkMode::Panic => panic!("the sink was told to panic"),
            SinkMode::Fail | SinkMode::Stall => Err(AuditError::message("the sink was told to fail")),
            SinkMode::Store => {
                let mut kept = self.lock();
                for event in events {
                    if !kept.iter().any(|k| k.id == event.id) {
                        kept.push(event.clone());
                    }
                }
                Ok(Durable::acknowledged())
            }
        }
    }
}
