//! The scenarios. Each takes a server whose model answers as the scenario says.

use copilot_guard::audit::{AuditReader, Outcome};
use serde_json::json;

use super::client::read_until;
use super::{Answer, Client, Server, until};

const CHAT: &str = "/v1/chat/completions";
const MESSAGES: &str = "/v1/messages";
const MARK: &str = "[REDACTED:github-pat]";

/// The text with its one tag taken out: tags are random.
fn untagged(text: &str) -> String {
    let opening = "[REDACTED:github-pat:";
    let Some((front, back)) = text.split_once(opening) else {
        return text.to_owned();
    };
    let (tag, back) = back.split_at(8);
    assert!(
        tag.bytes()
            .all(|b| b.is_ascii_lowercase() || (b'2'..=b'7').contains(&b)),
        "{tag}"
    );
    format!("{front}{MARK}{}", back.strip_prefix(']').unwrap())
}

/// A token that looks real and is not.
fn secret() -> String {
    let letters = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    let tail = (0..36usize).map(|i| char::from(letters[(i * 37 + i * i * 11 + 5) % letters.len()]));
    format!("ghp_{}", tail.collect::<String>())
}

fn prompt(text: &str, stream: bool) -> String {
    json!({"model": "m", "stream": stream, "max_tokens": 9, "messages": [{"role": "user", "content": text}]})
        .to_string()
}

fn data(event: &serde_json::Value) -> String {
    format!("data: {event}\n\n")
}

fn named(event: &serde_json::Value) -> String {
    format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap())
}

fn chat(delta: serde_json::Value, finish: Option<&str>) -> String {
    data(
        &json!({"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m",
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}),
    )
}

/// A chat answer whose text comes one byte per event.
pub(crate) fn chat_content() -> Answer {
    let mut events = vec![chat(json!({"role": "assistant", "content": ""}), None)];
    for byte in format!("key {} end", secret()).chars() {
        events.push(chat(json!({"content": byte.to_string()}), None));
    }
    events.push(chat(json!({}), Some("stop")));
    events.push("data: [DONE]\n\n".to_owned());
    Answer::Events(events)
}

/// The same with the text in one event.
pub(crate) fn chat_content_whole() -> Answer {
    Answer::Events(vec![
        chat(
            json!({"role": "assistant", "content": format!("key {} end", secret())}),
            None,
        ),
        chat(json!({}), Some("stop")),
        "data: [DONE]\n\n".to_owned(),
    ])
}

pub(crate) async fn masks_chat_content(server: &Server) {
    let reply = server.data.post(CHAT, "dev-bob", &prompt("hi", true)).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    assert!(!reply.body.contains(&secret()), "{}", reply.body);
    let text = reply.joined("/choices/0/delta/content");
    assert_eq!(untagged(&text), format!("key {MARK} end"));
    assert!(reply.body.ends_with("data: [DONE]\n\n"), "{}", reply.body);
    let record = server.ended(Outcome::Completed).await;
    assert_eq!((record.subject.as_str(), record.status), ("bob", Some(200)));
    assert!(
        reply
            .head
            .contains(&format!("x-copilot-guard-exchange: {}", record.id))
    );
    let events = server.store.events(record.id).await.unwrap();
    let events = serde_json::to_string(&events).unwrap();
    assert!(
        events.contains("delivered") && events.contains("completed"),
        "{events}"
    );
    assert!(
        !events.contains(&secret()) && !events.contains("dev-bob"),
        "{events}"
    );
    // The handler saw who asks and in which exchange, the headers with all their values, and no credential.
    let seen = server.script.seen().remove(0);
    assert!(seen.starts_with(&format!("bob {} 1,2 ", record.id)), "{seen}");
    assert!(!seen.contains("dev-bob"), "{seen}");
}

/// The control to the masking scenarios: the same answer without a guard is the secret itself.
pub(crate) async fn leaks_without_a_guard(client: &Client) {
    let reply = client.post(CHAT, "nobody", &prompt("hi", true)).await;
    let text = reply.joined("/choices/0/delta/content");
    assert_eq!(text, format!("key {} end", secret()));
}

