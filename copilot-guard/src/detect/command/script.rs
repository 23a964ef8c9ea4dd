//! Walks every command of a script, in every context, and follows what runs through its pipes, variables and files.
//!
//! 1. Whatever a command might do counts, whether or not its condition holds.
//! 2. What a name may hold is kept as long as it is possible (`state`), and each possibility is judged.
//! 3. What was written to a file in the script is known when the file is run, read or sent later.

use std::collections::HashMap;

use brush_parser::ast::{self, Command, CompoundCommand};
use brush_parser::{Parser, ParserOptions};

use super::super::judgement::Judgement;
use super::bound::{self, Excess, LONGEST};
use super::compound::Function;
use super::flow::Flow;
use super::state::{State, Value};
use super::words::{Cx, Note, Word};

/// Deepest script within scripts.
const DEEPEST_SCRIPT: u8 = 4;
/// Deepest expansion or substitution within others.
const DEEPEST_WALK: u8 = 32;
/// Most text that one judgement expands and parses, in all.
const MOST_WORK: usize = 6 * LONGEST;
/// Most times that bodies of loops and functions are walked again, and commands for another choice of values.
const MOST_TURNS: u16 = 256;

/// Judges a script, with what comes in on its standard input. Gives what it prints as well.
pub(super) fn judge(cx: &Cx<'_>, text: &str, stdin: &Flow) -> (Judgement, Flow) {
    let mut walker = Walker::new(*cx);
    if cx.depth > DEEPEST_SCRIPT {
        walker
            .out
            .block("unclear/too-deep", "scripts within scripts, too deep");
        return (walker.out, Flow::default());
    }
    let printed = walker.script(text, stdin);
    (walker.out, printed)
}

/// A script with arguments of its own, such as that of `bash -c`, one level deeper. The first is its name.
pub(super) fn called(cx: &Cx<'_>, text: &str, args: &[Word], stdin: &Flow) -> (Judgement, Flow) {
    let mut walker = Walker::new(Cx {
        depth: cx.depth.saturating_add(1),
        ..*cx
    });
    if walker.cx.depth > DEEPEST_SCRIPT {
        walker
            .out
            .block("unclear/too-deep", "scripts within scripts, too deep");
        return (walker.out, Flow::default());
    }
    if let Some((name, args)) = args.split_first() {
        walker.set("0", super::expand::flow_of(name));
        walker.state.set("@", Value::many(args.to_vec()));
    }
    let printed = walker.script(text, stdin);
    (walker.out, printed)
}

/// A script that stands in a command, one level deeper.
pub(super) fn nested(cx: &Cx<'_>, text: &str, stdin: &Flow) -> (Judgement, Flow) {
    let inner = Cx {
        depth: cx.depth.saturating_add(1),
        ..*cx
    };
    judge(&inner, text, stdin)
}

/// A text that the shell expands once more, as it does with subscripts.
pub(super) fn expanded(cx: &Cx<'_>, text: &str) -> Judgement {
    let mut walker = Walker::new(Cx {
        depth: cx.depth.saturating_add(1),
        ..*cx
    });
    if cx.depth > DEEPEST_SCRIPT {
        walker
            .out
            .block("unclear/too-deep", "scripts within scripts, too deep");
    } else {
        walker.word(text, super::expand::Mode::Quoted);
    }
    walker.out
}

/// What is known while a script is walked.
pub(super) struct Walker<'a> {
    pub(super) cx: Cx<'a>,
    pub(super) out: Judgement,
    pub(super) state: State,
    pub(super) files: HashMap<String, Flow>,
    pub(super) aliases: HashMap<String, String>,
    pub(super) functions: HashMap<String, Function>,
    /// Bits of what the words of the present command hold.
    pub(super) tainted: u8,
    /// A word of the present command holds what a program prints.
    pub(super) is_substituted: bool,
    pub(super) spent: usize,
    /// Every folder that the script has been in.
    pub(super) visited: Vec<String>,
    /// A remote that is not ours was added, or set.
    pub(super) has_foreign_remote: bool,
    level: u8,
    turns: u16,
    /// Loops around, of which nobody knows how often they run.
    pub(super) loops: u16,
    /// The function whose body is walked.
    pub(super) inside: Vec<String>,
}

