//! OpenAI Responses: events that carry the response object.

use super::responses::{ResponsesStream, Stop};
use super::responses_call::{self as call, Shape};
use super::responses_held::member_of;
use super::responses_items::{object, refuse_calls};
use super::responses_ledger::{Fate, Item};
use super::responses_look::look_members;
use super::{Flow, Inspector};
use crate::json::{Document, Edits, Limits, Value};

impl ResponsesStream {
    /// `response.created`, and what says that it goes on.
    pub(super) fn goes_on(
        &mut self,
        kind: &str,
        doc: &Document<'_>,
        inspector: &mut dyn Inspector,
        out: &mut Vec<u8>,
    ) -> Result<(), Stop> {
        let root = doc.root();
        let mut edits = Edits::default();
        let mut kind = kind;
        if kind != "response.created" {
            self.ledger.start(out);
        } else if std::mem::replace(&mut self.begun, true) {
            return Err(Stop::malformed("a second response begins"));
        } else if self.ledger.created.get()
            && let Some(member) = root.get("type")
        {
            // We have begun it in our own words, to keep the client waiting.
            kind = "response.in_progress";
            edits.set_str(member, kind);
        }
        let response = object(root, "response")?;
        self.look_beside(root, &["response"], None, inspector, &mut edits)?;
        look_members(response, "response", &["output"], &[], inspector, &mut edits)?;
        if let Some(output) = response.get_some("output") {
            // Clients take this in place of all they have: it holds what was delivered, and no call that was not judged.
            edits.set_raw(output.index(), self.ledger.output());
        }
        let data = self.ledger.write(kind, doc, &mut edits, out);
        self.ledger.created.set(true);
        self.ledger.response = Some(member_of(&data, "response")?);
        Ok(())
    }

    /// The last event. Items that did not come before it are put in front of it first.
    pub(super) fn ends(
        &mut self,
        kind: &str,
        doc: &Document<'_>,
        inspector: &mut dyn Inspector,
        out: &mut Vec<u8>,
    ) -> Result<Flow, Stop> {
        let root = doc.root();
        let response = object(root, "response")?;
        self.ledger.start(out);
        let output = response.get_some("output");
        if output.is_some_and(|output| !output.is_array()) {
            return Err(Stop::malformed("`output` is not an array"));
        }
        let mut known = Vec::new();
        let mut missing = Vec::new();
        for (number, item) in output.into_iter().flat_map(Value::items).enumerate() {
            match self.find_item(number, item)? {
                (index, Some(position)) => known.push((index, position, item)),
                (index, None) => missing.push((index, item)),
            }
        }
        if !missing.is_empty() {
            if std::mem::replace(&mut self.from_end, true) {
                return Err(Stop::malformed(
                    "the final response holds an item that never came",
                ));
            }
            let mut events: Vec<_> = missing
                .into_iter()
                .map(|(index, item)| {
                    let number = root.get("sequence_number").map_or("", |_| "\"sequence_number\":0,");
                    let item = item.raw();
                    let data = format!(
                        r#"{{"type":"response.output_item.done",{number}"output_index":{index},"item":{item}}}"#
                    );
                    (Some(index), data)
                })
                .collect();
            events.push((None, doc.text().to_owned()));
            self.put_first(events);
            return Ok(Flow::More);
        }
        if self.ledger.items.iter().any(|item| item.end.is_none()) {
            return Err(Stop::malformed("the response ends within an item"));
        }
        let mut edits = Edits::default();
        for (index, position, item) in known {
            self.final_item(item, index, position, inspector, &mut edits)?;
        }
        self.look_beside(root, &["response"], None, inspector, &mut edits)?;
        look_members(response, "response", &["output"], &[], inspector, &mut edits)?;
        self.ledger.write(kind, doc, &mut edits, out);
        self.ledger.over = true;
        Ok(Flow::Done)
    }

    /// The index of an item of the final response object, and its position when it came before and has ended.
    fn find_item(&self, number: usize, item: Value<'_>) -> Result<(u32, Option<usize>), Stop> {
        if !item.is_object() {
            return Err(Stop::malformed("an item is not an object"));
        }
        let kind = call::kind_of(item);
        let index = u32::try_from(number).unwrap_or(u32::MAX);
        let same_kind = |position: &usize| self.ledger.items.get(*position).is_some_and(|i| i.kind == kind);
        let found = self.ledger.find(index).filter(same_kind).or_else(|| {
            // Some servers leave items out here.
            let same = |known: &Item| known.kind == kind && names_the_same(&known.json, item);
            self.ledger.items.iter().position(same)
        });
        Ok(
            match found.and_then(|position| Some((position, self.ledger.items.get(position)?))) {
                Some((position, known)) => (known.index, known.end.as_ref().map(|_| position)),
                None if self.ledger.find(index).is_none() => (index, None),
                None => (self.ledger.next_index().max(index), None),
            },
        )
    }

    /// Writes an item as it was delivered.
    fn final_item(
        &self,
        item: Value<'_>,
        index: u32,
        position: usize,
        inspector: &mut dyn Inspector,
        edits: &mut Edits,
    ) -> Result<(), Stop> {
        let Some(known) = self.ledger.items.get(position) else {
            return Ok(());
        };
        let Some(judged) = &known.call else {
            refuse_calls(item, &[])?;
            return self.look_at_item(item, index, position, inspector, edits);
        };
        match &judged.fate {
            Fate::Replaced => {
                let json = known.end.as_ref().map(|(_, json)| json.clone());
                edits.set_raw(item.index(), json.unwrap_or_else(|| "null".to_owned()));
                Ok(())
            }
            Fate::Passed(changed) => {
                let place = format!("output[{index}]");
                let call = call::read(item, judged.shape, 0, &place)?;
                if call.name != judged.name || call.arguments != judged.arguments {
                    return Err(Stop::malformed("the final response holds another tool call"));
                }
                call::write(item, judged.shape, changed.as_deref(), &place, inspector, edits)
            }
        }
    }
}

/// Whether two items have the same `call_id`, or without one the same `id`.
fn names_the_same(known: &str, item: Value<'_>) -> bool {
    let Ok(doc) = Document::parse(known.as_bytes(), Limits::default()) else {
        return false;
    };
    let call = Shape::of(&call::kind_of(item)).is_some();
    let name = if call { "call_id" } else { "id" };
    let of = |item: Value<'_>| {
        item.get_str(name)
            .filter(|id| !id.is_empty())
            .map(|id| id.into_owned())
    };
    of(item).is_some() && of(item) == of(doc.root())
}
