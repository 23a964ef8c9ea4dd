//! What upstream says of tokens.

use crate::json::{Document, Limits, Value};

/// Input and output tokens, as an answer or an event of one says; `None` when it does not.
///
/// OpenAI's formats have `usage` in the answer, Responses in `response`, Anthropic in the event or in `message`. Anthropic
/// counts what came from its cache, or went into it, beside the rest.
pub(crate) fn usage(body: &[u8]) -> Option<(u64, u64)> {
    memchr::memmem::find(body, b"\"usage\"")?;
    let doc = Document::parse(body, Limits::with_bytes(body.len())).ok()?;
    let root = doc.root();
    let within = ["response", "message"]
        .into_iter()
        .filter_map(|name| root.get(name));
    let mut found = None;
    for usage in std::iter::once(root)
        .chain(within)
        .filter_map(|v| v.get_some("usage"))
    {
        let number = |name| usage.get(name).and_then(Value::as_u64).unwrap_or_default();
        let cached = number("cache_creation_input_tokens").saturating_add(number("cache_read_input_tokens"));
        let input = number("prompt_tokens").max(number("input_tokens").saturating_add(cached));
        let output = number("completion_tokens").max(number("output_tokens"));
        // An embedding may say the sum alone.
        let input = input.max(number("total_tokens").saturating_sub(output));
        let (known_input, known_output) = found.unwrap_or_default();
        found = Some((input.max(known_input), output.max(known_output)));
    }
    found.filter(|(input, output)| *input > 0 || *output > 0)
}

#[cfg(test)]
mod tests {
    use super::usage;

    #[test]
    fn in_every_format() {
        for (body, expected) in [
            (
                r#"{"choices":[],"usage":{"prompt_tokens":5,"completion_tokens":7,"total_tokens":12}}"#,
                Some((5, 7)),
            ),
            (r#"{"choices":[{"delta":{}}],"usage":null}"#, None),
            (
                r#"{"type":"response.completed","response":{"usage":{"input_tokens":5,"output_tokens":7,"total_tokens":12}}}"#,
                Some((5, 7)),
            ),
            (
                r#"{"type":"message_start","message":{"usage":{"input_tokens":5,"cache_read_input_tokens":100,"cache_creation_input_tokens":10,"output_tokens":1}}}"#,
                Some((115, 1)),
            ),
            (
                r#"{"type":"message_delta","delta":{},"usage":{"output_tokens":7}}"#,
                Some((0, 7)),
            ),
            (
                r#"{"data":[],"usage":{"prompt_tokens":5,"total_tokens":5}}"#,
                Some((5, 0)),
            ),
            (r#"{"data":[],"usage":{"total_tokens":5}}"#, Some((5, 0))),
            (r#"{"usage":{"prompt_tokens":-5,"completion_tokens":"7"}}"#, None),
            (
                r#"{"usage":{"prompt_tokens":18446744073709551615,"completion_tokens":1,"total_tokens":3}}"#,
                Some((u64::MAX, 1)),
            ),
            (r#"{"choices":[{"delta":{"content":"\"usage\""}}]}"#, None),
            (r#"{"usage""#, None),
        ] {
            assert_eq!(usage(body.as_bytes()), expected, "{body}");
        }
    }
}
