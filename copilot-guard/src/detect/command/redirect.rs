//! Redirections: where a command's input comes from, and where its output goes.

use brush_parser::ast::{self, IoFileRedirectKind as Kind, IoFileRedirectTarget as To};

use super::expand::{Mode, flow_of};
use super::flow::Flow;
use super::paths;
use super::script::{Walker, nested};
use super::words::{Note, UNKNOWN, Word};

/// What a command's redirections come to.
pub(super) struct Redirected<'c> {
    pub(super) stdin: Flow,
    /// Files that its output goes to.
    files: Vec<Word>,
    /// Commands that its output goes to.
    pub(super) commands: Vec<&'c ast::SubshellCommand>,
    /// Its output goes to a file or command, not on.
    is_taken: bool,
    /// What the files held stays.
    is_appended: bool,
}

impl Walker<'_> {
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

    pub(super) fn inner(&mut self, inner: &ast::SubshellCommand, stdin: &Flow) -> Flow {
        let body = ast::CompoundCommand::Subshell(inner.clone());
        self.substituted_body(&body, stdin)
    }

    /// A name for the pipe of a process substitution; what runs in it is remembered as a file's content.
    pub(super) fn pipe_name(&mut self, flow: Flow) -> Word {
        let name = format!("/dev/fd/p{}", self.files.len());
        self.write(&name, flow);
        Word::known(name)
    }

    pub(super) fn redirects<'c>(
        &mut self,
        list: impl Iterator<Item = &'c ast::IoRedirect>,
        stdin: Flow,
    ) -> Redirected<'c> {
        let mut redirected = Redirected {
            stdin,
            files: Vec::new(),
            commands: Vec::new(),
            is_taken: false,
            is_appended: false,
        };
        for redirect in list {
            match redirect {
                ast::IoRedirect::File(fd, kind, target) => match target {
                    To::Filename(word) | To::Duplicate(word) => {
                        let word = self.word(&word.value, Mode::One);
                        self.file_redirect(&mut redirected, *fd, kind, word);
                    }
                    To::ProcessSubstitution(ast::ProcessSubstitutionKind::Read, inner) => {
                        let flow = self.inner(inner, &Flow::default());
                        self.input(&mut redirected, *fd, flow);
                    }
                    To::ProcessSubstitution(ast::ProcessSubstitutionKind::Write, inner) => {
                        redirected.commands.push(inner);
                        redirected.is_taken = true;
                    }
                    To::Fd(number) => {
                        self.file_redirect(&mut redirected, *fd, kind, Word::known(number.to_string()));
                    }
                },
                ast::IoRedirect::HereDocument(fd, heredoc) => {
                    let raw = &heredoc.doc.value;
                    let flow = if heredoc.requires_expansion {
                        let before = std::mem::take(&mut self.tainted);
                        let word = self.word(raw, Mode::Quoted);
                        let mut flow = Flow::known(if word.dynamic { raw.clone() } else { word.text });
                        flow.add(self.tainted);
                        self.tainted |= before;
                        flow
                    } else {
                        Flow::known(raw.clone())
                    };
                    self.input(&mut redirected, *fd, flow);
                }
                ast::IoRedirect::HereString(fd, word) => {
                    let word = self.word(&word.value, Mode::One);
                    let mut flow = flow_of(&word);
                    if let Some(text) = &mut flow.text {
                        text.push('\n');
                    } else {
                        flow.add(Flow::DATA);
                    }
                    flow.add(self.tainted);
                    self.input(&mut redirected, *fd, flow);
                }
                ast::IoRedirect::OutputAndError(word, _) => {
                    let word = self.word(&word.value, Mode::One);
                    self.file_redirect(&mut redirected, None, &Kind::Write, word);
                }
            }
        }
        redirected
    }

    /// What comes in by a descriptor: only the first is the standard input, others are read by their names.
    fn input(&mut self, redirected: &mut Redirected<'_>, fd: Option<i32>, flow: Flow) {
        match fd {
            None | Some(0) => redirected.stdin = flow,
            Some(number) => self.write(&format!("/dev/fd/{number}"), flow),
        }
    }

    fn file_redirect(&mut self, redirected: &mut Redirected<'_>, fd: Option<i32>, kind: &Kind, word: Word) {
        let number = word.text.trim_end_matches('-');
        let is_number = number.bytes().all(|b| b.is_ascii_digit()) && !word.dynamic;
        match kind {
            Kind::DuplicateInput if is_number => {
                let flow = match number {
                    "" => Flow::default(),
                    "0" => redirected.stdin.clone(),
                    _ => self
                        .files
                        .get(&format!("/dev/fd/{number}"))
                        .cloned()
                        .unwrap_or_else(|| Flow::of(Flow::DATA)),
                };
                self.input(redirected, fd, flow);
                return;
            }
            Kind::DuplicateOutput if is_number => return,
            _ => {}
        }
        if paths::is_socket(&word.text) {
            self.out.block(
                "exfiltration/shell-socket",
                "a connection that the shell itself opens",
            );
            return;
        }
        let is_read = matches!(kind, Kind::Read | Kind::DuplicateInput | Kind::ReadAndWrite);
        if is_read {
            let flow = self.read_file(&word);
            self.input(redirected, fd, flow);
        }
        if !is_read || matches!(kind, Kind::ReadAndWrite) {
            if fd.is_some_and(|fd| fd > 2) {
                // What is written there later is not followed.
                self.keep(&word.text, Flow::of(Flow::DATA));
            }
            redirected.is_taken |= !is_read && fd.is_none_or(|fd| fd == 1);
            redirected.is_appended |= matches!(kind, Kind::Append);
            redirected.files.push(word);
        }
    }

    fn read_file(&mut self, word: &Word) -> Flow {
        let mut flow: Option<Flow> = None;
        for folder in self.folders() {
            let known = self.files.get(&paths::normal(&folder, &word.text)).cloned();
            let found = known.unwrap_or_else(|| {
                let mut flow = Flow::of(Flow::DATA);
                flow.add(paths::read(&mut self.out, &folder, word));
                flow
            });
            flow = Some(match flow {
                Some(flow) => flow.either(found),
                None => found,
            });
        }
        flow.unwrap_or_default()
    }

    /// Remembers what was written to a file of this folder.
    pub(super) fn keep(&mut self, path: &str, flow: Flow) {
        for folder in self.folders() {
            self.write(&paths::normal(&folder, path), flow.clone());
        }
    }

    /// Judges what is written to a file by what it is: nothing, over one file of a loop after another; code that starts
    /// with an interpreter.
    fn judge_written(&mut self, file: &Word, printed: &Flow) {
        // One that is named in part is one of the script's own.
        let is_name =
            file.is_blank() || file.text.starts_with(UNKNOWN) || file.text.ends_with(['*', UNKNOWN]);
        let is_nothing =
            printed.is_empty() || printed.text.as_deref().is_some_and(|text| text.trim().is_empty());
        if is_nothing && file.dynamic && is_name && self.is_looping() {
            self.out
                .approve("destructive/emptied", "empties one file after another");
        }
        let path = file.text.to_lowercase();
        let name = path.rsplit('/').next().unwrap_or_default();
        let is_loaded = matches!(name, "sitecustomize.py" | "usercustomize.py")
            || name.ends_with(".pth") && printed.texts().any(|text| text.contains("import"));
        if is_loaded {
            self.out
                .approve("persistence/start-up-file", "writes what every Python loads");
        }
    }

    /// Output goes where the redirections send it. Gives what goes on.
    pub(super) fn deliver(&mut self, redirected: Redirected<'_>, printed: Flow) -> Flow {
        for file in &redirected.files {
            if !redirected.is_appended {
                self.judge_written(file, &printed);
            }
            for folder in self.folders() {
                paths::write(&mut self.out, &folder, file);
            }
            for text in printed.texts().filter(|_| paths::is_script(&file.text)) {
                let (judgement, _) = nested(&self.cx, text, &Flow::default());
                self.out.merge(judgement);
            }
            self.keep(&file.text, printed.clone());
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
}
