//! Killed without warning, again and again: what was acknowledged is there, and no exchange stays open.

#![expect(clippy::unwrap_used, reason = "a test that fails must panic")]

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use copilot_guard::approval::{Approval, ApprovalState, ApprovalStore, ListFilter};
use copilot_guard::audit::{AuditReader, AuditSink as _, EventKind, ExchangeFilter, Outcome};
use copilot_guard::testing::samples::{self, NOW};
use copilot_guard_sqlite::SqliteStore;

const DATABASE: &str = "COPILOT_GUARD_CRASH_DATABASE";
const FIRST: &str = "COPILOT_GUARD_CRASH_FIRST";
/// Set for the negative control: the child acknowledges before it stores.
const LIES: &str = "COPILOT_GUARD_CRASH_LIES";
const WRITERS: u64 = 16;
const CYCLES: u64 = 8;

/// The process that is killed. As a test of its own, because a test can start no other program than itself.
#[tokio::test(flavor = "multi_thread")]
async fn child() {
    let (Ok(path), Ok(first)) = (std::env::var(DATABASE), std::env::var(FIRST)) else {
        return;
    };
    let store = SqliteStore::open(path, NOW).unwrap();
    let first: u64 = first.parse().unwrap();
    let lies = std::env::var_os(LIES).is_some();
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..WRITERS {
        let store = store.clone();
        writers.spawn(async move {
            // Every writer has numbers of its own; it never ends by itself.
            for n in (first + writer..).step_by(WRITERS as usize) {
                for event in samples::exchange(n, samples::opening("ann")) {
                    let acknowledge = || println!("ack {n} {}", event.id);
                    if lies {
                        acknowledge();
                        // What is written but not yet synced survives a kill; so the lie must be told well before.
                        tokio::time::sleep(Duration::from_millis(5)).await;
                    }
                    let _ = store.append(std::slice::from_ref(&event)).await.unwrap();
                    if !lies {
                        acknowledge();
                    }
                }
                live_an_approval(&store, n).await;
            }
        });
    }
    writers.join_all().await;
}

/// Opens, approves and consumes approval number `n`, and says so step by step.
async fn live_an_approval(store: &SqliteStore, n: u64) {
    let acknowledge = |approval: &Approval| {
        println!("ack {n} {}#{}", approval.id, approval.revision);
    };
    let proposal = samples::approval(n, &format!("ann-{n}"));
    let opened = store
        .open(proposal, samples::exchange_id(n), NOW)
        .await
        .unwrap()
        .approval;
    acknowledge(&opened);
    acknowledge(&store.vote(opened.id, samples::vote("bob", true)).await.unwrap());
    acknowledge(
        &store
            .claim(opened.id, &samples::claim(&opened, NOW))
            .await
            .unwrap(),
    );
}

fn start(path: &Path, first: u64, lies: bool) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "child", "--nocapture"])
        .env(DATABASE, path)
        .env(FIRST, first.to_string());
    if lies {
        command.env(LIES, "1");
    }
    command.stdout(Stdio::piped()).spawn().unwrap()
}

/// Event ids by the number of their exchange.
type Acknowledged = BTreeMap<u64, BTreeSet<String>>;

/// Starts the child, kills it after about so many acknowledgements, and says which it gave.
fn run_and_kill(path: &Path, first: u64, lies: bool, enough: u64, acknowledged: &mut Acknowledged) {
    let mut child = start(path, first, lies);
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut seen = 0;
    while let Some(Ok(line)) = lines.next() {
        // libtest writes on the same line before the first one.
        let Some((_, ack)) = line.split_once("ack ") else {
            continue;
        };
        let Some((n, id)) = ack.split_once(' ') else {
            continue;
        };
        // The last line may be torn; a whole id is 36 characters, a separator and a digit.
        if id.len() == 38 {
            acknowledged
                .entry(n.parse().unwrap())
                .or_default()
                .insert(id.to_owned());
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

async fn lost(store: &SqliteStore, acknowledged: &Acknowledged) -> Vec<String> {
    let mut lost = Vec::new();
    for (n, ids) in acknowledged {
        let events = store.events(samples::exchange_id(*n)).await.unwrap_or_default();
        let stored: BTreeSet<_> = events.into_iter().map(|event| event.id).collect();
        lost.extend(ids.difference(&stored).cloned());
    }
    lost
}

/// Negative control: a store that acknowledges too early is found out.
#[tokio::test]
async fn early_acknowledgements_are_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("record.db");
    for cycle in 0..50 {
        let mut acknowledged = Acknowledged::new();
        run_and_kill(&path, cycle * 1_000_000, true, 50 + cycle, &mut acknowledged);
        if !lost(&SqliteStore::open(&path, NOW).unwrap(), &acknowledged)
            .await
            .is_empty()
        {
            return;
        }
    }
    panic!("no loss was noticed");
}

#[tokio::test]
async fn nothing_acknowledged_is_lost_to_kill_9() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("record.db");
    let mut acknowledged = Acknowledged::new();
    for cycle in 0..CYCLES {
        run_and_kill(
            &path,
            cycle * 1_000_000,
            false,
            50 + 130 * cycle,
            &mut acknowledged,
        );
    }

    let store = SqliteStore::open(&path, NOW).unwrap();
    let mut interrupted = 0;
    assert_eq!(lost(&store, &acknowledged).await, Vec::<String>::new());
    for n in acknowledged.keys() {
        let events = store.events(samples::exchange_id(*n)).await.unwrap();
        let endings: Vec<_> = events.iter().filter(|event| event.kind.is_final()).collect();
        assert_eq!(endings.len(), 1, "exactly one last event");
        if let EventKind::Closed(closing) = &endings[0].kind {
            interrupted += u64::from(closing.outcome == Outcome::Interrupted);
        }
    }
    assert!(interrupted > 0, "some were cut short, or the test tests nothing");

    // An approval never stands where the record does not say that it came.
    let all = ListFilter {
        limit: Some(usize::MAX),
        ..ListFilter::default()
    };
    let approvals = ApprovalStore::list(&store, &all).await.unwrap();
    assert!(approvals.iter().any(|a| a.state == ApprovalState::Consumed));
    for approval in approvals {
        let events = store.events(approval.exchange).await.unwrap();
        let steps = events
            .iter()
            .filter(|e| matches!(e.kind, EventKind::Approval { .. }))
            .count();
        assert_eq!(steps as u64, approval.revision + 1, "state and record agree");
    }

    // Also those that nobody got an acknowledgement for.
    let mut filter = ExchangeFilter {
        limit: Some(500),
        ..ExchangeFilter::default()
    };
    loop {
        let page = AuditReader::list(&store, &filter).await.unwrap();
        assert!(
            page.items.iter().all(|record| record.outcome.is_some()),
            "no exchange stays open"
        );
        filter.cursor = page.next_cursor;
        if filter.cursor.is_none() {
            break;
        }
    }
}
