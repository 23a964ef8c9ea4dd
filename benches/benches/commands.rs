//! The judge of commands: one by one (median of the sets of the tests), and on hostile input.
#![expect(clippy::expect_used, reason = "a bench that cannot start says so and ends")]
#![expect(clippy::disallowed_methods, reason = "a bench measures time")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use copilot_guard::detect::Network;
use copilot_guard::detect::command::{CommandJudge, Shell};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

const SETS: [(&str, &str); 2] = [
    (
        "ordinary",
        include_str!("../../copilot-guard/tests/commands/ordinary.jsonl"),
    ),
    (
        "dangerous",
        include_str!("../../copilot-guard/tests/commands/dangerous.jsonl"),
    ),
];

fn judge() -> CommandJudge {
    let network = Network::new(["*.example.com"], ["*.corp.internal"], ["github.com/acme/*"]);
    CommandJudge::new(network.expect("the lists are right"))
}

fn commands(set: &str) -> Vec<String> {
    let lines = set.lines().map(|line| {
        let case: serde_json::Value = serde_json::from_str(line).expect("a line is JSON");
        case["command"].as_str().expect("a text").to_owned()
    });
    lines.collect()
}

/// Each command by itself; the median and the slowest of their best times.
fn one_by_one(c: &mut Criterion) {
    let judge = judge();
    for (name, set) in SETS {
        let commands = commands(set);
        let time = |command: &String| {
            let tries = (0..20).map(|_| {
                let started = Instant::now();
                black_box(judge.judge(Shell::Bash, black_box(command)));
                started.elapsed()
            });
            let mut tries: Vec<Duration> = tries.collect();
            tries.sort();
            tries.get(10).copied().unwrap_or_default()
        };
        let mut times: Vec<Duration> = commands.iter().map(time).collect();
        times.sort();
        let at = |part: usize| times.get(times.len() * part / 100).copied().unwrap_or_default();
        println!(
            "{name}: median {:?}, 90 of 100 {:?}, slowest {:?}",
            at(50),
            at(90),
            at(99)
        );
        c.bench_function(&format!("commands/{name}"), |b| {
            b.iter(|| {
                for command in &commands {
                    black_box(judge.judge(Shell::Bash, command));
                }
            });
        });
    }
}

/// Twice the text must take about twice the time.
fn hostile(c: &mut Criterion) {
    let judge = judge();
    let mut group = c.benchmark_group("commands/hostile");
    group.sample_size(10);
    for seed in [
        ";",
        "a;",
        "a|",
        "$a ",
        "sudo ",
        "{a,b}",
        "../",
        "curl http://a ",
        "a=$a$a;",
    ] {
        let time = |size: usize| {
            let text = seed.repeat(size / seed.len());
            let started = Instant::now();
            black_box(judge.judge(Shell::Bash, &text));
            started.elapsed()
        };
        let (half, whole) = (time(30 << 10), time(60 << 10));
        println!(
            "{seed:?}: {whole:?}, {:.1} times half of it",
            whole.as_secs_f64() / half.as_secs_f64()
        );
        let text = seed.repeat((60 << 10) / seed.len());
        group.throughput(Throughput::Bytes(text.len() as u64));
        group.bench_function(seed.trim(), |b| {
            b.iter(|| black_box(judge.judge(Shell::Bash, &text)))
        });
    }
    group.finish();
}

criterion_group!(benches, one_by_one, hostile);
criterion_main!(benches);
