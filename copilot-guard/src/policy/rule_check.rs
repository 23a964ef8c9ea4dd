//! Turns a written rule into a compiled one. A rule that can never fire, or never act, is a problem.

use std::collections::{BTreeMap, BTreeSet};

use super::PolicyOptions;
use super::config::{ApprovalsConfig, Listed, MatchConfig, RuleConfig};
use super::kinds::Kinds;
use super::matcher::{Glob, TextRegex};
use super::reader::{At, Located, Problems};
use super::rule::{Matcher, Rule, Secrets, Who};
use crate::approval::Requirement;
use crate::decision::{Action, Stage};

/// The id that hits carry when `default = "deny"` decides.
pub(super) const DEFAULT_ID: &str = "default";

/// The most people of one group that an approval may ask for.
const MAX_VOTES: u64 = 100;

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
    check_match(problems, config);
    check_action(problems, config);
    let requirement = match &config.approvals {
        Some(approvals) => Some(alternatives(problems, approvals)),
        None => (config.action.value == Action::RequireApproval).then(|| any_one(&options.reviewer_groups)),
    };
    Rule {
        id: config.id.value.clone(),
        who: who(problems, config),
        stage: config.on.value,
        matcher: matcher(problems, kinds, config),
        action: config.action.value,
        observe: config.observe,
        requirement,
        message: message(config),
        severity: config.severity.as_ref().map(|s| s.value.to_owned()),
        tags: config.tags.clone(),
    }
}

