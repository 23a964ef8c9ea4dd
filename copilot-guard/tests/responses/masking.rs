//! Secrets in every channel, copy and item; everything else as it came.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::upstream::{By, Upstream};

/// A stream with everything in it. `text` stands in every channel.
pub fn everything(text: &str, by: By) -> String {
    let mut up = Upstream::new();
    up.reasoning("summary_text", text, by)
        .reasoning("reasoning_text", text, by)
        .message(
            &[
                ("output_text", text.to_owned()),
                ("refusal", text.to_owned()),
                ("output_text", text.to_owned()),
            ],
            by,
        )
        .call(
            "function_call",
            "sh",
            &json!({"note": text, "nested": [{"deep": text}]}).to_string(),
            by,
        )
        .code(text, by)
        .call("custom_tool_call", "apply_patch", text, by)
        .call("mcp_call", "search", &json!({"q": text}).to_string(), by)
        .text(text, by);
    up.completed()
}

fn events(stream: &str) -> Vec<Value> {
    let data = stream.lines().filter_map(|line| line.strip_prefix("data: "));
    data.map(|data| serde_json::from_str(data).unwrap()).collect()
}

fn without_pieces(stream: &str) -> Vec<Value> {
    let mut events = events(stream);
    // A word may come with the next piece, or with the end: how many pieces there are is not compared.
    events.retain(|e| e.get("delta").is_none());
    for event in &mut events {
        event.as_object_mut().unwrap().remove("sequence_number");
    }
    events
}

#[test]
fn the_control_is_a_proper_stream_that_holds_the_secret() {
    for n in [1, 7, 1000] {
        let seen = client::read(&everything(&leaky(), By(n))).unwrap();
        assert!(seen.all().contains(&secret()));
        assert!(
            seen.texts.values().all(|text| text.contains(&secret())),
            "{:?}",
            seen.texts
        );
        assert_eq!(seen.texts.len(), 10, "{:?}", seen.texts);
    }
}

#[test]
fn without_secrets_all_arrives_unchanged() {
    let annotation = json!({"type": "response.output_text.annotation.added", "item_id": "msg_1", "output_index": 0,
        "content_index": 0, "annotation_index": 0, "annotation": {"type": "url_citation", "url": "https://example.org/a?b=1", "title": "A"}});
    let mut up = Upstream::new();
    up.push(json!({"type": "keepalive"}))
        .push(json!({"type": "response.brand_new", "body": {"list": [1.50, "text", null]}, "copilot": true}))
        .reasoning("summary_text", "Let us see. ", By(4))
        .message(&[("output_text", "Hello there, ".into()), ("refusal", "Not so. ".into())], By(5))
        .push(annotation)
        .item(
            json!({"id": "ws_2", "type": "web_search_call", "status": "in_progress"}),
            &[json!({"type": "response.web_search_call.searching"})],
            json!({"id": "ws_2", "type": "web_search_call", "status": "completed", "action": {"type": "search", "query": "weather"}}),
        )
        .call("function_call", "sh", "{\"command\": \"ls \"}", By(1000))
        .item(
            json!({"id": "lc", "type": "local_shell_call", "status": "in_progress", "action": {"type": "exec", "command": ["ls"]}, "call_id": "c"}),
            &[],
            json!({"id": "lc", "type": "local_shell_call", "status": "in_progress", "action": {"type": "exec", "command": ["ls"]}, "call_id": "c"}),
        )
        .code("print(1) ", By(1000))
        .text("Good bye. ", By(1));
    let stream = up.completed();
    for size in [usize::MAX, 1] {
        let out = run(&stream, size);
        // The detector may keep a byte for the next piece: pieces are compared joined, all else as it is.
        let (got, wanted) = (check(&out), client::read(&stream).unwrap());
        assert_eq!(got.texts, wanted.texts);
        assert_eq!(without_pieces(&out), without_pieces(&stream));
    }
}

#[test]
fn no_secret_passes_in_any_channel_or_copy() {
    for n in [1, 3, 7, 1000] {
        let stream = everything(&leaky(), By(n));
        let seen = through(&stream);
        assert_eq!(seen.end, "response.completed");
        for (channel, text) in &seen.texts {
            let wanted = match channel.as_str() {
                "3.arguments" => json!({"note": clean(), "nested": [{"deep": clean()}]}).to_string(),
                "6.arguments" => json!({"q": clean()}).to_string(),
                _ => clean(),
            };
            assert_eq!(*text, wanted, "{channel} by {n}");
        }
        assert_eq!(seen.texts.len(), 10);
        assert_eq!(seen.message_texts(), [clean() + &clean(), clean()]);
        // Encrypted reasoning and ids are byte for byte what they were.
        assert_eq!(seen.output[0]["encrypted_content"], "gAAAA-1");
        assert_eq!(seen.output[3]["call_id"], "call_3");
    }
}

#[test]
fn escapes_hide_nothing() {
    for n in [1, 5] {
        let mut up = Upstream::new();
        up.text(&leaky(), By(n))
            .reasoning("summary_text", &leaky(), By(n))
            .call(
                "function_call",
                "sh",
                &json!({"note": leaky()}).to_string(),
                By(n),
            );
        up.completed();
        let stream = up.render(true);
        assert!(!stream.contains(&secret()) && client::read(&stream).unwrap().all().contains(&secret()));
        let seen = through(&stream);
        assert_eq!(seen.message_texts(), [clean()]);
    }
}

