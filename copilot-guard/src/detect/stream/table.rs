//! Small automata: one byte in, one table look-up, and it is known whether a match is still possible.
//!
//! `regex-automata` determinises; here the result is reduced to what a stream needs. An accepting state says so itself
//! (there it is said one byte later), and a state from which no accept can be reached is the dead state.

use std::collections::HashMap;

use regex_automata::dfa::{Automaton, StartKind, dense};
use regex_automata::nfa::thompson::{self, WhichCaptures};
use regex_automata::util::syntax;
use regex_automata::{Anchored, MatchKind};

use crate::detect::bytes::ByteSet;
use crate::detect::error::LintError;

/// No match is possible any more.
pub(in crate::detect) const DEAD: u32 = 0;

const ACCEPT: u32 = 1;
const MORE: u32 = 2;
const DETERMINISE_LIMIT: usize = 64 << 20;
const TABLE_LIMIT: usize = 16 << 20;
/// Steps spent on making a table smaller before it is taken as it is.
const MINIMISE_BUDGET: usize = 30_000_000;

/// A table-driven automaton, anchored at its start. A state is the offset of its row.
pub(in crate::detect) struct Table {
    classes: Box<[u8; 256]>,
    /// The length of a row: an entry for each class, and one for the flags of the state.
    width: usize,
    rows: Box<[u32]>,
    start: u32,
}

impl Table {
    /// Compiles a regular expression that [`pattern::ascii`](crate::detect::pattern::ascii) let through.
    pub(in crate::detect) fn new(id: &str, regex: &str) -> Result<Self, LintError> {
        let too_large = || {
            LintError::new(
                id,
                "needs too large an automaton",
                "make repetitions smaller, or drop optional text before the part that is certain",
            )
        };
        let dfa = dense::Builder::new()
            .configure(
                dense::Config::new()
                    .start_kind(StartKind::Anchored)
                    .match_kind(MatchKind::All)
                    .accelerate(false)
                    .dfa_size_limit(Some(TABLE_LIMIT))
                    .determinize_size_limit(Some(DETERMINISE_LIMIT)),
            )
            .syntax(syntax::Config::new().unicode(true).utf8(true))
            .thompson(
                thompson::Config::new()
                    .which_captures(WhichCaptures::None)
                    .nfa_size_limit(Some(TABLE_LIMIT)),
            )
            .build(regex)
            .map_err(|_| too_large())?;
        let Some(start) = dfa.universal_start_state(Anchored::Yes) else {
            return Err(LintError::new(
                id,
                "looks around at its start",
                "remove the look-around",
            ));
        };
        let mut classes = Box::new([0u8; 256]);
        let mut stride = 0;
        let mut representatives = Vec::new();
        for byte in 0..=u8::MAX {
            let class = dfa.byte_classes().get(byte);
            classes[usize::from(byte)] = class;
            if usize::from(class) == stride {
                stride += 1;
                representatives.push(byte);
            }
        }
        // Number the states in the order of a breadth-first walk; 0 is the dead state.
        let mut ids = HashMap::from([(start, 1u32)]);
        let mut states = vec![start];
        let mut next: Vec<u32> = vec![0; stride];
        let mut accept = vec![false];
        let mut at = 0;
        while let Some(&state) = states.get(at) {
            at += 1;
            accept.push(dfa.is_match_state(dfa.next_eoi_state(state)));
            for &byte in &representatives {
                let to = dfa.next_state(state, byte);
                let number = if dfa.is_dead_state(to) {
                    0
                } else {
                    *ids.entry(to).or_insert_with(|| {
                        states.push(to);
                        states.len() as u32
                    })
                };
                next.push(number);
            }
        }
        let raw = Raw { stride, next, accept };
        let more = raw.more();
        let raw = raw.pruned(&more).minimised();
        let more = raw.more();
        let width = stride + 1;
        let mut rows = Vec::with_capacity(raw.accept.len() * width);
        for ((row, accept), more) in raw.next.chunks(stride).zip(&raw.accept).zip(&more) {
            rows.extend(row.iter().map(|to| to * width as u32));
            rows.push((u32::from(*accept) * ACCEPT) | (u32::from(*more) * MORE));
        }
        if u32::try_from(rows.len()).is_err() {
            return Err(too_large());
        }
        Ok(Self {
            classes,
            width,
            start: if raw.accept.len() > 1 { width as u32 } else { DEAD },
            rows: rows.into_boxed_slice(),
        })
    }

    pub(in crate::detect) const fn start(&self) -> u32 {
        self.start
    }

    #[inline]
    pub(in crate::detect) fn next(&self, state: u32, byte: u8) -> u32 {
        self.rows[state as usize + usize::from(self.classes[usize::from(byte)])]
    }

