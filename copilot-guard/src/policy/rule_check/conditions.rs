//! Compiles the conditions of a rule.

use std::collections::BTreeSet;

use crate::decision::Stage;
use crate::detect::{Class, intent};
use crate::policy::config::{Listed, RuleConfig};
use crate::policy::kinds::Kinds;
use crate::policy::matcher::{Glob, TextRegex};
use crate::policy::problem::nearest;
use crate::policy::reader::{Located, Problems};
use crate::policy::rule::{Commands, Matcher, Secrets};

/// What a rule looks for. Problems are added; what is returned is used only when there are none.
pub(super) fn compile(problems: &Problems, kinds: &Kinds, config: &RuleConfig) -> Matcher {
    let matches = &config.matches;
    let is_output = config.on.value == Stage::Output;
    let texts = |list: &Option<Listed>, new: fn(&str) -> Result<TextRegex, String>| {
        let items = list.iter().filter(|_| !is_output).flat_map(|l| &l.items);
        items
            .filter_map(|item| compile_text(problems, item, new))
            .collect::<Vec<_>>()
    };
    Matcher {
        size_over: matches.size_over.as_ref().map(|s| s.value),
        code_over: matches.code_over.as_ref().map(|s| s.value),
        tools: globs(&matches.tools),
        commands: commands(problems, config),
        routes: globs(&matches.routes),
        parameters: globs(&matches.parameters),
        regexes: texts(&matches.regex, TextRegex::new),
        words: texts(&matches.words, TextRegex::word),
        hidden: matches.hidden.is_some(),
        intents: matches.intents.as_ref().map(|list| intents(problems, list)),
        links: matches.links.is_some(),
        secrets: secrets(problems, kinds, config),
        streams: kinds.streams.get(&config.id.value).cloned().unwrap_or_default(),
    }
}

fn globs(list: &Option<Listed>) -> Vec<Glob> {
    let items = list.iter().flat_map(|l| &l.items);
    items.map(|item| Glob::new(item.value.trim())).collect()
}

/// `secrets`, of which `encoded` takes the encoded form; `encoded` alone means every kind.
fn secrets(problems: &Problems, kinds: &Kinds, config: &RuleConfig) -> Option<Secrets> {
    let matches = &config.matches;
    let encoded = matches.encoded.is_some();
    let all = || kinds.named.union(&kinds.exact).cloned().collect();
    let chosen = match &matches.secrets {
        Some(list) => kinds.resolve(problems, &list.items, all),
        None if encoded => all(),
        None => return None,
    };
    Some(Secrets {
        mask: kinds.mask(&chosen),
        kinds: chosen,
        encoded,
    })
}

fn commands(problems: &Problems, config: &RuleConfig) -> Option<Commands> {
    let matches = &config.matches;
    let mut classes = BTreeSet::new();
    for item in matches.classes.iter().flat_map(|list| &list.items) {
        match Class::ALL.iter().find(|class| class.as_str() == item.value) {
            Some(class) => {
                classes.insert(*class);
            }
            None => unknown(problems, item, "class of commands", || {
                Class::ALL.iter().map(|class| class.as_str())
            }),
        }
    }
    let danger = matches.commands.as_ref()?.value;
    Some(Commands { danger, classes })
}

fn intents(problems: &Problems, list: &Listed) -> BTreeSet<&'static str> {
    let mut ids = BTreeSet::new();
    for item in &list.items {
        if item.value == "*" {
            ids.extend(intent::ids());
        } else if let Some(id) = intent::ids().find(|id| *id == item.value) {
            ids.insert(id);
        } else {
            unknown(problems, item, "intent", intent::ids);
        }
    }
    ids
}

fn unknown<'k, I: Iterator<Item = &'k str>>(
    problems: &Problems,
    item: &Located<String>,
    what: &str,
    known: impl Fn() -> I,
) {
    let mend = match nearest(&item.value, known()) {
        Some(word) => format!("did you mean \"{word}\"?"),
        None => format!("use one of {}", known().collect::<Vec<_>>().join(", ")),
    };
    problems.add(
        &item.at,
        format!("unknown {what} {}", item.shown()),
        "it can never match anything",
        mend,
    );
}

fn compile_text(
    problems: &Problems,
    item: &Located<String>,
    new: fn(&str) -> Result<TextRegex, String>,
) -> Option<TextRegex> {
    match new(&item.value) {
        Ok(regex) if regex.matches_everything() => {
            let why = "it matches the empty text, and so every text";
            problems.add(
                &item.at,
                "the expression says nothing",
                why,
                "let it need at least one character",
            );
            None
        }
        Ok(regex) => Some(regex),
        Err(why) => {
            let mend = "mend or shorten it; the syntax is that of Rust's regex";
            problems.add(&item.at, "the expression does not compile", why, mend);
            None
        }
    }
}
