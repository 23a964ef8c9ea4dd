//! The verdict on each part of an exchange.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Query;
use super::compile::Compiled;
use super::kinds::Name;
use super::matcher::Range;
use super::output::OutputRules;
use super::rule::{Found, Looked, Rule};
use super::rule_check::DEFAULT_ID;
use super::scope::Scope;
use crate::approval::Requirement;
use crate::decision::{Action, Decision, RuleHit, Stage};
use crate::detect::{MarkFormat, ScanOptions, Tag, TagKey};

/// The policy for one caller and model. Cheap to clone.
#[derive(Debug, Clone)]
pub struct CallerPolicy {
    pub(super) policy: Arc<Compiled>,
    pub(super) scope: Arc<Scope>,
    output: Arc<OutputRules>,
    pub(super) options: ScanOptions,
}

/// What the policy says of one part.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Verdict {
    /// The strictest action, and every rule that matched.
    pub decision: Decision,
    /// What to mask, in order, without overlaps. Given whatever the action is.
    pub masks: Vec<MaskSpan>,
}

/// A piece of a part's text to mask: byte offsets, on character boundaries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MaskSpan {
    /// Offset of the first masked byte.
    pub start: usize,
    /// Offset after the last masked byte.
    pub end: usize,
    /// The secret kind or the rule that names the mark.
    pub kind: String,
    /// The tag of the mark: equal for equal tokens, where the caller's policy has a key.
    pub tag: Option<Tag>,
}

/// What people whom the default denies are told.
const DENIED: &str = "Your organisation's policy does not allow you to use this model.";

impl CallerPolicy {
    pub(super) fn new(policy: Arc<Compiled>, query: &Query<'_>) -> Self {
        let scope = Arc::new(Scope::new(&policy, query));
        let output = Arc::new(OutputRules::new(policy.clone(), &scope));
        Self {
            options: scope.options.clone(),
            policy,
            scope,
            output,
        }
    }

    /// The same with tags on the marks of tokens. The key should be of one person and session: equal tags say that
    /// two tokens are the same.
    #[must_use]
    pub fn with_tags(mut self, key: Arc<TagKey>) -> Self {
        self.options.tags = Some(key);
        self
    }

    /// What this caller's texts are scanned with beside the rules: what `[[allow]]` lets through, and the tags.
    pub fn scan_options(&self) -> &ScanOptions {
        &self.options
    }

    /// How marks are written.
    pub fn marks(&self) -> &MarkFormat {
        self.policy.kinds.set.marks()
    }

    /// The request as a whole: the default, and the rules on requests. `size` is that of the request in bytes.
    pub fn request(&self, size: usize) -> Decision {
        let mut decision = Decision::default();
        let mut is_admitted = self.policy.default == Action::Allow;
        for (rule, active) in self.scope.rules(&self.policy, Stage::Request) {
            if let Ok(found) = active.look(&self.policy, &self.options, rule, size, &[]) {
                is_admitted |= rule.action == Action::Allow && !rule.observe;
                let reasons = if found.reasons.is_empty() {
                    "caller and model".into()
                } else {
                    found.reasons.join(", ")
                };
                decision.add(rule.hit("request", reasons), &rule.message);
            }
        }
        if !is_admitted {
            decision.add(default_hit(), DENIED);
        }
        decision
    }

    /// One whole text. In tool results and answers the secret kinds are masked for everybody; in prompts as the
    /// rules say. An answer that streams is judged by [`output`](Self::output), a tool call better by
    /// [`tool_call`](Self::tool_call).
    pub fn part(&self, stage: Stage, place: &str, text: &str) -> Verdict {
        let base = match stage {
            Stage::ToolResult => Some(&self.scope.masked),
            Stage::Prompt => self.scope.prompt.as_ref(),
            Stage::Output => return self.output.judge(place, &self.options, text),
            Stage::ToolCall => return self.tool_call(place, "", text, &[]),
            Stage::Request => {
                return Verdict {
                    decision: self.request(text.len()),
                    masks: Vec::new(),
                };
            }
        };
        let mut verdict = Verdict::default();
        let secrets = base
            .map(|mask| self.policy.kinds.scan(mask, &self.options, text))
            .unwrap_or_default();
        let looked = [Looked {
            text,
            has_secrets: !secrets.is_empty(),
        }];
        let mut masks = Vec::new();
        if stage == Stage::ToolResult {
            for kind in secrets
                .iter()
                .map(|(_, name)| &name.kind)
                .collect::<BTreeSet<_>>()
            {
                verdict
                    .decision
                    .add(kind_hit(&self.policy, kind, stage, place), "");
            }
            masks = secrets;
        }
        for (rule, found) in self.matching(stage, text.len(), &looked) {
            verdict
                .decision
                .add(rule.hit(place, found.reasons.join(", ")), &rule.message);
            if rule.action == Action::Mask && !rule.observe {
                let spans = found.spans.into_iter();
                masks.extend(spans.map(|(range, name)| (range, name.unwrap_or_else(|| Name::new(&rule.id)))));
            }
        }
        verdict.masks = union(text, masks);
        verdict
    }

