//! Streams as the vendor sends them.

use serde_json::{Value, json};

/// A stream as a list of events; every one has a number.
#[derive(Debug, Clone, Default)]
pub struct Upstream {
    pub events: Vec<Value>,
    output: Vec<Value>,
}

/// How many bytes a piece has (the texts are ASCII).
#[derive(Debug, Clone, Copy)]
pub struct By(pub usize);

pub fn pieces(text: &str, by: By) -> Vec<String> {
    let cut = |c: &[u8]| String::from_utf8(c.to_vec()).unwrap();
    text.as_bytes()
        .chunks(by.0.min(text.len()).max(1))
        .map(cut)
        .collect()
}

impl Upstream {
    pub fn new() -> Self {
        let mut new = Self::default();
        let response = new.response("in_progress");
        new.push(json!({"type": "response.created", "response": response}));
        new.push(json!({"type": "response.in_progress", "response": response}));
        new
    }

    fn response(&self, status: &str) -> Value {
        json!({"id": "resp_up", "object": "response", "created_at": 7, "status": status, "model": "gpt-up",
               "instructions": "Be brief.", "tools": [{"type": "function", "name": "sh", "parameters": {"type": "object"}}],
               "output": self.output, "usage": if status == "completed" { json!({"input_tokens": 3, "output_tokens": 2, "total_tokens": 5}) } else { Value::Null },
               "error": null, "incomplete_details": null})
    }

    pub fn push(&mut self, mut event: Value) -> &mut Self {
        event["sequence_number"] = json!(self.events.len());
        self.events.push(event);
        self
    }

    fn at(&self) -> usize {
        self.output.len()
    }

    fn ended(&mut self, item: Value) {
        let at = self.at();
        self.push(json!({"type": "response.output_item.done", "output_index": at, "item": item}));
        self.output.push(item);
    }

    /// A list of parts of one item, each a kind and its text.
    fn parts(&mut self, id: &str, parts: &[(&str, String)], by: By) -> Vec<Value> {
        let at = self.at();
        let mut whole = Vec::new();
        for (number, (kind, text)) in parts.iter().enumerate() {
            let (part, stem, counter, member) = match *kind {
                "summary_text" => (
                    "reasoning_summary_part",
                    "reasoning_summary_text",
                    "summary_index",
                    "text",
                ),
                "refusal" => ("content_part", "refusal", "content_index", "refusal"),
                other => ("content_part", other, "content_index", "text"),
            };
            let of = |text: &str| {
                let mut part = json!({"type": kind});
                part[member] = json!(text);
                if *kind == "output_text" {
                    part["annotations"] = json!([]);
                    part["logprobs"] = json!([]);
                }
                part
            };
            let event = |kind: String| {
                let mut event = json!({"type": kind, "item_id": id, "output_index": at});
                event[counter] = json!(number);
                event
            };
            let mut added = event(format!("response.{part}.added"));
            added["part"] = of("");
            self.push(added);
            for piece in pieces(text, by) {
                let mut delta = event(format!("response.{stem}.delta"));
                delta["delta"] = json!(piece);
                if *kind == "output_text" {
                    delta["logprobs"] = json!([]);
                    delta["obfuscation"] = json!("x7");
                }
                self.push(delta);
            }
            let mut done = event(format!("response.{stem}.done"));
            done[member] = json!(text);
            self.push(done);
            let mut ended = event(format!("response.{part}.done"));
            ended["part"] = of(text);
            self.push(ended);
            whole.push(of(text));
        }
        whole
    }

    /// A message of parts.
    pub fn message(&mut self, parts: &[(&str, String)], by: By) -> &mut Self {
        let at = self.at();
        let id = format!("msg_{at}");
        let item = |status: &str, content: Value| json!({"id": id, "type": "message", "status": status, "role": "assistant", "content": content, "phase": "final"});
        self.push(json!({"type": "response.output_item.added", "output_index": at, "item": item("in_progress", json!([]))}));
        let content = self.parts(&id, parts, by);
        self.ended(item("completed", json!(content)));
        self
    }

    pub fn text(&mut self, text: &str, by: By) -> &mut Self {
        self.message(&[("output_text", text.to_owned())], by)
    }

