//! Requests: one list of parts (stage, role, place, text), whatever the dialect.

mod parameters;

use std::collections::BTreeSet;

use super::{Dialect, Malformed, is_opaque_member, mcp};
use crate::decision::Stage;
use crate::json::{Document, Edits, Limits, Parsed, Value};

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
    /// It is looked at but cannot be replaced: signed reasoning, or names of members.
    pub fixed: bool,
    node: u32,
}

/// A request, read strictly.
#[derive(Debug, Clone)]
pub struct ParsedRequest {
    /// The wire format.
    pub dialect: Dialect,
    /// The requested model.
    pub model: String,
    /// The request's own id, as a JSON text: of JSON-RPC, where the body is one request.
    pub id: Option<String>,
    /// Whether the answer is to be streamed. JSON-RPC does not say: whoever answers chooses.
    pub stream: bool,
    /// Every text that can be looked at.
    pub parts: Vec<Part>,
    /// Names of the tools the request brings.
    pub tools: Vec<String>,
    /// What it asks for beside its texts, as fixed names: `n`, `store`, `background`, `logprobs`, `echo`, `suffix`,
    /// `previous_response_id`, `conversation`, `stored_prompt`, `remote_mcp`, `hosted_tool`, `media`, `file`,
    /// `large_max_tokens`. In Responses, `store` also stands for a request that does not say.
    pub parameters: BTreeSet<String>,
    /// Places that hold what cannot be looked at.
    pub not_scanned: Vec<String>,
    body: String,
    parsed: Parsed,
}

