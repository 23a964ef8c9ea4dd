//! OpenAI Responses: items that are shown as they come, their parts and their texts.

use super::responses::{ResponsesStream, Stop};
use super::responses_call::{self as call, Shape};
use super::responses_held::{Held, member_of};
use super::responses_look::{look, look_members};
use super::responses_text::{Key, Stage, Text, output_index};
use super::{Flow, Inspector, Malformed};
use crate::json::{Document, Edits, Limits, Value};

impl ResponsesStream {
    pub(super) fn item_added(
        &mut self,
        doc: &Document<'_>,
        inspector: &mut dyn Inspector,
        out: &mut Vec<u8>,
    ) -> Result<(), Stop> {
        let root = doc.root();
        let index = needed_index(root)?;
        let item = object(root, "item")?;
        self.ledger.check_new(index)?;
        self.ledger.start(out);
        let kind = call::kind_of(item);
        if let Some(shape) = Shape::of(&kind) {
            self.held = Some(Held::new(index, kind, shape, doc.text().to_owned()));
            return Ok(());
        }
        let mut edits = Edits::default();
        let mut but = Vec::new();
        // Texts come in events of their own: what stands here would be joined with their pieces.
        for list in ["content", "summary"] {
            if let Some(parts) = item.get(list).filter(|parts| parts.is_array()) {
                but.push(list);
                edits.set_raw(parts.index(), "[]".to_owned());
            }
        }
        if let Some(code) = item.get("code").filter(|code| code.as_str().is_some()) {
            but.push("code");
            edits.set_str(code, "");
        }
        refuse_calls(item, &but)?;
        self.look_beside(root, &["item"], None, inspector, &mut edits)?;
        look_members(
            item,
            &format!("output[{index}]"),
            &but,
            &[],
            inspector,
            &mut edits,
        )?;
        let data = self
            .ledger
            .write("response.output_item.added", doc, &mut edits, out);
        self.ledger.begin(index, &kind, &member_of(&data, "item")?);
        Ok(())
    }

    pub(super) fn item_done(
        &mut self,
        doc: &Document<'_>,
        inspector: &mut dyn Inspector,
        out: &mut Vec<u8>,
    ) -> Result<Flow, Stop> {
        let root = doc.root();
        let index = needed_index(root)?;
        let item = object(root, "item")?;
        if self.ledger.find(index).is_none() {
            // Clients that join events need the announcement.
            let mut edits = Edits::default();
            if let Some(kind) = root.get("type") {
                edits.set_str(kind, "response.output_item.added");
            }
            let added = doc.to_text(&edits);
            let added = Document::parse(added.as_bytes(), Limits::default())?;
            self.item_added(&added, inspector, out)?;
            if let Some(held) = &mut self.held {
                held.take("response.output_item.done", root, doc.text())?;
                return self.judge(inspector, out);
            }
        }
        let position = self.open_item(root)?;
        let known = self.ledger.items.get(position).map(|item| item.kind.as_str());
        if known != Some(&*call::kind_of(item)) {
            return Err(Stop::malformed("an item ends as another"));
        }
        refuse_calls(item, &[])?;
        self.ledger.finish_all(position, inspector, out)?;
        let mut edits = Edits::default();
        self.look_beside(root, &["item"], None, inspector, &mut edits)?;
        self.look_at_item(item, index, position, inspector, &mut edits)?;
        let data = self
            .ledger
            .write("response.output_item.done", doc, &mut edits, out);
        self.ledger.end(position, &member_of(&data, "item")?);
        Ok(Flow::More)
    }

    /// Looks at a whole item; copies of its texts are written as these were shown.
    pub(super) fn look_at_item(
        &self,
        item: Value<'_>,
        index: u32,
        position: usize,
        inspector: &mut dyn Inspector,
        edits: &mut Edits,
    ) -> Result<(), Stop> {
        let texts = self.ledger.items.get(position).map(|item| item.texts.as_slice());
        Ok(look(
            item,
            &format!("output[{index}]"),
            texts.unwrap_or_default(),
            inspector,
            edits,
        )?)
    }

