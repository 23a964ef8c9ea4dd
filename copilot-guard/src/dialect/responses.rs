//! OpenAI Responses, streamed.
//!
//! 1. A text is one string member of a `delta` event: its channel goes by output index, part index and kind, never by
//!    item id, which Copilot changes from event to event. A text comes again in up to four later events; these copies
//!    are written as the pieces were shown, and what never came in pieces is looked at on its own.
//! 2. What is held back of a text leaves as one more piece before the event that ends it.
//! 3. Items that call a tool are held from `added` to `done`, judged, then released whole or replaced by a message at
//!    the same output index. What follows waits behind them, bounded.
//! 4. A call that stands only in the final response object is announced, judged and released before that event leaves.
//! 5. `sequence_number` is ours, and so are event names; a stream whose two names differ is refused. `logprobs` are
//!    emptied: they repeat the text. `obfuscation` stays. Encrypted reasoning passes and is noted as not scanned.
//! 6. An event that brings a piece of an unknown text, or a call in a place where it cannot be held, ends the answer.

use std::collections::VecDeque;

use super::responses_held::Held;
use super::responses_ledger::Ledger;
use super::responses_look::{is_plain_name, look_members};
use super::responses_text::{Text, output_index};
use super::{Blocked, Envelope, Flow, Inspector, Malformed, Place, StreamRewriter, Verdict};
use crate::json::{Document, Edits, JsonError, Limits, Value};
use crate::sse::Event;

pub(super) use super::responses_plain::plain;
pub(super) use super::responses_write::plain_notice;

/// Most bytes and events that wait behind a held call.
const MAX_WAITING: usize = 8 << 20;
const MAX_WAITING_EVENTS: usize = 1 << 16;

pub(super) struct ResponsesStream {
    pub(super) ledger: Ledger,
    /// The call that is on its way.
    pub(super) held: Option<Held>,
    /// What came behind it.
    waiting: VecDeque<Waiting>,
    /// Bytes that came to wait since nothing waited.
    waiting_bytes: usize,
    judged: u32,
    /// Upstream's `response.created` came.
    pub(super) begun: bool,
    /// Items were taken from the final response object.
    pub(super) from_end: bool,
    /// The item id that was looked at last: it comes in every event.
    clean_id: String,
}

struct Waiting {
    index: Option<u32>,
    data: String,
}

/// Why an event goes no further.
pub(super) enum Stop {
    Blocked(Blocked),
    Malformed(Malformed),
}

impl From<Blocked> for Stop {
    fn from(blocked: Blocked) -> Self {
        Self::Blocked(blocked)
    }
}

impl From<Malformed> for Stop {
    fn from(malformed: Malformed) -> Self {
        Self::Malformed(malformed)
    }
}

impl From<JsonError> for Stop {
    fn from(error: JsonError) -> Self {
        Self::Malformed(error.into())
    }
}

impl Stop {
    pub(super) fn malformed(what: &'static str) -> Self {
        Self::Malformed(Malformed::new(what))
    }
}

impl ResponsesStream {
    pub(super) fn new(envelope: Envelope) -> Self {
        Self {
            ledger: Ledger::new(envelope),
            held: None,
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            judged: 0,
            begun: false,
            from_end: false,
            clean_id: String::new(),
        }
    }

    /// Takes one event, or lets it wait, then all that need not wait any more.
    fn take(
        &mut self,
        event: Event<'_>,
        inspector: &mut dyn Inspector,
        out: &mut Vec<u8>,
    ) -> Result<Flow, Stop> {
        let doc = Document::parse(event.data.as_bytes(), Limits::default())?;
        let kind = kind(doc.root())?;
        if !event.name.is_empty() && event.name != kind {
            return Err(Stop::malformed("the event's name and its `type` differ"));
        }
        let index = item_of(&kind, doc.root())?;
        if self.waits(index) && !is_failure(&kind) {
            if is_end(&kind) && !self.waiting_for_a_vote() {
                return Err(Stop::malformed("the response ends within a tool call"));
            }
            self.let_wait(index, event.data)?;
            return Ok(Flow::More);
        }
        match self.step(&kind, &doc, inspector, out)? {
            Flow::More if self.held.is_none() => self.go_on(inspector, out),
            flow => Ok(flow),
        }
    }

