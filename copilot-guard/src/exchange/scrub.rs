//! Values that are known for one answer alone, such as the upstream credential that was used for it.

use std::fmt;

use crate::audit::MaskCount;
use crate::detect::{LintError, Mark, MarkFormat, Redactor, RuleMask, RuleSet, Sink, known_forms};
use crate::secret::Secret;

/// Takes values out of every text of an answer, in all their [known forms](known_forms). Cheap to clone.
#[derive(Clone)]
pub struct Scrubber {
    rules: RuleSet,
    mask: RuleMask,
}

impl fmt::Debug for Scrubber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Scrubber(..)")
    }
}

impl Scrubber {
    /// The name in marks and records.
    pub(super) const ID: &str = "upstream-credential";

    /// For these values; marks are written in this format.
    ///
    /// # Errors
    /// A value is too short to be told from ordinary text.
    pub fn new(values: &[Secret], marks: &MarkFormat) -> Result<Self, LintError> {
        let forms: Vec<_> = values.iter().flat_map(known_forms).collect();
        let rules = RuleSet::builder()
            .marks(marks.clone())
            .exact_values(Self::ID, &forms)
            .build()?;
        let mask = rules.all();
        Ok(Self { rules, mask })
    }

    /// Whether one of the values is in this text.
    pub fn finds(&self, text: &[u8]) -> bool {
        !self.rules.scan(&self.mask, text).is_empty()
    }

    pub(super) fn stream(&self) -> Scrubbing {
        Scrubbing {
            rules: self.rules.clone(),
            redactor: self.rules.redactor(&self.mask),
            clean: Vec::new(),
        }
    }

    pub(super) fn count(place: String, count: u64) -> MaskCount {
        MaskCount {
            rule: Self::ID.to_owned(),
            channel: place,
            count,
        }
    }
}

/// One text on its way through a [`Scrubber`].
pub(super) struct Scrubbing {
    rules: RuleSet,
    redactor: Redactor,
    clean: Vec<u8>,
}

impl Scrubbing {
    /// The next piece, clean, and how many values began in it. With `is_last` the text ends.
    pub(super) fn run(&mut self, text: &[u8], is_last: bool) -> (&[u8], u64) {
        self.clean.clear();
        let mut sink = Counted {
            out: &mut self.clean,
            rules: &self.rules,
            count: 0,
        };
        self.redactor.push(text, &mut sink);
        if is_last {
            self.redactor.finish(&mut sink);
        }
        let count = sink.count;
        (&self.clean, count)
    }
}

struct Counted<'a> {
    out: &'a mut Vec<u8>,
    rules: &'a RuleSet,
    count: u64,
}

impl Sink for Counted<'_> {
    fn text(&mut self, released: &[u8]) {
        self.out.extend_from_slice(released);
    }

    fn mark(&mut self, mark: Mark) {
        self.count += 1;
        self.out.extend_from_slice(self.rules.mark_text(mark).as_bytes());
    }
}