    pub(super) fn part_added(
        &mut self,
        kind: &str,
        doc: &Document<'_>,
        inspector: &mut dyn Inspector,
        out: &mut Vec<u8>,
    ) -> Result<(), Stop> {
        let root = doc.root();
        let position = self.open_item(root)?;
        let part = object(root, "part")?;
        let key = Key::of_part(&call::kind_of(part), counted_by(kind), root)?;
        self.check_new_text(position, &key)?;
        refuse_calls(part, &[])?;
        let mut edits = Edits::default();
        self.look_beside(root, &["part"], Some(position), inspector, &mut edits)?;
        let index = needed_index(root)?;
        let begun = key
            .form
            .and_then(|form| part.get(form.member))
            .filter(|text| text.as_str().is_some());
        let but: &[&str] = match key.form {
            Some(form) if begun.is_some() => &[form.member],
            _ => &[],
        };
        look_members(
            part,
            &format!("output[{index}].part"),
            but,
            &[],
            inspector,
            &mut edits,
        )?;
        let mut text = Text::new(key, None);
        if let Some((value, begun)) = begun
            .and_then(|b| Some((b, b.as_str()?)))
            .filter(|(_, b)| !b.is_empty())
        {
            // The first piece: clients put the next one behind it.
            self.ledger.count(begun.len())?;
            text.raw.push_str(&begun);
            inspector.delta(&text.key.channel(index), &begun, &mut text.shown)?;
            edits.set_str(value, &text.shown);
        }
        let data = self.ledger.write(kind, doc, &mut edits, out);
        text.part = Some(member_of(&data, "part")?);
        if let Some(item) = self.ledger.items.get_mut(position) {
            item.texts.push(text);
        }
        Ok(())
    }

    pub(super) fn part_done(
        &mut self,
        kind: &str,
        doc: &Document<'_>,
        inspector: &mut dyn Inspector,
        out: &mut Vec<u8>,
    ) -> Result<(), Stop> {
        let root = doc.root();
        let position = self.open_item(root)?;
        let part = object(root, "part")?;
        let key = Key::of_part(&call::kind_of(part), counted_by(kind), root)?;
        refuse_calls(part, &[])?;
        let whole = key
            .form
            .and_then(|form| part.get_str(form.member))
            .unwrap_or_default();
        let number = self.end_text(position, key, &whole, Stage::PartDone, inspector, out)?;
        let mut edits = Edits::default();
        self.look_beside(root, &[], Some(position), inspector, &mut edits)?;
        let data = self.ledger.write(kind, doc, &mut edits, out);
        if let Some(text) = self
            .ledger
            .items
            .get_mut(position)
            .and_then(|i| i.texts.get_mut(number))
        {
            text.stage = Stage::PartDone;
            text.part = Some(member_of(&data, "part")?);
        }
        Ok(())
    }

    pub(super) fn delta(
        &mut self,
        kind: &str,
        doc: &Document<'_>,
        inspector: &mut dyn Inspector,
        out: &mut Vec<u8>,
    ) -> Result<(), Stop> {
        let root = doc.root();
        let stem = kind.strip_suffix(".delta").unwrap_or(kind);
        let delta = root.get("delta").and_then(|delta| Some((delta, delta.as_str()?)));
        let (member, piece) = delta.ok_or_else(|| Stop::malformed("a delta that is not a text"))?;
        if call::brings_arguments(stem) {
            return Err(Stop::malformed("arguments outside of a tool call"));
        }
        let position = self.open_item(root)?;
        let key = Key::of_event(stem, root)?;
        let number = match self.find_text(position, &key) {
            Some(number) => number,
            None => self.new_text(position, key)?,
        };
        let mut edits = Edits::default();
        self.ledger.count(piece.len())?;
        self.look_beside(root, &["delta"], None, inspector, &mut edits)?;
        let mut shown = String::new();
        let Some(item) = self.ledger.items.get_mut(position) else {
            return Ok(());
        };
        let Some(text) = item.texts.get_mut(number) else {
            return Ok(());
        };
        if text.closed || text.stage != Stage::Open {
            return Err(Stop::malformed("a text goes on behind its end"));
        }
        if !piece.is_empty() {
            text.raw.push_str(&piece);
            if let Err(stop) = inspector.delta(&text.key.channel(item.index), &piece, &mut shown) {
                // Not upstream's event: what stands behind the stop was not looked at.
                self.ledger.delta(position, number, &shown, out);
                return Err(stop.into());
            }
        }
        if shown != piece {
            edits.set_str(member, &shown);
        }
        text.shown.push_str(&shown);
        self.ledger.write(kind, doc, &mut edits, out);
        Ok(())
    }

    pub(super) fn text_done(
        &mut self,
        kind: &str,
        stem: &str,
        doc: &Document<'_>,
        inspector: &mut dyn Inspector,
        out: &mut Vec<u8>,
    ) -> Result<(), Stop> {
        let root = doc.root();
        if call::brings_arguments(stem) {
            return Err(Stop::malformed("arguments outside of a tool call"));
        }
        let key = Key::of_event(stem, root)?;
        let known = output_index(root)?.and_then(|index| self.ledger.find(index));
        let text = known.and_then(|position| self.find_text(position, &key));
        if key.form.is_none() && text.is_none() {
            return self.other(kind, doc, inspector, out);
        }
        let position = self.open_item(root)?;
        let whole = key
            .form
            .and_then(|form| root.get_str(form.member))
            .unwrap_or_default();
        let number = self.end_text(position, key, &whole, Stage::TextDone, inspector, out)?;
        let mut edits = Edits::default();
        self.look_beside(root, &[], Some(position), inspector, &mut edits)?;
        self.ledger.write(kind, doc, &mut edits, out);
        if let Some(text) = self
            .ledger
            .items
            .get_mut(position)
            .and_then(|i| i.texts.get_mut(number))
        {
            text.stage = Stage::TextDone;
        }
        Ok(())
    }

