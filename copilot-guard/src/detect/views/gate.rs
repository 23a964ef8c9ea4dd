//! Lets text through as soon as it cannot stand for anything else.
//!
//! 1. Ordinary words (lower case, perhaps one capital first, punctuation around) pass at once.
//! 2. Of every other piece between blanks the rest is held until the piece ends; pieces that belong together (short ones
//!    in a row, literals that are joined, lines of base64, an open tag) until the last of them has ended.
//! 3. Then its views are looked at, with what stood before it as context; what they show is covered, and all leaves.
//! 4. No more than [`MOST_HELD`] bytes are held: what is longer is looked at in overlapping parts.
//!
//! What is held, looked at and covered depends on the text alone, never on how it was cut. Of a secret that begins like a
//! word, these first letters may have left: at most the lower-case beginning of one piece.

use std::ops::Range;
use std::sync::Arc;

use super::class::{BLANK, FOREIGN, LOWER, UPPER, class};
use super::find::{Finder, Hints};
use super::fold::{Folded, fold_char};
use super::token::{Bond, Counts, Token};
use super::word::{self, Word};
use crate::detect::rule::RuleIndex;

/// Most bytes that are held.
pub const MOST_HELD: usize = 8192;
/// How much of a part that was too long is looked at again with the next.
const OVERLAP: usize = 4096;
/// How much of what has left is kept as context.
const CONTEXT: usize = 256;

/// A piece of a text to be masked because a view shows a secret there: offsets in the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cover {
    /// Offset of the first byte.
    pub start: u64,
    /// Offset after the last byte.
    pub end: u64,
    /// The rule that names it.
    pub rule: RuleIndex,
}

/// Takes what a gate lets through, in order: bytes, and what of them is to be masked.
pub trait Through {
    /// The next bytes, and the covers that begin within them, in order. A cover ends within them too.
    fn pass(&mut self, text: &[u8], covers: &[Cover]);
}

impl<F: FnMut(&[u8], &[Cover])> Through for F {
    fn pass(&mut self, text: &[u8], covers: &[Cover]) {
        self(text, covers);
    }
}

/// The gate of one text.
pub struct Gate {
    finder: Arc<Finder>,
    /// The end of what has left.
    context: Vec<u8>,
    /// How much has left.
    passed: u64,
    word: Word,
    /// What has left ends with a letter of another script: what follows is a part of its word.
    glued: bool,
    held: Option<Box<Held>>,
    /// What held something before, and what began anew: kept for their memory.
    spare: Option<Box<Held>>,
    again: Vec<u8>,
    /// The beginning of a character that was cut.
    cut: Vec<u8>,
}

/// What is held.
#[derive(Default)]
struct Held {
    text: Vec<u8>,
    /// Where the token begins that has not ended.
    token_at: usize,
    token: Token,
    /// Of the tokens before it that belong together.
    counts: Counts,
    bond: Option<Bond>,
    sparse: usize,
    /// A secret goes on to the end of the token: all of it is covered.
    covered: Option<RuleIndex>,
    /// Covers that reach beyond what has left.
    waiting: Vec<Cover>,
}

impl Held {
    /// As new, with the memory that it has.
    fn clear(&mut self) {
        let mut text = std::mem::take(&mut self.text);
        text.clear();
        // What a flood has taken is given back.
        if text.capacity() > CONTEXT {
            text = Vec::new();
        }
        *self = Self {
            text,
            ..Self::default()
        };
    }
}

impl Gate {
    pub(super) fn new(finder: Arc<Finder>) -> Self {
        Self {
            finder,
            context: Vec::with_capacity(4 * CONTEXT),
            passed: 0,
            word: Word::Before,
            glued: false,
            held: None,
            spare: None,
            again: Vec::new(),
            cut: Vec::new(),
        }
    }

    /// How many bytes are held.
    pub fn held(&self) -> usize {
        self.cut.len() + self.held.as_ref().map_or(0, |held| held.text.len())
    }

    /// Takes the next piece.
    #[inline]
    pub fn push(&mut self, text: &[u8], out: &mut impl Through) {
        if self.held.is_none() && self.cut.is_empty() {
            // Most pieces are ordinary words.
            let (passed, word) = word::pass(self.word, text);
            if passed == text.len() && passed > 0 {
                self.word = word;
                self.glued = false;
                self.leave(text);
                out.pass(text, &[]);
                return;
            }
        }
        self.push_any(text, out);
    }

