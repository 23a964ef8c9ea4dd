//! A redactor behind a gate: masks what stands openly and what stands in disguise.

use super::Views;
use super::gate::{Cover, Gate};
use crate::detect::rule::RuleMask;
use crate::detect::scan::{Found, ScanOptions};
use crate::detect::set::RuleSet;
use crate::detect::sink::Sink;
use crate::detect::stream::Redactor;

/// Masks secrets in one text while it streams, in disguise too. As with a [`Redactor`] alone, the output does not depend
/// on how the text is cut.
#[derive(Debug)]
pub struct Screen {
    gate: Gate,
    redactor: Redactor,
}

impl Screen {
    /// For these rules; views are made with the same.
    pub fn new(rules: &RuleSet, mask: &RuleMask, options: &ScanOptions) -> Self {
        Views::new(rules, mask, options).screen(rules, mask, options)
    }

    pub(super) const fn behind(gate: Gate, redactor: Redactor) -> Self {
        Self { gate, redactor }
    }

    /// Takes the next piece of text; what is decided by now goes to `sink`.
    #[inline]
    pub fn push(&mut self, text: &[u8], sink: &mut impl Sink) {
        let redactor = &mut self.redactor;
        self.gate.push(text, &mut |text: &[u8], covers: &[Cover]| {
            redactor.push_covered(text, covers, sink)
        });
    }

    /// The text has ended: everything left goes to `sink`, and a new, empty text begins.
    pub fn finish(&mut self, sink: &mut impl Sink) {
        let redactor = &mut self.redactor;
        self.gate
            .finish(&mut |text: &[u8], covers: &[Cover]| redactor.push_covered(text, covers, sink));
        self.redactor.finish(sink);
    }

    /// How many bytes are held because what follows decides about them.
    pub fn held(&self) -> usize {
        self.gate.held() + self.redactor.held()
    }

    /// Reads a whole text of its own: what would be masked, in order. Call it at the beginning of a text.
    pub fn find(&mut self, text: &[u8]) -> Vec<Found> {
        let mut finds = crate::detect::scan::Finds::default();
        self.push(text, &mut finds);
        self.finish(&mut finds);
        finds.done
    }
}