#[test]
fn every_cut_gives_the_same_bytes() {
    let stream = everything(&leaky(), By(2));
    let whole = run(&stream, usize::MAX);
    for size in [1, 2, 3, 64, 4096] {
        assert_eq!(run(&stream, size), whole, "pieces of {size}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn any_text_in_any_pieces(text in "(the |a|HOUSE-|2041-|HOUSE-2041-|QXTWKPLM|HOUSE-2041-QXTWKPLM|\"|\\\\| ){0,12}",
                              by in 1usize..9, size in 1usize..700) {
        let mut up = Upstream::new();
        up.text(&text, By(by)).reasoning("summary_text", &text, By(by)).text("end ", By(by));
        let stream = up.completed();
        let out = run(&stream, size);
        let seen = client::read(&out).unwrap();
        prop_assert!(!seen.all().contains(&secret()), "{out}");
        prop_assert_eq!(&run(&stream, usize::MAX), &out);
        if !text.contains(&secret()) {
            let messages = seen.message_texts();
            prop_assert_eq!(messages[0].as_str(), text.as_str());
        }
    }
}

#[test]
fn log_probabilities_are_emptied() {
    let token = json!([{"token": secret(), "bytes": [72], "top_logprobs": [{"token": secret()}]}]);
    let mut up = Upstream::new();
    up.text("Hello ", By(3));
    up.completed();
    let mut stream = String::new();
    for event in &mut up.events {
        for place in [
            "/logprobs",
            "/part/logprobs",
            "/item/content/0/logprobs",
            "/response/output/0/content/0/logprobs",
        ] {
            if let Some(member) = event.pointer_mut(place) {
                *member = token.clone();
            }
        }
        stream += &upstream::render(event, false);
    }
    assert!(stream.contains(&secret()));
    assert_eq!(through(&stream).message_texts(), ["Hello "]);
}

#[test]
fn a_text_that_never_came_in_pieces_is_looked_at() {
    let at = json!({"output_index": 0, "content_index": 0, "item_id": "m"});
    let event = |kind: &str, member: &str, value: Value| {
        let mut event = at.clone();
        event["type"] = json!(kind);
        event[member] = value;
        event
    };
    let item = json!({"id": "m", "type": "message", "role": "assistant", "content": [{"type": "output_text", "text": leaky(), "annotations": []}]});
    let mut up = Upstream::new();
    up.push(json!({"type": "response.output_item.added", "output_index": 0, "item": {"id": "m", "type": "message", "content": []}}))
        .push(event("response.content_part.added", "part", json!({"type": "output_text", "text": ""})))
        .push(event("response.output_text.done", "text", json!(leaky())))
        .push(event("response.content_part.done", "part", json!({"type": "output_text", "text": leaky()})))
        .push(json!({"type": "response.output_item.done", "output_index": 0, "item": item}))
        .push(json!({"type": "response.completed", "response": {"id": "r", "status": "completed", "output": [item], "output_text": leaky()}}));
    let out = run(&up.render(false), usize::MAX);
    assert!(
        !out.contains(&secret()) && out.matches(&clean()).count() == 5,
        "{out}"
    );
    assert!(
        out.contains("\"type\":\"response.completed\"") && !out.contains("copilot-guard"),
        "{out}"
    );
}

#[test]
fn items_that_stand_only_at_the_end_are_announced() {
    let mut up = Upstream::new();
    let item = json!({"id": "m", "type": "message", "role": "assistant", "content": [{"type": "output_text", "text": leaky(), "annotations": []}]});
    let call = json!({"id": "f", "type": "function_call", "call_id": "c", "name": "sh", "arguments": json!({"c": leaky()}).to_string()});
    up.push(json!({"type": "response.output_item.done", "output_index": 0, "item": item}))
        .push(json!({"type": "response.completed", "response": {"id": "r", "status": "completed", "output": [item, call]}}));
    let seen = through(&up.render(false));
    assert_eq!(seen.message_texts(), [clean()]);
    assert_eq!(
        seen.calls(),
        [("sh".to_owned(), json!({"c": clean()}).to_string())]
    );
}

#[test]
fn ids_that_change_from_event_to_event_are_followed_by_index() {
    // As Copilot sends them.
    let mut up = Upstream::new();
    up.text(&leaky(), By(2))
        .call("function_call", "sh", &json!({"c": leaky()}).to_string(), By(3));
    up.completed();
    let mut stream = String::new();
    for (n, event) in up.events.iter_mut().enumerate() {
        for place in [
            "/item_id",
            "/item/id",
            "/response/output/0/id",
            "/response/output/1/id",
        ] {
            if let Some(id) = event.pointer_mut(place) {
                *id = json!(format!("{n}-{place}"));
            }
        }
        stream += &upstream::render(event, false);
    }
    let out = run(&stream, usize::MAX);
    assert!(
        !out.contains(&secret()) && !out.contains("copilot-guard"),
        "{out}"
    );
    let last: Value = events(&out).pop().unwrap();
    assert_eq!(last["response"]["output"][0]["content"][0]["text"], clean());
    assert_eq!(
        last["response"]["output"][1]["arguments"],
        json!({"c": clean()}).to_string()
    );
}
