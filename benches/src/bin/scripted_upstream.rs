//! `scripted_upstream LISTEN`: a model that answers what the request's model name asks for.
//!
//! - `bench-stream`: 100 events of a chat stream, the finish, the usage and `[DONE]`, each an HTTP chunk of its own and
//!   all in one write.
//! - `bench-paced`: the same, each event 5 ms after the one before.
//! - `bench-echo`: a small JSON answer that holds the whole request as its text, backwards: no rule knows a secret in it
//!   again, or finds one that stood there backwards.
//! - anything else: a small JSON answer.

use std::convert::Infallible;
use std::future::Future as _;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Either, Full};
use hyper::body::{Body, Frame, Incoming};
use hyper::header::CONTENT_TYPE;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::task::LocalSet;
use tokio::time::{Instant, Sleep, sleep_until};

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Between two events of a paced stream.
const PACE: Duration = Duration::from_millis(5);
/// Delta texts, 4 to 16 characters.
const WORDS: [&str; 10] = [
    " the",
    " answer",
    " is in the",
    " function",
    " that reads the",
    " file",
    " and counts",
    " every line of",
    " what the user",
    " wrote",
];
const ANSWER: &str = r#"{"id":"chatcmpl-bench","object":"chat.completion","created":1795384256,"model":"gpt-4.1","choices":[{"index":0,"message":{"role":"assistant","content":TEXT,"refusal":null},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":12,"completion_tokens":9,"total_tokens":21}}"#;

fn main() -> Result<(), BoxError> {
    let listen = std::env::args()
        .nth(1)
        .ok_or("usage: scripted_upstream HOST:PORT")?
        .parse()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    LocalSet::new().block_on(&runtime, serve(listen))
}

async fn serve(listen: SocketAddr) -> Result<(), BoxError> {
    let listener = TcpListener::bind(listen).await?;
    let events: Rc<[Bytes]> = events().into();
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let events = events.clone();
        let service = service_fn(move |request| answer(request, events.clone()));
        tokio::task::spawn_local(
            hyper::server::conn::http1::Builder::new()
                // One buffer for the head and all events, so that they leave in one write.
                .writev(false)
                .serve_connection(TokioIo::new(stream), service),
        );
    }
}

async fn answer(
    request: Request<Incoming>,
    events: Rc<[Bytes]>,
) -> Result<Response<Either<Events, Full<Bytes>>>, BoxError> {
    let body = request.into_body().collect().await?.to_bytes();
    let asked = |name: &str| {
        let name = format!("\"{name}\"");
        body.windows(name.len()).any(|w| w == name.as_bytes())
    };
    let (kind, body) = if asked("bench-stream") {
        ("text/event-stream", Either::Left(Events::new(events, None)))
    } else if asked("bench-paced") {
        ("text/event-stream", Either::Left(Events::new(events, Some(PACE))))
    } else {
        let text = if asked("bench-echo") {
            quoted(&String::from_utf8_lossy(&body).chars().rev().collect::<String>())
        } else {
            "\"Hello! How can I help you today?\"".to_owned()
        };
        let body = Full::from(ANSWER.replacen("TEXT", &text, 1));
        ("application/json", Either::Right(body))
    };
    Ok(Response::builder().header(CONTENT_TYPE, kind).body(body)?)
}

/// A JSON string. The requests of the bench hold no control bytes.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

fn events() -> Vec<Bytes> {
    let head = "data: {\"id\":\"chatcmpl-Bench0123456789abcdefghijklmno\",\"object\":\"chat.completion.chunk\",\"created\":1795384256,\"model\":\"gpt-4.1-2025-04-14\"";
    let choice = |delta: &str, finish: &str| {
        format!(
            "{head},\"choices\":[{{\"index\":0,\"delta\":{delta},\"logprobs\":null,\"finish_reason\":{finish}}}],\"usage\":null}}\n\n"
        )
    };
    let mut events: Vec<String> = WORDS
        .iter()
        .cycle()
        .take(100)
        .map(|word| choice(&format!("{{\"content\":\"{word}\"}}"), "null"))
        .collect();
    events.push(choice("{}", "\"stop\""));
    events.push(format!(
        "{head},\"choices\":[],\"usage\":{{\"prompt_tokens\":12,\"completion_tokens\":100,\"total_tokens\":112}}}}\n\n"
    ));
    events.push("data: [DONE]\n\n".to_owned());
    events.into_iter().map(Bytes::from).collect()
}

/// The events, at once or at a pace.
struct Events {
    events: Rc<[Bytes]>,
    next: usize,
    pace: Option<(Duration, Pin<Box<Sleep>>)>,
}

impl Events {
    fn new(events: Rc<[Bytes]>, pace: Option<Duration>) -> Self {
        Self {
            events,
            next: 0,
            pace: pace.map(|pace| (pace, Box::pin(sleep_until(Instant::now())))),
        }
    }
}

impl Body for Events {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if let Some((pace, timer)) = &mut self.pace {
            ready!(timer.as_mut().poll(cx));
            let next = timer.deadline() + *pace;
            timer.as_mut().reset(next);
        }
        let event = self.events.get(self.next).cloned();
        self.next += 1;
        Poll::Ready(event.map(|e| Ok(Frame::data(e))))
    }
}
