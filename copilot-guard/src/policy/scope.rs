//! The part of a policy that applies to one caller and model.

use std::collections::BTreeSet;

use super::Query;
use super::allow;
use super::compile::Compiled;
use super::explain::Outcome;
use super::kinds::Name;
use super::matcher::Range;
use super::rule::{Found, Looked, Rule};
use crate::decision::Stage;
use crate::detect::{RuleMask, ScanOptions};

/// The rules that are for this caller, and the secret kinds that are looked for.
#[derive(Debug)]
pub(super) struct Scope {
    pub(super) active: Vec<Active>,
    /// Rules that are not for this caller, and why.
    pub(super) idle: Vec<(usize, Outcome, String)>,
    /// Kinds masked in answers and tool results.
    pub(super) masked: RuleMask,
    /// The same, by name.
    pub(super) masked_kinds: BTreeSet<String>,
    /// Kinds that rules on prompts look for.
    pub(super) prompt: Option<RuleMask>,
    /// Kinds that rules on tool calls look for.
    pub(super) tool_call: Option<RuleMask>,
    /// What is let through.
    pub(super) options: ScanOptions,
}

/// A rule for this caller.
#[derive(Debug)]
pub(super) struct Active {
    /// Its place in the policy.
    pub(super) rule: usize,
    /// The kinds it looks for, without the excepted ones; or its stream patterns. Empty: it looks for none.
    pub(super) kinds: BTreeSet<String>,
    /// Finds them.
    pub(super) mask: RuleMask,
}

impl Scope {
    pub(super) fn new(policy: &Compiled, query: &Query<'_>) -> Self {
        let (mut excepted_kinds, mut excepted_rules) = (BTreeSet::new(), BTreeSet::new());
        for exception in &policy.exceptions {
            if exception.is_for(query) {
                excepted_kinds.extend(exception.kinds.iter().cloned());
                excepted_rules.extend(exception.rules.iter().cloned());
            }
        }
        let (mut active, mut idle) = (Vec::new(), Vec::new());
        for (n, rule) in policy.rules.iter().enumerate() {
            if let Some(why) = rule.who.excludes(query) {
                idle.push((n, Outcome::NotForCaller, why.to_owned()));
            } else if excepted_rules.contains(&rule.id) {
                idle.push((
                    n,
                    Outcome::Excepted,
                    "an exception for the caller's group lifts it".to_owned(),
                ));
            } else {
                active.push(Active::new(policy, n, rule, &excepted_kinds));
            }
        }
        let masked_kinds: BTreeSet<_> = policy.kinds.named.difference(&excepted_kinds).cloned().collect();
        let looked_for = |stage| {
            let of_stage = |a: &&Active| policy.rules.get(a.rule).is_some_and(|r| r.stage == stage);
            let kinds: BTreeSet<_> = active
                .iter()
                .filter(of_stage)
                .flat_map(|a| a.kinds.iter().cloned())
                .collect();
            (!kinds.is_empty()).then(|| policy.kinds.mask(&kinds))
        };
        Self {
            prompt: looked_for(Stage::Prompt),
            tool_call: looked_for(Stage::ToolCall),
            masked: policy.kinds.mask(&masked_kinds),
            masked_kinds,
            options: allow::for_caller(&policy.allow, query),
            active,
            idle,
        }
    }

    /// The rules for this stage.
    pub(super) fn rules<'s>(
        &'s self,
        policy: &'s Compiled,
        stage: Stage,
    ) -> impl Iterator<Item = (&'s Rule, &'s Active)> {
        let with_rule = move |active: &'s Active| Some((policy.rules.get(active.rule)?, active));
        self.active
            .iter()
            .filter_map(with_rule)
            .filter(move |(rule, _)| rule.stage == stage)
    }
}

impl Active {
    fn new(policy: &Compiled, n: usize, rule: &Rule, excepted: &BTreeSet<String>) -> Self {
        let streams = rule.matcher.streams.iter().map(|(id, _)| id.clone());
        let Some(secrets) = &rule.matcher.secrets else {
            let kinds: BTreeSet<_> = streams.collect();
            let mask = if kinds.is_empty() {
                RuleMask::default()
            } else {
                policy.kinds.mask(&kinds)
            };
            return Self { rule: n, kinds, mask };
        };
        if secrets.kinds.is_disjoint(excepted) {
            return Self {
                rule: n,
                kinds: secrets.kinds.clone(),
                mask: secrets.mask.clone(),
            };
        }
        let kinds: BTreeSet<_> = secrets.kinds.difference(excepted).cloned().collect();
        Self {
            rule: n,
            mask: policy.kinds.mask(&kinds),
            kinds,
        }
    }

    /// Looks at the texts of one part; see [`Matcher::look`](super::rule::Matcher::look).
    pub(super) fn look(
        &self,
        policy: &Compiled,
        options: &ScanOptions,
        rule: &Rule,
        size: usize,
        texts: &[Looked<'_>],
    ) -> Result<Found, &'static str> {
        rule.matcher
            .look(size, texts, |text| self.scan(policy, options, text))
    }

    /// The secrets of its kinds. A group of overlapping secrets has one name, so that one which begins or ends
    /// in a value to scrub may carry that value's name: it counts all the same.
    pub(super) fn scan(&self, policy: &Compiled, options: &ScanOptions, text: &str) -> Vec<(Range, Name)> {
        if self.kinds.is_empty() {
            Vec::new()
        } else {
            policy.kinds.scan(&self.mask, options, text)
        }
    }
}