    /// A complete tool call that comes down: its name, its arguments as they stand, and each string within them
    /// decoded. A condition holds when it holds for any of these. Has no masks.
    pub fn tool_call(&self, place: &str, name: &str, arguments: &str, strings: &[String]) -> Verdict {
        let texts = [arguments, name]
            .into_iter()
            .chain(strings.iter().map(String::as_str));
        let has_secrets = |text: &str| {
            self.scope
                .tool_call
                .as_ref()
                .is_some_and(|mask| !self.policy.kinds.scan(mask, &self.options, text).is_empty())
        };
        let looked: Vec<_> = texts
            .map(|text| Looked {
                text,
                has_secrets: has_secrets(text),
            })
            .collect();
        let mut verdict = Verdict::default();
        for (rule, found) in self.matching(Stage::ToolCall, arguments.len(), &looked) {
            verdict
                .decision
                .add(rule.hit(place, found.reasons.join(", ")), &rule.message);
        }
        verdict
    }

    /// The rules for what comes down as text.
    pub fn output(&self) -> &OutputRules {
        &self.output
    }

    /// Whose votes are needed when these rules ask for approval. Every rule's requirement must hold: alternatives
    /// are joined each with each, the larger of two counts. A rule without `approvals`, and an unknown id, needs
    /// one person of any default reviewer group; without such groups, nobody can approve.
    pub fn requirement(&self, rule_ids: &[String]) -> Requirement {
        self.policy.requirement(rule_ids)
    }

    fn matching<'s>(
        &'s self,
        stage: Stage,
        size: usize,
        looked: &'s [Looked<'s>],
    ) -> impl Iterator<Item = (&'s Rule, Found)> {
        self.scope
            .rules(&self.policy, stage)
            .filter_map(move |(rule, active)| {
                active
                    .look(&self.policy, &self.options, rule, size, looked)
                    .ok()
                    .map(|found| (rule, found))
            })
    }
}

/// A hit of the masking that is on for everybody.
pub(super) fn kind_hit(policy: &Compiled, kind: &str, stage: Stage, place: &str) -> RuleHit {
    RuleHit {
        id: kind.to_owned(),
        action: Action::Mask,
        stage,
        place: place.to_owned(),
        reason: format!("secret kind {kind}"),
        observed_only: false,
        severity: policy.kinds.severity(kind),
        tags: Vec::new(),
    }
}

fn default_hit() -> RuleHit {
    RuleHit {
        id: DEFAULT_ID.to_owned(),
        action: Action::Block,
        stage: Stage::Request,
        place: "request".to_owned(),
        reason: "the default is deny, and no rule allows this caller".to_owned(),
        observed_only: false,
        severity: None,
        tags: Vec::new(),
    }
}

/// Widens spans to whole characters and joins those that overlap; the longest names the whole.
pub(super) fn union(text: &str, mut spans: Vec<(Range, Name)>) -> Vec<MaskSpan> {
    for (range, _) in &mut spans {
        *range = text.floor_char_boundary(range.start)..text.ceil_char_boundary(range.end);
    }
    spans.sort_by(|(a, na), (b, nb)| (a.start, b.end, &na.kind).cmp(&(b.start, a.end, &nb.kind)));
    let mut joined: Vec<(MaskSpan, usize)> = Vec::new();
    for (range, Name { kind, tag }) in spans {
        match joined.last_mut() {
            Some((last, longest)) if range.start < last.end => {
                last.end = last.end.max(range.end);
                if range.len() > *longest {
                    *longest = range.len();
                    (last.kind, last.tag) = (kind, tag);
                }
            }
            _ => joined.push((
                MaskSpan {
                    start: range.start,
                    end: range.end,
                    kind,
                    tag,
                },
                range.len(),
            )),
        }
    }
    joined.into_iter().map(|(span, _)| span).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn union_joins_overlaps_only() {
        let spans = [(5..8, "b"), (0..3, "a"), (2..5, "long"), (2..4, "c"), (8..9, "d")];
        let joined = union(
            "123456789",
            spans
                .into_iter()
                .map(|(r, k): (Range, _)| (r, Name::new(k)))
                .collect(),
        );
        let plain: Vec<_> = joined.iter().map(|m| (m.start, m.end, m.kind.as_str())).collect();
        assert_eq!(plain, [(0, 5, "a"), (5, 8, "b"), (8, 9, "d")]);
    }
}
