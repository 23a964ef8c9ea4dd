//! What clients send to MCP servers.

use copilot_guard::dialect::{Dialect, Malformed, ParsedRequest};
use copilot_guard::json::Limits;
use serde_json::{Value, json};

fn parse(body: &Value) -> Result<ParsedRequest, Malformed> {
    Dialect::Mcp.parse_request(body.to_string().as_bytes(), None, Limits::default())
}

fn call(name: &str, arguments: Value) -> Value {
    json!({"jsonrpc": "2.0", "id": 4, "method": "tools/call", "params": {"name": name, "arguments": arguments}})
}

/// Places and texts, sorted.
fn texts(request: &ParsedRequest) -> Vec<(&str, &str)> {
    let mut texts: Vec<_> = request
        .parts
        .iter()
        .map(|p| (p.place.as_str(), p.text.as_str()))
        .collect();
    texts.sort_unstable();
    texts
}

#[test]
fn a_call_is_read_whole() {
    let request = parse(&call(
        "get_file",
        json!({"path": "a/b", "signature": "c", "type": "d", "deep": [{"x": "e"}]}),
    ))
    .unwrap();
    assert_eq!(request.tools, ["get_file"]);
    assert_eq!(request.id.as_deref(), Some("4"));
    assert!(!request.stream && request.model.is_empty() && request.not_scanned.is_empty());
    let wanted = [
        ("jsonrpc", "2.0"),
        ("method", "tools/call"),
        ("params.arguments.deep[0].x", "e"),
        ("params.arguments.path", "a/b"),
        ("params.arguments.signature", "c"),
        ("params.arguments.type", "d"),
        ("params.name", "get_file"),
    ];
    assert_eq!(texts(&request), wanted);
    let at = request
        .parts
        .iter()
        .position(|p| p.place == "params.arguments.path")
        .unwrap();
    let out: Value = serde_json::from_str(&request.write(&[(at, "masked".into())]).unwrap()).unwrap();
    assert_eq!(out["params"]["arguments"]["path"], "masked");
}

#[test]
fn batches_answers_and_notifications_are_read() {
    let answer = json!({"jsonrpc": "2.0", "id": "s1", "result": {"role": "assistant", "content": {"type": "text", "text": "hi"}}});
    let request = parse(&json!([
        call("one", json!({})),
        answer.clone(),
        call("two", json!({"a": "b"}))
    ]))
    .unwrap();
    assert_eq!(request.tools, ["one", "two"]);
    assert_eq!(request.id, None);
    assert!(texts(&request).contains(&("[2].params.arguments.a", "b")));
    assert!(texts(&request).contains(&("[1].result.content.text", "hi")));
    let answer = parse(&answer).unwrap();
    assert_eq!((answer.id, answer.tools.len()), (None, 0));
    let note = parse(&json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"reason": "x"}, "stream": "odd"})).unwrap();
    assert_eq!(note.id, None);
    let text_id = parse(&json!({"jsonrpc": "2.0", "id": "a\"b", "method": "ping"})).unwrap();
    assert_eq!(text_id.id.as_deref(), Some(r#""a\"b""#));
    // Names that a tool makes up are looked at, and stand in no place of the record.
    let named = parse(&call("x", json!({"project bluebird": "y"}))).unwrap();
    assert!(named.parts.iter().any(|p| p.fixed && p.text.contains("bluebird")));
    assert!(named.parts.iter().all(|p| !p.place.contains("bluebird")));
}

#[test]
fn what_could_be_read_in_two_ways_is_refused() {
    for bad in [
        json!({}),
        json!("x"),
        json!([1]),
        json!({"jsonrpc": "2.0", "id": 1}),
        json!({"id": 1, "method": "ping"}),
        json!({"jsonrpc": 2.0, "id": 1, "method": "ping"}),
        json!({"jsonrpc": "2.0", "id": 1, "method": ["tools/call"]}),
        json!({"jsonrpc": "2.0", "id": 1, "method": "ping", "result": {}}),
        json!({"jsonrpc": "2.0", "id": {}, "method": "ping"}),
        json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"arguments": {}}}),
        json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call"}),
        json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": ["x"]}),
        call("x", json!("text")),
    ] {
        assert!(parse(&bad).is_err(), "accepted {bad}");
    }
    // An array is a batch of this dialect alone.
    assert!(
        Dialect::Completions
            .parse_request(b"[]", Some("m"), Limits::default())
            .is_err()
    );
}
