//! The places where a rule may have begun, found from the text alone.

use smallvec::SmallVec;

use crate::detect::bytes::is_word;
use crate::detect::set::Compiled;

use super::filter::{Bits, Filter, PART};
use super::nodes::{LEVELS, NOWHERE};
use super::table::DEAD;
use super::trigger::START;

/// A place where a rule may have begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Start {
    /// How many bytes of the piece have been read when this is known.
    pub(super) at: u32,
    /// How many bytes before that the place is.
    pub(super) back: u8,
    /// What it has become by then.
    pub(super) node: u16,
}

/// Mostly there are none, or few.
pub(super) type Starts = SmallVec<[Start; 8]>;

/// Shorter pieces are not worth the filter.
const BULK: usize = 48;
/// How far a place is followed before it is passed on.
const PROBE: usize = 24;

/// Reads a piece of at most [`PART`] bytes from a state of the trigger. `last` is the byte before it. Says the state
/// after it; what has begun, and not died within the piece, is in `starts`, in order.
#[inline]
pub(super) fn seek(rules: &Compiled, state: u32, last: u8, text: &[u8], starts: &mut Starts) -> u32 {
    match &rules.filter {
        Some(filter) if text.len() >= BULK => {
            let mut bits = Bits::default();
            filter.mark(last, text, &mut bits);
            let (_, found) = rules.trigger.run(state, &text[..LEVELS - 1]);
            if found {
                across(rules, state, text, starts);
            }
            confirm(rules, filter, &bits, last, text, starts);
            let end = text.len() - LEVELS;
            rules.trigger.run(START, &text[end..]).0
        }
        _ => {
            let (after, found) = rules.trigger.run(state, text);
            if found {
                each(rules, state, text, text.len(), starts);
            }
            after
        }
    }
}

/// Places before the piece that are complete within its first bytes.
#[cold]
fn across(rules: &Compiled, state: u32, text: &[u8], starts: &mut Starts) {
    each(rules, state, text, LEVELS - 1, starts);
}

/// Goes through the first `len` bytes one by one.
fn each(rules: &Compiled, mut state: u32, text: &[u8], len: usize, starts: &mut Starts) {
    for (byte, at) in text.iter().zip(1..=len) {
        state = rules.trigger.next(state, *byte);
        for found in rules.trigger.found(state) {
            if lives(rules, found.node, &text[at..]) {
                starts.push(Start {
                    at: at as u32,
                    back: found.back,
                    node: found.node,
                });
            }
        }
    }
}

/// Looks at each place that the filter marked.
fn confirm(
    rules: &Compiled,
    filter: &Filter,
    bits: &Bits,
    last: u8,
    text: &[u8],
    starts: &mut Starts,
) {
    let nodes = &rules.nodes;
    for (word, base) in bits.0[..text.len().div_ceil(64)].iter().zip((0..PART).step_by(64)) {
        let mut word = *word;
        while word != 0 {
            let place = base + word.trailing_zeros() as usize;
            word &= word - 1;
            let Some(window) = text.get(place..).and_then(|t| t.first_chunk::<LEVELS>()) else {
                break;
            };
            if !filter.may_begin(window) {
                continue;
            }
            let before = if place == 0 { last } else { text[place - 1] };
            let mut node = nodes.root(is_word(before));
            for &byte in window {
                // The filter is there for rules of at least four bytes only, so no node before that is a leaf.
                node = nodes.next(node, byte);
            }
            if node != NOWHERE && lives(rules, node, &text[place + LEVELS..]) {
                starts.push(Start {
                    at: (place + LEVELS) as u32,
                    back: LEVELS as u8,
                    node,
                });
            }
        }
    }
}

/// Whether what has come to this node is still there, or has been certain, by the end of the text.
#[inline]
fn lives(rules: &Compiled, mut node: u16, text: &[u8]) -> bool {
    let nodes = &rules.nodes;
    if !nodes.may_go_on(node, text) {
        return false;
    }
    let mut rest = text.iter().take(PROBE);
    while !nodes.is_leaf(node) {
        let Some(byte) = rest.next() else { return true };
        node = nodes.next(node, *byte);
        if node == NOWHERE {
            return false;
        }
    }
    let [(head, state)] = nodes.leaf(node) else {
        return true;
    };
    let (table, mut state) = (&nodes.head(*head).table, *state);
    loop {
        if table.accepts(state) {
            return true;
        }
        let Some(byte) = rest.next() else { return true };
        state = table.next(state, *byte);
        if state == DEAD {
            return false;
        }
    }
}
