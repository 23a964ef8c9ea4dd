//! Requests: refused, masked, malformed.

use copilot_guard::audit::{EventKind, Outcome};
use copilot_guard::guard::RefusalForm;
use http::Request;
use serde_json::{Value, json};

use crate::support::*;

const HELLO: &str =
    r#"{"choices":[{"index":0,"message":{"role":"assistant","content":"hello"},"finish_reason":"stop"}]}"#;
const HELLO_MESSAGE: &str = r#"{"id":"m","type":"message","role":"assistant","content":[{"type":"text","text":"hello"}],"stop_reason":"end_turn"}"#;

fn hello(path: &str) -> Answer {
    Answer::json(if path == CHAT { HELLO } else { HELLO_MESSAGE })
}

#[tokio::test]
async fn a_blocked_prompt_is_a_400_in_the_dialect() {
    for path in [CHAT, MESSAGES] {
        for stream in [true, false] {
            let house = House::new(Model::new([]));
            let got = house.ask(post(path, prompt("what is Falcon?", stream))).await;
            assert_eq!(
                (got.status, got.code().as_str()),
                (400, "blocked_by_policy"),
                "{got:?}"
            );
            let message = got.json()["error"]["message"].as_str().unwrap().to_owned();
            let exchange = got.header("x-copilot-guard-exchange").to_owned();
            assert!(
                message.contains("Falcon stays in the house.") && message.contains(&exchange),
                "{message}"
            );
            assert_eq!(got.header("x-copilot-guard-decision"), "block");
            assert!(!got.header("x-github-request-id").is_empty());
            assert_eq!(got.header("content-type"), "application/json");
            if path == MESSAGES {
                assert_eq!(got.json()["type"], "error");
            }
            assert_eq!(house.model.calls(), 0);
            assert_eq!(house.outcome().await, Outcome::Blocked);
            assert_eq!(house.opening().await.hits[0].id, "no-falcon");
        }
    }
}

#[tokio::test]
async fn or_the_assistants_text() {
    for path in [CHAT, MESSAGES] {
        let house = House::with(Model::new([]), |s| s.refusal = RefusalForm::AssistantText);
        let got = house.ask(streamed(path, "falcon")).await;
        assert_eq!(
            (got.status, got.header("content-type")),
            (200, "text/event-stream")
        );
        let texts = if path == CHAT {
            chat_texts(&got.body)
        } else {
            message_texts(&got.body)
        };
        assert!(
            texts.values().any(|t| t.contains("Falcon stays in the house.")),
            "{texts:?}"
        );
        let got = house.ask(post(path, prompt("falcon", false))).await;
        assert_eq!(got.status, 200);
        assert!(got.body.contains("Falcon stays in the house."), "{}", got.body);
        assert_eq!(got.header("x-copilot-guard-decision"), "block");
        assert_eq!(house.model.calls(), 0);
        assert!(
            house
                .closings()
                .await
                .iter()
                .all(|c| c.outcome == Outcome::Blocked)
        );
    }
}

#[tokio::test]
async fn the_word_is_found_wherever_it_stands() {
    let messages = |content: Value| json!({"model": "m", "messages": [{"role": "user", "content": content}]});
    let bodies = [
        messages(json!([{"type": "text", "text": "falcon"}])),
        messages(json!([{"type": "brand_new", "x": {"y": ["falcon"]}}])),
        json!({"model": "m", "messages": [], "system": "falcon"}),
        json!({"model": "m", "messages": [], "tools": [{"name": "t", "description": "falcon"}]}),
        json!({"model": "m", "messages": [], "metadata": {"note": "falcon"}}),
        json!({"model": "m", "messages": [{"role": "assistant", "content": "falcon"}]}),
        json!({"model": "m", "messages": [{"role": "assistant", "content": null, "tool_calls": [{"id": "1", "type": "function", "function": {"name": "f", "arguments": "{\"a\":\"falcon\"}"}}]}]}),
    ];
    for body in bodies {
        for path in [CHAT, MESSAGES] {
            let house = House::new(Model::one(hello(path)));
            let got = house.ask(post(path, body.to_string())).await;
            assert_eq!(got.status, 400, "{body}");
        }
    }
    // As an escape.
    let house = House::new(Model::one(hello(CHAT)));
    let body = r#"{"model":"m","messages":[{"role":"user","content":"f\u0061lcon"}]}"#;
    assert_eq!(house.ask(post(CHAT, body)).await.status, 400);
}

