//! The places where rules may have begun, and what became of them.

use super::allow::AllowList;
use super::check::When;
use super::rule::{RuleIndex, RuleMask};
use super::set::{Compiled, Rule};
use super::table::DEAD;
use super::trigger::Spawn;

/// Sentinel for "no match yet".
const NONE: u64 = u64::MAX;
/// Below this many candidates, looking for ones that share their fate costs more than it saves.
const MERGE_FROM: usize = 32;

/// A secret that may have begun at `start`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Candidate {
    pub(super) start: u64,
    /// End of the longest match so far.
    matched: u64,
    pub(super) rule: RuleIndex,
    state: u16,
    /// The span counts; only its end is open.
    pub(super) committed: bool,
}

impl Candidate {
    /// The first byte that this candidate leaves undecided.
    pub(super) const fn undecided_from(&self) -> u64 {
        if self.committed { self.matched } else { self.start }
    }
}

/// A span that counts.
#[derive(Debug, Clone, Copy)]
pub(super) struct Commit {
    pub(super) start: u64,
    pub(super) end: u64,
    /// Where it ended when it became certain: the same however the text was cut, and however long the span grows.
    pub(super) certain: u64,
    /// Order of commitment.
    pub(super) seq: u64,
    pub(super) rule: RuleIndex,
    /// The rule that names the group if this span is its first.
    pub(super) label: RuleIndex,
}

/// The text that candidates may still have to look at: what was kept of earlier pieces, and the piece at hand.
pub(super) struct Window<'t> {
    pub(super) kept: &'t [u8],
    /// Offset of the first kept byte.
    pub(super) from: u64,
    pub(super) text: &'t [u8],
    /// What is no secret, whatever a rule says.
    pub(super) allow: Option<&'t AllowList>,
}

impl Window<'_> {
    /// Gives the bytes of a range to `f`, in one or two pieces.
    pub(super) fn pieces(&self, start: u64, end: u64, mut f: impl FnMut(&[u8])) {
        let at = |offset: u64| usize::try_from(offset.saturating_sub(self.from)).unwrap_or(usize::MAX);
        let (start, end) = (at(start), at(end));
        let kept = self.kept.len();
        if start < kept {
            f(&self.kept[start..end.min(kept)]);
        }
        if end > kept {
            f(self
                .text
                .get(start.max(kept) - kept..end - kept)
                .unwrap_or_default());
        }
    }

    /// Whether the text of a candidate counts: its rule's check, then what is let through.
    fn passes(&self, index: RuleIndex, rule: &Rule, start: u64, end: u64) -> bool {
        let mut whole = Vec::new();
        self.pieces(start, end, |piece| whole.extend_from_slice(piece));
        (rule.check.when == When::Never || rule.check.passes(&whole))
            && !self.allow.is_some_and(|allow| allow.permits(index, &whole))
    }
}

/// Everything that may still become a secret, and every span that counts but has not left.
#[derive(Default)]
pub(super) struct Candidates {
    contexts: Vec<(RuleIndex, u16)>,
    secrets: Vec<Candidate>,
    pub(super) commits: Vec<Commit>,
    /// Spans that began to count with the byte at hand.
    fresh: Vec<(u64, RuleIndex, u64)>,
    /// Contexts that ended with the byte at hand.
    entered: Vec<RuleIndex>,
    seq: u64,
    merge_contexts_at: usize,
    merge_secrets_at: usize,
}

impl Candidates {
    #[inline]
    pub(super) fn is_idle(&self) -> bool {
        self.secrets.is_empty() && self.contexts.is_empty()
    }

    /// Whether nothing may become a secret, and nothing that did has still to leave.
    #[inline]
    pub(super) fn is_at_rest(&self) -> bool {
        self.is_idle() && self.commits.is_empty()
    }

    pub(super) fn secrets(&self) -> &[Candidate] {
        &self.secrets
    }

