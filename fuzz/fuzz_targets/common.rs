//! What the targets share that run a whole answer through an exchange.
//!
//! Of an input, the first byte says how many of the next are sizes of pieces; the rest is upstream's stream. In it, `^`
//! and `~` stand for the halves of a secret and a backtick for the whole: it is planted when the target runs, so that no
//! seed has one, and a fuzzer needs one byte to move it elsewhere.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use copilot_guard::clock::Timestamp;
use copilot_guard::detect::RuleSet;
use copilot_guard::dialect::{Dialect, Envelope};
use copilot_guard::exchange::{CallAnswer, Exchange, Step};
use copilot_guard::policy::{CallerPolicy, Policy, PolicyOptions, Query};
use serde_json::Value;

const POLICY: &str = r#"
version = 1
[[patterns]]
id = "house-token"
regex = 'HOUSE-[0-9]{4}-[A-Z]{8}'
[[rules]]
id = "ask-about-calls"
on = "tool_call"
match = { regex = ['ask'] }
action = "require_approval"
approvals = { any = [{ reviewers = 1 }] }
[[rules]]
id = "stop-at"
on = "output"
match = { words = ["stop"] }
action = "block"
"#;

const HALVES: [&str; 2] = ["HOUSE-2041-", "QXTWKPLM"];
const SECRET: &str = "HOUSE-2041-QXTWKPLM";

/// The rules, and the one caller: to make either takes longer than most runs.
static GUARD: LazyLock<(RuleSet, CallerPolicy)> = LazyLock::new(|| {
    let options = PolicyOptions::new(Timestamp::from_secs(1));
    let policy = Policy::parse(POLICY, "policy.toml", &options).expect("the policy is right");
    let caller = policy.for_caller(&Query::new(&BTreeSet::new(), "m", Timestamp::from_secs(1)));
    (policy.rule_set().clone(), caller)
});

/// Compiles the rules before the clock of a run starts, and sees that the check finds what it is there for.
pub fn init() {
    LazyLock::force(&GUARD);
    for leak in [
        r#"data: {"a":["`"]}"#,
        r#"data: {"`":1}"#,
        "event: `\ndata: {}",
        "data: {\"choices\":[{\"text\":\"^\"}]}\n\ndata: {\"choices\":[{\"text\":\"~\"}]}",
        "data: {\"index\":1,\"delta\":{\"text\":\"^\"}}\n\ndata: {\"index\":1,\"delta\":{\"text\":\"~\"}}",
        "data: {\"type\":\"t\",\"delta\":\"^\"}\n\ndata: {\"type\":\"t\",\"delta\":\"~\"}",
    ] {
        let leak = String::from_utf8(plant(format!("{leak}\n\n").as_bytes())).expect("text");
        assert!(check_secret(&read(&leak), true).is_err(), "not found: {leak}");
    }
}

/// Runs one input: nothing panics, the answer ends as its clients expect, what leaves does not depend on how the bytes
/// came, and the secret is not in it.
pub fn check(dialect: Dialect, id: &str, data: &[u8]) {
    let Some((&count, rest)) = data.split_first() else {
        return;
    };
    let (sizes, stream) = rest.split_at(rest.len().min(usize::from(count % 8)));
    let stream = plant(stream);
    let whole = run(dialect, id, [stream.as_slice()]);
    // Which events share a write may differ, not what is written.
    assert_eq!(run(dialect, id, cut(&stream, sizes)), whole);
    let events = read(&whole);
    // Of the others, names of members are not looked at.
    let with_names = matches!(dialect, Dialect::Completions | Dialect::GhostText | Dialect::Mcp);
    if let Err(text) = check_secret(&events, with_names) {
        panic!("the secret is in {text}: {whole}");
    }
    check_end(dialect, &whole, &events);
}

fn plant(stream: &[u8]) -> Vec<u8> {
    let mut planted = Vec::with_capacity(stream.len());
    for byte in stream {
        match byte {
            b'^' => planted.extend_from_slice(HALVES[0].as_bytes()),
            b'~' => planted.extend_from_slice(HALVES[1].as_bytes()),
            b'`' => planted.extend_from_slice(SECRET.as_bytes()),
            byte => planted.push(*byte),
        }
    }
    planted
}

fn cut<'s>(stream: &'s [u8], sizes: &[u8]) -> Vec<&'s [u8]> {
    // Byte by byte, where nothing is said.
    let sizes = if sizes.is_empty() { &[1] } else { sizes };
    let mut pieces = Vec::new();
    let mut left = stream;
    for size in sizes.iter().cycle().take(stream.len()) {
        let (piece, after) = left.split_at(left.len().min(usize::from(size % 64)));
        pieces.push(piece);
        left = after;
    }
    pieces.push(left);
    pieces
}

fn run<'p>(dialect: Dialect, id: &str, pieces: impl IntoIterator<Item = &'p [u8]>) -> String {
    let (rules, caller) = &*GUARD;
    let envelope = Envelope {
        id: id.into(),
        model: "m".into(),
        created: 1,
    };
    let mut exchange = Exchange::new(dialect, envelope, rules.clone(), caller.clone(), "x");
    let mut out = Vec::new();
    let mut is_done = false;
    let mut drain = |exchange: &mut Exchange| {
        for _ in 0..1_000_000 {
            match exchange.poll() {
                Step::Deliver(bytes) => out.extend(bytes),
                Step::Ask(question) => {
                    let number = question.call.number;
                    let answer = match number % 2 {
                        0 => CallAnswer::Approve,
                        _ => CallAnswer::Refuse("refused".into()),
                    };
                    exchange.handle_answer(number, answer);
                }
                Step::Pending => return,
                Step::Done(_) => {
                    is_done = true;
                    return;
                }
            }
        }
        panic!("the exchange never rests");
    };
    for piece in pieces {
        exchange.handle_data(piece);
        drain(&mut exchange);
    }
    exchange.handle_end();
    drain(&mut exchange);
    assert!(is_done, "every answer ends");
    String::from_utf8(out).expect("what leaves is text")
}

