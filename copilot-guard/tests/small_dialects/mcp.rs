//! Answers of MCP servers, as streams and plain.

use copilot_guard::audit::Outcome;
use copilot_guard::dialect::Dialect;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{HALVES, WHOLE, cut, events, exchange, plain, run};

const MCP: Dialect = Dialect::Mcp;
/// No id of a request: what the exchange itself is called.
const UNKNOWN: &str = "019a0000-0000-7000-8000-000000000000";

fn event(message: &Value) -> String {
    format!("event: message\ndata: {message}\n\n")
}

fn stream(messages: &[Value]) -> String {
    messages.iter().map(event).collect()
}

fn result(id: u64, text: &str) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "result": {"content": [{"type": "text", "text": text}], "isError": false}})
}

fn progress(text: &str) -> Value {
    json!({"jsonrpc": "2.0", "method": "notifications/progress", "params": {"progressToken": 1, "progress": 0.5, "message": text}})
}

/// Reads a whole stream as a client does; `Err` says what it would stumble over.
fn read(stream: &str) -> Result<Vec<Value>, String> {
    if !stream.is_empty() && !stream.ends_with("\n\n") {
        return Err("an event without an end".into());
    }
    let mut messages = Vec::new();
    for event in stream.split_terminator("\n\n") {
        let event = event.strip_prefix("event: message\n").unwrap_or(event);
        let data = event.strip_prefix("data: ").ok_or("an event without data")?;
        let body: Value = serde_json::from_str(data).map_err(|e| e.to_string())?;
        let listed = match body {
            Value::Array(listed) => listed,
            one => vec![one],
        };
        for message in listed {
            let is_one = [message.get("method"), message.get("result"), message.get("error")]
                .iter()
                .filter(|member| member.is_some())
                .count();
            let answers_nobody = is_one == 1 && message.get("method").is_none() && message["id"].is_null();
            if message["jsonrpc"] != "2.0" || is_one != 1 || answers_nobody {
                return Err(format!("not a message: {message}"));
            }
            messages.push(message);
        }
    }
    Ok(messages)
}

