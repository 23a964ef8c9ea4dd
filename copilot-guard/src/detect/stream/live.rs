//! Where rules have begun, and what became of them: followed byte by byte until they die or match.

use crate::detect::check::When;
use crate::detect::rule::RuleIndex;
use crate::detect::set::{LONGEST_WAIT, Rule};

use super::nodes::{HeadIndex, NOWHERE, Opens};
use super::reading::Reading;
use super::runs::Runs;
use super::seek::Start;
use super::table::DEAD;

/// Sentinel for "no match yet".
const NONE: u64 = u64::MAX;
/// Below this many candidates, looking for ones that share their fate costs more than it saves.
const MERGE_FROM: usize = 16;

/// A secret that may have begun at `start`.
#[derive(Debug, Clone, Copy)]
struct Candidate {
    start: u64,
    /// End of the longest match so far.
    matched: u64,
    /// When it began to count, and what its text was then up to; means nothing before.
    since: u64,
    certain: u64,
    rule: RuleIndex,
    state: u32,
    /// The span counts; only its end is open.
    committed: bool,
}

/// A span that counts.
#[derive(Debug, Clone, Copy)]
pub(super) struct Counted {
    pub(super) start: u64,
    pub(super) end: u64,
    /// How much of the text had been read when it began to count.
    pub(super) since: u64,
    /// What its text was up to then.
    pub(super) certain: u64,
    pub(super) rule: RuleIndex,
}

impl Candidate {
    const fn new(rule: RuleIndex, start: u64, state: u32) -> Self {
        Self {
            start,
            matched: NONE,
            since: 0,
            certain: 0,
            rule,
            state,
            committed: false,
        }
    }

    /// The first byte that this candidate leaves undecided.
    const fn undecided_from(&self) -> u64 {
        if self.committed { self.matched } else { self.start }
    }

    const fn counted(&self) -> Counted {
        Counted {
            start: self.start,
            end: self.matched,
            since: self.since,
            certain: self.certain,
            rule: self.rule,
        }
    }
}

/// Everything that may still become a secret, and every span that counts but has not left.
#[derive(Default)]
pub(super) struct Live {
    /// Places whose rules have not parted yet: where, and the node.
    opening: Vec<(u64, u16)>,
    contexts: Vec<(HeadIndex, u32)>,
    secrets: Vec<Candidate>,
    runs: Runs,
    /// Spans whose end is known.
    pub(super) counted: Vec<Counted>,
    merge_contexts_at: usize,
    merge_secrets_at: usize,
}

impl Live {
    #[inline]
    fn is_idle(&self) -> bool {
        self.secrets.is_empty()
            && self.contexts.is_empty()
            && self.opening.is_empty()
            && self.runs.are_empty()
    }

    /// How much memory this keeps, in entries.
    pub(super) fn capacity(&self) -> usize {
        self.opening.capacity()
            + self.contexts.capacity()
            + self.secrets.capacity()
            + self.runs.capacity()
            + self.counted.capacity()
    }

    /// Whether nothing may become a secret, and nothing that did has still to leave.
    #[inline]
    pub(super) fn is_at_rest(&self) -> bool {
        self.is_idle() && self.counted.is_empty()
    }

    /// The spans that count and may still grow.
    pub(super) fn growing(&self) -> impl Iterator<Item = Counted> {
        self.secrets
            .iter()
            .filter(|c| c.committed)
            .map(Candidate::counted)
    }

    /// The first byte that is undecided, and the earliest start of anything alive; `at` when there is nothing.
    pub(super) fn undecided(&self, reading: &Reading<'_>, at: u64) -> (u64, u64) {
        let opening = self
            .opening
            .iter()
            .filter(|(_, node)| reading.rules.nodes.holds(*node, reading.active))
            .map(|(start, _)| *start)
            .chain(self.runs.first())
            .fold(at, u64::min);
        let undecided = self.secrets.iter().map(Candidate::undecided_from);
        let starts = self.secrets.iter().map(|c| c.start);
        (undecided.fold(opening, u64::min), starts.fold(opening, u64::min))
    }

    /// The first byte whose text may still be asked for; `at` when there is none.
    pub(super) fn needed_from(&self, at: u64) -> u64 {
        let opening = self.opening.iter().map(|(start, _)| *start);
        let secrets = self.secrets.iter().filter(|c| !c.committed).map(|c| c.start);
        opening.chain(secrets).chain(self.runs.first()).fold(at, u64::min)
    }

