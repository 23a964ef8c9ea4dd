//! The model behind the guard.

use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures_util::Stream;
use futures_util::stream::{self, StreamExt};
use tokio::sync::Semaphore;

/// What the model answers.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    /// One JSON text.
    Json(String),
    /// Events, one piece each.
    Events(Vec<String>),
    /// The first event, then one after the other without end.
    Endless(String),
    /// The handler fails.
    Fail,
    /// The handler panics.
    Panic,
}

/// Answers every call alike, and counts.
#[derive(Debug, Clone)]
pub(crate) struct Script {
    answer: Arc<Mutex<Answer>>,
    calls: Arc<AtomicUsize>,
    dropped: Arc<AtomicUsize>,
    seen: Arc<Mutex<Vec<String>>>,
    gate: Arc<Semaphore>,
}

struct Alive(Arc<AtomicUsize>);

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl Script {
    pub(crate) fn new(answer: Answer) -> Self {
        Self {
            answer: Arc::new(Mutex::new(answer)),
            calls: Arc::default(),
            dropped: Arc::default(),
            seen: Arc::default(),
            gate: Arc::new(Semaphore::new(Semaphore::MAX_PERMITS)),
        }
    }

    /// The same, whose handler answers nothing before [`open`](Self::open).
    pub(crate) fn closed(mut self) -> Self {
        self.gate = Arc::new(Semaphore::new(0));
        self
    }

    /// Lets the handlers answer.
    pub(crate) fn open(&self) {
        self.gate.add_permits(1000);
    }

    /// How often the handler was called.
    pub(crate) fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }

    /// How many answers were dropped, before or in their body.
    pub(crate) fn dropped(&self) -> usize {
        self.dropped.load(Ordering::SeqCst)
    }

    /// What the handlers noted.
    pub(crate) fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }

    /// One call: notes what the handler saw, and gives content type and body. `None`: the handler is to fail.
    pub(crate) async fn call(
        &self,
        saw: String,
    ) -> Option<(
        &'static str,
        impl Stream<Item = Result<Bytes, Infallible>> + Send + 'static,
    )> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        self.seen.lock().unwrap().push(saw);
        let alive = Alive(self.dropped.clone());
        let _open = self.gate.acquire().await.unwrap();
        let answer = self.answer.lock().unwrap().clone();
        let (content_type, pieces) = match answer {
            Answer::Json(text) => ("application/json", stream::iter([text]).boxed()),
            Answer::Events(events) => ("text/event-stream", stream::iter(events).boxed()),
            Answer::Endless(event) => {
                let ticks = stream::unfold(event, |event| async move {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                    Some((event.clone(), event))
                });
                ("text/event-stream", ticks.boxed())
            }
            Answer::Fail => return None,
            Answer::Panic => panic!("scripted"),
        };
        let body = pieces.map(move |text| {
            let _here = &alive;
            Ok(Bytes::from(text))
        });
        Some((content_type, body))
    }
}
