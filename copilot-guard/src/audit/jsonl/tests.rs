//! Torn ends, damaged files, full disks and failing syncs.

use std::collections::VecDeque;
use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use super::writer::{Log, Writer};
use super::*;
use crate::audit::{Actor, Closing, EventKind, Opening, Outcome};
use crate::decision::Action;

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

fn exchange(n: u8) -> ExchangeId {
    ExchangeId::new(NOW, [n; 10])
}

fn opened(n: u8) -> AuditEvent {
    let actor = Actor {
        subject: "ann".to_owned(),
        issuer: "https://idp".to_owned(),
        person: "ann".to_owned(),
        groups: [].into(),
        client: None,
        kind: Default::default(),
    };
    let opening = Opening {
        actor,
        upstream: "default".to_owned(),
        dialect: "openai_chat".to_owned(),
        model: "gpt-5".to_owned(),
        stream: true,
        session: None,
        user_agent: None,
        decision: Action::Mask,
        hits: Vec::new(),
        policy_version: "v1".to_owned(),
        not_scanned: Vec::new(),
        masks: Vec::new(),
        approval: None,
        digest: String::new(),
        request: "{}".to_owned(),
    };
    AuditEvent::new(exchange(n), 0, NOW, EventKind::Opened(Box::new(opening)))
}

fn delivered(n: u8, seq: u64) -> AuditEvent {
    AuditEvent::new(
        exchange(n),
        seq,
        NOW,
        EventKind::Delivered {
            offset: 0,
            text: "text\n".to_owned(),
        },
    )
}

fn closed(n: u8, seq: u64) -> AuditEvent {
    let closing = Closing::new(Outcome::Completed, 200, Action::Allow);
    AuditEvent::new(exchange(n), seq, NOW, EventKind::Closed(Box::new(closing)))
}

fn file() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    (folder, path)
}

