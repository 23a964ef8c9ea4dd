//! Secrets in answers that are not streamed.

use copilot_guard::audit::Outcome;
use serde_json::{Value, json};

use crate::masking::{clean, leaky, through};
use crate::support::*;

#[tokio::test]
async fn plain_answers() {
    let chat = json!({"id": "c", "model": "m", "x_unknown": leaky(), "choices": [
        {"index": 0, "message": {"role": "assistant", "content": leaky(), "reasoning_content": leaky(),
            "tool_calls": [{"id": "call_1", "type": "function", "function": {"name": "bash", "arguments": json!({"c": leaky()}).to_string()}}]},
         "logprobs": {"content": [{"token": SECRET}]}, "finish_reason": "tool_calls"},
        {"index": 1, "message": {"role": "assistant", "content": leaky(),
            "function_call": {"name": "bash", "arguments": json!({"c": leaky()}).to_string()}}, "finish_reason": "stop"}]});
    let got = through(CHAT, Answer::json(chat.to_string())).await;
    let shown = got.json();
    assert!(
        !got.body.contains(SECRET) && !got.body.contains(CREDENTIAL),
        "{}",
        got.body
    );
    let first = &shown["choices"][0];
    assert_eq!(first["message"]["content"], clean());
    assert_eq!(first["message"]["reasoning_content"], clean());
    assert_eq!(first["logprobs"], Value::Null);
    let arguments = first["message"]["tool_calls"][0]["function"]["arguments"]
        .as_str()
        .unwrap();
    assert_eq!(serde_json::from_str::<Value>(arguments).unwrap()["c"], clean());
    assert_eq!(shown["choices"][1]["message"]["content"], clean());
    assert_eq!(shown["x_unknown"], clean());

    let message = json!({"id": "msg", "type": "message", "role": "assistant", "model": "m", "stop_reason": "tool_use", "content": [
        {"type": "thinking", "thinking": "hm", "signature": SECRET},
        {"type": "redacted_thinking", "data": SECRET},
        {"type": "text", "text": leaky(), "citations": [{"cited_text": leaky()}]},
        {"type": "tool_use", "id": "t", "name": "bash", "input": {"c": [leaky()], "n": 1.5}}]});
    let house = House::new(Model::one(Answer::json(message.to_string())));
    let got = house.ask(post(MESSAGES, prompt("hi", false))).await;
    let shown = got.json();
    assert_eq!(
        shown["content"][0], message["content"][0],
        "signed reasoning passes as it is"
    );
    assert_eq!(shown["content"][1], message["content"][1]);
    assert_eq!(shown["content"][2]["text"], clean());
    assert_eq!(shown["content"][2]["citations"][0]["cited_text"], clean());
    assert_eq!(shown["content"][3]["input"]["c"][0], clean());
    assert_eq!(
        house.closings().await[0].not_scanned.len(),
        2,
        "signature and encrypted reasoning"
    );
}

#[tokio::test]
async fn plain_signed_reasoning_with_a_secret_is_withheld() {
    let message = json!({"id": "msg", "type": "message", "role": "assistant", "model": "m", "stop_reason": "end_turn", "content": [
        {"type": "thinking", "thinking": leaky(), "signature": "c2ln"}, {"type": "text", "text": "fine"}]});
    let house = House::new(Model::one(Answer::json(message.to_string())));
    let got = house.ask(post(MESSAGES, prompt("hi", false))).await;
    assert!(
        !got.body.contains(SECRET) && !got.body.contains("c2ln"),
        "{}",
        got.body
    );
    assert!(
        got.json()["content"][0]["text"]
            .as_str()
            .unwrap()
            .starts_with("[copilot-guard]")
    );
    assert_eq!(house.outcome().await, Outcome::Blocked);
}
