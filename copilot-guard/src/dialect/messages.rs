//! Anthropic messages, streamed.
//!
//! 1. Blocks come one after the other; each string member of a delta is a channel of its block.
//! 2. A block that calls a tool is held from its start to its stop, judged, then released whole or replaced by a text
//!    block of the same index: what follows keeps its place.
//! 3. `thinking` is signed: its text passes as it is, or the message ends there without the signature. Encrypted
//!    reasoning passes byte for byte and is noted as not scanned.
//! 4. Event names are ours, made from the JSON `type`; a stream whose two names differ is refused.

use std::collections::BTreeSet;

use super::messages_write::{block_delta, block_stop, message_end, message_start, message_stop, text_block};
use super::names::refuse_names;
use super::{
    Blocked, Channel, Envelope, Flow, Inspector, Malformed, Place, Slot, SlotKind, StreamRewriter, ToolCall,
    Verdict, inspect_all, is_opaque_member,
};
use crate::json::{Document, Edits, Limits, Value};
use crate::sse::{Event, encode};

/// Longest argument text of one call; what is longer ends the answer.
const MAX_ARGUMENTS: usize = 8 << 20;

pub(super) struct MessagesStream {
    envelope: Envelope,
    started: bool,
    /// The open block.
    block: Option<Block>,
    /// The index a block of our own would get.
    next_index: u32,
    judged: u32,
    calls_kept: bool,
    calls_replaced: bool,
    /// The message delta has left: only the stop may follow.
    ending: bool,
    /// Where the next event may differ from the last.
    slots: Vec<Slot>,
    over: bool,
}

struct Block {
    index: u32,
    kind: BlockKind,
    /// Channels that have begun: delta type and member.
    open: BTreeSet<(String, String)>,
}

enum BlockKind {
    /// Shown as it comes.
    Open { signed: bool, is_text: bool },
    /// Held: the start event, and the arguments so far.
    Call {
        start: String,
        name: String,
        arguments: String,
        complete: bool,
    },
}

impl MessagesStream {
    pub(super) fn new(envelope: Envelope) -> Self {
        Self {
            envelope,
            started: false,
            block: None,
            next_index: 0,
            judged: 0,
            calls_kept: false,
            calls_replaced: false,
            ending: false,
            slots: Vec::new(),
            over: false,
        }
    }

    fn block_start(
        &mut self,
        root: Value<'_>,
        doc: &Document<'_>,
        inspector: &mut dyn Inspector,
        out: &mut Vec<u8>,
    ) -> Result<Flow, Malformed> {
        if self.block.is_some() {
            return Err(Malformed::new("a block begins within another"));
        }
        if self.ending {
            return Err(Malformed::new("a block begins behind the message's end"));
        }
        let index = block_index(root)?;
        let content = root.get("content_block").filter(|b| b.is_object());
        let content = content.ok_or_else(|| Malformed::new("`content_block` is missing"))?;
        let kind = plain_type(content, inspector)?;
        if index < self.next_index {
            // A client that joins by index would change what it has already been shown.
            return Err(Malformed::new("a block index comes twice"));
        }
        self.next_index = index.saturating_add(1);
        let mut edits = Edits::default();
        if let Err(blocked) = siblings(root, "content_block", inspector, &mut edits) {
            return Ok(Flow::Blocked(blocked.notice));
        }
        let mut open = BTreeSet::new();
        let mut stop = None;
        let block_kind = match kind.as_str() {
            call if call.ends_with("tool_use") => BlockKind::Call {
                start: doc.to_text(&edits),
                name: content
                    .get_str("name")
                    .map(std::borrow::Cow::into_owned)
                    .unwrap_or_default(),
                // An input that comes whole with the start, as some servers send it.
                arguments: match content.get("input") {
                    Some(input) if input.entries().next().is_some() => input.raw().to_owned(),
                    _ => String::new(),
                },
                complete: false,
            },
            "redacted_thinking" => {
                inspector.not_scanned(&format!("content[{index}].redacted_thinking"));
                for (name, member) in content.entries().filter(|(n, _)| n != "data" && n != "type") {
                    let place = format!("content[{index}].{name}");
                    if let Err(blocked) = inspect_all(member, &place, inspector, &mut edits) {
                        return Ok(Flow::Blocked(blocked.notice));
                    }
                }
                BlockKind::Open {
                    signed: true,
                    is_text: false,
                }
            }
            _ => {
                let signed = kind == "thinking";
                for (name, member) in content.entries() {
                    match member.as_str() {
                        Some(_) if name == "type" => {}
                        _ if is_opaque_member(&name) => {
                            inspector.not_scanned(&format!("content[{index}].{name}"))
                        }
                        Some(text) if name == "text" || name == "thinking" => {
                            let delta_type = format!("{name}_delta");
                            let channel = Channel {
                                index,
                                name: name.clone().into_owned(),
                                signed,
                            };
                            let mut shown = String::new();
                            if !text.is_empty() {
                                stop = inspector.delta(&channel, &text, &mut shown).err();
                                edits.set_str(member, &shown);
                            }
                            open.insert((delta_type, name.into_owned()));
                        }
                        _ => {
                            let place = format!("content[{index}].{name}");
                            if let Err(blocked) = inspect_all(member, &place, inspector, &mut edits) {
                                return Ok(Flow::Blocked(blocked.notice));
                            }
                        }
                    }
                }
                BlockKind::Open {
                    signed,
                    is_text: kind == "text",
                }
            }
        };
        if matches!(block_kind, BlockKind::Open { .. }) {
            encode("content_block_start", &doc.to_text(&edits), out);
        }
        self.block = Some(Block {
            index,
            kind: block_kind,
            open,
        });
        Ok(stop.map_or(Flow::More, |blocked| Flow::Blocked(blocked.notice)))
    }

