//! The rules for answers: which patterns run on every channel, and what each of them means.

mod found;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

pub use found::{CommandRules, LinkRules, OutputVerdict};

use super::compile::Compiled;
use super::decide::{Verdict, kind_hit, lifted_kind_hit, union};
use super::kinds::{Name, offset};
use super::scope::Scope;
use crate::decision::{Action, RuleHit, Stage};
use crate::detect::{RuleIndex, RuleMask, ScanOptions, link, views};

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
///
/// What no stream pattern finds is asked for apart: secrets in encoded form ([`encoded`](Self::encoded)), commands in code
/// blocks ([`commands`](Self::commands)), links ([`links`](Self::links)).
pub struct OutputRules {
    policy: Arc<Compiled>,
    mask: RuleMask,
    block: Option<RuleMask>,
    observe: Option<RuleMask>,
    /// By the place of the rule in the rule set.
    entries: Vec<Vec<Entry>>,
    /// The same for the secret in encoded form.
    encoded: Vec<Vec<Entry>>,
    encoded_mask: RuleMask,
    views: views::Views,
    /// Rules about commands and about links.
    commands: Vec<Entry>,
    links: Vec<Entry>,
}

/// Why a pattern runs.
#[derive(Debug, Clone)]
enum Entry {
    /// It is masked for everybody.
    Kind,
    /// A rule of the policy asks for it: its place, and the reason.
    Rule(usize, String),
    /// It would be masked for everybody, and an exception lifts that: what the record says.
    LiftedKind(String),
    /// A rule would ask for it, and an exception lifts that.
    Lifted(usize, String),
}

impl OutputRules {
    pub(super) fn new(policy: Arc<Compiled>, scope: &Scope) -> Self {
        let infos = policy.kinds.set.rules();
        let mut entries: Vec<Vec<Entry>> = infos
            .iter()
            .map(|info| {
                let is_masked =
                    scope.masked_kinds.contains(&info.id) || policy.kinds.exact.contains(&info.id);
                match scope.lifted_kinds.get(&info.id) {
                    _ if is_masked => vec![Entry::Kind],
                    Some(note) => vec![Entry::LiftedKind(note.clone())],
                    None => Vec::new(),
                }
            })
            .collect();
        let mut only_encoded: Vec<Vec<Entry>> = vec![Vec::new(); entries.len()];
        let (mut commands, mut links) = (Vec::new(), Vec::new());
        let acting = scope
            .rules(&policy, Stage::Output)
            .map(|(rule, active)| (rule, active, None));
        let lifted = scope
            .lifted(&policy, Stage::Output)
            .map(|(rule, active, note)| (rule, active, Some(note)));
        for (rule, active, note) in acting.chain(lifted) {
            let entry = |reason: String| match note {
                Some(note) => Entry::Lifted(active.rule, note.to_owned()),
                None => Entry::Rule(active.rule, reason),
            };
            if rule.matcher.commands.is_some() {
                commands.push(entry(String::new()));
            }
            if rule.matcher.links {
                links.push(entry("link to a foreign host".to_owned()));
            }
            let encoded = rule.matcher.secrets.as_ref().is_some_and(|s| s.encoded);
            for (n, info) in infos
                .iter()
                .enumerate()
                .filter(|(_, info)| active.kinds.contains(&info.id))
            {
                let stream = rule.matcher.streams.iter().find(|(id, _)| *id == info.id);
                let reason = match stream {
                    Some((_, reason)) => reason.clone(),
                    None if encoded => format!("secret kind {}, encoded", info.id),
                    None => format!("secret kind {}", info.id),
                };
                let list = if encoded { &mut only_encoded } else { &mut entries };
                if let Some(list) = list.get_mut(n) {
                    list.push(entry(reason));
                }
            }
        }
        // Whatever is asked of a secret is asked of its encoded forms too.
        let is_stream = |id: &String| {
            policy
                .kinds
                .streams
                .values()
                .flatten()
                .any(|(stream, _)| stream == id)
        };
        let encoded: Vec<Vec<Entry>> = infos
            .iter()
            .zip(entries.iter().zip(only_encoded))
            .map(|(info, (plain, more))| match is_stream(&info.id) {
                true => Vec::new(),
                false => plain.iter().cloned().chain(more).collect(),
            })
            .collect();
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
        let ids = infos
            .iter()
            .zip(&encoded)
            .filter(|(_, entries)| !entries.is_empty());
        let ids: BTreeSet<_> = ids.map(|(info, _)| info.id.clone()).collect();
        let encoded_mask = policy.kinds.mask(&ids);
        Self {
            views: views::Views::new(&policy.kinds.set, &encoded_mask, &scope.options),
            encoded_mask,
            mask,
            block,
            observe,
            entries,
            encoded,
            commands,
            links,
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

    /// What to look for in encoded form ([`views::encoded`]).
    pub fn encoded_mask(&self) -> &RuleMask {
        &self.encoded_mask
    }

    /// The views that find it: the gate of each text of an answer is made of them.
    pub fn views(&self) -> &views::Views {
        &self.views
    }

    /// What happens to a secret of this rule that stands there in encoded form alone. It is masked where it is masked
    /// for everybody; rules with `encoded = true`, and those about the secret itself, may ask for more.
    pub fn encoded(&self, rule: RuleIndex, place: &str) -> OutputVerdict {
        let entries = self.encoded.get(rule.as_usize()).map(Vec::as_slice);
        let entries = entries.unwrap_or_default();
        let Some((action, entry)) = strictest(&self.policy, entries) else {
            return OutputVerdict {
                action: OutputAction::Mask,
                hits: vec![kind_hit(&self.policy, self.kind(rule), Stage::Output, place)],
                message: String::new(),
            };
        };
        OutputVerdict {
            action,
            hits: entries.iter().map(|e| self.entry_hit(rule, e, place)).collect(),
            message: self.entry_message(entry).to_owned(),
        }
    }

    /// The rules about commands in code blocks, if there are any.
    pub fn commands(&self) -> Option<CommandRules<'_>> {
        (!self.commands.is_empty()).then_some(CommandRules(self))
    }

    /// The rules about links and images, if there are any.
    pub fn links(&self) -> Option<LinkRules<'_>> {
        (!self.links.is_empty()).then_some(LinkRules(self))
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
        self.deciding(rule)
            .map_or("", |(_, entry)| self.entry_message(entry))
    }

