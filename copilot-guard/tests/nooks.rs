//! Answers in which a secret, or a call that policy blocks, stands where it is easily overlooked. Whatever comes out,
//! in one write or byte by byte, neither is in it. The control: the same answers without a guard hold them.

#![expect(clippy::unwrap_used, reason = "helpers of tests may panic")]

use std::collections::BTreeSet;

use copilot_guard::clock::Timestamp;
use copilot_guard::dialect::{Dialect, Envelope};
use copilot_guard::exchange::{Exchange, PlainExchange, PlainStep, Step};
use copilot_guard::policy::{Policy, PolicyOptions, Query};
use serde_json::{Value, json};

const POLICY: &str = r#"
version = 1
[[patterns]]
id = "house-token"
regex = 'HOUSE-[0-9]{4}-[A-Z]{8}'
[[rules]]
id = "no-removal"
on = "tool_call"
match = { regex = ['rm -rf'] }
action = "block"
[[rules]]
id = "no-falcon"
on = "output"
match = { words = ["falcon"] }
action = "block"
"#;

/// Two halves of a secret: together they match.
const HALVES: (&str, &str) = ("HOUSE-2041-", "QXTWKPLM");
const WHOLE: &str = "HOUSE-2041-QXTWKPLM";

fn policy() -> Policy {
    Policy::parse(
        POLICY,
        "policy.toml",
        &PolicyOptions::new(Timestamp::from_secs(1)),
    )
    .unwrap()
}

fn envelope() -> Envelope {
    Envelope {
        id: "own".into(),
        model: "m".into(),
        created: 1,
    }
}

/// What leaves when the stream comes in pieces of this size.
fn run(policy: &Policy, dialect: Dialect, stream: &str, size: usize) -> String {
    let caller = policy.for_caller(&Query::new(&BTreeSet::new(), "m", Timestamp::from_secs(1)));
    let mut exchange = Exchange::new(dialect, envelope(), policy.rule_set().clone(), caller, "x");
    let mut out = Vec::new();
    let mut drain = |exchange: &mut Exchange| {
        while let Step::Deliver(bytes) = exchange.poll() {
            out.extend(bytes);
        }
    };
    for piece in stream.as_bytes().chunks(size) {
        exchange.handle_data(piece);
        drain(&mut exchange);
    }
    exchange.handle_end();
    drain(&mut exchange);
    assert!(matches!(exchange.poll(), Step::Done(_)), "the answer ends");
    String::from_utf8(out).unwrap()
}

/// Every string (names too) of every event, by its place, joined: what a client that joins anything could show.
fn joined(text: &str) -> String {
    fn walk(value: &Value, place: &str, out: &mut std::collections::BTreeMap<String, String>) {
        match value {
            Value::String(s) => out
                .entry(place.replace(".content_block.", ".delta."))
                .or_default()
                .push_str(s.strip_suffix('\r').unwrap_or(s)),
            Value::Array(items) => items
                .iter()
                .enumerate()
                .for_each(|(i, v)| walk(v, &format!("{place}[{i}]"), out)),
            Value::Object(members) => members.iter().for_each(|(name, v)| {
                out.entry("names".to_owned())
                    .or_default()
                    .push_str(&format!(" {name}"));
                walk(v, &format!("{place}.{name}"), out);
            }),
            _ => {}
        }
    }
    let mut places = std::collections::BTreeMap::new();
    for data in text.lines().filter_map(|l| l.strip_prefix("data: ")) {
        if let Ok(event) = serde_json::from_str::<Value>(data) {
            let index = event.get("index").map(Value::to_string).unwrap_or_default();
            walk(&event, &index, &mut places);
        }
    }
    places.into_values().collect::<Vec<_>>().join("\n")
}

fn chat(chunks: &[Value]) -> String {
    let mut out: String = chunks.iter().map(|c| format!("data: {c}\n\n")).collect();
    out += "data: [DONE]\n\n";
    out
}