#[tokio::test]
async fn masks_change_what_goes_up() {
    let chat = json!({"model": "m", "n": 1.50, "messages": [
        {"role": "user", "content": format!("customer CUST-123456 and {SECRET}")},
        {"role": "tool", "tool_call_id": "c", "content": format!("result: {SECRET}")}]});
    let message = json!({"model": "m", "max_tokens": 5, "messages": [
        {"role": "user", "content": "customer CUST-123456"},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": [{"type": "text", "text": SECRET}]}]}]});
    for (path, body) in [(CHAT, chat), (MESSAGES, message)] {
        let house = House::new(Model::one(hello(path)));
        let got = house.ask(post(path, body.to_string())).await;
        assert_eq!(
            (got.status, got.header("x-copilot-guard-decision")),
            (200, "mask")
        );
        let up = &house.model.seen()[0].body;
        assert!(!up.contains("CUST-123456"), "{up}");
        assert!(up.contains("[REDACTED:customer-numbers]"), "{up}");
        let results: Value = serde_json::from_str(up).unwrap();
        let result = results["messages"][1].to_string();
        assert!(result.contains(MARK) && !result.contains("ACME-INT"), "{up}");
        let opening = house.opening().await;
        // What is on record is what went up, but for secrets that policy lets pass in prompts.
        assert_eq!(opening.request, up.replace(SECRET, MARK));
        assert!(!opening.masks.is_empty());
        house.checked().await;
    }
}

#[tokio::test]
async fn an_allowed_request_goes_up_as_it_is() {
    let body = r#"{"model":"m","messages":[{"role":"user","content":"h\u00e9 \/ 1"}],"seed":1e400,"x":{"new":[1.0,null]}}"#;
    let house = House::new(Model::one(Answer::json(HELLO)));
    let mut request = post(&format!("{CHAT}?beta=true"), body);
    request
        .headers_mut()
        .insert("x-initiator", "user".parse().unwrap());
    assert_eq!(house.ask(request).await.status, 200);
    let seen = &house.model.seen()[0];
    assert_eq!(
        (seen.body.as_str(), seen.uri.as_str()),
        (body, "/v1/chat/completions?beta=true")
    );
    assert_eq!(seen.headers["x-initiator"], "user");
    assert_eq!(seen.headers["accept-encoding"], "identity");
}

#[tokio::test]
async fn malformed_bodies_are_refused_and_recorded() {
    let deep = format!(
        r#"{{"model":"m","messages":[],"x":{}{}}}"#,
        "[".repeat(200),
        "]".repeat(200)
    );
    let bodies: Vec<Vec<u8>> = vec![
        b"".to_vec(),
        b"null".to_vec(),
        b"[]".to_vec(),
        b"{}".to_vec(),
        br#"{"model":"m","messages":[]} x"#.to_vec(),
        br#"{"model":"m","messages":[]}{"model":"m","messages":[]}"#.to_vec(),
        br#"{"model":"m","messages":[],"messages":[{"role":"user","content":"falcon"}]}"#.to_vec(),
        br#"{"model":"m","messages":[],"m\u0065ssages":[]}"#.to_vec(),
        br#"{"model":"m","messages":[{"role":"user","content":"a","content":"b"}]}"#.to_vec(),
        br#"{"model":7,"messages":[]}"#.to_vec(),
        br#"{"model":"m","messages":{}}"#.to_vec(),
        br#"{"model":"m","messages":[7]}"#.to_vec(),
        br#"{"model":"m","messages":[{"content":"x"}]}"#.to_vec(),
        br#"{"model":"m","messages":[],"stream":"true"}"#.to_vec(),
        b"{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"\xff\"}]}".to_vec(),
        b"{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"\n\"}]}".to_vec(),
        b"\xef\xbb\xbf{\"model\":\"m\",\"messages\":[]}".to_vec(),
        br#"{"model":"m","messages":[],"x":"\ud800"}"#.to_vec(),
        br#"{"model":"m","messages":[],"x":01}"#.to_vec(),
        br#"{"model":"m","messages":[],"api_base":"https://elsewhere.example"}"#.to_vec(),
        br#"{"model":"m","messages":[],"x":[{"baseUrl":"https://elsewhere.example"}]}"#.to_vec(),
        br#"{"model":"m","messages":[],"x":NaN}"#.to_vec(),
        deep.into_bytes(),
        vec![0x1f, 0x8b, 8, 0],
    ];
    for body in bodies {
        for path in [CHAT, MESSAGES] {
            let house = House::new(Model::new([]));
            let shown = String::from_utf8_lossy(&body[..body.len().min(80)]).into_owned();
            let got = house.ask(post(path, body.clone())).await;
            assert_eq!(
                (got.status, got.code().as_str()),
                (400, "malformed_request"),
                "{shown}: {got:?}"
            );
            assert_eq!(house.model.calls(), 0, "{shown}");
            assert_eq!(house.outcome().await, Outcome::Refused, "{shown}");
        }
    }
}

#[tokio::test]
async fn compressed_bodies_are_refused() {
    for encoding in ["gzip", "br", "identity, gzip", "x"] {
        let house = House::new(Model::new([]));
        let mut request = post(CHAT, prompt("hi", false));
        request
            .headers_mut()
            .insert("content-encoding", encoding.parse().unwrap());
        let got = house.ask(request).await;
        assert_eq!((got.status, got.code().as_str()), (400, "malformed_request"));
        assert_eq!(house.model.calls(), 0);
        assert_eq!(house.outcome().await, Outcome::Refused);
    }
    // Two fields, the first of which is harmless.
    let house = House::new(Model::new([]));
    let mut request = post(CHAT, prompt("hi", false));
    request
        .headers_mut()
        .append("content-encoding", "identity".parse().unwrap());
    request
        .headers_mut()
        .append("content-encoding", "gzip".parse().unwrap());
    assert_eq!(house.ask(request).await.status, 400);
}

#[tokio::test]
async fn sizes_routes_and_upgrades() {
    let house = House::with(Model::new([Answer::json(HELLO)]), |s| s.max_request_bytes = 200);
    let fits = house.ask(post(CHAT, prompt("hi", false))).await;
    assert_eq!(fits.status, 200);
    let got = house.ask(post(CHAT, prompt(&"x".repeat(300), false))).await;
    assert_eq!(
        (got.status, got.code().as_str()),
        (413, "request_too_large"),
        "{got:?}"
    );
    for (method, path) in [
        ("POST", "/v1/assistants"),
        ("GET", CHAT),
        ("POST", "/v1/chat/completions/"),
        ("POST", "//v1/chat/completions"),
        ("POST", "/v1/chat/%63ompletions"),
        ("POST", "/V1/chat/completions"),
    ] {
        let mut request = post(path, prompt("hi", false));
        *request.method_mut() = method.parse().unwrap();
        let got = house.ask(request).await;
        assert_eq!(
            (got.status, got.code().as_str()),
            (404, "unknown_route"),
            "{method} {path}"
        );
    }
    let mut request = post(CHAT, prompt("hi", false));
    request
        .headers_mut()
        .insert("upgrade", "websocket".parse().unwrap());
    assert_eq!(house.ask(request).await.code(), "upgrade_refused");
    assert_eq!(house.model.calls(), 1);
    let events = house.checked().await;
    let refused = events
        .iter()
        .filter(|e| matches!(e.kind, EventKind::Refused { .. }))
        .count();
    assert_eq!(refused, 8);
}

#[tokio::test]
async fn strangers_are_refused() {
    for (token, status) in [("nobody", 401), ("", 401)] {
        let house = House::new(Model::new([]));
        let got = house.ask(as_person(token, CHAT, prompt("hi", false))).await;
        assert_eq!(got.status, status);
        assert_eq!(got.code(), "invalid_token");
        assert!(got.headers.contains_key("www-authenticate"));
        let none = Request::post(CHAT).body(http_body_util::Full::default()).unwrap();
        assert_eq!(house.ask(none).await.status, 401);
        assert_eq!(house.model.calls(), 0);
    }
}

/// The answer to what was asked: an output rule that blocks ends the answer with its message.
#[tokio::test]
async fn an_output_rule_ends_the_answer() {
    let chunk = |t: &str| {
        format!(
            "data: {{\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{t}\"}},\"finish_reason\":null}}]}}\n\n"
        )
    };
    let body = chunk("before ") + &chunk("OME") + &chunk("GA-12") + &chunk("34 after") + "data: [DONE]\n\n";
    let house = House::new(Model::one(Answer::sse(body)));
    let got = house.ask(streamed(CHAT, "hi")).await;
    let texts = chat_texts(&got.body);
    assert!(
        texts["0.content"].starts_with("before \n\n[copilot-guard] Omega is not for the screen."),
        "{texts:?}"
    );
    assert!(!got.body.contains("OMEGA") && !got.body.contains("after"));
    assert_eq!(house.outcome().await, Outcome::Blocked);
}
