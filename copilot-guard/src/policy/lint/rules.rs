//! Rules that change nothing: by the default, by observing alone, by what they name twice or what nobody reports.

use std::collections::BTreeSet;

use super::Warnings;
use crate::decision::{Action, Stage};
use crate::policy::config::{Key, PolicyConfig, RuleConfig};
use crate::policy::problem::nearest;

/// The names that requests are told by (`ParsedRequest::parameters`). Whoever asks the policy may have more.
const PARAMETERS: &[&str] = &[
    "background",
    "conversation",
    "echo",
    "file",
    "hosted_tool",
    "large_max_tokens",
    "logprobs",
    "media",
    "n",
    "previous_response_id",
    "remote_mcp",
    "store",
    "stored_prompt",
    "suffix",
];

pub(super) fn check(warnings: &mut Warnings<'_>, config: &PolicyConfig) {
    default(warnings, config);
    for rule in &config.rules {
        if rule.observe && rule.action.value != Action::Allow {
            warnings.add(
                &rule.observe_at,
                format!("rule {} is only observed", rule.id.shown()),
                "it records what it would do, and does nothing",
                "take `observe` out when the record shows what you expect",
            );
        }
        masked_anyway(warnings, rule);
        repeats(warnings, rule);
        parameters(warnings, rule);
    }
}

fn default(warnings: &mut Warnings<'_>, config: &PolicyConfig) {
    let default = config.default.as_ref().map_or(Action::Allow, |d| d.value);
    let admits =
        |r: &&RuleConfig| r.on.value == Stage::Request && r.action.value == Action::Allow && !r.observe;
    match (default, &config.default, config.rules.iter().find(admits)) {
        (Action::Block, Some(default), None) => warnings.add(
            &default.at,
            "nobody is allowed",
            "the default is deny, and no rule on request allows anyone",
            "add a rule with `on = \"request\"` and `action = \"allow\"`",
        ),
        (Action::Allow, _, Some(rule)) => warnings.add(
            &rule.action.at,
            format!("rule {} changes nothing", rule.id.shown()),
            "the default allows everyone already",
            "write `default = \"deny\"`, or take the rule out",
        ),
        _ => {}
    }
}

fn masked_anyway(warnings: &mut Warnings<'_>, rule: &RuleConfig) {
    let everywhere = matches!(rule.on.value, Stage::ToolResult | Stage::Output);
    let mut keys = rule.matches.keys().into_iter();
    if everywhere
        && rule.action.value == Action::Mask
        && keys.all(|(key, _)| matches!(key, Key::Secrets | Key::Encoded))
    {
        warnings.add(
            &rule.at,
            format!("rule {} changes nothing", rule.id.shown()),
            format!("secrets are masked for everybody on {}", rule.on.value),
            "take it out, or block them",
        );
    }
}

/// What stands in a list twice.
fn repeats(warnings: &mut Warnings<'_>, rule: &RuleConfig) {
    let lists = [&rule.groups, &rule.not_groups, &rule.models];
    let conditions = Key::ALL.iter().filter_map(|key| rule.matches.list(*key));
    for list in lists.into_iter().flatten().chain(conditions) {
        let mut seen = BTreeSet::new();
        for item in list.items.iter().filter(|item| !seen.insert(item.value.trim())) {
            warnings.add(
                &item.at,
                format!("{} stands there twice", item.shown()),
                "the second one changes nothing",
                "take it out",
            );
        }
    }
}

fn parameters(warnings: &mut Warnings<'_>, rule: &RuleConfig) {
    for item in rule.matches.parameters.iter().flat_map(|list| &list.items) {
        let name = item.value.trim();
        if name.contains('*') || PARAMETERS.contains(&name) {
            continue;
        }
        let mend = match nearest(name, PARAMETERS.iter().copied()) {
            Some(known) => format!("did you mean \"{known}\"?"),
            None => format!("use one of {}", PARAMETERS.join(", ")),
        };
        warnings.add(
            &item.at,
            format!("the parameter {} is not known", item.shown()),
            "the gateway tells requests by other names, so that it never matches",
            mend,
        );
    }
}
