//! One text stream: reads bytes, and lets each leave as soon as nothing can make it part of a secret.

use std::fmt;
use std::sync::Arc;

use super::allow::AllowList;
use super::candidate::{Candidates, Commit, Window};
use super::rule::RuleMask;
use super::scan::ScanOptions;
use super::set::{Compiled, RuleSet};
use super::sink::{Mark, Sink, Span};
use super::tag::{Tag, TagKey};

/// A long piece is worked off in parts of this size, which bounds what is kept in mind about it.
const STRIDE: usize = 4096;

/// Masks secrets in one text while it streams.
///
/// `push` takes the text in pieces, cut anywhere, even inside a character; `finish` says that it has ended. The
/// output does not depend on the cuts. Without `finish` (a connection was cut) the bytes still held never leave.
pub struct Redactor {
    rules: RuleSet,
    active: RuleMask,
    options: ScanOptions,
    stream: Stream,
}

#[derive(Default)]
struct Stream {
    /// Offset after the last byte that was read.
    read: u64,
    /// Offset after the last byte that left or was masked.
    released: u64,
    trigger: u16,
    candidates: Candidates,
    /// The last group that began, while it may still grow.
    open: Option<Span>,
    /// The last bytes that were read, back to the first that is still needed.
    kept: Vec<u8>,
}

impl Redactor {
    pub(super) fn new(rules: RuleSet, active: RuleMask) -> Self {
        let stream = Stream {
            trigger: rules.inner.trigger.start(),
            ..Stream::default()
        };
        Self {
            rules,
            active,
            options: ScanOptions::default(),
            stream,
        }
    }

    /// The same with tags on the marks of tokens, made by this key. Set it before the first piece.
    #[must_use]
    pub fn with_tags(mut self, key: Arc<TagKey>) -> Self {
        self.options.tags = Some(key);
        self
    }

    /// The same with this list of what is let through. Set it before the first piece.
    #[must_use]
    pub fn with_allow(mut self, allow: Arc<AllowList>) -> Self {
        self.options.allow = Some(allow).filter(|allow| !allow.is_empty());
        self
    }

    /// Takes the next piece of text; what is decided by now goes to `sink`.
    pub fn push(&mut self, text: &[u8], sink: &mut impl Sink) {
        for part in text.chunks(STRIDE) {
            // `chunks` gives no empty part, and an empty piece gives no part.
            self.stream
                .push(&self.rules.inner, &self.active, &self.options, part, sink);
        }
    }

    /// The text has ended: everything left goes to `sink`, and a new, empty text begins.
    pub fn finish(&mut self, sink: &mut impl Sink) {
        self.stream.finish(&self.rules.inner, &self.options, sink);
        self.stream = Stream {
            trigger: self.rules.inner.trigger.start(),
            ..Stream::default()
        };
    }

    /// How many bytes are held because what follows decides about them.
    pub fn held(&self) -> usize {
        usize::try_from(self.stream.read - self.stream.released).unwrap_or(usize::MAX)
    }
}

impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redactor")
            .field("held", &self.held())
            .finish_non_exhaustive()
    }
}

// === impl Stream ===

