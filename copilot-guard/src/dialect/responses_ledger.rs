//! OpenAI Responses: what the client of a stream has got, and the numbers of its events.
//!
//! Everything that leaves goes through here, so that the message can be ended properly from any point, and so that
//! events that were added, joined or left out leave no gap in `sequence_number`.

use std::cell::Cell;

use super::responses_call::Shape;
use super::responses_look::set_members;
use super::responses_text::{Stage, Text};
use super::responses_write::{message, message_id, response, text_part};
use super::{Blocked, Envelope, Inspector, Malformed};
use crate::json::{Document, Edits, Limits, quote};
use crate::sse::encode;

/// Most items of one answer.
const MAX_ITEMS: usize = 512;
/// Most texts of one item.
const MAX_TEXTS: usize = 512;
/// What an answer may say, in bytes, over all its texts.
const MAX_TEXT: usize = 32 << 20;

pub(super) struct Ledger {
    pub(super) envelope: Envelope,
    /// The response object as it was written last.
    pub(super) response: Option<String>,
    /// `response.created` was written: by [`keep_alive`](Self::keep_alive) too, which only borrows.
    pub(super) created: Cell<bool>,
    pub(super) numbers: Cell<Numbers>,
    pub(super) items: Vec<Item>,
    /// How many of the items have ended.
    pub(super) ended: usize,
    pub(super) over: bool,
    /// A call was let through.
    pub(super) calls: bool,
    bytes: usize,
}

/// The next `sequence_number`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Numbers {
    /// Nothing was written yet.
    Unknown,
    /// Upstream has not spoken; we count.
    Own(u64),
    /// Upstream does not count.
    Without,
    /// Upstream counts, we in its place.
    Next(u64),
}

/// An item that has begun for the client.
pub(super) struct Item {
    pub(super) index: u32,
    pub(super) kind: String,
    /// As its `added` event was written.
    pub(super) json: String,
    pub(super) texts: Vec<Text>,
    pub(super) call: Option<Judged>,
    /// Which of the items that ended it was, and as what it was written.
    pub(super) end: Option<(usize, String)>,
}

/// A call that was judged.
pub(super) struct Judged {
    pub(super) shape: Shape,
    pub(super) name: String,
    pub(super) arguments: String,
    pub(super) fate: Fate,
}

/// What became of a call.
pub(super) enum Fate {
    /// Let through, with these arguments when they were changed.
    Passed(Option<String>),
    Replaced,
}

impl Ledger {
    pub(super) fn new(envelope: Envelope) -> Self {
        Self {
            envelope,
            response: None,
            created: Cell::new(false),
            numbers: Cell::new(Numbers::Unknown),
            items: Vec::new(),
            ended: 0,
            over: false,
            calls: false,
            bytes: 0,
        }
    }

    /// Writes an event of upstream's, edited. Gives its data.
    pub(super) fn write(
        &self,
        kind: &str,
        doc: &Document<'_>,
        edits: &mut Edits,
        out: &mut Vec<u8>,
    ) -> String {
        match doc.root().get("sequence_number") {
            Some(member) => {
                let number = match self.numbers.get() {
                    Numbers::Own(next) | Numbers::Next(next) => next,
                    Numbers::Unknown | Numbers::Without => member.as_u64().unwrap_or(0),
                };
                edits.set_raw(member.index(), number.to_string());
                self.numbers.set(Numbers::Next(number.saturating_add(1)));
            }
            None => match self.numbers.get() {
                Numbers::Unknown | Numbers::Own(_) => self.numbers.set(Numbers::Without),
                Numbers::Without | Numbers::Next(_) => {}
            },
        }
        let data = doc.to_text(edits);
        encode(kind, &data, out);
        data
    }

    /// [`write`](Self::write) of a text.
    pub(super) fn write_text(&self, kind: &str, data: &str, out: &mut Vec<u8>) -> Result<String, Malformed> {
        let doc = Document::parse(data.as_bytes(), Limits::default())?;
        Ok(self.write(kind, &doc, &mut Edits::default(), out))
    }

