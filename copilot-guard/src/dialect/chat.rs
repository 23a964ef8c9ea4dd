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

use super::chat_write::{chunk, delta};
use super::{
    Blocked, Channel, Envelope, Flow, Inspector, Malformed, Place, StreamRewriter, ToolCall, Verdict,
    inspect_all, is_opaque_member, is_usual_word,
};
use crate::json::{Document, Edits, Limits, Value};
use crate::sse::{Event, encode};

/// Longest argument text of one call; what is longer ends the answer.
const MAX_ARGUMENTS: usize = 8 << 20;
/// Most choices, and most calls of one choice.
const MAX_ENTRIES: usize = 128;

pub(super) struct ChatStream {
    envelope: Envelope,
    choices: BTreeMap<u32, Choice>,
    judged: u32,
    /// The chunk that ends a choice, written but for its finish reason, and the calls to judge before it leaves.
    deferred: Option<Deferred>,
    over: bool,
}

#[derive(Default)]
struct Choice {
    open: BTreeSet<String>,
    calls: Vec<HeldCall>,
    released: u32,
    finished: bool,
}

/// A tool call as far as it has come.
#[derive(Default)]
struct HeldCall {
    /// Its index upstream; `None` for the legacy `function_call`.
    index: Option<u64>,
    /// The first fragment: unknown members are taken from it.
    first: String,
    id: Option<String>,
    name: String,
    arguments: String,
    /// A free-form tool: `custom.input` takes the place of `function.arguments`.
    custom: bool,
}

