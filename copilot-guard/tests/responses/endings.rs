//! However and wherever upstream breaks off, the client has a response that ends.

use serde_json::json;

use super::*;
use crate::masking::everything;
use crate::upstream::{By, Upstream};

fn stream() -> String {
    everything(&leaky(), By(5))
}

fn blocks(stream: &str) -> Vec<&str> {
    stream.split_inclusive("\n\n").collect()
}

#[test]
fn cut_after_every_event() {
    let stream = stream();
    let blocks = blocks(&stream);
    for n in 0..blocks.len() {
        let cut: String = blocks[..n].concat();
        let within = format!("{cut}{}", &blocks[n][..blocks[n].len() / 2]);
        for (part, failed) in [(&cut, false), (&cut, true), (&within, false)] {
            let mut exchange = exchange();
            let mut out = Vec::new();
            exchange.handle_data(part.as_bytes());
            if failed {
                exchange.handle_failure("upstream_failed");
            } else {
                exchange.handle_end();
            }
            drain(&mut exchange, &CallAnswer::Approve, &mut out);
            let seen = check(&String::from_utf8(out).unwrap());
            // Behind the text that was open, or a message of its own.
            let texts = seen.message_texts();
            assert!(texts.last().unwrap().contains("[copilot-guard]"));
            assert_eq!(texts.concat().matches("[copilot-guard]").count(), 1);
            // The last text is the notice; what was delivered stays.
            assert_eq!(
                seen.output.len(),
                seen.events
                    .iter()
                    .filter(|e| e["type"] == "response.output_item.done")
                    .count()
            );
        }
    }
}

/// The pieces that leave when upstream's events come one by one.
fn deliver(stream: &str, alive: bool, until: usize) -> (Exchange, Vec<u8>, bool) {
    let mut exchange = exchange();
    let mut out = Vec::new();
    let mut pieces = 0;
    for block in blocks(stream) {
        if alive {
            let bytes = exchange.keep_alive();
            if pieces == until {
                return (exchange, out, true);
            }
            out.extend(bytes);
            pieces += 1;
        }
        exchange.handle_data(block.as_bytes());
        while let Step::Deliver(bytes) = exchange.poll() {
            if pieces == until {
                return (exchange, out, true);
            }
            out.extend(bytes);
            pieces += 1;
        }
    }
    (exchange, out, false)
}

#[test]
fn a_piece_that_was_withheld() {
    let stream = stream();
    for alive in [false, true] {
        let mut until = 0;
        loop {
            let (mut exchange, mut out, withheld) = deliver(&stream, alive, until);
            if !withheld {
                break;
            }
            out.extend(exchange.end_withheld("It could not be recorded."));
            let seen = check(&String::from_utf8(out).unwrap());
            assert!(seen.message_texts().last().unwrap().contains("recorded"));
            until += 1;
        }
        assert!(until > 100);
    }
}

#[test]
fn keeping_alive_changes_nothing() {
    let stream = stream();
    let (_, out, _) = deliver(&stream, true, usize::MAX);
    let seen = check(&String::from_utf8(out).unwrap());
    let (_, out, _) = deliver(&stream, false, usize::MAX);
    let without = check(&String::from_utf8(out).unwrap());
    assert_eq!((seen.output, seen.texts), (without.output, without.texts));
    assert_eq!(seen.events.last().unwrap()["response"]["id"], "resp_up");
    // Nothing but signs of life, then the end.
    let mut exchange = exchange();
    let mut out = exchange.keep_alive();
    out.extend(exchange.keep_alive());
    exchange.handle_end();
    drain(&mut exchange, &CallAnswer::Approve, &mut out);
    let seen = check(&String::from_utf8(out).unwrap());
    assert_eq!(seen.events[0]["response"]["id"], "resp_own");
    assert!(exchange.keep_alive().is_empty());
}

#[test]
fn without_numbers_upstream_there_are_none() {
    let mut up = Upstream::new();
    up.text(&leaky(), By(3))
        .call("function_call", "sh", "{\"c\":\"rm -rf\"}", By(3));
    up.completed();
    for event in &mut up.events {
        event.as_object_mut().unwrap().remove("sequence_number");
    }
    for n in 1..=up.events.len() {
        let part: String = up.events[..n]
            .iter()
            .map(|e| upstream::render(e, false))
            .collect();
        let seen = through(&part);
        assert!(seen.events.iter().all(|e| e.get("sequence_number").is_none()));
    }
}

