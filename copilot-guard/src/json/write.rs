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

    /// Whether nothing but this value is changed.
    pub(crate) fn only(&self, value: Value<'_>) -> bool {
        self.0.keys().all(|index| *index == value.index())
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
        if self.has_blanks || edits.0.values().any(|edit| matches!(edit, Edit::Remove)) {
            write_value(self.root(), edits, out);
        } else {
            self.splice(edits, out);
        }
    }

    /// The text as it is, with other values in some places. Edits are in the order of the text.
    fn splice(&self, edits: &Edits, out: &mut String) {
        let (text, mut at) = (self.text(), 0);
        for (index, edit) in &edits.0 {
            let Some(node) = self.nodes.get(*index as usize) else {
                continue;
            };
            // Within another that was replaced.
            if (node.start as usize) < at {
                continue;
            }
            if let Edit::Raw(json) = edit {
                out.push_str(text.get(at..node.start as usize).unwrap_or_default());
                out.push_str(json);
                at = node.end as usize;
            }
        }
        out.push_str(text.get(at..).unwrap_or_default());
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
    out.push('"');
    let mut at = 0;
    for (i, byte) in text.bytes().enumerate() {
        if let Some(escape) = escape(byte) {
            out.push_str(text.get(at..i).unwrap_or_default());
            out.push_str(escape.as_str());
            at = i + 1;
        }
    }
    out.push_str(text.get(at..).unwrap_or_default());
    out.push('"');
}

/// Appends what stands between the quotes of a JSON string literal.
pub(crate) fn escape_into(text: &str, out: &mut Vec<u8>) {
    let mut at = 0;
    for (i, byte) in text.bytes().enumerate() {
        if let Some(escape) = escape(byte) {
            out.extend_from_slice(text.get(at..i).unwrap_or_default().as_bytes());
            out.extend_from_slice(escape.as_str().as_bytes());
            at = i + 1;
        }
    }
    out.extend_from_slice(text.get(at..).unwrap_or_default().as_bytes());
}

/// How a byte is written that may not stand in a string; all of them are ASCII.
fn escape(byte: u8) -> Option<Escape> {
    Some(match byte {
        b'"' => Escape::Short(*b"\\\""),
        b'\\' => Escape::Short(*b"\\\\"),
        b'\n' => Escape::Short(*b"\\n"),
        b'\r' => Escape::Short(*b"\\r"),
        b'\t' => Escape::Short(*b"\\t"),
        0..0x20 | 0x7f => {
            let digit = |nibble: u8| {
                b"0123456789abcdef"
                    .get(usize::from(nibble))
                    .copied()
                    .unwrap_or(b'0')
            };
            Escape::Long([b'\\', b'u', b'0', b'0', digit(byte >> 4), digit(byte & 15)])
        }
        _ => return None,
    })
}

enum Escape {
    Short([u8; 2]),
    Long([u8; 6]),
}

impl Escape {
    fn as_str(&self) -> &str {
        let bytes: &[u8] = match self {
            Self::Short(bytes) => bytes,
            Self::Long(bytes) => bytes,
        };
        std::str::from_utf8(bytes).unwrap_or_default()
    }
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
