//! One simple command: wrappers are peeled off to a fixed point, and what is left is judged.

use std::collections::HashMap;

use super::super::judgement::Judgement;
use super::flow::Flow;
use super::words::{Cx, Note, UNKNOWN, Word};
use super::wrappers::{Peel, peel};
use super::{hosts, interpreters, paths, programs, rules, script};

/// Most wrappers around one command.
const MOST_WRAPPERS: usize = 24;

/// What is known around a command.
pub(super) struct World<'a> {
    /// What was written to files.
    pub(super) files: &'a HashMap<String, Flow>,
    /// The folder that the script went to.
    pub(super) folder: &'a str,
    /// Bits of what its words hold.
    pub(super) tainted: u8,
    /// A word holds what a program prints.
    pub(super) is_substituted: bool,
    /// The script added a git remote that is not ours.
    pub(super) has_foreign_remote: bool,
}

impl World<'_> {
    /// What was written to this file, however its path is spelled.
    pub(super) fn file(&self, path: &str) -> Option<&Flow> {
        self.files.get(&paths::normal(self.folder, path))
    }
}

/// A command as its rules see it.
pub(super) struct Call<'a> {
    pub(super) cx: &'a Cx<'a>,
    pub(super) world: &'a World<'a>,
    /// The program: lower case, without its folder and version.
    pub(super) name: &'a str,
    /// The program as it was written.
    pub(super) program: &'a Word,
    pub(super) args: &'a [Word],
    pub(super) stdin: &'a Flow,
}

/// What comes of a command.
#[derive(Default)]
pub(super) struct Outcome {
    pub(super) judgement: Judgement,
    /// What it prints.
    pub(super) out: Flow,
    /// What it writes to files.
    pub(super) files: Vec<(String, Flow)>,
    pub(super) has_foreign_remote: bool,
}

impl Outcome {
    /// Adds a script that is run.
    pub(super) fn script(&mut self, call: &Call<'_>, text: &str) {
        let (judgement, out) = script::nested(call.cx, text, call.stdin);
        self.judgement.merge(judgement);
        self.out.join(out);
    }

    /// Adds a command that is run.
    pub(super) fn command(&mut self, call: &Call<'_>, argv: &[Word]) {
        let inner = Cx {
            depth: call.cx.depth.saturating_add(1),
            ..*call.cx
        };
        self.merge(run(&inner, call.world, call.stdin, argv));
    }

    fn merge(&mut self, other: Self) {
        self.judgement.merge(other.judgement);
        self.out.join(other.out);
        self.files.extend(other.files);
        self.has_foreign_remote |= other.has_foreign_remote;
    }
}

/// Peels wrappers and judges one simple command.
pub(super) fn judge_argv(cx: &Cx<'_>, argv: &[Word]) -> Judgement {
    let files = HashMap::new();
    let world = World {
        files: &files,
        folder: "",
        tainted: 0,
        is_substituted: false,
        has_foreign_remote: false,
    };
    run(cx, &world, &Flow::default(), argv).judgement
}

/// Peels wrappers and judges one simple command, with what is known around it.
pub(super) fn run(cx: &Cx<'_>, world: &World<'_>, stdin: &Flow, argv: &[Word]) -> Outcome {
    let mut outcome = Outcome::default();
    if cx.depth > 8 {
        outcome
            .judgement
            .block("unclear/too-deep", "commands within commands, too deep");
        return outcome;
    }
    let whole = argv;
    let mut argv = argv;
    for turn in 0..MOST_WRAPPERS {
        let Some((program, args)) = argv.split_first() else {
            return outcome;
        };
        let Some(name) = name_of(program, args, cx, &mut outcome.judgement) else {
            // It may be empty: then the next word is the program.
            argv = args;
            continue;
        };
        let call = Call {
            cx,
            world,
            name: &name,
            program,
            args,
            stdin,
        };
        interpreters::own_program(&call, &mut outcome);
        match peel(&call, &mut outcome) {
            // What is inside stands at the end.
            Peel::Inner(inner) => argv = argv.get(argv.len() - inner.len()..).unwrap_or_default(),
            Peel::Owned(words, bits) => {
                let inner = Cx {
                    depth: cx.depth + 1,
                    ..*cx
                };
                let world = World {
                    tainted: world.tainted | bits,
                    ..*world
                };
                outcome.merge(run(&inner, &world, stdin, &words));
                return outcome;
            }
            Peel::Done => return outcome,
            Peel::Not => {
                rules::judge(&call, &mut outcome);
                if !programs::is_known(&name) {
                    // Behind a wrapper, what was taken for the program may be an option's value.
                    let args = match turn {
                        0 => args,
                        _ => whole.get(1..).unwrap_or_default(),
                    };
                    unknown(&call, args, &mut outcome);
                }
                return outcome;
            }
        }
    }
    outcome
        .judgement
        .block("unclear/too-deep", "too many wrappers around one command");
    outcome
}