    fn block_delta(
        &mut self,
        root: Value<'_>,
        doc: &Document<'_>,
        inspector: &mut dyn Inspector,
        out: &mut Vec<u8>,
    ) -> Result<Flow, Malformed> {
        let index = block_index(root)?;
        let block = self.block.as_mut().filter(|b| b.index == index);
        let block = block.ok_or_else(|| Malformed::new("a delta for a block that is not open"))?;
        let delta = root.get("delta").filter(|d| d.is_object());
        let delta = delta.ok_or_else(|| Malformed::new("`delta` is missing"))?;
        let kind = plain_type(delta, inspector)?;
        let signed = match &mut block.kind {
            BlockKind::Call { arguments, .. } => {
                let piece = delta
                    .get_str("partial_json")
                    .filter(|_| kind == "input_json_delta");
                let piece = piece.ok_or_else(|| Malformed::new("an unknown delta within a tool call"))?;
                arguments.push_str(&piece);
                if arguments.len() > MAX_ARGUMENTS {
                    return Err(Malformed::new("a tool call is too long"));
                }
                return Ok(Flow::More);
            }
            // Arguments of a call that was not announced as one could not be held.
            BlockKind::Open { .. } if kind == "input_json_delta" => {
                return Err(Malformed::new("arguments outside of a tool call"));
            }
            BlockKind::Open { signed, .. } => *signed,
        };
        if signed && delta.get("signature").is_some() {
            // The signature belongs to the whole text: what is held of it leaves first, or both stay here.
            if let Err(stop) = flush(block, inspector, out) {
                return Ok(Flow::Blocked(stop.notice));
            }
        }
        let mut edits = Edits::default();
        if let Err(blocked) = siblings(root, "delta", inspector, &mut edits) {
            return Ok(Flow::Blocked(blocked.notice));
        }
        for (name, member) in delta.entries() {
            match member.as_str() {
                Some(_) if name == "type" => {}
                _ if is_opaque_member(&name) => inspector.not_scanned(&format!("content[{index}].{name}")),
                Some(text) => {
                    let channel = Channel {
                        index,
                        name: name.clone().into_owned(),
                        signed,
                    };
                    let mut shown = String::new();
                    if let Err(blocked) = inspector.delta(&channel, &text, &mut shown) {
                        // Not upstream's event: what stands behind the stop was not looked at.
                        if !shown.is_empty() {
                            block_delta(index, &kind, &name, &shown, out);
                        }
                        return Ok(Flow::Blocked(blocked.notice));
                    }
                    if shown != text {
                        edits.set_str(member, &shown);
                    }
                    block.open.insert((kind.clone(), name.into_owned()));
                }
                None => {
                    let place = format!("content[{index}].{name}");
                    if let Err(blocked) = inspect_all(member, &place, inspector, &mut edits) {
                        return Ok(Flow::Blocked(blocked.notice));
                    }
                }
            }
        }
        let mut texts = delta.entries().filter(|(name, _)| name != "type");
        if let (Some((name, text)), None) = (texts.next(), texts.next())
            && text.as_str().is_some()
            && !is_opaque_member(&name)
            && edits.only(text)
        {
            let name = name.into_owned();
            let channel = Channel { index, name, signed };
            self.slots.push(Slot {
                range: text.place(),
                kind: SlotKind::Delta(channel),
            });
        }
        encode("content_block_delta", &doc.to_text(&edits), out);
        Ok(Flow::More)
    }

