//! What an event costs in memory: once its shape is known, nothing.

use std::collections::BTreeSet;

use copilot_guard::clock::Timestamp;
use copilot_guard::detect::views::Screen;
use copilot_guard::detect::{RuleSet, ScanOptions};
use copilot_guard::dialect::{Dialect, Envelope};
use copilot_guard::exchange::{Exchange, Step};
use copilot_guard::policy::{Policy, PolicyOptions, Query};

fn chat(n: usize) -> String {
    let event = |i: usize| {
        format!(
            r#"data: {{"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{{"index":0,"delta":{{"content":" word {i}\n"}},"logprobs":null,"finish_reason":null}}],"obfuscation":"x{i}"}}"#
        ) + "\n\n"
    };
    (0..n).map(event).collect()
}

/// Three choices, one after the other.
fn completions(n: usize) -> String {
    let event = |i: usize| {
        let index = i % 3;
        format!(
            r#"data: {{"id":"c","created":1,"choices":[{{"index":{index},"text":" word {i}\t","logprobs":null,"finish_reason":null}}]}}"#
        ) + "\n\n"
    };
    (0..n).map(event).collect()
}

fn messages(n: usize) -> String {
    let start = concat!(
        "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"m\",\"content\":[]}}\n\n",
        "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n",
    );
    let event = |i: usize| {
        format!(
            "event: content_block_delta\ndata: {{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{{\"type\":\"text_delta\",\"text\":\" word {i} é\"}}}}\n\n"
        )
    };
    (0..n).fold(start.to_owned(), |all, i| all + &event(i))
}

/// Allocations while a stream of so many events goes through, in one write.
fn allocations(policy: &Policy, dialect: Dialect, stream: &str) -> u64 {
    let caller = policy.for_caller(&Query::new(&BTreeSet::new(), "m", Timestamp::from_secs(1)));
    let envelope = Envelope {
        id: "e".into(),
        model: "m".into(),
        created: 1,
    };
    let mut exchange = Exchange::new(dialect, envelope, policy.rule_set().clone(), caller, "e");
    let mut delivered = 0;
    let counted = allocation_counter::measure(|| {
        exchange.handle_data(stream.as_bytes());
        while let Step::Deliver(out) = exchange.poll() {
            delivered += out.len();
        }
    });
    assert!(delivered > stream.len() / 2, "the events came through");
    counted.count_total
}

#[test]
fn an_event_of_a_known_shape_allocates_nothing() {
    let policy = Policy::allow_all(&PolicyOptions::new(Timestamp::from_secs(1))).unwrap();
    for (dialect, stream) in [
        (Dialect::Chat, chat as fn(usize) -> String),
        (Dialect::Completions, completions),
        (Dialect::GhostText, completions),
        (Dialect::Messages, messages),
    ] {
        let (few, many) = (stream(100), stream(1100));
        let (few, many) = (
            allocations(&policy, dialect, &few),
            allocations(&policy, dialect, &many),
        );
        // Two buffers grow with the length of the write, by doubling.
        assert!(
            many <= few + 10,
            "{dialect}: {few} for 100 events, {many} for 1100"
        );
        // The control: without a known shape every event costs some.
        let strange: String = (0..1000)
            .map(|i| format!("data: {{\"k{i}\":\"v\"}}\n\n"))
            .collect();
        if dialect == Dialect::Chat {
            assert!(allocations(&policy, dialect, &strange) > 1000);
        }
    }
}

#[test]
fn a_piece_that_is_held_for_a_moment_allocates_nothing() {
    let rules = RuleSet::builder().builtin().build().unwrap();
    let mut screen = Screen::new(&rules, &rules.all(), &ScanOptions::default());
    let mut out = Vec::with_capacity(1 << 16);
    let mut count = |n: usize| {
        let mut sink = rules.marked(&mut out);
        let counted = allocation_counter::measure(|| {
            for _ in 0..n {
                screen.push(" word 5 é".as_bytes(), &mut sink);
            }
        });
        counted.count_total
    };
    count(10);
    assert_eq!(count(100), 0);
}
