//! A client that says what it is told.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{Request, Response};
use tokio::sync::watch;

use crate::outbound::{HttpClient, OutboundError};

type Answer = Result<Response<Bytes>, OutboundError>;
type Rule = dyn Fn(&Request<Bytes>) -> Answer + Send + Sync;

/// An [`HttpClient`] that sends nothing: it notes the requests and answers from a list, or by a rule. Clones share
/// everything.
#[derive(Clone)]
pub struct ScriptedClient(Arc<Shared>);

struct Shared {
    seen: Mutex<Vec<Request<Bytes>>>,
    next: Mutex<VecDeque<Scripted>>,
    rule: Option<Box<Rule>>,
    held: watch::Sender<bool>,
    count: watch::Sender<usize>,
}

enum Scripted {
    Answer(Answer),
    Panic,
}

/// Holds all answers back until it is dropped.
#[derive(Debug)]
pub struct Hold(ScriptedClient);

impl Drop for Hold {
    fn drop(&mut self) {
        self.0.0.held.send_replace(false);
    }
}

impl std::fmt::Debug for ScriptedClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ScriptedClient")
    }
}

impl Default for ScriptedClient {
    fn default() -> Self {
        Self::new()
    }
}

impl ScriptedClient {
    /// Answers with what will be put on the list; an error when there is nothing.
    pub fn new() -> Self {
        Self::with_rule(None)
    }

    /// Answers by this rule what the list does not.
    pub fn answering(
        rule: impl Fn(&Request<Bytes>) -> Result<Response<Bytes>, OutboundError> + Send + Sync + 'static,
    ) -> Self {
        Self::with_rule(Some(Box::new(rule)))
    }

    fn with_rule(rule: Option<Box<Rule>>) -> Self {
        Self(Arc::new(Shared {
            seen: Mutex::default(),
            next: Mutex::default(),
            rule,
            held: watch::Sender::new(false),
            count: watch::Sender::new(0),
        }))
    }

    /// A JSON answer.
    pub fn json(status: u16, body: impl Into<String>) -> Response<Bytes> {
        let mut response = Response::new(Bytes::from(body.into()));
        *response.status_mut() = http::StatusCode::from_u16(status).unwrap_or_default();
        let json = http::HeaderValue::from_static("application/json");
        response.headers_mut().insert(CONTENT_TYPE, json);
        response
    }

    /// Puts a JSON answer on the list.
    pub fn answer(&self, status: u16, body: impl Into<String>) {
        self.push(Scripted::Answer(Ok(Self::json(status, body))));
    }

    /// Puts a failure on the list.
    pub fn fail(&self) {
        self.push(Scripted::Answer(Err(OutboundError::message("scripted"))));
    }

    /// Puts a panic on the list.
    pub fn panic(&self) {
        self.push(Scripted::Panic);
    }

    /// Holds answers back; requests are noted all the same.
    #[must_use]
    pub fn hold(&self) -> Hold {
        self.0.held.send_replace(true);
        Hold(self.clone())
    }

    /// The requests so far.
    pub fn seen(&self) -> Vec<Request<Bytes>> {
        lock(&self.0.seen).clone()
    }

    /// Waits until so many requests have come.
    pub async fn wait_for(&self, requests: usize) {
        let _ = self
            .0
            .count
            .subscribe()
            .wait_for(|count| *count >= requests)
            .await;
    }

    fn push(&self, scripted: Scripted) {
        lock(&self.0.next).push_back(scripted);
    }
}

#[async_trait]
impl HttpClient for ScriptedClient {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, OutboundError> {
        lock(&self.0.seen).push(request.clone());
        self.0.count.send_modify(|count| *count += 1);
        let _ = self.0.held.subscribe().wait_for(|held| !held).await;
        let next = lock(&self.0.next).pop_front();
        match (next, &self.0.rule) {
            (Some(Scripted::Answer(answer)), _) => answer,
            #[expect(clippy::panic, reason = "it was told to")]
            (Some(Scripted::Panic), _) => panic!("scripted"),
            (None, Some(rule)) => rule(&request),
            (None, None) => Err(OutboundError::message("nothing more is scripted")),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