/// The events: name, and data unless it is `[DONE]`.
fn read(out: &str) -> Vec<(String, Option<Value>)> {
    let body = out.strip_suffix("\n\n").unwrap_or(out);
    assert!(
        body.len() < out.len() || out.is_empty(),
        "the last event is whole: {out}"
    );
    let event = |event: &str| {
        let (name, rest) = match event.strip_prefix("event: ") {
            Some(named) => named.split_once('\n').expect("a name has data"),
            None => ("", event),
        };
        let data = rest.strip_prefix("data: ").expect("an event has data");
        assert!(!data.contains(['\n', '\r']), "one line: {data}");
        if data == "[DONE]" {
            return (name.to_owned(), None);
        }
        let limits = copilot_guard::json::Limits::default();
        copilot_guard::json::Document::parse(data.as_bytes(), limits).expect("what leaves is JSON");
        // Numbers beyond a double are JSON, yet serde_json refuses them.
        (
            name.to_owned(),
            Some(serde_json::from_str(data).unwrap_or(Value::Null)),
        )
    };
    body.split_terminator("\n\n").map(event).collect()
}

/// `Err` when an event holds the secret, or a text that a client joins from events does. What only the vendor can read
/// passes.
fn check_secret(events: &[(String, Option<Value>)], with_names: bool) -> Result<(), String> {
    let mut joined = BTreeMap::new();
    for (name, data) in events {
        has_none(name)?;
        if let Some(data) = data {
            check_strings(data, with_names)?;
            join(data, &mut joined);
        }
    }
    joined.values().try_for_each(|text| has_none(text))
}

fn has_none(text: &str) -> Result<(), String> {
    if text.contains(SECRET) {
        Err(text.to_owned())
    } else {
        Ok(())
    }
}

fn check_strings(value: &Value, with_names: bool) -> Result<(), String> {
    match value {
        Value::String(text) => has_none(text),
        Value::Array(items) => items.iter().try_for_each(|item| check_strings(item, with_names)),
        Value::Object(members) => {
            let is_encrypted = value["type"] == "redacted_thinking";
            for (name, member) in members {
                if with_names {
                    has_none(name)?;
                }
                let is_opaque = matches!(
                    name.as_str(),
                    "reasoning_opaque"
                        | "encrypted_content"
                        | "signature"
                        | "encrypted_index"
                        | "encrypted_stdout"
                        | "thought_signature"
                );
                if !is_opaque && !(is_encrypted && name == "data") {
                    check_strings(member, with_names)?;
                }
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

/// Adds the texts that a client of any dialect joins.
fn join(event: &Value, joined: &mut BTreeMap<String, String>) {
    let mut add = |place: String, member: &Value| {
        if let Value::String(text) = member {
            joined.entry(place).or_default().push_str(text);
        }
    };
    for choice in event["choices"].as_array().into_iter().flatten() {
        let index = choice["index"].as_u64().unwrap_or(0);
        add(format!("{index}.text"), &choice["text"]);
        for name in ["content", "reasoning_content", "reasoning_text", "refusal"] {
            add(format!("{index}.{name}"), &choice["delta"][name]);
        }
    }
    let block = &event["index"];
    for name in ["text", "thinking", "partial_json"] {
        add(format!("block {block}.{name}"), &event["delta"][name]);
    }
    // Responses: the delta is the text itself.
    let at = format!(
        "{} {} {} {}",
        event["type"], event["item_id"], event["output_index"], event["content_index"]
    );
    add(at, &event["delta"]);
}

fn check_end(dialect: Dialect, out: &str, events: &[(String, Option<Value>)]) {
    match dialect {
        Dialect::Chat | Dialect::Completions | Dialect::GhostText => {
            let ends = events.iter().filter(|(_, data)| data.is_none()).count();
            assert!(ends == 1 && out.ends_with("data: [DONE]\n\n"), "ends once: {out}");
        }
        Dialect::Messages => {
            let last = events.last().map(|(name, _)| name.as_str());
            assert_eq!(last, Some("message_stop"), "{out}");
        }
        Dialect::Mcp => {
            assert!(
                events.iter().all(|(_, data)| data.is_some()),
                "only messages: {out}"
            );
        }
        _ => {}
    }
    if matches!(dialect, Dialect::Completions | Dialect::GhostText) {
        let mut open = BTreeSet::new();
        let chunks = events.iter().filter_map(|(_, data)| data.as_ref());
        for choice in chunks.flat_map(|c| c["choices"].as_array().into_iter().flatten()) {
            let index = choice["index"].as_u64().unwrap_or(0);
            match choice["finish_reason"].as_str() {
                None | Some("") if choice["text"].as_str().unwrap_or_default().is_empty() => {}
                None | Some("") => drop(open.insert(index)),
                Some(_) => drop(open.remove(&index)),
            }
        }
        assert!(open.is_empty(), "a choice has no end: {out}");
    }
}