    fn block_end(
        &mut self,
        root: Value<'_>,
        inspector: &mut dyn Inspector,
        out: &mut Vec<u8>,
    ) -> Result<Flow, Malformed> {
        let index = block_index(root)?;
        let block = self.block.as_mut().filter(|b| b.index == index);
        let block = block.ok_or_else(|| Malformed::new("the stop of a block that is not open"))?;
        if let BlockKind::Call { complete, .. } = &mut block.kind {
            *complete = true;
            return self.judge(inspector, out);
        }
        if let Err(stop) = flush(block, inspector, out) {
            return Ok(Flow::Blocked(stop.notice));
        }
        self.block = None;
        block_stop(index, out);
        Ok(Flow::More)
    }

    fn judge(&mut self, inspector: &mut dyn Inspector, out: &mut Vec<u8>) -> Result<Flow, Malformed> {
        let Some(Block {
            index,
            kind:
                BlockKind::Call {
                    start,
                    name,
                    arguments,
                    complete: true,
                },
            ..
        }) = &self.block
        else {
            return Ok(Flow::More);
        };
        let index = *index;
        let call = ToolCall {
            number: self.judged,
            place: format!("content[{index}]"),
            name: name.clone(),
            arguments: arguments.clone(),
            free_form: false,
        };
        match inspector.tool_call(&call) {
            Verdict::Wait => return Ok(Flow::Wait),
            Verdict::Pass(changed) => {
                let doc = Document::parse(start.as_bytes(), Limits::default())?;
                let mut edits = Edits::default();
                for (member, value) in doc
                    .root()
                    .get("content_block")
                    .into_iter()
                    .flat_map(Value::entries)
                {
                    match &*member {
                        "type" | "name" => {}
                        "input" => edits.set_raw(value.index(), "{}".to_owned()),
                        _ if is_opaque_member(&member) => {}
                        _ => {
                            let place = format!("content[{index}].{member}");
                            if let Err(blocked) = inspect_all(value, &place, inspector, &mut edits) {
                                return Ok(Flow::Blocked(blocked.notice));
                            }
                        }
                    }
                }
                encode("content_block_start", &doc.to_text(&edits), out);
                let text = changed.as_deref().unwrap_or(arguments);
                if !text.is_empty() {
                    block_delta(index, "input_json_delta", "partial_json", text, out);
                }
                block_stop(index, out);
                self.calls_kept = true;
            }
            Verdict::Replace(notice) => {
                text_block(index, &notice, out);
                self.calls_replaced = true;
            }
        }
        self.judged += 1;
        self.block = None;
        Ok(Flow::More)
    }

    fn message_delta(
        &mut self,
        root: Value<'_>,
        doc: &Document<'_>,
        inspector: &mut dyn Inspector,
        out: &mut Vec<u8>,
    ) -> Flow {
        let mut edits = Edits::default();
        if let Err(stop) = inspect_all(root, "message_delta", inspector, &mut edits) {
            return Flow::Blocked(stop.notice);
        }
        let reason = root.get("delta").and_then(|d| d.get_some("stop_reason"));
        if let Some(reason) = reason.filter(|r| r.as_str().as_deref() == Some("tool_use"))
            && self.calls_replaced
            && !self.calls_kept
        {
            edits.set_str(reason, "end_turn");
        }
        encode("message_delta", &doc.to_text(&edits), out);
        self.ending = true;
        Flow::More
    }
}

