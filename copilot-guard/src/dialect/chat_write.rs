//! Chat completions: messages of our own.

use super::Envelope;
use crate::json::quote;

/// One chunk with one choice; `finish` is a JSON text.
pub(super) fn chunk(envelope: &Envelope, index: u32, delta: &str, finish: &str) -> String {
    format!(
        r#"{{"id":{},"object":"chat.completion.chunk","created":{},"model":{},"choices":[{{"index":{index},"delta":{delta},"finish_reason":{finish}}}]}}"#,
        quote(&envelope.id),
        envelope.created,
        quote(&envelope.model),
    )
}

/// A delta with one string member.
pub(super) fn delta(name: &str, text: &str) -> String {
    format!("{{{}:{}}}", quote(name), quote(text))
}

/// A whole answer.
pub(super) fn plain_notice(envelope: &Envelope, text: &str) -> String {
    format!(
        r#"{{"id":{},"object":"chat.completion","created":{},"model":{},"choices":[{{"index":0,"message":{{"role":"assistant","content":{}}},"finish_reason":"stop"}}],"usage":{{"prompt_tokens":0,"completion_tokens":0,"total_tokens":0}}}}"#,
        quote(&envelope.id),
        envelope.created,
        quote(&envelope.model),
        quote(text),
    )
}
