//! Opening and reading the file.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use super::line;
use crate::audit::{AuditError, AuditEvent};
use crate::clock::Timestamp;
use crate::id::ExchangeId;

/// The file, locked, without a torn end, with every exchange closed, and at its end.
pub(super) fn recovered(path: &Path, now: Timestamp) -> Result<File, AuditError> {
    let failed = |e| AuditError::new("the file cannot be opened", e);
    let mut file = private(path).map_err(failed)?;
    file.try_lock()
        .map_err(|e| AuditError::new("another process has the file open", e))?;
    let found = scan(&file).map_err(failed)?;
    if let Some(line) = found.unreadable {
        let what = format!("line {line} is not an event, and is not at the end");
        return Err(AuditError::new("the file is damaged", what));
    }
    set_aside(&mut file, path, found.good).map_err(failed)?;

    let mut open: Vec<_> = found.open.into_values().collect();
    open.sort_by(|a, b| a.first().map(|e| &e.id).cmp(&b.first().map(|e| &e.id)));
    for closing in open
        .iter()
        .filter_map(|events| AuditEvent::interruption(events, now))
    {
        file.write_all(&line(&closing)?.text).map_err(failed)?;
    }
    file.sync_all().map_err(failed)?;
    // Without this a new file may be gone after a crash, with its content.
    if let Some(folder) = path.parent().filter(|p| !p.as_os_str().is_empty()) {
        File::open(folder)
            .and_then(|folder| folder.sync_all())
            .map_err(failed)?;
    }
    if !open.is_empty() {
        tracing::warn!(
            exchanges = open.len(),
            "closed as interrupted what the last process left open"
        );
    }
    Ok(file)
}

/// Calls `each` with every event of the file; a torn end is passed over, for it may just be being written.
pub(super) fn for_each_event(path: &Path, mut each: impl FnMut(AuditEvent)) -> io::Result<()> {
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        other => other?,
    };
    let mut lines = BufReader::new(file);
    let mut text = Vec::new();
    let mut number = 0u64;
    while read_line(&mut lines, &mut text)? {
        number += 1;
        let event = serde_json::from_slice(&text).map_err(|_| {
            io::Error::new(
                io::ErrorKind::InvalidData,
                format!("line {number} is not an event"),
            )
        })?;
        each(event);
    }
    Ok(())
}

/// The next whole line; `false` at the end, or where the last line has no end.
fn read_line(lines: &mut BufReader<impl io::Read>, text: &mut Vec<u8>) -> io::Result<bool> {
    text.clear();
    lines.read_until(b'\n', text)?;
    Ok(text.pop_if(|last| *last == b'\n').is_some())
}

#[derive(Default)]
struct Found {
    /// Where the last readable line ends.
    good: u64,
    /// An unreadable line with readable ones behind it.
    unreadable: Option<u64>,
    /// The events of the exchanges that are not closed.
    open: HashMap<ExchangeId, Vec<AuditEvent>>,
}

fn scan(file: &File) -> io::Result<Found> {
    let mut found = Found::default();
    let mut ended = std::collections::HashSet::new();
    let mut lines = BufReader::new(file);
    lines.seek(SeekFrom::Start(0))?;
    let (mut text, mut number, mut at, mut bad) = (Vec::new(), 0u64, 0u64, None);
    while read_line(&mut lines, &mut text)? {
        number += 1;
        at += text.len() as u64 + 1;
        let Ok(event) = serde_json::from_slice::<AuditEvent>(&text) else {
            bad = bad.or(Some(number));
            continue;
        };
        if bad.is_some() {
            found.unreadable = bad;
            break;
        }
        found.good = at;
        if event.kind.is_final() {
            found.open.remove(&event.exchange);
            ended.insert(event.exchange);
        } else if !ended.contains(&event.exchange) {
            found.open.entry(event.exchange).or_default().push(event);
        }
    }
    Ok(found)
}

/// Cuts off what is behind `good`, after it is safe in a file of its own: it may be all that is left of something.
fn set_aside(file: &mut File, path: &Path, good: u64) -> io::Result<()> {
    file.seek(SeekFrom::Start(good))?;
    let mut torn = Vec::new();
    file.read_to_end(&mut torn)?;
    if torn.is_empty() {
        return Ok(());
    }
    let mut aside = private(&with_suffix(path, ".torn"))?;
    aside.seek(SeekFrom::End(0))?;
    aside.write_all(&torn)?;
    aside.sync_all()?;
    file.set_len(good)?;
    file.seek(SeekFrom::Start(good))?;
    tracing::warn!(bytes = torn.len(), "moved the torn end of the record aside");
    Ok(())
}

/// Readable by its owner only.
fn private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    let file = options.open(path)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        file.set_permissions(std::fs::Permissions::from_mode(0o600))?;
    }
    Ok(file)
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name: OsString = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}
