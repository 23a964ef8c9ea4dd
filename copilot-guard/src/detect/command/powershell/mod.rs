//! Judges PowerShell.
//!
//! 1. Bounds first (`normal`): what is too long or too deep is never allowed, and not parsed.
//! 2. Spellings that mean the same become one: typographic quotes and dashes, backticks, what is invisible.
//! 3. A command that is nothing but words is judged at once. Anything else is parsed, and every command of the tree is
//!    judged (`walk`): in pipelines, blocks, functions, substitutions, strings.
//! 4. Values are computed where they can be (`eval`): concatenation, `-f`, `-join`, `-replace`, `[char]`, Base64, variables
//!    that were assigned. What cannot be computed and runs as code is never allowed.
//! 5. Pairs are judged over the whole script (`script`): fetched and run, secret and sent.
//! 6. What the parser does not understand is never allowed; rules on its text say whether it is worse (`rough`).

mod calls;
mod cmdlets;
mod eval;
mod files;
mod names;
mod normal;
mod reach;
mod rough;
mod script;
mod table;
mod types;
mod value;
mod walk;

use self::script::Script;
use super::super::judgement::{Class, Danger, Finding, Judgement};
use super::super::network::HostClass;
use super::decode;
use super::windows::hosts;
use super::words::{Cx, Word};

/// How many scripts may stand within each other.
const MAX_DEPTH: u8 = 4;

/// One argument.
#[derive(Debug, Clone, Default)]
pub(super) struct Arg {
    text: String,
    /// A part of it is not known.
    dynamic: bool,
    /// It is no parameter, whatever it begins with.
    quoted: bool,
    /// It is a script block; what is in it is judged where it stands.
    block: bool,
}

impl Arg {
    fn word(&self) -> Word {
        Word {
            text: self.text.clone(),
            dynamic: self.dynamic,
        }
    }
}

/// Judges a script.
pub(super) fn judge(cx: &Cx<'_>, text: &str) -> Judgement {
    if cx.depth > MAX_DEPTH {
        return unclear("unclear/too-deep", "too many scripts within each other");
    }
    if !normal::is_bounded(text) {
        return unclear(
            "unclear/out-of-bounds",
            "too long or too deep to be understood, or with control characters",
        );
    }
    let source = normal::normalise(text);
    let is_comment = |line: &str| line.trim().is_empty() || line.trim_start().starts_with('#');
    if source.lines().all(is_comment) {
        return Judgement::default();
    }
    let mut script = Script::new(*cx);
    match normal::plain_words(&source) {
        Some(words) => {
            let mut args = words.into_iter().map(|(text, quoted)| Arg {
                text,
                quoted,
                ..Arg::default()
            });
            if let Some(command) = args.next() {
                script.command(&command.text, false, args.collect(), None);
            }
        }
        None => walk::script(&mut script, &source),
    }
    script.finish()
}

