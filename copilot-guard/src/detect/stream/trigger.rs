//! One look-up for each byte tells where a rule may begin: the first levels of the [`nodes`](super::nodes), run from the
//! last four places at once.

use std::collections::HashMap;

use crate::detect::bytes::is_word;
use crate::detect::error::LintError;
use crate::detect::rule::RuleMask;

use super::nodes::{LEVELS, NOWHERE, Nodes};

/// Where rules may begin. A state is the offset of its row.
pub(in crate::detect) struct Trigger {
    classes: Box<[u8; 256]>,
    stride: u32,
    /// Rows of offsets; the last entry of a row is how many bytes a state holds when every rule is active.
    next: Vec<u32>,
    /// States from here on have found something.
    first_found: u32,
    found: Vec<Box<[Found]>>,
    /// For each state, nodes whose secret may have begun and how many bytes ago, furthest first.
    open: Vec<Box<[Found]>>,
}

/// A node that was reached, and how many bytes ago its place is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) back: u8,
    pub(super) node: u16,
}

/// The state before any byte.
pub(super) const START: u32 = 0;

impl Trigger {
    pub(in crate::detect) fn new(nodes: &Nodes) -> Result<Self, LintError> {
        States::explore(nodes).map(|states| states.into_trigger(nodes))
    }

    #[inline]
    pub(super) fn next(&self, state: u32, byte: u8) -> u32 {
        self.next[state as usize + usize::from(self.classes[usize::from(byte)])]
    }

    #[inline]
    pub(super) const fn has_found(&self, state: u32) -> bool {
        state >= self.first_found
    }

    /// What a state that [`has_found`](Self::has_found) something has found.
    pub(super) fn found(&self, state: u32) -> &[Found] {
        &self.found[((state - self.first_found) / self.stride) as usize]
    }

    /// How many of the last bytes may be the beginning of a secret of any rule.
    #[inline]
    pub(super) fn held_for_all(&self, state: u32) -> usize {
        self.next[(state + self.stride - 1) as usize] as usize
    }

    /// How many of the last bytes may be the beginning of an active rule's secret.
    #[inline]
    pub(super) fn held(&self, nodes: &Nodes, state: u32, active: &RuleMask) -> usize {
        if self.held_for_all(state) == 0 {
            return 0;
        }
        self.open[(state / self.stride) as usize]
            .iter()
            .find(|open| nodes.holds(open.node, active))
            .map_or(0, |open| usize::from(open.back))
    }
}

/// The nodes reached from one to four bytes ago, and whether the last byte is one of a word.
type State = ([u16; LEVELS], bool);

struct States {
    states: Vec<State>,
    next: Vec<u32>,
    classes: Box<[u8; 256]>,
    /// One byte of each class.
    representatives: Vec<u8>,
}

impl States {
    fn explore(nodes: &Nodes) -> Result<Self, LintError> {
        let (classes, representatives) = word_classes(nodes);
        let start: State = ([NOWHERE; LEVELS], false);
        let mut numbers = HashMap::from([(start, 0u32)]);
        let mut states = vec![start];
        let mut next = Vec::new();
        let mut at = 0;
        while let Some(&(reached, after_word)) = states.get(at) {
            at += 1;
            for &byte in &representatives {
                let mut to = [NOWHERE; LEVELS];
                to[0] = nodes.next(nodes.root(after_word), byte);
                for level in 1..LEVELS {
                    let before = reached[level - 1];
                    if !nodes.is_leaf(before) {
                        to[level] = nodes.next(before, byte);
                    }
                }
                let state = (to, is_word(byte));
                let fresh = states.len() as u32;
                let number = *numbers.entry(state).or_insert(fresh);
                if number == fresh {
                    states.push(state);
                }
                next.push(number);
            }
            if states.len() >= usize::from(u16::MAX) {
                return Err(LintError::new(
                    "*",
                    "all rules together begin in too many ways",
                    "use fewer rules, or rules that begin with fixed text",
                ));
            }
        }
        Ok(Self {
            states,
            next,
            classes,
            representatives,
        })
    }

    /// Puts the states that found something last, so that one comparison tells them.
    fn into_trigger(self, nodes: &Nodes) -> Trigger {
        let found = |state: &State| -> Box<[Found]> {
            at_levels(state)
                .filter(|f| nodes.is_leaf(f.node) || usize::from(f.back) == LEVELS)
                .collect()
        };
        let open = |state: &State| -> Box<[Found]> {
            let mut open: Vec<Found> = at_levels(state)
                .filter(|f| !nodes.is_leaf(f.node) && usize::from(f.back) < LEVELS)
                .filter(|f| nodes.secrets(f.node).is_some())
                .collect();
            open.sort_by_key(|f| std::cmp::Reverse(f.back));
            open.into_boxed_slice()
        };
        let width = self.representatives.len();
        let stride = width as u32 + 1;
        let mut order: Vec<usize> = (0..self.states.len()).collect();
        order.sort_by_key(|i| !found(&self.states[*i]).is_empty());
        let mut renumbered = vec![0u32; order.len()];
        for (new, old) in (0u32..).zip(&order) {
            renumbered[*old] = new * stride;
        }
        let mut trigger = Trigger {
            classes: self.classes,
            stride,
            next: Vec::with_capacity(order.len() * stride as usize),
            first_found: 0,
            found: Vec::new(),
            open: Vec::with_capacity(order.len()),
        };
        for &old in &order {
            let state = &self.states[old];
            trigger.next.extend(
                self.next[old * width..][..width]
                    .iter()
                    .map(|to| renumbered[*to as usize]),
            );
            let opened = open(state);
            trigger.next.push(opened.first().map_or(0, |f| u32::from(f.back)));
            trigger.open.push(opened);
            let all = found(state);
            if !all.is_empty() {
                trigger.found.push(all);
            }
        }
        trigger.first_found = (order.len() - trigger.found.len()) as u32 * stride;
        trigger
    }
}

fn at_levels(state: &State) -> impl Iterator<Item = Found> {
    (1u8..)
        .zip(state.0)
        .filter(|(_, node)| *node != NOWHERE)
        .map(|(back, node)| Found { back, node })
}

/// The classes of the nodes, split into bytes that belong to words and others; only what the first levels tell apart.
fn word_classes(nodes: &Nodes) -> (Box<[u8; 256]>, Vec<u8>) {
    // What a class does in the first levels: its column in the rows of all nodes that are reached there.
    let mut level = vec![nodes.root(false), nodes.root(true)];
    let mut columns: Vec<Vec<u16>> = vec![Vec::new(); nodes.representatives().len()];
    for _ in 0..LEVELS {
        let mut further = Vec::new();
        for node in level {
            for (column, byte) in columns.iter_mut().zip(nodes.representatives()) {
                let to = nodes.next(node, *byte);
                column.push(to);
                if to != NOWHERE && !nodes.is_leaf(to) {
                    further.push(to);
                }
            }
        }
        further.sort_unstable();
        further.dedup();
        level = further;
    }
    let mut numbers: HashMap<(&[u16], bool), u8> = HashMap::new();
    let mut classes = Box::new([0u8; 256]);
    let mut representatives = Vec::new();
    for byte in 0..=u8::MAX {
        let column = &columns[usize::from(nodes.classes()[usize::from(byte)])];
        let fresh = numbers.len() as u8;
        let class = *numbers.entry((column, is_word(byte))).or_insert(fresh);
        if class == fresh && representatives.len() == usize::from(fresh) {
            representatives.push(byte);
        }
        classes[usize::from(byte)] = class;
    }
    (classes, representatives)
}
