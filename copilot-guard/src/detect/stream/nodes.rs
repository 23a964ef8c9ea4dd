//! All rules as one automaton over the first bytes of what they look for.
//!
//! A node is a set of (rule, state): everything that one starting place may still become. Rules that begin alike share
//! nodes, so a starting place costs one step a byte however many rules have its first letters in common. Where the
//! rules part, or the first of them accepts, the node is a *leaf*, and each goes on alone.

use std::collections::HashMap;
use std::sync::Arc;

use crate::detect::error::LintError;
use crate::detect::rule::{RuleIndex, RuleMask};
use crate::detect::set::Rule;

use super::filter::code;
use super::table::{DEAD, Table};

/// How many bytes [`trigger`](super::trigger) and [`filter`](super::filter) look at.
pub(super) const LEVELS: usize = 4;
/// Rules that look alike for longer than this go on alone.
const DEEPEST: usize = 8;
/// How many bytes [`Nodes::may_go_on`] looks at.
const AHEAD: usize = 8;
const MOST_NODES: usize = 1 << 15;

/// Nothing can match any more.
pub(super) const NOWHERE: u16 = 0;

/// What stands at the front of rules: a context, or a secret without one.
pub(in crate::detect) struct Head {
    pub(in crate::detect) table: Arc<Table>,
    not_word_before: bool,
    pub(in crate::detect) opens: Opens,
}

/// What a head leads to.
pub(in crate::detect) enum Opens {
    /// It is the secret of this rule.
    Secret(RuleIndex),
    /// It is the context of these rules.
    Context(Vec<RuleIndex>),
}

/// The place of a [`Head`] in [`Nodes::heads`].
pub(super) type HeadIndex = u16;

/// The automaton. Nodes from `first_leaf` on are leaves.
pub(in crate::detect) struct Nodes {
    heads: Vec<Head>,
    classes: Box<[u8; 256]>,
    representatives: Vec<u8>,
    /// Entries of a row. Odd, so that what stands in one column does not crowd into a few lines of a cache.
    width: usize,
    next: Vec<u16>,
    /// The node before any byte: after a word byte, and after another.
    roots: [u16; 2],
    first_leaf: u16,
    leaves: Vec<Box<[(HeadIndex, u32)]>>,
    /// For each node, the place in `masks` of the rules whose secret, not context, may have begun.
    secrets: Vec<u16>,
    masks: Vec<RuleMask>,
    codes: Box<[u8; 256]>,
    /// For each node and each of the next bytes, the codes of bytes with which something is left.
    ahead: Vec<[u32; AHEAD]>,
}

impl Nodes {
    pub(in crate::detect) fn new(rules: &[Rule]) -> Result<Self, LintError> {
        let heads = heads(rules);
        let (classes, representatives) = classes(&heads);
        Builder {
            rules: rules.len(),
            heads: &heads,
            representatives: &representatives,
            numbers: HashMap::new(),
            items: Vec::new(),
        }
        .build()
        .map(|built| built.into_nodes(heads, classes, representatives))
    }

    #[inline]
    pub(super) fn next(&self, node: u16, byte: u8) -> u16 {
        self.next[usize::from(node) * self.width + usize::from(self.classes[usize::from(byte)])]
    }

    pub(super) const fn root(&self, after_word: bool) -> u16 {
        self.roots[after_word as usize]
    }

    #[inline]
    pub(super) const fn is_leaf(&self, node: u16) -> bool {
        node >= self.first_leaf
    }

    /// Whether something may be left of this node after the next few bytes; `false` is certain. One look at a small table
    /// spares most places the way through the large ones.
    #[inline]
    pub(super) fn may_go_on(&self, node: u16, text: &[u8]) -> bool {
        let ahead = &self.ahead[usize::from(node)];
        let goes_on = |left: u32, (byte, codes): (&u8, &u32)| left & codes >> self.codes[usize::from(*byte)];
        // All at once is quicker than one by one.
        match text.first_chunk::<AHEAD>() {
            Some(text) => text.iter().zip(ahead).fold(1, goes_on) == 1,
            None => text.iter().zip(ahead).fold(1, goes_on) == 1,
        }
    }

    /// The rules that go on alone from a leaf.
    pub(super) fn leaf(&self, node: u16) -> &[(HeadIndex, u32)] {
        &self.leaves[usize::from(node - self.first_leaf)]
    }

    #[inline]
    pub(super) fn head(&self, head: HeadIndex) -> &Head {
        &self.heads[usize::from(head)]
    }

    /// The rules whose secret may have begun where this node began; `None` when there are none.
    pub(super) fn secrets(&self, node: u16) -> Option<&RuleMask> {
        match self.secrets[usize::from(node)] {
            0 => None,
            place => Some(&self.masks[usize::from(place)]),
        }
    }

