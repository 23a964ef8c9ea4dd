//! OpenAI chat completions, streamed.
//!
//! 1. Every string member of a delta is a channel of its own (`content`, `reasoning_content`, `refusal`, unknown ones
//!    too): clients join them from pieces.
//! 2. Tool calls leave the stream when they begin and come back whole, judged, before their choice ends. Text passes
//!    them meanwhile.
//! 3. What is held back leaves before the chunk with the finish reason.
//! 4. All other strings of a chunk are looked at one by one; unknown members survive. `logprobs` are dropped: they
//!    repeat the text token by token.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::chat_calls::{Choice, HeldCall, MAX_ENTRIES};
use super::chat_nested::{Nested, Tail};
use super::chat_write::{chunk, delta};
use super::names::refuse_names;
use super::{
    Blocked, Channel, Envelope, Flow, Inspector, Malformed, Place, Slot, SlotKind, StreamRewriter, ToolCall,
    Verdict, inspect_all, is_opaque_member, is_usual_word,
};
use crate::json::{Document, Edits, Kind, Limits, Value};
use crate::sse::{Event, encode};

pub(super) struct ChatStream {
    envelope: Envelope,
    choices: BTreeMap<u32, Choice>,
    judged: u32,
    /// The chunk that ends a choice, written but for its finish reason, and the calls to judge before it leaves.
    deferred: Option<Deferred>,
    /// Where the next chunk may differ from the last.
    slots: Vec<Slot>,
    over: bool,
}

/// Texts of one chunk's choice: by channel name, the string's node and what may be shown of it.
pub(super) type Texts = BTreeMap<String, (u32, String)>;

struct Deferred {
    /// The choices that end.
    ending: Vec<u32>,
    /// The chunk; `None` for the end of the stream.
    chunk: Option<String>,
    queue: VecDeque<(u32, HeldCall)>,
    /// Choices of which a call was released.
    kept: BTreeSet<u32>,
    /// Choices of which every call was replaced so far.
    replaced: BTreeSet<u32>,
}

impl ChatStream {
    pub(super) fn new(envelope: Envelope) -> Self {
        Self {
            envelope,
            choices: BTreeMap::new(),
            judged: 0,
            deferred: None,
            slots: Vec::new(),
            over: false,
        }
    }

    fn write(&self, data: &str, out: &mut Vec<u8>) {
        encode("", data, out);
    }

    /// Takes the delta of one choice: text through the inspector, call fragments out of it.
    fn take_delta(
        &mut self,
        index: u32,
        value: Value<'_>,
        inspector: &mut dyn Inspector,
        edits: &mut Edits,
        texts: &mut Texts,
    ) -> Result<Result<(), Blocked>, Malformed> {
        let choice = self.choices.entry(index).or_default();
        for (name, member) in value.entries() {
            match &*name {
                "role" if is_usual_word(member) => {}
                "tool_calls" if member.is_array() => {
                    for fragment in member.items() {
                        choice.take_fragment(fragment)?;
                    }
                    edits.remove(member);
                }
                "function_call" if member.is_object() => {
                    choice.take_legacy(member)?;
                    edits.remove(member);
                }
                _ if is_opaque_member(&name) => {
                    inspector.not_scanned(&format!("choices[{index}].delta.{name}"))
                }
                _ => match member.as_str() {
                    Some(text) => {
                        let mut shown = String::new();
                        choice.open.insert(name.clone().into_owned(), Tail::Member);
                        let result = inspector.delta(&Channel::new(index, &*name), &text, &mut shown);
                        if result.is_err() || shown != text {
                            edits.set_str(member, &shown);
                        }
                        texts.insert(name.into_owned(), (member.index(), shown));
                        if let Err(blocked) = result {
                            return Ok(Err(blocked));
                        }
                    }
                    None if name == "logprobs" => no_logprobs(member, edits),
                    None => {
                        let mut nested = Nested::new(index, &name, member);
                        if let Err(blocked) = nested.take(inspector, edits, texts) {
                            return Ok(Err(blocked));
                        }
                        choice.open.extend(nested.tails());
                    }
                },
            }
        }
        Ok(Ok(()))
    }

    /// Releases what a choice still holds: into the texts of the current delta, or as chunks of their own.
    fn flush(
        &mut self,
        index: u32,
        inspector: &mut dyn Inspector,
        edits: &mut Edits,
        texts: &Texts,
        out: &mut Vec<u8>,
    ) -> Result<(), Blocked> {
        let open = self
            .choices
            .get_mut(&index)
            .map(|c| std::mem::take(&mut c.open))
            .unwrap_or_default();
        for (name, how) in open {
            let mut tail = String::new();
            let result = inspector.finish(&Channel::new(index, &*name), &mut tail);
            if !tail.is_empty() {
                match texts.get(&name) {
                    Some((node, shown)) => {
                        edits.set_raw(*node, crate::json::quote(&format!("{shown}{tail}")))
                    }
                    None => self.write(
                        &chunk(&self.envelope, index, &how.delta(&name, &tail), "null"),
                        out,
                    ),
                }
            }
            result?;
        }
        Ok(())
    }

