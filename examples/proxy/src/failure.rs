//! What a command says when it cannot be done: `error: what: why: what to do`.

use std::fmt;

use copilot_guard::policy::PolicyError;

/// A failed command.
#[derive(Debug)]
pub(crate) struct Failure(String);

impl Failure {
    pub(crate) fn new(what: impl fmt::Display, why: impl fmt::Display, mend: impl fmt::Display) -> Self {
        Self(format!("error: {what}: {why}: {mend}"))
    }

    /// Several at once, each on a line of its own; none is no failure.
    pub(crate) fn all(failures: &[Self]) -> Option<Self> {
        let lines: Vec<_> = failures.iter().map(|f| f.0.as_str()).collect();
        (!lines.is_empty()).then(|| Self(lines.join("\n")))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<PolicyError> for Failure {
    /// Every problem on a line of its own.
    fn from(error: PolicyError) -> Self {
        let lines: Vec<_> = error.problems.iter().map(|p| format!("error: {p}")).collect();
        Self(lines.join("\n"))
    }
}
