//! Anthropic messages, plain.

use super::names::refuse_names;
use super::{Channel, Inspector, Malformed, Plain, ToolCall, Verdict, inspect_all, is_opaque_member};
use crate::json::{Document, Edits, Kind, Limits, Value, quote};

pub(super) fn plain(body: &[u8], inspector: &mut dyn Inspector) -> Result<Plain, Malformed> {
    let doc = Document::parse(body, Limits::default())?;
    let root = doc.root();
    refuse_names(root, inspector)?;
    let content = root.get("content").filter(|c| c.is_array());
    let content = content.ok_or_else(|| Malformed::new("`content` is missing or not an array"))?;
    let mut edits = Edits::default();
    for (name, member) in root.entries() {
        if name != "content"
            && let Err(stop) = inspect_all(member, &name, inspector, &mut edits)
        {
            return Ok(Plain::Blocked(stop.notice));
        }
    }
    let (mut number, mut kept, mut replaced) = (0, false, false);
    for (i, block) in content.items().enumerate() {
        let place = format!("content[{i}]");
        let kind = block.get_str("type").unwrap_or_default();
        match &*kind {
            call if call.ends_with("tool_use") => {
                let input = block.get("input");
                let call = ToolCall {
                    number,
                    place: place.clone(),
                    name: block
                        .get_str("name")
                        .map(std::borrow::Cow::into_owned)
                        .unwrap_or_default(),
                    arguments: input.map(Value::raw).unwrap_or("{}").to_owned(),
                    free_form: false,
                };
                match inspector.tool_call(&call) {
                    Verdict::Wait => return Ok(Plain::Wait),
                    Verdict::Replace(notice) => {
                        edits.set_raw(
                            block.index(),
                            format!(r#"{{"type":"text","text":{}}}"#, quote(&notice)),
                        );
                        replaced = true;
                    }
                    Verdict::Pass(changed) => {
                        kept = true;
                        if let (Some(changed), Some(input)) = (changed, input) {
                            // Only an object may stand here; what is not one would break the client's reader.
                            let object = Document::parse(changed.as_bytes(), Limits::default())?;
                            if object.root().kind() != Kind::Object {
                                return Err(Malformed::new("a tool call's input is not an object"));
                            }
                            edits.set_raw(input.index(), object.to_text(&Edits::default()));
                        }
                        for (name, member) in block.entries() {
                            if !matches!(&*name, "input" | "type" | "name") && !is_opaque_member(&name) {
                                let inner = format!("{place}.{name}");
                                if let Err(stop) = inspect_all(member, &inner, inspector, &mut edits) {
                                    return Ok(Plain::Blocked(stop.notice));
                                }
                            }
                        }
                    }
                }
                number += 1;
            }
            "redacted_thinking" => {
                inspector.not_scanned(&place);
                for (name, member) in block.entries().filter(|(n, _)| n != "data" && n != "type") {
                    if let Err(stop) = inspect_all(member, &format!("{place}.{name}"), inspector, &mut edits)
                    {
                        return Ok(Plain::Blocked(stop.notice));
                    }
                }
            }
            "thinking" => {
                // Signed: on a hit the answer ends, as it would when streamed.
                let index = u32::try_from(i).unwrap_or(u32::MAX);
                let channel = Channel {
                    index,
                    name: "thinking".to_owned(),
                    signed: true,
                };
                let text = block.get("thinking").and_then(Value::as_str);
                let text = text.ok_or_else(|| Malformed::new("`thinking` is missing or not a string"))?;
                let mut shown = String::new();
                let result = inspector
                    .delta(&channel, &text, &mut shown)
                    .and_then(|()| inspector.finish(&channel, &mut shown));
                if let Err(stop) = result {
                    return Ok(Plain::Blocked(stop.notice));
                }
                for (name, member) in block.entries() {
                    let inner = format!("{place}.{name}");
                    if is_opaque_member(&name) {
                        inspector.not_scanned(&inner);
                    } else if name != "type"
                        && name != "thinking"
                        && let Err(stop) = inspect_all(member, &inner, inspector, &mut edits)
                    {
                        return Ok(Plain::Blocked(stop.notice));
                    }
                }
            }
            _ => {
                if let Err(stop) = inspect_all(block, &place, inspector, &mut edits) {
                    return Ok(Plain::Blocked(stop.notice));
                }
            }
        }
    }
    if let Some(reason) = root
        .get("stop_reason")
        .filter(|r| r.as_str().as_deref() == Some("tool_use"))
        && replaced
        && !kept
    {
        edits.set_str(reason, "end_turn");
    }
    Ok(Plain::Done(doc.to_text(&edits)))
}
