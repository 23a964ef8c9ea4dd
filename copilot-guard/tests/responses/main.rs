//! OpenAI Responses through an exchange: what a strict client has at the end, whatever upstream does.

#![expect(
    unreachable_pub,
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests may panic"
)]

mod calls;
mod client;
mod endings;
mod hostile;
mod masking;
mod plain;
mod upstream;

use std::collections::BTreeSet;
use std::sync::LazyLock;

use copilot_guard::clock::Timestamp;
use copilot_guard::dialect::{Dialect, Envelope};
use copilot_guard::exchange::{CallAnswer, Exchange, PlainExchange, Step};
use copilot_guard::policy::{CallerPolicy, Policy, PolicyOptions, Query};

use client::Seen;

const POLICY: &str = r#"
version = 1
[[patterns]]
id = "house-token"
regex = 'HOUSE-[0-9]{4}-[A-Z]{8}'
[[rules]]
id = "no-removal"
on = "tool_call"
match = { regex = ['rm -rf'] }
action = "block"
[[rules]]
id = "deployments"
on = "tool_call"
match = { words = ["deploy"] }
action = "require_approval"
[[rules]]
id = "no-falcon"
on = "output"
match = { words = ["falcon"] }
action = "block"
"#;

/// Two halves of a secret: together they match.
const HALVES: (&str, &str) = ("HOUSE-2041-", "QXTWKPLM");
const MARK: &str = "[REDACTED:house-token]";

fn secret() -> String {
    format!("{}{}", HALVES.0, HALVES.1)
}

fn leaky() -> String {
    format!("the key is {}, or again {}. Bye", secret(), secret())
}

fn clean() -> String {
    leaky().replace(&secret(), MARK)
}

fn policy() -> (&'static Policy, CallerPolicy) {
    static COMPILED: LazyLock<Policy> = LazyLock::new(|| {
        let options = PolicyOptions::new(Timestamp::from_secs(1)).with_reviewer_groups(["security"]);
        Policy::parse(POLICY, "policy.toml", &options).unwrap()
    });
    let caller = COMPILED.for_caller(&Query::new(&BTreeSet::new(), "m", Timestamp::from_secs(1)));
    (&COMPILED, caller)
}

fn envelope() -> Envelope {
    Envelope {
        id: "resp_own".into(),
        model: "m".into(),
        created: 1,
    }
}

fn exchange() -> Exchange {
    let (policy, caller) = policy();
    Exchange::new(
        Dialect::Responses,
        envelope(),
        policy.rule_set().clone(),
        caller,
        "x",
    )
}

fn plain_exchange() -> PlainExchange {
    let (policy, caller) = policy();
    PlainExchange::new(Dialect::Responses, policy.rule_set().clone(), caller, "x")
}

/// Takes all there is, answering every question with `answer`.
fn drain(exchange: &mut Exchange, answer: &CallAnswer, out: &mut Vec<u8>) {
    loop {
        match exchange.poll() {
            Step::Deliver(bytes) => out.extend(bytes),
            Step::Ask(question) => exchange.handle_answer(question.call.number, answer.clone()),
            Step::Pending | Step::Done(_) => return,
        }
    }
}

/// What leaves when the stream comes in pieces of this size; questions are answered with yes.
fn run(stream: &str, size: usize) -> String {
    let mut exchange = exchange();
    let mut out = Vec::new();
    for piece in stream.as_bytes().chunks(size.clamp(1, stream.len().max(1))) {
        exchange.handle_data(piece);
        drain(&mut exchange, &CallAnswer::Approve, &mut out);
    }
    exchange.handle_end();
    drain(&mut exchange, &CallAnswer::Approve, &mut out);
    assert!(exchange.ended().is_some(), "the answer ends");
    String::from_utf8(out).unwrap()
}

/// Reads strictly. No secret and no blocked call may be in it, nor come together when anything is joined.
fn check(out: &str) -> Seen {
    let seen = client::read(out).unwrap_or_else(|e| panic!("{e}\n{out}"));
    let all = seen.all();
    for forbidden in [secret().as_str(), "rm -rf", "falcon"] {
        assert!(
            !all.contains(forbidden) && !out.contains(forbidden),
            "{forbidden}: {out}"
        );
    }
    seen
}

fn through(stream: &str) -> Seen {
    check(&run(stream, usize::MAX))
}
