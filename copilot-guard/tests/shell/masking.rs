//! Secrets in answers, cut in every way, in every place a client joins.

use copilot_guard::audit::Outcome;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::*;

/// `text` in deltas of `n` bytes (the texts are ASCII).
fn cuts(text: &str, n: usize) -> Vec<String> {
    text.as_bytes()
        .chunks(n)
        .map(|c| String::from_utf8(c.to_vec()).unwrap())
        .collect()
}

fn chat(chunks: impl IntoIterator<Item = Value>) -> String {
    let mut out = String::new();
    for choices in chunks {
        let chunk = json!({"id": "chatcmpl-up", "object": "chat.completion.chunk", "created": 7, "model": "up", "choices": choices});
        out += &format!("data: {chunk}\n\n");
    }
    out + "data: [DONE]\n\n"
}

fn delta(index: u32, delta: Value) -> Value {
    json!([{"index": index, "delta": delta, "finish_reason": null}])
}

fn finish(index: u32, reason: &str) -> Value {
    json!([{"index": index, "delta": {}, "finish_reason": reason}])
}

pub(crate) fn leaky() -> String {
    format!("the key is {SECRET}, and the other {CREDENTIAL}. Bye")
}

pub(crate) fn clean() -> String {
    format!("the key is {MARK}, and the other [REDACTED:upstream-credential]. Bye")
}

pub(crate) async fn through(path: &str, answer: Answer) -> Got {
    let house = House::new(Model::one(answer));
    let got = house.ask(streamed(path, "hi")).await;
    let closings = house.closings().await;
    assert_eq!(closings[0].outcome, Outcome::Completed, "{closings:?}");
    assert!(!delivered(&house.record().await).contains("ACME-INT"));
    got
}

#[tokio::test]
async fn chat_every_text_member() {
    for n in [1, 7, 1000] {
        for member in [
            "content",
            "reasoning_content",
            "refusal",
            "reasoning_text",
            "brand_new_member",
        ] {
            let deltas = cuts(&leaky(), n)
                .into_iter()
                .map(|t| delta(0, json!({member: t})));
            let body = chat(deltas.chain([finish(0, "stop")]));
            let got = through(CHAT, Answer::sse(body)).await;
            let texts = chat_texts(&got.body);
            assert_eq!(texts[&format!("0.{member}")], clean(), "{member} by {n}");
            assert_eq!(texts["0.finish"], "stop");
        }
    }
}

#[tokio::test]
async fn chat_the_second_of_two_choices() {
    for n in [1, 7] {
        let (mut chunks, other) = (Vec::new(), "x".repeat(leaky().len()));
        for (a, b) in cuts(&other, n).into_iter().zip(cuts(&leaky(), n)) {
            chunks.push(delta(0, json!({"content": a})));
            chunks.push(delta(1, json!({"content": b})));
        }
        chunks.extend([finish(0, "stop"), finish(1, "length")]);
        let texts = chat_texts(&through(CHAT, Answer::sse(chat(chunks))).await.body);
        assert_eq!(texts["0.content"], other);
        assert_eq!(texts["1.content"], clean());
        assert_eq!(
            (texts["0.finish"].as_str(), texts["1.finish"].as_str()),
            ("stop", "length")
        );
    }
}

#[tokio::test]
async fn chat_tool_call_arguments() {
    let arguments =
        json!({"note": format!("echo {SECRET}"), "n": 1e3, "deep": [{"k": CREDENTIAL}]}).to_string();
    for n in [1, 7, 1000] {
        let mut chunks = vec![delta(
            0,
            json!({"role": "assistant", "tool_calls": [
            {"index": 0, "id": "call_1", "type": "function", "function": {"name": "bash", "arguments": ""}}]}),
        )];
        for piece in cuts(&arguments, n) {
            chunks.push(delta(
                0,
                json!({"tool_calls": [{"index": 0, "function": {"arguments": piece}}]}),
            ));
        }
        chunks.push(finish(0, "tool_calls"));
        let texts = chat_texts(&through(CHAT, Answer::sse(chat(chunks))).await.body);
        let shown: Value = serde_json::from_str(&texts["0.tool[0].arguments"]).unwrap();
        assert_eq!(shown["note"], format!("echo {MARK}"));
        assert_eq!(shown["deep"][0]["k"], "[REDACTED:upstream-credential]");
        assert_eq!(
            (texts["0.tool[0].name"].as_str(), texts["0.tool[0].id"].as_str()),
            ("bash", "call_1")
        );
        assert_eq!(texts["0.finish"], "tool_calls");
    }
}

