//! The verdict on each part of an exchange.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Query;
use super::compile::Compiled;
use super::kinds::Name;
use super::look::{Asked, Looked, Sight, Subject};
use super::matcher::Range;
use super::output::OutputRules;
use super::rule::{Found, Rule};
use super::rule_check::DEFAULT_ID;
use super::scope::Scope;
use crate::approval::Requirement;
use crate::decision::{Action, Decision, RuleHit, Stage};
use crate::detect::{MarkFormat, RuleMask, ScanOptions, Tag, TagKey};

/// The policy for one caller and model. Cheap to clone.
#[derive(Debug, Clone)]
pub struct CallerPolicy {
    pub(super) policy: Arc<Compiled>,
    pub(super) scope: Arc<Scope>,
    output: Arc<OutputRules>,
    pub(super) options: ScanOptions,
    /// What the request asks for, where a rule looks at it.
    pub(super) asked: Option<Arc<Asked>>,
    fingerprint: Option<[u8; 32]>,
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
    /// A rule says that the person who sent it may read it in the answer.
    pub reversible: bool,
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
            asked: None,
            fingerprint: None,
        }
    }

    pub(super) fn known_by(mut self, fingerprint: [u8; 32]) -> Self {
        self.fingerprint = Some(fingerprint);
        self
    }

    /// Two with the same fingerprint say the same of one text at one stage, but for the tags. Within this process.
    pub fn fingerprint(&self) -> Option<&[u8; 32]> {
        self.fingerprint.as_ref()
    }

    /// The same for a request that asks for this.
    pub(super) fn asking(mut self, query: &Query<'_>) -> Self {
        let looks = |rule: &Rule| !rule.matcher.routes.is_empty() || !rule.matcher.parameters.is_empty();
        if self.policy.rules.iter().any(looks) {
            self.asked = Some(Arc::new(Asked {
                route: query.route.to_owned(),
                parameters: query.parameters.iter().cloned().collect(),
            }));
        }
        self
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
        let subject = Subject::request(size, self.asked.as_deref());
        let sight = self.sight(Stage::Request);
        for (rule, found) in self.matching(&sight, Stage::Request, &subject) {
            is_admitted |= rule.action == Action::Allow && !rule.observe;
            decision.add(rule.hit("request", found.told()), &rule.message);
        }
        self.add_lifted(&sight, Stage::Request, "request", &subject, &mut decision);
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
            Stage::Prompt => None,
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
        let mut masks = Vec::new();
        let mut looked = Looked::new(text);
        if let Some(base) = base {
            let (secrets, encoded) = self.masked(base, stage, place, text, &mut verdict.decision);
            looked = looked.with_secrets(!secrets.is_empty() || self.scope.lifted_mask.is_some());
            masks = secrets;
            masks.extend(encoded);
        }
        let subject = Subject::text(looked);
        let sight = self.sight(stage);
        for (rule, found) in self.matching(&sight, stage, &subject) {
            verdict.decision.add(rule.hit(place, found.told()), &rule.message);
            if rule.action == Action::Mask && !rule.observe {
                let spans = found.spans.into_iter();
                masks.extend(spans.map(|(range, name)| (range, name.unwrap_or_else(|| Name::new(&rule.id)))));
            }
        }
        self.add_lifted(&sight, stage, place, &subject, &mut verdict.decision);
        verdict.masks = union(text, masks);
        // Only of tokens that are known again wherever they stand: what was put back comes up again.
        for mask in verdict.masks.iter_mut().filter(|mask| mask.tag.is_some()) {
            mask.reversible = self.is_reversible(&mask.kind);
        }
        verdict
    }

    /// Whether a rule on prompts says that the person may read secrets of this kind in answers.
    fn is_reversible(&self, kind: &str) -> bool {
        self.scope
            .rules(&self.policy, Stage::Prompt)
            .filter(|(rule, _)| rule.reversible)
            .any(|(rule, active)| rule.matcher.secrets.is_some() && active.kinds.contains(kind))
    }

    /// What is masked for everybody, plain and encoded, with its hits; and those of what exceptions lift.
    fn masked(
        &self,
        mask: &RuleMask,
        stage: Stage,
        place: &str,
        text: &str,
        decision: &mut Decision,
    ) -> (Named, Named) {
        let kinds = &self.policy.kinds;
        let secrets = kinds.scan(mask, &self.options, text);
        let encoded = kinds.scan_encoded(mask, &self.options, text);
        let found: BTreeSet<_> = secrets
            .iter()
            .chain(&encoded)
            .map(|(_, name)| &name.kind)
            .collect();
        for kind in found {
            decision.add(kind_hit(&self.policy, kind, stage, place), "");
        }
        if let Some(lifted) = &self.scope.lifted_mask {
            let found = kinds.scan(lifted, &self.options, text);
            let found: BTreeSet<_> = found.iter().map(|(_, name)| &name.kind).collect();
            for kind in found {
                if let Some(note) = self.scope.lifted_kinds.get(kind) {
                    decision.add(lifted_kind_hit(&self.policy, kind, stage, place, note), "");
                }
            }
        }
        (secrets, encoded)
    }

    /// A complete tool call that comes down: its name, its arguments as they stand, and each string within them
    /// decoded. A condition holds when it holds for any of these. Has no masks.
    pub fn tool_call(&self, place: &str, name: &str, arguments: &str, strings: &[String]) -> Verdict {
        let subject = Subject::call(name, arguments, strings);
        let sight = self.sight(Stage::ToolCall);
        let mut verdict = Verdict::default();
        for (rule, found) in self.matching(&sight, Stage::ToolCall, &subject) {
            verdict.decision.add(rule.hit(place, found.told()), &rule.message);
        }
        self.add_lifted(&sight, Stage::ToolCall, place, &subject, &mut verdict.decision);
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

    pub(super) fn sight(&self, stage: Stage) -> Sight<'_> {
        self.scope.sight(&self.policy, &self.options, stage)
    }

    fn matching<'s>(
        &'s self,
        sight: &'s Sight<'s>,
        stage: Stage,
        subject: &'s Subject<'s>,
    ) -> impl Iterator<Item = (&'s Rule, Found)> {
        self.scope
            .rules(&self.policy, stage)
            .filter_map(move |(rule, active)| {
                let found = rule.matcher.look(sight, active, subject).ok()?;
                Some((rule, found))
            })
    }

    /// Records what would have matched, were there no exception. Costs nothing where there is none.
    fn add_lifted(
        &self,
        sight: &Sight<'_>,
        stage: Stage,
        place: &str,
        subject: &Subject<'_>,
        decision: &mut Decision,
    ) {
        for (rule, active, note) in self.scope.lifted(&self.policy, stage) {
            let Ok(found) = rule.matcher.look(sight, active, subject) else {
                continue;
            };
            if rule.matcher.secrets.is_none() || !found.kinds.is_disjoint(&active.kinds) {
                decision.add(rule.lifted_hit(place, note), "");
            }
        }
    }
}

/// Places of secrets, with their names.
type Named = Vec<(Range, Name)>;

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

/// A hit of what an exception lifts of that masking.
pub(super) fn lifted_kind_hit(
    policy: &Compiled,
    kind: &str,
    stage: Stage,
    place: &str,
    note: &str,
) -> RuleHit {
    RuleHit {
        reason: note.to_owned(),
        observed_only: true,
        ..kind_hit(policy, kind, stage, place)
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
                    reversible: false,
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