    #[inline(never)]
    fn push_any(&mut self, text: &[u8], out: &mut impl Through) {
        if self.cut.is_empty() {
            let whole = whole_characters(text);
            self.feed(text.get(..whole).unwrap_or_default(), out);
            self.cut.extend_from_slice(text.get(whole..).unwrap_or_default());
        } else {
            let mut joined = std::mem::take(&mut self.cut);
            joined.extend_from_slice(text);
            let whole = whole_characters(&joined);
            self.feed(joined.get(..whole).unwrap_or_default(), out);
            joined.drain(..whole);
            self.cut = joined;
        }
    }

    /// The text has ended, and a new one begins.
    pub fn finish(&mut self, out: &mut impl Through) {
        let cut = std::mem::take(&mut self.cut);
        if !cut.is_empty() {
            self.feed(&cut, out);
        }
        if let Some(mut held) = self.held.take() {
            if !held.token.is_empty() {
                held.counts.add(held.token.counts);
            }
            let all = held.text.len();
            self.release(&mut held, all, out);
            self.done(held);
        }
        self.context.clear();
        self.passed = 0;
        self.word = Word::Before;
        self.glued = false;
    }

    fn feed(&mut self, text: &[u8], out: &mut impl Through) {
        let mut rest = text;
        while !rest.is_empty() {
            match self.held.take() {
                None => {
                    let free = self.free(rest);
                    let (passing, more) = rest.split_at(free);
                    if !passing.is_empty() {
                        self.leave(passing);
                        out.pass(passing, &[]);
                    }
                    rest = more;
                    if !rest.is_empty() {
                        self.held = Some(self.spare.take().unwrap_or_default());
                    }
                }
                Some(held) => rest = self.hold(held, rest, out),
            }
        }
    }

    /// How many bytes pass at once.
    #[inline]
    fn free(&mut self, text: &[u8]) -> usize {
        let mut at = 0;
        loop {
            // Of a long piece no more than what is likely to pass.
            let rest = text.get(at..).unwrap_or_default();
            let rest = rest.get(..64).unwrap_or(rest);
            let (passed, word) = word::pass(self.word, rest);
            at += passed;
            self.word = word;
            self.glued &= passed == 0;
            if passed == rest.len() && at < text.len() {
                continue;
            }
            let Some(&byte) = text.get(at) else {
                return at;
            };
            if class(byte) & FOREIGN == 0 {
                return at;
            }
            let (c, length) = character(text.get(at..).unwrap_or_default());
            if self.word != Word::Behind && c.is_some_and(is_ordinary) {
                self.word = Word::Within;
                at += length;
                continue;
            }
            if c.is_some_and(|c| fold_char(c) != Folded::Other) {
                return at;
            }
            self.glued = c.is_some_and(char::is_alphabetic);
            self.word = Word::Before;
            at += length;
        }
    }