async fn opened_anew(path: &PathBuf) -> JsonLinesSink {
    // The last sink's thread gives the lock back when it has ended, shortly after its drop.
    for _ in 0..200 {
        match JsonLinesSink::open(path, NOW) {
            Err(error) if error.to_string().contains("another process") => {}
            other => return other.unwrap(),
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("the lock is not given back");
}

#[tokio::test]
async fn open_exchanges_are_closed_as_interrupted_once() {
    let (_folder, path) = file();
    let sink = JsonLinesSink::open(&path, NOW).unwrap();
    let _ = sink
        .append(&[opened(1), delivered(1, 1), opened(2), closed(2, 1)])
        .await
        .unwrap();
    drop(sink);
    for _ in 0..2 {
        let sink = opened_anew(&path).await;
        let events = sink.events(exchange(1)).await.unwrap();
        assert_eq!(events.len(), 3);
        assert_eq!(events[2].id, format!("{}/2", exchange(1)));
        let EventKind::Closed(closing) = &events[2].kind else {
            panic!("not closed")
        };
        assert_eq!(
            (closing.outcome, closing.decision, closing.delivered),
            (Outcome::Interrupted, Action::Mask, 5)
        );
        assert_eq!(sink.events(exchange(2)).await.unwrap(), [opened(2), closed(2, 1)]);
    }
}

#[tokio::test]
async fn every_torn_end_is_set_aside() {
    let whole = serde_json::to_vec(&opened(1)).unwrap();
    for cut in [1, 20, whole.len() - 1, whole.len()] {
        let (folder, path) = file();
        let sink = JsonLinesSink::open(&path, NOW).unwrap();
        let _ = sink.append(&[opened(2), closed(2, 1)]).await.unwrap();
        drop(sink);
        let before = fs::read(&path).unwrap();
        fs::OpenOptions::new()
            .append(true)
            .open(&path)
            .unwrap()
            .write_all(&whole[..cut])
            .unwrap();

        let reader = JsonLinesReader::new(&path);
        assert_eq!(
            reader.events(exchange(2)).await.unwrap().len(),
            2,
            "a reader passes over a torn end"
        );
        let sink = opened_anew(&path).await;
        assert_eq!(fs::read(&path).unwrap(), before);
        assert_eq!(
            fs::read(folder.path().join("audit.jsonl.torn")).unwrap(),
            whole[..cut]
        );
        let _ = sink.append(&[opened(1), closed(1, 1)]).await.unwrap();
        assert_eq!(sink.events(exchange(1)).await.unwrap().len(), 2);
    }
}

#[tokio::test]
async fn a_torn_end_of_several_lines_too_but_damage_before_good_lines_is_refused() {
    let (folder, path) = file();
    let mut text = serde_json::to_vec(&opened(1)).unwrap();
    text.extend_from_slice(b"\n{\"id\":\0\0\0\0\n\0\0\0");
    fs::write(&path, &text).unwrap();
    let sink = JsonLinesSink::open(&path, NOW).unwrap();
    assert_eq!(sink.events(exchange(1)).await.unwrap().len(), 2);
    assert_eq!(
        fs::read(folder.path().join("audit.jsonl.torn")).unwrap(),
        b"{\"id\":\0\0\0\0\n\0\0\0"
    );

    let (folder, path) = file();
    text.extend_from_slice(b"\n");
    text.extend(serde_json::to_vec(&closed(1, 1)).unwrap());
    text.extend_from_slice(b"\n");
    fs::write(&path, &text).unwrap();
    let error = JsonLinesSink::open(&path, NOW).unwrap_err();
    assert!(error.to_string().contains("damaged"), "{error}");
    assert_eq!(fs::read(&path).unwrap(), text, "nothing was touched");
    assert!(!folder.path().join("audit.jsonl.torn").exists());
}

#[cfg(unix)]
#[tokio::test]
async fn the_file_is_private_and_has_one_writer() {
    use std::os::unix::fs::PermissionsExt as _;
    let (_folder, path) = file();
    fs::write(&path, "").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    let _sink = JsonLinesSink::open(&path, NOW).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let second = JsonLinesSink::open(&path, NOW).unwrap_err();
    assert!(second.to_string().contains("another process"), "{second}");
}

// === A disk that fails ===

/// Does what the script says, one entry per write or sync; then everything succeeds.
#[derive(Clone, Default)]
struct Disk {
    content: Arc<Mutex<Vec<u8>>>,
    script: Arc<Mutex<VecDeque<Step>>>,
}

#[derive(Clone, Copy, PartialEq)]
enum Step {
    Fine,
    /// Writes half, then says that the disk is full.
    Full,
    SyncFails,
    CutFails,
}

impl Disk {
    fn next(&self) -> Step {
        self.script.lock().unwrap().pop_front().unwrap_or(Step::Fine)
    }
}

impl Write for Disk {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.next() == Step::Full {
            self.content
                .lock()
                .unwrap()
                .extend_from_slice(&bytes[..bytes.len() / 2]);
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.content.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Log for Disk {
    fn sync(&mut self) -> io::Result<()> {
        if self.next() == Step::SyncFails {
            Err(io::Error::other("EIO"))
        } else {
            Ok(())
        }
    }

    fn cut(&mut self, length: u64) -> io::Result<()> {
        if self.next() == Step::CutFails {
            return Err(io::Error::other("EIO"));
        }
        self.content
            .lock()
            .unwrap()
            .truncate(usize::try_from(length).unwrap());
        Ok(())
    }

    fn length(&self) -> io::Result<u64> {
        Ok(self.content.lock().unwrap().len() as u64)
    }
}

async fn append(disk: &Disk, script: &[Step], batches: &[&[AuditEvent]]) -> Vec<bool> {
    *disk.script.lock().unwrap() = script.iter().copied().collect();
    let queue = Writer::start(disk.clone()).unwrap();
    let sink = JsonLinesSink {
        queue,
        reader: JsonLinesReader::new("/nonexistent"),
    };
    let mut acknowledged = Vec::new();
    for batch in batches {
        acknowledged.push(sink.append(batch).await.is_ok());
    }
    acknowledged
}

#[tokio::test]
async fn a_full_disk_leaves_no_half_batch_and_heals() {
    let disk = Disk::default();
    let batch = [opened(1), closed(1, 1)];
    let steps = [Step::Fine, Step::Fine, Step::Full, Step::Fine];
    let acknowledged = append(&disk, &steps, &[&[opened(2)], &batch, &batch]).await;
    assert_eq!(acknowledged, [true, false, true]);
    let lines = String::from_utf8(disk.content.lock().unwrap().clone()).unwrap();
    let ids: Vec<_> = lines
        .lines()
        .map(|l| serde_json::from_str::<AuditEvent>(l).unwrap().id)
        .collect();
    assert_eq!(ids, [opened(2).id, opened(1).id, closed(1, 1).id]);
}

#[tokio::test]
async fn after_a_failed_sync_or_cut_nothing_is_acknowledged() {
    for steps in [&[Step::Fine, Step::SyncFails][..], &[Step::Full, Step::CutFails]] {
        let acknowledged = append(
            &Disk::default(),
            steps,
            &[&[opened(1)], &[opened(1)], &[opened(2)]],
        )
        .await;
        assert_eq!(acknowledged, [false, false, false]);
    }
}
