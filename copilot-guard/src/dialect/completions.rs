//! OpenAI's legacy completions, and ghost text, streamed.
//!
//! 1. Every string member of a choice is a channel of its own: `text`, and unknown ones too, since a client may join
//!    them from pieces. What names a form (`type`, `finish_reason`, …) repeats and is looked at as a whole.
//! 2. What is held back leaves with, or before, the chunk that has the finish reason. Text behind it is refused.
//! 3. All other strings of a chunk are looked at one by one; unknown members survive. `logprobs` are dropped: they
//!    repeat the text token by token. So are `delta` and `message`, which no client of this format reads.
//! 4. Ghost text goes into a developer's file without a person reading it first: it ends without a notice.

use std::collections::{BTreeMap, BTreeSet};

use super::completions_write::{chunk, no_choice};
use super::names::inspect_names;
use super::request::is_plain_word;
use super::{
    Blocked, Channel, Envelope, Flow, Inspector, Malformed, Place, Slot, SlotKind, StreamRewriter,
    inspect_all, is_usual_word,
};
use crate::json::{Document, Edits, Limits, Value, quote};
use crate::sse::{Event, encode};

/// Most choices: a choice's index is below it. (`n` may be 128 at most.)
const MAX_CHOICES: u32 = 128;

pub(super) struct CompletionsStream {
    envelope: Envelope,
    /// Nobody reads this as a message: no notices.
    quiet: bool,
    choices: BTreeMap<u32, Choice>,
    /// Where the next chunk may differ from the last.
    slots: Vec<Slot>,
    over: bool,
}

#[derive(Default)]
struct Choice {
    /// Channels that have begun.
    open: BTreeSet<String>,
    /// Its finish reason has left.
    finished: bool,
}

/// Texts of one choice of a chunk: by channel, the string's node and what may be shown of it.
type Texts = BTreeMap<String, (u32, String)>;

impl CompletionsStream {
    pub(super) fn new(envelope: Envelope, quiet: bool) -> Self {
        Self {
            envelope,
            quiet,
            choices: BTreeMap::new(),
            slots: Vec::new(),
            over: false,
        }
    }

    fn write(&self, index: u32, member: &str, text: &str, finish: &str, out: &mut Vec<u8>) {
        encode("", &chunk(&self.envelope, index, member, text, finish), out);
    }

    fn chunk_event(
        &mut self,
        doc: &Document<'_>,
        inspector: &mut dyn Inspector,
        out: &mut Vec<u8>,
    ) -> Result<Flow, Malformed> {
        let root = doc.root();
        let mut edits = Edits::default();
        let choices = choices(root)?;
        if let Err(stop) = beside_choices(root, inspector, &mut edits) {
            return Ok(Flow::Blocked(stop.notice));
        }
        self.envelope.learn(root, &edits);
        let mut shown = Vec::new();
        let mut ending = Vec::new();
        for (index, choice) in choices {
            self.check(index, choice)?;
            let mut texts = Texts::new();
            let mut result = self.take(index, choice, inspector, &mut edits, &mut texts);
            if result.is_ok() && ends(choice)? {
                result = self.flush(index, inspector, &mut edits, &mut texts, out);
                ending.push(index);
            }
            shown.push((index, texts));
            if let Err(stop) = result {
                // Not upstream's chunk: what stands behind the stop was not looked at.
                for (index, texts) in shown {
                    for (name, (_, text)) in texts.iter().filter(|(_, (_, text))| !text.is_empty()) {
                        self.write(index, name, text, "null", out);
                    }
                }
                return Ok(Flow::Blocked(stop.notice));
            }
        }
        // Last, since what it leaves out must stay out.
        if let Err(stop) = inspect_names(root, |name| !is_plain_word(name), inspector, &mut edits) {
            return Ok(Flow::Blocked(stop.notice));
        }
        // Behind its end a choice may repeat only nothing.
        let is_over = |(index, _): &(u32, Texts)| self.choices.get(index).is_some_and(|c| c.finished);
        if ending.is_empty() && !shown.iter().any(is_over) {
            self.slots.extend(slot(root, &edits));
        }
        encode("", &doc.to_text(&edits), out);
        for index in ending {
            self.choices.entry(index).or_default().finished = true;
        }
        Ok(Flow::More)
    }

