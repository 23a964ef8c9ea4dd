//! OpenAI Responses: one text that comes in pieces, and where a client keeps it.

use super::{Channel, Malformed};
use crate::json::{Value, quote};

/// A kind of text: how its events are called, and where it stands in a whole item.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Form {
    /// Its events are `STEM.delta` and `STEM.done`.
    pub(super) stem: &'static str,
    /// The item's list of parts, and the member of events that counts them; none when it is a member of the item.
    pub(super) list: Option<(&'static str, &'static str)>,
    /// The part's `type`.
    pub(super) part: &'static str,
    /// The member that holds the whole text: of the part (or item), and of `STEM.done`.
    pub(super) member: &'static str,
}

const CONTENT: Option<(&str, &str)> = Some(("content", "content_index"));
const SUMMARY: Option<(&str, &str)> = Some(("summary", "summary_index"));

const FORMS: [Form; 5] = [
    Form {
        stem: "response.output_text",
        list: CONTENT,
        part: "output_text",
        member: "text",
    },
    Form {
        stem: "response.refusal",
        list: CONTENT,
        part: "refusal",
        member: "refusal",
    },
    Form {
        stem: "response.reasoning_text",
        list: CONTENT,
        part: "reasoning_text",
        member: "text",
    },
    Form {
        stem: "response.reasoning_summary_text",
        list: SUMMARY,
        part: "summary_text",
        member: "text",
    },
    Form {
        stem: "response.code_interpreter_call_code",
        list: None,
        part: "",
        member: "code",
    },
];

/// What a client has seen of a text's end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    Open,
    TextDone,
    PartDone,
}

/// Which text of an item it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Key {
    /// The event type without its last word.
    pub(super) stem: String,
    /// Its place among the texts of that kind: names and numbers, sorted by name.
    pub(super) at: Vec<(String, u32)>,
    pub(super) form: Option<&'static Form>,
}

/// One text as far as it has come.
#[derive(Debug)]
pub(super) struct Text {
    pub(super) key: Key,
    /// The part as its `added` event was written, when there was one.
    pub(super) part: Option<String>,
    /// What upstream said.
    pub(super) raw: String,
    /// What the client was shown of it.
    pub(super) shown: String,
    pub(super) stage: Stage,
    /// Nothing is held back any more.
    pub(super) closed: bool,
}

impl Key {
    /// The text that an event is about; `stem` is its type without the last word.
    pub(super) fn of_event(stem: &str, root: Value<'_>) -> Result<Self, Malformed> {
        let form = FORMS.iter().find(|f| f.stem == stem);
        let mut at = Vec::new();
        match form {
            // Only what clients of the known kinds go by: another number must not cut a text in two.
            Some(Form {
                list: Some((_, name)),
                ..
            }) => at.push(((*name).to_owned(), number(root, name)?)),
            Some(_) => {}
            None => {
                for (name, _) in root.entries() {
                    if name.ends_with("_index") && name != "output_index" {
                        at.push((name.to_string(), number(root, &name)?));
                    }
                }
                at.sort_unstable();
            }
        }
        let stem = stem.to_owned();
        Ok(Self { stem, at, form })
    }

    /// The text of a part; `index` is the member that counts it.
    pub(super) fn of_part(part: &str, index: &str, root: Value<'_>) -> Result<Self, Malformed> {
        let form = FORMS
            .iter()
            .find(|f| f.part == part && f.list.is_some_and(|(_, name)| name == index));
        let stem = form.map_or_else(|| format!("part.{part}"), |f| f.stem.to_owned());
        let at = vec![(index.to_owned(), number(root, index)?)];
        Ok(Self { stem, at, form })
    }

    /// Whether both would stand at the same place of an item.
    pub(super) fn collides(&self, other: &Self) -> bool {
        let list = |key: &Self| key.form.map(|f| f.list.map(|(name, _)| name));
        self.at == other.at
            && (self.stem == other.stem || (list(self).is_some() && list(self) == list(other)))
            || self.is_part_at(other)
            || other.is_part_at(self)
    }

    fn is_part_at(&self, other: &Self) -> bool {
        self.stem.starts_with("part.") && self.at == other.at
    }

    /// The position in its list.
    pub(super) fn position(&self) -> u32 {
        self.at.first().map_or(0, |(_, number)| *number)
    }

    /// The list of the item in which it has a part.
    pub(super) fn list(&self) -> Option<&'static str> {
        match self.form {
            Some(form) => form.list.map(|(list, _)| list),
            None if self.stem.starts_with("part.") => self.at.first().map(|(name, _)| {
                if name == "summary_index" {
                    "summary"
                } else {
                    "content"
                }
            }),
            None => None,
        }
    }

    /// The channel for the inspector.
    pub(super) fn channel(&self, output_index: u32) -> Channel {
        let mut name = self
            .stem
            .strip_prefix("response.")
            .unwrap_or(&self.stem)
            .to_owned();
        if self.at.iter().any(|(_, number)| *number > 0) {
            for (_, number) in &self.at {
                name.push_str(&format!(".{number}"));
            }
        }
        Channel::new(output_index, name)
    }

    /// The members of an event that name the text, ready to stand in an object.
    pub(super) fn members(&self, output_index: u32) -> String {
        let mut out = format!("\"output_index\":{output_index}");
        for (name, number) in &self.at {
            out.push_str(&format!(",{}:{number}", quote(name)));
        }
        out
    }
}

impl Text {
    pub(super) fn new(key: Key, part: Option<String>) -> Self {
        Self {
            key,
            part,
            raw: String::new(),
            shown: String::new(),
            stage: Stage::Open,
            closed: false,
        }
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed
    }
}

/// An index; a missing one is the first.
fn number(root: Value<'_>, name: &str) -> Result<u32, Malformed> {
    match root.get(name) {
        None => Ok(0),
        Some(value) => index_value(value),
    }
}

/// `output_index`, when the event has one.
pub(super) fn output_index(root: Value<'_>) -> Result<Option<u32>, Malformed> {
    root.get("output_index").map(index_value).transpose()
}

fn index_value(value: Value<'_>) -> Result<u32, Malformed> {
    let index = value.as_u64().and_then(|i| u32::try_from(i).ok());
    index
        .filter(|i| *i < 100_000)
        .ok_or_else(|| Malformed::new("an index is not a number or out of range"))
}