/// A tool call whose arguments come one byte per event.
pub(crate) fn chat_arguments() -> Answer {
    let call = json!({"index": 0, "id": "t", "type": "function", "function": {"name": "write_file", "arguments": ""}});
    let mut events = vec![chat(json!({"role": "assistant", "tool_calls": [call]}), None)];
    let arguments = json!({"path": "notes.txt", "text": format!("key {} end", secret())}).to_string();
    for byte in arguments.chars() {
        let call = json!({"index": 0, "function": {"arguments": byte.to_string()}});
        events.push(chat(json!({"tool_calls": [call]}), None));
    }
    events.push(chat(json!({}), Some("tool_calls")));
    events.push("data: [DONE]\n\n".to_owned());
    Answer::Events(events)
}

pub(crate) async fn masks_chat_arguments(server: &Server) {
    let reply = server.data.post(CHAT, "dev-bob", &prompt("hi", true)).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    assert!(!reply.body.contains(&secret()), "{}", reply.body);
    let arguments = reply.joined("/choices/0/delta/tool_calls/0/function/arguments");
    let arguments: serde_json::Value = serde_json::from_str(&arguments).unwrap();
    assert_eq!(
        untagged(arguments["text"].as_str().unwrap()),
        format!("key {MARK} end")
    );
}

/// An Anthropic answer whose text comes one byte per event.
pub(crate) fn messages_text() -> Answer {
    let message = json!({"id": "m", "type": "message", "role": "assistant", "model": "m", "content": [],
        "stop_reason": null, "stop_sequence": null, "usage": {"input_tokens": 1, "output_tokens": 1}});
    let mut events = vec![
        named(&json!({"type": "message_start", "message": message})),
        named(
            &json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}),
        ),
    ];
    for byte in format!("key {} end", secret()).chars() {
        let delta = json!({"type": "text_delta", "text": byte.to_string()});
        events.push(named(
            &json!({"type": "content_block_delta", "index": 0, "delta": delta}),
        ));
    }
    events.push(named(&json!({"type": "content_block_stop", "index": 0})));
    events.push(named(&json!({"type": "message_delta",
        "delta": {"stop_reason": "end_turn", "stop_sequence": null}, "usage": {"output_tokens": 9}})));
    events.push(named(&json!({"type": "message_stop"})));
    Answer::Events(events)
}

pub(crate) async fn masks_messages_text(server: &Server) {
    let reply = server.data.post(MESSAGES, "dev-bob", &prompt("hi", true)).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    assert!(!reply.body.contains(&secret()), "{}", reply.body);
    assert_eq!(untagged(&reply.joined("/delta/text")), format!("key {MARK} end"));
    assert!(reply.body.contains("event: message_stop"), "{}", reply.body);
}

/// A plain chat answer with a secret.
pub(crate) fn plain() -> Answer {
    let message = json!({"role": "assistant", "content": format!("key {}", secret())});
    Answer::Json(
        json!({"id": "c", "object": "chat.completion", "created": 1, "model": "m",
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]})
        .to_string(),
    )
}

pub(crate) async fn masks_plain(server: &Server) {
    let body = prompt(&format!("use {}", secret()), false);
    let reply = server.data.post(CHAT, "dev-bob", &body).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    let reply_json = reply.json();
    let content = reply_json
        .pointer("/choices/0/message/content")
        .and_then(|c| c.as_str());
    assert_eq!(content.map(untagged), Some(format!("key {MARK}")));
    assert!(reply.head.contains("content-length: "), "{}", reply.head);
    server.ended(Outcome::Completed).await;
}

/// Nothing without a route and a token reaches the handler.
pub(crate) async fn strangers_stay_out(server: &Server) {
    for (method, path, token, status) in [
        ("POST", CHAT, None, 401),
        ("POST", CHAT, Some("nobody"), 401),
        ("POST", CHAT, Some("admin-ann"), 401),
        ("POST", "/extra", Some("dev-bob"), 404),
        ("GET", CHAT, Some("dev-bob"), 404),
        ("POST", "/v1/chat%2fcompletions", Some("dev-bob"), 404),
        ("POST", "/api/approvals", Some("admin-ann"), 404),
    ] {
        let reply = server
            .data
            .request(method, path, token, &prompt("hi", false))
            .await;
        assert_eq!(reply.status, status, "{method} {path} {token:?}: {reply:?}");
        assert!(
            reply.head.contains("x-copilot-guard-exchange: "),
            "{}",
            reply.head
        );
    }
    assert_eq!(server.script.calls(), 0);
    // The control: the same request with a token reaches it.
    assert_eq!(
        server
            .data
            .post(CHAT, "dev-bob", &prompt("hi", false))
            .await
            .status,
        200
    );
    assert_eq!(server.script.calls(), 1);
}