impl<'a> Walker<'a> {
    fn new(cx: Cx<'a>) -> Self {
        Self {
            cx,
            out: Judgement::default(),
            state: State::default(),
            files: HashMap::new(),
            aliases: HashMap::new(),
            functions: HashMap::new(),
            tainted: 0,
            is_substituted: false,
            spent: 0,
            visited: vec![cx.folder.to_owned()],
            has_foreign_remote: false,
            level: 0,
            turns: 0,
            loops: 0,
            inside: Vec::new(),
        }
    }

    /// One level deeper, with so much to read; whether that is still allowed.
    pub(super) fn enter(&mut self, length: usize) -> bool {
        self.spent = self.spent.saturating_add(length);
        if self.level >= DEEPEST_WALK {
            self.out
                .block("unclear/too-deep", "substitutions that nest too deep");
            return false;
        }
        if self.spent > MOST_WORK {
            self.out
                .block("unclear/too-long", "a script that is too long, or grows too long");
            return false;
        }
        self.level += 1;
        true
    }

    pub(super) const fn leave(&mut self) {
        self.level -= 1;
    }

    /// One more walk of what was walked before, so long. Whether that is still allowed: if not, a person looks.
    pub(super) fn turn(&mut self, length: usize) -> bool {
        let spent = self.spent.saturating_add(length);
        if self.turns >= MOST_TURNS || spent > MOST_WORK {
            self.out
                .approve("unclear/too-long", "a script that runs parts of it very often");
            return false;
        }
        self.spent = spent;
        self.turns += 1;
        true
    }

    /// Parses and walks a script. Gives what it prints.
    fn script(&mut self, text: &str, stdin: &Flow) -> Flow {
        if !self.enter(text.len()) {
            return Flow::of(Flow::DATA);
        }
        let printed = match parse(text, self.cx.depth) {
            Ok(program) => self.program(&program, stdin),
            Err(Unread::Excess(Excess::Length)) => {
                self.out.block("unclear/too-long", "a script that is too long");
                Flow::default()
            }
            Err(Unread::Excess(Excess::Depth)) => {
                self.out.block("unclear/too-deep", "a script that nests too deep");
                Flow::default()
            }
            Err(Unread::Broken) => {
                self.out
                    .approve("unclear/not-parsed", "a script that cannot be parsed");
                Flow::of(Flow::DATA)
            }
        };
        self.leave();
        printed
    }

    /// A substitution: what it prints.
    pub(super) fn substitute(&mut self, script: &str) -> Flow {
        self.state.begin();
        let around = self.state.choose();
        self.state.restore(super::state::Choices::none());
        let (tainted, substituted) = (self.tainted, self.is_substituted);
        let printed = self.script(script, &Flow::default());
        (self.tainted, self.is_substituted) = (tainted, substituted);
        self.state.restore(around);
        self.state.end();
        printed
    }

    /// A script of the same shell, such as that of `eval`, with what comes in.
    pub(super) fn substituted(&mut self, script: &str, stdin: &Flow) -> Flow {
        self.script(script, stdin)
    }

    /// The list of a process substitution.
    pub(super) fn substituted_body(&mut self, body: &CompoundCommand, stdin: &Flow) -> Flow {
        if !self.enter(0) {
            return Flow::default();
        }
        let outer = (self.tainted, self.is_substituted);
        let printed = self.body(body, stdin);
        (self.tainted, self.is_substituted) = outer;
        self.leave();
        printed
    }

    pub(super) fn program(&mut self, program: &ast::Program, stdin: &Flow) -> Flow {
        let mut printed = Flow::default();
        for list in &program.complete_commands {
            printed.join(self.list(list, stdin));
        }
        printed
    }

    pub(super) fn list(&mut self, list: &ast::CompoundList, stdin: &Flow) -> Flow {
        let mut printed = Flow::default();
        for ast::CompoundListItem(and_or, separator) in &list.0 {
            let is_apart = matches!(separator, ast::SeparatorOperator::Async);
            if is_apart {
                self.state.begin();
            }
            printed.join(self.and_or(and_or, stdin));
            if is_apart {
                self.state.end();
            }
        }
        printed
    }