    /// Reads the piece at hand, of which `starts` says where rules begin, in order.
    pub(super) fn follow(&mut self, reading: &Reading<'_>, starts: &[Start]) {
        let (text, base) = (reading.window.text, reading.window.base());
        let mut starts = starts.iter();
        let mut at = 0;
        loop {
            if self.is_idle() {
                match starts.as_slice().first() {
                    Some(next) => at = next.at as usize,
                    None => return,
                }
            }
            while let Some(start) = starts.as_slice().first().filter(|s| s.at as usize == at) {
                let now = base + at as u64;
                self.reached(reading, now - u64::from(start.back), start.node, now);
                starts.next();
            }
            if at == text.len() {
                return;
            }
            let until = starts.as_slice().first().map_or(text.len(), |s| s.at as usize);
            at = self.advance(reading, &text[..until], at, base);
        }
    }

    /// The text has ended: what matches now is final.
    pub(super) fn end(&mut self, reading: &Reading<'_>, now: u64) {
        let mut secrets = std::mem::take(&mut self.secrets);
        for c in &mut secrets {
            let rule = reading.rule(c.rule);
            if rule.after.is_none()
                || !rule.secret.accepts(c.state)
                || matched(reading, rule, c, now, now + 1)
            {
                self.close(reading, rule, c, now + 1);
            }
        }
        self.runs.end(reading, now, &mut self.counted);
        self.contexts.clear();
        self.opening.clear();
    }

    /// Reads bytes from `at` on, as far as it is worth while, and says how far that was.
    fn advance(&mut self, reading: &Reading<'_>, text: &[u8], at: usize, base: u64) -> usize {
        // Mostly one candidate is alive at a time.
        match (
            self.secrets.as_slice(),
            self.contexts.as_slice(),
            self.opening.as_slice(),
        ) {
            ([only], [], []) if self.runs.are_empty() => {
                let mut c = *only;
                let rule = reading.rule(c.rule);
                for (byte, offset) in text[at..].iter().zip(at..) {
                    if !self.step_secret(reading, rule, &mut c, *byte, base + offset as u64) {
                        self.secrets.clear();
                        return offset + 1;
                    }
                }
                self.secrets.clear();
                self.secrets.push(c);
                text.len()
            }
            ([], [(head, state)], []) if self.runs.are_empty() => {
                let (head, mut state) = (*head, *state);
                let table = &reading.rules.nodes.head(head).table;
                for (byte, offset) in text[at..].iter().zip(at + 1..) {
                    state = table.next(state, *byte);
                    if state == DEAD || table.accepts(state) {
                        self.contexts.clear();
                        self.context_reached(reading, head, state, base + offset as u64);
                        return offset;
                    }
                }
                self.contexts.clear();
                self.contexts.push((head, state));
                text.len()
            }
            ([], [], []) => self.runs.advance(reading, text, at, base, &mut self.counted),
            _ => {
                self.step(reading, text[at], base + at as u64);
                at + 1
            }
        }
    }

    /// Reads the byte at offset `at`.
    fn step(&mut self, reading: &Reading<'_>, byte: u8, at: u64) {
        let now = at + 1;
        let mut secrets = std::mem::take(&mut self.secrets);
        secrets.retain_mut(|c| self.step_secret(reading, reading.rule(c.rule), c, byte, at));
        self.secrets = secrets;
        self.runs.step(reading, byte, at, &mut self.counted);
        let first_new = self.secrets.len();

        let mut contexts = std::mem::take(&mut self.contexts);
        contexts.retain_mut(|(head, state)| {
            let table = &reading.rules.nodes.head(*head).table;
            *state = table.next(*state, byte);
            if *state != DEAD && table.accepts(*state) {
                self.enter(reading, *head, first_new, now);
            }
            *state != DEAD && table.more(*state)
        });
        // What parts from an opening place has read this byte already.
        self.contexts = contexts;
        let mut opening = std::mem::take(&mut self.opening);
        let nodes = &reading.rules.nodes;
        opening.retain_mut(|(start, node)| {
            *node = nodes.next(*node, byte);
            if nodes.is_leaf(*node) {
                self.part(reading, *start, *node, now);
                return false;
            }
            *node != NOWHERE
        });
        self.opening.append(&mut opening);

        if self.contexts.len() > self.merge_contexts_at.max(MERGE_FROM) {
            self.contexts.sort_unstable();
            self.contexts.dedup();
            self.merge_contexts_at = self.contexts.len() * 2;
        }
        if self.secrets.len() > self.merge_secrets_at.max(MERGE_FROM) {
            self.merge(reading);
            self.merge_secrets_at = self.secrets.len() * 2;
        }
    }

    /// A place has come to this node, which is somewhere.
    fn reached(&mut self, reading: &Reading<'_>, start: u64, node: u16, now: u64) {
        if reading.rules.nodes.is_leaf(node) {
            self.part(reading, start, node, now);
        } else {
            self.opening.push((start, node));
        }
    }