fn choice(delta: Value, finish: Value) -> Value {
    json!({"id": "c", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})
}

fn messages(events: &[Value]) -> String {
    let all = [json!({"type": "message_start", "message": {"id": "m", "content": []}})]
        .into_iter()
        .chain(events.iter().cloned());
    let all = all.chain([
        json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 1}}),
        json!({"type": "message_stop"}),
    ]);
    all.map(|e| format!("event: {}\ndata: {e}\n\n", e["type"].as_str().unwrap()))
        .collect()
}

fn check(dialect: Dialect, cases: &[(&str, String)]) {
    let policy = policy();
    for (name, stream) in cases {
        assert!(
            joined(stream).contains(WHOLE) || joined(stream).contains("rm -rf"),
            "{name}: the control holds it"
        );
        for size in [usize::MAX, 7, 1] {
            let out = run(&policy, dialect, stream, size.min(stream.len()));
            let seen = joined(&out);
            assert!(
                !seen.contains(WHOLE) && !out.contains(WHOLE),
                "{name}, pieces of {size}: {out}"
            );
            assert!(!seen.contains("rm -rf"), "{name}, pieces of {size}: {out}");
            let end = if dialect == Dialect::Chat {
                "data: [DONE]\n\n"
            } else {
                "{\"type\":\"message_stop\"}\n\n"
            };
            assert!(out.ends_with(end), "{name}: {out}");
        }
    }
}

#[test]
fn chat_streams() {
    let (a, b) = HALVES;
    let halves = |with: fn(&str) -> Value| {
        chat(&[
            choice(with(a), Value::Null),
            choice(with(b), Value::Null),
            choice(json!({}), json!("stop")),
        ])
    };
    let call = |arguments: &str| json!([{"index": 0, "id": "i", "type": "function", "function": {"name": "sh", "arguments": arguments}}]);
    check(
        Dialect::Chat,
        &[
            (
                "in an array of details",
                halves(|t| json!({"reasoning_details": [{"type": "reasoning.text", "text": t}]})),
            ),
            (
                "in content parts",
                halves(|t| json!({"content": [{"type": "text", "text": t}]})),
            ),
            ("in an object", halves(|t| json!({"audio": {"transcript": t}}))),
            (
                "with a carriage return between",
                halves(|t| json!({"content": format!("{t}\r")})),
            ),
            ("in an unknown member", halves(|t| json!({"cot_summary": t}))),
            (
                "outside of the delta",
                chat(&[
                    json!({"id": "c", "choices": [{"index": 0, "text": a, "delta": {}}]}),
                    json!({"id": "c", "choices": [{"index": 0, "text": b, "delta": {}, "finish_reason": "stop"}]}),
                ]),
            ),
            (
                "in a message within a stream",
                chat(&[
                    json!({"id": "c", "choices": [{"index": 0, "message": {"content": a}, "delta": {}}]}),
                    json!({"id": "c", "choices": [{"index": 0, "message": {"content": b, "tool_calls": call("{\"c\":\"rm -rf /\"}")}, "finish_reason": "stop"}]}),
                ]),
            ),
            (
                "in the tokens",
                chat(&[
                    json!({"id": "c", "choices": [{"index": 0, "delta": {"content": "x"}, "logprobs": {"content": [{"token": a}, {"token": WHOLE}]}, "finish_reason": "stop"}]}),
                ]),
            ),
            (
                "in the id",
                chat(&[
                    json!({"id": WHOLE, "choices": [{"index": 0, "delta": {"content": "x"}, "finish_reason": "stop"}]}),
                ]),
            ),
            (
                "choices that are a text",
                chat(&[json!({"id": "c", "choices": WHOLE})]),
            ),
            (
                "choices that are an object",
                chat(&[json!({"id": "c", "choices": {"delta": {"content": WHOLE}}})]),
            ),
            (
                "a choice that is a text",
                chat(&[json!({"id": "c", "choices": [WHOLE]})]),
            ),
            (
                "behind a stop",
                chat(&[json!({"id": "c", "choices": [
            {"index": 0, "delta": {"content": "a falcon", "reasoning_content": WHOLE, "tool_calls": call("{\"c\":\"rm -rf /\"}")}},
            {"index": 1, "delta": {"content": WHOLE}}]})]),
            ),
            (
                "a call in the last chunk",
                chat(&[choice(
                    json!({"content": "x", "tool_calls": call("{\"c\":\"rm -rf /\"}")}),
                    json!("tool_calls"),
                )]),
            ),
            (
                "a call that never ends",
                chat(&[choice(
                    json!({"tool_calls": call("{\"c\":\"rm -rf /\"}")}),
                    Value::Null,
                )]),
            ),
            (
                "a call with a duplicate member",
                chat(&[choice(
                    json!({"content": "rm -rf".replace(' ', "_"), "tool_calls": call(&format!("{{\"c\":\"x\",\"c\":\"{WHOLE}\"}}"))}),
                    json!("tool_calls"),
                )]),
            ),
            (
                "a custom tool",
                chat(&[choice(
                    json!({"tool_calls": [{"index": 0, "id": "i", "type": "custom", "custom": {"name": "sh", "input": "rm -rf /"}}]}),
                    json!("tool_calls"),
                )]),
            ),
            (
                "the legacy call",
                chat(&[choice(
                    json!({"function_call": {"name": "sh", "arguments": "{\"c\":\"rm -rf /\"}"}}),
                    json!("function_call"),
                )]),
            ),
        ],
    );
}

