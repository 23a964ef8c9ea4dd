//! One exchange without I/O: a streamed answer of 100 events, and a request as agents send it.
#![expect(clippy::expect_used, reason = "a bench that cannot start says so and ends")]

use std::collections::BTreeSet;
use std::hint::black_box;

use copilot_guard::clock::Timestamp;
use copilot_guard::decision::Stage;
use copilot_guard::dialect::{Dialect, Envelope};
use copilot_guard::exchange::{Exchange, Step};
use copilot_guard::json::Limits;
use copilot_guard::policy::{Policy, PolicyOptions, Query};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

fn policy() -> Policy {
    Policy::allow_all(&PolicyOptions::new(Timestamp::from_secs(1))).expect("the built-in policy compiles")
}

fn envelope() -> Envelope {
    Envelope {
        id: "chatcmpl-bench".into(),
        model: "m".into(),
        created: 1,
    }
}

fn stream() -> Vec<u8> {
    let mut out = String::new();
    for i in 0..100 {
        out += &format!(
            "data: {{\"id\":\"chatcmpl-bench\",\"object\":\"chat.completion.chunk\",\"created\":1795384256,\"model\":\"gpt-4.1\",\"system_fingerprint\":\"fp_44709d6fcb\",\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\" word{i}\"}},\"logprobs\":null,\"finish_reason\":null}}]}}\n\n"
        );
    }
    out += "data: {\"id\":\"chatcmpl-bench\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";
    out.into_bytes()
}

fn answers(c: &mut Criterion) {
    let policy = policy();
    let caller = policy.for_caller(&Query::new(&BTreeSet::new(), "m", Timestamp::from_secs(1)));
    let bytes = stream();
    let mut group = c.benchmark_group("answer");
    group.throughput(Throughput::Elements(102));
    for (name, size) in [("one_write", usize::MAX), ("event_by_event", bytes.len() / 101)] {
        group.bench_function(name, |b| {
            b.iter(|| {
                let mut exchange = Exchange::new(
                    Dialect::Chat,
                    envelope(),
                    policy.rule_set().clone(),
                    caller.clone(),
                    "bench",
                );
                let mut delivered = 0;
                for piece in bytes.chunks(size.min(bytes.len())) {
                    exchange.handle_data(black_box(piece));
                    while let Step::Deliver(out) = exchange.poll() {
                        delivered += out.len();
                    }
                }
                delivered
            });
        });
    }
    group.finish();
}

/// About 58 KB with 20 tools and a long system prompt, as measured clients send it.
fn request() -> String {
    let prose =
        "You are a coding assistant. Follow the user's instructions and keep to the repository's style. ";
    let tools: Vec<String> = (0..20)
        .map(|i| {
            format!(
                r#"{{"type":"function","function":{{"name":"tool{i}","description":{:?},"parameters":{{"type":"object","properties":{{"path":{{"type":"string","description":"A path"}}}}}}}}}}"#,
                prose.repeat(12)
            )
        })
        .collect();
    format!(
        r#"{{"model":"gpt-4.1","stream":true,"messages":[{{"role":"system","content":{:?}}},{{"role":"user","content":"hello"}}],"tools":[{}]}}"#,
        prose.repeat(240),
        tools.join(",")
    )
}

fn requests(c: &mut Criterion) {
    let policy = policy();
    let body = request();
    let groups = BTreeSet::new();
    let mut group = c.benchmark_group("request");
    group.throughput(Throughput::Bytes(body.len() as u64));
    group.bench_function("parse", |b| {
        b.iter(|| {
            Dialect::Chat
                .parse_request(black_box(body.as_bytes()), None, Limits::default())
                .map(|r| r.parts.len())
        });
    });
    group.bench_function("parse_judge_write", |b| {
        b.iter(|| {
            let request = Dialect::Chat.parse_request(black_box(body.as_bytes()), None, Limits::default())?;
            let caller = policy.for_caller(&Query::new(&groups, &request.model, Timestamp::from_secs(1)));
            let hits: usize = request
                .parts
                .iter()
                .map(|p| caller.part(Stage::Prompt, &p.place, &p.text).decision.hits.len())
                .sum();
            request.write(&[]).map(|text| text.len() + hits)
        });
    });
    group.finish();
}

criterion_group!(benches, answers, requests);
criterion_main!(benches);
