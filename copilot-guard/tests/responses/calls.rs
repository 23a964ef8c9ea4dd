//! Tool calls: released whole, changed in all copies, replaced, held for a vote.

use copilot_guard::audit::Outcome;
use copilot_guard::exchange::Ended;
use serde_json::{Value, json};

use super::*;
use crate::upstream::{By, Upstream};

fn sh(command: &str) -> String {
    json!({"command": command}).to_string()
}

#[test]
fn a_call_leaves_whole_and_in_order() {
    for by in [By(1), By(1000)] {
        let mut up = Upstream::new();
        up.text("First. ", by)
            .call("function_call", "sh", &sh("ls"), by)
            .text("Then. ", by);
        let seen = through(&up.completed());
        let kinds: Vec<&str> = seen.events.iter().map(|e| e["type"].as_str().unwrap()).collect();
        let start = kinds
            .iter()
            .position(|k| *k == "response.function_call_arguments.delta")
            .unwrap();
        assert_eq!(
            kinds[start - 1..start + 3],
            [
                "response.output_item.added",
                "response.function_call_arguments.delta",
                "response.function_call_arguments.done",
                "response.output_item.done"
            ]
        );
        assert_eq!(seen.calls(), [("sh".to_owned(), sh("ls"))]);
        assert_eq!(seen.message_texts(), ["First. ", "Then. "]);
    }
}

#[test]
fn a_blocked_call_becomes_a_message_at_its_place() {
    for kind in ["function_call", "mcp_call"] {
        let mut up = Upstream::new();
        up.text("First. ", By(3))
            .call(kind, "sh", &sh("rm -rf /"), By(2))
            .call("function_call", "sh", &sh("ls"), By(2))
            .text("Then. ", By(3));
        let seen = through(&up.completed());
        assert_eq!(seen.calls(), [("sh".to_owned(), sh("ls"))]);
        let texts = seen.message_texts();
        assert_eq!(
            (texts.len(), texts[0].as_str(), texts[2].as_str()),
            (3, "First. ", "Then. ")
        );
        assert!(texts[1].starts_with("[copilot-guard]"), "{texts:?}");
        assert_eq!(seen.output[1]["id"], "msg_own_1");
    }
    let mut up = Upstream::new();
    up.call("custom_tool_call", "apply_patch", "rm -rf /", By(1));
    assert_eq!(through(&up.completed()).calls(), []);
}

#[test]
fn calls_without_a_string_of_arguments() {
    let shell = |command: &str, status: &str| {
        json!({"id": "l", "type": "local_shell_call", "call_id": "c", "status": status,
               "action": {"type": "exec", "command": ["bash", "-lc", command], "env": {}}})
    };
    for (command, kept) in [("ls", true), ("rm -rf /", false), ("rm -r\\u0066 /", true)] {
        let mut up = Upstream::new();
        up.item(
            // What is announced need not be what is run.
            shell("echo", "in_progress"),
            &[
                json!({"type": "response.local_shell_call.command.delta", "delta": "rm -rf /"}),
                json!({"type": "response.local_shell_call.in_progress"}),
                json!({"type": "response.local_shell_call.command", "command": "rm -rf /"}),
            ],
            shell(command, "completed"),
        );
        let seen = through(&up.completed());
        assert_eq!(seen.output[0]["type"] == "local_shell_call", kept, "{command}");
        if kept {
            assert_eq!(seen.output[0]["action"]["command"][2], command);
            let added = seen
                .events
                .iter()
                .find(|e| e["type"] == "response.output_item.added")
                .unwrap();
            assert_eq!(added["item"]["action"]["command"][2], command);
        }
    }
    let mut up = Upstream::new();
    up.item(shell("echo", "in_progress"), &[], shell(&leaky(), "completed"));
    let seen = through(&up.completed());
    // A mask would make another command of it.
    assert!(seen.output.iter().all(|item| item["type"] != "local_shell_call"));
    assert!(!seen.all().contains(&secret()));
    // A kind that nobody has heard of yet.
    let mut up = Upstream::new();
    up.item(
        json!({"id": "n", "type": "brand_new_call"}),
        &[],
        json!({"id": "n", "type": "brand_new_call", "steps": [{"run": "rm -rf /"}]}),
    );
    assert_eq!(through(&up.completed()).output[0]["type"], "message");
}