    /// Refuses what contradicts itself, before anything of the choice is taken.
    fn check(&self, index: u32, choice: Value<'_>) -> Result<(), Malformed> {
        if choice
            .get_some("text")
            .is_some_and(|text| text.as_str().is_none())
        {
            return Err(Malformed::new("a choice's text is not a text"));
        }
        let is_finished = self.choices.get(&index).is_some_and(|c| c.finished);
        let goes_on = |(name, member): (std::borrow::Cow<'_, str>, Value<'_>)| {
            is_channel(&name, member) && member.raw().len() > 2
        };
        if is_finished && choice.entries().any(goes_on) {
            // No client waits for it, and its channel is closed.
            return Err(Malformed::new("a choice goes on after its end"));
        }
        Ok(())
    }

    /// Takes one choice of a chunk.
    fn take(
        &mut self,
        index: u32,
        choice: Value<'_>,
        inspector: &mut dyn Inspector,
        edits: &mut Edits,
        texts: &mut Texts,
    ) -> Result<(), Blocked> {
        let state = self.choices.entry(index).or_default();
        for (name, member) in choice.entries() {
            match &*name {
                "index" => {}
                "finish_reason" if is_usual_word(member) => {}
                "logprobs" => no_logprobs(member, edits),
                "delta" | "message" => edits.remove(member),
                _ if is_channel(&name, member) => {
                    let text = member.as_str().unwrap_or_default();
                    // Its name goes into chunks of our own.
                    if !state.open.contains(&*name) {
                        if !is_plain_word(&name) && inspector.whole("names of members", &name)?.is_some() {
                            edits.remove(member);
                            continue;
                        }
                        state.open.insert(name.clone().into_owned());
                    }
                    let mut shown = String::new();
                    let result = inspector.delta(&Channel::new(index, &*name), &text, &mut shown);
                    if shown != text {
                        edits.set_str(member, &shown);
                    }
                    texts.insert(name.into_owned(), (member.index(), shown));
                    result?;
                }
                _ => inspect_all(member, &format!("choices[{index}].{name}"), inspector, edits)?,
            }
        }
        Ok(())
    }

    /// Releases what a choice still holds: into the texts of the current chunk, or as chunks of their own.
    fn flush(
        &mut self,
        index: u32,
        inspector: &mut dyn Inspector,
        edits: &mut Edits,
        texts: &mut Texts,
        out: &mut Vec<u8>,
    ) -> Result<(), Blocked> {
        let state = self.choices.entry(index).or_default();
        for name in std::mem::take(&mut state.open) {
            let mut tail = String::new();
            let result = inspector.finish(&Channel::new(index, &*name), &mut tail);
            if !tail.is_empty() {
                match texts.get_mut(&name) {
                    Some((node, shown)) => {
                        shown.push_str(&tail);
                        edits.set_raw(*node, quote(shown));
                    }
                    None => self.write(index, &name, &tail, "null", out),
                }
            }
            result?;
        }
        Ok(())
    }

