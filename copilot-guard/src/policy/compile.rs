//! From the written policy to the compiled one.

use std::collections::{BTreeMap, BTreeSet};

use super::allow::{self, Allow};
use super::budget::{self, BudgetRule};
use super::config::{self, ExceptionConfig, Listed, PolicyConfig};
use super::kinds::Kinds;
use super::problem::{PolicyError, Problem, nearest};
use super::reader::{Located, Problems};
use super::rule::Rule;
use super::rule_check;
use super::{PolicyOptions, Query};
use crate::approval::Requirement;
use crate::clock::Timestamp;
use crate::decision::{Action, Stage};

/// A compiled policy. Immutable.
#[derive(Debug)]
pub(super) struct Compiled {
    pub(super) version: String,
    /// Allow or block, for people whom no request rule allows.
    pub(super) default: Action,
    pub(super) kinds: Kinds,
    pub(super) rules: Vec<Rule>,
    pub(super) exceptions: Vec<Exception>,
    pub(super) allow: Vec<Allow>,
    pub(super) budgets: Vec<BudgetRule>,
    pub(super) reviewers: Requirement,
    /// Digests of the values that every answer is scrubbed of.
    pub(super) scrubbed: BTreeSet<String>,
    pub(super) warnings: Vec<Problem>,
}

/// What lowers a verdict, for whom, and until when.
#[derive(Debug)]
pub(super) struct Exception {
    pub(super) groups: BTreeSet<String>,
    pub(super) kinds: BTreeSet<String>,
    pub(super) rules: BTreeSet<String>,
    pub(super) ends: Timestamp,
}

impl Exception {
    /// Whether it is for this caller, now.
    pub(super) fn is_for(&self, query: &Query<'_>) -> bool {
        query.now < self.ends && !self.groups.is_disjoint(query.groups)
    }
}

/// The most alternatives a joined requirement lists before it falls back to one that is stricter than all.
const MAX_ALTERNATIVES: usize = 64;

pub(super) fn compile(text: &str, file: &str, options: &PolicyOptions) -> Result<Compiled, PolicyError> {
    let problems = Problems::new(file, text);
    let config = config::read(&problems, text);
    let compiled = lower(&problems, text, config, options);
    problems.finish()?;
    compiled.ok_or_else(|| {
        let why = "it did not compile, and gave no reason";
        PolicyError::new(vec![Problem::of_file(
            file,
            "the policy is not usable",
            why,
            "report this as a bug",
        )])
    })
}

fn lower(problems: &Problems, text: &str, config: PolicyConfig, options: &PolicyOptions) -> Option<Compiled> {
    let kinds = Kinds::collect(problems, &config, options)?;
    let mut seen = BTreeSet::new();
    for rule in config.rules.iter().filter(|r| !seen.insert(&r.id.value)) {
        let what = format!("rule id {} is given twice", rule.id.shown());
        problems.add(
            &rule.id.at,
            what,
            "exceptions and records could not tell them apart",
            "choose another name",
        );
    }
    let compile_rule = |rule| {
        rule_check::check_reviewers(problems, rule, options);
        rule_check::compile(problems, &kinds, options, rule)
    };
    let rules: Vec<_> = config.rules.iter().map(compile_rule).collect();
    let mut warnings = Vec::new();
    let lower_exception = |e| exception(problems, &kinds, &config.rule_ids, e, options.now, &mut warnings);
    let exceptions = config.exceptions.iter().filter_map(lower_exception).collect();
    let lower_allow = |a| allow::compile(problems, &kinds, a, options.now, &mut warnings);
    let allow = config.masking.allow.iter().map(lower_allow).collect();
    let budgets = budget::compile(problems, &kinds, &config.rule_ids, &config.budgets);
    let default = config.default.as_ref().map_or(Action::Allow, |d| d.value);
    warn_of_default(problems, &config, default, &mut warnings);
    let version = sha256_hex(text);
    let reviewers = rule_check::any_one(&options.reviewer_groups);
    Some(Compiled {
        version,
        default,
        kinds,
        rules,
        exceptions,
        allow,
        budgets,
        reviewers,
        scrubbed: options
            .exact
            .iter()
            .map(|(_, value)| sha256_hex(value.expose()))
            .collect(),
        warnings,
    })
}

