//! What lowers a verdict, for whom, why, and until when: `[[exceptions]]`, compiled.

use std::collections::BTreeSet;

use super::Query;
use super::config::{ExceptionConfig, Listed};
use super::kinds::Kinds;
use super::problem::nearest;
use super::reader::{Located, Problems};
use crate::clock::Timestamp;

/// One entry.
#[derive(Debug)]
pub(super) struct Exception {
    pub(super) groups: BTreeSet<String>,
    pub(super) kinds: BTreeSet<String>,
    pub(super) rules: BTreeSet<String>,
    pub(super) reason: String,
    pub(super) ends: Timestamp,
}

impl Exception {
    /// Whether it is for this caller, now.
    pub(super) fn is_for(&self, query: &Query<'_>) -> bool {
        query.now < self.ends && !self.groups.is_disjoint(query.groups)
    }

    /// What the record says of what it lifts.
    pub(super) fn note(&self) -> String {
        format!("lifted by an exception: {}", self.reason)
    }
}

/// Compiles one entry.
pub(super) fn compile(
    problems: &Problems,
    kinds: &Kinds,
    rule_ids: &BTreeSet<String>,
    config: &ExceptionConfig,
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
    Some(Exception {
        groups: config.groups.items.iter().map(|g| g.value.clone()).collect(),
        kinds: excepted_kinds,
        rules,
        reason: config.reason.value.trim().to_owned(),
        ends: end(problems, &config.expires)?,
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
