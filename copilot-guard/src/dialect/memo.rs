//! Events that say the same as one before, but for some text: recognised without reading them again.
//!
//! Of a hundred events of an answer ninety-eight are one event with another piece of text in it. Once a dialect has
//! read such an event in full, it names the places where the next one may differ ([`Slot`]). An event that is the same
//! byte for byte between these places, and has a valid string in each, has the same members, the same
//! meaning, and no other text: what the full pass would have found is known.

use std::ops::Range;

use super::{Blocked, Channel, Inspector};
use crate::json;
use crate::sse::Event;

/// Most shapes that are kept: one per choice of a usual answer.
const SHAPES: usize = 8;
/// Most slots of one shape.
const SLOTS: usize = 4;
/// Longest event that is remembered.
const LONGEST: usize = 16 << 10;

/// A place in an event's data that may differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slot {
    /// Bytes of the data: what stands between a string's quotes.
    pub range: Range<usize>,
    /// What stands there.
    pub kind: SlotKind,
}

/// What a slot holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SlotKind {
    /// The next piece of a channel.
    Delta(Channel),
    /// A string that stands for itself.
    Whole(String),
}

/// The shapes of an answer's events so far.
#[derive(Debug, Default)]
pub(crate) struct Memo {
    shapes: Vec<Shape>,
    /// A piece of text, unescaped, and what may be shown of it.
    text: String,
    shown: String,
}

#[derive(Debug)]
struct Shape {
    name: String,
    /// One more than there are slots: what stands before each, and behind the last.
    literals: Vec<String>,
    /// The same as it is written: without blanks between tokens.
    written: Vec<String>,
    slots: Vec<SlotKind>,
}

impl Memo {
    /// What was learnt holds no longer: the answer has moved on.
    pub(crate) fn clear(&mut self) {
        self.shapes.clear();
    }

    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        self.shapes.is_empty()
    }

    /// Remembers an event that was read in full.
    pub(crate) fn learn(&mut self, event: Event<'_>, slots: Vec<Slot>) {
        if slots.is_empty() || slots.len() > SLOTS || event.data.len() > LONGEST {
            return;
        }
        let mut literals = Vec::with_capacity(slots.len() + 1);
        let mut written = Vec::with_capacity(slots.len() + 1);
        let (mut at, mut in_string) = (0, false);
        let end = event.data.len()..event.data.len();
        let ends = slots.iter().map(|slot| &slot.range).chain([&end]);
        for range in ends {
            let Some(literal) = event.data.get(at..range.start) else {
                return;
            };
            written.push(without_blanks(literal, &mut in_string));
            literals.push(literal.to_owned());
            at = range.end;
        }
        if self.shapes.len() >= SHAPES {
            self.shapes.remove(0);
        }
        self.shapes.push(Shape {
            name: event.name.to_owned(),
            literals,
            written,
            slots: slots.into_iter().map(|slot| slot.kind).collect(),
        });
    }

    /// Writes an event whose shape is known; `None` when it must be read in full.
    pub(crate) fn write(
        &mut self,
        event: Event<'_>,
        inspector: &mut dyn Inspector,
        out: &mut Vec<u8>,
    ) -> Option<Result<(), Blocked>> {
        let mut found = [const { 0..0 }; SLOTS];
        let shape = self
            .shapes
            .iter()
            .find(|shape| shape.matches(event, &mut found).is_some())?;
        let (last, before) = shape.written.split_last()?;
        let begin = out.len();
        if !event.name.is_empty() {
            out.extend_from_slice(b"event: ");
            out.extend_from_slice(event.name.as_bytes());
            out.push(b'\n');
        }
        out.extend_from_slice(b"data: ");
        let (mut result, mut shows) = (Ok(()), false);
        for ((kind, range), literal) in shape.slots.iter().zip(found).zip(before) {
            let raw = event.data.get(range).unwrap_or_default();
            self.shown.clear();
            let text = match json::unescape_into(raw, &mut self.text) {
                true => self.text.as_str(),
                false => raw,
            };
            let is_changed = match kind {
                // What follows a stop was not looked at.
                _ if result.is_err() => true,
                SlotKind::Delta(channel) => {
                    result = inspector.delta(channel, text, &mut self.shown);
                    shows |= !self.shown.is_empty();
                    self.shown != text
                }
                SlotKind::Whole(place) => match inspector.whole(place, text) {
                    Ok(None) => false,
                    Ok(Some(changed)) => {
                        self.shown = changed;
                        true
                    }
                    Err(blocked) => {
                        result = Err(blocked);
                        true
                    }
                },
            };
            out.extend_from_slice(literal.as_bytes());
            if is_changed {
                json::escape_into(&self.shown, out);
            } else {
                out.extend_from_slice(raw.as_bytes());
            }
        }
        out.extend_from_slice(last.as_bytes());
        out.extend_from_slice(b"\n\n");
        if result.is_err() && !shows {
            // Nothing of it may be shown.
            out.truncate(begin);
        }
        Some(result)
    }
}

impl Shape {
    /// Finds what stands in the slots of an event of this shape.
    fn matches(&self, event: Event<'_>, found: &mut [Range<usize>; SLOTS]) -> Option<()> {
        if self.name != event.name {
            return None;
        }
        let data = event.data;
        let mut at = 0;
        for (i, _) in self.slots.iter().enumerate() {
            let literal = self.literals.get(i)?;
            data.get(at..)?.starts_with(literal.as_str()).then_some(())?;
            at += literal.len();
            let end = json::string_end(data, at)?;
            *found.get_mut(i)? = at..end;
            at = end;
        }
        let last = self.literals.last()?;
        (data.get(at..)? == last).then_some(())
    }
}

/// JSON without the blanks between its tokens. `in_string`: whether the text begins, and then ends, within a string.
fn without_blanks(json: &str, in_string: &mut bool) -> String {
    let mut escaped = false;
    let keep = |c: &char| {
        let kept = *in_string || !matches!(c, ' ' | '\t' | '\n' | '\r');
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = *in_string,
            '"' => *in_string = !*in_string,
            _ => {}
        }
        kept
    };
    json.chars().filter(keep).collect()
}
