//! OpenAI Responses: requests.

use super::Malformed;
use super::request::Walk;
use crate::decision::Stage;
use crate::json::Value;

/// `input` of the Responses API: a text, or items. Gives the member's name.
///
/// What names something that the server keeps is noted as not scanned: this request does not show it.
pub(super) fn input(root: Value<'_>, walk: &mut Walk) -> Result<&'static str, Malformed> {
    for name in ["previous_response_id", "conversation", "prompt"] {
        if root.get_some(name).is_some() {
            walk.not_scanned.push(name.to_owned());
        }
    }
    let input = root
        .get("input")
        .ok_or_else(|| Malformed::new("`input` is missing"))?;
    if input.as_str().is_some() {
        walk.value(input, "input", "user", Stage::Prompt);
        return Ok("input");
    }
    if !input.is_array() {
        return Err(Malformed::new("`input` is neither a text nor a list of items"));
    }
    for (i, item) in input.items().enumerate() {
        if !item.is_object() {
            return Err(Malformed::new(format!("`input[{i}]` is not an item")));
        }
        one(item, &format!("input[{i}]"), walk);
    }
    Ok("input")
}

fn one(item: Value<'_>, place: &str, walk: &mut Walk) {
    let kind = item.get_str("type").unwrap_or_default();
    note_what_the_server_keeps(item, &kind, place, walk);
    // A message has a role, and who writes it does not choose another stage by calling it something else.
    if let Some(role) = item.get_str("role") {
        return walk.value(item, place, &role, Stage::Prompt);
    }
    if kind.ends_with("_output") {
        return walk.value(item, place, "tool", Stage::ToolResult);
    }
    let calls = kind.ends_with("_call") || kind == "mcp_list_tools" || kind == "mcp_approval_request";
    if !calls {
        let role = if kind == "reasoning" { "assistant" } else { "user" };
        return walk.value(item, place, role, Stage::Prompt);
    }
    // Calls that the vendor runs bring their result along.
    walk.but(item, place, "assistant", Stage::Prompt, RESULTS);
    for (name, member) in item.entries().filter(|(name, _)| RESULTS.contains(&&**name)) {
        walk.value(member, &format!("{place}.{name}"), "tool", Stage::ToolResult);
    }
}

/// Members with the result of a call.
const RESULTS: &[&str] = &["output", "outputs", "result", "results"];

fn note_what_the_server_keeps(item: Value<'_>, kind: &str, place: &str, walk: &mut Walk) {
    if kind == "item_reference" {
        walk.not_scanned.push(place.to_owned());
    }
    for list in ["content", "output"] {
        let parts = item.get(list).into_iter().flat_map(Value::items);
        for (i, part) in parts.enumerate() {
            // Files and pictures that were handed in before, or that the server fetches itself.
            let is_far = |v: &Value<'_>| v.as_str().is_some_and(|url| !url.starts_with("data:"));
            if part.get_some("file_id").is_some()
                || part.get("file_url").is_some_and(|v| is_far(&v))
                || part.get("image_url").is_some_and(|v| is_far(&v))
            {
                walk.not_scanned.push(format!("{place}.{list}[{i}]"));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::decision::Stage;
    use crate::dialect::Dialect;
    use crate::json::Limits;

    fn parse(body: &str) -> crate::dialect::ParsedRequest {
        Dialect::Responses
            .parse_request(body.as_bytes(), None, Limits::default())
            .unwrap()
    }

    #[test]
    fn items_have_roles_and_stages() {
        let request = parse(
            r#"{"model":"m","stream":true,"instructions":"be brief","previous_response_id":"resp_1","input":[
            {"type":"message","role":"developer","content":[{"type":"input_text","text":"rules"}]},
            {"role":"user","content":"hello"},
            {"type":"message","role":"assistant","content":[{"type":"output_text","text":"said"}]},
            {"type":"reasoning","id":"rs","encrypted_content":"gAAAA","summary":[{"type":"summary_text","text":"thought"}]},
            {"type":"function_call","call_id":"c","name":"sh","arguments":"{}"},
            {"type":"function_call_output","call_id":"c","output":"ran"},
            {"type":"custom_tool_call_output","call_id":"c","output":[{"type":"input_text","text":"patched"}]},
            {"type":"local_shell_call_output","id":"l","output":"out"},
            {"type":"computer_call_output","output":{"type":"computer_screenshot","image_url":"data:image/png;base64,AAAA"}},
            {"type":"mcp_call","name":"find","arguments":"{}","output":"found"},
            {"type":"message","role":"user","content":[{"type":"input_file","file_id":"f1"},{"type":"input_image","image_url":"https://a.example/b.png"}]},
            {"type":"function_call_output","role":"user","output":"who writes it does not choose"},
            {"type":"item_reference","id":"i1"}
            ],"tools":[{"type":"function","name":"sh"},{"type":"web_search"}]}"#,
        );
        let seen = |text: &str| {
            let part = request.parts.iter().find(|p| p.text == text);
            let part = part.unwrap_or_else(|| panic!("{text}: {:?}", request.parts));
            (part.role.clone(), part.stage)
        };
        for (text, role, stage) in [
            ("be brief", "system", Stage::Prompt),
            ("rules", "developer", Stage::Prompt),
            ("hello", "user", Stage::Prompt),
            ("said", "assistant", Stage::Prompt),
            ("thought", "assistant", Stage::Prompt),
            ("sh", "assistant", Stage::Prompt),
            ("ran", "tool", Stage::ToolResult),
            ("patched", "tool", Stage::ToolResult),
            ("out", "tool", Stage::ToolResult),
            ("found", "tool", Stage::ToolResult),
            ("who writes it does not choose", "user", Stage::Prompt),
            ("resp_1", "request", Stage::Prompt),
        ] {
            assert_eq!(seen(text), (role.to_owned(), stage), "{text}");
        }
        assert_eq!(
            request.not_scanned,
            [
                "previous_response_id",
                "input[3].encrypted_content",
                "input[8].output.image_url",
                "input[10].content[0]",
                "input[10].content[1]",
                "input[12]",
            ]
        );
        assert_eq!(request.tools, ["sh", "web_search"]);
        assert!(request.stream);
    }

    #[test]
    fn prose_in_an_opaque_place_is_looked_at() {
        let request = parse(
            r#"{"model":"m","input":[{"type":"reasoning","encrypted_content":"project bluebird","summary":[]}]}"#,
        );
        assert!(request.parts.iter().any(|p| p.text == "project bluebird"));
        let request = parse(r#"{"model":"m","input":"project bluebird"}"#);
        assert_eq!(
            (request.parts[0].role.as_str(), request.parts[0].place.as_str()),
            ("user", "input")
        );
        assert_eq!(
            request.write(&[(0, "masked".into())]).unwrap(),
            r#"{"model":"m","input":"masked"}"#
        );
    }

    #[test]
    fn what_is_no_input_is_refused() {
        for input in ["{}", "1", "[\"text\"]", "null"] {
            let body = format!(r#"{{"model":"m","input":{input}}}"#);
            let parsed = Dialect::Responses.parse_request(body.as_bytes(), None, Limits::default());
            assert!(parsed.is_err(), "{input}");
        }
    }
}
