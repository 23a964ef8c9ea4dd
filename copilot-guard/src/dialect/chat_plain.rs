//! OpenAI chat completions, plain.

use super::names::refuse_names;
use super::{Inspector, Malformed, Plain, ToolCall, Verdict, inspect_all, is_opaque_member, is_usual_word};
use crate::json::{Document, Edits, Limits, Value, quote};

pub(super) fn plain(body: &[u8], inspector: &mut dyn Inspector) -> Result<Plain, Malformed> {
    let doc = Document::parse(body, Limits::default())?;
    let root = doc.root();
    refuse_names(root, inspector)?;
    let choices = root.get("choices").filter(|c| c.is_array());
    let choices = choices.ok_or_else(|| Malformed::new("`choices` is missing or not an array"))?;
    if !choices.items().all(Value::is_object) {
        return Err(Malformed::new("a choice is not an object"));
    }
    let mut edits = Edits::default();
    let mut number = 0;
    for (name, member) in root.entries() {
        if name != "choices"
            && let Err(stop) = inspect_all(member, &name, inspector, &mut edits)
        {
            return Ok(Plain::Blocked(stop.notice));
        }
    }
    for (i, choice) in choices.items().enumerate() {
        for (name, member) in choice.entries() {
            let place = format!("choices[{i}].{name}");
            match &*name {
                "message" if member.is_object() => {
                    match message(member, choice, &place, &mut number, inspector, &mut edits) {
                        Step::On => {}
                        Step::Wait => return Ok(Plain::Wait),
                        Step::Blocked(notice) => return Ok(Plain::Blocked(notice)),
                        Step::Malformed(what) => return Err(Malformed::new(what)),
                    }
                }
                "logprobs" => edits.set_raw(member.index(), "null".to_owned()),
                "finish_reason" | "index" if is_usual_word(member) => {}
                _ => {
                    if let Err(stop) = inspect_all(member, &place, inspector, &mut edits) {
                        return Ok(Plain::Blocked(stop.notice));
                    }
                }
            }
        }
    }
    Ok(Plain::Done(doc.to_text(&edits)))
}

enum Step {
    On,
    Wait,
    Blocked(String),
    Malformed(&'static str),
}

fn message(
    message: Value<'_>,
    choice: Value<'_>,
    place: &str,
    number: &mut u32,
    inspector: &mut dyn Inspector,
    edits: &mut Edits,
) -> Step {
    let mut notices = Vec::new();
    let mut kept = false;
    let mut content = None;
    for (name, member) in message.entries() {
        let inner = format!("{place}.{name}");
        match &*name {
            "role" if is_usual_word(member) => {}
            "tool_calls" if member.is_array() => {
                let before = notices.len();
                let mut of_these = false;
                for (j, call) in member.items().enumerate() {
                    // Exactly one of both, so that what is judged is what a client runs.
                    let custom = call.get_some("custom");
                    let function = match (call.get_some("function"), custom) {
                        (Some(function), None) => function,
                        (None, Some(custom)) => custom,
                        _ => return Step::Malformed("a tool call is neither a function nor a custom tool"),
                    };
                    for (name, member) in call.entries() {
                        let unseen = matches!(&*name, "function" | "custom") && !member.is_null();
                        if !unseen
                            && !is_opaque_member(&name)
                            && let Err(stop) =
                                inspect_all(member, &format!("{inner}[{j}].{name}"), inspector, edits)
                        {
                            return Step::Blocked(stop.notice);
                        }
                    }
                    let text = if custom.is_some() { "input" } else { "arguments" };
                    for (name, member) in function.entries().filter(|(n, _)| n != "name" && n != text) {
                        if let Err(stop) =
                            inspect_all(member, &format!("{inner}[{j}].{name}"), inspector, edits)
                        {
                            return Step::Blocked(stop.notice);
                        }
                    }
                    match judge(function, text, &format!("{inner}[{j}]"), number, inspector, edits) {
                        Judged::Kept => of_these = true,
                        Judged::Replaced(notice) => {
                            edits.remove(call);
                            notices.push(notice);
                        }
                        Judged::Wait => return Step::Wait,
                    }
                }
                if !of_these && notices.len() > before {
                    edits.remove(member);
                }
                kept |= of_these;
            }
            "function_call" if member.is_object() => {
                match judge(member, "arguments", &inner, number, inspector, edits) {
                    Judged::Kept => kept = true,
                    Judged::Replaced(notice) => {
                        edits.remove(member);
                        notices.push(notice);
                    }
                    Judged::Wait => return Step::Wait,
                }
            }
            _ if is_opaque_member(&name) => inspector.not_scanned(&inner),
            "logprobs" => edits.set_raw(member.index(), "null".to_owned()),
            _ => {
                if name == "content" {
                    content = Some(member);
                }
                if let Err(stop) = inspect_all(member, &inner, inspector, edits) {
                    return Step::Blocked(stop.notice);
                }
            }
        }
    }
    if !notices.is_empty() {
        let notice = notices.join("\n");
        if let Some(member) = content {
            let shown = match (edits.replaced(member), member.as_str()) {
                (Some(json), _) if member.as_str().is_some() => json.to_owned(),
                (_, Some(text)) => quote(&text),
                _ => String::new(),
            };
            let shown = Document::parse(shown.as_bytes(), Limits::default())
                .ok()
                .and_then(|d| d.root().as_str().map(std::borrow::Cow::into_owned))
                .unwrap_or_default();
            let joined = if shown.is_empty() {
                notice
            } else {
                format!("{shown}\n{notice}")
            };
            edits.set_raw(member.index(), quote(&joined));
        } else {
            // No content member to hold the notice: the whole message is written anew.
            edits.set_raw(
                message.index(),
                format!(r#"{{"role":"assistant","content":{}}}"#, quote(&notice)),
            );
            kept = false;
        }
        if !kept && let Some(finish) = choice.get_some("finish_reason") {
            edits.set_str(finish, "stop");
        }
    }
    Step::On
}

enum Judged {
    Kept,
    Replaced(String),
    Wait,
}

fn judge(
    function: Value<'_>,
    member: &str,
    place: &str,
    number: &mut u32,
    inspector: &mut dyn Inspector,
    edits: &mut Edits,
) -> Judged {
    let arguments = function.get(member);
    let text = arguments.map(|a| {
        a.as_str()
            .map_or_else(|| a.raw().to_owned(), std::borrow::Cow::into_owned)
    });
    let call = ToolCall {
        number: *number,
        place: place.to_owned(),
        name: function
            .get_str("name")
            .map(std::borrow::Cow::into_owned)
            .unwrap_or_default(),
        arguments: text.unwrap_or_default(),
        free_form: member == "input",
    };
    match inspector.tool_call(&call) {
        Verdict::Wait => Judged::Wait,
        Verdict::Pass(changed) => {
            *number += 1;
            if let (Some(changed), Some(arguments)) = (changed, arguments) {
                edits.set_str(arguments, &changed);
            }
            Judged::Kept
        }
        Verdict::Replace(notice) => {
            *number += 1;
            Judged::Replaced(notice)
        }
    }
}
