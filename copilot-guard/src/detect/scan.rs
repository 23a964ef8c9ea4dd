//! Whole texts, and what a scan needs beside its rules.

use std::sync::Arc;

use super::allow::AllowList;
use super::rule::{RuleIndex, RuleMask};
use super::set::RuleSet;
use super::sink::{Mark, Sink, Span};
use super::stream::Redactor;
use super::tag::{Tag, TagKey};

/// What one caller's texts are scanned with beside the rules: what is let through, and the key of the tags.
///
/// The default lets nothing through and makes no tags.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct ScanOptions {
    /// Texts that are no secrets, whatever a rule says.
    pub allow: Option<Arc<AllowList>>,
    /// Makes the tags of tokens.
    pub tags: Option<Arc<TagKey>>,
}

/// A secret in a whole text: a group of overlapping spans, as one mark takes its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Found {
    /// Offset of its first byte.
    pub start: u64,
    /// Offset after its last byte.
    pub end: u64,
    /// The rule that names the mark.
    pub rule: RuleIndex,
    /// The tag of the mark.
    pub tag: Option<Tag>,
}

impl ScanOptions {
    /// The same with this list of what is let through.
    #[must_use]
    pub fn with_allow(mut self, allow: Arc<AllowList>) -> Self {
        self.allow = Some(allow);
        self
    }

    /// The same with tags made by this key.
    #[must_use]
    pub fn with_tags(mut self, key: Arc<TagKey>) -> Self {
        self.tags = Some(key);
        self
    }
}

impl RuleSet {
    /// The state of one text stream, with these options.
    pub fn redactor_with(&self, mask: &RuleMask, options: &ScanOptions) -> Redactor {
        let mut redactor = self.redactor(mask);
        if let Some(allow) = &options.allow {
            redactor = redactor.with_allow(allow.clone());
        }
        if let Some(key) = &options.tags {
            redactor = redactor.with_tags(key.clone());
        }
        redactor
    }

    /// Scans a whole text with these options: what a redactor would mask, in order.
    pub fn scan_with(&self, mask: &RuleMask, options: &ScanOptions, text: &[u8]) -> Vec<Found> {
        self.redactor_with(mask, options).find(text)
    }
}

impl Redactor {
    /// Reads a whole text of its own: what would be masked, in order. Call it at the beginning of a text.
    pub fn find(&mut self, text: &[u8]) -> Vec<Found> {
        let mut finds = Finds::default();
        self.push(text, &mut finds);
        self.finish(&mut finds);
        finds.done
    }
}

#[derive(Default)]
pub(super) struct Finds {
    /// The mark whose span has not ended.
    open: Option<Mark>,
    pub(super) done: Vec<Found>,
}

impl Sink for Finds {
    fn text(&mut self, _: &[u8]) {}

    fn mark(&mut self, mark: Mark) {
        self.open = Some(mark);
    }

    fn span(&mut self, span: Span) {
        let Span { start, end, rule } = span;
        let tag = self
            .open
            .filter(|mark| mark.start == start)
            .and_then(|mark| mark.tag);
        self.done.push(Found {
            start,
            end,
            rule,
            tag,
        });
    }
}