    fn waiting_for_a_vote(&self) -> bool {
        self.held.as_ref().is_some_and(Held::is_complete)
    }

    /// Whether an event of that item (or of none) must wait behind the held call.
    fn waits(&self, index: Option<u32>) -> bool {
        match &self.held {
            Some(held) => held.is_complete() || index != Some(held.index),
            None => false,
        }
    }

    fn let_wait(&mut self, index: Option<u32>, data: &str) -> Result<(), Malformed> {
        if self.waiting.is_empty() {
            self.waiting_bytes = 0;
        }
        self.waiting_bytes += data.len();
        if self.waiting_bytes > MAX_WAITING || self.waiting.len() >= MAX_WAITING_EVENTS {
            return Err(Malformed::new(
                "too much comes behind a tool call that has not ended",
            ));
        }
        let data = data.to_owned();
        self.waiting.push_back(Waiting { index, data });
        Ok(())
    }

    /// Puts events of our own making in front of all that waits.
    pub(super) fn put_first(&mut self, events: Vec<(Option<u32>, String)>) {
        for (index, data) in events.into_iter().rev() {
            self.waiting.push_front(Waiting { index, data });
        }
    }

    /// Takes what waits, as far as no call is in its way.
    fn go_on(&mut self, inspector: &mut dyn Inspector, out: &mut Vec<u8>) -> Result<Flow, Stop> {
        // Events that must wait on, in their order.
        let mut parked = VecDeque::new();
        while let Some(next) = self.waiting.pop_front() {
            if self.waits(next.index) {
                parked.push_back(next);
                continue;
            }
            let was_held = self.held.is_some();
            let doc = Document::parse(next.data.as_bytes(), Limits::default())?;
            let flow = self.step(&kind(doc.root())?, &doc, inspector, out)?;
            let released = was_held && self.held.is_none();
            if flow != Flow::More || released {
                parked.append(&mut self.waiting);
                self.waiting = std::mem::take(&mut parked);
            }
            if flow != Flow::More {
                return Ok(flow);
            }
        }
        self.waiting = parked;
        Ok(Flow::More)
    }

    /// Takes one event whose turn it is.
    fn step(
        &mut self,
        kind: &str,
        doc: &Document<'_>,
        inspector: &mut dyn Inspector,
        out: &mut Vec<u8>,
    ) -> Result<Flow, Stop> {
        let root = doc.root();
        if is_failure(kind) {
            return Ok(Flow::UpstreamError);
        }
        if let Some(held) = &mut self.held {
            held.take(kind, root, doc.text())?;
            return self.judge(inspector, out);
        }
        match kind {
            "response.created" | "response.queued" | "response.in_progress" => {
                self.goes_on(kind, doc, inspector, out)?;
            }
            "response.completed" | "response.incomplete" => return self.ends(kind, doc, inspector, out),
            "response.output_item.added" => self.item_added(doc, inspector, out)?,
            "response.output_item.done" => return self.item_done(doc, inspector, out),
            "response.content_part.added" | "response.reasoning_summary_part.added" => {
                self.part_added(kind, doc, inspector, out)?;
            }
            "response.content_part.done" | "response.reasoning_summary_part.done" => {
                self.part_done(kind, doc, inspector, out)?;
            }
            _ if root.get_some("delta").is_some() => self.delta(kind, doc, inspector, out)?,
            _ => match kind.strip_suffix(".done") {
                Some(stem) => self.text_done(kind, stem, doc, inspector, out)?,
                None => self.other(kind, doc, inspector, out)?,
            },
        }
        Ok(Flow::More)
    }