fn warn_of_default(problems: &Problems, config: &PolicyConfig, default: Action, warnings: &mut Vec<Problem>) {
    let admits = |r: &&config::RuleConfig| {
        r.on.value == Stage::Request && r.action.value == Action::Allow && !r.observe
    };
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

fn exception(
    problems: &Problems,
    kinds: &Kinds,
    rule_ids: &BTreeSet<String>,
    config: &ExceptionConfig,
    now: Timestamp,
    warnings: &mut Vec<Problem>,
) -> Option<Exception> {
    if config.kinds.is_none() && config.rules.is_none() && !problems.has_below(&config.at) {
        problems.add(
            &config.at,
            "the exception excepts nothing",
            "it names neither `kinds` nor `rules`",
            "name secret kinds, or rules of this file",
        );
    }
    let items = |list: &Option<Listed>| list.as_ref().map(|l| l.items.clone()).unwrap_or_default();
    let excepted_kinds = kinds.resolve(problems, &items(&config.kinds), || kinds.named.clone());
    let mut rules = BTreeSet::new();
    for item in items(&config.rules) {
        if !rule_ids.contains(&item.value) {
            let mend = match nearest(&item.value, rule_ids.iter().map(String::as_str)) {
                Some(id) => format!("did you mean \"{id}\"?"),
                None => "name a rule of this file".to_owned(),
            };
            problems.add(
                &item.at,
                format!("unknown rule {}", item.shown()),
                "no rule has this id",
                mend,
            );
        }
        rules.insert(item.value);
    }
    let ends = end(problems, &config.expires)?;
    if ends <= now {
        warnings.push(problems.problem(
            &config.expires.at,
            format!("the exception ended on {}", config.expires.shown()),
            "it lowers nothing any more",
            "take it out, or give it a new date",
        ));
    }
    let groups = config.groups.items.iter().map(|g| g.value.clone()).collect();
    Some(Exception {
        groups,
        kinds: excepted_kinds,
        rules,
        ends,
    })
}

/// When an exception ends: a date counts to the end of that day, UTC.
pub(super) fn end(problems: &Problems, expires: &Located<String>) -> Option<Timestamp> {
    let text = expires.value.trim();
    let day = text
        .parse::<jiff::civil::Date>()
        .ok()
        .filter(|_| text.len() == 10);
    if let Some(end) = day
        .and_then(|d| d.tomorrow().ok())
        .and_then(|d| format!("{d}T00:00:00Z").parse().ok())
    {
        return Some(end);
    }
    if let Ok(time) = text.parse() {
        return Some(time);
    }
    problems.add(
        &expires.at,
        format!("{} is not a date", expires.shown()),
        "it must say when it ends",
        "write a date such as \"2027-03-31\", or a time such as \"2027-03-31T12:00:00Z\"",
    );
    None
}

pub(super) fn sha256_hex(text: &str) -> String {
    use sha2::Digest as _;
    sha2::Sha256::digest(text)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

// === impl Compiled ===

impl Compiled {
    /// Whose votes are needed when these rules ask for approval: every rule's requirement must hold.
    /// An id that asks for nothing of its own, or is unknown, needs the default reviewers.
    pub(super) fn requirement(&self, ids: &[String]) -> Requirement {
        let of = |id: &String| {
            let rule = self.rules.iter().find(|r| r.id == *id);
            rule.and_then(|r| r.requirement.as_ref())
                .unwrap_or(&self.reviewers)
        };
        let ids: BTreeSet<_> = ids.iter().collect();
        let mut each = ids.into_iter().map(of);
        let Some(first) = each.next() else {
            return self.reviewers.clone();
        };
        each.fold(first.clone(), |joined, next| join(&joined, next))
    }
}

/// Both must hold: each alternative of one with each of the other, the larger of two counts.
/// Alternatives that ask for more than another one are left out.
fn join(a: &Requirement, b: &Requirement) -> Requirement {
    let mut any: Vec<BTreeMap<String, u32>> = Vec::new();
    for left in &a.any {
        for right in &b.any {
            let both = larger(left, right);
            if any.iter().any(|known| asks_no_more(known, &both)) {
                continue;
            }
            any.retain(|known| !asks_no_more(&both, known));
            any.push(both);
        }
    }
    if any.len() > MAX_ALTERNATIVES {
        let all = any.iter().fold(BTreeMap::new(), |all, one| larger(&all, one));
        any = vec![all];
    }
    Requirement { any }
}

fn larger(a: &BTreeMap<String, u32>, b: &BTreeMap<String, u32>) -> BTreeMap<String, u32> {
    let mut both = a.clone();
    for (group, count) in b {
        let known = both.entry(group.clone()).or_default();
        *known = (*known).max(*count);
    }
    both
}

fn asks_no_more(a: &BTreeMap<String, u32>, b: &BTreeMap<String, u32>) -> bool {
    a.iter()
        .all(|(group, count)| b.get(group).is_some_and(|other| count <= other))
}
