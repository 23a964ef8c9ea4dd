//! Strict JSON (RFC 8259): one pass into an arena of spans, and writing back with edits.
//!
//! 1. Duplicate member names (after unescaping), trailing bytes, a byte order mark, lone surrogates, control characters
//!    in strings and malformed numbers are refused: two readers must never see two different documents.
//! 2. Depth and size are bounded.
//! 3. Nothing is converted: numbers and unchanged strings are written back byte for byte.

mod parse;
mod write;

use std::borrow::Cow;

pub(crate) use parse::{string_end, unescape_into};
pub(crate) use write::escape_into;
pub use write::{Edits, quote, quote_into};

/// Bounds for one document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Longest text, in bytes.
    pub bytes: usize,
    /// Deepest nesting of arrays and objects.
    pub depth: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            bytes: 64 << 20,
            depth: 96,
        }
    }
}

impl Limits {
    /// The default depth with another size.
    pub fn with_bytes(bytes: usize) -> Self {
        Self {
            bytes,
            ..Self::default()
        }
    }
}

/// Why a text is not acceptable JSON. Holds a place, never content.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} at byte {at}")]
pub struct JsonError {
    /// What is wrong.
    pub what: &'static str,
    /// Where, in bytes from the start.
    pub at: usize,
}

/// Whether a string or a member's name of the document holds `needle`, which has neither quotes nor backslashes.
#[cfg(feature = "tower")]
pub(crate) fn holds(text: &str, needle: &str, limits: Limits) -> Result<bool, JsonError> {
    if needle.is_empty() || text.contains(needle) {
        return Ok(!needle.is_empty());
    }
    // Only these escapes could hide a part of it.
    if !text.contains("\\u") && !text.contains("\\/") {
        return Ok(false);
    }
    let doc = Document::parse(text.as_bytes(), limits)?;
    Ok((0..doc.nodes.len()).any(|i| {
        let node = doc.nodes[i];
        let named = &doc.text[node.key.0 as usize..node.key.1 as usize];
        let string = node.kind == Kind::String
            && parse::unescape(&doc.text[node.start as usize..node.end as usize]).contains(needle);
        string || (!named.is_empty() && parse::unescape(named).contains(needle))
    }))
}

/// The type of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are JSON's own")]
#[non_exhaustive]
pub enum Kind {
    Null,
    Bool,
    Number,
    String,
    Array,
    Object,
}

#[derive(Debug, Clone, Copy)]
struct Node {
    kind: Kind,
    /// Span of the value in the text, quotes included.
    start: u32,
    end: u32,
    /// Index of the first node behind this one's subtree.
    next: u32,
    /// Span of the member name, quotes included; empty for array items and the root.
    key: (u32, u32),
}

/// A parsed text. Values are spans of it; children follow their parent in document order.
#[derive(Debug)]
pub struct Document<'t> {
    text: &'t str,
    nodes: Cow<'t, [Node]>,
    /// There is a blank between two tokens.
    has_blanks: bool,
}

/// What is known of a text that was parsed: with the text it is a [`Document`] again.
#[derive(Debug, Clone)]
pub(crate) struct Parsed {
    nodes: Vec<Node>,
    has_blanks: bool,
}

impl Parsed {
    /// The document. `text` is the one that was parsed.
    pub(crate) fn of<'t>(&'t self, text: &'t str) -> Document<'t> {
        Document {
            text,
            nodes: Cow::Borrowed(&self.nodes),
            has_blanks: self.has_blanks,
        }
    }
}

impl<'t> Document<'t> {
    /// Parses a whole text.
    ///
    /// # Errors
    /// Says what is not acceptable and where.
    pub fn parse(bytes: &'t [u8], limits: Limits) -> Result<Self, JsonError> {
        parse::parse(bytes, limits)
    }