    /// The rules of a leaf go on alone.
    fn part(&mut self, reading: &Reading<'_>, start: u64, node: u16, now: u64) {
        let nodes = &reading.rules.nodes;
        for &(head, state) in nodes.leaf(node) {
            match &nodes.head(head).opens {
                Opens::Secret(index) if reading.active.contains(*index) => {
                    let rule = reading.rule(*index);
                    if rule.run.is_some() {
                        self.runs.begin(*index, start);
                        continue;
                    }
                    let mut new = Candidate::new(*index, start, state);
                    if self.arrived(reading, rule, &mut new, now) {
                        self.secrets.push(new);
                    }
                }
                Opens::Context(rules) if rules.iter().any(|r| reading.active.contains(*r)) => {
                    self.context_reached(reading, head, state, now);
                }
                Opens::Secret(_) | Opens::Context(_) => {}
            }
        }
    }

    /// A context has come to this state.
    fn context_reached(&mut self, reading: &Reading<'_>, head: HeadIndex, state: u32, now: u64) {
        let table = &reading.rules.nodes.head(head).table;
        if state == DEAD {
            return;
        }
        if table.accepts(state) {
            self.enter(reading, head, 0, now);
        }
        if table.more(state) && !self.contexts.contains(&(head, state)) {
            self.contexts.push((head, state));
        }
    }

    /// A context is complete: the secrets of its rules may begin here. Of the candidates, those from `first_new` on may
    /// have begun here already.
    fn enter(&mut self, reading: &Reading<'_>, head: HeadIndex, first_new: usize, now: u64) {
        let Opens::Context(rules) = &reading.rules.nodes.head(head).opens else {
            return;
        };
        for &index in rules.iter().filter(|r| reading.active.contains(**r)) {
            if reading.rule(index).run.is_some() {
                self.runs.begin(index, now);
                continue;
            }
            let known = self.secrets[first_new..]
                .iter()
                .any(|c| (c.start, c.rule) == (now, index));
            if !known {
                let start = reading.rule(index).secret.start();
                self.secrets.push(Candidate::new(index, now, start));
            }
        }
    }

    /// Whether the candidate lives on after the byte at offset `at`.
    #[inline]
    fn step_secret(
        &mut self,
        reading: &Reading<'_>,
        rule: &Rule,
        c: &mut Candidate,
        byte: u8,
        at: u64,
    ) -> bool {
        if let Some(after) = &rule.after
            && rule.secret.accepts(c.state)
            && after.contains(byte)
            && !matched(reading, rule, c, at, at + 1)
        {
            return false;
        }
        c.state = rule.secret.next(c.state, byte);
        self.arrived(reading, rule, c, at + 1)
    }

    /// After a byte: counts a match, and tells whether the candidate lives on.
    #[inline]
    fn arrived(&mut self, reading: &Reading<'_>, rule: &Rule, c: &mut Candidate, now: u64) -> bool {
        let accepts = rule.secret.accepts(c.state);
        if accepts && rule.after.is_none() && !matched(reading, rule, c, now, now) {
            return false;
        }
        if c.committed && now - c.matched > LONGEST_WAIT as u64 {
            // What may yet become more of a secret has waited long enough: it is masked, so that nothing piles up.
            c.matched = now;
        }
        let live = rule.secret.more(c.state) || accepts && rule.after.is_some();
        if !live {
            self.close(reading, rule, c, now);
        }
        live
    }

    /// Nothing more can match.
    fn close(&mut self, reading: &Reading<'_>, rule: &Rule, c: &Candidate, now: u64) {
        if c.matched == NONE {
            return;
        }
        if c.committed {
            self.counted.push(c.counted());
        } else if reading.counts(c.rule, rule, c.start, c.matched) {
            self.counted.push(Counted {
                since: now,
                certain: c.matched,
                ..c.counted()
            });
        }
    }

    /// Of candidates with the same future, the earliest is enough. A check tells them apart until it has passed.
    fn merge(&mut self, reading: &Reading<'_>) {
        let key = |c: &Candidate| {
            let free = c.committed
                || reading.rule(c.rule).check.when == When::Never && !reading.is_allowed_for(c.rule);
            (c.rule, c.state, !free, c.start)
        };
        self.secrets.sort_unstable_by_key(key);
        let counted = &mut self.counted;
        self.secrets.dedup_by(|later, earlier| {
            let (a, b) = (key(later), key(earlier));
            let same = (a.0, a.1, a.2, b.2) == (b.0, b.1, false, false);
            if same && later.committed {
                // The earlier one may die without a match.
                counted.push(later.counted());
            }
            same
        });
    }
}

/// The candidate matches up to `end`, which is known at `now`; false when its check fails and it is gone.
#[inline]
fn matched(reading: &Reading<'_>, rule: &Rule, c: &mut Candidate, end: u64, now: u64) -> bool {
    if !c.committed && rule.check.when != When::Longest {
        let asked = rule.check.when == When::Shortest || reading.is_allowed_for(c.rule);
        if asked && !reading.counts(c.rule, rule, c.start, end) {
            return false;
        }
        c.committed = true;
        c.since = now;
        c.certain = end;
    }
    c.matched = end;
    true
}
