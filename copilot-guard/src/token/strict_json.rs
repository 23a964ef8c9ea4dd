//! A JSON tree that has one reading only.
//!
//! 1. UTF-8 without byte order mark, one value, nothing behind it but blanks.
//! 2. No member name twice in one object, compared after unescaping, at any depth: parsers disagree on which one
//!    wins, so a signed `groups` could mean one thing to the issuer's auditor and another to us.
//! 3. At most [`MAX_DEPTH`] containers inside one another.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

/// The most containers inside one another.
pub(super) const MAX_DEPTH: u8 = 16;

/// An object's members.
pub(super) type Object = BTreeMap<String, Json>;

/// One JSON value. Not `Debug`: claims must not reach a log by accident.
#[derive(Clone, PartialEq)]
pub(super) enum Json {
    Null,
    Bool(bool),
    Integer(i64),
    Float(f64),
    String(String),
    Array(Vec<Json>),
    Object(Object),
}

/// The text is not strict JSON. It says nothing more, since the text may be a token's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NotStrict;

impl Json {
    /// Reads one value.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, NotStrict> {
        // serde_json looks at the encoding of strings only; the rest is checked here.
        let text = std::str::from_utf8(bytes).map_err(|_| NotStrict)?;
        let mut input = serde_json::Deserializer::from_str(text);
        let value = Tree { depth: MAX_DEPTH }
            .deserialize(&mut input)
            .map_err(|_| NotStrict)?;
        input.end().map_err(|_| NotStrict)?;
        Ok(value)
    }

    /// Reads one object.
    pub(super) fn parse_object(bytes: &[u8]) -> Result<Object, NotStrict> {
        match Self::parse(bytes)? {
            Self::Object(members) => Ok(members),
            _ => Err(NotStrict),
        }
    }

    pub(super) fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }
}

/// Reads a value that may hold `depth` containers inside one another.
#[derive(Clone, Copy)]
struct Tree {
    depth: u8,
}

impl Tree {
    /// What may stand inside a container that stands here.
    fn inner<E: serde::de::Error>(self) -> Result<Self, E> {
        self.depth
            .checked_sub(1)
            .map(|depth| Self { depth })
            .ok_or_else(|| E::custom("too deep"))
    }
}

impl<'de> DeserializeSeed<'de> for Tree {
    type Value = Json;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Json, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Tree {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("strict JSON")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Json, E> {
        Ok(Json::Integer(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Json, E> {
        // Beyond i64 only the size matters (a time far ahead), never the last digit.
        Ok(i64::try_from(value).map_or(Json::Float(value as f64), Json::Integer))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Json, E> {
        Ok(Json::Float(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Json, E> {
        Ok(Json::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Json, E> {
        Ok(Json::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Json, A::Error> {
        let inner = self.inner()?;
        let mut items = Vec::new();
        while let Some(item) = seq.next_element_seed(inner)? {
            items.push(item);
        }
        Ok(Json::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Json, A::Error> {
        let inner = self.inner()?;
        let mut members = Object::new();
        while let Some(name) = map.next_key::<String>()? {
            // Some other crate in the program may switch on serde_json's `arbitrary_precision`; numbers then come
            // as this private map. The spelling is useless to an attacker: it can only ever say a number.
            if name == "$serde_json::private::Number" && members.is_empty() {
                let number = map.next_value::<String>()?;
                return number_of(&number).ok_or_else(|| A::Error::custom("number"));
            }
            match members.entry(name) {
                Entry::Occupied(_) => return Err(A::Error::custom("duplicate member")),
                Entry::Vacant(slot) => {
                    slot.insert(map.next_value_seed(inner)?);
                }
            }
        }
        Ok(Json::Object(members))
    }
}

fn number_of(text: &str) -> Option<Json> {
    if let Ok(value) = text.parse() {
        return Some(Json::Integer(value));
    }
    text.parse()
        .ok()
        .filter(|value: &f64| value.is_finite())
        .map(Json::Float)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reads(text: &[u8]) -> bool {
        Json::parse(text).is_ok()
    }

    #[test]
    fn refuses_what_has_two_readings() {
        let rows: &[(&str, &[u8])] = &[
            ("empty", b""),
            ("byte order mark", b"\xef\xbb\xbf{}"),
            ("utf-16", b"{\0}\0"),
            ("not utf-8", b"{\"a\":\"\xff\"}"),
            ("overlong utf-8", b"{\"a\":\"\xc0\xaf\"}"),
            ("trailing value", b"{}{}"),
            ("trailing letter", b"{}x"),
            ("trailing nul", b"{}\0"),
            ("duplicate", br#"{"a":1,"a":1}"#),
            ("duplicate after unescaping", br#"{"a":1,"\u0061":2}"#),
            ("duplicate inside", br#"{"x":[{"a":1,"a":2}]}"#),
            ("trailing comma", br#"{"a":1,}"#),
            ("comment", b"{}//"),
            ("single quotes", b"{'a':1}"),
            ("NaN", br#"{"a":NaN}"#),
            ("Infinity", br#"{"a":Infinity}"#),
            ("number out of range", br#"{"a":1e999}"#),
            ("leading zero", br#"{"a":01}"#),
            ("raw control character", b"{\"a\":\"\n\"}"),
            ("lone surrogate", br#"{"a":"\ud800"}"#),
        ];
        for (name, text) in rows {
            assert!(!reads(text), "{name}");
        }
    }

    #[test]
    fn bounds_the_depth() {
        let nested = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
        assert!(reads(nested(16).as_bytes()));
        assert!(!reads(nested(17).as_bytes()));
        assert!(!reads(nested(100_000).as_bytes()));
        assert!(!reads(
            format!("{}1{}", r#"{"a":"#.repeat(17), "}".repeat(17)).as_bytes()
        ));
    }

    #[test]
    fn keeps_values() {
        let Ok(Json::Object(tree)) = Json::parse(br#" {"s":"\u00e9","i":-1,"f":1.5,"n":null,"b":[true]} "#)
        else {
            panic!("an object")
        };
        assert!(tree["s"].as_str() == Some("é"));
        assert!(tree["i"] == Json::Integer(-1));
        assert!(tree["f"] == Json::Float(1.5));
        assert!(tree["n"] == Json::Null);
        assert!(tree["b"] == Json::Array(vec![Json::Bool(true)]));
    }

    proptest::proptest! {
        /// Whatever serde_json's own tree reads without duplicates and depth, this one reads to the same value.
        #[test]
        fn agrees_with_serde_json(text in r#"[\[\]{}:,"a0-9.eE+\- ntrul\\]{0,24}"#) {
            if Json::parse(text.as_bytes()).is_ok() {
                assert!(serde_json::from_str::<serde_json::Value>(&text).is_ok());
            }
        }
    }
}