    /// The outermost value.
    pub fn root(&self) -> Value<'_> {
        Value { doc: self, index: 0 }
    }

    /// The text it was parsed from.
    pub fn text(&self) -> &'t str {
        self.text
    }

    /// What is known of the text, without the text.
    pub(crate) fn into_parsed(self) -> Parsed {
        Parsed {
            nodes: self.nodes.into_owned(),
            has_blanks: self.has_blanks,
        }
    }

    /// The value of a node index that [`Value::index`] gave for the same text.
    pub fn value(&self, index: u32) -> Option<Value<'_>> {
        ((index as usize) < self.nodes.len()).then_some(Value { doc: self, index })
    }
}

/// One value of a document.
#[derive(Debug, Clone, Copy)]
pub struct Value<'d> {
    doc: &'d Document<'d>,
    index: u32,
}

impl<'d> Value<'d> {
    fn node(self) -> Node {
        self.doc.nodes[self.index as usize]
    }

    /// Names this value within its document; stable for the same text.
    pub fn index(self) -> u32 {
        self.index
    }

    /// Where it stands in the text: for a string, what is between its quotes.
    pub(crate) fn place(self) -> std::ops::Range<usize> {
        let node = self.node();
        let quote = u32::from(node.kind == Kind::String);
        (node.start + quote) as usize..(node.end - quote) as usize
    }

    /// Its type.
    pub fn kind(self) -> Kind {
        self.node().kind
    }

    /// Its text as it stands in the document.
    pub fn raw(self) -> &'d str {
        let node = self.node();
        &self.doc.text[node.start as usize..node.end as usize]
    }

    /// The text of a string, unescaped; borrowed when it has no escapes.
    pub fn as_str(self) -> Option<Cow<'d, str>> {
        (self.kind() == Kind::String).then(|| parse::unescape(self.raw()))
    }

    /// A non-negative whole number.
    pub fn as_u64(self) -> Option<u64> {
        (self.kind() == Kind::Number)
            .then(|| self.raw().parse().ok())
            .flatten()
    }

    /// `true` or `false`.
    pub fn as_bool(self) -> Option<bool> {
        (self.kind() == Kind::Bool).then(|| self.raw() == "true")
    }

    /// Whether it is `null`.
    pub fn is_null(self) -> bool {
        self.kind() == Kind::Null
    }

    /// Whether it is an object.
    pub fn is_object(self) -> bool {
        self.kind() == Kind::Object
    }

    /// Whether it is an array.
    pub fn is_array(self) -> bool {
        self.kind() == Kind::Array
    }

    /// The member of this object with that name.
    pub fn get(self, key: &str) -> Option<Value<'d>> {
        self.entries().find(|(k, _)| k == key).map(|(_, v)| v)
    }

    /// The member of that name, unless it is `null`.
    pub fn get_some(self, key: &str) -> Option<Value<'d>> {
        self.get(key).filter(|v| !v.is_null())
    }

    /// The string member of that name.
    pub fn get_str(self, key: &str) -> Option<Cow<'d, str>> {
        self.get(key).and_then(Value::as_str)
    }

    /// The items of an array (nothing for other types).
    pub fn items(self) -> impl Iterator<Item = Value<'d>> {
        self.children(Kind::Array)
    }

    /// Names and values of an object's members (nothing for other types).
    pub fn entries(self) -> impl Iterator<Item = (Cow<'d, str>, Value<'d>)> {
        self.children(Kind::Object).map(move |value| {
            let (start, end) = value.node().key;
            (
                parse::unescape(&self.doc.text[start as usize..end as usize]),
                value,
            )
        })
    }

    fn children(self, of: Kind) -> impl Iterator<Item = Value<'d>> {
        let node = self.node();
        let mut at = self.index + 1;
        let end = if node.kind == of { node.next } else { at };
        let doc = self.doc;
        std::iter::from_fn(move || {
            (at < end).then(|| {
                let child = Value { doc, index: at };
                at = child.node().next;
                child
            })
        })
    }
}