    /// Encrypted reasoning with a summary, or with its text.
    pub fn reasoning(&mut self, kind: &str, text: &str, by: By) -> &mut Self {
        let at = self.at();
        let id = format!("rs_{at}");
        let item = |encrypted: &str, list: Vec<Value>| {
            let mut item =
                json!({"id": id, "type": "reasoning", "encrypted_content": encrypted, "summary": []});
            item[if kind == "summary_text" {
                "summary"
            } else {
                "content"
            }] = json!(list);
            item
        };
        self.push(json!({"type": "response.output_item.added", "output_index": at, "item": item("gAAAA-0", vec![])}));
        let list = self.parts(&id, &[(kind, text.to_owned())], by);
        self.ended(item("gAAAA-1", list));
        self
    }

    /// A call whose arguments come in pieces: `function_call`, `custom_tool_call` or `mcp_call`.
    pub fn call(&mut self, kind: &str, name: &str, arguments: &str, by: By) -> &mut Self {
        let at = self.at();
        let id = format!("fc_{at}");
        let (stem, member) = match kind {
            "custom_tool_call" => ("custom_tool_call_input", "input"),
            "mcp_call" => ("mcp_call_arguments", "arguments"),
            _ => ("function_call_arguments", "arguments"),
        };
        let item = |status: &str, arguments: &str| {
            let mut item = json!({"id": id, "type": kind, "status": status, "call_id": format!("call_{at}"), "name": name});
            item[member] = json!(arguments);
            item
        };
        self.push(json!({"type": "response.output_item.added", "output_index": at, "item": item("in_progress", "")}));
        for piece in pieces(arguments, by) {
            self.push(json!({"type": format!("response.{stem}.delta"), "item_id": id, "output_index": at, "delta": piece}));
        }
        let mut done = json!({"type": format!("response.{stem}.done"), "item_id": id, "output_index": at});
        done[member] = json!(arguments);
        self.push(done);
        self.ended(item("completed", arguments));
        self
    }

    /// An item that comes whole at its end, and with these events between.
    pub fn item(&mut self, added: Value, between: &[Value], done: Value) -> &mut Self {
        let at = self.at();
        self.push(json!({"type": "response.output_item.added", "output_index": at, "item": added}));
        for event in between {
            let mut event = event.clone();
            event["output_index"] = json!(at);
            event["item_id"] = done["id"].clone();
            self.push(event);
        }
        self.ended(done);
        self
    }

    /// Code that the vendor runs.
    pub fn code(&mut self, code: &str, by: By) -> &mut Self {
        let item = |status: &str, code: &str| json!({"id": format!("ci_{}", self.at()), "type": "code_interpreter_call", "status": status, "code": code, "container_id": "c", "outputs": null});
        let mut between = vec![json!({"type": "response.code_interpreter_call.in_progress"})];
        let stem = "response.code_interpreter_call_code";
        between.extend(
            pieces(code, by)
                .iter()
                .map(|p| json!({"type": format!("{stem}.delta"), "delta": p})),
        );
        between.push(json!({"type": format!("{stem}.done"), "code": code}));
        let (added, done) = (item("in_progress", ""), item("completed", code));
        self.item(added, &between, done)
    }

    /// The end, as a stream.
    pub fn completed(&mut self) -> String {
        let response = self.response("completed");
        self.push(json!({"type": "response.completed", "response": response, "copilot_quota_snapshots": {"chat": {"entitlement": "9"}}}));
        self.render(false)
    }

    /// With every letter and digit of every string as an escape, if told so.
    pub fn render(&self, escaped: bool) -> String {
        self.events.iter().map(|event| render(event, escaped)).collect()
    }
}

pub fn render(event: &Value, escaped: bool) -> String {
    let data = if escaped { escape(event) } else { event.to_string() };
    format!("event: {}\ndata: {data}\n\n", event["type"].as_str().unwrap())
}

fn escape(value: &Value) -> String {
    let string = |text: &str| -> String {
        let one = |c: char| match c {
            c if c.is_ascii_alphanumeric() => format!("\\u{:04x}", c as u32),
            c => serde_json::to_string(&c).unwrap().trim_matches('"').to_owned(),
        };
        // A quotation mark trims to nothing.
        let one = |c: char| if c == '"' { "\\\"".to_owned() } else { one(c) };
        format!("\"{}\"", text.chars().map(one).collect::<String>())
    };
    match value {
        Value::String(text) => string(text),
        Value::Array(items) => format!("[{}]", items.iter().map(escape).collect::<Vec<_>>().join(",")),
        Value::Object(members) => {
            let members: Vec<String> = members
                .iter()
                .map(|(n, v)| format!("{}:{}", string(n), escape(v)))
                .collect();
            format!("{{{}}}", members.join(","))
        }
        other => other.to_string(),
    }
}
