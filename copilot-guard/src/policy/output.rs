//! The rules for answers: which patterns run on every channel, and what each of them means.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use super::compile::Compiled;
use super::decide::{Verdict, kind_hit, union};
use super::kinds::{Name, offset};
use super::scope::Scope;
use crate::decision::{Action, RuleHit, Stage};
use crate::detect::{RuleIndex, RuleMask, ScanOptions};

/// What happens to a match in an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OutputAction {
    /// It is recorded and passes.
    Observe,
    /// A mark takes its place.
    Mask,
    /// The answer ends there.
    Block,
}

/// The rules for answers to one caller.
///
/// Overlapping matches of one scan are one group with one name. So that no match hides in a group:
/// 1. [`mask`](Self::mask) finds what is masked **and** what blocks; nothing of it passes.
/// 2. [`block`](Self::block), when not empty, is scanned on its own: any match of it ends the answer, also where
///    the group of the first scan carries another name.
/// 3. [`observe`](Self::observe), when not empty, is scanned on its own; its output is thrown away.
///
/// Values to scrub are active in every scan; ask [`action`](Self::action) what a match means.
pub struct OutputRules {
    policy: Arc<Compiled>,
    mask: RuleMask,
    block: Option<RuleMask>,
    observe: Option<RuleMask>,
    /// By the place of the rule in the rule set.
    entries: Vec<Vec<Entry>>,
}

/// Why a pattern runs.
#[derive(Debug, Clone)]
enum Entry {
    /// It is masked for everybody.
    Kind,
    /// A rule of the policy asks for it: its place, and the reason.
    Rule(usize, String),
}

impl OutputRules {
    pub(super) fn new(policy: Arc<Compiled>, scope: &Scope) -> Self {
        let infos = policy.kinds.set.rules();
        let mut entries: Vec<Vec<Entry>> = infos
            .iter()
            .map(|info| {
                let is_masked =
                    scope.masked_kinds.contains(&info.id) || policy.kinds.exact.contains(&info.id);
                if is_masked { vec![Entry::Kind] } else { Vec::new() }
            })
            .collect();
        for (rule, active) in scope.rules(&policy, Stage::Output) {
            for (n, info) in infos
                .iter()
                .enumerate()
                .filter(|(_, info)| active.kinds.contains(&info.id))
            {
                let stream = rule.matcher.streams.iter().find(|(id, _)| *id == info.id);
                let reason = stream.map_or_else(|| format!("secret kind {}", info.id), |(_, r)| r.clone());
                if let Some(entry) = entries.get_mut(n) {
                    entry.push(Entry::Rule(active.rule, reason));
                }
            }
        }
        let select = |wanted: &dyn Fn(OutputAction) -> bool| {
            let ids: BTreeSet<_> = infos
                .iter()
                .zip(&entries)
                .filter(|(_, entries)| strictest(&policy, entries).is_some_and(|(a, _)| wanted(a)))
                .map(|(info, _)| info.id.clone())
                .collect();
            (!ids.is_empty()).then(|| policy.kinds.mask(&ids))
        };
        let mask =
            select(&|a| a >= OutputAction::Mask).unwrap_or_else(|| policy.kinds.mask(&BTreeSet::new()));
        let block = select(&|a| a == OutputAction::Block);
        let observe = select(&|a| a == OutputAction::Observe);
        Self {
            mask,
            block,
            observe,
            entries,
            policy,
        }
    }

    /// What to scan every channel for: all that is masked or blocks.
    pub fn mask(&self) -> &RuleMask {
        &self.mask
    }

    /// What blocks, to be scanned on its own.
    pub fn block(&self) -> Option<&RuleMask> {
        self.block.as_ref()
    }

    /// What is only observed, to be scanned on its own.
    pub fn observe(&self) -> Option<&RuleMask> {
        self.observe.as_ref()
    }

    /// What happens to a match of this rule. The strictest counts; one that is not known here is masked.
    pub fn action(&self, rule: RuleIndex) -> OutputAction {
        self.deciding(rule)
            .map_or(OutputAction::Mask, |(action, _)| action)
    }

