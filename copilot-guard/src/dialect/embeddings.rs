//! Embeddings: texts go up, numbers come down, in one piece.

use super::names::inspect_names;
use super::request::is_plain_word;
use super::{Blocked, Flow, Inspector, Malformed, Place, Plain, StreamRewriter, inspect_all, is_base64};
use crate::json::{Document, Edits, Kind, Limits, Value, quote};
use crate::sse::{Event, encode};

/// The stream that this format does not have: no event of it is acceptable.
///
/// It ends with an error event nevertheless: a client that got one anyhow reads no text of an answer in which a notice
/// could stand, and must not take an empty body for an answer.
pub(super) struct NoStream;

impl StreamRewriter for NoStream {
    fn event(
        &mut self,
        _event: Event<'_>,
        _inspector: &mut dyn Inspector,
        _out: &mut Vec<u8>,
    ) -> Result<Flow, Malformed> {
        Err(Malformed::new("embeddings are not streamed"))
    }

    fn resume(&mut self, _inspector: &mut dyn Inspector, _out: &mut Vec<u8>) -> Result<Flow, Malformed> {
        Err(Malformed::new("embeddings are not streamed"))
    }

    fn keep_alive(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b": \n\n");
    }

    fn place(&self) -> Place {
        Place::default()
    }

    fn end_at(&mut self, _place: &Place, notice: &str, out: &mut Vec<u8>) {
        let text = quote(notice);
        let error =
            format!(r#"{{"error":{{"message":{text},"type":"api_error","code":null,"param":null}}}}"#);
        encode("", &error, out);
        out.extend_from_slice(b"data: [DONE]\n\n");
    }
}

/// Rewrites a plain answer.
pub(super) fn plain(body: &[u8], inspector: &mut dyn Inspector) -> Result<Plain, Malformed> {
    let doc = Document::parse(body, Limits::default())?;
    let data = doc.root().get("data").filter(|d| d.is_array());
    let data = data.ok_or_else(|| Malformed::new("`data` is missing or not an array"))?;
    if !data.items().all(Value::is_object) {
        return Err(Malformed::new("an embedding is not an object"));
    }
    let mut edits = Edits::default();
    Ok(match look(doc.root(), data, inspector, &mut edits) {
        Ok(()) => Plain::Done(doc.to_text(&edits)),
        Err(stop) => Plain::Blocked(stop.notice),
    })
}

fn look(
    root: Value<'_>,
    data: Value<'_>,
    inspector: &mut dyn Inspector,
    edits: &mut Edits,
) -> Result<(), Blocked> {
    for (name, member) in root.entries().filter(|(name, _)| name != "data") {
        inspect_all(member, &name, inspector, edits)?;
    }
    for (i, item) in data.items().enumerate() {
        for (name, member) in item.entries() {
            let place = format!("data[{i}].{name}");
            match member.as_str() {
                _ if name == "embedding" && is_numbers(member) => {}
                // Numbers too, as `encoding_format: base64` asks for them.
                Some(text) if name == "embedding" && is_base64(&text) => {
                    inspector.not_scanned("data[].embedding");
                }
                _ => inspect_all(member, &place, inspector, edits)?,
            }
        }
    }
    // Last, since what it leaves out must stay out.
    inspect_names(root, |name| !is_plain_word(name), inspector, edits)
}

fn is_numbers(value: Value<'_>) -> bool {
    value.is_array() && value.items().all(|v| v.kind() == Kind::Number)
}

#[cfg(test)]
mod tests {
    use super::super::{Channel, ToolCall, Verdict};
    use super::*;

    /// Masks one word and notes what it was shown.
    #[derive(Default)]
    struct Words {
        seen: Vec<String>,
        not_scanned: Vec<String>,
    }

    impl Inspector for Words {
        fn delta(&mut self, _: &Channel, _: &str, _: &mut String) -> Result<(), Blocked> {
            panic!("nothing is streamed")
        }

        fn finish(&mut self, _: &Channel, _: &mut String) -> Result<(), Blocked> {
            panic!("nothing is streamed")
        }

        fn whole(&mut self, place: &str, text: &str) -> Result<Option<String>, Blocked> {
            self.seen.push(place.to_owned());
            Ok(text.contains("bluebird").then(|| text.replace("bluebird", "*")))
        }

        fn tool_call(&mut self, _: &ToolCall) -> Verdict {
            panic!("there are no calls")
        }

        fn not_scanned(&mut self, what: &str) {
            self.not_scanned.push(what.to_owned());
        }
    }

    #[test]
    fn numbers_pass_and_texts_are_looked_at() {
        let body = br#"{"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.5,-1e-3]},
            {"object":"embedding","index":1,"embedding":"AAAAPw=="},
            {"object":"embedding","index":2,"embedding":"a bluebird"},
            {"object":"embedding","index":3,"embedding":[1,"a bluebird"],"Bluebird bluebird":1}],
            "model":"bluebird","usage":{"total_tokens":3}}"#;
        let mut words = Words::default();
        let done = plain(body, &mut words).unwrap();
        let wanted = r#"{"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.5,-1e-3]},{"object":"embedding","index":1,"embedding":"AAAAPw=="},{"object":"embedding","index":2,"embedding":"a *"},{"object":"embedding","index":3,"embedding":[1,"a *"]}],"model":"*","usage":{"total_tokens":3}}"#;
        assert_eq!(done, Plain::Done(wanted.to_owned()));
        assert_eq!(words.not_scanned, ["data[].embedding"]);
        assert!(
            !words
                .seen
                .iter()
                .any(|place| place.starts_with("data[0].embedding"))
        );
    }

    #[test]
    fn other_shapes_are_refused() {
        for bad in [
            "[]",
            "{}",
            r#"{"data":{}}"#,
            r#"{"data":["x"]}"#,
            r#"{"embeddings":[[1]]}"#,
            "{",
            "\u{ff}",
        ] {
            assert!(
                plain(bad.as_bytes(), &mut Words::default()).is_err(),
                "accepted {bad}"
            );
        }
    }

    #[test]
    fn there_is_no_stream() {
        let event = Event {
            name: "",
            data: r#"{"data":[]}"#,
        };
        let mut out = Vec::new();
        assert!(NoStream.event(event, &mut Words::default(), &mut out).is_err());
        assert!(out.is_empty());
        NoStream.end_with("no \"stream\"", &mut out);
        let out = String::from_utf8(out).unwrap();
        assert!(
            out.starts_with(r#"data: {"error":{"message":"no \"stream\"","#)
                && out.ends_with("data: [DONE]\n\n")
        );
    }
}
