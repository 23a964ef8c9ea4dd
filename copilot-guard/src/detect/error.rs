//! Why a rule was refused.

use std::fmt;

/// A rule cannot be used on a stream: which one, what cannot be bounded, and how to mend it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LintError {
    rule: String,
    problem: String,
    mend: String,
}

impl LintError {
    pub(super) fn new(rule: &str, problem: impl Into<String>, mend: impl Into<String>) -> Self {
        Self {
            rule: rule.to_owned(),
            problem: problem.into(),
            mend: mend.into(),
        }
    }

    /// The id of the refused rule.
    pub fn rule(&self) -> &str {
        &self.rule
    }

    /// What is wrong with it.
    pub fn problem(&self) -> &str {
        &self.problem
    }

    /// What to write instead.
    pub fn mend(&self) -> &str {
        &self.mend
    }
}

impl fmt::Display for LintError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rule `{}`: {}; {}", self.rule, self.problem, self.mend)
    }
}

impl std::error::Error for LintError {}
