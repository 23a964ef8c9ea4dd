//! What stays the same while a piece of text is read, and the bytes that are still at hand.

use std::borrow::Cow;

use crate::detect::check::When;
use crate::detect::rule::{RuleIndex, RuleMask};
use crate::detect::scan::ScanOptions;
use crate::detect::set::{Compiled, Rule};

/// The text that candidates may still have to look at: what was kept of earlier pieces, and the piece at hand.
pub(super) struct Window<'t> {
    pub(super) kept: &'t [u8],
    /// Offset of the first kept byte.
    pub(super) from: u64,
    pub(super) text: &'t [u8],
}

impl Window<'_> {
    /// Gives the bytes of a range to `f`, in one or two pieces.
    pub(super) fn pieces(&self, start: u64, end: u64, mut f: impl FnMut(&[u8])) {
        let at = |offset: u64| usize::try_from(offset.saturating_sub(self.from)).unwrap_or(usize::MAX);
        let (start, end) = (at(start), at(end));
        let kept = self.kept.len();
        if start < kept {
            f(&self.kept[start..end.min(kept)]);
        }
        if end > kept {
            f(self
                .text
                .get(start.max(kept) - kept..end - kept)
                .unwrap_or_default());
        }
    }

    /// The bytes of a range; copied only when they come from two pieces.
    pub(super) fn text(&self, start: u64, end: u64) -> Cow<'_, [u8]> {
        let at = |offset: u64| usize::try_from(offset.saturating_sub(self.from)).unwrap_or(usize::MAX);
        let (start, end, kept) = (at(start), at(end), self.kept.len());
        if start >= kept {
            Cow::Borrowed(self.text.get(start - kept..end - kept).unwrap_or_default())
        } else if end <= kept {
            Cow::Borrowed(self.kept.get(start..end).unwrap_or_default())
        } else {
            let front = self.kept.get(start..).unwrap_or_default();
            Cow::Owned([front, self.text.get(..end - kept).unwrap_or_default()].concat())
        }
    }

    /// Offset of the first byte of the piece at hand.
    pub(super) const fn base(&self) -> u64 {
        self.from + self.kept.len() as u64
    }
}

/// What stays the same while a piece is read.
pub(super) struct Reading<'r> {
    pub(super) rules: &'r Compiled,
    pub(super) active: &'r RuleMask,
    pub(super) options: &'r ScanOptions,
    pub(super) window: Window<'r>,
}

impl Reading<'_> {
    pub(super) fn rule(&self, index: RuleIndex) -> &Rule {
        self.rules.rule(index)
    }

    /// Whether a candidate's text counts: its rule's check, then what is let through.
    pub(super) fn counts(&self, index: RuleIndex, rule: &Rule, start: u64, end: u64) -> bool {
        let text = self.window.text(start, end);
        let allow = self.options.allow.as_deref();
        (rule.check.when == When::Never || rule.check.passes(&text))
            && !allow.is_some_and(|allow| allow.permits(index, &text))
    }

    /// Whether something is let through of what this rule matches.
    pub(super) fn is_allowed_for(&self, rule: RuleIndex) -> bool {
        let allow = self.options.allow.as_deref();
        allow.is_some_and(|allow| allow.concerns(rule))
    }
}
