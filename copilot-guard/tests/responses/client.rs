//! A client that takes nothing on trust: it joins the events as the vendor's own library does (a snapshot of the
//! response), and refuses whatever that would trip over or join to something else.

use std::collections::BTreeMap;

use serde_json::Value;

/// What a client has at the end.
#[derive(Debug, Default)]
pub struct Seen {
    pub events: Vec<Value>,
    /// Joined pieces by channel, such as `0.content.0` or `1.arguments`.
    pub texts: BTreeMap<String, String>,
    /// `output` of the last event.
    pub output: Vec<Value>,
    /// The last event's type.
    pub end: String,
}

impl Seen {
    /// Everything a person or program could read: joined texts, and every string and name of every event.
    pub fn all(&self) -> String {
        fn walk(value: &Value, out: &mut String) {
            match value {
                Value::String(text) => {
                    out.push_str(text);
                    out.push('\n');
                }
                Value::Array(items) => items.iter().for_each(|v| walk(v, out)),
                Value::Object(members) => members.iter().for_each(|(name, v)| {
                    out.push_str(name);
                    out.push('\n');
                    walk(v, out);
                }),
                _ => {}
            }
        }
        let mut out = self.texts.values().cloned().collect::<Vec<_>>().join("\n");
        self.events.iter().for_each(|event| walk(event, &mut out));
        out
    }

    /// The text of every message at the end.
    pub fn message_texts(&self) -> Vec<String> {
        let of = |item: &Value| {
            let parts = item["content"].as_array().cloned().unwrap_or_default();
            parts
                .iter()
                .map(|p| p["text"].as_str().unwrap_or_default())
                .collect::<String>()
        };
        self.output
            .iter()
            .filter(|item| item["type"] == "message")
            .map(of)
            .collect()
    }

    /// Name and arguments of every call at the end.
    pub fn calls(&self) -> Vec<(String, String)> {
        let text = |item: &Value, name: &str| item[name].as_str().unwrap_or_default().to_owned();
        let calls = self
            .output
            .iter()
            .filter(|item| text(item, "type").ends_with("_call"));
        calls
            .map(|item| {
                let arguments = text(item, "arguments") + &text(item, "input");
                (text(item, "name"), arguments)
            })
            .collect()
    }
}

#[derive(Default)]
struct Client {
    seen: Seen,
    /// `output` as joined so far.
    output: Vec<Value>,
    /// Per item: has it ended, and its parts by list: how far they are (1 begun, 2 text ended, 3 ended).
    ended: Vec<bool>,
    parts: BTreeMap<String, u8>,
    next: Option<u64>,
    created: bool,
}

/// Joins a stream, or says what is wrong with it.
pub fn read(stream: &str) -> Result<Seen, String> {
    if !stream.ends_with("\n\n") {
        return Err("cut within an event".into());
    }
    let mut client = Client::default();
    for block in stream.split_terminator("\n\n") {
        if block.starts_with(':') {
            // A comment, while a client waits.
            continue;
        }
        let lines: Vec<&str> = block.split('\n').collect();
        let [name, data] = lines[..] else {
            return Err(format!("not one name and one data line: {block:?}"));
        };
        let name = name.strip_prefix("event: ").ok_or("no event name")?;
        let data = data.strip_prefix("data: ").ok_or("no data")?;
        let event: Value = serde_json::from_str(data).map_err(|e| format!("{e}: {data}"))?;
        if event["type"] != name {
            return Err(format!("named {name}: {data}"));
        }
        client.take(name, &event).map_err(|e| format!("{e}: {data}"))?;
        client.seen.events.push(event);
    }
    if client.seen.end.is_empty() {
        return Err("the response does not end".into());
    }
    Ok(client.seen)
}

fn need(holds: bool, what: &str) -> Result<(), String> {
    if holds { Ok(()) } else { Err(what.to_owned()) }
}

