//! OpenAI's legacy completions: plain answers, and messages of our own.

use super::names::inspect_names;
use super::request::is_plain_word;
use super::{Blocked, Envelope, Inspector, Malformed, Plain, inspect_all};
use crate::json::{Document, Edits, Limits, Value, quote};

/// Rewrites a plain answer.
pub(super) fn plain(body: &[u8], inspector: &mut dyn Inspector) -> Result<Plain, Malformed> {
    let doc = Document::parse(body, Limits::default())?;
    let choices = doc.root().get("choices").filter(|c| c.is_array());
    let choices = choices.ok_or_else(|| Malformed::new("`choices` is missing or not an array"))?;
    for choice in choices.items() {
        if !choice.is_object() {
            return Err(Malformed::new("a choice is not an object"));
        }
        if choice
            .get_some("text")
            .is_some_and(|text| text.as_str().is_none())
        {
            return Err(Malformed::new("a choice's text is not a text"));
        }
    }
    let mut edits = Edits::default();
    Ok(match look(doc.root(), choices, inspector, &mut edits) {
        Ok(()) => Plain::Done(doc.to_text(&edits)),
        Err(stop) => Plain::Blocked(stop.notice),
    })
}

fn look(
    root: Value<'_>,
    choices: Value<'_>,
    inspector: &mut dyn Inspector,
    edits: &mut Edits,
) -> Result<(), Blocked> {
    for (name, member) in root.entries() {
        match &*name {
            "choices" => {}
            "logprobs" => edits.set_raw(member.index(), "null".to_owned()),
            _ => inspect_all(member, &name, inspector, edits)?,
        }
    }
    for (i, choice) in choices.items().enumerate() {
        for (name, member) in choice.entries() {
            match &*name {
                // They repeat the text token by token.
                "logprobs" => edits.set_raw(member.index(), "null".to_owned()),
                // Text as other formats have it: a call in it could not be judged.
                "delta" | "message" => edits.remove(member),
                _ => inspect_all(member, &format!("choices[{i}].{name}"), inspector, edits)?,
            }
        }
    }
    // Last, since what it leaves out must stay out.
    inspect_names(root, |name| !is_plain_word(name), inspector, edits)
}

/// One chunk with one choice, whose `member` (mostly `text`) has this text; `finish` is a JSON text.
pub(super) fn chunk(envelope: &Envelope, index: u32, member: &str, text: &str, finish: &str) -> String {
    let text = match member {
        "text" => format!(r#""text":{}"#, quote(text)),
        _ => format!(r#""text":"",{}:{}"#, quote(member), quote(text)),
    };
    let choice = format!(r#"{{"index":{index},{text},"logprobs":null,"finish_reason":{finish}}}"#);
    message(envelope, &choice)
}

/// A chunk that opens no choice.
pub(super) fn no_choice(envelope: &Envelope) -> String {
    message(envelope, "")
}

/// A whole plain answer that says `text`.
pub(super) fn plain_notice(envelope: &Envelope, text: &str) -> String {
    chunk(envelope, 0, "text", text, r#""stop""#)
}

/// A whole plain answer that proposes nothing.
pub(super) fn plain_nothing(envelope: &Envelope) -> String {
    no_choice(envelope)
}

fn message(envelope: &Envelope, choices: &str) -> String {
    format!(
        r#"{{"id":{},"object":"text_completion","created":{},"model":{},"choices":[{choices}]}}"#,
        quote(&envelope.id),
        envelope.created,
        quote(&envelope.model),
    )
}