    /// Whether this node stands for a secret, of an active rule, that may have begun.
    pub(super) fn holds(&self, node: u16, active: &RuleMask) -> bool {
        self.secrets(node).is_some_and(|rules| rules.intersects(active))
    }

    pub(super) const fn classes(&self) -> &[u8; 256] {
        &self.classes
    }

    /// One byte of each class.
    pub(super) fn representatives(&self) -> &[u8] {
        &self.representatives
    }

    /// What [`may_go_on`](Self::may_go_on) asks.
    fn looked_ahead(&self, node: u16, codes_of: &[u32]) -> [u32; AHEAD] {
        let mut ahead = [u32::MAX; AHEAD];
        let mut places = self.unfolded(vec![Place::Node(node)]);
        for codes in &mut ahead {
            let certain = |place: &Place| matches!(*place, Place::State(head, state) if self.head(head).table.accepts(state));
            if places.iter().any(certain) {
                break;
            }
            *codes = 0;
            let mut further = Vec::new();
            for place in places {
                for byte in self.representatives.iter().copied() {
                    let to = match place {
                        Place::Node(node) => Place::Node(self.next(node, byte)),
                        Place::State(head, state) => {
                            Place::State(head, self.head(head).table.next(state, byte))
                        }
                    };
                    if !matches!(to, Place::Node(NOWHERE) | Place::State(_, DEAD)) {
                        let class = self.classes[usize::from(byte)];
                        *codes |= codes_of[usize::from(class)];
                        further.push(to);
                    }
                }
            }
            further.sort_unstable();
            further.dedup();
            places = self.unfolded(further);
        }
        ahead
    }

    /// With the rules of a leaf instead of it.
    fn unfolded(&self, places: Vec<Place>) -> Vec<Place> {
        let mut all = Vec::new();
        for place in places {
            match place {
                Place::Node(node) if self.is_leaf(node) => {
                    all.extend(
                        self.leaf(node)
                            .iter()
                            .map(|(head, state)| Place::State(*head, *state)),
                    );
                }
                other => all.push(other),
            }
        }
        all
    }
}

/// Where a starting place has come to.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Node(u16),
    State(HeadIndex, u32),
}

/// The distinct fronts of the rules. Rules that share a context share its head.
fn heads(rules: &[Rule]) -> Vec<Head> {
    let mut heads: Vec<Head> = Vec::new();
    for (i, rule) in (0u16..).zip(rules) {
        let index = RuleIndex(i);
        let Some(context) = &rule.context else {
            heads.push(Head {
                table: rule.secret.clone(),
                not_word_before: rule.not_word_before,
                opens: Opens::Secret(index),
            });
            continue;
        };
        let known = heads.iter_mut().find_map(|h| match &mut h.opens {
            Opens::Context(rules)
                if Arc::ptr_eq(&h.table, context) && h.not_word_before == rule.not_word_before =>
            {
                Some(rules)
            }
            _ => None,
        });
        match known {
            Some(rules) => rules.push(index),
            None => heads.push(Head {
                table: context.clone(),
                not_word_before: rule.not_word_before,
                opens: Opens::Context(vec![index]),
            }),
        }
    }
    heads
}

/// Bytes that no head tells apart are one class.
fn classes(heads: &[Head]) -> (Box<[u8; 256]>, Vec<u8>) {
    let mut classes = [0u8; 256];
    let mut done: Vec<*const Table> = Vec::new();
    for head in heads {
        if done.contains(&Arc::as_ptr(&head.table)) {
            continue;
        }
        done.push(Arc::as_ptr(&head.table));
        let mut seen: HashMap<(u8, u8), u8> = HashMap::new();
        for byte in 0..=u8::MAX {
            let pair = (classes[usize::from(byte)], head.table.class(byte));
            let fresh = seen.len() as u8;
            classes[usize::from(byte)] = *seen.entry(pair).or_insert(fresh);
        }
    }
    let mut representatives = Vec::new();
    for byte in 0..=u8::MAX {
        if usize::from(classes[usize::from(byte)]) == representatives.len() {
            representatives.push(byte);
        }
    }
    (Box::new(classes), representatives)
}

type Items = Vec<(HeadIndex, u32)>;

struct Builder<'h> {
    rules: usize,
    heads: &'h [Head],
    representatives: &'h [u8],
    numbers: HashMap<(usize, Items), u32>,
    items: Vec<(usize, Items)>,
}

/// Nodes in the order they were found.
struct Built {
    rules: usize,
    items: Vec<(usize, Items)>,
    next: Vec<u32>,
    leaf: Vec<bool>,
    roots: [u32; 2],
}

