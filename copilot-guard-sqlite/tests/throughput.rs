//! A rough figure, not a check: `cargo test --release -p copilot-guard-sqlite --test throughput -- --ignored --nocapture`

#![expect(clippy::unwrap_used, reason = "a test that fails must panic")]

use std::time::{Duration, Instant};

use copilot_guard::audit::AuditSink;
use copilot_guard::testing::samples::{self, NOW};
use copilot_guard_sqlite::SqliteStore;

const WRITERS: u64 = 64;

#[expect(clippy::disallowed_methods, reason = "measures")]
fn instant() -> Instant {
    Instant::now()
}

async fn measure(name: &str, sink: impl AuditSink + Clone, request: usize) {
    let start = instant();
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..WRITERS {
        let sink = sink.clone();
        writers.spawn(async move {
            let (mut events, mut times) = (0u64, Vec::new());
            let mut opening = samples::opening("ann");
            opening.request = "x".repeat(request);
            for n in (writer..).step_by(WRITERS as usize) {
                for event in samples::exchange(n, opening.clone()) {
                    let before = instant();
                    let _ = sink.append(std::slice::from_ref(&event)).await.unwrap();
                    times.push(before.elapsed());
                    events += 1;
                }
                if start.elapsed() > Duration::from_secs(5) {
                    break;
                }
            }
            (events, times)
        });
    }
    let results = writers.join_all().await;
    let seconds = start.elapsed().as_secs_f64();
    let events: u64 = results.iter().map(|r| r.0).sum();
    let mut times: Vec<_> = results.into_iter().flat_map(|r| r.1).collect();
    times.sort();
    println!(
        "{name}, {request} byte requests: {:.0} durable appends/s, p50 {:?}, p99 {:?}",
        events as f64 / seconds,
        times[times.len() / 2],
        times[times.len() * 99 / 100],
    );
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement"]
async fn sixty_four_writers() {
    let folder = tempfile::tempdir_in(std::env::var("MEASURE_IN").unwrap_or("/var/tmp".to_owned())).unwrap();
    for request in [200, 4_000, 40_000] {
        let path = folder.path().join(format!("{request}"));
        let lines = copilot_guard::audit::JsonLinesSink::open(path.with_extension("jsonl"), NOW).unwrap();
        measure("json lines", lines, request).await;
        measure(
            "sqlite",
            SqliteStore::open(path.with_extension("db"), NOW).unwrap(),
            request,
        )
        .await;
    }
}
