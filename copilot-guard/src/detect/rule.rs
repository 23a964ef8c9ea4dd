//! What a caller sees of a rule.

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
    /// The pack it belongs to; without one it is always part of the built-in rules.
    pub pack: Option<Pack>,
    /// Whether its marks carry a tag: only for tokens of at least 64 random bits, where a tag confirms no guess.
    pub tagged: bool,
}

/// Built-in rules that are part of a set only when asked for: see
/// [`RuleSetBuilder::pack`](super::RuleSetBuilder::pack).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Pack {
    /// Numbers and addresses of persons.
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

/// A set of rules of one [`RuleSet`](super::RuleSet): which ones are active.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RuleMask {
    words: Box<[u64]>,
}

impl RuleMask {
    pub(super) fn none(rules: usize) -> Self {
        Self {
            words: vec![0; rules.div_ceil(64)].into_boxed_slice(),
        }
    }

    pub(super) fn insert(&mut self, rule: RuleIndex) {
        if let Some(word) = self.words.get_mut(rule.as_usize() / 64) {
            *word |= 1 << (rule.as_usize() % 64);
        }
    }

    pub(super) fn intersects(&self, other: &Self) -> bool {
        self.words.iter().zip(&other.words).any(|(a, b)| a & b != 0)
    }

    pub(super) fn is_unset(&self) -> bool {
        self.words.is_empty()
    }

    pub(super) fn join(&mut self, other: &Self) {
        for (mine, theirs) in self.words.iter_mut().zip(&other.words) {
            *mine |= theirs;
        }
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