impl Builder<'_> {
    fn build(mut self) -> Result<Built, LintError> {
        let root = |after_word: bool| -> Items {
            (0u16..)
                .zip(self.heads)
                .filter(|(_, h)| !(after_word && h.not_word_before))
                .map(|(i, h)| (i, h.table.start()))
                .collect()
        };
        let (anywhere, boundary) = (root(true), root(false));
        self.number(usize::MAX, Items::new());
        let roots = [self.number(0, boundary), self.number(0, anywhere)];
        let mut next = Vec::new();
        let mut leaf = Vec::new();
        let mut at = 0;
        while let Some((depth, items)) = self.items.get(at).cloned() {
            at += 1;
            let is_leaf = at > 1 && self.is_leaf(depth, &items);
            leaf.push(is_leaf);
            for &byte in self.representatives {
                if is_leaf || items.is_empty() {
                    next.push(0);
                    continue;
                }
                let to: Items = items
                    .iter()
                    .map(|(head, state)| (*head, self.heads[usize::from(*head)].table.next(*state, byte)))
                    .filter(|(_, state)| *state != DEAD)
                    .collect();
                next.push(if to.is_empty() {
                    0
                } else {
                    self.number(depth + 1, to)
                });
            }
            if self.items.len() > MOST_NODES {
                return Err(LintError::new(
                    "*",
                    "all rules together begin in too many ways",
                    "use fewer rules, or rules that begin with fixed text",
                ));
            }
        }
        Ok(Built {
            rules: self.rules,
            items: self.items,
            next,
            leaf,
            roots,
        })
    }

    fn number(&mut self, depth: usize, items: Items) -> u32 {
        let fresh = self.items.len() as u32;
        let number = *self.numbers.entry((depth, items.clone())).or_insert(fresh);
        if number == fresh {
            self.items.push((depth, items));
        }
        number
    }

    fn is_leaf(&self, depth: usize, items: &Items) -> bool {
        let accepts = |(head, state): &(HeadIndex, u32)| self.heads[usize::from(*head)].table.accepts(*state);
        depth > 0 && (items.iter().any(accepts) || depth >= LEVELS && (items.len() == 1 || depth >= DEEPEST))
    }
}

impl Built {
    /// Numbers the nodes anew, leaves last, so that one comparison tells them.
    fn into_nodes(self, heads: Vec<Head>, classes: Box<[u8; 256]>, representatives: Vec<u8>) -> Nodes {
        let mut order: Vec<usize> = (0..self.items.len()).collect();
        order.sort_by_key(|i| self.leaf[*i]);
        let mut renumbered = vec![0u16; order.len()];
        for (new, old) in (0u16..).zip(&order) {
            renumbered[*old] = new;
        }
        let stride = representatives.len();
        let inner = self.leaf.iter().filter(|l| !**l).count();
        let mut nodes = Nodes {
            heads,
            classes,
            width: stride | 1,
            next: Vec::with_capacity(inner * (stride | 1)),
            roots: self.roots.map(|r| renumbered[r as usize]),
            first_leaf: inner as u16,
            leaves: Vec::new(),
            secrets: Vec::with_capacity(order.len()),
            masks: vec![RuleMask::none(self.rules)],
            codes: Box::new(std::array::from_fn(|byte| code(byte as u8))),
            ahead: Vec::new(),
            representatives,
        };
        let mut places: HashMap<Vec<u16>, u16> = HashMap::from([(Vec::new(), 0)]);
        for &old in &order {
            let (depth, items) = &self.items[old];
            if self.leaf[old] {
                nodes.leaves.push(items.clone().into_boxed_slice());
            } else {
                let row = &self.next[old * stride..][..stride];
                nodes.next.extend(row.iter().map(|to| renumbered[*to as usize]));
                nodes
                    .next
                    .resize(nodes.next.len().next_multiple_of(nodes.width), NOWHERE);
            }
            let rules: Vec<u16> = items
                .iter()
                .filter_map(|(head, _)| match nodes.heads[usize::from(*head)].opens {
                    Opens::Secret(rule) if *depth > 0 => Some(rule.0),
                    _ => None,
                })
                .collect();
            let fresh = nodes.masks.len() as u16;
            let place = *places.entry(rules.clone()).or_insert(fresh);
            if place == fresh {
                let mut mask = RuleMask::none(self.rules);
                rules.iter().for_each(|r| mask.insert(RuleIndex(*r)));
                nodes.masks.push(mask);
            }
            nodes.secrets.push(place);
        }
        let codes_of: Vec<u32> = (0..nodes.representatives.len())
            .map(|class| {
                (0..=u8::MAX)
                    .filter(|b| usize::from(nodes.classes[usize::from(*b)]) == class)
                    .fold(0, |codes, b| codes | 1 << code(b))
            })
            .collect();
        nodes.ahead = (0u16..)
            .zip(&order)
            .map(|(node, old)| match self.items[*old].0 {
                // Others are not asked.
                depth if depth >= LEVELS => nodes.looked_ahead(node, &codes_of),
                _ => [u32::MAX; AHEAD],
            })
            .collect();
        nodes
    }
}
