//! A small HTTP client for the script.

use bytes::Bytes;
use http::{HeaderMap, Request};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};

type Error = Box<dyn std::error::Error + Send + Sync>;

#[derive(Clone)]
pub(super) struct Client(hyper_util::client::legacy::Client<HttpConnector, Full<Bytes>>);

pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: String,
}

impl Reply {
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .and_then(|v| v.to_str().ok())
            .unwrap_or_default()
    }

    /// The text that a chat client would show: all `content` deltas of choice 0, joined.
    pub(super) fn chat_text(&self) -> String {
        let events = self.body.lines().filter_map(|line| line.strip_prefix("data: "));
        let deltas = events.filter_map(|data| {
            let event: Value = serde_json::from_str(data).ok()?;
            event
                .pointer("/choices/0/delta/content")?
                .as_str()
                .map(str::to_owned)
        });
        deltas.collect()
    }
}

impl Client {
    pub(super) fn new() -> Self {
        Self(hyper_util::client::legacy::Client::builder(TokioExecutor::new()).build_http())
    }

    pub(super) async fn get(&self, url: &str, token: &str) -> Result<Reply, Error> {
        self.send(
            Request::get(url)
                .header("authorization", format!("Bearer {token}"))
                .body(Full::default())?,
        )
        .await
    }

    pub(super) async fn post(&self, url: &str, token: &str, body: &Value) -> Result<Reply, Error> {
        let request = Request::post(url)
            .header("authorization", format!("Bearer {token}"))
            .header("content-type", "application/json")
            .body(Full::new(Bytes::from(body.to_string())))?;
        self.send(request).await
    }

    /// A streamed chat request with one user message, read to its end.
    pub(super) async fn chat(&self, gateway: &str, token: &str, text: &str) -> Result<Reply, Error> {
        let body =
            json!({ "model": "demo", "stream": true, "messages": [{ "role": "user", "content": text }] });
        self.post(&format!("{gateway}/v1/chat/completions"), token, &body)
            .await
    }

    async fn send(&self, request: Request<Full<Bytes>>) -> Result<Reply, Error> {
        let (head, body) = self.0.request(request).await?.into_parts();
        let body = String::from_utf8(body.collect().await?.to_bytes().to_vec())?;
        Ok(Reply {
            status: head.status.as_u16(),
            headers: head.headers,
            body,
        })
    }
}
