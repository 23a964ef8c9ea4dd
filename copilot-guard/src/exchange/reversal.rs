//! Marks that are taken back: the person who sent a secret reads it in the answer, and the model never had it.
//!
//! 1. A mark is made for one person and session, of a key that is random for this process and kept nowhere. Only marks of
//!    this very request are taken back in its answer, so nobody is shown what they did not send.
//! 2. Only where the answer is prose (`filter/prose.rs`): never in code, links, tags, calls of tools. What is shown is
//!    judged once more with the value in it (`filter/restore.rs`).
//! 3. What is on record never has the value: there a mark of another kind stands, which names the exchange's own tag. The
//!    value takes its place on the wire ([`Reversals::put_back`]), behind everything that looks at text or keeps it.
//! 4. Only values that are one word of plain signs: nothing in them can open a link, a tag, or code.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use zeroize::Zeroizing;

use crate::detect::{MarkFormat, Tag, TagKey};

/// Most marks of one request that can be taken back.
const MOST: usize = 256;
/// Shortest and longest value that can be.
const LENGTHS: std::ops::RangeInclusive<usize> = 4..=512;
/// How a taken-back mark stands in the record.
const RESTORED: &str = "[RESTORED:";

/// What the marks of one request stand for. Cheap to clone; memory is wiped with the last one; `{:?}` prints no value.
#[derive(Clone)]
pub struct Reversals(Arc<[Reversal]>);

/// One mark, and what it stands for.
pub(super) struct Reversal {
    /// As the model was shown it.
    pub(super) mark: String,
    /// What takes its place in the answer and in the record.
    pub(super) restored: String,
    pub(super) kind: String,
    pub(super) value: Zeroizing<String>,
}

/// Makes the marks of one request.
pub struct Reverser {
    /// Of the person's session: the same secret has the same mark in each turn, or no upstream could cache a prompt.
    sent: TagKey,
    /// Of the exchange alone: no model was ever shown a tag of it, so none can write it where it likes.
    shown: TagKey,
    marks: MarkFormat,
    made: Vec<Reversal>,
}

impl Reverser {
    /// `key` is random, and of this person's session alone.
    pub fn new(key: &TagKey, exchange: &str, marks: MarkFormat) -> Self {
        let none: [&[u8]; 0] = [];
        Self {
            sent: key.derive("sent", none),
            shown: key.derive("shown", [exchange.as_bytes()]),
            marks,
            made: Vec::new(),
        }
    }

    /// The tag of the mark that stands for this value; nothing for a value that cannot be put back.
    pub fn tag(&mut self, kind: &str, value: &str) -> Option<Tag> {
        if !is_plain(value) {
            return None;
        }
        let tag = self.sent.tag(kind, [value]);
        let mark = self.marks.render(kind, Some(tag));
        match self.made.iter().find(|made| made.mark == mark) {
            // Two values of one tag: neither is known from the other.
            Some(made) => return (*made.value == value).then_some(tag),
            None if self.made.len() >= MOST => return None,
            None => {}
        }
        let halves = ["1", "2"].map(|half| self.shown.tag(half, [kind, value]));
        self.made.push(Reversal {
            mark,
            restored: format!("{RESTORED}{kind}:{}{}]", halves[0], halves[1]),
            kind: kind.to_owned(),
            value: value.to_owned().into(),
        });
        Some(tag)
    }

    /// Nothing where no mark can be taken back.
    pub fn finish(self) -> Option<Reversals> {
        (!self.made.is_empty()).then(|| Reversals(self.made.into()))
    }
}

/// One word of signs that mean nothing to JSON, Markdown, HTML or a shell's quotes.
fn is_plain(value: &str) -> bool {
    const SPECIAL: &[u8] = br#""\<>[]()`&"#;
    LENGTHS.contains(&value.len())
        && value
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && !SPECIAL.contains(&byte))
}