impl Client {
    fn take(&mut self, name: &str, event: &Value) -> Result<(), String> {
        need(self.seen.end.is_empty(), "behind the end")?;
        let number = event
            .get("sequence_number")
            .map(|n| n.as_u64().ok_or("not a number"));
        let number = number.transpose()?;
        if !self.created {
            need(name == "response.created", "before response.created")?;
            self.created = true;
            self.next = number;
        }
        need(
            number == self.next,
            &format!("expected the number {:?}", self.next),
        )?;
        self.next = self.next.map(|n| n + 1);
        match name {
            "response.created" => {
                need(self.seen.events.is_empty(), "a second response.created")?;
                need(
                    event["response"]["output"] == Value::Array(vec![]),
                    "output at the start",
                )
            }
            "response.in_progress" | "response.queued" => {
                // Taken in place of all there is.
                need(
                    event["response"]["output"] == Value::Array(self.output.clone()),
                    "another output",
                )
            }
            "response.completed" | "response.incomplete" => {
                need(self.ended.iter().all(|ended| *ended), "an item has not ended")?;
                let output = event["response"]["output"].as_array().ok_or("no output")?;
                need(
                    *output == self.output,
                    &format!("another output than {:?}", self.output),
                )?;
                let status = name.trim_start_matches("response.");
                need(event["response"]["status"] == status, "another status")?;
                self.seen.output.clone_from(output);
                self.seen.end = name.to_owned();
                Ok(())
            }
            "response.output_item.added" => {
                need(
                    event["output_index"] == self.output.len(),
                    "an index out of order",
                )?;
                let item = &event["item"];
                for list in ["content", "summary"] {
                    let parts = item[list].as_array().map_or(0, Vec::len);
                    need(parts == 0, "an item begins with parts")?;
                }
                self.output.push(item.clone());
                self.ended.push(false);
                Ok(())
            }
            "response.output_item.done" => {
                let index = self.open(event)?;
                let item = &event["item"];
                let known = &self.output[index];
                need(item["type"] == known["type"], "another type")?;
                for (part, stage) in &self.parts {
                    need(
                        !part.starts_with(&format!("{index}.")) || *stage == 3,
                        "a part has not ended",
                    )?;
                }
                for member in ["arguments", "input", "code"] {
                    need(same(&item[member], &known[member]), &format!("another {member}"))?;
                }
                for member in ["arguments", "input"] {
                    let key = format!("{index}.{member}");
                    let ended = self.parts.contains_key(&key) || !self.seen.texts.contains_key(&key);
                    need(ended, "arguments have not ended")?;
                }
                for list in ["content", "summary"] {
                    need(
                        same(&item[list], &known[list])
                            || known[list] == Value::Array(vec![]) && self.quiet(index),
                        &format!("another {list} than {}", known[list]),
                    )?;
                }
                self.output[index] = item.clone();
                self.ended[index] = true;
                Ok(())
            }
            "response.content_part.added" => self.part_added(event, "content", "content_index"),
            "response.reasoning_summary_part.added" => self.part_added(event, "summary", "summary_index"),
            "response.content_part.done" => self.part_done(event, "content", "content_index"),
            "response.reasoning_summary_part.done" => self.part_done(event, "summary", "summary_index"),
            "response.output_text.delta" => {
                self.piece(event, Some(("content", "content_index", "output_text")), "text")
            }
            "response.refusal.delta" => {
                self.piece(event, Some(("content", "content_index", "refusal")), "refusal")
            }
            "response.reasoning_text.delta" => self.piece(
                event,
                Some(("content", "content_index", "reasoning_text")),
                "text",
            ),
            "response.reasoning_summary_text.delta" => {
                self.piece(event, Some(("summary", "summary_index", "summary_text")), "text")
            }
            "response.output_text.done" => self.whole(event, Some(("content", "content_index")), "text"),
            "response.refusal.done" => self.whole(event, Some(("content", "content_index")), "refusal"),
            "response.reasoning_text.done" => self.whole(event, Some(("content", "content_index")), "text"),
            "response.reasoning_summary_text.done" => {
                self.whole(event, Some(("summary", "summary_index")), "text")
            }
            "response.function_call_arguments.delta" | "response.mcp_call_arguments.delta" => {
                self.piece(event, None, "arguments")
            }
            "response.custom_tool_call_input.delta" => self.piece(event, None, "input"),
            "response.code_interpreter_call_code.delta" => self.piece(event, None, "code"),
            "response.function_call_arguments.done" | "response.mcp_call_arguments.done" => {
                self.whole(event, None, "arguments")
            }
            "response.custom_tool_call_input.done" => self.whole(event, None, "input"),
            "response.code_interpreter_call_code.done" => self.whole(event, None, "code"),
            _ => {
                if let Some(delta) = event["delta"].as_str() {
                    let key = format!("{}.{name}", event["output_index"]);
                    self.seen.texts.entry(key).or_default().push_str(delta);
                }
                Ok(())
            }
        }
    }