impl Stream {
    fn push(
        &mut self,
        rules: &Compiled,
        active: &RuleMask,
        options: &ScanOptions,
        text: &[u8],
        sink: &mut impl Sink,
    ) {
        let trigger = &rules.trigger;
        let base = self.read;
        if self.candidates.is_at_rest() && self.kept.is_empty() && self.open.is_none() {
            // Most pieces begin nothing: they pass through without any bookkeeping.
            let mut state = self.trigger;
            let quiet = text.iter().all(|byte| {
                state = trigger.next(state, *byte);
                !trigger.spawns(state)
            });
            if quiet && trigger.hold(state, active) == 0 {
                self.trigger = state;
                self.read += text.len() as u64;
                self.released = self.read;
                sink.text(text);
                return;
            }
        }
        let kept = std::mem::take(&mut self.kept);
        let window = Window {
            kept: &kept,
            from: base - kept.len() as u64,
            text,
            allow: options.allow.as_deref(),
        };
        let mut state = self.trigger;
        let mut at = base;
        for &byte in text {
            state = trigger.next(state, byte);
            if trigger.spawns(state) || !self.candidates.is_idle() {
                if !self.candidates.is_idle() {
                    self.candidates.step(rules, &window, byte, at);
                }
                if trigger.spawns(state) {
                    self.candidates
                        .spawn(rules, active, &window, trigger.spawned(state), at + 1);
                }
                self.candidates.settle(rules, &window, at + 1);
            }
            at += 1;
        }
        self.trigger = state;
        self.read = at;
        let beginning = at - trigger.hold(state, active) as u64;
        self.release(rules, options, &window, beginning, sink);

        let needed = self
            .candidates
            .secrets()
            .iter()
            .filter(|c| !c.committed)
            .map(|c| c.start)
            .fold(self.released, u64::min);
        let keep = usize::try_from(at - needed).unwrap_or(usize::MAX);
        self.kept = kept;
        if let Some(all_new) = text.len().checked_sub(keep) {
            self.kept.clear();
            self.kept.extend_from_slice(&text[all_new..]);
        } else {
            let old = keep - text.len();
            self.kept.drain(..self.kept.len().saturating_sub(old));
            self.kept.extend_from_slice(text);
        }
    }

    fn finish(&mut self, rules: &Compiled, options: &ScanOptions, sink: &mut impl Sink) {
        let kept = std::mem::take(&mut self.kept);
        let window = Window {
            kept: &kept,
            from: self.read - kept.len() as u64,
            text: &[],
            allow: options.allow.as_deref(),
        };
        self.candidates.end(rules, &window, self.read);
        self.release(rules, options, &window, self.read, sink);
        if let Some(group) = self.open.take() {
            sink.span(group);
        }
    }

    /// Lets go of everything that is decided. `beginning` is where a secret without a candidate may have begun.
    fn release(
        &mut self,
        rules: &Compiled,
        options: &ScanOptions,
        window: &Window<'_>,
        beginning: u64,
        sink: &mut impl Sink,
    ) {
        self.candidates.sync();
        let live = self.candidates.secrets();
        let undecided = live.iter().map(|c| c.undecided_from()).fold(beginning, u64::min);
        // Where two groups touch, a live candidate from before that point may yet make one of them.
        let earliest = live.iter().map(|c| c.start).fold(beginning, u64::min);
        let commits = &mut self.candidates.commits;
        commits.sort_unstable_by_key(|c| (c.start, c.seq));
        let mut done = 0;
        let mut at = self.released;
        loop {
            if let Some(open) = &mut self.open {
                while let Some(next) = commits.get(done).filter(|c| c.start < open.end) {
                    open.end = open.end.max(next.end);
                    done += 1;
                }
                at = at.max(open.end);
            }
            match commits.get(done).filter(|c| c.start == at) {
                Some(first) => {
                    if let Some(open) = self.open {
                        if open.end == at && earliest < at {
                            break;
                        }
                        sink.span(open);
                    }
                    sink.mark(Mark {
                        rule: first.label,
                        start: at,
                        tag: tag(rules, options, window, first),
                    });
                    self.open = Some(Span {
                        start: at,
                        end: first.end,
                        rule: first.label,
                    });
                    done += 1;
                }
                None => {
                    let until = commits.get(done).map_or(self.read, |c| c.start);
                    let plain = until.min(undecided);
                    if plain <= at {
                        break;
                    }
                    if let Some(open) = self.open.take() {
                        sink.span(open);
                    }
                    window.pieces(at, plain, |piece| sink.text(piece));
                    at = plain;
                    if plain < until {
                        break;
                    }
                }
            }
        }
        commits.drain(..done);
        self.released = at;
    }
}

/// The tag of a mark whose group begins with this span. The bytes are still in the window: they have not left.
fn tag(rules: &Compiled, options: &ScanOptions, window: &Window<'_>, first: &Commit) -> Option<Tag> {
    let key = options.tags.as_deref()?;
    // A name that was inherited from a later span says nothing of the bytes of this one.
    let info = rules.infos.get(first.label.as_usize())?;
    if !info.tagged || first.label != first.rule {
        return None;
    }
    let mut tagging = key.begin(&info.id);
    window.pieces(first.start, first.certain, |piece| tagging.update(piece));
    Some(tagging.finish())
}