    pub(in crate::detect) const fn class(&self, byte: u8) -> u8 {
        self.classes[byte as usize]
    }

    #[inline]
    fn flags(&self, state: u32) -> u32 {
        self.rows[state as usize + self.width - 1]
    }

    /// Whether what was read so far matches.
    #[inline]
    pub(in crate::detect) fn accepts(&self, state: u32) -> bool {
        self.flags(state) & ACCEPT != 0
    }

    /// Whether reading on can lead to a match.
    #[inline]
    pub(in crate::detect) fn more(&self, state: u32) -> bool {
        self.flags(state) & MORE != 0
    }

    /// When this is one class, so and so many times: the class, the least and the most.
    pub(in crate::detect) fn repetition(&self) -> Option<(ByteSet, u64, u64)> {
        let class = ByteSet::of(|byte| self.next(self.start, byte) != DEAD);
        let byte = (0..=u8::MAX).find(|byte| class.contains(*byte))?;
        let (mut state, mut least, mut most) = (self.start, None, 0);
        while state != DEAD {
            if self.accepts(state) {
                least = least.or(Some(most));
            } else if least.is_some() {
                return None;
            }
            let next = self.next(state, byte);
            let alike =
                (0..=u8::MAX).all(|b| self.next(state, b) == if class.contains(b) { next } else { DEAD });
            // A state that comes again repeats without end.
            if !alike || next == state || most as usize > self.rows.len() {
                return None;
            }
            state = next;
            most += 1;
        }
        Some((class, least?, most - 1))
    }

    /// Whether nothing at all matches.
    pub(in crate::detect) const fn is_empty(&self) -> bool {
        self.start == DEAD
    }

    /// How many bytes may be read before it is certain whether this is a match; `None` when there is no limit.
    ///
    /// With `whole`, until nothing more can match; else until the first match, confirmed by `after` if that is given.
    pub(in crate::detect) fn longest_wait(&self, after: Option<&ByteSet>, whole: bool) -> Option<usize> {
        // For each class: does it have a byte that does not confirm a match?
        let mut unconfirmed = vec![after.is_none(); self.width - 1];
        if let Some(after) = after {
            for byte in (0..=u8::MAX).filter(|b| !after.contains(*b)) {
                unconfirmed[usize::from(self.classes[usize::from(byte)])] = true;
            }
        }
        let edges = |state: usize| {
            let offset = state * self.width;
            let stops = !whole && self.accepts(offset as u32);
            let unconfirmed = &unconfirmed;
            let row = &self.rows[offset..][..self.width - 1];
            row.iter().enumerate().filter_map(move |(class, to)| {
                let open = !stops || (after.is_some() && unconfirmed[class]);
                (open && *to != DEAD).then_some(*to as usize / self.width)
            })
        };
        let count = self.rows.len() / self.width;
        let start = self.start as usize / self.width;
        let mut reached = vec![false; count];
        let mut incoming = vec![0usize; count];
        let mut stack = vec![start];
        reached[start] = true;
        let mut nodes = 0;
        while let Some(state) = stack.pop() {
            nodes += 1;
            for to in edges(state) {
                incoming[to] += 1;
                if !reached[to] {
                    reached[to] = true;
                    stack.push(to);
                }
            }
        }
        if incoming[start] > 0 {
            return None;
        }
        let mut depth = vec![0usize; count];
        let mut done = 0;
        let mut longest = 0;
        stack.push(start);
        while let Some(state) = stack.pop() {
            done += 1;
            longest = longest.max(depth[state]);
            for to in edges(state) {
                depth[to] = depth[to].max(depth[state] + 1);
                incoming[to] -= 1;
                if incoming[to] == 0 {
                    stack.push(to);
                }
            }
        }
        (done == nodes).then_some(longest)
    }
}

/// A table under construction. State 0 is dead, state 1 is the start.
struct Raw {
    stride: usize,
    next: Vec<u32>,
    accept: Vec<bool>,
}

impl Raw {
    /// For each state: can an accept be reached by reading at least one byte?
    fn more(&self) -> Vec<bool> {
        let count = self.accept.len();
        let from = self.incoming();
        let mut more = vec![false; count];
        let mut stack: Vec<usize> = (0..count).filter(|s| self.accept[*s]).collect();
        while let Some(state) = stack.pop() {
            for &before in &from[state] {
                if !std::mem::replace(&mut more[before as usize], true) && !self.accept[before as usize] {
                    stack.push(before as usize);
                }
            }
        }
        more
    }