    /// The hit to record for a match: that of the rule that decides.
    pub fn hit(&self, rule: RuleIndex, place: &str) -> RuleHit {
        match self.deciding(rule) {
            Some((_, entry)) => self.entry_hit(rule, entry, place),
            None => kind_hit(&self.policy, self.kind(rule), Stage::Output, place),
        }
    }

    /// The hits to record for a match: every rule that asks for it, observing ones too.
    pub fn hits(&self, rule: RuleIndex, place: &str) -> Vec<RuleHit> {
        let entries = self
            .entries
            .get(rule.as_usize())
            .map(Vec::as_slice)
            .unwrap_or_default();
        entries
            .iter()
            .map(|entry| self.entry_hit(rule, entry, place))
            .collect()
    }

    /// The name that the mark carries.
    pub fn kind(&self, rule: RuleIndex) -> &str {
        self.policy
            .kinds
            .set
            .info(rule)
            .map_or("secret", |info| info.id.as_str())
    }

    /// What the developer is shown; empty when there is nothing to say.
    pub fn message(&self, rule: RuleIndex) -> &str {
        match self.deciding(rule) {
            Some((_, Entry::Rule(n, _))) => self.policy.rules.get(*n).map_or("", |r| r.message.as_str()),
            _ => "",
        }
    }

    /// A whole answer, judged as it would be while it streams.
    pub(super) fn judge(&self, place: &str, options: &ScanOptions, text: &str) -> Verdict {
        let mut verdict = Verdict::default();
        let mut seen = BTreeSet::new();
        let mut masks = Vec::new();
        for mask in [Some(&self.mask), self.block(), self.observe()]
            .into_iter()
            .flatten()
        {
            let set = &self.policy.kinds.set;
            for span in set.scan_with(mask, options, text.as_bytes()) {
                if self.action(span.rule) > OutputAction::Observe {
                    let range = offset(span.start)..offset(span.end);
                    let kind = self.kind(span.rule).to_owned();
                    masks.push((range, Name { kind, tag: span.tag }));
                }
                for hit in seen
                    .insert(span.rule)
                    .then(|| self.hits(span.rule, place))
                    .into_iter()
                    .flatten()
                {
                    let message = self.policy.rules.iter().find(|r| r.id == hit.id);
                    verdict
                        .decision
                        .add(hit, message.map_or("", |r| r.message.as_str()));
                }
            }
        }
        verdict.masks = union(text, masks);
        verdict
    }

    fn deciding(&self, rule: RuleIndex) -> Option<(OutputAction, &Entry)> {
        strictest(&self.policy, self.entries.get(rule.as_usize())?)
    }

    fn entry_hit(&self, index: RuleIndex, entry: &Entry, place: &str) -> RuleHit {
        match entry {
            Entry::Rule(n, reason) if self.policy.rules.len() > *n => {
                self.policy.rules[*n].hit(place, reason.clone())
            }
            _ => kind_hit(&self.policy, self.kind(index), Stage::Output, place),
        }
    }
}

fn strictest<'e>(policy: &Compiled, entries: &'e [Entry]) -> Option<(OutputAction, &'e Entry)> {
    let action = |entry: &Entry| match entry {
        Entry::Kind => OutputAction::Mask,
        Entry::Rule(n, _) => match policy.rules.get(*n) {
            Some(rule) if rule.observe => OutputAction::Observe,
            Some(rule) if rule.action == Action::Mask => OutputAction::Mask,
            // Approval cannot be asked for here; were it to come so far, the answer ends.
            _ => OutputAction::Block,
        },
    };
    // Rules of the policy come after the kind itself, so that they name a mask that both ask for.
    entries
        .iter()
        .map(|e| (action(e), e))
        .max_by_key(|(action, _)| *action)
}

impl fmt::Debug for OutputRules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OutputRules")
            .field("mask", &self.mask.len())
            .finish_non_exhaustive()
    }
}
