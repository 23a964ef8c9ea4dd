//! Answers of the model that stand in a request's history: their text and their tool calls.

use copilot_guard::decision::Stage;
use copilot_guard::policy::Seen;
use serde_json::Value;

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) place: String,
    /// The tool that is called; `None` for text.
    pub(super) tool: Option<String>,
    /// The text, or the arguments.
    pub(super) text: String,
    /// Each string within the arguments.
    strings: Vec<String>,
}

/// Deeper arguments are told as a whole.
const DEEPEST: usize = 64;

impl Answer {
    fn text(place: String, text: &str) -> Self {
        Self {
            place,
            tool: None,
            text: text.to_owned(),
            strings: Vec::new(),
        }
    }

    fn call(place: String, tool: &str, arguments: &Value) -> Self {
        let (text, parsed) = match arguments {
            // Written as a text, or free text altogether.
            Value::String(text) => (text.clone(), serde_json::from_str(text).unwrap_or(Value::Null)),
            value => (value.to_string(), value.clone()),
        };
        let mut found = Vec::new();
        strings(&parsed, &mut found, 0);
        Self {
            place,
            tool: Some(tool.to_owned()),
            text,
            strings: found,
        }
    }

    /// As rules look at it.
    pub(super) fn seen(&self) -> Seen<'_> {
        match &self.tool {
            Some(tool) => Seen::call(&self.place, tool, &self.text, &self.strings),
            None => Seen::new(Stage::Output, &self.place, &self.text),
        }
    }
}

fn strings(value: &Value, found: &mut Vec<String>, depth: usize) {
    if depth > DEEPEST {
        found.push(value.to_string());
        return;
    }
    match value {
        Value::String(text) => found.push(text.clone()),
        Value::Array(items) => items.iter().for_each(|item| strings(item, found, depth + 1)),
        Value::Object(members) => {
            for (name, member) in members {
                strings(member, found, depth + 1);
                found.push(name.clone());
            }
        }
        _ => {}
    }
}

/// The answers in a request of any format.
pub(super) fn of(request: &Value) -> Vec<Answer> {
    let mut answers = Vec::new();
    for (n, message) in list(request, "messages").enumerate() {
        if message.get("role").and_then(Value::as_str) == Some("assistant") {
            message_of(message, &format!("messages[{n}]"), &mut answers);
        }
    }
    for (n, item) in list(request, "input").enumerate() {
        item_of(item, &format!("input[{n}]"), &mut answers);
    }
    answers
}

fn list<'v>(value: &'v Value, name: &str) -> impl Iterator<Item = &'v Value> {
    value.get(name).and_then(Value::as_array).into_iter().flatten()
}

fn text_of<'v>(value: &'v Value, name: &str) -> Option<&'v str> {
    value.get(name).and_then(Value::as_str)
}

/// Chat completions and messages.
fn message_of(message: &Value, place: &str, answers: &mut Vec<Answer>) {
    if let Some(text) = text_of(message, "content") {
        answers.push(Answer::text(format!("{place}.content"), text));
    }
    for (n, block) in list(message, "content").enumerate() {
        let place = format!("{place}.content[{n}]");
        if let Some(text) = text_of(block, "text") {
            answers.push(Answer::text(format!("{place}.text"), text));
        }
        if let (Some(tool), Some(input)) = (text_of(block, "name"), block.get("input")) {
            answers.push(Answer::call(format!("{place}.input"), tool, input));
        }
    }
    let calls = list(message, "tool_calls").enumerate();
    let calls = calls.map(|(n, call)| {
        (
            format!("{place}.tool_calls[{n}]"),
            call.get("function").or(call.get("custom")),
        )
    });
    let old = message
        .get("function_call")
        .map(|call| (format!("{place}.function_call"), Some(call)));
    for (place, call) in calls.chain(old) {
        let Some(call) = call else { continue };
        let arguments = call.get("arguments").or(call.get("input"));
        let tool = text_of(call, "name").unwrap_or_default();
        answers.push(Answer::call(place, tool, arguments.unwrap_or(&Value::Null)));
    }
}

/// Responses.
fn item_of(item: &Value, place: &str, answers: &mut Vec<Answer>) {
    let kind = text_of(item, "type").unwrap_or("message");
    match kind {
        "message" if text_of(item, "role") == Some("assistant") => message_of(item, place, answers),
        "function_call" | "custom_tool_call" | "mcp_call" => {
            let arguments = item.get("arguments").or(item.get("input"));
            let tool = text_of(item, "name").unwrap_or_default();
            answers.push(Answer::call(
                place.to_owned(),
                tool,
                arguments.unwrap_or(&Value::Null),
            ));
        }
        "local_shell_call" | "shell_call" | "apply_patch_call" => {
            let tool = kind.trim_end_matches("_call");
            let action = item.get("action").or(item.get("operation"));
            answers.push(Answer::call(place.to_owned(), tool, action.unwrap_or(item)));
        }
        _ => {}
    }
}
