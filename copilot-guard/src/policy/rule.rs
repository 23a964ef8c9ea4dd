//! One rule, compiled: whom it is for, what it looks for, what it asks for.

use std::collections::BTreeSet;

use super::Query;
use super::kinds::Name;
use super::matcher::{Glob, Range, TextRegex};
use crate::approval::Requirement;
use crate::decision::{Action, RuleHit, Stage};
use crate::detect::RuleMask;
use crate::identity::CallerKind;

/// A compiled rule.
#[derive(Debug)]
pub(super) struct Rule {
    pub(super) id: String,
    pub(super) who: Who,
    pub(super) stage: Stage,
    pub(super) matcher: Matcher,
    pub(super) action: Action,
    pub(super) observe: bool,
    /// Whose votes it needs; only for rules that require approval.
    pub(super) requirement: Option<Requirement>,
    pub(super) message: String,
    pub(super) severity: Option<String>,
    pub(super) tags: Vec<String>,
}

/// Whom a rule is for.
#[derive(Debug, Default)]
pub(super) struct Who {
    /// Any of these; nothing means everyone.
    pub(super) groups: Option<BTreeSet<String>>,
    /// None of these.
    pub(super) not_groups: BTreeSet<String>,
    /// Any of these; nothing means all models.
    pub(super) models: Option<Vec<Glob>>,
    /// Humans or programs alone; nothing means both.
    pub(super) kind: Option<CallerKind>,
}

/// What a rule looks for. All that is set must hold; of a list, one item.
#[derive(Debug, Default)]
pub(super) struct Matcher {
    pub(super) size_over: Option<u64>,
    pub(super) regexes: Vec<TextRegex>,
    pub(super) words: Vec<TextRegex>,
    /// Ids of secret kinds, and the mask that scans for them when nothing is excepted.
    pub(super) secrets: Option<Secrets>,
    /// Stream patterns made from `regex` or `words`, for rules on output: the id in the rule set, and the reason.
    pub(super) streams: Vec<(String, String)>,
}

/// The secret kinds of a rule.
#[derive(Debug)]
pub(super) struct Secrets {
    pub(super) kinds: BTreeSet<String>,
    pub(super) mask: RuleMask,
}

/// A text to look at, and whether any secret that matters here is in it.
#[derive(Debug)]
pub(super) struct Looked<'t> {
    pub(super) text: &'t str,
    pub(super) has_secrets: bool,
}

/// Why a rule matched, and where in the first text.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) reasons: Vec<String>,
    /// With its name, when it is a secret.
    pub(super) spans: Vec<(Range, Option<Name>)>,
}

// === impl Rule ===

impl Rule {
    pub(super) fn hit(&self, place: &str, reason: String) -> RuleHit {
        RuleHit {
            id: self.id.clone(),
            action: self.action,
            stage: self.stage,
            place: place.to_owned(),
            reason,
            observed_only: self.observe,
            severity: self.severity.clone(),
            tags: self.tags.clone(),
        }
    }
}

// === impl Who ===

impl Who {
    /// Nothing when the rule is for this caller, else why it is not.
    pub(super) fn excludes(&self, query: &Query<'_>) -> Option<&'static str> {
        let (groups, model) = (query.groups, query.model);
        if self.kind.is_some_and(|kind| kind != query.kind) {
            return Some("it is for another kind of caller");
        }
        if self
            .groups
            .as_ref()
            .is_some_and(|wanted| wanted.is_disjoint(groups))
        {
            return Some("the caller is in none of its groups");
        }
        if !self.not_groups.is_disjoint(groups) {
            return Some("the caller is in one of its not_groups");
        }
        if self
            .models
            .as_ref()
            .is_some_and(|models| !models.iter().any(|m| m.is_match(model)))
        {
            return Some("the model is none of its models");
        }
        None
    }
}

// === impl Matcher ===

impl Matcher {
    /// Looks at the texts of one part: the first is the one that masks refer to. `scan` finds secrets of the
    /// rule's kinds. The error says why the rule does not match.
    pub(super) fn look(
        &self,
        size: usize,
        texts: &[Looked<'_>],
        scan: impl Fn(&str) -> Vec<(Range, Name)>,
    ) -> Result<Found, &'static str> {
        let mut found = Found::default();
        if let Some(limit) = self.size_over {
            if size as u64 <= limit {
                return Err("it is not over the size");
            }
            found.reasons.push(format!("size {size} over {limit}"));
        }
        if !self.regexes.is_empty() {
            found
                .add("regex", &self.regexes, texts)
                .ok_or("no regex matches")?;
        }
        if !self.words.is_empty() {
            found
                .add("word", &self.words, texts)
                .ok_or("none of the words is there")?;
        }
        if self.secrets.is_some() {
            let mut kinds = BTreeSet::new();
            for (n, looked) in texts.iter().enumerate().filter(|(_, t)| t.has_secrets) {
                for (range, name) in scan(looked.text) {
                    kinds.insert(name.kind.clone());
                    if n == 0 {
                        found.spans.push((range, Some(name)));
                    }
                }
            }
            if kinds.is_empty() {
                return Err("no secret of its kinds is there");
            }
            found
                .reasons
                .extend(kinds.into_iter().map(|kind| format!("secret kind {kind}")));
        }
        Ok(found)
    }
}

impl Found {
    fn add(&mut self, what: &str, regexes: &[TextRegex], texts: &[Looked<'_>]) -> Option<()> {
        let before = self.reasons.len();
        for (n, regex) in regexes.iter().enumerate() {
            if texts.iter().any(|t| regex.is_match(t.text)) {
                self.reasons
                    .push(format!("{what} {} of {}", n + 1, regexes.len()));
                let spans = texts.first().into_iter().flat_map(|t| regex.find_all(t.text));
                self.spans.extend(spans.map(|range| (range, None)));
            }
        }
        (self.reasons.len() > before).then_some(())
    }
}
