//! Streams of completions and of ghost text, and their plain answers.

use copilot_guard::audit::Outcome;
use copilot_guard::dialect::Dialect;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::completions_check::read;
use super::{HALVES, WHOLE, cut, envelope, events, exchange, plain, run};

const BOTH: [Dialect; 2] = [Dialect::Completions, Dialect::GhostText];

fn chunk(index: u64, text: &str, finish: Value) -> Value {
    json!({"id": "cmpl-1", "object": "text_completion", "created": 7, "model": "gpt", "choices": [
        {"index": index, "text": text, "finish_reason": finish, "logprobs": null}]})
}

fn stream(chunks: &[Value]) -> String {
    let mut out: String = chunks.iter().map(|c| format!("data: {c}\n\n")).collect();
    out += "data: [DONE]\n\n";
    out
}

fn whole(dialect: Dialect, stream: &str) -> String {
    run(dialect, "own", [stream.as_bytes()]).0
}

/// A string literal in which each code unit is an escape.
fn escaped(text: &str) -> String {
    let units: String = text.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
    format!("\"{units}\"")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_cut_gives_the_same_bytes(
        pieces in prop::collection::vec((0u64..3, "[a-zé =]{0,6}|HOUSE-|2041-|QXTWKPLM|HOUSE-2041-QXTWKPLM|\r|falcon"), 0..12),
        at in prop::collection::vec(0usize..5000, 0..6),
        ends in 0usize..4,
    ) {
        let mut chunks: Vec<_> = pieces.iter().map(|(i, text)| chunk(*i, text, Value::Null)).collect();
        chunks.extend((0..ends as u64).map(|i| chunk(i, "", json!("stop"))));
        let stream = stream(&chunks);
        for dialect in BOTH {
            let (out, ended) = run(dialect, "own", [stream.as_bytes()]);
            prop_assert_eq!(&run(dialect, "own", cut(stream.as_bytes(), &at)), &(out.clone(), ended));
            prop_assert_eq!(&run(dialect, "own", stream.as_bytes().chunks(1)), &(out.clone(), ended));
            let choices = read(&out).unwrap();
            prop_assert!(choices.values().all(|c| !c.text.contains(WHOLE)));
        }
    }
}

#[test]
fn secrets_in_single_characters_of_three_choices() {
    for escape in [false, true] {
        let mut stream = String::new();
        let line = format!("a {WHOLE} b");
        for c in line.chars() {
            for index in 0..3 {
                let text = if escape {
                    escaped(&c.to_string())
                } else {
                    json!(c.to_string()).to_string()
                };
                stream += &format!(
                    "data: {{\"id\":\"i\",\"choices\":[{{\"index\":{index},\"text\":{text},\"finish_reason\":null}}]}}\n\n"
                );
            }
        }
        for index in 0..3 {
            stream += &format!("data: {}\n\n", chunk(index, "", json!("stop")));
        }
        stream += "data: [DONE]\n\n";
        assert!(
            read(&stream).unwrap().values().all(|c| c.text == line),
            "the control holds it"
        );
        for dialect in BOTH {
            let choices = read(&whole(dialect, &stream)).unwrap();
            assert_eq!(choices.len(), 3);
            for choice in choices.values() {
                assert_eq!(choice.text, "a [REDACTED:house-token] b");
                assert_eq!(choice.finish.as_deref(), Some("stop"));
            }
        }
    }
}

