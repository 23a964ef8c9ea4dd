//! Why a caller gets what they get: every rule, and what became of it.

use std::collections::BTreeSet;

use serde::Serialize;

use super::decide::CallerPolicy;
use super::look::{Looked, Subject};
use super::rule::Rule;
use super::rule_check::DEFAULT_ID;
use super::scope::Active;
use crate::decision::{Action, Stage};
use crate::detect::ScanOptions;

/// The id of what `[[allow]]` lets through.
pub(super) const ALLOW_ID: &str = "allow";

/// What became of a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Outcome {
    /// It is for other people or models.
    NotForCaller,
    /// An exception lifts it.
    Excepted,
    /// The exchange has no part it looks at.
    NothingToLookAt,
    /// It ran and did not match.
    DidNotMatch,
    /// It ran and matched.
    Matched,
}

/// One rule, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct RuleTrace {
    /// The rule's id, `default` or `allow`.
    pub id: String,
    /// Where it looks.
    pub stage: Stage,
    /// What it asks for.
    pub action: Action,
    /// Whether it only records.
    pub observe: bool,
    /// What became of it.
    pub outcome: Outcome,
    /// Why, in words; for a match, where and by which condition. Holds no text of the exchange.
    pub why: String,
}

impl CallerPolicy {
    /// What becomes of every rule for a request of this size and these parts: stage, place and text.
    /// A tool call's text is its arguments. In the order of the file; the default comes first, and last, as `allow`,
    /// what `[[allow]]` lets through.
    pub fn explain(&self, size: usize, parts: &[(Stage, &str, &str)]) -> Vec<RuleTrace> {
        let mut traces = vec![(0, self.trace_default(size))];
        for (n, outcome, why) in &self.scope.idle {
            if let Some(rule) = self.policy.rules.get(*n) {
                traces.push((n + 1, trace(rule, *outcome, why.clone())));
            }
        }
        for active in &self.scope.active {
            if let Some(rule) = self.policy.rules.get(active.rule) {
                traces.push((active.rule + 1, self.trace_active(rule, active, size, parts)));
            }
        }
        traces.sort_by_key(|(n, _)| *n);
        let allowed = self.trace_allowed(parts);
        traces
            .into_iter()
            .map(|(_, trace)| trace)
            .chain(allowed)
            .collect()
    }

    /// What `[[allow]]` lets through of these parts, if anything.
    fn trace_allowed(&self, parts: &[(Stage, &str, &str)]) -> Option<RuleTrace> {
        self.options.allow.as_ref()?;
        let kinds = &self.policy.kinds;
        let mask = kinds.mask(&kinds.named);
        let mut why = BTreeSet::new();
        let mut first = None;
        for (stage, place, text) in parts {
            let masked = kinds.scan(&mask, &self.options, text);
            for (range, name) in kinds.scan(&mask, &ScanOptions::default(), text) {
                if !masked.iter().any(|(known, _)| *known == range) {
                    first.get_or_insert(*stage);
                    why.insert(format!("{place}: secret kind {} may be shown", name.kind));
                }
            }
        }
        Some(RuleTrace {
            id: ALLOW_ID.to_owned(),
            stage: first?,
            action: Action::Allow,
            observe: false,
            outcome: Outcome::Matched,
            why: why.into_iter().collect::<Vec<_>>().join("; "),
        })
    }

    fn trace_default(&self, size: usize) -> RuleTrace {
        let hit = self.request(size).hits.into_iter().find(|h| h.id == DEFAULT_ID);
        let (outcome, why) = match (&hit, self.policy.default) {
            (Some(hit), _) => (Outcome::Matched, hit.reason.clone()),
            (None, Action::Allow) => (Outcome::DidNotMatch, "the default is allow".to_owned()),
            (None, _) => (Outcome::DidNotMatch, "a rule allows this caller".to_owned()),
        };
        let action = self.policy.default;
        RuleTrace {
            id: DEFAULT_ID.to_owned(),
            stage: Stage::Request,
            action,
            observe: false,
            outcome,
            why,
        }
    }

    fn trace_active(
        &self,
        rule: &Rule,
        active: &Active,
        size: usize,
        parts: &[(Stage, &str, &str)],
    ) -> RuleTrace {
        if rule.stage == Stage::Request {
            let subject = Subject::request(size, self.asked.as_deref());
            return match rule.matcher.look(&self.sight(Stage::Request), active, &subject) {
                Ok(found) => trace(rule, Outcome::Matched, found.told()),
                Err(why) => trace(rule, Outcome::DidNotMatch, why.to_owned()),
            };
        }
        let (mut matched, mut missed) = (Vec::new(), None);
        for (_, place, text) in parts.iter().filter(|(stage, ..)| *stage == rule.stage) {
            match self.why(rule, active, text) {
                Ok(reasons) => matched.push(format!("{place}: {reasons}")),
                Err(why) => missed = Some(why),
            }
        }
        match (matched.is_empty(), missed) {
            (false, _) => trace(rule, Outcome::Matched, matched.join("; ")),
            (true, Some(why)) => trace(rule, Outcome::DidNotMatch, why.to_owned()),
            (true, None) => {
                let why = format!("there is no part at {}", rule.stage);
                trace(rule, Outcome::NothingToLookAt, why)
            }
        }
    }

    fn why(&self, rule: &Rule, active: &Active, text: &str) -> Result<String, &'static str> {
        let sight = self.sight(rule.stage);
        if rule.stage == Stage::Output {
            let encoded = rule.matcher.secrets.as_ref().is_some_and(|s| s.encoded);
            let looked = Looked::new(text).with_secrets(true);
            let found = active.scan(&sight, encoded, &looked);
            let Some((_, name)) = found.first() else {
                return Err("nothing it looks for is there");
            };
            let id = &name.kind;
            let stream = rule.matcher.streams.iter().find(|(stream, _)| stream == id);
            return Ok(stream.map_or_else(|| format!("secret kind {id}"), |(_, reason)| reason.clone()));
        }
        let subject = match rule.stage {
            Stage::ToolCall => Subject::call("", text, &[]),
            _ => Subject::text(Looked::new(text)),
        };
        rule.matcher
            .look(&sight, active, &subject)
            .map(|found| found.told())
    }
}

fn trace(rule: &Rule, outcome: Outcome, why: String) -> RuleTrace {
    let Rule {
        id,
        stage,
        action,
        observe,
        ..
    } = rule;
    RuleTrace {
        id: id.clone(),
        stage: *stage,
        action: *action,
        observe: *observe,
        outcome,
        why,
    }
}
