//! Who may approve what a rule holds.

use std::collections::BTreeMap;

use crate::approval::Requirement;
use crate::decision::Action;
use crate::policy::PolicyOptions;
use crate::policy::config::{ApprovalsConfig, RuleConfig};
use crate::policy::reader::{At, Problems};

/// The most people of one group that an approval may ask for.
const MAX_VOTES: u64 = 100;

/// Any one member of any one of these groups.
pub(in crate::policy) fn any_one(groups: &[String]) -> Requirement {
    Requirement {
        any: groups.iter().map(|g| BTreeMap::from([(g.clone(), 1)])).collect(),
    }
}

/// Whose votes an `approvals` asks for.
pub(super) fn alternatives(problems: &Problems, config: &ApprovalsConfig) -> Requirement {
    let mut any = Vec::new();
    for (at, groups) in &config.any {
        if groups.is_empty() && !problems.has_below(at) {
            problems.add(
                at,
                "the alternative names no group",
                "it would hold without any vote",
                "name a group and how many people of it, such as `{ \"reviewers\" = 1 }`",
            );
        }
        let mut counts = BTreeMap::new();
        for (group, count) in groups {
            if count.value == 0 || count.value > MAX_VOTES || group.trim().is_empty() {
                problems.add(
                    &count.at,
                    format!("{} people of group `{group}` cannot approve", count.value),
                    "an alternative needs a named group and at least one person of it",
                    format!("write a number from 1 to {MAX_VOTES}"),
                );
            }
            counts.insert(group.clone(), u32::try_from(count.value).unwrap_or(u32::MAX));
        }
        any.push(counts);
    }
    Requirement { any }
}

/// A rule that asks for approval must have someone to ask.
pub(in crate::policy) fn check_reviewers(problems: &Problems, config: &RuleConfig, options: &PolicyOptions) {
    let asks = config.action.value == Action::RequireApproval && config.approvals.is_none();
    let at = At {
        line: config.action.at.line,
        key: format!("{}.approvals", config.at.key),
    };
    if asks && options.reviewer_groups.is_empty() && !problems.has_below(&at) {
        problems.add(
            &at,
            "nobody can approve",
            "the rule names no `approvals`, and there are no default reviewer groups",
            "write `approvals = { any = [ { \"reviewers\" = 1 } ] }`, or set reviewer groups in the configuration",
        );
    }
}
