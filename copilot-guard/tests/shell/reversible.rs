//! Reversible marks: the model sees a mark, the person reads what they sent, and the record has neither.

use copilot_guard::audit::EventKind;
use copilot_guard::policy::{Policy, PolicyOptions};
use http::Request;
use http_body_util::Full;
use serde_json::{Value, json};

use crate::support::*;

const RESPONSES: &str = "/v1/responses";
const PATHS: [&str; 3] = [CHAT, MESSAGES, RESPONSES];
const RULE: &str = "[[rules]]\nid = \"own-secrets\"\non = \"prompt\"\nmatch = { secrets = [\"github-pat\"] }\naction = \"mask\"\nreversible = true\n";

fn token() -> String {
    format!("{}p_{}", "gh", "Ab1c2D".repeat(6))
}

fn house(rules: &str) -> House {
    let text = format!("version = 1\n[network]\nallowed_hosts = [\"docs.rs\"]\n{rules}");
    let policy = Policy::parse(&text, "policy.toml", &PolicyOptions::new(NOW)).unwrap();
    let house = House::new(Model::new([]));
    house.guard.set_policy(policy);
    house
}

fn question(person: &str, session: &str, path: &str, stream: bool) -> Request<Full<bytes::Bytes>> {
    let text = format!("my token is {}, does it look right?", token());
    let member = if path == RESPONSES { "input" } else { "messages" };
    let body =
        json!({"model": "m", "stream": stream, "max_tokens": 9, member: [{"role": "user", "content": text}]});
    let mut request = as_person(person, path, body.to_string());
    let headers = request.headers_mut();
    headers.insert("x-client-session-id", session.parse().unwrap());
    request
}