    /// Takes bytes while something is held; gives back what is left once it has been let go.
    fn hold<'t>(&mut self, mut held: Box<Held>, text: &'t [u8], out: &mut impl Through) -> &'t [u8] {
        let mut at = 0;
        if let ([capital], Some(next)) = (held.text.as_slice(), text.first())
            && class(*capital) & UPPER != 0
            && class(*next) & LOWER != 0
            && self.word == Word::Before
            && held.bond.is_none()
        {
            // An ordinary word after all; its capital came alone.
            self.let_go(&mut held, 1, Vec::new(), out);
            self.done(held);
            self.word = Word::Within;
            return text;
        }
        while let Some(&byte) = text.get(at) {
            let is_foreign = class(byte) & FOREIGN != 0;
            let (c, length) = if is_foreign {
                character(text.get(at..).unwrap_or_default())
            } else {
                (Some(char::from(byte)), 1)
            };
            let folded = match c {
                Some(c) if is_foreign => fold_char(c),
                Some(_) => Folded::To(byte),
                None => Folded::Other,
            };
            let ends = class(byte) & BLANK != 0 || folded == Folded::Other;
            let is_glued = is_foreign && c.is_some_and(char::is_alphabetic);
            if ends && !held.token.is_empty() && self.end(&mut held, byte, is_glued) {
                // What ended it goes its own way.
                let all = held.text.len();
                self.release(&mut held, all, out);
                self.done(held);
                return text.get(at..).unwrap_or_default();
            }
            let token_bytes = held.token.counts.bytes;
            held.text
                .extend_from_slice(text.get(at..at + length).unwrap_or_default());
            at += length;
            if ends {
                if held.text.len() - held.token_at > 64 {
                    let all = held.text.len();
                    self.release(&mut held, all, out);
                    self.done(held);
                    return text.get(at..).unwrap_or_default();
                }
                continue;
            }
            if token_bytes == 0 {
                held.token_at = held.text.len() - length;
            }
            match folded {
                Folded::To(to) if is_foreign => held.token.folded(length, Some(to)),
                Folded::To(_) => held.token.ascii(byte),
                _ => held.token.folded(length, None),
            }
            if let Some(bond) = held.bond
                && (!held.token.belongs(bond) || held.token_at > bond.longest(held.counts))
            {
                // The token begins anew, by itself.
                let mut again = std::mem::take(&mut self.again);
                again.extend_from_slice(held.text.get(held.token_at..).unwrap_or_default());
                held.text.truncate(held.token_at);
                let all = held.text.len();
                self.release(&mut held, all, out);
                self.done(held);
                self.feed(&again, out);
                again.clear();
                self.again = again;
                return text.get(at..).unwrap_or_default();
            }
            if held.text.len() >= MOST_HELD {
                self.shorten(&mut held, out);
            }
        }
        self.held = Some(held);
        &[]
    }

    /// The token has ended before this byte. `true`: nothing that follows belongs to it.
    fn end(&self, held: &mut Held, byte: u8, is_glued: bool) -> bool {
        held.covered = None;
        let line = matches!(byte, b'\n' | b'\r');
        let bond = if is_glued || self.glued && held.bond.is_none() {
            Bond::None
        } else {
            let before = held
                .token_at
                .checked_sub(1)
                .map_or(self.context.last(), |at| held.text.get(at));
            let first = before.is_none_or(|byte| *byte == b'\n');
            held.token.bond(first, line, held.bond.unwrap_or(Bond::None))
        };
        held.counts.add(held.token.counts);
        held.sparse += usize::from(matches!(bond, Bond::Sparse { .. }));
        held.token = Token::default();
        held.token_at = held.text.len();
        held.bond = Some(bond);
        bond == Bond::None
    }

    /// Looks at what is held, and lets the first `count` bytes go.
    fn release(&mut self, held: &mut Held, count: usize, out: &mut impl Through) {
        let mut covers = std::mem::take(&mut held.waiting);
        if held.counts.is_worth_a_look()
            || held.counts.quotes > 0 && held.counts.letters >= 4 && self.is_joined()
        {
            covers.extend(
                self.look(held)
                    .into_iter()
                    .map(|(range, rule)| self.cover(&range, rule)),
            );
        }
        self.let_go(held, count, covers, out);
    }

    /// Whether what has left ends with a literal, or with what joins one to the next.
    fn is_joined(&self) -> bool {
        let mut end = self.context.iter().rev().filter(|b| class(**b) & BLANK == 0);
        match end.next() {
            Some(b'"' | b'\'' | b'`') => true,
            Some(b'+' | b'.' | b',' | b'&' | b'|' | b'(') => {
                end.take(4).any(|b| matches!(b, b'"' | b'\'' | b'`'))
            }
            _ => false,
        }
    }

    fn cover(&self, range: &Range<usize>, rule: RuleIndex) -> Cover {
        Cover {
            start: self.passed + range.start as u64,
            end: self.passed + range.end as u64,
            rule,
        }
    }

    /// What the views show in what is held, as places in it.
    fn look(&self, held: &Held) -> Vec<(Range<usize>, RuleIndex)> {
        let context = self.context.len();
        let mut text = Vec::with_capacity(context + held.text.len());
        text.extend_from_slice(&self.context);
        text.extend_from_slice(&held.text);
        let hints = Hints {
            sparse: held.sparse >= 3 || held.counts.is_parted(),
            turned: held.counts.longest_word >= 16 || held.counts.longest_dense >= 20,
        };
        let found = self.finder.find(&text, hints).into_iter();
        found
            .filter(|(range, _)| range.end > context)
            .map(|(range, rule)| (range.start.saturating_sub(context)..range.end - context, rule))
            .collect()
    }

    /// More than may be held: its first part is looked at and leaves, the rest comes again with what follows.
    fn shorten(&mut self, held: &mut Held, out: &mut impl Through) {
        let mut counts = held.counts;
        counts.add(held.token.counts);
        let all = held.text.len();
        let mut covers = std::mem::take(&mut held.waiting);
        if let Some(rule) = held.covered {
            covers.push(self.cover(&(0..all), rule));
        } else {
            let whole = std::mem::replace(&mut held.counts, counts);
            let found = self.look(held);
            held.counts = whole;
            for (range, rule) in found {
                if range.end == all {
                    held.covered = Some(rule);
                }
                covers.push(self.cover(&range, rule));
            }
        }
        let mut count = all - OVERLAP;
        while held.text.get(count).is_some_and(|b| b & 0xC0 == 0x80) {
            count += 1;
        }
        self.let_go(held, count, covers, out);
        held.token_at = held.token_at.saturating_sub(count);
    }

    /// Lets the first bytes of what is held go, with these covers. What they cover beyond waits.
    fn let_go(&mut self, held: &mut Held, count: usize, mut covers: Vec<Cover>, out: &mut impl Through) {
        let until = self.passed + count as u64;
        covers.sort_unstable_by_key(|c| (c.start, std::cmp::Reverse(c.end)));
        for cover in &mut covers {
            cover.start = cover.start.max(self.passed);
            if cover.end > until {
                let rest = Cover {
                    start: cover.start.max(until),
                    ..*cover
                };
                held.waiting.push(rest);
                cover.end = until;
            }
        }
        covers.retain(|cover| cover.start < cover.end);
        let leaving = held.text.get(..count).unwrap_or_default();
        self.leave(leaving);
        if !leaving.is_empty() {
            out.pass(leaving, &covers);
        }
        held.text.drain(..count);
    }

    /// Nothing is held any more, and a word may begin.
    fn done(&mut self, mut held: Box<Held>) {
        self.word = Word::Before;
        held.clear();
        self.spare = Some(held);
    }

    /// Remembers what leaves.
    #[inline]
    fn leave(&mut self, text: &[u8]) {
        self.passed += text.len() as u64;
        if self.context.len() + text.len() > 4 * CONTEXT {
            self.forget();
        }
        self.context
            .extend_from_slice(text.last_chunk::<CONTEXT>().map_or(text, |last| last));
    }

    #[cold]
    fn forget(&mut self) {
        self.context.drain(..self.context.len().saturating_sub(CONTEXT));
    }
}

