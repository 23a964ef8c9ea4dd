//! Finds secrets in text that is still arriving.

mod error;
mod redactor;
mod rule;
mod set;
mod sink;

pub use error::LintError;
pub use redactor::Redactor;
pub use rule::{RuleIndex, RuleInfo, RuleMask, RuleSource};
pub use set::{RuleSet, RuleSetBuilder};
pub use sink::{Marked, Sink, Span, mark};