    /// Without the states that lead nowhere.
    fn pruned(mut self, more: &[bool]) -> Self {
        for to in &mut self.next {
            if !self.accept[*to as usize] && !more[*to as usize] {
                *to = 0;
            }
        }
        self
    }

    /// A first guess at which states have the same future: the lengths of what they can still read.
    ///
    /// Counted repetitions make long chains. Refining those step by step takes as many rounds as they are long; the
    /// longest text, the shortest match and the longest text before a match tell their states apart at once.
    fn lengths(&self) -> Vec<u32> {
        let longest = self.longest(false);
        let wait = self.longest(true);
        let shortest = self.shortest();
        let mut seen = HashMap::new();
        (0..self.accept.len())
            .map(|s| {
                let fresh = seen.len() as u32;
                *seen
                    .entry((self.accept[s], shortest[s], longest[s], wait[s]))
                    .or_insert(fresh)
            })
            .collect()
    }

    /// For each state, which states lead to it; once for each byte class that does.
    fn incoming(&self) -> Vec<Vec<u32>> {
        let mut from: Vec<Vec<u32>> = vec![Vec::new(); self.accept.len()];
        for (state, row) in self.next.chunks(self.stride).enumerate() {
            for to in row.iter().filter(|to| **to != 0) {
                from[*to as usize].push(state as u32);
            }
        }
        from
    }

    /// For each state, the length of the longest text it can read (up to the first match); without bound `u32::MAX`.
    fn longest(&self, up_to_match: bool) -> Vec<u32> {
        let count = self.accept.len();
        let from = self.incoming();
        let stops = |state: usize| up_to_match && self.accept[state];
        let live = |row: &[u32]| row.iter().filter(|to| **to != 0).count();
        let mut open: Vec<usize> = self
            .next
            .chunks(self.stride)
            .enumerate()
            .map(|(s, row)| if stops(s) { 0 } else { live(row) })
            .collect();
        let mut longest = vec![0u32; count];
        let mut stack: Vec<usize> = (0..count).filter(|s| open[*s] == 0).collect();
        while let Some(state) = stack.pop() {
            for &before in &from[state] {
                let before = before as usize;
                if !stops(before) {
                    longest[before] = longest[before].max(longest[state] + 1);
                    open[before] -= 1;
                    if open[before] == 0 {
                        stack.push(before);
                    }
                }
            }
        }
        longest
            .iter()
            .zip(&open)
            .map(|(l, o)| if *o == 0 { *l } else { u32::MAX })
            .collect()
    }

    /// For each state, the length of the shortest match from there.
    fn shortest(&self) -> Vec<u32> {
        let from = self.incoming();
        let mut shortest: Vec<u32> = self
            .accept
            .iter()
            .map(|a| if *a { 0 } else { u32::MAX })
            .collect();
        let mut level: Vec<u32> = (0u32..)
            .zip(&self.accept)
            .filter(|(_, a)| **a)
            .map(|(s, _)| s)
            .collect();
        let mut length = 0;
        while !level.is_empty() {
            length += 1;
            let mut further = Vec::new();
            for &before in level.iter().flat_map(|s| &from[*s as usize]) {
                if shortest[before as usize] == u32::MAX {
                    shortest[before as usize] = length;
                    further.push(before);
                }
            }
            level = further;
        }
        shortest
    }

    /// States with the same future become one (Moore). Two candidates of one rule in one state then share their fate.
    fn minimised(self) -> Self {
        let count = self.accept.len();
        let mut block = self.lengths();
        let mut blocks = 0;
        let mut spent = 0;
        loop {
            spent += count * self.stride;
            if spent > MINIMISE_BUDGET {
                return self;
            }
            let mut seen: HashMap<Vec<u32>, u32> = HashMap::with_capacity(blocks);
            let mut refined = Vec::with_capacity(count);
            // The dead state and the start are seen first, so they become 0 and 1.
            for (state, row) in self.next.chunks(self.stride).enumerate() {
                let mut key = Vec::with_capacity(self.stride + 1);
                key.push(block[state]);
                key.extend(row.iter().map(|to| block[*to as usize]));
                let fresh = seen.len() as u32;
                refined.push(*seen.entry(key).or_insert(fresh));
            }
            let before = std::mem::replace(&mut blocks, seen.len());
            block = refined;
            if before == blocks {
                break;
            }
        }
        let mut next = vec![0; blocks * self.stride];
        let mut accept = vec![false; blocks];
        for (state, row) in self.next.chunks(self.stride).enumerate() {
            let to = block[state] as usize;
            accept[to] = self.accept[state];
            for (class, target) in row.iter().enumerate() {
                next[to * self.stride + class] = block[*target as usize];
            }
        }
        Self {
            stride: self.stride,
            next,
            accept,
        }
    }
}