    /// Reads the byte at offset `at`.
    pub(super) fn step(&mut self, rules: &Compiled, window: &Window<'_>, byte: u8, at: u64) {
        let mut secrets = std::mem::take(&mut self.secrets);
        secrets.retain_mut(|c| self.step_secret(rules, window, c, byte, at));
        self.secrets = secrets;
        let entered = &mut self.entered;
        self.contexts.retain_mut(|(index, state)| {
            let Some(table) = rules.rule(*index).and_then(|r| r.context.as_deref()) else {
                return false;
            };
            *state = table.next(*state, byte);
            if *state == DEAD {
                return false;
            }
            if table.accepts(*state) {
                entered.push(*index);
            }
            table.more(*state)
        });
    }

    /// Takes up what begins with the byte that was just read; `now` is the offset after it.
    pub(super) fn spawn(
        &mut self,
        rules: &Compiled,
        active: &RuleMask,
        window: &Window<'_>,
        spawns: &[Spawn],
        now: u64,
    ) {
        for spawn in spawns.iter().filter(|s| active.contains(s.rule)) {
            let Some(rule) = rules.rule(spawn.rule) else {
                continue;
            };
            if let Some(context) = &rule.context {
                if context.accepts(spawn.state) {
                    self.entered.push(spawn.rule);
                }
                let new = (spawn.rule, spawn.state);
                if context.more(spawn.state) && !self.contexts.contains(&new) {
                    self.contexts.push(new);
                }
            } else {
                let start = now - u64::from(spawn.depth);
                let mut new = Candidate {
                    start,
                    matched: NONE,
                    rule: spawn.rule,
                    state: spawn.state,
                    committed: false,
                };
                if self.arrived(rule, window, &mut new, now) {
                    self.secrets.push(new);
                }
            }
        }
    }

    /// Ends the byte that was just read: contexts that it completed start secrets, matches that it completed count.
    pub(super) fn settle(&mut self, rules: &Compiled, window: &Window<'_>, now: u64) {
        if !self.entered.is_empty() {
            self.entered.sort_unstable();
            self.entered.dedup();
            for index in self.entered.drain(..) {
                if let Some(rule) = rules.rule(index) {
                    let state = rule.secret.start();
                    self.secrets.push(Candidate {
                        start: now,
                        matched: NONE,
                        rule: index,
                        state,
                        committed: false,
                    });
                }
            }
        }
        self.register();
        if self.contexts.len() > self.merge_contexts_at.max(MERGE_FROM) {
            self.contexts.sort_unstable();
            self.contexts.dedup();
            self.merge_contexts_at = self.contexts.len() * 2;
        }
        if self.secrets.len() > self.merge_secrets_at.max(MERGE_FROM) {
            self.merge(rules, window);
            self.merge_secrets_at = self.secrets.len() * 2;
        }
    }

    /// The text has ended: what matches now is final.
    pub(super) fn end(&mut self, rules: &Compiled, window: &Window<'_>, now: u64) {
        let mut secrets = std::mem::take(&mut self.secrets);
        for c in &mut secrets {
            let Some(rule) = rules.rule(c.rule) else { continue };
            if rule.after.is_none() || !rule.secret.accepts(c.state) || self.matched(rule, window, c, now) {
                self.close(rule, window, c);
            }
        }
        self.contexts.clear();
        self.register();
    }

    /// Writes the ends that committed candidates have reached into their spans.
    pub(super) fn sync(&mut self) {
        let Self {
            secrets,
            commits,
            seq,
            ..
        } = self;
        for c in secrets.iter().filter(|c| c.committed) {
            grow(commits, seq, c);
        }
    }

    /// Whether the candidate lives on.
    fn step_secret(
        &mut self,
        rules: &Compiled,
        window: &Window<'_>,
        c: &mut Candidate,
        byte: u8,
        at: u64,
    ) -> bool {
        let Some(rule) = rules.rule(c.rule) else {
            return false;
        };
        if let Some(after) = &rule.after
            && rule.secret.accepts(c.state)
            && after.contains(byte)
            && !self.matched(rule, window, c, at)
        {
            return false;
        }
        c.state = rule.secret.next(c.state, byte);
        self.arrived(rule, window, c, at + 1)
    }

