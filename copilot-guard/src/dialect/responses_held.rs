//! OpenAI Responses: a call on its way from its `added` event to its `done` event, and its release.
//!
//! 1. A client runs what stands in the item's `done` event: that is what is judged. An announcement, pieces or a
//!    `done` of the arguments that say something else end the answer.
//! 2. What is let through leaves whole: announcement, one piece, the arguments, the item, with the same arguments in all.
//! 3. Of events between them, only those leave that say no more than that the call goes on: what else they hold was
//!    not judged.

use super::responses::Stop;
use super::responses_call::{self as call, Shape};
use super::responses_ledger::{Fate, Judged, Ledger, item_id};
use super::responses_look::{look_members, set_members};
use super::{Inspector, Malformed, ToolCall};
use crate::json::{Document, Edits, Limits, Value, quote};

/// Longest argument text of one call; what is longer ends the answer.
const MAX_ARGUMENTS: usize = 8 << 20;
/// Most events of one call that bring no arguments.
const MAX_NOTES: usize = 256;

pub(super) struct Held {
    pub(super) index: u32,
    kind: String,
    shape: Shape,
    /// The event that announced it.
    added: String,
    /// Pieces of the arguments, once there was one.
    pieces: Option<String>,
    /// The event with the whole arguments, and these.
    arguments_done: Option<(String, String)>,
    /// Events that only say that it goes on, and whether they came behind the arguments.
    notes: Vec<(bool, String, String)>,
    /// The event with the whole item.
    done: Option<String>,
}

impl Held {
    pub(super) fn new(index: u32, kind: String, shape: Shape, added: String) -> Self {
        Self {
            index,
            kind,
            shape,
            added,
            pieces: None,
            arguments_done: None,
            notes: Vec::new(),
            done: None,
        }
    }

    /// Whether it can be judged.
    pub(super) fn is_complete(&self) -> bool {
        self.done.is_some()
    }

    /// Takes an event of this item.
    pub(super) fn take(&mut self, kind: &str, root: Value<'_>, data: &str) -> Result<(), Malformed> {
        if self.is_complete() || kind == "response.output_item.added" {
            return Err(Malformed::new("an event behind the end of its tool call"));
        }
        if kind == "response.output_item.done" {
            let item = root.get("item").filter(|item| item.is_object());
            self.check(item.ok_or_else(|| Malformed::new("`item` is missing"))?)?;
            self.done = Some(data.to_owned());
            return Ok(());
        }
        let own_stem = call::stem(&self.kind);
        if let Some(delta) = root.get_some("delta") {
            if self.shape == Shape::Members || own_stem.is_none() {
                // Pieces of what the item's end says as a whole.
                return Ok(());
            }
            let stem = kind.strip_suffix(".delta").filter(|stem| Some(*stem) == own_stem);
            let piece = stem.and_then(|_| delta.as_str());
            let piece = piece.ok_or_else(|| Malformed::new("an unknown delta within a tool call"))?;
            if self.arguments_done.is_some() {
                return Err(Malformed::new("arguments go on behind their end"));
            }
            let pieces = self.pieces.get_or_insert_default();
            pieces.push_str(&piece);
            if pieces.len() > MAX_ARGUMENTS {
                return Err(Malformed::new("a tool call is too long"));
            }
            return Ok(());
        }
        if own_stem.is_some() && kind.strip_suffix(".done") == own_stem {
            let member = self.shape.member().unwrap_or_default();
            let text = call::text(root, member)?;
            if self.arguments_done.replace((data.to_owned(), text)).is_some() {
                return Err(Malformed::new("a tool call's arguments end twice"));
            }
            return Ok(());
        }
        let only_says_so = root
            .entries()
            .all(|(name, _)| matches!(&*name, "type" | "sequence_number" | "item_id" | "output_index"));
        if only_says_so && self.notes.len() < MAX_NOTES {
            let behind = self.pieces.is_some() || self.arguments_done.is_some();
            self.notes.push((behind, kind.to_owned(), data.to_owned()));
        }
        Ok(())
    }

    /// Whether the item's end says what came before it.
    fn check(&self, item: Value<'_>) -> Result<(), Malformed> {
        let added = Document::parse(self.added.as_bytes(), Limits::default())?;
        let first = added.root().get("item");
        let first = first.ok_or_else(|| Malformed::new("`item` is missing"))?;
        let name = |item: Value<'_>| item.get_str("name").unwrap_or_default().into_owned();
        let renamed = !name(first).is_empty() && name(first) != name(item);
        if call::kind_of(item) != self.kind || renamed {
            return Err(Malformed::new("a tool call ends as another"));
        }
        let Some(member) = self.shape.member() else {
            return Ok(());
        };
        let (begun, whole) = (call::text(first, member)?, call::text(item, member)?);
        let announced = match &self.pieces {
            Some(pieces) => Some(begun + pieces),
            None => Some(begun).filter(|begun| !begun.is_empty()),
        };
        let ended = self.arguments_done.as_ref().map(|(_, text)| text);
        if announced.is_some_and(|text| text != whole) || ended.is_some_and(|text| *text != whole) {
            return Err(Malformed::new("a tool call's arguments contradict each other"));
        }
        if whole.len() > MAX_ARGUMENTS {
            return Err(Malformed::new("a tool call is too long"));
        }
        Ok(())
    }

    /// The call as a client would run it.
    pub(super) fn call(&self, number: u32) -> Result<ToolCall, Malformed> {
        let done = self.done.as_deref().unwrap_or_default();
        let doc = Document::parse(done.as_bytes(), Limits::default())?;
        let item = doc.root().get("item");
        let item = item.ok_or_else(|| Malformed::new("`item` is missing"))?;
        call::read(item, self.shape, number, &format!("output[{}]", self.index))
    }