#[test]
fn streams_without_secrets_pass_as_they_came() {
    let mut noted = chunk(1, "    return first or second\n", Value::Null);
    noted["choices"][0]["copilot_annotations"] = json!({"IPCodeCitations": [{"id": 1, "citations": {"url": "https://example.org/x", "license": "MIT"}}]});
    let stream = stream(&[
        json!({"id": "cmpl-1", "choices": [], "prompt_filter_results": [{"prompt_index": 0}]}),
        chunk(0, "def total(first, second):\n", Value::Null),
        noted,
        chunk(0, "    \"\u{e9}\" ", json!("length")),
        json!({"id": "cmpl-1", "choices": null, "copilot_references": []}),
        chunk(1, "", json!("stop")),
        json!({"id": "cmpl-1", "choices": [], "usage": {"total_tokens": 9}, "new_member": [1.50, true, {"x": "y"}]}),
    ]);
    for dialect in BOTH {
        assert_eq!(run(dialect, "own", [stream.as_bytes()]).0, stream);
        // Names of events carry nothing here.
        let named = stream.replace("data: {", "event: delta\nid: 4\ndata: {");
        assert_eq!(whole(dialect, &named), stream);
    }
}

#[test]
fn a_stream_that_breaks_off_is_ended() {
    let (a, b) = HALVES;
    let full = stream(&[
        chunk(0, "x ", Value::Null),
        chunk(1, a, Value::Null),
        chunk(0, a, Value::Null),
        chunk(2, "z", json!("stop")),
        chunk(0, b, json!("stop")),
        chunk(1, "QXT", Value::Null),
    ]);
    let events = events(&full);
    for keep in 0..events.len() {
        let cut: String = events[..keep].concat();
        for dialect in BOTH {
            let (out, ended) = run(dialect, "own", [cut.as_bytes()]);
            let choices = read(&out).unwrap_or_else(|e| panic!("{keep}: {e}: {out}"));
            assert_eq!(ended.outcome, Outcome::UpstreamFailed);
            let quiet = dialect == Dialect::GhostText;
            assert_eq!(out.contains("[copilot-guard]"), !quiet, "{keep}: {out}");
            assert!(!quiet || keep > 0 || out == "data: [DONE]\n\n", "{out}");
            assert!(choices.values().all(|c| !c.text.contains(WHOLE)));
        }
    }
    // A missing reason alone is no failure: what was held leaves, and the reason is added.
    let (out, ended) = run(Dialect::Completions, "own", [full.as_bytes()]);
    let choices = read(&out).unwrap();
    assert_eq!(ended.outcome, Outcome::Completed);
    assert_eq!(choices[&1].text, "HOUSE-2041-QXT");
    assert_eq!(choices[&1].finish.as_deref(), Some("stop"));
    assert_eq!(choices[&0].text, "x [REDACTED:house-token]");
}

#[test]
fn a_block_ends_every_choice() {
    let stream = stream(&[
        chunk(0, "one ", Value::Null),
        chunk(1, "two ", Value::Null),
        chunk(1, "the falcon flies", Value::Null),
        chunk(0, WHOLE, json!("stop")),
    ]);
    let (out, ended) = run(Dialect::Completions, "own", [stream.as_bytes()]);
    let choices = read(&out).unwrap();
    assert_eq!(ended.outcome, Outcome::Blocked);
    assert!(choices[&0].text.starts_with("one [copilot-guard]"), "{out}");
    assert!(choices[&1].text.starts_with("two the [copilot-guard]"), "{out}");
    // Into a developer's file goes no notice.
    let choices = read(&whole(Dialect::GhostText, &stream)).unwrap();
    assert_eq!(
        (choices[&0].text.as_str(), choices[&1].text.as_str()),
        ("one ", "two the ")
    );
}

