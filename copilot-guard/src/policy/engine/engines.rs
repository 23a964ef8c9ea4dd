//! The engines of one guard; what they say, read strictly.

use std::sync::Arc;

use super::{PolicyEngine, Question};
use crate::decision::{Action, Decision, RuleHit};

/// The id of hits that an engine gave none, or no usable one.
const NAMELESS: &str = "engine";
/// Most hits of one answer of one engine that are kept: the strictest.
const MAX_HITS: usize = 32;
const MAX_ID: usize = 64;
const MAX_REASON: usize = 200;
const MAX_MESSAGE: usize = 2000;
const MAX_TAGS: usize = 16;

/// Any number of engines. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Engines(Arc<[Arc<dyn PolicyEngine>]>);

impl Engines {
    /// These engines.
    pub fn new(engines: impl IntoIterator<Item = Arc<dyn PolicyEngine>>) -> Self {
        Self(engines.into_iter().collect())
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What all of them say; the strictest counts.
    ///
    /// # Panics
    /// When an engine does: the caller must treat it as a refusal.
    pub fn decide(&self, question: &Question<'_>) -> Decision {
        let mut decision = Decision::default();
        for engine in self.0.iter() {
            decision.merge(read(question, engine.decide(question)));
        }
        decision
    }

    /// The policy's version and those of all engines that have one, joined by `+`.
    pub fn version_with(&self, policy: &str) -> String {
        let engines = self.0.iter().map(|engine| plain(&engine.version()));
        std::iter::once(policy.to_owned())
            .chain(engines.filter(|version| !version.is_empty()))
            .collect::<Vec<_>>()
            .join("+")
    }
}

/// What an engine said, without what it cannot ask for and with what it left out.
fn read(question: &Question<'_>, said: Decision) -> Decision {
    let wanted = acting(said.action);
    let mut hits = said.hits;
    for hit in &mut hits {
        hit.action = acting(hit.action);
    }
    // Observed ones last: they may be cut off.
    hits.sort_by_key(|hit| std::cmp::Reverse((!hit.observed_only, hit.action)));
    let missing = !hits.iter().any(|hit| !hit.observed_only && hit.action >= wanted);
    hits.truncate(MAX_HITS);
    let message = cut(said.message, MAX_MESSAGE);
    let mut decision = Decision::default();
    if missing && wanted > Action::Allow {
        let mut hit = question.hit(NAMELESS, wanted, "it named no rule");
        hit.tags.push(NAMELESS.to_owned());
        decision.add(hit, &message);
    }
    for hit in hits {
        let id = match plain(&hit.id) {
            id if id.is_empty() => NAMELESS.to_owned(),
            id => id,
        };
        let tags = hit.tags.into_iter().map(|tag| cut(tag, MAX_ID));
        let hit = RuleHit {
            observed_only: hit.observed_only,
            severity: hit.severity.map(|severity| plain(&severity)),
            tags: std::iter::once(NAMELESS.to_owned())
                .chain(tags)
                .take(MAX_TAGS)
                .collect(),
            ..question.hit(id, hit.action, cut(hit.reason, MAX_REASON))
        };
        decision.add(hit, &message);
    }
    decision
}

/// A mask without a place would let the text pass unchanged.
const fn acting(action: Action) -> Action {
    match action {
        Action::Mask => Action::Block,
        other => other,
    }
}

/// Ids stand in headers and records: see the policy's own.
fn plain(id: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let plain = id.chars().map(|c| if is_plain(c) { c } else { '-' });
    plain.take(MAX_ID).collect()
}

fn cut(mut text: String, most: usize) -> String {
    text.truncate(text.floor_char_boundary(most));
    text
}
