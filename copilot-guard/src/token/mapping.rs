//! From claims to names of groups: where they stand, which count, and what they are called here.
//!
//! 1. Each [`GroupSource`] is one claim of one shape; all are united. A value of another shape refuses the token.
//! 2. A name goes through `require_prefix`, `strip_prefix`, `rename` and `prefix`, in this order. Nothing is folded,
//!    trimmed or normalised.
//! 3. A [`SyntheticGroup`] is given when all its claims have exactly their values.
//! 4. Every name stands in the issuer's namespace, so that `admin` of one issuer is not `admin` of another.
//! 5. A list that the provider marks as cut off is never taken for the whole.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::TokenError;
use super::claims::{ClaimPath, Conditions, Expected, is_name};
use super::strict_json::{Json, Object};
use crate::identity::CallerKind;

pub(super) const MAX_GROUPS: usize = 1000;
pub(super) const MAX_GROUP: usize = 256;

/// One claim that names groups. Several sources of an issuer are united.
///
/// Each name of the list goes through four steps, in this order: names without
/// [`require_prefix`](Self::require_prefix) are left out, [`strip_prefix`](Self::strip_prefix) is taken off, what is
/// then found in [`rename`](Self::rename) is replaced, and [`prefix`](Self::prefix) is put in front.
///
/// ```
/// # use copilot_guard::token::GroupSource;
/// // Keycloak writes `/org/dev`, known here as `team:dev`; `/guests` does not count.
/// let source = GroupSource::new("groups")
///     .with_require_prefix("/org/")
///     .with_strip_prefix("/org/")
///     .with_prefix("team:");
/// # let _ = source;
/// ```
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
    /// Only names that begin with this count; the others are left out. Empty: all count.
    #[serde(default)]
    pub require_prefix: String,
    /// Taken off the front of names that begin with it. Without `require_prefix`, a name that has it and one that
    /// never had become one.
    #[serde(default)]
    pub strip_prefix: String,
    /// What some names are called here, such as a readable word for an object id. Whole names, byte for byte.
    #[serde(default)]
    pub rename: BTreeMap<String, String>,
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
            require_prefix: String::new(),
            strip_prefix: String::new(),
            rename: BTreeMap::new(),
            prefix: String::new(),
        }
    }

    /// The same claim, read in this shape.
    #[must_use]
    pub fn with_shape(mut self, shape: Shape) -> Self {
        self.shape = shape;
        self
    }

    /// The same claim, of which only names with this prefix count.
    #[must_use]
    pub fn with_require_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.require_prefix = prefix.into();
        self
    }

    /// The same claim, whose names lose this prefix.
    #[must_use]
    pub fn with_strip_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.strip_prefix = prefix.into();
        self
    }

    /// The same claim, where the name `from` is called `to`.
    #[must_use]
    pub fn with_rename(mut self, from: impl Into<String>, to: impl Into<String>) -> Self {
        self.rename.insert(from.into(), to.into());
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

/// A group that no claim names, given to tokens whose claims say certain things.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct SyntheticGroup {
    /// The group.
    pub group: String,
    /// Claims that must all have exactly these values. Keys are claim names or JSON Pointers.
    pub when: BTreeMap<String, Expected>,
}

impl SyntheticGroup {
    /// `group`, for tokens with these claims.
    pub fn new<C, E>(group: impl Into<String>, when: impl IntoIterator<Item = (C, E)>) -> Self
    where
        C: Into<String>,
        E: Into<Expected>,
    {
        let when = when
            .into_iter()
            .map(|(claim, value)| (claim.into(), value.into()));
        Self {
            group: group.into(),
            when: when.collect(),
        }
    }
}

/// A source with its path read.
#[derive(Debug, Clone)]
pub(super) struct Source {
    path: ClaimPath,
    with: GroupSource,
}

impl Source {
    pub(super) fn parse(source: &GroupSource) -> Result<Self, &'static str> {
        let texts = [&source.prefix, &source.strip_prefix, &source.require_prefix];
        if texts.iter().any(|text| text.chars().any(char::is_control)) {
            return Err("a prefix cannot have control characters");
        }
        if source
            .rename
            .iter()
            .any(|(from, to)| from.is_empty() || !is_name(to, MAX_GROUP))
        {
            return Err("`rename` needs a name on both sides, without control characters");
        }
        Ok(Self {
            path: ClaimPath::parse(&source.claim)?,
            with: source.clone(),
        })
    }

    /// What a group of this name is called here; `None` when it does not count.
    fn rename(&self, name: &str) -> Result<Option<String>, TokenError> {
        // Looked at whole, before anything is taken off: what is malformed is not left out, but refused.
        if !is_name(name, MAX_GROUP) {
            return Err(TokenError::Invalid("group_malformed"));
        }
        if !name.starts_with(&self.with.require_prefix) {
            return Ok(None);
        }
        let name = name.strip_prefix(&self.with.strip_prefix).unwrap_or(name);
        let name = self.with.rename.get(name).map_or(name, String::as_str);
        if name.is_empty() {
            return Err(TokenError::Invalid("group_malformed"));
        }
        Ok(Some(format!("{}{name}", self.with.prefix)))
    }
}

