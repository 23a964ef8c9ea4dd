//! From the written policy to the compiled one.

use std::collections::{BTreeMap, BTreeSet};

use super::PolicyOptions;
use super::allow::{self, Allow};
use super::budget::{self, BudgetRule};
use super::config::{self, PolicyConfig};
use super::exception::{self, Exception};
use super::groups::{self, Groups};
use super::kinds::Kinds;
use super::lint;
use super::network;
use super::problem::{PolicyError, Problem};
use super::reader::Problems;
use super::rule::Rule;
use super::rule_check;
use crate::approval::Requirement;
use crate::decision::Action;
use crate::detect::command::CommandJudge;

/// A compiled policy. Immutable.
#[derive(Debug)]
pub(super) struct Compiled {
    pub(super) version: String,
    /// Allow or block, for people whom no request rule allows.
    pub(super) default: Action,
    pub(super) kinds: Kinds,
    /// Judges commands, with the policy's network.
    pub(super) commands: CommandJudge,
    pub(super) groups: Groups,
    pub(super) rules: Vec<Rule>,
    pub(super) exceptions: Vec<Exception>,
    pub(super) allow: Vec<Allow>,
    pub(super) budgets: Vec<BudgetRule>,
    pub(super) reviewers: Requirement,
    /// Digests of the values that every answer is scrubbed of.
    pub(super) scrubbed: BTreeSet<String>,
    pub(super) warnings: Vec<Problem>,
    /// The groups it names, for checks against those that exist.
    pub(super) named_groups: lint::Named,
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
    let commands = network::compile(problems, &config.network);
    let groups = groups::compile(problems, &config.groups);
    let compile_rule = |rule| {
        rule_check::check_reviewers(problems, rule, options);
        rule_check::compile(problems, &kinds, &groups, options, rule)
    };
    let rules: Vec<_> = config.rules.iter().map(compile_rule).collect();
    let lower_exception = |e| exception::compile(problems, &kinds, &config.rule_ids, e);
    let exceptions: Vec<_> = config.exceptions.iter().filter_map(lower_exception).collect();
    let lower_allow = |a| allow::compile(problems, &kinds, a);
    let allow: Vec<_> = config.masking.allow.iter().map(lower_allow).collect();
    let budgets = budget::compile(problems, &kinds, &config.rule_ids, &config.budgets);
    let default = config.default.as_ref().map_or(Action::Allow, |d| d.value);
    let warnings = lint::warnings(problems, &config, &groups, options);
    let version = sha256_hex(text);
    let reviewers = rule_check::any_one(&options.reviewer_groups);
    Some(Compiled {
        version,
        default,
        kinds,
        commands,
        groups,
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
        named_groups: lint::Named::of(problems.file(), &config),
    })
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
