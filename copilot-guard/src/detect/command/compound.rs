//! Compound commands and functions: what runs under conditions, over and over, or when it is called.

use brush_parser::ast::{self, CompoundCommand};

use super::flow::Flow;
use super::script::{Walker, parse};
use super::state::{MOST_NAMES, Value};
use super::words::{Note, Word};

/// A function of the script.
#[derive(Clone)]
pub(super) struct Function {
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

impl Walker<'_> {
    pub(super) fn define(&mut self, function: &ast::FunctionDefinition) {
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
                others: self
                    .functions
                    .remove(&name)
                    .map(Function::bodies)
                    .unwrap_or_default(),
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

    pub(super) fn compound(
        &mut self,
        compound: &CompoundCommand,
        redirects: Option<&ast::RedirectList>,
        stdin: &Flow,
    ) -> Flow {
        self.compound_redirects(redirects, stdin, Flow::default(), |walker, stdin| {
            walker.body(compound, stdin)
        })
    }

    pub(super) fn body(&mut self, compound: &CompoundCommand, stdin: &Flow) -> Flow {
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

    pub(super) fn test(&mut self, test: &ast::ExtendedTestExpr) {
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
}
