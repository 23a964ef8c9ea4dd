//! What is compared: things that take text in pieces.

use std::hint::black_box;

use copilot_guard::detect::{Mark, RuleMask, RuleSet, Sink};

use super::clock;

/// What one run took and found.
#[derive(Clone, Copy)]
pub(crate) struct Sample {
    pub(crate) nanoseconds: u64,
    /// Marks for ours, reports for Hyperscan.
    pub(crate) events: u64,
}

/// A piece of one of many streams: where it stands in the text.
pub(crate) struct Delta {
    pub(crate) start: u32,
    pub(crate) stream: u16,
    pub(crate) len: u8,
}

pub(crate) trait Engine {
    /// One stream in pieces of this size.
    fn pieces(&mut self, text: &[u8], size: usize) -> Sample;

    /// Many streams at once.
    fn streams(&mut self, text: &[u8], streams: usize, deltas: &[Delta]) -> Sample;
}

/// This library's redactor.
pub(crate) struct Ours<'a> {
    pub(crate) rules: &'a RuleSet,
    pub(crate) mask: &'a RuleMask,
    /// Copies what is released, as something that sends it on would.
    pub(crate) copies: bool,
}

impl Engine for Ours<'_> {
    fn pieces(&mut self, text: &[u8], size: usize) -> Sample {
        if self.copies {
            self.one(text, size, &mut Copied::default())
        } else {
            self.one(text, size, &mut Counted::default())
        }
    }

    fn streams(&mut self, text: &[u8], streams: usize, deltas: &[Delta]) -> Sample {
        if self.copies {
            self.many(text, streams, deltas, &mut Copied::default())
        } else {
            self.many(text, streams, deltas, &mut Counted::default())
        }
    }
}

impl Ours<'_> {
    fn one(&self, text: &[u8], size: usize, sink: &mut impl Counts) -> Sample {
        let mut redactor = self.rules.redactor(self.mask);
        let began = clock::cpu();
        for piece in text.chunks(size) {
            redactor.push(black_box(piece), sink);
            sink.sent();
        }
        redactor.finish(sink);
        sink.sent();
        Sample {
            nanoseconds: clock::cpu() - began,
            events: sink.marks(),
        }
    }

    fn many(&self, text: &[u8], streams: usize, deltas: &[Delta], sink: &mut impl Counts) -> Sample {
        let mut redactors: Vec<_> = (0..streams).map(|_| self.rules.redactor(self.mask)).collect();
        let began = clock::cpu();
        for delta in deltas {
            let start = delta.start as usize;
            let piece = &text[start..start + usize::from(delta.len)];
            redactors[usize::from(delta.stream)].push(black_box(piece), sink);
            sink.sent();
        }
        let nanoseconds = clock::cpu() - began;
        for redactor in &mut redactors {
            redactor.finish(sink);
        }
        Sample {
            nanoseconds,
            events: sink.marks(),
        }
    }
}

trait Counts: Sink {
    /// What was released has been sent on.
    fn sent(&mut self);
    fn marks(&self) -> u64;
}

/// Counts instead of keeping.
#[derive(Default)]
pub(crate) struct Counted {
    pub(crate) marks: u64,
    pub(crate) bytes: u64,
}

impl Sink for Counted {
    #[inline]
    fn text(&mut self, released: &[u8]) {
        self.bytes += released.len() as u64;
    }

    #[inline]
    fn mark(&mut self, _: Mark) {
        self.marks += 1;
    }
}

impl Counts for Counted {
    #[inline]
    fn sent(&mut self) {
        black_box(self.bytes);
    }

    fn marks(&self) -> u64 {
        self.marks
    }
}

/// Copies what is released into a buffer that is emptied after each piece.
#[derive(Default)]
struct Copied {
    marks: u64,
    out: Vec<u8>,
}

impl Sink for Copied {
    #[inline]
    fn text(&mut self, released: &[u8]) {
        self.out.extend_from_slice(released);
    }

    #[inline]
    fn mark(&mut self, _: Mark) {
        self.marks += 1;
        self.out.extend_from_slice(b"[REDACTED:secret]");
    }
}

impl Counts for Copied {
    #[inline]
    fn sent(&mut self) {
        black_box(&self.out);
        self.out.clear();
    }

    fn marks(&self) -> u64 {
        self.marks
    }
}
