//! Wire formats: what clients and models say to each other, read strictly and written afresh.
//!
//! A dialect knows a format and no policy. It hands every text to an [`Inspector`] and writes what comes back; a new
//! dialect is a [`StreamRewriter`] and a few functions for plain answers and requests, in files of its own.

mod chat;
mod chat_calls;
mod chat_nested;
mod chat_plain;
mod chat_write;
mod completions;
mod completions_write;
mod embeddings;
mod mcp;
pub(crate) mod memo;
mod messages;
mod messages_plain;
mod messages_write;
#[cfg(feature = "tower")]
pub(crate) mod models;
mod names;
mod parameters;
mod refusal;
mod request;
mod responses;
mod responses_call;
mod responses_end;
mod responses_held;
mod responses_items;
mod responses_ledger;
mod responses_look;
mod responses_plain;
mod responses_request;
mod responses_text;
mod responses_whole;
mod responses_write;
mod routes;
mod usage;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::sse::Event;

pub use memo::{Slot, SlotKind};
pub use refusal::error_body;
pub use request::{ParsedRequest, Part};
pub use routes::{Route, RouteSet, RouteTable, StaticReply, TokenExchange, Traffic, UnknownRouteSet};
pub(crate) use usage::usage;

/// A wire format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Dialect {
    /// OpenAI chat completions.
    Chat,
    /// OpenAI's legacy completions.
    Completions,
    /// Completions as an editor asks for them at each keystroke: never held, and refused without a word, since text
    /// would go into the code.
    GhostText,
    /// OpenAI Responses.
    Responses,
    /// Anthropic messages.
    Messages,
    /// Embeddings: text goes up, numbers come down.
    Embeddings,
    /// JSON-RPC of the Model Context Protocol over HTTP: calls of tools, and their results.
    Mcp,
}

impl Dialect {
    /// The name used in configuration and records.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Completions => "completions",
            Self::GhostText => "ghost_text",
            Self::Responses => "responses",
            Self::Messages => "messages",
            Self::Embeddings => "embeddings",
            Self::Mcp => "mcp",
        }
    }

    /// Reads a request. `model` is the one that the path names, where it does.
    ///
    /// # Errors
    /// The body is not an acceptable request of this dialect.
    pub fn parse_request(
        self,
        body: &[u8],
        model: Option<&str>,
        limits: crate::json::Limits,
    ) -> Result<ParsedRequest, Malformed> {
        request::parse(self, body, model, limits)
    }

    /// Starts rewriting a streamed answer. `envelope` is used for events of our own before upstream has spoken.
    pub fn stream(self, envelope: Envelope) -> Box<dyn StreamRewriter> {
        match self {
            Self::Chat => Box::new(chat::ChatStream::new(envelope)),
            Self::Completions => Box::new(completions::CompletionsStream::new(envelope, false)),
            Self::GhostText => Box::new(completions::CompletionsStream::new(envelope, true)),
            Self::Responses => Box::new(responses::ResponsesStream::new(envelope)),
            Self::Messages => Box::new(messages::MessagesStream::new(envelope)),
            Self::Embeddings => Box::new(embeddings::NoStream),
            Self::Mcp => Box::new(mcp::McpStream::new(&envelope)),
        }
    }

    /// Rewrites a plain answer. May be called again with the same body after [`Plain::Wait`]: the inspector then
    /// gives the verdict that was missing.
    ///
    /// # Errors
    /// The body is not an acceptable answer of this dialect.
    pub fn plain(self, body: &[u8], inspector: &mut dyn Inspector) -> Result<Plain, Malformed> {
        match self {
            Self::Chat => chat_plain::plain(body, inspector),
            Self::Completions | Self::GhostText => completions_write::plain(body, inspector),
            Self::Responses => responses::plain(body, inspector),
            Self::Messages => messages_plain::plain(body, inspector),
            Self::Embeddings => embeddings::plain(body, inspector),
            Self::Mcp => mcp::plain(body, inspector),
        }
    }

    /// The id of a message of our own.
    pub fn message_id(self, exchange: &str) -> String {
        match self {
            Self::Chat => format!("chatcmpl-{exchange}"),
            Self::Completions | Self::GhostText => format!("cmpl-{exchange}"),
            Self::Responses => format!("resp_{exchange}"),
            Self::Messages => format!("msg_{exchange}"),
            Self::Embeddings | Self::Mcp => exchange.to_owned(),
        }
    }

    /// A whole plain answer that says `text` and ends normally; `None` where an answer holds no text for a person.
    pub fn plain_notice(self, envelope: &Envelope, text: &str) -> Option<String> {
        match self {
            Self::Chat => Some(chat_write::plain_notice(envelope, text)),
            Self::Completions => Some(completions_write::plain_notice(envelope, text)),
            Self::GhostText => Some(completions_write::plain_nothing(envelope)),
            Self::Responses => Some(responses::plain_notice(envelope, text)),
            Self::Messages => Some(messages_write::plain_notice(envelope, text)),
            Self::Embeddings | Self::Mcp => None,
        }
    }

    /// Whether its users bear to wait for a person's vote.
    pub const fn can_be_held(self) -> bool {
        !matches!(self, Self::GhostText)
    }

    /// Whether its answers are read by a person; those of the others are code to insert, or are for programs.
    pub(crate) const fn is_conversation(self) -> bool {
        matches!(self, Self::Chat | Self::Responses | Self::Messages)
    }
}

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What messages of our own carry where upstream's would carry its ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// The message id. Of JSON-RPC it is the request's id, as a JSON text.
    pub id: String,
    /// The model, as the request names it.
    pub model: String,
    /// Seconds since the Unix epoch.
    pub created: i64,
}