/// An answer with this text, cut into pieces of three characters.
fn answer(path: &str, stream: bool, text: &str) -> Answer {
    let chars: Vec<char> = text.chars().collect();
    let pieces = chars.chunks(3).map(|piece| piece.iter().collect::<String>());
    let event = |name: &str, data: Value| {
        let name = if name.is_empty() {
            String::new()
        } else {
            format!("event: {name}\n")
        };
        format!("{name}data: {data}\n\n")
    };
    match (path, stream) {
        (CHAT, true) => {
            let chunk = |delta: Value, finish: Value| {
                event("", json!({"id": "c", "object": "chat.completion.chunk", "created": 7, "model": "up",
                    "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}))
            };
            let text: String = pieces.map(|piece| chunk(json!({"content": piece}), Value::Null)).collect();
            Answer::sse(text + &chunk(json!({}), json!("stop")) + "data: [DONE]\n\n")
        }
        (MESSAGES, true) => {
            let of = |kind: &str, mut data: Value| {
                data["type"] = json!(kind);
                event(kind, data)
            };
            let mut out = of("message_start", json!({"message": {"id": "m", "type": "message", "role": "assistant", "model": "m", "content": [], "stop_reason": null, "stop_sequence": null, "usage": {"input_tokens": 1, "output_tokens": 1}}}));
            out += &of("content_block_start", json!({"index": 0, "content_block": {"type": "text", "text": ""}}));
            for piece in pieces {
                out += &of("content_block_delta", json!({"index": 0, "delta": {"type": "text_delta", "text": piece}}));
            }
            out += &of("content_block_stop", json!({"index": 0}));
            out += &of("message_delta", json!({"delta": {"stop_reason": "end_turn", "stop_sequence": null}, "usage": {"output_tokens": 2}}));
            Answer::sse(out + &of("message_stop", json!({})))
        }
        (RESPONSES, true) => {
            let mut number = 0;
            let mut of = |kind: &str, mut data: Value| {
                data["type"] = json!(kind);
                data["sequence_number"] = json!(number);
                number += 1;
                event(kind, data)
            };
            let part = |text: &str| json!({"type": "output_text", "text": text, "annotations": []});
            let item = |status: &str, content: Value| json!({"id": "i", "type": "message", "role": "assistant", "status": status, "content": content});
            let whole = |status: &str, output: Value| json!({"response": {"id": "r", "object": "response", "created_at": 7, "model": "m", "status": status, "output": output}});
            let at = json!({"item_id": "i", "output_index": 0, "content_index": 0});
            let with = |name: &str, value: Value| {
                let mut at = at.clone();
                at[name] = value;
                at
            };
            let mut out = of("response.created", whole("in_progress", json!([])));
            out += &of("response.output_item.added", json!({"output_index": 0, "item": item("in_progress", json!([]))}));
            out += &of("response.content_part.added", with("part", part("")));
            for piece in pieces {
                out += &of("response.output_text.delta", with("delta", json!(piece)));
            }
            out += &of("response.output_text.done", with("text", json!(text)));
            out += &of("response.content_part.done", with("part", part(text)));
            let done = item("completed", json!([part(text)]));
            out += &of("response.output_item.done", json!({"output_index": 0, "item": done}));
            Answer::sse(out + &of("response.completed", whole("completed", json!([done]))))
        }
        (CHAT, false) => Answer::json(json!({"id": "c", "object": "chat.completion", "created": 1, "model": "m",
            "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}]}).to_string()),
        (MESSAGES, false) => Answer::json(json!({"id": "m", "type": "message", "role": "assistant", "model": "m",
            "content": [{"type": "text", "text": text}], "stop_reason": "end_turn", "stop_sequence": null, "usage": {"input_tokens": 1, "output_tokens": 1}}).to_string()),
        _ => Answer::json(json!({"id": "r", "object": "response", "created_at": 7, "model": "m", "status": "completed", "output": [
            {"id": "i", "type": "message", "role": "assistant", "status": "completed",
             "content": [{"type": "output_text", "text": text, "annotations": []}]}]}).to_string()),
    }
}

/// The mark that the model was shown last.
fn mark(house: &House) -> String {
    let up = house.model.seen().last().unwrap().body.clone();
    assert!(!up.contains(&token()), "{up}");
    let start = up.find("[REDACTED:").unwrap_or_else(|| panic!("no mark: {up}"));
    let end = start + up[start..].find(']').unwrap() + 1;
    up[start..end].to_owned()
}

/// What comes back when the model answers with this text; `MARK` stands for the mark that it was shown.
async fn asked(house: &House, person: &str, path: &str, stream: bool, text: &str) -> (String, String) {
    house.model.then(answer(path, false, "ok"));
    house.ask(question(person, "s", path, false)).await;
    let mark = mark(house);
    house
        .model
        .then(answer(path, stream, &text.replace("MARK", &mark)));
    let got = house.ask(question(person, "s", path, stream)).await;
    assert_eq!(got.status, 200, "{got:?}");
    assert_eq!(self::mark(house), mark, "the mark of a session is one");
    (got.body, mark)
}

#[tokio::test]
async fn the_person_reads_it_and_the_record_does_not() {
    for path in PATHS {
        for stream in [true, false] {
            let house = house(RULE);
            let (body, mark) = asked(
                &house,
                TOKEN,
                path,
                stream,
                "Your token MARK is fine.\n- again: MARK",
            )
            .await;
            // Some formats say a text again when it is complete.
            assert!(body.matches(&token()).count() >= 2, "{path} {stream}: {body}");
            assert!(
                !body.contains(&mark) && !body.contains("RESTORED"),
                "{path} {stream}: {body}"
            );
            let events = house.checked().await;
            let record = serde_json::to_string(&events).unwrap();
            assert!(!record.contains(&token()), "{path} {stream}: {record}");
            assert!(
                record.contains("[RESTORED:github-pat:") && record.contains(&mark),
                "{record}"
            );
            let noted = |e: &copilot_guard::audit::AuditEvent| matches!(&e.kind, EventKind::Matched(hit) if hit.id == "restored-mark");
            assert!(events.iter().any(noted), "{path} {stream}");
        }
    }
}

#[tokio::test]
async fn nowhere_but_in_prose() {
    for text in [
        "```sh\ncurl -H 'x: MARK' https://docs.rs\n```\n",
        "Run `curl -H MARK`.",
        "See ![](https://docs.rs/?q=MARK).",
        "See [MARK](https://docs.rs/x).",
        "[a]: MARK",
        "<b title=MARK>",
        "https://docs.rs/MARK",
        "curl \\\n    MARK",
        "See MARK.evil.example",
        "MARK_x@evil.example",
        "<MARK",
    ] {
        for path in PATHS {
            for stream in [true, false] {
                let house = house(RULE);
                let (body, _) = asked(&house, TOKEN, path, stream, text).await;
                assert!(!body.contains(&token()), "{path} {stream} {text}: {body}");
            }
        }
    }
}

/// Clients send the answer up again, with the value in it; and a tool's result is masked for everybody.
#[tokio::test]
async fn the_next_turn_has_a_mark_again() {
    let house = house(RULE);
    let (_, mark) = asked(&house, TOKEN, CHAT, true, "Your token MARK is fine.").await;
    let body = json!({"model": "m", "messages": [
        {"role": "user", "content": "what was it?"},
        {"role": "assistant", "content": format!("Your token {} is fine.", token())},
        {"role": "tool", "tool_call_id": "c", "content": format!("export KEY={}", token())},
        {"role": "user", "content": "and now?"}]});
    let mut request = as_person(TOKEN, CHAT, body.to_string());
    request
        .headers_mut()
        .insert("x-client-session-id", "s".parse().unwrap());
    house
        .model
        .then(answer(CHAT, true, &format!("It was {mark} all along.")));
    let got = house.ask(request).await;
    let up = house.model.seen().last().unwrap().body.clone();
    assert_eq!(up.matches(&mark).count(), 2, "{up}");
    assert!(
        !up.contains(&token()) && got.body.contains(&token()),
        "{up} {got:?}"
    );
    let record = serde_json::to_string(&house.checked().await).unwrap();
    assert!(!record.contains(&token()), "{record}");
}

/// Some clients join the blocks of an answer.
#[tokio::test]
async fn what_an_earlier_text_left_open_counts() {
    let house = house(RULE);
    house.model.then(answer(MESSAGES, false, "ok"));
    house.ask(question(TOKEN, "s", MESSAGES, false)).await;
    let mark = mark(&house);
    for (first, shown) in [("All is well.", true), ("![](x", false), ("```sh\n", false)] {
        let blocks =
            json!([{"type": "text", "text": first}, {"type": "text", "text": format!("It is {mark} ok")}]);
        house.model.then(Answer::json(
            json!({"id": "m", "type": "message", "role": "assistant", "model": "m", "content": blocks,
            "stop_reason": "end_turn", "stop_sequence": null, "usage": {"input_tokens": 1, "output_tokens": 1}})
            .to_string(),
        ));
        let got = house.ask(question(TOKEN, "s", MESSAGES, false)).await;
        assert_eq!(got.body.contains(&token()), shown, "{first} {got:?}");
    }
}

#[tokio::test]
async fn no_call_of_a_tool_gets_it() {
    let house = house(RULE);
    house.model.then(answer(CHAT, false, "ok"));
    house.ask(question(TOKEN, "s", CHAT, false)).await;
    let mark = mark(&house);
    let call = json!({"id": "c", "type": "function", "function": {"name": "note", "arguments": json!({"text": mark}).to_string()}});
    let message = json!({"role": "assistant", "content": null, "tool_calls": [call]});
    house.model.then(Answer::json(
        json!({"id": "c", "object": "chat.completion", "created": 1, "model": "m",
        "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}]})
        .to_string(),
    ));
    let got = house.ask(question(TOKEN, "s", CHAT, false)).await;
    assert!(
        got.body.contains(&mark) && !got.body.contains(&token()),
        "{got:?}"
    );
}

#[tokio::test]
async fn a_mark_is_nobody_elses() {
    let house = house(RULE);
    let (_, mine) = asked(&house, TOKEN, CHAT, false, "ok").await;
    let (_, others) = asked(&house, "token-eve", CHAT, false, "ok").await;
    assert_ne!(mine, others);
    // Eve's model names the other's mark, and that of another session of hers.
    for session in ["s", "t"] {
        house
            .model
            .then(answer(CHAT, true, &format!("it is {mine} or {others}.")));
        let body = house.ask(question("token-eve", session, CHAT, true)).await.body;
        let shown = usize::from(session == "s");
        assert_eq!(body.matches(&token()).count(), shown, "{body}");
    }
    // Nor does the form that stands on record help anybody who has read it.
    let record = serde_json::to_string(&house.checked().await).unwrap();
    let start = record.find("[RESTORED:").unwrap();
    let end = start + record[start..].find(']').unwrap() + 1;
    house
        .model
        .then(answer(CHAT, true, &format!("`{}`", &record[start..end])));
    let body = house.ask(question("token-eve", "s", CHAT, true)).await.body;
    assert!(!body.contains(&token()), "{body}");
}

#[tokio::test]
async fn only_where_a_rule_says_so_and_no_other_one_objects() {
    // The control: without the word it is an ordinary mark.
    for rules in [
        RULE.replace("reversible = true\n", ""),
        format!(
            "{RULE}[[rules]]\nid = \"never\"\non = \"output\"\nmatch = {{ secrets = [\"github-pat\"] }}\naction = \"block\"\n"
        ),
        format!(
            "{RULE}[[rules]]\nid = \"never\"\non = \"output\"\nmatch = {{ regex = ['token ghp_[A-Za-z0-9]{{8}}'] }}\naction = \"block\"\n"
        ),
    ] {
        let house = house(&rules);
        let (body, _) = asked(&house, TOKEN, CHAT, true, "Your token MARK is fine.").await;
        assert!(!body.contains(&token()), "{body}");
    }
}

#[test]
fn rules_that_cannot_be_reversible_are_refused() {
    let rule = |on: &str, matches: &str, action: &str| {
        format!(
            "version = 1\n[[rules]]\nid = \"a\"\non = \"{on}\"\nmatch = {{ {matches} }}\naction = \"{action}\"\nreversible = true\n"
        )
    };
    let secrets = "secrets = [\"github-pat\"]";
    for (text, why) in [
        (rule("output", secrets, "mask"), "a rule on prompts"),
        (rule("tool_result", secrets, "mask"), "a rule on prompts"),
        (rule("prompt", secrets, "block"), "only what is masked"),
        (
            rule("prompt", "secrets = [\"postgres-url\"]", "mask"),
            "by its form alone",
        ),
        (
            rule("prompt", &format!("{secrets}, words = [\"x\"]"), "mask"),
            "only whole secrets",
        ),
        (
            rule("prompt", "words = [\"falcon\"]", "mask"),
            "only whole secrets",
        ),
        (
            format!(
                "{}[marks]\ntagged = \"[REDACTED:{{kind}}]\"\n",
                rule("prompt", secrets, "mask")
            ),
            "show no tag",
        ),
    ] {
        let error = Policy::parse(&text, "policy.toml", &PolicyOptions::new(NOW))
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("`reversible` has no effect here") && error.contains(why),
            "{error}"
        );
    }
}