/// A chat answer without an end.
pub(crate) fn endless() -> Answer {
    Answer::Endless(chat(json!({"content": "word "}), None))
}

pub(crate) async fn leaving_ends_the_exchange(server: &Server) {
    let mut stream = server
        .data
        .send("POST", CHAT, Some("dev-bob"), &prompt("hi", true))
        .await;
    read_until(&mut stream, "word").await;
    assert_eq!(server.script.dropped(), 0);
    drop(stream);
    let record = server.ended(Outcome::ClientGone).await;
    assert_eq!(record.subject, "bob");
    until("the upstream body to be dropped", async || {
        (server.script.dropped() == 1).then_some(())
    })
    .await;
}

/// Leaving while a vote is awaited: the guard's own no-ops find out.
pub(crate) async fn leaving_a_hold_ends_the_exchange(server: &Server) {
    let body = prompt("look into the production database", true);
    let mut stream = server.data.send("POST", CHAT, Some("dev-ann"), &body).await;
    read_until(&mut stream, "data: ").await;
    drop(stream);
    server.ended(Outcome::ClientGone).await;
    assert_eq!(server.script.calls(), 0);
}

/// Leaves while the handler has not answered yet.
pub(crate) async fn leave_a_pending_call(server: &Server) {
    let stream = server
        .data
        .send("POST", CHAT, Some("dev-bob"), &prompt("hi", false))
        .await;
    until("the call", async || (server.script.calls() == 1).then_some(())).await;
    drop(stream);
}

/// A handler that fails is a recorded 502.
pub(crate) async fn failure_is_recorded(server: &Server) {
    let reply = server.data.post(CHAT, "dev-bob", &prompt("hi", false)).await;
    assert_eq!(reply.status, 502, "{reply:?}");
    assert!(!reply.body.contains("scripted"), "{}", reply.body);
    assert_eq!(reply.json()["error"]["code"], "upstream_failed", "{}", reply.body);
    let record = server.ended(Outcome::UpstreamFailed).await;
    assert!(
        reply
            .head
            .contains(&format!("x-copilot-guard-exchange: {}", record.id))
    );
    assert_eq!(record.status, Some(502));
}

/// A held prompt: the requester may not approve, another reviewer may, and there is one inner call.
pub(crate) async fn approval_releases_one_call(server: &Server, stream: bool) {
    let client = server.data.clone();
    let body = prompt("look into the production database", stream);
    let held = tokio::spawn(async move { client.post(CHAT, "dev-ann", &body).await });
    let id = until("the approval", async || {
        let reply = server
            .admin
            .get("/api/approvals?state=pending", "admin-rae")
            .await;
        assert_eq!(reply.status, 200, "{reply:?}");
        reply.json()["items"][0]["id"].as_str().map(str::to_owned)
    })
    .await;
    assert_eq!(server.script.calls(), 0);
    let votes = format!("/api/approvals/{id}/votes");
    let approve = r#"{"vote":"approve","reason":"seen"}"#;
    // Not a reviewer, a token of the data plane, and the requester herself.
    assert_eq!(server.admin.post(&votes, "admin-bob", approve).await.status, 403);
    assert_eq!(server.admin.post(&votes, "dev-rae", approve).await.status, 401);
    assert_eq!(server.admin.post(&votes, "admin-ann", approve).await.status, 403);
    let long = format!(r#"{{"vote":"approve","reason":"{}"}}"#, "x".repeat(70_000));
    assert_eq!(server.admin.post(&votes, "admin-rae", &long).await.status, 413);
    assert_eq!(server.script.calls(), 0);
    let vote = server.admin.post(&votes, "admin-rae", approve).await;
    assert_eq!(vote.status, 200, "{vote:?}");
    let reply = tokio::time::timeout(super::BOUND, held).await.unwrap().unwrap();
    assert_eq!(reply.status, 200, "{reply:?}");
    assert!(untagged(&reply.body).contains(MARK), "{}", reply.body);
    assert_eq!(server.script.calls(), 1);
    let record = server.ended(Outcome::Completed).await;
    let path = format!("/api/exchanges/{}", record.id);
    let shown = server.admin.get(&path, "admin-rae").await.json();
    assert_eq!(shown["votes"][0]["reviewer"], "rae");
}