    /// Writes a message in its place.
    pub(super) fn replace(&self, call: ToolCall, notice: &str, ledger: &mut Ledger, out: &mut Vec<u8>) {
        let json = ledger.message(self.index, notice, out);
        self.note(call, Fate::Replaced, &json, &json, ledger);
    }

    /// Writes the whole call. Nothing is written when a member of it stops the answer.
    pub(super) fn release(
        &self,
        call: ToolCall,
        changed: Option<String>,
        ledger: &mut Ledger,
        inspector: &mut dyn Inspector,
        out: &mut Vec<u8>,
    ) -> Result<(), Stop> {
        let done = self.item_event(changed.as_deref(), inspector)?;
        let added = self.announcement(&done, inspector)?;
        let arguments = changed.as_deref().unwrap_or(&call.arguments);
        let mut notes = Vec::new();
        for (behind, kind, data) in &self.notes {
            notes.push((*behind, kind, looked_at(data, &[], inspector)?));
        }
        let member = self.shape.member().unwrap_or_default();
        let arguments_done = match &self.arguments_done {
            Some((data, _)) => {
                let data = looked_at(data, &[member], inspector)?;
                Some(set_members(&data, &[(member, quote(arguments))]))
            }
            None => None,
        };
        let added = ledger.write_text("response.output_item.added", &added, out)?;
        for (_, kind, data) in notes.iter().filter(|(behind, ..)| !behind) {
            ledger.write_text(kind, data, out)?;
        }
        let begun = member_of(&added, "item")?;
        if let Some(stem) = call::stem(&self.kind) {
            let at = format!("{}\"output_index\":{}", item_id(&begun), self.index);
            if !arguments.is_empty() {
                ledger.own(
                    &format!("{stem}.delta"),
                    &format!("{at},\"delta\":{}", quote(arguments)),
                    out,
                );
            }
            let kind = format!("{stem}.done");
            match arguments_done {
                Some(data) => {
                    ledger.write_text(&kind, &data, out)?;
                }
                None => ledger.own(&kind, &format!("{at},\"{member}\":{}", quote(arguments)), out),
            }
        }
        for (_, kind, data) in notes.iter().filter(|(behind, ..)| *behind) {
            ledger.write_text(kind, data, out)?;
        }
        let done = ledger.write_text("response.output_item.done", &done, out)?;
        ledger.calls = true;
        self.note(
            call,
            Fate::Passed(changed),
            &begun,
            &member_of(&done, "item")?,
            ledger,
        );
        Ok(())
    }

    /// The event with the whole item, as it may leave.
    fn item_event(&self, changed: Option<&str>, inspector: &mut dyn Inspector) -> Result<String, Stop> {
        let done = self.done.as_deref().unwrap_or_default();
        let doc = Document::parse(done.as_bytes(), Limits::default())?;
        let mut edits = Edits::default();
        let place = format!("output[{}]", self.index);
        look_members(doc.root(), "", &["type", "item"], &[], inspector, &mut edits)?;
        if let Some(item) = doc.root().get("item") {
            call::write(item, self.shape, changed, &place, inspector, &mut edits)?;
        }
        Ok(doc.to_text(&edits))
    }

    /// The event that announces it, as it may leave: without arguments, or where the members are these, with what
    /// was judged.
    fn announcement(&self, done: &str, inspector: &mut dyn Inspector) -> Result<String, Stop> {
        let doc = Document::parse(self.added.as_bytes(), Limits::default())?;
        let mut edits = Edits::default();
        look_members(doc.root(), "", &["type", "item"], &[], inspector, &mut edits)?;
        let item = doc
            .root()
            .get("item")
            .ok_or_else(|| Stop::malformed("`item` is missing"))?;
        match self.shape.member() {
            Some(member) => {
                if let Some(arguments) = item.get_some(member) {
                    edits.set_str(arguments, "");
                }
                let place = format!("output[{}]", self.index);
                look_members(item, &place, &["type", member], &[], inspector, &mut edits)?;
            }
            None => edits.set_raw(item.index(), member_of(done, "item")?),
        }
        Ok(doc.to_text(&edits))
    }

    fn note(&self, call: ToolCall, fate: Fate, begun: &str, ended: &str, ledger: &mut Ledger) {
        ledger.begin(self.index, &self.kind, begun);
        let position = ledger.items.len().saturating_sub(1);
        if let Some(item) = ledger.items.get_mut(position) {
            item.call = Some(Judged {
                shape: self.shape,
                name: call.name,
                arguments: call.arguments,
                fate,
            });
        }
        ledger.end(position, ended);
    }
}

/// An event whose strings were looked at, but for these members.
fn looked_at(data: &str, but: &[&str], inspector: &mut dyn Inspector) -> Result<String, Stop> {
    let doc = Document::parse(data.as_bytes(), Limits::default())?;
    let mut edits = Edits::default();
    let but: Vec<&str> = but.iter().copied().chain(["type"]).collect();
    look_members(doc.root(), "", &but, &[], inspector, &mut edits)?;
    Ok(doc.to_text(&edits))
}

/// A member of a written event.
pub(super) fn member_of(data: &str, member: &str) -> Result<String, Malformed> {
    let doc = Document::parse(data.as_bytes(), Limits::default())?;
    let value = doc.root().get(member).map(|value| value.raw().to_owned());
    value.ok_or_else(|| Malformed::new(format!("`{member}` is missing")))
}
