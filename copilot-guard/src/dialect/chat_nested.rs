//! OpenAI chat completions: strings below an array or object of a delta.
//!
//! Some servers stream text in such members too (`reasoning_details[0].text`, `content[0].text`). A client may join the
//! pieces, so that each string at a path is a channel, like the members of a delta itself. What names a form (`type`,
//! `id`, …) repeats in every chunk and is looked at as a whole.

use super::chat::Texts;
use super::chat_write::delta;
use super::{Blocked, Channel, Inspector, inspect_all, is_opaque_member};
use crate::json::{Document, Edits, Limits, Value, quote};

/// How what a channel still holds is written.
pub(super) enum Tail {
    /// As a string member of the delta.
    Member,
    /// As the last value of a member, with this string in its place and every other channel's string empty.
    Nested {
        member: String,
        last: String,
        node: u32,
        others: Vec<u32>,
    },
}

impl Tail {
    /// The delta that brings `tail` of the channel `name`.
    pub(super) fn delta(&self, name: &str, tail: &str) -> String {
        let Self::Nested {
            member,
            last,
            node,
            others,
        } = self
        else {
            return delta(name, tail);
        };
        let Ok(doc) = Document::parse(last.as_bytes(), Limits::default()) else {
            return delta(name, tail);
        };
        let mut edits = Edits::default();
        for other in others {
            edits.set_raw(*other, quote(""));
        }
        edits.set_raw(*node, quote(tail));
        format!("{{{}:{}}}", quote(member), doc.to_text(&edits))
    }
}

/// One array or object of a delta.
pub(super) struct Nested<'d> {
    index: u32,
    name: String,
    member: Value<'d>,
    /// Channels found: name, and the string's node within the member.
    found: Vec<(String, u32)>,
}

impl<'d> Nested<'d> {
    pub(super) fn new(index: u32, name: &str, member: Value<'d>) -> Self {
        Self {
            index,
            name: name.to_owned(),
            member,
            found: Vec::new(),
        }
    }

    /// Takes every string below.
    pub(super) fn take(
        &mut self,
        inspector: &mut dyn Inspector,
        edits: &mut Edits,
        texts: &mut Texts,
    ) -> Result<(), Blocked> {
        // Notes of the service, complete in one chunk: not text that goes on.
        if self.name.ends_with("annotations") {
            return inspect_all(self.member, &self.name, inspector, edits);
        }
        let path = self.name.clone();
        self.value(self.member, path, inspector, edits, texts)
    }

    fn value(
        &mut self,
        value: Value<'_>,
        path: String,
        inspector: &mut dyn Inspector,
        edits: &mut Edits,
        texts: &mut Texts,
    ) -> Result<(), Blocked> {
        if let Some(text) = value.as_str() {
            let mut shown = String::new();
            let result = inspector.delta(&Channel::new(self.index, &*path), &text, &mut shown);
            if result.is_err() || shown != text {
                edits.set_str(value, &shown);
            }
            self.found
                .push((path.clone(), value.index() - self.member.index()));
            texts.insert(path, (value.index(), shown));
            return result;
        }
        for (i, item) in value.items().enumerate() {
            self.value(item, format!("{path}[{i}]"), inspector, edits, texts)?;
        }
        for (name, member) in value.entries() {
            let inner = format!("{path}.{name}");
            if is_opaque_member(&name) {
                inspector.not_scanned(&inner);
            } else if matches!(
                &*name,
                "type" | "format" | "role" | "id" | "index" | "name" | "status"
            ) {
                inspect_all(member, &inner, inspector, edits)?;
            } else {
                self.value(member, inner, inspector, edits, texts)?;
            }
        }
        Ok(())
    }

    /// How to write what the channels found still hold.
    pub(super) fn tails(self) -> Vec<(String, Tail)> {
        let nodes: Vec<u32> = self.found.iter().map(|(_, node)| *node).collect();
        let tail = |(channel, node): &(String, u32)| {
            let others = nodes.iter().copied().filter(|n| n != node).collect();
            let (member, last) = (self.name.clone(), self.member.raw().to_owned());
            (
                channel.clone(),
                Tail::Nested {
                    member,
                    last,
                    node: *node,
                    others,
                },
            )
        };
        self.found.iter().map(tail).collect()
    }
}
