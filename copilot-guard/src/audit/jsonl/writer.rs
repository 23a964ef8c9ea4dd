//! The thread that writes: all that waits in one write and one sync.

use std::fs::File;
use std::io::{self, Seek as _, SeekFrom, Write};
use std::sync::mpsc;

use tokio::sync::oneshot;

use super::Line;
use super::window::Window;
use crate::audit::{AuditError, Durable};

/// Bounds how long the first of a round waits for the others.
const LARGEST_ROUND: usize = 256;

/// One call of `append`.
pub(super) struct Batch {
    pub(super) lines: Vec<Line>,
    pub(super) reply: oneshot::Sender<Result<Durable, AuditError>>,
}

/// What the writer needs of a file; tests put one in that fails.
pub(super) trait Log: Write + Send + 'static {
    fn sync(&mut self) -> io::Result<()>;
    /// Cuts the file to this length, durably.
    fn cut(&mut self, length: u64) -> io::Result<()>;
    fn length(&self) -> io::Result<u64>;
}

impl Log for File {
    fn sync(&mut self) -> io::Result<()> {
        self.sync_data()
    }

    fn cut(&mut self, length: u64) -> io::Result<()> {
        self.set_len(length)?;
        self.seek(SeekFrom::Start(length))?;
        self.sync_data()
    }

    fn length(&self) -> io::Result<u64> {
        self.metadata().map(|m| m.len())
    }
}

#[derive(Debug)]
pub(super) struct Writer<L> {
    file: L,
    /// Up to here everything is acknowledged.
    length: u64,
    window: Window,
    /// What the disk holds is unknown: nothing is acknowledged any more.
    broken: bool,
}

/// Why a round failed, for each of its callers.
type Reason = (&'static str, io::ErrorKind);

impl<L: Log> Writer<L> {
    /// The thread ends when the last sender is gone and everything that waits is written.
    pub(super) fn start(file: L) -> io::Result<mpsc::Sender<Batch>> {
        let mut writer = Self {
            length: file.length()?,
            file,
            window: Window::default(),
            broken: false,
        };
        let (sender, queue) = mpsc::channel();
        let run = move || {
            while let Ok(first) = queue.recv() {
                let mut round = vec![first];
                round.extend(queue.try_iter().take(LARGEST_ROUND - 1));
                writer.write(round);
            }
        };
        std::thread::Builder::new()
            .name("copilot-guard-jsonl".to_owned())
            .spawn(run)?;
        Ok(sender)
    }

    fn write(&mut self, round: Vec<Batch>) {
        let outcome = self.store(round.iter().flat_map(|batch| &batch.lines));
        for batch in round {
            let answer = match outcome {
                Ok(()) => Ok(Durable::acknowledged()),
                Err((what, kind)) => Err(AuditError::new(what, io::Error::from(kind))),
            };
            // The caller may have stopped waiting.
            let _ = batch.reply.send(answer);
        }
    }

    fn store<'a>(&mut self, lines: impl Iterator<Item = &'a Line>) -> Result<(), Reason> {
        if self.broken {
            return Err(("a sync failed earlier; open the file anew", io::ErrorKind::Other));
        }
        let mut fresh = Window::default();
        let mut kept: Vec<&Line> = Vec::new();
        let mut text = Vec::new();
        for line in lines.filter(|line| self.window.is_new(line)) {
            if fresh.is_new(line) {
                fresh.add(line);
                text.extend_from_slice(&line.text);
                kept.push(line);
            }
        }
        if kept.is_empty() {
            return Ok(());
        }
        if let Err(error) = self.file.write_all(&text) {
            self.broken = self.file.cut(self.length).is_err();
            return Err(("the file cannot be written", error.kind()));
        }
        if let Err(error) = self.file.sync() {
            // The kernel may have dropped the pages and report success next time.
            self.broken = true;
            return Err(("the file cannot be synced", error.kind()));
        }
        self.length = self.length.saturating_add(text.len() as u64);
        kept.into_iter().for_each(|line| self.window.add(line));
        Ok(())
    }
}
