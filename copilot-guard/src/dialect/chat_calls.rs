//! OpenAI chat completions: one choice of a stream, and its tool calls as far as they have come.

use std::collections::BTreeMap;

use super::chat_nested::Tail;
use super::{Blocked, Inspector, Malformed, inspect_all, is_opaque_member};
use crate::json::{Document, Edits, Limits, Value};

/// Longest argument text of one call; what is longer ends the answer.
const MAX_ARGUMENTS: usize = 8 << 20;
/// Most choices, and most calls of one choice.
pub(super) const MAX_ENTRIES: usize = 128;

#[derive(Default)]
pub(super) struct Choice {
    /// Channels that have begun, and how their tails are written.
    pub(super) open: BTreeMap<String, Tail>,
    pub(super) calls: Vec<HeldCall>,
    pub(super) released: u32,
    pub(super) finished: bool,
}

/// A tool call as far as it has come.
#[derive(Default)]
pub(super) struct HeldCall {
    /// Its index upstream; `None` for the legacy `function_call`.
    pub(super) index: Option<u64>,
    /// The first fragment: unknown members are taken from it.
    first: String,
    id: Option<String>,
    pub(super) name: String,
    pub(super) arguments: String,
    /// A free-form tool: `custom.input` takes the place of `function.arguments`.
    pub(super) custom: bool,
}

impl Choice {
    pub(super) fn take_fragment(&mut self, fragment: Value<'_>) -> Result<(), Malformed> {
        if !fragment.is_object() {
            return Err(Malformed::new("a tool call is not an object"));
        }
        let id = fragment.get_str("id").filter(|id| !id.is_empty());
        // Some servers leave the index out: an id then begins a call, its lack goes on with the last.
        let last = self.calls.last().and_then(|c| c.index);
        let index = match fragment.get("index").and_then(Value::as_u64) {
            Some(index) => index,
            None if id.is_some() => last.map_or(0, |i| i.saturating_add(1)),
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

    pub(super) fn take_legacy(&mut self, fragment: Value<'_>) -> Result<(), Malformed> {
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
    pub(super) fn write(
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
