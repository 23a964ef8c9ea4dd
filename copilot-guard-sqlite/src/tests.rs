//! The contract suites, and what only a store on disk can get wrong.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use copilot_guard::access::AccessStore as _;
use copilot_guard::approval::{ApprovalState, ApprovalStore as _};
use copilot_guard::audit::{AuditReader as _, AuditSink as _, EventKind, Outcome};
use copilot_guard::testing::samples::{self, NOW};
use copilot_guard::testing::{
    access_store_contract, approval_events_contract, approval_store_contract, audit_sink_contract,
    outbox_contract,
};
use rusqlite::Connection;

use super::*;

/// A new store each time it is asked, in a folder that lives as long as this.
struct Stores(tempfile::TempDir, AtomicU64);

impl Stores {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap(), AtomicU64::new(0))
    }

    async fn make(&self) -> SqliteStore {
        let n = self.1.fetch_add(1, Ordering::Relaxed);
        SqliteStore::open(self.0.path().join(format!("{n}.db")), NOW).unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_passes_the_suites() {
    let stores = Stores::new();
    audit_sink_contract(|| stores.make()).await;
    approval_store_contract(|| stores.make()).await;
    access_store_contract(|| stores.make()).await;
    approval_events_contract(|| stores.make()).await;
    outbox_contract(async || stores.make().await.with_outbox()).await;
}

#[tokio::test]
async fn everything_is_there_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("record.db");
    let exchange = samples::exchange(1, samples::opening("ann"));
    let store = SqliteStore::open(&path, NOW).unwrap();
    let _ = store.append(&exchange).await.unwrap();
    let opened = store
        .open(samples::approval(1, "ann"), exchange[0].exchange, NOW)
        .await
        .unwrap()
        .approval;
    let voted = store.vote(opened.id, samples::vote("bob", true)).await.unwrap();
    drop(store);
    let store = SqliteStore::open(&path, NOW).unwrap();
    assert_eq!(store.get(opened.id).await.unwrap(), Some(voted));
    let events = store.events(exchange[0].exchange).await.unwrap();
    assert_eq!((events.len(), &events[..5]), (7, &exchange[..]));
    assert!(
        store
            .claim(opened.id, &samples::claim(&opened, NOW))
            .await
            .is_ok()
    );
}

#[tokio::test]
async fn open_exchanges_are_closed_as_interrupted_but_not_those_of_a_living_process() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("record.db");
    let exchange = samples::exchange(1, samples::opening("ann"));
    let id = exchange[0].exchange;
    let first = SqliteStore::open(&path, NOW).unwrap();
    let _ = first.append(&exchange[..3]).await.unwrap();

    // A second process, while the first lives, leaves its exchanges alone; so does a reader.
    let second = SqliteStore::open(&path, NOW).unwrap();
    assert_eq!(second.events(id).await.unwrap().len(), 3);
    let reader = SqliteStore::open_read_only(&path).unwrap();
    assert_eq!(reader.events(id).await.unwrap().len(), 3);
    drop((first, second, reader));

    for _ in 0..2 {
        let store = SqliteStore::open(&path, NOW).unwrap();
        let events = store.events(id).await.unwrap();
        assert_eq!(events.len(), 4);
        let EventKind::Closed(closing) = &events[3].kind else {
            panic!("not closed")
        };
        assert_eq!((closing.outcome, closing.delivered), (Outcome::Interrupted, 6));
        let page = copilot_guard::audit::AuditReader::list(&store, &Default::default())
            .await
            .unwrap();
        assert_eq!(page.items[0].outcome, Some(Outcome::Interrupted));
        // What the dead process had still to say comes too late: the first closing counts.
        let _ = store.append(&exchange[4..]).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn votes_of_another_process_are_seen_and_both_may_write() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("record.db");
    // Two stores on one file know of each other as little as two processes do.
    let (gateway, console) = (
        SqliteStore::open(&path, NOW).unwrap(),
        SqliteStore::open(&path, NOW).unwrap(),
    );
    let exchange = samples::exchange_id(1);
    let opened = gateway
        .open(samples::approval(1, "ann"), exchange, NOW)
        .await
        .unwrap()
        .approval;
    let waiting = tokio::spawn({
        let gateway = gateway.clone();
        async move { gateway.changed(opened.id, opened.revision).await }
    });
    console.vote(opened.id, samples::vote("bob", true)).await.unwrap();
    let seen = tokio::time::timeout(Duration::from_secs(10), waiting)
        .await
        .unwrap()
        .unwrap()
        .unwrap();
    assert_eq!(seen.state, ApprovalState::Approved);

    let mut claims = tokio::task::JoinSet::new();
    for n in 0..100 {
        let store = if n % 2 == 0 {
            gateway.clone()
        } else {
            console.clone()
        };
        let claim = samples::claim(&seen, NOW);
        claims.spawn(async move { store.claim(claim_id(), &claim).await.is_ok() });
    }
    let released = claims.join_all().await.into_iter().filter(|ok| *ok).count();
    assert_eq!(released, 1, "of 100 claims through two writers");
}

