//! `[[rules]]` as they are written.

use std::collections::BTreeMap;

use super::matches::{self, MatchConfig};
use super::{Listed, listed};
use crate::decision::{Action, Stage};
use crate::identity::CallerKind;
use crate::policy::reader::{At, Located, Problems, Table, Value};

/// One of `[[rules]]`.
#[derive(Debug)]
pub(in crate::policy) struct RuleConfig {
    /// Where the rule begins.
    pub(in crate::policy) at: At,
    pub(in crate::policy) id: Located<String>,
    pub(in crate::policy) groups: Option<Listed>,
    pub(in crate::policy) not_groups: Option<Listed>,
    pub(in crate::policy) models: Option<Listed>,
    pub(in crate::policy) callers: Option<Located<CallerKind>>,
    pub(in crate::policy) on: Located<Stage>,
    pub(in crate::policy) matches: MatchConfig,
    pub(in crate::policy) action: Located<Action>,
    pub(in crate::policy) approvals: Option<ApprovalsConfig>,
    pub(in crate::policy) message: Option<Located<String>>,
    pub(in crate::policy) severity: Option<Located<&'static str>>,
    pub(in crate::policy) tags: Vec<String>,
    pub(in crate::policy) observe: bool,
    /// Where that is said, else where the rule begins.
    pub(in crate::policy) observe_at: At,
    /// What it masks may be put back where the person reads it.
    pub(in crate::policy) reversible: Option<Located<bool>>,
}

/// `approvals = { any = [ … ] }`.
#[derive(Debug)]
pub(in crate::policy) struct ApprovalsConfig {
    pub(in crate::policy) at: At,
    pub(in crate::policy) any: Vec<(At, BTreeMap<String, Located<u64>>)>,
}

pub(in crate::policy) const CALLERS: &[(&str, CallerKind)] =
    &[("person", CallerKind::Person), ("machine", CallerKind::Machine)];

pub(in crate::policy) const STAGES: &[(&str, Stage)] = &[
    ("prompt", Stage::Prompt),
    ("tool_result", Stage::ToolResult),
    ("output", Stage::Output),
    ("tool_call", Stage::ToolCall),
    ("request", Stage::Request),
];

pub(in crate::policy) const ACTIONS: &[(&str, Action)] = &[
    ("allow", Action::Allow),
    ("mask", Action::Mask),
    ("require_approval", Action::RequireApproval),
    ("block", Action::Block),
];

pub(in crate::policy) const SEVERITIES: &[(&str, &str)] = &[
    ("info", "info"),
    ("informational", "informational"),
    ("low", "low"),
    ("medium", "medium"),
    ("high", "high"),
    ("critical", "critical"),
];

/// Reads one of `[[rules]]`.
pub(super) fn read(problems: &Problems, mut table: Table<'_>) -> Option<RuleConfig> {
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
        .map(|t| matches::read(problems, t))
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
    let observe = table.take("observe").and_then(Value::boolean);
    let reversible = table.take("reversible").and_then(Value::boolean);
    table.finish();
    Some(RuleConfig {
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
        observe_at: observe.as_ref().map_or(at.clone(), |o| o.at.clone()),
        observe: observe.is_some_and(|o| o.value),
        reversible,
        at,
    })
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
