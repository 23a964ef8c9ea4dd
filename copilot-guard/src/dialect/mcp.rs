//! JSON-RPC 2.0 of the Model Context Protocol, over streamable HTTP.
//!
//! 1. A body, or the data of one event, is one message; arrays of messages, as the protocol had them until June 2025,
//!    are read too. A message is looked at whole: every string, and every name of a member, since the tool chooses both.
//! 2. Only events named `message`, or without a name, carry messages; clients skip others, and they are left out. So are
//!    event ids: a stream cannot be taken up again elsewhere, where nobody would look at it.
//! 3. The stream has no last event. It is complete when the request's answer has come; where the request's id is not
//!    known (several at once), when the connection ends.
//! 4. It is ended by an error in answer to the request, or the client would wait for one; where the id is not known, by
//!    a logging notification, which every client accepts. (An error with the id `null` is dropped as malformed by
//!    common SDKs.)
//! 5. Images, audio and other binary data are base64: noted as not scanned where they are nothing else.

use super::names::inspect_names;
use super::{Blocked, Envelope, Flow, Inspector, Malformed, Place, Plain, StreamRewriter, is_base64};
use crate::json::{Document, Edits, Kind, Limits, Value, quote};
use crate::sse::{Event, encode};

pub(super) struct McpStream {
    /// The id of the request that is answered here, as a JSON text.
    id: Option<String>,
    answered: bool,
    over: bool,
}

impl McpStream {
    pub(super) fn new(envelope: &Envelope) -> Self {
        let id = Document::parse(envelope.id.as_bytes(), Limits::default());
        let id = id.ok().filter(|doc| is_id(doc.root()));
        Self {
            id: id.map(|doc| doc.to_text(&Edits::default())),
            answered: false,
            over: false,
        }
    }

    /// Whether this is the answer to the request.
    fn is_answer(&self, message: Value<'_>) -> bool {
        let id = message.get("id").filter(|_| is_answer(message));
        match (&self.id, id) {
            (Some(known), Some(id)) => same_id(known, id),
            _ => false,
        }
    }
}

impl StreamRewriter for McpStream {
    fn event(
        &mut self,
        event: Event<'_>,
        inspector: &mut dyn Inspector,
        out: &mut Vec<u8>,
    ) -> Result<Flow, Malformed> {
        if self.over {
            return Ok(Flow::Done);
        }
        // An event without data tells a client its first event id: there is nothing to take up again.
        if !matches!(event.name, "" | "message") || event.data.is_empty() {
            return Ok(Flow::More);
        }
        let doc = Document::parse(event.data.as_bytes(), Limits::default())?;
        let messages = messages(doc.root())?;
        let mut edits = Edits::default();
        if let Err(stop) = look(doc.root(), inspector, &mut edits) {
            return Ok(Flow::Blocked(stop.notice));
        }
        encode(event.name, &doc.to_text(&edits), out);
        self.answered |= messages.iter().any(|message| self.is_answer(*message));
        Ok(Flow::More)
    }

    fn resume(&mut self, _inspector: &mut dyn Inspector, _out: &mut Vec<u8>) -> Result<Flow, Malformed> {
        // Calls go up in this format: there are none to wait for.
        Ok(Flow::More)
    }

    fn keep_alive(&self, out: &mut Vec<u8>) {
        // A comment: any message would mean something.
        out.extend_from_slice(b": \n\n");
    }

    fn ends_with_connection(&self) -> bool {
        self.answered || self.id.is_none()
    }

    fn place(&self) -> Place {
        Place {
            over: self.over || self.answered,
            ..Place::default()
        }
    }

    fn end_at(&mut self, place: &Place, notice: &str, out: &mut Vec<u8>) {
        if place.over {
            return;
        }
        self.over = true;
        let text = quote(notice);
        let message = match &self.id {
            Some(id) => {
                format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{{"code":-32000,"message":{text}}}}}"#)
            }
            None => format!(
                r#"{{"jsonrpc":"2.0","method":"notifications/message","params":{{"level":"error","logger":"copilot-guard","data":{text}}}}}"#
            ),
        };
        encode("message", &message, out);
    }
}

/// Rewrites a plain answer.
pub(super) fn plain(body: &[u8], inspector: &mut dyn Inspector) -> Result<Plain, Malformed> {
    let doc = Document::parse(body, Limits::default())?;
    messages(doc.root())?;
    let mut edits = Edits::default();
    Ok(match look(doc.root(), inspector, &mut edits) {
        Ok(()) => Plain::Done(doc.to_text(&edits)),
        Err(stop) => Plain::Blocked(stop.notice),
    })
}