fn claim_id() -> copilot_guard::id::ApprovalId {
    samples::approval_id(1)
}

/// Limits the file to `pages`, as a full disk does.
async fn limit(store: &SqliteStore, pages: i64) {
    let work = move |connection: &Connection| {
        connection.query_row("SELECT 1", [], |_| Ok(()))?;
        connection.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(()))
    };
    store.writer().unwrap().run(false, work).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_acknowledges_nothing_and_heals() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(folder.path().join("record.db"), NOW).unwrap();
    let mut large = samples::opening("ann");
    large.request = "x".repeat(100_000);
    let small = samples::exchange(1, samples::opening("ann"));
    let _ = store.append(&small).await.unwrap();
    limit(&store, 1).await;

    // Many at once, so that some share a transaction with one that fills the disk.
    let mut writers = tokio::task::JoinSet::new();
    for n in 2..40 {
        let (store, large) = (store.clone(), large.clone());
        writers.spawn(async move { (n, store.append(&samples::exchange(n, large)).await.is_ok()) });
    }
    let answers = writers.join_all().await;
    assert!(answers.iter().any(|(_, ok)| !ok), "the disk was full");
    for (n, acknowledged) in answers {
        let stored = store
            .events(samples::exchange_id(n))
            .await
            .map_or(0, |events| events.len());
        assert_eq!(stored, if acknowledged { 5 } else { 0 }, "all or nothing");
    }
    let mut proposal = samples::approval(1, "ann");
    proposal.message = "x".repeat(1_000_000);
    assert!(store.open(proposal, samples::exchange_id(1), NOW).await.is_err());
    assert_eq!(store.get(samples::approval_id(1)).await.unwrap(), None);

    limit(&store, 1_000_000).await;
    let _ = store.append(&samples::exchange(2, large)).await.unwrap();
    assert_eq!(store.events(samples::exchange_id(2)).await.unwrap().len(), 5);
    assert_eq!(store.events(samples::exchange_id(1)).await.unwrap(), small);
}

/// Negative control for "all or nothing": one bad job of a batch undoes itself and nothing else.
#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_fails_undoes_only_itself() {
    let stores = Stores::new();
    let store = stores.make().await;
    let mut writers = tokio::task::JoinSet::new();
    for n in 0..64 {
        let store = store.clone();
        writers.spawn(async move {
            let events = samples::exchange(n, samples::opening("ann"));
            let work = move |connection: &Connection| {
                for event in &events {
                    audit::insert(connection, event, &serde_json::to_string(event).unwrap())?;
                }
                if n % 2 == 0 {
                    Ok(())
                } else {
                    Err(rusqlite::Error::InvalidQuery)
                }
            };
            assert_eq!(store.writer().unwrap().run(false, work).await.is_ok(), n % 2 == 0);
        });
    }
    writers.join_all().await;
    for n in 0..64 {
        assert_eq!(
            store.events(samples::exchange_id(n)).await.is_ok(),
            n % 2 == 0,
            "{n}"
        );
    }
}

/// Many writers, few syncs: what waits while a transaction is under way shares the next one.
#[tokio::test(flavor = "multi_thread")]
async fn what_waits_is_committed_together() {
    let stores = Stores::new();
    let store = stores.make().await;
    let (go, wait) = std::sync::mpsc::channel::<()>();
    let busy = tokio::spawn({
        let store = store.clone();
        let block = move |_: &Connection| {
            wait.recv().unwrap();
            Ok(())
        };
        async move { store.writer().unwrap().run(true, block).await.unwrap() }
    });
    let mut writers = tokio::task::JoinSet::new();
    for _ in 0..100 {
        let store = store.clone();
        writers.spawn(async move { store.writer().unwrap().run(true, |_| Ok(())).await.unwrap() });
    }
    // All of them stand in the queue before the first transaction ends.
    tokio::time::sleep(Duration::from_millis(300)).await;
    go.send(()).unwrap();
    busy.await.unwrap();
    writers.join_all().await;
    let commits = *store.inner.changes.borrow();
    assert!((1..=5).contains(&commits), "{commits} transactions for 101 jobs");
}