#[tokio::test]
async fn chat_legacy_function_call() {
    let arguments = json!({"note": format!("echo {SECRET} {CREDENTIAL}")}).to_string();
    let mut chunks = vec![delta(
        0,
        json!({"function_call": {"name": "bash", "arguments": ""}}),
    )];
    chunks.extend(
        cuts(&arguments, 7)
            .into_iter()
            .map(|p| delta(0, json!({"function_call": {"arguments": p}}))),
    );
    chunks.push(finish(0, "function_call"));
    let texts = chat_texts(&through(CHAT, Answer::sse(chat(chunks))).await.body);
    let shown: Value = serde_json::from_str(&texts["0.function_call.arguments"]).unwrap();
    assert_eq!(
        shown["note"],
        format!("echo {MARK} [REDACTED:upstream-credential]")
    );
    assert_eq!(texts["0.finish"], "function_call");
}

/// Where a model or a careless server could still put a secret: ids, names, keys of arguments, the envelope.
#[tokio::test]
async fn chat_nooks() {
    for nook in 0..8 {
        let mut call = json!({"index": 0, "id": "call_1", "type": "function", "function": {"name": "bash", "arguments": "{}"}});
        let mut chunk = json!({"id": "c", "model": "m", "choices": delta(0, json!({"content": "hello"}))});
        match nook {
            0 => call["id"] = json!(CREDENTIAL),
            1 => call["function"]["name"] = json!(CREDENTIAL),
            2 => call["function"]["arguments"] = json!(json!({CREDENTIAL: 1}).to_string()),
            3 => chunk["id"] = json!(CREDENTIAL),
            4 => chunk["model"] = json!(format!("m {CREDENTIAL}")),
            5 => chunk["choices"][0]["delta"]["role"] = json!(CREDENTIAL),
            6 => chunk["x"] = json!([{"y": CREDENTIAL}]),
            _ => call["extra"] = json!({"z": CREDENTIAL}),
        }
        let tail = chat([delta(0, json!({"tool_calls": [call]})), finish(0, "tool_calls")]);
        let house = House::new(Model::one(Answer::sse(format!("data: {chunk}\n\n{tail}"))));
        let got = house.ask(streamed(CHAT, "hi")).await;
        assert!(!got.body.contains(CREDENTIAL), "nook {nook}: {}", got.body);
        chat_texts(&got.body);
        house.checked().await;
    }
}

#[tokio::test]
async fn what_needs_no_change_survives_byte_for_byte() {
    let first = r#"data: {"id":"c","x_unknown":{"a":[1.50,1e400,"\u0041é"]},"choices":[],"prompt_filter_results":[{"ok":true}]}"#;
    let second = r#"data: {"id":"c","choices":[{"index":0,"delta":{"role":"assistant","content":"hi \u00e9\/"},"content_filter_results":{"hate":{"filtered":false}},"finish_reason":null}]}"#;
    let opaque = format!(
        r#"data: {{"id":"c","choices":[{{"index":0,"delta":{{"reasoning_opaque":"{SECRET}"}},"finish_reason":null}}]}}"#
    );
    let done = r#"data: {"id":"c","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#;
    let usage =
        r#"data: {"id":"c","choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}}"#;
    let body = format!("{first}\n\n{second}\n\n{opaque}\n\n{done}\n\n{usage}\n\ndata: [DONE]\n\n");
    let got = House::new(Model::one(Answer::sse(body.clone())))
        .ask(streamed(CHAT, "hi"))
        .await;
    assert_eq!(got.body, body);

    let events = [
        r#"event: message_start
data: {"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","content":[],"model":"m","usage":{"input_tokens":1}}}"#,
        "event: ping\ndata: {\"type\":\"ping\"}",
        "event: brand_new\ndata: {\"type\":\"brand_new\",\"x\":[1.0,{\"y\":\"\\u0041\"}]}",
        r#"event: content_block_start
data: {"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}"#,
        r#"event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"hm \u00e9 "}}"#,
        r#"event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"ACME-INT-2041-QX7RT9ZK4WLM"}}"#,
        "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}",
        r#"event: content_block_start
data: {"type":"content_block_start","index":1,"content_block":{"type":"redacted_thinking","data":"ACME-INT-2041-QX7RT9ZK4WLM"}}"#,
        "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":1}",
        r#"event: message_delta
data: {"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":5}}"#,
        "event: message_stop\ndata: {\"type\":\"message_stop\"}",
    ];
    let body = events.map(|e| format!("{e}\n\n")).concat();
    let house = House::new(Model::one(Answer::sse(body.clone())));
    let got = house.ask(streamed(MESSAGES, "hi")).await;
    assert_eq!(got.body, body);
    let closing = &house.closings().await[0];
    assert!(!closing.not_scanned.is_empty(), "what passed unseen is on record");
}