/// Judges a call of `powershell` or `pwsh` by its arguments.
pub(super) fn judge_call(cx: &Cx<'_>, args: &[Word]) -> Judgement {
    let inner = Cx {
        depth: cx.depth + 1,
        ..*cx
    };
    let mut judgement = Judgement::default();
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        let given = arg
            .text
            .trim_start_matches(['-', '/', '\u{2013}', '\u{2014}', '\u{2015}']);
        let is_switch = given.len() < arg.text.len() && !given.contains(['/', '\\']);
        if !is_switch {
            judgement.merge(command_text(&inner, std::iter::once(arg).chain(args.by_ref())));
            break;
        }
        let name = given.to_ascii_lowercase();
        let (name, inline) = match name.split_once(':') {
            Some((name, _)) => (
                name.to_owned(),
                given.split_once(':').map(|(_, v)| Word {
                    text: v.to_owned(),
                    dynamic: arg.dynamic,
                }),
            ),
            None => (name, None),
        };
        let is = |long: &str, least: usize| name.len() >= least && long.starts_with(name.as_str());
        if name.is_empty() {
            judgement.merge(unclear("unclear/piped-script", "reads its script from its input"));
        } else if is("encodedcommand", 1) || name == "ec" {
            judgement.merge(unclear("unclear/encoded-script", "an encoded script"));
            match inline.as_ref().or_else(|| args.next()) {
                Some(word) if !word.dynamic => judgement.merge(match decode::base64(&word.text) {
                    Some(bytes) => judge(&inner, decode::text(&bytes).trim_end_matches('\0')),
                    None => unclear("unclear/encoded-script", "an encoded script"),
                }),
                _ => judgement.merge(unclear("unclear/dynamic-script", "a script that cannot be told")),
            }
        } else if is("command", 1) || is("commandwithargs", 8) || name == "cwa" {
            judgement.merge(command_text(&inner, inline.iter().chain(args.by_ref())));
            break;
        } else if is("file", 1) {
            if let Some(word) = inline.as_ref().or_else(|| args.next()) {
                if hosts::of(cx, &word.text).is_some_and(hosts::is_foreign)
                    && (word.text.contains("://") || word.text.starts_with(r"\\"))
                {
                    judgement.add(Finding::new(
                        "remote-code/script-elsewhere",
                        Class::RemoteCode,
                        Danger::Block,
                        "runs a script from elsewhere",
                    ));
                } else if word.text == "-" || (word.dynamic && !word.text.contains(['/', '\\', '.'])) {
                    judgement.merge(unclear("unclear/dynamic-script", "a script that cannot be told"));
                }
            }
            break;
        } else if is("windowstyle", 1) {
            if inline
                .as_ref()
                .or_else(|| args.next())
                .is_some_and(|w| w.dynamic || w.text.to_ascii_lowercase().starts_with('h') || w.text == "1")
            {
                judgement.merge(unclear("unclear/hidden-window", "runs without a window"));
            }
        } else if TAKES_VALUE.iter().any(|(long, least)| is(long, *least)) || name == "ep" || name == "wd" {
            if inline.is_none() {
                args.next();
            }
        } else if !SWITCHES.iter().any(|(long, least)| is(long, *least)) {
            judgement.merge(unclear("unclear/unknown-switch", "a switch that is not known"));
        }
    }
    judgement
}

const TAKES_VALUE: &[(&str, usize)] = &[
    ("executionpolicy", 2),
    ("version", 1),
    ("inputformat", 1),
    ("outputformat", 1),
    ("configurationname", 2),
    ("psconsolefile", 1),
    ("workingdirectory", 2),
    ("custompipename", 2),
    ("settingsfile", 2),
    ("configurationfile", 14),
    ("if", 2),
    ("of", 1),
    ("o", 1),
];
const SWITCHES: &[(&str, usize)] = &[
    ("noprofile", 3),
    ("noninteractive", 4),
    ("nologo", 3),
    ("noexit", 3),
    ("sta", 1),
    ("mta", 1),
    ("interactive", 1),
    ("login", 1),
    ("help", 1),
    ("?", 1),
    ("noprofileloadtime", 10),
    ("sshservermode", 4),
];

fn command_text<'w>(inner: &Cx<'_>, words: impl Iterator<Item = &'w Word>) -> Judgement {
    let words: Vec<&Word> = words.collect();
    let text = words
        .iter()
        .map(|w| w.text.as_str())
        .collect::<Vec<_>>()
        .join(" ");
    if text == "-" {
        return unclear("unclear/piped-script", "reads its script from its input");
    }
    let mut judgement = judge(inner, &text);
    if words.iter().any(|w| w.dynamic) {
        judgement.merge(unclear("unclear/dynamic-script", "a script that cannot be told"));
    }
    judgement
}

/// The furthest host among arguments.
fn host(cx: &Cx<'_>, args: &[Arg]) -> Option<HostClass> {
    let mut found = None;
    for arg in args.iter().filter(|a| !a.block) {
        let class = if arg.text.contains("://") {
            hosts::within(cx, &arg.text).or(Some(HostClass::Foreign))
        } else {
            None
        };
        match class {
            Some(class) if hosts::is_foreign(class) => return Some(class),
            Some(class) => found = Some(class),
            None => {}
        }
    }
    found.or_else(|| {
        let first = args
            .iter()
            .find(|a| !a.block && (a.quoted || !a.text.starts_with('-')))?;
        hosts::of(cx, &first.text).or_else(|| first.dynamic.then_some(HostClass::Foreign))
    })
}

fn unclear(rule: &'static str, reason: &'static str) -> Judgement {
    let mut judgement = Judgement::default();
    judgement.add(Finding::new(rule, Class::Unclear, Danger::Approve, reason));
    judgement
}

#[cfg(test)]
mod tests;
#[cfg(test)]
pub(super) use self::tests::fits;
