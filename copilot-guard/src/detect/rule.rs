//! What a caller sees of a rule.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::Deserialize;

use super::error::LintError;

/// The number of a rule in its [`RuleSet`](super::RuleSet).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RuleIndex(pub(super) u16);

impl RuleIndex {
    /// The position in [`RuleSet::rules`](super::RuleSet::rules).
    pub const fn as_usize(self) -> usize {
        self.0 as usize
    }
}

/// Where a rule comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RuleSource {
    /// The table that ships with this crate.
    BuiltIn,
    /// A regular expression of the user's.
    Pattern,
    /// A value of the user's that must never leave. Always active.
    Exact,
}

/// What a rule is about. Holds no secret and no pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleInfo {
    /// The kind, as it stands in marks: `github-pat`.
    pub id: String,
    /// What is found, for a person: "GitHub personal access token".
    pub title: String,
    /// Who issues such secrets; empty when that does not apply.
    pub provider: String,
    /// `low`, `medium`, `high` or `critical`.
    pub severity: String,
    /// Where the issuer documents the form, or how to revoke it; may be empty.
    pub docs: String,
    /// Where the rule comes from.
    pub source: RuleSource,
    /// The pack this rule belongs to; rules without one are always part of [`builtin`](super::RuleSetBuilder::builtin).
    pub pack: Option<Pack>,
    /// The form alone tells a token from everything else: a fixed prefix, and at least 64 random bits.
    pub tagged: bool,
}

/// Rules that are off unless [asked for](super::RuleSetBuilder::pack): what they find is no secret everywhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Pack {
    /// Mail addresses, phone numbers, payment cards, bank accounts and national identity numbers.
    PersonalData,
}

impl Pack {
    /// Every pack.
    pub const ALL: &[Self] = &[Self::PersonalData];

    /// Its name in a configuration: `personal-data`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::PersonalData => "personal-data",
        }
    }
}

impl fmt::Display for Pack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Pack {
    type Err = LintError;

    fn from_str(name: &str) -> Result<Self, LintError> {
        Self::ALL
            .iter()
            .copied()
            .find(|pack| pack.name() == name)
            .ok_or_else(|| {
                let names: Vec<_> = Self::ALL.iter().map(|pack| pack.name()).collect();
                LintError::new(
                    name,
                    "is not the name of a pack",
                    format!("use one of: {}", names.join(", ")),
                )
            })
    }
}

/// A set of rules of one [`RuleSet`](super::RuleSet): which ones are active.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RuleMask {
    words: Arc<[u64]>,
}

impl RuleMask {
    /// Of so many rules those for which it is said, in their order.
    pub(super) fn of(rules: usize, chosen: impl Iterator<Item = bool>) -> Self {
        let mut words = vec![0; rules.div_ceil(64)];
        for (i, _) in chosen.enumerate().filter(|(_, is_chosen)| *is_chosen) {
            if let Some(word) = words.get_mut(i / 64) {
                *word |= 1_u64 << (i % 64);
            }
        }
        Self { words: words.into() }
    }

    pub(super) fn none(rules: usize) -> Self {
        Self {
            words: vec![0; rules.div_ceil(64)].into(),
        }
    }

    pub(super) fn insert(&mut self, rule: RuleIndex) {
        if let Some(word) = Arc::make_mut(&mut self.words).get_mut(rule.as_usize() / 64) {
            *word |= 1 << (rule.as_usize() % 64);
        }
    }

    pub(super) fn intersects(&self, other: &Self) -> bool {
        self.words.iter().zip(other.words.iter()).any(|(a, b)| a & b != 0)
    }

    /// Whether this rule is active.
    pub fn contains(&self, rule: RuleIndex) -> bool {
        self.words
            .get(rule.as_usize() / 64)
            .is_some_and(|word| word & (1 << (rule.as_usize() % 64)) != 0)
    }

    /// How many rules are active.
    pub fn len(&self) -> usize {
        self.words.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// Whether no rule is active.
    pub fn is_empty(&self) -> bool {
        self.words.iter().all(|word| *word == 0)
    }
}