    /// Writes an event of our own; `members` stand behind its type.
    pub(super) fn own(&self, kind: &str, members: &str, out: &mut Vec<u8>) {
        let number = match self.numbers.get() {
            Numbers::Without => None,
            Numbers::Unknown => Some((0, Numbers::Own(1))),
            Numbers::Own(next) => Some((next, Numbers::Own(next.saturating_add(1)))),
            Numbers::Next(next) => Some((next, Numbers::Next(next.saturating_add(1)))),
        };
        let mut sequence = String::new();
        if let Some((number, next)) = number {
            self.numbers.set(next);
            sequence = format!("\"sequence_number\":{number},");
        }
        encode(
            kind,
            &format!("{{\"type\":{},{sequence}{members}}}", quote(kind)),
            out,
        );
    }

    /// Begins the response in our own words, unless it has begun: clients refuse whatever comes before.
    pub(super) fn start(&self, out: &mut Vec<u8>) {
        if !self.created.replace(true) {
            let response = response(&self.envelope, "in_progress", "[]");
            self.own("response.created", &format!("\"response\":{response}"), out);
        }
    }

    /// The position of an item.
    pub(super) fn find(&self, index: u32) -> Option<usize> {
        self.items.iter().rposition(|item| item.index == index)
    }

    /// Notes an item whose `added` event was written.
    pub(super) fn begin(&mut self, index: u32, kind: &str, json: &str) {
        self.items.push(Item {
            index,
            kind: kind.to_owned(),
            json: json.to_owned(),
            texts: Vec::new(),
            call: None,
            end: None,
        });
    }

    /// Notes that the item's `done` event was written.
    pub(super) fn end(&mut self, position: usize, json: &str) {
        if let Some(item) = self.items.get_mut(position) {
            item.end = Some((self.ended, json.to_owned()));
            self.ended += 1;
        }
    }

    /// Whether another item may begin.
    pub(super) fn check_new(&self, index: u32) -> Result<(), Malformed> {
        if self.find(index).is_some() {
            return Err(Malformed::new("an output index comes twice"));
        }
        if self.items.len() >= MAX_ITEMS {
            return Err(Malformed::new("too many items"));
        }
        Ok(())
    }

    /// Whether an item may have another text.
    pub(super) fn check_text(&self, position: usize) -> Result<(), Malformed> {
        match self.items.get(position) {
            Some(item) if item.texts.len() >= MAX_TEXTS => Err(Malformed::new("an item has too many texts")),
            _ => Ok(()),
        }
    }

    /// Counts what upstream says.
    pub(super) fn count(&mut self, bytes: usize) -> Result<(), Malformed> {
        self.bytes = self.bytes.saturating_add(bytes);
        if self.bytes > MAX_TEXT {
            return Err(Malformed::new("the answer's texts are too long"));
        }
        Ok(())
    }

    /// The index that an item of our own would get.
    pub(super) fn next_index(&self) -> u32 {
        let last = self.items.iter().map(|item| item.index).max();
        last.map_or(0, |index| index.saturating_add(1))
    }

    /// Writes a delta of our own and notes it.
    pub(super) fn delta(&mut self, position: usize, text: usize, shown: &str, out: &mut Vec<u8>) {
        let Some(item) = self.items.get(position) else {
            return;
        };
        let Some(entry) = item.texts.get(text) else { return };
        if !shown.is_empty() {
            let logprobs = if entry.key.stem == "response.output_text" {
                ",\"logprobs\":[]"
            } else {
                ""
            };
            let members = format!(
                "{}{},\"delta\":{}{logprobs}",
                item_id(&item.json),
                entry.key.members(item.index),
                quote(shown)
            );
            self.own(&format!("{}.delta", entry.key.stem), &members, out);
        }
        if let Some(entry) = self.items.get_mut(position).and_then(|i| i.texts.get_mut(text)) {
            entry.shown.push_str(shown);
        }
    }

    /// Releases what a text still holds, as a delta of its own. Nothing may be added to it any more.
    pub(super) fn finish(
        &mut self,
        position: usize,
        text: usize,
        inspector: &mut dyn Inspector,
        out: &mut Vec<u8>,
    ) -> Result<(), Blocked> {
        let Some(item) = self.items.get_mut(position) else {
            return Ok(());
        };
        let Some(entry) = item.texts.get_mut(text) else {
            return Ok(());
        };
        if std::mem::replace(&mut entry.closed, true) || entry.raw.is_empty() {
            return Ok(());
        }
        let mut tail = String::new();
        let result = inspector.finish(&entry.key.channel(item.index), &mut tail);
        self.delta(position, text, &tail, out);
        result
    }

