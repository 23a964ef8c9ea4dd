//! Walks every command of a script, in every context, and follows what runs through its pipes, variables and files.
//!
//! 1. Whatever a command might do counts, whether or not its condition holds.
//! 2. A variable that is set twice under conditions is not known.
//! 3. What was written to a file in the script is known when the file is run, read or sent later.

use std::collections::HashMap;

use brush_parser::ast::{self, Command, CompoundCommand};
use brush_parser::{Parser, ParserOptions};

use super::super::judgement::Judgement;
use super::bound::{self, Excess, LONGEST};
use super::flow::Flow;
use super::words::{Cx, Note};

/// Deepest script within scripts.
const DEEPEST_SCRIPT: u8 = 4;
/// Deepest expansion or substitution within others.
const DEEPEST_WALK: u8 = 32;
/// Most text that one judgement expands and parses, in all.
const MOST_WORK: usize = 6 * LONGEST;
/// Most times that bodies of loops and functions are walked again.
const MOST_TURNS: u16 = 48;
/// Most variables, files and functions that are remembered of each.
pub(super) const MOST_NAMES: usize = 256;

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
    pub(super) variables: HashMap<String, Flow>,
    pub(super) files: HashMap<String, Flow>,
    pub(super) aliases: HashMap<String, String>,
    pub(super) functions: HashMap<String, ast::FunctionBody>,
    /// Bits of what the words of the present command hold.
    pub(super) tainted: u8,
    /// A word of the present command holds what a program prints.
    pub(super) is_substituted: bool,
    pub(super) spent: usize,
    /// The folder that the script went to.
    pub(super) folder: String,
    /// A remote that is not ours was added, or set.
    pub(super) has_foreign_remote: bool,
    conditions: u16,
    level: u8,
    turns: u16,
    /// The function whose body is walked.
    inside: Vec<String>,
}

