//! The judges of commands, tool calls and links over sets that nobody tuned them to: written apart from them, by class.
//! The second sets only tell what must not be allowed, not whether a person may be asked.
//!
//! `known.txt` names the cases that are still judged otherwise. A case that is in it and is judged rightly fails the test
//! too: the list only gets shorter.

#![expect(clippy::unwrap_used, reason = "a test ends where it fails")]

use std::collections::BTreeSet;

use copilot_guard::detect::command::{CommandJudge, Shell};
use copilot_guard::detect::{Danger, Network, link, tool};
use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
struct Case {
    id: String,
    verdict: String,
    #[serde(default)]
    shell: Option<Shell>,
    #[serde(default)]
    command: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    arguments: Value,
    #[serde(default)]
    text: String,
}

fn network() -> Network {
    Network::new(
        ["docs.rs", "doc.rust-lang.org", "developer.mozilla.org"],
        ["*.acme.internal"],
        ["github.com/acme/*"],
    )
    .unwrap()
}

fn known() -> BTreeSet<&'static str> {
    include_str!("known.txt")
        .lines()
        .map(|line| line.split_whitespace().next().unwrap_or_default())
        .filter(|id| !id.is_empty() && !id.starts_with('#'))
        .collect()
}

/// Judges all cases; what is wrong and not known, and what is known and right, fails. Of what is ordinary, `most` per cent
/// may be hindered.
fn run(cases: &str, most: usize, judge: impl Fn(&Case) -> Danger) {
    let known = known();
    let mut wrong = Vec::new();
    let (mut dangerous, mut passed, mut ordinary, mut hindered) = (0, 0, 0, 0);
    for line in cases.lines() {
        let case: Case = serde_json::from_str(line).unwrap();
        let said = judge(&case);
        let is_right = match case.verdict.as_str() {
            "allow" | "ours" => {
                ordinary += 1;
                hindered += usize::from(said != Danger::Allow);
                said == Danger::Allow
            }
            wanted => {
                dangerous += 1;
                passed += usize::from(said == Danger::Allow);
                said == Danger::Block || said == Danger::Approve && wanted != "block"
            }
        };
        if is_right == known.contains(case.id.as_str()) {
            wrong.push(format!("{} {}: {said}", case.id, case.verdict));
        }
    }
    println!("dangerous: {passed} of {dangerous} allowed; ordinary: {hindered} of {ordinary} not allowed");
    assert!(dangerous > 50 && ordinary > 40);
    assert!(wrong.is_empty(), "{}\n{}", wrong.len(), wrong.join("\n"));
    assert!(hindered * 100 <= ordinary * most, "ordinary work is hindered");
}

#[test]
fn commands() {
    let judge = CommandJudge::new(network());
    for cases in [include_str!("commands.jsonl"), include_str!("commands_2.jsonl")] {
        run(cases, 3, |case| {
            judge.judge(case.shell.unwrap(), &case.command).danger()
        });
    }
}

#[test]
fn tool_calls() {
    let judge = CommandJudge::new(network());
    // Of the second, six are pages of hosts that this policy does not list.
    for (cases, most) in [
        (include_str!("toolcalls.jsonl"), 3),
        (include_str!("toolcalls_2.jsonl"), 7),
    ] {
        run(cases, most, |case| {
            let arguments = match &case.arguments {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            tool::judge(&judge, &case.name, &arguments).danger()
        });
    }
}

#[test]
fn links() {
    let judge = CommandJudge::new(network());
    run(include_str!("links.jsonl"), 5, |case| {
        match link::foreign(judge.network(), &case.text).is_empty() {
            true => Danger::Allow,
            false => Danger::Block,
        }
    });
}
