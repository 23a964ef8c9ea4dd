//! Secrets in disguise: encoded, spelled out, turned round, written in look-alikes or with what nobody sees between.
//!
//! A *view* is a text made from the original by undoing one kind of disguise, with a way back from each of its bytes. The
//! rules look at views as they look at text. What they find is masked where it stands in the original; everything else is
//! delivered as it came, byte for byte.
//!
//! | view | undoes |
//! | --- | --- |
//! | `fold` | characters that are not drawn, combining marks, full width, mathematical, circled, look-alikes of other scripts |
//! | `escape` | `%41`, `\x41`, `\u0041`, `\101`, `&#65;`, quoted-printable, colours of terminals |
//! | `markup`, `literals` | markup within words; literals that a program joins |
//! | `spaced` | one character (or group) at a time, with always the same between them; one on each line; numbered |
//! | `decode`, `numbers` | base64 and its URL form at each place, base32, hexadecimal, lists of numbers, dumps, gzip and zlib inside |
//! | `mail` | ascii85, uuencode |
//! | `find` | the text read backwards, rot13; what was decoded once more |
//!
//! What letters are moved about in (spaced, backwards, rot13) is looked at for kinds whose form alone is certain: with a
//! fixed beginning and at least 64 random bits. Nothing here looks for what has no end: private codes, leet, ciphers with
//! a key.
//!
//! A stream goes through a [`Gate`], which says what is held and for how long.

mod class;
mod decode;
mod escape;
mod find;
mod fold;
mod gate;
mod literals;
mod mail;
mod mapped;
mod markup;
mod numbers;
mod screen;
mod spaced;
mod token;
mod word;

pub use gate::{Cover, Gate, MOST_HELD, Through};
pub use screen::Screen;

use std::sync::Arc;

use find::Finder;

use super::rule::{RuleIndex, RuleMask};
use super::scan::ScanOptions;
use super::set::RuleSet;

/// What one caller's texts are looked at with. Cheap to clone.
#[derive(Clone)]
pub struct Views(Arc<Finder>);

impl Views {
    /// Looks for these rules.
    pub fn new(rules: &RuleSet, mask: &RuleMask, options: &ScanOptions) -> Self {
        Self(Arc::new(Finder::new(rules, mask, options)))
    }

    /// A redactor for the same rules behind a gate.
    pub fn screen(&self, rules: &RuleSet, mask: &RuleMask, options: &ScanOptions) -> Screen {
        Screen::behind(self.gate(), rules.redactor_with(mask, options))
    }

    /// The gate of one text.
    pub fn gate(&self) -> Gate {
        Gate::new(self.0.clone())
    }

    /// The secrets of a whole text that only a view shows: what a gate covers, in order.
    pub fn find(&self, text: &[u8]) -> Vec<Cover> {
        let mut found = Vec::new();
        let mut take = |_: &[u8], covers: &[Cover]| found.extend_from_slice(covers);
        let mut gate = self.gate();
        gate.push(text, &mut take);
        gate.finish(&mut take);
        found
    }
}

impl std::fmt::Debug for Views {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Views(..)")
    }
}

/// Secrets that stand in the text only in an encoded or disguised form.
pub fn encoded(
    rules: &RuleSet,
    mask: &RuleMask,
    options: &ScanOptions,
    text: &str,
) -> Vec<(std::ops::Range<usize>, RuleIndex)> {
    let at = |offset: u64| usize::try_from(offset).unwrap_or(usize::MAX);
    Views::new(rules, mask, options)
        .find(text.as_bytes())
        .into_iter()
        .map(|c| (at(c.start)..at(c.end), c.rule))
        .collect()
}