    /// What stands behind `&&` runs with what the commands before it set; what stands behind `||` may not.
    fn and_or(&mut self, and_or: &ast::AndOrList, stdin: &Flow) -> Flow {
        let mut printed = self.pipeline(&and_or.first, stdin);
        let mut open = 0;
        let mut was_or = false;
        for other in &and_or.additional {
            let (pipeline, is_or) = match other {
                ast::AndOr::And(pipeline) => (pipeline, false),
                ast::AndOr::Or(pipeline) => (pipeline, true),
            };
            if is_or || was_or {
                (0..open).for_each(|_| self.state.end());
                open = 0;
            }
            was_or = is_or;
            self.state.begin();
            open += 1;
            let more = self.pipeline(pipeline, stdin);
            // Of two that exclude each other, only one speaks.
            printed = if more.texts().next().is_none() {
                printed.join(more);
                printed
            } else if is_or && printed.texts().next().is_some() {
                printed.either(more)
            } else {
                let mut both = printed.clone();
                both.join(more);
                printed.either(both)
            };
        }
        (0..open).for_each(|_| self.state.end());
        printed
    }

    fn pipeline(&mut self, pipeline: &ast::Pipeline, stdin: &Flow) -> Flow {
        if let Some(inside) = self.inside.last() {
            let calls = pipeline
                .seq
                .iter()
                .filter(|command| program_of(command) == Some(inside));
            if pipeline.seq.len() > 1 && calls.count() > 1 {
                self.out.block(
                    "destructive/fork-bomb",
                    "a function that runs itself over and over",
                );
            }
        }
        let shell_to_network = pipeline.seq.windows(2).any(|pair| {
            let is = |at: usize, test: fn(&str) -> bool| {
                let program = pair.get(at).and_then(program_of);
                program.is_some_and(|program| {
                    test(&super::programs::canonical(
                        program.rsplit('/').next().unwrap_or_default(),
                    ))
                })
            };
            is(0, |name| super::programs::SHELLS.contains(&name))
                && is(1, |name| matches!(name, "nc" | "socat" | "telnet" | "websocat"))
        });
        if shell_to_network {
            self.out.block(
                "remote-code/reverse-shell",
                "a shell whose output goes to another machine",
            );
        }
        let mut commands = pipeline.seq.iter();
        let Some(first) = commands.next() else {
            return Flow::default();
        };
        // Each member of a pipe is a shell of its own.
        let is_apart = pipeline.seq.len() > 1;
        if is_apart {
            self.state.begin();
        }
        let mut flow = self.command(first, stdin);
        for command in commands {
            self.state.end();
            self.state.begin();
            flow = self.command(command, &flow);
        }
        if is_apart {
            self.state.end();
        }
        flow
    }

    pub(super) fn command(&mut self, command: &Command, stdin: &Flow) -> Flow {
        match command {
            Command::Simple(simple) => self.simple(simple, stdin),
            Command::Function(function) => {
                self.define(function);
                Flow::default()
            }
            Command::Compound(compound, redirects) => self.compound(compound, redirects.as_ref(), stdin),
            Command::ExtendedTest(test, redirects) => {
                self.test(&test.expr);
                self.compound_redirects(redirects.as_ref(), stdin, Flow::default(), |_, _| Flow::default())
            }
        }
    }
}

pub(super) enum Unread {
    Excess(Excess),
    Broken,
}

pub(super) fn parse(text: &str, depth: u8) -> Result<ast::Program, Unread> {
    bound::check(text, depth).map_err(Unread::Excess)?;
    let owned = text.to_owned();
    let parse = move || {
        Parser::new(owned.as_bytes(), &ParserOptions::default())
            .parse_program()
            .ok()
    };
    // On a thread of the pool this is a plain call.
    super::pool::run(parse).flatten().ok_or(Unread::Broken)
}

/// The word that stands where a simple command's program does.
fn program_of(command: &Command) -> Option<&String> {
    match command {
        Command::Simple(simple) => simple.word_or_name.as_ref().map(|word| &word.value),
        _ => None,
    }
}
