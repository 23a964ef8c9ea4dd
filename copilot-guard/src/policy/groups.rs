//! Groups that count as others too: `[groups]`, compiled.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use super::config::Listed;
use super::reader::{Located, Problems};

/// For each group the groups whose rules are for its members as well, over all steps.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Groups(BTreeMap<String, BTreeSet<String>>);

/// Compiles `[groups]`. A group that is part of itself, over however many steps, is a problem.
pub(super) fn compile(problems: &Problems, config: &[(Located<String>, Listed)]) -> Groups {
    let direct: BTreeMap<&str, Vec<&str>> = config
        .iter()
        .map(|(name, list)| {
            let items = list.items.iter().map(|item| item.value.as_str());
            (name.value.as_str(), items.collect())
        })
        .collect();
    let mut closed = BTreeMap::new();
    let mut reported = BTreeSet::new();
    for (name, list) in config {
        let reached = reach(&direct, &name.value);
        if reached.contains(&name.value) && !reported.contains(&name.value) {
            problems.add(
                &list.at,
                format!("group {} counts as itself", name.shown()),
                "the groups that it lists lead back to it",
                "take it, or one of the groups between, out of the list",
            );
            reported.extend(reached.iter().cloned());
        }
        closed.insert(name.value.clone(), reached);
    }
    Groups(closed)
}

fn reach(direct: &BTreeMap<&str, Vec<&str>>, name: &str) -> BTreeSet<String> {
    let mut reached = BTreeSet::new();
    let mut next = vec![name];
    while let Some(name) = next.pop() {
        for listed in direct.get(name).into_iter().flatten() {
            if reached.insert((*listed).to_owned()) {
                next.push(listed);
            }
        }
    }
    reached
}

impl Groups {
    /// The groups that somebody in `groups` is in.
    pub(super) fn of<'g>(&self, groups: &'g BTreeSet<String>) -> Cow<'g, BTreeSet<String>> {
        if self.0.is_empty() || !groups.iter().any(|group| self.0.contains_key(group)) {
            return Cow::Borrowed(groups);
        }
        let more = groups.iter().filter_map(|group| self.0.get(group)).flatten();
        Cow::Owned(groups.iter().chain(more).cloned().collect())
    }

    /// Whether everybody in `group` is in one of `others`.
    pub(super) fn is_within(&self, group: &str, others: &BTreeSet<String>) -> bool {
        others.contains(group) || self.0.get(group).is_some_and(|more| !more.is_disjoint(others))
    }
}
