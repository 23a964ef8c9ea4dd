//! What is worth a look, yet no reason to refuse the file.

mod exceptions;
mod groups;
mod rules;
mod shadow;

use super::PolicyOptions;
use super::config::PolicyConfig;
use super::groups::Groups;
use super::problem::Problem;
use super::reader::{At, Problems};

pub(super) use groups::Named;

/// Gathers warnings.
struct Warnings<'p> {
    problems: &'p Problems,
    list: Vec<Problem>,
}

/// All warnings that need nothing but the file, in its order.
pub(super) fn warnings(
    problems: &Problems,
    config: &PolicyConfig,
    groups: &Groups,
    options: &PolicyOptions,
) -> Vec<Problem> {
    let mut warnings = Warnings {
        problems,
        list: Vec::new(),
    };
    rules::check(&mut warnings, config);
    shadow::check(&mut warnings, config, groups);
    exceptions::check(&mut warnings, config, groups, options.now);
    groups::check(&mut warnings, config, options);
    warnings.list.sort_by_key(|warning| warning.line);
    warnings.list
}

impl Warnings<'_> {
    fn add(&mut self, at: &At, what: impl Into<String>, why: impl Into<String>, mend: impl Into<String>) {
        self.list.push(self.problems.problem(at, what, why, mend));
    }
}
