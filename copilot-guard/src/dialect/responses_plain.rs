//! OpenAI Responses, plain.

use super::responses::Stop;
use super::responses_call::{self as call, Shape};
use super::responses_items::refuse_calls;
use super::responses_look::{look, look_members};
use super::responses_write::{message, text_part};
use super::{Inspector, Malformed, Plain, Verdict};
use crate::json::{Document, Edits, Limits};

pub(super) fn plain(body: &[u8], inspector: &mut dyn Inspector) -> Result<Plain, Malformed> {
    match answer(body, inspector) {
        Ok(plain) => Ok(plain),
        Err(Stop::Blocked(blocked)) => Ok(Plain::Blocked(blocked.notice)),
        Err(Stop::Malformed(malformed)) => Err(malformed),
    }
}

fn answer(body: &[u8], inspector: &mut dyn Inspector) -> Result<Plain, Stop> {
    let doc = Document::parse(body, Limits::default())?;
    let root = doc.root();
    let output = root.get("output").filter(|output| output.is_array());
    let output = output.ok_or_else(|| Stop::malformed("`output` is missing or not an array"))?;
    let mut edits = Edits::default();
    look_members(root, "", &["output"], &[], inspector, &mut edits)?;
    let mut number = 0;
    for (i, item) in output.items().enumerate() {
        if !item.is_object() {
            return Err(Stop::malformed("an item is not an object"));
        }
        let place = format!("output[{i}]");
        let Some(shape) = Shape::of(&call::kind_of(item)) else {
            refuse_calls(item, &[])?;
            look(item, &place, &[], inspector, &mut edits)?;
            continue;
        };
        let call = call::read(item, shape, number, &place)?;
        match inspector.tool_call(&call) {
            Verdict::Wait => return Ok(Plain::Wait),
            Verdict::Pass(changed) => {
                call::write(item, shape, changed.as_deref(), &place, inspector, &mut edits)?;
            }
            Verdict::Replace(notice) => {
                let id = root.get_str("id").unwrap_or_default();
                let own = id.strip_prefix("resp_").unwrap_or(&id);
                let own = inspector.whole("id", own)?.unwrap_or_else(|| own.to_owned());
                let content = format!("[{}]", text_part(&notice));
                edits.set_raw(
                    item.index(),
                    message(&format!("msg_{own}_{i}"), "completed", &content),
                );
            }
        }
        number += 1;
    }
    Ok(Plain::Done(doc.to_text(&edits)))
}