    fn chunk_event(
        &mut self,
        root: Value<'_>,
        doc: &Document<'_>,
        inspector: &mut dyn Inspector,
        out: &mut Vec<u8>,
    ) -> Result<Flow, Malformed> {
        let mut edits = Edits::default();
        let mut ending = Vec::new();
        let mut blocked = None;
        let mut shown: Vec<(u32, Texts)> = Vec::new();
        for (name, member) in root.entries() {
            if name == "logprobs" {
                no_logprobs(member, &mut edits);
            } else if name != "choices"
                && let Err(stop) = inspect_all(member, &name, inspector, &mut edits)
            {
                return Ok(Flow::Blocked(stop.notice));
            }
        }
        self.envelope.learn(root, &edits);
        for choice in choices(root)? {
            let index = match choice.get("index") {
                None => Some(0),
                Some(index) => index.as_u64().and_then(|i| u32::try_from(i).ok()),
            };
            let index =
                index.ok_or_else(|| Malformed::new("a choice index is not a number or out of range"))?;
            if self.choices.len() >= MAX_ENTRIES && !self.choices.contains_key(&index) {
                return Err(Malformed::new("too many choices"));
            }
            if self.choices.get(&index).is_some_and(|c| c.finished) && choice.get_some("delta").is_some() {
                // Text behind the finish reason: no client waits for it, and its channel is closed.
                let empty = choice
                    .get("delta")
                    .is_none_or(|d| d.entries().all(|(_, v)| v.raw().len() <= 2));
                if !empty {
                    return Err(Malformed::new("a choice goes on after its end"));
                }
            }
            let mut texts = BTreeMap::new();
            for (name, member) in choice.entries() {
                match &*name {
                    "index" => {}
                    "finish_reason" if is_usual_word(member) => {}
                    "delta" if member.is_object() => {
                        match self.take_delta(index, member, inspector, &mut edits, &mut texts)? {
                            Ok(()) => {}
                            Err(stop) => blocked = Some(stop),
                        }
                    }
                    "logprobs" => no_logprobs(member, &mut edits),
                    // Text outside of a delta, as other formats have it: no client of this dialect needs it, and pieces
                    // of it could not be looked at as one, nor calls in it be held.
                    "text" | "message" => edits.remove(member),
                    _ => {
                        let place = format!("choices[{index}].{name}");
                        if let Err(stop) = inspect_all(member, &place, inspector, &mut edits) {
                            return Ok(Flow::Blocked(stop.notice));
                        }
                    }
                }
            }
            if blocked.is_none() && choice.get_some("finish_reason").is_some() {
                if let Err(stop) = self.flush(index, inspector, &mut edits, &texts, out) {
                    blocked = Some(stop);
                }
                ending.push(index);
            }
            shown.push((index, texts));
            if blocked.is_some() {
                break;
            }
        }
        if let Some(stop) = blocked {
            // Not upstream's chunk: what stands behind the stop was not looked at.
            for (index, texts) in shown {
                for (name, (_, text)) in texts.into_iter().filter(|(_, (_, text))| !text.is_empty()) {
                    if !name.contains(['.', '[']) {
                        self.write(&chunk(&self.envelope, index, &delta(&name, &text), "null"), out);
                    }
                }
            }
            return Ok(Flow::Blocked(stop.notice));
        }
        // Behind its end a choice may repeat only nothing.
        let is_over = |(index, _): &(u32, Texts)| self.choices.get(index).is_some_and(|c| c.finished);
        if ending.is_empty() && !shown.iter().any(is_over) {
            self.slots = slots(root, &edits).unwrap_or_default();
        }
        let data = doc.to_text(&edits);
        self.end_choices(&ending, Some(data), inspector, out)
    }

    /// Puts the calls of ending choices up for judgement; without any, the chunk leaves at once.
    fn end_choices(
        &mut self,
        ending: &[u32],
        chunk: Option<String>,
        inspector: &mut dyn Inspector,
        out: &mut Vec<u8>,
    ) -> Result<Flow, Malformed> {
        let mut queue = VecDeque::new();
        for index in ending {
            let choice = self.choices.entry(*index).or_default();
            choice.finished = true;
            queue.extend(
                std::mem::take(&mut choice.calls)
                    .into_iter()
                    .map(|call| (*index, call)),
            );
        }
        let chunk = match chunk {
            // Text does not wait for a vote: it leaves now, and the end alone stays.
            Some(data) if !queue.is_empty() => {
                let (now, later) = split_end(&data, ending)?;
                self.write(&now, out);
                Some(later)
            }
            other => other,
        };
        self.deferred = Some(Deferred {
            chunk,
            ending: ending.to_vec(),
            queue,
            kept: BTreeSet::new(),
            replaced: BTreeSet::new(),
        });
        self.judge(inspector, out)
    }