#[test]
fn the_reader_is_strict() {
    assert!(read("").is_ok() && read(&event(&result(1, "x"))).is_ok());
    for bad in [
        "data: [DONE]\n\n",
        "data: {\"jsonrpc\":\"2.0\"}\n\n",
        "data: {\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{}}\n\n",
        "data: {\"id\":1,\"result\":{}}\n\n",
        "event: other\ndata: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\n\n",
        "data: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\n",
    ] {
        assert!(read(bad).is_err(), "accepted {bad}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_cut_gives_the_same_bytes(
        texts in prop::collection::vec("[a-zé =]{0,6}|HOUSE-2041-|HOUSE-2041-QXTWKPLM|x HOUSE-2041-QXTWKPLM|falcon", 0..6),
        at in prop::collection::vec(0usize..3000, 0..6),
        id in prop::sample::select(vec![UNKNOWN, "1", "9"]),
    ) {
        let mut messages: Vec<_> = texts.iter().map(|text| progress(text)).collect();
        messages.push(result(1, "done"));
        let stream = stream(&messages);
        let (out, ended) = run(MCP, id, [stream.as_bytes()]);
        prop_assert_eq!(&run(MCP, id, cut(stream.as_bytes(), &at)), &(out.clone(), ended));
        prop_assert_eq!(&run(MCP, id, stream.as_bytes().chunks(1)), &(out.clone(), ended));
        prop_assert!(read(&out).is_ok() && !out.contains(WHOLE));
    }
}

#[test]
fn streams_without_secrets_pass_as_they_came() {
    let stream = stream(&[
        json!({"jsonrpc": "2.0", "id": "s1", "method": "sampling/createMessage", "params": {"messages": [{"role": "user", "content": {"type": "text", "text": "hi"}}]}}),
        progress("half"),
        json!([progress("one"), {"jsonrpc": "2.0", "id": 7, "error": {"code": -32601, "message": "no such method"}}]),
        json!({"jsonrpc": "2.0", "id": 1, "result": {"tools": [{"name": "get_file", "inputSchema": {"type": "object", "properties": {"anyName": {"type": "string"}}}}], "signature": "AAAA", "_meta": {"a/b": 1.50}}}),
    ]);
    let done = |stream: &str, id| run(MCP, id, [stream.as_bytes()]);
    for id in [UNKNOWN, "1"] {
        let (out, ended) = done(&stream, id);
        assert_eq!(out, stream);
        assert_eq!((ended.outcome, ended.code), (Outcome::Completed, None));
    }
    // Ids and comments go; a stream without names stays so; other events are no messages.
    let dressed = format!(
        "id: 3\ndata: \n\n: hello\nretry: 5\n{}event: endpoint\ndata: /messages?s=1\n\n",
        stream.replace("event: message\n", "id: 9\n")
    );
    assert_eq!(done(&dressed, "1").0, stream.replace("event: message\n", ""));
}

#[test]
fn secrets_are_masked_wherever_a_tool_puts_them() {
    let answer = |inner: Value| json!({"jsonrpc": "2.0", "id": 1, "result": inner});
    for (name, message) in [
        ("a text", result(1, &format!("a {WHOLE} b"))),
        ("escaped", result(1, &format!("\u{1}\"{WHOLE}\""))),
        ("structured", answer(json!({"structuredContent": {"x": [WHOLE]}}))),
        (
            "a vendor's member",
            answer(json!({"structuredContent": {"signature": WHOLE, "encrypted_content": WHOLE}})),
        ),
        ("a type", answer(json!({"content": [{"type": WHOLE}]}))),
        (
            "a name",
            answer(json!({"structuredContent": {"a": {WHOLE: "x", "b": 1}}})),
        ),
        (
            "a name and its text",
            answer(json!({"structuredContent": {WHOLE: WHOLE}})),
        ),
        (
            "media that is none",
            answer(json!({"content": [{"type": "image", "mimeType": "image/png", "data": WHOLE}]})),
        ),
        (
            "an error",
            json!({"jsonrpc": "2.0", "id": 1, "error": {"code": 1, "message": WHOLE, "data": [WHOLE]}}),
        ),
        ("a notification", progress(WHOLE)),
        ("a method", json!({"jsonrpc": "2.0", "method": WHOLE})),
        (
            "beside",
            json!({"jsonrpc": "2.0", "id": 1, "result": {}, "note": WHOLE}),
        ),
        ("an id", json!({"jsonrpc": "2.0", "id": WHOLE, "result": {}})),
        ("a batch", json!([result(1, WHOLE), progress(WHOLE)])),
    ] {
        let (out, _) = run(MCP, "1", [event(&message).as_bytes()]);
        read(&out).unwrap_or_else(|e| panic!("{name}: {e}: {out}"));
        assert!(!out.contains(WHOLE), "{name}: {out}");
        let out = plain(MCP, &message.to_string()).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert!(!out.contains(WHOLE), "{name}: {out}");
    }
    let media =
        answer(json!({"content": [{"type": "image", "mimeType": "image/png", "data": "iVBORw0KGgo="}]}))
            .to_string();
    assert_eq!(plain(MCP, &media), Ok(media));
}

#[test]
fn a_stream_that_breaks_off_is_ended() {
    let full = stream(&[
        progress("a"),
        result(5, "other"),
        result(7, "mine"),
        progress("b"),
    ]);
    let events = events(&full);
    for keep in 0..=events.len() {
        let kept = events[..keep].concat();
        // Without an id the connection's end is all there is.
        let (out, ended) = run(MCP, UNKNOWN, [kept.as_bytes()]);
        assert_eq!((out.as_str(), ended.outcome), (kept.as_str(), Outcome::Completed));
        // With one, the client waits for its answer.
        for (id, answered) in [("7", keep > 2), ("\"7\"", false), ("8", false)] {
            let (out, ended) = run(MCP, id, [kept.as_bytes()]);
            let messages = read(&out).unwrap();
            assert_eq!(
                ended.outcome == Outcome::Completed,
                answered,
                "{id}, {keep}: {out}"
            );
            if !answered {
                let last = messages.last().unwrap();
                assert_eq!(last["id"].to_string(), id);
                let text = last["error"]["message"].as_str().unwrap();
                assert!(text.starts_with("[copilot-guard]"), "{text}");
            }
        }
        // An event that is not whole is no proper end.
        let torn = format!("{kept}data: {{\"jsonrpc\"");
        let (out, ended) = run(MCP, UNKNOWN, [torn.as_bytes()]);
        assert_eq!(ended.outcome, Outcome::UpstreamFailed);
        assert_eq!(
            read(&out).unwrap().last().unwrap()["method"],
            "notifications/message"
        );
        let torn = format!("{kept}data: {}\n", result(7, "x"));
        assert_eq!(
            run(MCP, UNKNOWN, [torn.as_bytes()]).1.outcome,
            Outcome::UpstreamFailed
        );
    }
}

#[test]
fn what_is_no_message_ends_it() {
    let (a, _) = HALVES;
    let first = event(&progress("x"));
    for bad in [
        format!("data: {WHOLE}\n\n"),
        "data: [DONE]\n\n".to_owned(),
        "data: {}\n\n".to_owned(),
        format!("data: \"{WHOLE}\"\n\n"),
        format!("data: [\"{WHOLE}\"]\n\n"),
        format!("data: {{\"jsonrpc\":\"1.0\",\"id\":1,\"result\":\"{WHOLE}\"}}\n\n"),
        format!("data: {{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{{}},\"method\":\"{WHOLE}\"}}\n\n"),
        format!("data: {{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{{}},\"error\":\"{WHOLE}\"}}\n\n"),
        format!("data: {{\"jsonrpc\":\"2.0\",\"id\":[1],\"result\":\"{WHOLE}\"}}\n\n"),
        format!("data: {{\"jsonrpc\":\"2.0\",\"id\":1,\"id\":2,\"result\":\"{a}\"}}\n\n"),
    ] {
        for id in ["1", UNKNOWN] {
            let behind = event(&progress(WHOLE));
            let (out, ended) = run(MCP, id, [first.as_bytes(), bad.as_bytes(), behind.as_bytes()]);
            assert_eq!(ended.code, Some("malformed_upstream_event"), "{bad}");
            assert_eq!(read(&out).unwrap().len(), 2, "{bad}: {out}");
            assert!(out.starts_with(&first) && !out.contains("HOUSE"), "{bad}: {out}");
        }
        let body = bad.trim_start_matches("data: ").trim_end();
        assert!(plain(MCP, body).is_err(), "{body}");
    }
    let (out, ended) = run(MCP, "1", [first.as_bytes(), b"data: \xff\n\n"]);
    assert_eq!(ended.code, Some("malformed_stream"));
    assert!(read(&out).is_ok());
}

#[test]
fn a_block_answers_the_request() {
    let stream = stream(&[progress("x"), result(1, "a falcon"), result(1, WHOLE)]);
    let (out, ended) = run(MCP, "1", [stream.as_bytes()]);
    assert_eq!(ended.outcome, Outcome::Blocked);
    let messages = read(&out).unwrap();
    assert_eq!(messages.len(), 2);
    assert_eq!(
        (&messages[1]["id"], &messages[1]["error"]["code"]),
        (&json!(1), &json!(-32000))
    );
    assert!(!out.contains("falcon") && !out.contains(WHOLE));
    assert!(
        plain(MCP, &result(1, "a falcon").to_string())
            .unwrap_err()
            .contains("[copilot-guard]")
    );
}

#[test]
fn waiting_is_a_comment() {
    assert_eq!(exchange(MCP, "1").keep_alive(), b": \n\n");
}
