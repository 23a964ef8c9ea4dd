//! What the last process left open.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::Path;

use copilot_guard::audit::AuditEvent;
use copilot_guard::clock::Timestamp;
use rusqlite::{Connection, Transaction, TransactionBehavior};

use crate::audit;
use crate::failure::{Failure, unreadable};

/// A lock beside the database that lives as long as the process: it tells a dead process from one that is alive. The
/// kernel gives it back on every kind of death.
pub(crate) struct Alive {
    file: File,
    /// No other process has the database open.
    pub(crate) alone: bool,
}

impl Alive {
    pub(crate) fn of(database: &Path) -> Result<Self, Failure> {
        let mut path = database.as_os_str().to_owned();
        path.push(".lock");
        let mut options = OpenOptions::new();
        options.create(true).read(true).append(true);
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt as _;
            options.mode(0o600);
        }
        let file = options.open(path)?;
        let alone = match file.try_lock() {
            Ok(()) => true,
            Err(TryLockError::WouldBlock) => false,
            Err(TryLockError::Error(error)) => return Err(error.into()),
        };
        Ok(Self { file, alone })
    }

    /// Lets others in. In the gap between the two locks another process may find itself alone: harmless, because this
    /// one has opened no exchange yet.
    pub(crate) fn share(self) -> Result<File, Failure> {
        if self.alone {
            self.file.unlock()?;
        }
        self.file.lock_shared()?;
        Ok(self.file)
    }
}

pub(crate) fn close_interrupted(connection: &Connection, now: Timestamp) -> Result<(), Failure> {
    let transaction = Transaction::new_unchecked(connection, TransactionBehavior::Immediate)?;
    let open: Vec<String> = transaction
        .prepare("SELECT id FROM exchanges WHERE ended_at IS NULL")?
        .query_map([], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    for exchange in &open {
        let events = audit::events_of(&transaction, exchange)?;
        if let Some(closing) = AuditEvent::interruption(&events, now) {
            let json = serde_json::to_string(&closing).map_err(unreadable)?;
            audit::insert(&transaction, &closing, &json)?;
        }
    }
    transaction.commit()?;
    if !open.is_empty() {
        tracing::warn!(
            exchanges = open.len(),
            "closed as interrupted what the last process left open"
        );
    }
    Ok(())
}