#[tokio::test]
async fn a_reader_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("record.db");
    assert!(
        SqliteStore::open_read_only(&path).is_err(),
        "there is nothing to read"
    );
    assert!(!path.exists());
    drop(SqliteStore::open(&path, NOW).unwrap());
    let reader = SqliteStore::open_read_only(&path).unwrap();
    assert!(
        reader
            .append(&samples::exchange(1, samples::opening("ann")))
            .await
            .is_err()
    );
    assert!(
        reader
            .open(samples::approval(1, "ann"), samples::exchange_id(1), NOW)
            .await
            .is_err()
    );
    assert!(reader.events(samples::exchange_id(1)).await.is_err());
}

#[test]
fn files_of_others_and_of_later_versions_are_refused_untouched() {
    let folder = tempfile::tempdir().unwrap();
    let make = |name: &str, sql: &str| {
        let path = folder.path().join(name);
        Connection::open(&path).unwrap().execute_batch(sql).unwrap();
        path
    };
    let foreign = make("foreign.db", "CREATE TABLE theirs (a)");
    let error = SqliteStore::open(&foreign, NOW).unwrap_err();
    assert!(
        std::error::Error::source(&error)
            .unwrap()
            .to_string()
            .contains("another program"),
        "{error:?}"
    );
    let later = make(
        "later.db",
        "PRAGMA application_id = 1129334596; PRAGMA user_version = 3",
    );
    let error = SqliteStore::open(&later, NOW).unwrap_err();
    assert!(
        std::error::Error::source(&error)
            .unwrap()
            .to_string()
            .contains("newer version"),
        "{error:?}"
    );
    let text = folder.path().join("text.db");
    std::fs::write(
        &text,
        "not a database, but long enough to be looked at as one".repeat(100),
    )
    .unwrap();
    assert!(SqliteStore::open(&text, NOW).is_err());
}

#[tokio::test]
async fn a_file_of_the_first_version_is_brought_up_and_keeps_its_record() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("record.db");
    let exchange = samples::exchange(1, samples::opening("ann"));
    let store = SqliteStore::open(&path, NOW).unwrap();
    let _ = store.append(&exchange).await.unwrap();
    drop(store);
    let back = "DROP TABLE grants; DROP TABLE revocations; PRAGMA user_version = 1";
    Connection::open(&path).unwrap().execute_batch(back).unwrap();
    assert!(
        SqliteStore::open_read_only(&path).is_err(),
        "a reader changes nothing"
    );
    let store = SqliteStore::open(&path, NOW).unwrap();
    assert_eq!(store.events(exchange[0].exchange).await.unwrap(), exchange);
    assert_eq!(store.revocations(NOW).await.unwrap(), []);
}

#[tokio::test]
async fn events_cannot_be_changed_in_place() {
    let stores = Stores::new();
    let store = stores.make().await;
    let _ = store
        .append(&samples::exchange(1, samples::opening("ann")))
        .await
        .unwrap();
    let work = |connection: &Connection| connection.execute("UPDATE events SET json = '{}'", []);
    assert!(store.writer().unwrap().run(false, work).await.is_err());
}

#[cfg(unix)]
#[tokio::test]
async fn all_its_files_are_private() {
    use std::os::unix::fs::PermissionsExt as _;
    let stores = Stores::new();
    let store = stores.make().await;
    let _ = store
        .append(&samples::exchange(1, samples::opening("ann")))
        .await
        .unwrap();
    let files: Vec<_> = std::fs::read_dir(stores.0.path())
        .unwrap()
        .map(|f| f.unwrap())
        .collect();
    assert_eq!(files.len(), 4, "database, log, shared memory, lock");
    for file in files {
        assert_eq!(
            file.metadata().unwrap().permissions().mode() & 0o777,
            0o600,
            "{:?}",
            file.path()
        );
    }
}

/// The lists of an auditor must not read the whole record.
#[test]
fn lists_use_an_index() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("record.db");
    drop(SqliteStore::open(&path, NOW).unwrap());
    for condition in [
        "1",
        "subject = 'ann'",
        "session = 's'",
        "started_at >= 1",
        "(started_at, id) < (1, 'a')",
    ] {
        let plan = plan(
            &path,
            &format!(
                "SELECT record FROM exchanges WHERE {condition} ORDER BY started_at DESC, id DESC LIMIT 50"
            ),
        );
        assert!(plan.contains("USING INDEX exchanges_by_"), "{condition}: {plan}");
        assert!(!plan.contains("TEMP B-TREE"), "{condition}: {plan}");
    }
}

fn plan(path: &Path, sql: &str) -> String {
    let connection = schema::open_reader(path).unwrap();
    let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
    let rows = statement.query_map([], |row| row.get::<_, String>(3)).unwrap();
    rows.collect::<Result<Vec<_>, _>>().unwrap().join("; ")
}
