//! Rules beside which another one changes nothing: the same or more is asked already, of everybody and everything.

use std::collections::BTreeSet;

use super::Warnings;
use crate::decision::Action;
use crate::policy::config::{ApprovalsConfig, Key, Listed, MatchConfig, PolicyConfig, RuleConfig};
use crate::policy::groups::Groups;
use crate::policy::matcher::Glob;

/// More rules than this are not held against each other: it takes the square of them.
const MOST: usize = 1000;

pub(super) fn check(warnings: &mut Warnings<'_>, config: &PolicyConfig, groups: &Groups) {
    let rules: Vec<_> = config.rules.iter().take(MOST).collect();
    for (n, rule) in rules.iter().enumerate() {
        let over = rules.iter().enumerate().find(|(m, other)| {
            // Of two that are the same the first one counts.
            let is_later = *m > n;
            // Of two that ask for the same the first one's message is shown.
            let speaks = rule.message.is_some() && other.action.value == rule.action.value;
            *m != n && shadows(other, rule, groups) && !(is_later && (speaks || shadows(rule, other, groups)))
        });
        if let Some((_, over)) = over {
            warnings.add(
                &rule.at,
                format!("rule {} changes nothing", rule.id.shown()),
                format!(
                    "rule {} (line {}) asks for as much or more, wherever this one matches",
                    over.id.shown(),
                    over.at.line
                ),
                "take it out, narrow the other one, or write `observe = true` to only record it",
            );
        }
    }
}

/// Whether `rule` changes nothing where `over` is.
fn shadows(over: &RuleConfig, rule: &RuleConfig, groups: &Groups) -> bool {
    let is_strict = match (over.action.value, rule.action.value) {
        (Action::Block, _) | (Action::Allow, Action::Allow) => true,
        // What is held may go on; then the mask still counts, and so does the other vote.
        (Action::RequireApproval, Action::RequireApproval) => same_votes(over, rule),
        // A mask covers what its own conditions find.
        (Action::Mask, Action::Mask) => same_keys(&over.matches, &rule.matches),
        _ => false,
    };
    !over.observe
        && !rule.observe
        && is_strict
        && over.on.value == rule.on.value
        && covers_who(over, rule, groups)
        && covers_match(&over.matches, &rule.matches)
}

fn same_votes(a: &RuleConfig, b: &RuleConfig) -> bool {
    let votes = |approvals: &Option<ApprovalsConfig>| {
        let any = approvals.as_ref().map(|a| &a.any)?;
        let of = |groups: &std::collections::BTreeMap<String, crate::policy::reader::Located<u64>>| {
            groups
                .iter()
                .map(|(g, n)| (g.clone(), n.value))
                .collect::<Vec<_>>()
        };
        Some(any.iter().map(|(_, groups)| of(groups)).collect::<BTreeSet<_>>())
    };
    votes(&a.approvals) == votes(&b.approvals)
}

fn same_keys(a: &MatchConfig, b: &MatchConfig) -> bool {
    let keys = |m: &MatchConfig| m.keys().into_iter().map(|(key, _)| key).collect::<Vec<_>>();
    keys(a) == keys(b)
}

/// Whether everybody for whom `b` is has `a` too.
fn covers_who(a: &RuleConfig, b: &RuleConfig, groups: &Groups) -> bool {
    let set = |list: &Option<Listed>| -> Option<BTreeSet<String>> {
        let items = &list.as_ref()?.items;
        Some(items.iter().map(|item| item.value.clone()).collect())
    };
    let in_groups = match (set(&a.groups), set(&b.groups)) {
        (None, _) => true,
        (Some(wide), Some(narrow)) => narrow.iter().all(|group| groups.is_within(group, &wide)),
        (Some(_), None) => false,
    };
    // Whoever is in one of a's `not_groups` must be in one of b's.
    let excepted = set(&b.not_groups).unwrap_or_default();
    let not_excepted = set(&a.not_groups)
        .unwrap_or_default()
        .iter()
        .all(|group| groups.is_within(group, &excepted));
    let models = match (&a.models, &b.models) {
        (None, _) => true,
        (Some(wide), Some(narrow)) => covers_globs(wide, narrow),
        (Some(wide), None) => wide.items.iter().any(|item| item.value.trim() == "*"),
    };
    let callers = match (&a.callers, &b.callers) {
        (None, _) => true,
        (Some(wide), Some(narrow)) => wide.value == narrow.value,
        (Some(_), None) => false,
    };
    in_groups && not_excepted && models && callers
}

/// Whether whatever matches `b` matches `a`.
fn covers_match(a: &MatchConfig, b: &MatchConfig) -> bool {
    a.keys().into_iter().all(|(key, _)| covers_key(key, a, b)) && encoded_alike(a, b)
}

fn covers_key(key: Key, a: &MatchConfig, b: &MatchConfig) -> bool {
    let more = |a: Option<u64>, b: Option<u64>| matches!((a, b), (Some(a), Some(b)) if a <= b);
    match key {
        Key::SizeOver => more(
            a.size_over.as_ref().map(|v| v.value),
            b.size_over.as_ref().map(|v| v.value),
        ),
        Key::CodeOver => more(
            a.code_over.as_ref().map(|v| v.value),
            b.code_over.as_ref().map(|v| v.value),
        ),
        Key::Commands => {
            let (a, b) = (a.commands.as_ref(), b.commands.as_ref());
            matches!((a, b), (Some(a), Some(b)) if a.value <= b.value)
        }
        Key::Encoded | Key::Hidden | Key::Links => b.has(key),
        Key::Regex | Key::Words | Key::Secrets | Key::Intents | Key::Classes => {
            match (a.list(key), b.list(key)) {
                (Some(a), Some(b)) => {
                    let has = |wanted: &str| a.items.iter().any(|item| item.value == wanted);
                    let is_all = matches!(key, Key::Secrets | Key::Intents) && has("*");
                    is_all || b.items.iter().all(|item| has(&item.value))
                }
                // `encoded` alone means every kind.
                (Some(a), None) if key == Key::Secrets && b.has(Key::Encoded) => {
                    a.items.iter().any(|item| item.value == "*")
                }
                _ => false,
            }
        }
        Key::Tools | Key::Parameters | Key::Routes => {
            matches!((a.list(key), b.list(key)), (Some(a), Some(b)) if covers_globs(a, b))
        }
    }
}

/// A secret and its encoded form are two things.
fn encoded_alike(a: &MatchConfig, b: &MatchConfig) -> bool {
    !a.has(Key::Secrets) || a.has(Key::Encoded) == b.has(Key::Encoded)
}

/// Whether each pattern of `narrow` is within one of `wide`. A `*` in the narrow one is matched as a letter: a
/// pattern has none that could match it but its own `*`, which takes anything else as well.
fn covers_globs(wide: &Listed, narrow: &Listed) -> bool {
    let wide: Vec<_> = wide
        .items
        .iter()
        .map(|item| Glob::new(item.value.trim()))
        .collect();
    let within = |pattern: &str| wide.iter().any(|glob| glob.is_match(pattern));
    narrow.items.iter().all(|item| within(item.value.trim()))
}
