//! One text stream's state.

use std::fmt;

use super::rule::RuleMask;
use super::set::RuleSet;
use super::sink::Sink;

/// Masks secrets in one text while it streams.
pub struct Redactor {
    rules: RuleSet,
    mask: RuleMask,
}

impl Redactor {
    pub(super) fn new(rules: RuleSet, mask: RuleMask) -> Self {
        Self { rules, mask }
    }

    /// Takes the next piece of text; what is decided by now goes to `sink`.
    pub fn push(&mut self, text: &[u8], sink: &mut impl Sink) {
        let _ = (&self.rules, &self.mask);
        sink.text(text);
    }

    /// The text has ended: everything left goes to `sink`, and a new, empty text begins.
    pub fn finish(&mut self, sink: &mut impl Sink) {
        let _ = sink;
    }

    /// How many bytes are held because what follows decides about them.
    pub fn held(&self) -> usize {
        0
    }
}

impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redactor")
            .field("held", &self.held())
            .finish_non_exhaustive()
    }
}
