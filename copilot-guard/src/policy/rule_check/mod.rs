//! Turns a written rule into a compiled one. A rule that can never fire, or never act, is a problem.

mod approvals;
mod conditions;
mod places;

use std::collections::BTreeSet;

pub(super) use approvals::{any_one, check_reviewers};

use super::PolicyOptions;
use super::config::{Listed, RuleConfig};
use super::groups::Groups;
use super::kinds::Kinds;
use super::matcher::Glob;
use super::reader::{Located, Problems};
use super::rule::{Rule, Who};
use crate::decision::Action;

/// The id that hits carry when `default = "deny"` decides.
pub(super) const DEFAULT_ID: &str = "default";

/// Ids stand in marks, headers and records: letters, digits, `-`, `_`, `.`, at most 64.
pub(super) fn check_id(problems: &Problems, id: &Located<String>, what: &str) {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if id.value.is_empty() || id.value.len() > 64 || !id.value.chars().all(is_plain) {
        problems.add(
            &id.at,
            format!("{what} id {} is not a plain name", id.shown()),
            "ids stand in marks, headers and records",
            "use up to 64 letters, digits, `-`, `_` and `.`",
        );
    }
}

/// Compiles one rule. Problems are added; what is returned is used only when there are none.
pub(super) fn compile(
    problems: &Problems,
    kinds: &Kinds,
    groups: &Groups,
    options: &PolicyOptions,
    config: &RuleConfig,
) -> Rule {
    check_id(problems, &config.id, "rule");
    if config.id.value == DEFAULT_ID
        || kinds.named.contains(&config.id.value)
        || kinds.exact.contains(&config.id.value)
    {
        problems.add(
            &config.id.at,
            format!("rule id {} is taken", config.id.shown()),
            "records use this name for a secret kind or for the default",
            "choose another name",
        );
    }
    places::check(problems, kinds, config);
    let requirement = match &config.approvals {
        Some(approvals) => Some(approvals::alternatives(problems, approvals)),
        None => (config.action.value == Action::RequireApproval).then(|| any_one(&options.reviewer_groups)),
    };
    Rule {
        id: config.id.value.clone(),
        who: who(problems, groups, config),
        stage: config.on.value,
        matcher: conditions::compile(problems, kinds, config),
        action: config.action.value,
        observe: config.observe,
        reversible: config
            .reversible
            .as_ref()
            .is_some_and(|reversible| reversible.value),
        requirement,
        message: message(config),
        severity: config.severity.as_ref().map(|s| s.value.to_owned()),
        tags: config.tags.clone(),
    }
}

fn message(config: &RuleConfig) -> String {
    match (&config.message, config.action.value) {
        (Some(message), _) if !message.value.trim().is_empty() => message.value.clone(),
        (_, Action::Block) => "Your organisation's policy does not allow this.".to_owned(),
        (_, Action::RequireApproval) => {
            "Your organisation's policy asks for a reviewer's approval.".to_owned()
        }
        (_, Action::Mask | Action::Allow) => String::new(),
    }
}

fn who(problems: &Problems, known: &Groups, config: &RuleConfig) -> Who {
    let set = |l: &Listed| l.items.iter().map(|i| i.value.clone()).collect::<BTreeSet<_>>();
    let groups = config.groups.as_ref().map(set);
    let not_groups = config.not_groups.as_ref().map(set).unwrap_or_default();
    if let (Some(groups), Some(listed)) = (&groups, &config.not_groups)
        && groups.iter().all(|group| known.is_within(group, &not_groups))
    {
        problems.add(
            &listed.at,
            "every group of the rule is excepted",
            "the rule can never fire",
            "take a group out of `not_groups`, or take the rule out",
        );
    }
    let models = config
        .models
        .as_ref()
        .map(|l| l.items.iter().map(|i| Glob::new(i.value.trim())).collect());
    Who {
        groups,
        not_groups,
        models,
        kind: config.callers.as_ref().map(|c| c.value),
    }
}
