//! Connections that only read, and the threads they run on.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;
use tokio::sync::Semaphore;

use crate::failure::Failure;
use crate::schema;

/// So many reads at a time; the others wait.
const CONNECTIONS: usize = 8;

#[derive(Clone)]
pub(crate) struct Readers(Arc<Shared>);

struct Shared {
    path: PathBuf,
    idle: Mutex<Vec<Connection>>,
    slots: Semaphore,
}

impl Readers {
    pub(crate) fn new(path: &Path) -> Self {
        let slots = Semaphore::new(CONNECTIONS);
        Self(Arc::new(Shared {
            path: path.to_owned(),
            idle: Mutex::default(),
            slots,
        }))
    }

    /// Runs `work` on a thread for blocking work, within one consistent view of the file.
    pub(crate) async fn read<T, F>(&self, work: F) -> Result<T, Failure>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, rusqlite::Error> + Send + 'static,
    {
        let _slot = self
            .0
            .slots
            .acquire()
            .await
            .map_err(|e| Failure::new("the readers are closed", e))?;
        let shared = Arc::clone(&self.0);
        let read = move || shared.read(work);
        tokio::task::spawn_blocking(read)
            .await
            .map_err(|e| Failure::new("the read did not end", e))?
    }
}

impl Shared {
    fn read<T>(&self, work: impl FnOnce(&Connection) -> Result<T, rusqlite::Error>) -> Result<T, Failure> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let connection = match idle {
            Some(connection) => connection,
            None => schema::open_reader(&self.path)?,
        };
        // Dropped without commit: a read leaves nothing behind. A connection that failed is not used again.
        let view = connection.unchecked_transaction()?;
        let found = work(&view)?;
        drop(view);
        self.idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(connection);
        Ok(found)
    }
}
