//! Writing a document back, with edits.

use std::collections::BTreeMap;

use super::{Document, Kind, Value};

/// Changes to a document, by value.
#[derive(Debug, Default)]
pub struct Edits(BTreeMap<u32, Edit>);

#[derive(Debug)]
enum Edit {
    Raw(String),
    Remove,
}

impl Edits {
    /// Whether there is nothing to change.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Puts a string in the value's place.
    pub fn set_str(&mut self, value: Value<'_>, text: &str) {
        self.set_raw(value.index(), quote(text));
    }

    /// Puts a JSON text in the place of the value with that index.
    pub fn set_raw(&mut self, index: u32, json: String) {
        self.0.insert(index, Edit::Raw(json));
    }

    /// Leaves the member or item out.
    pub fn remove(&mut self, value: Value<'_>) {
        self.0.insert(value.index(), Edit::Remove);
    }

    /// The value as it will be written, when it was replaced.
    pub fn replaced(&self, value: Value<'_>) -> Option<&str> {
        match self.0.get(&value.index()) {
            Some(Edit::Raw(json)) => Some(json),
            _ => None,
        }
    }
}

impl Document<'_> {
    /// Appends the document to `out` in its shortest form: no blanks between tokens; names, numbers and unchanged
    /// strings byte for byte. The result has no line breaks.
    pub fn write(&self, edits: &Edits, out: &mut String) {
        out.reserve(self.text().len());
        write_value(self.root(), edits, out);
    }

    /// [`write`](Self::write) into a new string.
    pub fn to_text(&self, edits: &Edits) -> String {
        let mut out = String::new();
        self.write(edits, &mut out);
        out
    }
}

/// Appends one value, edits applied.
pub(super) fn write_value(value: Value<'_>, edits: &Edits, out: &mut String) {
    if let Some(Edit::Raw(json)) = edits.0.get(&value.index()) {
        out.push_str(json);
        return;
    }
    let kept = |child: &Value<'_>| !matches!(edits.0.get(&child.index()), Some(Edit::Remove));
    match value.kind() {
        Kind::Array => {
            out.push('[');
            for (i, item) in value.items().filter(kept).enumerate() {
                if i > 0 {
                    out.push(',');
                }
                write_value(item, edits, out);
            }
            out.push(']');
        }
        Kind::Object => {
            out.push('{');
            for (i, (_, member)) in value.entries().filter(|(_, v)| kept(v)).enumerate() {
                if i > 0 {
                    out.push(',');
                }
                let (start, end) = member.node().key;
                out.push_str(&value.doc.text()[start as usize..end as usize]);
                out.push(':');
                write_value(member, edits, out);
            }
            out.push('}');
        }
        _ => out.push_str(value.raw()),
    }
}

/// A JSON string literal.
pub fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    quote_into(text, &mut out);
    out
}

/// Appends a JSON string literal.
pub fn quote_into(text: &str, out: &mut String) {
    use std::fmt::Write as _;
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if (c as u32) < 0x20 || c == '\u{7f}' => {
                // Writing to a String cannot fail.
                let _ = write!(out, "\\u{:04x}", c as u32);
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::super::Limits;
    use super::*;

    #[test]
    fn splices_and_removes() {
        let text = "{ \"a\" : 1.50e+3, \"b\": [\"x\", \"y\"], \"c\": {\"d\": \"\\u0041\"}, \"e\": null }";
        let doc = Document::parse(text.as_bytes(), Limits::default()).unwrap();
        let mut edits = Edits::default();
        edits.set_str(
            doc.root().get("b").unwrap().items().next().unwrap(),
            "new \"text\"\n",
        );
        edits.remove(doc.root().get("e").unwrap());
        assert_eq!(
            doc.to_text(&edits),
            r#"{"a":1.50e+3,"b":["new \"text\"\n","y"],"c":{"d":"\u0041"}}"#
        );
        edits.remove(doc.root().get("a").unwrap());
        assert_eq!(
            doc.to_text(&edits),
            r#"{"b":["new \"text\"\n","y"],"c":{"d":"\u0041"}}"#
        );
    }
}