/// A program that nobody knows: commands among its arguments, as words and as scripts.
fn unknown(call: &Call<'_>, args: &[Word], out: &mut Outcome) {
    const MOST_SCRIPTS: usize = 16;
    let scripts: Vec<&str> = args
        .iter()
        .map(|arg| match arg.text.split_once('=') {
            Some((_, value)) if arg.text.starts_with('-') => value,
            _ => arg.text.as_str(),
        })
        .filter(|text| is_script(text))
        .collect();
    if scripts.len() > MOST_SCRIPTS {
        out.judgement
            .approve("unclear/arguments", "a program with very many commands");
    }
    for text in scripts.into_iter().take(MOST_SCRIPTS) {
        out.script(call, text);
    }
    if let Some(at) = args.iter().position(|arg| programs::is_dangerous(&arg.text)) {
        let tail = args.get(at..).unwrap_or_default();
        out.command(call, tail);
    }
    let is_code = args.windows(2).any(|pair| {
        matches!(pair, [flag, code]
            if matches!(flag.text.as_str(), "-e" | "-c" | "-E" | "--eval" | "--exec" | "--execute" | "--code")
                && code.text.contains(['(', ';', '`']))
    });
    if is_code {
        out.judgement
            .approve("unclear/language", "code of a language that is not known");
    }
}

/// Whether a text of several words has a dangerous program where a command may begin.
fn is_script(text: &str) -> bool {
    let begins = |part: &str| {
        let part = part.trim_start_matches(['(', '{', '!', ' ', '\t']);
        let first = part.split([' ', '\t']).next().unwrap_or_default();
        part.contains([' ', '\t']) && programs::is_dangerous(first)
    };
    text.contains(' ') && text.split([';', '|', '&', '\n', '(', '`']).any(begins)
}

/// The program's name as rules know it. `None` when it is not known at all.
fn name_of(program: &Word, args: &[Word], cx: &Cx<'_>, out: &mut Judgement) -> Option<String> {
    let text = &program.text;
    let base = text.rsplit('/').next().unwrap_or(text);
    if program.dynamic && (base.is_empty() || base.contains(UNKNOWN) || !text.contains('/')) {
        // Looked at once: with each word that may be empty, all that follow would be looked at again.
        let is_noted = out
            .findings
            .iter()
            .any(|finding| finding.rule == "unclear/dynamic-command");
        let args = if is_noted { &[] } else { args };
        out.approve(
            "unclear/dynamic-command",
            "a program that is only known when it runs",
        );
        let is_off_list = args.iter().any(|arg| hosts::is_foreign_url(cx, arg));
        let mut ignored = Judgement::default();
        let is_secret = args
            .iter()
            .any(|arg| paths::read(&mut ignored, "", arg) & Flow::SECRET != 0);
        if is_off_list || is_secret {
            out.block(
                "unclear/dynamic-command",
                "a program that is only known when it runs, with a host or secrets",
            );
        }
    }
    if !text.is_ascii() && base.chars().any(|c| !c.is_ascii() && c != UNKNOWN) {
        out.approve(
            "unclear/confusable-name",
            "a program whose name is not plain letters",
        );
    }
    let name = programs::canonical(base);
    if name.contains(['*', '?']) || (name.contains('[') && name.contains(']') && name.len() > 2) {
        out.approve("unclear/pattern-command", "a program that is named by a pattern");
        return Some(programs::matching(&name).unwrap_or(name));
    }
    (!name.is_empty()).then_some(name)
}
