//! `[[budgets]]`: how many requests, tokens and masks a person or a group may have within a time.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::Query;
use super::config::{self, Listed};
use super::kinds::Kinds;
use super::matcher::Glob;
use super::reader::{At, Located, Problems, Table, Value};
use super::rule::Who;
use super::rule_check::{DEFAULT_ID, check_id};
use crate::budget::{Budget, Charge};
use crate::identity::CallerKind;

/// The shortest and the longest window.
const SHORTEST: Duration = Duration::from_secs(60);
const LONGEST: Duration = Duration::from_secs(31 * 86_400);

/// One of `[[budgets]]`, as it is written.
#[derive(Debug)]
pub(super) struct BudgetConfig {
    at: At,
    id: Located<String>,
    pub(super) groups: Option<Listed>,
    pub(super) not_groups: Option<Listed>,
    models: Option<Listed>,
    callers: Option<Located<CallerKind>>,
    per: Located<Per>,
    window: Located<Duration>,
    requests: Option<Located<u64>>,
    tokens: Option<Located<u64>>,
    masks: Option<Located<u64>>,
    message: Option<Located<String>>,
    observe: bool,
}

/// Who shares a count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Per {
    Person,
    /// All members of a group together.
    Group,
}

pub(super) const PER: &[(&str, Per)] = &[("person", Per::Person), ("group", Per::Group)];

/// A compiled budget.
#[derive(Debug)]
pub(super) struct BudgetRule {
    who: Who,
    per: Per,
    budget: Budget,
}

impl BudgetRule {
    /// What this caller's request takes from.
    pub(super) fn charges(&self, query: &Query<'_>, person: &str) -> Vec<Charge> {
        if self.who.excludes(query).is_some() {
            return Vec::new();
        }
        match (self.per, &self.who.groups) {
            (Per::Group, Some(groups)) => groups
                .intersection(query.groups)
                .map(|group| self.budget.charge(format!("group:{group}")))
                .collect(),
            _ => vec![self.budget.charge(format!("person:{person}"))],
        }
    }
}

/// Reads `[[budgets]]`.
pub(super) fn read(problems: &Problems, file: &mut Table<'_>) -> Vec<BudgetConfig> {
    let tables = config::tables(file, "budgets").into_iter();
    tables.filter_map(|table| budget(problems, table)).collect()
}

fn budget(problems: &Problems, mut table: Table<'_>) -> Option<BudgetConfig> {
    let at = table.at().clone();
    let id = table
        .require("id", "give the budget a name of its own")
        .and_then(Value::string);
    let groups = table.take("groups").and_then(|v| config::listed(problems, v));
    let not_groups = table.take("not_groups").and_then(|v| config::listed(problems, v));
    let models = table.take("models").and_then(|v| config::listed(problems, v));
    let callers = table.take("callers").and_then(|v| v.one_of(config::CALLERS));
    let per = table
        .require("per", "write `per = \"person\"` or `per = \"group\"`")
        .and_then(|v| v.one_of(PER));
    let window = table
        .require("window", "write a time span such as \"1h\"")
        .and_then(Value::duration);
    let mut limit = |name| table.take(name).and_then(Value::number);
    let (requests, tokens, masks) = (limit("requests"), limit("tokens"), limit("masks"));
    let message = table.take("message").and_then(Value::string);
    table.report_blank(message.as_ref());
    let observe = table
        .take("observe")
        .and_then(Value::boolean)
        .is_some_and(|o| o.value);
    table.finish();
    Some(BudgetConfig {
        at,
        id: id?,
        groups,
        not_groups,
        models,
        callers,
        per: per?,
        window: window?,
        requests,
        tokens,
        masks,
        message,
        observe,
    })
}

