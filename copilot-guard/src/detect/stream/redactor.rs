//! One text stream: reads bytes, and lets each leave as soon as nothing can make it part of a secret.

use std::fmt;
use std::sync::Arc;

use crate::detect::allow::AllowList;
use crate::detect::rule::RuleMask;
use crate::detect::scan::ScanOptions;
use crate::detect::set::RuleSet;
use crate::detect::sink::{Sink, Span};
use crate::detect::tag::TagKey;
use crate::detect::views::Cover;

use super::filter::PART;
use super::live::{Counted, Live};
use super::nodes::LEVELS;
use super::reading::{Reading, Window};
use super::release::release;
use super::seek::{Start, Starts, seek};
use super::trigger::START;

/// Masks secrets in one text while it streams.
///
/// `push` takes the text in pieces, cut anywhere, even inside a character; `finish` says that it has ended. The
/// output does not depend on the cuts. Without `finish` (a connection was cut) the bytes still held never leave.
pub struct Redactor {
    rules: RuleSet,
    active: RuleMask,
    options: ScanOptions,
    are_all_active: bool,
    /// The last bytes that were read; zeros before the first.
    last: [u8; LEVELS],
    state: u32,
    /// Offset after the last byte that was read.
    read: u64,
    /// Offset after the last byte that left or was masked.
    released: u64,
    /// Only while something has begun. Without it, what is held is among the last bytes.
    busy: Option<Box<Busy>>,
}

/// What a stream needs while something has begun.
#[derive(Default)]
pub(super) struct Busy {
    live: Live,
    /// The last group that began, while it may still grow.
    open: Option<Span>,
    /// The last bytes that were read, back to the first that is still needed.
    kept: Vec<u8>,
}

