//! One fetch for many that wait.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::sync::OwnedMutexGuard;
use tokio::task::JoinHandle;

use super::keep::{Fresh, Keep, Step};
use crate::clock::Timestamp;

/// A kept value and the fetch that renews it. Clones share both.
pub(crate) struct Flight<T> {
    inner: Arc<Inner<T>>,
}

struct Inner<T> {
    /// Never held across an await.
    keep: Mutex<Keep<T>>,
    /// Held by the task that fetches, and only by it: whoever waits for the lock waits for the fetch.
    flight: Arc<tokio::sync::Mutex<()>>,
}

impl<T> Clone for Flight<T> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
        }
    }
}

impl<T> std::fmt::Debug for Flight<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Flight")
    }
}

impl<T: Clone + Send + 'static> Flight<T> {
    /// Nothing yet. After failures it waits `max_wait` at most before it asks again.
    pub(crate) fn new(max_wait: Duration) -> Self {
        Self {
            inner: Arc::new(Inner {
                keep: Mutex::new(Keep::new(max_wait)),
                flight: Arc::default(),
            }),
        }
    }

    /// The value to use at `now`. Waits only when there is none, or when it was turned down. `fetch` brings one, or has
    /// said in the log why it cannot.
    pub(crate) async fn get<F, Fut>(
        &self,
        is_rejected: impl Fn(&T) -> bool,
        now: Timestamp,
        fetch: F,
    ) -> Option<T>
    where
        F: FnOnce() -> Fut,
        Fut: Future<Output = Option<Fresh<T>>> + Send + 'static,
    {
        let (step, before) = {
            let keep = self.inner.keep();
            (keep.step(&is_rejected, now), keep.ended())
        };
        match step {
            Step::Use(value, renew) => {
                if renew && let Ok(guard) = Arc::clone(&self.inner.flight).try_lock_owned() {
                    // Detached: this request does not need it.
                    drop(self.start(guard, fetch(), now, false));
                }
                return Some(value);
            }
            Step::Fail => return None,
            Step::Fetch => {}
        }
        let guard = Arc::clone(&self.inner.flight).lock_owned().await;
        // Another request may have fetched while this one stood in the queue; its failure is this one's too.
        let step = {
            let keep = self.inner.keep();
            match keep.step(&is_rejected, now) {
                Step::Fetch if keep.ended() != before && keep.has_failed() => Step::Fail,
                step => step,
            }
        };
        match step {
            Step::Use(value, _) => return Some(value),
            Step::Fail => return None,
            Step::Fetch => {}
        }
        // The task finishes by itself, whatever becomes of it.
        let _ = self.start(guard, fetch(), now, true).await;
        match self.inner.keep().step(&is_rejected, now) {
            Step::Use(value, _) => Some(value),
            Step::Fetch | Step::Fail => None,
        }
    }

    /// In a task of its own: a client that hangs up must not cancel the fetch that others wait for.
    fn start<Fut>(
        &self,
        guard: OwnedMutexGuard<()>,
        fetch: Fut,
        now: Timestamp,
        turned_down: bool,
    ) -> JoinHandle<()>
    where
        Fut: Future<Output = Option<Fresh<T>>> + Send + 'static,
    {
        self.inner.keep().begin(now, turned_down);
        let inner = Arc::clone(&self.inner);
        tokio::spawn(async move {
            let fetched = AssertUnwindSafe(fetch).catch_unwind().await;
            if fetched.is_err() {
                tracing::error!(
                    code = "outbound_panicked",
                    "a request of the gateway's own panicked"
                );
            }
            inner.keep().finish(fetched.ok().flatten(), now);
            drop(guard);
        })
    }

    /// Whether there is a value that has not ended, or one is being fetched.
    pub(crate) fn is_alive(&self, now: Timestamp) -> bool {
        self.inner.flight.try_lock().is_err() || self.inner.keep().is_usable(now)
    }
}

impl<T> Inner<T> {
    /// A panic while it was held left at worst an older state, which is a valid one.
    fn keep(&self) -> MutexGuard<'_, Keep<T>> {
        self.keep.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use tokio::sync::Notify;

    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1000);

    #[derive(Default)]
    struct Source {
        calls: AtomicU32,
        go: Notify,
        begun: Notify,
    }

    impl Source {
        async fn bring(self: Arc<Self>, works: bool) -> Option<Fresh<u32>> {
            let value = self.calls.fetch_add(1, Ordering::SeqCst);
            self.begun.notify_one();
            self.go.notified().await;
            works.then(|| Fresh {
                value,
                refresh_at: NOW.plus(Duration::from_secs(60)),
                ends: NOW.plus(Duration::from_secs(120)),
            })
        }
    }

    fn never(_: &u32) -> bool {
        false
    }

    async fn crowd(works: bool) -> (Vec<Option<u32>>, u32) {
        let (flight, source) = (Flight::new(Duration::from_secs(1)), Arc::new(Source::default()));
        let mut tasks = Vec::new();
        for _ in 0..20 {
            let (flight, source) = (flight.clone(), source.clone());
            tasks.push(tokio::spawn(async move {
                flight.get(never, NOW, || source.clone().bring(works)).await
            }));
        }
        source.begun.notified().await;
        // The one that began it hangs up.
        tasks.remove(0).abort();
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        source.go.notify_one();
        let mut got = Vec::new();
        for task in tasks {
            got.push(task.await.unwrap());
        }
        (got, source.calls.load(Ordering::SeqCst))
    }

    #[tokio::test]
    async fn one_fetch_for_all_even_when_its_first_caller_leaves() {
        let (got, calls) = crowd(true).await;
        assert_eq!((got, calls), (vec![Some(0); 19], 1));
        let (got, calls) = crowd(false).await;
        assert_eq!((got, calls), (vec![None; 19], 1));
    }

    #[tokio::test]
    async fn a_panic_is_a_failure_and_no_more() {
        let flight = Flight::<u32>::new(Duration::from_secs(1));
        let got = flight.get(never, NOW, || async { panic!("boom") }).await;
        assert_eq!(got, None);
        let later = NOW.plus(Duration::from_secs(1));
        let fresh = Fresh {
            value: 7,
            refresh_at: later,
            ends: later.plus(Duration::from_secs(9)),
        };
        let got = flight.get(never, later, || std::future::ready(Some(fresh))).await;
        assert_eq!(got, Some(7));
    }

    #[tokio::test]
    async fn the_old_one_serves_while_the_next_is_fetched() {
        let (flight, source) = (Flight::new(Duration::from_secs(1)), Arc::new(Source::default()));
        source.go.notify_one();
        assert_eq!(
            flight.get(never, NOW, || source.clone().bring(true)).await,
            Some(0)
        );
        source.begun.notified().await;
        let later = NOW.plus(Duration::from_secs(61));
        // Does not wait, though the fetch stands still; and a second request begins none.
        for _ in 0..2 {
            assert_eq!(
                flight.get(never, later, || source.clone().bring(true)).await,
                Some(0)
            );
        }
        source.begun.notified().await;
        source.go.notify_one();
        let end = NOW.plus(Duration::from_secs(119));
        // Turned down: waits for the fetch that is under way.
        assert_eq!(
            flight.get(|v| *v == 0, end, || source.clone().bring(true)).await,
            Some(1)
        );
        assert_eq!(source.calls.load(Ordering::SeqCst), 2);
    }
}
