//! Where in a token's claims a value stands, and how a list of groups is read from it.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::TokenError;
use super::strict_json::{Json, Object};

pub(super) const MAX_GROUPS: usize = 1000;
pub(super) const MAX_GROUP: usize = 256;
/// OpenID Connect allows 255 ASCII characters for `sub`.
pub(super) const MAX_NAME: usize = 255;

/// One claim that names groups. Several sources of an issuer are united.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct GroupSource {
    /// The exact name of a top-level claim, dots, slashes and colons included; or, when it begins with `/`, a JSON
    /// Pointer (RFC 6901) such as `/realm_access/roles`.
    pub claim: String,
    /// What the value looks like. Any other shape refuses the token: a guess here would invent memberships.
    #[serde(default)]
    pub shape: Shape,
    /// Put in front of each name, so that `admin` of one source is not `admin` of another.
    #[serde(default)]
    pub prefix: String,
}

impl GroupSource {
    /// A list of strings at `claim`.
    pub fn new(claim: impl Into<String>) -> Self {
        Self {
            claim: claim.into(),
            shape: Shape::List,
            prefix: String::new(),
        }
    }

    /// The same claim, read in this shape.
    #[must_use]
    pub fn with_shape(mut self, shape: Shape) -> Self {
        self.shape = shape;
        self
    }

    /// The same claim with `prefix` in front of each name.
    #[must_use]
    pub fn with_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }
}

/// How a claim's value names groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Shape {
    /// A list of strings; none of them is split.
    #[default]
    List,
    /// One string that is one name.
    String,
    /// One string of names with blanks between them, as in `scope`.
    SpaceSeparated,
    /// One string of names with commas between them; blanks are part of a name.
    CommaSeparated,
}

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

    pub(super) fn find<'a>(&self, claims: &'a Object) -> Option<&'a Json> {
        let (first, rest) = self.0.split_first()?;
        rest.iter()
            .try_fold(claims.get(first)?, |value, step| match value {
                Json::Object(members) => members.get(step),
                Json::Array(items) => items.get(index(step)?),
                _ => None,
            })
    }

    fn top(&self) -> &str {
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

/// A source with its path read.
#[derive(Debug, Clone)]
pub(super) struct Source {
    pub(super) path: ClaimPath,
    pub(super) shape: Shape,
    pub(super) prefix: String,
}

/// The union of all sources.
pub(super) fn groups(claims: &Object, sources: &[Source]) -> Result<BTreeSet<String>, TokenError> {
    let mut groups = BTreeSet::new();
    for source in sources {
        // Before the value is read: a cut list beside the marker would pass as whole.
        if is_cut_off(claims, source.path.top()) {
            return Err(TokenError::GroupsOverage);
        }
        let Some(value) = source.path.find(claims) else {
            continue;
        };
        for name in names(value, source.shape)? {
            if !is_name(name, MAX_GROUP) {
                return Err(TokenError::Invalid("group_malformed"));
            }
            groups.insert(format!("{}{name}", source.prefix));
        }
        if groups.len() > MAX_GROUPS {
            return Err(TokenError::Invalid("groups_too_many"));
        }
    }
    Ok(groups)
}

/// Entra's marks for a list that did not fit: `_claim_names` has the claim's name, or `hasgroups` is set. The link
/// in `_claim_sources` is the token's, so it is never followed.
fn is_cut_off(claims: &Object, claim: &str) -> bool {
    let distributed = match claims.get("_claim_names") {
        None => false,
        Some(Json::Object(names)) => names.contains_key(claim),
        Some(_) => true,
    };
    let has_groups = claims
        .get("hasgroups")
        .is_some_and(|flag| *flag != Json::Bool(false));
    distributed || (claim == "groups" && has_groups)
}

fn names(value: &Json, shape: Shape) -> Result<Vec<&str>, TokenError> {
    let wrong = TokenError::Invalid("groups_shape");
    match (shape, value) {
        (Shape::List, Json::Array(items)) if items.len() > MAX_GROUPS => {
            Err(TokenError::Invalid("groups_too_many"))
        }
        (Shape::List, Json::Array(items)) => items
            .iter()
            .map(|item| item.as_str().ok_or_else(|| wrong.clone()))
            .collect(),
        (Shape::String, Json::String(name)) => Ok(vec![name]),
        (Shape::SpaceSeparated, Json::String(text)) => {
            Ok(text.split(' ').filter(|name| !name.is_empty()).collect())
        }
        (Shape::CommaSeparated, Json::String(text)) if text.is_empty() => Ok(Vec::new()),
        (Shape::CommaSeparated, Json::String(text)) => Ok(text.split(',').collect()),
        _ => Err(wrong),
    }
}

/// Fit to be an identity: not empty, bounded, nothing that could break a log line or a header.
pub(super) fn is_name(text: &str, max: usize) -> bool {
    !text.is_empty() && text.len() <= max && !text.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_configuration() {
        #[derive(Deserialize)]
        struct File {
            groups: Vec<GroupSource>,
            required: std::collections::BTreeMap<String, Expected>,
        }
        let file: File = toml::from_str(
            r#"
            groups = [{ claim = "groups" }, { claim = "scp", shape = "space_separated", prefix = "scope:" }]
            required = { hd = "example.com", email_verified = true, level = 2 }
            "#,
        )
        .unwrap();
        let scope = GroupSource::new("scp")
            .with_shape(Shape::SpaceSeparated)
            .with_prefix("scope:");
        assert_eq!(file.groups, [GroupSource::new("groups"), scope]);
        assert_eq!(file.required["hd"], "example.com".into());
        assert_eq!(file.required["email_verified"], true.into());
        assert_eq!(file.required["level"], 2.into());
        assert!(toml::from_str::<File>(r#"groups = [{ claim = "g", splt = "," }]"#).is_err());
    }

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
