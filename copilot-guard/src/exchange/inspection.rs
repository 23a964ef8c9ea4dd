//! Texts that are no answer of a model, looked at with the caller's rules.

use super::judge::Judge;
use super::{Notices, Scrubber, Summary};
use crate::decision::RuleHit;
use crate::detect::RuleSet;
use crate::dialect::Inspector;
use crate::policy::CallerPolicy;

/// The caller's rules, and what they found.
pub struct Inspection(Judge);

impl Inspection {
    /// For the caller whose rules `policy` holds. `notices` are the exchange's.
    pub fn new(rules: RuleSet, policy: CallerPolicy, notices: impl Into<Notices>) -> Self {
        Self(Judge::new(rules, policy, notices.into()))
    }

    /// Takes further values out of every text.
    pub fn scrub(&mut self, scrubber: Scrubber) {
        self.0.scrub(scrubber);
    }

    /// To be shown the texts.
    pub fn inspector(&mut self) -> &mut dyn Inspector {
        &mut self.0
    }

    /// Rules that matched since the last call.
    pub fn take_hits(&mut self) -> Vec<RuleHit> {
        self.0.take_hits()
    }

    /// What the record needs at the end.
    pub fn summary(&self) -> Summary {
        self.0.summary()
    }
}
