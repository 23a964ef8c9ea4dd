//! A model that answers by script and notes what it was sent.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Full};
use tokio::sync::mpsc;
use tower::Service;

/// A request as it came up.
#[derive(Debug, Clone)]
pub struct Seen {
    pub uri: String,
    pub headers: HeaderMap,
    pub body: String,
}

/// What a piece of an answer's body is.
type Piece = Result<Bytes, std::io::Error>;

/// What the model does with one request.
pub enum Answer {
    /// A head and a body in these pieces.
    Reply {
        status: u16,
        headers: Vec<(&'static str, String)>,
        pieces: Vec<Piece>,
    },
    /// A stream of these pieces, each a while after the last, so that they are delivered one by one.
    Spaced(Vec<Piece>),
    /// A stream that the test feeds.
    Fed(mpsc::UnboundedReceiver<Piece>),
    /// Never answers.
    Silence,
    /// The service fails.
    Error,
    /// The service panics.
    Panic,
    /// A stream whose body panics after these pieces.
    PanicAfter(Vec<Piece>),
}

/// Feeds a stream; dropping it ends the stream.
pub type Feed = mpsc::UnboundedSender<Piece>;

impl Answer {
    pub fn new(status: u16, content_type: &str, body: impl Into<Bytes>) -> Self {
        let headers = vec![("content-type", content_type.to_owned())];
        Self::Reply {
            status,
            headers,
            pieces: vec![Ok(body.into())],
        }
    }

    pub fn json(body: impl Into<Bytes>) -> Self {
        Self::new(200, "application/json", body)
    }

    pub fn sse(body: impl Into<Bytes>) -> Self {
        Self::new(200, "text/event-stream", body)
    }

    /// A stream of these pieces.
    pub fn pieces<B: Into<Bytes>>(pieces: impl IntoIterator<Item = B>) -> Self {
        let headers = vec![("content-type", "text/event-stream".to_owned())];
        Self::Reply {
            status: 200,
            headers,
            pieces: pieces.into_iter().map(|p| Ok(p.into())).collect(),
        }
    }

    /// A stream of these pieces, one by one.
    pub fn spaced<B: Into<Bytes>>(pieces: impl IntoIterator<Item = B>) -> Self {
        Self::Spaced(pieces.into_iter().map(|p| Ok(p.into())).collect())
    }

    /// The same with one more header.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: &str) -> Self {
        if let Self::Reply { headers, .. } = &mut self {
            headers.push((name, value.to_owned()));
        }
        self
    }

    /// The same, but the connection breaks at the end.
    #[must_use]
    pub fn cut(mut self) -> Self {
        if let Self::Reply { pieces, .. } = &mut self {
            pieces.push(Err(std::io::Error::other(
                "connection reset: upstream-internal-name",
            )));
        }
        self
    }

    /// A stream, and the hand that feeds it.
    pub fn fed() -> (Feed, Self) {
        let (feed, pieces) = mpsc::unbounded_channel();
        (feed, Self::Fed(pieces))
    }
}

/// The inner service. Clones share everything.
#[derive(Clone, Default)]
pub struct Model {
    answers: Arc<Mutex<VecDeque<Answer>>>,
    seen: Arc<Mutex<Vec<Seen>>>,
    alive: Arc<AtomicUsize>,
}

impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Model")
    }
}

impl Model {
    /// Answers in this order; then with silence.
    pub fn new(answers: impl IntoIterator<Item = Answer>) -> Self {
        let model = Self::default();
        model.answers.lock().expect("a lock").extend(answers);
        model
    }

    pub fn one(answer: Answer) -> Self {
        Self::new([answer])
    }

    pub fn then(&self, answer: Answer) {
        self.answers.lock().expect("a lock").push_back(answer);
    }

    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().expect("a lock").clone()
    }

    pub fn calls(&self) -> usize {
        self.seen.lock().expect("a lock").len()
    }

    /// How many of its futures and bodies are alive.
    pub fn alive(&self) -> usize {
        self.alive.load(Ordering::SeqCst)
    }

    fn life(&self) -> Life {
        self.alive.fetch_add(1, Ordering::SeqCst);
        Life(self.alive.clone())
    }
}

struct Life(Arc<AtomicUsize>);

impl Drop for Life {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Service<Request<Full<Bytes>>> for Model {
    type Response = Response<ModelBody>;
    type Error = std::io::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<ModelBody>, std::io::Error>> + Send>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), std::io::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Full<Bytes>>) -> Self::Future {
        let (model, life) = (self.clone(), self.life());
        Box::pin(async move {
            let (head, body) = request.into_parts();
            let body = body.collect().await.expect("infallible").to_bytes();
            model.seen.lock().expect("a lock").push(Seen {
                uri: head.uri.to_string(),
                headers: head.headers,
                body: String::from_utf8_lossy(&body).into_owned(),
            });
            let answer = model
                .answers
                .lock()
                .unwrap()
                .pop_front()
                .unwrap_or(Answer::Silence);
            let (status, headers, source) = match answer {
                Answer::Reply {
                    status,
                    headers,
                    pieces,
                } => (status, headers, Source::Pieces(pieces.into())),
                Answer::Spaced(pieces) => (200, event_stream(), Source::Spaced(pieces.into(), SPACE)),
                Answer::Fed(pieces) => (200, event_stream(), Source::Fed(pieces)),
                Answer::PanicAfter(pieces) => (200, event_stream(), Source::PanicAfter(pieces.into())),
                Answer::Silence => std::future::pending().await,
                Answer::Error => {
                    return Err(std::io::Error::other(format!("no route; {}", super::CREDENTIAL)));
                }
                Answer::Panic => panic!("the model was told to panic"),
            };
            let mut response = Response::new(ModelBody { source, _life: life });
            *response.status_mut() = StatusCode::from_u16(status).expect("a status");
            for (name, value) in headers {
                response
                    .headers_mut()
                    .append(name, value.parse().expect("a header"));
            }
            Ok(response)
        })
    }
}

fn event_stream() -> Vec<(&'static str, String)> {
    vec![("content-type", "text/event-stream".to_owned())]
}

/// How often a spaced stream has nothing before its next piece: more often than a guard asks.
const SPACE: u32 = 8;

enum Source {
    Pieces(VecDeque<Piece>),
    Spaced(VecDeque<Piece>, u32),
    Fed(mpsc::UnboundedReceiver<Piece>),
    PanicAfter(VecDeque<Piece>),
}

/// An answer's body.
pub struct ModelBody {
    source: Source,
    _life: Life,
}

impl Body for ModelBody {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        let piece = match &mut self.source {
            Source::Pieces(pieces) => pieces.pop_front(),
            Source::Spaced(_, left @ 1..) => {
                *left -= 1;
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            Source::Spaced(pieces, left) => {
                *left = SPACE;
                pieces.pop_front()
            }
            Source::Fed(pieces) => std::task::ready!(pieces.poll_recv(cx)),
            Source::PanicAfter(pieces) => Some(pieces.pop_front().expect("the body was told to panic")),
        };
        Poll::Ready(piece.map(|p| p.map(Frame::data)))
    }
}