/// A tail that is held to the end leaves before the finish reason, and `logprobs` do not bring the text back.
#[tokio::test]
async fn held_tails_and_logprobs() {
    let half = &SECRET[..12];
    let lonely = chat([
        delta(0, json!({"content": half})),
        json!([{"index": 0, "delta": {}, "logprobs": {"content": [{"token": half}]}, "finish_reason": "stop"}]),
    ]);
    let got = through_plainly(lonely).await;
    let texts = chat_texts(&got.body);
    assert_eq!(texts["0.content"], half);
    assert!(got.body.contains(r#""logprobs":null"#), "{}", got.body);
    // The tail in the same chunk as the finish reason.
    let together = chat([
        delta(0, json!({"content": "a "})),
        json!([{"index": 0, "delta": {"content": half}, "finish_reason": "stop"}]),
    ]);
    assert_eq!(
        chat_texts(&through_plainly(together).await.body)["0.content"],
        format!("a {half}")
    );
}

async fn through_plainly(body: String) -> Got {
    House::new(Model::one(Answer::sse(body)))
        .ask(streamed(CHAT, "hi"))
        .await
}

fn message(blocks: &[(Value, Vec<Value>)], stop: &str) -> String {
    let mut out = Vec::new();
    let start = json!({"type": "message_start", "message": {"id": "msg_up", "type": "message", "role": "assistant", "content": [], "model": "m"}});
    out.push(start);
    for (i, (start, deltas)) in blocks.iter().enumerate() {
        out.push(json!({"type": "content_block_start", "index": i, "content_block": start}));
        out.extend(
            deltas
                .iter()
                .map(|d| json!({"type": "content_block_delta", "index": i, "delta": d})),
        );
        out.push(json!({"type": "content_block_stop", "index": i}));
    }
    out.push(json!({"type": "message_delta", "delta": {"stop_reason": stop, "stop_sequence": null}, "usage": {"output_tokens": 5}}));
    out.push(json!({"type": "message_stop"}));
    out.iter()
        .map(|e| format!("event: {}\ndata: {e}\n\n", e["type"].as_str().unwrap()))
        .collect()
}

fn text_block(n: usize) -> (Value, Vec<Value>) {
    let deltas = cuts(&leaky(), n)
        .into_iter()
        .map(|t| json!({"type": "text_delta", "text": t}));
    (json!({"type": "text", "text": ""}), deltas.collect())
}

fn tool_block(n: usize) -> (Value, Vec<Value>) {
    let input = json!({"note": leaky()}).to_string();
    let deltas = cuts(&input, n)
        .into_iter()
        .map(|t| json!({"type": "input_json_delta", "partial_json": t}));
    (
        json!({"type": "tool_use", "id": "toolu_1", "name": "bash", "input": {}}),
        deltas.collect(),
    )
}

#[tokio::test]
async fn messages_text_and_tool_input() {
    for n in [1, 7, 1000] {
        let body = message(&[text_block(n), tool_block(n), text_block(n)], "tool_use");
        let texts = message_texts(&through(MESSAGES, Answer::sse(body)).await.body);
        assert_eq!(texts["0.text"], clean());
        assert_eq!(texts["2.text"], clean());
        let input: Value = serde_json::from_str(&texts["1.partial_json"]).unwrap();
        assert_eq!(input["note"], clean());
        assert_eq!(
            (texts["1.name"].as_str(), texts["1.id"].as_str()),
            ("bash", "toolu_1")
        );
        assert_eq!(texts["stop"], "tool_use");
    }
}

#[tokio::test]
async fn signed_reasoning_with_a_secret_ends_there() {
    for n in [1, 7, 1000] {
        let mut deltas: Vec<Value> = cuts(&leaky(), n)
            .into_iter()
            .map(|t| json!({"type": "thinking_delta", "thinking": t}))
            .collect();
        deltas.push(json!({"type": "signature_delta", "signature": "c2lnbmVk"}));
        let body = message(
            &[
                (json!({"type": "thinking", "thinking": ""}), deltas),
                text_block(9),
            ],
            "end_turn",
        );
        let house = House::new(Model::one(Answer::sse(body)));
        let got = house.ask(streamed(MESSAGES, "hi")).await;
        let texts = message_texts(&got.body);
        assert!("the key is ".starts_with(&texts["0.thinking"]), "{texts:?}");
        assert!(!got.body.contains("c2lnbmVk") && !got.body.contains(SECRET) && !got.body.contains("Bye"));
        assert!(texts["1.text"].starts_with("[copilot-guard]"), "{texts:?}");
        assert_eq!(texts["stop"], "end_turn");
        assert_eq!(house.outcome().await, Outcome::Blocked);
    }
}

/// What is held of signed reasoning leaves before its signature does.
#[tokio::test]
async fn the_tail_of_signed_reasoning_leaves_before_the_signature() {
    let half = format!("so {}", &SECRET[..20]);
    let deltas = vec![
        json!({"type": "thinking_delta", "thinking": half}),
        json!({"type": "signature_delta", "signature": "c2lnbmVk"}),
    ];
    let body = message(
        &[(json!({"type": "thinking", "thinking": ""}), deltas)],
        "end_turn",
    );
    let got = House::new(Model::one(Answer::sse(body)))
        .ask(streamed(MESSAGES, "hi"))
        .await;
    let texts = message_texts(&got.body);
    assert_eq!(
        (texts["0.thinking"].as_str(), texts["0.signature"].as_str()),
        (half.as_str(), "c2lnbmVk")
    );
    let (text, signature) = (got.body.rfind("thinking_delta"), got.body.find("signature_delta"));
    assert!(text < signature, "{}", got.body);
}

/// The negative control: a guard without the pattern lets the secret through.
#[tokio::test]
async fn without_the_pattern_it_would_pass() {
    let body = chat([
        delta(0, json!({"content": "part ACME-EXT-2041-QX7RT9ZK4WLM"})),
        finish(0, "stop"),
    ]);
    let got = through_plainly(body).await;
    assert_eq!(
        chat_texts(&got.body)["0.content"],
        "part ACME-EXT-2041-QX7RT9ZK4WLM"
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn the_cut_of_upstreams_bytes_changes_nothing(
        size in 1usize..40, cuts in prop::collection::vec(1usize..200, 0..60), messages in any::<bool>(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        let body = if messages {
            message(&[text_block(size), tool_block(size), text_block(size)], "tool_use")
        } else {
            let text = super::masking::cuts(&leaky(), size).into_iter().map(|t| delta(0, json!({"content": t, "reasoning_content": "äö"})));
            let call = delta(0, json!({"tool_calls": [{"index": 0, "id": "x", "function": {"name": "f", "arguments": json!({"a": leaky()}).to_string()}}]}));
            chat(text.chain([call, finish(0, "tool_calls")]))
        };
        let (path, mut rest, mut pieces) = (if messages { MESSAGES } else { CHAT }, body.as_bytes(), Vec::new());
        for cut in cuts {
            let (piece, more) = rest.split_at(cut.min(rest.len()));
            pieces.push(piece.to_vec());
            rest = more;
        }
        pieces.push(rest.to_vec());
        let (whole, cut) = runtime.block_on(async {
            (through(path, Answer::sse(body.clone())).await, through(path, Answer::pieces(pieces)).await)
        });
        let join = |got: &Got| if messages { message_texts(&got.body) } else { chat_texts(&got.body) };
        prop_assert_eq!(join(&whole), join(&cut));
        prop_assert!(!cut.body.contains(CREDENTIAL));
    }
}