struct Deferred {
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
            over: false,
        }
    }

    fn write(&self, data: &str, out: &mut Vec<u8>) {
        encode("", data, out);
    }

    /// Copies what upstream calls itself, so that our own chunks look the same. What had to be masked is left out.
    fn learn_envelope(&mut self, root: Value<'_>, edits: &Edits) {
        let text = |name| {
            let value = root.get(name).filter(|v| edits.replaced(*v).is_none())?;
            value.as_str().filter(|text| !text.is_empty())
        };
        if let Some(id) = text("id") {
            self.envelope.id = id.into_owned();
        }
        if let Some(model) = text("model") {
            self.envelope.model = model.into_owned();
        }
        if let Some(created) = root.get("created").and_then(Value::as_u64) {
            self.envelope.created = i64::try_from(created).unwrap_or_default();
        }
    }

    /// Takes the delta of one choice: text through the inspector, call fragments out of it.
    fn take_delta(
        &mut self,
        index: u32,
        value: Value<'_>,
        inspector: &mut dyn Inspector,
        edits: &mut Edits,
        texts: &mut BTreeMap<String, (u32, String)>,
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
                        choice.open.insert(name.clone().into_owned());
                        let result = inspector.delta(&Channel::new(index, &*name), &text, &mut shown);
                        if result.is_err() || shown != text {
                            edits.set_str(member, &shown);
                        }
                        texts.insert(name.into_owned(), (member.index(), shown));
                        if let Err(blocked) = result {
                            return Ok(Err(blocked));
                        }
                    }
                    None => {
                        let place = format!("choices[{index}].delta.{name}");
                        if let Err(blocked) = inspect_all(member, &place, inspector, edits) {
                            return Ok(Err(blocked));
                        }
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
        texts: &BTreeMap<String, (u32, String)>,
        out: &mut Vec<u8>,
    ) -> Result<(), Blocked> {
        let open = self
            .choices
            .get_mut(&index)
            .map(|c| std::mem::take(&mut c.open))
            .unwrap_or_default();
        for name in open {
            let mut tail = String::new();
            let result = inspector.finish(&Channel::new(index, &*name), &mut tail);
            if !tail.is_empty() {
                match texts.get(&name) {
                    Some((node, shown)) => {
                        edits.set_raw(*node, crate::json::quote(&format!("{shown}{tail}")))
                    }
                    None => self.write(&chunk(&self.envelope, index, &delta(&name, &tail), "null"), out),
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
        for (name, member) in root.entries() {
            if name != "choices" {
                if let Err(stop) = inspect_all(member, &name, inspector, &mut edits) {
                    return Ok(Flow::Blocked(stop.notice));
                }
            }
        }
        self.learn_envelope(root, &edits);
        for choice in root.get("choices").into_iter().flat_map(Value::items) {
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
                    "logprobs" => edits.set_raw(member.index(), "null".to_owned()),
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
            if blocked.is_some() {
                // What may still be shown leaves without the finish reason; the end follows.
                if let Some(finish) = choice.get("finish_reason") {
                    edits.set_raw(finish.index(), "null".to_owned());
                }
                break;
            }
        }
        let data = doc.to_text(&edits);
        if let Some(stop) = blocked {
            self.write(&data, out);
            return Ok(Flow::Blocked(stop.notice));
        }
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
        self.deferred = Some(Deferred {
            chunk,
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
            };
            match inspector.tool_call(&tool_call) {
                Verdict::Wait => {
                    deferred.queue.push_front((index, call));
                    self.deferred = Some(deferred);
                    return Ok(Flow::Wait);
                }
                Verdict::Pass(changed) => {
                    let choice = self.choices.entry(index).or_default();
                    let position = choice.released;
                    choice.released += 1;
                    deferred.kept.insert(index);
                    let arguments = changed.as_deref().unwrap_or(&call.arguments);
                    let data = match call.write(position, arguments, inspector)? {
                        Ok(data) => data,
                        Err(stop) => return Ok(Flow::Blocked(stop.notice)),
                    };
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
                    if deferred.replaced.contains(&index) && !deferred.kept.contains(&index) {
                        if let Some(finish) = choice.get_some("finish_reason") {
                            edits.set_str(finish, "stop");
                        }
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
        event: &Event,
        inspector: &mut dyn Inspector,
        out: &mut Vec<u8>,
    ) -> Result<Flow, Malformed> {
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
        self.chunk_event(root, &doc, inspector, out)
    }

    fn resume(&mut self, inspector: &mut dyn Inspector, out: &mut Vec<u8>) -> Result<Flow, Malformed> {
        self.judge(inspector, out)
    }

    fn keep_alive(&self, out: &mut Vec<u8>) {
        self.write(&chunk(&self.envelope, 0, r#"{"content":""}"#, "null"), out);
    }

    fn place(&self) -> Place {
        // A deferred end belongs to a choice whose finish reason has not left yet.
        let waiting = |index: &u32| {
            self.deferred.as_ref().is_some_and(|d| {
                d.queue.iter().any(|(i, _)| i == index)
                    || d.kept.contains(index)
                    || d.replaced.contains(index)
            })
        };
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
            self.write(
                &chunk(&self.envelope, *index, &delta("content", notice), "null"),
                out,
            );
            let reason = if *calls { r#""tool_calls""# } else { r#""stop""# };
            self.write(&chunk(&self.envelope, *index, "{}", reason), out);
        }
        out.extend_from_slice(b"data: [DONE]\n\n");
    }
}

impl Choice {
    fn take_fragment(&mut self, fragment: Value<'_>) -> Result<(), Malformed> {
        if !fragment.is_object() {
            return Err(Malformed::new("a tool call is not an object"));
        }
        let id = fragment.get_str("id").filter(|id| !id.is_empty());
        // Some servers leave the index out: an id then begins a call, its lack goes on with the last.
        let last = self.calls.last().and_then(|c| c.index);
        let index = match fragment.get("index").and_then(Value::as_u64) {
            Some(index) => index,
            None if id.is_some() => last.map_or(0, |i| i + 1),
            None => last.unwrap_or(0),
        };
        let call = self.call(Some(index), fragment)?;
        if let Some(id) = id {
            call.id = Some(id.into_owned());
        }
        if let Some(function) = fragment.get_some("function") {
            call.extend(function, "arguments")?;
        }
        if let Some(custom) = fragment.get_some("custom") {
            call.custom = true;
            call.extend(custom, "input")?;
        }
        Ok(())
    }

    fn take_legacy(&mut self, fragment: Value<'_>) -> Result<(), Malformed> {
        self.call(None, fragment)?.extend(fragment, "arguments")
    }

    fn call(&mut self, index: Option<u64>, fragment: Value<'_>) -> Result<&mut HeldCall, Malformed> {
        let position = match self.calls.iter().position(|c| c.index == index) {
            Some(position) => position,
            None if self.calls.len() >= MAX_ENTRIES => return Err(Malformed::new("too many tool calls")),
            None => {
                self.calls.push(HeldCall {
                    index,
                    first: fragment.raw().to_owned(),
                    ..HeldCall::default()
                });
                self.calls.len() - 1
            }
        };
        self.calls
            .get_mut(position)
            .ok_or_else(|| Malformed::new("no such tool call"))
    }
}

impl HeldCall {
    fn extend(&mut self, function: Value<'_>, member: &str) -> Result<(), Malformed> {
        if let Some(name) = function.get_str("name") {
            self.name.push_str(&name);
        }
        match function.get_some(member) {
            None => {}
            Some(arguments) => match arguments.as_str() {
                Some(text) => self.arguments.push_str(&text),
                // A few servers send the arguments as an object at once.
                None => self.arguments.push_str(arguments.raw()),
            },
        }
        if self.arguments.len() > MAX_ARGUMENTS || self.name.len() > 1024 {
            return Err(Malformed::new("a tool call is too long"));
        }
        Ok(())
    }

    /// The delta that brings the whole call. Unknown members of its first fragment come along, looked at.
    fn write(
        &self,
        position: u32,
        arguments: &str,
        inspector: &mut dyn Inspector,
    ) -> Result<Result<String, Blocked>, Malformed> {
        use crate::json::quote;
        let body = |member: &str| {
            format!(
                r#"{{"name":{},"{member}":{}}}"#,
                quote(&self.name),
                quote(arguments)
            )
        };
        if self.index.is_none() {
            return Ok(Ok(format!(r#"{{"function_call":{}}}"#, body("arguments"))));
        }
        let doc = Document::parse(self.first.as_bytes(), Limits::default())?;
        let mut edits = Edits::default();
        for (name, member) in doc.root().entries() {
            if matches!(&*name, "index" | "id" | "type" | "function" | "custom") {
                edits.remove(member);
            } else if is_opaque_member(&name) {
                inspector.not_scanned(&format!("tool_calls.{name}"));
            } else if let Err(stop) =
                inspect_all(member, &format!("tool_calls.{name}"), inspector, &mut edits)
            {
                return Ok(Err(stop));
            }
        }
        let rest = doc.to_text(&edits);
        let rest = rest
            .strip_prefix('{')
            .and_then(|r| r.strip_suffix('}'))
            .unwrap_or_default();
        let comma = if rest.is_empty() { "" } else { "," };
        let id = match self.id.as_deref() {
            None => String::new(),
            Some(id) => match inspector.whole("tool_calls.id", id) {
                Ok(changed) => format!(r#""id":{},"#, quote(changed.as_deref().unwrap_or(id))),
                Err(stop) => return Ok(Err(stop)),
            },
        };
        let (kind, body) = if self.custom {
            ("custom", body("input"))
        } else {
            ("function", body("arguments"))
        };
        Ok(Ok(format!(
            r#"{{"tool_calls":[{{"index":{position},{id}"type":"{kind}","{kind}":{body}{comma}{rest}}}]}}"#
        )))
    }
}
