//! Simple commands of a script: their words and assignments, and what is called: an alias, a function, a program.

use brush_parser::ast::{self, CommandPrefixOrSuffixItem as Item};

use super::argv::{self, World};
use super::expand::{Mode, flow_of};
use super::flow::Flow;
use super::script::Walker;
use super::state::Value;
use super::words::{UNKNOWN, Word};
use super::{assign, programs};

impl Walker<'_> {
    /// Judges a simple command, once for each way to choose what its names hold. Gives what it prints.
    pub(super) fn simple(&mut self, command: &ast::SimpleCommand, stdin: &Flow) -> Flow {
        let around = self.state.choose();
        let mut printed = self.one_way(command, stdin);
        while self.state.advance() {
            if !self.turn(64) {
                break;
            }
            self.state.begin();
            printed = printed.either(self.one_way(command, stdin));
            self.state.end();
        }
        self.state.restore(around);
        printed
    }

    fn one_way(&mut self, command: &ast::SimpleCommand, stdin: &Flow) -> Flow {
        let outer = (
            std::mem::take(&mut self.tainted),
            std::mem::take(&mut self.is_substituted),
        );
        let prefix = command.prefix.iter().flat_map(|prefix| &prefix.0);
        let suffix = command.suffix.iter().flat_map(|suffix| &suffix.0);
        let mut argv = Vec::new();
        let mut redirects = Vec::new();
        let mut writes = Vec::new();
        // What stands before the command holds for it alone.
        let mut own = Vec::new();
        let mut arrays = Vec::new();
        for item in prefix {
            match item {
                Item::AssignmentWord(assignment, _) => {
                    let (name, value) = self.assignment(assignment);
                    if command.word_or_name.is_none() {
                        self.set_value(&name, value);
                    } else {
                        own.push((name, value));
                    }
                }
                Item::IoRedirect(redirect) => redirects.push(redirect),
                Item::Word(word) => argv.extend(self.words(&word.value)),
                Item::ProcessSubstitution(..) => {}
            }
        }
        if let Some(word) = &command.word_or_name {
            argv.extend(self.words(&word.value));
        }
        for item in suffix {
            match item {
                Item::Word(word) => argv.extend(self.words(&word.value)),
                Item::AssignmentWord(assignment, word) => {
                    if let ast::AssignmentValue::Array(_) = &assignment.value {
                        let (name, value) = self.assignment(assignment);
                        argv.push(Word::known(name.clone()));
                        arrays.push((name, value));
                    } else {
                        argv.push(self.word(&word.value, Mode::One));
                    }
                }
                Item::IoRedirect(redirect) => redirects.push(redirect),
                Item::ProcessSubstitution(ast::ProcessSubstitutionKind::Read, inner) => {
                    let flow = self.inner(inner, &Flow::default());
                    argv.push(self.pipe_name(flow));
                }
                Item::ProcessSubstitution(ast::ProcessSubstitutionKind::Write, inner) => {
                    writes.push(inner);
                    argv.push(self.pipe_name(Flow::default()));
                }
            }
        }
        let mut redirected = self.redirects(redirects.into_iter(), stdin.clone());
        redirected.commands.append(&mut writes);
        let mut printed = if argv.is_empty() {
            // `$(< file)`, `> file`, and assignments alone.
            redirected.stdin.clone()
        } else {
            self.with_own(own, &argv, &redirected.stdin)
        };
        for (name, value) in arrays {
            self.set_value(&name, value);
        }
        printed.add(self.tainted & (Flow::SECRET | Flow::DOWNLOAD));
        (self.tainted, self.is_substituted) = outer;
        self.deliver(redirected, printed)
    }

    /// A call with assignments before it, which may outlive it: in some shells those before `eval` and its like do.
    fn with_own(&mut self, own: Vec<(String, Value)>, argv: &[Word], stdin: &Flow) -> Flow {
        if own.is_empty() {
            return self.program_call(argv, stdin);
        }
        let before: Vec<_> = own
            .iter()
            .map(|(name, _)| (name.clone(), self.state.possible(name)))
            .collect();
        for (name, value) in &own {
            self.set_value(name, value.clone());
        }
        let printed = self.program_call(argv, stdin);
        let is_special = argv.first().is_some_and(|program| {
            matches!(
                program.text.as_str(),
                "eval" | "." | "source" | "export" | "readonly" | "set" | "command" | "exec" | ":"
            )
        });
        for (name, mut values) in before {
            if is_special {
                values.extend(self.state.possible(&name));
            }
            self.state.put_back(&name, values);
        }
        printed
    }

    /// What an assignment gives, judged.
    fn assignment(&mut self, assignment: &ast::Assignment) -> (String, Value) {
        let (ast::AssignmentName::VariableName(name) | ast::AssignmentName::ArrayElementName(name, _)) =
            &assignment.name;
        if let ast::AssignmentName::ArrayElementName(_, index) = &assignment.name {
            self.word(index, Mode::Quoted);
        }
        let before = std::mem::take(&mut self.tainted);
        let old = match &assignment.value {
            ast::AssignmentValue::Array(_) if !assignment.append => None,
            _ => self.value(name),
        };
        // A text that is set to an array is its first element.
        let is_array = old
            .as_ref()
            .and_then(|value| value.list.as_ref())
            .is_some_and(|list| list.len() > 1);
        let mut value = match &assignment.value {
            ast::AssignmentValue::Scalar(word) => {
                let word = self.word(&word.value, Mode::One);
                assign::judge(&self.cx, name, &word, &mut self.out);
                super::builtins::subscript(&self.cx, &word.text, &mut self.out);
                match &assignment.name {
                    ast::AssignmentName::VariableName(_) if is_array && !assignment.append => {
                        element(old, "0", &word, false)
                    }
                    ast::AssignmentName::VariableName(_) if !assignment.append => Value::one(flow_of(&word)),
                    ast::AssignmentName::VariableName(_) => appended(old, &word),
                    ast::AssignmentName::ArrayElementName(_, index) => {
                        element(old, index, &word, assignment.append)
                    }
                }
            }
            ast::AssignmentValue::Array(elements) => {
                let mut words = match old {
                    Some(Value {
                        list: Some(words), ..
                    }) => Some(words),
                    Some(Value { flow, .. }) => flow.text.map(|text| vec![Word::known(text)]),
                    None => Some(Vec::new()),
                };
                for (key, element) in elements {
                    if let Some(key) = key {
                        // By its key, an element may stand anywhere.
                        self.word(&key.value, Mode::Quoted);
                        words = None;
                    }
                    let more = self.words(&element.value);
                    if let Some(words) = &mut words {
                        words.extend(more);
                    }
                }
                words.map_or_else(Value::default, Value::many)
            }
        };
        value.flow.add(self.tainted);
        self.tainted |= before;
        (name.clone(), value)
    }

    /// A call of an alias, a function, a builtin that changes what is known, or a program.
    pub(super) fn program_call(&mut self, argv: &[Word], stdin: &Flow) -> Flow {
        let inner = without_command(argv);
        let Some((program, args)) = inner.split_first() else {
            return Flow::default();
        };
        let name = program.text.as_str();
        let mut called = None;
        if let Some(alias) = self.aliases.remove(name) {
            let script = args.iter().fold(alias.clone(), |script, arg| {
                format!("{script} {}", quote(&arg.text))
            });
            called = Some(self.piece(&script, stdin));
            self.aliases.insert(name.to_owned(), alias);
        } else if self.has_function(name) {
            called = Some(self.call(name, args, stdin));
        }
        // Under a condition, quoted or in another shell, the name is the program's again.
        if let Some(called) = called {
            if programs::is_dangerous(name) {
                self.run(argv, stdin);
            }
            return called;
        }
        super::builtins::judge(&self.cx, name, args, &mut self.out);
        match self.stateful(name, args, stdin) {
            Some(printed) => printed,
            None => self.run(argv, stdin),
        }
    }

    fn run(&mut self, argv: &[Word], stdin: &Flow) -> Flow {
        let folder = self.folder();
        let world = World {
            files: &self.files,
            folder: &folder,
            tainted: self.tainted,
            is_substituted: self.is_substituted,
            has_foreign_remote: self.has_foreign_remote,
        };
        let cx = super::words::Cx {
            folder: &folder,
            ..self.cx
        };
        let outcome = argv::run(&cx, &world, stdin, argv);
        self.out.merge(outcome.judgement);
        self.has_foreign_remote |= outcome.has_foreign_remote;
        for (path, flow) in outcome.files {
            self.keep(&path, flow);
        }
        outcome.out
    }

    /// A script of the same shell.
    pub(super) fn piece(&mut self, text: &str, stdin: &Flow) -> Flow {
        self.substituted(text, stdin)
    }
}