impl ParsedRequest {
    /// The request written afresh (no blanks between tokens), with the texts of some parts replaced.
    ///
    /// # Errors
    /// Never for an index of [`parts`](Self::parts).
    pub fn write(&self, replacements: &[(usize, String)]) -> Result<String, Malformed> {
        let doc = self.parsed.of(&self.body);
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

pub(super) fn parse(
    dialect: Dialect,
    body: &[u8],
    model: Option<&str>,
    limits: Limits,
) -> Result<ParsedRequest, Malformed> {
    let doc = Document::parse(body, limits)?;
    let root = doc.root();
    let is_batch = dialect == Dialect::Mcp && root.is_array();
    if !root.is_object() && !is_batch {
        return Err(Malformed::new("the request is not a JSON object"));
    }
    let stream = match root.get_some("stream").filter(|_| dialect != Dialect::Mcp) {
        None => false,
        Some(v) => v
            .as_bool()
            .ok_or_else(|| Malformed::new("`stream` is not a boolean"))?,
    };
    let parameters = super::parameters::of(dialect, root)?;
    let rpc = match dialect {
        Dialect::Mcp => mcp::messages(root)?,
        _ => Vec::new(),
    };
    let mut walk = Walk {
        // A tool may call its arguments as it likes: no vendor's names mean anything there.
        all_texts: dialect == Dialect::Mcp,
        ..Walk::default()
    };
    // Of the members, these are read by the dialect; the rest is looked at here.
    let own = match dialect {
        Dialect::Chat | Dialect::Messages => messages(root, &mut walk)?,
        Dialect::Completions | Dialect::GhostText => texts(root, "prompt", &mut walk)?,
        Dialect::Embeddings => texts(root, "input", &mut walk)?,
        Dialect::Responses => super::responses_request::input(root, &mut walk)?,
        Dialect::Mcp => "",
    };
    let named = model.is_some() || dialect == Dialect::Mcp;
    let model = match (root.get("model").filter(|_| dialect != Dialect::Mcp), model) {
        (Some(value), path) => {
            let name = value
                .as_str()
                .ok_or_else(|| Malformed::new("`model` is not a string"))?;
            // Whoever serves this may go by either.
            if path.is_some_and(|path| path != name) {
                return Err(Malformed::new("`model` and the path name different models"));
            }
            name.into_owned()
        }
        (None, Some(path)) => path.to_owned(),
        (None, None) if named => String::new(),
        (None, None) => return Err(Malformed::new("`model` is missing")),
    };
    for (name, member) in root.entries() {
        if name != own && (name != "model" || dialect == Dialect::Mcp) {
            let place = walk.name(&name);
            let instructs = dialect == Dialect::Responses && name == "instructions";
            let role = if instructs { "system" } else { "request" };
            walk.value(member, place, role, Stage::Prompt);
        }
    }
    if is_batch {
        walk.value(root, "", "request", Stage::Prompt);
    }
    walk.finish();
    if walk.parts.len() > MAX_PARTS {
        return Err(Malformed::new(format!("more than {MAX_PARTS} texts")));
    }
    Ok(ParsedRequest {
        dialect,
        model,
        id: mcp::request_id(&rpc),
        stream,
        tools: match dialect {
            Dialect::Mcp => mcp::calls(&rpc)?,
            _ => tools(root),
        },
        parameters,
        parts: walk.parts,
        not_scanned: walk.not_scanned,
        body: doc.text().to_owned(),
        parsed: doc.into_parsed(),
    })
}

/// `messages` of chat completions and Anthropic. Gives the member's name.
fn messages(root: Value<'_>, walk: &mut Walk) -> Result<&'static str, Malformed> {
    let messages = root.get("messages").filter(|v| v.is_array());
    let messages = messages.ok_or_else(|| Malformed::new("`messages` is missing or not an array"))?;
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
    Ok("messages")
}

/// A text or a list of texts, said by the user. Token numbers are texts that nothing could look at.
fn texts(root: Value<'_>, member: &'static str, walk: &mut Walk) -> Result<&'static str, Malformed> {
    let value = root
        .get(member)
        .ok_or_else(|| Malformed::new(format!("`{member}` is missing")))?;
    let is_text = |v: Value<'_>| v.as_str().is_some();
    let is_list = value.is_array() && value.items().all(is_text);
    if !is_text(value) && !is_list {
        let what = format!("`{member}` is neither a text nor a list of texts");
        return Err(Malformed::new(what));
    }
    walk.value(value, member, "user", Stage::Prompt);
    Ok(member)
}

/// Names of the tools that the request brings.
fn tools(root: Value<'_>) -> Vec<String> {
    let tools = root.get("tools").into_iter().flat_map(Value::items).chain(
        // The legacy form of chat completions.
        root.get("functions").into_iter().flat_map(Value::items),
    );
    let named = tools.filter_map(|tool| {
        let function = tool.get("function").unwrap_or(tool);
        function
            .get_str("name")
            .or_else(|| tool.get_str("type"))
            .map(std::borrow::Cow::into_owned)
    });
    named.collect()
}

/// Most texts of one request. Long histories of agents have a few thousand.
const MAX_PARTS: usize = 50_000;

#[derive(Default)]
pub(super) struct Walk {
    parts: Vec<Part>,
    pub(super) not_scanned: Vec<String>,
    /// Names of members that are no plain words of a format: text may hide in them as well.
    names: BTreeSet<String>,
    /// Nothing passes unseen by the name of its member.
    all_texts: bool,
}

impl Walk {
    pub(super) fn value(&mut self, value: Value<'_>, place: &str, role: &str, stage: Stage) {
        self.but(value, place, role, stage, &[]);
    }

    /// [`value`](Self::value), without the members of these names.
    pub(super) fn but(&mut self, value: Value<'_>, place: &str, role: &str, stage: Stage, but: &[&str]) {
        if let Some(text) = value.as_str() {
            self.text(value, text.into_owned(), place, role, stage, false);
        }
        for (i, item) in value.items().enumerate() {
            self.value(item, &format!("{place}[{i}]"), role, stage);
        }
        let block_type = value.get_str("type");
        let block_type = block_type.as_deref().unwrap_or_default();
        // A block of a message's content, not the message itself: who writes a message does not choose its stage.
        let is_block = place.ends_with(']') && place.contains(".content[");
        let stage = if is_block && block_type.ends_with("tool_result") {
            Stage::ToolResult
        } else {
            stage
        };
        for (name, member) in value.entries().filter(|(name, _)| !but.contains(&&**name)) {
            let inner = format!("{place}.{}", self.name(&name));
            let text = member.as_str();
            match (&*name, text) {
                (_, Some(text)) if self.all_texts => {
                    self.text(member, text.into_owned(), &inner, role, stage, false);
                }
                // Names of the format, not texts of a person or model.
                ("type" | "role", Some(text)) if is_plain_word(&text) => {}
                // Whoever writes prose or a secret with a space in it here is looked at like everywhere else.
                (_, Some(text)) if may_be_opaque(&name, block_type, value) && is_encoded(&text) => {
                    self.not_scanned.push(inner);
                }
                // Signed: it is judged, but it may not be changed.
                ("thinking", Some(text)) if block_type == "thinking" => {
                    self.text(member, text.into_owned(), &inner, role, stage, true);
                }
                ("url" | "image_url" | "file_data", Some(text)) if is_data_url(&text) => {
                    self.not_scanned.push(inner);
                }
                (_, Some(text)) => self.text(member, text.into_owned(), &inner, role, stage, false),
                (_, None) => self.value(member, &inner, role, stage),
            }
        }
    }

    fn text(&mut self, value: Value<'_>, text: String, place: &str, role: &str, stage: Stage, fixed: bool) {
        // One more than allowed is enough to know.
        if !text.is_empty() && self.parts.len() <= MAX_PARTS {
            let (role, place) = (role.to_owned(), place.to_owned());
            self.parts.push(Part {
                stage,
                role,
                place,
                text,
                fixed,
                node: value.index(),
            });
        }
    }

    /// The name as it may stand in a place; others are kept to be looked at.
    fn name<'n>(&mut self, name: &'n str) -> &'n str {
        if is_plain_word(name) {
            return name;
        }
        self.names.insert(name.to_owned());
        "*"
    }