#[test]
fn nothing_hides_in_odd_places() {
    let (a, b) = HALVES;
    let halves = |name: &str| {
        stream(&[
            json!({"id": "i", "choices": [{"index": 0, "text": "x", name: a}]}),
            json!({"id": "i", "choices": [{"index": 0, "text": "y", name: b, "finish_reason": "stop"}]}),
        ])
    };
    let one = |chunk: Value| stream(&[chunk]);
    let cases = [
        ("an unknown member", halves("reasoning")),
        ("a member that the record cannot name", halves("Reasoning Text")),
        (
            "a carriage return between",
            stream(&[
                chunk(0, &format!("{a}\r"), Value::Null),
                chunk(0, b, json!("stop")),
            ]),
        ),
        (
            "no index",
            stream(&[json!({"choices": [{"text": a}]}), chunk(0, b, json!("stop"))]),
        ),
        (
            "a delta",
            one(
                json!({"choices": [{"index": 0, "delta": {"content": WHOLE}, "text": "x", "finish_reason": "stop"}]}),
            ),
        ),
        (
            "a message",
            one(json!({"choices": [{"index": 0, "message": {"content": WHOLE}, "finish_reason": "stop"}]})),
        ),
        (
            "the tokens",
            one(
                json!({"choices": [{"index": 0, "text": "x", "logprobs": {"tokens": [a, b, WHOLE]}, "finish_reason": "stop"}]}),
            ),
        ),
        (
            "the tokens above",
            one(json!({"choices": [], "logprobs": {"tokens": [WHOLE]}})),
        ),
        (
            "the id",
            one(json!({"id": WHOLE, "model": WHOLE, "choices": [{"index": 0, "text": "x"}]})),
        ),
        (
            "the reason",
            one(json!({"choices": [{"index": 0, "text": "x", "finish_reason": WHOLE}]})),
        ),
        (
            "a name",
            one(json!({"choices": [{"index": 0, "text": "x", WHOLE: "x"}]})),
        ),
        ("a name above", one(json!({"choices": [], "a": {WHOLE: "x"}}))),
        (
            "a name whose text is held",
            one(json!({"choices": [{"index": 0, WHOLE: a}]})),
        ),
        (
            "an annotation",
            one(
                json!({"choices": [{"index": 0, "text": "x", "copilot_annotations": {"IPCodeCitations": [{"snippet": WHOLE}]}}]}),
            ),
        ),
        (
            "behind a stop",
            one(
                json!({"choices": [{"index": 0, "text": "a falcon", "note": WHOLE}, {"index": 1, "text": WHOLE}]}),
            ),
        ),
        ("choices that are a text", one(json!({"choices": WHOLE}))),
        (
            "choices that are an object",
            one(json!({"choices": {"text": WHOLE}})),
        ),
        ("a choice that is a text", one(json!({"choices": [WHOLE]}))),
        (
            "a text that is an array",
            one(json!({"choices": [{"index": 0, "text": [WHOLE]}]})),
        ),
        (
            "an index that is a text",
            one(json!({"choices": [{"index": WHOLE, "text": "x"}]})),
        ),
        (
            "a huge index",
            one(json!({"choices": [{"index": 4_294_967_295_u32, "text": WHOLE}]})),
        ),
        (
            "a chunk that is an array",
            one(json!([chunk(0, WHOLE, Value::Null)])),
        ),
        (
            "an unknown type",
            one(json!({"type": "new.event", "text": WHOLE})),
        ),
        ("an error", one(json!({"error": {"message": WHOLE}}))),
        (
            "text behind the end",
            stream(&[chunk(0, a, json!("stop")), chunk(0, b, Value::Null)]),
        ),
        (
            "one choice twice in a chunk",
            one(json!({"choices": [{"index": 0, "text": a}, {"index": 0, "text": b}]})),
        ),
        (
            "behind the last event",
            format!("data: [DONE]\n\ndata: {}\n\n", chunk(0, WHOLE, Value::Null)),
        ),
        (
            "an event's name",
            format!(
                "event: {WHOLE}\ndata: {}\n\ndata: [DONE]\n\n",
                chunk(0, "x", Value::Null)
            ),
        ),
        ("not JSON", format!("data: {WHOLE}\n\n")),
        (
            "a duplicate member",
            format!("data: {{\"choices\":[{{\"text\":\"x\",\"text\":\"{WHOLE}\"}}]}}\n\n"),
        ),
    ];
    for (name, stream) in cases {
        for dialect in BOTH {
            for size in [stream.len(), 1] {
                let (out, _) = run(dialect, "own", stream.as_bytes().chunks(size));
                let choices = read(&out).unwrap_or_else(|e| panic!("{name}: {e}: {out}"));
                assert!(!out.contains(WHOLE) && !out.contains("falcon"), "{name}: {out}");
                // Nor both halves: apart, but for the text between that a client keeps.
                let apart = name == "a carriage return between";
                assert!(apart || !(out.contains(a) && out.contains(b)), "{name}: {out}");
                assert!(choices.values().all(|c| !c.text.contains(WHOLE)), "{name}: {out}");
            }
        }
    }
}