    fn judge(&mut self, inspector: &mut dyn Inspector, out: &mut Vec<u8>) -> Result<Flow, Malformed> {
        let Some(mut deferred) = self.deferred.take() else {
            return Ok(Flow::More);
        };
        while let Some((index, call)) = deferred.queue.pop_front() {
            let tool_call = ToolCall {
                number: self.judged,
                place: format!("choices[{index}].tool_calls[{}]", call.index.unwrap_or(0)),
                name: call.name.clone(),
                arguments: call.arguments.clone(),
                free_form: call.custom,
            };
            match inspector.tool_call(&tool_call) {
                Verdict::Wait => {
                    deferred.queue.push_front((index, call));
                    self.deferred = Some(deferred);
                    return Ok(Flow::Wait);
                }
                Verdict::Pass(changed) => {
                    let position = self.choices.entry(index).or_default().released;
                    let arguments = changed.as_deref().unwrap_or(&call.arguments);
                    let data = match call.write(position, arguments, inspector) {
                        Ok(Ok(data)) => data,
                        // The choice has not ended for the client: `end_with` must know.
                        Ok(Err(stop)) => {
                            self.deferred = Some(deferred);
                            return Ok(Flow::Blocked(stop.notice));
                        }
                        Err(malformed) => {
                            self.deferred = Some(deferred);
                            return Err(malformed);
                        }
                    };
                    self.choices.entry(index).or_default().released += 1;
                    deferred.kept.insert(index);
                    self.write(&chunk(&self.envelope, index, &data, "null"), out);
                }
                Verdict::Replace(notice) => {
                    deferred.replaced.insert(index);
                    self.write(
                        &chunk(&self.envelope, index, &delta("content", &notice), "null"),
                        out,
                    );
                }
            }
            self.judged += 1;
        }
        match deferred.chunk {
            None => {
                // Without a finish reason clients ask again, some without end.
                for index in &deferred.ending {
                    let reason = if deferred.kept.contains(index) {
                        r#""tool_calls""#
                    } else {
                        r#""stop""#
                    };
                    self.write(&chunk(&self.envelope, *index, "{}", reason), out);
                }
                self.over = true;
                out.extend_from_slice(b"data: [DONE]\n\n");
                Ok(Flow::Done)
            }
            Some(data) => {
                let doc = Document::parse(data.as_bytes(), Limits::default())?;
                let mut edits = Edits::default();
                for choice in doc.root().get("choices").into_iter().flat_map(Value::items) {
                    let index = choice
                        .get("index")
                        .and_then(Value::as_u64)
                        .and_then(|i| u32::try_from(i).ok());
                    let index = index.unwrap_or(0);
                    if deferred.replaced.contains(&index)
                        && !deferred.kept.contains(&index)
                        && let Some(finish) = choice.get_some("finish_reason")
                    {
                        edits.set_str(finish, "stop");
                    }
                }
                self.write(&doc.to_text(&edits), out);
                Ok(Flow::More)
            }
        }
    }
}

impl StreamRewriter for ChatStream {
    fn event(
        &mut self,
        event: Event<'_>,
        inspector: &mut dyn Inspector,
        out: &mut Vec<u8>,
    ) -> Result<Flow, Malformed> {
        self.slots.clear();
        if self.over {
            return Ok(Flow::Done);
        }
        if event.data.trim() == "[DONE]" {
            let unfinished: Vec<u32> = self
                .choices
                .iter()
                .filter(|(_, c)| !c.finished)
                .map(|(i, _)| *i)
                .collect();
            for index in &unfinished {
                if let Err(stop) = self.flush(*index, inspector, &mut Edits::default(), &BTreeMap::new(), out)
                {
                    return Ok(Flow::Blocked(stop.notice));
                }
            }
            return self.end_choices(&unfinished, None, inspector, out);
        }
        let doc = Document::parse(event.data.as_bytes(), Limits::default())?;
        let root = doc.root();
        if !root.is_object() {
            return Err(Malformed::new("a chunk is not an object"));
        }
        if root.get_some("error").is_some() {
            return Ok(Flow::UpstreamError);
        }
        refuse_names(root, inspector)?;
        let flow = self.chunk_event(root, &doc, inspector, out);
        if !event.name.is_empty() {
            // Names are left out, and what repeats is written as it came.
            self.slots.clear();
        }
        flow
    }

    fn repeats(&mut self) -> Vec<Slot> {
        std::mem::take(&mut self.slots)
    }

