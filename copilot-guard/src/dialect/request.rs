//! Requests: one list of parts (stage, role, place, text), whatever the dialect.

use super::{Dialect, Malformed, is_opaque_member};
use crate::decision::Stage;
use crate::json::{Document, Edits, Limits, Value};

/// One text of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Whether it is a tool's result or anything else that goes up.
    pub stage: Stage,
    /// The message's role; `request` for what stands outside of messages.
    pub role: String,
    /// Where it stands, such as `messages[3].content[0].text`.
    pub place: String,
    /// The text.
    pub text: String,
    node: u32,
}

/// A request, read strictly.
#[derive(Debug, Clone)]
pub struct ParsedRequest {
    /// The wire format.
    pub dialect: Dialect,
    /// The requested model.
    pub model: String,
    /// Whether the answer is to be streamed.
    pub stream: bool,
    /// Every text that can be looked at.
    pub parts: Vec<Part>,
    /// Names of the tools the request brings.
    pub tools: Vec<String>,
    /// Places that hold what cannot be looked at.
    pub not_scanned: Vec<String>,
    body: String,
    limits: Limits,
}

impl ParsedRequest {
    /// The request written afresh (no blanks between tokens), with the texts of some parts replaced.
    ///
    /// # Errors
    /// Never for an index of [`parts`](Self::parts); it parses its own body again, which has been parsed before.
    pub fn write(&self, replacements: &[(usize, String)]) -> Result<String, Malformed> {
        let doc = Document::parse(self.body.as_bytes(), self.limits)?;
        let mut edits = Edits::default();
        for (index, text) in replacements {
            let part = self
                .parts
                .get(*index)
                .ok_or_else(|| Malformed::new("no such part"))?;
            edits.set_raw(part.node, crate::json::quote(text));
        }
        Ok(doc.to_text(&edits))
    }
}

pub(super) fn parse(dialect: Dialect, body: &[u8], limits: Limits) -> Result<ParsedRequest, Malformed> {
    let doc = Document::parse(body, limits)?;
    let root = doc.root();
    if !root.is_object() {
        return Err(Malformed::new("the request is not a JSON object"));
    }
    let model = root
        .get_str("model")
        .ok_or_else(|| Malformed::new("`model` is missing or not a string"))?;
    let stream = match root.get_some("stream") {
        None => false,
        Some(v) => v
            .as_bool()
            .ok_or_else(|| Malformed::new("`stream` is not a boolean"))?,
    };
    let messages = root.get("messages").filter(|v| v.is_array());
    let messages = messages.ok_or_else(|| Malformed::new("`messages` is missing or not an array"))?;
    let mut walk = Walk {
        parts: Vec::new(),
        not_scanned: Vec::new(),
    };
    for (i, message) in messages.items().enumerate() {
        let role = message
            .get_str("role")
            .ok_or_else(|| Malformed::new(format!("`messages[{i}].role` is missing or not a string")))?;
        let stage = if matches!(&*role, "tool" | "function") {
            Stage::ToolResult
        } else {
            Stage::Prompt
        };
        walk.value(message, &format!("messages[{i}]"), &role, stage);
    }
    for (name, member) in root.entries() {
        if name != "messages" && name != "model" {
            walk.value(member, &name, "request", Stage::Prompt);
        }
    }
    let tools = root.get("tools").into_iter().flat_map(Value::items).chain(
        // The legacy form of chat completions.
        root.get("functions").into_iter().flat_map(Value::items),
    );
    let tools = tools.filter_map(|tool| {
        let function = tool.get("function").unwrap_or(tool);
        function
            .get_str("name")
            .or_else(|| tool.get_str("type"))
            .map(std::borrow::Cow::into_owned)
    });
    Ok(ParsedRequest {
        dialect,
        model: model.into_owned(),
        stream,
        tools: tools.collect(),
        parts: walk.parts,
        not_scanned: walk.not_scanned,
        body: doc.text().to_owned(),
        limits,
    })
}

