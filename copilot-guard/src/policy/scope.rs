//! The part of a policy that applies to one caller and model.

use std::collections::{BTreeMap, BTreeSet};

use super::Query;
use super::allow;
use super::compile::Compiled;
use super::explain::Outcome;
use super::kinds::Name;
use super::look::{Looked, Sight};
use super::matcher::Range;
use super::rule::Rule;
use crate::decision::Stage;
use crate::detect::{RuleMask, ScanOptions};

/// The rules that are for this caller, and the secret kinds that are looked for.
#[derive(Debug)]
pub(super) struct Scope {
    pub(super) active: Vec<Active>,
    /// What exceptions lift, and what the record says of it.
    pub(super) lifted: Vec<(Active, String)>,
    /// Excepted kinds, and what the record says of them.
    pub(super) lifted_kinds: BTreeMap<String, String>,
    /// Finds them.
    pub(super) lifted_mask: Option<RuleMask>,
    /// Rules that are not for this caller, and why.
    pub(super) idle: Vec<(usize, Outcome, String)>,
    /// The exceptions that are for this caller.
    pub(super) exceptions: Vec<usize>,
    /// Kinds masked in answers and tool results.
    pub(super) masked: RuleMask,
    /// The same, by name.
    pub(super) masked_kinds: BTreeSet<String>,
    /// Kinds that the rules of each stage look for: plain, and encoded.
    wanted: BTreeMap<Stage, [Option<RuleMask>; 2]>,
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
        let mut lifted_kinds = BTreeMap::new();
        let mut lifted_rules = BTreeMap::new();
        let mut exceptions = Vec::new();
        for (n, exception) in policy.exceptions.iter().enumerate() {
            if !exception.is_for(query) {
                continue;
            }
            exceptions.push(n);
            for kind in &exception.kinds {
                lifted_kinds
                    .entry(kind.clone())
                    .or_insert_with(|| exception.note());
            }
            for rule in &exception.rules {
                lifted_rules
                    .entry(rule.as_str())
                    .or_insert_with(|| exception.note());
            }
        }
        let excepted: BTreeSet<_> = lifted_kinds.keys().cloned().collect();
        let (mut active, mut lifted, mut idle) = (Vec::new(), Vec::new(), Vec::new());
        for (n, rule) in policy.rules.iter().enumerate() {
            if let Some(why) = rule.who.excludes(query) {
                idle.push((n, Outcome::NotForCaller, why.to_owned()));
                continue;
            }
            if let Some(note) = lifted_rules.get(rule.id.as_str()) {
                idle.push((n, Outcome::Excepted, note.clone()));
                lifted.push((Active::whole(policy, n, rule), note.clone()));
                continue;
            }
            active.push(Active::without(policy, n, rule, &excepted));
            let kinds = rule.matcher.secrets.iter().flat_map(|s| &s.kinds);
            let kinds: BTreeSet<_> = kinds.filter(|kind| excepted.contains(*kind)).cloned().collect();
            if let Some(note) = kinds.first().and_then(|kind| lifted_kinds.get(kind)) {
                lifted.push((Active::of(policy, n, kinds.clone()), note.clone()));
            }
        }
        let masked_kinds: BTreeSet<_> = policy.kinds.named.difference(&excepted).cloned().collect();
        Self {
            wanted: wanted(policy, active.iter().chain(lifted.iter().map(|(a, _)| a))),
            masked: policy.kinds.mask(&masked_kinds),
            masked_kinds,
            lifted_mask: (!excepted.is_empty()).then(|| policy.kinds.mask(&excepted)),
            lifted_kinds,
            options: allow::for_caller(&policy.allow, query),
            active,
            lifted,
            idle,
            exceptions,
        }
    }

    /// With what the rules of this stage look.
    pub(super) fn sight<'s>(
        &'s self,
        policy: &'s Compiled,
        options: &'s ScanOptions,
        stage: Stage,
    ) -> Sight<'s> {
        let (plain, encoded) = match self.wanted.get(&stage) {
            Some([plain, encoded]) => (plain.as_ref(), encoded.as_ref()),
            None => (None, None),
        };
        Sight {
            policy,
            options,
            plain,
            encoded,
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

    /// What exceptions lift at this stage, and what the record says of it.
    pub(super) fn lifted<'s>(
        &'s self,
        policy: &'s Compiled,
        stage: Stage,
    ) -> impl Iterator<Item = (&'s Rule, &'s Active, &'s str)> {
        let with_rule = move |(active, note): &'s (Active, String)| {
            let rule = policy.rules.get(active.rule)?;
            Some((rule, active, note.as_str()))
        };
        self.lifted
            .iter()
            .filter_map(with_rule)
            .filter(move |(rule, ..)| rule.stage == stage)
    }
}

fn wanted<'a>(
    policy: &Compiled,
    rules: impl Iterator<Item = &'a Active>,
) -> BTreeMap<Stage, [Option<RuleMask>; 2]> {
    let mut kinds: BTreeMap<Stage, [BTreeSet<String>; 2]> = BTreeMap::new();
    for active in rules {
        let Some(rule) = policy.rules.get(active.rule) else {
            continue;
        };
        let Some(secrets) = &rule.matcher.secrets else {
            continue;
        };
        let [plain, encoded] = kinds.entry(rule.stage).or_default();
        let list = if secrets.encoded { encoded } else { plain };
        list.extend(active.kinds.iter().cloned());
    }
    let mask = |kinds: BTreeSet<String>| (!kinds.is_empty()).then(|| policy.kinds.mask(&kinds));
    kinds
        .into_iter()
        .map(|(stage, two)| (stage, two.map(mask)))
        .collect()
}

impl Active {
    /// A rule from which nothing is excepted.
    fn whole(policy: &Compiled, n: usize, rule: &Rule) -> Self {
        Self::without(policy, n, rule, &BTreeSet::new())
    }

    fn without(policy: &Compiled, n: usize, rule: &Rule, excepted: &BTreeSet<String>) -> Self {
        let streams = rule.matcher.streams.iter().map(|(id, _)| id.clone());
        let Some(secrets) = &rule.matcher.secrets else {
            let kinds: BTreeSet<_> = streams.collect();
            if kinds.is_empty() {
                return Self {
                    rule: n,
                    kinds,
                    mask: RuleMask::default(),
                };
            }
            return Self::of(policy, n, kinds);
        };
        if secrets.kinds.is_disjoint(excepted) {
            return Self {
                rule: n,
                kinds: secrets.kinds.clone(),
                mask: secrets.mask.clone(),
            };
        }
        Self::of(policy, n, secrets.kinds.difference(excepted).cloned().collect())
    }

    fn of(policy: &Compiled, n: usize, kinds: BTreeSet<String>) -> Self {
        Self {
            rule: n,
            mask: policy.kinds.mask(&kinds),
            kinds,
        }
    }

    /// The secrets of its kinds. A group of overlapping secrets has one name, so that one which begins or ends
    /// in a value to scrub may carry that value's name: it counts all the same.
    pub(super) fn scan(&self, sight: &Sight<'_>, encoded: bool, looked: &Looked<'_>) -> Vec<(Range, Name)> {
        if self.kinds.is_empty() {
            Vec::new()
        } else if encoded {
            looked.encoded(sight, &self.mask)
        } else {
            looked.secrets(sight, &self.mask)
        }
    }
}
