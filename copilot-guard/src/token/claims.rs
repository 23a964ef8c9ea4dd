//! Where in a token's claims a value stands, and what it must be.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::strict_json::{Json, Object};

/// OpenID Connect allows 255 ASCII characters for `sub`.
pub(super) const MAX_NAME: usize = 255;

/// The value that a claim must have, exactly and with its type.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
#[non_exhaustive]
pub enum Expected {
    /// This string, byte for byte.
    Text(String),
    /// This whole number.
    Integer(i64),
    /// This truth value; the strings `"true"` and `"false"` are not truth values.
    Flag(bool),
}

impl From<&str> for Expected {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Expected {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<i64> for Expected {
    fn from(number: i64) -> Self {
        Self::Integer(number)
    }
}

impl From<bool> for Expected {
    fn from(flag: bool) -> Self {
        Self::Flag(flag)
    }
}

impl Expected {
    pub(super) fn is(&self, value: &Json) -> bool {
        match (self, value) {
            (Self::Text(a), Json::String(b)) => a == b,
            (Self::Integer(a), Json::Integer(b)) => a == b,
            (Self::Flag(a), Json::Bool(b)) => a == b,
            _ => false,
        }
    }
}

/// Claims that must all have their values.
#[derive(Debug, Clone, Default)]
pub(super) struct Conditions(Vec<(ClaimPath, Expected)>);

impl Conditions {
    pub(super) fn parse(map: &BTreeMap<String, Expected>) -> Result<Self, &'static str> {
        let read = |(claim, expected): (&String, &Expected)| Ok((ClaimPath::parse(claim)?, expected.clone()));
        map.iter().map(read).collect::<Result<_, _>>().map(Self)
    }

    pub(super) fn push(&mut self, claim: &str, expected: Expected) {
        self.0.push((ClaimPath::top_level(claim), expected));
    }

    /// Exact equality, with the type, of every one.
    pub(super) fn hold(&self, claims: &Object) -> bool {
        self.0
            .iter()
            .all(|(path, expected)| path.find(claims).is_some_and(|value| expected.is(value)))
    }
}

/// A claim's place: the members to follow from the top. One member for a plain name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ClaimPath(Vec<String>);

impl ClaimPath {
    /// Reads an exact name or a JSON Pointer; says what is wrong otherwise.
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        match text.strip_prefix('/') {
            None if text.is_empty() => Err("name a claim, such as `groups` or `/realm_access/roles`"),
            None => Ok(Self(vec![text.to_owned()])),
            Some(pointer) => pointer.split('/').map(unescape).collect::<Option<_>>().map(Self).ok_or(
                "in a JSON Pointer `~` must be followed by 0 (for `~`) or 1 (for `/`); a claim whose name begins \
                 with `/` is written with `/~1`",
            ),
        }
    }

    /// The top-level claim of this name.
    pub(super) fn top_level(name: &str) -> Self {
        Self(vec![name.to_owned()])
    }

    pub(super) fn find<'a>(&self, claims: &'a Object) -> Option<&'a Json> {
        let (first, rest) = self.0.split_first()?;
        rest.iter()
            .try_fold(claims.get(first)?, |value, step| match value {
                Json::Object(members) => members.get(step),
                Json::Array(items) => items.get(index(step)?),
                _ => None,
            })
    }

    /// The top-level claim.
    pub(super) fn top(&self) -> &str {
        self.0.first().map_or("", String::as_str)
    }
}

fn unescape(step: &str) -> Option<String> {
    let mut parts = step.split('~');
    let mut out = parts.next()?.to_owned();
    for part in parts {
        let (escaped, rest) = (part.chars().next()?, part.get(1..));
        out.push(match escaped {
            '0' => '~',
            '1' => '/',
            _ => return None,
        });
        out.push_str(rest?);
    }
    Some(out)
}

fn index(step: &str) -> Option<usize> {
    let plain = step == "0" || (!step.starts_with('0') && step.bytes().all(|b| b.is_ascii_digit()));
    if plain { step.parse().ok() } else { None }
}

/// Fit to be an identity: not empty, bounded, nothing that could break a log line or a header.
pub(super) fn is_name(text: &str, max: usize) -> bool {
    !text.is_empty() && text.len() <= max && !text.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_names_or_pointers() {
        let claims = Json::parse_object(
            br#"{"https://x.example/roles":"a","a.b":"dot","realm_access":{"roles":["r0","r1"],"a/b":"s","~":"t"}}"#,
        )
        .ok()
        .unwrap();
        let find = |path: &str| match ClaimPath::parse(path).unwrap().find(&claims) {
            Some(Json::String(text)) => text.clone(),
            Some(_) => "other".into(),
            None => "none".into(),
        };
        let rows = [
            ("https://x.example/roles", "a"),
            ("a.b", "dot"),
            ("/a.b", "dot"),
            ("/realm_access/roles", "other"),
            ("/realm_access/roles/1", "r1"),
            ("/realm_access/roles/01", "none"),
            ("/realm_access/roles/-", "none"),
            ("/realm_access/roles/9", "none"),
            ("/realm_access/a~1b", "s"),
            ("/realm_access/~0", "t"),
            ("/https:~1~1x.example~1roles", "a"),
            ("realm_access/roles", "none"),
            ("realm_access.roles", "none"),
        ];
        for (path, found) in rows {
            assert_eq!(find(path), found, "{path}");
        }
        for bad in ["", "/a~2", "/a~", "/~é"] {
            assert!(ClaimPath::parse(bad).is_err(), "{bad}");
        }
    }
}
