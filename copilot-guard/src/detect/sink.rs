//! Where a redactor's output goes.

use super::rule::RuleIndex;
use super::set::RuleSet;
use super::tag::Tag;

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

/// The beginning of a masked piece: what is known when its first byte would have left.
///
/// Exhaustive: sinks of other crates make marks in their tests, and all there is to say so early stands here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Mark {
    /// The rule that names it.
    pub rule: RuleIndex,
    /// Offset of the first masked byte.
    pub start: u64,
    /// Equal for equal tokens of one kind, where the redactor has a key ([`Redactor::with_tags`]) and the rule asks
    /// for it.
    ///
    /// [`Redactor::with_tags`]: super::Redactor::with_tags
    pub tag: Option<Tag>,
}

/// Takes a redactor's output, in the order of the text.
///
/// How the calls are cut depends on how the text came in; what they add up to does not.
pub trait Sink {
    /// Bytes that no continuation of the text can make part of a secret.
    fn text(&mut self, released: &[u8]);

    /// A secret begins here. Called once for a group of overlapping spans, as early as the group is certain.
    fn mark(&mut self, mark: Mark);

    /// A group has ended. Called before whatever follows it, and at the latest by `finish`.
    fn span(&mut self, span: Span) {
        let _ = span;
    }
}

/// A [`Sink`] that appends the redacted text to a buffer, with marks in the format of its rule set.
#[derive(Debug)]
pub struct Marked<'a> {
    rules: RuleSet,
    out: &'a mut Vec<u8>,
}

impl<'a> Marked<'a> {
    pub(super) fn new(rules: RuleSet, out: &'a mut Vec<u8>) -> Self {
        Self { rules, out }
    }
}

impl Sink for Marked<'_> {
    fn text(&mut self, released: &[u8]) {
        self.out.extend_from_slice(released);
    }

    fn mark(&mut self, mark: Mark) {
        self.out.extend_from_slice(self.rules.mark_text(mark).as_bytes());
    }
}
