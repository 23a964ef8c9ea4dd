//! Why a caller gets what they get: every rule, and what became of it.

use std::collections::BTreeMap;

use serde::Serialize;

use super::decide::CallerPolicy;
use super::look::{Looked, Subject};
use super::rule::Rule;
use super::rule_check::DEFAULT_ID;
use super::scope::Active;
use crate::clock::Timestamp;
use crate::decision::{Action, RuleHit, Stage};
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
    /// The rule's id, `default` or `allow`, or a secret kind that is masked for everybody.
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

/// An exception that is for the caller now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ExceptionTrace {
    /// Why it was made.
    pub reason: String,
    /// When it ends.
    pub ends: Timestamp,
    /// The rules that it lifts.
    pub rules: Vec<String>,
    /// The secret kinds that it lifts.
    pub kinds: Vec<String>,
}

/// One piece of an exchange.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Seen<'a> {
    /// Where rules look at it.
    pub stage: Stage,
    /// Its place, such as `messages[3].content`.
    pub place: &'a str,
    /// The text; of a tool call the arguments.
    pub text: &'a str,
    /// The name of the tool that is called.
    pub tool: &'a str,
    /// Each string within a call's arguments.
    pub strings: &'a [String],
}

impl<'a> Seen<'a> {
    /// A text.
    pub fn new(stage: Stage, place: &'a str, text: &'a str) -> Self {
        Self {
            stage,
            place,
            text,
            tool: "",
            strings: &[],
        }
    }

    /// A tool call: its name, its arguments as they stand, and each string within them.
    pub fn call(place: &'a str, tool: &'a str, arguments: &'a str, strings: &'a [String]) -> Self {
        Self {
            tool,
            strings,
            ..Self::new(Stage::ToolCall, place, arguments)
        }
    }
}

impl CallerPolicy {
    /// What becomes of every rule for a request of this size and these parts: stage, place and text.
    /// See [`explain_seen`](Self::explain_seen).
    pub fn explain(&self, size: usize, parts: &[(Stage, &str, &str)]) -> Vec<RuleTrace> {
        let parts: Vec<_> = parts
            .iter()
            .map(|(stage, place, text)| Seen::new(*stage, place, text))
            .collect();
        self.explain_seen(size, &parts)
    }

    /// What becomes of every rule for a request of this size and these parts. In the order of the file; the default
    /// comes first, and last secret kinds that are masked for everybody, or would be were there no exception, and, as
    /// `allow`, what `[[allow]]` lets through.
    pub fn explain_seen(&self, size: usize, parts: &[Seen<'_>]) -> Vec<RuleTrace> {
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
        let kinds = self.trace_kinds(parts);
        let allowed = self.trace_allowed(parts);
        traces
            .into_iter()
            .map(|(_, trace)| trace)
            .chain(kinds)
            .chain(allowed)
            .collect()
    }

    /// The exceptions that are for this caller, now.
    pub fn exceptions(&self) -> Vec<ExceptionTrace> {
        let exceptions = self.scope.exceptions.iter();
        exceptions
            .filter_map(|n| self.policy.exceptions.get(*n))
            .map(|exception| ExceptionTrace {
                reason: exception.reason.clone(),
                ends: exception.ends,
                rules: exception.rules.iter().cloned().collect(),
                kinds: exception.kinds.iter().cloned().collect(),
            })
            .collect()
    }

    /// The masking that is on for everybody.
    fn trace_kinds(&self, parts: &[Seen<'_>]) -> Vec<RuleTrace> {
        let kinds = &self.policy.kinds;
        let mut found: BTreeMap<(String, Stage), (RuleHit, Vec<String>)> = BTreeMap::new();
        let looked = |seen: &&Seen<'_>| matches!(seen.stage, Stage::ToolResult | Stage::Output);
        for seen in parts.iter().filter(looked) {
            for hit in self.part(seen.stage, seen.place, seen.text).decision.hits {
                if kinds.named.contains(&hit.id) || kinds.exact.contains(&hit.id) {
                    let why = format!("{}: {}", seen.place, hit.reason);
                    let key = (hit.id.clone(), hit.stage);
                    found.entry(key).or_insert_with(|| (hit, Vec::new())).1.push(why);
                }
            }
        }
        let of_kind = |((id, stage), (hit, why)): ((String, Stage), (RuleHit, Vec<String>))| RuleTrace {
            id,
            stage,
            action: hit.action,
            observe: hit.observed_only,
            outcome: if hit.observed_only {
                Outcome::Excepted
            } else {
                Outcome::Matched
            },
            why: why.join("; "),
        };
        found.into_iter().map(of_kind).collect()
    }

    /// What `[[allow]]` lets through of these parts, if anything.
    fn trace_allowed(&self, parts: &[Seen<'_>]) -> Option<RuleTrace> {
        self.options.allow.as_ref()?;
        let kinds = &self.policy.kinds;
        let mask = kinds.mask(&kinds.named);
        let mut why = std::collections::BTreeSet::new();
        let mut first = None;
        for Seen {
            stage, place, text, ..
        } in parts
        {
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
        RuleTrace {
            id: DEFAULT_ID.to_owned(),
            stage: Stage::Request,
            action: self.policy.default,
            observe: false,
            outcome,
            why,
        }
    }

    fn trace_active(&self, rule: &Rule, active: &Active, size: usize, parts: &[Seen<'_>]) -> RuleTrace {
        if rule.stage == Stage::Request {
            let subject = Subject::request(size, self.asked.as_deref());
            return match rule.matcher.look(&self.sight(Stage::Request), active, &subject) {
                Ok(found) => trace(rule, Outcome::Matched, found.told()),
                Err(why) => trace(rule, Outcome::DidNotMatch, why.to_owned()),
            };
        }
        let (mut matched, mut missed) = (Vec::new(), None);
        for seen in parts.iter().filter(|seen| seen.stage == rule.stage) {
            match self.why(rule, active, seen) {
                Ok(reasons) => matched.push(format!("{}: {reasons}", seen.place)),
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

    fn why(&self, rule: &Rule, active: &Active, seen: &Seen<'_>) -> Result<String, &'static str> {
        let sight = self.sight(rule.stage);
        let subject = match rule.stage {
            Stage::ToolCall => Subject::call(seen.tool, seen.text, seen.strings),
            Stage::Output => return self.why_output(rule, seen),
            _ => Subject::text(Looked::new(seen.text)),
        };
        rule.matcher
            .look(&sight, active, &subject)
            .map(|found| found.told())
    }

    fn why_output(&self, rule: &Rule, seen: &Seen<'_>) -> Result<String, &'static str> {
        let hits = self.part(Stage::Output, seen.place, seen.text).decision.hits;
        let reasons: Vec<_> = hits
            .into_iter()
            .filter(|hit| hit.id == rule.id)
            .map(|hit| hit.reason)
            .collect();
        if reasons.is_empty() && rule.matcher.commands.is_some() {
            return Err("commands in code blocks are judged while the answer comes down");
        }
        if reasons.is_empty() {
            return Err("nothing it looks for is there");
        }
        Ok(reasons.join(", "))
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