    /// After a byte: counts a match, and tells whether the candidate lives on.
    fn arrived(&mut self, rule: &Rule, window: &Window<'_>, c: &mut Candidate, now: u64) -> bool {
        let accepts = rule.secret.accepts(c.state);
        if accepts && rule.after.is_none() && !self.matched(rule, window, c, now) {
            return false;
        }
        let live = rule.secret.more(c.state) || accepts && rule.after.is_some();
        if !live {
            self.close(rule, window, c);
        }
        live
    }

    /// The candidate matches up to `end`; false when its check fails and it is gone.
    fn matched(&mut self, rule: &Rule, window: &Window<'_>, c: &mut Candidate, end: u64) -> bool {
        if !c.committed && rule.check.when != When::Longest {
            let asked = rule.check.when == When::Shortest || is_allowed_for(window, c.rule);
            if asked && !window.passes(c.rule, rule, c.start, end) {
                return false;
            }
            self.fresh.push((c.start, c.rule, end));
            c.committed = true;
        }
        c.matched = end;
        true
    }

    /// Nothing more can match.
    fn close(&mut self, rule: &Rule, window: &Window<'_>, c: &Candidate) {
        if c.matched == NONE {
            return;
        }
        if c.committed {
            // A span of this very byte is not in the list yet.
            if let Some(fresh) = self.fresh.iter_mut().find(|f| (f.0, f.1) == (c.start, c.rule)) {
                fresh.2 = fresh.2.max(c.matched);
            } else {
                grow(&mut self.commits, &mut self.seq, c);
            }
        } else if window.passes(c.rule, rule, c.start, c.matched) {
            self.fresh.push((c.start, c.rule, c.matched));
        }
    }

    fn register(&mut self) {
        if self.fresh.is_empty() {
            return;
        }
        // Of spans that commit with one byte, the earlier start counts as first, then the order of the rules.
        self.fresh.sort_unstable();
        for (start, rule, end) in self.fresh.drain(..) {
            // A span that becomes the first of a group takes the name of the member that committed first.
            let first = self
                .commits
                .iter()
                .filter(|c| start < c.start && c.start < end)
                .min_by_key(|c| c.seq);
            let label = first.map_or(rule, |c| c.rule);
            self.commits.push(Commit {
                start,
                end,
                certain: end,
                seq: self.seq,
                rule,
                label,
            });
            self.seq += 1;
        }
    }

    /// Of candidates with the same future, the earliest is enough. A check tells them apart until it has passed.
    fn merge(&mut self, rules: &Compiled, window: &Window<'_>) {
        let key = |c: &Candidate| {
            let free = c.committed
                || rules.rule(c.rule).is_some_and(|r| r.check.when == When::Never)
                    && !is_allowed_for(window, c.rule);
            (c.rule, c.state, !free, c.start)
        };
        self.secrets.sort_unstable_by_key(key);
        let Self {
            secrets,
            commits,
            seq,
            ..
        } = self;
        secrets.dedup_by(|later, earlier| {
            let (a, b) = (key(later), key(earlier));
            let same = (a.0, a.1, a.2, b.2) == (b.0, b.1, false, false);
            if same && later.committed {
                grow(commits, seq, later);
            }
            same
        });
        secrets.sort_unstable_by_key(|c| (c.start, c.rule));
    }
}

/// Whether something is let through of what this rule matches.
fn is_allowed_for(window: &Window<'_>, rule: RuleIndex) -> bool {
    window.allow.is_some_and(|allow| allow.concerns(rule))
}

/// Writes the end of a committed candidate into its span, or adds one: its first part may have left already.
fn grow(commits: &mut Vec<Commit>, seq: &mut u64, c: &Candidate) {
    if let Some(own) = commits
        .iter_mut()
        .rev()
        .find(|k| k.start == c.start && k.rule == c.rule)
    {
        own.end = own.end.max(c.matched);
    } else {
        commits.push(Commit {
            start: c.start,
            end: c.matched,
            certain: c.matched,
            seq: *seq,
            rule: c.rule,
            label: c.rule,
        });
        *seq += 1;
    }
}
