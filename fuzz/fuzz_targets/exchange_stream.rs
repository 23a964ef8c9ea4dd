//! Whatever upstream sends, in whatever cut: nothing panics, the answer ends, what leaves does not depend on the cut,
//! and no planted secret is in it.
#![no_main]

use std::collections::BTreeSet;
use std::sync::LazyLock;

use copilot_guard::clock::Timestamp;
use copilot_guard::dialect::{Dialect, Envelope};
use copilot_guard::exchange::{CallAnswer, Exchange, Step};
use copilot_guard::policy::{Policy, PolicyOptions, Query};
use libfuzzer_sys::fuzz_target;

const POLICY: &str = r#"
version = 1
[[patterns]]
id = "house-token"
regex = 'HOUSE-[0-9]{4}'
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

static GUARD: LazyLock<Policy> = LazyLock::new(|| {
    Policy::parse(POLICY, "policy.toml", &PolicyOptions::new(Timestamp::from_secs(1))).expect("the policy is right")
});

fn run(dialect: Dialect, stream: &[u8], size: usize) -> Vec<u8> {
    let caller = GUARD.for_caller(&Query::new(&BTreeSet::new(), "m", Timestamp::from_secs(1)));
    let envelope = Envelope { id: "own".into(), model: "m".into(), created: 1 };
    let mut exchange = Exchange::new(dialect, envelope, GUARD.rule_set().clone(), caller, "x");
    let mut out = Vec::new();
    let mut is_done = false;
    let mut drain = |exchange: &mut Exchange| {
        for _ in 0..1_000_000 {
            match exchange.poll() {
                Step::Deliver(bytes) => out.extend(bytes),
                Step::Ask(question) => exchange.handle_answer(question.call.number, CallAnswer::Approve),
                Step::Pending => return,
                Step::Done(_) => {
                    is_done = true;
                    return;
                }
            }
        }
        panic!("the exchange never rests");
    };
    for piece in stream.chunks(size) {
        exchange.handle_data(piece);
        drain(&mut exchange);
    }
    exchange.handle_end();
    drain(&mut exchange);
    assert!(is_done, "every answer ends");
    out
}

fuzz_target!(|data: &[u8]| {
    let Some((&first, stream)) = data.split_first() else {
        return;
    };
    let dialect = if first & 1 == 0 { Dialect::Chat } else { Dialect::Messages };
    let whole = run(dialect, stream, stream.len().max(1));
    // Which events share a write may differ, not what is written.
    let cut = run(dialect, stream, usize::from(first >> 1) % 17 + 1);
    assert_eq!(String::from_utf8_lossy(&cut), String::from_utf8_lossy(&whole));
    assert!(!whole.windows(10).any(|w| w.starts_with(b"HOUSE-") && w[6..].iter().all(u8::is_ascii_digit)));
});
