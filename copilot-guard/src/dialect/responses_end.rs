//! OpenAI Responses: where a client stands, and how its message ends from there.
//!
//! Clients take nothing but `response.completed` for an end, and some keep only what stands in its response object: it
//! repeats what was delivered, open items with as much of their texts as was shown.

use super::Place;
use super::responses_ledger::{Ledger, Numbers, array, item_id};
use super::responses_look::set_members;
use super::responses_text::Stage;
use super::responses_write::{USAGE, response};
use crate::json::quote;

/// What a [`Place`] needs to know of this format beyond the others.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Standing {
    /// The next `sequence_number`, where events have one.
    sequence: Option<u64>,
    /// How many items have ended.
    ended: usize,
    /// The texts of the items that have not.
    texts: Vec<BegunText>,
}

/// How much of a text was shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct BegunText {
    item: usize,
    text: usize,
    shown: usize,
    stage: Stage,
}

impl Ledger {
    pub(super) fn place(&self) -> Place {
        let open = || {
            self.items
                .iter()
                .enumerate()
                .filter(|(_, item)| item.end.is_none())
        };
        let mut texts = Vec::new();
        for (position, item) in open() {
            texts.extend(item.texts.iter().enumerate().map(|(number, text)| BegunText {
                item: position,
                text: number,
                shown: text.shown.len(),
                stage: text.stage,
            }));
        }
        Place {
            started: self.created.get(),
            over: self.over,
            open: open().map(|(_, item)| (item.index, false)).collect(),
            next_index: self.next_index(),
            calls: self.calls,
            items: Standing {
                sequence: match self.numbers.get() {
                    Numbers::Own(next) | Numbers::Next(next) => Some(next),
                    Numbers::Unknown | Numbers::Without => None,
                },
                ended: self.ended,
                texts,
            },
            ..Place::default()
        }
    }

    pub(super) fn end_at(&mut self, place: &Place, notice: &str, out: &mut Vec<u8>) {
        if place.over {
            return;
        }
        self.over = true;
        self.created.set(place.started);
        self.numbers.set(match place.items.sequence {
            Some(next) => Numbers::Next(next),
            None if place.started => Numbers::Without,
            None => Numbers::Unknown,
        });
        // What the client has not got of upstream's own response object, it does not need.
        let known = self.response.take().filter(|_| place.started);
        let known = known.unwrap_or_else(|| response(&self.envelope, "in_progress", "[]"));
        self.start(out);
        let ended = |end: &(usize, String)| (end.0 < place.items.ended).then(|| end.1.clone());
        let mut output: Vec<(u32, String)> = self
            .items
            .iter()
            .filter_map(|item| Some((item.index, item.end.as_ref().and_then(ended)?)))
            .collect();
        let mut texts = place.items.texts.clone();
        let is_told = self.tell(&mut texts, notice, out);
        for (index, _) in &place.open {
            if let Some(position) = self.find(*index) {
                output.push((*index, self.close(position, &texts, out)));
            }
        }
        if !is_told {
            output.push((place.next_index, self.message(place.next_index, notice, out)));
        }
        let members = [
            ("status", quote("completed")),
            ("error", "null".to_owned()),
            ("incomplete_details", "null".to_owned()),
            ("output", array(&mut output)),
            ("usage", USAGE.to_owned()),
        ];
        let response = set_members(&known, &members);
        self.own("response.completed", &format!("\"response\":{response}"), out);
    }

    /// Puts the notice behind a message's text that is open: clients that print the last message alone would lose what
    /// came before. `false`: there is none.
    fn tell(&mut self, begun: &mut [BegunText], notice: &str, out: &mut Vec<u8>) -> bool {
        for begun in begun.iter_mut().rev().filter(|b| b.stage == Stage::Open) {
            let item = self
                .items
                .get_mut(begun.item)
                .filter(|item| item.kind == "message");
            let Some(item) = item else {
                continue;
            };
            let at = item_id(&item.json);
            let Some(text) = item.texts.get_mut(begun.text) else {
                continue;
            };
            if text.key.form.is_none_or(|form| form.part != "output_text") {
                continue;
            }
            let notice = format!("\n\n{notice}");
            // What of it the client has not got stays here.
            text.shown.truncate(begun.shown);
            text.shown.push_str(&notice);
            begun.shown = text.shown.len();
            let members = format!(
                "{at}{},\"delta\":{},\"logprobs\":[]",
                text.key.members(item.index),
                quote(&notice)
            );
            self.own("response.output_text.delta", &members, out);
            return true;
        }
        false
    }

    /// Ends an item for a client that was shown so much of its texts. Gives the item.
    fn close(&self, position: usize, begun: &[BegunText], out: &mut Vec<u8>) -> String {
        let Some(item) = self.items.get(position) else {
            return "{}".to_owned();
        };
        let id = item_id(&item.json);
        let of_item = || begun.iter().filter(|b| b.item == position);
        for BegunText {
            text, shown, stage, ..
        } in of_item()
        {
            let Some((text, form)) = item.texts.get(*text).and_then(|t| Some((t, t.key.form?))) else {
                continue;
            };
            let shown = text.shown.get(..*shown).unwrap_or(&text.shown);
            let at = format!("{id}{}", text.key.members(item.index));
            if *stage == Stage::Open {
                let logprobs = if form.part == "output_text" {
                    ",\"logprobs\":[]"
                } else {
                    ""
                };
                let members = format!("{at},\"{}\":{}{logprobs}", form.member, quote(shown));
                self.own(&format!("{}.done", form.stem), &members, out);
            }
            if text.part_is_open(*stage) {
                let kind = match form.list {
                    Some(("summary", _)) => "response.reasoning_summary_part.done",
                    _ => "response.content_part.done",
                };
                self.own(kind, &format!("{at},\"part\":{}", text.part_with(shown)), out);
            }
        }
        let json = item.so_far(
            |text| {
                let begun =
                    of_item().find(|b| item.texts.get(b.text).is_some_and(|t| std::ptr::eq(t, text)))?;
                Some(text.shown.get(..begun.shown).unwrap_or(&text.shown))
            },
            Some("incomplete"),
        );
        let members = format!("\"output_index\":{},\"item\":{json}", item.index);
        self.own("response.output_item.done", &members, out);
        json
    }

    /// An event that changes nothing. Some clients take its response object in place of all they have: it holds what
    /// was delivered so far.
    pub(super) fn keep_alive(&self, out: &mut Vec<u8>) {
        if self.over {
            return;
        }
        if !self.created.get() {
            // The identity of the response is upstream's, and clients hold on to the first they hear of. A comment
            // keeps the connection; the client that takes no notice of comments bears 300 s.
            out.extend_from_slice(b": waiting\n\n");
            return;
        }
        let response = match &self.response {
            Some(known) => set_members(known, &[("output", self.output())]),
            None => response(&self.envelope, "in_progress", &self.output()),
        };
        self.own("response.in_progress", &format!("\"response\":{response}"), out);
    }
}