    /// No part of the item was shown: it comes whole.
    fn quiet(&self, index: usize) -> bool {
        !self
            .parts
            .keys()
            .any(|part| part.starts_with(&format!("{index}.")))
    }

    fn open(&self, event: &Value) -> Result<usize, String> {
        let index = event["output_index"].as_u64().ok_or("no output index")? as usize;
        need(
            self.ended.get(index) == Some(&false),
            "of an item that is not open",
        )?;
        Ok(index)
    }

    fn part(&self, event: &Value, list: &str, counter: &str) -> Result<(usize, usize, String), String> {
        let index = self.open(event)?;
        let number = event[counter].as_u64().ok_or("no part index")? as usize;
        Ok((index, number, format!("{index}.{list}.{number}")))
    }

    fn part_added(&mut self, event: &Value, list: &str, counter: &str) -> Result<(), String> {
        let (index, number, key) = self.part(event, list, counter)?;
        let item = &mut self.output[index];
        if item[list].is_null() {
            item[list] = Value::Array(vec![]);
        }
        let parts = item[list].as_array_mut().ok_or("no list")?;
        need(parts.len() == number, "a part out of order")?;
        let part = &event["part"];
        for member in ["text", "refusal"] {
            if let Some(text) = part[member].as_str() {
                self.seen.texts.entry(key.clone()).or_default().push_str(text);
            }
        }
        parts.push(part.clone());
        self.parts.insert(key, 1);
        Ok(())
    }

    fn part_done(&mut self, event: &Value, list: &str, counter: &str) -> Result<(), String> {
        let (index, number, key) = self.part(event, list, counter)?;
        need(self.parts.insert(key, 3) == Some(2), "a part ends out of order")?;
        let known = &mut self.output[index][list][number];
        for member in ["type", "text", "refusal"] {
            need(
                same(&event["part"][member], &known[member]),
                &format!("another {member}"),
            )?;
        }
        *known = event["part"].clone();
        Ok(())
    }

    fn piece(&mut self, event: &Value, part: Option<(&str, &str, &str)>, member: &str) -> Result<(), String> {
        let delta = event["delta"].as_str().ok_or("no delta")?;
        let (holder, key) = match part {
            Some((list, counter, kind)) => {
                let (index, number, key) = self.part(event, list, counter)?;
                need(
                    self.parts.get(&key) == Some(&1),
                    "a piece of a text that is not open",
                )?;
                let part = &mut self.output[index][list][number];
                need(part["type"] == kind, "a piece of another kind")?;
                (part, key)
            }
            None => {
                let index = self.open(event)?;
                let key = format!("{index}.{member}");
                need(!self.parts.contains_key(&key), "a piece behind the end")?;
                (&mut self.output[index], key)
            }
        };
        let joined = holder[member].as_str().unwrap_or_default().to_owned() + delta;
        holder[member] = Value::from(joined);
        self.seen.texts.entry(key).or_default().push_str(delta);
        Ok(())
    }

    fn whole(&mut self, event: &Value, part: Option<(&str, &str)>, member: &str) -> Result<(), String> {
        let (holder, key, before) = match part {
            Some((list, counter)) => {
                let (index, number, key) = self.part(event, list, counter)?;
                (&self.output[index][list][number], key, Some(1))
            }
            None => {
                let index = self.open(event)?;
                (&self.output[index], format!("{index}.{member}"), None)
            }
        };
        need(
            same(&event[member], &holder[member]),
            &format!("another {member}"),
        )?;
        let stage = if part.is_some() { 2 } else { 3 };
        need(
            self.parts.insert(key, stage) == before,
            "a text ends out of order",
        )
    }
}

/// Equal, where nothing counts as empty.
fn same(a: &Value, b: &Value) -> bool {
    let empty = |v: &Value| v.is_null() || *v == "";
    a == b || empty(a) && empty(b)
}