impl Envelope {
    /// Copies what upstream calls itself, so that our own messages look the same. What had to be masked is left out.
    pub(crate) fn learn(&mut self, root: crate::json::Value<'_>, edits: &crate::json::Edits) {
        let text = |name| {
            let value = root.get(name).filter(|v| edits.replaced(*v).is_none())?;
            value.as_str().filter(|text| !text.is_empty())
        };
        if let Some(id) = text("id") {
            self.id = id.into_owned();
        }
        if let Some(model) = text("model") {
            self.model = model.into_owned();
        }
        if let Some(created) = root.get("created").and_then(crate::json::Value::as_u64) {
            self.created = i64::try_from(created).unwrap_or_default();
        }
    }
}

/// A text that a client joins from pieces: one member of one choice (or block).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Channel {
    /// The choice index, or the block index.
    pub index: u32,
    /// The member's name, such as `content`, `reasoning_content`, `refusal`, `text` or `thinking`.
    pub name: String,
    /// Its text is signed: it may pass or be cut off, but never be changed.
    pub signed: bool,
}

impl Channel {
    /// A channel whose text may be changed.
    pub fn new(index: u32, name: impl Into<String>) -> Self {
        Self {
            index,
            name: name.into(),
            signed: false,
        }
    }
}

impl fmt::Display for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}[{}]", self.name, self.index)
    }
}

/// A complete tool call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolCall {
    /// Counts the calls of one answer in the order in which they are judged.
    pub number: u32,
    /// The place, such as `tool_calls[0][1]`.
    pub place: String,
    /// The tool's name.
    pub name: String,
    /// The arguments as the model wrote them: a JSON text, unless the tool is [`free_form`](Self::free_form).
    pub arguments: String,
    /// The tool takes any text; otherwise arguments that are not strict JSON are refused, since a lax reader would
    /// find other strings in them than the rules did.
    pub free_form: bool,
}

/// What is to become of a tool call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Let it through, with these arguments when they were changed.
    Pass(Option<String>),
    /// Put this text in its place.
    Replace(String),
    /// A person is being asked; call [`StreamRewriter::resume`] (or [`Dialect::plain`]) again later.
    Wait,
}

/// The text was stopped: nothing more of the answer may pass. The notice is for the reader.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blocked {
    /// What the reader is told.
    pub notice: String,
}

/// Looks at what a dialect finds. The dialect writes only what comes back.
pub trait Inspector {
    /// Takes the next piece of a channel and appends what may be shown now.
    ///
    /// # Errors
    /// The answer ends here; `out` holds what may still be shown.
    fn delta(&mut self, channel: &Channel, text: &str, out: &mut String) -> Result<(), Blocked>;

    /// Ends a channel and appends what was held back.
    ///
    /// # Errors
    /// As for [`delta`](Self::delta).
    fn finish(&mut self, channel: &Channel, out: &mut String) -> Result<(), Blocked>;

    /// Looks at a text that is complete; `Some` when it must be changed.
    ///
    /// # Errors
    /// The answer ends here.
    fn whole(&mut self, place: &str, text: &str) -> Result<Option<String>, Blocked>;

    /// Judges a complete tool call. For the same [`ToolCall::number`] it is asked again after [`Verdict::Wait`].
    fn tool_call(&mut self, call: &ToolCall) -> Verdict;

    /// Notes what passes unseen, such as encrypted reasoning.
    fn not_scanned(&mut self, what: &str);
}

/// Where a streamed answer stands after an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Flow {
    /// Give the next event.
    More,
    /// A tool call waits for a person: give no event, call [`StreamRewriter::resume`] once the verdict is known.
    Wait,
    /// The answer has ended in its format. Give no more events.
    Done,
    /// The inspector has stopped the answer: call [`StreamRewriter::end_with`] with this notice.
    Blocked(String),
    /// Upstream reports an error within the stream: call [`StreamRewriter::end_with`].
    UpstreamError,
}

/// Rewrites one streamed answer.
///
/// Give events to [`event`](Self::event) in order; on [`Flow::Wait`] stop and call [`resume`](Self::resume) later; when
/// upstream ends before [`Flow::Done`], or anything fails, call [`end_with`](Self::end_with) once.
pub trait StreamRewriter: Send {
    /// Takes one event and appends what goes to the client.
    ///
    /// # Errors
    /// The event is not acceptable; end the answer.
    fn event(
        &mut self,
        event: Event<'_>,
        inspector: &mut dyn Inspector,
        out: &mut Vec<u8>,
    ) -> Result<Flow, Malformed>;

