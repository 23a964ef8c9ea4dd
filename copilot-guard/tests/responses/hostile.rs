//! Upstreams that contradict themselves, or hide what they say.

use serde_json::{Value, json};

use super::*;
use crate::upstream::{By, Upstream};

fn at(kind: &str, index: u32, more: Value) -> Value {
    let mut event = json!({"type": kind, "output_index": index, "content_index": 0, "item_id": "i"});
    event
        .as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    event
}

fn added(index: u32, item: Value) -> Value {
    at("response.output_item.added", index, json!({"item": item}))
}

fn done(index: u32, item: Value) -> Value {
    at("response.output_item.done", index, json!({"item": item}))
}

fn delta(index: u32, text: &str) -> Value {
    at("response.output_text.delta", index, json!({"delta": text}))
}

fn completed(output: Value) -> Value {
    json!({"type": "response.completed", "response": {"id": "r", "status": "completed", "output": output}})
}

fn message(text: &str) -> Value {
    let content = if text.is_empty() {
        json!([])
    } else {
        json!([{"type": "output_text", "text": text, "annotations": []}])
    };
    json!({"id": "i", "type": "message", "role": "assistant", "content": content})
}

fn call(name: &str, arguments: &str) -> Value {
    json!({"id": "i", "type": "function_call", "call_id": "c", "name": name, "arguments": arguments})
}

fn part(text: &str) -> Value {
    at(
        "response.content_part.added",
        0,
        json!({"part": {"type": "output_text", "text": text, "annotations": []}}),
    )
}

fn arguments(kind: &str, text: &str) -> Value {
    let member = if kind == "delta" { "delta" } else { "arguments" };
    at(
        &format!("response.function_call_arguments.{kind}"),
        0,
        json!({member: text}),
    )
}

const BAD: &str = "{\"c\":\"rm -rf /\"}";