impl Redactor {
    pub(in crate::detect) fn new(rules: RuleSet, active: RuleMask) -> Self {
        Self {
            are_all_active: active.len() == rules.rules().len(),
            rules,
            active,
            options: ScanOptions::default(),
            last: [0; LEVELS],
            state: START,
            read: 0,
            released: 0,
            busy: None,
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
    #[inline]
    pub fn push(&mut self, text: &[u8], sink: &mut impl Sink) {
        // A long piece is worked off in parts, which bounds what is kept in mind about it. `chunks` gives no empty part.
        for part in text.chunks(PART) {
            self.part(part, sink);
        }
    }

    /// Takes the next piece of text, of which some ranges are to be masked whatever the rules say of them: offsets in the
    /// text, within this piece. They join what the rules find as spans of rules do.
    #[inline]
    pub fn push_covered(&mut self, text: &[u8], covers: &[Cover], sink: &mut impl Sink) {
        if covers.is_empty() {
            self.push(text, sink);
        } else {
            self.cover(text, covers, sink);
        }
    }

    #[cold]
    fn cover(&mut self, text: &[u8], covers: &[Cover], sink: &mut impl Sink) {
        for part in text.chunks(PART) {
            let (start, end) = (self.read, self.read + part.len() as u64);
            let within: Vec<_> = covers
                .iter()
                .filter(|c| c.start < end && c.end > start)
                .map(|c| Counted {
                    // One byte of the part before joins the two halves of a cover.
                    start: if c.start < start { start - 1 } else { c.start },
                    end: c.end.min(end),
                    since: end,
                    certain: c.end.min(end),
                    rule: c.rule,
                })
                .collect();
            if within.is_empty() {
                self.part(part, sink);
            } else {
                self.covered_part(part, &within, sink);
            }
        }
    }

    /// The text has ended: everything left goes to `sink`, and a new, empty text begins.
    pub fn finish(&mut self, sink: &mut impl Sink) {
        if self.released < self.read || self.busy.is_some() {
            self.last_part(sink);
        }
        self.last = [0; LEVELS];
        self.state = START;
        (self.read, self.released) = (0, 0);
    }

    /// How many bytes are held because what follows decides about them.
    pub fn held(&self) -> usize {
        usize::try_from(self.read - self.released).unwrap_or(usize::MAX)
    }

    #[inline]
    fn part(&mut self, text: &[u8], sink: &mut impl Sink) {
        let mut starts = Starts::new();
        let rules = &*self.rules.inner;
        let state = seek(rules, self.state, self.last[LEVELS - 1], text, &mut starts);
        let beginning = if self.are_all_active {
            rules.trigger.held_for_all(state)
        } else {
            rules.trigger.held(&rules.nodes, state, &self.active)
        };
        self.state = state;
        if self.busy.is_none() && starts.is_empty() {
            self.pass(text, beginning, sink);
        } else {
            self.follow(text, &starts, beginning, &[], sink);
        }
        self.remember(text);
    }

    #[cold]
    fn covered_part(&mut self, text: &[u8], covers: &[Counted], sink: &mut impl Sink) {
        let mut starts = Starts::new();
        let rules = &*self.rules.inner;
        self.state = seek(rules, self.state, self.last[LEVELS - 1], text, &mut starts);
        let beginning = rules.trigger.held(&rules.nodes, self.state, &self.active);
        self.follow(text, &starts, beginning, covers, sink);
        self.remember(text);
    }

    /// Most pieces begin nothing: all leaves but the last bytes, with which something may begin.
    #[inline]
    fn pass(&mut self, text: &[u8], beginning: usize, sink: &mut impl Sink) {
        let held = (self.read - self.released) as usize;
        self.read += text.len() as u64;
        self.released = self.read - beginning as u64;
        if held > 0 {
            let leaving = (held + text.len()).saturating_sub(beginning).min(held);
            if let Some(earlier) = self
                .last
                .get(LEVELS - held..LEVELS - held + leaving)
                .filter(|e| !e.is_empty())
            {
                sink.text(earlier);
            }
        }
        if text.len() > beginning {
            sink.text(&text[..text.len() - beginning]);
        }
    }

    #[inline]
    fn remember(&mut self, text: &[u8]) {
        if let Some(last) = text.last_chunk() {
            self.last = *last;
        } else {
            self.last.copy_within(text.len().., 0);
            self.last[LEVELS - text.len()..].copy_from_slice(text);
        }
    }

    #[cold]
    #[inline(never)]
    fn follow(
        &mut self,
        text: &[u8],
        starts: &[Start],
        beginning: usize,
        covers: &[Counted],
        sink: &mut impl Sink,
    ) {
        let mut busy = self.take_busy();
        let base = self.read;
        let reading = Reading {
            rules: &self.rules.inner,
            active: &self.active,
            options: &self.options,
            window: Window {
                kept: &busy.kept,
                from: base - busy.kept.len() as u64,
                text,
            },
        };
        busy.live.follow(&reading, starts);
        busy.live.counted.extend_from_slice(covers);
        self.read += text.len() as u64;
        let offsets = (self.released, self.read - beginning as u64, self.read);
        self.released = release(&mut busy.live, &reading, &mut busy.open, offsets, sink);

        if busy.live.is_at_rest() && busy.open.is_none() {
            // What is held now is held for its beginning alone, and that is among the last bytes.
            busy.kept.clear();
            spare::give_back(busy);
            return;
        }
        let keep = usize::try_from(self.read - busy.live.needed_from(self.released)).unwrap_or(usize::MAX);
        if let Some(all_new) = text.len().checked_sub(keep) {
            busy.kept.clear();
            busy.kept.extend_from_slice(&text[all_new..]);
        } else {
            let old = keep - text.len();
            busy.kept.drain(..busy.kept.len().saturating_sub(old));
            busy.kept.extend_from_slice(text);
        }
        self.busy = Some(busy);
    }

    fn take_busy(&mut self) -> Box<Busy> {
        self.busy.take().unwrap_or_else(|| {
            // All that may be asked for: a place is known when four bytes are there, and one of them is new.
            let known = self.read.min(LEVELS as u64 - 1) as usize;
            let mut busy = spare::take();
            busy.kept.extend_from_slice(&self.last[LEVELS - known..]);
            busy
        })
    }

    #[cold]
    fn last_part(&mut self, sink: &mut impl Sink) {
        let mut busy = self.take_busy();
        let reading = Reading {
            rules: &self.rules.inner,
            active: &self.active,
            options: &self.options,
            window: Window {
                kept: &busy.kept,
                from: self.read - busy.kept.len() as u64,
                text: &[],
            },
        };
        busy.live.end(&reading, self.read);
        let offsets = (self.released, self.read, self.read);
        self.released = release(&mut busy.live, &reading, &mut busy.open, offsets, sink);
        if let Some(group) = busy.open.take() {
            sink.span(group);
        }
        if busy.live.is_at_rest() {
            busy.kept.clear();
            spare::give_back(busy);
        }
    }
}

/// Streams are busy often and not for long: what one has done with, the next one of the thread takes up.
mod spare {
    use std::cell::RefCell;

    use super::Busy;

    /// How many are kept for each thread, and how large they may be.
    const MOST: usize = 16;
    const LARGEST: usize = 1024;

    thread_local! {
        #[expect(clippy::vec_box, reason = "boxes go in and out; what they hold is never moved")]
        static SPARE: RefCell<Vec<Box<Busy>>> = const { RefCell::new(Vec::new()) };
    }

    pub(super) fn take() -> Box<Busy> {
        // While the thread ends there is none.
        let spare = SPARE.try_with(|spare| spare.borrow_mut().pop());
        spare.ok().flatten().unwrap_or_default()
    }

    /// Takes back what is at rest and empty.
    pub(super) fn give_back(busy: Box<Busy>) {
        if busy.live.capacity() + busy.kept.capacity() <= LARGEST {
            let _ = SPARE.try_with(|spare| {
                let mut spare = spare.borrow_mut();
                if spare.len() < MOST {
                    spare.push(busy);
                }
            });
        }
    }
}

impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redactor")
            .field("held", &self.held())
            .finish_non_exhaustive()
    }
}
