//! The policy file as it is written: every value with its line. Knows the shape, not the meaning.

mod matches;
mod rule;

use std::collections::BTreeSet;

pub(super) use matches::{COMMANDS, Key, MatchConfig};
pub(super) use rule::{ACTIONS, ApprovalsConfig, CALLERS, RuleConfig, SEVERITIES, STAGES};

use super::budget::{self, BudgetConfig};
use super::masking::{self, MaskingConfig};
use super::reader::{At, Located, Problems, Table, Value};
use crate::decision::Action;

/// What a policy file says.
#[derive(Debug, Default)]
pub(in crate::policy) struct PolicyConfig {
    pub(in crate::policy) default: Option<Located<Action>>,
    pub(in crate::policy) network: NetworkConfig,
    /// Each of `[groups]`: its name, and the groups whose members its members are too.
    pub(in crate::policy) groups: Vec<(Located<String>, Listed)>,
    pub(in crate::policy) masking: MaskingConfig,
    pub(in crate::policy) patterns: Vec<PatternConfig>,
    pub(in crate::policy) rules: Vec<RuleConfig>,
    /// The ids of all rules, also of those that could not be read.
    pub(in crate::policy) rule_ids: BTreeSet<String>,
    pub(in crate::policy) exceptions: Vec<ExceptionConfig>,
    pub(in crate::policy) budgets: Vec<BudgetConfig>,
}

/// `[network]`.
#[derive(Debug, Default)]
pub(in crate::policy) struct NetworkConfig {
    pub(in crate::policy) allowed_hosts: Vec<Located<String>>,
    pub(in crate::policy) internal_hosts: Vec<Located<String>>,
    pub(in crate::policy) own_remotes: Vec<Located<String>>,
}

/// One of `[[patterns]]`.
#[derive(Debug)]
pub(in crate::policy) struct PatternConfig {
    pub(in crate::policy) id: Located<String>,
    pub(in crate::policy) regex: Located<String>,
}

/// A list and where it stands.
#[derive(Debug)]
pub(in crate::policy) struct Listed {
    pub(in crate::policy) at: At,
    pub(in crate::policy) items: Vec<Located<String>>,
}

/// One of `[[exceptions]]`.
#[derive(Debug)]
pub(in crate::policy) struct ExceptionConfig {
    pub(in crate::policy) at: At,
    pub(in crate::policy) groups: Listed,
    pub(in crate::policy) kinds: Option<Listed>,
    pub(in crate::policy) rules: Option<Listed>,
    pub(in crate::policy) reason: Located<String>,
    pub(in crate::policy) expires: Located<String>,
}

/// Reads a policy file. Problems of shape are added to `problems`; what is left is what could be read.
pub(in crate::policy) fn read(problems: &Problems, text: &str) -> PolicyConfig {
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
    let network = file
        .take("network")
        .and_then(Value::table)
        .map(network)
        .unwrap_or_default();
    let groups = file
        .take("groups")
        .and_then(Value::table)
        .map(|t| groups(problems, t))
        .unwrap_or_default();
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
    let rules = rules
        .into_iter()
        .filter_map(|t| rule::read(problems, t))
        .collect();
    let exceptions = tables(&mut file, "exceptions")
        .into_iter()
        .filter_map(|t| exception(problems, t))
        .collect();
    let budgets = budget::read(problems, &mut file);
    file.finish();
    PolicyConfig {
        default,
        network,
        groups,
        masking,
        patterns,
        rules,
        rule_ids,
        exceptions,
        budgets,
    }
}

pub(in crate::policy) fn tables<'p>(file: &mut Table<'p>, name: &'static str) -> Vec<Table<'p>> {
    file.take(name).map(Value::tables).unwrap_or_default()
}

fn network(mut table: Table<'_>) -> NetworkConfig {
    let mut list = |key| table.take(key).and_then(Value::strings).unwrap_or_default();
    let config = NetworkConfig {
        allowed_hosts: list("allowed_hosts"),
        internal_hosts: list("internal_hosts"),
        own_remotes: list("own_remotes"),
    };
    table.finish();
    config
}

fn groups(problems: &Problems, mut table: Table<'_>) -> Vec<(Located<String>, Listed)> {
    let names = table.take_all().into_iter();
    names
        .filter_map(|(name, value)| {
            let at = value.at.clone();
            let name = Located {
                value: name,
                at,
                from: None,
            };
            Some((name, listed(problems, value)?))
        })
        .collect()
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
        reason: reason?,
        expires: expires?,
    })
}

/// A list of strings that is not empty and holds no blank text: such a list could never match.
pub(in crate::policy) fn listed(problems: &Problems, value: Value<'_>) -> Option<Listed> {
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