    /// The end of the stream. Clients ask again for a choice without a finish reason, some without end.
    fn end(&mut self, inspector: &mut dyn Inspector, out: &mut Vec<u8>) -> Flow {
        for index in self.unfinished() {
            let result = self.flush(index, inspector, &mut Edits::default(), &mut Texts::new(), out);
            if let Err(stop) = result {
                return Flow::Blocked(stop.notice);
            }
            self.write(index, "text", "", r#""stop""#, out);
            self.choices.entry(index).or_default().finished = true;
        }
        self.over = true;
        out.extend_from_slice(b"data: [DONE]\n\n");
        Flow::Done
    }

    fn unfinished(&self) -> Vec<u32> {
        let open = self.choices.iter().filter(|(_, c)| !c.finished);
        open.map(|(index, _)| *index).collect()
    }
}

impl StreamRewriter for CompletionsStream {
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
            return Ok(self.end(inspector, out));
        }
        let doc = Document::parse(event.data.as_bytes(), Limits::default())?;
        if !doc.root().is_object() {
            return Err(Malformed::new("a chunk is not an object"));
        }
        if doc.root().get_some("error").is_some() {
            return Ok(Flow::UpstreamError);
        }
        let flow = self.chunk_event(&doc, inspector, out);
        if !event.name.is_empty() {
            // Names are left out, and what repeats is written as it came.
            self.slots.clear();
        }
        flow
    }

    fn repeats(&mut self) -> Vec<Slot> {
        std::mem::take(&mut self.slots)
    }

    fn resume(&mut self, _inspector: &mut dyn Inspector, _out: &mut Vec<u8>) -> Result<Flow, Malformed> {
        // There are no calls to wait for.
        Ok(Flow::More)
    }

    fn keep_alive(&self, out: &mut Vec<u8>) {
        if self.quiet {
            // Opens no choice, so that a refusal behind it can still be the empty stream.
            encode("", &no_choice(&self.envelope), out);
        } else {
            let open = self.unfinished().first().copied();
            self.write(open.unwrap_or(0), "text", "", "null", out);
        }
    }

    fn place(&self) -> Place {
        Place {
            started: !self.choices.is_empty(),
            over: self.over,
            open: self
                .unfinished()
                .into_iter()
                .map(|index| (index, false))
                .collect(),
            ..Place::default()
        }
    }

    fn end_at(&mut self, place: &Place, notice: &str, out: &mut Vec<u8>) {
        if place.over {
            return;
        }
        self.over = true;
        let open = match (place.started, self.quiet) {
            (true, _) => place.open.as_slice(),
            (false, true) => &[],
            (false, false) => &[(0, false)],
        };
        for (index, _) in open {
            if !self.quiet {
                self.write(*index, "text", notice, "null", out);
            }
            self.write(*index, "text", "", r#""stop""#, out);
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
fn slot(root: Value<'_>, edits: &Edits) -> Option<Slot> {
    let mut choices = root.get("choices")?.items();
    let choice = choices.next().filter(|_| choices.next().is_none())?;
    let index = match choice.get("index") {
        None => 0,
        Some(index) => u32::try_from(index.as_u64()?).ok()?,
    };
    let mut texts = choice
        .entries()
        .filter(|(name, member)| is_channel(name, *member));
    let (name, text) = texts.next().filter(|_| texts.next().is_none())?;
    edits.only(text).then(|| Slot {
        range: text.place(),
        kind: SlotKind::Delta(Channel::new(index, name)),
    })
}

/// Looks at everything outside of the choices.
fn beside_choices(root: Value<'_>, inspector: &mut dyn Inspector, edits: &mut Edits) -> Result<(), Blocked> {
    for (name, member) in root.entries() {
        match &*name {
            "choices" => {}
            "logprobs" => no_logprobs(member, edits),
            _ => inspect_all(member, &name, inspector, edits)?,
        }
    }
    Ok(())
}

/// The choices of a chunk, by index. Notes of the service have none.
fn choices(root: Value<'_>) -> Result<Vec<(u32, Value<'_>)>, Malformed> {
    let Some(choices) = root.get_some("choices") else {
        return Ok(Vec::new());
    };
    if !choices.is_array() {
        return Err(Malformed::new("`choices` is not an array"));
    }
    let mut seen = BTreeSet::new();
    let one = |choice: Value<'_>| {
        if !choice.is_object() {
            return Err(Malformed::new("a choice is not an object"));
        }
        let index = match choice.get("index") {
            None => Some(0),
            Some(index) => index.as_u64().and_then(|i| u32::try_from(i).ok()),
        };
        match index.filter(|index| *index < MAX_CHOICES) {
            Some(index) if seen.insert(index) => Ok(index),
            Some(_) => Err(Malformed::new("a choice comes twice in one chunk")),
            None => Err(Malformed::new("a choice index is not a number or out of range")),
        }
    };
    let indexes = choices.items().map(one).collect::<Result<Vec<_>, _>>()?;
    Ok(indexes.into_iter().zip(choices.items()).collect())
}

/// Whether a choice's member is a text that a client may join from pieces.
fn is_channel(name: &str, member: Value<'_>) -> bool {
    let names_a_form = matches!(
        name,
        "finish_reason"
            | "logprobs"
            | "delta"
            | "message"
            | "type"
            | "object"
            | "id"
            | "role"
            | "stop_reason"
            | "native_finish_reason"
    );
    !names_a_form && member.as_str().is_some()
}

/// Whether the choice ends here. Some servers send an empty reason with each chunk.
fn ends(choice: Value<'_>) -> Result<bool, Malformed> {
    match choice.get_some("finish_reason") {
        None => Ok(false),
        Some(reason) => match reason.as_str() {
            Some(reason) => Ok(!reason.is_empty()),
            None => Err(Malformed::new("a finish reason is not a word")),
        },
    }
}
