//! Groups that nobody can be in, and reviewers whom nobody is.

use std::collections::BTreeSet;

use super::Warnings;
use crate::policy::PolicyOptions;
use crate::policy::config::{Listed, PolicyConfig};
use crate::policy::problem::{Problem, nearest};
use crate::policy::reader::{At, Located};

/// The groups that a policy names, and where. For checks against those that exist.
#[derive(Debug, Default)]
pub(in crate::policy) struct Named {
    file: String,
    /// Whoever stands here votes, instead of asking.
    reviewers: Vec<(String, At)>,
    callers: Vec<(String, At)>,
}

pub(super) fn check(warnings: &mut Warnings<'_>, config: &PolicyConfig, options: &PolicyOptions) {
    let named = Named::of("", config);
    let meant: BTreeSet<&str> = named
        .callers
        .iter()
        .filter(|(_, at)| !at.key.starts_with("groups."))
        .map(|(name, _)| name.as_str())
        .chain(config.groups.iter().map(|(name, _)| name.value.as_str()))
        .collect();
    for (_, list) in &config.groups {
        for item in list
            .items
            .iter()
            .filter(|item| !meant.contains(item.value.as_str()))
        {
            let mend = match nearest(&item.value, meant.iter().copied()) {
                Some(known) => format!("did you mean \"{known}\"?"),
                None => "name it in a rule, an exception or an allowed text, or take it out".to_owned(),
            };
            warnings.add(
                &item.at,
                format!("to count as {} changes nothing", item.shown()),
                "no rule, exception, budget or allowed text of this file is for that group",
                mend,
            );
        }
    }
    if options.reviewer_groups.is_empty() {
        return;
    }
    for rule in &config.rules {
        let Some(approvals) = &rule.approvals else {
            continue;
        };
        for (at, groups) in &approvals.any {
            let strangers: Vec<_> = groups
                .keys()
                .filter(|group| !options.reviewer_groups.contains(group))
                .collect();
            if let (Some(first), true) = (strangers.first(), strangers.len() == groups.len()) {
                warnings.add(
                    at,
                    format!("nobody of the reviewer groups can approve with group `{first}`"),
                    "the configuration's `reviewer_groups` do not name it: its members see this approval alone",
                    "add the group to `reviewer_groups`, or leave it so when it is meant",
                );
            }
        }
    }
}

impl Named {
    /// The groups that `config` names.
    pub(in crate::policy) fn of(file: &str, config: &PolicyConfig) -> Self {
        let mut named = Self {
            file: file.to_owned(),
            ..Self::default()
        };
        let mut add = |list: Option<&Listed>| {
            let items = list.into_iter().flat_map(|list| &list.items);
            let place = |item: &Located<String>| (item.value.clone(), item.at.clone());
            named.callers.extend(items.map(place));
        };
        for (_, list) in &config.groups {
            add(Some(list));
        }
        for rule in &config.rules {
            add(rule.groups.as_ref());
            add(rule.not_groups.as_ref());
        }
        for budget in &config.budgets {
            add(budget.groups.as_ref());
            add(budget.not_groups.as_ref());
        }
        for exception in &config.exceptions {
            add(Some(&exception.groups));
        }
        for allow in &config.masking.allow {
            add(allow.groups.as_ref());
        }
        let keys = config.groups.iter().map(|(name, _)| name);
        named
            .callers
            .extend(keys.map(|name| (name.value.clone(), name.at.clone())));
        for approvals in config.rules.iter().filter_map(|rule| rule.approvals.as_ref()) {
            for (at, groups) in &approvals.any {
                let each = groups.keys().map(|group| (group.clone(), at.clone()));
                named.reviewers.extend(each);
            }
        }
        named
    }

    /// All of them.
    pub(in crate::policy) fn names(&self) -> BTreeSet<String> {
        let all = self.callers.iter().chain(&self.reviewers);
        all.map(|(name, _)| name.clone()).collect()
    }

    /// Groups that are none of `known`, by name or through another group.
    pub(in crate::policy) fn unknown(
        &self,
        known: &BTreeSet<String>,
        through: &BTreeSet<String>,
    ) -> Vec<Problem> {
        let callers = self
            .callers
            .iter()
            .filter(|(name, _)| !known.contains(name) && !through.contains(name))
            .map(|(name, at)| (name, at, "nobody can be in the group"));
        let reviewers = self
            .reviewers
            .iter()
            .filter(|(name, _)| !known.contains(name))
            .map(|(name, at)| (name, at, "nobody can review as group"));
        let mut problems: Vec<_> = callers
            .chain(reviewers)
            .map(|(name, at, what)| Problem {
                file: self.file.clone(),
                line: at.line,
                key: at.key.clone(),
                what: format!("{what} `{name}`"),
                why: "it is none of the groups that people have".to_owned(),
                mend: match nearest(name, known.iter().map(String::as_str)) {
                    Some(near) => format!("did you mean \"{near}\"?"),
                    None => "name a group that the identity provider gives, or take it out".to_owned(),
                },
            })
            .collect();
        problems.sort_by_key(|problem| problem.line);
        problems
    }
}
