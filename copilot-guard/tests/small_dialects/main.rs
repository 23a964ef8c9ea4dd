//! Completions, ghost text and MCP as an exchange: what leaves does not depend on how the bytes came, holds no secret,
//! and always ends as its clients expect.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests may panic")]

mod completions;
mod completions_check;
mod mcp;
mod mcp_requests;

use std::collections::BTreeSet;
use std::sync::LazyLock;

use copilot_guard::clock::Timestamp;
use copilot_guard::dialect::{Dialect, Envelope};
use copilot_guard::exchange::{Ended, Exchange, PlainExchange, PlainStep, Step};
use copilot_guard::policy::{CallerPolicy, Policy, PolicyOptions, Query};

const POLICY: &str = r#"
version = 1
[[patterns]]
id = "house-token"
regex = 'HOUSE-[0-9]{4}-[A-Z]{8}'
[[rules]]
id = "no-falcon"
on = "output"
match = { words = ["falcon"] }
action = "block"
"#;

/// Two halves of a secret: together they match.
const HALVES: (&str, &str) = ("HOUSE-2041-", "QXTWKPLM");
const WHOLE: &str = "HOUSE-2041-QXTWKPLM";

/// Compiling it takes seconds.
static GUARD: LazyLock<Policy> = LazyLock::new(|| {
    let options = PolicyOptions::new(Timestamp::from_secs(1));
    Policy::parse(POLICY, "policy.toml", &options).unwrap()
});

fn caller() -> CallerPolicy {
    GUARD.for_caller(&Query::new(&BTreeSet::new(), "m", Timestamp::from_secs(1)))
}

fn envelope(id: &str) -> Envelope {
    Envelope {
        id: id.into(),
        model: "m".into(),
        created: 1,
    }
}

fn exchange(dialect: Dialect, id: &str) -> Exchange {
    Exchange::new(dialect, envelope(id), GUARD.rule_set().clone(), caller(), "x")
}

/// What leaves when the stream comes in these pieces and then ends, and how it ended.
fn run<'p>(dialect: Dialect, id: &str, pieces: impl IntoIterator<Item = &'p [u8]>) -> (String, Ended) {
    let mut exchange = exchange(dialect, id);
    let mut out = Vec::new();
    let mut drain = |exchange: &mut Exchange| loop {
        match exchange.poll() {
            Step::Deliver(bytes) => out.extend(bytes),
            Step::Pending => return None,
            Step::Ask(_) => panic!("nobody is asked"),
            Step::Done(ended) => return Some(ended),
        }
    };
    for piece in pieces {
        exchange.handle_data(piece);
        drain(&mut exchange);
    }
    exchange.handle_end();
    let ended = drain(&mut exchange).unwrap();
    (String::from_utf8(out).unwrap(), ended)
}

/// The bytes cut at these places.
fn cut<'b>(bytes: &'b [u8], at: &[usize]) -> Vec<&'b [u8]> {
    let mut at: Vec<usize> = at.iter().map(|at| at % (bytes.len() + 1)).collect();
    at.sort_unstable();
    let mut pieces = Vec::new();
    let mut from = 0;
    for at in at {
        pieces.push(&bytes[from..at]);
        from = at;
    }
    pieces.push(&bytes[from..]);
    pieces
}

fn plain(dialect: Dialect, body: &str) -> Result<String, String> {
    let mut plain = PlainExchange::new(dialect, GUARD.rule_set().clone(), caller(), "x");
    match plain.judge(body.as_bytes()) {
        Ok(PlainStep::Deliver(out)) => Ok(out),
        Ok(PlainStep::Blocked(notice)) => Err(notice),
        Ok(PlainStep::Ask(_)) => panic!("nobody is asked"),
        Err(malformed) => Err(malformed.to_string()),
    }
}

/// Each event as bytes of its own.
fn events(stream: &str) -> Vec<&str> {
    stream.split_inclusive("\n\n").collect()
}
