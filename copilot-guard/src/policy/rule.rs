//! One rule, compiled: whom it is for, what it looks for, what it asks for.

use std::collections::BTreeSet;

use super::Query;
use super::kinds::Name;
use super::matcher::{Glob, Range, TextRegex};
use crate::approval::Requirement;
use crate::decision::{Action, RuleHit, Stage};
use crate::detect::{Class, Danger, RuleMask};
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
    /// What it masks may be put back where the person reads it.
    pub(super) reversible: bool,
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
    pub(super) code_over: Option<u64>,
    pub(super) tools: Vec<Glob>,
    pub(super) commands: Option<Commands>,
    pub(super) routes: Vec<Glob>,
    pub(super) parameters: Vec<Glob>,
    pub(super) regexes: Vec<TextRegex>,
    pub(super) words: Vec<TextRegex>,
    pub(super) hidden: bool,
    /// Ids of intents.
    pub(super) intents: Option<BTreeSet<&'static str>>,
    /// Links and images whose hosts are not ours.
    pub(super) links: bool,
    pub(super) secrets: Option<Secrets>,
    /// Stream patterns made from `regex` or `words`, for rules on output: the id in the rule set, and the reason.
    pub(super) streams: Vec<(String, String)>,
}

/// The secret kinds of a rule.
#[derive(Debug)]
pub(super) struct Secrets {
    pub(super) kinds: BTreeSet<String>,
    /// Scans for them when nothing is excepted.
    pub(super) mask: RuleMask,
    /// In encoded form alone.
    pub(super) encoded: bool,
}

/// Which findings about commands a rule means.
#[derive(Debug)]
pub(super) struct Commands {
    /// At least so dangerous.
    pub(super) danger: Danger,
    /// Of these classes; none means all.
    pub(super) classes: BTreeSet<Class>,
}

/// Why a rule matched, and where in the first text.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) reasons: Vec<String>,
    /// The kinds of the secrets that count.
    pub(super) kinds: BTreeSet<String>,
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

    /// The hit when an exception lifts the rule. It only records.
    pub(super) fn lifted_hit(&self, place: &str, note: &str) -> RuleHit {
        RuleHit {
            observed_only: true,
            ..self.hit(place, note.to_owned())
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

// === impl Found ===

impl Found {
    /// The reasons, for the record. A rule without conditions matches by who asks.
    pub(super) fn told(&self) -> String {
        if self.reasons.is_empty() {
            "caller and model".to_owned()
        } else {
            self.reasons.join(", ")
        }
    }
}
