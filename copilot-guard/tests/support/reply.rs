//! Reading replies as clients do, strictly.

use std::collections::BTreeMap;
use std::task::Poll;

use bytes::Bytes;
use copilot_guard::http::ResponseBody;
use http::{HeaderMap, Response};
use http_body_util::BodyExt;
use serde_json::Value;

/// A whole reply.
#[derive(Debug)]
pub struct Got {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: String,
}

impl Got {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("not JSON ({e}): {}", self.body))
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |v| v.to_str().expect("text"))
    }

    /// `error.code`, wherever the dialect puts it.
    pub fn code(&self) -> String {
        self.json()["error"]["code"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }

    /// All there is, to look for what must not be there.
    pub fn whole(&self) -> String {
        format!("{:?}\n{}", self.headers, self.body)
    }
}

pub async fn read(response: Response<ResponseBody>) -> Got {
    let (head, body) = response.into_parts();
    Got {
        status: head.status.as_u16(),
        headers: head.headers,
        body: body_of(body).await,
    }
}

pub async fn body_of(body: ResponseBody) -> String {
    let bytes = body.collect().await.expect("infallible").to_bytes();
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

/// The next piece, when there is one now.
pub async fn next_piece(body: &mut ResponseBody) -> Poll<Option<Bytes>> {
    let mut frame = Box::pin(body.frame());
    match super::poll_once(&mut frame).await {
        Poll::Ready(Some(frame)) => Poll::Ready(Some(frame.expect("infallible").into_data().expect("data"))),
        Poll::Ready(None) => Poll::Ready(None),
        Poll::Pending => Poll::Pending,
    }
}

/// The next piece, once there is one.
pub async fn one_piece(body: &mut ResponseBody) -> Option<String> {
    loop {
        match next_piece(body).await {
            Poll::Ready(piece) => return piece.map(|p| String::from_utf8(p.to_vec()).expect("UTF-8")),
            Poll::Pending => tokio::task::yield_now().await,
        }
    }
}

/// The events of a stream: name and data. Each must have one data line, as line-based readers demand.
pub fn events(body: &str) -> Vec<(String, String)> {
    assert!(
        body.is_empty() || body.ends_with("\n\n"),
        "cut within an event: {body:?}"
    );
    let one = |block: &str| {
        let (mut name, mut data) = (String::new(), None);
        for line in block.lines() {
            match line.split_once(": ") {
                Some(("event", value)) => name = value.to_owned(),
                Some(("data", value)) => assert!(
                    data.replace(value.to_owned()).is_none(),
                    "two data lines: {block:?}"
                ),
                _ => panic!("an unexpected line in {block:?}"),
            }
        }
        (name, data.expect("data"))
    };
    body.split_terminator("\n\n").map(one).collect()
}

/// Joins a chat stream as a strict client does. Keys are such as `0.content`, `0.tool[1].arguments`, `0.finish`.
/// Panics when the stream does not end as it should, or anything follows a choice's finish reason.
pub fn chat_texts(body: &str) -> BTreeMap<String, String> {
    let events = events(body);
    let (last, chunks) = events.split_last().unwrap_or_else(|| panic!("an empty stream"));
    assert_eq!(last.1, "[DONE]", "{body}");
    let mut texts: BTreeMap<String, String> = BTreeMap::new();
    for (name, data) in chunks {
        assert_eq!(name, "", "{body}");
        let chunk: Value = serde_json::from_str(data).unwrap_or_else(|e| panic!("{e}: {data}"));
        for choice in chunk["choices"].as_array().into_iter().flatten() {
            let index = &choice["index"];
            let delta = choice["delta"].as_object();
            let finished = texts.contains_key(&format!("{index}.finish"));
            for (member, value) in delta.into_iter().flatten().filter(|(_, v)| !v.is_null()) {
                assert!(!finished, "text after the finish reason: {body}");
                match (member.as_str(), value) {
                    ("tool_calls", Value::Array(calls)) => {
                        for call in calls {
                            let function = call
                                .get("function")
                                .or_else(|| call.get("custom"))
                                .unwrap_or(call);
                            let at = format!("{index}.tool[{}]", call["index"]);
                            join(&mut texts, format!("{at}.id"), &call["id"]);
                            join(&mut texts, format!("{at}.name"), &function["name"]);
                            join(&mut texts, format!("{at}.arguments"), &function["arguments"]);
                        }
                    }
                    ("function_call", call) => {
                        join(&mut texts, format!("{index}.function_call.name"), &call["name"]);
                        join(
                            &mut texts,
                            format!("{index}.function_call.arguments"),
                            &call["arguments"],
                        );
                    }
                    (_, value) => join(&mut texts, format!("{index}.{member}"), value),
                }
            }
            if let Some(reason) = choice["finish_reason"].as_str() {
                assert!(!finished, "two finish reasons: {body}");
                texts.insert(format!("{index}.finish"), reason.to_owned());
            }
        }
    }
    for index in texts
        .keys()
        .filter_map(|k| k.split('.').next())
        .collect::<Vec<_>>()
    {
        assert!(
            texts.contains_key(&format!("{index}.finish")),
            "choice {index} does not end: {body}"
        );
    }
    texts
}

fn join(texts: &mut BTreeMap<String, String>, key: String, value: &Value) {
    if let Some(text) = value.as_str() {
        texts.entry(key).or_default().push_str(text);
    }
}

/// Joins a messages stream as a strict client does: start, blocks one after the other, delta, stop. Keys are such as
/// `0.text`, `1.tool_use`, `1.partial_json`, `stop`.
pub fn message_texts(body: &str) -> BTreeMap<String, String> {
    let mut texts = BTreeMap::new();
    let (mut stage, mut open, mut next) = (0, None, 0);
    for (name, data) in events(body) {
        let event: Value = serde_json::from_str(&data).unwrap_or_else(|e| panic!("{e}: {data}"));
        assert_eq!(event["type"], name.as_str(), "{body}");
        match name.as_str() {
            "ping" => {}
            "message_start" => {
                assert_eq!(stage, 0, "{body}");
                stage = 1;
            }
            "content_block_start" => {
                let index = event["index"].as_u64().expect("an index");
                assert!(stage == 1 && open.is_none() && index == next, "{body}");
                (open, next) = (Some(index), index + 1);
                let block = &event["content_block"];
                for (member, value) in block.as_object().expect("a block") {
                    match (member.as_str(), value) {
                        ("type", _) => {
                            let kind = block["type"].as_str().expect("a type");
                            join(&mut texts, format!("{index}.kind"), &Value::from(kind));
                        }
                        _ => join(&mut texts, format!("{index}.{member}"), value),
                    }
                }
            }
            "content_block_delta" => {
                assert!(stage == 1 && open == event["index"].as_u64(), "{body}");
                for (member, value) in event["delta"].as_object().expect("a delta") {
                    if member != "type" {
                        join(&mut texts, format!("{}.{member}", event["index"]), value);
                    }
                }
            }
            "content_block_stop" => {
                assert!(stage == 1 && open == event["index"].as_u64(), "{body}");
                open = None;
            }
            "message_delta" => {
                assert!(stage == 1 && open.is_none(), "{body}");
                stage = 2;
                join(&mut texts, "stop".to_owned(), &event["delta"]["stop_reason"]);
            }
            "message_stop" => {
                assert_eq!(stage, 2, "{body}");
                stage = 3;
            }
            _ => assert!((1..3).contains(&stage), "{body}"),
        }
    }
    assert_eq!(stage, 3, "the message does not end: {body}");
    texts
}
