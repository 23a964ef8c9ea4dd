//! Finds secrets in text that is still arriving.

mod builtin;
mod bytes;
mod candidate;
mod check;
mod error;
mod pattern;
mod redactor;
mod rule;
mod set;
mod sink;
mod table;
mod trigger;

pub use error::LintError;
pub use redactor::Redactor;
pub use rule::{RuleIndex, RuleInfo, RuleMask, RuleSource};
pub use set::{RuleSet, RuleSetBuilder};
pub use sink::{Marked, Sink, Span, mark};