#[test]
fn message_streams() {
    let (a, b) = HALVES;
    let start = |index: u32, block: Value| json!({"type": "content_block_start", "index": index, "content_block": block});
    let delta =
        |index: u32, delta: Value| json!({"type": "content_block_delta", "index": index, "delta": delta});
    let stop = |index: u32| json!({"type": "content_block_stop", "index": index});
    let text = json!({"type": "text", "text": ""});
    check(
        Dialect::Messages,
        &[
            (
                "in the start",
                messages(&[start(0, json!({"type": "text", "text": WHOLE})), stop(0)]),
            ),
            (
                "from the start into a delta",
                messages(&[
                    start(0, json!({"type": "text", "text": a})),
                    delta(0, json!({"type": "text_delta", "text": b})),
                    stop(0),
                ]),
            ),
            (
                "beside the delta",
                messages(&[
                    start(0, text.clone()),
                    json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "x"}, "extra": WHOLE}),
                    stop(0),
                ]),
            ),
            (
                "beside the start",
                messages(&[
                    json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}, "extra": WHOLE}),
                    stop(0),
                ]),
            ),
            (
                "in an unknown delta",
                messages(&[
                    start(0, json!({"type": "new_block"})),
                    delta(0, json!({"type": "new_delta", "body": a})),
                    delta(0, json!({"type": "new_delta", "body": b})),
                    stop(0),
                ]),
            ),
            (
                "in signed thinking",
                messages(&[
                    start(0, json!({"type": "thinking", "thinking": ""})),
                    delta(0, json!({"type": "thinking_delta", "thinking": a})),
                    delta(0, json!({"type": "thinking_delta", "thinking": b})),
                    delta(0, json!({"type": "signature_delta", "signature": "AAAA"})),
                    stop(0),
                ]),
            ),
            (
                "beside encrypted thinking",
                messages(&[
                    start(
                        0,
                        json!({"type": "redacted_thinking", "data": "AAAA", "note": WHOLE}),
                    ),
                    stop(0),
                ]),
            ),
            (
                "a call of an unknown kind",
                messages(&[
                    start(0, json!({"type": "new_tool_use", "name": "sh", "input": {}})),
                    delta(
                        0,
                        json!({"type": "input_json_delta", "partial_json": "{\"c\":\"rm -rf /\"}"}),
                    ),
                    stop(0),
                ]),
            ),
            (
                "arguments in a text block",
                messages(&[
                    start(0, text.clone()),
                    delta(
                        0,
                        json!({"type": "input_json_delta", "partial_json": "{\"c\":\"rm -rf /\"}"}),
                    ),
                    stop(0),
                ]),
            ),
            (
                "an index that comes again",
                messages(&[
                    start(
                        0,
                        json!({"type": "tool_use", "id": "t", "name": "sh", "input": {}}),
                    ),
                    delta(0, json!({"type": "input_json_delta", "partial_json": "{}"})),
                    stop(0),
                    start(0, text),
                    delta(0, json!({"type": "text_delta", "text": "rm -rf"})),
                    stop(0),
                ]),
            ),
            ("in an event's type", messages(&[json!({"type": WHOLE})])),
            (
                "in a block's type",
                messages(&[start(0, json!({"type": WHOLE})), stop(0)]),
            ),
            (
                "in a call's type",
                messages(&[
                    start(
                        0,
                        json!({"type": format!("{WHOLE}_tool_use"), "name": "a", "input": {}}),
                    ),
                    stop(0),
                ]),
            ),
            (
                "in a delta's type",
                messages(&[
                    start(0, json!({"type": "text", "text": ""})),
                    delta(0, json!({"type": WHOLE, "text": "x"})),
                    stop(0),
                ]),
            ),
            (
                "in an unknown event",
                messages(&[json!({"type": "new_event", "body": {"text": WHOLE}})]),
            ),
        ],
    );
}

