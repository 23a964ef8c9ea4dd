//! OpenAI Responses: objects of our own.

use super::Envelope;
use crate::json::quote;

/// A response object; `output` is a JSON array.
pub(super) fn response(envelope: &Envelope, status: &str, output: &str) -> String {
    format!(
        r#"{{"id":{},"object":"response","created_at":{},"status":"{status}","error":null,"incomplete_details":null,"instructions":null,"metadata":{{}},"model":{},"output":{output},"parallel_tool_calls":true,"previous_response_id":null,"store":false,"temperature":null,"text":{{"format":{{"type":"text"}}}},"tool_choice":"auto","tools":[],"top_p":null,"truncation":"disabled","usage":null}}"#,
        quote(&envelope.id),
        envelope.created,
        quote(&envelope.model),
    )
}

/// Nothing was counted.
pub(super) const USAGE: &str = r#"{"input_tokens":0,"input_tokens_details":{"cached_tokens":0},"output_tokens":0,"output_tokens_details":{"reasoning_tokens":0},"total_tokens":0}"#;

/// The id of a message of our own.
pub(super) fn message_id(envelope: &Envelope, index: u32) -> String {
    let own = envelope.id.strip_prefix("resp_").unwrap_or(&envelope.id);
    format!("msg_{own}_{index}")
}

/// A message of one text; `content` is a JSON array.
pub(super) fn message(id: &str, status: &str, content: &str) -> String {
    format!(
        r#"{{"id":{},"type":"message","status":"{status}","role":"assistant","content":{content}}}"#,
        quote(id)
    )
}

/// A text of a message.
pub(super) fn text_part(text: &str) -> String {
    format!(
        r#"{{"type":"output_text","annotations":[],"logprobs":[],"text":{}}}"#,
        quote(text)
    )
}

/// A whole answer.
pub(super) fn plain_notice(envelope: &Envelope, text: &str) -> String {
    let id = message_id(envelope, 0);
    let output = format!(
        "[{}]",
        message(&id, "completed", &format!("[{}]", text_part(text)))
    );
    let usage = [("usage", USAGE.to_owned())];
    super::responses_look::set_members(&response(envelope, "completed", &output), &usage)
}
