//! Finds secrets in text that is still arriving, and masks each before its first byte leaves.
//!
//! 1. A rule is a *boundary* (no word byte before), a *context* that is not masked, the *secret*, what must come *after*
//!    it, and a *check* of its text. A start counts with its longest match.
//! 2. What is masked is the union of all spans of all rules. Overlapping spans make one group and one mark; spans that
//!    only touch make two. So a further rule never uncovers a byte, and the order of the rules changes names only.
//! 3. A group is named by the span at its start; of several that begin there, by the first to be certain.
//! 4. The output does not depend on how the text was cut into pieces.
//! 5. A byte leaves as soon as no continuation of the text can make it part of a secret. The mark leaves as soon as
//!    every continuation does. A check that looks at the whole secret (quoted values) waits for its end.
//! 6. Whether a secret is one is certain within 4096 bytes of its start: [`LintError`] refuses a rule that may take longer,
//!    and says how to mend it. Behind a match that is certain, what may lengthen it waits as well; when it has not done
//!    so within 4096 bytes, it is masked.
//!
//! ```
//! use copilot_guard::detect::RuleSet;
//!
//! let rules = RuleSet::builder().builtin().pattern("staff-no", r"\bstaff-(\d{6})\b")?.build()?;
//! let mut out = Vec::new();
//! let mut sink = rules.marked(&mut out);
//! let mut redactor = rules.redactor(&rules.all());
//! for piece in ["const n = \"sta", "ff-12", "3456\";"] {
//!     redactor.push(piece.as_bytes(), &mut sink);
//! }
//! redactor.finish(&mut sink);
//! assert_eq!(out, b"const n = \"staff-[REDACTED:staff-no]\";");
//! # Ok::<(), copilot_guard::detect::LintError>(())
//! ```
//!
//! # Patterns
//!
//! The syntax is that of Rust's `regex` crate, with `\w`, `\d` and `\s` for ASCII only; other classes and `.` take whole
//! Unicode characters. `\b` may stand first (no word byte before) and last (no word byte after). One capture group is the
//! secret; what stands before it is context, and one class may follow it. Other look-around is refused.
//!
//! # Cost
//!
//! To find where a rule may begin: in pieces of a few bytes one table look-up for each byte; in longer ones a filter over
//! many places at once, and a closer look at the few that it marks. Then one look-up more for each byte and each rule
//! that has begun. How much text came before costs nothing, and a stream's state is small while nothing has begun.
//!
//! # If this fails
//!
//! A broken table is an error of [`RuleSetBuilder::build`]; there is no form that starts without rules by accident. If
//! [`Redactor::finish`] is never called, what is held never leaves.

mod allow;
mod builtin;
mod bytes;
mod check;
mod checksum;
#[expect(
    clippy::collapsible_match,
    reason = "an arm says which program, and below it which of its arguments matter"
)]
pub mod command;
mod encoded;
mod error;
mod field;
pub mod hidden;
pub mod intent;
mod judgement;
pub mod link;
mod mark;
mod network;
mod pattern;
mod rule;
mod scan;
mod set;
mod sink;
mod stream;
mod tag;
pub mod tool;
pub mod views;

pub use allow::{AllowEntry, AllowList};
pub use encoded::known_forms;
pub use error::LintError;
pub use judgement::{Class, Danger, Finding, Judgement};
pub use mark::{MarkClash, MarkFormat, MarkFormatError};
pub use network::{Address, BadEntry, Host, HostClass, Network, NetworkError, RelayKind, is_relay, relay};
pub use rule::{Pack, RuleIndex, RuleInfo, RuleMask, RuleSource};
pub use scan::{Found, ScanOptions};
pub use set::{RuleSet, RuleSetBuilder};
pub use sink::{Mark, Marked, Sink, Span};
pub use stream::Redactor;
pub use tag::{Tag, TagKey};