    /// A whole answer, judged as it would be while it streams; but for the commands in its code blocks.
    pub(super) fn judge(&self, place_name: &str, options: &ScanOptions, text: &str) -> Verdict {
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
                    .then(|| self.hits(span.rule, place_name))
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
        let place = |found: OutputVerdict, range, kind: &str, verdict: &mut Verdict, masks: &mut Vec<_>| {
            if found.action > OutputAction::Observe {
                masks.push((range, Name::new(kind)));
            }
            for hit in found.hits {
                if !verdict.decision.hits.contains(&hit) {
                    verdict.decision.add(hit, &found.message);
                }
            }
        };
        for (range, rule) in views::encoded(&self.policy.kinds.set, &self.encoded_mask, options, text) {
            let found = self.encoded(rule, place_name);
            place(found, range, self.kind(rule), &mut verdict, &mut masks);
        }
        if let Some(links) = self.links() {
            for range in link::foreign(links.network(), text) {
                let found = links.verdict(place_name);
                place(found, range, links.kind(), &mut verdict, &mut masks);
            }
        }
        verdict.masks = union(text, masks);
        verdict
    }

    fn deciding(&self, rule: RuleIndex) -> Option<(OutputAction, &Entry)> {
        strictest(&self.policy, self.entries.get(rule.as_usize())?)
    }

    fn entry_hit(&self, index: RuleIndex, entry: &Entry, place: &str) -> RuleHit {
        let kind = self.kind(index);
        let rule = |n: usize| self.policy.rules.get(n);
        let hit = match entry {
            Entry::Kind => None,
            Entry::LiftedKind(note) => Some(lifted_kind_hit(&self.policy, kind, Stage::Output, place, note)),
            Entry::Rule(n, reason) => rule(*n).map(|rule| rule.hit(place, reason.clone())),
            Entry::Lifted(n, note) => rule(*n).map(|rule| rule.lifted_hit(place, note)),
        };
        hit.unwrap_or_else(|| kind_hit(&self.policy, kind, Stage::Output, place))
    }

    fn entry_message(&self, entry: &Entry) -> &str {
        match entry {
            Entry::Rule(n, _) => self.policy.rules.get(*n).map_or("", |r| r.message.as_str()),
            Entry::Kind | Entry::LiftedKind(_) | Entry::Lifted(..) => "",
        }
    }
}

fn strictest<'e>(policy: &Compiled, entries: &'e [Entry]) -> Option<(OutputAction, &'e Entry)> {
    let action = |entry: &Entry| match entry {
        Entry::Kind => OutputAction::Mask,
        Entry::LiftedKind(_) | Entry::Lifted(..) => OutputAction::Observe,
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
