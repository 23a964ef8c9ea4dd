//! Plain answers.

use copilot_guard::exchange::PlainStep;
use serde_json::{Value, json};

use super::*;

fn answer(output: Value) -> String {
    json!({"id": "resp_up", "object": "response", "status": "completed", "model": "m", "output": output,
           "output_text": leaky(), "usage": {"total_tokens": 3}})
    .to_string()
}

fn judge(body: &str) -> Result<Value, String> {
    let mut exchange = plain_exchange();
    for _ in 0..4 {
        match exchange.judge(body.as_bytes()) {
            Ok(PlainStep::Deliver(out)) => {
                assert!(!out.contains(&secret()) && !out.contains("rm -rf"), "{out}");
                return Ok(serde_json::from_str(&out).unwrap());
            }
            Ok(PlainStep::Ask(question)) => exchange.handle_answer(question.call.number, CallAnswer::Approve),
            Ok(PlainStep::Blocked(notice)) => return Err(notice),
            Err(e) => return Err(e.to_string()),
        }
    }
    panic!("asked without end");
}

#[test]
fn items_are_judged_one_by_one() {
    let call = |name: &str, arguments: Value| json!({"id": "f", "type": "function_call", "call_id": "c", "name": name, "arguments": arguments.to_string()});
    let body = answer(json!([
        {"id": "r", "type": "reasoning", "encrypted_content": "gAAAA", "summary": [{"type": "summary_text", "text": leaky()}]},
        {"id": "m", "type": "message", "role": "assistant", "content": [{"type": "output_text", "text": leaky(), "annotations": [], "logprobs": [{"token": secret()}]}]},
        call("sh", json!({"c": leaky()})),
        call("sh", json!({"c": "rm -rf /"})),
        call("sh", json!({"c": "deploy"})),
        {"id": "p", "type": "custom_tool_call", "call_id": "c", "name": "apply_patch", "input": leaky()},
        {"id": "l", "type": "local_shell_call", "call_id": "c", "action": {"command": ["rm -rf /"]}},
    ]));
    let got = judge(&body).unwrap();
    let output = &got["output"];
    assert_eq!(got["output_text"], clean());
    assert_eq!(
        output[0],
        json!({"id": "r", "type": "reasoning", "encrypted_content": "gAAAA", "summary": [{"type": "summary_text", "text": clean()}]})
    );
    assert_eq!(
        output[1]["content"],
        json!([{"type": "output_text", "text": clean(), "annotations": [], "logprobs": []}])
    );
    assert_eq!(output[2]["arguments"], json!({"c": clean()}).to_string());
    assert_eq!(output[3]["id"], "msg_up_3");
    assert_eq!(output[4]["arguments"], json!({"c": "deploy"}).to_string());
    assert_eq!(output[5]["input"], clean());
    for replaced in [3, 6] {
        assert_eq!(output[replaced]["type"], "message");
        assert!(
            output[replaced]["content"][0]["text"]
                .as_str()
                .unwrap()
                .starts_with("[copilot-guard]")
        );
    }
}

#[test]
fn what_is_no_answer_is_refused() {
    for body in [
        json!({}),
        json!({"output": "x"}),
        json!({"output": ["rm -rf"]}),
        json!({"output": [{"type": "message", "content": [{"type": "function_call", "arguments": "rm -rf"}]}]}),
        json!({"output": [{"type": "function_call", "name": "sh", "arguments": {"c": "rm -rf"}}]}),
    ] {
        assert!(judge(&body.to_string()).is_err(), "{body}");
    }
    assert!(
        judge(&answer(
            json!([{"type": "message", "content": [{"text": "a falcon"}]}])
        ))
        .is_err()
    );
}

#[test]
fn the_notice_is_an_answer() {
    let text = Dialect::Responses
        .plain_notice(&envelope(), "No \"deal\".")
        .unwrap();
    let got: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(
        (&got["status"], &got["output"][0]["content"][0]["text"]),
        (&json!("completed"), &json!("No \"deal\"."))
    );
    assert_eq!(
        (&got["id"], &got["usage"]["total_tokens"]),
        (&json!("resp_own"), &json!(0))
    );
}