impl<'a> Walker<'a> {
    fn new(cx: Cx<'a>) -> Self {
        Self {
            cx,
            out: Judgement::default(),
            variables: HashMap::new(),
            files: HashMap::new(),
            aliases: HashMap::new(),
            functions: HashMap::new(),
            tainted: 0,
            is_substituted: false,
            spent: 0,
            folder: String::new(),
            has_foreign_remote: false,
            conditions: 0,
            level: 0,
            turns: 0,
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
        self.conditions += 1;
        let (tainted, substituted) = (self.tainted, self.is_substituted);
        let printed = self.script(script, &Flow::default());
        (self.tainted, self.is_substituted) = (tainted, substituted);
        self.conditions -= 1;
        printed
    }

    /// A script of the same shell, such as that of `eval`, with what comes in.
    pub(super) fn substituted(&mut self, script: &str, stdin: &Flow) -> Flow {
        self.conditions += 1;
        let printed = self.script(script, stdin);
        self.conditions -= 1;
        printed
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

    fn program(&mut self, program: &ast::Program, stdin: &Flow) -> Flow {
        let mut printed = Flow::default();
        for list in &program.complete_commands {
            printed.join(self.list(list, stdin));
        }
        printed
    }

    fn list(&mut self, list: &ast::CompoundList, stdin: &Flow) -> Flow {
        let mut printed = Flow::default();
        for ast::CompoundListItem(and_or, _) in &list.0 {
            printed.join(self.pipeline(&and_or.first, stdin));
            for other in &and_or.additional {
                let (ast::AndOr::And(pipeline) | ast::AndOr::Or(pipeline)) = other;
                self.conditions += 1;
                printed.join(self.pipeline(pipeline, stdin));
                self.conditions -= 1;
            }
        }
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
        let mut flow = self.command(first, stdin);
        for command in commands {
            self.conditions += 1;
            flow = self.command(command, &flow);
            self.conditions -= 1;
        }
        flow
    }

    fn command(&mut self, command: &Command, stdin: &Flow) -> Flow {
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

    fn define(&mut self, function: &ast::FunctionDefinition) {
        let name = function.fname.value.clone();
        self.inside.push(name.clone());
        self.conditions += 1;
        self.compound(&function.body.0, function.body.1.as_ref(), &Flow::default());
        self.conditions -= 1;
        self.inside.pop();
        if self.functions.len() < MOST_NAMES {
            self.functions.insert(name, function.body.clone());
        }
    }

    /// Walks a function's body again, for what comes in or what it is called with.
    pub(super) fn call(&mut self, name: &str, stdin: &Flow) -> Flow {
        let known = self.functions.get(name).filter(|_| self.turns < MOST_TURNS);
        let Some(body) = known.cloned() else {
            return Flow::of(stdin.bits() | Flow::DATA);
        };
        self.turns += 1;
        if !self.enter(0) {
            return Flow::default();
        }
        let printed = self.compound(&body.0, body.1.as_ref(), stdin);
        self.leave();
        printed
    }

    fn compound(
        &mut self,
        compound: &CompoundCommand,
        redirects: Option<&ast::RedirectList>,
        stdin: &Flow,
    ) -> Flow {
        self.compound_redirects(redirects, stdin, Flow::default(), |walker, stdin| {
            walker.body(compound, stdin)
        })
    }

    fn body(&mut self, compound: &CompoundCommand, stdin: &Flow) -> Flow {
        match compound {
            CompoundCommand::BraceGroup(group) => self.list(&group.list, stdin),
            CompoundCommand::Subshell(group) => self.conditional(&[&group.list], stdin),
            CompoundCommand::Coprocess(coprocess) => self.command(&coprocess.body, stdin),
            CompoundCommand::Arithmetic(arithmetic) => {
                let text = &arithmetic.expr.value;
                self.word(text, super::expand::Mode::Quoted);
                // The parser takes `( ( command ) )` for arithmetic as well.
                if let Ok(program) = parse(text, self.cx.depth) {
                    if self.enter(text.len()) {
                        self.program(&program, stdin);
                        self.leave();
                    }
                } else if text.contains([';', '\n', '|']) {
                    self.out
                        .approve("unclear/not-parsed", "a script that cannot be parsed");
                }
                Flow::default()
            }
            CompoundCommand::ArithmeticForClause(clause) => {
                for part in [&clause.initializer, &clause.condition, &clause.updater]
                    .into_iter()
                    .flatten()
                {
                    self.word(&part.value, super::expand::Mode::Quoted);
                }
                self.conditional(&[&clause.body.list], stdin)
            }
            CompoundCommand::WhileClause(clause) | CompoundCommand::UntilClause(clause) => {
                self.conditional(&[&clause.0, &clause.1.list], stdin)
            }
            CompoundCommand::IfClause(clause) => {
                let mut lists = vec![&clause.condition, &clause.then];
                for other in clause.elses.iter().flatten() {
                    lists.extend(&other.condition);
                    lists.push(&other.body);
                }
                self.conditional(&lists, stdin)
            }
            CompoundCommand::CaseClause(clause) => {
                self.word(&clause.value.value, super::expand::Mode::One);
                for pattern in clause.cases.iter().flat_map(|case| &case.patterns) {
                    self.word(&pattern.value, super::expand::Mode::One);
                }
                let lists: Vec<_> = clause.cases.iter().filter_map(|case| case.cmd.as_ref()).collect();
                self.conditional(&lists, stdin)
            }
            CompoundCommand::ForClause(clause) => self.for_clause(clause, stdin),
        }
    }

    fn for_clause(&mut self, clause: &ast::ForClauseCommand, stdin: &Flow) -> Flow {
        let mut values = Vec::new();
        for word in clause.values.iter().flatten() {
            values.extend(self.words(&word.value));
        }
        let is_known = !values.is_empty() && values.len() <= 8 && values.iter().all(|v| !v.dynamic);
        self.turns += values.len().min(8) as u16;
        let mut printed = Flow::default();
        if is_known && self.turns < MOST_TURNS {
            for value in values {
                self.variables
                    .insert(clause.variable_name.clone(), Flow::known(value.text));
                printed.join(self.conditional(&[&clause.body.list], stdin));
            }
        } else {
            // The path of one file of the folder is as good as another, and a name of the words as good as unknown.
            let mut flow = Flow::of(self.tainted);
            if values.len() <= 16 && values.iter().all(|value| value.dynamic && !value.is_blank()) {
                flow.paths = values;
            }
            self.variables.insert(clause.variable_name.clone(), flow);
            printed = self.conditional(&[&clause.body.list], stdin);
        }
        self.variables
            .insert(clause.variable_name.clone(), Flow::default());
        printed
    }

    /// Lists that may run or not.
    fn conditional(&mut self, lists: &[&ast::CompoundList], stdin: &Flow) -> Flow {
        self.conditions += 1;
        let mut printed = Flow::default();
        for list in lists {
            printed.join(self.list(list, stdin));
        }
        self.conditions -= 1;
        printed
    }

    fn test(&mut self, test: &ast::ExtendedTestExpr) {
        use ast::ExtendedTestExpr as Test;
        let mut left = vec![test];
        while let Some(test) = left.pop() {
            match test {
                Test::And(a, b) | Test::Or(a, b) => left.extend([&**a, &**b]),
                Test::Not(a) | Test::Parenthesized(a) => left.push(a),
                Test::UnaryTest(_, word) => self.operand(&word.value),
                Test::BinaryTest(_, a, b) => {
                    self.operand(&a.value);
                    self.operand(&b.value);
                }
            }
        }
    }

    /// A word of a test: names of variables and numbers have subscripts.
    fn operand(&mut self, raw: &str) {
        let word = self.word(raw, super::expand::Mode::One);
        super::builtins::subscript(&self.cx, &word.text, &mut self.out);
    }

    /// What a variable holds, as far as it is known.
    pub(super) fn variable(&self, name: &str) -> Option<Flow> {
        if let Some(flow) = self.variables.get(name) {
            return Some(flow.clone());
        }
        let known = match name {
            "HOME" => "~",
            "PWD" => ".",
            "SHELL" | "BASH" | "0" => "bash",
            "IFS" => " \t\n",
            "TMPDIR" => "/tmp",
            // Empty outside of functions and scripts with arguments.
            "@" | "*" | "1" | "2" | "3" | "4" | "5" | "6" | "7" | "8" | "9" if self.inside.is_empty() => {
                return Some(Flow::default());
            }
            _ => return None,
        };
        Some(Flow::known(known.to_owned()))
    }

    /// Sets a variable. One that is set again under a condition is not known any more.
    pub(super) fn set(&mut self, name: &str, value: Flow) {
        let known = self.variables.get(name);
        let is_other = known.is_some_and(|known| known.text != value.text);
        let value = if is_other && self.conditions > 0 {
            Flow::of(value.bits() | known.map_or(0, Flow::bits))
        } else {
            value
        };
        if known.is_some() || self.variables.len() < MOST_NAMES {
            self.variables.insert(name.to_owned(), value);
        } else {
            self.out
                .approve("unclear/too-long", "a script with very many variables");
        }
    }

    /// Remembers what was written to a file.
    pub(super) fn write(&mut self, path: &str, flow: Flow) {
        if self.files.len() < MOST_NAMES || self.files.contains_key(path) {
            self.files.entry(path.to_owned()).or_default().join(flow);
        } else {
            self.out
                .approve("unclear/too-long", "a script that writes very many files");
        }
    }
}

enum Unread {
    Excess(Excess),
    Broken,
}

fn parse(text: &str, depth: u8) -> Result<ast::Program, Unread> {
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