/// Each is a list of events behind the start. None may bring a secret or the call to a client, and each must end
/// properly; the flag says whether it must end with a notice.
fn cases() -> Vec<(&'static str, Vec<Value>, bool)> {
    let (a, b) = HALVES;
    let s = secret();
    vec![
        (
            "another text at its end",
            vec![
                added(0, message("")),
                part(""),
                delta(0, "x"),
                at("response.output_text.done", 0, json!({"text": s})),
            ],
            true,
        ),
        (
            "another text in the part",
            vec![
                added(0, message("")),
                part(""),
                delta(0, "x"),
                at("response.output_text.done", 0, json!({"text": "x"})),
                at(
                    "response.content_part.done",
                    0,
                    json!({"part": {"type": "output_text", "text": s}}),
                ),
            ],
            true,
        ),
        (
            "halves in the item, the part and the pieces",
            vec![added(0, message(a)), part(a), delta(0, b)],
            true,
        ),
        (
            "text behind its end",
            vec![
                added(0, message("")),
                part(""),
                at("response.output_text.done", 0, json!({"text": ""})),
                delta(0, &s),
            ],
            true,
        ),
        (
            "text behind its item",
            vec![added(0, message("")), done(0, message("")), delta(0, &s)],
            true,
        ),
        ("a piece without an item", vec![delta(0, &s)], true),
        (
            "a piece without an index",
            vec![
                added(0, message("")),
                json!({"type": "response.output_text.delta", "delta": s}),
            ],
            true,
        ),
        (
            "a piece of an unknown kind without an item",
            vec![
                json!({"type": "response.audio.transcript.delta", "delta": a}),
                json!({"type": "response.audio.transcript.delta", "delta": b}),
            ],
            true,
        ),
        (
            "pieces of an unknown kind",
            vec![
                added(0, message("")),
                at("response.new.delta", 0, json!({"delta": a})),
                at("response.new.delta", 0, json!({"delta": b})),
            ],
            true,
        ),
        (
            "pieces without a name for it",
            vec![
                added(0, message("")),
                at("response.new", 0, json!({"delta": a})),
                at("response.new", 0, json!({"delta": b})),
            ],
            true,
        ),
        (
            "a piece that is an object",
            vec![
                added(0, message("")),
                at("response.new.delta", 0, json!({"delta": {"text": s}})),
            ],
            true,
        ),
        (
            "an index that is no number",
            vec![
                added(0, message("")),
                json!({"type": "response.output_text.delta", "output_index": "0", "delta": s}),
            ],
            true,
        ),
        (
            "pieces kept apart by another count",
            vec![
                added(0, message("")),
                part(""),
                at(
                    "response.output_text.delta",
                    0,
                    json!({"delta": a, "foo_index": 0}),
                ),
                at(
                    "response.output_text.delta",
                    0,
                    json!({"delta": b, "foo_index": 1}),
                ),
            ],
            true,
        ),
        (
            "an index that comes twice",
            vec![
                added(0, message("")),
                done(0, message("")),
                added(0, call("sh", "")),
                done(0, call("sh", BAD)),
            ],
            true,
        ),
        (
            "a part that comes twice",
            vec![added(0, message("")), part(a), part(b)],
            true,
        ),
        (
            "two kinds in one part",
            vec![
                added(0, message("")),
                part(""),
                at("response.refusal.delta", 0, json!({"delta": s})),
            ],
            true,
        ),
        (
            "beside a piece",
            vec![
                added(0, message("")),
                part(""),
                at(
                    "response.output_text.delta",
                    0,
                    json!({"delta": "x", "extra": {"deep": [s]}, "obfuscation": s}),
                ),
            ],
            true,
        ),
        (
            "in an id",
            vec![added(0, json!({"id": s, "type": "message", "content": []}))],
            true,
        ),
        (
            "in an unknown event",
            vec![json!({"type": "response.new", "body": {"text": s}})],
            true,
        ),
        (
            "in a member's name",
            vec![json!({"type": "response.new", "body": {&s: 1}, &s: "x"})],
            true,
        ),
        ("in an event's type", vec![json!({"type": s})], true),
        (
            "in the response object",
            vec![
                json!({"type": "response.in_progress", "response": {"id": "r", "output": [message(&s), call("sh", BAD)], "metadata": {"x": s}}}),
            ],
            true,
        ),
        (
            "a second start",
            vec![json!({"type": "response.created", "response": {"id": "r", "output": []}})],
            true,
        ),
        (
            "a call in the start of a message",
            vec![added(
                0,
                json!({"id": "i", "type": "message", "content": [], "more": [call("sh", BAD)]}),
            )],
            true,
        ),
        (
            "a call in an unknown event",
            vec![json!({"type": "response.new", "item": call("sh", BAD)})],
            true,
        ),
        (
            "a call that ends as another",
            vec![
                added(0, call("sh", "")),
                arguments("delta", "{}"),
                done(0, call("sh", BAD)),
            ],
            true,
        ),
        (
            "a call whose arguments end as others",
            vec![
                added(0, call("sh", "")),
                arguments("delta", "{}"),
                arguments("done", BAD),
                done(0, call("sh", "{}")),
            ],
            true,
        ),
        (
            "a call that begins as another",
            vec![added(0, call("sh", BAD)), done(0, call("sh", "{}"))],
            true,
        ),
        (
            "a call renamed",
            vec![added(0, call("read", "")), done(0, call("sh", BAD))],
            true,
        ),
        (
            "a message that ends as a call",
            vec![added(0, message("")), done(0, call("sh", BAD))],
            true,
        ),
        (
            "a call that ends as a message",
            vec![
                added(0, call("sh", "")),
                arguments("delta", BAD),
                done(0, message("x")),
            ],
            true,
        ),
        (
            "arguments in a message",
            vec![added(0, message("")), arguments("delta", BAD)],
            true,
        ),
        (
            "arguments' end in a message",
            vec![added(0, message("")), arguments("done", BAD)],
            true,
        ),
        (
            "arguments that are an object",
            vec![
                added(0, call("sh", "")),
                done(
                    0,
                    json!({"type": "function_call", "name": "sh", "arguments": {"c": "rm -rf /"}}),
                ),
            ],
            true,
        ),
        (
            "a call without an end",
            vec![added(0, call("sh", "")), arguments("delta", BAD)],
            true,
        ),
        (
            "the end within a call",
            vec![
                added(0, call("sh", "")),
                arguments("delta", BAD),
                completed(json!([call("sh", BAD)])),
            ],
            true,
        ),
        (
            "the end as an event of the call",
            vec![
                added(0, call("sh", "")),
                at(
                    "response.completed",
                    0,
                    json!({"response": {"output": [call("sh", BAD)]}}),
                ),
            ],
            true,
        ),
        (
            "the end within a message",
            vec![added(0, message("")), part(""), delta(0, a), completed(json!([]))],
            true,
        ),
        (
            "an extra call at the end",
            vec![
                added(0, message("")),
                done(0, message("")),
                completed(json!([message(""), call("sh", BAD)])),
            ],
            false,
        ),
        (
            "only a call at the end",
            vec![completed(json!([call("sh", BAD)]))],
            false,
        ),
        (
            "another call at the end",
            vec![
                added(0, call("sh", "")),
                done(0, call("sh", "{}")),
                completed(json!([call("sh", BAD)])),
            ],
            true,
        ),
        (
            "another name at the end",
            vec![
                added(0, call("ls", "")),
                done(0, call("ls", "{}")),
                completed(json!([call("rm -rf", "{}")])),
            ],
            true,
        ),
        (
            "a call in place of a message at the end",
            vec![
                added(0, message("")),
                done(0, message("")),
                completed(json!([call("sh", BAD)])),
            ],
            false,
        ),
        ("no item at the end", vec![completed(json!(["rm -rf"]))], true),
        (
            "another text at the end",
            vec![
                added(0, message("")),
                part(""),
                delta(0, "x"),
                at("response.output_text.done", 0, json!({"text": "x"})),
                at(
                    "response.content_part.done",
                    0,
                    json!({"part": {"type": "output_text", "text": "x", "annotations": []}}),
                ),
                done(0, message("x")),
                completed(json!([message(&s)])),
            ],
            false,
        ),
        (
            "behind the end",
            vec![
                completed(json!([])),
                added(0, message("")),
                delta(0, &s),
                done(0, call("sh", BAD)),
            ],
            false,
        ),
        (
            "a secret where none can be masked",
            vec![
                added(0, call("sh", "")),
                done(0, call("sh", &json!({&s: 1}).to_string())),
            ],
            true,
        ),
        (
            "a duplicate member in arguments",
            vec![
                added(0, call("sh", "")),
                done(0, call("sh", "{\"c\":\"ls\",\"c\":\"rm -rf /\"}")),
            ],
            true,
        ),
        (
            "code in the announcement",
            vec![
                added(0, json!({"id": "i", "type": "code_interpreter_call", "code": a})),
                at(
                    "response.code_interpreter_call_code.delta",
                    0,
                    json!({"delta": b}),
                ),
            ],
            true,
        ),
        (
            "in annotations",
            vec![
                added(0, message("")),
                part(""),
                at(
                    "response.output_text.annotation.added",
                    0,
                    json!({"annotation": {"type": "url_citation", "url": s, "title": s}}),
                ),
            ],
            true,
        ),
        (
            "in what the vendor's tools found",
            vec![
                added(0, json!({"id": "i", "type": "web_search_call"})),
                done(
                    0,
                    json!({"id": "i", "type": "web_search_call", "action": {"query": s, "sources": [{"url": s}]}}),
                ),
            ],
            true,
        ),
    ]
}

