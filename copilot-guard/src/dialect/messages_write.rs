//! Anthropic messages: events of our own.

use super::Envelope;
use crate::json::quote;
use crate::sse::encode;

pub(super) fn message_start(envelope: &Envelope, out: &mut Vec<u8>) {
    let data = format!(
        r#"{{"type":"message_start","message":{{"id":{},"type":"message","role":"assistant","model":{},"content":[],"stop_reason":null,"stop_sequence":null,"usage":{{"input_tokens":0,"output_tokens":0}}}}}}"#,
        quote(&envelope.id),
        quote(&envelope.model),
    );
    encode("message_start", &data, out);
}

/// A delta of one string member. `index` is the block's.
pub(super) fn block_delta(index: u32, kind: &str, member: &str, text: &str, out: &mut Vec<u8>) {
    let data = format!(
        r#"{{"type":"content_block_delta","index":{index},"delta":{{"type":{},{}:{}}}}}"#,
        quote(kind),
        quote(member),
        quote(text),
    );
    encode("content_block_delta", &data, out);
}

pub(super) fn block_stop(index: u32, out: &mut Vec<u8>) {
    encode(
        "content_block_stop",
        &format!(r#"{{"type":"content_block_stop","index":{index}}}"#),
        out,
    );
}

/// A whole text block.
pub(super) fn text_block(index: u32, text: &str, out: &mut Vec<u8>) {
    let start = format!(
        r#"{{"type":"content_block_start","index":{index},"content_block":{{"type":"text","text":""}}}}"#
    );
    encode("content_block_start", &start, out);
    block_delta(index, "text_delta", "text", text, out);
    block_stop(index, out);
}

/// The normal end of a message.
pub(super) fn message_end(stop_reason: &str, out: &mut Vec<u8>) {
    let delta = format!(
        r#"{{"type":"message_delta","delta":{{"stop_reason":"{stop_reason}","stop_sequence":null}},"usage":{{"output_tokens":0}}}}"#
    );
    encode("message_delta", &delta, out);
    message_stop(out);
}

pub(super) fn message_stop(out: &mut Vec<u8>) {
    encode("message_stop", r#"{"type":"message_stop"}"#, out);
}

/// A whole answer.
pub(super) fn plain_notice(envelope: &Envelope, text: &str) -> String {
    format!(
        r#"{{"id":{},"type":"message","role":"assistant","model":{},"content":[{{"type":"text","text":{}}}],"stop_reason":"end_turn","stop_sequence":null,"usage":{{"input_tokens":0,"output_tokens":0}}}}"#,
        quote(&envelope.id),
        quote(&envelope.model),
        quote(text),
    )
}