#[test]
fn a_held_call_lets_nothing_pass_it() {
    let mut up = Upstream::new();
    up.text("First. ", By(3))
        .call("function_call", "sh", &sh("deploy"), By(4))
        .text("Then. ", By(3))
        .call("function_call", "sh", &sh("deploy again"), By(4))
        .text("Last. ", By(3));
    let stream = up.completed();
    for (answer, calls) in [(CallAnswer::Approve, 2), (CallAnswer::Refuse("No.".into()), 0)] {
        let mut exchange = exchange();
        let mut out = Vec::new();
        exchange.handle_data(stream.as_bytes());
        exchange.handle_end();
        let mut asked = 0;
        loop {
            match exchange.poll() {
                Step::Deliver(bytes) => out.extend(bytes),
                Step::Ask(question) => {
                    asked += 1;
                    let so_far = String::from_utf8(out.clone()).unwrap();
                    assert!(!so_far.contains("deploy") || asked == 2, "{so_far}");
                    assert!(
                        !so_far.contains(if asked == 1 { "Then" } else { "Last" }),
                        "{so_far}"
                    );
                    out.extend(exchange.keep_alive());
                    exchange.handle_answer(question.call.number, answer.clone());
                }
                Step::Pending => panic!("nothing more comes"),
                Step::Done(_) => break,
            }
        }
        let seen = check(&String::from_utf8(out).unwrap());
        assert_eq!((asked, seen.calls().len()), (2, calls));
        let texts = seen.message_texts();
        assert_eq!(texts.iter().filter(|t| *t == "No.").count(), 2 - calls);
        assert_eq!(texts.last().unwrap(), "Last. ");
    }
}

#[test]
fn a_hold_that_ends_without_a_vote() {
    let mut up = Upstream::new();
    up.text("First. ", By(3))
        .call("function_call", "sh", &sh("deploy"), By(4))
        .text("Then. ", By(3));
    let stream = up.completed();
    for withheld in [false, true] {
        let mut exchange = exchange();
        exchange.handle_data(stream.as_bytes());
        let Step::Deliver(mut out) = exchange.poll() else {
            panic!("the first text leaves")
        };
        assert!(matches!(exchange.poll(), Step::Ask(_)));
        out.extend(exchange.keep_alive());
        if withheld {
            exchange.keep_alive();
            out.extend(exchange.end_withheld("It could not be recorded."));
        } else {
            let ended = Ended {
                outcome: Outcome::Refused,
                code: Some("approval_timed_out"),
            };
            exchange.handle_stop("Still waiting.", ended);
            drain(&mut exchange, &CallAnswer::Approve, &mut out);
        }
        let seen = check(&String::from_utf8(out).unwrap());
        let texts = seen.message_texts();
        assert_eq!(
            (texts.len(), texts[0].as_str(), seen.calls().len()),
            (2, "First. ", 0)
        );
        assert!(texts[1].starts_with("[copilot-guard]"));
    }
}

/// Events of two items that come by turns: the call's, and a message's.
#[test]
fn what_comes_by_turns_waits() {
    for command in ["ls", "rm -rf /"] {
        let mut call = Upstream::new();
        call.call("function_call", "sh", &sh(command), By(3));
        let mut text = Upstream::new();
        text.call("function_call", "sh", "{}", By(3))
            .text("By turns. ", By(2));
        text.completed();
        let of = |events: &[Value], index: u64| -> Vec<Value> {
            events
                .iter()
                .filter(|e| e["output_index"] == index)
                .cloned()
                .collect()
        };
        let (calls, mut texts) = (of(&call.events, 0), of(&text.events, 1));
        let mut all = Upstream::new();
        for (n, event) in calls.into_iter().enumerate() {
            all.push(event);
            if n > 0 && !texts.is_empty() {
                all.push(texts.remove(0));
            }
        }
        for event in texts {
            all.push(event);
        }
        let mut end = text.events.last().unwrap().clone();
        end["response"]["output"][0]["arguments"] = json!(sh(command));
        all.push(end);
        let seen = through(&all.render(false));
        assert_eq!(seen.message_texts().last().unwrap(), "By turns. ", "{command}");
        assert_eq!(seen.calls().len(), usize::from(command == "ls"));
    }
}

#[test]
fn a_call_that_comes_whole() {
    for (arguments, kept) in [(sh("ls"), true), (sh("rm -rf /"), false)] {
        let item =
            json!({"id": "f", "type": "function_call", "call_id": "c", "name": "sh", "arguments": arguments});
        for added in [true, false] {
            let mut up = Upstream::new();
            if added {
                up.push(json!({"type": "response.output_item.added", "output_index": 0, "item": item}));
            }
            up.push(json!({"type": "response.output_item.done", "output_index": 0, "item": item}));
            up.push(json!({"type": "response.completed", "response": {"id": "r", "status": "completed", "output": [item]}}));
            let seen = through(&up.render(false));
            assert_eq!(seen.calls().len(), usize::from(kept), "{arguments}");
            assert_eq!(seen.texts.contains_key("0.arguments"), kept);
        }
    }
}

#[test]
fn too_much_behind_a_call_ends_the_answer() {
    let mut up = Upstream::new();
    up.push(json!({"type": "response.output_item.added", "output_index": 0, "item": {"id": "f", "type": "function_call", "name": "sh", "arguments": ""}}));
    let filler = "a ".repeat(1 << 20);
    for index in 1..8 {
        up.push(json!({"type": "response.output_item.done", "output_index": index, "item": {"id": "m", "type": "message", "content": [{"type": "output_text", "text": filler}]}}));
    }
    let seen = through(&up.render(false));
    assert!(
        seen.message_texts()[0].contains("cannot be read"),
        "{:?}",
        seen.message_texts()
    );
}
