//! Tool calls are judged whole, before a client could run them.

use std::time::Duration;

use copilot_guard::audit::Outcome;
use copilot_guard::http::ResponseBody;
use serde_json::{Value, json};

use crate::support::*;

/// A chat stream with these calls, arguments in 7-byte pieces, interleaved.
fn chat_calls(calls: &[(&str, &str)]) -> String {
    let mut out = String::new();
    let mut chunk = |delta: Value, finish: Value| {
        out += &format!(
            "data: {}\n\n",
            json!({"id": "c", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})
        );
    };
    chunk(
        json!({"role": "assistant", "content": "Let me see. "}),
        Value::Null,
    );
    for (i, (name, _)) in calls.iter().enumerate() {
        chunk(
            json!({"tool_calls": [{"index": i, "id": format!("call_{i}"), "type": "function", "function": {"name": name, "arguments": ""}}]}),
            Value::Null,
        );
    }
    for at in 0..40 {
        for (i, (_, arguments)) in calls.iter().enumerate() {
            if let Some(piece) = arguments.as_bytes().chunks(7).nth(at) {
                let piece = String::from_utf8(piece.to_vec()).unwrap();
                chunk(
                    json!({"tool_calls": [{"index": i, "function": {"arguments": piece}}]}),
                    Value::Null,
                );
            }
        }
    }
    chunk(json!({}), json!("tool_calls"));
    out + "data: [DONE]\n\n"
}

fn message_calls(calls: &[(&str, &str)]) -> String {
    let mut events = vec![
        json!({"type": "message_start", "message": {"id": "m", "type": "message", "role": "assistant", "content": [], "model": "m"}}),
    ];
    for (i, (name, arguments)) in calls.iter().enumerate() {
        events.push(json!({"type": "content_block_start", "index": i, "content_block": {"type": "tool_use", "id": format!("call_{i}"), "name": name, "input": {}}}));
        for piece in arguments.as_bytes().chunks(7) {
            let piece = String::from_utf8(piece.to_vec()).unwrap();
            events.push(json!({"type": "content_block_delta", "index": i, "delta": {"type": "input_json_delta", "partial_json": piece}}));
        }
        events.push(json!({"type": "content_block_stop", "index": i}));
    }
    events.push(json!({"type": "message_delta", "delta": {"stop_reason": "tool_use", "stop_sequence": null}, "usage": {"output_tokens": 5}}));
    events.push(json!({"type": "message_stop"}));
    events
        .iter()
        .map(|e| format!("event: {}\ndata: {e}\n\n", e["type"].as_str().unwrap()))
        .collect()
}

