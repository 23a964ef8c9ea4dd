//! `redact PATH ...`: where secrets stand in files.
//!
//! 1. Folders are walked in sorted order and files are read side by side, but reported in the order of the walk.
//! 2. A file is read in large pieces and goes through the engine once. Only where something was found it is read again,
//!    up to the last finding, to count lines.
//! 3. What cannot be read is said at the end, after everything else has been.
//!
//! # Caveat
//!
//! UTF-16 has NUL bytes and counts as no text. Lines are those of the file at the time of the second reading.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

use copilot_guard::detect::{Mark, RuleSet, ScanOptions, Sink, Span};
use walkdir::WalkDir;

use crate::failure::Failure;

/// How much is read at once.
const READ: usize = 256 << 10;
/// A NUL byte among so many first bytes: not text.
const GLANCE: usize = 8 << 10;

/// What is looked for, and how it is said.
#[derive(Clone, Copy)]
pub(super) struct Search<'a> {
    pub(super) rules: &'a RuleSet,
    pub(super) options: &'a ScanOptions,
    /// The engine is fed at most so many bytes at a time.
    pub(super) chunk: usize,
    /// JSON lines with offsets instead of lines and columns.
    pub(super) as_spans: bool,
}

/// What was not looked at.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    pub(super) unread: Vec<Failure>,
    not_text: usize,
    hidden: usize,
    links: usize,
    others: usize,
}

impl Outcome {
    /// What was passed over, if anything was.
    pub(super) fn skipped(&self) -> Option<String> {
        let kinds = [
            (self.not_text, "not text"),
            (self.hidden, "hidden folders"),
            (self.links, "symbolic links"),
            (self.others, "neither file nor folder"),
        ];
        let parts: Vec<_> = kinds
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, kind)| format!("{kind}: {count}"))
            .collect();
        (!parts.is_empty()).then(|| format!("skipped: {}", parts.join(", ")))
    }

    fn cannot_read(&mut self, path: &Path, why: impl std::fmt::Display) {
        self.unread.push(Failure::new(
            format_args!("`{}` cannot be read", shown(path)),
            why,
            "check the path and its permissions",
        ));
    }
}

impl Search<'_> {
    /// Looks through these files and folders. An error is one of the output.
    pub(super) fn run(&self, paths: &[PathBuf], output: &mut impl Write) -> io::Result<Outcome> {
        let mut outcome = Outcome::default();
        let files = files(paths, &mut outcome);
        let next = AtomicUsize::new(0);
        let workers = thread::available_parallelism().map_or(1, NonZero::get);
        thread::scope(|scope| {
            let (done, results) = mpsc::channel();
            for _ in 0..workers.min(files.len()) {
                let (done, next, files) = (done.clone(), &next, &files);
                scope.spawn(move || {
                    let mut buffer = vec![0; READ];
                    loop {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        let Some(file) = files.get(number) else { break };
                        // Nobody listens any more when the output is gone.
                        if done.send((number, self.look(file, &mut buffer))).is_err() {
                            break;
                        }
                    }
                });
            }
            drop(done);
            let mut early = BTreeMap::new();
            let mut due = 0;
            for (number, seen) in results {
                early.insert(number, seen);
                while let (Some(seen), Some(file)) = (early.remove(&due), files.get(due)) {
                    output.write_all(seen.lines.as_bytes())?;
                    outcome.not_text += usize::from(seen.is_not_text);
                    if let Some(error) = seen.error {
                        outcome.cannot_read(file, error);
                    }
                    due += 1;
                }
            }
            Ok(outcome)
        })
    }

    fn look(&self, path: &Path, buffer: &mut [u8]) -> Seen {
        let mut seen = Seen::default();
        let result = File::open(path).and_then(|mut file| {
            if file.metadata()?.is_file() {
                return self.scan(path, &mut file, buffer, &mut seen);
            }
            // A pipe can be read only once.
            let mut all = Vec::new();
            file.read_to_end(&mut all)?;
            self.scan(path, &mut io::Cursor::new(all), buffer, &mut seen)
        });
        seen.error = result.err();
        seen
    }

    fn scan(
        &self,
        path: &Path,
        input: &mut (impl Read + Seek),
        buffer: &mut [u8],
        seen: &mut Seen,
    ) -> io::Result<()> {
        let mut redactor = self.rules.redactor_with(&self.rules.all(), self.options);
        let mut spans = Spans(Vec::new());
        let mut read = fill(input, buffer)?;
        if read.iter().take(GLANCE).any(|byte| *byte == 0) {
            seen.is_not_text = true;
            return Ok(());
        }
        let result = loop {
            for piece in read.chunks(self.chunk) {
                redactor.push(piece, &mut spans);
            }
            if read.is_empty() {
                break Ok(());
            }
            match fill(input, buffer) {
                Ok(more) => read = more,
                Err(error) => break Err(error),
            }
        };
        redactor.finish(&mut spans);
        // What was found before an error is said all the same.
        let said = self.say(path, &spans.0, input, buffer, &mut seen.lines);
        result.and(said)
    }

    fn say(
        &self,
        path: &Path,
        spans: &[Span],
        input: &mut (impl Read + Seek),
        buffer: &mut [u8],
        lines: &mut String,
    ) -> io::Result<()> {
        if spans.is_empty() {
            return Ok(());
        }
        if self.as_spans {
            for span in spans {
                let mut value = super::span_json(self.rules, span);
                value["path"] = path.to_string_lossy().into();
                let _ = writeln!(lines, "{value}");
            }
            return Ok(());
        }
        let shown = shown(path);
        places(spans, input, buffer, |span, line, column| {
            let rule = super::rule_id(self.rules, span);
            let _ = writeln!(lines, "{shown}:{line}:{column}: {rule}");
        })
    }
}