/// `name+=word`.
fn appended(old: Option<Value>, word: &Word) -> Value {
    match old {
        None => Value::one(flow_of(word)),
        Some(Value { flow, list: None, .. }) => match flow.text {
            Some(text) if !word.dynamic && text.len() + word.text.len() <= super::bound::LONGEST => {
                Value::one(Flow::known(text + &word.text))
            }
            _ => Value::one(Flow::of(flow.bits())),
        },
        // It is the first element that grows.
        Some(Value {
            list: Some(mut list), ..
        }) => {
            if let Some(first) = list.first_mut() {
                first.text.push_str(&word.text);
                first.dynamic |= word.dynamic;
            }
            Value::many(list)
        }
    }
}

/// `name[index]=word`.
fn element(old: Option<Value>, index: &str, word: &Word, is_append: bool) -> Value {
    let mut list = match old {
        None => Vec::new(),
        Some(Value { list: Some(list), .. }) => list,
        Some(Value { flow, .. }) => match flow.text {
            Some(text) => vec![Word::known(text)],
            None => return Value::default(),
        },
    };
    let Some(index) = number(index) else {
        return Value::default();
    };
    let length = list.len();
    match list.get_mut(index) {
        Some(_) if is_append => return Value::default(),
        Some(place) => *place = word.clone(),
        None if index == length => list.push(word.clone()),
        None => return Value::default(),
    }
    Value::many(list)
}

/// A plain number, as the shell counts: one that begins with a zero is octal.
pub(super) fn number(text: &str) -> Option<usize> {
    let is_plain = text.bytes().all(|b| b.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    text.parse().ok().filter(|_| is_plain)
}

/// A command without `command` and `builtin` in front, which only pass functions by.
fn without_command(argv: &[Word]) -> &[Word] {
    let mut inner = argv;
    while let Some((program, rest)) = inner.split_first()
        && matches!(program.text.as_str(), "command" | "builtin")
    {
        let skipped = rest
            .iter()
            .take_while(|arg| matches!(arg.text.as_str(), "-p" | "--"))
            .count();
        let next = rest.get(skipped..).unwrap_or_default();
        if next
            .first()
            .is_none_or(|word| word.text.starts_with('-') || word.text.contains(UNKNOWN))
        {
            break;
        }
        inner = next;
    }
    inner
}

/// A word in single quotes.
pub(super) fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}