/// Compiles budgets. Problems are added; what is returned is used only when there are none.
pub(super) fn compile(
    problems: &Problems,
    kinds: &Kinds,
    rule_ids: &BTreeSet<String>,
    configs: &[BudgetConfig],
) -> Vec<BudgetRule> {
    let mut seen = BTreeSet::new();
    let compile = |config: &BudgetConfig| {
        let id = &config.id.value;
        check_id(problems, &config.id, "budget");
        let is_taken = rule_ids.contains(id) || kinds.named.contains(id) || kinds.exact.contains(id);
        if is_taken || id == DEFAULT_ID || !seen.insert(id.clone()) {
            problems.add(
                &config.id.at,
                format!("budget id {} is taken", config.id.shown()),
                "records could not tell them apart",
                "choose another name",
            );
        }
        check(problems, config);
        lower(config)
    };
    configs.iter().map(compile).collect()
}

fn check(problems: &Problems, config: &BudgetConfig) {
    let limits = [&config.requests, &config.tokens, &config.masks];
    if limits.iter().all(|limit| limit.is_none()) && !problems.has_below(&config.at) {
        problems.add(
            &config.at,
            "the budget limits nothing",
            "it names neither `requests` nor `tokens` nor `masks`",
            "write at least one of them",
        );
    }
    for limit in limits.into_iter().flatten().filter(|limit| limit.value == 0) {
        problems.add(
            &limit.at,
            "a budget of 0 lets nobody do anything",
            "it would be used up before the first request",
            "write a rule with `on = \"request\"` and `action = \"block\"`, or a larger number",
        );
    }
    let window = &config.window;
    if window.value < SHORTEST || window.value > LONGEST {
        problems.add(
            &window.at,
            "the window is too short or too long",
            "counts are kept in memory, in sixty steps",
            "write a time span from \"60s\" to \"31d\"",
        );
    }
    if config.per.value == Per::Group && config.groups.is_none() {
        problems.add(
            &config.per.at,
            "no group is named",
            "a budget per group is shared by the members of each of its `groups`",
            "name the groups, or write `per = \"person\"`",
        );
    }
    let names = |list: &Listed| {
        list.items
            .iter()
            .map(|i| i.value.clone())
            .collect::<BTreeSet<_>>()
    };
    if let (Some(groups), Some(not_groups)) = (&config.groups, &config.not_groups)
        && names(groups).is_subset(&names(not_groups))
    {
        problems.add(
            &not_groups.at,
            "every group of the budget is excepted",
            "it can never be used up",
            "take a group out of `not_groups`, or take the budget out",
        );
    }
}

