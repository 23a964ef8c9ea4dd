//! One table look-up for each byte tells where a rule may begin.
//!
//! Every rule gives the first few bytes it can begin with. They go into two tries, one of which is entered only after a
//! byte that is no word byte, and the tries become one automaton over "all places where a rule may have begun so far".

use std::collections::{BTreeMap, HashMap};

use super::bytes::is_word;
use super::error::LintError;
use super::rule::{RuleIndex, RuleMask};
use super::set::Rule;
use super::table::{DEAD, Table};

/// Longest beginning that is watched. Longer ones start fewer candidates and need a larger table.
const DEPTH: usize = 4;
/// Beginnings of one rule; where a rule branches wider, its candidates start earlier.
const LITERALS: usize = 256;
const BRANCHES: usize = 12;

/// A rule that may have begun, and the state its automaton is in by now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Spawn {
    pub(super) rule: RuleIndex,
    pub(super) state: u16,
    /// How many bytes ago it began.
    pub(super) depth: u8,
}

/// How many of the last bytes may be the beginning of a secret, and of which rules; longest first.
type Holds = Box<[(u8, RuleMask)]>;

/// Where rules may begin.
pub(super) struct Trigger {
    classes: Box<[u8; 256]>,
    stride: usize,
    next: Box<[u16]>,
    /// States from here on start candidates.
    first_spawning: u16,
    spawns: Box<[Box<[Spawn]>]>,
    /// For each state.
    holds: Box<[Holds]>,
    start: u16,
}

impl Trigger {
    pub(super) fn new(rules: &[Rule]) -> Result<Self, LintError> {
        let mut trie = Trie::default();
        for (i, rule) in (0u16..).zip(rules) {
            trie.add(RuleIndex(i), rule, rules.len());
        }
        trie.determinise(rules.len())
    }

    pub(super) const fn start(&self) -> u16 {
        self.start
    }

    #[inline]
    pub(super) fn next(&self, state: u16, byte: u8) -> u16 {
        self.next[usize::from(state) * self.stride + usize::from(self.classes[usize::from(byte)])]
    }

    #[inline]
    pub(super) const fn spawns(&self, state: u16) -> bool {
        state >= self.first_spawning
    }

    pub(super) fn spawned(&self, state: u16) -> &[Spawn] {
        &self.spawns[usize::from(state - self.first_spawning)]
    }

    /// How many of the last bytes may be the beginning of an active rule's secret.
    #[inline]
    pub(super) fn hold(&self, state: u16, active: &RuleMask) -> usize {
        let holds = &self.holds[usize::from(state)];
        holds
            .iter()
            .find(|(_, rules)| rules.intersects(active))
            .map_or(0, |(depth, _)| usize::from(*depth))
    }
}

/// The first bytes a table can begin with, and the state after them.
fn beginnings(table: &Table) -> Vec<(Vec<u8>, u16)> {
    let mut done = Vec::new();
    let mut level = vec![(Vec::new(), table.start())];
    for depth in 0..DEPTH {
        let mut deeper = Vec::new();
        for (literal, state) in level {
            let steps: Vec<(u8, u16)> = (0..=u8::MAX)
                .map(|b| (b, table.next(state, b)))
                .filter(|(_, to)| *to != DEAD)
                .collect();
            // A match must not be read past: it is the candidate's to report.
            let stop = depth > 0
                && (table.accepts(state)
                    || steps.len() > BRANCHES
                    || done.len() + deeper.len() + steps.len() > LITERALS);
            if stop {
                done.push((literal, state));
                continue;
            }
            for (byte, to) in steps {
                let mut longer: Vec<u8> = literal.clone();
                longer.push(byte);
                deeper.push((longer, to));
            }
        }
        level = deeper;
    }
    done.extend(level);
    done
}

#[derive(Default)]
struct Node {
    children: BTreeMap<u8, u32>,
    depth: u8,
    spawns: Vec<Spawn>,
    /// Rules whose secret, not context, goes on below this node.
    secret_below: RuleMask,
}

/// Node 0 is the root for rules that may begin anywhere, node 1 for those that need a boundary.
struct Trie {
    nodes: Vec<Node>,
}

impl Default for Trie {
    fn default() -> Self {
        Self {
            nodes: vec![Node::default(), Node::default()],
        }
    }
}