impl std::fmt::Debug for Gate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gate")
            .field("held", &self.held())
            .finish_non_exhaustive()
    }
}

/// A small Latin letter with a mark, as words of many languages have them.
fn is_ordinary(c: char) -> bool {
    matches!(c, '\u{DF}'..='\u{17F}') && c.is_lowercase() && c != 'ı' && c != 'ſ'
}

/// The first character, and its length. What is no UTF-8 is a character of its own kind.
fn character(text: &[u8]) -> (Option<char>, usize) {
    let text = text.get(..4).unwrap_or(text);
    let first = text.utf8_chunks().next();
    match first.map(|chunk| (chunk.valid().chars().next(), chunk.invalid().len())) {
        Some((Some(c), _)) => (Some(c), c.len_utf8()),
        Some((None, invalid)) => (None, invalid.max(1)),
        None => (None, 1),
    }
}

/// How many bytes end with a whole character: what may be the beginning of one is left for the next piece.
fn whole_characters(text: &[u8]) -> usize {
    if text.last().is_none_or(u8::is_ascii) {
        return text.len();
    }
    let last = text.len().saturating_sub(3);
    for (n, byte) in text.iter().enumerate().skip(last) {
        let needed = match byte {
            0xC2..=0xDF => 2,
            0xE0..=0xEF => 3,
            0xF0..=0xF4 => 4,
            _ => continue,
        };
        if n + needed > text.len() {
            return n;
        }
    }
    text.len()
}
