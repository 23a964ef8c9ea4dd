//! Looks for secrets in every view of a text that is at hand.

use std::ops::Range;

use super::mapped::Mapped;
use super::{decode, escape, fold, literals, mail, markup, spaced};
use crate::detect::rule::{RuleIndex, RuleMask};
use crate::detect::scan::ScanOptions;
use crate::detect::set::RuleSet;

/// How often what was decoded is decoded again.
const DEEPEST: u8 = 2;
/// Most bytes of views for each byte of text, and for short texts.
const MOST_TIMES: usize = 64;
const MOST_AT_LEAST: usize = 64 << 10;
/// Most places within a decoded text that are tried as its beginning, and how far is looked from each.
const MOST_SEAMS: usize = 24;
const LONGEST_GLUED: usize = 512;
/// How far before a secret a disguise still counts as its own: in the name of the field that it stands in.
const CONTEXT: usize = 64;

/// The rules that are looked for, and those of them whose form alone is certain.
#[derive(Clone)]
pub(super) struct Finder {
    rules: RuleSet,
    all: RuleMask,
    /// With a fixed beginning: they are looked for also where letters were moved about.
    anchored: RuleMask,
    options: ScanOptions,
}

/// What a text shows at a glance: which views are worth while.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Hints {
    /// Short pieces with something between them.
    pub(super) sparse: bool,
    /// A run of letters and digits that is long enough to be a token read backwards.
    pub(super) turned: bool,
}

impl Finder {
    pub(super) fn new(rules: &RuleSet, mask: &RuleMask, options: &ScanOptions) -> Self {
        let mut options = options.clone();
        // A tag says that two tokens are the same; of what is disguised, no such thing is said.
        options.tags = None;
        Self {
            // A JSON web token begins like no other text does.
            anchored: rules.narrowed(mask, |info| info.tagged || info.id == "jwt"),
            rules: rules.clone(),
            all: mask.clone(),
            options,
        }
    }

    /// The secrets of `raw` that only a view shows, in no order. What stands openly is not told.
    pub(super) fn find(&self, raw: &[u8], hints: Hints) -> Vec<(Range<usize>, RuleIndex)> {
        let mut search = Search {
            finder: self,
            raw,
            found: Vec::new(),
            left: MOST_AT_LEAST.max(raw.len().saturating_mul(MOST_TIMES)),
        };
        search.explore(Mapped::identity(raw), hints, DEEPEST, false);
        search.found
    }
}

struct Search<'f> {
    finder: &'f Finder,
    raw: &'f [u8],
    found: Vec<(Range<usize>, RuleIndex)>,
    /// How many more bytes may be looked at.
    left: usize,
}

