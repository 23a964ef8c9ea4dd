//! A scripted model that speaks OpenAI chat completions and Anthropic messages, streamed and plain.

use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use http::{Request, Response, StatusCode};
use http_body::Body;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::setup::UPSTREAM_CREDENTIAL;

/// Serves on a free loopback port until the process ends. `make` gets the server's own address.
pub(crate) async fn listen<M, H, F, B>(make: M) -> std::io::Result<String>
where
    M: FnOnce(&str) -> H,
    H: Fn(Request<Incoming>) -> F + Clone + Send + 'static,
    F: Future<Output = Result<Response<B>, Infallible>> + Send + 'static,
    B: Body<Data = Bytes, Error = Infallible> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    let handle = make(&url);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let handle = handle.clone();
            tokio::spawn(async move {
                let service = service_fn(handle);
                let _ = auto::Builder::new(TokioExecutor::new())
                    .serve_connection(TokioIo::new(stream), service)
                    .await;
            });
        }
    });
    Ok(url)
}

/// Starts the model.
pub(super) async fn start(count: Arc<AtomicU64>) -> std::io::Result<String> {
    listen(move |_| {
        move |request: Request<Incoming>| {
            count.fetch_add(1, Ordering::SeqCst);
            async move { Ok(answer(request).await) }
        }
    })
    .await
}

/// A token as a model might print one. Put together at run time: the source holds none.
pub(super) fn planted_secret() -> String {
    let body: String = (0..36u8)
        .map(|i| char::from(b"aB3dE5gH7j"[usize::from(i * 7 % 10)]))
        .collect();
    format!("{}_{body}", "ghp")
}

async fn answer(request: Request<Incoming>) -> Response<Full<Bytes>> {
    let path = request.uri().path().to_owned();
    let known = format!("Bearer {UPSTREAM_CREDENTIAL}");
    let authorized = request
        .headers()
        .get(AUTHORIZATION)
        .is_some_and(|v| v.as_bytes() == known.as_bytes());
    let body = request
        .into_body()
        .collect()
        .await
        .map(|b| b.to_bytes())
        .unwrap_or_default();
    let request: Value = serde_json::from_slice(&body).unwrap_or_default();
    if !authorized {
        let mut response = Response::new(Full::new(Bytes::from_static(b"{}")));
        *response.status_mut() = StatusCode::UNAUTHORIZED;
        return response;
    }
    let text = said(&last_text(&request));
    let stream = request.get("stream").and_then(Value::as_bool).unwrap_or(false);
    let messages = path.ends_with("/messages");
    let (kind, body) = match (stream, messages) {
        (true, false) => ("text/event-stream", chat_stream(&text)),
        (true, true) => ("text/event-stream", messages_stream(&text)),
        (false, false) => ("application/json", chat_plain(&text)),
        (false, true) => ("application/json", messages_plain(&text)),
    };
    let mut response = Response::new(Full::new(Bytes::from(body)));
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

/// The text of the last message.
fn last_text(request: &Value) -> String {
    let content = request
        .get("messages")
        .and_then(Value::as_array)
        .and_then(|m| m.last())
        .and_then(|m| m.get("content"));
    match content {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(parts)) => parts
            .iter()
            .filter_map(|p| p.get("text").and_then(Value::as_str))
            .collect::<Vec<_>>()
            .join(" "),
        _ => String::new(),
    }
}

fn said(asked: &str) -> String {
    if asked.contains("deploy script") {
        format!(
            "Here it is:\n\nexport GITHUB_TOKEN={}\n./deploy.sh --all\n",
            planted_secret()
        )
    } else if asked.contains("production database") {
        "SELECT count(*) FROM customers;".to_owned()
    } else {
        "A monoid is a set with an associative operation and a neutral element.".to_owned()
    }
}

/// Pieces of seven characters: every secret is cut several times.
fn pieces(text: &str) -> Vec<String> {
    text.chars()
        .collect::<Vec<_>>()
        .chunks(7)
        .map(|c| c.iter().collect())
        .collect()
}

fn chat_stream(text: &str) -> String {
    let chunk = |delta: Value, finish: Value| {
        let chunk = json!({ "id": "chatcmpl-demo", "object": "chat.completion.chunk", "created": 1, "model": "demo",
            "choices": [{ "index": 0, "delta": delta, "finish_reason": finish }] });
        format!("data: {chunk}\n\n")
    };
    let mut out = chunk(json!({ "role": "assistant", "content": "" }), Value::Null);
    for piece in pieces(text) {
        out += &chunk(json!({ "content": piece }), Value::Null);
    }
    out += &chunk(json!({}), json!("stop"));
    out + "data: [DONE]\n\n"
}

fn chat_plain(text: &str) -> String {
    json!({ "id": "chatcmpl-demo", "object": "chat.completion", "created": 1, "model": "demo",
        "choices": [{ "index": 0, "message": { "role": "assistant", "content": text }, "finish_reason": "stop" }],
        "usage": { "prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2 } })
    .to_string()
}

fn messages_stream(text: &str) -> String {
    let event = |value: Value| {
        let name = value
            .get("type")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned();
        format!("event: {name}\ndata: {value}\n\n")
    };
    let mut out = event(
        json!({ "type": "message_start", "message": { "id": "msg_demo", "type": "message", "role": "assistant",
        "model": "demo", "content": [], "stop_reason": null, "stop_sequence": null,
        "usage": { "input_tokens": 1, "output_tokens": 1 } } }),
    );
    out += &event(
        json!({ "type": "content_block_start", "index": 0, "content_block": { "type": "text", "text": "" } }),
    );
    for piece in pieces(text) {
        out += &event(
            json!({ "type": "content_block_delta", "index": 0, "delta": { "type": "text_delta", "text": piece } }),
        );
    }
    out += &event(json!({ "type": "content_block_stop", "index": 0 }));
    out += &event(
        json!({ "type": "message_delta", "delta": { "stop_reason": "end_turn", "stop_sequence": null }, "usage": { "output_tokens": 9 } }),
    );
    out + &event(json!({ "type": "message_stop" }))
}

fn messages_plain(text: &str) -> String {
    json!({ "id": "msg_demo", "type": "message", "role": "assistant", "model": "demo",
        "content": [{ "type": "text", "text": text }], "stop_reason": "end_turn", "stop_sequence": null,
        "usage": { "input_tokens": 1, "output_tokens": 9 } })
    .to_string()
}
