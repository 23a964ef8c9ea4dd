//! The streaming redactor alone: throughput by size of the pieces, and the time until it is ready.
#![expect(clippy::expect_used, reason = "a bench that cannot start says so and ends")]

use std::hint::black_box;

use copilot_guard::detect::{Mark, RuleSet, Sink};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

/// Counts instead of keeping: what is measured is the engine.
struct Count(usize);

impl Sink for Count {
    fn text(&mut self, released: &[u8]) {
        self.0 += released.len();
    }

    fn mark(&mut self, _: Mark) {
        self.0 += 1;
    }
}

/// Source code and prose of this repository, without secrets but those of the rule table's own documentation.
fn corpus() -> Vec<u8> {
    let text = concat!(
        include_str!("../../copilot-guard/src/dialect/chat.rs"),
        include_str!("../../copilot-guard/src/guard/admit.rs"),
        include_str!("../../ARCHITECTURE.md"),
        include_str!("../../README.md"),
    );
    text.as_bytes().repeat((1 << 20) / text.len() + 1)
}

fn pieces(c: &mut Criterion) {
    let rules = RuleSet::builder()
        .builtin()
        .build()
        .expect("the built-in table compiles");
    let mask = rules.all();
    let text = corpus();
    let mut group = c.benchmark_group("redactor");
    group.sample_size(10);
    group.throughput(Throughput::Bytes(text.len() as u64));
    for size in [4, 8, 16, 4096, 65536] {
        group.bench_with_input(BenchmarkId::new("piece", size), &size, |b, size| {
            b.iter(|| {
                let mut redactor = rules.redactor(&mask);
                let mut count = Count(0);
                for piece in text.chunks(*size) {
                    redactor.push(black_box(piece), &mut count);
                }
                redactor.finish(&mut count);
                count.0
            });
        });
    }
    // The floor: the same pieces, copied.
    group.bench_function("copy/8", |b| {
        b.iter(|| {
            let mut out = Vec::with_capacity(text.len());
            for piece in text.chunks(8) {
                out.extend_from_slice(black_box(piece));
            }
            out.len()
        });
    });
    group.finish();
}

fn ready(c: &mut Criterion) {
    let mut group = c.benchmark_group("ready");
    group.sample_size(10);
    // The tables of the built-in rules are compiled once per process; this is what each further policy costs.
    group.bench_function("another_policy", |b| {
        b.iter(|| {
            RuleSet::builder()
                .builtin()
                .build()
                .map(|r| r.rules().len())
                .unwrap_or_default()
        });
    });
    group.finish();
}

criterion_group!(benches, pieces, ready);
criterion_main!(benches);
