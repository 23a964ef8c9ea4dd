//! Where a redactor's output goes.

use std::sync::Arc;

use super::rule::{RuleIndex, RuleInfo};

/// One masked piece of a text: byte offsets in the text as it came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Span {
    /// Offset of the first masked byte.
    pub start: u64,
    /// Offset after the last masked byte.
    pub end: u64,
    /// The rule that names the mark.
    pub rule: RuleIndex,
}

/// Takes a redactor's output, in the order of the text.
///
/// How the calls are cut depends on how the text came in; what they add up to does not.
pub trait Sink {
    /// Bytes that no continuation of the text can make part of a secret.
    fn text(&mut self, released: &[u8]);

    /// A secret begins here. Called once for a group of overlapping spans, as early as the group is certain.
    fn mark(&mut self, rule: RuleIndex, start: u64);

    /// A group has ended. Called before whatever follows it, and at the latest by `finish`.
    fn span(&mut self, span: Span) {
        let _ = span;
    }
}

/// A [`Sink`] that appends the redacted text to a buffer, marks as `[REDACTED:kind]`.
#[derive(Debug)]
pub struct Marked<'a> {
    rules: Arc<[RuleInfo]>,
    out: &'a mut Vec<u8>,
}

impl<'a> Marked<'a> {
    pub(super) fn new(rules: Arc<[RuleInfo]>, out: &'a mut Vec<u8>) -> Self {
        Self { rules, out }
    }
}

impl Sink for Marked<'_> {
    fn text(&mut self, released: &[u8]) {
        self.out.extend_from_slice(released);
    }

    fn mark(&mut self, rule: RuleIndex, _start: u64) {
        let kind = self
            .rules
            .get(rule.as_usize())
            .map_or("secret", |r| r.id.as_str());
        self.out.extend_from_slice(mark(kind).as_bytes());
    }
}

/// What stands in the output in place of a secret of this kind: `[REDACTED:kind]`.
///
/// No built-in rule matches a mark, so redacting twice changes nothing.
pub fn mark(kind: &str) -> String {
    format!("{MARK_OPEN}{kind}]")
}

/// How every mark begins.
pub(super) const MARK_OPEN: &str = "[REDACTED:";