impl StreamRewriter for MessagesStream {
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
        let doc = Document::parse(event.data.as_bytes(), Limits::default())?;
        let root = doc.root();
        let kind = root
            .get_str("type")
            .ok_or_else(|| Malformed::new("an event without a `type`"))?;
        if !event.name.is_empty() && event.name != kind {
            return Err(Malformed::new("the event's name and its `type` differ"));
        }
        refuse_names(root, inspector)?;
        match &*kind {
            "content_block_start" => self.block_start(root, &doc, inspector, out),
            "content_block_delta" => {
                let flow = self.block_delta(root, &doc, inspector, out);
                if event.name.is_empty() {
                    // The name is ours, and what repeats is written as it came.
                    self.slots.clear();
                }
                flow
            }
            "content_block_stop" => self.block_end(root, inspector, out),
            "message_delta" => Ok(self.message_delta(root, &doc, inspector, out)),
            "error" => Ok(Flow::UpstreamError),
            _ => {
                if kind == "message_start" {
                    if self.started {
                        return Err(Malformed::new("a second message begins"));
                    }
                    self.started = true;
                    if let Some(message) = root.get("message")
                        && let Some(id) = message.get_str("id")
                    {
                        self.envelope.id = id.into_owned();
                    }
                }
                let mut edits = Edits::default();
                if let Err(stop) = inspect_all(root, &kind, inspector, &mut edits) {
                    return Ok(Flow::Blocked(stop.notice));
                }
                let is_changed = root.get("type").is_some_and(|t| edits.replaced(t).is_some());
                if is_changed || !is_plain_name(&kind) {
                    // It would become the event's name.
                    return Err(Malformed::new(
                        "an event type with unusual characters, or not to be shown",
                    ));
                }
                encode(&kind, &doc.to_text(&edits), out);
                if kind == "message_stop" {
                    if self.block.is_some() {
                        return Err(Malformed::new("the message ends within a block"));
                    }
                    self.over = true;
                    return Ok(Flow::Done);
                }
                Ok(Flow::More)
            }
        }
    }

    fn repeats(&mut self) -> Vec<Slot> {
        std::mem::take(&mut self.slots)
    }

    fn resume(&mut self, inspector: &mut dyn Inspector, out: &mut Vec<u8>) -> Result<Flow, Malformed> {
        self.judge(inspector, out)
    }

    fn keep_alive(&self, out: &mut Vec<u8>) {
        encode("ping", r#"{"type":"ping"}"#, out);
    }

    fn place(&self) -> Place {
        let (open, next_index) = match &self.block {
            // A held call has not begun for the client: its index is free.
            Some(Block {
                index,
                kind: BlockKind::Call { .. },
                ..
            }) => (Vec::new(), *index),
            Some(block) => (vec![(block.index, false)], self.next_index),
            None => (Vec::new(), self.next_index),
        };
        let text = match &self.block {
            Some(Block {
                index,
                kind: BlockKind::Open { is_text: true, .. },
                ..
            }) => Some(*index),
            _ => None,
        };
        Place {
            text,
            started: self.started,
            ending: self.ending,
            over: self.over,
            open,
            next_index,
            calls: self.calls_kept,
            ..Place::default()
        }
    }

    fn end_at(&mut self, place: &Place, notice: &str, out: &mut Vec<u8>) {
        if place.over {
            return;
        }
        self.over = true;
        if !place.started {
            message_start(&self.envelope, out);
        }
        if let Some(index) = place.text {
            // Clients that print the last block alone would lose what came before.
            block_delta(index, "text_delta", "text", &format!("\n\n{notice}"), out);
        }
        for (index, _) in &place.open {
            block_stop(*index, out);
        }
        if !place.ending {
            if place.text.is_none() {
                text_block(place.next_index, notice, out);
            }
            message_end(if place.calls { "tool_use" } else { "end_turn" }, out);
        } else {
            message_stop(out);
        }
    }
}

/// Releases what the block's channels still hold, as deltas of their own.
fn flush(block: &mut Block, inspector: &mut dyn Inspector, out: &mut Vec<u8>) -> Result<(), Blocked> {
    let signed = matches!(block.kind, BlockKind::Open { signed: true, .. });
    for (kind, member) in std::mem::take(&mut block.open) {
        let channel = Channel {
            index: block.index,
            name: member.clone(),
            signed,
        };
        let mut tail = String::new();
        let result = inspector.finish(&channel, &mut tail);
        if !tail.is_empty() {
            block_delta(block.index, &kind, &member, &tail, out);
        }
        result?;
    }
    Ok(())
}

/// The `type` of a block or delta; it goes back into our own events.
fn plain_type(value: Value<'_>, inspector: &mut dyn Inspector) -> Result<String, Malformed> {
    let kind = value.get_str("type").filter(|kind| is_plain_name(kind));
    let kind = kind.ok_or_else(|| Malformed::new("a `type` is missing or unusual"))?;
    let is_known = matches!(
        &*kind,
        "text"
            | "thinking"
            | "redacted_thinking"
            | "tool_use"
            | "server_tool_use"
            | "text_delta"
            | "thinking_delta"
            | "signature_delta"
            | "input_json_delta"
            | "citations_delta"
    );
    // Another word goes out as it is, if at all.
    if !is_known && inspector.whole("type", &kind) != Ok(None) {
        return Err(Malformed::new("a `type` holds what must not be shown"));
    }
    Ok(kind.into_owned())
}

/// Looks at what stands beside the event's own members.
fn siblings(
    root: Value<'_>,
    own: &str,
    inspector: &mut dyn Inspector,
    edits: &mut Edits,
) -> Result<(), Blocked> {
    for (name, member) in root
        .entries()
        .filter(|(n, _)| !matches!(&**n, "type" | "index") && n != own)
    {
        inspect_all(member, &name, inspector, edits)?;
    }
    Ok(())
}

fn block_index(root: Value<'_>) -> Result<u32, Malformed> {
    let index = root
        .get("index")
        .and_then(Value::as_u64)
        .and_then(|i| u32::try_from(i).ok());
    index
        .filter(|i| *i < 100_000)
        .ok_or_else(|| Malformed::new("a block index is missing or out of range"))
}

/// Event names go into our framing: nothing but letters, digits, `_`, `.` and `-`.
fn is_plain_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 64
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b))
}
