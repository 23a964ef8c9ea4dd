//! OpenAI Responses: looking at what is no channel, and small changes to JSON texts.
//!
//! A text comes up to five times. Its pieces are a [channel](super::Channel); a later string that equals their sum is a
//! copy, and is written as the pieces were shown. Any other string is looked at on its own.

use super::responses_text::Text;
use super::{Blocked, Inspector, is_opaque_member, is_usual_word};
use crate::json::{Document, Edits, Limits, Value};

/// Looks at every string below `value` and collects the changes.
///
/// `logprobs` lists are emptied: they repeat the text token by token. Opaque strings are only noted. A member whose name
/// would have to be changed is left out.
pub(super) fn look(
    value: Value<'_>,
    place: &str,
    copies: &[Text],
    inspector: &mut dyn Inspector,
    edits: &mut Edits,
) -> Result<(), Blocked> {
    if let Some(text) = value.as_str() {
        if is_usual_word(value) || is_word(&text) {
            return Ok(());
        }
        let copy = copies.iter().find(|t| t.is_closed() && t.raw == *text);
        let changed = match copy {
            Some(copy) => (copy.shown != *text).then(|| copy.shown.clone()),
            None => inspector.whole(place, &text)?,
        };
        if let Some(changed) = changed {
            edits.set_str(value, &changed);
        }
    }
    for (i, item) in value.items().enumerate() {
        if is_container_or_text(item) {
            look(item, &format!("{place}[{i}]"), copies, inspector, edits)?;
        }
    }
    look_members(value, place, &[], copies, inspector, edits)
}

/// [`look`] at the members of an object but those of these names.
pub(super) fn look_members(
    object: Value<'_>,
    place: &str,
    but: &[&str],
    copies: &[Text],
    inspector: &mut dyn Inspector,
    edits: &mut Edits,
) -> Result<(), Blocked> {
    for (name, member) in object.entries() {
        if !is_plain_word(&name) && inspector.whole(place, &name)?.is_some() {
            edits.remove(member);
            continue;
        }
        if !is_container_or_text(member) || but.contains(&&*name) {
            continue;
        }
        let dot = if place.is_empty() { "" } else { "." };
        let inner = format!("{place}{dot}{name}");
        if name == "logprobs" && member.is_array() {
            if member.items().next().is_some() {
                edits.set_raw(member.index(), "[]".to_owned());
            }
        } else if is_opaque_member(&name) && member.as_str().is_some() {
            inspector.not_scanned(&inner);
        } else {
            look(member, &inner, copies, inspector, edits)?;
        }
    }
    Ok(())
}

/// What formats call their members: short, lower case. Any other name may be a text.
fn is_plain_word(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
    name.len() <= 32 && name.bytes().all(plain)
}

fn is_container_or_text(value: Value<'_>) -> bool {
    use crate::json::Kind;
    matches!(value.kind(), Kind::String | Kind::Array | Kind::Object)
}

/// Words of the format that stand in nearly every event.
fn is_word(text: &str) -> bool {
    matches!(
        text,
        "completed"
            | "in_progress"
            | "incomplete"
            | "queued"
            | "message"
            | "reasoning"
            | "output_text"
            | "summary_text"
            | "reasoning_text"
            | "refusal"
            | "response"
            | "auto"
            | "disabled"
    )
}

/// Event names go into our framing: nothing but letters, digits, `_`, `.` and `-`.
pub(super) fn is_plain_name(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"_.-".contains(&b);
    !name.is_empty() && name.len() <= 96 && name.bytes().all(plain)
}

/// An object with some members put in, each in the place of one with that name or behind all others. What is not an
/// object stays as it is.
pub(super) fn set_members(object: &str, members: &[(&str, String)]) -> String {
    let Ok(doc) = Document::parse(object.as_bytes(), Limits::default()) else {
        return object.to_owned();
    };
    if !doc.root().is_object() {
        return object.to_owned();
    }
    let mut edits = Edits::default();
    let mut new = String::new();
    for (name, json) in members {
        match doc.root().get(name) {
            Some(member) => edits.set_raw(member.index(), json.clone()),
            None => {
                if !new.is_empty() || doc.root().entries().next().is_some() {
                    new.push(',');
                }
                new.push_str(&format!("\"{name}\":{json}"));
            }
        }
    }
    let mut text = doc.to_text(&edits);
    text.truncate(text.len() - 1);
    text + &new + "}"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn puts_members_in() {
        let set = |object: &str| set_members(object, &[("a", "1".to_owned()), ("b", "[]".to_owned())]);
        assert_eq!(set("{}"), r#"{"a":1,"b":[]}"#);
        assert_eq!(set(r#"{"a":"x"}"#), r#"{"a":1,"b":[]}"#);
        assert_eq!(set(r#"{"c":0,"b":{}}"#), r#"{"c":0,"b":[],"a":1}"#);
        assert_eq!(set("[]"), "[]");
    }
}
