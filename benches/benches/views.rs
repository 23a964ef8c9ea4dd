//! Views beside the raw redaction: streams of 100 events, what they hold, and hostile text.
#![expect(clippy::expect_used, reason = "a bench that cannot start says so and ends")]

use std::hint::black_box;

use copilot_guard::detect::views::{Screen, Views};
use copilot_guard::detect::{Mark, RuleSet, ScanOptions, Sink};
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

const PROSE: &str = "Certainly! Here's what I would do. First, look at how the gateway reads its configuration; the \
    paths are relative to the file's own folder, so a service that starts elsewhere will still find them. \
    Then write a small test that fails without your change. I usually begin with the happy path, and add the \
    edge cases one at a time: an empty list, a missing key, a value of the wrong type. When the test is green, \
    run the formatter and the lints, and read the whole change once more before you open a pull request. \
    - Keep the commit small.\n- Say why, not what.\n- Don't forget the changelog.\n\nIf something is unclear, \
    ask **early**; a short question is cheaper than a long review. ";

/// Pieces as models send them: a word with the blank before it, long words in two.
fn events(text: &str, count: usize) -> Vec<String> {
    let mut events = Vec::new();
    let mut rest = text.repeat(8);
    while events.len() < count && !rest.is_empty() {
        let blank = rest.char_indices().skip(1).find(|(_, c)| c.is_whitespace());
        let end = blank.map_or(rest.len(), |(at, _)| at).min(9);
        let end = (end..=rest.len())
            .find(|n| rest.is_char_boundary(*n))
            .unwrap_or(rest.len());
        events.push(rest.drain(..end).collect());
    }
    events
}

fn corpora() -> Vec<(&'static str, Vec<String>)> {
    let code = include_str!("../../copilot-guard/src/dialect/chat.rs");
    let encoded = "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVo0NTY3ODkwMTIzNDU2Nzg5".repeat(40);
    vec![
        ("prose", events(PROSE, 100)),
        ("code", events(code.get(4000..).unwrap_or(code), 100)),
        ("base64", events(&encoded, 100)),
        (
            "cjk",
            events("日本語の文章はそのまま通ります。変更はありません。", 100),
        ),
        (
            "cyrillic",
            events("Сначала посмотрите, как шлюз читает свои настройки. ", 100),
        ),
    ]
}

fn streams(c: &mut Criterion) {
    let rules = RuleSet::builder()
        .builtin()
        .build()
        .expect("the built-in table compiles");
    let mask = rules.all();
    let options = ScanOptions::default();
    // Once for each caller.
    let views = Views::new(&rules, &mask, &options);
    let mut group = c.benchmark_group("views");
    for (name, events) in corpora() {
        group.throughput(Throughput::Elements(events.len() as u64));
        let (mut raw_held, mut held, mut most) = (0, 0, 0);
        let mut raw = rules.redactor(&mask);
        let mut screen = Screen::new(&rules, &mask, &options);
        for event in &events {
            raw.push(event.as_bytes(), &mut Count(0));
            screen.push(event.as_bytes(), &mut Count(0));
            raw_held += raw.held();
            held += screen.held();
            most = most.max(screen.held());
        }
        let mean = |sum: usize| sum as f64 / events.len() as f64;
        println!(
            "held after an event, bytes: {name}: off {:.1}, on {:.1}, at most {most}",
            mean(raw_held),
            mean(held)
        );
        group.bench_with_input(BenchmarkId::new("off", name), &events, |b, events| {
            b.iter(|| {
                let mut redactor = rules.redactor(&mask);
                let mut count = Count(0);
                for event in events {
                    redactor.push(black_box(event.as_bytes()), &mut count);
                }
                redactor.finish(&mut count);
                count.0
            });
        });
        group.bench_with_input(BenchmarkId::new("on", name), &events, |b, events| {
            b.iter(|| {
                let mut screen = views.screen(&rules, &mask, &options);
                let mut count = Count(0);
                for event in events {
                    screen.push(black_box(event.as_bytes()), &mut count);
                }
                screen.finish(&mut count);
                count.0
            });
        });
    }
    group.finish();
}

/// Twice the text must not take much more than twice the time.
fn hostile(c: &mut Criterion) {
    let rules = RuleSet::builder()
        .builtin()
        .build()
        .expect("the built-in table compiles");
    let mask = rules.all();
    let mut group = c.benchmark_group("views_hostile");
    group.sample_size(10);
    for (name, unit) in [
        ("singles", "A b "),
        ("base64", "QUJD"),
        ("hex", "41424344"),
        ("percent", "%41%42"),
        ("quotes", "'A' + "),
        ("numbers", "65, "),
        ("tags", "<b>A</b>"),
        ("zero_width", "a\u{200B}b\u{200B}"),
        ("lines", "QUJDREVGR0hJSktMTU5P\n"),
        ("gzip", "H4sIAAAAAAAA"),
    ] {
        for size in [16 << 10, 32 << 10, 64 << 10] {
            let text = unit.repeat(size / unit.len());
            group.throughput(Throughput::Bytes(text.len() as u64));
            group.bench_with_input(BenchmarkId::new(name, size), &text, |b, text| {
                b.iter(|| {
                    let mut screen = Screen::new(&rules, &mask, &ScanOptions::default());
                    screen.find(black_box(text.as_bytes())).len()
                });
            });
        }
    }
    group.finish();
}

criterion_group!(benches, streams, hostile);
criterion_main!(benches);
