//! Audit log, approvals, device grants and revocations of copilot-guard in one SQLite file.
//!
//! 1. Vote, state of the approval and audit event commit in one transaction.
//! 2. An acknowledged event is synced to disk (WAL, `synchronous = FULL`). One writer thread commits whatever waits in
//!    one transaction, so that many writers share one sync.
//! 3. Readers have connections of their own and never wait for the writer.
//! 4. Exchanges that a dead process left open are closed as interrupted by the next process that opens the file alone.
//!
//! ```no_run
//! use copilot_guard::clock::{Clock, SystemClock};
//! use copilot_guard_sqlite::SqliteStore;
//!
//! # fn main() -> Result<(), copilot_guard::approval::StoreError> {
//! let store = SqliteStore::open("/var/lib/copilot-guard/record.db", SystemClock.now())?;
//! # Ok(())
//! # }
//! ```
//!
//! # Several processes
//! Any number of processes on one machine may open the file; votes of one are seen by the others within a second. Not
//! for network file systems, whose locks SQLite cannot rely on.

mod access;
mod approvals;
mod audit;
mod failure;
mod readers;
mod recovery;
mod schema;
mod writer;

#[cfg(test)]
mod tests;

use std::fmt;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use copilot_guard::approval::StoreError;
use copilot_guard::clock::Timestamp;
use tokio::sync::watch;

use crate::failure::Failure;
use crate::readers::Readers;
use crate::writer::Writer;

/// Keeps audit events, approvals, device grants and revocations in one SQLite file. Clones share it. See the [crate docs](crate).
#[derive(Clone)]
pub struct SqliteStore {
    inner: Arc<Inner>,
    outbox: bool,
}

/// Fields are dropped in this order: the writer closes its connection after the readers, which lets SQLite tidy up, and
/// the lock goes last.
struct Inner {
    readers: Readers,
    writer: Option<Writer>,
    /// Counts commits that changed an approval.
    changes: Arc<watch::Sender<u64>>,
    _alive: Option<File>,
}

impl SqliteStore {
    /// Opens the file, or makes it (mode 600). Blocks: for the start of a process, not for its request path.
    ///
    /// Exchanges without a last event get one with the outcome `interrupted` at `now`, unless another process has the
    /// file open: they may be its own.
    pub fn open(path: impl AsRef<Path>, now: Timestamp) -> Result<Self, StoreError> {
        let path = path.as_ref();
        let open = || -> Result<Self, Failure> {
            schema::create_private(path)?;
            let alive = recovery::Alive::of(path)?;
            let connection = schema::open_writer(path)?;
            if alive.alone {
                recovery::close_interrupted(&connection, now)?;
            }
            let alive = alive.share()?;
            let changes = Arc::new(watch::Sender::new(0));
            let writer = Writer::start(connection, Arc::clone(&changes))?;
            let readers = Readers::new(path);
            let inner = Inner {
                readers,
                writer: Some(writer),
                changes,
                _alive: Some(alive),
            };
            Ok(Self {
                inner: Arc::new(inner),
                outbox: false,
            })
        };
        open().map_err(|e| StoreError::new("the database cannot be opened", e))
    }

    /// Opens an existing file to read, also while other processes write to it. Closes no exchanges; every change fails.
    pub fn open_read_only(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        let path = path.as_ref();
        schema::open_reader(path).map_err(|e| StoreError::new("the database cannot be opened", e))?;
        let changes = Arc::new(watch::Sender::new(0));
        let inner = Inner {
            readers: Readers::new(path),
            writer: None,
            changes,
            _alive: None,
        };
        Ok(Self {
            inner: Arc::new(inner),
            outbox: false,
        })
    }

    /// The same store with an outbox: events of approvals wait there for another audit sink.
    #[must_use]
    pub fn with_outbox(mut self) -> Self {
        self.outbox = true;
        self
    }

    fn writer(&self) -> Result<&Writer, Failure> {
        self.inner
            .writer
            .as_ref()
            .ok_or_else(|| Failure::message("the database was opened to read only"))
    }
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let writable = self.inner.writer.is_some();
        f.debug_struct("SqliteStore")
            .field("writable", &writable)
            .field("outbox", &self.outbox)
            .finish_non_exhaustive()
    }
}
