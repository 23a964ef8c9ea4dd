//! The model behind the guard.

use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures_util::Stream;
use futures_util::stream::{self, StreamExt};

/// What the model answers.
#[derive(Debug, Clone)]
pub enum Answer {
    /// One JSON text.
    Json(String),
    /// Events, one piece each.
    Events(Vec<String>),
    /// The first event, then one after the other without end.
    Endless(String),
    /// The handler fails.
    Fail,
}

/// Answers every call alike, and counts.
#[derive(Debug, Clone)]
pub struct Script {
    answer: Arc<Mutex<Answer>>,
    calls: Arc<AtomicUsize>,
    dropped: Arc<AtomicUsize>,
    seen: Arc<Mutex<Vec<String>>>,
}

struct Alive(Arc<AtomicUsize>);

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl Script {
    pub fn new(answer: Answer) -> Self {
        Self {
            answer: Arc::new(Mutex::new(answer)),
            calls: Arc::default(),
            dropped: Arc::default(),
            seen: Arc::default(),
        }
    }

    /// How often the handler was called.
    pub fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }

    /// How many answer bodies were dropped.
    pub fn dropped(&self) -> usize {
        self.dropped.load(Ordering::SeqCst)
    }

    /// What the handlers noted.
    pub fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }

    /// One call: notes what the handler saw, and gives content type and body. `None`: the handler is to fail.
    pub fn call(
        &self,
        saw: String,
    ) -> Option<(
        &'static str,
        impl Stream<Item = Result<Bytes, Infallible>> + Send + 'static,
    )> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        self.seen.lock().unwrap().push(saw);
        let answer = self.answer.lock().unwrap().clone();
        let alive = Alive(self.dropped.clone());
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
        };
        let body = pieces.map(move |text| {
            let _here = &alive;
            Ok(Bytes::from(text))
        });
        Some((content_type, body))
    }
}