impl Search<'_> {
    /// Looks at a text and its views. With `is_new` it was made here and has not been scanned.
    fn explore(&mut self, text: Mapped, hints: Hints, depth: u8, is_new: bool) {
        if is_new {
            self.scan(&text, false);
            // What a text was glued to before it was encoded does not save it.
            for glued in (1..=3.min(text.len())).chain(seams(&text.text)) {
                let end = text.len().min(glued + LONGEST_GLUED);
                let part = text.part(glued..end);
                // An address says what it is.
                let head = part.text.get(..24).unwrap_or(&part.text);
                self.scan(&part, memchr::memmem::find(head, b"://").is_none());
            }
        }
        let untouched = memchr::memchr(b'\\', &text.text).map(|_| text.clone());
        let original = fold::has_tags(&text).then(|| text.clone());
        let text = self.step(fold::fold(&text), text);
        let text = self.step(escape::unescape(&text), text);
        // An escape may stand for an escape, or for a letter of another script.
        let text = self.step(escape::unescape(&text), text);
        let text = self.step(fold::fold(&text), text);
        if let Some(spelled) = original.as_ref().and_then(fold::spelled_in_tags) {
            self.scan(&spelled, false);
        }
        if depth > 0 {
            // Its signs look like escapes.
            let mut inner = Vec::new();
            mail::ascii85(untouched.as_ref().unwrap_or(&text), &mut |m| inner.push(m));
            inner
                .into_iter()
                .for_each(|m| self.explore(m, hints, depth - 1, true));
        }
        let joined = literals::join(&text);
        let stripped = markup::strip_markup(joined.as_ref().unwrap_or(&text));
        for view in [&joined, &stripped].into_iter().flatten() {
            self.scan(view, false);
        }
        if let Some(bare) = joined.as_ref().and_then(literals::without_arguments) {
            self.scan(&bare, true);
        }
        if let Some(assigned) = literals::join_assigned(&text) {
            self.scan(&assigned, true);
        }
        let bare = stripped.or(joined);
        if hints.sparse {
            for view in [untouched.as_ref(), Some(&text), bare.as_ref()]
                .into_iter()
                .flatten()
            {
                let mut spelled = Vec::new();
                spaced::join(view, &mut |m| spelled.push(m));
                for word in spelled {
                    self.scan(&word, true);
                    // It may be turned about too.
                    let hints = Hints {
                        turned: true,
                        ..hints
                    };
                    self.dense(&word, hints, depth);
                }
            }
        }
        self.dense(&text, hints, depth);
        if let Some(bare) = bare {
            let turned = hints.turned || has_long_word(&bare.text);
            self.dense(&bare, Hints { turned, ..hints }, depth);
        }
    }

    /// Scans a view, where there is one, and goes on with it.
    fn step(&mut self, view: Option<Mapped>, text: Mapped) -> Mapped {
        match view {
            Some(view) => {
                self.scan(&view, false);
                view
            }
            None => text,
        }
    }

    /// What stands encoded in runs of letters and digits, and the text turned about.
    fn dense(&mut self, text: &Mapped, hints: Hints, depth: u8) {
        if depth == 0 {
            return;
        }
        let mut inner = Vec::new();
        decode::decode(text, &mut |m| inner.push(m));
        if hints.turned {
            let reversed = text.reversed();
            self.scan(&reversed, true);
            decode::decode(&reversed, &mut |m| inner.push(m));
            let rotated = text.replaced(rot13);
            self.scan(&rotated, true);
        }
        for decoded in inner {
            if self.left < decoded.len() {
                return;
            }
            // Within what was decoded every view is worth while.
            let hints = Hints {
                sparse: false,
                turned: decoded.len() < 4096,
            };
            self.explore(decoded, hints, depth - 1, true);
        }
    }

    fn scan(&mut self, view: &Mapped, only_anchored: bool) {
        if view.len() > self.left {
            return;
        }
        self.left -= view.len();
        let finder = self.finder;
        let mask = if only_anchored {
            &finder.anchored
        } else {
            &finder.all
        };
        for found in finder.rules.scan_with(mask, &finder.options, &view.text) {
            let at = |offset: u64| usize::try_from(offset).unwrap_or(usize::MAX);
            let (start, end) = (at(found.start), at(found.end));
            if !view.is_plain(start.saturating_sub(CONTEXT)..end, self.raw) {
                self.found.push((view.raw(start..end), found.rule));
            }
        }
    }
}

/// Where in what was decoded a text may begin that is glued to the one before: small letters end, or capitals.
fn seams(text: &[u8]) -> impl Iterator<Item = usize> {
    let seam = |(n, pair): (usize, &[u8])| {
        let is_seam = match pair {
            [a, b] => {
                a.is_ascii_lowercase() && b.is_ascii_uppercase()
                    || a.is_ascii_uppercase() && b.is_ascii_lowercase()
                    || a.is_ascii_digit() && b.is_ascii_alphabetic()
            }
            _ => false,
        };
        is_seam.then_some(n + 1)
    };
    text.windows(2).enumerate().filter_map(seam).take(MOST_SEAMS)
}

/// Whether there is a run that is long enough to be a token read backwards.
fn has_long_word(text: &[u8]) -> bool {
    text.split(|b| !b.is_ascii_alphanumeric())
        .any(|word| word.len() >= 16)
}

fn rot13(byte: u8) -> u8 {
    match byte {
        b'a'..=b'z' => (byte - b'a' + 13) % 26 + b'a',
        b'A'..=b'Z' => (byte - b'A' + 13) % 26 + b'A',
        _ => byte,
    }
}
