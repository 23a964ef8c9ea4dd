//! The strict parser.

use std::borrow::Cow;
use std::collections::HashSet;

use super::{Document, JsonError, Kind, Limits, Node};

/// Up to so many members are compared pair by pair; above, by a set.
const PAIRWISE: usize = 16;

pub(super) fn parse(bytes: &[u8], limits: Limits) -> Result<Document<'_>, JsonError> {
    if bytes.len() > limits.bytes.min(u32::MAX as usize) {
        return Err(JsonError {
            what: "too long",
            at: limits.bytes,
        });
    }
    let text = std::str::from_utf8(bytes).map_err(|e| JsonError {
        what: "not UTF-8",
        at: e.valid_up_to(),
    })?;
    let mut parser = Parser {
        text,
        bytes,
        at: 0,
        nodes: Vec::with_capacity(bytes.len() / 24 + 4),
        keys: Vec::new(),
        has_blanks: false,
    };
    parser.blank();
    parser.value(limits.depth, (0, 0))?;
    parser.blank();
    if parser.at < bytes.len() {
        return Err(parser.error("bytes behind the end of the document"));
    }
    Ok(Document {
        text,
        nodes: Cow::Owned(parser.nodes),
        has_blanks: parser.has_blanks,
    })
}

/// The end of a string's text (the place of its closing quote) that begins at `at`, behind the opening quote; `None`
/// when it is no string.
pub(crate) fn string_end(text: &str, at: usize) -> Option<usize> {
    let mut parser = Parser {
        text,
        bytes: text.as_bytes(),
        at: at.checked_sub(1)?,
        nodes: Vec::new(),
        keys: Vec::new(),
        has_blanks: false,
    };
    parser.string().ok()?;
    parser.at.checked_sub(1)
}

struct Parser<'t> {
    text: &'t str,
    bytes: &'t [u8],
    at: usize,
    nodes: Vec<Node>,
    /// Spans of the member names of all open objects.
    keys: Vec<(u32, u32)>,
    /// There was a blank between two tokens.
    has_blanks: bool,
}

impl Parser<'_> {
    fn error(&self, what: &'static str) -> JsonError {
        JsonError { what, at: self.at }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn blank(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
            self.has_blanks = true;
        }
    }

    fn value(&mut self, depth: u32, key: (u32, u32)) -> Result<(), JsonError> {
        let index = self.nodes.len();
        let start = self.at;
        let kind = match self.peek() {
            Some(b'"') => Kind::String,
            Some(b'{') => Kind::Object,
            Some(b'[') => Kind::Array,
            Some(b'-' | b'0'..=b'9') => Kind::Number,
            Some(b't' | b'f') => Kind::Bool,
            Some(b'n') => Kind::Null,
            Some(_) => return Err(self.error("not a JSON value")),
            None => return Err(self.error("the document ends early")),
        };
        self.nodes.push(Node {
            kind,
            start: start as u32,
            end: 0,
            next: 0,
            key,
        });
        match kind {
            Kind::String => self.string()?,
            Kind::Number => self.number()?,
            Kind::Bool if self.peek() == Some(b't') => self.word("true")?,
            Kind::Bool => self.word("false")?,
            Kind::Null => self.word("null")?,
            Kind::Array | Kind::Object if depth == 0 => return Err(self.error("nested too deep")),
            Kind::Array => self.array(depth - 1)?,
            Kind::Object => self.object(depth - 1)?,
        }
        let next = self.nodes.len() as u32;
        let node = &mut self.nodes[index];
        node.end = self.at as u32;
        node.next = next;
        Ok(())
    }

    fn word(&mut self, word: &str) -> Result<(), JsonError> {
        if !self.bytes[self.at..].starts_with(word.as_bytes()) {
            return Err(self.error("not a JSON value"));
        }
        self.at += word.len();
        Ok(())
    }

    fn digits(&mut self) -> Result<(), JsonError> {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        if self.at == start {
            Err(self.error("malformed number"))
        } else {
            Ok(())
        }
    }

    fn number(&mut self) -> Result<(), JsonError> {
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        if self.peek() == Some(b'0') {
            self.at += 1;
            if matches!(self.peek(), Some(b'0'..=b'9')) {
                return Err(self.error("malformed number"));
            }
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(())
    }

    /// At the opening quote; ends behind the closing one.
    fn string(&mut self) -> Result<(), JsonError> {
        self.at += 1;
        loop {
            self.at += plain(self.bytes.get(self.at..).unwrap_or_default());
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(());
                }
                Some(b'\\') => self.escape()?,
                Some(_) => return Err(self.error("control character in a string")),
                None => return Err(self.error("the document ends early")),
            }
        }
    }

    fn escape(&mut self) -> Result<(), JsonError> {
        self.at += 1;
        match self.peek() {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => {
                self.at += 1;
                Ok(())
            }
            Some(b'u') => {
                self.at += 1;
                let unit = self.hex4()?;
                match unit {
                    0xd800..=0xdbff => {
                        if !self.bytes[self.at..].starts_with(b"\\u") {
                            return Err(self.error("lone surrogate"));
                        }
                        self.at += 2;
                        if matches!(self.hex4()?, 0xdc00..=0xdfff) {
                            Ok(())
                        } else {
                            Err(self.error("lone surrogate"))
                        }
                    }
                    0xdc00..=0xdfff => Err(self.error("lone surrogate")),
                    _ => Ok(()),
                }
            }
            _ => Err(self.error("unknown escape")),
        }
    }

    fn hex4(&mut self) -> Result<u32, JsonError> {
        let digits = self
            .bytes
            .get(self.at..self.at + 4)
            .ok_or_else(|| self.error("the document ends early"))?;
        let mut unit = 0;
        for digit in digits {
            let value = (*digit as char)
                .to_digit(16)
                .ok_or_else(|| self.error("malformed escape"))?;
            unit = unit << 4 | value;
        }
        self.at += 4;
        Ok(unit)
    }

    fn array(&mut self, depth: u32) -> Result<(), JsonError> {
        self.at += 1;
        self.blank();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(());
        }
        loop {
            self.blank();
            self.value(depth, (0, 0))?;
            self.blank();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => {
                    self.at += 1;
                    return Ok(());
                }
                _ => return Err(self.error("expected `,` or `]`")),
            }
        }
    }

    fn object(&mut self, depth: u32) -> Result<(), JsonError> {
        let first = self.keys.len();
        let mut many = HashSet::new();
        self.at += 1;
        self.blank();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(());
        }
        loop {
            self.blank();
            if self.peek() != Some(b'"') {
                return Err(self.error("expected a member name"));
            }
            let start = self.at;
            self.string()?;
            let span = (start as u32, self.at as u32);
            if !self.is_new_key(span, first, &mut many) {
                return Err(JsonError {
                    what: "duplicate member name",
                    at: start,
                });
            }
            self.keys.push(span);
            self.blank();
            if self.peek() != Some(b':') {
                return Err(self.error("expected `:`"));
            }
            self.at += 1;
            self.blank();
            self.value(depth, span)?;
            self.blank();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => {
                    self.at += 1;
                    self.keys.truncate(first);
                    return Ok(());
                }
                _ => return Err(self.error("expected `,` or `}`")),
            }
        }
    }
}