impl Trie {
    fn add(&mut self, index: RuleIndex, rule: &Rule, rules: usize) {
        let table = rule.context.as_ref().unwrap_or(&rule.secret);
        for (literal, state) in beginnings(table) {
            let mut at = usize::from(rule.not_word_before);
            for (i, byte) in literal.iter().enumerate() {
                if i > 0 && rule.context.is_none() {
                    let below = &mut self.nodes[at].secret_below;
                    if below.is_unset() {
                        *below = RuleMask::none(rules);
                    }
                    below.insert(index);
                }
                let fresh = self.nodes.len() as u32;
                let child = *self.nodes[at].children.entry(*byte).or_insert(fresh);
                if child == fresh {
                    self.nodes.push(Node {
                        depth: i as u8 + 1,
                        ..Node::default()
                    });
                }
                at = child as usize;
            }
            let depth = self.nodes[at].depth;
            self.nodes[at].spawns.push(Spawn {
                rule: index,
                state,
                depth,
            });
        }
    }

    fn classes(&self) -> (Box<[u8; 256]>, Vec<u8>) {
        let mut named = [false; 256];
        for node in &self.nodes {
            for byte in node.children.keys() {
                named[usize::from(*byte)] = true;
            }
        }
        let mut classes = Box::new([0u8; 256]);
        let mut representatives: Vec<u8> = Vec::new();
        // The bytes that no rule begins with differ only in being word bytes or not.
        let mut others = [None; 2];
        for byte in 0..=u8::MAX {
            let slot = &mut others[usize::from(is_word(byte))];
            classes[usize::from(byte)] = match (named[usize::from(byte)], *slot) {
                (false, Some(class)) => class,
                (unshared, _) => {
                    let class = representatives.len() as u8;
                    representatives.push(byte);
                    if !unshared {
                        *slot = Some(class);
                    }
                    class
                }
            };
        }
        (classes, representatives)
    }

    fn determinise(&self, rules: usize) -> Result<Trigger, LintError> {
        let (classes, representatives) = self.classes();
        let stride = representatives.len();
        type State = (Vec<u32>, bool);
        let start: State = (Vec::new(), false);
        let mut ids: HashMap<State, u32> = HashMap::from([(start.clone(), 0)]);
        let mut states = vec![start];
        let mut next: Vec<u32> = Vec::new();
        let mut at = 0;
        while let Some((live, after_word)) = states.get(at).cloned() {
            at += 1;
            for &byte in &representatives {
                let roots = if after_word { &[0][..] } else { &[0, 1][..] };
                let mut to: Vec<u32> = live
                    .iter()
                    .chain(roots)
                    .filter_map(|node| self.nodes[*node as usize].children.get(&byte).copied())
                    .collect();
                to.sort_unstable();
                let state = (to, is_word(byte));
                let fresh = states.len() as u32;
                let id = *ids.entry(state.clone()).or_insert(fresh);
                if id == fresh {
                    states.push(state);
                }
                next.push(id);
            }
        }
        if states.len() > usize::from(u16::MAX) {
            return Err(LintError::new(
                "*",
                "all rules together begin in too many ways",
                "use fewer rules, or rules that begin with fixed text",
            ));
        }
        // States that start candidates get the highest numbers, so one comparison finds them.
        let spawning = |state: &State| state.0.iter().any(|n| !self.nodes[*n as usize].spawns.is_empty());
        let mut order: Vec<usize> = (0..states.len()).collect();
        order.sort_by_key(|i| spawning(&states[*i]));
        let mut renumbered = vec![0u16; states.len()];
        for (new, old) in (0u16..).zip(&order) {
            renumbered[*old] = new;
        }
        let mut table = vec![0u16; next.len()];
        let mut holds = Vec::with_capacity(states.len());
        let mut spawns = Vec::new();
        for (new, old) in order.iter().enumerate() {
            for class in 0..stride {
                table[new * stride + class] = renumbered[next[old * stride + class] as usize];
            }
            let live = &states[*old].0;
            holds.push(self.holds(live, rules));
            if spawning(&states[*old]) {
                let mut all: Vec<Spawn> = live
                    .iter()
                    .flat_map(|n| self.nodes[*n as usize].spawns.iter().copied())
                    .collect();
                all.sort_by_key(|s| (std::cmp::Reverse(s.depth), s.rule, s.state));
                all.dedup();
                spawns.push(all.into_boxed_slice());
            }
        }
        Ok(Trigger {
            classes,
            stride,
            first_spawning: (states.len() - spawns.len()) as u16,
            next: table.into_boxed_slice(),
            spawns: spawns.into_boxed_slice(),
            holds: holds.into_boxed_slice(),
            start: renumbered[0],
        })
    }

    fn holds(&self, live: &[u32], rules: usize) -> Holds {
        let mut by_depth: BTreeMap<u8, RuleMask> = BTreeMap::new();
        for node in live {
            let node = &self.nodes[*node as usize];
            if !node.secret_below.is_unset() {
                by_depth
                    .entry(node.depth)
                    .or_insert_with(|| RuleMask::none(rules))
                    .join(&node.secret_below);
            }
        }
        by_depth.into_iter().rev().collect()
    }
}
