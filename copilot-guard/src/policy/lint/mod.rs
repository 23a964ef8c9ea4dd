//! What is worth a look, yet no reason to refuse the file.

mod time;

use super::PolicyOptions;
use super::config::{PolicyConfig, RuleConfig};
use super::groups::Groups;
use super::problem::Problem;
use super::reader::Problems;
use crate::decision::{Action, Stage};

/// All warnings, in the order of the file.
pub(super) fn warnings(
    problems: &Problems,
    config: &PolicyConfig,
    groups: &Groups,
    options: &PolicyOptions,
) -> Vec<Problem> {
    let _ = groups;
    let mut warnings = Vec::new();
    default(problems, config, &mut warnings);
    time::check(problems, config, options.now, &mut warnings);
    warnings.sort_by_key(|warning| warning.line);
    warnings
}

fn default(problems: &Problems, config: &PolicyConfig, warnings: &mut Vec<Problem>) {
    let default = config.default.as_ref().map_or(Action::Allow, |d| d.value);
    let admits =
        |r: &&RuleConfig| r.on.value == Stage::Request && r.action.value == Action::Allow && !r.observe;
    let admitting = config.rules.iter().find(admits);
    match (default, &config.default, admitting) {
        (Action::Block, Some(default), None) => warnings.push(problems.problem(
            &default.at,
            "nobody is allowed",
            "the default is deny, and no rule on request allows anyone",
            "add a rule with `on = \"request\"` and `action = \"allow\"`",
        )),
        (Action::Allow, _, Some(rule)) => warnings.push(problems.problem(
            &rule.action.at,
            format!("rule {} changes nothing", rule.id.shown()),
            "the default allows everyone already",
            "write `default = \"deny\"`, or take the rule out",
        )),
        _ => {}
    }
}
