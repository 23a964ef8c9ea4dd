//! The places where a rule may have begun, found from the text alone.

use smallvec::SmallVec;

use crate::detect::bytes::is_word;
use crate::detect::set::Compiled;

use super::filter::{Bits, Filter};
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
        Some(filter) if text.len() >= BULK => in_bulk(rules, filter, state, last, text, starts),
        _ => one_by_one(rules, state, text, text.len(), |start| starts.push(start)),
    }
}

fn in_bulk(rules: &Compiled, filter: &Filter, state: u32, last: u8, text: &[u8], starts: &mut Starts) -> u32 {
    // Places before the piece, then those whose window is in it, then those whose window its end cuts.
    one_by_one(rules, state, text, LEVELS - 1, |start| {
        if u32::from(start.back) > start.at {
            starts.push(start);
        }
    });
    let mut bits = Bits::default();
    filter.mark(last, text, &mut bits);
    confirm(rules, filter, &bits, last, text, starts);
    let end = text.len() - LEVELS;
    let after = one_by_one(rules, START, &text[end..], LEVELS, |start| {
        if u32::from(start.back) < start.at {
            let at = start.at + end as u32;
            starts.push(Start { at, ..start });
        }
    });
    // What is certain within fewer bytes than a window may be known before what began earlier.
    starts.sort_unstable_by_key(|start| start.at);
    after
}

/// Reads the first `len` bytes of a text from a state of the trigger.
#[inline]
fn one_by_one(
    rules: &Compiled,
    mut state: u32,
    text: &[u8],
    len: usize,
    mut begins: impl FnMut(Start),
) -> u32 {
    let trigger = &rules.trigger;
    for (i, byte) in text.iter().take(len).enumerate() {
        state = trigger.next(state, *byte);
        if trigger.has_found(state) {
            for found in trigger.found(state) {
                if lives(rules, found.node, &text[i + 1..]) {
                    begins(Start {
                        at: i as u32 + 1,
                        back: found.back,
                        node: found.node,
                    });
                }
            }
        }
    }
    state
}

/// How many places are looked at in one go.
const GO: usize = 256;

/// Looks at each place that the filter marked.
///
/// Which of them are worth it is hard to foresee, for a processor too. So they are listed, and weeded out, without branches.
fn confirm(rules: &Compiled, filter: &Filter, bits: &Bits, last: u8, text: &[u8], starts: &mut Starts) {
    let mut places = [0u16; GO];
    let mut known = Known::default();
    let mut go = |places: &mut [u16]| confirm_each(rules, filter, places, &mut known, last, text, starts);
    let mut count = 0;
    for (word, base) in bits.0[..text.len().div_ceil(64)].iter().zip((0u16..).step_by(64)) {
        let mut word = *word;
        let marked = word.count_ones() as usize;
        for place in &mut places[count..count + marked.max(4)] {
            *place = base.wrapping_add(word.trailing_zeros() as u16);
            word &= word.wrapping_sub(1);
        }
        count += marked;
        if count + 64 > GO {
            go(&mut places[..count]);
            count = 0;
        }
    }
    go(&mut places[..count]);
}

/// What the last windows came to: a text has few different ones, and a flood has one.
struct Known([(u64, u16, u8); 32]);

impl Default for Known {
    fn default() -> Self {
        Self([(0, NOWHERE, 0); 32])
    }
}

impl Known {
    /// The node that a window leads to, and how many of its bytes that took.
    #[inline]
    fn look_up(
        &mut self,
        window: [u8; LEVELS],
        after_word: bool,
        walk: impl FnOnce() -> (u16, u8),
    ) -> (u16, u8) {
        let window = u32::from_le_bytes(window);
        // Never zero, which stands for none.
        let key = u64::from(window) << 2 | u64::from(after_word) << 1 | 1;
        let entry = &mut self.0[(window.wrapping_mul(0x9e37_79b1) >> 27) as usize];
        if entry.0 != key {
            let (node, back) = walk();
            *entry = (key, node, back);
        }
        (entry.1, entry.2)
    }
}

fn confirm_each(
    rules: &Compiled,
    filter: &Filter,
    places: &mut [u16],
    known: &mut Known,
    last: u8,
    text: &[u8],
    starts: &mut Starts,
) {
    let window = |place: u16| {
        text.get(usize::from(place)..)
            .and_then(|t| t.first_chunk::<LEVELS>())
    };
    let mut left = 0;
    for i in 0..places.len() {
        let place = places[i];
        places[left] = place;
        left += usize::from(window(place).is_some_and(|w| filter.may_begin(w)));
    }
    let nodes = &rules.nodes;
    for &place in &places[..left] {
        let Some(window) = window(place) else { continue };
        let place = usize::from(place);
        let before = if place == 0 { last } else { text[place - 1] };
        let (node, back) = known.look_up(*window, is_word(before), || {
            let mut node = nodes.root(is_word(before));
            let mut back = 0;
            for &byte in window {
                node = nodes.next(node, byte);
                back += 1;
                if nodes.is_leaf(node) {
                    break;
                }
            }
            (node, back)
        });
        let at = place + usize::from(back);
        if node != NOWHERE && lives(rules, node, &text[at..]) {
            starts.push(Start {
                at: at as u32,
                back,
                node,
            });
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
    let mut rest = text.get(..PROBE).unwrap_or(text).iter();
    while !nodes.is_leaf(node) {
        let Some(byte) = rest.next() else { return true };
        node = nodes.next(node, *byte);
        if node == NOWHERE {
            return false;
        }
    }
    nodes.leaf(node).iter().any(|(head, state)| {
        let (table, mut state) = (&nodes.head(*head).table, *state);
        for byte in rest.as_slice() {
            if state == DEAD || table.accepts(state) {
                break;
            }
            state = table.next(state, *byte);
        }
        state != DEAD
    })
}
