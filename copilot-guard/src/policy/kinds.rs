//! The secret kinds: built-in, the file's own, values to scrub; and the stream patterns of output rules.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use super::PolicyOptions;
use super::config::PolicyConfig;
use super::matcher::Range;
use super::problem::nearest;
use super::reader::{At, Located, Problems};
use super::rule_check::check_id;
use crate::decision::Stage;
use crate::detect::{LintError, RuleMask, RuleSet, ScanOptions, Tag};

/// The rule set and what its ids mean.
#[derive(Debug)]
pub(super) struct Kinds {
    pub(super) set: RuleSet,
    /// Kinds that a policy may name: built-in and the file's own.
    pub(super) named: BTreeSet<String>,
    /// Names of the values to scrub.
    pub(super) exact: BTreeSet<String>,
    /// Stream patterns by the id of their rule: id in the set, and the reason for hits.
    pub(super) streams: BTreeMap<String, Vec<(String, String)>>,
}

/// What a mark says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Name {
    pub(super) kind: String,
    pub(super) tag: Option<Tag>,
}

impl Name {
    /// Of this kind, without a tag.
    pub(super) fn new(kind: impl Into<String>) -> Self {
        Self {
            kind: kind.into(),
            tag: None,
        }
    }
}

/// The built-in kinds: compiling them takes a while, and they do not change.
static BUILTIN: LazyLock<Result<RuleSet, LintError>> = LazyLock::new(|| RuleSet::builder().builtin().build());

impl Kinds {
    /// Collects the kinds; every pattern that cannot run on a stream is a problem.
    pub(super) fn collect(
        problems: &Problems,
        config: &PolicyConfig,
        options: &PolicyOptions,
    ) -> Option<Self> {
        let builtin = match &*BUILTIN {
            Ok(set) => set
                .rules()
                .iter()
                .map(|rule| rule.id.clone())
                .collect::<BTreeSet<_>>(),
            Err(error) => {
                problems.add(
                    &nowhere(),
                    format!("the built-in rule `{}` does not compile", error.rule()),
                    error.problem(),
                    error.mend(),
                );
                return None;
            }
        };
        let mut wanted: Vec<(At, String, String)> = Vec::new();
        let mut named = builtin.clone();
        for pattern in &config.patterns {
            check_id(problems, &pattern.id, "pattern");
            if builtin.contains(&pattern.id.value) {
                let why = "a built-in secret kind has this name";
                problems.add(
                    &pattern.id.at,
                    format!("pattern id {} is taken", pattern.id.shown()),
                    why,
                    "choose another name",
                );
            } else if !named.insert(pattern.id.value.clone()) {
                let why = "another pattern has this id";
                problems.add(
                    &pattern.id.at,
                    format!("pattern id {} is given twice", pattern.id.shown()),
                    why,
                    "choose another name",
                );
            } else if lint(problems, &pattern.regex.at, &pattern.regex.value) {
                wanted.push((
                    pattern.regex.at.clone(),
                    pattern.id.value.clone(),
                    pattern.regex.value.clone(),
                ));
            }
        }
        let mut taken = named.clone();
        taken.extend(config.rule_ids.iter().cloned());
        let mut streams: BTreeMap<String, Vec<(String, String)>> = BTreeMap::new();
        for rule in config.rules.iter().filter(|r| r.on.value == Stage::Output) {
            let regexes = rule
                .matches
                .regex
                .iter()
                .flat_map(|l| numbered("regex", &l.items));
            let words = rule.matches.words.iter().flat_map(|l| numbered("word", &l.items));
            let patterns: Vec<_> = regexes.chain(words).collect();
            let is_only = patterns.len() == 1;
            for (reason, item) in patterns {
                let regex = if reason.starts_with("word") {
                    stream_word(&item.value)
                } else {
                    item.value.clone()
                };
                if !lint(problems, &item.at, &regex) {
                    continue;
                }
                let id = if is_only {
                    rule.id.value.clone()
                } else {
                    free_id(&mut taken, &rule.id.value)
                };
                streams
                    .entry(rule.id.value.clone())
                    .or_default()
                    .push((id.clone(), reason));
                wanted.push((item.at.clone(), id, regex));
            }
        }
        let set = build(problems, &wanted, options)?;
        let exact = options.exact.iter().map(|(id, _)| id.clone()).collect();
        Some(Self {
            set,
            named,
            exact,
            streams,
        })
    }

    /// A mask of these kinds. Values to scrub are in every mask.
    pub(super) fn mask(&self, kinds: &BTreeSet<String>) -> RuleMask {
        self.set.select(|info| kinds.contains(&info.id))
    }

