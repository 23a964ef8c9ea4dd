//! An answer comes out the same whether shapes of events are remembered or not.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use proptest::prelude::*;

use super::*;
use crate::clock::Timestamp;
use crate::policy::{Policy, PolicyOptions, Query};

static POLICY: LazyLock<Policy> = LazyLock::new(|| {
    let text = "version = 1\n[[patterns]]\nid = \"acme\"\nregex = 'ACME-[0-9]{4}'\n\
        [[rules]]\nid = \"omega\"\non = \"output\"\nmatch = { regex = ['OMEGA-[0-9]{2}'] }\naction = \"block\"\nmessage = \"no\"\n";
    Policy::parse(text, "policy.toml", &PolicyOptions::new(Timestamp::from_secs(1))).unwrap()
});

/// What came out, how it ended, and how many events were read in full.
fn run(dialect: Dialect, events: &[String], with_memo: bool) -> (String, Option<Ended>, Summary) {
    let caller = POLICY.for_caller(&Query::new(&BTreeSet::new(), "m", Timestamp::from_secs(1)));
    let envelope = Envelope {
        id: "e".into(),
        model: "m".into(),
        created: 1,
    };
    let mut exchange = Exchange::new(dialect, envelope, POLICY.rule_set().clone(), caller, "e");
    let mut out = Vec::new();
    let mut take = |exchange: &mut Exchange| {
        while let Step::Deliver(bytes) = exchange.poll() {
            out.extend(bytes);
        }
    };
    for event in events {
        exchange.handle_data(event.as_bytes());
        take(&mut exchange);
        if !with_memo {
            exchange.memo.clear();
        }
    }
    exchange.handle_end();
    take(&mut exchange);
    let out = String::from_utf8(out).unwrap();
    let ended = exchange.ended();
    let is_stopped = ended.is_some_and(|e| e.outcome == Outcome::Blocked);
    // The piece at which an answer is stopped is written in upstream's form or in our own.
    let out = if is_stopped { texts(&out) } else { out };
    (out, ended, exchange.summary())
}

/// What a reader has seen.
fn texts(out: &str) -> String {
    fn strings(value: &serde_json::Value, name: &str, all: &mut String) {
        match value {
            serde_json::Value::String(text) if matches!(name, "content" | "text" | "reasoning_text") => {
                all.push_str(text)
            }
            serde_json::Value::Array(items) => items.iter().for_each(|item| strings(item, name, all)),
            serde_json::Value::Object(members) => members.iter().for_each(|(n, v)| strings(v, n, all)),
            _ => {}
        }
    }
    let mut all = String::new();
    for data in out.lines().filter_map(|line| line.strip_prefix("data: {")) {
        strings(&serde_json::from_str(&format!("{{{data}")).unwrap(), "", &mut all);
    }
    all
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[a-z ]{0,6}",
        2 => prop::sample::select(vec![
            "ACME-1234 b", "ACME-", "AC", "ME-", "12", "34", "1234", "OMEGA-", "42", "é🦀", r"\n", r#"\""#, r"\u0041CME-1234", r"\\", r"\u00e9",
            r"\ud83e\udd80",
        ])
        .prop_map(str::to_owned),
        // What is no string of JSON.
        1 => prop::sample::select(vec![r"\x", r"\ud800", "\u{1}", r#"a","b":"c"#, r#"","content":"x"#, r"\"]).prop_map(str::to_owned),
    ]
}

fn chat_event() -> impl Strategy<Value = String> {
    let form = prop::sample::select(vec![
        r#"{"id":"c","choices":[{"index":0,"delta":{"content":"TEXT"},"logprobs":null,"finish_reason":null}]}"#,
        r#"{"id":"c","choices":[{"index":1,"delta":{"content":"TEXT"},"finish_reason":null}]}"#,
        r#"{"id":"c","choices":[{"index":0,"delta":{"role":"assistant","content":"TEXT"}}]}"#,
        r#"{"id":"c","choices":[{"index":0,"delta":{"reasoning_text":"TEXT"}}],"obfuscation":"TEXT"}"#,
        r#"{"id":"c","choices":[{"index":0,"delta":{"content":"TEXT"}}], "x":1}"#,
        r#"{"x":"TEXT","choices":[{"index":0,"delta":{"content":"b"}}]}"#,
        r#"{"id":"c","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#,
        r#"{"id":"c","choices":[],"usage":{"total_tokens":3}}"#,
    ]);
    let often = Just(
        r#"{"id":"c","choices":[{"index":0,"delta":{"content":"TEXT"},"logprobs":null,"finish_reason":null}]}"#,
    );
    (prop_oneof![3 => often, 2 => form], text())
        .prop_map(|(form, text)| format!("data: {}\n\n", form.replace("TEXT", &text)))
}

fn message_event() -> impl Strategy<Value = String> {
    let form = prop::sample::select(vec![
        (
            "content_block_delta",
            r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"TEXT"}}"#,
        ),
        (
            "content_block_delta",
            r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"TEXT"},"x":"TEXT"}"#,
        ),
        (
            "content_block_delta",
            r#"{"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"TEXT"}}"#,
        ),
        (
            "",
            r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"TEXT"}}"#,
        ),
        ("ping", r#"{"type":"ping"}"#),
    ]);
    let often = Just((
        "content_block_delta",
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"TEXT"}}"#,
    ));
    (prop_oneof![4 => often, 1 => form], text()).prop_map(|((name, form), text)| {
        let data = form.replace("TEXT", &text);
        match name {
            "" => format!("data: {data}\n\n"),
            name => format!("event: {name}\ndata: {data}\n\n"),
        }
    })
}

fn begun(events: Vec<String>) -> Vec<String> {
    let start = [
        "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"m\",\"content\":[]}}\n\n",
        "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n",
    ];
    start.into_iter().map(str::to_owned).chain(events).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn chat_is_the_same(events in prop::collection::vec(chat_event(), 0..24)) {
        prop_assert_eq!(run(Dialect::Chat, &events, true), run(Dialect::Chat, &events, false));
    }

    #[test]
    fn messages_are_the_same(events in prop::collection::vec(message_event(), 0..24)) {
        let events = begun(events);
        prop_assert_eq!(run(Dialect::Messages, &events, true), run(Dialect::Messages, &events, false));
    }

    #[test]
    fn completions_are_the_same(events in prop::collection::vec((0..3u8, text(), 0..12u8), 0..24)) {
        let events: Vec<String> = events
            .into_iter()
            .map(|(index, text, form)| {
                let name = if form == 0 { "event: x\n" } else { "" };
                let finish = if form == 1 { r#""stop""# } else { "null" };
                format!("{name}data: {{\"choices\":[{{\"index\":{index},\"text\":\"{text}\",\"finish_reason\":{finish}}}]}}\n\n")
            })
            .collect();
        prop_assert_eq!(run(Dialect::Completions, &events, true), run(Dialect::Completions, &events, false));
    }
}

/// The control: what is compared above is two different ways.
#[test]
fn shapes_are_remembered() {
    let event = r#"data: {"choices":[{"index":0,"delta":{"content":"a"}}]}"#.to_owned() + "\n\n";
    let caller = POLICY.for_caller(&Query::new(&BTreeSet::new(), "m", Timestamp::from_secs(1)));
    let envelope = Envelope {
        id: "e".into(),
        model: "m".into(),
        created: 1,
    };
    let mut exchange = Exchange::new(Dialect::Chat, envelope, POLICY.rule_set().clone(), caller, "e");
    assert!(exchange.memo.is_empty());
    exchange.handle_data(event.as_bytes());
    exchange.poll();
    assert!(!exchange.memo.is_empty());
}
