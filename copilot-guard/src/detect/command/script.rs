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
use super::flow::Flow;
use super::state::{MOST_NAMES, State, Value};
use super::words::{Cx, Note, Word};

/// Deepest script within scripts.
const DEEPEST_SCRIPT: u8 = 4;
/// Deepest expansion or substitution within others.
const DEEPEST_WALK: u8 = 32;
/// Most text that one judgement expands and parses, in all.
const MOST_WORK: usize = 6 * LONGEST;
/// Most times that bodies of loops and functions are walked again, and commands for another choice of values.
const MOST_TURNS: u16 = 256;
/// Stands for the folder among the names: no variable is called so.
const FOLDER: &str = "/folder";
/// They hold what the machine gives them, until a script sets them.
const MACHINE_NAMES: &[&str] = &["HOME", "PWD", "SHELL", "BASH", "TMPDIR"];
/// The shell sets them by itself.
const SHELL_NAMES: &[&str] = &[
    "_",
    "REPLY",
    "BASH_REMATCH",
    "MAPFILE",
    "OLDPWD",
    "OPTARG",
    "OPTIND",
    "RANDOM",
    "SRANDOM",
    "SECONDS",
    "LINENO",
    "PIPESTATUS",
    "FUNCNAME",
    "DIRSTACK",
    "COPROC",
    "PPID",
    "UID",
    "EUID",
    "GROUPS",
    "HOSTNAME",
    "BASHPID",
    "BASH_COMMAND",
    "BASH_SUBSHELL",
    "BASH_LINENO",
    "BASH_SOURCE",
    "BASH_ARGV",
    "BASH_ARGC",
    "BASH_ARGV0",
    "EPOCHSECONDS",
    "EPOCHREALTIME",
    "SHLVL",
    "BASHOPTS",
    "SHELLOPTS",
    "?",
    "!",
    "$",
    "#",
    "-",
];

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
    functions: HashMap<String, Function>,
    /// Bits of what the words of the present command hold.
    pub(super) tainted: u8,
    /// A word of the present command holds what a program prints.
    pub(super) is_substituted: bool,
    pub(super) spent: usize,
    /// Every folder that the script has been in.
    visited: Vec<String>,
    /// A remote that is not ours was added, or set.
    pub(super) has_foreign_remote: bool,
    level: u8,
    turns: u16,
    /// Loops around, of which nobody knows how often they run.
    loops: u16,
    /// The function whose body is walked.
    inside: Vec<String>,
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

    fn program(&mut self, program: &ast::Program, stdin: &Flow) -> Flow {
        let mut printed = Flow::default();
        for list in &program.complete_commands {
            printed.join(self.list(list, stdin));
        }
        printed
    }

    fn list(&mut self, list: &ast::CompoundList, stdin: &Flow) -> Flow {
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
        let parameters = self.state.possible("@");
        self.state.put_back("@", Vec::new());
        self.state.begin();
        self.compound(&function.body.0, function.body.1.as_ref(), &Flow::default());
        self.state.end();
        self.state.put_back("@", parameters);
        self.inside.pop();
        self.state.changes += 1;
        if self.functions.len() < MOST_NAMES || self.functions.contains_key(&name) {
            let function = Function {
                body: function.body.clone(),
                length: function.body.0.to_string().len(),
                // One that is only made under a condition, or made again, may not be the one that runs.
                others: self.functions.remove(&name).map(Function::bodies).unwrap_or_default(),
            };
            if function.others.len() > 4 {
                self.out
                    .approve("unclear/too-long", "a function that is made again and again");
                return;
            }
            self.functions.insert(name, function);
        } else {
            self.out
                .approve("unclear/too-long", "a script with very many functions");
        }
    }

    /// Whether a function of this name was made.
    pub(super) fn has_function(&self, name: &str) -> bool {
        self.functions.contains_key(name)
    }

    /// Walks a function's body again, for what comes in or what it is called with.
    pub(super) fn call(&mut self, name: &str, args: &[Word], stdin: &Flow) -> Flow {
        let unknown = Flow::of(stdin.bits() | Flow::DATA);
        let Some((length, bodies)) = self.functions.get(name).map(|f| (f.length, f.clone().bodies())) else {
            return unknown;
        };
        let parameters = self.state.possible("@");
        let mut printed: Option<Flow> = None;
        for body in bodies {
            if !self.turn(length) || !self.enter(0) {
                return unknown;
            }
            // Names that the function keeps to itself are forgotten behind it, and it may not come to its end.
            self.state.begin();
            self.state.set("@", Value::many(args.to_vec()));
            let more = self.compound(&body.0, body.1.as_ref(), stdin);
            printed = Some(match printed {
                Some(printed) => printed.either(more),
                None => more,
            });
            self.state.end();
            self.leave();
        }
        self.state.put_back("@", parameters);
        printed.unwrap_or(unknown)
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
            CompoundCommand::Subshell(group) => {
                self.state.begin();
                let printed = self.list(&group.list, stdin);
                self.state.end();
                printed
            }
            CompoundCommand::Coprocess(coprocess) => {
                self.state.begin();
                let printed = self.command(&coprocess.body, stdin);
                self.state.end();
                printed
            }
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
                self.looped(&[&clause.body.list], clause.to_string().len(), stdin)
            }
            CompoundCommand::WhileClause(clause) | CompoundCommand::UntilClause(clause) => {
                let length = clause.0.to_string().len() + clause.1.to_string().len();
                self.looped(&[&clause.0, &clause.1.list], length, stdin)
            }
            CompoundCommand::IfClause(clause) => {
                let mut lists = vec![&clause.condition, &clause.then];
                for other in clause.elses.iter().flatten() {
                    lists.extend(&other.condition);
                    lists.push(&other.body);
                }
                let has_else = clause
                    .elses
                    .iter()
                    .flatten()
                    .any(|other| other.condition.is_none());
                self.conditional(&lists, has_else, stdin)
            }
            CompoundCommand::CaseClause(clause) => {
                self.word(&clause.value.value, super::expand::Mode::One);
                for pattern in clause.cases.iter().flat_map(|case| &case.patterns) {
                    self.word(&pattern.value, super::expand::Mode::One);
                }
                let lists: Vec<_> = clause.cases.iter().filter_map(|case| case.cmd.as_ref()).collect();
                self.conditional(&lists, false, stdin)
            }
            CompoundCommand::ForClause(clause) => self.for_clause(clause, stdin),
        }
    }

    fn for_clause(&mut self, clause: &ast::ForClauseCommand, stdin: &Flow) -> Flow {
        let mut values = Vec::new();
        for word in clause.values.iter().flatten() {
            values.extend(self.words(&word.value));
        }
        if clause.values.is_none() {
            let parameters = self.state.possible("@");
            match parameters.as_slice() {
                [Value { list: Some(list), .. }] => values.clone_from(list),
                _ => values.push(Word {
                    text: super::words::UNKNOWN.to_string(),
                    dynamic: true,
                }),
            }
        }
        let name = &clause.variable_name;
        let length = clause.body.to_string().len();
        let is_exact = |word: &Word| !word.dynamic && !word.text.contains(['*', '?', '[']);
        let is_known = !values.is_empty() && values.len() <= 8 && values.iter().all(is_exact);
        let mut printed = Flow::default();
        self.state.begin();
        if is_known {
            for value in values {
                if !self.turn(length) {
                    break;
                }
                self.set(name, Flow::known(value.text));
                printed.join(self.list(&clause.body.list, stdin));
            }
        } else {
            // The path of one file of the folder is as good as another, and a name of the words as good as unknown.
            let mut flow = Flow::of(self.tainted);
            if values.len() <= 16 && values.iter().all(|value| value.dynamic && !value.is_blank()) {
                flow.paths = values;
            } else if values.len() <= 64 && values.iter().all(|value| !value.is_blank()) {
                flow.paths = values
                    .into_iter()
                    .map(|value| Word {
                        dynamic: true,
                        ..value
                    })
                    .collect();
            }
            self.set(name, flow);
            printed = self.looped(&[&clause.body.list], length, stdin);
        }
        self.state.end();
        self.set(name, Flow::default());
        printed
    }

    /// Lists of which some run. The first is the condition of the next.
    fn conditional(&mut self, lists: &[&ast::CompoundList], is_complete: bool, stdin: &Flow) -> Flow {
        let mut printed: Option<Flow> = (!is_complete).then(Flow::default);
        for list in lists {
            self.state.begin();
            let more = self.list(list, stdin);
            self.state.end();
            if more.is_empty() {
                continue;
            }
            printed = Some(match printed {
                Some(printed) => printed.either(more),
                None => more,
            });
        }
        printed.unwrap_or_default()
    }

    /// Lists that run any number of times. What one turn sets, the next one finds.
    fn looped(&mut self, lists: &[&ast::CompoundList], length: usize, stdin: &Flow) -> Flow {
        let mut printed = Flow::default();
        self.loops += 1;
        for turn in 0..3 {
            let before = self.state.changes;
            self.state.begin();
            for list in lists {
                printed.join(self.list(list, stdin));
            }
            self.state.end();
            if self.state.changes == before || turn == 2 || !self.turn(length) {
                break;
            }
        }
        self.loops -= 1;
        printed.repeated()
    }

    /// Whether this is within a loop.
    pub(super) const fn is_looping(&self) -> bool {
        self.loops > 0
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
    pub(super) fn variable(&mut self, name: &str) -> Option<Flow> {
        self.value(name).map(|value| value.flow)
    }

    /// What a variable, an array or a parameter holds, as far as it is known.
    pub(super) fn value(&mut self, name: &str) -> Option<Value> {
        if self.spent > 8 * LONGEST {
            // It has been blocked, and what would be copied for each further name is long.
            return Some(Value::default());
        }
        let value = self.known_value(name);
        let length = value
            .as_ref()
            .and_then(|value| value.flow.text.as_ref())
            .map_or(0, String::len);
        self.spent += length / 8;
        value
    }

    fn known_value(&mut self, name: &str) -> Option<Value> {
        if let Some(at) = name.parse::<usize>().ok().filter(|at| *at > 0)
            && let Some(all) = self.state.value("@")
        {
            let value = match all.list {
                Some(list) => list
                    .get(at - 1)
                    .map_or_else(|| Flow::known(String::new()), super::expand::flow_of),
                None => Flow::of(all.flow.bits()),
            };
            return Some(Value::one(value));
        }
        if let Some(mut value) = self.state.value(if name == "*" { "@" } else { name }) {
            if SHELL_NAMES.contains(&name) {
                value.flow.text = None;
                value.list = None;
            }
            return Some(value);
        }
        let is_rebound = self.cx.is_rebound && MACHINE_NAMES.contains(&name);
        let known = match name {
            _ if is_rebound => return None,
            "HOME" => "~",
            "PWD" => ".",
            "SHELL" | "BASH" | "0" => "bash",
            "IFS" => " \t\n",
            "TMPDIR" => "/tmp",
            // Empty outside of functions and scripts with arguments.
            "@" | "*" | "1" | "2" | "3" | "4" | "5" | "6" | "7" | "8" | "9" if self.inside.is_empty() => {
                return Some(Value::default());
            }
            _ => return None,
        };
        Some(Value::one(Flow::known(known.to_owned())))
    }

    /// Sets a variable.
    pub(super) fn set(&mut self, name: &str, value: Flow) {
        self.set_value(name, Value::one(value));
    }

    /// Sets a variable or array.
    pub(super) fn set_value(&mut self, name: &str, value: Value) {
        self.cx.is_rebound |= MACHINE_NAMES.contains(&name);
        if !self.state.set(name, value) {
            self.out
                .approve("unclear/too-long", "a script with very many variables");
        }
    }

    /// A variable holds what nobody knows, with these bits.
    pub(super) fn forget(&mut self, name: &str, bits: u8) {
        self.set(name, Flow::of(bits));
    }

    /// The folder that a command runs in.
    pub(super) fn folder(&mut self) -> String {
        let known = self.state.value(FOLDER);
        match known {
            None => self.cx.folder.to_owned(),
            Some(value) => match value.flow.text {
                Some(text) => text,
                None => super::words::UNKNOWN.to_string(),
            },
        }
    }

    /// The folders that may be the current one, where none is chosen.
    pub(super) fn folders(&mut self) -> Vec<String> {
        let chosen = self.folder();
        if !chosen.contains(super::words::UNKNOWN) {
            return vec![chosen];
        }
        let possible = self.state.possible(FOLDER);
        let mut folders: Vec<String> = possible.into_iter().filter_map(|value| value.flow.text).collect();
        folders.push(chosen);
        folders
    }

    /// The script goes to a folder: one that it names, or one where it has been.
    pub(super) fn go(&mut self, folder: Option<String>) {
        let known = |text: String| Value::one(Flow::known(text));
        match folder {
            Some(folder) => {
                if !self.visited.contains(&folder) && self.visited.len() < 8 {
                    self.visited.push(folder.clone());
                }
                // Where a script begins is a folder like another.
                if self.state.possible(FOLDER).is_empty() {
                    self.state.put_back(FOLDER, vec![known(self.cx.folder.to_owned())]);
                }
                self.state.set(FOLDER, known(folder));
            }
            None => {
                let visited = self.visited.iter().rev().cloned().map(known).collect();
                self.state.set_any(FOLDER, visited);
            }
        }
    }

    /// Remembers what was written to a file.
    pub(super) fn write(&mut self, path: &str, flow: Flow) {
        if self.files.len() < MOST_NAMES || self.files.contains_key(path) {
            self.state.changes += 1;
            self.files.entry(path.to_owned()).or_default().join(flow);
        } else {
            self.out
                .approve("unclear/too-long", "a script that writes very many files");
        }
    }
}

/// A function of the script.
#[derive(Clone)]
struct Function {
    body: ast::FunctionBody,
    length: usize,
    others: Vec<ast::FunctionBody>,
}

impl Function {
    /// Every body that may run under its name.
    fn bodies(self) -> Vec<ast::FunctionBody> {
        let mut bodies = self.others;
        bodies.push(self.body);
        bodies
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