    /// The names of members as one part.
    fn finish(&mut self) {
        if !self.names.is_empty() {
            let text = std::mem::take(&mut self.names)
                .into_iter()
                .collect::<Vec<_>>()
                .join("\n");
            let place = "names of members".to_owned();
            self.parts.push(Part {
                stage: Stage::Prompt,
                role: "request".into(),
                place,
                text,
                fixed: true,
                node: 0,
            });
        }
    }
}

/// What formats call their members: short, lower case.
pub(super) fn is_plain_word(name: &str) -> bool {
    name.len() <= 32
        && name
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

/// Whether a member of that name may hold what only the vendor can read.
fn may_be_opaque(name: &str, block_type: &str, within: Value<'_>) -> bool {
    is_opaque_member(name)
        || name == "data"
            && (matches!(block_type, "redacted_thinking" | "base64") || within.get_str("format").is_some())
}

/// Base64 of either alphabet, with nothing else: prose has blanks.
fn is_encoded(text: &str) -> bool {
    text.bytes()
        .all(|b| b.is_ascii_alphanumeric() || b"+/=-_.".contains(&b))
}

/// `data:TYPE;base64,…` and nothing else (RFC 2397).
fn is_data_url(text: &str) -> bool {
    let Some((head, data)) = text
        .strip_prefix("data:")
        .and_then(|rest| rest.split_once(";base64,"))
    else {
        return false;
    };
    head.len() <= 100
        && head
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"/+-.;=".contains(&b))
        && is_encoded(data)
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
        let request = parse(Dialect::Chat, body.as_bytes(), None, Limits::default()).unwrap();
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
    fn nothing_hides_behind_a_form_that_is_not_looked_at() {
        for hidden in [
            r#"{"role":"user","content":"data:x;base64, project bluebird"}"#,
            r#"{"role":"user","content":"data:image/png;base64,AAAA"}"#,
            r#"{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,project bluebird"}}]}"#,
            r#"{"role":"user","content":"x","signature":"project bluebird"}"#,
            r#"{"role":"user","content":[{"type":"redacted_thinking","data":"project bluebird"}]}"#,
            r#"{"role":"user","content":[{"type":"redacted_thinking","text":"x"}]}"#,
            r#"{"role":"user","content":[{"type":"thinking","thinking":"project bluebird","signature":"AAAA"}]}"#,
            r#"{"role":"user","content":[{"type":"project bluebird"}]}"#,
            r#"{"role":"user","content":"x","project bluebird":1}"#,
            r#"{"role":"user","content":[{"type":"document","source":{"type":"text","media_type":"text/plain","data":"x"}}]}"#,
            r#"{"role":"user","content":"x","format":"y","data":"project bluebird"}"#,
        ] {
            let body = format!(r#"{{"model":"m","messages":[{hidden}]}}"#);
            let request = parse(Dialect::Chat, body.as_bytes(), None, Limits::default()).unwrap();
            let wanted = if hidden.contains("bluebird") {
                "bluebird"
            } else {
                ""
            };
            let seen = |p: &&Part| {
                !wanted.is_empty() && p.text.contains(wanted) || wanted.is_empty() && p.role == "user"
            };
            assert!(request.parts.iter().any(|p| seen(&p)), "{hidden}");
            // The record's places hold no text of the request.
            assert!(
                request.parts.iter().all(|p| !p.place.contains("bluebird")),
                "{hidden}"
            );
            assert!(
                request.not_scanned.iter().all(|p| !p.contains("bluebird")),
                "{hidden}"
            );
        }
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
                parse(Dialect::Chat, bad.as_bytes(), None, Limits::default()).is_err(),
                "accepted {bad}"
            );
        }
    }
}
