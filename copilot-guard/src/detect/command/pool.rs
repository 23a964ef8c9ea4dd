//! Threads with a large stack for parsing and judging scripts. The parser recurses; callers may have small stacks.
//!
//! # If this fails
//!
//! No thread can be started, or a job panics: the caller hears nothing back, and that is never "allowed".

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, Sender, channel, sync_channel};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::thread;

/// Enough for [`bound::MOST_OPENERS`](super::bound) levels of the parser. Only what is touched takes memory.
const STACK: usize = 128 << 20;
/// Most threads.
const MOST: usize = 4;

type Job = Box<dyn FnOnce() + Send>;

static POOL: LazyLock<Option<Mutex<Sender<Job>>>> = LazyLock::new(start);

thread_local! {
    static IS_WORKER: Cell<bool> = const { Cell::new(false) };
}

/// Runs a job with a large stack: here, if this is a thread of the pool. `None` when it did not come to an end.
pub(super) fn run<T: Send + 'static>(job: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    if IS_WORKER.get() {
        return Some(job());
    }
    let (reply, answer) = sync_channel(1);
    let job: Job = Box::new(move || {
        // The caller waits; it may only be gone when its thread was.
        let _ = reply.send(job());
    });
    let sender = POOL.as_ref()?;
    sender
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .send(job)
        .ok()?;
    answer.recv().ok()
}

fn start() -> Option<Mutex<Sender<Job>>> {
    let (sender, jobs) = channel();
    let jobs = Arc::new(Mutex::new(jobs));
    let wanted = thread::available_parallelism().map_or(1, |n| n.get().min(MOST));
    let started = (0..wanted).filter(|_| {
        let jobs = Arc::clone(&jobs);
        let builder = thread::Builder::new()
            .name("command-judge".into())
            .stack_size(STACK);
        builder.spawn(move || work(&jobs)).is_ok()
    });
    (started.count() > 0).then(|| Mutex::new(sender))
}

fn work(jobs: &Mutex<Receiver<Job>>) {
    IS_WORKER.set(true);
    loop {
        let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = job else {
            return;
        };
        // A job that panics drops its reply: its caller hears so at once, and the thread goes on.
        let _ = catch_unwind(AssertUnwindSafe(job));
    }
}

#[cfg(test)]
mod tests {
    use super::run;

    #[test]
    fn a_job_that_panics_is_heard_of_and_the_pool_goes_on() {
        for _ in 0..20 {
            assert_eq!(
                run(|| -> u8 { std::panic::resume_unwind(Box::new("as asked")) }),
                None
            );
        }
        assert_eq!(run(|| run(|| 7)), Some(Some(7)));
    }
}