struct Walk {
    parts: Vec<Part>,
    not_scanned: Vec<String>,
}

impl Walk {
    fn value(&mut self, value: Value<'_>, place: &str, role: &str, stage: Stage) {
        if let Some(text) = value.as_str() {
            self.text(value, text.into_owned(), place, role, stage);
        }
        for (i, item) in value.items().enumerate() {
            self.value(item, &format!("{place}[{i}]"), role, stage);
        }
        let block_type = value.get_str("type");
        let block_type = block_type.as_deref().unwrap_or_default();
        let stage = if block_type.ends_with("tool_result") {
            Stage::ToolResult
        } else {
            stage
        };
        let encrypted = block_type == "redacted_thinking";
        let signed = block_type == "thinking";
        for (name, member) in value.entries() {
            let inner = format!("{place}.{name}");
            match &*name {
                // Names of the format, not texts of a person or model.
                "type" | "role" if member.as_str().is_some() => {}
                _ if is_opaque_member(&name) || encrypted => self.not_scanned.push(inner),
                // Signed: it may not be changed, and it came through here on its way down.
                "thinking" if signed => self.not_scanned.push(inner),
                // Base64 of images, documents and sound. A text document's `data` is text and is looked at.
                "data" if block_type == "base64" || value.get_str("format").is_some() => {
                    self.not_scanned.push(inner);
                }
                _ => self.value(member, &inner, role, stage),
            }
        }
    }

    fn text(&mut self, value: Value<'_>, text: String, place: &str, role: &str, stage: Stage) {
        if text.starts_with("data:") && text.contains(";base64,") {
            self.not_scanned.push(place.to_owned());
        } else if !text.is_empty() {
            self.parts.push(Part {
                stage,
                role: role.to_owned(),
                place: place.to_owned(),
                text,
                node: value.index(),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_every_text_and_writes_it_afresh() {
        let body = r#"{ "model": "m", "stream": true, "x": {"y": ["deep"]}, "seed": 1e400,
          "tools": [{"type":"function","function":{"name":"bash","description":"runs"}}],
          "messages": [ {"role":"user","content":"hello"},
            {"role":"tool","content":[{"type":"text","text":"result"}]},
            {"role":"user","content":[{"type":"tool_result","content":"inner"},
               {"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA"}}]} ] }"#;
        let request = parse(Dialect::Chat, body.as_bytes(), Limits::default()).unwrap();
        let seen: Vec<_> = request
            .parts
            .iter()
            .map(|p| (p.place.as_str(), p.stage, p.text.as_str()))
            .collect();
        assert_eq!(
            seen,
            [
                ("messages[0].content", Stage::Prompt, "hello"),
                ("messages[1].content[0].text", Stage::ToolResult, "result"),
                ("messages[2].content[0].content", Stage::ToolResult, "inner"),
                ("x.y[0]", Stage::Prompt, "deep"),
                ("tools[0].function.name", Stage::Prompt, "bash"),
                ("tools[0].function.description", Stage::Prompt, "runs"),
            ]
        );
        assert_eq!(request.not_scanned, ["messages[2].content[1].image_url.url"]);
        assert_eq!(request.tools, ["bash"]);
        let out = request.write(&[(1, "masked".into())]).unwrap();
        assert!(
            out.contains(r#""text":"masked""#)
                && out.contains(r#""seed":1e400"#)
                && !out.contains(r#""result""#)
        );
    }

    #[test]
    fn refuses_what_is_ambiguous() {
        for bad in [
            "[]",
            "{}",
            r#"{"model":1,"messages":[]}"#,
            r#"{"model":"m","messages":{}}"#,
            r#"{"model":"m","messages":[{}]}"#,
            r#"{"model":"m","messages":[],"stream":"yes"}"#,
            r#"{"model":"m","model":"n","messages":[]}"#,
        ] {
            assert!(
                parse(Dialect::Chat, bad.as_bytes(), Limits::default()).is_err(),
                "accepted {bad}"
            );
        }
    }
}