    /// Closes a text that upstream says is `whole`; one that never came in pieces is looked at now. Gives its number.
    fn end_text(
        &mut self,
        position: usize,
        key: Key,
        whole: &str,
        stage: Stage,
        inspector: &mut dyn Inspector,
        out: &mut Vec<u8>,
    ) -> Result<usize, Stop> {
        let number = match self.find_text(position, &key) {
            Some(number) => number,
            None => self.new_text(position, key)?,
        };
        let text = self
            .ledger
            .items
            .get(position)
            .and_then(|item| item.texts.get(number));
        if text.is_some_and(|text| text.stage >= stage) {
            return Err(Stop::malformed("a text ends twice"));
        }
        self.ledger.finish(position, number, inspector, out)?;
        self.ledger.count(whole.len())?;
        let Some(item) = self.ledger.items.get_mut(position) else {
            return Ok(number);
        };
        if let Some(text) = item.texts.get_mut(number).filter(|text| text.raw.is_empty()) {
            let place = text.key.channel(item.index).to_string();
            whole.clone_into(&mut text.raw);
            text.shown = inspector
                .whole(&place, whole)?
                .unwrap_or_else(|| whole.to_owned());
        }
        Ok(number)
    }

    /// Any other event: every string is looked at.
    pub(super) fn other(
        &mut self,
        kind: &str,
        doc: &Document<'_>,
        inspector: &mut dyn Inspector,
        out: &mut Vec<u8>,
    ) -> Result<(), Stop> {
        let root = doc.root();
        refuse_calls(root, &[])?;
        if inspector.whole("type", kind)?.is_some() {
            return Err(Stop::malformed("an event's type cannot be shown"));
        }
        let mut edits = Edits::default();
        let position = output_index(root)?.and_then(|index| self.ledger.find(index));
        self.look_beside(root, &[], position, inspector, &mut edits)?;
        self.ledger.write(kind, doc, &mut edits, out);
        Ok(())
    }

    /// The item that an event is about, which must have begun and not ended.
    fn open_item(&self, root: Value<'_>) -> Result<usize, Malformed> {
        let position = self.ledger.find(needed_index(root)?);
        let open = |position: &usize| {
            self.ledger
                .items
                .get(*position)
                .is_some_and(|item| item.end.is_none())
        };
        position
            .filter(open)
            .ok_or_else(|| Malformed::new("an event of an item that is not open"))
    }

    fn find_text(&self, position: usize, key: &Key) -> Option<usize> {
        let item = self.ledger.items.get(position)?;
        item.texts.iter().position(|text| text.key == *key)
    }

    fn check_new_text(&self, position: usize, key: &Key) -> Result<(), Malformed> {
        self.ledger.check_text(position)?;
        let item = self.ledger.items.get(position);
        if item.is_some_and(|item| item.texts.iter().any(|text| text.key.collides(key))) {
            return Err(Malformed::new("two texts at one place of an item"));
        }
        Ok(())
    }

    fn new_text(&mut self, position: usize, key: Key) -> Result<usize, Malformed> {
        self.check_new_text(position, &key)?;
        let Some(item) = self.ledger.items.get_mut(position) else {
            return Ok(0);
        };
        item.texts.push(Text::new(key, None));
        Ok(item.texts.len() - 1)
    }
}

/// A call in a place where clients look for none: it could not be held.
pub(super) fn refuse_calls(value: Value<'_>, but: &[&str]) -> Result<(), Malformed> {
    let holds = |(name, member): (std::borrow::Cow<'_, str>, Value<'_>)| {
        !but.contains(&&*name) && call::holds_call(member)
    };
    if value.entries().any(holds) {
        return Err(Malformed::new("a tool call that cannot be held"));
    }
    Ok(())
}

/// The member that counts the parts of an event's list.
fn counted_by(kind: &str) -> &'static str {
    if kind.starts_with("response.reasoning_summary_part") {
        "summary_index"
    } else {
        "content_index"
    }
}

pub(super) fn object<'d>(root: Value<'d>, name: &str) -> Result<Value<'d>, Malformed> {
    let value = root.get(name).filter(|value| value.is_object());
    value.ok_or_else(|| Malformed::new(format!("`{name}` is missing or not an object")))
}

fn needed_index(root: Value<'_>) -> Result<u32, Malformed> {
    output_index(root)?.ok_or_else(|| Malformed::new("`output_index` is missing"))
}