const RM: (&str, &str) = ("bash", r#"{"command":"rm -rf ~/work"}"#);
const LS: (&str, &str) = ("bash", r#"{"command":"ls -l /tmp"}"#);
const DEPLOY: (&str, &str) = ("bash", r#"{"command":"make deploy"}"#);

async fn ask(path: &str, body: String) -> (Got, House) {
    let house = House::new(Model::one(Answer::sse(body)));
    let got = house.ask(streamed(path, "hi")).await;
    (got, house)
}

#[tokio::test]
async fn a_blocked_call_becomes_text() {
    let (got, house) = ask(CHAT, chat_calls(&[RM])).await;
    let texts = chat_texts(&got.body);
    assert!(
        !got.body.contains("rm -rf") && !got.body.contains("tool_calls"),
        "{}",
        got.body
    );
    assert!(
        texts["0.content"].contains("Nothing is removed here."),
        "{texts:?}"
    );
    assert_eq!(texts["0.finish"], "stop");
    let closing = &house.closings().await[0];
    assert_eq!(
        (closing.outcome, closing.decision.as_str()),
        (Outcome::Blocked, "block")
    );

    let (got, _) = ask(MESSAGES, message_calls(&[RM])).await;
    let texts = message_texts(&got.body);
    assert!(
        !got.body.contains("rm -rf") && !got.body.contains("tool_use"),
        "{}",
        got.body
    );
    assert!(texts["0.text"].contains("Nothing is removed here."), "{texts:?}");
    assert_eq!(
        (texts["0.kind"].as_str(), texts["stop"].as_str()),
        ("text", "end_turn")
    );
}

#[tokio::test]
async fn other_calls_of_the_message_survive() {
    for calls in [[RM, LS], [LS, RM]] {
        let (got, _) = ask(CHAT, chat_calls(&calls)).await;
        let texts = chat_texts(&got.body);
        assert_eq!(texts["0.tool[0].arguments"], LS.1, "{texts:?}");
        assert!(!texts.contains_key("0.tool[1].arguments"), "{texts:?}");
        assert_eq!(texts["0.finish"], "tool_calls");
        assert!(!got.body.contains("rm -rf"));

        let (got, _) = ask(MESSAGES, message_calls(&calls)).await;
        let texts = message_texts(&got.body);
        let at = if calls[0].1 == LS.1 { 0 } else { 1 };
        assert_eq!(texts[&format!("{at}.partial_json")], LS.1);
        assert!(texts[&format!("{}.text", 1 - at)].contains("Nothing is removed here."));
        assert_eq!(texts["stop"], "tool_use");
    }
}

/// The negative control: an innocent call passes unchanged.
#[tokio::test]
async fn an_innocent_call_passes() {
    let (got, house) = ask(CHAT, chat_calls(&[LS, LS])).await;
    let texts = chat_texts(&got.body);
    assert_eq!(
        (
            texts["0.tool[0].arguments"].as_str(),
            texts["0.tool[1].arguments"].as_str()
        ),
        (LS.1, LS.1)
    );
    assert_eq!(
        (texts["0.tool[0].id"].as_str(), texts["0.tool[1].id"].as_str()),
        ("call_0", "call_1")
    );
    assert_eq!(texts["0.content"], "Let me see. ");
    assert_eq!(house.outcome().await, Outcome::Completed);
}

/// Hidden in an escape, in a member's name, or without a shell's usual place.
#[tokio::test]
async fn disguises_do_not_help() {
    for arguments in [
        r#"{"command":"\u0072m -rf /"}"#,
        r#"{"\u0072m -rf /":1}"#,
        r#"{"a":[{"b":["rm -rf /"]}]}"#,
        r#"not json: rm -rf /"#,
        r#""rm -rf /""#,
    ] {
        let (got, _) = ask(CHAT, chat_calls(&[("x", arguments)])).await;
        let texts = chat_texts(&got.body);
        assert!(
            !got.body.contains("rm -rf") && !got.body.contains("tool_calls"),
            "{arguments}: {}",
            got.body
        );
        // What is not strict JSON cannot be judged, and ends the answer.
        let why = if arguments.starts_with("not json") {
            "[copilot-guard]"
        } else {
            "Nothing is removed"
        };
        assert!(texts["0.content"].contains(why), "{arguments}: {}", got.body);
    }
}

#[tokio::test]
async fn plain_answers_too() {
    let call = |(name, arguments): (&str, &str), i: usize| json!({"id": format!("call_{i}"), "type": "function", "function": {"name": name, "arguments": arguments}});
    for (calls, finish, left) in [(vec![RM], "stop", 0), (vec![RM, LS], "tool_calls", 1)] {
        let calls: Vec<Value> = calls.into_iter().enumerate().map(|(i, c)| call(c, i)).collect();
        for content in [json!("Let me see."), Value::Null] {
            let message = json!({"role": "assistant", "content": content, "tool_calls": calls});
            let body = json!({"id": "c", "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}]});
            let house = House::new(Model::one(Answer::json(body.to_string())));
            let got = house.ask(post(CHAT, prompt("hi", false))).await;
            let choice = &got.json()["choices"][0];
            assert!(!got.body.contains("rm -rf"), "{}", got.body);
            assert!(
                choice["message"]["content"]
                    .as_str()
                    .unwrap()
                    .contains("Nothing is removed"),
                "{}",
                got.body
            );
            assert_eq!(choice["finish_reason"], finish);
            assert_eq!(
                choice["message"]["tool_calls"].as_array().map_or(0, Vec::len),
                left,
                "{}",
                got.body
            );
        }
    }
    let block = |c: (&str, &str)| json!({"type": "tool_use", "id": "t", "name": c.0, "input": serde_json::from_str::<Value>(c.1).unwrap()});
    let body = json!({"id": "m", "type": "message", "role": "assistant", "content": [block(RM), block(LS)], "stop_reason": "tool_use"});
    let got = House::new(Model::one(Answer::json(body.to_string())))
        .ask(post(MESSAGES, prompt("hi", false)))
        .await;
    assert_eq!(got.json()["content"][0]["type"], "text");
    assert_eq!(got.json()["content"][1], block(LS));
    assert_eq!(got.json()["stop_reason"], "tool_use");
}

/// Reads pieces until `seconds` of paused time have gone by.
async fn pieces_for(body: &mut ResponseBody, seconds: u64) -> String {
    let mut all = String::new();
    let _ = tokio::time::timeout(Duration::from_secs(seconds), async {
        while let Some(piece) = http_body_util::BodyExt::frame(body).await {
            all += std::str::from_utf8(&piece.unwrap().into_data().unwrap()).unwrap();
        }
    })
    .await;
    all
}

async fn held(path: &str) -> (House, http::Response<ResponseBody>, String) {
    let body = if path == CHAT {
        chat_calls(&[DEPLOY, LS])
    } else {
        message_calls(&[DEPLOY, LS])
    };
    let house = House::new(Model::one(Answer::sse(body)));
    let mut response = house.send(streamed(path, "hi")).await;
    let begun = pieces_for(response.body_mut(), 45).await;
    assert!(
        !begun.contains("deploy"),
        "the call left before the vote: {begun}"
    );
    let alive = if path == CHAT {
        r#"{"content":""}"#
    } else {
        "event: ping"
    };
    assert!(
        (3..=6).contains(&begun.matches(alive).count()),
        "keep-alives: {begun}"
    );
    (house, response, begun)
}

#[tokio::test(start_paused = true)]
async fn an_approved_call_is_released() {
    for path in [CHAT, MESSAGES] {
        let (house, response, begun) = held(path).await;
        house.vote(true).await;
        let body = begun + &read(response).await.body;
        let texts = if path == CHAT {
            chat_texts(&body)
        } else {
            message_texts(&body)
        };
        let key = if path == CHAT {
            "0.tool[0].arguments"
        } else {
            "0.partial_json"
        };
        assert_eq!(texts[key], DEPLOY.1);
        assert_eq!(house.outcome().await, Outcome::Completed);
        assert_eq!(house.model.calls(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_denied_call_is_replaced() {
    for path in [CHAT, MESSAGES] {
        let (house, response, begun) = held(path).await;
        house.vote(false).await;
        let body = begun + &read(response).await.body;
        assert!(!body.contains("make deploy"));
        let texts = if path == CHAT {
            chat_texts(&body)
        } else {
            message_texts(&body)
        };
        assert!(
            texts.values().any(|t| t.contains("A reviewer has denied this")),
            "{texts:?}"
        );
        // The other call survives.
        let key = if path == CHAT {
            "0.tool[0].arguments"
        } else {
            "1.partial_json"
        };
        assert_eq!(texts[key], LS.1);
        house.checked().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_nobody_votes_on_ends_with_a_notice() {
    for path in [CHAT, MESSAGES] {
        let (house, response, begun) = held(path).await;
        let body = begun + &read(response).await.body;
        let texts = if path == CHAT {
            chat_texts(&body)
        } else {
            message_texts(&body)
        };
        assert!(
            texts.values().any(|t| t.contains("still waits for a reviewer")),
            "{texts:?}"
        );
        assert!(!body.contains("make deploy"));
        assert_eq!(house.outcome().await, Outcome::HeldOver);
        assert_eq!(house.pending().await.len(), 1);
    }
}

/// Upstream goes on behind a held call, and may even end: nothing of it is lost, nothing passes early.
#[tokio::test(start_paused = true)]
async fn upstream_may_break_off_behind_a_held_call() {
    let whole = message_calls(&[DEPLOY, LS]);
    let cut = whole.find("call_1").unwrap();
    let house = House::new(Model::one(Answer::pieces([whole[..cut].to_owned()]).cut()));
    let mut response = house.send(streamed(MESSAGES, "hi")).await;
    let begun = pieces_for(response.body_mut(), 15).await;
    house.vote(true).await;
    let texts = message_texts(&(begun + &read(response).await.body));
    assert_eq!(texts["0.partial_json"], DEPLOY.1);
    assert!(texts["1.text"].contains("broke off"), "{texts:?}");
    assert_eq!(house.outcome().await, Outcome::UpstreamFailed);
}
