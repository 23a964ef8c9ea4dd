//! One JSON object per line in an append-only file: for small installations, and for shipping by other programs.

mod open;
#[cfg(test)]
mod tests;
mod window;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};

use async_trait::async_trait;
use tokio::sync::oneshot;

use self::writer::{Batch, Writer};
use super::log::EventLog;
use super::{
    AuditError, AuditEvent, AuditReader, AuditSink, Durable, ExchangeFilter, ExchangeRecord, Page, ReadError,
};
use crate::clock::Timestamp;
use crate::id::ExchangeId;

/// Appends events to a file of JSON lines (mode 600), synced before they are acknowledged. Clones share the file.
///
/// 1. What waits is written together and synced once, on a thread of its own.
/// 2. A batch that cannot be written whole is cut off again. After a failed sync nothing is acknowledged any more until
///    the file is opened anew: what the disk holds is then unknown.
/// 3. Opening closes what the last process left open as interrupted, and moves a torn end to a file with `.torn` added
///    to its name. An unreadable line with readable ones behind it is no torn end: then opening fails.
/// 4. An event that comes again is not written again while its exchange is open or among the last ten thousand; a
///    reader drops later repeats in any case.
///
/// One process has the file open at a time; a lock sees to it. Programs that rotate it by renaming must restart the
/// gateway.
#[derive(Debug, Clone)]
pub struct JsonLinesSink {
    queue: mpsc::Sender<Batch>,
    reader: JsonLinesReader,
}

impl JsonLinesSink {
    /// Opens the file, or makes it. Blocks, and reads all of the file: for the start of a process.
    pub fn open(path: impl AsRef<Path>, now: Timestamp) -> Result<Self, AuditError> {
        let path = path.as_ref();
        let file = open::recovered(path, now)?;
        let queue = Writer::start(file).map_err(|e| AuditError::new("the writer cannot be started", e))?;
        Ok(Self {
            queue,
            reader: JsonLinesReader::new(path),
        })
    }
}

#[async_trait]
impl AuditSink for JsonLinesSink {
    async fn append(&self, events: &[AuditEvent]) -> Result<Durable, AuditError> {
        const GONE: AuditError = AuditError::message("the writer has ended");
        let (reply, answer) = oneshot::channel();
        let batch = Batch {
            lines: events.iter().map(line).collect::<Result<_, _>>()?,
            reply,
        };
        self.queue.send(batch).map_err(|_| GONE)?;
        answer.await.map_err(|_| GONE)?
    }
}

#[async_trait]
impl AuditReader for JsonLinesSink {
    async fn list(&self, filter: &ExchangeFilter) -> Result<Page<ExchangeRecord>, ReadError> {
        self.reader.list(filter).await
    }

    async fn events(&self, exchange: ExchangeId) -> Result<Vec<AuditEvent>, ReadError> {
        self.reader.events(exchange).await
    }
}

/// Reads a file of JSON lines, also while a [`JsonLinesSink`] writes to it. Each call reads all of the file, and
/// [`list`](AuditReader::list) holds it in memory: for files of this size use a database instead.
#[derive(Debug, Clone)]
pub struct JsonLinesReader {
    path: Arc<PathBuf>,
}

impl JsonLinesReader {
    /// Of this file, which need not exist yet.
    pub fn new(path: impl AsRef<Path>) -> Self {
        Self {
            path: Arc::new(path.as_ref().to_owned()),
        }
    }

    async fn log(&self, only: Option<ExchangeId>) -> Result<EventLog, ReadError> {
        let path = Arc::clone(&self.path);
        let read = move || {
            let mut log = EventLog::default();
            let wanted = |e: &AuditEvent| only.is_none_or(|id| e.exchange == id);
            open::for_each_event(&path, |event| {
                if wanted(&event) {
                    log.push(event);
                }
            })?;
            Ok(log)
        };
        let read = tokio::task::spawn_blocking(read)
            .await
            .map_err(|e| ReadError::Store(Box::new(e)))?;
        read.map_err(|e: std::io::Error| ReadError::Store(Box::new(e)))
    }
}

#[async_trait]
impl AuditReader for JsonLinesReader {
    async fn list(&self, filter: &ExchangeFilter) -> Result<Page<ExchangeRecord>, ReadError> {
        self.log(None).await?.list(filter)
    }

    async fn events(&self, exchange: ExchangeId) -> Result<Vec<AuditEvent>, ReadError> {
        self.log(Some(exchange)).await?.events(exchange)
    }
}

/// An event as it is written, with what the writer needs to know of it.
#[derive(Debug)]
struct Line {
    id: String,
    exchange: ExchangeId,
    is_final: bool,
    /// With the line end.
    text: Vec<u8>,
}

fn line(event: &AuditEvent) -> Result<Line, AuditError> {
    let mut text =
        serde_json::to_vec(event).map_err(|e| AuditError::new("an event cannot be serialised", e))?;
    text.push(b'\n');
    Ok(Line {
        id: event.id.clone(),
        exchange: event.exchange,
        is_final: event.kind.is_final(),
        text,
    })
}