    /// Every secret that `mask` finds, with its name. Of overlapping ones the whole, under one name.
    pub(super) fn scan(&self, mask: &RuleMask, options: &ScanOptions, text: &str) -> Vec<(Range, Name)> {
        let found = self.set.scan_with(mask, options, text.as_bytes()).into_iter();
        found
            .map(|found| {
                let kind = self.set.info(found.rule).map_or("secret", |info| &info.id);
                let name = Name {
                    kind: kind.to_owned(),
                    tag: found.tag,
                };
                (offset(found.start)..offset(found.end), name)
            })
            .collect()
    }

    /// The severity of a kind.
    pub(super) fn severity(&self, kind: &str) -> Option<String> {
        let info = self.set.rules().iter().find(|info| info.id == kind)?;
        Some(info.severity.clone()).filter(|s| !s.is_empty())
    }

    /// The kinds that a list in the policy names; `*` is all.
    pub(super) fn resolve(
        &self,
        problems: &Problems,
        items: &[Located<String>],
        all: impl Fn() -> BTreeSet<String>,
    ) -> BTreeSet<String> {
        let mut kinds = BTreeSet::new();
        for item in items {
            if item.value == "*" {
                kinds.extend(all());
            } else if self.named.contains(&item.value) {
                kinds.insert(item.value.clone());
            } else {
                let mend = match nearest(&item.value, self.named.iter().map(String::as_str)) {
                    Some(kind) => format!("did you mean \"{kind}\"?"),
                    None => "use a built-in kind, the id of a pattern in this file, or \"*\"".to_owned(),
                };
                let what = format!("unknown secret kind {}", item.shown());
                problems.add(&item.at, what, "it can never match anything", mend);
            }
        }
        kinds
    }
}

fn numbered<'c>(
    what: &'static str,
    items: &'c [Located<String>],
) -> impl Iterator<Item = (String, &'c Located<String>)> {
    items
        .iter()
        .enumerate()
        .map(move |(n, item)| (format!("{what} {} of {}", n + 1, items.len()), item))
}

fn free_id(taken: &mut BTreeSet<String>, rule: &str) -> String {
    let mut n = 1;
    loop {
        let id = format!("{rule}.{n}");
        if taken.insert(id.clone()) {
            return id;
        }
        n += 1;
    }
}

/// A whole word or phrase as a stream pattern: up to three white characters between words, any case. Streams fold
/// ASCII only, so that both cases of other letters are written out; a word that begins or ends with such a letter
/// is also found within a longer word.
fn stream_word(word: &str) -> String {
    let parts: Vec<_> = word
        .split_whitespace()
        .map(|w| w.chars().map(either_case).collect::<String>())
        .collect();
    let is_word = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric() || c == '_');
    let open = if is_word(word.trim().chars().next()) {
        r"\b"
    } else {
        ""
    };
    let close = if is_word(word.trim().chars().next_back()) {
        r"\b"
    } else {
        ""
    };
    format!("(?i){open}{}{close}", parts.join(r"[ \t\r\n]{1,3}"))
}

fn either_case(c: char) -> String {
    let cases = BTreeSet::from([
        c.to_string(),
        c.to_lowercase().collect(),
        c.to_uppercase().collect(),
    ]);
    let cases: Vec<_> = cases.iter().map(|c| regex_syntax::escape(c)).collect();
    match cases.as_slice() {
        [only] => only.clone(),
        _ if c.is_ascii() => regex_syntax::escape(&c.to_string()),
        _ => format!("(?:{})", cases.join("|")),
    }
}

fn lint(problems: &Problems, at: &At, regex: &str) -> bool {
    match RuleSet::builder()
        .pattern("pattern", regex)
        .and_then(|b| b.build())
    {
        Ok(_) => true,
        Err(error) => {
            let why = format!("text is judged while it streams, and {}", error.problem());
            problems.add(at, "the expression cannot run on a stream", why, error.mend());
            false
        }
    }
}

fn build(problems: &Problems, wanted: &[(At, String, String)], options: &PolicyOptions) -> Option<RuleSet> {
    if let (Ok(set), true, true) = (&*BUILTIN, wanted.is_empty(), options.exact.is_empty()) {
        return Some(set.clone());
    }
    let start = Ok(RuleSet::builder().builtin());
    let built = wanted
        .iter()
        .fold(start, |b, (_, id, regex)| b.and_then(|b| b.pattern(id, regex)));
    let built = built.map(|b| options.exact.iter().fold(b, |b, (id, value)| b.exact(id, value)));
    match built.and_then(|b| b.build()) {
        Ok(set) => Some(set),
        Err(error) => {
            let at = wanted
                .iter()
                .find(|(_, id, _)| id == error.rule())
                .map_or_else(nowhere, |(at, ..)| at.clone());
            problems.add(
                &at,
                format!("rule `{}` does not compile", error.rule()),
                error.problem(),
                error.mend(),
            );
            None
        }
    }
}

fn nowhere() -> At {
    At {
        line: 1,
        key: String::new(),
    }
}

pub(super) fn offset(n: u64) -> usize {
    usize::try_from(n).unwrap_or(usize::MAX)
}