#[test]
fn a_text_that_is_blocked_ends_the_response_there() {
    for by in [By(1), By(4), By(1000)] {
        for n in 0..4 {
            let text = "before the falcon and behind it";
            let mut up = Upstream::new();
            match n {
                0 => up.text(text, by),
                1 => up.reasoning("summary_text", text, by),
                2 => up.code(text, by),
                _ => up.message(&[("refusal", "Fine. ".into()), ("refusal", text.into())], by),
            };
            let seen = through(&up.text("more", by).completed());
            let all = seen.all();
            assert!(
                all.contains("before the ") && !all.contains("behind") && !all.contains("more"),
                "{all}"
            );
        }
    }
}

#[test]
fn failures_are_told_in_our_words() {
    for failure in [
        json!({"type": "error", "code": "x", "message": secret()}),
        json!({"type": "response.failed", "response": {"id": "r", "status": "failed", "error": {"message": "upstream's words"}, "output": []}}),
    ] {
        let mut up = Upstream::new();
        up.text("Hello ", By(2)).push(failure);
        let out = run(&up.render(false), usize::MAX);
        assert!(!out.contains("upstream's words"));
        let seen = check(&out);
        assert_eq!(seen.message_texts()[0], "Hello ");
        assert!(seen.message_texts()[1].contains("reports an error"));
    }
}

#[test]
fn an_incomplete_response_stays_one() {
    let mut up = Upstream::new();
    up.text(&leaky(), By(2));
    up.completed();
    let end = up.events.last_mut().unwrap();
    end["type"] = json!("response.incomplete");
    end["response"]["status"] = json!("incomplete");
    end["response"]["incomplete_details"] = json!({"reason": "max_output_tokens"});
    let seen = through(&up.render(false));
    assert_eq!(
        (seen.end.as_str(), seen.message_texts()),
        ("response.incomplete", vec![clean()])
    );
    let last = seen.events.last().unwrap();
    assert_eq!(
        last["response"]["incomplete_details"]["reason"],
        "max_output_tokens"
    );
}

#[test]
fn the_client_of_these_tests_is_strict() {
    let mut up = Upstream::new();
    up.reasoning("summary_text", "Think. ", By(3))
        .text("Hello there ", By(5))
        .call("function_call", "sh", "{}", By(1));
    let good = up.completed();
    client::read(&good).unwrap();
    let events = up.events.clone();
    let stream = |events: &[serde_json::Value]| {
        events
            .iter()
            .map(|e| upstream::render(e, false))
            .collect::<String>()
    };
    let renumber = |events: &mut [serde_json::Value]| {
        events
            .iter_mut()
            .enumerate()
            .for_each(|(n, e)| e["sequence_number"] = json!(n));
    };
    for n in 0..events.len() {
        let mut gone = events.clone();
        let was = gone.remove(n);
        assert!(
            n == 0 || client::read(&stream(&gone)).is_err(),
            "a gap in the numbers"
        );
        renumber(&mut gone);
        let optional = was["type"] == "response.in_progress";
        assert_eq!(client::read(&stream(&gone)).is_ok(), optional, "without {was}");
        let mut twice = events.clone();
        twice.insert(n, was.clone());
        renumber(&mut twice);
        assert_eq!(client::read(&stream(&twice)).is_ok(), optional, "twice {was}");
    }
    for place in [
        "/delta",
        "/text",
        "/part/text",
        "/item/content/0/text",
        "/response/output/1/content/0/text",
        "/item/summary/0/text",
        "/item/arguments",
        "/arguments",
        "/response/output/2/arguments",
        "/output_index",
        "/item_id",
    ] {
        for n in 0..events.len() {
            let mut other = events.clone();
            let Some(member) = other[n].pointer_mut(place).filter(|m| **m != "") else {
                continue;
            };
            *member = json!("other");
            assert_eq!(
                client::read(&stream(&other)).is_ok(),
                place == "/item_id",
                "{place} of {}",
                events[n]
            );
        }
    }
    assert!(client::read(&(good.clone() + &upstream::render(&json!({"type": "x"}), false))).is_err());
    assert!(client::read(&good.replace("event: response.completed", "event: response.other")).is_err());
    assert!(client::read(good.strip_suffix('\n').unwrap()).is_err());
}