/// Any one member of any one of these groups.
pub(super) fn any_one(groups: &[String]) -> Requirement {
    Requirement {
        any: groups.iter().map(|g| BTreeMap::from([(g.clone(), 1)])).collect(),
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

fn who(problems: &Problems, config: &RuleConfig) -> Who {
    let set = |l: &Listed| l.items.iter().map(|i| i.value.clone()).collect::<BTreeSet<_>>();
    let groups = config.groups.as_ref().map(set);
    let not_groups = config.not_groups.as_ref().map(set).unwrap_or_default();
    if let (Some(groups), Some(listed)) = (&groups, &config.not_groups)
        && groups.is_subset(&not_groups)
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

fn check_match(problems: &Problems, config: &RuleConfig) {
    let MatchConfig {
        at,
        regex,
        words,
        secrets,
        size_over,
    } = &config.matches;
    let texts: Vec<_> = [("regex", regex), ("words", words), ("secrets", secrets)]
        .into_iter()
        .filter_map(|(name, list)| list.as_ref().map(|l| (name, l)))
        .collect();
    match config.on.value {
        Stage::Request => {
            for (name, list) in &texts {
                problems.add(
                    &list.at,
                    format!("`{name}` cannot match on a request"),
                    "a request rule looks at who asks, the model and the size, never at text",
                    "use `on = \"prompt\"`, or leave the key out",
                );
            }
        }
        Stage::Output => {
            if let Some(size) = size_over {
                problems.add(
                    &size.at,
                    "`size_over` cannot match on output",
                    "an answer streams, and its size is known when it has gone",
                    "use it on prompt, tool_result, tool_call or request",
                );
            }
            if let [_, (name, second), ..] = texts.as_slice() {
                problems.add(
                    &second.at,
                    format!("`{name}` stands beside another key"),
                    "an answer streams, so that two conditions on output cannot wait for each other",
                    "keep one key of `match`, or make two rules",
                );
            }
        }
        Stage::Prompt | Stage::ToolResult | Stage::ToolCall => {}
    }
    let is_broken = at.as_ref().is_some_and(|at| problems.has_below(at));
    if config.on.value != Stage::Request && texts.is_empty() && size_over.is_none() && !is_broken {
        problems.add(
            &At {
                line: at.as_ref().unwrap_or(&config.at).line,
                key: format!("{}.match", config.at.key),
            },
            "the rule has no `match`",
            "only a rule on request may look at nothing but who asks",
            "say what to look for: regex, words, secrets or size_over",
        );
    }
}

fn check_action(problems: &Problems, config: &RuleConfig) {
    let at = &config.action.at;
    let (
        stage,
        MatchConfig {
            regex,
            words,
            secrets,
            ..
        },
    ) = (config.on.value, &config.matches);
    let by_text = regex.is_some() || words.is_some() || secrets.is_some();
    match config.action.value {
        Action::Allow if stage != Stage::Request && !config.observe => problems.add(
            at,
            "`allow` has no effect here",
            "a rule never lowers what another rule asks for",
            "use `[[exceptions]]` to lower a verdict, or `observe = true` to only record",
        ),
        Action::Mask if stage == Stage::Request => problems.add(
            at,
            "`mask` has no effect on a request",
            "a request rule looks at no text",
            "use `on = \"prompt\"`, or another action",
        ),
        Action::Mask if stage == Stage::ToolCall => problems.add(
            at,
            "`mask` cannot be used on a tool call",
            "a call with changed arguments is another call",
            "use `block` or `require_approval`; secrets in arguments are masked by rules on output",
        ),
        Action::Mask if !by_text && stage != Stage::Output => problems.add(
            at,
            "`mask` has nothing to mask",
            "a size is no text",
            "use another action, or match text too",
        ),
        Action::RequireApproval if stage == Stage::Output => problems.add(
            at,
            "`require_approval` cannot be used on output",
            "text that has been read cannot be held",
            "use `block` or `mask`, or ask for approval on prompt, tool_call or request",
        ),
        _ => {}
    }
    if let Some(approvals) = config
        .approvals
        .as_ref()
        .filter(|_| config.action.value != Action::RequireApproval)
    {
        problems.add(
            &approvals.at,
            "`approvals` has no effect here",
            "only a rule with `action = \"require_approval\"` asks for votes",
            "change the action, or leave `approvals` out",
        );
    }
}

fn alternatives(problems: &Problems, config: &ApprovalsConfig) -> Requirement {
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
pub(super) fn check_reviewers(problems: &Problems, config: &RuleConfig, options: &PolicyOptions) {
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

fn matcher(problems: &Problems, kinds: &Kinds, config: &RuleConfig) -> Matcher {
    let MatchConfig {
        regex,
        words,
        secrets,
        size_over,
        ..
    } = &config.matches;
    let secrets = secrets.as_ref().map(|list| {
        let all = || kinds.named.union(&kinds.exact).cloned().collect();
        let kinds_of_rule = kinds.resolve(problems, &list.items, all);
        Secrets {
            mask: kinds.mask(&kinds_of_rule),
            kinds: kinds_of_rule,
        }
    });
    let is_output = config.on.value == Stage::Output;
    let compile = |list: &Option<Listed>, new: fn(&str) -> Result<TextRegex, String>| {
        let items = list.iter().filter(|_| !is_output).flat_map(|l| &l.items);
        items
            .filter_map(|item| compile_text(problems, item, new))
            .collect::<Vec<_>>()
    };
    Matcher {
        size_over: size_over.as_ref().map(|s| s.value),
        regexes: compile(regex, TextRegex::new),
        words: compile(words, TextRegex::word),
        secrets,
        streams: kinds.streams.get(&config.id.value).cloned().unwrap_or_default(),
    }
}

fn compile_text(
    problems: &Problems,
    item: &Located<String>,
    new: fn(&str) -> Result<TextRegex, String>,
) -> Option<TextRegex> {
    match new(&item.value) {
        Ok(regex) if regex.matches_everything() => {
            let why = "it matches the empty text, and so every text";
            problems.add(
                &item.at,
                "the expression says nothing",
                why,
                "let it need at least one character",
            );
            None
        }
        Ok(regex) => Some(regex),
        Err(why) => {
            let mend = "mend or shorten it; the syntax is that of Rust's regex";
            problems.add(&item.at, "the expression does not compile", why, mend);
            None
        }
    }
}
