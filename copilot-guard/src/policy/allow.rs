//! What may be shown, for whom, and until when: `[[allow]]`, compiled.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Query;
use super::config::Listed;
use super::exception::end;
use super::kinds::Kinds;
use super::masking::AllowConfig;
use super::reader::{Located, Problems};
use crate::clock::Timestamp;
use crate::detect::{AllowEntry, AllowList, ScanOptions};

/// One entry.
#[derive(Debug)]
pub(super) struct Allow {
    /// Any of these; nothing means everyone.
    groups: Option<BTreeSet<String>>,
    ends: Option<Timestamp>,
    entry: Arc<AllowEntry>,
}

/// A shorter word stands in many a secret.
const SHORTEST_WORD: usize = 4;

/// Compiles one entry. What is returned is used only when there are no problems.
pub(super) fn compile(problems: &Problems, kinds: &Kinds, config: &AllowConfig) -> Allow {
    let of = |list: &Option<Listed>| list.as_ref().map(|l| l.items.clone()).unwrap_or_default();
    let chosen = match &config.kinds {
        Some(list) => kinds.resolve(problems, &list.items, || kinds.named.clone()),
        None => kinds.named.clone(),
    };
    let mut entry = AllowEntry::new(&kinds.set, |info| chosen.contains(&info.id));
    for value in of(&config.values) {
        entry = entry.with_value(&value.value);
    }
    for word in of(&config.words) {
        if word.value.trim().len() < SHORTEST_WORD {
            problems.add(
                &word.at,
                format!("the word {} is too short", word.shown()),
                "so short a text stands in many a secret",
                format!("use at least {SHORTEST_WORD} bytes, or `values` or `regex`"),
            );
        }
        entry = entry.with_word(word.value.trim());
    }
    for regex in of(&config.regex) {
        entry = with_regex(problems, entry, &regex);
    }
    let ends = config.expires.as_ref().and_then(|expires| end(problems, expires));
    let groups = config.groups.as_ref();
    Allow {
        groups: groups.map(|list| list.items.iter().map(|g| g.value.clone()).collect()),
        ends,
        entry: Arc::new(entry),
    }
}

fn with_regex(problems: &Problems, entry: AllowEntry, regex: &Located<String>) -> AllowEntry {
    match entry.clone().with_regex(&regex.value) {
        Ok(entry) => entry,
        Err(why) => {
            let mend =
                "write an expression of the whole text that may be shown; the syntax is that of Rust's regex";
            problems.add(&regex.at, "the expression cannot be used", why, mend);
            entry
        }
    }
}

impl Allow {
    /// Whether it is for this caller, now.
    pub(super) fn is_for(&self, query: &Query<'_>) -> bool {
        let groups = self.groups.as_ref();
        self.ends.is_none_or(|ends| query.now < ends)
            && groups.is_none_or(|wanted| !wanted.is_disjoint(query.groups))
    }
}

/// What a caller's texts are scanned with.
pub(super) fn for_caller(entries: &[Allow], query: &Query<'_>) -> ScanOptions {
    let entries: Vec<_> = entries
        .iter()
        .filter(|allow| allow.is_for(query))
        .map(|allow| allow.entry.clone())
        .collect();
    if entries.is_empty() {
        return ScanOptions::default();
    }
    ScanOptions::default().with_allow(Arc::new(AllowList::new(entries)))
}