fn lower(config: &BudgetConfig) -> BudgetRule {
    let set = |list: &Listed| list.items.iter().map(|i| i.value.clone()).collect();
    let globs = |list: &Listed| list.items.iter().map(|i| Glob::new(i.value.trim())).collect();
    let who = Who {
        groups: config.groups.as_ref().map(set),
        not_groups: config.not_groups.as_ref().map(set).unwrap_or_default(),
        models: config.models.as_ref().map(globs),
        kind: config.callers.as_ref().map(|c| c.value),
    };
    let value = |limit: &Option<Located<u64>>| limit.as_ref().map(|limit| limit.value);
    let mut budget = Budget::new(config.id.value.as_str(), config.window.value);
    budget.limits.requests = value(&config.requests);
    budget.limits.tokens = value(&config.tokens);
    budget.limits.masks = value(&config.masks);
    budget.observe = config.observe;
    if let Some(message) = &config.message {
        budget.message = Arc::from(message.value.as_str());
    }
    BudgetRule {
        who,
        per: config.per.value,
        budget,
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Policy, PolicyOptions};
    use super::*;
    use crate::clock::Timestamp;

    const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

    fn parse(budgets: &str) -> Result<Policy, String> {
        let text = format!("version = 1\n{budgets}");
        Policy::parse(&text, "p", &PolicyOptions::new(NOW)).map_err(|e| e.to_string())
    }

    #[test]
    fn whom_a_budget_is_for() {
        let policy = parse(
            r#"
[[budgets]]
id = "each"
not_groups = ["ops"]
per = "person"
window = "1h"
requests = 100
masks = 10

[[budgets]]
id = "teams"
groups = ["red", "blue", "green"]
models = ["gpt-*"]
callers = "person"
per = "group"
window = "1d"
tokens = 1000000
observe = true
message = "Your team has had enough."
"#,
        )
        .unwrap();
        let charged = |groups: &[&str], model: &str, kind| {
            let groups: BTreeSet<_> = groups.iter().map(|g| (*g).to_owned()).collect();
            let charges = policy.budgets(&Query::new(&groups, model, NOW).of(kind), "ann");
            let names = charges
                .iter()
                .map(|c| format!("{}/{}", c.account.budget, c.account.subject));
            names.collect::<Vec<_>>()
        };
        let person = CallerKind::Person;
        assert_eq!(
            charged(&["blue", "red"], "gpt-5", person),
            ["each/person:ann", "teams/group:blue", "teams/group:red"]
        );
        assert_eq!(charged(&["ops", "red"], "GPT-5", person), ["teams/group:red"]);
        assert_eq!(charged(&["ops", "red"], "claude", person), [""; 0]);
        assert_eq!(
            charged(&["red"], "gpt-5", CallerKind::Machine),
            ["each/person:ann"]
        );
        let groups = BTreeSet::from(["red".to_owned()]);
        let charges = policy.budgets(&Query::new(&groups, "gpt-5", NOW), "ann");
        assert_eq!(
            (charges[0].limits.requests, charges[0].limits.tokens),
            (Some(100), None)
        );
        assert!(charges[1].observe && &*charges[1].message == "Your team has had enough.");
        assert_eq!(charges[1].account.window, Duration::from_secs(86_400));
    }

    #[test]
    fn a_group_counts_as_those_that_it_lists() {
        let policy = parse(
            "[groups]\ncontractors = [\"red\"]\n[[budgets]]\nid = \"b\"\ngroups = [\"red\"]\nper = \"group\"\nwindow = \"1h\"\nrequests = 1\n",
        )
        .unwrap();
        let groups = BTreeSet::from(["contractors".to_owned()]);
        let charges = policy.budgets(&Query::new(&groups, "m", NOW), "ann");
        assert_eq!(charges.len(), 1);
        assert_eq!(&*charges[0].account.subject, "group:red");
        assert!(
            policy
                .budgets(&Query::new(&BTreeSet::new(), "m", NOW), "ann")
                .is_empty()
        );
    }

    #[test]
    fn budgets_that_say_nothing_are_refused() {
        let good = "[[budgets]]\nid = \"b\"\nper = \"person\"\nwindow = \"1h\"\nrequests = 1\n";
        assert!(parse(good).is_ok());
        for (change, problem) in [
            (("requests = 1", ""), "limits nothing"),
            (("requests = 1", "requests = 0"), "a budget of 0"),
            (("requests = 1", "requests = -1"), "not negative"),
            (("requests = 1", "request = 1"), "did you mean `requests`"),
            (("\"1h\"", "\"1s\""), "too short or too long"),
            (("\"1h\"", "\"90d\""), "too short or too long"),
            (("\"1h\"", "\"hourly\""), "not a time span"),
            (("per = \"person\"", "per = \"group\""), "no group is named"),
            (("per = \"person\"", ""), "`per` is missing"),
            (("\"b\"", "\"default\""), "is taken"),
            (("\"b\"", "\"github-pat\""), "is taken"),
            (("\"b\"", "\"a b\""), "not a plain name"),
            (("requests = 1", "requests = 1\nmessage = \" \""), "empty"),
            (
                (
                    "requests = 1",
                    "requests = 1\ngroups = [\"a\"]\nnot_groups = [\"a\"]",
                ),
                "is excepted",
            ),
        ] {
            let text = good.replace(change.0, change.1);
            let found = parse(&text).expect_err(&text);
            assert!(found.contains(problem), "{text}: {found}");
        }
        assert!(parse(&format!("{good}{good}")).unwrap_err().contains("is taken"));
    }
}
