//! OpenAI Responses: items that make a client (or a server on its behalf) do something.
//!
//! Any item whose type ends with `_call` is one, but for those that the vendor runs within its own walls. Where the
//! format has no string of arguments, the item's own members are the arguments.

use super::responses::Stop;
use super::responses_look::{look, look_members};
use super::{Inspector, Malformed, ToolCall, is_opaque_member};
use crate::json::{Document, Edits, Kind, Limits, Value, quote};

/// Where a call keeps its arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// In `arguments`, a JSON text.
    Arguments,
    /// In `input`, any text.
    Input,
    /// In all members that name no form.
    Members,
}

impl Shape {
    /// The shape of items of that type; `None` when they are no calls.
    pub(super) fn of(kind: &str) -> Option<Self> {
        match kind {
            "function_call" | "mcp_call" | "mcp_approval_request" => Some(Self::Arguments),
            "custom_tool_call" => Some(Self::Input),
            "web_search_call" | "file_search_call" | "code_interpreter_call" | "image_generation_call" => {
                None
            }
            _ => kind.ends_with("_call").then_some(Self::Members),
        }
    }

    /// The member with the arguments.
    pub(super) fn member(self) -> Option<&'static str> {
        match self {
            Self::Arguments => Some("arguments"),
            Self::Input => Some("input"),
            Self::Members => None,
        }
    }
}

/// What events with a call's arguments are called, without the last word.
pub(super) fn stem(kind: &str) -> Option<&'static str> {
    match kind {
        "function_call" => Some("response.function_call_arguments"),
        "custom_tool_call" => Some("response.custom_tool_call_input"),
        "mcp_call" => Some("response.mcp_call_arguments"),
        _ => None,
    }
}

/// Whether events of that name bring arguments, so that they may only stand within a call.
pub(super) fn brings_arguments(stem: &str) -> bool {
    stem.ends_with("arguments") || stem.ends_with("_input")
}

/// The type of an item.
pub(super) fn kind_of(item: Value<'_>) -> String {
    item.get_str("type")
        .map(std::borrow::Cow::into_owned)
        .unwrap_or_default()
}

/// Whether `value` is a call, or holds one anywhere.
pub(super) fn holds_call(value: Value<'_>) -> bool {
    Shape::of(&kind_of(value)).is_some()
        || value.items().any(holds_call)
        || value.entries().any(|(_, member)| holds_call(member))
}

/// The string of a call's arguments. A missing one is empty; any other value could be read in more than one way.
pub(super) fn text(item: Value<'_>, member: &str) -> Result<String, Malformed> {
    match item.get_some(member) {
        None => Ok(String::new()),
        Some(value) => value
            .as_str()
            .map(std::borrow::Cow::into_owned)
            .ok_or_else(|| Malformed::new("a tool call's arguments are not a string")),
    }
}

/// Reads a complete call.
pub(super) fn read(item: Value<'_>, shape: Shape, number: u32, place: &str) -> Result<ToolCall, Malformed> {
    let kind = kind_of(item);
    let arguments = match shape.member() {
        Some(member) => text(item, member)?,
        None => {
            let member = |(name, value): (std::borrow::Cow<'_, str>, Value<'_>)| {
                is_argument(&name, value).then(|| format!("{}:{}", quote(&name), value.raw()))
            };
            let members: Vec<String> = item.entries().filter_map(member).collect();
            format!("{{{}}}", members.join(","))
        }
    };
    let name = item.get_str("name").filter(|name| !name.is_empty());
    let name = name.map(std::borrow::Cow::into_owned);
    Ok(ToolCall {
        number,
        place: place.to_owned(),
        name: name.unwrap_or_else(|| kind.strip_suffix("_call").unwrap_or(&kind).to_owned()),
        arguments,
        free_form: shape == Shape::Input,
    })
}

/// Whether a member of a call without a string of arguments is one of them.
fn is_argument(name: &str, value: Value<'_>) -> bool {
    let is_opaque = is_opaque_member(name) && value.as_str().is_some();
    !is_opaque && !matches!(name, "id" | "type" | "status" | "call_id" | "name")
}

/// Puts changed arguments into a call that may pass, and looks at its other members.
pub(super) fn write(
    item: Value<'_>,
    shape: Shape,
    changed: Option<&str>,
    place: &str,
    inspector: &mut dyn Inspector,
    edits: &mut Edits,
) -> Result<(), Stop> {
    let Some(member) = shape.member() else {
        if let Some(changed) = changed {
            let doc = Document::parse(changed.as_bytes(), Limits::default())?;
            if doc.root().kind() != Kind::Object {
                return Err(Stop::malformed("a tool call's members are not an object"));
            }
            for (name, value) in doc.root().entries() {
                if let Some(old) = item.get(&name) {
                    edits.set_raw(old.index(), value.raw().to_owned());
                }
            }
        }
        // The arguments were looked at when the call was judged.
        for (name, value) in item.entries().filter(|(n, v)| n != "type" && !is_argument(n, *v)) {
            let inner = format!("{place}.{name}");
            if is_opaque_member(&name) {
                inspector.not_scanned(&inner);
            } else if let Some(text) = value.as_str() {
                if let Some(changed) = inspector.whole(&inner, &text)? {
                    edits.set_str(value, &changed);
                }
            } else {
                look(value, &inner, &[], inspector, edits)?;
            }
        }
        return Ok(());
    };
    if let (Some(changed), Some(old)) = (changed, item.get(member)) {
        edits.set_str(old, changed);
    }
    Ok(look_members(
        item,
        place,
        &["type", member],
        &[],
        inspector,
        edits,
    )?)
}
