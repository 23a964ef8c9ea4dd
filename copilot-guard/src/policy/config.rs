//! The policy file as it is written: every value with its line. Knows the shape, not the meaning.

use std::collections::{BTreeMap, BTreeSet};

use super::budget::{self, BudgetConfig};
use super::masking::{self, MaskingConfig};
use super::reader::{At, Located, Problems, Table, Value};
use crate::decision::{Action, Stage};
use crate::identity::CallerKind;

/// What a policy file says.
#[derive(Debug, Default)]
pub(super) struct PolicyConfig {
    pub(super) default: Option<Located<Action>>,
    pub(super) masking: MaskingConfig,
    pub(super) patterns: Vec<PatternConfig>,
    pub(super) rules: Vec<RuleConfig>,
    /// The ids of all rules, also of those that could not be read.
    pub(super) rule_ids: BTreeSet<String>,
    pub(super) exceptions: Vec<ExceptionConfig>,
    pub(super) budgets: Vec<BudgetConfig>,
}

/// One of `[[patterns]]`.
#[derive(Debug)]
pub(super) struct PatternConfig {
    pub(super) id: Located<String>,
    pub(super) regex: Located<String>,
}

/// One of `[[rules]]`.
#[derive(Debug)]
pub(super) struct RuleConfig {
    /// Where the rule begins.
    pub(super) at: At,
    pub(super) id: Located<String>,
    pub(super) groups: Option<Listed>,
    pub(super) not_groups: Option<Listed>,
    pub(super) models: Option<Listed>,
    pub(super) callers: Option<Located<CallerKind>>,
    pub(super) on: Located<Stage>,
    pub(super) matches: MatchConfig,
    pub(super) action: Located<Action>,
    pub(super) approvals: Option<ApprovalsConfig>,
    pub(super) message: Option<Located<String>>,
    pub(super) severity: Option<Located<&'static str>>,
    pub(super) tags: Vec<String>,
    pub(super) observe: bool,
}

/// A list and where it stands.
#[derive(Debug)]
pub(super) struct Listed {
    pub(super) at: At,
    pub(super) items: Vec<Located<String>>,
}

/// The keys of `match`.
#[derive(Debug, Default)]
pub(super) struct MatchConfig {
    pub(super) at: Option<At>,
    pub(super) regex: Option<Listed>,
    pub(super) words: Option<Listed>,
    pub(super) secrets: Option<Listed>,
    pub(super) size_over: Option<Located<u64>>,
}

/// `approvals = { any = [ … ] }`.
#[derive(Debug)]
pub(super) struct ApprovalsConfig {
    pub(super) at: At,
    pub(super) any: Vec<(At, BTreeMap<String, Located<u64>>)>,
}

/// One of `[[exceptions]]`.
#[derive(Debug)]
pub(super) struct ExceptionConfig {
    pub(super) at: At,
    pub(super) groups: Listed,
    pub(super) kinds: Option<Listed>,
    pub(super) rules: Option<Listed>,
    pub(super) expires: Located<String>,
}

pub(super) const CALLERS: &[(&str, CallerKind)] =
    &[("person", CallerKind::Person), ("machine", CallerKind::Machine)];

const STAGES: &[(&str, Stage)] = &[
    ("prompt", Stage::Prompt),
    ("tool_result", Stage::ToolResult),
    ("output", Stage::Output),
    ("tool_call", Stage::ToolCall),
    ("request", Stage::Request),
];

const ACTIONS: &[(&str, Action)] = &[
    ("allow", Action::Allow),
    ("mask", Action::Mask),
    ("require_approval", Action::RequireApproval),
    ("block", Action::Block),
];

const SEVERITIES: &[(&str, &str)] = &[
    ("info", "info"),
    ("informational", "informational"),
    ("low", "low"),
    ("medium", "medium"),
    ("high", "high"),
    ("critical", "critical"),
];

/// Reads a policy file. Problems of shape are added to `problems`; what is left is what could be read.
pub(super) fn read(problems: &Problems, text: &str) -> PolicyConfig {
    let Some(mut file) = problems.parse(text) else {
        return PolicyConfig::default();
    };
    if let Some(version) = file
        .require("version", "write `version = 1`")
        .and_then(Value::number)
        && version.value != 1
    {
        problems.add(
            &version.at,
            format!("version {} is not known", version.shown()),
            "this program reads version 1",
            "write `version = 1`, or run a newer program",
        );
    }
    let default = file
        .take("default")
        .and_then(|v| v.one_of(&[("allow", Action::Allow), ("deny", Action::Block)]));
    if let Some(mut network) = file.take("network").and_then(Value::table) {
        for key in ["allowed_hosts", "internal_hosts", "own_remotes"] {
            // Read for their shape only: the matchers that use them come with a later version.
            let _ = network.take(key).and_then(Value::strings);
        }
        network.finish();
    }
    let masking = masking::read(problems, &mut file);
    let patterns = tables(&mut file, "patterns")
        .into_iter()
        .filter_map(pattern)
        .collect();
    let rules = tables(&mut file, "rules");
    let rule_ids = rules
        .iter()
        .filter_map(|t| t.peek("id"))
        .map(str::to_owned)
        .collect();
    let rules = rules.into_iter().filter_map(|t| rule(problems, t)).collect();
    let exceptions = tables(&mut file, "exceptions")
        .into_iter()
        .filter_map(|t| exception(problems, t))
        .collect();
    let budgets = budget::read(problems, &mut file);
    file.finish();
    PolicyConfig {
        default,
        masking,
        patterns,
        rules,
        rule_ids,
        exceptions,
        budgets,
    }
}

