//! Simple commands of a script: assignments, redirections, builtins that change what is known.

use brush_parser::ast::{
    self, CommandPrefixOrSuffixItem as Item, IoFileRedirectKind as Kind, IoFileRedirectTarget as To,
};

use super::argv::{self, World};
use super::expand::{Mode, flow_of};
use super::flow::Flow;
use super::script::{Walker, nested};
use super::words::{Note, Word};
use super::{assign, paths, programs};

/// What a command's redirections come to.
struct Redirected<'c> {
    stdin: Flow,
    /// Files that its output goes to.
    files: Vec<Word>,
    /// Commands that its output goes to.
    commands: Vec<&'c ast::SubshellCommand>,
    /// Its output goes to a file or command, not on.
    is_taken: bool,
}

impl Walker<'_> {
    /// Judges a simple command. Gives what it prints.
    pub(super) fn simple(&mut self, command: &ast::SimpleCommand, stdin: &Flow) -> Flow {
        let outer = (
            std::mem::take(&mut self.tainted),
            std::mem::take(&mut self.is_substituted),
        );
        let prefix = command.prefix.iter().flat_map(|prefix| &prefix.0);
        let suffix = command.suffix.iter().flat_map(|suffix| &suffix.0);
        let mut argv = Vec::new();
        let mut redirects = Vec::new();
        let mut writes = Vec::new();
        for item in prefix {
            match item {
                Item::AssignmentWord(assignment, _) => {
                    self.assign(assignment, command.word_or_name.is_none())
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
                    if let ast::AssignmentValue::Array(elements) = &assignment.value {
                        for (_, element) in elements {
                            self.words(&element.value);
                        }
                        argv.push(Word::known(assignment.name.to_string()));
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
            self.program_call(&argv, &redirected.stdin)
        };
        printed.add(self.tainted & (Flow::SECRET | Flow::DOWNLOAD));
        (self.tainted, self.is_substituted) = outer;
        self.deliver(redirected, printed)
    }

    /// A body with redirections around it.
    pub(super) fn compound_redirects(
        &mut self,
        redirects: Option<&ast::RedirectList>,
        stdin: &Flow,
        mut printed: Flow,
        body: impl FnOnce(&mut Self, &Flow) -> Flow,
    ) -> Flow {
        let redirected = self.redirects(redirects.iter().flat_map(|list| &list.0), stdin.clone());
        printed.join(body(self, &redirected.stdin));
        self.deliver(redirected, printed)
    }

    fn inner(&mut self, inner: &ast::SubshellCommand, stdin: &Flow) -> Flow {
        let body = ast::CompoundCommand::Subshell(inner.clone());
        self.substituted_body(&body, stdin)
    }

    /// A name for the pipe of a process substitution; what runs in it is remembered as a file's content.
    fn pipe_name(&mut self, flow: Flow) -> Word {
        let name = format!("/dev/fd/p{}", self.files.len());
        self.write(&name, flow);
        Word::known(name)
    }

    fn redirects<'c>(
        &mut self,
        list: impl Iterator<Item = &'c ast::IoRedirect>,
        stdin: Flow,
    ) -> Redirected<'c> {
        let mut redirected = Redirected {
            stdin,
            files: Vec::new(),
            commands: Vec::new(),
            is_taken: false,
        };
        for redirect in list {
            match redirect {
                ast::IoRedirect::File(fd, kind, target) => {
                    let is_stdout = fd.is_none_or(|fd| fd == 1);
                    match target {
                        To::Filename(word) | To::Duplicate(word) => {
                            let word = self.word(&word.value, Mode::One);
                            self.file_redirect(&mut redirected, kind, word, is_stdout);
                        }
                        To::ProcessSubstitution(ast::ProcessSubstitutionKind::Read, inner) => {
                            redirected.stdin = self.inner(inner, &Flow::default());
                        }
                        To::ProcessSubstitution(ast::ProcessSubstitutionKind::Write, inner) => {
                            redirected.commands.push(inner);
                            redirected.is_taken = true;
                        }
                        To::Fd(_) => {}
                    }
                }
                ast::IoRedirect::HereDocument(_, heredoc) => {
                    let raw = &heredoc.doc.value;
                    redirected.stdin = if heredoc.requires_expansion {
                        let before = std::mem::take(&mut self.tainted);
                        let word = self.word(raw, Mode::Quoted);
                        let mut flow = Flow::known(if word.dynamic { raw.clone() } else { word.text });
                        flow.add(self.tainted);
                        self.tainted |= before;
                        flow
                    } else {
                        Flow::known(raw.clone())
                    };
                }
                ast::IoRedirect::HereString(_, word) => {
                    let word = self.word(&word.value, Mode::One);
                    let mut flow = flow_of(&word);
                    if let Some(text) = &mut flow.text {
                        text.push('\n');
                    } else {
                        flow.add(Flow::DATA);
                    }
                    flow.add(self.tainted);
                    redirected.stdin = flow;
                }
                ast::IoRedirect::OutputAndError(word, _) => {
                    let word = self.word(&word.value, Mode::One);
                    self.file_redirect(&mut redirected, &Kind::Write, word, true);
                }
            }
        }
        redirected
    }

    fn file_redirect(&mut self, redirected: &mut Redirected<'_>, kind: &Kind, word: Word, is_stdout: bool) {
        let is_number = word
            .text
            .trim_end_matches('-')
            .bytes()
            .all(|b| b.is_ascii_digit())
            && !word.dynamic;
        if matches!(kind, Kind::DuplicateInput | Kind::DuplicateOutput) && is_number {
            return;
        }
        if paths::is_socket(&word.text) {
            self.out.block(
                "exfiltration/shell-socket",
                "a connection that the shell itself opens",
            );
            return;
        }
        match kind {
            Kind::Read | Kind::DuplicateInput => redirected.stdin = self.read_file(&word),
            Kind::Write | Kind::Append | Kind::Clobber | Kind::DuplicateOutput => {
                redirected.is_taken |= is_stdout;
                redirected.files.push(word);
            }
            Kind::ReadAndWrite => {
                redirected.stdin = self.read_file(&word);
                redirected.files.push(word);
            }
        }
    }

    fn read_file(&mut self, word: &Word) -> Flow {
        if let Some(flow) = self.files.get(paths::plain(&word.text)) {
            return flow.clone();
        }
        let mut flow = Flow::of(Flow::DATA);
        flow.add(paths::read(&mut self.out, &self.folder, word));
        flow
    }

    /// Output goes where the redirections send it. Gives what goes on.
    fn deliver(&mut self, redirected: Redirected<'_>, printed: Flow) -> Flow {
        for file in &redirected.files {
            paths::write(&mut self.out, &self.folder, file);
            let path = paths::plain(&file.text).to_owned();
            if let Some(text) = printed.text.as_deref().filter(|_| paths::is_script(&path)) {
                let (judgement, _) = nested(&self.cx, text, &Flow::default());
                self.out.merge(judgement);
            }
            self.write(&path, printed.clone());
        }
        for command in &redirected.commands {
            let mut flow = printed.clone();
            flow.add(redirected.stdin.bits());
            self.inner(command, &flow);
        }
        if redirected.is_taken {
            Flow::default()
        } else {
            printed
        }
    }

    fn assign(&mut self, assignment: &ast::Assignment, is_kept: bool) {
        let (ast::AssignmentName::VariableName(name) | ast::AssignmentName::ArrayElementName(name, _)) =
            &assignment.name;
        if let ast::AssignmentName::ArrayElementName(_, index) = &assignment.name {
            self.word(index, Mode::Quoted);
        }
        let before = std::mem::take(&mut self.tainted);
        let mut flow = match &assignment.value {
            ast::AssignmentValue::Scalar(word) => {
                let word = self.word(&word.value, Mode::One);
                assign::judge(&self.cx, name, &word, &mut self.out);
                super::builtins::subscript(&self.cx, &word.text, &mut self.out);
                flow_of(&word)
            }
            ast::AssignmentValue::Array(elements) => {
                let mut words = Vec::new();
                for (_, element) in elements {
                    words.extend(self.words(&element.value));
                }
                let is_known = words.iter().all(|word| !word.dynamic);
                let texts: Vec<String> = words.into_iter().map(|word| word.text).collect();
                if is_known {
                    Flow::known(texts.join(" "))
                } else {
                    Flow::default()
                }
            }
        };
        flow.add(self.tainted);
        self.tainted |= before;
        if assignment.append {
            let mut joined = self.variable(name).unwrap_or_default();
            joined.join(flow);
            flow = joined;
        }
        if is_kept {
            self.set(name, flow);
        }
    }

    /// A call of an alias, a function, a builtin that changes what is known, or a program.
    fn program_call(&mut self, argv: &[Word], stdin: &Flow) -> Flow {
        let Some((program, args)) = argv.split_first() else {
            return Flow::default();
        };
        if let Some(alias) = self.aliases.get(&program.text).cloned() {
            let script = args
                .iter()
                .fold(alias, |script, arg| format!("{script} {}", quote(&arg.text)));
            return self.piece(&script, stdin);
        }
        if self.functions.contains_key(&program.text) {
            self.set_positional(args);
            return self.call(&program.text, stdin);
        }
        super::builtins::judge(&self.cx, &program.text, args, &mut self.out);
        match program.text.as_str() {
            "let" | "test" | "[" | "unset" => {
                // A subscript is arithmetic, and what stands in it is run.
                let subscripts = args
                    .iter()
                    .filter(|arg| arg.text.contains('[') && arg.text.contains(['`', '$']));
                let texts: Vec<String> = subscripts.map(|arg| arg.text.clone()).collect();
                for text in texts {
                    self.word(&text, Mode::Quoted);
                }
            }
            "mapfile" | "readarray" if args.iter().any(|arg| arg.text == "-C") => {}
            "cd" | "pushd" => {
                let target = args.iter().find(|arg| !arg.text.starts_with('-'));
                self.folder =
                    target.map_or_else(|| "~".to_owned(), |arg| paths::join(&self.folder, &arg.text));
                return Flow::default();
            }
            "export" | "declare" | "local" | "readonly" | "typeset" => {
                for arg in args {
                    if let Some((name, value)) = arg.text.split_once('=') {
                        let word = Word {
                            text: value.to_owned(),
                            dynamic: arg.dynamic,
                        };
                        assign::judge(&self.cx, name, &word, &mut self.out);
                        let mut flow = flow_of(&word);
                        flow.add(self.tainted);
                        self.set(name, flow);
                    }
                }
                return if args.iter().any(|arg| !arg.text.starts_with('-')) {
                    Flow::default()
                } else {
                    self.out
                        .approve("credential-access/environment", "prints the whole environment");
                    Flow::of(Flow::MACHINE | Flow::SECRET)
                };
            }
            "alias" => {
                for (name, text) in args.iter().filter_map(|arg| arg.text.split_once('=')) {
                    let (judgement, _) = nested(&self.cx, text, &Flow::default());
                    self.out.merge(judgement);
                    if programs::is_shadowed(name) {
                        self.out
                            .approve("persistence/alias", "an alias in the place of a known program");
                    }
                    if self.aliases.len() < 64 {
                        self.aliases.insert(name.to_owned(), text.to_owned());
                    }
                }
                return Flow::default();
            }
            "read" | "mapfile" | "readarray" => {
                for arg in args.iter().filter(|arg| !arg.text.starts_with('-')) {
                    let mut flow = Flow::of(stdin.bits());
                    flow.paths.clone_from(&stdin.paths);
                    flow.text = stdin
                        .text
                        .as_deref()
                        .and_then(|t| t.lines().next())
                        .map(str::to_owned);
                    self.set(&arg.text, flow);
                }
                return Flow::default();
            }
            "set" if args.first().is_some_and(|arg| arg.text == "--") => {
                self.set_positional(args.get(1..).unwrap_or_default());
                return Flow::default();
            }
            "eval" => return self.eval(args, stdin),
            "trap" => {
                let script = args.iter().find(|arg| !arg.text.starts_with('-'));
                if let Some(script) = script.filter(|_| args.len() > 1) {
                    let text = script.text.clone();
                    self.piece(&text, &Flow::default());
                }
                return Flow::default();
            }
            _ => {}
        }
        let world = World {
            files: &self.files,
            folder: &self.folder,
            tainted: self.tainted,
            is_substituted: self.is_substituted,
            has_foreign_remote: self.has_foreign_remote,
        };
        let outcome = argv::run(&self.cx, &world, stdin, argv);
        self.out.merge(outcome.judgement);
        self.has_foreign_remote |= outcome.has_foreign_remote;
        for (path, flow) in outcome.files {
            self.write(&path, flow);
        }
        outcome.out
    }

    /// What `$1`, `$2` … and `$@` stand for.
    fn set_positional(&mut self, args: &[Word]) {
        for (at, arg) in args.iter().take(9).enumerate() {
            self.variables.insert((at + 1).to_string(), flow_of(arg));
        }
        let is_known = args.iter().all(|arg| !arg.dynamic);
        let all = args
            .iter()
            .map(|arg| arg.text.as_str())
            .collect::<Vec<_>>()
            .join(" ");
        for name in ["@", "*"] {
            let flow = if is_known {
                Flow::known(all.clone())
            } else {
                Flow::default()
            };
            self.variables.insert(name.into(), flow);
        }
    }

    fn eval(&mut self, args: &[Word], stdin: &Flow) -> Flow {
        let text = args
            .iter()
            .map(|arg| arg.text.as_str())
            .collect::<Vec<_>>()
            .join(" ");
        if args.iter().any(|arg| arg.dynamic) {
            if self.tainted & Flow::DOWNLOAD != 0 {
                self.out
                    .block("remote-code/download-to-shell", "what was downloaded is run");
            } else if self.tainted & Flow::DECODED != 0 {
                self.out.block("remote-code/decoded", "what was decoded is run");
            } else {
                self.out
                    .approve("unclear/eval", "a script that is put together when it runs");
            }
        }
        self.piece(&text, stdin)
    }

    /// A script of the same shell.
    fn piece(&mut self, text: &str, stdin: &Flow) -> Flow {
        self.substituted(text, stdin)
    }
}

/// A word in single quotes.
pub(super) fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}
