//! Killed without warning, again and again: what was acknowledged is there, and no exchange stays open.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use copilot_guard::audit::{AuditReader, AuditSink as _, EventKind, ExchangeFilter, Outcome};
use copilot_guard::testing::samples::{self, NOW};
use copilot_guard_sqlite::SqliteStore;

const DATABASE: &str = "COPILOT_GUARD_CRASH_DATABASE";
const FIRST: &str = "COPILOT_GUARD_CRASH_FIRST";
const WRITERS: u64 = 16;
const CYCLES: u64 = 8;

/// The process that is killed. As a test of its own, because a test can start no other program than itself.
#[tokio::test(flavor = "multi_thread")]
async fn child() {
    let (Ok(path), Ok(first)) = (std::env::var(DATABASE), std::env::var(FIRST)) else { return };
    let store = SqliteStore::open(path, NOW).unwrap();
    let first: u64 = first.parse().unwrap();
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..WRITERS {
        let store = store.clone();
        writers.spawn(async move {
            // Every writer has numbers of its own; it never ends by itself.
            for n in (first + writer..).step_by(WRITERS as usize) {
                for event in samples::exchange(n, samples::opening("ann")) {
                    let _ = store.append(std::slice::from_ref(&event)).await.unwrap();
                    writeln!(std::io::stdout(), "ack {n} {}", event.id).unwrap();
                }
            }
        });
    }
    writers.join_all().await;
}

fn start(path: &Path, first: u64) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--nocapture"])
        .env(DATABASE, path)
        .env(FIRST, first.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

#[tokio::test]
async fn nothing_acknowledged_is_lost_to_kill_9() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("record.db");
    let mut acknowledged: BTreeMap<u64, BTreeSet<String>> = BTreeMap::new();
    for cycle in 0..CYCLES {
        let mut child = start(&path, cycle * 1_000_000);
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut seen = 0;
        let enough = 50 + 130 * cycle;
        while let Some(Ok(line)) = lines.next() {
            // libtest writes on the same line before the first one.
            let Some((_, ack)) = line.split_once("ack ") else { continue };
            let Some((n, id)) = ack.split_once(' ') else { continue };
            // The last line may be torn; a whole id is `<36 characters>/<digit>`.
            if id.len() == 38 {
                acknowledged.entry(n.parse().unwrap()).or_default().insert(id.to_owned());
            }
            seen += 1;
            if seen == enough {
                // SIGKILL; what is in the pipe is read to its end all the same.
                child.kill().unwrap();
            }
        }
        child.wait().unwrap();
        assert!(seen >= enough, "the child ended early");
    }

    let store = SqliteStore::open(&path, NOW).unwrap();
    let mut interrupted = 0;
    for (n, ids) in &acknowledged {
        let events = store.events(samples::exchange_id(*n)).await.unwrap();
        let stored: BTreeSet<_> = events.iter().map(|event| event.id.clone()).collect();
        assert!(stored.is_superset(ids), "exchange {n} lost {:?}", ids.difference(&stored));
        let endings: Vec<_> = events.iter().filter(|event| event.kind.is_final()).collect();
        assert_eq!(endings.len(), 1, "exactly one last event");
        if let EventKind::Closed(closing) = &endings[0].kind {
            interrupted += u64::from(closing.outcome == Outcome::Interrupted);
        }
    }
    assert!(interrupted > 0, "some were cut short, or the test tests nothing");

    // Also those that nobody got an acknowledgement for.
    let mut filter = ExchangeFilter { limit: Some(500), ..ExchangeFilter::default() };
    loop {
        let page = AuditReader::list(&store, &filter).await.unwrap();
        assert!(page.items.iter().all(|record| record.outcome.is_some()), "no exchange stays open");
        filter.cursor = page.next_cursor;
        if filter.cursor.is_none() {
            break;
        }
    }
}
