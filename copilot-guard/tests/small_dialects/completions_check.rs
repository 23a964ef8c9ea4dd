//! A strict reader of completion streams, and the proof that it is strict.

use std::collections::BTreeMap;

use serde_json::Value;

/// What a client has got of one choice.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Choice {
    pub(crate) text: String,
    pub(crate) finish: Option<String>,
}

/// Reads a whole stream. `Err` says what a client could stumble over.
pub(crate) fn read(stream: &str) -> Result<BTreeMap<u64, Choice>, String> {
    let mut choices: BTreeMap<u64, Choice> = BTreeMap::new();
    let body = stream
        .strip_suffix("data: [DONE]\n\n")
        .ok_or("does not end with [DONE]")?;
    for event in body.split_terminator("\n\n") {
        let data = event.strip_prefix("data: ").ok_or("an event without data")?;
        if data.contains('\n') {
            return Err("more than one line".into());
        }
        let chunk: Value = serde_json::from_str(data).map_err(|e| format!("{e}: {data}"))?;
        if chunk.get("error").is_some() {
            return Err("an error event".into());
        }
        let listed = match chunk.get("choices") {
            None | Some(Value::Null) => &[],
            Some(Value::Array(listed)) => listed.as_slice(),
            Some(_) => return Err("`choices` is no array".into()),
        };
        for choice in listed {
            let index = choice["index"].as_u64().unwrap_or(0);
            if ["delta", "message"].iter().any(|n| choice.get(n).is_some())
                || choice.get("logprobs").is_some_and(|l| !l.is_null())
            {
                return Err("text where nobody reads it".into());
            }
            let known = choices.entry(index).or_default();
            let text = match choice.get("text") {
                None | Some(Value::Null) => "",
                Some(Value::String(text)) => text,
                Some(_) => return Err("a text that is none".into()),
            };
            if known.finish.is_some() && !text.is_empty() {
                return Err("text behind the end of a choice".into());
            }
            known.text.push_str(text);
            if let Some(finish) = choice["finish_reason"].as_str() {
                known.finish = Some(finish.to_owned());
            }
        }
    }
    match choices.iter().find(|(_, c)| c.finish.is_none()) {
        Some((index, _)) => Err(format!("choice {index} has no end")),
        None => Ok(choices),
    }
}

#[test]
fn the_reader_is_strict() {
    let done = "data: [DONE]\n\n";
    let good = r#"{"choices":[{"index":0,"text":"a","finish_reason":"stop"}]}"#;
    assert!(read(&format!("data: {good}\n\n{done}")).is_ok());
    assert!(read(done).is_ok());
    for bad in [
        String::new(),
        format!("data: {good}\n\n"),
        format!("{done}data: {good}\n\n"),
        format!("{done}{done}"),
        format!("data: {{\n\n{done}"),
        format!("{good}\n\n{done}"),
        format!("data: {good}\n\ndata: {good}\n\n{done}"),
        format!("data: {}\n\n{done}", good.replace(r#""stop""#, "null")),
        format!("data: {}\n\n{done}", good.replace(r#""text""#, r#""message""#)),
        format!("data: {}\n\n{done}", good.replace(r#""a""#, "[]")),
        format!(
            "data: {}\n\n{done}",
            good.replace(r#""index":0"#, r#""logprobs":{}"#)
        ),
        format!("data: {{\"error\":{{}}}}\n\n{done}"),
    ] {
        assert!(read(&bad).is_err(), "accepted {bad}");
    }
}