#[test]
fn plain_chat_answers() {
    let policy = policy();
    let caller = policy.for_caller(&Query::new(&BTreeSet::new(), "m", Timestamp::from_secs(1)));
    let answer = |message: Value| {
        json!({"id": "c", "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}]})
            .to_string()
    };
    let call = |call: Value| answer(json!({"role": "assistant", "content": "x", "tool_calls": [call]}));
    for (name, body) in [
        (
            "a null beside the real call",
            call(
                json!({"id": "i", "type": "custom", "function": null, "custom": {"name": "sh", "input": "rm -rf /"}}),
            ),
        ),
        (
            "both at once",
            call(
                json!({"id": "i", "function": {"name": "a", "arguments": "{}"}, "custom": {"name": "sh", "input": "rm -rf /"}}),
            ),
        ),
        (
            "a decoy member",
            call(json!({"id": "i", "custom": {"name": "sh", "arguments": "{}", "input": "rm -rf /"}})),
        ),
        (
            "neither",
            call(json!({"id": "i", "type": "new", "new": {"input": "rm -rf /"}})),
        ),
        (
            "beside the arguments",
            call(json!({"id": "i", "function": {"name": "a", "arguments": "{}", "note": WHOLE}})),
        ),
        (
            "in the name",
            call(json!({"id": "i", "function": {"name": WHOLE, "arguments": "{}"}})),
        ),
        (
            "a choice that is a text",
            json!({"id": "c", "choices": [WHOLE]}).to_string(),
        ),
        (
            "in content parts",
            answer(json!({"content": [{"type": "text", "text": WHOLE}]})),
        ),
        (
            "in the tokens",
            answer(json!({"content": "x", "logprobs": {"content": [{"token": WHOLE}]}})),
        ),
    ] {
        assert!(
            body.contains(WHOLE) || body.contains("rm -rf"),
            "{name}: the control holds it"
        );
        let mut plain = PlainExchange::new(Dialect::Chat, policy.rule_set().clone(), caller.clone(), "x");
        match plain.judge(body.as_bytes()) {
            Ok(PlainStep::Deliver(out)) => {
                assert!(!out.contains(WHOLE) && !out.contains("rm -rf"), "{name}: {out}")
            }
            Ok(PlainStep::Blocked(_)) | Err(_) => {}
            Ok(PlainStep::Ask(_)) => panic!("{name}: nobody is asked"),
        }
    }
}