    /// Judges the held call, if it is complete.
    pub(super) fn judge(&mut self, inspector: &mut dyn Inspector, out: &mut Vec<u8>) -> Result<Flow, Stop> {
        let Some(held) = self.held.as_ref().filter(|held| held.is_complete()) else {
            return Ok(Flow::More);
        };
        let call = held.call(self.judged)?;
        match inspector.tool_call(&call) {
            Verdict::Wait => return Ok(Flow::Wait),
            Verdict::Pass(changed) => held.release(call, changed, &mut self.ledger, inspector, out)?,
            Verdict::Replace(notice) => held.replace(call, &notice, &mut self.ledger, out),
        }
        self.judged += 1;
        self.held = None;
        Ok(Flow::More)
    }

    /// Looks at an event's members but for these.
    pub(super) fn look_beside(
        &mut self,
        root: Value<'_>,
        but: &[&str],
        copies: Option<usize>,
        inspector: &mut dyn Inspector,
        edits: &mut Edits,
    ) -> Result<(), Blocked> {
        let texts: &[Text] = match copies.and_then(|position| self.ledger.items.get(position)) {
            Some(item) => &item.texts,
            None => &[],
        };
        let mut but = but.to_vec();
        but.push("type");
        if let Some(id) = root.get("item_id").filter(|id| id.as_str().is_some()) {
            but.push("item_id");
            if id.raw() != self.clean_id {
                match inspector.whole("item_id", &id.as_str().unwrap_or_default())? {
                    Some(changed) => edits.set_str(id, &changed),
                    None => id.raw().clone_into(&mut self.clean_id),
                }
            }
        }
        look_members(root, "", &but, texts, inspector, edits)
    }
}

impl StreamRewriter for ResponsesStream {
    fn event(
        &mut self,
        event: Event<'_>,
        inspector: &mut dyn Inspector,
        out: &mut Vec<u8>,
    ) -> Result<Flow, Malformed> {
        if self.ledger.over {
            return Ok(Flow::Done);
        }
        flow(self.take(event, inspector, out))
    }

    fn resume(&mut self, inspector: &mut dyn Inspector, out: &mut Vec<u8>) -> Result<Flow, Malformed> {
        match flow(self.judge(inspector, out))? {
            Flow::More => flow(self.go_on(inspector, out)),
            stop => Ok(stop),
        }
    }

    fn keep_alive(&self, out: &mut Vec<u8>) {
        self.ledger.keep_alive(out);
    }

    fn place(&self) -> Place {
        self.ledger.place()
    }

    fn end_at(&mut self, place: &Place, notice: &str, out: &mut Vec<u8>) {
        self.ledger.end_at(place, notice, out);
    }
}

fn flow(result: Result<Flow, Stop>) -> Result<Flow, Malformed> {
    match result {
        Ok(flow) => Ok(flow),
        Err(Stop::Blocked(blocked)) => Ok(Flow::Blocked(blocked.notice)),
        Err(Stop::Malformed(malformed)) => Err(malformed),
    }
}

/// An event's type.
fn kind(root: Value<'_>) -> Result<String, Malformed> {
    let kind = root.get_str("type").filter(|kind| is_plain_name(kind));
    let kind = kind.ok_or_else(|| Malformed::new("an event's `type` is missing or unusual"))?;
    Ok(kind.into_owned())
}

/// The item that an event is about.
fn item_of(kind: &str, root: Value<'_>) -> Result<Option<u32>, Malformed> {
    let of_the_response = matches!(
        kind,
        "response.created" | "response.queued" | "response.in_progress"
    );
    if of_the_response || is_end(kind) || is_failure(kind) {
        return Ok(None);
    }
    output_index(root)
}

fn is_end(kind: &str) -> bool {
    matches!(kind, "response.completed" | "response.incomplete")
}

/// Upstream's own words for what went wrong are not for the client.
fn is_failure(kind: &str) -> bool {
    matches!(kind, "error" | "response.failed")
}