/// The messages of a body: one, or an array of them.
pub(super) fn messages(root: Value<'_>) -> Result<Vec<Value<'_>>, Malformed> {
    let messages: Vec<_> = if root.is_array() {
        root.items().collect()
    } else {
        vec![root]
    };
    for message in &messages {
        if message.get_str("jsonrpc").as_deref() != Some("2.0") {
            return Err(Malformed::new("not a JSON-RPC 2.0 message"));
        }
        if message.get("id").is_some_and(|id| !id.is_null() && !is_id(id)) {
            return Err(Malformed::new("a message id is neither a number nor a text"));
        }
        // Exactly one of the three, so that every reader takes the message for the same.
        let parts = ["method", "result", "error"].map(|name| message.get(name));
        match parts {
            [Some(method), None, None] if method.as_str().is_some() => {}
            [None, Some(_), None] | [None, None, Some(_)] => {}
            _ => return Err(Malformed::new("a message is neither a request nor an answer")),
        }
    }
    Ok(messages)
}

/// The tools that a body calls.
///
/// # Errors
/// A call without a tool's name, or with arguments that are no object.
pub(super) fn calls(messages: &[Value<'_>]) -> Result<Vec<String>, Malformed> {
    let mut names = Vec::new();
    for message in messages {
        if message.get_str("method").as_deref() != Some("tools/call") {
            continue;
        }
        let params = message.get("params");
        let name = params.and_then(|params| params.get_str("name"));
        let name = name.ok_or_else(|| Malformed::new("a tool call without the tool's name"))?;
        let arguments = params.and_then(|params| params.get_some("arguments"));
        if arguments.is_some_and(|arguments| !arguments.is_object()) {
            return Err(Malformed::new("a tool call's arguments are not an object"));
        }
        names.push(name.into_owned());
    }
    Ok(names)
}

/// The id to answer to, as a JSON text: that of the only request of a body.
pub(super) fn request_id(messages: &[Value<'_>]) -> Option<String> {
    match messages {
        [message] if message.get("method").is_some() => {
            let id = message.get("id").filter(|id| is_id(*id));
            id.map(|id| id.raw().to_owned())
        }
        _ => None,
    }
}

fn is_answer(message: Value<'_>) -> bool {
    message.get("result").is_some() || message.get("error").is_some()
}

fn is_id(id: Value<'_>) -> bool {
    matches!(id.kind(), Kind::Number | Kind::String)
}

/// Whether both are the same value: a server may write a text with other escapes than the client did.
fn same_id(known: &str, id: Value<'_>) -> bool {
    let known = Document::parse(known.as_bytes(), Limits::default());
    known.is_ok_and(|known| {
        let known = known.root();
        known.kind() == id.kind()
            && match (known.as_str(), id.as_str()) {
                (Some(known), Some(id)) => known == id,
                _ => known.raw() == id.raw(),
            }
    })
}

/// Looks at every string and every name of a member.
fn look(root: Value<'_>, inspector: &mut dyn Inspector, edits: &mut Edits) -> Result<(), Blocked> {
    strings(root, "", inspector, edits)?;
    // Last, since what it leaves out must stay out.
    inspect_names(root, |_| true, inspector, edits)
}

fn strings(
    value: Value<'_>,
    place: &str,
    inspector: &mut dyn Inspector,
    edits: &mut Edits,
) -> Result<(), Blocked> {
    if let Some(text) = value.as_str()
        && let Some(changed) = inspector.whole(place, &text)?
    {
        edits.set_str(value, &changed);
    }
    for (i, item) in value.items().enumerate() {
        strings(item, &format!("{place}[{i}]"), inspector, edits)?;
    }
    let is_media = value.get_str("mimeType").is_some();
    for (name, member) in value.entries() {
        // Names that a tool makes up are no part of a place in the record.
        let name_shown = if is_usual_name(&name) { &*name } else { "*" };
        let dot = if place.is_empty() { "" } else { "." };
        let inner = format!("{place}{dot}{name_shown}");
        let is_binary = matches!(&*name, "data" | "blob") && is_media;
        match member.as_str() {
            Some(_) if name == "jsonrpc" => {}
            Some(text) if is_binary && is_base64(&text) => inspector.not_scanned(&inner),
            _ => strings(member, &inner, inspector, edits)?,
        }
    }
    Ok(())
}

/// What the protocol calls its members: short, letters only.
fn is_usual_name(name: &str) -> bool {
    name.len() <= 24 && name.bytes().all(|b| b.is_ascii_alphabetic() || b == b'_')
}