#[test]
fn bytes_that_are_no_text_end_it() {
    let good = format!("data: {}\n\n", chunk(0, "x", Value::Null));
    for bad in [
        &b"data: \xff\n\n"[..],
        b"data: {\"a\":\"\xc3\"}\n\n",
        b"\xff\xfe\n\n",
    ] {
        let (out, ended) = run(Dialect::Completions, "own", [good.as_bytes(), bad]);
        assert_eq!(ended.code, Some("malformed_stream"));
        assert!(read(&out).unwrap()[&0].text.contains("[copilot-guard]"));
    }
}

#[test]
fn there_is_a_limit_to_choices() {
    let many: Vec<Value> = (0..129).map(|i| chunk(i, "x", json!("stop"))).collect();
    assert_eq!(
        run(Dialect::Completions, "own", [stream(&many[..128]).as_bytes()])
            .1
            .outcome,
        Outcome::Completed
    );
    assert_eq!(
        run(Dialect::Completions, "own", [stream(&many).as_bytes()])
            .1
            .code,
        Some("malformed_upstream_event")
    );
}

#[test]
fn waiting_changes_nothing() {
    for dialect in BOTH {
        let mut exchange = exchange(dialect, "own");
        let mut waited = String::from_utf8(exchange.keep_alive()).unwrap();
        assert!(!waited.is_empty());
        waited += "data: [DONE]\n\n";
        let read_back = read(&waited);
        if dialect == Dialect::GhostText {
            assert!(read_back.unwrap().is_empty(), "{waited}");
        } else {
            assert_eq!(read_back.unwrap_err(), "choice 0 has no end");
            assert!(
                waited.contains(r#""id":"own""#) && waited.contains(r#""text":"""#),
                "{waited}"
            );
        }
    }
}

#[test]
fn plain_answers() {
    let answer =
        |choice: Value| json!({"id": "i", "object": "text_completion", "choices": [choice]}).to_string();
    let clean = answer(json!({"index": 0, "text": "x", "finish_reason": "stop", "logprobs": null}));
    for dialect in BOTH {
        assert_eq!(plain(dialect, &clean), Ok(clean.clone()));
        for (name, body) in [
            ("the text", answer(json!({"text": format!("a {WHOLE}")}))),
            (
                "the tokens",
                answer(json!({"text": "x", "logprobs": {"tokens": [WHOLE]}})),
            ),
            (
                "a message",
                answer(json!({"message": {"content": WHOLE, "tool_calls": []}})),
            ),
            ("a name", answer(json!({"text": "x", WHOLE: 1}))),
            ("a note", answer(json!({"text": "x", "note": {"a": [WHOLE]}}))),
            ("no array", json!({"choices": WHOLE}).to_string()),
            ("no object", json!({"choices": [WHOLE]}).to_string()),
            ("no text", answer(json!({"text": {"a": WHOLE}}))),
            ("nothing", json!({"text": WHOLE}).to_string()),
            ("blocked", answer(json!({"text": "a falcon"}))),
        ] {
            let out = plain(dialect, &body).unwrap_or_else(|e| e);
            assert!(!out.contains(WHOLE) && !out.contains("falcon"), "{name}: {out}");
        }
        let empty = dialect.plain_notice(&envelope("own"), "a \"notice\"").unwrap();
        let body: Value = serde_json::from_str(&empty).unwrap();
        let quiet = dialect == Dialect::GhostText;
        assert_eq!(body["choices"].as_array().unwrap().is_empty(), quiet, "{empty}");
        assert!(quiet || body["choices"][0]["text"] == "a \"notice\"");
    }
}