#[test]
fn nothing_gets_by() {
    for (name, events, notice) in cases() {
        let mut up = Upstream::new();
        for event in events {
            up.push(event);
        }
        let stream = up.render(false);
        for escaped in [false, true] {
            let stream = if escaped { up.render(true) } else { stream.clone() };
            // Names of events stand outside of the JSON.
            if escaped && name == "in an event's type" {
                continue;
            }
            for size in [usize::MAX, 11] {
                let out = run(&stream, size);
                let forbidden = [secret(), "rm -rf".to_owned()];
                assert!(!forbidden.iter().any(|f| out.contains(f)), "{name}: {out}");
                match client::read(&out) {
                    Ok(seen) => {
                        assert!(!forbidden.iter().any(|f| seen.all().contains(f)), "{name}: {out}");
                        assert_eq!(
                            out.contains("[copilot-guard]"),
                            notice || out.contains("policy"),
                            "{name}: {out}"
                        );
                    }
                    // A text that upstream itself contradicts; the end is there all the same.
                    Err(e) => assert!(
                        e.starts_with("another") && last(&out).starts_with("event: response.completed\n"),
                        "{name}: {e}\n{out}"
                    ),
                }
            }
        }
    }
}

fn last(out: &str) -> &str {
    out.trim_end().rsplit("\n\n").next().unwrap()
}

#[test]
fn framing_is_ours() {
    let mut up = Upstream::new();
    up.text("Hello ", By(2));
    let good = up.completed();
    // Another name than the type, and none at all.
    let out = run(
        &good.replace(
            "event: response.output_text.delta",
            "event: response.output_text.done",
        ),
        5,
    );
    assert!(
        check(&out)
            .message_texts()
            .last()
            .unwrap()
            .contains("cannot be read")
    );
    let unnamed: String = good
        .lines()
        .filter(|l| !l.starts_with("event"))
        .map(|l| format!("{l}\n"))
        .collect();
    assert_eq!(run(&unnamed, 9), run(&good, 9));
    let with = format!(
        ": hi\n\nid: 7\nretry: 1\n{}\ndata: [DONE]\n\n",
        good.replace("\n\n", "\r\n\r\n")
    );
    assert_eq!(run(&with, 9), run(&good, 9));
    for bad in [
        "data: [DONE]\n\n",
        "data: []\n\n",
        "data: {\"a\":1,\"a\":2}\n\n",
        "data: {}\n\n",
        "data: {\"type\":\"a b\"}\n\n",
    ] {
        assert_eq!(through(bad).message_texts().len(), 1, "{bad}");
    }
}