    /// [`finish`](Self::finish) for every text of an item.
    pub(super) fn finish_all(
        &mut self,
        position: usize,
        inspector: &mut dyn Inspector,
        out: &mut Vec<u8>,
    ) -> Result<(), Blocked> {
        let texts = self.items.get(position).map_or(0, |item| item.texts.len());
        (0..texts).try_for_each(|text| self.finish(position, text, inspector, out))
    }

    /// Writes a whole message of our own. Gives the item.
    pub(super) fn message(&self, index: u32, text: &str, out: &mut Vec<u8>) -> String {
        let id = message_id(&self.envelope, index);
        let item = |json: &str| format!("\"output_index\":{index},\"item\":{json}");
        let at = format!(
            "\"item_id\":{},\"output_index\":{index},\"content_index\":0",
            quote(&id)
        );
        let part = text_part(text);
        self.own(
            "response.output_item.added",
            &item(&message(&id, "in_progress", "[]")),
            out,
        );
        self.own(
            "response.content_part.added",
            &format!("{at},\"part\":{}", text_part("")),
            out,
        );
        let text = quote(text);
        self.own(
            "response.output_text.delta",
            &format!("{at},\"delta\":{text},\"logprobs\":[]"),
            out,
        );
        self.own(
            "response.output_text.done",
            &format!("{at},\"text\":{text},\"logprobs\":[]"),
            out,
        );
        self.own(
            "response.content_part.done",
            &format!("{at},\"part\":{part}"),
            out,
        );
        let whole = message(&id, "completed", &format!("[{part}]"));
        self.own("response.output_item.done", &item(&whole), out);
        whole
    }

    /// The items as a client has them that has got everything written so far.
    pub(super) fn output(&self) -> String {
        let mut items: Vec<(u32, String)> = self
            .items
            .iter()
            .map(|item| match &item.end {
                Some((_, json)) => (item.index, json.clone()),
                None => (item.index, item.so_far(|text| Some(&text.shown), None)),
            })
            .collect();
        array(&mut items)
    }
}

impl Item {
    /// The item with so much of each text; texts of which there is nothing yet are left out.
    pub(super) fn so_far<'t>(
        &'t self,
        shown: impl Fn(&'t Text) -> Option<&'t str>,
        status: Option<&str>,
    ) -> String {
        let mut members = Vec::new();
        for list in ["content", "summary"] {
            let of_list = self.texts.iter().filter(|text| text.key.list() == Some(list));
            let mut parts: Vec<(u32, String)> = of_list
                .filter_map(|text| shown(text).map(|shown| (text.key.position(), text.part_with(shown))))
                .collect();
            if !parts.is_empty() {
                members.push((list, array(&mut parts)));
            }
        }
        for text in self.texts.iter() {
            if let (Some(form), Some(shown)) = (text.key.form.filter(|f| f.list.is_none()), shown(text)) {
                members.push((form.member, quote(shown)));
            }
        }
        if let Some(status) = status {
            members.push(("status", quote(status)));
        }
        set_members(&self.json, &members)
    }
}

impl Text {
    /// The part with this text.
    pub(super) fn part_with(&self, shown: &str) -> String {
        match (self.key.form, &self.part) {
            (None, part) => part.clone().unwrap_or_else(|| "{}".to_owned()),
            (Some(form), Some(part)) => set_members(part, &[(form.member, quote(shown))]),
            (Some(form), None) if form.part == "output_text" => text_part(shown),
            (Some(form), None) => format!(
                "{{\"type\":\"{}\",\"{}\":{}}}",
                form.part,
                form.member,
                quote(shown)
            ),
        }
    }

    /// Whether its part has begun for the client and not ended.
    pub(super) fn part_is_open(&self, stage: Stage) -> bool {
        self.part.is_some() && stage < Stage::PartDone
    }
}

/// `"item_id":…,` of an item that has an id.
pub(super) fn item_id(item: &str) -> String {
    let doc = Document::parse(item.as_bytes(), Limits::default());
    let id = doc
        .ok()
        .and_then(|doc| doc.root().get("id").map(|id| id.raw().to_owned()));
    id.map(|id| format!("\"item_id\":{id},")).unwrap_or_default()
}

/// A JSON array of the texts, in the order of their numbers.
pub(super) fn array(items: &mut [(u32, String)]) -> String {
    items.sort_by_key(|(number, _)| *number);
    let items: Vec<&str> = items.iter().map(|(_, json)| json.as_str()).collect();
    format!("[{}]", items.join(","))
}