    fn resume(&mut self, inspector: &mut dyn Inspector, out: &mut Vec<u8>) -> Result<Flow, Malformed> {
        self.judge(inspector, out)
    }

    fn keep_alive(&self, out: &mut Vec<u8>) {
        self.write(&chunk(&self.envelope, 0, r#"{"content":""}"#, "null"), out);
    }

    fn place(&self) -> Place {
        // A deferred end belongs to a choice whose finish reason has not left yet.
        let waiting = |index: &u32| self.deferred.as_ref().is_some_and(|d| d.ending.contains(index));
        let open = self
            .choices
            .iter()
            .filter(|(index, c)| !c.finished || waiting(index));
        Place {
            started: !self.choices.is_empty(),
            over: self.over,
            open: open.map(|(index, c)| (*index, c.released > 0)).collect(),
            ..Place::default()
        }
    }

    fn end_at(&mut self, place: &Place, notice: &str, out: &mut Vec<u8>) {
        if place.over {
            return;
        }
        self.over = true;
        let none_yet = [(0, false)];
        for (index, calls) in if place.started {
            place.open.as_slice()
        } else {
            &none_yet
        } {
            // Some clients take a message without a role for broken; others join the roles of two chunks.
            let text = match place.started {
                true => delta("content", &format!("\n\n{notice}")),
                false => format!(
                    r#"{{"role":"assistant","content":{}}}"#,
                    crate::json::quote(notice)
                ),
            };
            self.write(&chunk(&self.envelope, *index, &text, "null"), out);
            let reason = if *calls { r#""tool_calls""# } else { r#""stop""# };
            self.write(&chunk(&self.envelope, *index, "{}", reason), out);
        }
        out.extend_from_slice(b"data: [DONE]\n\n");
    }
}

/// They repeat the text token by token.
fn no_logprobs(member: Value<'_>, edits: &mut Edits) {
    if !member.is_null() {
        edits.set_raw(member.index(), "null".to_owned());
    }
}

/// The one text of a chunk that brings nothing else to its one choice.
fn slots(root: Value<'_>, edits: &Edits) -> Option<Vec<Slot>> {
    let mut choices = root.get("choices")?.items();
    let choice = choices.next().filter(|_| choices.next().is_none())?;
    let index = match choice.get("index") {
        None => 0,
        Some(index) => u32::try_from(index.as_u64()?).ok()?,
    };
    let mut texts = choice
        .get("delta")?
        .entries()
        .filter(|(name, member)| !member.is_null() && (name != "role" || !is_usual_word(*member)));
    let (name, text) = texts.next().filter(|_| texts.next().is_none())?;
    if text.kind() != Kind::String || is_opaque_member(&name) || !edits.only(text) {
        return None;
    }
    let mut slots = vec![Slot {
        range: text.place(),
        kind: SlotKind::Delta(Channel::new(index, name)),
    }];
    // Padding, another one in each chunk.
    if let Some(padding) = root.get("obfuscation").filter(|v| v.kind() == Kind::String) {
        slots.push(Slot {
            range: padding.place(),
            kind: SlotKind::Whole("obfuscation".to_owned()),
        });
        slots.sort_by_key(|slot| slot.range.start);
    }
    Some(slots)
}

/// Cuts a chunk that ends choices in two: everything but the ends, and the ends alone.
fn split_end(data: &str, ending: &[u32]) -> Result<(String, String), Malformed> {
    let doc = Document::parse(data.as_bytes(), Limits::default())?;
    let (mut now, mut later) = (Edits::default(), Edits::default());
    if let Some(usage) = doc.root().get_some("usage") {
        now.set_raw(usage.index(), "null".to_owned());
    }
    for choice in doc.root().get("choices").into_iter().flat_map(Value::items) {
        let index = choice
            .get("index")
            .and_then(Value::as_u64)
            .and_then(|i| u32::try_from(i).ok())
            .unwrap_or(0);
        if let Some(finish) = choice.get("finish_reason").filter(|_| ending.contains(&index)) {
            now.set_raw(finish.index(), "null".to_owned());
        }
        if let Some(delta) = choice.get("delta") {
            later.set_raw(delta.index(), "{}".to_owned());
        }
    }
    Ok((doc.to_text(&now), doc.to_text(&later)))
}

/// The choices of a chunk; notes of the service have none. What is not of that shape would pass without a look.
fn choices(root: Value<'_>) -> Result<impl Iterator<Item = Value<'_>>, Malformed> {
    let choices = root.get_some("choices");
    if choices.is_some_and(|choices| !choices.is_array() || !choices.items().all(Value::is_object)) {
        return Err(Malformed::new("`choices` is not an array of objects"));
    }
    Ok(choices.into_iter().flat_map(Value::items))
}