/// All that one issuer's configuration says of groups.
#[derive(Debug, Default)]
pub(super) struct Mapping {
    pub(super) sources: Vec<Source>,
    pub(super) synthetic: Vec<(String, Conditions)>,
    /// How names of the directory are read, where there is one; its claim is the one that the directory completes.
    pub(super) resolved: Option<Source>,
    /// The directory is asked for each person's token.
    pub(super) always: bool,
    /// In front of every name.
    pub(super) namespace: String,
    /// Namespaces of other issuers that begin with this one's: no name of this issuer may reach into them.
    pub(super) foreign: Vec<String>,
    /// A list of just this length was probably cut.
    pub(super) cut_at: Option<usize>,
}

/// What the claims said.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) groups: BTreeSet<String>,
    /// The directory must be asked for the others.
    pub(super) directory: bool,
    /// A list has just the length at which the provider cuts.
    pub(super) suspicious: bool,
}

impl Mapping {
    /// The union of all that the claims say.
    pub(super) fn read(&self, claims: &Object, kind: CallerKind) -> Result<Found, TokenError> {
        let mut found = Found {
            groups: BTreeSet::new(),
            // Directories of people know no programs.
            directory: self.always && kind == CallerKind::Person,
            suspicious: false,
        };
        for source in &self.sources {
            let value = source.path.find(claims);
            let elsewhere = value.is_some_and(|value| names_a_source(value, source.with.shape));
            // Before the value is read: a cut list beside the marker would pass as whole.
            if elsewhere || is_cut_off(claims, source.path.top()) {
                if value.is_some() && !elsewhere {
                    return Err(TokenError::Invalid("groups_contradiction"));
                }
                if !self.completes(source) {
                    return Err(TokenError::GroupsOverage);
                }
                found.directory = true;
                continue;
            }
            let Some(value) = value else { continue };
            found.suspicious |= matches!(value, Json::Array(items) if Some(items.len()) == self.cut_at);
            for name in names(value, source.with.shape)? {
                if let Some(name) = source.rename(name)? {
                    self.add(&mut found.groups, &name)?;
                }
            }
        }
        for (name, conditions) in &self.synthetic {
            if conditions.hold(claims) {
                self.add(&mut found.groups, name)?;
            }
        }
        Ok(found)
    }

    /// What the names of the directory are called here.
    pub(super) fn resolved<'a>(
        &self,
        names: impl IntoIterator<Item = &'a String>,
    ) -> Result<BTreeSet<String>, TokenError> {
        let mut groups = BTreeSet::new();
        if let Some(source) = &self.resolved {
            for name in names {
                if let Some(name) = source.rename(name)? {
                    self.add(&mut groups, &name)?;
                }
            }
        }
        Ok(groups)
    }

    /// Those of the caller's groups that the directory knows nothing of: roles with a prefix of their own, synthetic
    /// ones. They stay when the directory is asked again.
    pub(super) fn without_directory(&self, groups: &BTreeSet<String>) -> BTreeSet<String> {
        let Some(resolved) = &self.resolved else {
            return groups.clone();
        };
        let theirs = &resolved.with.prefix;
        let others = self.sources.iter().map(|source| &source.with.prefix);
        let others: Vec<_> = others
            .filter(|other| other.len() > theirs.len() && other.starts_with(theirs.as_str()))
            .collect();
        let stays = |qualified: &&String| {
            let Some(name) = qualified.strip_prefix(&self.namespace) else {
                return false;
            };
            !name.starts_with(theirs.as_str())
                || others.iter().any(|other| name.starts_with(other.as_str()))
                || self.synthetic.iter().any(|(synthetic, _)| synthetic == name)
        };
        groups.iter().filter(stays).cloned().collect()
    }

    /// Refuses more than anybody has.
    pub(super) fn bound(groups: &BTreeSet<String>) -> Result<(), TokenError> {
        if groups.len() > MAX_GROUPS {
            Err(TokenError::Invalid("groups_too_many"))
        } else {
            Ok(())
        }
    }

    fn add(&self, groups: &mut BTreeSet<String>, name: &str) -> Result<(), TokenError> {
        let qualified = format!("{}{name}", self.namespace);
        if self
            .foreign
            .iter()
            .any(|theirs| qualified.starts_with(theirs.as_str()))
        {
            // Whoever may make groups at this issuer would make those of the other one.
            return Err(TokenError::Invalid("group_foreign"));
        }
        groups.insert(qualified);
        Self::bound(groups)
    }

    fn completes(&self, source: &Source) -> bool {
        self.resolved
            .as_ref()
            .is_some_and(|resolved| resolved.path.top() == source.path.top())
    }
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

/// `"groups": "src1"` in place of a list: Entra's word for a list that stands elsewhere.
fn names_a_source(value: &Json, shape: Shape) -> bool {
    let Json::String(text) = value else { return false };
    let number = text.strip_prefix("src").unwrap_or_default();
    shape == Shape::List && !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit())
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

#[cfg(test)]
mod tests;