    /// Where the next event may differ from the one just taken and still say the same but for its text: then it needs
    /// not be read in full. Empty when that event moved the answer on, or anything of it but the text of its slots was
    /// changed. What is the same between the slots is written as it came.
    fn repeats(&mut self) -> Vec<Slot> {
        Vec::new()
    }

    /// Goes on after [`Flow::Wait`].
    ///
    /// # Errors
    /// As for [`event`](Self::event).
    fn resume(&mut self, inspector: &mut dyn Inspector, out: &mut Vec<u8>) -> Result<Flow, Malformed>;

    /// Appends an event that changes nothing for the reader and keeps the connection alive.
    fn keep_alive(&self, out: &mut Vec<u8>);

    /// Whether the answer is complete when the connection ends here: the format has no last event of its own.
    fn ends_with_connection(&self) -> bool {
        false
    }

    /// Where a client stands that has got everything written so far.
    fn place(&self) -> Place;

    /// Ends the message properly for a client that stands at `place`, with `notice` as its last visible text. What was
    /// held back is dropped.
    fn end_at(&mut self, place: &Place, notice: &str, out: &mut Vec<u8>);

    /// [`end_at`](Self::end_at) for a client that has got everything written so far.
    fn end_with(&mut self, notice: &str, out: &mut Vec<u8>) {
        let place = self.place();
        self.end_at(&place, notice, out);
    }
}

/// What of a streamed message a client has seen begin and not seen end.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Place {
    /// The message has begun.
    pub started: bool,
    /// Only the format's last event is missing.
    pub ending: bool,
    /// The message has ended.
    pub over: bool,
    /// Choices (or the block) that have not ended, and whether they brought a tool call.
    pub open: Vec<(u32, bool)>,
    /// The open block, where it is one of text: a notice goes into it.
    pub text: Option<u32>,
    /// The index that a block of our own would get.
    pub next_index: u32,
    /// A tool call was let through.
    pub calls: bool,
    /// What more the Responses format needs to know.
    items: responses_end::Standing,
}

/// A plain answer, rewritten.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Plain {
    /// The body for the client.
    Done(String),
    /// A tool call waits for a person.
    Wait,
    /// The inspector has stopped the answer.
    Blocked(String),
}

/// A request or answer that is not what its dialect demands.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct Malformed {
    what: String,
}

impl Malformed {
    /// Says what is wrong, without content.
    pub fn new(what: impl Into<String>) -> Self {
        Self { what: what.into() }
    }
}

impl From<crate::json::JsonError> for Malformed {
    fn from(error: crate::json::JsonError) -> Self {
        Self::new(format!("not acceptable JSON: {error}"))
    }
}

/// Members whose text is signed or encrypted by the vendor and must return to it byte for byte.
pub(crate) fn is_opaque_member(name: &str) -> bool {
    matches!(
        name,
        "reasoning_opaque"
            | "encrypted_content"
            | "signature"
            | "encrypted_index"
            | "encrypted_stdout"
            | "thought_signature"
    )
}

/// Standard base64 and nothing else: numbers or media, where a format says so.
pub(crate) fn is_base64(text: &str) -> bool {
    let digits = text.trim_end_matches('=');
    text.len().is_multiple_of(4)
        && text.len() - digits.len() <= 2
        && digits
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'+' || b == b'/')
}

/// Roles, reasons to finish, and values without text: no need to look at them.
pub(crate) fn is_usual_word(value: crate::json::Value<'_>) -> bool {
    use crate::json::Kind;
    match value.kind() {
        Kind::Array | Kind::Object => false,
        Kind::String => matches!(
            value.raw().trim_matches('"'),
            "assistant"
                | "user"
                | "system"
                | "developer"
                | "tool"
                | "function"
                | ""
                | "stop"
                | "length"
                | "tool_calls"
                | "function_call"
                | "content_filter"
                | "error"
        ),
        _ => true,
    }
}

/// Looks at every string below `value` as a complete text and collects the changes. Opaque members are only noted.
pub(crate) fn inspect_all(
    value: crate::json::Value<'_>,
    place: &str,
    inspector: &mut dyn Inspector,
    edits: &mut crate::json::Edits,
) -> Result<(), Blocked> {
    if let Some(text) = value.as_str()
        && let Some(changed) = inspector.whole(place, &text)?
    {
        edits.set_str(value, &changed);
    }
    for (i, item) in value.items().enumerate() {
        inspect_all(item, &format!("{place}[{i}]"), inspector, edits)?;
    }
    for (name, member) in value.entries() {
        if is_opaque_member(&name) {
            inspector.not_scanned(&format!("{place}.{name}"));
        } else {
            inspect_all(member, &format!("{place}.{name}"), inspector, edits)?;
        }
    }
    Ok(())
}
