//! What policy says of the prose and the calls of answers: disguised secrets, links, commands in code blocks, tool calls;
//! in every dialect that streams, in every cutting.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test ends where it fails")]

mod calls;
mod prose;

use std::collections::BTreeSet;

use copilot_guard::clock::Timestamp;
use copilot_guard::dialect::{Dialect, Envelope};
use copilot_guard::exchange::{CallAnswer, CallQuestion, Ended, Exchange, Step, Summary};
use copilot_guard::policy::{Policy, PolicyOptions, Query};
use serde_json::{Value, json};

const DIALECTS: [Dialect; 3] = [Dialect::Chat, Dialect::Messages, Dialect::Completions];

fn policy(rules: &str) -> Policy {
    let text = format!(
        "version = 1\n[network]\nallowed_hosts = [\"docs.rs\"]\ninternal_hosts = [\"*.acme.internal\"]\n\
         own_remotes = [\"github.com/acme/*\"]\n{rules}"
    );
    let options = PolicyOptions::new(Timestamp::from_secs(1)).with_reviewer_groups(["reviewers"]);
    Policy::parse(&text, "policy.toml", &options).unwrap_or_else(|e| panic!("{e}"))
}

/// What came of an answer.
struct Got {
    text: String,
    /// Names of the calls that came through.
    calls: Vec<String>,
    asked: Vec<CallQuestion>,
    ended: Ended,
    summary: Summary,
}

fn event(value: &Value) -> String {
    match value.get("type").and_then(Value::as_str) {
        Some(name) => format!("event: {name}\ndata: {value}\n\n"),
        None => format!("data: {value}\n\n"),
    }
}

/// An answer of this text in pieces of so many characters.
fn stream(dialect: Dialect, text: &str, piece: usize) -> String {
    let chars: Vec<char> = text.chars().collect();
    let pieces: Vec<String> = chars.chunks(piece).map(|c| c.iter().collect()).collect();
    let mut out = String::new();
    match dialect {
        Dialect::Messages => {
            out += &event(&json!({"type": "message_start", "message": {"id": "m", "content": []}}));
            out += &event(
                &json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}),
            );
            for text in pieces {
                out += &event(
                    &json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}}),
                );
            }
            out += &event(&json!({"type": "content_block_stop", "index": 0}));
            out += &event(&json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"}}));
            out += &event(&json!({"type": "message_stop"}));
        }
        Dialect::Completions => {
            for text in pieces {
                out += &event(
                    &json!({"id": "c", "choices": [{"index": 0, "text": text, "finish_reason": null}]}),
                );
            }
            out +=
                &event(&json!({"id": "c", "choices": [{"index": 0, "text": "", "finish_reason": "stop"}]}));
            out += "data: [DONE]\n\n";
        }
        _ => {
            for text in pieces {
                out += &event(&json!({"id": "c", "choices": [{"index": 0, "delta": {"content": text}}]}));
            }
            out +=
                &event(&json!({"id": "c", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}));
            out += "data: [DONE]\n\n";
        }
    }
    out
}

fn run(policy: &Policy, dialect: Dialect, stream: &str, vote: Option<CallAnswer>) -> Got {
    let caller = policy.for_caller(&Query::new(&BTreeSet::new(), "m", Timestamp::from_secs(1)));
    let envelope = Envelope {
        id: "e".into(),
        model: "m".into(),
        created: 1,
    };
    let mut exchange = Exchange::new(dialect, envelope, policy.rule_set().clone(), caller, "e");
    exchange.handle_data(stream.as_bytes());
    exchange.handle_end();
    let (mut out, mut asked) = (Vec::new(), Vec::new());
    loop {
        match exchange.poll() {
            Step::Deliver(bytes) => out.extend(bytes),
            Step::Ask(question) => {
                exchange.handle_answer(question.call.number, vote.clone().unwrap());
                asked.push(*question);
            }
            Step::Pending => panic!("nothing more comes"),
            Step::Done(ended) => {
                let (text, calls) = read(&String::from_utf8(out).unwrap());
                let summary = exchange.summary();
                return Got {
                    text,
                    calls,
                    asked,
                    ended,
                    summary,
                };
            }
        }
    }
}

/// The text and the calls that a client has at the end. No call is left half open: each has whole arguments.
fn read(out: &str) -> (String, Vec<String>) {
    let (mut text, mut calls) = (String::new(), Vec::new());
    let mut open: Option<(String, String)> = None;
    for data in out.lines().filter_map(|line| line.strip_prefix("data: ")) {
        let Ok(event) = serde_json::from_str::<Value>(data) else {
            continue;
        };
        if let Some(choice) = event["choices"].get(0) {
            let delta = &choice["delta"];
            text += delta["content"]
                .as_str()
                .or(choice["text"].as_str())
                .unwrap_or_default();
            for call in delta["tool_calls"].as_array().into_iter().flatten() {
                let function = &call["function"];
                serde_json::from_str::<Value>(function["arguments"].as_str().unwrap()).unwrap();
                calls.push(function["name"].as_str().unwrap().to_owned());
            }
        }
        match event["type"].as_str().unwrap_or_default() {
            "content_block_start" if event["content_block"]["type"] == "tool_use" => {
                let name = event["content_block"]["name"].as_str().unwrap();
                open = Some((name.to_owned(), String::new()));
            }
            "content_block_start" => text += event["content_block"]["text"].as_str().unwrap_or_default(),
            "content_block_delta" => {
                text += event["delta"]["text"].as_str().unwrap_or_default();
                if let (Some((_, arguments)), Some(more)) =
                    (&mut open, event["delta"]["partial_json"].as_str())
                {
                    arguments.push_str(more);
                }
            }
            "content_block_stop" => {
                if let Some((name, arguments)) = open.take() {
                    serde_json::from_str::<Value>(&arguments).unwrap();
                    calls.push(name);
                }
            }
            _ => {}
        }
    }
    assert!(open.is_none(), "a call is left open");
    (text, calls)
}