impl<'t> Parser<'t> {
    /// Whether an object whose names begin at `first` has no member of that name yet. `many` holds its names once they
    /// are more than a few.
    fn is_new_key(&self, span: (u32, u32), first: usize, many: &mut HashSet<Cow<'t, str>>) -> bool {
        let text: &'t str = self.text;
        let raw = |(start, end): (u32, u32)| &text[start as usize..end as usize];
        let known = self.keys.get(first..).unwrap_or_default();
        let key = raw(span);
        if known.len() < PAIRWISE {
            let plain = memchr::memchr(b'\\', key.as_bytes()).is_none();
            return known.iter().all(|other| {
                let other = raw(*other);
                if plain && other.len() == key.len() && !other.contains('\\') {
                    other != key
                } else {
                    // Names of different lengths can be equal only by an escape.
                    (plain && !other.contains('\\')) || unescape(other) != unescape(key)
                }
            });
        }
        if many.is_empty() {
            many.extend(known.iter().map(|other| unescape(raw(*other))));
        }
        many.insert(unescape(key))
    }
}

/// How many bytes go by before a quote, a backslash or a control character: eight at a time.
fn plain(bytes: &[u8]) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    let zeros = |word: u64| word.wrapping_sub(ONES) & !word & HIGH;
    let mut words = bytes.chunks_exact(8);
    let mut at = 0;
    for word in &mut words {
        let mut eight = [0; 8];
        eight.copy_from_slice(word);
        let word = u64::from_le_bytes(eight);
        // Below 0x20, with bytes over 0x7f left out.
        let control = word.wrapping_sub(ONES * 0x20) & !word & HIGH;
        let found =
            zeros(word ^ (ONES * u64::from(b'"'))) | zeros(word ^ (ONES * u64::from(b'\\'))) | control;
        if found != 0 {
            // The lowest mark is right; only those above it may be wrong.
            return at + (found.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    let rest = words.remainder();
    let stops = |b: &u8| matches!(b, b'"' | b'\\' | 0..=0x1f);
    at + rest.iter().position(stops).unwrap_or(rest.len())
}

/// The text of a string literal that has passed [`Parser::string`].
pub(super) fn unescape(raw: &str) -> Cow<'_, str> {
    let inner = raw.get(1..raw.len().saturating_sub(1)).unwrap_or_default();
    let mut text = String::new();
    match unescape_into(inner, &mut text) {
        true => Cow::Owned(text),
        false => Cow::Borrowed(inner),
    }
}

/// Puts the text of a string (without its quotes) in `text`; `false` when it is the same and `text` was left alone.
pub(crate) fn unescape_into(inner: &str, text: &mut String) -> bool {
    let Some(first) = memchr::memchr(b'\\', inner.as_bytes()) else {
        return false;
    };
    text.clear();
    text.reserve(inner.len());
    text.push_str(&inner[..first]);
    let mut rest = &inner[first..];
    while let Some(at) = memchr::memchr(b'\\', rest.as_bytes()) {
        text.push_str(&rest[..at]);
        let mut chars = rest[at + 1..].chars();
        match chars.next() {
            Some('b') => text.push('\u{8}'),
            Some('f') => text.push('\u{c}'),
            Some('n') => text.push('\n'),
            Some('r') => text.push('\r'),
            Some('t') => text.push('\t'),
            Some('u') => {
                let mut unit = hex(&mut chars);
                if (0xd800..0xdc00).contains(&unit) {
                    // The parser has checked that the other half follows.
                    chars.next();
                    chars.next();
                    unit = 0x10000 + ((unit - 0xd800) << 10) + (hex(&mut chars).wrapping_sub(0xdc00) & 0x3ff);
                }
                text.push(char::from_u32(unit).unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            Some(other) => text.push(other),
            None => {}
        }
        rest = chars.as_str();
    }
    text.push_str(rest);
    true
}

fn hex(chars: &mut std::str::Chars<'_>) -> u32 {
    let mut unit = 0;
    for _ in 0..4 {
        unit = unit << 4 | chars.next().and_then(|c| c.to_digit(16)).unwrap_or(0);
    }
    unit
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ok(text: &str) -> bool {
        parse(text.as_bytes(), Limits::default()).is_ok()
    }

    #[test]
    fn refuses_what_two_readers_may_read_differently() {
        for bad in [
            r#"{"a":1,"a":2}"#,
            r#"{"a":1,"\u0061":2}"#,
            "{} {}",
            "{},",
            "\u{feff}{}",
            r#""\ud800""#,
            r#""\udc00x""#,
            r#""\ud800\u0041""#,
            "\"\u{1}\"",
            "01",
            "1.",
            ".5",
            "+1",
            "1e",
            "-",
            "nul",
            "truex",
            "[1,]",
            "{,}",
            "{\"a\"}",
            "",
            " ",
            "[",
            "\"",
            "'a'",
            "NaN",
            "Infinity",
            "[1 2]",
            "{\"a\":1 \"b\":2}",
            r#""\x41""#,
            r#""\u00g0""#,
            "\"\\",
        ] {
            assert!(!ok(bad), "accepted {bad:?}");
        }
        for good in [
            "0",
            "-0",
            "1e400",
            "1.5E-7",
            "\"\"",
            "[]",
            "{}",
            " [ { } ] \n",
            r#""\ud83d\ude00\/""#,
            "null",
        ] {
            assert!(ok(good), "refused {good:?}");
        }
        let many: String = (0..40).map(|i| format!("\"k{i}\":0,")).collect();
        assert!(ok(&format!("{{{many}\"z\":1}}")));
        assert!(!ok(&format!("{{{many}\"k3\":1}}")));
        assert!(parse(&[b'"', 0xff, b'"'], Limits::default()).is_err());
    }

    #[test]
    fn bounds_depth_and_size() {
        let nested = |n: usize| "[".repeat(n) + &"]".repeat(n);
        let limits = Limits {
            bytes: 1000,
            depth: 4,
        };
        assert!(parse(nested(4).as_bytes(), limits).is_ok());
        assert!(parse(nested(5).as_bytes(), limits).is_err());
        assert!(parse(" ".repeat(1001).as_bytes(), limits).is_err());
    }

    fn arbitrary_json() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Into::into),
            any::<i64>().prop_map(Into::into),
            any::<String>().prop_map(Into::into),
        ];
        leaf.prop_recursive(4, 32, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Into::into),
                prop::collection::btree_map(any::<String>(), inner, 0..6)
                    .prop_map(|m| serde_json::Value::Object(m.into_iter().collect())),
            ]
        })
    }

    fn to_serde(value: super::super::Value<'_>) -> serde_json::Value {
        match value.kind() {
            Kind::Null => serde_json::Value::Null,
            Kind::Bool => value.as_bool().into(),
            Kind::Number => serde_json::from_str(value.raw()).unwrap(),
            Kind::String => value.as_str().unwrap().into_owned().into(),
            Kind::Array => value.items().map(to_serde).collect(),
            Kind::Object => serde_json::Value::Object(
                value
                    .entries()
                    .map(|(k, v)| (k.into_owned(), to_serde(v)))
                    .collect(),
            ),
        }
    }

    proptest! {
        #[test]
        fn reads_what_serde_json_writes(value in arbitrary_json()) {
            for text in [serde_json::to_string(&value).unwrap(), serde_json::to_string_pretty(&value).unwrap()] {
                let doc = parse(text.as_bytes(), Limits::default()).unwrap();
                prop_assert_eq!(&to_serde(doc.root()), &value);
                let mut out = String::new();
                doc.write(&super::super::Edits::default(), &mut out);
                prop_assert_eq!(&serde_json::from_str::<serde_json::Value>(&out).unwrap(), &value);
            }
        }

        #[test]
        fn accepts_nothing_that_serde_json_refuses(text in "[\\[\\]{}\",:0-9a-f\\\\ue. \n-]{0,24}") {
            if ok(&text) {
                prop_assert!(serde_json::from_str::<serde_json::Value>(&text).is_ok());
            }
        }
    }
}
