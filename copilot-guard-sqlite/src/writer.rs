//! The one thread that writes: it commits everything that waits in one transaction, then answers.
//!
//! Jobs of a batch are independent: each runs in a savepoint, and one that fails undoes only itself. When the commit
//! fails, or SQLite gives the transaction up, every job of the batch failed. No answer goes out before the commit.

use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;

use rusqlite::Connection;
use tokio::sync::{oneshot, watch};

use crate::failure::Failure;

/// Bounds how long the first of a batch waits for the others.
const LARGEST_BATCH: usize = 256;

pub(crate) struct Writer {
    jobs: Option<mpsc::Sender<Box<dyn Job>>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    pub(crate) fn start(connection: Connection, changes: Arc<watch::Sender<u64>>) -> Result<Self, Failure> {
        let (sender, queue) = mpsc::channel();
        let run = move || write_all(&connection, &queue, &changes);
        let thread = std::thread::Builder::new()
            .name("copilot-guard-sqlite".to_owned())
            .spawn(run)?;
        Ok(Self {
            jobs: Some(sender),
            thread: Some(thread),
        })
    }

    /// Runs `work` in a transaction; what it returns comes back once that is durable. With `wakes`, those who wait for
    /// changes of approvals look again. The work is done even if the caller does not wait for it.
    pub(crate) async fn run<T, F>(&self, wakes: bool, work: F) -> Result<T, Failure>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, rusqlite::Error> + Send + 'static,
    {
        let gone = || Failure::message("the writer has ended");
        let (reply, answer) = oneshot::channel();
        let task = Task {
            work: Some(work),
            outcome: None,
            wakes,
            reply,
        };
        self.jobs
            .as_ref()
            .ok_or_else(gone)?
            .send(Box::new(task))
            .map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        // The thread ends when the last sender is gone; what waits is still committed.
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// One caller's work and where its answer goes.
trait Job: Send {
    /// Does the work; `false` when its traces cannot be undone alone.
    fn run(&mut self, connection: &Connection) -> bool;
    fn wakes(&self) -> bool;
    fn answer(self: Box<Self>, committed: Result<(), Failure>);
}

struct Task<T, F> {
    work: Option<F>,
    outcome: Option<Result<T, Failure>>,
    wakes: bool,
    reply: oneshot::Sender<Result<T, Failure>>,
}

impl<T, F> Job for Task<T, F>
where
    T: Send,
    F: FnOnce(&Connection) -> Result<T, rusqlite::Error> + Send,
{
    fn run(&mut self, connection: &Connection) -> bool {
        let Some(work) = self.work.take() else { return true };
        let execute = |sql| connection.prepare_cached(sql).and_then(|mut s| s.execute([]));
        if let Err(error) = execute("SAVEPOINT job") {
            self.outcome = Some(Err(error.into()));
            return !connection.is_autocommit();
        }
        let outcome = work(connection);
        let undone = outcome.is_ok() || execute("ROLLBACK TO job").is_ok();
        let released = execute("RELEASE job").is_ok();
        self.outcome = Some(outcome.map_err(Failure::from));
        undone && released && !connection.is_autocommit()
    }

    fn wakes(&self) -> bool {
        self.wakes
    }

    fn answer(self: Box<Self>, committed: Result<(), Failure>) {
        let missing = || Err(Failure::message("the work was not done"));
        let answer = match (committed, self.outcome) {
            // A job that failed by itself keeps its own reason.
            (_, Some(Err(own))) => Err(own),
            (Err(failure), _) => Err(failure),
            (Ok(()), outcome) => outcome.unwrap_or_else(missing),
        };
        // The caller may have stopped waiting.
        let _ = self.reply.send(answer);
    }
}

fn write_all(connection: &Connection, queue: &mpsc::Receiver<Box<dyn Job>>, changes: &watch::Sender<u64>) {
    while let Ok(first) = queue.recv() {
        let mut batch = vec![first];
        batch.extend(queue.try_iter().take(LARGEST_BATCH - 1));
        let committed = commit(connection, &mut batch);
        if committed.is_ok() && batch.iter().any(|job| job.wakes()) {
            changes.send_modify(|n| *n = n.wrapping_add(1));
        }
        for job in batch {
            job.answer(committed.clone());
        }
    }
}

fn commit(connection: &Connection, batch: &mut [Box<dyn Job>]) -> Result<(), Failure> {
    let execute = |sql| connection.prepare_cached(sql).and_then(|mut s| s.execute([]));
    let attempt = |batch: &mut [Box<dyn Job>]| {
        // IMMEDIATE: what a job reads cannot be changed by another process before the commit.
        execute("BEGIN IMMEDIATE")?;
        for job in batch {
            if !job.run(connection) {
                return Err(Failure::message("the transaction was given up"));
            }
        }
        execute("COMMIT")?;
        Ok(())
    };
    let outcome = attempt(batch);
    if outcome.is_err() && !connection.is_autocommit() {
        // If even this fails, the next BEGIN does too, and nothing is acknowledged any more.
        let _ = execute("ROLLBACK");
    }
    outcome
}