pub(super) fn tables<'p>(file: &mut Table<'p>, name: &'static str) -> Vec<Table<'p>> {
    file.take(name).map(Value::tables).unwrap_or_default()
}

fn pattern(mut table: Table<'_>) -> Option<PatternConfig> {
    let id = table
        .require("id", "give the pattern a name of its own")
        .and_then(Value::string);
    let regex = table
        .require("regex", "write the regular expression of the secret")
        .and_then(Value::string);
    table.finish();
    Some(PatternConfig {
        id: id?,
        regex: regex?,
    })
}

fn rule(problems: &Problems, mut table: Table<'_>) -> Option<RuleConfig> {
    let at = table.at().clone();
    let id = table
        .require("id", "give the rule a name of its own")
        .and_then(Value::string);
    let groups = table.take("groups").and_then(|v| listed(problems, v));
    let not_groups = table.take("not_groups").and_then(|v| listed(problems, v));
    let models = table.take("models").and_then(|v| listed(problems, v));
    let callers = table.take("callers").and_then(|v| v.one_of(CALLERS));
    let on = table
        .require(
            "on",
            "write one of prompt, tool_result, output, tool_call, request",
        )
        .and_then(|v| v.one_of(STAGES));
    let matches = table
        .take("match")
        .and_then(Value::table)
        .map(|t| matches(problems, t))
        .unwrap_or_default();
    let action = table
        .require("action", "write one of allow, mask, require_approval, block")
        .and_then(|v| v.one_of(ACTIONS));
    let approvals = table
        .take("approvals")
        .and_then(Value::table)
        .and_then(|t| approvals(problems, t));
    let message = table.take("message").and_then(Value::string);
    let severity = table.take("severity").and_then(|v| v.one_of(SEVERITIES));
    let tags = table.take("tags").and_then(Value::strings).unwrap_or_default();
    let observe = table
        .take("observe")
        .and_then(Value::boolean)
        .is_some_and(|o| o.value);
    table.finish();
    Some(RuleConfig {
        at,
        id: id?,
        groups,
        not_groups,
        models,
        callers,
        on: on?,
        matches,
        action: action?,
        approvals,
        message,
        severity,
        tags: tags.into_iter().map(|t| t.value).collect(),
        observe,
    })
}

fn matches(problems: &Problems, mut table: Table<'_>) -> MatchConfig {
    let at = Some(table.at().clone());
    let regex = table.take("regex").and_then(|v| listed(problems, v));
    let words = table.take("words").and_then(|v| listed(problems, v));
    let secrets = table.take("secrets").and_then(|v| listed(problems, v));
    let size_over = table.take("size_over").and_then(Value::bytes);
    for (key, instead) in [("commands", "regex"), ("links", "regex"), ("encoded", "regex")] {
        if let Some(value) = table.take(key) {
            problems.add(
                &value.at,
                format!("`{key}` is not built in this version"),
                "a rule that is not checked would look like protection",
                format!("leave the rule out until a later version brings it, or describe it by `{instead}`"),
            );
        }
    }
    table.finish();
    MatchConfig {
        at,
        regex,
        words,
        secrets,
        size_over,
    }
}

fn approvals(problems: &Problems, mut table: Table<'_>) -> Option<ApprovalsConfig> {
    let at = table.at().clone();
    let any = table.require("any", "write `any = [ { \"reviewers\" = 1 } ]`");
    table.finish();
    let any = any?;
    if any.is_empty_list() {
        problems.add(
            &any.at,
            "the list of alternatives is empty",
            "nobody could ever approve",
            "name the groups that may approve, such as `{ \"reviewers\" = 1 }`",
        );
        return None;
    }
    let alternative = |mut t: Table<'_>| {
        let at = t.at().clone();
        let groups = t
            .take_all()
            .into_iter()
            .filter_map(|(name, value)| Some((name, value.number()?)));
        (at, groups.collect())
    };
    Some(ApprovalsConfig {
        at,
        any: any.tables().into_iter().map(alternative).collect(),
    })
}

fn exception(problems: &Problems, mut table: Table<'_>) -> Option<ExceptionConfig> {
    let at = table.at().clone();
    let groups = table
        .require("groups", "name the groups it is for")
        .and_then(|v| listed(problems, v));
    let kinds = table.take("kinds").and_then(|v| listed(problems, v));
    let rules = table.take("rules").and_then(|v| listed(problems, v));
    let reason = table
        .require("reason", "say why, for the auditors")
        .and_then(Value::string);
    let expires = table
        .require("expires", "write a date such as \"2027-03-31\"")
        .and_then(Value::string_or_date);
    table.report_blank(reason.as_ref());
    table.finish();
    Some(ExceptionConfig {
        at,
        groups: groups?,
        kinds,
        rules,
        expires: expires?,
    })
}

/// A list of strings that is not empty and holds no blank text: such a list could never match.
pub(super) fn listed(problems: &Problems, value: Value<'_>) -> Option<Listed> {
    let at = value.at.clone();
    if value.is_empty_list() {
        problems.add(
            &at,
            "the list is empty",
            "it can never match anyone or anything",
            "name something, or leave the key out",
        );
        return None;
    }
    let items = value.string_or_list()?;
    for item in items.iter().filter(|i| i.value.trim().is_empty()) {
        problems.add(
            &item.at,
            "the text is empty",
            "it can never match anything",
            "write something, or take it out",
        );
    }
    Some(Listed {
        at,
        items: items.into_iter().filter(|i| !i.value.trim().is_empty()).collect(),
    })
}