impl Reversals {
    /// Whether a mark may begin with this character: all do with the same.
    pub(super) fn begin_with(&self, c: char) -> bool {
        self.0
            .first()
            .is_some_and(|reversal| reversal.mark.starts_with(c))
    }

    /// The mark that begins at the start of this text, if one of this request does.
    pub(super) fn at_start(&self, text: &str) -> Option<&Reversal> {
        self.0.iter().find(|reversal| text.starts_with(&reversal.mark))
    }

    /// Whether more of this text may make one of the marks of it.
    pub(super) fn may_begin(&self, text: &str) -> bool {
        self.0.iter().any(|reversal| reversal.mark.starts_with(text))
    }

    /// A piece of the answer as the client gets it: the values in the place of what stands for them on record.
    pub fn put_back(&self, piece: Bytes) -> Bytes {
        let mut rest: &[u8] = &piece;
        let mut out: Option<Zeroizing<Vec<u8>>> = None;
        while let Some((place, value)) = self.next(rest) {
            let out = out.get_or_insert_default();
            out.extend_from_slice(rest.get(..place.start).unwrap_or_default());
            out.extend_from_slice(value.as_bytes());
            rest = rest.get(place.end..).unwrap_or_default();
        }
        match out {
            None => piece,
            Some(mut out) => {
                out.extend_from_slice(rest);
                Bytes::from(std::mem::take(&mut *out))
            }
        }
    }

    fn next(&self, text: &[u8]) -> Option<(Range<usize>, &str)> {
        memchr::memmem::find_iter(text, RESTORED).find_map(|start| {
            let found = text.get(start..)?;
            let reversal = self
                .0
                .iter()
                .find(|reversal| found.starts_with(reversal.restored.as_bytes()))?;
            Some((start..start + reversal.restored.len(), reversal.value.as_str()))
        })
    }
}

impl fmt::Debug for Reversals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reversals")
            .field("marks", &self.0.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reverser(exchange: &str) -> Reverser {
        Reverser::new(&TagKey::new([3; 32]), exchange, MarkFormat::default())
    }

    #[test]
    fn a_mark_is_the_sessions_and_its_place_on_record_the_exchanges() {
        let (mut one, mut two) = (reverser("one"), reverser("two"));
        let tag = one.tag("password", "correct-horse").unwrap();
        assert_eq!(one.tag("password", "correct-horse"), Some(tag));
        assert_eq!(two.tag("password", "correct-horse"), Some(tag));
        let (one, two) = (one.finish().unwrap(), two.finish().unwrap());
        assert_eq!(one.0.len(), 1);
        assert_eq!(one.0[0].mark, two.0[0].mark);
        assert_ne!(one.0[0].restored, two.0[0].restored);
        let piece = Bytes::from(format!("a {} b {}", one.0[0].restored, two.0[0].restored));
        let delivered = format!("a correct-horse b {}", two.0[0].restored);
        assert_eq!(one.put_back(piece.clone()), delivered);
        assert_eq!(one.put_back(Bytes::from_static(b"a [RESTORED:")), "a [RESTORED:");
        assert!(!format!("{one:?}").contains("horse"));
    }

    #[test]
    fn what_could_break_the_text_around_it_is_not_put_back() {
        for value in [
            "abc",
            "two words",
            "a\"bcd",
            "a\\bcd",
            "a<bcd",
            "x](y",
            "`date`",
            "a&lt;",
            "ümlaut",
            "a\nbcd",
        ] {
            assert_eq!(reverser("one").tag("k", value), None, "{value}");
        }
        let long = "x".repeat(513);
        assert_eq!(reverser("one").tag("k", &long), None);
        assert!(reverser("one").tag("k", &long[1..]).is_some());
        assert!(reverser("one").finish().is_none());
    }

    #[test]
    fn the_marks_of_one_request_are_bounded() {
        let mut reverser = reverser("one");
        let made = (0..300).filter(|n| reverser.tag("k", &format!("value-{n}")).is_some());
        assert_eq!(made.count(), MOST);
    }
}