/// What one file gave.
#[derive(Default)]
struct Seen {
    lines: String,
    is_not_text: bool,
    error: Option<io::Error>,
}

struct Spans(Vec<Span>);

impl Sink for Spans {
    fn text(&mut self, _released: &[u8]) {}

    fn mark(&mut self, _mark: Mark) {}

    fn span(&mut self, span: Span) {
        self.0.push(span);
    }
}

/// All files, in the order of the paths, and within each in sorted order.
///
/// What is named itself is looked at whatever it is: a link is followed, and a hidden folder is walked.
fn files(paths: &[PathBuf], outcome: &mut Outcome) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for path in paths {
        let mut walk = WalkDir::new(path).sort_by_file_name().into_iter();
        while let Some(entry) = walk.next() {
            match entry {
                Err(error) => {
                    let at = error.path().unwrap_or(path).to_owned();
                    match error.io_error() {
                        Some(why) => outcome.cannot_read(&at, why),
                        None => outcome.cannot_read(&at, error),
                    }
                }
                Ok(entry) if entry.file_type().is_dir() => {
                    if entry.depth() > 0 && entry.file_name().as_encoded_bytes().starts_with(b".") {
                        outcome.hidden += 1;
                        walk.skip_current_dir();
                    }
                }
                // A link to a folder that is named itself is reported as a link and walked.
                Ok(entry) if entry.depth() == 0 && path.is_dir() => {}
                Ok(entry) if entry.depth() == 0 || entry.file_type().is_file() => {
                    files.push(entry.into_path())
                }
                Ok(entry) if entry.file_type().is_symlink() => outcome.links += 1,
                Ok(_) => outcome.others += 1,
            }
        }
    }
    files
}

/// As much as the buffer holds, unless the input ends before.
fn fill<'b>(input: &mut impl Read, buffer: &'b mut [u8]) -> io::Result<&'b [u8]> {
    let mut filled = 0;
    while let Some(room) = buffer.get_mut(filled..).filter(|room| !room.is_empty()) {
        match input.read(room) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(buffer.get(..filled).unwrap_or_default())
}

/// The line and the column of each span, counted from 1 in bytes.
fn places(
    spans: &[Span],
    input: &mut (impl Read + Seek),
    buffer: &mut [u8],
    mut say: impl FnMut(&Span, u64, u64),
) -> io::Result<()> {
    input.rewind()?;
    let mut spans = spans.iter().peekable();
    // Where the part of the text begins that lies in the buffer, and where the line begins.
    let (mut base, mut line, mut line_start) = (0, 1, 0);
    while spans.peek().is_some() {
        let read = fill(input, buffer)?;
        if read.is_empty() {
            return Err(io::Error::other("it became shorter while it was read"));
        }
        let mut counted = 0;
        let mut count_to = |to: usize| {
            let part = read.get(counted..to).unwrap_or_default();
            line += part.iter().filter(|byte| **byte == b'\n').count() as u64;
            if let Some(last) = part.iter().rposition(|byte| *byte == b'\n') {
                line_start = base + (counted + last + 1) as u64;
            }
            counted = to;
            (line, line_start)
        };
        let end = base + read.len() as u64;
        while let Some(span) = spans.next_if(|span| span.start < end) {
            let (line, line_start) = count_to((span.start - base) as usize);
            say(span, line, span.start - line_start + 1);
        }
        count_to(read.len());
        base = end;
    }
    Ok(())
}

/// A path as it is shown: one line, whatever its name.
fn shown(path: &Path) -> String {
    let mut shown = String::new();
    for c in path.to_string_lossy().chars() {
        if c.is_control() {
            shown.extend(c.escape_default());
        } else {
            shown.push(c);
        }
    }
    shown
}

#[cfg(test)]
mod tests;
